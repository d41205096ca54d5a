//! `palisade man`, and the reference page of the command line: both made of the flags as they are.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, bail};
use clap::CommandFactory as _;

use crate::Finding;
use crate::flags::{Flags, ManFlags};

/// Prints the page of a command, or writes those of all commands.
pub(crate) fn man(flags: &ManFlags) -> anyhow::Result<Finding> {
    let root = whole();
    if let Some(folder) = &flags.dir {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut pages = Vec::new();
        visit(&root, &mut |command, _| {
            pages.push((
                format!("{}.1", command.get_display_name().unwrap_or(command.get_name())),
                page(command),
            ));
        });
        for (name, page) in &pages {
            let file = folder.join(name);
            std::fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
        }
        return Ok(Finding::Nothing);
    }
    let mut command = &root;
    for word in &flags.command {
        let Some(inner) = command.find_subcommand(word) else {
            bail!("there is no command {:?}: `palisade --help` lists them", flags.command.join(" "));
        };
        command = inner;
    }
    // Into memory first: a reader may have gone away.
    std::io::stdout().write_all(&page(command))?;
    Ok(Finding::Nothing)
}

/// `docs/reference/cli.md`, in Markdown.
pub(crate) fn reference() -> String {
    let mut out = String::from(INTRODUCTION);
    visit(&whole(), &mut |command, depth| {
        let name = spoken(command);
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(out, "\n{} {name}\n\n{about}.\n", "#".repeat(depth + 2));
        // A command that only groups others has nothing to say that those do not.
        if depth == 0 || !command.has_subcommands() {
            let help = command.clone().term_width(WIDTH).render_long_help().to_string();
            // The description is there already.
            let usage = help.find("Usage:").map_or(help.as_str(), |at| &help[at..]);
            let lines: Vec<&str> = usage.trim_end().lines().map(str::trim_end).collect();
            let _ = writeln!(out, "```text\n{}\n```", lines.join("\n"));
        }
    });
    out
}

/// Columns of the help on the page.
const WIDTH: usize = 110;

/// The command line with all that clap adds to it, without its `help` commands, which say nothing of their own.
fn whole() -> clap::Command {
    let mut command = Flags::command().disable_help_subcommand(true);
    command.build();
    command
}

/// Calls with a command and all below it, in order.
fn visit(command: &clap::Command, each: &mut dyn FnMut(&clap::Command, usize)) {
    fn below(command: &clap::Command, depth: usize, each: &mut dyn FnMut(&clap::Command, usize)) {
        each(command, depth);
        for inner in
            command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
        {
            below(inner, depth + 1, each);
        }
    }
    below(command, 0, each);
}

/// `palisade policy eval`, as it is typed.
fn spoken(command: &clap::Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}

/// A page in the language of man.
fn page(command: &clap::Command) -> Vec<u8> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut out = Vec::new();
    // The page's name is the file's: `palisade-policy-eval`. The commit is no part of a page.
    clap_mangen::Man::new(command.clone())
        .title(name)
        .manual("Palisade")
        .source(concat!("palisade ", env!("CARGO_PKG_VERSION")))
        .render(&mut out)
        .expect("memory takes what is written");
    out
}

const INTRODUCTION: &str = "\
# Command line

<!-- Written by `palisade config cli`; a test compares. -->

What `--help` says of every command. A command that finds nothing wrong exits with 0, one that denies or finds something
with 1, one that cannot do what it was asked with 2. `palisade man COMMAND` prints the same as a manual page, `palisade man
--dir DIR` writes all of them (`man -l DIR/palisade-run.1`), and `palisade completions bash|zsh|fish` completes what is typed.
";
