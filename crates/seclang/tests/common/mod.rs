//! What the test files share: files of this machine as a loader, and where data is.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};

use palisade_seclang::{LoadError, Loaded, Loader, Style, glob_matches, is_glob};

/// Files of the file system.
pub(crate) struct DiskLoader;

impl Loader for DiskLoader {
    fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        std::fs::read(path).map_err(|error| LoadError {
            not_found: error.kind() == std::io::ErrorKind::NotFound,
            message: error.to_string(),
        })
    }

    fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError> {
        // Wildcards in the last component are all that the trees under test use.
        let (directory, _) = pattern.rsplit_once('/').expect("patterns under test have a directory");
        assert!(!is_glob(directory), "{pattern}");
        let Ok(entries) = std::fs::read_dir(directory) else { return Ok(Vec::new()) };
        let paths = entries.map(|entry| entry.expect("a readable directory").path().display().to_string());
        Ok(paths.filter(|path| glob_matches(pattern, path)).collect())
    }
}

/// Data beside the repository; `None`, with a line that says so, when it is not there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")).join(path);
    if !found.exists() {
        eprintln!("skipped: ../shared/{path} is not there");
        return None;
    }
    Some(found)
}

/// The repository's own cases.
pub(crate) fn testdata(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata")).join(path)
}

/// All findings as text.
pub(crate) fn rendered(loaded: &Loaded) -> String {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.render(&loaded.sources, Style::Plain)).collect()
}
