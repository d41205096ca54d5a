//! What is counted about shared state.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Counters of shared state; they only grow, but for `up`.
#[derive(Debug, Default)]
pub struct Counts {
    pub(crate) up: AtomicBool,
    pub(crate) losses: AtomicU64,
    pub(crate) unreadable: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) lists_sent: AtomicU64,
    pub(crate) lists_taken: AtomicU64,
    pub(crate) operations: AtomicU64,
    pub(crate) operations_dropped: AtomicU64,
    pub(crate) takes: AtomicU64,
}

impl Counts {
    /// Whether Redis is there.
    pub fn up(&self) -> bool {
        self.up.load(Relaxed)
    }

    /// How often it went away.
    pub fn losses(&self) -> u64 {
        self.losses.load(Relaxed)
    }

    /// Values in it that do not hold together and were passed over.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Relaxed)
    }

    /// Collections that were not there in time, so that what was known here was used.
    pub fn late(&self) -> u64 {
        self.late.load(Relaxed)
    }

    /// Changes of lists that were told to others, and that were taken from others.
    pub fn lists(&self) -> (u64, u64) {
        (self.lists_sent.load(Relaxed), self.lists_taken.load(Relaxed))
    }

    /// Operations on collections that were committed, and that were dropped for want of room.
    pub fn operations(&self) -> (u64, u64) {
        (self.operations.load(Relaxed), self.operations_dropped.load(Relaxed))
    }

    /// Requests that were told to others' rate limits.
    pub fn takes(&self) -> u64 {
        self.takes.load(Relaxed)
    }
}

pub(crate) fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Relaxed);
}
