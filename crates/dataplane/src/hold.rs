//! Bodies that are held until their stage is decided: in memory first, then in a file without a name, all under
//! one budget of the process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

use crate::request_id::request_id;
use crate::settings::SpillFolder;

/// What all held bodies of the process may take.
#[derive(Debug)]
pub struct Budget {
    memory: Share,
    disk: Share,
    folder: SpillFolder,
}

#[derive(Debug)]
struct Share {
    used: AtomicU64,
    max: u64,
}

impl Budget {
    /// A budget of 256 MiB of memory and 4 GiB of disk, in files of `folder`. A file has a name only while it is
    /// being opened, so nothing is left behind however the process ends.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::with_limits(folder, 256 * 1024 * 1024, 4 * 1024 * 1024 * 1024)
    }

    /// A budget with bounds of its own, in bytes. Over `memory_max` bodies go to disk, over `disk_max` requests are
    /// refused with 503.
    pub fn with_limits(folder: impl Into<PathBuf>, memory_max: u64, disk_max: u64) -> Self {
        let share = |max| Share { used: AtomicU64::new(0), max };
        Self { memory: share(memory_max), disk: share(disk_max), folder: folder.into() }
    }

    /// Bytes of memory in use.
    pub fn memory_used(&self) -> u64 {
        self.memory.used.load(Ordering::Relaxed)
    }

    /// Bytes of disk in use.
    pub fn disk_used(&self) -> u64 {
        self.disk.used.load(Ordering::Relaxed)
    }
}

impl Share {
    fn take(&self, bytes: u64) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.max)
            })
            .is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Memory of the budget that is not a whole body's.
#[derive(Debug)]
pub(crate) struct Reserved {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Reserved {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Whether so much may be held in all.
    pub(crate) fn reach(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let taken = more == 0 || self.budget.memory.take(more);
        if taken {
            self.bytes += more;
        }
        taken
    }

    /// Gives back what is more than this.
    pub(crate) fn keep(&mut self, bytes: u64) {
        self.budget.memory.give_back(self.bytes.saturating_sub(bytes));
        self.bytes = self.bytes.min(bytes);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.keep(0);
    }
}

/// Why a body cannot be held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HoldError {
    #[error("the budget for held bodies is used up")]
    OverBudget,
    #[error("a held body cannot be kept on disk: {0}")]
    Disk(#[from] io::Error),
}

/// A held body. Written once, read as often as need be.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    memory: Vec<u8>,
    memory_max: usize,
    memory_charged: u64,
    file: Option<Arc<File>>,
    file_bytes: u64,
    read: Position,
}

#[derive(Debug, Default)]
struct Position {
    memory: usize,
    file: u64,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

/// A piece read back from disk.
const PIECE_BYTES: u64 = 64 * 1024;

impl Held {
    pub(crate) fn new(budget: Arc<Budget>, memory_max: usize) -> Self {
        Self {
            budget,
            memory: Vec::new(),
            memory_max,
            memory_charged: 0,
            file: None,
            file_bytes: 0,
            read: Position::default(),
        }
    }

    /// Bytes held.
    pub(crate) fn len(&self) -> u64 {
        self.memory.len() as u64 + self.file_bytes
    }

    /// Appends a piece.
    pub(crate) async fn push(&mut self, piece: &[u8]) -> Result<(), HoldError> {
        if self.file.is_none() && self.push_to_memory(piece) {
            return Ok(());
        }
        if !self.budget.disk.take(piece.len() as u64) {
            return Err(HoldError::OverBudget);
        }
        let at = self.file_bytes;
        self.file_bytes += piece.len() as u64;
        let file = self.file.clone();
        let folder = self.budget.folder.clone();
        let piece = piece.to_vec();
        let written = tokio::task::spawn_blocking(move || -> io::Result<Arc<File>> {
            let file = match file {
                Some(file) => file,
                None => Arc::new(nameless_file(folder)?),
            };
            file.write_all_at(&piece, at)?;
            Ok(file)
        });
        self.file = Some(written.await.map_err(io::Error::other)??);
        Ok(())
    }

