//! A file of JSON lines that is rotated by size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::document::Document;
use super::worker::{Delivered, Transport};

/// Which file, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSetting {
    /// The file. Older ones are beside it: `PATH.1` is the youngest of them.
    pub path: PathBuf,
    /// Bytes of one file.
    pub bytes_max: u64,
    /// How many files there are, the current one among them.
    pub files_max: u32,
}

/// Writes lines.
#[derive(Debug)]
pub(super) struct JsonFile {
    setting: FileSetting,
    open: Option<(File, u64)>,
}

impl JsonFile {
    pub(super) fn new(setting: &FileSetting) -> Self {
        Self { setting: setting.clone(), open: None }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let FileSetting { path, bytes_max, files_max } = &self.setting;
        let (mut file, mut bytes) = match self.open.take() {
            // Whoever moves it away gets a new one.
            Some(open) if fs::metadata(path).is_ok() => open,
            _ => open(path)?,
        };
        if bytes > 0 && bytes + line.len() as u64 > *bytes_max {
            rotate(path, *files_max)?;
            (file, bytes) = open(path)?;
        }
        if let Err(error) = file.write_all(line) {
            // Half a line is no record: the file ends where it was.
            let _ = file.set_len(bytes);
            return Err(error);
        }
        self.open = Some((file, bytes + line.len() as u64));
        Ok(())
    }
}

impl Transport for JsonFile {
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        for (place, document) in documents.iter().enumerate() {
            let line = format!("{}\n", document.json);
            if let Err(error) = self.write(line.as_bytes()) {
                let problem = format!("`{}` cannot be written: {error}", self.setting.path.display());
                let again = (place..documents.len()).collect();
                return Delivered { again, problem: Some(problem), ..Delivered::default() };
            }
        }
        Delivered::default()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

fn rotate(path: &Path, files_max: u32) -> io::Result<()> {
    let older = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    if files_max <= 1 {
        return fs::remove_file(path);
    }
    for number in (1..files_max - 1).rev() {
        if older(number).exists() {
            fs::rename(older(number), older(number + 1))?;
        }
    }
    fs::rename(path, older(1))
}
