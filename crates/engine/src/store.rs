//! Variables that rules write: TX, ENV and the persistent collections.
//!
//! Names that a rule set mentions are numbered when it is compiled, so that `setvar:tx.score=+5` and `TX:score` find
//! their place without a look at the name. Names that come up at run time (`tx.%{ARGS_NAMES}`) go through a map.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use palisade_pcre::Pattern;

use crate::evaluate::finds;
use crate::number::{Digits, leading_integer};

/// Names of TX and texts that a rule set mentions, numbered.
#[derive(Debug)]
pub(crate) struct Names {
    /// Lower case; the place in every store of this rule set.
    by_name: HashMap<Vec<u8>, u32, rustc_hash::FxBuildHasher>,
    /// Names as rules write them: the first assignment decides which one is shown.
    texts: Vec<Vec<u8>>,
    by_text: HashMap<Vec<u8>, u32, rustc_hash::FxBuildHasher>,
    /// By slot: changes of it are counted, see [`VarStore::watched_changes`]. Slots beyond the end are not.
    watched: Vec<bool>,
}

/// A name that a rule mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// Its place in the store, whatever its case.
    pub(crate) slot: u32,
    /// As it is written.
    pub(crate) written: TextId,
}

/// A text of the rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextId(u32);

impl Names {
    /// Those that the engine itself writes: `0` to `9` in their order, and what [`PCRE_LIMITS_EXCEEDED`] names.
    pub(crate) fn new() -> Self {
        let mut names = Self::none();
        for group in b'0'..=b'9' {
            names.name(&[group]);
        }
        let limits = names.name(b"MSC_PCRE_LIMITS_EXCEEDED");
        debug_assert_eq!((names.name(b"9"), limits), (capture(9), PCRE_LIMITS_EXCEEDED));
        names
    }

    fn none() -> Self {
        Self {
            by_name: HashMap::default(),
            texts: Vec::new(),
            by_text: HashMap::default(),
            watched: Vec::new(),
        }
    }

    /// Has the changes of some slots counted.
    pub(crate) fn watch(&mut self, slots: impl Iterator<Item = u32>) {
        self.watched = vec![false; self.len()];
        slots.for_each(|slot| self.watched[slot as usize] = true);
    }

    pub(crate) fn name(&mut self, name: &[u8]) -> Name {
        let written = self.keep(name);
        let next = self.by_name.len() as u32;
        let slot = *self.by_name.entry(name.to_ascii_lowercase()).or_insert(next);
        Name { slot, written }
    }

    pub(crate) fn keep(&mut self, text: &[u8]) -> TextId {
        if let Some(known) = self.by_text.get(text) {
            return TextId(*known);
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.to_vec());
        self.by_text.insert(text.to_vec(), number);
        TextId(number)
    }

    pub(crate) fn text(&self, text: TextId) -> &[u8] {
        &self.texts[text.0 as usize]
    }

    fn len(&self) -> usize {
        self.by_name.len()
    }
}

/// A pattern for names of TX (`TX:/^header_name_/`). Which names of the rule set it finds is known beforehand; only
/// what came up at run time has to be looked at.
#[derive(Debug)]
pub(crate) struct NamePattern {
    pattern: Pattern,
    /// What a name without a line break starts with, ASCII case ignored, if and only if the pattern finds it: most
    /// patterns are of the form `^header_name_`.
    prefix: Option<Box<[u8]>>,
    /// By text: whether it finds it. Texts that are no names are not asked.
    finds: Vec<Option<bool>>,
    /// It finds no name of the rule set.
    finds_no_text: bool,
}

/// Answers that all patterns of a rule set together keep: names and patterns multiply. Over it names are looked at
/// when rules run.
const ANSWERS_MAX: usize = 1_000_000;

impl NamePattern {
    /// All of a rule set, each with its number. When all names are known.
    pub(crate) fn all(
        numbered: impl ExactSizeIterator<Item = (u32, Pattern)>,
        names: &Names,
    ) -> Vec<NamePattern> {
        let is_small = numbered.len().saturating_mul(names.texts.len()) <= ANSWERS_MAX;
        let texts = if is_small { names.texts.as_slice() } else { &[] };
        let mut patterns: Vec<(u32, Pattern)> = numbered.collect();
        patterns.sort_by_key(|(number, _)| *number);
        let make = |(_, pattern): (u32, Pattern)| {
            let answers = texts.iter().map(|text| {
                let is_name = names.by_name.contains_key(&text.to_ascii_lowercase());
                is_name.then(|| finds(&pattern, text))
            });
            let finds: Vec<Option<bool>> = answers.collect();
            let finds_no_text = is_small && !finds.contains(&Some(true));
            Self { finds, finds_no_text, prefix: prefix(&pattern), pattern }
        };
        patterns.into_iter().map(make).collect()
    }

