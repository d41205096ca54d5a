//! A file put in the place of another.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// Puts a file in the place of another, whole or not at all: who reads it, after a crash as well, has the one or the other.
/// Gives what writing it gave.
///
/// # Errors
/// Those of the disk and of `write`, with the file's name; the file that was there is there then.
pub fn replace_file<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let beside = path.with_extension("new");
    let replace = || {
        let mut out = BufWriter::with_capacity(1 << 16, File::create(&beside)?);
        let written = write(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&beside, path)?;
        // The name is on the disk only when the folder is.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
        Ok(written)
    };
    replace().map_err(|error: io::Error| {
        io::Error::new(error.kind(), format!("{}: it cannot be written: {error}", path.display()))
    })
}
