//! Compiled patterns and what is asked of them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use std::sync::atomic::{AtomicU64, Ordering};

use regex_automata::util::pool::Pool;
use regex_automata::util::primitives::NonMaxUsize;
use regex_syntax::hir::Hir;

use crate::automata::{self, Automata};
use crate::backtrack::{self, Budget};
use crate::bytes::ByteSet;
use crate::error::{PatternError, StepLimit};
use crate::hir::{Exactness, translate};
use crate::needs::{Needs, needs};
use crate::parse::{Parsed, parse};
use crate::pike::{self, UNSET};
use crate::program::{Program, plain_atomics, simplified, too_large};
use crate::workspace::Workspace;

/// How many groups are reported: group 0, the whole match, and nine more.
pub const GROUPS_REPORTED: usize = 10;

/// The default of [`Options::step_limit`].
///
/// A step takes 3 to 6 ns, so that no short value costs more than a few milliseconds.
const STEP_LIMIT: u64 = 500_000;
/// The default of [`Options::steps_per_byte`]. CRS 3.3's 942130 takes 13 steps a byte on prose
/// and 24 on the worst text that was found.
const STEPS_PER_BYTE: u64 = 32;

/// States of the exact linear matcher, where one is needed.
const PIKE_STATES_MAX: u64 = 1 << 18;

/// How a pattern is read and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `.` also matches a newline. Default: true, as ModSecurity compiles its patterns.
    pub dot_all: bool,
    /// `^` and `$` match at line breaks. Default: true, as ModSecurity 3 compiles its patterns. PCRE's exception holds:
    /// `^` does not match after a newline that ends the haystack.
    pub multi_line: bool,
    /// Letters match in either case, ASCII only. Default: false.
    pub case_insensitive: bool,
    /// Without multi-line, `$` matches at the very end only, and not before a newline there. Default: false. True is
    /// ModSecurity 2's DOLLAR_ENDONLY, and what Go's regular expressions, so Coraza, do.
    pub dollar_end_only: bool,
    /// How many steps one search of a backtracking pattern may take, beside [`Options::steps_per_byte`]. Default:
    /// 500 000, some milliseconds. A step is an instruction, a compared byte, or an alternative taken up. Waiting
    /// alternatives take 48 MiB at most, and more of them end the search as well.
    pub step_limit: u64,
    /// How many more steps it may take for each byte of the haystack. Default: 32. A long harmless value then ends
    /// undisturbed, while the limit stays linear in the haystack. 0 makes `step_limit` the whole limit.
    pub steps_per_byte: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            dot_all: true,
            multi_line: true,
            case_insensitive: false,
            dollar_end_only: false,
            step_limit: STEP_LIMIT,
            steps_per_byte: STEPS_PER_BYTE,
        }
    }
}

/// How a pattern is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In time linear in the haystack. A search never fails.
    Linear,
    /// By backtracking, within the step limit.
    Backtracking,
}

/// A compiled pattern. Cloning shares it.
#[derive(Clone)]
pub struct Pattern(Arc<Inner>);

/// Tells patterns apart: no two that were ever compiled have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id(u64);

