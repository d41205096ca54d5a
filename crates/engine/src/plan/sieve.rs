//! Many operators' needs tested at once: one pass over a value, and what is left are the operators worth asking.
//!
//! ```text
//!  bytes that occur ──> operators by their rarest byte set ─┐
//!  value ──automaton──> operators by first and second string ┴─> AND what was asked ──> lengths, other sets ──> left
//! ```
//!
//! The automaton is Aho and Corasick's over the symbols of `palisade-pcre`, all of it built at load: one look-up a byte
//! whatever the bytes are, so a hostile value costs at most what the strings it holds bring, and that is bounded by the
//! number of operators for each byte. It is one for all operators. Which of them are asked about a value comes in as
//! a mask, so groups of operators share it.
//!
//! **Invariant:** what is left are exactly the asked slots whose [`Needs`] the value meets; tests hold it against the
//! definition.

use std::collections::VecDeque;

use palisade_codec::ByteSet;
use palisade_pcre::{SYMBOL_OF, SYMBOLS};
use rustc_hash::FxHashMap;

use super::needs::Needs;

/// A filter over the needs of numbered slots.
pub struct Sieve {
    slots: Vec<Slot>,
    /// Words of a slot mask.
    words: usize,
    /// Slots without a string: a byte set or nothing has to let them in.
    stringless: Box<[u64]>,
    /// Slots that have no second string: they are as if it had been seen.
    single: Box<[u64]>,
    /// Slots with nothing but lengths.
    free: Box<[u64]>,
    /// Bytes of the first set of some slot without a string.
    telling: ByteSet,
    /// For each byte its row in `telling_slots`.
    telling_rows: Box<[u16; 256]>,
    /// Rows of `words` words: slots that the byte lets in.
    telling_slots: Vec<u64>,
    /// The state that follows, by state and symbol.
    next: Box<[u16; NEXT_SIZE]>,
    states: usize,
    /// States from here on say something.
    first_output: u16,
    /// Where in `marks` the marks of an output state begin; they end where the next ones begin.
    outputs: Vec<u32>,
    marks: Vec<Mark>,
    longest_string: usize,
}

/// Bits to set in the seen slots: `words` words of first strings, then as many of second ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Mark {
    word: u32,
    bits: u64,
}

/// What is tested of a slot once its strings were seen.
struct Slot {
    never: bool,
    length_min: u32,
    length_max: u32,
    gates: Box<[ByteSet]>,
}

/// Room for what a scan has seen; kept by whoever scans.
#[derive(Debug, Default)]
pub struct Seen(Vec<u64>);

/// States of the automaton, what 16 bits tell apart.
const STATES_MAX: usize = 1 << 16;
const SYMBOL_BITS: u32 = 6;
/// Address space, not memory: what no state uses is never touched.
const NEXT_SIZE: usize = STATES_MAX << SYMBOL_BITS;

