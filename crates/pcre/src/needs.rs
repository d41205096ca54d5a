//! What a haystack must hold for a pattern to match it: proofs of "no" that cost next to nothing.
//!
//! What lives here: necessary conditions, drawn from the syntax tree. Each of them holds for every haystack that the
//! pattern matches; none says that it does. What deliberately does not: a way to test many of them at once, which
//! belongs to whoever has many patterns.
//!
//! The one idea: of all sets of strings of which every match must contain one, take the set that ordinary text contains
//! least often, by a model of pairs of symbols ([`crate::symbols`]), and not the longest strings. At each place of the
//! pattern a *window* is opened: the strings that a match can have from there on, a few symbols long. What is optional
//! stands in it both ways; alternatives take the best window of each of them.
//!
//! All work and memory is bounded by named limits, and what goes over one of them is not known.

use std::rc::Rc;

use regex_syntax::hir::{Class, Hir, HirKind};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::bytes::ByteSet;
use crate::symbols::{SYMBOL_OF, SYMBOLS, byte_rate, half_bits, rarity, rarity_after, symbol_of};

/// What every haystack that a pattern matches has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needs {
    /// At least so many bytes.
    pub length_min: usize,
    /// At least one byte of each of these sets, the rarest first; [`GATES_MAX`] at most.
    pub gates: Vec<Gate>,
    /// At least one string of each of these, the rarest first; two at most.
    pub factors: Vec<Factor>,
}

impl Needs {
    /// Whether a haystack has all of them: the definition, not the filter. O(haystack) times the number of strings.
    pub fn are_met_by(&self, haystack: &[u8]) -> bool {
        let present = ByteSet::of(haystack).words();
        haystack.len() >= self.length_min
            && self.gates.iter().all(|gate| gate.iter().zip(present).any(|(a, b)| a & b != 0))
            && self.factors.iter().all(|factor| factor.is_in(haystack))
    }
}

/// How many [`Needs::gates`] there are at most.
pub const GATES_MAX: usize = 3;

/// A set of bytes as four words: byte `b` is bit `b % 64` of word `b / 64`.
pub type Gate = [u64; 4];

/// Strings and bytes of which one has to occur.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Factor {
    grams: Vec<Gram>,
    /// Strings of one byte, kept apart because a set of bytes is told without a scan, and finer than symbols are.
    bytes: ByteSet,
    cost: f32,
}