impl Id {
    fn next() -> Id {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Id(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl PartialEq for Pattern {
    /// Whether they find the same: they are the same text, read and bounded the same way.
    fn eq(&self, other: &Self) -> bool {
        let (Self(one), Self(other)) = (self, other);
        Arc::ptr_eq(one, other) || (&one.source, &one.options) == (&other.source, &other.options)
    }
}

impl Eq for Pattern {}

struct Inner {
    id: Id,
    source: Box<[u8]>,
    group_count: usize,
    names: Vec<(String, u32)>,
    kind: Kind,
    exactness: Exactness,
    /// The longest match of the automaton, when there is one.
    length_max: Option<usize>,
    automata: Automata,
    /// Caches for those who bring none.
    pool: Pool<Cache, fn() -> Cache>,
    needs: Needs,
    /// Present when the automaton alone cannot answer everything.
    program: Option<Program>,
    options: Options,
}

/// Working memory for one pattern, owned by the caller. See the crate's documentation.
#[derive(Debug, Default)]
pub struct Cache {
    states: automata::Cache,
    scratch: Scratch,
}

/// Working memory that is of use to any pattern after any other.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    simulation: automata::Scratch,
    own: OwnMatchers,
}

#[derive(Debug, Default)]
struct OwnMatchers {
    pike: pike::Scratch,
    backtrack: backtrack::Scratch,
}

impl Cache {
    /// The memory it holds for the automata, in bytes: nothing at first, at most little more than 2 MiB. A worker with
    /// many patterns lets a [`Workspace`] see to it.
    pub fn memory_usage(&self) -> usize {
        self.states.memory_usage()
    }
}

/// Where the groups of a match lie. Reusable; it needs no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures {
    slots: [usize; 2 * GROUPS_REPORTED],
}

impl Captures {
    /// No groups.
    pub fn new() -> Captures {
        Captures { slots: [UNSET; 2 * GROUPS_REPORTED] }
    }

    /// The range of group `index` in the haystack; group 0 is the whole match. `None` for a group that took no part,
    /// and for those above 9.
    pub fn get(&self, index: usize) -> Option<Range<usize>> {
        let pair = self.slots.get(2 * index..2 * index + 2)?;
        (pair[0] != UNSET && pair[1] != UNSET).then(|| pair[0]..pair[1])
    }

    /// All reported groups, group 0 first.
    pub fn iter(&self) -> impl Iterator<Item = Option<Range<usize>>> + '_ {
        (0..GROUPS_REPORTED).map(|i| self.get(i))
    }

    fn clear(&mut self) {
        self.slots = [UNSET; 2 * GROUPS_REPORTED];
    }
}

impl Default for Captures {
    fn default() -> Captures {
        Captures::new()
    }
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The place in the pattern, what is wrong and, where there is one, what to write instead. A pattern that would take
    /// too much memory is refused before it takes it.
    pub fn new(source: &[u8], options: Options) -> Result<Pattern, PatternError> {
        let Front { hir, exactness, program, kind, group_count, names } = Front::new(source, &options)?;
        let needed = kind == Kind::Backtracking || exactness != Exactness::default();
        if needed && kind == Kind::Linear && pike::state_count(&program) > PIKE_STATES_MAX {
            return Err(too_large(0));
        }
        let automata = match Automata::new(&hir) {
            Ok(Some(automata)) => automata,
            Ok(None) => return Err(too_large(0)),
            Err(error) => {
                return Err(PatternError::new(0, format!("the pattern cannot be compiled: {error}")));
            }
        };
        Ok(Pattern(Arc::new(Inner {
            id: Id::next(),
            source: source.into(),
            group_count: group_count as usize + 1,
            names,
            kind,
            exactness,
            length_max: hir.properties().maximum_len(),
            automata,
            pool: Pool::new(Cache::default),
            needs: needs(&hir),
            program: needed.then_some(program),
            options,
        })))
    }

