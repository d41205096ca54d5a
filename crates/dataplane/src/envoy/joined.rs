//! Exchanges that both services see: what the first has judged the second goes on with.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use palisade_inspect::End;
use tokio::time::{Duration, Instant};

use crate::exchange::Exchange;

/// Exchanges that wait at a time. One more is ended as it stands, and the other service begins its own.
const WAITING_MAX: usize = 10_000;
/// How long one waits. A filter after ours may ask somebody else first.
const WAITING: Duration = Duration::from_secs(60);

/// Exchanges between two services, by the request's id.
#[derive(Debug, Default)]
pub(super) struct Joined {
    by_id: Mutex<HashMap<String, State>>,
}

#[derive(Debug)]
enum State {
    /// Judged by `ext_authz`; `ext_proc` has not come yet.
    Waiting(Box<Exchange>, Instant),
    /// `ext_proc` is at work on it.
    Live,
}

impl Joined {
    /// Leaves an allowed exchange for `ext_proc`. Ends it where there is no room, or where its id is in use.
    pub(super) fn leave(&self, id: &str, mut exchange: Box<Exchange>) {
        let mut by_id = self.by_id();
        if by_id.len() >= WAITING_MAX || by_id.contains_key(id) {
            drop(by_id);
            exchange.finish(End::Complete);
            return;
        }
        by_id.insert(id.to_owned(), State::Waiting(exchange, Instant::now()));
    }

    /// Takes an exchange over, or says that one has begun: from now on [`is_live`](Self::is_live).
    pub(super) fn take(&self, id: &str) -> Option<Box<Exchange>> {
        match self.by_id().insert(id.to_owned(), State::Live) {
            Some(State::Waiting(exchange, _)) => Some(exchange),
            Some(State::Live) | None => None,
        }
    }

    /// Whether `ext_proc` is at work on it, and judges the request.
    pub(super) fn is_live(&self, id: &str) -> bool {
        matches!(self.by_id().get(id), Some(State::Live))
    }

    /// Says that `ext_proc` has ended.
    pub(super) fn end(&self, id: &str) {
        self.by_id().remove(id);
    }

    /// Ends exchanges for which nobody came.
    pub(super) fn sweep(&self) {
        let is_old = |_: &String, state: &mut State| matches!(state, State::Waiting(_, since) if since.elapsed() > WAITING);
        // Taken out first: an end writes to the journal.
        let old: Vec<State> = self.by_id().extract_if(is_old).map(|(_, state)| state).collect();
        for state in old {
            if let State::Waiting(mut exchange, _) = state {
                exchange.finish(End::Complete);
            }
        }
    }

    /// Ends all that wait: nobody will come any more.
    pub(super) fn end_all(&self) {
        for state in std::mem::take(&mut *self.by_id()).into_values() {
            if let State::Waiting(mut exchange, _) = state {
                exchange.finish(End::Complete);
            }
        }
    }

    fn by_id(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
