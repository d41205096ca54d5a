//! The environment of this process: the only place that reads its variables and looks for what is mounted.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use palisade_config::Environment;
use palisade_seclang::{Loader as _, is_glob};

use crate::files::FileSystem;

/// Reads it.
///
/// # Errors
/// When a variable that means something is not UTF-8.
pub(crate) fn of_this_process() -> Result<Environment> {
    let mut variables = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        match value.to_str() {
            Some(value) => {
                variables.insert(name.to_owned(), value.to_owned());
            }
            None if Environment::knows(name) => bail!("{name} is not UTF-8"),
            None => {}
        }
    }
    Ok(Environment::read(&variables, &is_mounted))
}

/// Whether a file is there, or any that a pattern matches. One that cannot be looked for is not.
fn is_mounted(path: &str) -> bool {
    match is_glob(path) {
        true => FileSystem.expand(path).is_ok_and(|found| !found.is_empty()),
        false => Path::new(path).exists(),
    }
}