    /// How the pattern is matched.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &[u8] {
        &self.0.source
    }

    /// The number of groups, group 0 among them.
    pub fn group_count(&self) -> usize {
        self.0.group_count
    }

    /// The named groups with their numbers, in order.
    pub fn group_names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.names.iter().map(|(name, group)| (name.as_str(), *group as usize))
    }

    /// What every match is an instance of: wherever the pattern matches, this matches from the same start or an earlier
    /// one, by look at the same haystack. For most patterns it is the pattern itself; see [`Pattern::hir_is_exact`]. What
    /// must occur in every match of it must occur in every match of the pattern, so literals for a prefilter may be drawn
    /// from it.
    ///
    /// It is translated anew by each call and not kept, because it is several times larger than the automaton.
    pub fn hir(&self) -> Hir {
        let front =
            Front::new(&self.0.source, &self.0.options).expect("the same source was translated before");
        front.hir
    }

    /// The longest match, in bytes, where there is one and it is known.
    pub fn length_max(&self) -> Option<usize> {
        self.0.length_max
    }

    /// Whether [`Pattern::hir`] matches only where the pattern does.
    pub fn hir_is_exact(&self) -> bool {
        let exactness = self.0.exactness;
        !exactness.bound && !exactness.line_start_at_end
    }

    /// What every haystack that the pattern matches has, as far as it is known.
    pub fn needs(&self) -> &Needs {
        &self.0.needs
    }

    /// The memory that the compiled pattern takes, without caches, in bytes; approximate.
    pub fn memory_usage(&self) -> usize {
        let program =
            self.0.program.as_ref().map_or(0, |p| p.insts.len() * size_of::<crate::program::Inst>());
        self.0.automata.memory_usage() + program + self.0.source.len()
    }

    /// Working memory for this pattern.
    pub fn create_cache(&self) -> Cache {
        Cache::default()
    }

    /// Whether the pattern matches somewhere in `haystack`.
    ///
    /// # Errors
    /// Only backtracking patterns reach the step limit.
    pub fn is_match(&self, haystack: &[u8]) -> Result<bool, StepLimit> {
        if let Some(answer) = self.answer_at_once(haystack) {
            return Ok(answer);
        }
        self.is_match_with(&mut self.0.pool.get(), haystack)
    }

    /// [`Pattern::is_match`] with the caller's cache.
    ///
    /// # Errors
    /// As [`Pattern::is_match`].
    ///
    /// # Panics
    /// When the cache was used with another pattern it may.
    pub fn is_match_with(&self, cache: &mut Cache, haystack: &[u8]) -> Result<bool, StepLimit> {
        let Cache { states, scratch } = cache;
        let (mut finder, own) = self.finder(Some(states), scratch);
        self.test(&mut finder, own, haystack)
    }

    /// [`Pattern::is_match`] with a worker's memory for all patterns.
    ///
    /// # Errors
    /// As [`Pattern::is_match`].
    pub fn is_match_in(&self, workspace: &mut Workspace, haystack: &[u8]) -> Result<bool, StepLimit> {
        if let Some(answer) = self.answer_at_once(haystack) {
            return Ok(answer);
        }
        workspace.with(self.0.id, haystack, |states, scratch| {
            let (mut finder, own) = self.finder(states, scratch);
            self.test(&mut finder, own, haystack)
        })
    }

    /// What most patterns say to most haystacks, without any working memory.
    fn answer_at_once(&self, haystack: &[u8]) -> Option<bool> {
        match (self.0.automata.is_match_at_once(haystack)?, &self.0.program) {
            // Where the automaton, an upper bound, finds nothing, nothing is.
            (false, _) => Some(false),
            (true, None) => Some(true),
            (true, Some(_)) => None,
        }
    }

    fn finder<'a>(
        &'a self,
        states: Option<&'a mut automata::Cache>,
        scratch: &'a mut Scratch,
    ) -> (Finder<'a>, &'a mut OwnMatchers) {
        (Finder { automata: &self.0.automata, states, simulation: &mut scratch.simulation }, &mut scratch.own)
    }

    /// Finds the first match and where its groups lie: PCRE's, leftmost and by preference.
    ///
    /// # Errors
    /// Only backtracking patterns reach the step limit.
    pub fn captures(&self, haystack: &[u8], captures: &mut Captures) -> Result<bool, StepLimit> {
        self.captures_at(haystack, 0, captures)
    }

    /// [`Pattern::captures`] with the caller's cache.
    ///
    /// # Errors
    /// As [`Pattern::captures`].
    ///
    /// # Panics
    /// When the cache was made by another pattern it may.
    pub fn captures_with(
        &self,
        cache: &mut Cache,
        haystack: &[u8],
        captures: &mut Captures,
    ) -> Result<bool, StepLimit> {
        self.captures_at_with(cache, haystack, 0, captures)
    }

    /// Finds the first match that begins at `start` or later. What lies before is still seen by `^`, `\b` and
    /// look-behind; `\G` is `start`. A `start` behind the end finds nothing.
    ///
    /// # Errors
    /// Only backtracking patterns reach the step limit.
    pub fn captures_at(
        &self,
        haystack: &[u8],
        start: usize,
        captures: &mut Captures,
    ) -> Result<bool, StepLimit> {
        self.captures_at_with(&mut self.0.pool.get(), haystack, start, captures)
    }

    /// [`Pattern::captures_at`] with the caller's cache.
    ///
    /// # Errors
    /// As [`Pattern::captures_at`].
    ///
    /// # Panics
    /// When the cache was made by another pattern it may.
    pub fn captures_at_with(
        &self,
        cache: &mut Cache,
        haystack: &[u8],
        start: usize,
        captures: &mut Captures,
    ) -> Result<bool, StepLimit> {
        let Cache { states, scratch } = cache;
        let (mut finder, own) = self.finder(Some(states), scratch);
        self.find(&mut finder, own, haystack, start, &mut self.0.budget(haystack), captures)
    }

    /// [`Pattern::captures_at`] with a worker's memory for all patterns.
    ///
    /// # Errors
    /// As [`Pattern::captures_at`].
    pub fn captures_at_in(
        &self,
        workspace: &mut Workspace,
        haystack: &[u8],
        start: usize,
        captures: &mut Captures,
    ) -> Result<bool, StepLimit> {
        workspace.with(self.0.id, haystack, |states, scratch| {
            let (mut finder, own) = self.finder(states, scratch);
            self.find(&mut finder, own, haystack, start, &mut self.0.budget(haystack), captures)
        })
    }

    /// All matches, from left to right, none overlapping another. After an empty match the search goes on one byte
    /// further.
    ///
    /// One budget holds for all of them: the step limit for backtracking patterns, and for the rest the bytes that
    /// were looked at, so that a pattern that looks far ahead for each of many short matches ends with [`StepLimit`]
    /// and not in quadratic time.
    pub fn captures_iter<'p, 'h>(&'p self, haystack: &'h [u8]) -> Matches<'p, 'h> {
        Matches {
            pattern: self,
            haystack,
            at: 0,
            done: false,
            cache: self.create_cache(),
            budget: self.0.budget(haystack),
            scanned: Budget::new(SCANNED_BYTES_MAX.max(EXACT_SLOWER * haystack.len() as u64)),
        }
    }

    fn test(
        &self,
        finder: &mut Finder<'_>,
        scratch: &mut OwnMatchers,
        haystack: &[u8],
    ) -> Result<bool, StepLimit> {
        let inner = &*self.0;
        let program = match (&inner.program, inner.kind) {
            (Some(program), Kind::Linear) => program,
            (Some(program), Kind::Backtracking) => {
                let budget = &mut inner.budget(haystack);
                return inner.backtrack(finder, scratch, program, haystack, 0, budget, &mut []);
            }
            (None, _) => return Ok(finder.is_match(haystack)),
        };
        let doubtful_end = inner.exactness.line_start_at_end && ends_a_line(haystack);
        if !inner.exactness.bound && !doubtful_end {
            return Ok(finder.is_match(haystack));
        }
        let Some(found) = finder.find(haystack, 0) else { return Ok(false) };
        if !inner.exactness.bound && found.end < haystack.len() {
            // Only at the very end is `^` in doubt.
            return Ok(true);
        }
        Ok(pike::search(program, &mut scratch.pike, haystack, found.start, 0, &mut []))
    }

    fn find(
        &self,
        finder: &mut Finder<'_>,
        scratch: &mut OwnMatchers,
        haystack: &[u8],
        start: usize,
        budget: &mut Budget,
        captures: &mut Captures,
    ) -> Result<bool, StepLimit> {
        captures.clear();
        if start > haystack.len() {
            return Ok(false);
        }
        let inner = &*self.0;
        let slots = &mut captures.slots[..(2 * inner.group_count).min(2 * GROUPS_REPORTED)];
        let program = match (&inner.program, inner.kind) {
            (Some(program), Kind::Linear) => program,
            (Some(program), Kind::Backtracking) => {
                return inner.backtrack(finder, scratch, program, haystack, start, budget, slots);
            }
            (None, _) => return Ok(finder.captures(haystack, start, slots)),
        };
        let Exactness { bound, keep, preference, line_start_at_end } = inner.exactness;
        if bound || keep || preference {
            let Some(found) = finder.find(haystack, start) else { return Ok(false) };
            return Ok(pike::search(program, &mut scratch.pike, haystack, found.start, start, slots));
        }
        if !finder.captures(haystack, start, slots) {
            return Ok(false);
        }
        if line_start_at_end && ends_a_line(haystack) && slots[1] == haystack.len() {
            let from = slots[0];
            slots.fill(UNSET);
            return Ok(pike::search(program, &mut scratch.pike, haystack, from, start, slots));
        }
        Ok(true)
    }
}

