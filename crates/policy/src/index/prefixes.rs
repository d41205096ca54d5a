//! From an address to what is said of it or of a range around it.

use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use crate::net::{Net, mask_v4, mask_v6, plain};

/// Numbers under ranges of addresses. A lookup asks one table for each length of prefix that occurs.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    v4: Vec<(u8, FxHashMap<u32, Numbers>)>,
    v6: Vec<(u8, FxHashMap<u128, Numbers>)>,
}

/// One number needs no memory of its own: most addresses are in one set or a few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    One(u32),
    Many(Box<[u32]>),
}

impl Numbers {
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(number) => std::slice::from_ref(number),
            Self::Many(numbers) => numbers,
        }
    }

    /// Adds a number; whether it is new.
    pub(super) fn add(&mut self, number: u32) -> bool {
        match self.as_slice().binary_search(&number) {
            Ok(_) => false,
            Err(at) => {
                let mut numbers = self.as_slice().to_vec();
                numbers.insert(at, number);
                *self = Self::Many(numbers.into());
                true
            }
        }
    }

    /// Keeps some; `None` when nothing is left.
    pub(super) fn kept(&self, keep: impl Fn(u32) -> bool) -> Option<Self> {
        let left: Vec<u32> = self.as_slice().iter().copied().filter(|number| keep(*number)).collect();
        match left[..] {
            [] => None,
            [one] => Some(Self::One(one)),
            _ => Some(Self::Many(left.into())),
        }
    }
}

impl Prefixes {
    /// Adds a number to a range; whether it is new there.
    pub(super) fn add(&mut self, net: Net, number: u32) -> bool {
        match net.address() {
            IpAddr::V4(address) => add(&mut self.v4, net.prefix(), address.to_bits(), number),
            IpAddr::V6(address) => add(&mut self.v6, net.prefix(), address.to_bits(), number),
        }
    }

    /// Takes a number from a range; whether it was there.
    pub(super) fn remove(&mut self, net: Net, number: u32) -> bool {
        match net.address() {
            IpAddr::V4(address) => remove(&mut self.v4, net.prefix(), address.to_bits(), number),
            IpAddr::V6(address) => remove(&mut self.v6, net.prefix(), address.to_bits(), number),
        }
    }

    /// Takes numbers away everywhere. O(all that is there).
    pub(super) fn retain(&mut self, keep: &impl Fn(u32) -> bool) {
        for (_, table) in &mut self.v4 {
            retain(table, keep);
        }
        for (_, table) in &mut self.v6 {
            retain(table, keep);
        }
    }

    /// Calls for all numbers under an address, some perhaps twice.
    pub(super) fn each(&self, address: IpAddr, mut call: impl FnMut(u32)) {
        let mut all = |numbers: &Numbers| numbers.as_slice().iter().copied().for_each(&mut call);
        match plain(address) {
            IpAddr::V4(address) => {
                for (prefix, table) in &self.v4 {
                    table.get(&mask_v4(address.to_bits(), *prefix)).into_iter().for_each(&mut all);
                }
            }
            IpAddr::V6(address) => {
                for (prefix, table) in &self.v6 {
                    table.get(&mask_v6(address.to_bits(), *prefix)).into_iter().for_each(&mut all);
                }
            }
        }
    }

    /// Whether something is said of an address alone.
    pub(super) fn has_exactly(&self, address: IpAddr) -> bool {
        match plain(address) {
            IpAddr::V4(address) => {
                alone(&self.v4, 32).is_some_and(|table| table.contains_key(&address.to_bits()))
            }
            IpAddr::V6(address) => {
                alone(&self.v6, 128).is_some_and(|table| table.contains_key(&address.to_bits()))
            }
        }
    }

    /// How many ranges.
    pub(super) fn len(&self) -> usize {
        let v4: usize = self.v4.iter().map(|(_, table)| table.len()).sum();
        v4 + self.v6.iter().map(|(_, table)| table.len()).sum::<usize>()
    }
}

fn alone<K>(tables: &[(u8, FxHashMap<K, Numbers>)], prefix: u8) -> Option<&FxHashMap<K, Numbers>> {
    tables.last().filter(|(longest, _)| *longest == prefix).map(|(_, table)| table)
}

fn add<K: Hash + Eq>(tables: &mut Vec<(u8, FxHashMap<K, Numbers>)>, prefix: u8, key: K, number: u32) -> bool {
    let at = match tables.binary_search_by_key(&prefix, |(prefix, _)| *prefix) {
        Ok(at) => at,
        Err(at) => {
            tables.insert(at, (prefix, FxHashMap::default()));
            at
        }
    };
    add_to(&mut tables[at].1, key, number)
}

fn remove<K: Hash + Eq>(tables: &mut [(u8, FxHashMap<K, Numbers>)], prefix: u8, key: K, number: u32) -> bool {
    let Ok(at) = tables.binary_search_by_key(&prefix, |(prefix, _)| *prefix) else { return false };
    remove_from(&mut tables[at].1, &key, number)
}

/// Adds a number under a key; whether it is new there.
pub(super) fn add_to<K: Hash + Eq>(table: &mut FxHashMap<K, Numbers>, key: K, number: u32) -> bool {
    match table.entry(key) {
        Entry::Occupied(mut there) => there.get_mut().add(number),
        Entry::Vacant(free) => {
            free.insert(Numbers::One(number));
            true
        }
    }
}

/// Takes a number from under a key; whether it was there.
pub(super) fn remove_from<K: Hash + Eq>(table: &mut FxHashMap<K, Numbers>, key: &K, number: u32) -> bool {
    let Some(numbers) = table.get_mut(key) else { return false };
    if numbers.as_slice().binary_search(&number).is_err() {
        return false;
    }
    match numbers.kept(|there| there != number) {
        Some(left) => *numbers = left,
        None => {
            table.remove(key);
        }
    }
    true
}

fn retain<K: Hash + Eq>(table: &mut FxHashMap<K, Numbers>, keep: &impl Fn(u32) -> bool) {
    table.retain(|_, numbers| {
        if numbers.as_slice().iter().all(|number| keep(*number)) {
            return true;
        }
        match numbers.kept(keep) {
            Some(left) => {
                *numbers = left;
                true
            }
            None => false,
        }
    });
}
