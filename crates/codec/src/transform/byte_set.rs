//! A set of byte values.

/// Which of the 256 byte values occur in a value. Built once per value, it answers "could this step do
/// anything here?" for many steps in a few instructions each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteSet {
    words: [u64; 4],
}

impl ByteSet {
    /// The set without members.
    pub const EMPTY: Self = Self { words: [0; 4] };

    /// All 256.
    pub const FULL: Self = Self { words: [u64::MAX; 4] };

    /// The bytes that occur in `bytes`. O(n): some eight instructions a byte for short texts, two and a bit for long ones.
    /// Usable in constants.
    pub const fn of(bytes: &[u8]) -> Self {
        if bytes.len() >= TABLE_PAYS_BYTES {
            return Self::of_long(bytes);
        }
        let mut set = Self::EMPTY;
        let mut at = 0;
        while at < bytes.len() {
            set.insert(bytes[at]);
            at += 1;
        }
        set
    }

    /// Marks each byte in a table of bytes, which needs no shift, and folds the table into bits at the end.
    const fn of_long(bytes: &[u8]) -> Self {
        let mut seen = [0_u8; 256];
        let (groups, rest) = bytes.as_chunks::<8>();
        let mut at = 0;
        while at < groups.len() {
            let [a, b, c, d, e, f, g, h] = groups[at];
            seen[a as usize] = 1;
            seen[b as usize] = 1;
            seen[c as usize] = 1;
            seen[d as usize] = 1;
            seen[e as usize] = 1;
            seen[f as usize] = 1;
            seen[g as usize] = 1;
            seen[h as usize] = 1;
            at += 1;
        }
        let mut at = 0;
        while at < rest.len() {
            seen[rest[at] as usize] = 1;
            at += 1;
        }
        let mut words = [0; 4];
        let (eights, _) = seen.as_chunks::<8>();
        let mut at = 0;
        while at < eights.len() {
            // Gathers the lowest bits of eight bytes in the top byte, the first of them lowest.
            let bits = u64::from_le_bytes(eights[at]).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            words[at / 8] |= bits << (at % 8 * 8);
            at += 1;
        }
        Self { words }
    }

    /// The bytes from `first` to `last`, both included.
    pub const fn range(first: u8, last: u8) -> Self {
        let mut set = Self::EMPTY;
        let mut byte = first as u16;
        while byte <= last as u16 {
            set.insert(byte as u8);
            byte += 1;
        }
        set
    }

    /// Adds a byte.
    pub const fn insert(&mut self, byte: u8) {
        self.words[(byte >> 6) as usize] |= 1 << (byte & 63);
    }

    /// Whether a byte is a member.
    #[inline]
    pub const fn contains(&self, byte: u8) -> bool {
        self.words[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }

    /// Members of either set.
    pub const fn union(self, other: Self) -> Self {
        let (a, b) = (self.words, other.words);
        Self { words: [a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]] }
    }

    /// Members of both sets.
    #[inline]
    pub const fn intersection(self, other: Self) -> Self {
        let (a, b) = (self.words, other.words);
        Self { words: [a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]] }
    }

    /// The bytes that are no members.
    #[inline]
    pub const fn complement(self) -> Self {
        let words = self.words;
        Self { words: [!words[0], !words[1], !words[2], !words[3]] }
    }

    /// The set of a value after its capitals became small letters.
    #[inline]
    pub const fn lowercased(self) -> Self {
        let [low, letters, high, top] = self.words;
        let capitals = letters & CAPITALS;
        Self { words: [low, letters & !CAPITALS | capitals << 32, high, top] }
    }

    /// The bytes of which a value has one when, with small letters for capitals, it has one of these: capitals where
    /// their small letters are, and none for themselves.
    #[inline]
    pub const fn before_lowercased(self) -> Self {
        let [low, letters, high, top] = self.words;
        let capitals = letters >> 32 & CAPITALS;
        Self { words: [low, letters & !CAPITALS | capitals, high, top] }
    }

    /// The set as bits: byte `b` is bit `b % 64` of word `b / 64`.
    #[inline]
    pub const fn words(&self) -> &[u64; 4] {
        &self.words
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> {
        // By set bits: a filter goes through these for each value, and most values have few of its bytes.
        self.words.into_iter().zip([0, 64, 128, 192]).flat_map(|(mut word, base)| {
            std::iter::from_fn(move || {
                let bit = (word != 0).then_some(word.trailing_zeros() as u8)?;
                word &= word - 1;
                Some(base + bit)
            })
        })
    }

    /// How many members there are.
    pub const fn len(&self) -> usize {
        let words = self.words;
        (words[0].count_ones() + words[1].count_ones() + words[2].count_ones() + words[3].count_ones())
            as usize
    }

    /// Whether the sets share a member.
    #[inline]
    pub const fn intersects(&self, other: &Self) -> bool {
        !self.intersection(*other).is_empty()
    }

    /// Whether every member of `other` is one of this set.
    pub const fn contains_all(&self, other: &Self) -> bool {
        other.intersection(self.complement()).is_empty()
    }

    /// Whether it has no member; a value with an empty set is itself empty.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        let words = self.words;
        words[0] | words[1] | words[2] | words[3] == 0
    }
}

/// From how many bytes on the table is cheaper, its folding included.
const TABLE_PAYS_BYTES: usize = 40;

/// `A` to `Z` in the second word; small letters stand 32 places above them.
const CAPITALS: u64 = ((1 << 26) - 1) << (b'A' - 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_exactly_the_bytes_it_was_made_of() {
        let set = ByteSet::of(b"\x00a\x7f\x80\xff");
        for byte in 0..=255 {
            assert_eq!(set.contains(byte), b"\x00a\x7f\x80\xff".contains(&byte), "{byte:#04x}");
        }
        assert!(ByteSet::of(b"").is_empty());
        assert!(!set.is_empty());
    }

    #[test]
    fn a_range_includes_both_ends() {
        let set = ByteSet::range(0x80, 0xff);
        assert!(!set.contains(0x7f) && set.contains(0x80) && set.contains(0xff));
        assert!(set.intersects(&ByteSet::of(b"a\xc3")) && !set.intersects(&ByteSet::of(b"abc")));
        assert_eq!(ByteSet::range(b'a', b'b').union(ByteSet::of(b"c")), ByteSet::of(b"cab"));
    }

    #[test]
    fn short_and_long_values_have_the_same_set() {
        for first in 0..=255_u8 {
            for len in [1, 39, 40, 47, 48, 300] {
                let text: Vec<u8> =
                    (0..len).map(|at: usize| first.wrapping_add((at * at % 61) as u8)).collect();
                let mut set = ByteSet::EMPTY;
                for &byte in &text {
                    set.insert(byte);
                }
                assert_eq!(ByteSet::of(&text), set, "{len} bytes from {first:#04x}");
                assert_eq!(set.len(), set.iter().count());
                assert!(set.iter().all(|byte| text.contains(&byte)));
                assert_eq!(ByteSet::of(&text.to_ascii_lowercase()), set.lowercased());
            }
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(ByteSet::of(&all), ByteSet::FULL);
    }

    #[test]
    fn the_algebra_is_that_of_sets() {
        let (a, b) = (ByteSet::of(b"ab\xff"), ByteSet::of(b"bc\x00"));
        assert_eq!(a.intersection(b), ByteSet::of(b"b"));
        assert!(!a.complement().intersects(&a) && a.complement().union(a) == ByteSet::FULL);
        assert!(
            a.contains_all(&ByteSet::of(b"a\xff")) && !a.contains_all(&b) && a.contains_all(&ByteSet::EMPTY)
        );
    }
}
