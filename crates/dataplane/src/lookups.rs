//! Answers to what rules ask of the world: persistent collections from this process's memory, names from the
//! system's resolver. Where addresses are is not known here.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_inspect::{Answer, Lookup, MemoryStore, Operation, UnixMillis};
use tokio::sync::Semaphore;

/// How long a name may take to resolve. The request waits for it.
const DNS_TIMEOUT: Duration = Duration::from_secs(2);
/// Names being resolved at a time: each occupies a thread, and clients decide how many are asked for.
const DNS_AT_A_TIME: usize = 16;

#[derive(Debug)]
pub(crate) struct Lookups {
    store: Mutex<MemoryStore>,
    resolving: Semaphore,
}

impl Default for Lookups {
    fn default() -> Self {
        Self { store: Mutex::default(), resolving: Semaphore::new(DNS_AT_A_TIME) }
    }
}

impl Lookups {
    pub(crate) async fn answer(&self, lookup: Lookup, now: UnixMillis) -> Answer {
        match lookup {
            Lookup::Collection(key) => Answer::Collection(self.store().load(&key, now)),
            Lookup::Dns { name } => {
                tokio::time::timeout(DNS_TIMEOUT, self.resolve(name)).await.unwrap_or(Answer::Unavailable)
            }
            Lookup::Geo { .. } => Answer::Unavailable,
        }
    }

    /// Applies the changes that an exchange asks for.
    pub(crate) fn commit(&self, operations: Vec<Operation>) {
        if !operations.is_empty() {
            self.store().commit(operations);
        }
    }

    async fn resolve(&self, name: String) -> Answer {
        let Ok(_permit) = self.resolving.acquire().await else { return Answer::Unavailable };
        match tokio::net::lookup_host((name.as_str(), 0)).await {
            Ok(addresses) => Answer::Dns(addresses.map(|a| a.ip()).find(IpAddr::is_ipv4)),
            // The resolver does not tell a name that is not there from one that it could not ask for; for a block
            // list both mean "not listed".
            Err(_) => Answer::Dns(None),
        }
    }

    fn store(&self) -> MutexGuard<'_, MemoryStore> {
        // A panic inside would have lost one operation, not the store.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