impl Factor {
    /// The factor of a list of strings of which every match contains one, ASCII case ignored: of each the part that is
    /// rarest. `None` when one of them is empty or there are too many of them.
    pub fn of_strings<'a>(strings: impl IntoIterator<Item = &'a [u8]>) -> Option<Factor> {
        let (mut grams, mut bytes) = (Vec::new(), ByteSet::EMPTY);
        for string in strings {
            if let [byte] = string {
                bytes = bytes.union(&ByteSet::of(&[*byte]).folded());
                continue;
            }
            let best = (0..string.len()).map(|start| cheapest_cut(Gram::of(&string[start..])));
            let (best, _) = best.min_by(|a, b| a.1.total_cmp(&b.1))?;
            grams.push(best);
            if grams.len() > LIST_STRINGS_MAX {
                return None;
            }
        }
        Some(Factor::new(grams, bytes).reduced())
    }

    fn of_bytes(bytes: ByteSet) -> Factor {
        Factor { grams: Vec::new(), bytes, cost: rate_of(&bytes) }
    }

    /// As they are, with strings of one symbol among the bytes.
    fn new(mut grams: Vec<Gram>, mut bytes: ByteSet) -> Factor {
        grams.retain(|gram| {
            if gram.len() == 1 {
                bytes = bytes.union(&BYTES_OF[usize::from(gram.symbol(0))]);
            }
            gram.len() > 1
        });
        let mut factor = Factor { grams, bytes, cost: 0.0 };
        factor.cost = factor.grams.iter().map(|gram| gram.cost()).sum::<f32>() + rate_of(&bytes);
        factor
    }

    /// Without strings that contain another one of them or a byte, which add nothing.
    fn reduced(self) -> Factor {
        let Factor { mut grams, bytes, .. } = self;
        let mut told = 0u64;
        for (symbol, set) in BYTES_OF.iter().enumerate() {
            told |= u64::from(set.union(&bytes) == bytes) << symbol;
        }
        grams.sort_unstable_by_key(|gram| (gram.len(), *gram));
        grams.dedup();
        let mut kept: FxHashSet<Gram> = FxHashSet::default();
        grams.retain(|gram| {
            let redundant = gram.symbols().any(|symbol| told >> symbol & 1 == 1)
                || (2..gram.len()).any(|length| {
                    (0..=gram.len() - length).any(|start| kept.contains(&gram.part(start, length)))
                });
            if !redundant {
                kept.insert(*gram);
            }
            !redundant
        });
        let mut factor = Factor::new(grams, bytes);
        factor.grams.shrink_to_fit();
        factor
    }

    /// The strings, of two symbols and more.
    pub fn grams(&self) -> &[Gram] {
        &self.grams
    }

    /// The single bytes.
    pub fn bytes(&self) -> Gate {
        self.bytes.words()
    }

    /// How many of them a byte of ordinary text brings, by estimate: 0.001 is about one in forty short values.
    pub fn rate(&self) -> f32 {
        self.grams.iter().map(|gram| half_bits(gram.bits())).sum::<f32>() + rate_of(&self.bytes)
    }

    /// Whether one of them is in a haystack: the definition, not the filter.
    pub fn is_in(&self, haystack: &[u8]) -> bool {
        let symbols: Vec<u8> = haystack.iter().map(|byte| SYMBOL_OF[usize::from(*byte)]).collect();
        haystack.iter().any(|byte| self.bytes.contains(*byte))
            || self.grams.iter().any(|gram| {
                let gram: Vec<u8> = gram.symbols().collect();
                symbols.windows(gram.len()).any(|window| window == gram)
            })
    }
}

fn rate_of(bytes: &ByteSet) -> f32 {
    bytes.iter().map(byte_rate).sum()
}

/// The bytes of each symbol.
static BYTES_OF: [ByteSet; SYMBOLS] = {
    let mut words = [[0u64; 4]; SYMBOLS];
    let mut byte = 0;
    while byte < 256 {
        words[symbol_of(byte as u8) as usize][byte / 64] |= 1 << (byte % 64);
        byte += 1;
    }
    let mut sets = [ByteSet::EMPTY; SYMBOLS];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        sets[symbol] = ByteSet::from_words(words[symbol]);
        symbol += 1;
    }
    sets
};

/// A string of one to `GRAM_MAX` symbols.
///
/// Its first symbol stands in the highest six bits, the next one below it and so on, the length in the lowest four:
/// sorted as numbers, grams are sorted as strings, and stay so when they are cut.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gram(u64);

impl Gram {
    const EMPTY: Gram = Gram(0);

    fn of(bytes: &[u8]) -> Gram {
        bytes.iter().take(GRAM_MAX).fold(Gram::EMPTY, |gram, byte| gram.push(SYMBOL_OF[usize::from(*byte)]))
    }

    /// How many symbols it has.
    #[expect(clippy::len_without_is_empty, reason = "none that is given out is empty")]
    pub fn len(self) -> usize {
        self.0 as usize & 15
    }

    /// Its symbols, see [`SYMBOL_OF`].
    pub fn symbols(self) -> impl Iterator<Item = u8> {
        (0..self.len()).map(move |at| self.symbol(at))
    }

    fn symbol(self, at: usize) -> u8 {
        (self.0 >> (58 - 6 * at)) as u8 & 63
    }

    /// One symbol more; the caller sees to it that there is room.
    fn push(self, symbol: u8) -> Gram {
        Gram((self.0 | u64::from(symbol) << (58 - 6 * self.len())) + 1)
    }

    fn first(self, length: usize) -> Gram {
        if length >= self.len() { self } else { Gram(self.0 & !(u64::MAX >> (6 * length)) | length as u64) }
    }

