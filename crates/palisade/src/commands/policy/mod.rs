//! `palisade policy`: one module a command.

mod access_line;
pub(crate) mod check;
pub(crate) mod eval;
mod flow;
pub(crate) mod matching;
pub(crate) mod suggest;
pub(crate) mod trial;

use std::path::PathBuf;

use anyhow::Result;

use crate::flags;

/// Paths as texts.
fn paths(paths: &[PathBuf]) -> Result<Vec<String>> {
    paths.iter().map(|path| flags::text(path)).collect()
}

/// The lines of an input that hold something, with their numbers from 1.
fn lines(input: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = input.split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.trim_ascii().is_empty()).map(|(number, line)| (number + 1, line))
}
