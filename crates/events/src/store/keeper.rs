//! The thread that keeps the store: takes batches, writes them, and takes away what is too much.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Portion, Retention, StoreError, Writer};
use crate::bus::{Batch, Subscription, Taken};
use crate::clock::unix_millis;

/// What is told to people: a line.
type Tell = Box<dyn Fn(&str) + Send>;

/// Batches that go into one transaction at most.
const BATCHES_MAX: usize = 8;
/// How often it looks for what is too old or too much.
const RETAIN_EVERY: Duration = Duration::from_secs(10);
/// How often it says that it still cannot write.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// A store at work. Its thread ends when its subscription does.
#[derive(Debug)]
pub struct Keeper {
    desk: Arc<Desk>,
    counts: Arc<Counts>,
    thread: JoinHandle<()>,
}

/// The way of other processes' records into a store at work. Each call waits for the disk.
#[derive(Clone, Debug)]
pub struct Intake {
    desk: Arc<Desk>,
    counts: Arc<Counts>,
}

/// The one writer, which whoever writes takes for one transaction.
#[derive(Debug)]
struct Desk {
    folder: PathBuf,
    retention: Retention,
    durable: bool,
    writer: Mutex<Option<Writer>>,
}

impl Desk {
    fn with_writer<T>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // After a panic a transaction is rolled back, and the file is as it was.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_none() {
            let opened = Writer::open(&self.folder, self.retention)?;
            *writer = Some(if self.durable { opened.durable() } else { opened });
        }
        work(writer.as_mut().expect("it was opened just now"))
    }
}

impl Intake {
    /// Writes portions, in one transaction: [`Writer::take_in`].
    ///
    /// # Errors
    /// When they could not be written. None of them is in the store then.
    pub fn take_in(&self, portions: &[Portion]) -> Result<Vec<bool>, StoreError> {
        let taken = self.desk.with_writer(|writer| writer.take_in(portions, unix_millis()));
        match &taken {
            Ok(is_new) => {
                let new = portions.iter().zip(is_new).filter(|(_, new)| **new);
                let records: usize = new.map(|(portion, _)| portion.batch.len()).sum();
                self.counts.written.fetch_add(records as u64, Ordering::Relaxed);
                self.counts.failing.store(false, Ordering::Relaxed);
            }
            // Nothing is lost: whoever sent them has them still.
            Err(_) => self.counts.failing.store(true, Ordering::Relaxed),
        }
        taken
    }

    /// The number of the last record of a way that is in the store: [`Writer::reached`].
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn reached(&self, stream: &str) -> Result<u64, StoreError> {
        self.desk.with_writer(|writer| writer.reached(stream))
    }
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    files_removed: AtomicU64,
    failing: AtomicBool,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeeperCounts {
    /// Records that were written.
    pub written: u64,
    /// Records that could not be written.
    pub failed: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Files that were taken away because they were too old or too many.
    pub files_removed: u64,
    /// The last batch could not be written.
    pub failing: bool,
}

impl Keeper {
    /// Starts it. `tell` gets a line when it can no longer write, and when it can again.
    ///
    /// # Errors
    /// When no thread is to be had.
    pub fn start(
        folder: &Path,
        retention: Retention,
        subscription: Subscription,
        tell: Tell,
    ) -> std::io::Result<Self> {
        Self::at(folder, retention, false, subscription, tell)
    }

    /// The same for a store that others send their records to: what was said to be in it survives a crash of the system
    /// ([`Writer::durable`]).
    ///
    /// # Errors
    /// When no thread is to be had.
    pub fn start_for_others(
        folder: &Path,
        retention: Retention,
        subscription: Subscription,
        tell: Tell,
    ) -> std::io::Result<Self> {
        Self::at(folder, retention, true, subscription, tell)
    }

    fn at(
        folder: &Path,
        retention: Retention,
        durable: bool,
        subscription: Subscription,
        tell: Tell,
    ) -> std::io::Result<Self> {
        let desk = Desk { folder: folder.to_owned(), retention, durable, writer: Mutex::default() };
        let (desk, counts) = (Arc::new(desk), Arc::new(Counts::default()));
        let mut work = Work {
            desk: desk.clone(),
            counts: counts.clone(),
            tell,
            told: None,
            retain_at: Instant::now() + RETAIN_EVERY,
        };
        let thread =
            thread::Builder::new().name("event-store".into()).spawn(move || work.run(&subscription))?;
        Ok(Self { desk, counts, thread })
    }

    /// The way of other processes' records into it.
    #[must_use]
    pub fn intake(&self) -> Intake {
        Intake { desk: self.desk.clone(), counts: self.counts.clone() }
    }

    /// What was counted.
    pub fn counts(&self) -> KeeperCounts {
        let Counts { written, failed, bytes, files_removed, failing } = &*self.counts;
        KeeperCounts {
            written: written.load(Ordering::Relaxed),
            failed: failed.load(Ordering::Relaxed),
            bytes: bytes.load(Ordering::Relaxed),
            files_removed: files_removed.load(Ordering::Relaxed),
            failing: failing.load(Ordering::Relaxed),
        }
    }

    /// Waits for its end, which comes when its subscription ends, but no longer than this. Tells whether it came. Blocks.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.thread.is_finished() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

struct Work {
    desk: Arc<Desk>,
    counts: Arc<Counts>,
    tell: Tell,
    /// When it last said that it cannot write.
    told: Option<Instant>,
    retain_at: Instant,
}

impl Work {
    fn run(&mut self, subscription: &Subscription) {
        // A folder that cannot be used is told before the first event is lost.
        self.retain();
        loop {
            match subscription.next_within(RETAIN_EVERY) {
                Taken::Batch(batch) => {
                    // Whoever is behind writes what waits in one transaction: that is what makes it faster.
                    let more = std::iter::from_fn(|| subscription.next_waiting());
                    let batches: Vec<Arc<Batch>> =
                        [batch].into_iter().chain(more.take(BATCHES_MAX - 1)).collect();
                    let batches: Vec<&Batch> = batches.iter().map(|batch| &**batch).collect();
                    let records = batches.iter().map(|batch| batch.len() as u64).sum();
                    let appended = self.desk.with_writer(|writer| writer.append_all(&batches, unix_millis()));
                    match appended {
                        Ok(appended) => {
                            self.counts.written.fetch_add(appended.written, Ordering::Relaxed);
                            self.writes();
                        }
                        Err(error) => {
                            self.counts.failed.fetch_add(records, Ordering::Relaxed);
                            self.fails(&error.to_string());
                        }
                    }
                }
                Taken::Nothing => {}
                Taken::End => return,
            }
            if Instant::now() >= self.retain_at {
                self.retain_at = Instant::now() + RETAIN_EVERY;
                self.retain();
            }
        }
    }

    fn retain(&mut self) {
        let retained = self.desk.with_writer(|writer| Ok((writer.retain(unix_millis())?, writer.bytes()?)));
        match retained {
            Ok((gone, bytes)) => {
                self.counts.files_removed.fetch_add(gone, Ordering::Relaxed);
                self.counts.bytes.store(bytes, Ordering::Relaxed);
            }
            Err(error) => self.fails(&error.to_string()),
        }
    }

    fn writes(&mut self) {
        self.counts.failing.store(false, Ordering::Relaxed);
        if self.told.take().is_some() {
            (self.tell)("events: the store is written again");
        }
    }

    fn fails(&mut self, error: &str) {
        self.counts.failing.store(true, Ordering::Relaxed);
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            (self.tell)(&format!("events: the store cannot be written, events are lost: {error}"));
        }
    }
}
