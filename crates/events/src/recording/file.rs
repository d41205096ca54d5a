//! The form of a recording's file: a head, then frames.
//!
//! ```text
//!  head   "PALISREC", version (1 byte), sealed (1 byte: 0 or 1), begun (8 bytes, milliseconds since 1970), salt (32 bytes)
//!  frame  length (4 bytes), check (4 bytes: CRC-32 of what follows), record; sealed: record + 16 bytes
//! ```
//!
//! Numbers begin with their least byte. Frame 0 of a sealed file is empty and only there to tell a wrong key from a broken
//! file. Files are only appended to, and never by another process than the one that made them: what a crash leaves is a
//! frame that is not whole at the end, where reading stops. A reader takes nothing on trust: no length beyond a bound, no
//! frame whose check fails.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Crc;

use super::record::{RECORD_BYTES_MAX, Recorded};
use super::seal::{FileKey, Key, SALT_BYTES, TAG_BYTES};

const MAGIC: &[u8; 8] = b"PALISREC";
/// The version that is written, and the newest that is read.
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 8 + 1 + 1 + 8 + SALT_BYTES;
const FRAME_HEAD_BYTES: usize = 8;
/// How files of recordings end.
pub const EXTENSION: &str = "rec";

/// Why a file is not read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It cannot be read at all.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is no recording")]
    NotOne,
    /// It was written by a newer version.
    #[error("it has form {0}, and this version reads forms up to {VERSION}")]
    Newer(u8),
    /// It is encrypted, and there is no key.
    #[error("it is encrypted: give its key by --key-file FILE")]
    Sealed,
    /// It is encrypted by another key.
    #[error("the key does not fit: it was encrypted by another one")]
    WrongKey,
    /// A frame is not as it was written.
    #[error("it is damaged at byte {0}")]
    Damaged(u64),
}

/// How a file came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a whole frame.
    Whole,
    /// In the middle of one: its process was killed, or is writing it now.
    InFrame,
}

/// Writes the frames of one file.
#[derive(Debug)]
pub(super) struct Frames<W> {
    to: W,
    key: Option<FileKey>,
    head: [u8; HEAD_BYTES],
    frame: u64,
    bytes: u64,
}

impl<W: Write> Frames<W> {
    /// Begins a file.
    pub(super) fn begin(
        mut to: W,
        key: Option<&Key>,
        salt: [u8; SALT_BYTES],
        begun_unix_millis: u64,
    ) -> io::Result<Self> {
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(MAGIC);
        head[8] = VERSION;
        head[9] = u8::from(key.is_some());
        head[10..18].copy_from_slice(&begun_unix_millis.to_le_bytes());
        head[18..].copy_from_slice(&salt);
        to.write_all(&head)?;
        let key = key.map(|key| FileKey::of(key, &salt));
        let mut frames = Self { to, key, head, frame: 0, bytes: HEAD_BYTES as u64 };
        if frames.key.is_some() {
            frames.write(&[])?;
        }
        Ok(frames)
    }

    /// Writes a frame. After an error the file may end in the middle of it, and nothing more may be written.
    pub(super) fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + record.len() + TAG_BYTES);
        match &self.key {
            Some(key) => {
                let mut sealed = record.to_vec();
                key.seal(self.frame, &self.head, &mut sealed);
                append_frame(&mut frame, &sealed);
            }
            None => append_frame(&mut frame, record),
        }
        self.to.write_all(&frame)?;
        self.frame += 1;
        self.bytes += frame.len() as u64;
        Ok(())
    }

    /// Whether nothing was written but what tells keys apart.
    pub(super) fn is_empty(&self) -> bool {
        self.frame == u64::from(self.key.is_some())
    }

    /// Bytes of its head and whole frames so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn get_ref(&self) -> &W {
        &self.to
    }
}

fn append_frame(frame: &mut Vec<u8>, content: &[u8]) {
    let mut check = Crc::new();
    check.update(content);
    let length = u32::try_from(content.len()).expect("records are bounded far below 4 GiB");
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&check.sum().to_le_bytes());
    frame.extend_from_slice(content);
}

/// A file of a recording, read from its beginning.
#[derive(Debug)]
pub struct RecordingFile<R> {
    from: R,
    key: Option<FileKey>,
    head: [u8; HEAD_BYTES],
    frame: u64,
    at: u64,
    ended: Option<Ended>,
}

