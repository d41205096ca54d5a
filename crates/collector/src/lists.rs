//! Entries of lists on their way to data planes: all of them to who comes, then what changes.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use palisade_lists::{EntryId, Record};
use tokio::sync::watch;

use crate::messages::{ListSaid, Lists};

/// Lists, as they stand at the console.
pub trait ListsAtHand: Debug + Send + Sync {
    /// How entries stand from a number on, so many at most, and the number from which there are more.
    fn entries_from(&self, number: u64, most: usize) -> (Vec<Record>, Option<u64>);

    /// How an entry stands; that it was taken away as well.
    fn record(&self, id: &EntryId) -> Option<Record>;
}

/// What changes at the console, for every data plane that listens. A clone is the same.
#[derive(Clone, Debug)]
pub struct ListFeed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lists: Arc<dyn ListsAtHand>,
    changed: Mutex<Changed>,
    serial: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Changed {
    /// The serial number of the last change.
    serial: u64,
    /// What changed, the last at the end.
    ids: VecDeque<EntryId>,
}

/// Changes that are remembered; who is further behind is told everything.
const REMEMBERED_MAX: usize = 20_000;
/// Entries of one message.
const TOGETHER_MAX: usize = 500;

/// How far a data plane has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing yet.
    Nothing,
    /// All entries before a number, as they stood after a change or later.
    Until(u64, u64),
    /// All entries, as they stood after a change.
    All(u64),
}

impl ListFeed {
    /// What lists have.
    pub fn new(lists: Arc<dyn ListsAtHand>) -> Self {
        let (serial, _) = watch::channel(0);
        Self(Arc::new(Shared { lists, changed: Mutex::default(), serial }))
    }

    /// Entries have changed.
    pub fn note(&self, ids: impl IntoIterator<Item = EntryId>) {
        let mut changed = self.changed();
        for id in ids.into_iter().filter(|id| !id.in_file) {
            changed.serial += 1;
            changed.ids.push_back(id);
            if changed.ids.len() > REMEMBERED_MAX {
                changed.ids.pop_front();
            }
        }
        let serial = changed.serial;
        drop(changed);
        self.0.serial.send_if_modified(|last| std::mem::replace(last, serial) != serial);
    }

    /// Changes when entries do.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.serial.subscribe()
    }

    /// What somebody is to be told next; `None` where that is nothing.
    pub(crate) fn next(&self, told: &mut Told) -> Option<Lists> {
        let (ids, serial) = {
            let changed = self.changed();
            let first = changed.serial - changed.ids.len() as u64;
            match *told {
                Told::All(until) if until == changed.serial => return None,
                Told::All(until) if until >= first => {
                    let from = (until - first) as usize;
                    let ids: Vec<EntryId> =
                        changed.ids.iter().skip(from).take(TOGETHER_MAX).cloned().collect();
                    let serial = until + ids.len() as u64;
                    (Some(ids), serial)
                }
                Told::Until(_, serial) => (None, serial),
                Told::Nothing | Told::All(_) => {
                    *told = Told::Nothing;
                    (None, changed.serial)
                }
            }
        };
        if let Some(ids) = ids {
            let records = ids.iter().filter_map(|id| self.0.lists.record(id));
            let records = records.map(|record| said(&record)).collect();
            *told = Told::All(serial);
            return Some(Lists { begins: false, records, ends: false });
        }
        let (begins, number) = match *told {
            Told::Until(number, _) => (false, number),
            _ => (true, 0),
        };
        let (records, next) = self.0.lists.entries_from(number, TOGETHER_MAX);
        *told = next.map_or(Told::All(serial), |next| Told::Until(next, serial));
        Some(Lists { begins, records: records.iter().map(said).collect(), ends: next.is_none() })
    }

    fn changed(&self) -> MutexGuard<'_, Changed> {
        // What stands there is whole after every statement.
        self.0.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn said(record: &Record) -> ListSaid {
    ListSaid { id: record.id.to_string().into_bytes().into(), record: record.encode().into() }
}

#[cfg(test)]
mod tests {
    use palisade_lists::{Entry, Listing, Moment, Origin, Scope};

    use super::*;

    #[derive(Debug, Default)]
    struct Some(Mutex<Vec<Entry>>);

    impl ListsAtHand for Some {
        fn entries_from(&self, number: u64, most: usize) -> (Vec<Record>, Option<u64>) {
            let all = self.0.lock().unwrap();
            let from = number as usize;
            let records = all.iter().skip(from).take(most);
            let records = records.filter_map(|entry| Record::of(entry.clone(), "x".into())).collect();
            (records, (from + most < all.len()).then_some((from + most) as u64))
        }

        fn record(&self, id: &EntryId) -> Option<Record> {
            let all = self.0.lock().unwrap();
            all.iter().find(|entry| entry.id() == *id).and_then(|entry| Record::of(entry.clone(), "x".into()))
        }
    }

    fn entry(number: usize) -> Entry {
        let subject = format!("10.0.{}.{}", number / 256, number % 256);
        Entry {
            list: Listing::Deny,
            subject: subject.parse().unwrap(),
            scope: Scope::ALL,
            origin: Origin::Api,
            reason: "".into(),
            created: Moment(1),
            expires: None,
        }
    }

    #[test]
    fn who_comes_is_told_all_and_then_what_changes() {
        let lists = Arc::<Some>::default();
        *lists.0.lock().unwrap() = (0..1200).map(entry).collect();
        let feed = ListFeed::new(lists.clone());
        let mut told = Told::Nothing;
        let mut parts = Vec::new();
        while let Option::Some(part) = feed.next(&mut told) {
            parts.push((part.begins, part.records.len(), part.ends));
        }
        assert_eq!(parts, [(true, 500, false), (false, 500, false), (false, 200, true)]);
        lists.0.lock().unwrap().push(entry(1200));
        feed.note([entry(1200).id(), entry(3).id()]);
        let part = feed.next(&mut told).unwrap();
        assert_eq!((part.begins, part.records.len(), part.ends), (false, 2, false));
        assert_eq!(feed.next(&mut told), None);
    }

    #[test]
    fn who_is_too_far_behind_is_told_all() {
        let feed = ListFeed::new(Arc::<Some>::default());
        let mut told = Told::Nothing;
        assert!(feed.next(&mut told).is_some_and(|part| part.begins && part.ends));
        feed.note((0..=REMEMBERED_MAX).map(|_| entry(1).id()));
        assert!(feed.next(&mut told).is_some_and(|part| part.begins && part.ends));
        assert_eq!(feed.next(&mut told), None);
    }
}
