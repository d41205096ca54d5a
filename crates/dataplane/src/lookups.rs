//! Answers to what rules ask of the world: persistent collections from this process's memory or from a store that several
//! share, names from the system's resolver. Where addresses are is not known here.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_inspect::{Answer, CollectionKey, Lookup, MemoryStore, Operation, StoredVariable, UnixMillis};
use tokio::sync::Semaphore;

/// How long a name may take to resolve. The request waits for it.
const DNS_TIMEOUT: Duration = Duration::from_secs(2);
/// Names being resolved at a time: each occupies a thread, and clients decide how many are asked for.
const DNS_AT_A_TIME: usize = 16;

/// Persistent collections that other processes have as well.
pub trait SharedCollections: fmt::Debug + Send + Sync {
    /// A collection as it is. Requests wait for it, so it answers soon, with what it knows if need be.
    fn load(
        &self,
        key: CollectionKey,
        now: UnixMillis,
    ) -> Pin<Box<dyn Future<Output = Vec<StoredVariable>> + Send + '_>>;
    /// Applies changes in order. Waits for nobody.
    fn commit(&self, operations: Vec<Operation>);
}

#[derive(Debug)]
pub(crate) struct Lookups {
    collections: Collections,
    resolving: Semaphore,
}

/// Where persistent collections are.
#[derive(Debug)]
enum Collections {
    Here(Mutex<MemoryStore>),
    Shared(Arc<dyn SharedCollections>),
}

impl Lookups {
    /// With collections that others have as well, or with this process's own.
    pub(crate) fn new(shared: Option<Arc<dyn SharedCollections>>) -> Self {
        let collections = shared.map_or_else(|| Collections::Here(Mutex::default()), Collections::Shared);
        Self { collections, resolving: Semaphore::new(DNS_AT_A_TIME) }
    }

    pub(crate) async fn answer(&self, lookup: Lookup, now: UnixMillis) -> Answer {
        match lookup {
            Lookup::Collection(key) => Answer::Collection(match &self.collections {
                Collections::Here(store) => lock(store).load(&key, now),
                Collections::Shared(shared) => shared.load(key, now).await,
            }),
            Lookup::Dns { name } => {
                tokio::time::timeout(DNS_TIMEOUT, self.resolve(name)).await.unwrap_or(Answer::Unavailable)
            }
            Lookup::Geo { .. } => Answer::Unavailable,
        }
    }

    /// Applies the changes that an exchange asks for.
    pub(crate) fn commit(&self, operations: Vec<Operation>) {
        if !operations.is_empty() {
            match &self.collections {
                Collections::Here(store) => lock(store).commit(operations),
                Collections::Shared(shared) => shared.commit(operations),
            }
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
}

fn lock(store: &Mutex<MemoryStore>) -> MutexGuard<'_, MemoryStore> {
    // A panic inside would have lost one operation, not the store.
    store.lock().unwrap_or_else(PoisonError::into_inner)
}
