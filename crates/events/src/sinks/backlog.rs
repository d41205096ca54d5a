//! What waits to be delivered: in memory while all is well, in files when it is not.
//!
//! The order is that of records: files are older than memory. A file is one segment, written as a whole before it has its
//! name (`NUMBER-COUNT.docs`), and gone when its last record is delivered or refused.
//!
//! A [spool](BacklogLimits::spool) is a backlog whose records go to files first, so that a process that is killed loses none
//! that was pushed, and whose segments have a [`Place`]: whoever takes them can tell what it has already.

use std::collections::VecDeque;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::document::Document;

/// How much may wait, and how long.
#[derive(Clone, Copy, Debug)]
pub struct BacklogLimits {
    /// Bytes in memory. At the bound they go to files.
    pub memory_bytes_max: usize,
    /// Bytes in files. At the bound the oldest are dropped.
    pub disk_bytes_max: u64,
    /// Bytes that are delivered together.
    pub segment_bytes_max: usize,
    /// The wait after a first failure, and the longest.
    pub retry: (Duration, Duration),
    /// Records go to files before they are delivered, and segments have places.
    pub spool: bool,
}

impl Default for BacklogLimits {
    fn default() -> Self {
        // A bulk request of some megabytes is what servers like.
        Self {
            memory_bytes_max: 32 << 20,
            disk_bytes_max: 1 << 30,
            segment_bytes_max: 4 << 20,
            retry: (Duration::from_millis(500), Duration::from_secs(60)),
            spool: false,
        }
    }
}

/// Records in order, bounded.
#[derive(Debug)]
pub struct Backlog {
    folder: PathBuf,
    limits: BacklogLimits,
    /// Of a spool.
    identity: Option<u128>,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    disk: VecDeque<Spilled>,
    disk_bytes: u64,
    memory: VecDeque<Vec<Document>>,
    memory_bytes: usize,
    /// The number of the next segment.
    next: u64,
    /// Of the files that are being delivered, the first and the last.
    in_hand: Option<(u64, u64)>,
    /// Delivery fails: all goes to files, so that nothing is lost with the process.
    failing: bool,
    closed: bool,
    dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Spilled {
    number: u64,
    count: u64,
    bytes: u64,
}

/// Records that are delivered together.
#[derive(Debug)]
pub struct Segment {
    /// The records.
    pub documents: Vec<Document>,
    /// Where they stand, in a spool.
    pub place: Option<Place>,
    files: Vec<Spilled>,
    /// How many records each number has, in order.
    lengths: Vec<(u64, usize)>,
}

impl Segment {
    /// Records beyond a number of the spool: those that somebody does not have who has all until there.
    #[must_use]
    pub fn beyond(&self, reached: u64) -> &[Document] {
        let known: usize =
            self.lengths.iter().filter(|(number, _)| *number <= reached).map(|(_, length)| length).sum();
        &self.documents[known.min(self.documents.len())..]
    }
}

/// Where a segment stands in a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The spool: one that was empty when its process began is another.
    pub spool: u128,
    /// The number of its last record's file. Numbers grow; what lies before it was delivered, refused or dropped.
    pub number: u64,
}

