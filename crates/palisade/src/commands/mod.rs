//! One module a command.

pub(crate) mod authz;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod policy;
pub(crate) mod profile;
pub(crate) mod rules;
pub(crate) mod run;

use std::io::Write as _;

use clap::CommandFactory as _;

use crate::Finding;
use crate::flags::{ConfigCommand, Flags};

/// Prints what a configuration file or the environment may say.
pub(crate) fn config(which: &ConfigCommand) -> anyhow::Result<Finding> {
    let text = match which {
        ConfigCommand::Reference => palisade_config::reference(),
        ConfigCommand::Schema => palisade_config::json_schema(),
        ConfigCommand::Environment => palisade_config::environment_reference(),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Finding::Nothing)
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