impl Inner {
    fn budget(&self, haystack: &[u8]) -> Budget {
        let Options { step_limit, steps_per_byte, .. } = self.options;
        Budget::new(step_limit.saturating_add(steps_per_byte.saturating_mul(haystack.len() as u64)))
    }

    /// Searches by backtracking, starting only where the automaton sees a chance.
    #[expect(clippy::too_many_arguments, reason = "all of it is the state of one search")]
    fn backtrack(
        &self,
        finder: &mut Finder<'_>,
        scratch: &mut OwnMatchers,
        program: &Program,
        haystack: &[u8],
        start: usize,
        budget: &mut Budget,
        slots: &mut [usize],
    ) -> Result<bool, StepLimit> {
        let Some(found) = finder.find(haystack, start) else { return Ok(false) };
        let mut at = found.start;
        let scratch = &mut scratch.backtrack;
        if let Some(lead) = &program.lead {
            let Some(rest) = first_start(at, haystack, &lead.first, budget, |at, budget| {
                backtrack::match_at(program, scratch, haystack, (lead.rest, at), start, budget, &mut [])
            })?
            else {
                return Ok(false);
            };
            if slots.is_empty() {
                return Ok(true);
            }
            let run = haystack[start..rest].iter().rev().take_while(|b| lead.set.contains(**b)).count();
            return backtrack::match_at(program, scratch, haystack, (0, rest - run), start, budget, slots);
        }
        let mut attempt = |at, budget: &mut Budget| {
            backtrack::match_at(program, scratch, haystack, (0, at), start, budget, slots)
        };
        // Where matches of the bound are short, finding the next one costs what lies in between, and each candidate is
        // found by the automaton. Where they are not, asking again may scan the rest each time: ask once.
        let Some(length_max) = self.length_max else {
            return Ok(first_start(at, haystack, &program.first, budget, attempt)?.is_some());
        };
        loop {
            if attempt(at, budget)? {
                return Ok(true);
            }
            at += 1;
            if at > haystack.len() {
                return Ok(false);
            }
            let Some(found) = finder.find(haystack, at) else { return Ok(false) };
            budget.charge((found.end - at + length_max) as u64 / SCANNED_BYTES_PER_STEP)?;
            at = found.start;
        }
    }
}