    fn finds(&self, name: &[u8]) -> bool {
        if let Some(prefix) = &self.prefix {
            let begins = name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
            // It may also stand behind a line break.
            if begins || !name.contains(&b'\n') {
                return begins;
            }
        }
        name.len() >= self.pattern.needs().length_min && finds(&self.pattern, name)
    }
}

/// What names start with, when that is all that a pattern asks for. Patterns of keys ignore case, and `^` holds at the
/// start and behind line breaks.
fn prefix(pattern: &Pattern) -> Option<Box<[u8]>> {
    let text = pattern.source().strip_prefix(b"^")?;
    let is_plain = text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    is_plain.then(|| text.into())
}

/// The name of a captured group, at most 9.
pub(crate) fn capture(group: u8) -> Name {
    Name { slot: u32::from(group), written: TextId(u32::from(group)) }
}

/// `MSC_PCRE_LIMITS_EXCEEDED`.
pub(crate) const PCRE_LIMITS_EXCEEDED: Name = Name { slot: 10, written: TextId(10) };

/// Named values that rules write. Keys ignore ASCII case; slots keep their number while the transaction lives.
#[derive(Debug)]
pub(crate) struct VarStore {
    names: Arc<Names>,
    /// First those of `names`, then those of names that came up at run time.
    slots: Vec<Slot>,
    /// Slots that ever had a value, in the order of their first assignment.
    order: Vec<u32>,
    others: Others,
    /// Where values lie that are no texts of the rule set.
    arena: Vec<u8>,
    /// Bytes of the arena that belong to a slot.
    rooms: usize,
    /// Bytes of all values and names, against [`STORE_BYTES_MAX`].
    bytes: usize,
    watched_changes: u32,
    /// So many of `order` at its start are names of the rule set, as it writes them.
    texts_first: usize,
}

/// What a store that had nothing holds after some assignments, to be had again without them.
#[derive(Debug)]
pub(crate) struct Image {
    /// In the order of their first assignment.
    slots: Box<[(u32, Slot)]>,
    arena: Box<[u8]>,
    rooms: usize,
    bytes: usize,
    watched_changes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    value: Value,
    /// Its place in the arena, which it keeps when it loses its value.
    place: u32,
    room: u32,
    name: Named,
}

/// What a slot was called by its first assignment.
#[derive(Clone, Copy, Debug)]
enum Named {
    Text(TextId),
    /// Number in [`VarStore::others`].
    Other(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// Never had one.
    Unused,
    /// Was removed.
    Removed,
    /// This much of the slot's place.
    Stored(u32),
    /// A text of the rule set.
    Text(TextId),
}

impl Slot {
    const UNUSED: Slot = Slot { value: Value::Unused, place: 0, room: 0, name: Named::Other(0) };
}

/// Names in one store. Rules that build names from the request (`setvar:tx.a_%{matched_var}`) stop adding here.
const VARIABLES_MAX: usize = 20_000;
/// Bytes of all values and names in one store. A rule that copies a large value under, or into, a name for each
/// argument stops here: later values are not written. Large enough for the largest body in a few variables.
const STORE_BYTES_MAX: usize = 64 << 20;
/// Least room of a value, so that a growing number stays where it is.
const ROOM_MIN: usize = 24;
/// Abandoned bytes of the arena that are not worth the work of moving what is left.
const ABANDONED_BYTES_MIN: usize = 64 << 10;
/// What a store keeps of its memory for the next transaction.
const KEPT_BYTES_MAX: usize = 16 << 10;

impl Default for VarStore {
    /// One without names of a rule set. Allocates nothing.
    fn default() -> Self {
        static NO_NAMES: LazyLock<Arc<Names>> = LazyLock::new(|| Arc::new(Names::none()));
        Self::new(Arc::clone(&NO_NAMES))
    }
}

impl VarStore {
    pub(crate) fn new(names: Arc<Names>) -> Self {
        Self {
            slots: vec![Slot::UNUSED; names.len()],
            names,
            order: Vec::new(),
            others: Others::default(),
            arena: Vec::new(),
            rooms: 0,
            bytes: 0,
            watched_changes: 0,
            texts_first: 0,
        }
    }

