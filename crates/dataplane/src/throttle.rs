//! Lines that would come in floods: one now and then, and how many were left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Says when something is told again.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// When it was last told.
    at: Option<Instant>,
    untold: u64,
}

/// A line for each of a flood would bury the others.
const TOLD_EVERY: Duration = Duration::from_secs(1);

impl Throttle {
    /// It has happened once more. How often since it was last told, itself included, where it is to be told now.
    pub(crate) fn one(&self) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.untold += 1;
        if told.at.is_some_and(|at| at.elapsed() < TOLD_EVERY) {
            return None;
        }
        told.at = Some(Instant::now());
        Some(std::mem::take(&mut told.untold))
    }
}
