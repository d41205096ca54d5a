//! Who writes a recording: a bounded queue, and a thread that masks, writes, and takes old files away.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use palisade_model::{BodyForm, Redactor};

use super::file::{Frames, begun_of, name_of, recordings};
use super::record::Recorded;
use super::seal::{Key, salt};
use crate::unix_millis;

/// Bytes of copies that may wait for the thread.
const QUEUE_BYTES_MAX: usize = 32 << 20;
/// What a copy costs beside its texts.
const COPY_OVERHEAD_BYTES: usize = 1024;
/// How often the thread looks for files whose time is over, and whether a disk can be written again.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A recording is so many files at least, so that taking one away takes away little.
const FILES_OF_A_RECORDING: u32 = 8;

/// Bounds of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordBounds {
    /// How long a record is kept at most.
    pub age: Duration,
    /// Bytes of all files; over it the oldest go.
    pub bytes_max: u64,
}

/// A request to be recorded, raw.
#[derive(Debug)]
pub struct ToRecord {
    /// The record; its texts as the client sent them.
    pub record: Recorded,
    /// What is secret in it.
    pub redactor: Redactor,
    /// How its body is written.
    pub form: BodyForm,
}

/// What became of copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderCounts {
    /// Written.
    pub written: u64,
    /// Dropped, because too many came at once.
    pub dropped: u64,
    /// Not written, because the disk could not be.
    pub failed: u64,
    /// Bytes of all files but the one that is being written.
    pub bytes: u64,
    /// The files cannot be written at the moment: nothing is recorded.
    pub paused: bool,
}

/// Tells a person something.
pub(super) type Say = Box<dyn Fn(&str) + Send>;

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    emptied: Condvar,
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    paused: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<ToRecord>,
    bytes: usize,
    closed: bool,
    idle: bool,
}

