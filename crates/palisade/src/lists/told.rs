//! Entries of the console's lists, which it tells its data planes: they stand here as they stand there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use palisade_lists::{Change, Entry, EntryId, Lists, Moment, Origin, Record, What};

use super::{ListStore, add, keep, now};

/// The lists of this process, for what the console says of them.
#[derive(Debug)]
pub(crate) struct ToldLists {
    store: Arc<ListStore>,
    /// What was told since all began to be.
    telling: Mutex<Option<HashSet<EntryId>>>,
}

/// Entries that are looked at together.
const BATCH: usize = 1_000;

impl ToldLists {
    /// The lists of a store.
    pub(crate) fn new(store: Arc<ListStore>) -> Self {
        Self { store, telling: Mutex::default() }
    }

    /// Makes entries stand as the console says; `begins` and `ends` are around all that it has.
    pub(crate) fn stand(&self, records: Vec<Record>, begins: bool, ends: bool) {
        let mut telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        if begins {
            *telling = Some(HashSet::new());
        }
        if let Some(told) = telling.as_mut() {
            told.extend(
                records.iter().filter(|record| record.entry.is_some()).map(|record| record.id.clone()),
            );
        }
        let gone = match telling.take_if(|_| ends) {
            Some(told) => self.untold(&told),
            None => Vec::new(),
        };
        drop(telling);
        let now = now();
        let mut journal = self.store.journal();
        let changes: Vec<Change> = self.store.live.change(|lists| {
            let told = records.into_iter().filter_map(|record| stand(lists, record, now));
            let told: Vec<Change> = told.collect();
            let gone = gone.into_iter().filter_map(|id| take_away(lists, &id, now));
            told.into_iter().chain(gone).collect()
        });
        if let Err(error) = keep(&mut journal, &changes, true) {
            say!("palisade: {error:#}");
        }
    }

    /// The console's entries that it did not tell.
    fn untold(&self, told: &HashSet<EntryId>) -> Vec<EntryId> {
        let mut untold = Vec::new();
        let mut from = Some(0);
        while let Some(number) = from {
            let (entries, next) = self.store.live.read().entries_from(number, BATCH);
            let of_console = entries.iter().filter(|entry| entry.origin == Origin::Console);
            untold.extend(of_console.map(Entry::id).filter(|id| !told.contains(id)));
            from = next;
        }
        untold
    }
}

/// Makes one entry stand. Gives what changed.
fn stand(lists: &mut Lists, record: Record, now: Moment) -> Option<Change> {
    let Some(entry) = record.entry else { return take_away(lists, &record.id, now) };
    let entry = Entry { origin: Origin::Console, ..entry };
    let here = lists.record(&record.id).and_then(|here| here.entry);
    if entry.is_over(now) || here.as_ref() == Some(&entry) {
        return None;
    }
    // Where there is no room for it, it stands at the console all the same.
    add(lists, &entry, now, &by(&record.by)).ok()?
}

fn take_away(lists: &mut Lists, id: &EntryId, now: Moment) -> Option<Change> {
    let here = lists.record(id)?.entry?;
    if here.origin != Origin::Console {
        return None;
    }
    let by = by("");
    let entry = lists.remove(id, now, &by)?;
    Some(Change { at: now, what: What::Removed, entry, by })
}

fn by(who: &str) -> Arc<str> {
    if who.is_empty() { "console".into() } else { format!("console: {who}").into() }
}