impl Backlog {
    /// A backlog with its folder, which is made where it is not there. What lies there from before comes first.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(folder: &Path, limits: BacklogLimits) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut disk = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.ends_with(".new") {
                // It was being written when the process ended.
                fs::remove_file(entry.path())?;
                continue;
            }
            let numbers = name.strip_suffix(".docs").and_then(|name| name.split_once('-'));
            if let Some((number, count)) = numbers
                && let (Ok(number), Ok(count)) = (number.parse(), count.parse())
            {
                disk.push(Spilled { number, count, bytes: entry.metadata()?.len() });
            }
        }
        disk.sort_by_key(|spilled| spilled.number);
        let disk_bytes = disk.iter().map(|spilled| spilled.bytes).sum();
        let identity = limits.spool.then(|| identity(folder, disk.is_empty())).transpose()?;
        let next = disk.last().map_or(FIRST_NUMBER, |last| last.number + 1);
        let failing = !disk.is_empty();
        let inner = Inner { failing, disk: disk.into(), disk_bytes, next, ..Inner::default() };
        let (folder, inner, changed) = (folder.to_owned(), Mutex::new(inner), Condvar::new());
        Ok(Self { folder, limits, identity, inner, changed })
    }

    /// Which spool this is.
    #[must_use]
    pub fn identity(&self) -> Option<u128> {
        self.identity
    }

    /// Takes records. Never waits for a delivery; may wait for the disk.
    pub fn push(&self, documents: Vec<Document>) {
        let mut inner = self.inner();
        let mut segment = Vec::new();
        let mut bytes = 0;
        for document in documents {
            if bytes + document.weight() > self.limits.segment_bytes_max && !segment.is_empty() {
                inner.memory.push_back(std::mem::take(&mut segment));
                inner.memory_bytes += std::mem::take(&mut bytes);
            }
            bytes += document.weight();
            segment.push(document);
        }
        if !segment.is_empty() {
            inner.memory.push_back(segment);
            inner.memory_bytes += bytes;
        }
        if self.limits.spool || inner.failing || inner.memory_bytes > self.limits.memory_bytes_max {
            self.spill(&mut inner);
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// What is to be delivered next; waits for it. `None` when it was closed and nothing waits.
    pub fn take(&self) -> Option<Segment> {
        let mut inner = self.inner();
        loop {
            if let Some(first) = inner.disk.front().copied() {
                let files = self.together(&inner, first);
                let last = files.last().copied().unwrap_or(first);
                inner.in_hand = Some((first.number, last.number));
                drop(inner);
                let (mut documents, mut lengths) = (Vec::new(), Vec::new());
                for file in &files {
                    let read = self.read(*file).unwrap_or_default();
                    lengths.push((file.number, read.len()));
                    documents.extend(read);
                }
                if !documents.is_empty() {
                    return Some(Segment { documents, place: self.place(last.number), files, lengths });
                }
                inner = self.inner();
                inner.in_hand = None;
                for file in files {
                    inner.dropped += file.count;
                    self.remove(&mut inner, file);
                }
                continue;
            }
            if let Some(mut documents) = inner.memory.pop_front() {
                let mut bytes = weight(&documents);
                inner.memory_bytes -= bytes;
                while let Some(next) = inner.memory.front().map(|next| weight(next))
                    && bytes + next <= self.limits.segment_bytes_max
                {
                    documents.extend(inner.memory.pop_front().unwrap_or_default());
                    inner.memory_bytes -= next;
                    bytes += next;
                }
                let number = inner.next;
                inner.next += 1;
                let lengths = vec![(number, documents.len())];
                return Some(Segment { documents, place: self.place(number), files: Vec::new(), lengths });
            }
            if inner.closed {
                return None;
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A segment is delivered.
    pub fn done(&self, segment: Segment) {
        let mut inner = self.inner();
        inner.in_hand = None;
        inner.failing = inner.disk.len() > segment.files.len();
        for file in segment.files {
            self.remove(&mut inner, file);
        }
    }

    /// Of a segment these are to be delivered again.
    pub fn put_back(&self, segment: Segment, again: Vec<Document>) {
        let mut inner = self.inner();
        inner.in_hand = None;
        inner.failing = true;
        let whole = !segment.files.is_empty() && again.len() == segment.documents.len();
        if !whole {
            // It comes before everything else, under a number of its own.
            let number = match (segment.files.first(), segment.place) {
                (Some(first), _) => first.number,
                (None, Some(place)) => place.number,
                (None, None) => inner.disk.front().map_or(FIRST_NUMBER, |front| front.number) - 1,
            };
            for file in segment.files {
                self.remove(&mut inner, file);
            }
            match self.write(number, &again) {
                Ok(spilled) => {
                    inner.disk_bytes += spilled.bytes;
                    inner.disk.push_front(spilled);
                }
                // No disk: memory is all that there is.
                Err(_) => {
                    inner.memory_bytes += weight(&again);
                    inner.memory.push_front(again);
                }
            }
        }
        self.spill(&mut inner);
    }

    /// Waits, unless it is closed meanwhile. Whether it is closed.
    pub fn pause(&self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        let mut inner = self.inner();
        while !inner.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.closed
    }

    /// Nothing more will come.
    pub fn close(&self) {
        self.inner().closed = true;
        self.changed.notify_all();
    }

    /// Puts all that waits into files, for the next process.
    pub fn keep(&self) {
        self.spill(&mut self.inner());
    }

    /// How long to wait after failures.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        Backoff::new(self.limits.retry.0, self.limits.retry.1)
    }

    /// Bytes that wait, in memory and in files, and records that were dropped for want of room.
    #[must_use]
    pub fn waiting(&self) -> (usize, u64, u64) {
        let inner = self.inner();
        (inner.memory_bytes, inner.disk_bytes, inner.dropped)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What stands there is whole after every statement.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory goes to files. Where the disk does not take it, what is too much is dropped.
    fn spill(&self, inner: &mut Inner) {
        while let Some(documents) = inner.memory.pop_front() {
            let bytes = weight(&documents);
            match self.write(inner.next, &documents) {
                Ok(spilled) => {
                    inner.next += 1;
                    inner.memory_bytes -= bytes;
                    inner.disk_bytes += spilled.bytes;
                    inner.disk.push_back(spilled);
                }
                Err(_) if inner.memory_bytes > self.limits.memory_bytes_max => {
                    inner.memory_bytes -= bytes;
                    inner.dropped += documents.len() as u64;
                }
                Err(_) => {
                    inner.memory.push_front(documents);
                    break;
                }
            }
        }
        while inner.disk_bytes > self.limits.disk_bytes_max {
            let is_free = |spilled: &Spilled| {
                inner.in_hand.is_none_or(|(first, last)| !(first..=last).contains(&spilled.number))
            };
            let oldest = inner.disk.iter().copied().find(is_free);
            let Some(oldest) = oldest else { break };
            inner.dropped += oldest.count;
            self.remove(inner, oldest);
        }
    }

    /// Files that are delivered together: in a spool as many as fit in a segment, since each has what one push had.
    fn together(&self, inner: &Inner, first: Spilled) -> Vec<Spilled> {
        let mut bytes = 0;
        let fits = |spilled: &&Spilled| {
            bytes += spilled.bytes;
            spilled.number == first.number
                || (self.limits.spool && bytes <= self.limits.segment_bytes_max as u64)
        };
        inner.disk.iter().take_while(fits).copied().collect()
    }

    fn place(&self, number: u64) -> Option<Place> {
        Some(Place { spool: self.identity?, number })
    }

    fn write(&self, number: u64, documents: &[Document]) -> io::Result<Spilled> {
        let mut text = Vec::with_capacity(weight(documents));
        for document in documents {
            document.write(&mut text);
            text.push(b'\n');
        }
        let spilled = Spilled { number, count: documents.len() as u64, bytes: text.len() as u64 };
        let path = self.path(spilled);
        let new = path.with_extension("new");
        // What the system has survives the process; a power cut may take the last seconds.
        fs::write(&new, &text).and_then(|()| fs::rename(&new, &path)).inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })?;
        Ok(spilled)
    }

    fn read(&self, spilled: Spilled) -> Option<Vec<Document>> {
        let text = fs::read_to_string(self.path(spilled)).ok()?;
        let documents: Vec<_> = text.lines().filter_map(Document::read).collect();
        (!documents.is_empty()).then_some(documents)
    }

    fn remove(&self, inner: &mut Inner, spilled: Spilled) {
        // Gone already is as well.
        let _ = fs::remove_file(self.path(spilled));
        inner.disk.retain(|there| there.number != spilled.number);
        inner.disk_bytes = inner.disk.iter().map(|there| there.bytes).sum();
    }

    fn path(&self, spilled: Spilled) -> PathBuf {
        self.folder.join(format!("{:020}-{}.docs", spilled.number, spilled.count))
    }
}

/// The identity of a spool: that of the files that lie in it, or a new one.
fn identity(folder: &Path, is_empty: bool) -> io::Result<u128> {
    let path = folder.join(IDENTITY);
    let kept = fs::read_to_string(&path).ok().filter(|_| !is_empty);
    if let Some(kept) = kept.and_then(|kept| u128::from_str_radix(kept.trim(), 16).ok()) {
        return Ok(kept);
    }
    // The standard library draws the keys of each hasher at random.
    let drawn = |half: u8| u128::from(RandomState::new().hash_one((std::process::id(), half)));
    let identity = drawn(0) << 64 | drawn(1);
    crate::replace_file(&path, |out| writeln!(out, "{identity:032x}"))?;
    Ok(identity)
}

/// The file with it.
const IDENTITY: &str = "spool";

/// There is room before it: what was in memory when a delivery failed is older than all files.
const FIRST_NUMBER: u64 = 1 << 40;

fn weight(documents: &[Document]) -> usize {
    documents.iter().map(Document::weight).sum()
}