impl Recorder {
    /// Begins to record into a folder, which is made when it is not there. What another process left there is kept as long
    /// as it may be.
    ///
    /// # Errors
    /// When the folder cannot be made or there is no thread.
    pub fn start(folder: &Path, bounds: RecordBounds, key: Option<Key>, say: Say) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let shared = Arc::new(Shared::default());
        let writer = Writer {
            shared: shared.clone(),
            folder: folder.to_owned(),
            bounds,
            key,
            say,
            open: None,
            number: 0,
            paused: None,
        };
        std::thread::Builder::new().name("recorder".into()).spawn(move || writer.run())?;
        Ok(Self { shared })
    }

    /// Queues a copy. What finds no room is dropped and counted.
    pub fn record(&self, copy: ToRecord) {
        let bytes = bytes_of(&copy.record);
        let mut queue = self.shared.lock();
        if queue.closed || queue.bytes + bytes > QUEUE_BYTES_MAX {
            drop(queue);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += bytes;
        queue.waiting.push_back(copy);
        drop(queue);
        self.shared.filled.notify_one();
    }

    /// Counts a copy that could not even be made.
    pub fn note_dropped(&self) {
        self.shared.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// What became of copies.
    #[must_use]
    pub fn counts(&self) -> RecorderCounts {
        let Shared { written, dropped, failed, bytes, paused, .. } = &*self.shared;
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RecorderCounts {
            written: count(written),
            dropped: count(dropped),
            failed: count(failed),
            bytes: count(bytes),
            paused: paused.load(Ordering::Relaxed),
        }
    }

    /// Ends it with all that waits written, but not for ever. Whether it did.
    pub fn end_within(&self, patience: Duration) -> bool {
        let mut queue = self.shared.lock();
        queue.closed = true;
        self.shared.filled.notify_one();
        let until = Instant::now() + patience;
        while !queue.idle {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            queue = self.shared.emptied.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.filled.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // What stands there is whole after every statement.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits; none where it is time to look at the files. `false`: there is no more to come.
    fn take(&self) -> (VecDeque<ToRecord>, bool) {
        let mut queue = self.lock();
        if queue.waiting.is_empty() && !queue.closed {
            queue = self.filled.wait_timeout(queue, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.bytes = 0;
        let goes_on = !queue.closed || !queue.waiting.is_empty();
        if !goes_on {
            queue.idle = true;
            self.emptied.notify_all();
        }
        (std::mem::take(&mut queue.waiting), goes_on)
    }
}

fn bytes_of(record: &Recorded) -> usize {
    let headers = record.headers.iter().map(|(name, value)| name.0.len() + value.0.len() + 64);
    COPY_OVERHEAD_BYTES + record.target.0.len() + record.body.len() + headers.sum::<usize>()
}

/// Puts stand-ins into a record where secrets are, and says where.
pub(super) fn mask(copy: ToRecord) -> Recorded {
    let ToRecord { mut record, redactor, form } = copy;
    let (mut masked, mut not_plain) = (Vec::new(), Vec::new());
    let mut note = |place: &str, stand_in: palisade_model::StandIn, text: &mut Vec<u8>| {
        if stand_in.masked > 0 {
            masked.push(place.to_owned());
            if stand_in.not_plain > 0 {
                not_plain.push(place.to_owned());
            }
        }
        *text = stand_in.text;
    };
    if let Some(line) = &mut record.line {
        note("line", redactor.target_with_stand_ins(&line.0), &mut line.0);
    }
    note("target", redactor.target_with_stand_ins(&record.target.0), &mut record.target.0);
    for (name, value) in &mut record.headers {
        let stand_in = redactor.header_with_stand_ins(&name.0, &value.0);
        let place = format!("header:{}", String::from_utf8_lossy(&name.0).to_lowercase());
        note(&place, stand_in, &mut value.0);
    }
    note("body", redactor.body_with_stand_ins(form, &record.body), &mut record.body);
    masked.dedup();
    not_plain.dedup();
    (record.masked, record.not_plain) = (masked, not_plain);
    record
}

struct Writer {
    shared: Arc<Shared>,
    folder: PathBuf,
    bounds: RecordBounds,
    key: Option<Key>,
    say: Say,
    open: Option<Open>,
    number: u32,
    /// When it last turned out that nothing can be written.
    paused: Option<Instant>,
}

struct Open {
    frames: Frames<File>,
    path: PathBuf,
    begun: u64,
}

impl Writer {
    fn run(mut self) {
        let mut looked = None;
        loop {
            if looked.is_none_or(|at: Instant| at.elapsed() >= LOOK_EVERY) {
                self.tidy();
                looked = Some(Instant::now());
            }
            let (copies, goes_on) = self.shared.take();
            for copy in copies {
                let record = mask(copy).to_bytes();
                match self.write(&record) {
                    true => self.shared.written.fetch_add(1, Ordering::Relaxed),
                    false => self.shared.failed.fetch_add(1, Ordering::Relaxed),
                };
            }
            if !goes_on {
                if let Some(open) = &self.open {
                    let _ = open.frames.get_ref().sync_data();
                }
                return;
            }
        }
    }

    /// Whether it was written.
    fn write(&mut self, record: &[u8]) -> bool {
        // A disk that is full is not asked for every request.
        if self.paused.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return false;
        }
        match self.try_write(record) {
            Ok(()) => {
                if self.paused.take().is_some() {
                    self.shared.paused.store(false, Ordering::Relaxed);
                    (self.say)("the recording goes on: it can be written again");
                }
                true
            }
            Err(error) => {
                self.close_whole();
                self.shared.paused.store(true, Ordering::Relaxed);
                if self.paused.replace(Instant::now()).is_none() {
                    (self.say)(&format!(
                        "the recording pauses, requests are not recorded: it cannot be written: {error}"
                    ));
                }
                self.tidy();
                false
            }
        }
    }

    /// Closes the file with the last frame that is whole, after one that may not be. It is not written on: what is sealed must
    /// not be sealed again under the same number.
    fn close_whole(&mut self) {
        let Some(Open { frames, path, .. }) = self.open.take() else { return };
        if frames.is_empty() {
            let _ = std::fs::remove_file(path);
        } else {
            // Where that fails as well a reader stops at the frame that is not whole.
            let _ = frames.get_ref().set_len(frames.bytes());
        }
    }

    fn try_write(&mut self, record: &[u8]) -> io::Result<()> {
        let now = unix_millis();
        let file_bytes_max = self.bounds.bytes_max / u64::from(FILES_OF_A_RECORDING);
        let file_age_max = self.bounds.age / FILES_OF_A_RECORDING;
        let is_full = |open: &Open| {
            open.frames.bytes() + record.len() as u64 > file_bytes_max
                || Duration::from_millis(now.saturating_sub(open.begun)) >= file_age_max
        };
        if self.open.as_ref().is_some_and(is_full)
            && let Some(done) = self.open.take()
        {
            self.shared.bytes.fetch_add(done.frames.bytes(), Ordering::Relaxed);
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let open = self.begin(now)?;
                self.open.insert(open)
            }
        };
        open.frames.write(record)?;
        self.make_room();
        Ok(())
    }

    fn begin(&mut self, now: u64) -> io::Result<Open> {
        let salt = salt().ok_or_else(|| io::Error::other("the system has no randomness"))?;
        loop {
            let path = self.folder.join(name_of(now, self.number));
            self.number = self.number.wrapping_add(1);
            match OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => match Frames::begin(file, self.key.as_ref(), salt, now) {
                    Ok(frames) => return Ok(Open { frames, path, begun: now }),
                    Err(error) => {
                        // Without its head it is no recording, and every further attempt would leave another.
                        let _ = std::fs::remove_file(path);
                        return Err(error);
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes away the oldest files while all are too large together. The one that is being written stays.
    fn make_room(&mut self) {
        let written = self.shared.bytes.load(Ordering::Relaxed);
        let open = self.open.as_ref().map_or(0, |open| open.frames.bytes());
        if written + open > self.bounds.bytes_max {
            self.tidy();
        }
    }

    /// Takes away files whose time is over, and the oldest of too many bytes.
    fn tidy(&mut self) {
        let now = unix_millis();
        let files = recordings(&self.folder).unwrap_or_default();
        let is_open = |open: &Option<Open>, path: &Path| open.as_ref().is_some_and(|open| open.path == path);
        let mut bytes = 0;
        for path in files.iter().rev() {
            let Some(begun) = begun_of(path) else { continue };
            let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            let is_over = Duration::from_millis(now.saturating_sub(begun)) >= self.bounds.age;
            let is_too_much = bytes + length > self.bounds.bytes_max && !is_open(&self.open, path);
            if is_over || is_too_much {
                if is_open(&self.open, path) {
                    self.open = None;
                }
                let _ = std::fs::remove_file(path);
            } else {
                bytes += length;
            }
        }
        // What is being written is added where it is compared.
        let open = self.open.as_ref().map_or(0, |open| open.frames.bytes());
        self.shared.bytes.store(bytes.saturating_sub(open), Ordering::Relaxed);
    }
}
