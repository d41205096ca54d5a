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
use palisade_pcre::{Factor, SYMBOL_OF, SYMBOLS};
use rustc_hash::FxHashMap;

use super::needs::{Needs, byte_set};

/// A filter over the needs of numbered slots.
pub struct Sieve {
    slots: Vec<Slot>,
    /// What is known of the slots of each word of a mask.
    fixed: Vec<Fixed>,
    /// By a number of words: bytes that alone are what some slot in them needs, one of a factor, or of its first set where
    /// it has no factor.
    telling: Vec<ByteSet>,
    /// For each byte its marks in order, as a range of `marks`.
    byte_marks: Box<[(u32, u32); 256]>,
    /// The state that follows, by state and symbol.
    next: Box<[u16; NEXT_SIZE]>,
    states: usize,
    /// States from here on say something.
    first_output: u16,
    /// What they say.
    outputs: Vec<Output>,
    marks: Vec<Mark>,
}

/// What is known of the slots of one word before a value is seen.
#[derive(Clone, Copy, Default)]
struct Fixed {
    /// Slots with nothing to wait for but lengths.
    free: u64,
    /// Slots with no second factor.
    single: u64,
    /// Slots with a first factor.
    factored: u64,
}

/// Bits to set in what was seen: position `2 * word` has the first factors and first sets, the next one second factors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Mark {
    place: u32,
    bits: u64,
}

/// The marks of a state: one here, as most have no other, and more of them elsewhere.
#[derive(Clone, Copy)]
struct Output {
    mark: Mark,
    /// Where in the marks the rest is, and how many.
    more: (u32, u32),
}

/// What is tested of a slot once its factors were seen.
struct Slot {
    never: bool,
    length_min: u32,
    length_max: u32,
    gates: Box<[ByteSet]>,
}

/// Room for what a scan has seen; kept by whoever scans. All zero between scans.
#[derive(Default)]
pub struct Seen(Vec<u64>);