    fn push_to_memory(&mut self, piece: &[u8]) -> bool {
        if self.memory.len() + piece.len() > self.memory_max {
            return false;
        }
        if self.memory.capacity() - self.memory.len() < piece.len() {
            // What the vector will grow to, by its own rule; charged before it is taken.
            let wanted = (self.memory.capacity() * 2).max(self.memory.len() + piece.len());
            let more = (wanted - self.memory.capacity()) as u64;
            if !self.budget.memory.take(more) {
                return false;
            }
            self.memory_charged += more;
            self.memory.reserve_exact(wanted - self.memory.len());
        }
        self.memory.extend_from_slice(piece);
        true
    }

    /// Starts reading from the beginning.
    pub(crate) fn rewind(&mut self) {
        self.read = Position::default();
    }

    /// The next piece after the last, or none at the end. `take` gets it.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<io::Result<bool>> {
        if self.read.memory < self.memory.len() {
            let end = (self.read.memory + PIECE_BYTES as usize).min(self.memory.len());
            take(&self.memory[self.read.memory..end]);
            self.read.memory = end;
            return Poll::Ready(Ok(true));
        }
        let Some(file) = self.file.as_ref().filter(|_| self.read.file < self.file_bytes) else {
            return Poll::Ready(Ok(false));
        };
        let at = self.read.file;
        let bytes = PIECE_BYTES.min(self.file_bytes - at) as usize;
        let reading = self.read.reading.get_or_insert_with(|| {
            let file = file.clone();
            tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; bytes];
                file.read_exact_at(&mut piece, at).map(|()| piece)
            })
        });
        match Pin::new(reading).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(done) => {
                self.read.reading = None;
                let piece = done.map_err(io::Error::other)??;
                self.read.file += piece.len() as u64;
                take(&piece);
                Poll::Ready(Ok(true))
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.memory.give_back(self.memory_charged);
        self.budget.disk.give_back(self.file_bytes);
    }
}

/// A file that nobody else can open and that vanishes with its handle.
fn nameless_file(folder: PathBuf) -> io::Result<File> {
    let path = folder.join(format!(".held-{}", request_id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn content(held: &mut Held) -> Vec<u8> {
        let mut all = Vec::new();
        while poll_fn(|cx| held.poll_piece(cx, &mut |piece| all.extend_from_slice(piece))).await.unwrap() {}
        all
    }

    #[tokio::test]
    async fn a_body_reads_back_as_written_from_memory_and_disk_and_gives_everything_back() {
        let budget = Arc::new(Budget::with_limits(std::env::temp_dir(), 100_000, 1_000_000));
        let mut held = Held::new(budget.clone(), 50_000);
        let mut expected = Vec::new();
        for n in 0..400u32 {
            let piece = n.to_string().repeat(200);
            expected.extend_from_slice(piece.as_bytes());
            held.push(piece.as_bytes()).await.unwrap();
        }
        assert!(budget.disk_used() > 0 && budget.memory_used() > 0);
        assert_eq!(held.len(), expected.len() as u64);
        assert_eq!(content(&mut held).await, expected);
        held.rewind();
        assert_eq!(content(&mut held).await, expected);
        drop(held);
        assert_eq!((budget.memory_used(), budget.disk_used()), (0, 0));
    }

    #[tokio::test]
    async fn over_the_budget_is_an_error_and_not_memory() {
        let budget = Arc::new(Budget::with_limits(std::env::temp_dir(), 1_000, 1_000));
        let mut first = Held::new(budget.clone(), 10_000);
        first.push(&[1; 900]).await.unwrap();
        let mut second = Held::new(budget.clone(), 10_000);
        second.push(&[2; 900]).await.unwrap();
        assert_eq!(budget.disk_used(), 900);
        assert!(matches!(second.push(&[2; 900]).await, Err(HoldError::OverBudget)));
        drop(first);
        assert_eq!(content(&mut second).await, [2; 900]);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_an_error() {
        let budget = Arc::new(Budget::with_limits("/nonexistent/folder", 0, 1_000));
        let mut held = Held::new(budget, 10_000);
        assert!(matches!(held.push(b"x").await, Err(HoldError::Disk(_))));
    }
}
