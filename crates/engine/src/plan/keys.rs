//! Keys that rules name (`REQUEST_HEADERS:Host`), found for the members of a collection.

use std::hash::{BuildHasher as _, Hasher as _};

use rustc_hash::FxBuildHasher;

/// Values by key, ASCII case ignored. Built once; a look-up allocates nothing.
#[derive(Debug)]
pub(super) struct KeyTable<T> {
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
    pub(super) fn entry(&mut self, key: &[u8], make: impl FnOnce() -> T) -> &mut T {
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

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&T> {
        self.find(key).map(|number| &self.entries[number].1)
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
    use super::KeyTable;

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
}
