//! `palisade migrate ingress-nginx`: objects for us on standard output, what becomes of each annotation on standard error.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use palisade_operator::cluster::{ClusterFlags, client};
use palisade_operator::gateway::ingress_objects;
use palisade_operator::migrate::{Form, Migration, migrate, read_objects, to_yaml};
use serde_json::{Value, json};

use crate::Finding;

#[derive(Subcommand, Debug)]
pub(crate) enum MigrateCommand {
    /// Objects for `palisade gateway` in the place of ingress-nginx's
    ///
    /// Prints them, and says of each annotation and of each key of the ConfigMap whether it is kept, changed (and why) or
    /// unsupported. Exit 1 where something needs a look.
    IngressNginx(IngressNginxFlags),
}

#[derive(Args, Debug)]
pub(crate) struct IngressNginxFlags {
    /// File or folder with manifests, or - for standard input; may be repeated [default: the cluster]
    #[arg(short = 'f', long = "file", value_name = "FILE|DIR")]
    pub(crate) files: Vec<PathBuf>,
    /// Values of ingress-nginx's Helm chart
    #[arg(long, value_name = "FILE")]
    pub(crate) helm_values: Option<PathBuf>,
    /// Which kinds stand for Ingresses: ingress, or gateway-api (Gateway, HTTPRoute, BackendTLSPolicy) as far as it has words
    #[arg(long = "to", value_name = "KINDS", value_enum, default_value = "ingress")]
    pub(crate) kinds: Kinds,
    /// How it is told what becomes of annotations: text on standard error, or json, which takes the place of the objects
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) cluster: ClusterFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kinds {
    Ingress,
    GatewayApi,
}

/// Prints what there is to apply and to know.
pub(crate) fn run(flags: &IngressNginxFlags) -> Result<Finding> {
    let mut objects = Vec::new();
    for file in &flags.files {
        read(file, &mut objects)?;
    }
    let values = flags.helm_values.as_deref().map(values).transpose()?;
    if flags.files.is_empty() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        objects = runtime.block_on(async {
            let client = client(&flags.cluster).await?;
            ingress_objects(client).await.context("the cluster")
        })?;
    }
    let form = match flags.kinds {
        Kinds::Ingress => Form::Ingress,
        Kinds::GatewayApi => Form::GatewayApi,
    };
    let migration = migrate(&objects, values.as_ref(), form);
    let mut out = std::io::stdout();
    match flags.format {
        Format::Text => {
            out.write_all(text(&migration).as_bytes())?;
            for finding in &migration.findings {
                let name = if finding.name.is_empty() { String::new() } else { format!(" {}", finding.name) };
                say!("{}:{name}: {}: {}", finding.object, finding.verdict, finding.why);
            }
        }
        Format::Json => {
            let findings: Vec<Value> = migration
                .findings
                .iter()
                .map(|finding| {
                    json!({"object": finding.object, "name": finding.name, "verdict": finding.verdict, "why": finding.why})
                })
                .collect();
            let all = json!({"objects": migration.objects, "flags": migration.flags, "findings": findings});
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        }
    }
    Ok(if migration.needs_a_look() { Finding::Something } else { Finding::Nothing })
}

/// The objects, under the flags that the gateway needs for them.
fn text(migration: &Migration) -> String {
    let flags = migration.flags.iter().map(|flag| format!("#   {flag}\n")).collect::<String>();
    let above =
        if flags.is_empty() { flags } else { format!("# palisade gateway needs these flags:\n{flags}") };
    above + &to_yaml(&migration.objects)
}

/// The objects of a file, of the files of a folder by name, or of standard input.
fn read(path: &Path, objects: &mut Vec<Value>) -> Result<()> {
    let name = path.display().to_string();
    if name == "-" {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut text)?;
        objects.extend(read_objects("-", &text)?);
        return Ok(());
    }
    if !path.is_dir() {
        let text = std::fs::read(path).with_context(|| name.clone())?;
        objects.extend(read_objects(&name, &text)?);
        return Ok(());
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)
        .with_context(|| name.clone())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
        })
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("{name}: the folder holds no manifests (*.yaml, *.yml, *.json)");
    }
    files.iter().try_for_each(|file| read(file, objects))
}

fn values(path: &Path) -> Result<Value> {
    let name = path.display().to_string();
    let text = std::fs::read(path).with_context(|| name.clone())?;
    Ok(read_objects(&name, &text)?.into_iter().next().unwrap_or(Value::Null))
}
