//! The lists in use: asked by every request, changed now and then.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use arc_swap::ArcSwapOption;
use palisade_lists::{Application, Hit, Limits, Listing, Lists, Moment, Nowhere, Places, Seed, Source};

use crate::metrics::{Sample, Take, Value};

/// Lists that requests are looked up in while others change them.
pub struct LiveLists {
    lists: RwLock<Lists>,
    /// Nobody is on any list: nothing is looked up.
    is_empty: AtomicBool,
    places: ArcSwapOption<Box<dyn Places + Send + Sync>>,
}

impl Default for LiveLists {
    fn default() -> Self {
        let random = || RandomState::new().hash_one(0);
        Self {
            lists: RwLock::new(Lists::new(Limits::default(), Seed(random(), random()))),
            is_empty: AtomicBool::new(true),
            places: ArcSwapOption::empty(),
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

    pub(crate) fn visit_metrics(&self, take: Take<'_>) {
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