    /// Names and texts of the rule set.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Forgets all variables and keeps some of the memory.
    pub(crate) fn clear(&mut self) {
        let Self { names, slots, order, others, arena, rooms, bytes, watched_changes, texts_first } = self;
        slots.truncate(names.len());
        for slot in order.drain(..) {
            if let Some(slot) = slots.get_mut(slot as usize) {
                *slot = Slot::UNUSED;
            }
        }
        others.clear();
        arena.clear();
        arena.shrink_to(KEPT_BYTES_MAX);
        order.shrink_to(KEPT_BYTES_MAX / size_of::<u32>());
        slots.shrink_to(names.len().max(KEPT_BYTES_MAX / size_of::<Slot>()));
        (*rooms, *bytes, *watched_changes, *texts_first) = (0, 0, 0, 0);
    }

    /// Whether nothing was ever written.
    pub(crate) fn is_untouched(&self) -> bool {
        self.order.is_empty()
    }

    /// All that it holds; nothing where it has names that came up at run time.
    pub(crate) fn image(&self) -> Option<Image> {
        (self.texts_first == self.order.len()).then(|| Image {
            slots: self.order.iter().map(|slot| (*slot, self.slots[*slot as usize])).collect(),
            arena: self.arena.as_slice().into(),
            rooms: self.rooms,
            bytes: self.bytes,
            watched_changes: self.watched_changes,
        })
    }

    /// Has an untouched store hold what another one of the same rule set held.
    pub(crate) fn show(&mut self, image: &Image) {
        debug_assert!(self.is_untouched());
        self.order.extend(image.slots.iter().map(|(slot, _)| *slot));
        image.slots.iter().for_each(|(slot, value)| self.slots[*slot as usize] = *value);
        self.arena.extend_from_slice(&image.arena);
        (self.rooms, self.bytes, self.watched_changes) = (image.rooms, image.bytes, image.watched_changes);
        self.texts_first = image.slots.len();
    }

    /// Goes up with each change of a variable that is [watched](Names::watch).
    pub(crate) fn watched_changes(&self) -> u32 {
        self.watched_changes
    }

    /// Whether it is that of a name of the rule set.
    fn is_numbered(&self, slot: u32) -> bool {
        (slot as usize) < self.names.len()
    }

    fn note_change(&mut self, slot: u32) {
        let is_watched = self.names.watched.get(slot as usize).copied().unwrap_or_default();
        self.watched_changes = self.watched_changes.wrapping_add(u32::from(is_watched));
    }

    /// The slot of a name that has a value.
    pub(crate) fn slot(&self, name: &[u8]) -> Option<u32> {
        let slot = self.place_of(name)?;
        self.has(slot).then_some(slot)
    }

    /// The slot of a name, whether it has a value or not.
    fn place_of(&self, name: &[u8]) -> Option<u32> {
        with_lower(name, |lower| match self.names.by_name.get(lower) {
            Some(slot) => Some(*slot),
            None => self.others.slot(lower, self.others.hash(lower)),
        })
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.value(self.place_of(name)?)
    }

    /// Whether a slot has a value.
    pub(crate) fn has(&self, slot: u32) -> bool {
        matches!(
            self.slots.get(slot as usize).map(|slot| slot.value),
            Some(Value::Stored(_) | Value::Text(_))
        )
    }

    pub(crate) fn value(&self, slot: u32) -> Option<&[u8]> {
        let slot = self.slots.get(slot as usize)?;
        match slot.value {
            Value::Unused | Value::Removed => None,
            Value::Stored(length) => Some(&self.arena[slot.place as usize..][..length as usize]),
            Value::Text(text) => Some(self.names.text(text)),
        }
    }

    /// The integer that a value starts with.
    pub(crate) fn integer(&self, slot: u32) -> Option<i64> {
        self.value(slot).map(leading_integer)
    }

    /// As the first assignment wrote it.
    pub(crate) fn name(&self, slot: u32) -> &[u8] {
        match self.slots[slot as usize].name {
            Named::Text(text) => self.names.text(text),
            Named::Other(number) => self.others.name(number),
        }
    }

    /// Writes a value. Returns false, and changes nothing, when the store is full.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        with_lower(name, |lower| self.set_lower(name, lower, value))
    }

