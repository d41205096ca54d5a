//! Ids of requests: 128 bits, fresh, and not to be guessed from others.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A new id: 32 hexadecimal digits. A keyed hash of a counter, under two keys that are random for each process: no
/// two counts of a process are alike in both halves, and no client learns the next id from its own.
pub(crate) fn request_id() -> String {
    static KEYS: LazyLock<(RandomState, RandomState)> =
        LazyLock::new(|| (RandomState::new(), RandomState::new()));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut id = String::with_capacity(32);
    // The keys of two states of one thread differ by one only, so the second half hashes a marked input.
    for half in [KEYS.0.hash_one(count), KEYS.1.hash_one((count, !count, "second half"))] {
        for shift in (0..16).rev() {
            id.push(char::from(b"0123456789abcdef"[(half >> (shift * 4) & 15) as usize]));
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_32_digits_and_differ() {
        let ids: HashSet<String> = (0..10_000).map(|_| request_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
