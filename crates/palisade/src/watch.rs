//! Which files a configuration was made of, and whether they have changed since.
//!
//! By looking, not by being told: a mounted ConfigMap swaps a symbolic link far above the files, network file
//! systems tell nobody, and a look at CRS's fifty files costs less than a request.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use palisade_seclang::{LoadError, Loader};
use sha2::{Digest as _, Sha256};

use crate::workload_api;

/// How often a watcher looks, at least.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Looking takes at most one part in so many of the time: thousands of files on a slow disk are looked at less often.
const LOOK_SHARE: u32 = 50;

/// A change is acted upon when it has stood still for one more look, so that a copy in progress is not loaded half; but
/// not later than this after it was first seen, so that somebody who changes things all the time does not stop us.
const UNSETTLED: Duration = Duration::from_secs(1);

/// A file that held something and now holds nothing is most likely being written: whoever writes in place empties it first,
/// and may then have to wait for a disk. Empty rules are rules that find nothing, so they are believed later than others.
const EMPTIED: Duration = Duration::from_secs(5);

/// Looks after the files that a snapshot was made of.
pub(crate) struct Watcher {
    /// As they were when they were loaded, or when that was tried last.
    in_force: Seen,
    /// As they were at the last look.
    last: Seen,
    /// Since when they differ from what is in force.
    differs: Option<Instant>,
    /// How long the last look took.
    took: Duration,
}

impl Watcher {
    /// A watcher of what was seen when it was loaded.
    pub(crate) fn of(seen: Seen) -> Self {
        Self { in_force: seen.clone(), last: seen, differs: None, took: Duration::ZERO }
    }

    /// When to look next.
    pub(crate) fn pause(&self) -> Duration {
        LOOK_EVERY.max(self.took * LOOK_SHARE)
    }

    /// Looks. Whether something is to be loaded anew.
    pub(crate) fn has_settled_change(&mut self, loader: &dyn Loader) -> bool {
        let began = Instant::now();
        let now = self.in_force.now(loader);
        self.took = began.elapsed();
        self.judge(now, began)
    }

    fn judge(&mut self, now: Seen, at: Instant) -> bool {
        let stands = now == self.last;
        self.last = now;
        if self.last == self.in_force {
            self.differs = None;
            return false;
        }
        let goes_on = at.duration_since(*self.differs.get_or_insert(at));
        if self.last.has_emptied(&self.in_force) {
            goes_on >= EMPTIED
        } else {
            stands || goes_on >= UNSETTLED
        }
    }
}

/// SHA-256.
pub(crate) type Digest = [u8; 32];

/// A loader that remembers what it was asked for.
pub(crate) struct Watched<'a> {
    loader: &'a dyn Loader,
    seen: RefCell<Seen>,
    content: RefCell<Sha256>,
}

impl<'a> Watched<'a> {
    /// Watches what a loader reads.
    pub(crate) fn new(loader: &'a dyn Loader) -> Self {
        Self { loader, seen: RefCell::new(Seen::default()), content: RefCell::default() }
    }

    /// A digest of all that it has read so far, in order, wherever it lay.
    pub(crate) fn digest(&self) -> Digest {
        self.content.borrow().clone().finalize().into()
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
        let content = self.loader.read(path)?;
        let mut digest = self.content.borrow_mut();
        digest.update((content.len() as u64).to_le_bytes());
        digest.update(&content);
        Ok(content)
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

    /// Whether a file holds nothing that held something before.
    fn has_emptied(&self, before: &Self) -> bool {
        let bytes = |seen: &Self, path: &String| seen.files.get(path)?.as_ref().map(|stamp| stamp.bytes);
        let held = |path: &String| bytes(before, path).is_some_and(|bytes| bytes > 0);
        self.files.keys().any(|path| bytes(self, path) == Some(0) && held(path))
    }

    /// The files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
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
    if let Some(version) = workload_api::version(path) {
        return Some(Stamp { modified: (0, 0), bytes: version, inode: (0, 0) });
    }
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
    fn a_change_is_taken_when_it_stands_or_has_gone_on_for_long() {
        let seen = |bytes| {
            let stamp = Stamp { modified: (0, 0), bytes, inode: (0, 0) };
            Seen { files: BTreeMap::from([("a".to_owned(), Some(stamp))]), ..Seen::default() }
        };
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut watcher = Watcher::of(seen(0));
        let looks = [(0, 0), (250, 1), (500, 1)];
        assert_eq!(looks.map(|(at, bytes)| watcher.judge(seen(bytes), after(at))), [false, false, true]);
        // It changes with every look.
        let mut watcher = Watcher::of(seen(0));
        let looks = [(0, 1), (250, 2), (500, 3), (750, 4), (1000, 5), (1250, 6)];
        let taken = looks.map(|(at, bytes)| watcher.judge(seen(bytes), after(at)));
        assert_eq!(taken, [false, false, false, false, true, true]);
        // It is emptied, and written a second and a half later: nobody saw it empty.
        let mut watcher = Watcher::of(seen(7));
        let looks = [(0, 0), (250, 0), (500, 0), (1500, 8), (1750, 8)];
        let taken = looks.map(|(at, bytes)| watcher.judge(seen(bytes), after(at)));
        assert_eq!(taken, [false, false, false, true, true]);
        // It is emptied and stays so: that is meant.
        let mut watcher = Watcher::of(seen(7));
        let looks = [(0, 0), (4750, 0), (5000, 0)];
        assert_eq!(looks.map(|(at, bytes)| watcher.judge(seen(bytes), after(at))), [false, false, true]);
        // It was taken back.
        let mut watcher = Watcher::of(seen(0));
        let looks = [(0, 1), (250, 0), (2000, 2)];
        assert_eq!(looks.map(|(at, bytes)| watcher.judge(seen(bytes), after(at))), [false, false, false]);
    }

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
