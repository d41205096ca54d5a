//! The entries about one subject.

use std::sync::Arc;

use palisade_model::{Listing, Moment};

use crate::entry::{Entry, EntryId, Origin, Scope};
use crate::subject::Subject;

/// An entry without what it is about, which its slot says.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Its place in the order of coming.
    pub(crate) number: u64,
    pub(crate) created: Moment,
    /// The end of time: for ever.
    pub(crate) expires: Moment,
    pub(crate) reason: Arc<str>,
    pub(crate) scope: Scope,
    pub(crate) list: Listing,
    pub(crate) origin: Origin,
}

impl Record {
    pub(crate) fn new(number: u64, entry: Entry) -> (Subject, Self) {
        let Entry { list, subject, scope, origin, reason, created, expires } = entry;
        let expires = expires.unwrap_or(Moment(u64::MAX));
        (subject, Self { number, created, expires, reason, scope, list, origin })
    }

    pub(crate) fn is_over(&self, now: Moment) -> bool {
        self.expires <= now
    }

    pub(crate) fn is(&self, id: &EntryId) -> bool {
        self.list == id.list && self.scope == id.scope && (self.origin == Origin::File) == id.in_file
    }

    pub(crate) fn entry(&self, subject: Subject) -> Entry {
        Entry {
            list: self.list,
            subject,
            scope: self.scope.clone(),
            origin: self.origin,
            reason: self.reason.clone(),
            created: self.created,
            expires: Some(self.expires).filter(|end| end.0 < u64::MAX),
        }
    }
}

/// The entries about one subject. One, mostly, which then stands in the place itself: who finds a network has its entry.
#[derive(Debug)]
pub(crate) enum Slot {
    One(Record),
    Some(Vec<Record>),
}

impl Default for Slot {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl Slot {
    pub(crate) fn records(&self) -> &[Record] {
        match self {
            Self::One(record) => std::slice::from_ref(record),
            Self::Some(records) => records,
        }
    }

    pub(crate) fn push(&mut self, record: Record) {
        *self = match std::mem::take(self) {
            Self::One(first) => Self::Some(vec![first, record]),
            Self::Some(records) if records.is_empty() => Self::One(record),
            Self::Some(mut records) => {
                records.push(record);
                Self::Some(records)
            }
        };
    }

    /// Takes the record at a place, where there is one.
    pub(crate) fn take(&mut self, at: usize) -> Option<Record> {
        match std::mem::take(self) {
            Self::One(record) if at == 0 => Some(record),
            Self::Some(mut records) if at < records.len() => {
                let record = records.remove(at);
                *self = Self::Some(records);
                Some(record)
            }
            same => {
                *self = same;
                None
            }
        }
    }
}
