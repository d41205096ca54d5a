//! How a stream goes, for probes and metrics.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How a stream goes; shared by who drives it and who shows it.
#[derive(Debug, Default)]
pub struct Status {
    connected: AtomicBool,
    in_sync: AtomicBool,
    was_in_sync: AtomicBool,
    messages: AtomicU64,
    refusals: AtomicU64,
    connects: AtomicU64,
    swaps: AtomicU64,
    held_back: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// How a stream goes at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusNow {
    /// There is a stream.
    pub connected: bool,
    /// It has said all that there is.
    pub in_sync: bool,
    /// Some stream has, so that there are policies to decide by.
    pub was_in_sync: bool,
    /// Messages of all streams.
    pub messages: u64,
    /// Of those, what was refused at least in part.
    pub refusals: u64,
    /// Streams.
    pub connects: u64,
    /// Times that everything was replaced.
    pub swaps: u64,
    /// Objects of which what was said last is not visible yet.
    pub held_back: u64,
    /// Why the last stream ended, or did not begin; none while there is one.
    pub last_error: Option<String>,
}

impl Status {
    /// As it is now.
    #[must_use]
    pub fn now(&self) -> StatusNow {
        let flag = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StatusNow {
            connected: flag(&self.connected),
            in_sync: flag(&self.in_sync),
            was_in_sync: flag(&self.was_in_sync),
            messages: count(&self.messages),
            refusals: count(&self.refusals),
            connects: count(&self.connects),
            swaps: count(&self.swaps),
            held_back: count(&self.held_back),
            last_error: self.last_error.lock().map_or(None, |error| error.clone()),
        }
    }

    pub(crate) fn began(&self) {
        self.connected.store(true, Ordering::Relaxed);
        self.connects.fetch_add(1, Ordering::Relaxed);
        self.error(None);
    }

    pub(crate) fn ended(&self, why: String) {
        self.connected.store(false, Ordering::Relaxed);
        self.in_sync.store(false, Ordering::Relaxed);
        self.held_back.store(0, Ordering::Relaxed);
        self.error(Some(why));
    }

    pub(crate) fn heard(&self, refused: bool) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.refusals.fetch_add(u64::from(refused), Ordering::Relaxed);
    }

    pub(crate) fn took(&self, anew: bool, held_back: usize) {
        self.held_back.store(held_back as u64, Ordering::Relaxed);
        if anew {
            self.swaps.fetch_add(1, Ordering::Relaxed);
            self.in_sync.store(true, Ordering::Relaxed);
            self.was_in_sync.store(true, Ordering::Relaxed);
        }
    }

    fn error(&self, why: Option<String>) {
        if let Ok(mut error) = self.last_error.lock() {
            *error = why;
        }
    }
}
