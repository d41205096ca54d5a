//! Rule files from the file system: the only place where the rule loader meets a disk.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use palisade_seclang::{LoadError, Loader, glob_matches, is_glob};

use crate::workload_api;

/// Reads rule and data files.
pub(crate) struct FileSystem;

/// A rule or data file is read whole; 64 MiB is sixty times CRS.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Entries that the expansion of one pattern looks at.
const GLOB_ENTRIES_MAX: usize = 100_000;

impl Loader for FileSystem {
    fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if let Some(told) = workload_api::read(path) {
            return told.map_err(|message| LoadError { not_found: false, message });
        }
        read(Path::new(path), FILE_BYTES_MAX).map_err(|error| load_error(&error))
    }

    fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError> {
        let mut found = Vec::new();
        let mut looked_at = 0;
        // Patterns are rare and name one folder deep at most places: walk from the last part without a wildcard.
        let fixed = pattern.split('/').take_while(|part| !is_glob(part)).collect::<Vec<_>>().join("/");
        let depth = pattern.split('/').count() - fixed.split('/').count();
        let start = match (fixed.is_empty(), pattern.starts_with('/')) {
            (true, true) => "/".to_owned(),
            (true, false) => ".".to_owned(),
            (false, _) => fixed,
        };
        walk(&start, pattern.starts_with("./") || start != ".", depth, pattern, &mut found, &mut looked_at)?;
        found.sort_unstable();
        Ok(found)
    }
}

fn walk(
    folder: &str,
    named: bool,
    depth: usize,
    pattern: &str,
    found: &mut Vec<String>,
    looked_at: &mut usize,
) -> Result<(), LoadError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Nothing there is nothing found.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(load_error(&error)),
    };
    for entry in entries {
        *looked_at += 1;
        if *looked_at > GLOB_ENTRIES_MAX {
            let message = format!("`{pattern}` looks at more than {GLOB_ENTRIES_MAX} files");
            return Err(LoadError { not_found: false, message });
        }
        let entry = entry.map_err(|error| load_error(&error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = match (named, folder) {
            (false, _) => name,
            (true, "/") => format!("/{name}"),
            (true, folder) => format!("{folder}/{name}"),
        };
        if depth > 1 {
            if entry.path().is_dir() {
                walk(&path, true, depth - 1, pattern, found, looked_at)?;
            }
        } else if glob_matches(pattern, &path) && entry.path().is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// Reads a file of requests, or standard input for `-`. Larger than 256 MiB is an error.
pub(crate) fn read_requests(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        return take(io::stdin().lock(), REQUEST_BYTES_MAX).context("standard input");
    }
    read(path, REQUEST_BYTES_MAX).with_context(|| format!("`{}`", path.display()))
}

/// Files of requests are read whole; all of CRS's own tests are 4 MB.
const REQUEST_BYTES_MAX: u64 = 256 << 20;

fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
    }
    take(file, bytes_max)
}

fn take(from: impl io::Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("is larger than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

fn load_error(error: &io::Error) -> LoadError {
    LoadError { not_found: error.kind() == io::ErrorKind::NotFound, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_files_by_name_in_order() {
        let folder = std::env::temp_dir().join(format!("palisade-files-{}", std::process::id()));
        fs::create_dir_all(folder.join("plugins/one")).unwrap();
        for name in ["b.conf", "a.conf", "c.txt", "plugins/one/x.conf"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let root = folder.to_str().unwrap();
        let expand = |pattern: &str| FileSystem.expand(&format!("{root}/{pattern}")).unwrap();
        assert_eq!(expand("*.conf"), [format!("{root}/a.conf"), format!("{root}/b.conf")]);
        assert_eq!(expand("plugins/*/*.conf"), [format!("{root}/plugins/one/x.conf")]);
        assert_eq!(expand("none/*.conf"), [""; 0]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_not_there_is_told_from_what_cannot_be_read() {
        assert!(FileSystem.read("/nonexistent/x").unwrap_err().not_found);
        assert!(!FileSystem.read("/").unwrap_err().not_found);
    }
}
