//! Which files a configuration was made of, and whether they have changed since.
//!
//! By looking, not by being told: a mounted ConfigMap swaps a symbolic link far above the files, network file
//! systems tell nobody, and a look at CRS's fifty files costs less than a request.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use palisade_seclang::{LoadError, Loader};

/// How often a watcher looks. A change is acted upon when it has stood still for one more look, so that a copy in
/// progress is not loaded half.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A loader that remembers what it was asked for.
pub(crate) struct Watched<'a> {
    loader: &'a dyn Loader,
    seen: RefCell<Seen>,
}

impl<'a> Watched<'a> {
    /// Watches what a loader reads.
    pub(crate) fn new(loader: &'a dyn Loader) -> Self {
        Self { loader, seen: RefCell::new(Seen::default()) }
    }

    /// What it was asked for, as it was then.
    pub(crate) fn into_seen(self) -> Seen {
        self.seen.into_inner()
    }
}

impl Loader for Watched<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        // Stamped before it is read: a change in between is then seen as one.
        self.seen.borrow_mut().files.insert(path.to_owned(), stamp(path));
        self.loader.read(path)
    }

    fn expand(&self, pattern: &str) -> Result<Vec<String>, LoadError> {
        let found = self.loader.expand(pattern)?;
        self.seen.borrow_mut().patterns.insert(pattern.to_owned(), found.clone());
        Ok(found)
    }
}

/// The state of the files behind a rule set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    files: BTreeMap<String, Option<Stamp>>,
    patterns: BTreeMap<String, Vec<String>>,
}

/// What changes when a file does: when, how long, which.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    bytes: u64,
    inode: (u64, u64),
}

impl Seen {
    /// Adds what was seen of other files; of the same ones the first counts.
    pub(crate) fn add(&mut self, other: &Self) {
        for (path, stamp) in &other.files {
            self.files.entry(path.clone()).or_insert_with(|| stamp.clone());
        }
        for (pattern, found) in &other.patterns {
            self.patterns.entry(pattern.clone()).or_insert_with(|| found.clone());
        }
    }

    /// The same files as they are now.
    pub(crate) fn now(&self, loader: &dyn Loader) -> Self {
        let files = self.files.keys().map(|path| (path.clone(), stamp(path))).collect();
        let patterns = self
            .patterns
            .keys()
            .map(|pattern| (pattern.clone(), loader.expand(pattern).unwrap_or_default()))
            .collect();
        Self { files, patterns }
    }
}

fn stamp(path: &str) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        bytes: metadata.len(),
        inode: (metadata.dev(), metadata.ino()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FileSystem;

    #[test]
    fn a_swapped_link_a_new_file_and_a_change_are_seen() {
        let folder = std::env::temp_dir().join(format!("palisade-watch-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        // As a mounted ConfigMap lies: files are links through a link that is swapped.
        for version in ["v1", "v2"] {
            fs::create_dir_all(folder.join(version)).unwrap();
            fs::write(folder.join(version).join("a.conf"), version).unwrap();
        }
        std::os::unix::fs::symlink("v1", folder.join("data")).unwrap();
        let root = folder.to_str().unwrap();
        let load = || {
            let watched = Watched::new(&FileSystem);
            for file in watched.expand(&format!("{root}/data/*.conf")).unwrap() {
                watched.read(&file).unwrap();
            }
            watched.into_seen()
        };
        let seen = load();
        assert_eq!(seen.now(&FileSystem), seen);

        fs::remove_file(folder.join("data")).unwrap();
        std::os::unix::fs::symlink("v2", folder.join("data")).unwrap();
        assert_ne!(seen.now(&FileSystem), seen);

        let seen = load();
        fs::write(folder.join("v2/b.conf"), "new").unwrap();
        assert_ne!(seen.now(&FileSystem), seen);

        let seen = load();
        fs::write(folder.join("v2/a.conf"), "longer than before").unwrap();
        assert_ne!(seen.now(&FileSystem), seen);

        let seen = load();
        fs::remove_file(folder.join("v2/b.conf")).unwrap();
        assert_ne!(seen.now(&FileSystem), seen);
        fs::remove_dir_all(folder).unwrap();
    }
}