    fn part(self, start: usize, length: usize) -> Gram {
        Gram((self.0 & !15) << (6 * start) | (self.len() - start) as u64).first(length)
    }

    /// Both together, cut to `limit`.
    fn join(self, other: Gram, limit: usize) -> Gram {
        let other = other.first(limit.saturating_sub(self.len()));
        Gram(self.0 & !15 | (other.0 & !15) >> (6 * self.len()) | (self.len() + other.len()) as u64)
    }

    /// How rare it is, in half bits.
    fn bits(self) -> u32 {
        if self.len() == 0 {
            return 0;
        }
        let pairs = (1..self.len()).map(|at| rarity_after(self.symbol(at - 1), self.symbol(at)));
        rarity(self.symbol(0)) + pairs.sum::<u32>()
    }

    fn cost(self) -> f32 {
        cost_of(self.bits(), self.len())
    }
}

impl std::fmt::Debug for Gram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let byte_of =
            |symbol| match (0..=255u8).find(|b| SYMBOL_OF[usize::from(*b) % 256] == symbol && *b >= 32) {
                Some(byte) if byte.is_ascii_uppercase() => byte.to_ascii_lowercase(),
                Some(byte) => byte,
                None => 0,
            };
        let bytes: Vec<u8> = self.symbols().map(byte_of).collect();
        write!(f, "\"{}\"", bytes.escape_ascii())
    }
}

/// The longest gram. Six symbols of any text but repetitions are rare enough, and a window that is longer costs states.
const GRAM_MAX: usize = 6;
/// What a string costs beside its being found, as if found once in so many bytes: room in the filter's tables.
const GRAM_COST: f32 = 4e-7;
/// And each of its symbols.
const SYMBOL_COST: f32 = 2e-7;
/// Strings that a window may hold.
const WINDOW_STRINGS_MAX: usize = 768;
/// Strings of a factor that was put together from alternatives.
const FACTOR_STRINGS_MAX: usize = 6_000;
/// Strings of a list that somebody gave.
const LIST_STRINGS_MAX: usize = 20_000;
/// Places of a literal at which windows are opened.
const LITERAL_PLACES_MAX: usize = 24;
/// A factor that costs so little is taken without a look at others: half of it is its room in tables.
const COST_GOOD_ENOUGH: f32 = 2.5e-6;
/// A window is drawn on while what is open in it costs more than this part of what is done.
const OPEN_PART_MIN: f32 = 0.03;
/// And more than this: three in a million bytes.
const COST_SMALL: f32 = 3e-6;
/// A class of more symbols ends a window.
const CLASS_SYMBOLS_MAX: usize = 34;
/// Candidates kept of a concatenation: the cheapest ones.
const CANDIDATES_MAX: usize = 10;
/// Joined strings and visited nodes for one pattern. CRS's largest pattern takes a tenth of it.
const WORK_MAX: u64 = 1_000_000;
/// A rate above which a factor is of no use: it is in every other short value.
const RATE_MAX: f32 = 0.03;
/// The length of a value that is called short, for the estimates of byte sets.
const SHORT_BYTES: f32 = 24.0;
/// A byte set that more than this part of short values has is of no use.
const GATE_RATE_MAX: f32 = 0.9;

/// What must be in each match of `hir`.
pub(crate) fn needs(hir: &Hir) -> Needs {
    let mut extractor = Extractor { work_left: WORK_MAX, ..Extractor::default() };
    let found = extractor.best(hir, None);
    let factors = [found.first, found.second]
        .into_iter()
        .flatten()
        .map(Factor::reduced)
        .filter(|f| f.rate() < RATE_MAX)
        .collect();
    let gates = extractor.gates(hir).into_iter().map(|gate| gate.set.words()).collect();
    Needs { length_min: hir.properties().minimum_len().unwrap_or(0), gates, factors }
}

#[derive(Default)]
struct Extractor {
    work_left: u64,
    /// By place in memory: windows from many places run through the same nodes.
    leads: FxHashMap<usize, Rc<[Lead]>>,
}

