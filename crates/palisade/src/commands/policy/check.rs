//! `palisade policy check`: everything that is wrong with policies, at once.

use std::io::Write as _;

use anyhow::Result;
use palisade_policy::Change;

use crate::Finding;
use crate::files::FileSystem;
use crate::flags::PolicyCheckFlags;
use crate::policies::PolicyFiles;
use crate::rules::plural;

/// Reads and checks; exit 1 when something is an error.
pub(crate) fn run(flags: &PolicyCheckFlags) -> Result<Finding> {
    let (clean, _) = checked(&super::paths(&flags.policies.policies)?, flags.strict)?;
    Ok(if clean { Finding::Nothing } else { Finding::Something })
}

/// Shows what is wrong with policies. Whether nothing is, and what they are.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn checked(paths: &[String], strict: bool) -> Result<(bool, Vec<Change>)> {
    let read = PolicyFiles::default().read(paths, &FileSystem)?;
    read.said.show();
    let are = if read.objects == 1 { "is" } else { "are" };
    let ignored = match read.said.ignored {
        0 => String::new(),
        count => format!(", {} of other kinds left out", plural(count, "object")),
    };
    writeln!(
        std::io::stdout(),
        "{} of policy {are} usable: {}{ignored}",
        plural(read.objects, "object"),
        read.said.count()
    )?;
    Ok((read.said.errors == 0 && (read.said.warnings == 0 || !strict), read.changes))
}
