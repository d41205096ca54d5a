//! The automata of one pattern, and which of them answers a question.
//!
//! ```text
//!   does it match?   whole DFA, where it is small ── else lazy DFA, forwards ─┐
//!   where?           lazy DFA forwards for the end, then backwards for the start ─┴─ gave up? ─> each start apart
//!                                                                      gave up as well? ─> NFA simulation
//!   groups?          where, then an NFA simulation of that part alone
//! ```
//!
//! A whole DFA is built once with the pattern, shared by all, and needs no memory to search. The states of lazy DFAs are
//! built while searching and live in a [`Cache`]; how large one may get and what happens then is named below. NFA
//! simulations are slower by up to the number of states of the pattern and still linear.
//!
//! Not here: a search for literals ahead of the automata. Whoever has many patterns does that for all of them at once
//! (see [`crate::needs`]); finding and building them for each was a quarter of the time that loading took.
//! `regex-automata`'s own choice of engines also looks for literals inside a pattern, and that makes it report wrong
//! spans in 0.4.18: `a?b{1,3}[^ab]*` finds 0..3 in `abbb`.

use std::ops::Range;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::hybrid::dfa as lazy;
use regex_automata::nfa::thompson::backtrack::{self, BoundedBacktracker};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

use crate::bytes::ByteSet;
use crate::starts;

/// Memory for the states of a pattern's NFA of one direction, in bytes. CRS's largest takes less than 0.5 MiB.
const NFA_BYTES_MAX: usize = 32 << 20;
/// Memory of a whole DFA, in bytes. Under half of CRS's patterns have one, 300 KiB in all; with 128 KiB three quarters
/// would, 4 MiB in all, and loading would take twice as long.
const WHOLE_BYTES_MAX: usize = 8 << 10;
/// An NFA of more states is not tried: most such tries fail, and cost more than those that succeed.
const WHOLE_NFA_STATES_MAX: usize = 120;
/// Memory for the lazily built DFA of one direction in one cache, in bytes. With 256 KiB, 932260 of CRS 4.28 gives up on
/// attack-like text; with 1 MiB no pattern of CRS does. Of a megabyte of random printable bytes 932235 and 932260 have
/// more states than any cache.
const LAZY_BYTES_MAX: usize = 1 << 20;
/// The same for one that follows one start at a time, which has to do with what it gets. 932235 of CRS 4.28, whose tree of
/// words is the largest, takes 1.5 MiB on a megabyte of random printable bytes.
const SINGLE_BYTES_MAX: usize = 4 << 20;
/// A lazy DFA that has thrown its states away so often ...
const LAZY_CLEARS_MIN: usize = 0;
/// ... and got less far than this with each of them, in bytes, gives a search up: the trap of rebuilding states for
/// each byte, at microseconds each, is left behind once and for all by a cache. What comes then costs a tenth of one.
const LAZY_BYTES_PER_STATE_MIN: usize = 128;
/// Longer texts ...
const BY_STARTS_BYTES_MIN: usize = 64 << 10;
/// ... and NFAs of more states are searched one start at a time: 932235, 932260 and their like.
const BY_STARTS_NFA_STATES_MIN: usize = 1_000;

/// The automata of one pattern.
pub(crate) struct Automata {
    whole: Option<dense::DFA<Vec<u32>>>,
    forward: lazy::DFA,
    backward: lazy::DFA,
    /// The forward one with more room, for one start at a time.
    single: lazy::DFA,
    /// What matches begin with, where none is empty.
    first: Option<ByteSet>,
    backtracker: BoundedBacktracker,
    pikevm: PikeVM,
}

/// The states of a pattern's lazy DFAs that searches have built so far. Nothing is taken before it is needed.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    forward: Option<lazy::Cache>,
    backward: Option<lazy::Cache>,
    single: Option<lazy::Cache>,
}

impl Cache {
    pub(crate) fn memory_usage(&self) -> usize {
        [&self.forward, &self.backward, &self.single]
            .into_iter()
            .flatten()
            .map(lazy::Cache::memory_usage)
            .sum()
    }
}

/// Working memory of NFA simulations, which any pattern can use after any other.
#[derive(Default)]
pub(crate) struct Scratch(Option<backtrack::Cache>);

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scratch")
    }
}