/// The first position from `at` on where `attempt` succeeds, passing over those whose byte is not in `first`.
fn first_start(
    at: usize,
    haystack: &[u8],
    first: &Option<ByteSet>,
    budget: &mut Budget,
    mut attempt: impl FnMut(usize, &mut Budget) -> Result<bool, StepLimit>,
) -> Result<Option<usize>, StepLimit> {
    for at in at..=haystack.len() {
        if let (Some(first), Some(byte)) = (first, haystack.get(at))
            && !first.contains(*byte)
        {
            budget.charge(1)?;
        } else if attempt(at, budget)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// A pattern translated, before an automaton is built.
struct Front {
    hir: Hir,
    exactness: Exactness,
    program: Program,
    kind: Kind,
    group_count: u32,
    names: Vec<(String, u32)>,
}

impl Front {
    fn new(source: &[u8], options: &Options) -> Result<Front, PatternError> {
        let Parsed { node, group_count, names, id_count } = parse(source, options)?;
        let plain = plain_atomics(&node, group_count, id_count)?;
        let node = simplified(node, &plain);
        let program = Program::new(&node, group_count, id_count)?;
        let kind = if pike::is_linear(&program) { Kind::Linear } else { Kind::Backtracking };
        let (hir, exactness) = translate(&node, kind == Kind::Linear);
        Ok(Front { hir, exactness, program, kind, group_count, names })
    }
}

/// What the automaton scans in the time of a step.
const SCANNED_BYTES_PER_STEP: u64 = 8;
/// How much slower a byte is where a matcher of our own checks what the automaton found.
const EXACT_SLOWER: u64 = 16;
/// What the automaton may scan for all matches of one haystack together: about a quarter of a second.
const SCANNED_BYTES_MAX: u64 = 256 << 20;

/// Whether `^` would match at the end of the haystack if it were not for PCRE's exception.
fn ends_a_line(haystack: &[u8]) -> bool {
    haystack.last() == Some(&b'\n')
}

/// The automata with working memory.
struct Finder<'a> {
    automata: &'a Automata,
    states: Option<&'a mut automata::Cache>,
    simulation: &'a mut automata::Scratch,
}

impl Finder<'_> {
    fn is_match(&mut self, haystack: &[u8]) -> bool {
        self.automata.is_match(self.states.as_deref_mut(), self.simulation, haystack)
    }

    fn find(&mut self, haystack: &[u8], start: usize) -> Option<Range<usize>> {
        self.automata.find(self.states.as_deref_mut(), self.simulation, haystack, start)
    }

    fn captures(&mut self, haystack: &[u8], start: usize, slots: &mut [usize]) -> bool {
        let mut found: [Option<NonMaxUsize>; 2 * GROUPS_REPORTED] = [None; 2 * GROUPS_REPORTED];
        let found = &mut found[..slots.len()];
        let states = self.states.as_deref_mut();
        let matched = self.automata.captures(states, self.simulation, haystack, start, found);
        for (slot, value) in slots.iter_mut().zip(found) {
            *slot = value.map_or(UNSET, |v| v.get());
        }
        matched
    }
}

