//! The lists of this process: filled from the file and the API, kept in the data folder.
//!
//! A change is made in memory first, where it acts, and is on the disk before anybody is told that it was made. Where other
//! processes have the same lists, what changed is noted for them; they hear of it beside requests.

mod common;
mod journal;
mod places;
mod told;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use palisade_collector::{ListFeed, ListsAtHand};
use palisade_config::{Config, ListEntry, Located};
use palisade_console::{AddedCounts, Author, ControlError};
use palisade_dataplane::LiveLists;
use palisade_events::unix_millis;
use palisade_lists::{
    Added, Change, Entry, EntryId, Full, Listing, Lists, Moment, Origin, Query, Record, Scope, Subject, What,
};
use palisade_shared::Outbox;

pub(crate) use self::common::CommonLists;
use self::journal::Journal;
pub(crate) use self::places::PlaceFiles;
pub(crate) use self::told::ToldLists;

/// Lists, and the file that keeps them.
#[derive(Debug)]
pub(crate) struct ListStore {
    live: Arc<LiveLists>,
    /// Taken by whoever changes the lists: the order in the file is the order of changes.
    journal: Mutex<Journal>,
    /// What other processes are to be told of; `None` where there are none.
    outbox: Option<Arc<Outbox>>,
    /// What data planes are to be told of, at a console.
    feed: OnceLock<ListFeed>,
}

/// Entries that are changed while requests wait: about a millisecond.
const AT_ONCE: usize = 1_000;

impl ListStore {
    /// Fills lists with what a data folder keeps.
    ///
    /// # Errors
    /// When its file cannot be read or written.
    pub(crate) fn open(folder: &Path, live: Arc<LiveLists>, outbox: Option<Arc<Outbox>>) -> Result<Self> {
        let (journal, told) = live.change(|lists| Journal::open(folder, lists, now()))?;
        told.iter().for_each(|told| say!("palisade: {told}"));
        Ok(Self { live, journal: Mutex::new(journal), outbox, feed: OnceLock::new() })
    }

    /// Tells data planes what changes from now on, and how entries stand to those that come.
    pub(crate) fn feed(self: &Arc<Self>) -> ListFeed {
        self.feed.get_or_init(|| ListFeed::new(Arc::new(AtHand(self.live.clone())))).clone()
    }

    /// The lists.
    pub(crate) fn live(&self) -> &Arc<LiveLists> {
        &self.live
    }

    /// Makes the entries of the file what a configuration says.
    pub(crate) fn follow(&self, config: &Config) {
        let now = now();
        let entries = entries_of_file(config, now);
        let mut journal = self.journal();
        match self.live.change(|lists| lists.follow_file(entries, now, &"file".into())) {
            Ok(changes) => {
                if let Err(error) = keep(&mut journal, &changes, true) {
                    say!("palisade: {error:#}; the lists of the file are in force and not kept");
                }
            }
            Err(full) => say!("palisade: lists of the file: {full}; the rest of them is not in force"),
        }
    }

    /// Adds entries.
    pub(crate) fn add(&self, entries: Vec<Entry>, by: &Author) -> Result<AddedCounts, ControlError> {
        let mut counts = AddedCounts::default();
        let mut journal = self.journal();
        let room = self.live.read().room();
        if entries.len() > room {
            let why =
                format!("{} entries are more than the {room} that the lists have room for", entries.len());
            return Err(ControlError::Full(why));
        }
        let by: Arc<str> = by.name.as_str().into();
        let now = now();
        let mut refused = None;
        let mut changes = Vec::new();
        for batch in entries.chunks(AT_ONCE) {
            self.live.change(|lists| {
                for entry in batch {
                    match add(lists, &self.dated(lists, entry), now, &by) {
                        Ok(Some(change)) => {
                            match change.what {
                                What::Replaced => counts.replaced += 1,
                                _ => counts.added += 1,
                            }
                            changes.push(change);
                        }
                        Ok(None) => {}
                        Err(full) => {
                            refused.get_or_insert_with(|| (entry.id(), full));
                        }
                    }
                }
            });
        }
        self.tell(&changes);
        keep(&mut journal, &changes, true).map_err(not_kept)?;
        match refused {
            Some((id, full)) => {
                Err(ControlError::Full(format!("{id}: {full}; others of this request are in force")))
            }
            None => Ok(counts),
        }
    }

    /// Takes entries away.
    pub(crate) fn remove(&self, ids: Vec<EntryId>, by: &Author) -> Result<usize, ControlError> {
        let mut journal = self.journal();
        let by: Arc<str> = by.name.as_str().into();
        let now = now();
        let mut changes = Vec::new();
        for batch in ids.chunks(AT_ONCE) {
            self.live.change(|lists| {
                for id in batch {
                    let at = self.moment(lists, id, now);
                    if let Some(entry) = lists.remove(id, at, &by) {
                        changes.push(Change { at, what: What::Removed, entry, by: by.clone() });
                    }
                }
            });
        }
        self.tell(&changes);
        keep(&mut journal, &changes, true).map_err(not_kept)?;
        Ok(changes.len())
    }

    /// Adds what a source earned. It is on the disk soon; a crash before that forgives it.
    pub(crate) fn earned(&self, entry: Entry, by: &Arc<str>) -> Result<bool, Full> {
        let mut journal = self.journal();
        let change = self.live.change(|lists| add(lists, &self.dated(lists, &entry), now(), by))?;
        let is_new = change.is_some();
        self.tell(change.as_slice());
        if let Err(error) = keep(&mut journal, change.as_slice(), false) {
            say!("palisade: {error:#}");
        }
        Ok(is_new)
    }

