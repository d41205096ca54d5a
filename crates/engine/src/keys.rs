//! Keys that rules name (`REQUEST_HEADERS:Host`, `&ARGS:q`), and where they are in a list of fields.
//!
//! The compiler numbers the keys that a rule set mentions. When a list of fields is there, one pass over it notes
//! which fields have such a key; a target then finds its members without a look at the others.

use std::hash::{BuildHasher as _, Hasher as _};

use palisade_http::Fields;
use rustc_hash::FxBuildHasher;

/// Number of a key that a rule set mentions, whatever its case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) u32);

/// Which fields of one list have a key that rules mention.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    /// By key, then by place in the list.
    fields: Vec<(Key, u32)>,
}

impl KeyIndex {
    /// Looks through a list. Forgets what it knew of another one.
    pub(crate) fn build(&mut self, keys: &KeyTable<Key>, list: &Fields) {
        self.fields.clear();
        if keys.is_empty() {
            return;
        }
        let known = list.iter().zip(0u32..).filter_map(|((name, _), at)| Some((*keys.get(name)?, at)));
        self.fields.extend(known);
        self.fields.sort_unstable();
    }

    /// The places of the fields with a key, ascending.
    pub(crate) fn fields(&self, key: Key) -> impl ExactSizeIterator<Item = u32> + '_ {
        let begins = self.fields.partition_point(|(of, _)| *of < key);
        let count = self.fields[begins..].iter().take_while(|(of, _)| *of == key).count();
        self.fields[begins..begins + count].iter().map(|(_, at)| *at)
    }

    pub(crate) fn clear(&mut self) {
        self.fields.clear();
        self.fields.shrink_to(KEPT_MAX);
    }
}

/// Entries whose memory the next transaction may have.
const KEPT_MAX: usize = 256;

/// Values by key, ASCII case ignored. Built once; a look-up allocates nothing.
#[derive(Debug)]
pub(crate) struct KeyTable<T> {
    entries: Vec<(Vec<u8>, T)>,
    /// Numbers of entries plus one, by hash; a power of two of them, at least twice the entries.
    slots: Vec<u32>,
}

impl<T> Default for KeyTable<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), slots: Vec::new() }
    }
}

impl<T> KeyTable<T> {
    /// The value of a key, made when it is not there yet.
    pub(crate) fn entry(&mut self, key: &[u8], make: impl FnOnce() -> T) -> &mut T {
        let number = match self.find(key) {
            Some(number) => number,
            None => {
                self.entries.push((key.to_vec(), make()));
                self.build();
                self.entries.len() - 1
            }
        };
        &mut self.entries[number].1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&T> {
        self.find(key).map(|number| &self.entries[number].1)
    }

    /// All values, in no order that means anything.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash(key) as usize & mask;
        // Keys come from rules: what clients send only chooses where to look, and half of the slots are empty.
        loop {
            let number = self.slots[slot].checked_sub(1)? as usize;
            if self.entries[number].0.eq_ignore_ascii_case(key) {
                return Some(number);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn build(&mut self) {
        if self.entries.len() * 2 <= self.slots.len() {
            let number = self.entries.len() - 1;
            self.place(number);
            return;
        }
        self.slots = vec![0; (self.entries.len() * 4).next_power_of_two()];
        for number in 0..self.entries.len() {
            self.place(number);
        }
    }

    fn place(&mut self, number: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = hash(&self.entries[number].0) as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = number as u32 + 1;
    }
}

/// Eight bytes at a time, letters folded by one bit: other bytes that fold together only cost a comparison.
fn hash(key: &[u8]) -> u64 {
    let mut hasher = FxBuildHasher.build_hasher();
    let (words, rest) = key.as_chunks::<8>();
    for word in words {
        hasher.write_u64(u64::from_le_bytes(*word) | FOLD);
    }
    let mut last = [0u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    hasher.write_u64(u64::from_le_bytes(last) | FOLD);
    hasher.write_u64(key.len() as u64);
    let hash = hasher.finish();
    hash ^ hash >> 32
}

const FOLD: u64 = 0x2020_2020_2020_2020;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_whatever_their_case() {
        let mut table = KeyTable::default();
        assert!(table.get(b"host").is_none());
        for (number, key) in ["Host", "User-Agent", "", "x", "content-length"].iter().enumerate() {
            *table.entry(key.as_bytes(), || 0) = number;
        }
        for n in 0..1000 {
            *table.entry(format!("key-{n}").as_bytes(), || 0) = n;
        }
        assert_eq!(table.get(b"HOST"), Some(&0));
        assert_eq!(table.get(b"user-agent"), Some(&1));
        assert_eq!(table.get(b""), Some(&2));
        assert_eq!(table.get(b"Content-Length"), Some(&4));
        assert_eq!(table.get(b"KEY-999"), Some(&999));
        assert_eq!(table.get(b"key-1000"), None);
        assert_eq!(table.get(b"content_length"), None);
    }

    #[test]
    fn keys_find_all_their_fields_in_order_whatever_the_case() {
        let mut keys = KeyTable::default();
        let long = "x".repeat(100);
        let [host, accept, absent, longest] = [("Host", 0), ("accept", 1), ("te", 2), (long.as_str(), 3)]
            .map(|(name, number)| *keys.entry(name.as_bytes(), || Key(number)));
        assert_eq!(*keys.entry(b"HOST", || Key(9)), host);
        let mut fields = Fields::new();
        for name in ["Accept", "hOST", "other", "", "HOST", &long.to_uppercase(), "host ", &long[1..]] {
            fields.push(name.as_bytes(), b"v");
        }
        let mut index = KeyIndex::default();
        for _ in 0..2 {
            index.build(&keys, &fields);
            let found = |key| index.fields(key).collect::<Vec<_>>();
            assert_eq!(found(host), [1, 4]);
            assert_eq!(found(accept), [0]);
            assert_eq!(found(absent), [] as [u32; 0]);
            assert_eq!(found(longest), [5]);
        }
        index.build(&keys, &Fields::EMPTY);
        assert_eq!(index.fields(host).len(), 0);
    }
}
