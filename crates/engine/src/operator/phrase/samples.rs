//! Whether one of many phrases can be in a value, from every few bytes of it.
//!
//! ```text
//!  phrase  SQLite/JDBCDriver         any four *blocks* of it side by side: one of them begins where we look
//!             ite/
//!              te/J                  value   . . . . ! . . . . ! . . . . ! . . .
//!               e/JD                                 look      look      look
//!                /JDB
//! ```
//!
//! An automaton of thousands of phrases costs some thirty instructions for each byte of a value, and a long text holds
//! some rare string of so many phrases nearly always. Here a bit set of blocks is asked at every fourth byte, and the
//! phrases of a block that is known are compared.
//!
//! Comparing has a budget linear in the value: a text made of blocks that many phrases share is left to the automaton.

/// Places of a list of phrases at which a value is looked at. ASCII case is ignored.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    /// Bytes of a block, three or four.
    block: usize,
    /// From one look to the next; each phrase has as many blocks here.
    stride: usize,
    /// A hash's upper bits, as many as the set's size needs, are what is left by this shift.
    shift: u32,
    /// The hashes of all blocks.
    known: Box<[u64]>,
    /// By a hash's upper bits: where its blocks begin in `blocks`. One more than there are.
    starts: Box<[u32]>,
    /// A hash's bits for `starts` are what is left by this shift.
    starts_shift: u32,
    /// Sorted by hash.
    blocks: Box<[Block]>,
}

/// A block of a phrase.
#[derive(Clone, Copy, Debug)]
struct Block {
    phrase: u32,
    /// Where in the phrase it stands.
    offset: u32,
    /// How the phrase begins.
    head: u32,
}

/// The longest stride: with a longer one the blocks of some thousand phrases would be most of what a text has.
const STRIDE_MAX: usize = 4;
/// Bits of the set for each block, so that few others look like one.
const BITS_PER_BLOCK: usize = 16;
/// 32 KiB, which stay in a core's nearest memory.
const SET_BITS_MAX: u32 = 18;
/// Comparisons that a value may cost, beside one for each two of its bytes.
const COMPARISONS_FREE: usize = 64;
/// So many bytes of a phrase count as another comparison.
const COMPARED_BYTES: usize = 8;

impl Samples {
    /// `None` for lists with a phrase of less than four bytes: every byte would have to be looked at.
    pub(super) fn new(phrases: &[Box<[u8]>]) -> Option<Self> {
        let shortest = phrases.iter().map(|phrase| phrase.len()).min()?;
        let block = if shortest > 5 { 4 } else { 3 };
        let stride = (shortest + 1).checked_sub(block)?.min(STRIDE_MAX);
        if stride < 2 {
            return None;
        }
        let count = phrases.len() * stride;
        let set_bits = (count * BITS_PER_BLOCK).next_power_of_two().ilog2().clamp(6, SET_BITS_MAX);
        let starts_bits = count.next_power_of_two().ilog2().clamp(1, 16);
        let (shift, starts_shift) = (32 - set_bits, 32 - starts_bits);
        let mut known = vec![0u64; 1 << (set_bits - 6)].into_boxed_slice();
        let mut blocks: Vec<(u32, Block)> = Vec::with_capacity(count);
        for (number, phrase) in phrases.iter().enumerate() {
            let head = phrase.first_chunk::<4>()?;
            let head = folded(*head);
            let first = rarest(phrase, block, stride);
            for offset in first..first + stride {
                let hash = hash(&phrase[offset..offset + block]);
                insert(&mut known, hash >> shift);
                blocks.push((hash, Block { phrase: number as u32, offset: offset as u32, head }));
            }
        }
        blocks.sort_unstable_by_key(|(hash, block)| (*hash, block.phrase));
        let start =
            |at: usize| blocks.partition_point(|(hash, _)| ((hash >> starts_shift) as usize) < at) as u32;
        let starts = (0..=1 << starts_bits).map(start).collect();
        let blocks = blocks.into_iter().map(|(_, block)| block).collect();
        Some(Self { block, stride, shift, known, starts, starts_shift, blocks })
    }

    /// False when no phrase is in the value. O(value), three to six operations for each byte of it.
    pub(super) fn may_be_in(&self, phrases: &[Box<[u8]>], value: &[u8]) -> bool {
        match self.stride {
            2 => self.looks_every::<2>(phrases, value),
            3 => self.looks_every::<3>(phrases, value),
            _ => self.looks_every::<4>(phrases, value),
        }
    }

