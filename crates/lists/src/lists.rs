//! The lists.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::{Country, Listing, Moment, Network};

use crate::entry::{Application, Entry, EntryId, Origin};
use crate::history::{Change, History, TOMBSTONE_TIME, Tombstone, What};
use crate::page::{Page, Query};
use crate::record::Record as SharedRecord;
use crate::slot::{Record, Slot};
use crate::subject::{Places, Subject};
use crate::trie::{Prefix, Trie};

/// Bounds of the lists.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries of all lists, fewer than 2³¹. One more is refused. Default 4,000,000, some 1.1 GB.
    pub entries_max: usize,
    /// Entries that sources earned by what they did, which is for strangers to decide. One more is not made. Default
    /// 200,000.
    pub automatic_max: usize,
    /// Entries about one subject, of different lists and applications. One more is refused. Default 64.
    pub entries_of_subject_max: usize,
    /// Changes that are remembered. Default 10,000.
    pub changes_max: usize,
    /// Entries taken away whose ids are remembered. Default 100,000.
    pub tombstones_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries_max: 4_000_000,
            automatic_max: 200_000,
            entries_of_subject_max: 64,
            changes_max: 10_000,
            tombstones_max: 100_000,
        }
    }
}

/// Lists of sources.
#[derive(Debug)]
pub struct Lists {
    limits: Limits,
    v4: Trie<u32, Slot>,
    v6: Trie<u128, Slot>,
    countries: HashMap<Country, Slot>,
    asns: HashMap<u32, Slot>,
    /// Who came when.
    order: BTreeMap<u64, Subject>,
    next_number: u64,
    /// Entries by list, those included that are over and not swept yet.
    counts: [usize; 3],
    automatic: usize,
    of_file: HashSet<EntryId>,
    history: History,
    /// The part that is swept next.
    sweeps: usize,
}

/// Who asks.
#[derive(Clone, Copy)]
pub struct Source<'s> {
    /// The client's address.
    pub address: IpAddr,
    /// The application that it asks; none where its service has no number.
    pub application: Option<Application>,
    /// Where addresses are.
    pub places: &'s dyn Places,
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}", self.address, self.application)
    }
}

/// The entry that a source is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The list.
    pub list: Listing,
    /// Whom the entry is about.
    pub subject: Subject,
    /// Who put it there.
    pub origin: Origin,
    /// Why.
    pub reason: Arc<str>,
}

/// What became of an entry that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    New,
    /// It is there, in the place of an earlier one.
    Replaced,
    /// One of people's stands there: what a source did does not change that.
    Kept,
}

/// There is no room for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// In the lists.
    Entries,
    /// For entries that sources earned.
    Automatic,
    /// For one subject.
    Subject,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entries => "the lists are full",
            Self::Automatic => "the lists hold as many automatic entries as they may",
            Self::Subject => "there are too many entries about this source already",
        })
    }
}

impl std::error::Error for Full {}

/// Entries that one page looks at.
const LOOKED_AT_MAX: usize = 50_000;
/// Sweeps that look at everything once.
const SWEEPS_OF_A_ROUND: usize = 64;

