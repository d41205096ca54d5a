//! Files into a folder: all of them or none. They are written beside it, and the folder appears by one rename.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::fetch::archive::Files;
use crate::fetch::release::Release;

/// Whether a folder holds a release that we know, file by file.
///
/// # Errors
/// When something else is there: nothing of anybody's is written over.
pub(super) fn is_there(folder: &str, release: &Release) -> Result<bool> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("`{folder}` cannot be looked at")),
        // An empty folder is nothing of anybody's.
        Ok(mut entries) => {
            if entries.next().is_none() {
                return Ok(false);
            }
        }
    }
    let same =
        |path: &str| fs::read(Path::new(folder).join(path)).is_ok_and(|content| release.has(path, &content));
    if release.is_known() && release.paths().all(same) {
        return Ok(true);
    }
    bail!(
        "`{folder}` is there and is not CRS {}: name another folder by --to, or move it away",
        release.version
    )
}

/// Writes files into a folder that is not there, or is empty.
///
/// # Errors
/// When it cannot be written; nothing is left behind then.
pub(super) fn install(folder: &str, files: &Files) -> Result<()> {
    let folder = Path::new(folder);
    let name = folder.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("`{}` has no name of its own", folder.display()))?;
    let beside = match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(beside).with_context(|| format!("`{}` cannot be made", beside.display()))?;
    let made = Temporary(beside.join(format!(".{name}.fetch-{}", std::process::id())));
    fs::create_dir(&made.0).with_context(|| format!("`{}` cannot be made", made.0.display()))?;
    for (path, content) in files {
        let to = made.0.join(path);
        let write = || {
            fs::create_dir_all(to.parent().unwrap_or(&made.0))?;
            let mut file = fs::File::create_new(&to)?;
            file.write_all(content)?;
            file.sync_all()
        };
        write().with_context(|| format!("`{}` cannot be written", to.display()))?;
    }
    // Over nothing, or over an empty folder; anything else makes it fail.
    fs::rename(&made.0, folder).with_context(|| format!("`{}` cannot be put in its place", folder.display()))
}

/// A folder that goes when it was not renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