/// What follows a node within the pattern.
#[derive(Clone, Copy)]
struct Rest<'a> {
    parts: &'a [Hir],
    next: Option<&'a Rest<'a>>,
}

/// The factors of a node, the second one from another part of it than the first.
#[derive(Default)]
struct Found {
    first: Option<Factor>,
    second: Option<Factor>,
}

/// A factor of a concatenation and the parts that it comes from.
struct Candidate {
    from: usize,
    to: usize,
    /// It was found inside a part and is the part's first or second factor.
    place: Option<u8>,
    factor: Factor,
}

/// A string that a match can have at some place, and whether all of what was looked at is in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Lead {
    gram: Gram,
    whole: bool,
    /// [`Gram::bits`].
    bits: u16,
}

impl Lead {
    fn new(gram: Gram, whole: bool) -> Lead {
        Lead { gram, whole, bits: gram.bits() as u16 }
    }

    fn cost(self) -> f32 {
        cost_of(u32::from(self.bits), self.gram.len())
    }

    /// Both together, cut to [`GRAM_MAX`].
    fn join(self, next: Lead) -> Lead {
        let gram = self.gram.join(next.gram, GRAM_MAX);
        let (length, added) = (self.gram.len(), next.gram.len());
        if length == 0 || added == 0 {
            return Lead { gram, whole: next.whole, bits: self.bits.max(next.bits) };
        }
        if length + added > GRAM_MAX {
            return Lead::new(gram, false);
        }
        let seam = rarity_after(gram.symbol(length - 1), gram.symbol(length)) as u16;
        let bits = self.bits + seam + next.bits - rarity(gram.symbol(length)) as u16;
        Lead { gram, whole: next.whole, bits }
    }
}

impl Extractor {
    fn charge(&mut self, work: usize) -> bool {
        self.work_left = self.work_left.saturating_sub(work as u64);
        self.work_left > 0
    }

