//! Which lengths of networks are worth a look for an address.
//!
//! Lists may hold networks of every length, and an address is in one network of each; most of these are in no list. All
//! lengths of a stride share one line of counters, found by the address's bits before the stride: one line of the cache
//! answers for all of them, and lines of other strides are fetched at the same time. A stride that holds anything is counted
//! as well, so that one that holds nothing is passed over whole. A counter that is not zero may be another network's; one
//! that is zero never lies.

use crate::slots::Seed;

/// Counters of a line: as many as a line of the cache has bytes.
const COUNTERS: usize = 64;
/// Lines; a million entries are four a line. The system gives this memory as it is touched.
const LINES_BITS: u32 = 18;

#[derive(Debug)]
pub(crate) struct Sieve {
    lines: Vec<[u8; COUNTERS]>,
    seed: Seed,
}

/// A line of counters.
#[derive(Clone, Copy)]
pub(crate) struct Line<'s>(&'s [u8; COUNTERS]);

impl Line<'_> {
    /// Whether there may be a network with these first bits.
    pub(crate) fn may_hold(self, seed: Seed, first: u128, bits: u8) -> bool {
        self.0[counter(seed, first, bits)] != 0
    }
}

impl Sieve {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { lines: Vec::new(), seed }
    }

    /// The line of a stride that begins after these first bits.
    pub(crate) fn line(&self, first: u128, before: u8) -> Option<Line<'_>> {
        self.lines.get(self.place(first, before)).map(Line)
    }

    /// Notes that there is one network more of so many bits, in the stride that begins after `before` of them.
    pub(crate) fn add(&mut self, stride: (u128, u8), network: (u128, u8)) {
        if self.lines.is_empty() {
            self.lines = vec![[0; COUNTERS]; 1 << LINES_BITS];
        }
        let counter = self.counter_of(stride, network);
        // One that is full stays so: it then answers "perhaps" for ever.
        *counter = counter.saturating_add(1);
    }

    /// Notes that there is one less.
    pub(crate) fn remove(&mut self, stride: (u128, u8), network: (u128, u8)) {
        if self.lines.is_empty() {
            return;
        }
        let counter = self.counter_of(stride, network);
        if *counter < u8::MAX {
            *counter = counter.saturating_sub(1);
        }
    }

    fn counter_of(&mut self, stride: (u128, u8), network: (u128, u8)) -> &mut u8 {
        let place = self.place(stride.0, stride.1);
        &mut self.lines[place][counter(self.seed, network.0, network.1)]
    }

    fn place(&self, first: u128, before: u8) -> usize {
        (mixed(self.seed, first, before) >> (64 - LINES_BITS)) as usize
    }
}

fn counter(seed: Seed, first: u128, bits: u8) -> usize {
    mixed(Seed(seed.1, seed.0), first, bits) as usize % COUNTERS
}

fn mixed(Seed(one, other): Seed, first: u128, bits: u8) -> u64 {
    let high = (first >> 64) as u64 ^ one;
    let low = (first as u64).wrapping_add(u64::from(bits).wrapping_mul(0x9e37_79b9_7f4a_7c15)) ^ other;
    let product =
        (u128::from(high | 1) * u128::from(low)) ^ (u128::from(low.rotate_left(31)) * u128::from(one | 1));
    (product as u64) ^ ((product >> 64) as u64)
}
