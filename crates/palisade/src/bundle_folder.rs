//! A bundle as a folder, so that it is loaded, watched and kept as a configuration file and its neighbours are.
//!
//! Each bundle is a folder of its own, named by its revision, and the link `current` leads to the one in force: what is
//! loaded never changes under the loader, and a process that is killed at any moment finds the one or the other. Files
//! that two bundles share are one file on the disk.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use palisade_control::{Bundle, ENTRY, Revision};

/// The link to the bundle in force.
const CURRENT: &str = "current";

/// Bundles below one folder.
#[derive(Debug)]
pub(crate) struct BundleFolder {
    root: PathBuf,
    /// What `current` leads to.
    held: Option<(Revision, Bundle)>,
}

impl BundleFolder {
    /// Makes the folder where it is not there, and reads the bundle that it holds. One that is not what it was (a power cut
    /// may take the last seconds of a disk) counts as none.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        make_folder(root).with_context(|| format!("{}: it cannot be made", root.display()))?;
        let mut folder = Self { root: root.to_owned(), held: None };
        let current = root.join(CURRENT);
        let named = fs::read_link(&current).ok();
        let revision = named.as_deref().and_then(Path::to_str).and_then(Revision::parse);
        if let Some(revision) = revision {
            let bundle = read(&current);
            match bundle {
                Ok(bundle) if bundle.revision() == revision => folder.held = Some((revision, bundle)),
                Ok(_) => say!("palisade: {}: it is not what was kept, and not used", current.display()),
                Err(error) => say!("palisade: {}: it is not used: {error:#}", current.display()),
            }
        }
        folder.tidy();
        Ok(folder)
    }

    /// Its configuration file, whatever bundle is in force.
    pub(crate) fn entry(&self) -> PathBuf {
        self.root.join(CURRENT).join(ENTRY)
    }

    /// The bundle that it holds.
    pub(crate) fn held(&self) -> Option<(Revision, &Bundle)> {
        self.held.as_ref().map(|(revision, bundle)| (*revision, bundle))
    }

    /// Puts a bundle in the place of the one that is held, which stays on the disk until [`BundleFolder::tidy`].
    ///
    /// # Errors
    /// When it cannot be written; what was held still is.
    pub(crate) fn put(&mut self, bundle: &Bundle) -> Result<()> {
        let revision = bundle.revision();
        if self.held.as_ref().is_some_and(|(held, _)| *held == revision) {
            return Ok(());
        }
        let unwritable = || format!("{}: the configuration cannot be kept", self.root.display());
        self.write(revision, bundle).with_context(unwritable)?;
        self.lead_to(revision).with_context(unwritable)?;
        self.held = Some((revision, bundle.clone()));
        Ok(())
    }

    /// Takes away every bundle but the one that is held.
    pub(crate) fn tidy(&self) {
        let held = self.held.as_ref().map(|(revision, _)| revision.to_string());
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if held.as_deref() == Some(&*name) || name == CURRENT && held.is_some() {
                continue;
            }
            // What stays behind is taken next time.
            let _ = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
                _ => fs::remove_file(entry.path()),
            };
        }
    }

    fn write(&self, revision: Revision, bundle: &Bundle) -> io::Result<()> {
        let folder = self.root.join(revision.to_string());
        // Of somebody who was killed while he wrote it.
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        make_folder(&folder)?;
        let before =
            self.held.as_ref().map(|(revision, bundle)| (self.root.join(revision.to_string()), bundle));
        let mut inside = "";
        for (name, content) in bundle.files() {
            let path = folder.join(name);
            // Names come in order: those of one folder stand together.
            let within = name.rsplit_once('/').map_or("", |(within, _)| within);
            if within != inside {
                make_folder(&folder.join(within))?;
                inside = within;
            }
            let same = before.as_ref().filter(|(_, held)| held.get(name) == Some(content));
            if same.is_some_and(|(before, _)| fs::hard_link(before.join(name), &path).is_ok()) {
                continue;
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(content)?;
        }
        Ok(())
    }

    fn lead_to(&self, revision: Revision) -> io::Result<()> {
        let link = self.root.join("current.new");
        match fs::remove_file(&link) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(revision.to_string(), &link)?;
        fs::rename(link, self.root.join(CURRENT))
    }
}

/// A folder that only this user can look into: bundles hold keys.
fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn read(folder: &Path) -> Result<Bundle> {
    let mut bundle = Bundle::new();
    let mut folders = vec![String::new()];
    while let Some(within) = folders.pop() {
        for entry in fs::read_dir(folder.join(&within))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().context("a name that is not UTF-8")?;
            let name = if within.is_empty() { name.to_owned() } else { format!("{within}/{name}") };
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else {
                bundle.put(&name, fs::read(entry.path())?)?;
            }
        }
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Bundle {
        let mut bundle = Bundle::new();
        files.iter().for_each(|(name, content)| bundle.put(name, content.as_bytes()).unwrap());
        bundle
    }

    #[test]
    fn the_last_bundle_is_there_again_and_nothing_else_is() {
        let root = std::env::temp_dir().join(format!("palisade-bundles-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let one = bundle(&[(ENTRY, "one"), ("tls/a/b.key", "k"), ("tls/c.key", "c")]);
        let two = bundle(&[(ENTRY, "two"), ("tls/a/b.key", "k"), ("rules.conf", "r")]);
        let mut folder = BundleFolder::open(&root).unwrap();
        assert_eq!(folder.held(), None);
        folder.put(&one).unwrap();
        let inode = || fs::metadata(root.join("current/tls/a/b.key")).unwrap().ino();
        let (before, mode) = (inode(), fs::metadata(root.join("current/tls/c.key")).unwrap().mode());
        assert_eq!(mode & 0o777, 0o600);
        folder.put(&two).unwrap();
        assert_eq!(fs::read_to_string(folder.entry()).unwrap(), "two");
        // What did not change is the same file.
        assert_eq!(inode(), before);
        assert!(!root.join("current/tls/c.key").exists());
        // Back again, and what is left of a process that was killed while it wrote.
        folder.put(&one).unwrap();
        fs::create_dir_all(root.join(two.revision().to_string()).join("half")).unwrap();
        drop(folder);
        let mut folder = BundleFolder::open(&root).unwrap();
        assert_eq!(folder.held(), Some((one.revision(), &one)));
        assert_eq!(fs::read_dir(&root).unwrap().count(), 2);
        folder.put(&two).unwrap();
        folder.tidy();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 2);
        // What is not what was kept is not used.
        fs::write(root.join("current/rules.conf"), "other").unwrap();
        assert_eq!(BundleFolder::open(&root).unwrap().held(), None);
        fs::remove_dir_all(root).unwrap();
    }
}
