//! Where keys of tokens come from: a set that is known, or a URL that is asked beside requests.
//!
//! One task fetches. It keeps the last good set whatever happens after, comes back sooner where fetching failed, and is woken
//! by a token of an unknown key; at most once in a time, so that whoever makes up keys does not make us ask for each.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use palisade_authn::{JWKS_BYTES_MAX, KeySet};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::subrequest::Server;

/// Keys of tokens.
pub struct KeySource {
    set: ArcSwapOption<KeySet>,
    fetching: Option<Fetching>,
}

struct Fetching {
    server: Server,
    url: String,
    times: FetchTimes,
    started: AtomicBool,
    state: Mutex<State>,
    /// Somebody wants keys now.
    wanted: Notify,
    /// How often fetching has ended.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    at_work: bool,
    /// When it was begun last.
    begun: Option<Instant>,
}

/// When keys are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchTimes {
    /// How often.
    pub refresh: Duration,
    /// How often at most for unknown keys.
    pub refresh_unknown: Duration,
    /// How long a request waits.
    pub wait: Duration,
}

/// What is to be said about keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysNews {
    /// Where they come from.
    pub url: String,
    /// How many there are, and which were left out; or why there are none that are new.
    pub what: Result<(usize, Vec<String>), String>,
}

/// How soon fetching is tried again after the first failure; twice as long after each further one.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

impl KeySource {
    /// Keys that are known.
    #[must_use]
    pub fn known(set: KeySet) -> Arc<Self> {
        Arc::new(Self { set: ArcSwapOption::from_pointee(set), fetching: None })
    }

    /// Whether a server publishes them.
    pub(super) fn is_published(&self) -> bool {
        self.fetching.is_some()
    }

    /// Keys that a server publishes.
    #[must_use]
    pub fn published(url: &str, server: Server, times: FetchTimes) -> Arc<Self> {
        let fetching = Fetching {
            server,
            url: url.to_owned(),
            times,
            started: AtomicBool::new(false),
            state: Mutex::default(),
            wanted: Notify::new(),
            ended: watch::Sender::new(0),
        };
        Arc::new(Self { set: ArcSwapOption::empty(), fetching: Some(fetching) })
    }

    /// Begins to fetch, where that has not begun. Ends when nobody has the source any more. In a runtime.
    pub fn start(self: &Arc<Self>, tell: impl Fn(KeysNews) + Send + Sync + 'static) {
        let Some(fetching) = &self.fetching else { return };
        if !fetching.started.swap(true, Ordering::Relaxed) {
            fetching.lock().at_work = true;
            tokio::spawn(keep(Arc::downgrade(self), tell));
        }
    }

    /// The keys as they are; `None` where there were none yet.
    pub(super) fn load(&self) -> Option<Arc<KeySet>> {
        self.set.load_full()
    }

    /// Waits for keys that are being fetched, and has them fetched where that was not done lately; whether there may be others
    /// than before. No longer than is told.
    pub(super) async fn are_new(&self) -> bool {
        let Some(fetching) = &self.fetching else { return false };
        let mut ended = fetching.ended.subscribe();
        ended.mark_unchanged();
        {
            let mut state = fetching.lock();
            // Where there are none, the next attempt is due soon anyway.
            let every = if self.set.load().is_some() { fetching.times.refresh_unknown } else { RETRY_FIRST };
            let is_recent = state.begun.is_some_and(|begun| begun.elapsed() < every);
            if !state.at_work {
                if is_recent {
                    return false;
                }
                // Others who come now wait for the same.
                state.at_work = true;
                fetching.wanted.notify_one();
            }
        }
        timeout(fetching.times.wait, ended.changed()).await.is_ok_and(|changed| changed.is_ok())
    }
}

impl Fetching {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // It is whole at every point.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let accept: &[(&str, &[u8])] = &[("Accept", b"application/jwk-set+json, application/json")];
        let answer = self.server.get(accept, JWKS_BYTES_MAX).await?;
        if answer.head.status != 200 {
            return Err(format!("answered {}", answer.head.status));
        }
        if !answer.is_whole {
            return Err(format!("answered with more than {JWKS_BYTES_MAX} bytes"));
        }
        KeySet::from_jwks(&answer.body).map_err(|error| format!("answered, and {error}"))
    }
}

/// Shows no keys.
impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.fetching.as_ref().map(|fetching| &fetching.url);
        f.debug_struct("KeySource").field("url", &url).finish_non_exhaustive()
    }
}

async fn keep(source: Weak<KeySource>, tell: impl Fn(KeysNews) + Send + Sync) {
    let mut failures = 0;
    let mut told: Option<Result<(usize, Vec<String>), String>> = None;
    loop {
        let Some(held) = source.upgrade() else { return };
        let Some(fetching) = &held.fetching else { return };
        *fetching.lock() = State { at_work: true, begun: Some(Instant::now()) };
        let what = match fetching.fetch().await {
            Ok(set) => {
                let what = (set.len(), set.skipped().to_vec());
                held.set.store(Some(Arc::new(set)));
                Ok(what)
            }
            Err(why) => Err(why),
        };
        failures = if what.is_ok() { 0 } else { failures + 1 };
        fetching.lock().at_work = false;
        fetching.ended.send_modify(|ended| *ended += 1);
        // What goes on as it was is not said again.
        if told.as_ref() != Some(&what) {
            tell(KeysNews { url: fetching.url.clone(), what: what.clone() });
            told = Some(what);
        }
        let pause = match failures {
            0 => fetching.times.refresh,
            failures => {
                (RETRY_FIRST * (1 << (failures - 1).min(10))).min(RETRY_MAX).min(fetching.times.refresh)
            }
        };
        // Not held while it sleeps: who else has it decides how long it lives.
        let (notified, waits) = (Arc::downgrade(&held), Instant::now() + pause);
        drop(held);
        loop {
            let Some(held) = notified.upgrade() else { return };
            let Some(fetching) = &held.fetching else { return };
            let step = waits.min(Instant::now() + LOOK_EVERY);
            let wanted = tokio::time::timeout_at(step, fetching.wanted.notified()).await.is_ok();
            if wanted || Instant::now() >= waits {
                break;
            }
        }
    }
}

/// How often the task looks whether somebody still has the source.
const LOOK_EVERY: Duration = Duration::from_secs(1);
