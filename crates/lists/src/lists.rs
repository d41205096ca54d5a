//! The lists.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::{Country, Listing, Moment, Network};

use crate::entry::{Application, Entry, EntryId, Origin};
use crate::history::{Change, History, TOMBSTONE_TIME, Tombstone, What};
use crate::page::{Page, Query};
use crate::record::Record as SharedRecord;
use crate::sieve::{Line, Sieve};
use crate::slots::{Record, Seed, Slots};
use crate::subject::{Places, Subject};

/// Bounds of the lists.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries of all lists. One more is refused. Default 4,000,000, some 800 MB.
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
    v4: Networks<u32>,
    v6: Networks<u128>,
    countries: HashMap<Country, Vec<Record>>,
    asns: HashMap<u32, Vec<Record>>,
    /// Who came when.
    order: BTreeMap<u64, Subject>,
    next_number: u64,
    /// Entries by list, those included that are over and not swept yet.
    counts: [usize; 3],
    automatic: usize,
    of_file: HashSet<EntryId>,
    history: History,
    /// The piece that is swept next.
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
/// Pieces that one sweep looks at; a round takes 64 of them.
const SWEPT_AT_ONCE: usize = 4;

impl Lists {
    /// Empty lists.
    pub fn new(limits: Limits, seed: Seed) -> Self {
        Self {
            limits,
            v4: Networks::new(seed),
            v6: Networks::new(seed),
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
            IpAddr::V4(address) => self.v4.visit(address.to_bits(), |records, bits| {
                best.of(records, || Subject::Network(Network::around(IpAddr::V4(address), bits)))
            }),
            IpAddr::V6(address) => self.v6.visit(address.to_bits(), |records, bits| {
                best.of(records, || Subject::Network(Network::around(IpAddr::V6(address), bits)))
            }),
        };
        if !done
            && !self.countries.is_empty()
            && let Some(country) = source.places.country(source.address)
            && let Some(records) = self.countries.get(&country)
        {
            best.of(records, || Subject::Country(country));
        }
        if !done
            && !self.asns.is_empty()
            && let Some(asn) = source.places.asn(source.address)
            && let Some(records) = self.asns.get(&asn)
        {
            best.of(records, || Subject::Asn(asn));
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
        let pieces = self.v4.pieces();
        let mut over: Vec<Subject> = Vec::new();
        let is_over = |record: &Record| record.is_over(now) && record.origin != Origin::File;
        for _ in 0..SWEPT_AT_ONCE {
            let piece = self.sweeps % pieces;
            self.sweeps = self.sweeps.wrapping_add(1);
            self.v4.subjects_with(piece, is_over, |bits, length| {
                over.push(Subject::Network(Network::around(IpAddr::V4(bits.into()), length)));
            });
            self.v6.subjects_with(piece, is_over, |bits, length| {
                over.push(Subject::Network(Network::around(IpAddr::V6(bits.into()), length)));
            });
        }
        let countries = self.countries.iter().filter(|(_, slot)| slot.iter().any(is_over));
        over.extend(countries.map(|(country, _)| Subject::Country(*country)));
        let asns = self.asns.iter().filter(|(_, slot)| slot.iter().any(is_over));
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
        let mut take = |records: &[Record], network: Network| {
            let subject = Subject::Network(network);
            found.extend(records.iter().map(|record| (record.number, record.entry(subject))));
            false
        };
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                self.v4.visit(v4.to_bits(), |records, bits| take(records, Network::around(address, bits)))
            }
            IpAddr::V6(v6) => {
                self.v6.visit(v6.to_bits(), |records, bits| take(records, Network::around(address, bits)))
            }
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
        match subject {
            Subject::Network(network) => match network.address() {
                IpAddr::V4(address) => self.v4.get(address.to_bits(), network.bits()),
                IpAddr::V6(address) => self.v6.get(address.to_bits(), network.bits()),
            },
            Subject::Country(country) => self.countries.get(&country).map_or(&[], Vec::as_slice),
            Subject::Asn(asn) => self.asns.get(&asn).map_or(&[], Vec::as_slice),
        }
    }

