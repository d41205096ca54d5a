//! A compressed tar archive as files in memory. Any bytes give files or an error, within bounds.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Component;

use anyhow::{Context as _, Result, bail};
use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

/// Contents by path below the archive's top folder.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// What the archive may unpack to: CRS with its tests is 10 MB.
const UNPACKED_BYTES_MAX: u64 = 64 << 20;
/// A file; CRS's largest is 300 kB.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// Entries; CRS has 700.
const ENTRIES_MAX: usize = 20_000;

/// Unpacks. One folder holds everything, as in the archives that forges make, and its name does not count.
///
/// # Errors
/// When it is no such archive, exceeds a bound, holds a file twice, or has a path that leads out of it.
pub(super) fn files(archive: &[u8]) -> Result<Files> {
    // One byte more than allowed: who reads it was given too much.
    let mut unpacked = GzDecoder::new(archive).take(UNPACKED_BYTES_MAX + 1);
    let mut files = Files::new();
    let mut tar = Archive::new(&mut unpacked);
    for (number, entry) in tar.entries().context("it is no tar.gz archive")?.enumerate() {
        if number >= ENTRIES_MAX {
            bail!("it has more than {ENTRIES_MAX} entries");
        }
        let mut entry = entry.context("it is no whole tar.gz archive")?;
        let Some(path) = path_below_top(&entry.path()?)? else { continue };
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            // What points elsewhere is nothing to install; a file that is needed is missed then.
            _ => continue,
        }
        if entry.size() > FILE_BYTES_MAX {
            bail!("`{path}` is larger than {FILE_BYTES_MAX} bytes");
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).context("it is no whole tar.gz archive")?;
        if files.insert(path.clone(), content).is_some() {
            bail!("it holds `{path}` twice");
        }
    }
    if unpacked.limit() == 0 {
        bail!("it unpacks to more than {UNPACKED_BYTES_MAX} bytes");
    }
    Ok(files)
}

/// The path without its first folder; `None` for what is not below one.
fn path_below_top(path: &std::path::Path) -> Result<Option<String>> {
    let shown = || path.display().to_string().escape_default().take(200).collect::<String>();
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => match part.to_str() {
                Some(part) if !part.contains(|char: char| char.is_control() || char == '\\') => {
                    parts.push(part);
                }
                _ => bail!("the name `{}` is not usable", shown()),
            },
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                bail!("the path `{}` leads out of it", shown())
            }
        }
    }
    Ok((parts.len() > 1).then(|| parts[1..].join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    /// An archive whose paths are written as they stand, whatever the library thinks of them.
    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append(&header, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn refused(archive: &[u8]) -> String {
        format!("{:#}", files(archive).unwrap_err())
    }

    #[test]
    fn files_are_found_below_the_top_folder() {
        let archive = archive(&[
            ("pax_global_header", EntryType::XGlobalHeader, b""),
            ("x-1/", EntryType::Directory, b""),
            ("x-1/a", EntryType::Regular, b"A"),
            ("./x-1/rules/b.conf", EntryType::Regular, b"B"),
            ("x-1/link", EntryType::Symlink, b""),
            ("top", EntryType::Regular, b"not below"),
        ]);
        let found = files(&archive).unwrap();
        let found: Vec<(&str, &[u8])> = found.iter().map(|(path, content)| (&**path, &**content)).collect();
        assert_eq!(found, [("a", &b"A"[..]), ("rules/b.conf", b"B")]);
    }

    #[test]
    fn a_path_that_leads_out_spoils_the_whole() {
        for path in ["x/../../etc/passwd", "/etc/passwd", "x/a/../b", "..", "x/a\\b", "x/a\nb"] {
            let said =
                refused(&archive(&[("x/fine", EntryType::Regular, b""), (path, EntryType::Regular, b"!")]));
            assert!(said.contains("leads out of it") || said.contains("not usable"), "{path}: {said}");
        }
    }

    #[test]
    fn bounds_hold_and_broken_archives_are_told() {
        let twice = archive(&[("x/a", EntryType::Regular, b"1"), ("x/a", EntryType::Regular, b"2")]);
        assert!(refused(&twice).contains("twice"));
        let large = archive(&[("x/a", EntryType::Regular, &vec![0; FILE_BYTES_MAX as usize + 1])]);
        assert!(refused(&large).contains("larger than"));
        let piece = vec![0; FILE_BYTES_MAX as usize];
        let names: Vec<String> = (0..9).map(|number| format!("x/{number}")).collect();
        let bomb =
            archive(&names.iter().map(|name| (&**name, EntryType::Regular, &*piece)).collect::<Vec<_>>());
        assert!(bomb.len() < 1 << 20, "it is small as long as it is packed");
        refused(&bomb);
        let many: Vec<String> = (0..=ENTRIES_MAX).map(|number| format!("x/{number}")).collect();
        let many =
            archive(&many.iter().map(|name| (&**name, EntryType::Regular, &b""[..])).collect::<Vec<_>>());
        assert!(refused(&many).contains("more than"));
        let whole = archive(&[("x/a", EntryType::Regular, &[7; 4_000])]);
        for cut in [0, 1, 10, whole.len() / 2] {
            assert!(files(&whole[..cut]).is_err() || cut == 0, "{cut}");
        }
        assert!(files(b"<html>not here</html>").is_err());
    }
}