impl Automata {
    /// Builds them. `None` when they would take too much memory.
    ///
    /// # Errors
    /// What cannot be built otherwise, in words.
    pub(crate) fn new(hir: &Hir) -> Result<Option<Automata>, String> {
        let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(NFA_BYTES_MAX));
        let build = |reverse, captures| -> Result<Option<NFA>, String> {
            let config = config.clone().reverse(reverse).which_captures(captures);
            match thompson::Compiler::new().configure(config).build_from_hir(hir) {
                Ok(nfa) => Ok(Some(nfa)),
                Err(error) if error.size_limit().is_some() => Ok(None),
                Err(error) => Err(error.to_string()),
            }
        };
        let Some(nfa) = build(false, WhichCaptures::All)? else { return Ok(None) };
        let Some(reverse) = build(true, WhichCaptures::None)? else { return Ok(None) };
        let lazy_config = lazy::Config::new()
            .cache_capacity(LAZY_BYTES_MAX)
            // A pattern whose single states are that large gets room for a few of them.
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(LAZY_CLEARS_MIN))
            .minimum_bytes_per_state(Some(LAZY_BYTES_PER_STATE_MIN));
        let forward_of = |config: lazy::Config| {
            let config = config.match_kind(MatchKind::LeftmostFirst);
            let forward = lazy::Builder::new().configure(config).build_from_nfa(nfa.clone());
            forward.map_err(|error| error.to_string())
        };
        let forward = forward_of(lazy_config.clone())?;
        let single = forward_of(lazy_config.clone().cache_capacity(SINGLE_BYTES_MAX))?;
        let backward = lazy::Builder::new()
            .configure(lazy_config.match_kind(MatchKind::All))
            .build_from_nfa(reverse)
            .map_err(|error| error.to_string())?;
        let backtracker = BoundedBacktracker::new_from_nfa(nfa.clone()).map_err(|error| error.to_string())?;
        let pikevm = PikeVM::new_from_nfa(nfa.clone()).map_err(|error| error.to_string())?;
        let whole = (nfa.states().len() <= WHOLE_NFA_STATES_MAX).then(|| whole(&nfa)).flatten();
        Ok(Some(Automata {
            whole,
            forward,
            backward,
            single,
            first: starts::first(hir),
            backtracker,
            pikevm,
        }))
    }

    pub(crate) fn memory_usage(&self) -> usize {
        let whole = self.whole.as_ref().map_or(0, |whole| whole.memory_usage());
        self.forward.get_nfa().memory_usage() + self.backward.get_nfa().memory_usage() + whole
    }

    /// The answer of the whole DFA, which needs no cache, where there is one.
    pub(crate) fn is_match_at_once(&self, haystack: &[u8]) -> Option<bool> {
        let whole = self.whole.as_ref()?;
        whole.try_search_fwd(&Input::new(haystack).earliest(true)).ok().map(|found| found.is_some())
    }

    /// Whether it matches somewhere; without a cache by simulation.
    pub(crate) fn is_match(&self, cache: Option<&mut Cache>, scratch: &mut Scratch, haystack: &[u8]) -> bool {
        if let Some(answer) = self.is_match_at_once(haystack) {
            return answer;
        }
        let input = Input::new(haystack).earliest(true);
        let Some(cache) = cache else { return self.simulate(scratch, &input, &mut []) };
        if self.goes_by_starts(&input)
            && let Ok(found) = self.find_by_starts(cache, &input)
        {
            return found.is_some();
        }
        let lazy = cache.forward.get_or_insert_with(|| self.forward.create_cache());
        match self.forward.try_search_fwd(lazy, &input) {
            Ok(found) => found.is_some(),
            Err(_) => match self.find_by_starts(cache, &input) {
                Ok(found) => found.is_some(),
                Err(GaveUp) => self.simulate(scratch, &input, &mut []),
            },
        }
    }

    /// The leftmost match from `start` on, by preference.
    pub(crate) fn find(
        &self,
        cache: Option<&mut Cache>,
        scratch: &mut Scratch,
        haystack: &[u8],
        start: usize,
    ) -> Option<Range<usize>> {
        let input = Input::new(haystack).range(start..);
        match self.find_lazily(cache, &input) {
            Ok(found) => found,
            Err(GaveUp) => {
                let mut slots = [None; 2];
                let found = self.simulate(scratch, &input, &mut slots);
                found.then_some(slots[0]?.get()..slots[1]?.get())
            }
        }
    }

    /// [`Automata::find`] with where its groups lie, as many as `slots` has pairs.
    pub(crate) fn captures(
        &self,
        cache: Option<&mut Cache>,
        scratch: &mut Scratch,
        haystack: &[u8],
        start: usize,
        slots: &mut [Option<NonMaxUsize>],
    ) -> bool {
        let input = Input::new(haystack).range(start..);
        match self.find_lazily(cache, &input) {
            Ok(None) => false,
            Ok(Some(found)) if slots.len() <= 2 => {
                let ends = [found.start, found.end];
                slots.iter_mut().zip(ends).for_each(|(slot, end)| *slot = NonMaxUsize::new(end));
                true
            }
            Ok(Some(found)) => {
                let part = input.span(found).anchored(Anchored::Yes);
                self.simulate(scratch, &part, slots)
            }
            Err(GaveUp) => self.simulate(scratch, &input, slots),
        }
    }

    fn find_lazily(
        &self,
        cache: Option<&mut Cache>,
        input: &Input<'_>,
    ) -> Result<Option<Range<usize>>, GaveUp> {
        let cache = cache.ok_or(GaveUp)?;
        if self.goes_by_starts(input)
            && let Ok(found) = self.find_by_starts(cache, input)
        {
            return Ok(found);
        }
        let lazy = cache.forward.get_or_insert_with(|| self.forward.create_cache());
        let Ok(found) = self.forward.try_search_fwd(lazy, input) else {
            return self.find_by_starts(cache, input);
        };
        let Some(end) = found else { return Ok(None) };
        let (start, end) = (input.start(), end.offset());
        if start == end {
            return Ok(Some(start..end));
        }
        let lazy = cache.backward.get_or_insert_with(|| self.backward.create_cache());
        let back = input.clone().span(start..end).anchored(Anchored::Yes).earliest(false);
        let Ok(found) = self.backward.try_search_rev(lazy, &back) else {
            return self.find_by_starts(cache, input);
        };
        // What ends there begins somewhere; should it not, a simulation knows better.
        found.map(|found| Some(found.offset()..end)).ok_or(GaveUp)
    }

    /// Whether each start is tried apart before anything else: a large pattern meets as many states of all starts as a
    /// long text has places for.
    fn goes_by_starts(&self, input: &Input<'_>) -> bool {
        self.first.is_some()
            && input.get_span().len() > BY_STARTS_BYTES_MIN
            && self.forward.get_nfa().states().len() > BY_STARTS_NFA_STATES_MIN
    }

    fn find_by_starts(&self, cache: &mut Cache, input: &Input<'_>) -> Result<Option<Range<usize>>, GaveUp> {
        let lazy = cache.single.get_or_insert_with(|| self.single.create_cache());
        starts::find(&self.single, lazy, self.first.as_ref(), input)
    }

    fn simulate(&self, scratch: &mut Scratch, input: &Input<'_>, slots: &mut [Option<NonMaxUsize>]) -> bool {
        if input.get_span().len() <= self.backtracker.max_haystack_len() {
            let cache = scratch.0.get_or_insert_with(|| self.backtracker.create_cache());
            if let Ok(found) = self.backtracker.try_search_slots(cache, input, slots) {
                return found.is_some();
            }
        }
        // Rare enough to take the memory each time, so that nobody keeps megabytes for it.
        self.pikevm.search_slots(&mut self.pikevm.create_cache(), input, slots).is_some()
    }
}

/// A search that has not been finished; a slower one can be.
pub(crate) struct GaveUp;

fn whole(nfa: &NFA) -> Option<dense::DFA<Vec<u32>>> {
    let config = dense::Config::new()
        .match_kind(MatchKind::LeftmostFirst)
        .start_kind(StartKind::Unanchored)
        .dfa_size_limit(Some(WHOLE_BYTES_MAX))
        .determinize_size_limit(Some(2 * WHOLE_BYTES_MAX));
    dense::Builder::new().configure(config).build_from_nfa(nfa).ok()
}