    fn best<'a>(&mut self, hir: &'a Hir, rest: Option<&'a Rest<'a>>) -> Found {
        match hir.kind() {
            HirKind::Concat(parts) => self.best_of_parts(parts, rest),
            HirKind::Capture(capture) => self.best(&capture.sub, rest),
            HirKind::Alternation(branches) => self.best_of_branches(branches, rest),
            _ => self.best_of_parts(std::slice::from_ref(hir), rest),
        }
    }

    fn best_of_branches<'a>(&mut self, branches: &'a [Hir], rest: Option<&'a Rest<'a>>) -> Found {
        let (mut first, mut second) = (Union::default(), Union::default());
        let mut has_second = false;
        for branch in branches {
            let found = self.best(branch, rest);
            let Some(factor) = found.first else { return Found::default() };
            has_second |= found.second.is_some();
            second.add(found.second.as_ref().unwrap_or(&factor));
            first.add(&factor);
            if first.grams.len() > FACTOR_STRINGS_MAX || second.grams.len() > FACTOR_STRINGS_MAX {
                return Found::default();
            }
        }
        Found { first: Some(first.factor()), second: has_second.then(|| second.factor()) }
    }

    fn best_of_parts<'a>(&mut self, parts: &'a [Hir], rest: Option<&'a Rest<'a>>) -> Found {
        let mut candidates = Candidates::default();
        for (at, part) in parts.iter().enumerate() {
            if !self.charge(1) || candidates.are_good_enough() {
                break;
            }
            let tail = Rest { parts: &parts[at + 1..], next: rest };
            match part.kind() {
                HirKind::Empty | HirKind::Look(_) => {}
                HirKind::Literal(literal) => {
                    let rarest = literal.0.iter().min_by(|a, b| byte_rate(**a).total_cmp(&byte_rate(**b)));
                    let bytes = rarest.map(|byte| Factor::of_bytes(ByteSet::of(&[*byte])));
                    candidates.offer(at, bytes.map(|factor| (0, factor)));
                    for start in 0..literal.0.len().min(LITERAL_PLACES_MAX) {
                        if candidates.are_good_enough() {
                            break;
                        }
                        let gram = Gram::of(&literal.0[start..]);
                        let whole = literal.0.len() - start <= GRAM_MAX;
                        let limit = candidates.cost_limit();
                        candidates.offer(at, self.window(&[Lead::new(gram, whole)], &tail, limit));
                    }
                }
                HirKind::Class(class) => {
                    candidates.offer(at, set_of(class).map(|set| (0, Factor::of_bytes(set))));
                    let leads = self.leads(part);
                    let limit = candidates.cost_limit();
                    candidates.offer(at, self.window(&leads, &tail, limit));
                }
                HirKind::Repetition(repetition) if repetition.min > 0 => {
                    let once = repetition.min == 1 && repetition.max == Some(1);
                    let found = self.best(&repetition.sub, if once { Some(&tail) } else { None });
                    candidates.offer_found(at, found);
                    let leads = self.leads(part);
                    let limit = candidates.cost_limit();
                    candidates.offer(at, self.window(&leads, &tail, limit));
                }
                HirKind::Repetition(_) => {}
                HirKind::Capture(_) | HirKind::Concat(_) | HirKind::Alternation(_) => {
                    let found = self.best(part, Some(&tail));
                    candidates.offer_found(at, found);
                }
            }
        }
        candidates.choose()
    }

    /// Draws `leads` out into what follows and cuts them to the length that pays best; with the number of parts that it
    /// reaches into. Nothing when it costs `cost_limit` or more.
    fn window(&mut self, leads: &[Lead], tail: &Rest<'_>, cost_limit: f32) -> Option<(usize, Factor)> {
        let (mut open, mut done) = (Vec::new(), Vec::new());
        let mut done_cost = 0.0;
        sort_out(leads.iter().copied(), &mut open, &mut done, &mut done_cost);
        let mut reach = 0;
        let mut rest = Some(tail);
        'drawing: while let Some(now) = rest {
            for part in now.parts {
                let open_cost: f32 = open.iter().map(|lead: &Lead| lead.cost()).sum();
                // What is done stays; what is open gets rarer only.
                if done_cost >= cost_limit
                    || open_cost <= done_cost * OPEN_PART_MIN
                    || open_cost <= COST_SMALL
                {
                    break 'drawing;
                }
                let next = self.leads(part);
                let room = GRAM_MAX - open.iter().map(|lead| lead.gram.len()).min()?;
                // Shorter ones are fewer.
                let mut length = room;
                let mut next = next;
                while done.len() + open.len() * next.len() > WINDOW_STRINGS_MAX {
                    if length <= 1 {
                        break 'drawing;
                    }
                    length /= 2;
                    let mut shorter = next.to_vec();
                    cut(&mut shorter, length);
                    next = shorter.into();
                }
                if !self.charge(open.len() * next.len()) {
                    return None;
                }
                let before = std::mem::take(&mut open);
                let joined = before.iter().flat_map(|lead| next.iter().map(|next| lead.join(*next)));
                sort_out(joined, &mut open, &mut done, &mut done_cost);
                reach += 1;
            }
            rest = now.next;
        }
        done.extend(open.iter().map(|lead| lead.gram));
        if done.iter().any(|gram| gram.len() == 0) || !self.charge(done.len()) {
            return None;
        }
        if let [gram] = done[..] {
            let (gram, cost) = cheapest_cut(gram);
            return (cost < cost_limit).then(|| (reach, Factor::new(vec![gram], ByteSet::EMPTY)));
        }
        // Cut, strings get fewer but not rarer.
        let open_cost: f32 = open.iter().map(|lead| lead.cost()).sum();
        if done_cost + open_cost > 2.0 * cost_limit {
            return None;
        }
        done.sort_unstable();
        let (length, cost) = best_length(&done)?;
        (cost < cost_limit).then(|| {
            let mut grams: Vec<Gram> = done.iter().map(|gram| gram.first(length)).collect();
            grams.dedup();
            (reach, Factor::new(grams, ByteSet::EMPTY))
        })
    }

    /// The strings that a match of `hir` can begin with, at most [`GRAM_MAX`] symbols of them, sorted.
    fn leads(&mut self, hir: &Hir) -> Rc<[Lead]> {
        let key = std::ptr::from_ref(hir).addr();
        if let Some(leads) = self.leads.get(&key) {
            return leads.clone();
        }
        let mut leads = self.find_leads(hir);
        leads.sort_unstable();
        leads.dedup();
        self.charge(leads.len());
        let leads: Rc<[Lead]> = leads.into();
        self.leads.insert(key, leads.clone());
        leads
    }

    fn find_leads(&mut self, hir: &Hir) -> Vec<Lead> {
        let unknown = || vec![Lead::new(Gram::EMPTY, false)];
        let empty = || vec![Lead::new(Gram::EMPTY, true)];
        if !self.charge(1) {
            return unknown();
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => empty(),
            HirKind::Literal(literal) => {
                vec![Lead::new(Gram::of(&literal.0), literal.0.len() <= GRAM_MAX)]
            }
            HirKind::Class(class) => {
                let Some(set) = set_of(class) else { return unknown() };
                let mut symbols = 0u64;
                set.iter().for_each(|byte| symbols |= 1 << SYMBOL_OF[usize::from(byte)]);
                if symbols.count_ones() as usize > CLASS_SYMBOLS_MAX {
                    return unknown();
                }
                (0..64)
                    .filter(|symbol| symbols >> symbol & 1 == 1)
                    .map(|symbol| Lead::new(Gram::EMPTY.push(symbol), true))
                    .collect()
            }
            HirKind::Repetition(repetition) => {
                let body = self.leads(&repetition.sub).to_vec();
                let mut leads = empty();
                for _ in 0..repetition.min.min(GRAM_MAX as u32) {
                    if !self.charge(leads.len() * body.len()) || leads.len() * body.len() > WINDOW_STRINGS_MAX
                    {
                        leads.iter_mut().for_each(|lead| lead.whole = false);
                        return leads;
                    }
                    leads = joined(leads, &body);
                }
                match repetition.max {
                    Some(max) if max == repetition.min => leads,
                    // `x?`
                    Some(max) if max == repetition.min + 1 => {
                        let mut optional = body;
                        optional.extend(empty());
                        joined(leads, &optional)
                    }
                    _ => {
                        let mut optional = body;
                        optional.iter_mut().for_each(|lead| lead.whole = false);
                        optional.extend(empty());
                        joined(leads, &optional)
                    }
                }
            }
            HirKind::Capture(capture) => self.leads(&capture.sub).to_vec(),
            HirKind::Concat(parts) => {
                let mut leads = empty();
                for part in parts {
                    if !leads.iter().any(|lead| lead.whole && lead.gram.len() < GRAM_MAX) {
                        break;
                    }
                    let next = self.leads(part);
                    if !self.charge(leads.len() * next.len()) {
                        return unknown();
                    }
                    leads = joined(leads, &next);
                }
                leads
            }
            HirKind::Alternation(branches) => {
                let mut leads = Vec::new();
                for branch in branches {
                    leads.extend_from_slice(&self.leads(branch));
                }
                let mut length = GRAM_MAX;
                leads.sort_unstable();
                leads.dedup();
                while leads.len() > WINDOW_STRINGS_MAX && length > 1 {
                    length /= 2;
                    cut(&mut leads, length);
                }
                leads
            }
        }
    }

    /// Byte sets of which each match has a member, the rarest first.
    fn gates(&mut self, hir: &Hir) -> Vec<RatedGate> {
        if !self.charge(1) {
            return Vec::new();
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Vec::new(),
            HirKind::Literal(literal) => {
                rarest(literal.0.iter().map(|byte| RatedGate::new(ByteSet::of(&[*byte]))).collect())
            }
            HirKind::Class(class) => rarest(set_of(class).map(RatedGate::new).into_iter().collect()),
            HirKind::Repetition(repetition) if repetition.min > 0 => self.gates(&repetition.sub),
            HirKind::Repetition(_) => Vec::new(),
            HirKind::Capture(capture) => self.gates(&capture.sub),
            HirKind::Concat(parts) => {
                let mut gates = Vec::new();
                for part in parts {
                    gates.extend(self.gates(part));
                    gates = rarest(gates);
                }
                gates
            }
            HirKind::Alternation(branches) => {
                let mut all: Option<Vec<ByteSet>> = None;
                for branch in branches {
                    let gates = self.gates(branch);
                    let Some(last) = gates.last() else { return Vec::new() };
                    let gate = |at: usize| gates.get(at).unwrap_or(last).set;
                    all = Some(match all {
                        None => (0..GATES_MAX).map(gate).collect(),
                        Some(sets) => sets.iter().enumerate().map(|(at, set)| set.union(&gate(at))).collect(),
                    });
                }
                rarest(all.unwrap_or_default().into_iter().map(RatedGate::new).collect())
            }
        }
    }
}

