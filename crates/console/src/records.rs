//! Events for the API: who may read the store, how many at a time, and who listens to what comes.
//!
//! Questions are asked on a few threads beside the one that answers probes; each ends after a while, whatever it asks.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use palisade_events::Bus;
use palisade_events::store::{EventStore, StoreError};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::api::Refused;
use crate::stream::Listeners;

/// Events of a process, as the API has them.
pub struct Records {
    open: Option<Opener>,
    /// Readers that have files open, for the next question.
    idle: Mutex<Vec<Store>>,
    room: Arc<Semaphore>,
    pub(crate) listeners: Listeners,
}

type Store = Box<dyn EventStore + Send>;

/// Makes what reads the store. Its questions must end by themselves ([`Records::QUESTION_TIME`]).
pub type Opener = Box<dyn Fn() -> Box<dyn EventStore + Send> + Send + Sync>;

/// Questions at a time. Two, so that a long one does not keep a short one waiting.
const READS_MAX: usize = 2;
/// How long a question waits for those before it.
const ROOM_PATIENCE: Duration = Duration::from_secs(5);

impl Records {
    /// How long one question may take.
    pub const QUESTION_TIME: Duration = Duration::from_secs(5);

    /// Events that come by a bus, and those that are kept, where they are.
    pub fn new(bus: Bus, open: Option<Opener>) -> Arc<Self> {
        Arc::new(Self {
            open,
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(READS_MAX)),
            listeners: Listeners::new(bus),
        })
    }

    /// Whether events are kept here.
    pub(crate) fn keeps(&self) -> bool {
        self.open.is_some()
    }

    /// Asks the store, when it is this question's turn.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&dyn EventStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refused> {
        if !self.keeps() {
            let why = "events are not kept here: `events.store` is false";
            return Err((StatusCode::NOT_FOUND, why.to_owned()));
        }
        let Ok(Ok(room)) = timeout(ROOM_PATIENCE, self.room.clone().acquire_owned()).await else {
            let why = "too many questions to the event store at once: ask again";
            return Err((StatusCode::SERVICE_UNAVAILABLE, why.to_owned()));
        };
        let records = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            // It is the thread that has the room, not who waits for it and may go away.
            let _room = room;
            let store = records.idle().pop().or_else(|| records.open.as_ref().map(|open| open()));
            let store = store.expect("events are kept: looked at above");
            let answer = ask(store.as_ref());
            records.idle().push(store);
            answer
        });
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error @ StoreError::TooLong)) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
            Ok(Err(error)) => Err((StatusCode::INTERNAL_SERVER_ERROR, format!("the event store: {error}"))),
            Err(_) => Err((StatusCode::INTERNAL_SERVER_ERROR, "the request failed in us".to_owned())),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Store>> {
        // What stands there is whole after every statement.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("keeps", &self.keeps()).finish_non_exhaustive()
    }
}
