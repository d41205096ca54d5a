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

    /// The bytes that occur in `bytes`. O(n), usable in constants.
    pub const fn of(bytes: &[u8]) -> Self {
        let mut set = Self::EMPTY;
        let mut at = 0;
        while at < bytes.len() {
            set.insert(bytes[at]);
            at += 1;
        }
        set
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
    pub const fn contains(&self, byte: u8) -> bool {
        self.words[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }

    /// Members of either set.
    pub const fn union(self, other: Self) -> Self {
        let (a, b) = (self.words, other.words);
        Self { words: [a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]] }
    }

    /// Whether the sets share a member.
    pub const fn intersects(&self, other: &Self) -> bool {
        let (a, b) = (self.words, other.words);
        (a[0] & b[0]) | (a[1] & b[1]) | (a[2] & b[2]) | (a[3] & b[3]) != 0
    }

    /// Whether it has no member; a value with an empty set is itself empty.
    pub const fn is_empty(&self) -> bool {
        let words = self.words;
        words[0] | words[1] | words[2] | words[3] == 0
    }
}

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
}