/// The factors of alternatives together.
#[derive(Default)]
struct Union {
    grams: Vec<Gram>,
    bytes: ByteSet,
}

impl Union {
    fn add(&mut self, factor: &Factor) {
        self.grams.extend_from_slice(&factor.grams);
        self.bytes = self.bytes.union(&factor.bytes);
    }

    fn factor(mut self) -> Factor {
        self.grams.sort_unstable();
        self.grams.dedup();
        Factor::new(self.grams, self.bytes)
    }
}

#[derive(Default)]
struct Candidates(Vec<Candidate>);

impl Candidates {
    fn offer(&mut self, at: usize, window: Option<(usize, Factor)>) {
        if let Some((reach, factor)) = window {
            self.push(Candidate { from: at, to: at + reach, place: None, factor });
        }
    }

    fn offer_found(&mut self, at: usize, found: Found) {
        for (place, factor) in [found.first, found.second].into_iter().enumerate() {
            if let Some(factor) = factor {
                self.push(Candidate { from: at, to: at, place: Some(place as u8), factor });
            }
        }
    }

    /// Nothing that may still be found would be worth looking for.
    fn are_good_enough(&self) -> bool {
        self.0.first().is_some_and(|best| best.factor.cost < COST_GOOD_ENOUGH)
    }