impl RecordingFile<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is none of ours, is newer, or is encrypted and the key is not there or does not fit.
    pub fn open(path: &Path, key: Option<&Key>) -> Result<Self, Broken> {
        Self::read(BufReader::with_capacity(1 << 16, File::open(path)?), key)
    }
}

impl<R: Read> RecordingFile<R> {
    /// Reads a file's head.
    ///
    /// # Errors
    /// As [`open`](RecordingFile::open).
    pub fn read(mut from: R, key: Option<&Key>) -> Result<Self, Broken> {
        let mut head = [0; HEAD_BYTES];
        if fill(&mut from, &mut head)? < HEAD_BYTES || head[..8] != *MAGIC {
            // A process that was killed right after it made the file leaves one without bytes.
            return Err(Broken::NotOne);
        }
        if head[8] == 0 || head[8] > VERSION {
            return Err(Broken::Newer(head[8]));
        }
        let salt: [u8; SALT_BYTES] = head[18..].try_into().expect("the head ends with the salt");
        let key = match (head[9], key) {
            (0, _) => None,
            (_, None) => return Err(Broken::Sealed),
            (_, Some(key)) => Some(FileKey::of(key, &salt)),
        };
        let mut file = Self { from, key, head, frame: 0, at: HEAD_BYTES as u64, ended: None };
        if file.key.is_some() {
            match file.next_frame() {
                Ok(_) => {}
                // The frame is whole and says that it was sealed by somebody else.
                Err(Broken::Damaged(_)) => return Err(Broken::WrongKey),
                Err(other) => return Err(other),
            }
        }
        Ok(file)
    }

    /// When it was begun: milliseconds since 1970.
    pub fn begun(&self) -> u64 {
        u64::from_le_bytes(self.head[10..18].try_into().expect("eight bytes are eight"))
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// When the file is damaged here. Nothing behind that is read.
    pub fn next_record(&mut self) -> Result<Option<Recorded>, Broken> {
        let at = self.at;
        match self.next_frame()? {
            None => Ok(None),
            Some(bytes) => match Recorded::from_bytes(&bytes) {
                Some(record) => Ok(Some(record)),
                None => Err(self.damaged(at)),
            },
        }
    }

    /// How it ended; `None` before its end.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Bytes that were read.
    pub fn bytes_read(&self) -> u64 {
        self.at
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        if self.ended.is_some() {
            return Ok(None);
        }
        let at = self.at;
        let mut frame_head = [0; FRAME_HEAD_BYTES];
        match fill(&mut self.from, &mut frame_head)? {
            0 => return Ok(self.end(Ended::Whole)),
            FRAME_HEAD_BYTES => {}
            _ => return Ok(self.end(Ended::InFrame)),
        }
        let (length, check) = frame_head.split_at(4);
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes are four"));
        let (length, check) = (number(length) as usize, number(check));
        if length > RECORD_BYTES_MAX + TAG_BYTES {
            return Err(self.damaged(at));
        }
        // What a head promises is not taken before it comes.
        let mut content = Vec::with_capacity(length.min(1 << 16));
        let came = (&mut self.from).take(length as u64).read_to_end(&mut content)?;
        if came < length {
            return Ok(self.end(Ended::InFrame));
        }
        let mut crc = Crc::new();
        crc.update(&content);
        if crc.sum() != check {
            return Err(self.damaged(at));
        }
        let content = match &self.key {
            None => Some(content),
            Some(key) => key.open(self.frame, &self.head, content),
        };
        let Some(content) = content else { return Err(self.damaged(at)) };
        self.frame += 1;
        self.at += (FRAME_HEAD_BYTES + length) as u64;
        Ok(Some(content))
    }

    fn end(&mut self, how: Ended) -> Option<Vec<u8>> {
        self.ended = Some(how);
        None
    }

    fn damaged(&mut self, at: u64) -> Broken {
        self.ended = Some(Ended::InFrame);
        Broken::Damaged(at)
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The files of a folder's recording, the oldest first. Only names that we give are files of ours.
///
/// # Errors
/// When the folder cannot be read.
pub fn recordings(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if begun_of(&path).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The name of a file that begins now; names are in the order of time.
pub(super) fn name_of(begun_unix_millis: u64, number: u32) -> String {
    format!("{begun_unix_millis:016}-{number:08x}.{EXTENSION}")
}

/// When a file of ours was begun, by its name: milliseconds since 1970.
pub(super) fn begun_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let (begun, number) = name.split_once('-')?;
    let fits = begun.len() == 16 && number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| begun.parse().ok()).flatten()
}