    fn change<T>(&mut self, subject: Subject, change: impl FnOnce(&mut Vec<Record>) -> T) -> T {
        match subject {
            Subject::Network(network) => match network.address() {
                IpAddr::V4(address) => self.v4.change(address.to_bits(), network.bits(), change),
                IpAddr::V6(address) => self.v6.change(address.to_bits(), network.bits(), change),
            },
            Subject::Country(country) => change_in(&mut self.countries, country, change),
            Subject::Asn(asn) => change_in(&mut self.asns, asn, change),
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
        self.change(subject, |slot| slot.push(record));
    }

    fn take(&mut self, id: &EntryId) -> Option<Entry> {
        // A slot that does not hold it is left alone: most of what is added is new.
        let at = self.records(id.subject).iter().position(|record| record.is(id))?;
        let record = self.change(id.subject, |slot| slot.remove(at));
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
    fn of(&mut self, records: &'l [Record], subject: impl Fn() -> Subject) -> bool {
        for record in records {
            let better = self.found.as_ref().is_none_or(|(best, _)| record.list < best.list);
            if better && !record.is_over(self.now) && record.scope.holds(self.application) {
                self.found = Some((record, subject()));
            }
        }
        // Smaller networks came before, so only an entry of an earlier list would be better.
        self.found.as_ref().is_some_and(|(best, _)| Some(best.list) <= self.first)
    }
}

fn change_in<K: Eq + Hash, T>(
    map: &mut HashMap<K, Vec<Record>>,
    key: K,
    change: impl FnOnce(&mut Vec<Record>) -> T,
) -> T {
    let mut slot = map.remove(&key).unwrap_or_default();
    let result = change(&mut slot);
    if !slot.is_empty() {
        map.insert(key, slot);
    }
    result
}

/// Networks of one family: a table by address and length, which lengths are in use, and where they may be.
#[derive(Debug)]
struct Networks<A> {
    slots: Slots<(A, u8)>,
    /// Subjects of each length.
    lengths: [u32; 129],
    /// The lengths of which there are some, the longest first: what a lookup goes through.
    in_use: Vec<u8>,
    sieve: Sieve,
    seed: Seed,
}

/// A stride as a network of its own: a length that no network has.
fn stride_mark(before: u8) -> u8 {
    129 + before / 8
}

/// The bits of an address.
trait Bits: Copy + Eq + Hash + Into<u128> {
    /// Lengths that are asked about together.
    const STRIDE: u8;

    /// The first address of the network of so many bits.
    fn cut(self, bits: u8) -> Self;

    /// The stride that a length belongs to: the bits before it, and how many they are.
    fn stride(self, bits: u8) -> (u128, u8) {
        let before = bits.saturating_sub(1) / Self::STRIDE * Self::STRIDE;
        (self.cut(before).into(), before)
    }
}

impl Bits for u32 {
    const STRIDE: u8 = 8;

    fn cut(self, bits: u8) -> Self {
        self & Self::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
    }
}

impl Bits for u128 {
    const STRIDE: u8 = 16;

    fn cut(self, bits: u8) -> Self {
        self & Self::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
    }
}

impl<A: Bits> Networks<A> {
    fn new(seed: Seed) -> Self {
        Self { slots: Slots::new(seed), lengths: [0; 129], in_use: Vec::new(), sieve: Sieve::new(seed), seed }
    }

    /// Shows the entries of every network that an address is in, the smallest first, until that is enough. Whether it was.
    fn visit<'l>(&'l self, address: A, mut enough: impl FnMut(&'l [Record], u8) -> bool) -> bool {
        let (mut line, mut stride_before) = (None, u8::MAX);
        self.in_use.iter().any(|bits| {
            let (first, before) = address.stride(*bits);
            if before != stride_before {
                // Most strides hold nothing that begins as this address does.
                line = self
                    .sieve
                    .line(first, before)
                    .filter(|line| line.may_hold(self.seed, first, stride_mark(before)));
                stride_before = before;
            }
            let network = address.cut(*bits);
            if !line.is_some_and(|line: Line<'_>| line.may_hold(self.seed, network.into(), *bits)) {
                return false;
            }
            let records = self.slots.get((network, *bits));
            !records.is_empty() && enough(records, *bits)
        })
    }

    fn get(&self, address: A, bits: u8) -> &[Record] {
        self.slots.get((address, bits))
    }

    fn change<T>(&mut self, address: A, bits: u8, change: impl FnOnce(&mut Vec<Record>) -> T) -> T {
        let (mut before, mut after) = (false, false);
        let result = self.slots.change((address, bits), |slot| {
            before = !slot.is_empty();
            let result = change(slot);
            after = !slot.is_empty();
            result
        });
        let (stride, network) = (address.stride(bits), (address.into(), bits));
        let Some(count) = self.lengths.get_mut(usize::from(bits)) else { return result };
        match (before, after) {
            (false, true) => {
                *count += 1;
                self.sieve.add(stride, network);
                self.sieve.add(stride, (stride.0, stride_mark(stride.1)));
            }
            (true, false) => {
                *count -= 1;
                self.sieve.remove(stride, network);
                self.sieve.remove(stride, (stride.0, stride_mark(stride.1)));
            }
            _ => return result,
        }
        if *count == 0 || self.in_use.binary_search_by(|other| bits.cmp(other)).is_err() {
            let used = (0..=128).rev().filter(|bits| self.lengths[usize::from(*bits)] > 0);
            self.in_use = used.collect();
        }
        result
    }

    fn pieces(&self) -> usize {
        self.slots.pieces()
    }

    fn subjects_with(&self, piece: usize, so: impl Fn(&Record) -> bool, mut take: impl FnMut(A, u8)) {
        self.slots.subjects_with(piece, so).into_iter().for_each(|(address, bits)| take(address, bits));
    }
}