    /// [`VarStore::set`] of a name that is also given in lower case.
    fn set_lower(&mut self, name: &[u8], lower: &[u8], value: &[u8]) -> bool {
        let (known, hash) = match self.names.by_name.get(lower) {
            Some(slot) => (Some(*slot), 0),
            None => {
                let hash = self.others.hash(lower);
                (self.others.slot(lower, hash), hash)
            }
        };
        let fresh = known.is_none_or(|slot| self.slots[slot as usize].value == Value::Unused);
        let Some(bytes) = self.bytes_with(known, fresh.then_some(name.len()), value.len()) else {
            return false;
        };
        let slot = known.unwrap_or_else(|| {
            let slot = self.slots.len() as u32;
            self.slots.push(Slot::UNUSED);
            self.others.add(hash, name, Some(slot));
            slot
        });
        if fresh {
            // The rule set may know the name, but in another case.
            let named = match self.names.by_text.get(name) {
                Some(text) => Named::Text(TextId(*text)),
                None if known.is_some() => Named::Other(self.others.add(0, name, None)),
                None => Named::Other(self.others.last()),
            };
            self.begin(slot, named);
        }
        self.bytes = bytes;
        self.note_change(slot);
        self.store(slot, value);
        true
    }

    /// [`VarStore::set`] under a name of the rule set.
    pub(crate) fn set_at(&mut self, name: Name, value: &[u8]) -> bool {
        let stored = self.admit(name, value.len());
        if stored {
            self.store(name.slot, value);
        }
        stored
    }

    /// [`VarStore::set`] of a text of the rule set under a name of it.
    pub(crate) fn set_text(&mut self, name: Name, text: TextId) -> bool {
        let stored = self.admit(name, self.names.text(text).len());
        if stored {
            self.slots[name.slot as usize].value = Value::Text(text);
        }
        stored
    }

    /// Adds to the integer that a value starts with; 0 where there is none.
    pub(crate) fn add_at(&mut self, name: Name, delta: i64) -> bool {
        let held = self.value(name.slot).map_or(0, leading_integer);
        self.set_at(name, Digits::of_signed(held.saturating_add(delta)).as_bytes())
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        if let Some(slot) = self.slot(name) {
            self.remove_at(slot);
        }
    }

    pub(crate) fn remove_at(&mut self, slot: u32) {
        let Some(length) = self.value(slot).map(<[u8]>::len) else { return };
        self.bytes -= length;
        self.note_change(slot);
        self.slots[slot as usize].value = Value::Removed;
    }

