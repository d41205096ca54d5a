//! One module a command.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod profile;
pub(crate) mod rules;
pub(crate) mod run;

use clap::CommandFactory as _;

use crate::Finding;
use crate::flags::Flags;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<Finding> {
    let mut command = Flags::command();
    clap_complete::generate(shell, &mut command, "palisade", &mut std::io::stdout());
    Ok(Finding::Nothing)
}