impl std::fmt::Debug for Seen {
    /// What it has seen: nothing between scans, however much room it has.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().filter(|word| **word != 0)).finish()
    }
}

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
        let mut fixed = vec![Fixed::default(); needs.len().div_ceil(64)];
        let mut builder = Builder::new();
        let mut by_byte: Vec<Vec<Mark>> = vec![Vec::new(); 256];
        let mut telling = vec![ByteSet::EMPTY; fixed.len() + 1];
        let mut tell = |set: ByteSet, place: u32, bits: u64| {
            let telling = &mut telling[place as usize / 2 + 1..];
            telling.iter_mut().for_each(|telling| *telling = telling.union(set));
            set.iter().for_each(|byte| add_mark(&mut by_byte[usize::from(byte)], place, bits));
        };
        // Where there is too little room, what needs the least of it comes first.
        let mut order: Vec<usize> = (0..needs.len()).collect();
        order.sort_by_key(|slot| needs[*slot].factors.iter().map(|f| f.grams().len()).sum::<usize>());
        for plane in [0, 1] {
            for &slot in &order {
                let (word, bits) = (slot / 64, 1u64 << (slot % 64));
                let place = 2 * word as u32 + plane;
                let fixed = &mut fixed[word];
                // A second factor says nothing where there was no room for the first: nothing would look for it.
                let factor = needs[slot]
                    .factors
                    .get(plane as usize)
                    .filter(|_| plane == 0 || fixed.factored & bits != 0);
                let is_in = factor.is_some_and(|factor| builder.add(factor, place, bits));
                if let Some(factor) = factor.filter(|_| is_in) {
                    tell(byte_set(&factor.bytes()), place, bits);
                }
                match (plane, is_in) {
                    (0, true) => fixed.factored |= bits,
                    (0, false) => match needs[slot].gates.first() {
                        Some(gate) => tell(*gate, place, bits),
                        None => fixed.free |= bits,
                    },
                    (_, true) => {}
                    (_, false) => fixed.single |= bits,
                }
            }
        }
        let Automaton { next, states, first_output, outputs, mut marks } = builder.finish();
        let mut byte_marks = Box::new([(0, 0); 256]);
        for (range, mut list) in byte_marks.iter_mut().zip(by_byte) {
            list.sort_unstable_by_key(|mark| mark.place);
            *range = (marks.len() as u32, list.len() as u32);
            marks.extend(list);
        }
        let slots = needs.iter().map(|needs| Slot::new(needs)).collect();
        Sieve { slots, fixed, telling, byte_marks, next, states, first_output, outputs, marks }
    }

    /// Words of a slot mask: slot `n` is bit `n % 64` of word `n / 64`.
    pub fn words(&self) -> usize {
        self.fixed.len()
    }

    /// Leaves in `asked` those slots whose needs `value` meets. `present` is the set of its bytes. Words that `asked` has
    /// not got are not asked about.
    ///
    /// O(value), and for each string found as many operations as there are words in the slots that have it.
    ///
    /// # Panics
    /// When `asked` has more than [`Sieve::words`] words.
    pub fn sift(&self, value: &[u8], present: &ByteSet, asked: &mut [u64], seen: &mut Seen) {
        assert!(asked.len() <= self.fixed.len(), "the mask is one of this sieve");
        let room = 2 * self.fixed.len();
        if seen.0.len() < room {
            seen.0.resize(room, 0);
        }
        let seen = &mut seen.0[..room];
        let telling = self.telling[asked.len()].intersection(*present);
        for (quarter, word) in telling.words().iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                let (start, count) = self.byte_marks[quarter * 64 + left.trailing_zeros() as usize];
                for mark in &self.marks[start as usize..][..count as usize] {
                    if mark.place as usize >= 2 * asked.len() {
                        break;
                    }
                    seen[mark.place as usize] |= mark.bits;
                }
                left &= left - 1;
            }
        }
        let wanted =
            asked.iter().zip(&self.fixed).fold(0, |any, (asked, fixed)| any | asked & fixed.factored);
        if wanted != 0 {
            self.scan(value, seen);
        }
        let (pairs, _) = seen.as_chunks::<2>();
        let mut any = 0;
        for ((asked, fixed), [first, second]) in asked.iter_mut().zip(&self.fixed).zip(pairs) {
            *asked &= (first | fixed.free) & (second | fixed.single);
            any |= *asked;
        }
        seen.fill(0);
        if any != 0 {
            self.test_the_rest(value.len(), present, asked);
        }
    }

    // Apart from the rest, so that all of the loop's state stays in registers.
    #[inline(never)]
    fn scan(&self, value: &[u8], seen: &mut [u64]) {
        let (next, first_output, symbols) = (&*self.next, self.first_output, &SYMBOL_OF);
        let step = |state: u16, byte: u8| {
            // The symbol fits; masked, the compiler sees it as well and checks no bound.
            let symbol = symbols[usize::from(byte)] & ((1 << SYMBOL_BITS) - 1);
            next[usize::from(state) << SYMBOL_BITS | usize::from(symbol)]
        };
        let mut state = 0u16;
        let (groups, rest) = value.as_chunks::<4>();
        for group in groups {
            for byte in group {
                state = step(state, *byte);
                if state >= first_output {
                    self.output(state, seen);
                }
            }
        }
        for byte in rest {
            state = step(state, *byte);
            if state >= first_output {
                self.output(state, seen);
            }
        }
    }

    #[inline(never)]
    fn output(&self, state: u16, seen: &mut [u64]) {
        let Output { mark, more } = self.outputs[usize::from(state - self.first_output)];
        seen[mark.place as usize] |= mark.bits;
        if more.1 != 0 {
            self.mark(more, seen);
        }
    }

    fn mark(&self, (start, count): (u32, u32), seen: &mut [u64]) {
        for mark in &self.marks[start as usize..][..count as usize] {
            seen[mark.place as usize] |= mark.bits;
        }
    }

    fn test_the_rest(&self, length: usize, present: &ByteSet, asked: &mut [u64]) {
        for (asked, slots) in asked.iter_mut().zip(self.slots.chunks(64)) {
            let mut left = *asked;
            while left != 0 {
                let bit = left & left.wrapping_neg();
                if !slots
                    .get(left.trailing_zeros() as usize)
                    .is_some_and(|slot| slot.lets_in(length, present))
                {
                    *asked ^= bit;
                }
                left ^= bit;
            }
        }
    }

    /// The memory it takes, in bytes, without what is only address space.
    pub fn memory_usage(&self) -> usize {
        (self.states << SYMBOL_BITS) * size_of::<u16>()
            + self.outputs.len() * size_of::<Output>()
            + self.marks.len() * size_of::<Mark>()
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
    /// Children by symbol; 0 is none.
    tree: Vec<[u16; 1 << SYMBOL_BITS]>,
    /// By state.
    ends: FxHashMap<u16, Vec<Mark>>,
}