/// All matches of a pattern in a haystack, from [`Pattern::captures_iter`].
pub struct Matches<'p, 'h> {
    pattern: &'p Pattern,
    haystack: &'h [u8],
    at: usize,
    done: bool,
    cache: Cache,
    budget: Budget,
    scanned: Budget,
}

impl Iterator for Matches<'_, '_> {
    type Item = Result<Captures, StepLimit>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let mut captures = Captures::new();
        let pattern = self.pattern;
        let (mut finder, own) = pattern.finder(Some(&mut self.cache.states), &mut self.cache.scratch);
        let found = pattern.find(&mut finder, own, self.haystack, self.at, &mut self.budget, &mut captures);
        match found {
            Ok(true) => {}
            Ok(false) => {
                self.done = true;
                return None;
            }
            Err(limit) => {
                self.done = true;
                return Some(Err(limit));
            }
        }
        let whole = captures.get(0).unwrap_or(self.at..self.at);
        let left = self.haystack.len() - self.at;
        // How far it looked: to the end of the match and no further than another match could reach, or anywhere.
        let looked = match pattern.0.length_max {
            Some(length_max) => left.min((whole.end.saturating_sub(self.at)).saturating_add(length_max)),
            None => left,
        };
        let weight = if pattern.0.program.is_some() { EXACT_SLOWER } else { 1 };
        if let Err(limit) = self.scanned.charge(looked as u64 * weight) {
            self.done = true;
            return Some(Err(limit));
        }
        // `\K` can put the start behind where the search goes on; only the end counts.
        let next = if whole.is_empty() { whole.end + 1 } else { whole.end };
        self.done = next > self.haystack.len();
        self.at = next;
        Some(Ok(captures))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern(\"{}\", {:?})", self.0.source.escape_ascii(), self.0.kind)
    }
}
