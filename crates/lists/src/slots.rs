//! Tables of entries by what they are about, in many pieces: a table that grows moves one piece at a time, so that nobody
//! waits for a million entries to be put elsewhere.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use palisade_model::{Listing, Moment};

use crate::entry::{Entry, EntryId, Origin, Scope};
use crate::subject::Subject;

/// Randomness of this process: where entries stand is not for those who are on the lists to foresee.
#[derive(Clone, Copy, Debug)]
pub struct Seed(pub u64, pub u64);

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

/// The entries about one subject. One, mostly.
pub(crate) type Slot = Box<[Record]>;

/// A table in pieces.
#[derive(Debug)]
pub(crate) struct Slots<K> {
    pieces: Box<[HashMap<K, Slot, Seed>]>,
    seed: Seed,
}

/// A million entries are 4,000 a piece, which move in some hundred microseconds.
const PIECES: usize = 256;

impl<K: Copy + Eq + Hash> Slots<K> {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { pieces: (0..PIECES).map(|_| HashMap::with_hasher(seed)).collect(), seed }
    }

    pub(crate) fn get(&self, key: K) -> &[Record] {
        self.pieces[self.piece(key)].get(&key).map_or(&[], |slot| slot)
    }

    /// Changes a slot. One without entries goes.
    pub(crate) fn change<T>(&mut self, key: K, change: impl FnOnce(&mut Vec<Record>) -> T) -> T {
        let piece = self.piece(key);
        let piece = &mut self.pieces[piece];
        let mut slot = piece.remove(&key).unwrap_or_default().into_vec();
        let result = change(&mut slot);
        if !slot.is_empty() {
            piece.insert(key, slot.into_boxed_slice());
        }
        result
    }

    pub(crate) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// The subjects of one piece that have an entry of which something is so.
    pub(crate) fn subjects_with(&self, piece: usize, so: impl Fn(&Record) -> bool) -> Vec<K> {
        let Some(piece) = self.pieces.get(piece) else { return Vec::new() };
        piece.iter().filter(|(_, slot)| slot.iter().any(&so)).map(|(key, _)| *key).collect()
    }

    fn piece(&self, key: K) -> usize {
        // The low bits choose within a piece, the highest are its fingerprint.
        (self.seed.hash_one(key) >> 40) as usize % PIECES
    }
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { state: self.0, factor: self.1 | 1 }
    }
}

/// A hash by multiplication: the halves of a product folded together, with a factor that nobody else knows.
#[derive(Debug)]
pub struct Folded {
    state: u64,
    factor: u64,
}

impl Folded {
    fn fold(&mut self, value: u64) {
        let product = u128::from(self.state ^ value) * u128::from(self.factor);
        self.state = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        // Once more, so that a short key reaches all bits.
        let product = u128::from(self.state) * u128::from(self.factor.rotate_left(32));
        (product as u64) ^ ((product >> 64) as u64)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.fold(u64::from_le_bytes(word));
        }
        self.fold(bytes.len() as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.fold(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.fold(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.fold(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.fold(value as u64);
        self.fold((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.fold(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_a_row_spread_over_the_pieces() {
        let slots = Slots::<u64>::new(Seed(0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321));
        let mut counts = [0; PIECES];
        (0..256_000_u64).for_each(|key| counts[slots.piece(key << 8)] += 1);
        assert!(counts.iter().all(|count| (700..1300).contains(count)), "{counts:?}");
    }
}