struct Automaton {
    next: Box<[u16; NEXT_SIZE]>,
    states: usize,
    first_output: u16,
    outputs: Vec<Output>,
    marks: Vec<Mark>,
}

impl Builder {
    fn new() -> Builder {
        Builder { tree: vec![[0; 1 << SYMBOL_BITS]], ends: FxHashMap::default() }
    }

    /// Adds the strings of a factor, to be marked so; false when there is no room.
    fn add(&mut self, factor: &Factor, place: u32, bits: u64) -> bool {
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
            add_mark(self.ends.entry(state).or_default(), place, bits);
        }
        true
    }

    fn finish(self) -> Automaton {
        let Builder { mut tree, ends } = self;
        let states = tree.len();
        // Nearest first: what a state falls back to is ready before it.
        let mut fallback = vec![0u16; states];
        let mut said: Vec<Option<u32>> = vec![None; states];
        let mut lists: Vec<Vec<Mark>> = Vec::new();
        let mut known: FxHashMap<Vec<Mark>, u32> = FxHashMap::default();
        let mut queue = VecDeque::from([0u16]);
        while let Some(state) = queue.pop_front() {
            let back = fallback[usize::from(state)];
            let inherited = if state == 0 { None } else { said[usize::from(back)] };
            said[usize::from(state)] = match ends.get(&state) {
                None => inherited,
                Some(own) => {
                    let mut marks = inherited.map_or_else(Vec::new, |list| lists[list as usize].clone());
                    own.iter().for_each(|mark| add_mark(&mut marks, mark.place, mark.bits));
                    marks.sort_unstable_by_key(|mark| mark.place);
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
        order.sort_by_key(|state| said[usize::from(*state)].map_or(0, |list| list + 1));
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
        let silent = order.iter().filter(|state| said[usize::from(**state)].is_none()).count();
        let mut marks = Vec::new();
        let ranges: Vec<Output> = lists
            .iter()
            .map(|list| {
                let more = (marks.len() as u32, list.len() as u32 - 1);
                marks.extend_from_slice(&list[1..]);
                Output { mark: list[0], more }
            })
            .collect();
        let outputs = order[silent..]
            .iter()
            .filter_map(|state| said[usize::from(*state)].map(|list| ranges[list as usize]))
            .collect();
        // With all states silent, or none at all, no number reaches this.
        let first_output = u16::try_from(silent).unwrap_or(u16::MAX);
        Automaton { next, states, first_output, outputs, marks }
    }
}

fn add_mark(marks: &mut Vec<Mark>, place: u32, bits: u64) {
    match marks.iter_mut().find(|mark| mark.place == place) {
        Some(mark) => mark.bits |= bits,
        None => marks.push(Mark { place, bits }),
    }
}

/// A table of zeros straight from the allocator, which maps what is this large page by page when it is used.
fn zeroed_table() -> Box<[u16; NEXT_SIZE]> {
    vec![0u16; NEXT_SIZE].into_boxed_slice().try_into().expect("it has that size")
}
