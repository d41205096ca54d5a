//! A set of bytes: what one position of a pattern accepts.
//!
//! Everything in the dialect that consumes one byte (a literal, `.`, `\d`, a bracketed class, with or without `(?i)`)
//! becomes one of these while parsing, so that the stages behind the parser know nothing of flags or escapes.

/// A set of byte values, as a 256-bit map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const EMPTY: ByteSet = ByteSet([0; 4]);
    pub(crate) const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    pub(crate) fn of(bytes: &[u8]) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        bytes.iter().for_each(|&b| set.insert(b));
        set
    }

    pub(crate) fn range(first: u8, last: u8) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        set.insert_range(first, last);
        set
    }

    pub(crate) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(crate) fn insert_range(&mut self, first: u8, last: u8) {
        (first..=last).for_each(|b| self.insert(b));
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    pub(crate) fn union(&self, other: &ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    pub(crate) fn intersects(&self, other: &ByteSet) -> bool {
        (0..4).any(|i| self.0[i] & other.0[i] != 0)
    }

    pub(crate) fn negated(&self) -> ByteSet {
        ByteSet(self.0.map(|word| !word))
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == ByteSet::EMPTY
    }

    /// The set with the other case of every ASCII letter in it. PCRE's default tables know no other letters.
    pub(crate) fn folded(&self) -> ByteSet {
        let mut set = *self;
        for upper in b'A'..=b'Z' {
            let lower = upper.to_ascii_lowercase();
            if self.contains(upper) || self.contains(lower) {
                set.insert(upper);
                set.insert(lower);
            }
        }
        set
    }

    pub(crate) const fn from_words(words: [u64; 4]) -> ByteSet {
        ByteSet(words)
    }

    /// Byte `b` is bit `b % 64` of word `b / 64`.
    pub(crate) fn words(&self) -> [u64; 4] {
        self.0
    }

    /// The only member, when there is exactly one.
    pub(crate) fn single(&self) -> Option<u8> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        if count != 1 { None } else { self.iter().next() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        // By set bits: most sets hold one or two bytes, and loading CRS lists 56,000 of them.
        self.0.into_iter().zip([0, 64, 128, 192]).flat_map(|(mut word, base)| {
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros() as u8)?;
                word &= word - 1;
                Some(base + bit)
            })
        })
    }

    /// The members as inclusive ranges, in order.
    pub(crate) fn ranges(&self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in self.iter() {
            match ranges.last_mut() {
                Some(last) if byte > 0 && last.1 == byte - 1 => last.1 = byte,
                _ => ranges.push((byte, byte)),
            }
        }
        ranges
    }

    pub(crate) fn digit() -> ByteSet {
        ByteSet::range(b'0', b'9')
    }

    pub(crate) fn word() -> ByteSet {
        ByteSet::range(b'a', b'z')
            .union(&ByteSet::range(b'A', b'Z'))
            .union(&ByteSet::digit())
            .union(&ByteSet::of(b"_"))
    }

    /// `\s`: includes vertical tab, as PCRE has done since 8.34.
    pub(crate) fn space() -> ByteSet {
        ByteSet::of(b" \t\n\x0b\x0c\r")
    }

    /// `\h`: without UTF, the no-break space is the byte A0.
    pub(crate) fn horizontal() -> ByteSet {
        ByteSet::of(b"\t \xa0")
    }

    /// `\v`: without UTF, next-line is the byte 85.
    pub(crate) fn vertical() -> ByteSet {
        ByteSet::of(b"\n\x0b\x0c\r\x85")
    }

    pub(crate) fn not_newline() -> ByteSet {
        ByteSet::of(b"\n").negated()
    }

    /// The POSIX class of that name, in the C locale.
    pub(crate) fn posix(name: &[u8]) -> Option<ByteSet> {
        let test: fn(&u8) -> bool = match name {
            b"alpha" => u8::is_ascii_alphabetic,
            b"lower" => u8::is_ascii_lowercase,
            b"upper" => u8::is_ascii_uppercase,
            b"alnum" => u8::is_ascii_alphanumeric,
            b"ascii" => u8::is_ascii,
            b"blank" => |b| matches!(b, b' ' | b'\t'),
            b"cntrl" => u8::is_ascii_control,
            b"digit" => u8::is_ascii_digit,
            b"graph" => u8::is_ascii_graphic,
            b"print" => |b| b.is_ascii_graphic() || *b == b' ',
            b"punct" => u8::is_ascii_punctuation,
            b"space" => |b| matches!(b, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r'),
            b"word" => |b| b.is_ascii_alphanumeric() || *b == b'_',
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return None,
        };
        let mut set = ByteSet::EMPTY;
        (0..=255u8).filter(test).for_each(|b| set.insert(b));
        Some(set)
    }
}

impl std::fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[")?;
        for (first, last) in self.ranges() {
            write!(f, "{}-{}", first.escape_ascii(), last.escape_ascii())?;
        }
        f.write_str("]")
    }
}