    /// Takes away some of what is over, and what an address earned that turned out to be everybody's, and puts the file in
    /// order. Called every second or so, beside requests.
    pub(crate) fn tidy(&self) {
        let mut journal = self.journal();
        for address in self.live.shared() {
            let by: Arc<str> = "all clients have this address".into();
            let changes = self.live.change(|lists| {
                let about = [Listing::Deny, Listing::Gray]
                    .map(|list| Query { address: Some(address), ..Query::of(list) });
                let earned = about.into_iter().flat_map(|query| lists.page(&query, now()).entries);
                let earned: Vec<Entry> = earned.filter(|entry| entry.origin == Origin::Automatic).collect();
                let removed = earned.into_iter().filter_map(|entry| {
                    let at = self.moment(lists, &entry.id(), now());
                    let entry = lists.remove(&entry.id(), at, &by)?;
                    Some(Change { at, what: What::Removed, entry, by: by.clone() })
                });
                removed.collect::<Vec<Change>>()
            });
            self.tell(&changes);
            for change in &changes {
                say!("palisade: lists: {} is taken away: {by}", change.entry.id());
            }
            if let Err(error) = keep(&mut journal, &changes, true) {
                say!("palisade: {error:#}");
            }
        }
        self.live.change(|lists| lists.sweep(now()));
        if let Err(error) = journal.tidy(&self.live) {
            say!("palisade: {error:#}");
        }
    }

    /// Notes changes for other processes.
    fn tell(&self, changes: &[Change]) {
        if let Some(outbox) = &self.outbox {
            changes.iter().for_each(|change| outbox.note(&change.entry.id(), &change.by));
        }
        if let Some(feed) = self.feed.get() {
            feed.note(changes.iter().map(|change| change.entry.id()));
        }
    }

    /// The moment of a change. Of two changes of an entry the later counts, and another process's clock may be ahead of ours:
    /// what is done here follows what is known here.
    fn moment(&self, lists: &Lists, id: &EntryId, now: Moment) -> Moment {
        let known = self.outbox.as_ref().and_then(|_| lists.record(id));
        known.map_or(now, |known| now.max(Moment(known.at.0.saturating_add(1))))
    }

    fn dated(&self, lists: &Lists, entry: &Entry) -> Entry {
        Entry { created: self.moment(lists, &entry.id(), entry.created), ..entry.clone() }
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        // A line that a panic cut is mended when the file is next read.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lists, as they stand when data planes are told.
#[derive(Debug)]
struct AtHand(Arc<LiveLists>);

impl ListsAtHand for AtHand {
    fn entries_from(&self, number: u64, most: usize) -> (Vec<Record>, Option<u64>) {
        let (entries, next) = self.0.read().entries_from(number, most);
        let now = now();
        let standing = entries.into_iter().filter(|entry| !entry.is_over(now));
        (standing.filter_map(|entry| Record::of(entry, "".into())).collect(), next)
    }

    fn record(&self, id: &EntryId) -> Option<Record> {
        self.0.read().record(id)
    }
}

/// Adds an entry. Gives the change; `None` where one of people's stands there.
fn add(lists: &mut Lists, entry: &Entry, now: Moment, by: &Arc<str>) -> Result<Option<Change>, Full> {
    let what = match lists.add(entry.clone(), now, by)? {
        Added::New => What::Added,
        Added::Replaced => What::Replaced,
        Added::Kept => return Ok(None),
    };
    Ok(Some(Change { at: now, what, entry: entry.clone(), by: by.clone() }))
}

fn keep(journal: &mut Journal, changes: &[Change], sync: bool) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    journal.append(changes, sync).context("lists cannot be kept")
}

fn not_kept(error: anyhow::Error) -> ControlError {
    ControlError::NotKept(format!("the change is in force and will be forgotten by a restart: {error:#}"))
}

/// The entries that a configuration says.
pub(crate) fn entries_of_file(config: &Config, now: Moment) -> Vec<Entry> {
    let lists = &config.lists;
    [(Listing::Allow, &lists.allow), (Listing::Deny, &lists.deny), (Listing::Gray, &lists.gray)]
        .into_iter()
        .flat_map(|(list, entries)| entries.iter().filter_map(move |entry| of_file(list, entry, now)))
        .collect()
}

fn of_file(list: Listing, entry: &Located<ListEntry>, now: Moment) -> Option<Entry> {
    let subject = match (entry.address, entry.country, entry.asn) {
        (Some(network), _, _) => Subject::Network(network),
        (_, Some(country), _) => Subject::Country(country),
        (_, _, Some(asn)) => Subject::Asn(asn),
        // A checked configuration has none such.
        (None, None, None) => return None,
    };
    Some(Entry {
        list,
        subject,
        scope: Scope::of(entry.applications.clone()).ok()?,
        origin: Origin::File,
        reason: entry.reason.as_deref().unwrap_or_default().into(),
        created: now,
        expires: entry.expires.map(|time| now.after(time.duration())),
    })
}

pub(crate) fn now() -> Moment {
    Moment(unix_millis())
}

/// How often lists are tidied.
pub(crate) const TIDY_EVERY: Duration = Duration::from_secs(1);
