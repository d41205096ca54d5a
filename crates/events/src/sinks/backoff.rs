//! How long to wait after a failure.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Twice as long each time, up to a bound, and somewhat less by chance: those who failed together do not come back together.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// From `first` to `max`.
    #[must_use]
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { next: first, first, max }
    }

    /// The wait: between half of it and all.
    pub fn wait(&mut self) -> Duration {
        // The standard library draws the keys of each hasher at random.
        let drawn = RandomState::new().hash_one(0) % 1024;
        let wait = self.next / 2 + self.next.mul_f64(drawn as f64 / 2048.0);
        self.next = (self.next * 2).min(self.max);
        wait
    }

    /// It went well.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}
