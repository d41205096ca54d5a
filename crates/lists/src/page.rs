//! Entries a page at a time, the latest first.

use std::net::IpAddr;

use palisade_model::{Listing, Moment};

use crate::entry::{Application, Entry, Origin};

/// Which entries are asked for.
#[derive(Clone, Debug)]
pub struct Query<'q> {
    /// Of which list.
    pub list: Listing,
    /// Those that an address is in, by network alone.
    pub address: Option<IpAddr>,
    /// Those that somebody put there.
    pub origin: Option<Origin>,
    /// Those that hold for an application.
    pub application: Option<Application>,
    /// Those whose reason holds a text.
    pub reason: Option<&'q str>,
    /// Those that came before the one of this number, which is a page's `next`.
    pub before: Option<u64>,
    /// As many at most.
    pub limit: usize,
}

impl Query<'_> {
    /// The latest entries of a list.
    pub fn of(list: Listing) -> Self {
        Self { list, address: None, origin: None, application: None, reason: None, before: None, limit: 100 }
    }

    /// Whether an entry is asked for, its address and number aside.
    pub(crate) fn wants(&self, entry: &Entry, now: Moment) -> bool {
        entry.list == self.list
            && !entry.is_over(now)
            && self.origin.is_none_or(|origin| entry.origin == origin)
            && self.application.is_none_or(|number| entry.scope.holds(Some(number)))
            && self.reason.is_none_or(|text| entry.reason.contains(text))
    }
}

/// Some entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries, the latest first. May be none although there is a next page: a page looks at so many entries.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<u64>,
}
