//! `palisade inject`: manifests in, manifests with sidecars out. What an admission server does to pods, by hand.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use palisade_model::Mode;
use palisade_operator::inject::{
    Injection, Resources, Settings, SidecarForm, Workload, each_workload, inject, network_policy,
};
use palisade_operator::manifest;
use serde_json::Value;

use crate::Finding;

/// Pods, and whatever has a template for pods, get a sidecar; other objects pass as they are. What an annotation or a
/// label says is done as in a cluster (docs/guide/injection.md). Nothing is printed when one of them cannot be injected.
#[derive(Args, Debug)]
pub(crate) struct InjectFlags {
    /// File of manifests, YAML or JSON, or - for standard input; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Add a NetworkPolicy for each workload that closes the application's own port
    #[arg(long)]
    pub(crate) network_policy: bool,
    #[command(flatten)]
    pub(crate) sidecar: SidecarFlags,
}

/// What sidecars are like; pods may say otherwise by annotations.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sidecars")]
pub(crate) struct SidecarFlags {
    /// Image of the sidecar
    #[arg(long, value_name = "IMAGE", default_value = "palisade")]
    pub(crate) image: String,
    /// Always, IfNotPresent or Never; the API server's default when absent
    #[arg(long, value_name = "POLICY", value_parser = ["Always", "IfNotPresent", "Never"])]
    pub(crate) image_pull_policy: Option<String>,
    /// off, monitoring, safe_blocking or block
    #[arg(id = "sidecar_mode", long = "sidecar-mode", value_name = "MODE", default_value = "monitoring")]
    pub(crate) mode: Mode,
    /// Port that sidecars listen on
    #[arg(long, value_name = "PORT", default_value_t = 16080, value_parser = clap::value_parser!(u16).range(1024..))]
    pub(crate) listen_port: u16,
    /// Port of sidecars for probes and metrics
    #[arg(long, value_name = "PORT", default_value_t = 9902, value_parser = clap::value_parser!(u16).range(1024..))]
    pub(crate) probes_port: u16,
    /// Address that sidecars listen on; `[::]` where pods have IPv6 alone
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0", value_parser = ["0.0.0.0", "[::]"])]
    pub(crate) bind: String,
    /// CRS folder in the image, such as /opt/owasp-crs of its variant `crs`; the detector alone inspects when absent
    #[arg(id = "sidecar_crs", long = "sidecar-crs", value_name = "DIR")]
    pub(crate) crs: Option<String>,
    /// What sidecars ask for and may take: cpu=REQUEST/LIMIT,memory=REQUEST/LIMIT [default: cpu=50m,memory=96Mi/512Mi]
    #[arg(long, value_name = "AMOUNTS", value_parser = resources)]
    pub(crate) resources: Option<Resources>,
    /// User and group of sidecars, or auto: the cluster chooses
    #[arg(long, value_name = "UID|auto", default_value = "65532", value_parser = user)]
    pub(crate) run_as_user: User,
    /// Seconds during which sidecars take requests after their pod was told to end
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=60))]
    pub(crate) drain_seconds: u32,
    /// Version of the API server: before 1.29 sidecars are ordinary containers
    #[arg(long, value_name = "VERSION", default_value = "1.33", value_parser = version)]
    pub(crate) kubernetes_version: (u32, u32),
    /// Project a token of the pod's service account with this audience into sidecars
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) token_audience: Option<String>,
    /// Namespaces that may ask for metrics, NAME=VALUE of a label, in NetworkPolicies; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) metrics_from: Vec<(String, String)>,
    /// Namespaces that are left alone, beside kube-system, kube-public, kube-node-lease and palisade-system; may be repeated
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) exclude_namespace: Vec<String>,
}

/// Whom sidecars run as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum User {
    Auto,
    Id(u32),
}

fn user(text: &str) -> Result<User, String> {
    match (text, text.parse()) {
        ("auto", _) => Ok(User::Auto),
        (_, Ok(id)) if id > 0 => Ok(User::Id(id)),
        _ => Err("write a number above 0, or auto".to_owned()),
    }
}

