//! The two threads of a sink.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::backlog::{Backlog, BacklogLimits, Segment};
use super::document::Document;

/// Somebody who takes records.
pub trait Transport: Send {
    /// Delivers records in order; blocks until it is known what came of them.
    fn deliver(&mut self, documents: &[Document]) -> Delivered;

    /// Delivers a segment. Whoever knows what to do with its place says so here.
    fn deliver_segment(&mut self, segment: &Segment) -> Delivered {
        self.deliver(&segment.documents)
    }
}

/// What came of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Those that are to be delivered again, by their place, in order.
    pub again: Vec<usize>,
    /// How many will never be taken.
    pub refused: u64,
    /// Why not all is well, without secrets.
    pub problem: Option<String>,
    /// How long the other side wants to be left alone.
    pub wait: Option<Duration>,
}

impl Delivered {
    /// All of so many, again.
    #[must_use]
    pub fn none_of(count: usize, problem: impl Into<String>) -> Self {
        Self { again: (0..count).collect(), problem: Some(problem.into()), ..Self::default() }
    }
}

/// Who writes our own messages.
#[derive(Clone)]
pub struct Say(Arc<dyn Fn(&str) + Send + Sync>);

impl Say {
    /// By a function.
    pub fn new(say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(say))
    }

    /// Nobody.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new(|_| {})
    }

    /// One line. What it quotes of others is on one line and clipped.
    pub fn say(&self, line: &str) {
        let line: String =
            line.chars().take(1000).map(|char| if char.is_control() { ' ' } else { char }).collect();
        (self.0)(&line);
    }
}

impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Say")
    }
}

/// What was counted for a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// Records that were taken by the other side.
    pub delivered: u64,
    /// Records that it will never take.
    pub refused: u64,
    /// Records that were dropped for want of room.
    pub dropped: u64,
    /// Deliveries that failed, wholly or in part.
    pub failures: u64,
    /// Bytes that wait in memory.
    pub waiting_bytes: u64,
    /// Bytes that wait in files.
    pub spilled_bytes: u64,
}

/// A sink at work.
#[derive(Debug)]
pub struct Outlet {
    shared: Arc<Shared>,
    sender: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    backlog: Backlog,
    delivered: AtomicU64,
    refused: AtomicU64,
    failures: AtomicU64,
}

impl Outlet {
    /// Starts delivering: first what lies in the folder from before.
    ///
    /// # Errors
    /// When the folder cannot be used, or no thread is to be had.
    pub fn start(
        name: &str,
        folder: &Path,
        limits: BacklogLimits,
        transport: Box<dyn Transport>,
        say: Say,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            backlog: Backlog::open(folder, limits)?,
            delivered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        });
        let sends = shared.clone();
        let sender = thread::Builder::new()
            .name(format!("sink {name}"))
            .spawn(move || send(&sends, transport, &say))?;
        Ok(Self { shared, sender: Mutex::new(Some(sender)) })
    }

    /// Takes records.
    pub fn push(&self, documents: Vec<Document>) {
        self.shared.backlog.push(documents);
    }

    /// Which spool it delivers from, where it has one.
    #[must_use]
    pub fn spool(&self) -> Option<u128> {
        self.shared.backlog.identity()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> SinkCounts {
        let (memory, disk, dropped) = self.shared.backlog.waiting();
        SinkCounts {
            delivered: self.shared.delivered.load(Ordering::Relaxed),
            refused: self.shared.refused.load(Ordering::Relaxed),
            failures: self.shared.failures.load(Ordering::Relaxed),
            dropped,
            waiting_bytes: memory as u64,
            spilled_bytes: disk,
        }
    }

    /// Ends it: what waits is delivered within this time, or kept in files. A transport that is stuck is left alone. Tells
    /// whether all ended.
    pub fn end_within(&self, patience: Duration) -> bool {
        self.shared.backlog.close();
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(sender) = sender else { return true };
        let deadline = Instant::now() + patience;
        while !sender.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        self.shared.backlog.keep();
        sender.is_finished() && sender.join().is_ok()
    }
}

fn send(shared: &Shared, mut transport: Box<dyn Transport>, say: &Say) {
    let mut backoff = shared.backlog.backoff();
    let mut messages = Messages::default();
    let mut failing = false;
    while let Some(segment) = shared.backlog.take() {
        let count = segment.documents.len() as u64;
        let Delivered { again, refused, problem, wait } = transport.deliver_segment(&segment);
        let delivered = count - refused - again.len() as u64;
        shared.delivered.fetch_add(delivered, Ordering::Relaxed);
        shared.refused.fetch_add(refused, Ordering::Relaxed);
        if let Some(problem) = &problem {
            shared.failures.fetch_add(1, Ordering::Relaxed);
            if messages.may_be_said() {
                let what = match (again.len(), refused) {
                    (0, refused) => format!("{refused} refused and dropped"),
                    (again, 0) => format!("{again} wait to be sent again"),
                    (again, refused) => {
                        format!("{again} wait to be sent again, {refused} refused and dropped")
                    }
                };
                say.say(&format!("sink {}: {what}: {problem}", shared.name));
            }
        }
        if again.is_empty() {
            shared.backlog.done(segment);
            backoff.reset();
            if std::mem::take(&mut failing) {
                say.say(&format!("sink {}: delivers again", shared.name));
            }
            continue;
        }
        failing = true;
        if delivered > 0 {
            backoff.reset();
        }
        let again = again.into_iter().filter_map(|place| segment.documents.get(place).cloned()).collect();
        shared.backlog.put_back(segment, again);
        let pause = backoff.wait().max(wait.unwrap_or_default()).min(WAIT_MAX);
        if shared.backlog.pause(pause) {
            // What waits lies in files: the next process goes on with it.
            break;
        }
    }
    shared.backlog.keep();
}

/// Whoever asks to be left alone for longer is asked earlier.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// A few messages a minute are said; a server that is gone for a day is no reason to fill a log.
#[derive(Debug, Default)]
struct Messages {
    said: VecDeque<Instant>,
}

impl Messages {
    fn may_be_said(&mut self) -> bool {
        let now = Instant::now();
        self.said.retain(|at| now.duration_since(*at) < Duration::from_secs(60));
        let may = self.said.len() < 5;
        if may {
            self.said.push_back(now);
        }
        may
    }
}
