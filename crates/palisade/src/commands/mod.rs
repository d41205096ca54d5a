//! One module a command.

pub(crate) mod alerts;
pub(crate) mod authz;
pub(crate) mod check;
pub(crate) mod console;
pub(crate) mod control;
pub(crate) mod demo;
pub(crate) mod drain;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod gateway;
pub(crate) mod health;
pub(crate) mod inject;
pub(crate) mod manual;
pub(crate) mod migrate;
pub(crate) mod operator;
pub(crate) mod password;
pub(crate) mod policy;
pub(crate) mod profile;
pub(crate) mod replay;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod sim;
pub(crate) mod webhook;

use std::io::Write as _;

use clap::CommandFactory as _;
use palisade_events::sinks::Kind;
use palisade_events::sinks::elastic::template::{Engine, index_template};

use crate::Finding;
use crate::flags::{ConfigCommand, Flags, IndexEngine};

/// Prints what a configuration file or the environment may say.
pub(crate) fn config(which: &ConfigCommand) -> anyhow::Result<Finding> {
    let text = match which {
        ConfigCommand::Reference => palisade_config::reference(),
        ConfigCommand::Schema => palisade_config::json_schema(),
        ConfigCommand::Environment => palisade_config::environment_reference(),
        ConfigCommand::Cli => manual::reference(),
        ConfigCommand::Seclang => palisade_engine::reference(),
        ConfigCommand::IndexTemplates { engine } => index_templates(*engine),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Finding::Nothing)
}

/// The index templates that a sink of the default configuration puts.
fn index_templates(engine: IndexEngine) -> String {
    let engine = match engine {
        IndexEngine::Elasticsearch => Engine::Elasticsearch,
        IndexEngine::Opensearch => Engine::OpenSearch,
    };
    let named = [
        (Kind::Waf, "tigera_secure_ee_waf"),
        (Kind::L7, "tigera_secure_ee_l7"),
        (Kind::Alerts, "tigera_secure_ee_events"),
    ];
    let templates: serde_json::Map<String, serde_json::Value> = named
        .into_iter()
        .map(|(kind, prefix)| {
            (format!("{prefix}.palisade"), index_template(kind, &format!("{prefix}.*"), engine))
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&templates).expect("a tree of texts is JSON");
    text.push('\n');
    text
}

/// Prints the completions of a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<Finding> {
    let mut command = Flags::command();
    // Into memory first: the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "palisade", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Finding::Nothing)
}
