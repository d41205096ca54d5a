//! Working memory for all the patterns of one worker, bounded as a whole.
//!
//! Hundreds of patterns times workers times a megabyte each would be too much, and most caches stay small. A workspace
//! gives each pattern its cache when it is first searched and counts what all of them hold. Over
//! [`Workspace::BYTES_MAX`] it throws them away and starts anew, but not before what was searched since the last
//! time has paid for it: until then patterns are searched without building states.

use rustc_hash::FxHashMap;

use crate::automata::Cache;
use crate::pattern::{Id, Scratch};

/// Working memory for any patterns, one after another. See the crate's documentation.
#[derive(Default)]
pub struct Workspace {
    caches: FxHashMap<Id, Counted>,
    scratch: Scratch,
    bytes: usize,
    /// Bytes of haystacks since all caches were thrown away.
    searched: usize,
}

/// A cache and what it held when it was last looked at.
#[derive(Default)]
struct Counted {
    cache: Cache,
    bytes: usize,
}

/// A worker that clones its memory gets a new one: nothing in it is worth copying.
impl Clone for Workspace {
    fn clone(&self) -> Workspace {
        Workspace::default()
    }
}

/// What it holds is no part of what it means: a warm one answers as a fresh one does.
impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").finish_non_exhaustive()
    }
}

impl Workspace {
    /// What all caches may hold together, in bytes; one search may go over it by what a single cache may hold. CRS's
    /// patterns take 1 MiB on short values of all kinds and 6 MiB on long ones at level 1, 13 MiB on those at level 4; 9 MiB
    /// on a megabyte of random printable bytes.
    pub const BYTES_MAX: usize = 12 << 20;
    /// How much must have been searched, over all patterns, before they are all thrown away. Building 12 MiB of states
    /// takes some 30 ms, so hostile text costs 120 ns a byte by that, as much as simulation does; ordinary text comes
    /// nowhere near.
    const SEARCHED_MIN: usize = 256 << 10;

    /// Empty; it grows with what is searched.
    pub fn new() -> Workspace {
        Workspace::default()
    }

    /// The memory that caches hold, in bytes.
    pub fn memory_usage(&self) -> usize {
        self.bytes
    }

    /// Searches with the cache of a pattern, or with none when there is no room.
    pub(crate) fn with<T>(
        &mut self,
        id: Id,
        haystack: &[u8],
        search: impl FnOnce(Option<&mut Cache>, &mut Scratch) -> T,
    ) -> T {
        // A search costs something however short its haystack is.
        self.searched = self.searched.saturating_add(haystack.len() + 64);
        if self.bytes > Self::BYTES_MAX {
            if self.searched < Self::SEARCHED_MIN {
                return search(None, &mut self.scratch);
            }
            self.caches = FxHashMap::default();
            (self.bytes, self.searched) = (0, 0);
        }
        let Counted { cache, bytes } = self.caches.entry(id).or_default();
        let found = search(Some(cache), &mut self.scratch);
        let now = cache.memory_usage();
        self.bytes = self.bytes + now - *bytes;
        *bytes = now;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Captures, Options, Pattern};

    /// Too large for a whole DFA, so that states are built while searching.
    fn large_pattern(number: usize) -> Pattern {
        let source = format!("(x{number}|[a-z]+[0-9]{{1,30}}[^a-z]{{3,9}}k)(?:[a-m]|n.)*(end)");
        let pattern = Pattern::new(source.as_bytes(), Options::default()).expect("it compiles");
        assert_eq!(pattern.is_match(b"x"), Ok(false));
        pattern
    }

    #[test]
    fn over_its_bound_a_workspace_answers_the_same_and_takes_no_more() {
        let pattern = large_pattern(1);
        let mut full = Workspace { bytes: Workspace::BYTES_MAX + 1, ..Workspace::default() };
        let mut fresh = Workspace::new();
        for text in ["", "x1abend", "ab12+++knoend", "x1ab3end", "x1nnnnend x1", "ab12+++kabc end"] {
            let answer = pattern.is_match(text.as_bytes());
            assert_eq!(pattern.is_match_in(&mut full, text.as_bytes()), answer, "{text}");
            let (mut here, mut there) = (Captures::new(), Captures::new());
            let found = pattern.captures_at_in(&mut full, text.as_bytes(), 0, &mut here);
            assert_eq!(found, answer);
            assert_eq!(pattern.captures_at_in(&mut fresh, text.as_bytes(), 0, &mut there), answer);
            assert_eq!(here, there, "{text}");
        }
        assert!(full.caches.is_empty());
        assert!(!fresh.caches.is_empty() && fresh.memory_usage() > 0);
    }

    #[test]
    fn a_workspace_starts_anew_when_enough_was_searched() {
        let pattern = large_pattern(2);
        let mut workspace = Workspace { bytes: Workspace::BYTES_MAX + 1, ..Workspace::default() };
        let text = vec![b'-'; 1 << 20];
        for _ in 0..16 {
            assert_eq!(pattern.is_match_in(&mut workspace, &text), Ok(false));
        }
        assert!(workspace.memory_usage() > 0 && workspace.memory_usage() < Workspace::BYTES_MAX);
        assert_eq!(workspace.caches.len(), 1);
    }

    #[test]
    fn many_patterns_stay_within_the_bound() {
        let mut workspace = Workspace::new();
        let mut state = 1u64;
        for number in 0..150 {
            let pattern = large_pattern(number);
            for _ in 0..20 {
                let text: Vec<u8> = (0..200)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        b"abcdefghijklmnop0123456789+ kxend"[(state >> 33) as usize % 33]
                    })
                    .collect();
                let answer = pattern.is_match(&text);
                assert_eq!(pattern.is_match_in(&mut workspace, &text), answer);
            }
            let sum: usize = workspace.caches.values().map(|counted| counted.cache.memory_usage()).sum();
            assert_eq!(workspace.memory_usage(), sum);
            assert!(sum < Workspace::BYTES_MAX + (8 << 20), "{sum} bytes after {number} patterns");
        }
    }
}
