//! A map that forgets: two halves, of which the older goes when its time or its room is over. What is asked for moves to
//! the younger.

use std::collections::HashMap;
use std::hash::Hash;

use crate::seed::Seed;

#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: HashMap<K, V, Seed>,
    old: HashMap<K, V, Seed>,
}

impl<K: Copy + Eq + Hash, V> Generations<K, V> {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { young: HashMap::with_hasher(seed), old: HashMap::with_hasher(seed) }
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(crate) fn young_len(&self) -> usize {
        self.young.len()
    }

    /// What is known of a key.
    pub(crate) fn get(&mut self, key: K) -> Option<&mut V> {
        if let Some(value) = self.old.remove(&key) {
            self.young.insert(key, value);
        }
        self.young.get_mut(&key)
    }

    /// The same, made when nothing is known.
    pub(crate) fn get_or(&mut self, key: K, fresh: impl FnOnce() -> V) -> &mut V {
        let value = self.old.remove(&key);
        self.young.entry(key).or_insert_with(|| value.unwrap_or_else(fresh))
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// The older half is forgotten, the younger is the older.
    pub(crate) fn turn(&mut self) {
        self.old = std::mem::replace(&mut self.young, HashMap::with_hasher(*self.old.hasher()));
    }
}