    /// Slots in use, in the order of their first assignment.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.order.iter().copied().filter(|slot| self.has(*slot))
    }

    /// Slots in use whose names a pattern finds, in the order of their first assignment.
    pub(crate) fn slots_named<'a>(&'a self, pattern: &'a NamePattern) -> impl Iterator<Item = u32> + 'a {
        // What a rule set sets up comes first, and has its names.
        let passed = if pattern.finds_no_text { self.texts_first } else { 0 };
        let found = |slot: &u32| match self.slots[*slot as usize].name {
            Named::Text(_) if pattern.finds_no_text && self.is_numbered(*slot) => false,
            Named::Text(TextId(text)) => pattern
                .finds
                .get(text as usize)
                .copied()
                .flatten()
                .unwrap_or_else(|| pattern.finds(self.name(*slot))),
            Named::Other(number) => pattern.finds(self.others.name(number)),
        };
        self.order[passed..].iter().copied().filter(move |slot| found(slot) && self.has(*slot))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.order.iter().filter_map(|slot| Some((self.name(*slot), self.value(*slot)?)))
    }

    /// Counts a value in under a name of the rule set, or refuses it.
    fn admit(&mut self, name: Name, length: usize) -> bool {
        let fresh = self.slots[name.slot as usize].value == Value::Unused;
        let named = fresh.then(|| self.names.text(name.written).len());
        let Some(bytes) = self.bytes_with(Some(name.slot), named, length) else { return false };
        self.bytes = bytes;
        self.note_change(name.slot);
        if fresh {
            self.begin(name.slot, Named::Text(name.written));
        }
        true
    }

    /// What the store would hold with a value of this length; `None` when that is too much. `named` is the length of
    /// a name that it does not have yet.
    fn bytes_with(&self, slot: Option<u32>, named: Option<usize>, length: usize) -> Option<usize> {
        if named.is_some() && self.order.len() >= VARIABLES_MAX {
            return None;
        }
        let held = slot.and_then(|slot| self.value(slot)).map_or(0, <[u8]>::len);
        // A name is held twice, as it was written and as it is found, for as long as the store lives.
        let bytes = self.bytes - held + 2 * named.unwrap_or(0) + length;
        (bytes <= STORE_BYTES_MAX).then_some(bytes)
    }

    fn begin(&mut self, slot: u32, name: Named) {
        self.slots[slot as usize].name = name;
        self.slots[slot as usize].value = Value::Removed;
        if matches!(name, Named::Text(_)) && self.is_numbered(slot) && self.texts_first == self.order.len() {
            self.texts_first += 1;
        }
        self.order.push(slot);
    }

    fn store(&mut self, slot: u32, value: &[u8]) {
        let Slot { mut place, room, .. } = self.slots[slot as usize];
        if room < value.len() as u32 {
            // Doubled while it is small, for values that grow piece by piece.
            let wanted = value.len().max(ROOM_MIN).max((2 * room as usize).min(4096));
            self.slots[slot as usize].room = 0;
            self.rooms -= room as usize;
            if self.arena.len() - self.rooms > self.rooms / 2 + ABANDONED_BYTES_MIN {
                self.move_together();
            }
            place = self.arena.len() as u32;
            self.arena.resize(self.arena.len() + wanted, 0);
            self.rooms += wanted;
            (self.slots[slot as usize].place, self.slots[slot as usize].room) = (place, wanted as u32);
        }
        self.arena[place as usize..][..value.len()].copy_from_slice(value);
        self.slots[slot as usize].value = Value::Stored(value.len() as u32);
    }

    /// Leaves out what no slot uses any more.
    fn move_together(&mut self) {
        let mut arena = Vec::with_capacity(self.rooms);
        for slot in &self.order {
            let slot = &mut self.slots[*slot as usize];
            let from = slot.place as usize;
            slot.place = arena.len() as u32;
            arena.extend_from_slice(&self.arena[from..][..slot.room as usize]);
        }
        self.arena = arena;
    }
}

/// Calls a function with a name in lower case. Names are short; a stack buffer spares an allocation for each.
fn with_lower<T>(name: &[u8], function: impl FnOnce(&[u8]) -> T) -> T {
    let mut small = [0u8; 64];
    match small.get_mut(..name.len()) {
        Some(buffer) => {
            buffer.copy_from_slice(name);
            buffer.make_ascii_lowercase();
            function(buffer)
        }
        None => function(&name.to_ascii_lowercase()),
    }
}

/// Names that came up at run time: `tx.%{ARGS_NAMES}`.
///
/// CRS makes one for each header, so it is a table of our own that needs no memory for each name. What clients choose
/// goes by a hash that nobody can foresee.
#[derive(Default)]
struct Others {
    state: RandomState,
    names: Vec<u8>,
    /// Where each name ends in `names`, and the slot that it finds, if it is there to find one.
    entries: Vec<(u32, Option<u32>)>,
    /// Numbers of entries plus one, by hash; a power of two of them, at least twice the entries.
    buckets: Vec<u32>,
}

impl std::fmt::Debug for Others {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = (0..self.entries.len() as u32).map(|number| String::from_utf8_lossy(self.name(number)));
        f.debug_list().entries(names).finish()
    }
}

/// Buckets that a store keeps for the next transaction.
const BUCKETS_KEPT_MAX: usize = 256;

impl Others {
    fn name(&self, number: u32) -> &[u8] {
        let begins = (number as usize).checked_sub(1).map_or(0, |before| self.entries[before].0);
        &self.names[begins as usize..self.entries[number as usize].0 as usize]
    }

    fn last(&self) -> u32 {
        self.entries.len() as u32 - 1
    }

    fn hash(&self, lower: &[u8]) -> u64 {
        self.state.hash_one(lower)
    }

    fn slot(&self, lower: &[u8], hash: u64) -> Option<u32> {
        let mask = self.buckets.len().checked_sub(1)?;
        let mut bucket = hash as usize & mask;
        loop {
            let number = self.buckets[bucket].checked_sub(1)?;
            if self.name(number).eq_ignore_ascii_case(lower) {
                return self.entries[number as usize].1;
            }
            bucket = (bucket + 1) & mask;
        }
    }