    fn looks_every<const STRIDE: usize>(&self, phrases: &[Box<[u8]>], value: &[u8]) -> bool {
        let mut budget = COMPARISONS_FREE + value.len() / 2;
        // Four bytes are read at once, also where three are a block.
        let mask = if self.block == 3 { 0x00ff_ffff } else { u32::MAX };
        let (known, shift) = (&*self.known, self.shift);
        let hash_at = |bytes: &[u8; 8], at: usize| {
            hash_of(u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) & mask)
        };
        let mut rest = value;
        // Two looks for one branch.
        while let Some(bytes) = rest.first_chunk::<8>() {
            let hashes = [hash_at(bytes, 0), hash_at(bytes, STRIDE)];
            if bit(known, hashes[0] >> shift) | bit(known, hashes[1] >> shift) == 1 {
                for (look, hash) in hashes.into_iter().enumerate() {
                    let at = value.len() - rest.len() + look * STRIDE;
                    if bit(known, hash >> shift) == 1 && self.is_phrase(phrases, value, at, hash, &mut budget)
                    {
                        return true;
                    }
                }
            }
            rest = &rest[2 * STRIDE..];
        }
        while rest.len() >= self.block {
            let (at, hash) = (value.len() - rest.len(), hash(&rest[..self.block]));
            if bit(known, hash >> shift) == 1 && self.is_phrase(phrases, value, at, hash, &mut budget) {
                return true;
            }
            rest = rest.get(STRIDE..).unwrap_or_default();
        }
        false
    }

    /// Whether a phrase lies over the block at a place, or there is nothing left to compare for.
    #[cold]
    fn is_phrase(
        &self,
        phrases: &[Box<[u8]>],
        value: &[u8],
        at: usize,
        hash: u32,
        budget: &mut usize,
    ) -> bool {
        let slot = (hash >> self.starts_shift) as usize;
        let blocks = &self.blocks[self.starts[slot] as usize..self.starts[slot + 1] as usize];
        for block in blocks {
            let Some(left) = budget.checked_sub(1) else { return true };
            *budget = left;
            let begin = at.wrapping_sub(block.offset as usize);
            let Some(head) = value.get(begin..).and_then(|rest| rest.first_chunk::<4>()) else { continue };
            if folded(*head) != block.head {
                continue;
            }
            let phrase = &phrases[block.phrase as usize];
            let Some(left) = budget.checked_sub(phrase.len() / COMPARED_BYTES) else { return true };
            *budget = left;
            let part = value.get(begin..begin + phrase.len());
            if part.is_some_and(|part| part.eq_ignore_ascii_case(phrase)) {
                return true;
            }
        }
        false
    }
}

/// Where the blocks of a phrase begin that ordinary text has least often.
fn rarest(phrase: &[u8], block: usize, stride: usize) -> usize {
    let rates: Vec<f32> = phrase.windows(block).map(palisade_pcre::rate_of).collect();
    let sums = rates.windows(stride).map(|rates| rates.iter().sum::<f32>()).enumerate();
    sums.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(first, _)| first)
}

/// The hash of three or four bytes.
fn hash(block: &[u8]) -> u32 {
    let bytes = block.iter().enumerate();
    hash_of(bytes.fold(0, |all, (at, byte)| all | u32::from(*byte) << (8 * at)))
}

fn hash_of(block: u32) -> u32 {
    (block | CASE).wrapping_mul(0x9e37_79b1)
}

/// Four bytes as a number, the same for upper and lower case (and for a few others, which are compared in vain).
fn folded(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes) | CASE
}

/// The bit of each byte in which a capital and its small letter differ.
const CASE: u32 = 0x2020_2020;

fn insert(set: &mut [u64], number: u32) {
    set[number as usize / 64] |= 1 << (number % 64);
}

fn bit(set: &[u64], number: u32) -> u64 {
    // The number fits, by the shift that it comes from; masked, the compiler sees it as well.
    (set[(number as usize / 64) & (set.len() - 1)] >> (number % 64)) & 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases(list: &[&str]) -> Vec<Box<[u8]>> {
        list.iter().map(|phrase| phrase.as_bytes().into()).collect()
    }

    #[test]
    fn every_phrase_is_found_at_every_place() {
        for list in [
            phrases(&["abcd", "DB2 SQL"]),
            phrases(&["abcde", "bcdef", "eeeee"]),
            phrases(&["abcdef", "SQL syntax", "zzzzzzzz"]),
            phrases(&["/etc/passwd", "/etc/shadow", "ETC/hosts", "aaaaaaa", "\u{e9}t\u{e9} comme hiver"]),
        ] {
            let samples = Samples::new(&list).expect("no phrase is too short");
            for phrase in &list {
                for before in 0..9 {
                    for after in 0..6 {
                        let mut value = vec![b'.'; before];
                        value.extend(phrase.to_ascii_uppercase());
                        value.extend(vec![b'.'; after]);
                        let text = value.escape_ascii();
                        assert!(samples.may_be_in(&list, &value), "{text} of {samples:?}");
                        value.remove(before);
                        let text = value.escape_ascii();
                        assert!(!samples.may_be_in(&list, &value), "{text} of {samples:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn lists_with_short_phrases_have_none() {
        assert!(Samples::new(&phrases(&["abc", "abcdefgh"])).is_none());
        assert!(Samples::new(&phrases(&["", "abcdefgh"])).is_none());
        assert!(Samples::new(&[]).is_none());
    }

    #[test]
    fn a_value_of_shared_blocks_is_left_to_the_automaton() {
        let list: Vec<Box<[u8]>> =
            (0..5_000).map(|n| format!("{n:04}abcdefgh").into_bytes().into()).collect();
        let samples = Samples::new(&list).expect("no phrase is too short");
        assert!(samples.may_be_in(&list, &b"abcdefgh".repeat(1_000)));
        assert!(!samples.may_be_in(&list, b"an ordinary text"));
    }
}