impl Sieve {
    /// Slot `n` is the `n`th of `needs`. Strings beyond the room for states are left out, and their slots have to be
    /// let in by the rest of their needs.
    pub fn new<'a>(needs: impl IntoIterator<Item = &'a Needs>) -> Sieve {
        let needs: Vec<&Needs> = needs.into_iter().collect();
        let words = needs.len().div_ceil(64);
        let mut builder = Builder::new(words);
        let mut stringless = vec![0; words];
        let mut single = vec![0; words];
        let mut free = vec![0; words];
        // Where there is too little room, what tells most comes first.
        let mut order: Vec<usize> = (0..needs.len()).collect();
        order.sort_by_key(|slot| needs[*slot].factors.iter().map(|f| f.grams().len()).sum::<usize>());
        let mut has = vec![[false; 2]; needs.len()];
        for place in 0..2 {
            for &slot in &order {
                // A second string says nothing where there was no room for the first: nothing would look for it.
                let wanted = place == 0 || has[slot][0];
                if let Some(factor) = needs[slot].factors.get(place).filter(|_| wanted) {
                    has[slot][place] = builder.add(factor, place * words * 64 + slot);
                }
            }
        }
        let mut telling = ByteSet::EMPTY;
        let mut by_byte = vec![0; 256 * words];
        for (slot, needs) in needs.iter().enumerate() {
            let (word, bit) = (slot / 64, 1 << (slot % 64));
            if !has[slot][1] {
                single[word] |= bit;
            }
            if has[slot][0] {
                continue;
            }
            stringless[word] |= bit;
            match needs.gates.first() {
                Some(gate) => {
                    telling = telling.union(*gate);
                    gate.iter().for_each(|byte| by_byte[usize::from(byte) * words + word] |= bit);
                }
                None => free[word] |= bit,
            }
        }
        let mut telling_rows = Box::new([0u16; 256]);
        let mut telling_slots = Vec::new();
        let mut known: FxHashMap<Vec<u64>, u16> = FxHashMap::default();
        for byte in telling.iter() {
            let row = &by_byte[usize::from(byte) * words..][..words];
            let rows = known.len() as u16;
            telling_rows[usize::from(byte)] = *known.entry(row.to_vec()).or_insert_with(|| {
                telling_slots.extend_from_slice(row);
                rows
            });
        }
        let slots = needs.iter().map(|needs| Slot::new(needs)).collect();
        let Automaton { next, states, first_output, outputs, marks, longest_string } = builder.finish();
        Sieve {
            slots,
            words,
            stringless: stringless.into(),
            single: single.into(),
            free: free.into(),
            telling,
            telling_rows,
            telling_slots,
            next,
            states,
            first_output,
            outputs,
            marks,
            longest_string,
        }
    }

    /// Words of a slot mask: slot `n` is bit `n % 64` of word `n / 64`.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Leaves in `asked` those slots whose needs `value` meets. `present` is the set of its bytes.
    ///
    /// O(value), and for each string found as many operations as there are words in the slots that have it.
    ///
    /// # Panics
    /// When `asked` has not [`Sieve::words`] words.
    pub fn sift(&self, value: &[u8], present: &ByteSet, asked: &mut [u64], seen: &mut Seen) {
        let words = self.words;
        assert_eq!(asked.len(), words, "the mask is one of this sieve");
        seen.0.clear();
        seen.0.extend_from_slice(&self.free);
        seen.0.extend_from_slice(&self.single);
        let telling = self.telling.intersection(*present);
        if !telling.is_empty() {
            for byte in telling.iter() {
                let row = usize::from(self.telling_rows[usize::from(byte)]) * words;
                let row = &self.telling_slots[row..row + words];
                seen.0.iter_mut().zip(row).for_each(|(seen, row)| *seen |= row);
            }
        }
        let wants_strings = asked
            .iter()
            .zip(&self.stringless)
            .fold(0, |wants, (asked, stringless)| wants | asked & !stringless);
        if wants_strings != 0 {
            self.scan(value, &mut seen.0);
        }
        let (first, second) = seen.0.split_at(words);
        for (word, asked) in asked.iter_mut().enumerate() {
            *asked &= first[word] & second[word];
            let mut left = *asked;
            while left != 0 {
                let bit = left & left.wrapping_neg();
                let slot = &self.slots[word * 64 + left.trailing_zeros() as usize];
                left ^= bit;
                if !slot.lets_in(value.len(), present) {
                    *asked ^= bit;
                }
            }
        }
    }

    fn scan(&self, value: &[u8], seen: &mut [u64]) {
        let first_output = self.first_output;
        let mut state = 0u16;
        for byte in value {
            let symbol = SYMBOL_OF[usize::from(*byte)] & ((1 << SYMBOL_BITS) - 1);
            state = self.next[usize::from(state) << SYMBOL_BITS | usize::from(symbol)];
            if state >= first_output {
                self.mark(state, seen);
            }
        }
    }

    #[inline(never)]
    fn mark(&self, state: u16, seen: &mut [u64]) {
        let output = usize::from(state - self.first_output);
        let marks = self.outputs[output] as usize..self.outputs[output + 1] as usize;
        for mark in &self.marks[marks] {
            seen[mark.word as usize] |= mark.bits;
        }
    }

    /// The memory it takes, in bytes, without what is only address space.
    pub fn memory_usage(&self) -> usize {
        (self.states << SYMBOL_BITS) * size_of::<u16>()
            + self.outputs.len() * size_of::<u32>()
            + self.marks.len() * size_of::<Mark>()
            + self.telling_slots.len() * size_of::<u64>()
            + self.slots.iter().map(|slot| size_of::<Slot>() + size_of_val(&*slot.gates)).sum::<usize>()
    }

    /// How many states the automaton has.
    pub fn states(&self) -> usize {
        self.states
    }
}

impl std::fmt::Debug for Sieve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sieve")
            .field("slots", &self.slots.len())
            .field("states", &self.states)
            .field("longest_string", &self.longest_string)
            .finish_non_exhaustive()
    }
}

impl Slot {
    fn new(needs: &Needs) -> Slot {
        let clamp = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Slot {
            never: needs.never,
            length_min: clamp(needs.length_min),
            length_max: needs.length_max.map_or(u32::MAX, clamp),
            gates: needs.gates.clone().into(),
        }
    }

    fn lets_in(&self, length: usize, present: &ByteSet) -> bool {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        !self.never
            && length >= self.length_min
            && length <= self.length_max
            && self.gates.iter().all(|gate| gate.intersects(present))
    }
}

/// Strings on their way to an automaton: a tree of them.
struct Builder {
    words: usize,
    /// Children by symbol; 0 is none.
    tree: Vec<[u16; 1 << SYMBOL_BITS]>,
    /// Positions in the seen words, by state.
    ends: FxHashMap<u16, Vec<u32>>,
    longest_string: usize,
}

