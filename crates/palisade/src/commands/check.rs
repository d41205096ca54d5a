//! `palisade check`: everything that is wrong with rules, at once.

use std::io::Write as _;

use anyhow::{Result, bail};

use crate::Finding;
use crate::flags::CheckFlags;
use crate::rules::{self, Warnings};

/// Loads and compiles; exit 1 when something is an error.
pub(crate) fn run(flags: &CheckFlags) -> Result<Finding> {
    let sources = rules::sources(&flags.rules)?;
    if sources.is_empty() {
        bail!("nothing to check: name rules by --crs, --rules-before or --rules");
    }
    let loaded = rules::load(&sources);
    rules::show(&loaded, Warnings::Shown);
    let total = rules::count(&loaded);
    match &loaded.rules {
        Some(rules) => {
            let count = rules.rules().len();
            let are = if count == 1 { "is" } else { "are" };
            writeln!(std::io::stdout(), "{} {are} usable: {total}", rules::plural(count, "rule"))?;
        }
        None => writeln!(std::io::stdout(), "the rules are not usable: {total}")?,
    }
    let tolerated = loaded.diagnostics.is_empty() || !flags.strict;
    let clean = loaded.rules.is_some() && tolerated;
    Ok(if clean { Finding::Nothing } else { Finding::Something })
}