    /// Adds a name, to be found if it has a slot; gives its number. `hash` is that of its lower case.
    fn add(&mut self, hash: u64, name: &[u8], slot: Option<u32>) -> u32 {
        self.names.extend_from_slice(name);
        self.entries.push((self.names.len() as u32, slot));
        if self.entries.len() * 2 > self.buckets.len() {
            self.buckets = vec![0; (self.entries.len() * 4).next_power_of_two()];
            for number in 0..self.entries.len() as u32 {
                if self.entries[number as usize].1.is_some() {
                    let hash = self.hash(&self.name(number).to_ascii_lowercase());
                    self.place(hash, number);
                }
            }
        } else if slot.is_some() {
            self.place(hash, self.last());
        }
        self.last()
    }

    fn place(&mut self, hash: u64, number: u32) {
        let mask = self.buckets.len() - 1;
        let mut bucket = hash as usize & mask;
        while self.buckets[bucket] != 0 {
            bucket = (bucket + 1) & mask;
        }
        self.buckets[bucket] = number + 1;
    }

    fn clear(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        // With a new key: what an exchange learned of the old one, by its times, is of no use to the next.
        *self = Self {
            names: std::mem::take(&mut self.names),
            entries: std::mem::take(&mut self.entries),
            buckets: std::mem::take(&mut self.buckets),
            state: RandomState::new(),
        };
        self.names.clear();
        self.names.shrink_to(KEPT_BYTES_MAX);
        self.entries.clear();
        self.entries.shrink_to(BUCKETS_KEPT_MAX);
        self.buckets.truncate(BUCKETS_KEPT_MAX);
        self.buckets.shrink_to(BUCKETS_KEPT_MAX);
        self.buckets.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use palisade_pcre::Options;

    use super::*;

    #[test]
    fn a_prefix_finds_what_its_pattern_finds() {
        let options = Options { case_insensitive: true, ..Options::default() };
        let mut found = 0;
        for source in ["^h_", "^", "^a-1", "h_", "^h_*", "^h.", "^$", "^H_x$"] {
            let pattern = Pattern::new(source.as_bytes(), options.clone()).unwrap();
            let all = NamePattern::all([(0, pattern.clone())].into_iter(), &Names::new());
            for name in ["h_", "H_x", "h", "", "xh_", "x\nh_", "\nh_", "h_\n", "A-1b", "a-", "hh", "\n"] {
                assert_eq!(
                    all[0].finds(name.as_bytes()),
                    finds(&pattern, name.as_bytes()),
                    "{source} {name:?}"
                );
                found += usize::from(all[0].finds(name.as_bytes()));
            }
        }
        assert!(found > 20, "{found}");
    }

    #[test]
    fn keys_ignore_case_and_slots_survive_removal() {
        let mut store = VarStore::default();
        store.set(b"Score", b"1");
        assert_eq!(store.get(b"sCORE"), Some(&b"1"[..]));
        store.remove(b"SCORE");
        assert_eq!(store.get(b"score"), None);
        store.set(b"score", b"2");
        assert_eq!(store.get(b"Score"), Some(&b"2"[..]));
        assert_eq!(store.slots().count(), 1);
    }

    #[test]
    fn a_store_is_bounded_by_its_names_as_well() {
        let mut store = VarStore::default();
        let name = |n: usize| [n.to_string().into_bytes(), vec![b'n'; 1 << 20]].concat();
        let kept = (0..100).take_while(|n| store.set(&name(*n), b"1")).count();
        assert_eq!(kept, 31, "names of a mebibyte, each held twice");
        assert!(store.set(&name(0), b"2"), "what is there can still change");
    }

    fn with_names(mentioned: &[&str]) -> (VarStore, Vec<Name>) {
        let mut names = Names::new();
        let mentioned = mentioned.iter().map(|name| names.name(name.as_bytes())).collect();
        (VarStore::new(Arc::new(names)), mentioned)
    }

    fn shown(store: &VarStore) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        store.iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn numbered_names_and_others_are_one_store() {
        let (mut store, names) = with_names(&["Score", "score", "unused"]);
        assert_eq!(names[0].slot, names[1].slot);
        assert!(store.set(b"later", b"x") && store.add_at(names[1], 5) && store.set(b"SCORE", b"7"));
        assert!(store.add_at(names[0], -9) && store.set_at(capture(0), b"all"));
        let expected = [("later", "x"), ("score", "-2"), ("0", "all")];
        assert_eq!(shown(&store), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // A name that a rule knows, first written by a macro and in a case of its own.
        let (mut store, names) = with_names(&["score"]);
        assert!(store.set(b"sCoRe", b"1") && store.add_at(names[0], 1));
        assert_eq!(shown(&store), [("sCoRe".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn many_names_of_run_time_are_found_whatever_their_case() {
        let (mut store, names) = with_names(&["KNOWN"]);
        for round in 0..2 {
            for n in 0..2_000 {
                assert!(store.set(format!("Name-{n}").as_bytes(), n.to_string().as_bytes()));
                if n == 700 {
                    // Shown as it is written first, which is no text of the rule set.
                    assert!(store.set(b"knOwn", b"k"));
                }
            }
            for n in 0..2_000 {
                let lower = format!("name-{n}");
                assert_eq!(store.get(lower.as_bytes()), Some(n.to_string().as_bytes()), "round {round}");
            }
            assert_eq!(store.get(b"name-2000"), None);
            assert_eq!(store.name(names[0].slot), b"knOwn");
            assert_eq!(store.name(store.slot(b"NAME-1999").unwrap()), b"Name-1999");
            assert_eq!(store.slots().count(), 2_001);
            store.clear();
            assert_eq!((store.get(b"name-1"), store.slots().count()), (None, 0));
        }
    }

    #[test]
    fn patterns_find_names_as_they_were_written_first() {
        let mut names = Names::new();
        let [a, _, other] = ["Header_a", "header_A", "header"].map(|name| names.name(name.as_bytes()));
        names.keep(b"HEADER_B");
        let pattern = |source: &[u8]| Pattern::new(source, palisade_pcre::Options::default()).unwrap();
        let numbered = [(1, pattern(b"^(?:Header|HEADER)_")), (0, pattern(b"x"))];
        let [x, pattern] = NamePattern::all(numbered.into_iter(), &names).try_into().unwrap();
        let mut store = VarStore::new(Arc::new(names));
        assert!(store.set(b"HEADER_B", b"") && store.set(b"Header_c", b"") && store.set(b"x", b""));
        assert!(store.set_at(other, b"") && store.set(b"header_d", b"") && store.set_at(a, b""));
        let found = |store: &VarStore| -> Vec<Vec<u8>> {
            store.slots_named(&pattern).map(|slot| store.name(slot).to_vec()).collect()
        };
        assert_eq!(found(&store), [b"HEADER_B", b"Header_c", b"Header_a"]);
        assert_eq!(store.slots_named(&x).count(), 1);
        // The other spelling of a name that the rule set knows in both.
        store.clear();
        assert!(store.set(b"header_A", b"") && store.set_at(a, b""));
        assert_eq!(found(&store), [] as [Vec<u8>; 0]);
    }

    #[test]
    fn a_cleared_store_is_a_fresh_one() {
        let (mut store, names) = with_names(&["score", "other"]);
        store.set_at(names[0], b"1");
        store.set(b"made up", &[b'x'; 1 << 20]);
        store.set_text(names[1], names[0].written);
        store.clear();
        assert_eq!((shown(&store), store.slot(b"made up"), store.bytes), (Vec::new(), None, 0));
        assert!(store.arena.capacity() <= KEPT_BYTES_MAX);
        // The order is that of the new assignments, and nothing of an old value shows.
        store.set_at(names[1], b"b");
        store.add_at(names[0], 3);
        assert_eq!(shown(&store), [("other".into(), "b".into()), ("score".into(), "3".into())]);
    }

    #[test]
    fn values_that_grow_and_shrink_take_bounded_room() {
        let (mut store, names) = with_names(&["a", "b"]);
        for round in 0..20_000usize {
            let value = vec![b'a' + (round % 26) as u8; round];
            assert!(store.set_at(names[round % 2], &value));
            assert_eq!(store.value(names[round % 2].slot), Some(value.as_slice()));
        }
        assert_eq!(store.bytes, 19_999 + 19_998 + 4);
        assert!(store.arena.len() <= 40_000 + 20_000 + ABANDONED_BYTES_MIN + 40_000, "{}", store.arena.len());
        store.remove_at(names[1].slot);
        assert_eq!((store.get(b"b"), store.bytes), (None, 19_998 + 4));
        assert_eq!(store.value(names[0].slot).map(<[u8]>::len), Some(19_998));
    }
}