    /// What a candidate must stay below to be kept.
    fn cost_limit(&self) -> f32 {
        self.0.get(CANDIDATES_MAX - 1).map_or(f32::INFINITY, |worst| worst.factor.cost)
    }

    fn push(&mut self, candidate: Candidate) {
        let place = self.0.partition_point(|other| other.factor.cost <= candidate.factor.cost);
        if place < CANDIDATES_MAX {
            self.0.truncate(CANDIDATES_MAX - 1);
            self.0.insert(place, candidate);
        }
    }

    /// The cheapest, and of those from other parts the cheapest again.
    fn choose(self) -> Found {
        let mut candidates = self.0.into_iter();
        let Some(first) = candidates.next() else { return Found::default() };
        let second = candidates
            .find(|other| {
                let of_one_part = other.from == first.from && other.place.is_some() && first.place.is_some();
                other.to < first.from || other.from > first.to || of_one_part
            })
            .filter(|other| other.factor != first.factor);
        Found { first: Some(first.factor), second: second.map(|second| second.factor) }
    }
}

fn cut(leads: &mut Vec<Lead>, length: usize) {
    for lead in leads.iter_mut().filter(|lead| lead.gram.len() > length) {
        *lead = Lead::new(lead.gram.first(length), false);
    }
    leads.sort_unstable();
    leads.dedup();
}

/// Leads that more can be joined to, apart from the rest and its cost.
fn sort_out(
    leads: impl Iterator<Item = Lead>,
    open: &mut Vec<Lead>,
    done: &mut Vec<Gram>,
    done_cost: &mut f32,
) {
    for lead in leads {
        if lead.whole && lead.gram.len() < GRAM_MAX {
            open.push(lead);
        } else {
            *done_cost += lead.cost();
            done.push(lead.gram);
        }
    }
}