fn version(text: &str) -> Result<(u32, u32), String> {
    let (major, minor) = text.trim_start_matches('v').split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| {
        text.split(|char: char| !char.is_ascii_digit()).next().and_then(|text| text.parse().ok())
    };
    digits(major).zip(digits(minor)).ok_or_else(|| "write a version such as 1.33".to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn resources(text: &str) -> Result<Resources, String> {
    Resources::default().with(text)
}

impl SidecarFlags {
    /// As injection takes them.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings {
            image: self.image.clone(),
            image_pull_policy: self.image_pull_policy.clone(),
            form: SidecarForm::for_version(self.kubernetes_version.0, self.kubernetes_version.1),
            mode: self.mode,
            listen_port: self.listen_port,
            probes_port: self.probes_port,
            bind: self.bind.clone(),
            crs: self.crs.clone(),
            run_as_user: match self.run_as_user {
                User::Auto => None,
                User::Id(id) => Some(id),
            },
            drain_seconds: self.drain_seconds,
            token_audience: self.token_audience.clone(),
            ..Settings::default()
        };
        settings.resources = self.resources.clone().unwrap_or(settings.resources);
        settings.excluded_namespaces.extend(self.exclude_namespace.iter().cloned());
        let from: BTreeMap<_, _> = self.metrics_from.iter().cloned().collect();
        settings.metrics_from = (!from.is_empty()).then_some(from);
        settings
    }
}

/// Injects; exit 1 when something was denied.
pub(crate) fn run(flags: &InjectFlags) -> Result<Finding> {
    let settings = flags.sidecar.settings();
    let mut made = Vec::new();
    let mut denied = false;
    for file in &flags.files {
        let text = read(file)?;
        let shown = file.display();
        let documents = manifest::read(&text).map_err(|wrong| anyhow::anyhow!("{shown}: {wrong}"))?;
        for mut document in documents {
            let mut policies = Vec::new();
            denied |= !each(&mut document, &settings, flags.network_policy, &mut policies)?;
            made.push(document);
            made.append(&mut policies);
        }
    }
    if denied {
        return Ok(Finding::Something);
    }
    std::io::stdout().write_all(manifest::write_all(&made).as_bytes())?;
    Ok(Finding::Nothing)
}

/// Injects the pods of one document. Whether all could be.
fn each(
    document: &mut Value,
    settings: &Settings,
    with_policy: bool,
    policies: &mut Vec<Value>,
) -> Result<bool> {
    let mut all = true;
    let selectors: Vec<Value> = match document.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().map(|item| item["spec"]["selector"].clone()).collect(),
        None => vec![document["spec"]["selector"].clone()],
    };
    let mut visit = |Workload { name, namespace, pod, index }: Workload<'_>| -> Result<()> {
        match inject(pod, &namespace, settings) {
            Injection::Patched { pod: injected, status, warnings, .. } => {
                warnings.iter().for_each(|warning| say!("palisade: {name}: {warning}"));
                say!(
                    "palisade: {name}: injected ({}): {} listens on {}, the application on {}",
                    serde_json::to_value(status.strategy)?.as_str().unwrap_or_default(),
                    status.container,
                    status.listen,
                    status.app
                );
                *pod = injected;
            }
            Injection::Skipped(skip) => say!("palisade: {name}: skipped ({}): {skip}", skip.reason()),
            Injection::Denied(message) => {
                say!("palisade: {name}: denied: {message}");
                all = false;
            }
        }
        if with_policy && all {
            let short = name.split_once('/').map_or(name.as_str(), |(_, short)| short);
            let namespace = (namespace.name != "default").then_some(namespace.name.as_str());
            let selector = selectors.get(index).filter(|selector| selector.get("matchLabels").is_some());
            match network_policy(short, namespace, pod, selector, settings) {
                Ok(policy) => policies.push(policy),
                Err(error) => say!("palisade: {name}: no NetworkPolicy: {error}"),
            }
        }
        Ok(())
    };
    each_workload(document, &mut visit)?;
    Ok(all)
}

/// Bytes of a file of manifests.
const FILE_BYTES_MAX: u64 = 32 << 20;

fn read(file: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let source: Box<dyn std::io::Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin().lock()),
        _ => Box::new(std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?),
    };
    source
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .with_context(|| format!("cannot read {}", file.display()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        bail!("{} has more than {} MiB", file.display(), FILE_BYTES_MAX >> 20);
    }
    Ok(text)
}