impl Lists {
    /// Empty lists.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            v4: Trie::new(0),
            v6: Trie::new(0),
            countries: HashMap::new(),
            asns: HashMap::new(),
            order: BTreeMap::new(),
            next_number: 1,
            counts: [0; 3],
            automatic: 0,
            of_file: HashSet::new(),
            history: History::new(limits.changes_max, limits.tombstones_max),
            sweeps: 0,
        }
    }

    /// Whether nobody is on any list.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many entries more there is room for.
    pub fn room(&self) -> usize {
        self.limits.entries_max.saturating_sub(self.order.len())
    }

    /// Entries of a list, those included that are over and not swept yet.
    pub fn len(&self, list: Listing) -> usize {
        self.counts[list as usize]
    }

    /// The entry that counts for a source: of those that hold, one of the first list in order, and of these the one of the
    /// smallest network. An IPv4 address inside IPv6 counts as such.
    pub fn find(&self, source: &Source<'_>, now: Moment) -> Option<Hit> {
        let first = Listing::ALL.into_iter().find(|list| self.len(*list) > 0);
        let mut best = Best { found: None, first, application: source.application, now };
        let done = match source.address.to_canonical() {
            IpAddr::V4(address) => self
                .v4
                .visit(address.to_bits(), |slot, bits| best.of(slot, || subject(IpAddr::V4(address), bits))),
            IpAddr::V6(address) => self
                .v6
                .visit(address.to_bits(), |slot, bits| best.of(slot, || subject(IpAddr::V6(address), bits))),
        };
        if !done
            && !self.countries.is_empty()
            && let Some(country) = source.places.country(source.address)
            && let Some(slot) = self.countries.get(&country)
        {
            best.of(slot, || Subject::Country(country));
        }
        if !done
            && !self.asns.is_empty()
            && let Some(asn) = source.places.asn(source.address)
            && let Some(slot) = self.asns.get(&asn)
        {
            best.of(slot, || Subject::Asn(asn));
        }
        best.found.map(|(record, subject)| Hit {
            list: record.list,
            subject,
            origin: record.origin,
            reason: record.reason.clone(),
        })
    }

    /// Adds an entry, or puts it in the place of the one with its id. `by` says who, for the history.
    ///
    /// # Errors
    /// When there is no room.
    pub fn add(&mut self, entry: Entry, now: Moment, by: &Arc<str>) -> Result<Added, Full> {
        let id = entry.id();
        let is_automatic = entry.origin == Origin::Automatic;
        let standing = self.records(entry.subject).iter().find(|record| record.is(&id));
        match standing {
            Some(standing)
                if is_automatic && standing.origin != Origin::Automatic && !standing.is_over(now) =>
            {
                return Ok(Added::Kept);
            }
            Some(_) => {}
            None if self.order.len() >= self.limits.entries_max => return Err(Full::Entries),
            None if self.records(entry.subject).len() >= self.limits.entries_of_subject_max => {
                return Err(Full::Subject);
            }
            None => {}
        }
        let was_automatic = standing.is_some_and(|standing| standing.origin == Origin::Automatic);
        if is_automatic && !was_automatic && self.automatic >= self.limits.automatic_max {
            return Err(Full::Automatic);
        }
        let replaced = self.take(&id).is_some();
        let change = Change {
            at: now,
            what: if replaced { What::Replaced } else { What::Added },
            entry: entry.clone(),
            by: by.clone(),
        };
        self.put(id, entry);
        self.history.note(change);
        Ok(if replaced { Added::Replaced } else { Added::New })
    }

    /// Takes an entry away. Gives it, if it was there.
    pub fn remove(&mut self, id: &EntryId, now: Moment, by: &Arc<str>) -> Option<Entry> {
        let entry = self.take(id)?;
        self.history.note(Change { at: now, what: What::Removed, entry: entry.clone(), by: by.clone() });
        Some(entry)
    }

    /// The entry with an id, over or not.
    pub fn get(&self, id: &EntryId) -> Option<Entry> {
        let record = self.records(id.subject).iter().find(|record| record.is(id))?;
        Some(record.entry(id.subject))
    }

    /// Makes the entries of the file what a file says. Those that stood there before, with the same time to live, keep the
    /// moment from which that counts: one that is over does not come back by a reload. Gives what changed.
    ///
    /// # Errors
    /// When there is no room; what fits is there then.
    pub fn follow_file(
        &mut self,
        entries: Vec<Entry>,
        now: Moment,
        by: &Arc<str>,
    ) -> Result<Vec<Change>, Full> {
        let mut left = self.of_file.clone();
        let mut changes = Vec::new();
        for entry in entries {
            let entry = Entry { origin: Origin::File, ..entry };
            let id = entry.id();
            left.remove(&id);
            let lives = |entry: &Entry| entry.expires.map(|end| end.since(entry.created));
            if self.get(&id).is_some_and(|was| lives(&was) == lives(&entry) && was.reason == entry.reason) {
                continue;
            }
            let added = self.add(entry.clone(), now, by)?;
            let what = if added == Added::Replaced { What::Replaced } else { What::Added };
            changes.push(Change { at: now, what, entry, by: by.clone() });
        }
        for id in left {
            if let Some(entry) = self.remove(&id, now, by) {
                changes.push(Change { at: now, what: What::Removed, entry, by: by.clone() });
            }
        }
        Ok(changes)
    }

    /// Takes away some of what is over; sixty-four calls look at everything. What stands in the file stays, so that it does
    /// not come back. Gives what went.
    pub fn sweep(&mut self, now: Moment) -> Vec<Entry> {
        let mut over: Vec<Subject> = Vec::new();
        let is_over = |record: &Record| record.is_over(now) && record.origin != Origin::File;
        let has_over = |slot: &Slot| slot.records().iter().any(is_over);
        let part = self.sweeps;
        self.sweeps = (part + 1) % SWEEPS_OF_A_ROUND;
        let v4 = self.v4.part(part, SWEEPS_OF_A_ROUND).filter(|(_, slot)| has_over(slot));
        over.extend(v4.map(|(network, _)| subject(IpAddr::V4(network.first.into()), network.bits)));
        let v6 = self.v6.part(part, SWEEPS_OF_A_ROUND).filter(|(_, slot)| has_over(slot));
        over.extend(v6.map(|(network, _)| subject(IpAddr::V6(network.first.into()), network.bits)));
        let countries = self.countries.iter().filter(|(_, slot)| has_over(slot));
        over.extend(countries.map(|(country, _)| Subject::Country(*country)));
        let asns = self.asns.iter().filter(|(_, slot)| has_over(slot));
        over.extend(asns.map(|(asn, _)| Subject::Asn(*asn)));
        let mut gone = Vec::new();
        let by: Arc<str> = "time".into();
        for subject in over {
            let ids: Vec<EntryId> =
                self.records(subject).iter().filter(|r| is_over(r)).map(|r| r.entry(subject).id()).collect();
            for id in ids {
                if let Some(entry) = self.take(&id) {
                    let change =
                        Change { at: now, what: What::Expired, entry: entry.clone(), by: by.clone() };
                    self.history.note(change);
                    gone.push(entry);
                }
            }
        }
        self.history.forget_gone_before(Moment(now.0.saturating_sub(TOMBSTONE_TIME.as_millis() as u64)));
        gone
    }

    /// Entries a page at a time, the latest first.
    pub fn page(&self, query: &Query<'_>, now: Moment) -> Page {
        if let Some(address) = query.address {
            return self.page_about(address, query, now);
        }
        let mut page = Page { entries: Vec::new(), next: None };
        let numbers = self.order.range(..query.before.unwrap_or(u64::MAX)).rev();
        for (looked_at, (number, subject)) in numbers.enumerate() {
            if page.entries.len() >= query.limit || looked_at >= LOOKED_AT_MAX {
                page.next = Some(number + 1);
                break;
            }
            let record = self.records(*subject).iter().find(|record| record.number == *number);
            page.entries.extend(record.map(|r| r.entry(*subject)).filter(|entry| query.wants(entry, now)));
        }
        page
    }

    /// Those that an address is in; few enough for one page.
    fn page_about(&self, address: IpAddr, query: &Query<'_>, now: Moment) -> Page {
        let mut found: Vec<(u64, Entry)> = Vec::new();
        let mut take = |slot: &Slot, bits: u8| {
            let subject = subject(address, bits);
            found.extend(slot.records().iter().map(|record| (record.number, record.entry(subject))));
            false
        };
        match address.to_canonical() {
            IpAddr::V4(v4) => self.v4.visit(v4.to_bits(), &mut take),
            IpAddr::V6(v6) => self.v6.visit(v6.to_bits(), &mut take),
        };
        found.retain(|(number, entry)| {
            query.before.is_none_or(|before| *number < before) && query.wants(entry, now)
        });
        found.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        let next = found.get(query.limit).map(|(number, _)| number + 1);
        Page { entries: found.into_iter().take(query.limit).map(|(_, entry)| entry).collect(), next }
    }

    /// Every entry, over or not, in the order of coming.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.order.iter().filter_map(|(number, subject)| {
            let record = self.records(*subject).iter().find(|record| record.number == *number)?;
            Some(record.entry(*subject))
        })
    }

    /// Entries from a number on, so many at most, in the order of coming, and the number from which there are more. For who
    /// reads all of them without holding up others.
    pub fn entries_from(&self, number: u64, most: usize) -> (Vec<Entry>, Option<u64>) {
        let mut from = self.order.range(number..);
        let entries = from.by_ref().take(most).filter_map(|(number, subject)| {
            let record = self.records(*subject).iter().find(|record| record.number == *number)?;
            Some(record.entry(*subject))
        });
        let entries = entries.collect();
        (entries, from.next().map(|(number, _)| *number))
    }

    /// What is known of an entry that is shared: how it stands here, or that it was taken away.
    pub fn record(&self, id: &EntryId) -> Option<SharedRecord> {
        match self.get(id) {
            _ if id.in_file => None,
            Some(entry) => SharedRecord::of(entry, "".into()),
            None => {
                self.gone_at(id).map(|at| SharedRecord { id: id.clone(), at, entry: None, by: "".into() })
            }
        }
    }

    /// The latest changes, the latest first.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.history.changes()
    }

    /// Ids of what was taken away lately.
    pub fn tombstones(&self) -> impl Iterator<Item = Tombstone> {
        self.history.gone()
    }

    /// When an entry was taken away, where that is remembered.
    pub fn gone_at(&self, id: &EntryId) -> Option<Moment> {
        self.history.gone_at(id)
    }

    /// Puts back what was kept elsewhere: an entry as it was, without a change.
    ///
    /// # Errors
    /// When there is no room.
    pub fn restore(&mut self, entry: Entry) -> Result<(), Full> {
        let id = entry.id();
        self.take(&id);
        if self.order.len() >= self.limits.entries_max {
            return Err(Full::Entries);
        }
        if self.records(id.subject).len() >= self.limits.entries_of_subject_max {
            return Err(Full::Subject);
        }
        self.put(id, entry);
        Ok(())
    }

    /// Puts back a change, which only is remembered.
    pub fn remember(&mut self, change: Change) {
        self.history.note(change);
    }

    fn records(&self, subject: Subject) -> &[Record] {
        let slot = match subject {
            Subject::Network(network) => match network.address() {
                IpAddr::V4(address) => self.v4.get(Prefix { first: address.to_bits(), bits: network.bits() }),
                IpAddr::V6(address) => self.v6.get(Prefix { first: address.to_bits(), bits: network.bits() }),
            },
            Subject::Country(country) => self.countries.get(&country),
            Subject::Asn(asn) => self.asns.get(&asn),
        };
        slot.map_or(&[], Slot::records)
    }

    /// The slot of a subject, empty where nothing is known of it.
    fn slot(&mut self, subject: Subject) -> &mut Slot {
        match subject {
            Subject::Network(network) => match network.address() {
                IpAddr::V4(address) => {
                    self.v4.entry(Prefix { first: address.to_bits(), bits: network.bits() })
                }
                IpAddr::V6(address) => {
                    self.v6.entry(Prefix { first: address.to_bits(), bits: network.bits() })
                }
            },
            Subject::Country(country) => self.countries.entry(country).or_default(),
            Subject::Asn(asn) => self.asns.entry(asn).or_default(),
        }
    }

    /// Forgets a subject.
    fn forget(&mut self, subject: Subject) -> Option<Slot> {
        match subject {
            Subject::Network(network) => match network.address() {
                IpAddr::V4(address) => {
                    self.v4.remove(Prefix { first: address.to_bits(), bits: network.bits() })
                }
                IpAddr::V6(address) => {
                    self.v6.remove(Prefix { first: address.to_bits(), bits: network.bits() })
                }
            },
            Subject::Country(country) => self.countries.remove(&country),
            Subject::Asn(asn) => self.asns.remove(&asn),
        }
    }

    fn put(&mut self, id: EntryId, entry: Entry) {
        self.counts[entry.list as usize] += 1;
        self.automatic += usize::from(entry.origin == Origin::Automatic);
        let number = self.next_number;
        self.next_number += 1;
        self.order.insert(number, entry.subject);
        if id.in_file {
            self.of_file.insert(id);
        }
        let (subject, record) = Record::new(number, entry);
        self.slot(subject).push(record);
    }

    fn take(&mut self, id: &EntryId) -> Option<Entry> {
        // A slot that does not hold it is left alone: most of what is added is new.
        let at = self.records(id.subject).iter().position(|record| record.is(id))?;
        let slot = self.slot(id.subject);
        let record = slot.take(at)?;
        if slot.records().is_empty() {
            self.forget(id.subject);
        }
        self.order.remove(&record.number);
        self.counts[record.list as usize] -= 1;
        self.automatic -= usize::from(record.origin == Origin::Automatic);
        if id.in_file {
            self.of_file.remove(id);
        }
        Some(record.entry(id.subject))
    }
}

/// The best of what was seen.
struct Best<'l> {
    found: Option<(&'l Record, Subject)>,
    /// The first list on which there is anybody.
    first: Option<Listing>,
    application: Option<Application>,
    now: Moment,
}

impl<'l> Best<'l> {
    /// Sees the entries about one subject. Whether nothing better can come.
    fn of(&mut self, slot: &'l Slot, subject: impl Fn() -> Subject) -> bool {
        for record in slot.records() {
            let better = self.found.as_ref().is_none_or(|(best, _)| record.list < best.list);
            if better && !record.is_over(self.now) && record.scope.holds(self.application) {
                self.found = Some((record, subject()));
            }
        }
        // Smaller networks came before, so only an entry of an earlier list would be better.
        self.found.as_ref().is_some_and(|(best, _)| Some(best.list) <= self.first)
    }
}

/// The network of so many bits that an address is in.
fn subject(address: IpAddr, bits: u8) -> Subject {
    Subject::Network(Network::around(address, bits))
}
