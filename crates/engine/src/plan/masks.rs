//! Which operators look at what: as sets, by source and by transformation list.

use super::Source;
use super::chains::{Selection, WALK_CHAINS, Walk};

/// A set of operators, as words of a bit set.
pub(super) type OperatorMask = Box<[u64]>;

/// The operators of a source that look only at members with one key.
#[derive(Debug)]
pub(super) struct Keyed {
    pub(super) operators: Vec<u32>,
    /// What they look through, by walk.
    pub(super) selections: Box<[Selection]>,
}

/// The operators without a key of one source that are awake, some in each phase not being reached.
#[derive(Default)]
pub(super) struct Awake {
    pub(super) operators: Vec<u64>,
    /// How many they are.
    pub(super) count: u64,
    /// What they look through, by walk.
    pub(super) selections: Vec<Selection>,
}

impl Awake {
    /// Makes it that of a source of which these operators are live.
    pub(super) fn update(&mut self, source: &Source, live: &[u64]) {
        let Self { operators, count, selections } = self;
        operators.clear();
        operators.extend(source.unkeyed.iter().zip(live).map(|(unkeyed, live)| unkeyed & live));
        *count = operators.iter().map(|word| u64::from(word.count_ones())).sum();
        let walks = source.chains.walks().iter().zip(&source.through);
        selections.clear();
        selections.extend(walks.map(|(walk, masks)| walk.select(masks.chains_of(operators, walk))));
    }
}

/// The operators that look at what a walk yields.
#[derive(Debug)]
pub(super) struct WalkMasks {
    /// Those of all chains together.
    every: OperatorMask,
    /// By a chain's bit: its place in the other two.
    places: [u8; WALK_CHAINS],
    /// For each chain the operators that look through it.
    through: Vec<OperatorMask>,
    /// For each chain those that look through no other one.
    only_through: Vec<OperatorMask>,
}

impl WalkMasks {
    pub(super) fn new(chains: Vec<(u32, OperatorMask)>, words: usize) -> Self {
        let mut every = vec![0; words].into_boxed_slice();
        let mut several = every.clone();
        for (_, mask) in &chains {
            for (word, mask) in mask.iter().enumerate() {
                several[word] |= every[word] & mask;
                every[word] |= mask;
            }
        }
        let mut places = [0; WALK_CHAINS];
        for (place, (bit, _)) in chains.iter().enumerate() {
            places[*bit as usize] = place as u8;
        }
        let through: Vec<OperatorMask> = chains.into_iter().map(|(_, mask)| mask).collect();
        let only =
            |mask: &OperatorMask| mask.iter().zip(&several).map(|(mask, several)| mask & !several).collect();
        let only_through = through.iter().map(only).collect();
        Self { every, places, through, only_through }
    }

    /// The operators that look through some chains of a walk that has `all`. May have others among them that look
    /// through several: whoever goes on asks each probe for its chain.
    fn of(&self, chains: u64, all: u64, into: &mut Vec<u64>) {
        let missing = all & !chains;
        into.clear();
        // Values mostly stay as they are, so most chains yield one output, and the few others the rest.
        if missing.count_ones() < chains.count_ones() {
            into.extend_from_slice(&self.every);
            for place in self.places_of(missing) {
                into.iter_mut().zip(&self.only_through[place]).for_each(|(word, only)| *word &= !only);
            }
        } else {
            into.resize(self.every.len(), 0);
            for place in self.places_of(chains) {
                into.iter_mut().zip(&self.through[place]).for_each(|(word, through)| *word |= through);
            }
        }
    }

    /// The chains of the walk through which some of these operators look.
    pub(super) fn chains_of(&self, operators: &[u64], walk: &Walk) -> u64 {
        let looks = |bit: &u32| {
            let through = &self.through[usize::from(self.places[*bit as usize])];
            through.iter().zip(operators).any(|(through, operators)| through & operators != 0)
        };
        let bits = (0..u64::BITS).filter(|bit| walk.chains() >> bit & 1 == 1);
        bits.filter(looks).fold(0, |chains, bit| chains | 1 << bit)
    }

    /// What [`WalkMasks::of`] says, kept from an earlier output that the same chains of the same walk had.
    #[inline]
    pub(super) fn of_kept<'k>(&self, chains: u64, all: u64, kept: &'k mut KeptMasks) -> &'k [u64] {
        let key = (std::ptr::from_ref(self) as usize, chains);
        let hash = (chains ^ key.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = (hash >> (u64::BITS - KEPT_MASKS.ilog2())) as usize;
        if kept.0.is_empty() {
            kept.0.resize_with(KEPT_MASKS, Default::default);
        }
        let (known, mask) = &mut kept.0[slot];
        if *known != key {
            self.of(chains, all, mask);
            *known = key;
        }
        mask
    }

    fn places_of(&self, mut chains: u64) -> impl Iterator<Item = usize> {
        std::iter::from_fn(move || {
            let bit = chains.trailing_zeros();
            (chains != 0).then(|| {
                chains &= chains - 1;
                usize::from(self.places[bit as usize])
            })
        })
    }
}

/// Masks made last, each with the walk's address and the chains that it is of. Values are mostly alike: plain words,
/// then something that one chain decodes.
#[derive(Default)]
pub(super) struct KeptMasks(Vec<((usize, u64), Vec<u64>)>);

/// More than are in use at a time, since two may fall on one place.
const KEPT_MASKS: usize = 512;

/// What is kept says nothing about the exchange that left it.
impl std::fmt::Debug for KeptMasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeptMasks")
    }
}
