//! The data folder: one process, one folder.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The folder of this process, locked as long as this value lives.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    /// The lock goes when it is closed, however the process ends.
    _lock: File,
}

/// The file that carries the lock; it holds the process's id for people.
const LOCK: &str = "lock";

impl DataFolder {
    /// Makes the folder where it is not there, and locks it.
    ///
    /// # Errors
    /// When it cannot be written, and when another process has it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let unusable = || format!("--data-dir `{}`: name a folder that can be written", path.display());
        fs::create_dir_all(path).with_context(unusable)?;
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))
            .with_context(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&lock).take(20).read_to_string(&mut holder);
                let holder = match holder.trim().parse::<u32>() {
                    Ok(id) => format!("process {id}"),
                    Err(_) => "another process".to_owned(),
                };
                bail!(
                    "--data-dir `{}` is used by {holder}: end that one, or give this one a folder of its own by \
                     --data-dir DIR",
                    path.display()
                );
            }
            // A file system without locks: nobody is kept out, which is said.
            Err(TryLockError::Error(error)) => {
                say!("palisade: --data-dir `{}` cannot be locked: {error}", path.display());
            }
        }
        // For people who look; the lock holds without it.
        let _ = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