struct Automaton {
    next: Box<[u16; NEXT_SIZE]>,
    states: usize,
    first_output: u16,
    outputs: Vec<u32>,
    marks: Vec<Mark>,
    longest_string: usize,
}

impl Builder {
    fn new(words: usize) -> Builder {
        Builder { words, tree: vec![[0; 1 << SYMBOL_BITS]], ends: FxHashMap::default(), longest_string: 0 }
    }

    /// Adds the strings of a factor as those of position `place`; false when there is no room.
    fn add(&mut self, factor: &palisade_pcre::Factor, place: usize) -> bool {
        let room: usize = factor.grams().iter().map(|gram| gram.len()).sum();
        if self.tree.len() + room >= STATES_MAX {
            return false;
        }
        for gram in factor.grams() {
            let mut state = 0u16;
            for symbol in gram.symbols() {
                let child = self.tree[usize::from(state)][usize::from(symbol)];
                state = if child != 0 {
                    child
                } else {
                    let child = self.tree.len() as u16;
                    self.tree.push([0; 1 << SYMBOL_BITS]);
                    self.tree[usize::from(state)][usize::from(symbol)] = child;
                    child
                };
            }
            self.longest_string = self.longest_string.max(gram.len());
            self.ends.entry(state).or_default().push(place as u32);
        }
        true
    }

    fn finish(self) -> Automaton {
        let Builder { words, mut tree, ends, longest_string } = self;
        let states = tree.len();
        // Nearest first: what a state falls back to is ready before it.
        let mut fallback = vec![0u16; states];
        let mut seen_words: Vec<Option<u32>> = vec![None; states];
        let mut lists: Vec<Vec<Mark>> = Vec::new();
        let mut known: FxHashMap<Vec<Mark>, u32> = FxHashMap::default();
        let mut queue = VecDeque::from([0u16]);
        while let Some(state) = queue.pop_front() {
            let back = fallback[usize::from(state)];
            let inherited = if state == 0 { None } else { seen_words[usize::from(back)] };
            seen_words[usize::from(state)] = match ends.get(&state) {
                None => inherited,
                Some(places) => {
                    let mut marks = inherited.map_or_else(Vec::new, |list| lists[list as usize].clone());
                    for place in places {
                        let (word, bits) = (place / 64, 1u64 << (place % 64));
                        match marks.iter_mut().find(|mark| mark.word == word) {
                            Some(mark) => mark.bits |= bits,
                            None => marks.push(Mark { word, bits }),
                        }
                    }
                    marks.sort_unstable_by_key(|mark| mark.word);
                    let number = lists.len() as u32;
                    let number = *known.entry(marks).or_insert_with_key(|marks| {
                        lists.push(marks.clone());
                        number
                    });
                    Some(number)
                }
            };
            let from_back = tree[usize::from(back)];
            for symbol in 0..SYMBOLS {
                let child = tree[usize::from(state)][symbol];
                // The root's own children fall back to the root.
                let beyond = if state == 0 { 0 } else { from_back[symbol] };
                if child == 0 {
                    tree[usize::from(state)][symbol] = beyond;
                } else {
                    fallback[usize::from(child)] = beyond;
                    queue.push_back(child);
                }
            }
        }
        // States that say something get the highest numbers, those with the same marks the same ones' neighbours.
        let mut order: Vec<u16> = (0..states).map(|state| state as u16).collect();
        order.sort_by_key(|state| seen_words[usize::from(*state)].map_or(0, |list| list + 1));
        let mut renamed = vec![0u16; states];
        for (number, state) in order.iter().enumerate() {
            renamed[usize::from(*state)] = number as u16;
        }
        let mut next = zeroed_table();
        for state in 0..states {
            let row = usize::from(renamed[state]) << SYMBOL_BITS;
            for symbol in 0..SYMBOLS {
                next[row + symbol] = renamed[usize::from(tree[state][symbol])];
            }
        }
        let silent = order.iter().filter(|state| seen_words[usize::from(**state)].is_none()).count();
        let mut marks = Vec::new();
        let mut outputs = Vec::with_capacity(states - silent + 1);
        for state in &order[silent..] {
            outputs.push(marks.len() as u32);
            if let Some(list) = seen_words[usize::from(*state)] {
                marks.extend_from_slice(&lists[list as usize]);
            }
        }
        outputs.push(marks.len() as u32);
        debug_assert!(marks.iter().all(|mark| (mark.word as usize) < 2 * words));
        // With all states silent, or none at all, no number reaches this.
        let first_output = u16::try_from(silent).unwrap_or(u16::MAX);
        Automaton { next, states, first_output, outputs, marks, longest_string }
    }
}

/// A table of zeros straight from the allocator, which maps what is this large page by page when it is used.
fn zeroed_table() -> Box<[u16; NEXT_SIZE]> {
    vec![0u16; NEXT_SIZE].into_boxed_slice().try_into().expect("it has that size")
}