/// All of `leads`, the whole ones followed by each of `next`; unless that gets too many: then what `next` would add is
/// not known.
fn joined(mut leads: Vec<Lead>, next: &[Lead]) -> Vec<Lead> {
    let empty = [Lead::new(Gram::EMPTY, true)];
    if *next == empty {
        return leads;
    }
    if *leads == empty {
        return next.to_vec();
    }
    if leads.len() * next.len() > WINDOW_STRINGS_MAX {
        leads.iter_mut().for_each(|lead| lead.whole = false);
        return leads;
    }
    let mut joined = Vec::with_capacity(leads.len() + next.len());
    for lead in leads {
        if lead.whole {
            joined.extend(next.iter().map(|next| lead.join(*next)));
        } else {
            joined.push(lead);
        }
    }
    joined.sort_unstable();
    joined.dedup();
    joined
}

/// A gram cut to the length that costs least, and that cost.
fn cheapest_cut(gram: Gram) -> (Gram, f32) {
    let mut bits = rarity(gram.symbol(0));
    let mut best = (1, cost_of(bits, 1));
    for length in 2..=gram.len() {
        bits += rarity_after(gram.symbol(length - 2), gram.symbol(length - 1));
        if cost_of(bits, length) < best.1 {
            best = (length, cost_of(bits, length));
        }
    }
    (gram.first(best.0), best.1)
}

/// What a gram costs that is as rare as `bits` half bits say.
fn cost_of(bits: u32, length: usize) -> f32 {
    half_bits(bits) + GRAM_COST + SYMBOL_COST * length as f32
}

/// The length to cut sorted grams to, so that they cost least, and that cost.
fn best_length(grams: &[Gram]) -> Option<(usize, f32)> {
    let mut costs = [0.0; GRAM_MAX];
    let mut before = Gram::EMPTY;
    for &gram in grams {
        if gram == before {
            continue;
        }
        // Cut to what they share, it is the one before.
        let shared = ((gram.0 ^ before.0).leading_zeros() as usize / 6).min(before.len()).min(gram.len());
        let mut bits = rarity(gram.symbol(0));
        if shared == 0 {
            costs[0] += cost_of(bits, 1);
        }
        for length in 2..=gram.len() {
            bits += rarity_after(gram.symbol(length - 2), gram.symbol(length - 1));
            if length > shared {
                costs[length - 1] += cost_of(bits, length);
            }
        }
        let whole = cost_of(bits, gram.len());
        costs[gram.len()..].iter_mut().for_each(|cost| *cost += whole);
        before = gram;
    }
    let lengths = costs.into_iter().enumerate().map(|(at, cost)| (at + 1, cost));
    lengths.min_by(|a, b| a.1.total_cmp(&b.1))
}

#[derive(Clone, Copy)]
struct RatedGate {
    set: ByteSet,
    rate: f32,
}

impl RatedGate {
    fn new(set: ByteSet) -> RatedGate {
        RatedGate { set, rate: SHORT_BYTES * set.iter().map(byte_rate).sum::<f32>() }
    }
}

/// The rarest, none of them a part of another one.
fn rarest(mut gates: Vec<RatedGate>) -> Vec<RatedGate> {
    gates.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let mut kept: Vec<RatedGate> = Vec::with_capacity(GATES_MAX);
    for gate in gates {
        let useful = gate.rate < GATE_RATE_MAX && !kept.iter().any(|k| k.set.union(&gate.set) == gate.set);
        if useful && kept.len() < GATES_MAX {
            kept.push(gate);
        }
    }
    kept
}

/// The bytes of a class; `None` when it has a character that takes several of them.
pub(crate) fn set_of(class: &Class) -> Option<ByteSet> {
    let mut set = ByteSet::EMPTY;
    match class {
        Class::Bytes(class) => {
            class.ranges().iter().for_each(|range| set.insert_range(range.start(), range.end()));
        }
        Class::Unicode(class) => {
            for range in class.ranges() {
                let end = u8::try_from(range.end()).ok().filter(u8::is_ascii)?;
                set.insert_range(range.start() as u8, end);
            }
        }
    }
    Some(set)
}
