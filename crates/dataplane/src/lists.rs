//! The lists in use: asked by every request, changed now and then.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use arc_swap::ArcSwapOption;
use palisade_lists::{Application, Behaviour, Hit, Limits, Listing, Lists, Moment, Nowhere, Places, Source};

use crate::metrics::{Count, Sample, Take, Value};

/// Lists that requests are looked up in while others change them.
pub struct LiveLists {
    lists: RwLock<Lists>,
    /// Nobody is on any list: nothing is looked up.
    is_empty: AtomicBool,
    places: ArcSwapOption<Box<dyn Places + Send + Sync>>,
    /// Addresses that all clients of a listener seem to have.
    shared: RwLock<HashSet<IpAddr>>,
    earned: [Count; 3],
    dropped: Count,
}

impl Default for LiveLists {
    fn default() -> Self {
        Self {
            lists: RwLock::new(Lists::new(Limits::default())),
            is_empty: AtomicBool::new(true),
            places: ArcSwapOption::empty(),
            shared: RwLock::default(),
            earned: Default::default(),
            dropped: Count::default(),
        }
    }
}

impl fmt::Debug for LiveLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveLists").field("is_empty", &self.is_empty).finish_non_exhaustive()
    }
}

impl LiveLists {
    /// The entry that counts for a source.
    pub fn find(&self, address: IpAddr, application: Option<Application>, now: Moment) -> Option<Hit> {
        if self.is_empty.load(Ordering::Relaxed) {
            return None;
        }
        let places = self.places.load();
        let places: &dyn Places = match places.as_deref() {
            Some(places) => places.as_ref(),
            None => &Nowhere,
        };
        self.read().find(&Source { address, application, places }, now)
    }

    /// The lists as they are. Requests go on; changes wait.
    pub fn read(&self) -> RwLockReadGuard<'_, Lists> {
        // What stands there is whole after every change but a panic's own.
        self.lists.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the lists. Requests wait meanwhile: a thousand entries at a time are a millisecond.
    pub fn change<T>(&self, change: impl FnOnce(&mut Lists) -> T) -> T {
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut lists);
        self.is_empty.store(lists.is_empty(), Ordering::Relaxed);
        result
    }

    /// Looks addresses up in these places from now on.
    pub fn look_places_up_in(&self, places: Option<Box<dyn Places + Send + Sync>>) {
        self.places.store(places.map(std::sync::Arc::new));
    }

    /// Notes an address that all clients of a listener seem to have: what is done from there is nobody's in particular.
    pub(crate) fn note_shared(&self, address: IpAddr) {
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        // One a listener, so this grows no further than the configuration.
        shared.insert(address.to_canonical());
    }

    /// Addresses that all clients of a listener seem to have.
    pub fn shared(&self) -> Vec<IpAddr> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Whether all clients of a listener seem to have this address.
    pub fn is_shared(&self, address: IpAddr) -> bool {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).contains(&address)
    }

    /// Counts an entry that a source earned.
    pub fn note_earned(&self, by: Behaviour) {
        self.earned[by as usize].one();
    }

    /// Counts what sources did and nobody counted, for want of room.
    pub fn note_dropped(&self) {
        self.dropped.one();
    }

    pub(crate) fn visit_metrics(&self, take: Take<'_>) {
        for behaviour in [Behaviour::Payloads, Behaviour::BruteForce, Behaviour::ForcedBrowsing] {
            take(Sample {
                name: "palisade_automatic_entries_total",
                help: "Entries of lists that sources earned, by what they did.",
                labels: &[("behaviour", behaviour.as_str())],
                value: Value::Counter(self.earned[behaviour as usize].value()),
            });
        }
        take(Sample {
            name: "palisade_automatic_dropped_total",
            help: "What sources did and did not count towards automatic lists, for want of room.",
            labels: &[],
            value: Value::Counter(self.dropped.value()),
        });
        let lists = self.read();
        for list in Listing::ALL {
            take(Sample {
                name: "palisade_list_entries",
                help: "Entries of a list, those included whose time is over and that are not swept yet.",
                labels: &[("list", list.as_str())],
                value: Value::Gauge(lists.len(list) as u64),
            });
        }
    }
}
