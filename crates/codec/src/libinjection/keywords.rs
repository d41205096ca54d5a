//! Look-ups in the two fact tables, through indexes computed at compile time.
//!
//! What lives here: a hash index over [`KEYWORDS`] that takes a word piece by piece, so that a prefix or a phrase of two
//! words is looked up without being copied, and a two-level index over [`FINGERPRINTS`]. What deliberately does not: any
//! opinion on what a word means; see [`super::sql`].

use super::sql::Kind;
use super::tables::{FINGERPRINT_COUNT, FINGERPRINTS, KEYWORDS};

/// A hash of a word so far, its letters taken as capitals (FNV-1a, 32 bits).
#[derive(Clone, Copy)]
pub(super) struct WordHash(u32);

impl WordHash {
    pub(super) const EMPTY: Self = Self(0x811c_9dc5);

    pub(super) const fn push(self, byte: u8) -> Self {
        Self((self.0 ^ byte.to_ascii_uppercase() as u32).wrapping_mul(0x0100_0193))
    }

    pub(super) fn of(word: &[u8]) -> Self {
        word.iter().fold(Self::EMPTY, |hash, &byte| hash.push(byte))
    }

    const fn slot(self) -> usize {
        // FNV's low bits depend on the low bits of the letters alone; fold the high half in.
        ((self.0 ^ (self.0 >> 15)) as usize) % SLOTS
    }
}

/// The kind of `word`, if it is a keyword, a known phrase or an operator of two characters.
pub(super) fn kind_of(word: &[u8]) -> Option<Kind> {
    if word.len() > KEYWORD_LEN_MAX { None } else { kind_of_hashed(word, WordHash::of(word)) }
}

/// [`kind_of`] for a caller that has hashed the word on the way.
pub(super) fn kind_of_hashed(word: &[u8], hash: WordHash) -> Option<Kind> {
    find(hash, |keyword| keyword.eq_ignore_ascii_case(word)).map(|(_, kind)| kind)
}

/// The phrase that two words make with one space between them, and its kind.
pub(super) fn phrase(first: &[u8], second: &[u8]) -> Option<(&'static [u8], Kind)> {
    let len = first.len() + 1 + second.len();
    if len > KEYWORD_LEN_MAX || first.is_empty() || !PHRASE_INITIALS[usize::from(first[0])] {
        return None;
    }
    let hash = second.iter().fold(WordHash::of(first).push(b' '), |hash, &byte| hash.push(byte));
    find(hash, |keyword| {
        keyword.len() == len
            && keyword[first.len()] == b' '
            && keyword[..first.len()].eq_ignore_ascii_case(first)
            && keyword[first.len() + 1..].eq_ignore_ascii_case(second)
    })
}

/// Whether the letters of a fingerprint, taken as capitals, are a known attack's.
pub(super) fn is_attack(letters: &[u8]) -> bool {
    if letters.is_empty() || letters.len() > 5 {
        return false;
    }
    let mut digits = [0_usize; 5];
    for (digit, letter) in digits.iter_mut().zip(letters) {
        match LETTER_DIGIT[usize::from(letter.to_ascii_uppercase())] {
            0 => return false,
            known => *digit = usize::from(known),
        }
    }
    let head = digits[0] * RADIX + digits[1];
    let tail = ((digits[2] * RADIX + digits[3]) * RADIX + digits[4]) as u16;
    let range = usize::from(HEAD_STARTS[head])..usize::from(HEAD_STARTS[head + 1]);
    TAILS[range].binary_search(&tail).is_ok()
}

/// Letters of kinds that are no attack's among themselves.
const UNTELLING_LETTERS: &[u8] = b"n1of,;:.?";

/// False only if `word` is not telling: of a kind other than [`UNTELLING_LETTERS`], or a word that phrases start with.
///
/// `word` has no dots; keywords with dots are all names and functions, so not telling.
pub(super) fn may_be_telling(word: &[u8]) -> bool {
    let [first, ..] = word else { return false };
    let [.., last_but_one, last] = word else { return false };
    let bit = sketch(*first, *last_but_one, *last, word.len());
    TELLING[bit / 64] >> (bit % 64) & 1 == 1
}

/// False only if no telling word is the end of `word` after at least one byte.
pub(super) fn may_end_telling(word: &[u8]) -> bool {
    let [.., last_but_one, last] = word else { return false };
    let shortest = TELLING_END_LEN_MIN[end_of_word(*last_but_one, *last)];
    usize::from(shortest) < word.len()
}

/// The words that [`may_be_telling`] is about.
pub(super) fn telling_words() -> impl Iterator<Item = &'static [u8]> {
    KEYWORDS.iter().filter_map(|(word, letter)| {
        let first = word.split(' ').next()?;
        let is_operator = PLACE[usize::from(word.as_bytes()[0])] == 0;
        (first.len() < word.len() || !is_operator && !is_untelling(*letter)).then_some(first.as_bytes())
    })
}

const fn is_untelling(letter: u8) -> bool {
    let mut at = 0;
    while at < UNTELLING_LETTERS.len() {
        if UNTELLING_LETTERS[at] == letter {
            return true;
        }
        at += 1;
    }
    false
}

/// A number below `PLACES`² for the last two bytes of a word, the same in either case.
const fn end_of_word(last_but_one: u8, last: u8) -> usize {
    PLACE[last_but_one as usize] as usize * PLACES + PLACE[last as usize] as usize
}

fn find(hash: WordHash, is_it: impl Fn(&[u8]) -> bool) -> Option<(&'static [u8], Kind)> {
    let mut slot = hash.slot();
    loop {
        // Terminates: less than half of the slots are taken, which `slots` checks while compiling.
        let index = usize::from(KEYWORD_SLOTS[slot].checked_sub(1)?);
        let keyword = KEYWORDS[index].0.as_bytes();
        if is_it(keyword) {
            return Some((keyword, KEYWORD_KINDS[index]));
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// A power of two, more than twice the number of keywords.
const SLOTS: usize = 2048;

/// One-based positions in [`KEYWORDS`] by hash, 0 where nothing is; collisions go to the next free slot.
static KEYWORD_SLOTS: [u16; SLOTS] = slots();

/// The kinds of [`KEYWORDS`], in the same order.
static KEYWORD_KINDS: [Kind; KEYWORDS.len()] = {
    let mut kinds = [Kind::Unknown; KEYWORDS.len()];
    let mut index = 0;
    while index < kinds.len() {
        kinds[index] = match KEYWORDS[index].1 {
            b'k' => Kind::Keyword,
            b'U' => Kind::Union,
            b'B' => Kind::Group,
            b'E' => Kind::Expression,
            b't' => Kind::SqlType,
            b'f' => Kind::Function,
            b'n' => Kind::Bareword,
            b'1' => Kind::Number,
            b'v' => Kind::Variable,
            b'o' => Kind::Operator,
            b'&' => Kind::LogicOperator,
            b'A' => Kind::Collate,
            b'T' => Kind::Tsql,
            _ => panic!("a kind that no word has"),
        };
        index += 1;
    }
    kinds
};

/// The longest keyword, in bytes.
pub(super) const KEYWORD_LEN_MAX: usize = keyword_len_max();

/// The letters, of either case, that phrases start with.
static PHRASE_INITIALS: [bool; 256] = phrase_initials();

/// The letters that occur in [`FINGERPRINTS`], as capitals, mapped to 1, 2, ..; every other byte to 0.
static LETTER_DIGIT: [u8; 256] = letter_digits();

/// One more than the number of different letters in [`FINGERPRINTS`]: 0 fills fingerprints shorter than five.
const RADIX: usize = 21;

/// Where in [`TAILS`] the fingerprints with given first two letters start.
static HEAD_STARTS: [u16; RADIX * RADIX + 1] = FINGERPRINT_INDEX.0;

/// The last three letters of every fingerprint, as a number to base [`RADIX`], ascending within one head.
static TAILS: [u16; FINGERPRINT_COUNT] = FINGERPRINT_INDEX.1;

const FINGERPRINT_INDEX: ([u16; RADIX * RADIX + 1], [u16; FINGERPRINT_COUNT]) = fingerprint_index();

const fn slots() -> [u16; SLOTS] {
    assert!(KEYWORDS.len() * 2 < SLOTS);
    let mut slots = [0_u16; SLOTS];
    let mut index = 0;
    while index < KEYWORDS.len() {
        let word = KEYWORDS[index].0.as_bytes();
        let mut hash = WordHash::EMPTY;
        let mut at = 0;
        while at < word.len() {
            hash = hash.push(word[at]);
            at += 1;
        }
        let mut slot = hash.slot();
        while slots[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = index as u16 + 1;
        index += 1;
    }
    slots
}

const fn keyword_len_max() -> usize {
    let mut max = 0;
    let mut index = 0;
    while index < KEYWORDS.len() {
        if KEYWORDS[index].0.len() > max {
            max = KEYWORDS[index].0.len();
        }
        index += 1;
    }
    max
}

/// Letters, digits and underscore are 1 to 37, all other bytes 0.
static PLACE: [u8; 256] = {
    let mut place = [0; 256];
    let mut byte = 0;
    while byte < place.len() {
        place[byte] = match byte as u8 {
            letter @ (b'A'..=b'Z' | b'a'..=b'z') => letter.to_ascii_uppercase() - b'A' + 1,
            digit @ b'0'..=b'9' => digit - b'0' + 27,
            b'_' => 37,
            _ => 0,
        };
        byte += 1;
    }
    place
};

const PLACES: usize = 38;

/// A number below [`SKETCH_BITS`] for words of this first byte, these last two and this length, the same in either case.
const fn sketch(first: u8, last_but_one: u8, last: u8, len: usize) -> usize {
    let word = (end_of_word(last_but_one, last) * PLACES + PLACE[first as usize] as usize) << 5 | (len & 31);
    // Multiplicative hashing: the top 13 of 32 bits.
    ((word as u32).wrapping_mul(0x9e37_79b1) >> 19) as usize
}

const SKETCH_BITS: usize = 1 << 13;

/// One bit for the [`sketch`] of each telling word, some 300 in all.
static TELLING: [u64; SKETCH_BITS / 64] = TELLING_INDEX.0;

/// The length of the shortest telling word by [`end_of_word`]; 255 where there is none.
static TELLING_END_LEN_MIN: [u8; PLACES * PLACES] = TELLING_INDEX.1;

const TELLING_INDEX: ([u64; SKETCH_BITS / 64], [u8; PLACES * PLACES]) = {
    let mut telling = [0_u64; SKETCH_BITS / 64];
    let mut len_min = [255_u8; PLACES * PLACES];
    let mut index = 0;
    while index < KEYWORDS.len() {
        let (word, letter) = KEYWORDS[index];
        let word = word.as_bytes();
        let mut len = 0;
        while len < word.len() && word[len] != b' ' {
            len += 1;
        }
        let is_operator = PLACE[word[0] as usize] == 0;
        if len < word.len() || !is_operator && !is_untelling(letter) {
            let (last_but_one, last) = (word[len - 2], word[len - 1]);
            // No telling word starts with a digit: the gate relies on it.
            assert!(
                !word[0].is_ascii_digit()
                    && len >= 2
                    && len < 32
                    && PLACE[last_but_one as usize] != 0
                    && PLACE[last as usize] != 0
            );
            let bit = sketch(word[0], last_but_one, last, len);
            telling[bit / 64] |= 1 << (bit % 64);
            let end = end_of_word(last_but_one, last);
            if len < len_min[end] as usize {
                len_min[end] = len as u8;
            }
        }
        index += 1;
    }
    (telling, len_min)
};

const fn phrase_initials() -> [bool; 256] {
    let mut initials = [false; 256];
    let mut index = 0;
    while index < KEYWORDS.len() {
        let word = KEYWORDS[index].0.as_bytes();
        let mut at = 0;
        while at < word.len() {
            if word[at] == b' ' {
                initials[word[0] as usize] = true;
                initials[word[0].to_ascii_lowercase() as usize] = true;
            }
            at += 1;
        }
        index += 1;
    }
    initials
}

const fn letter_digits() -> [u8; 256] {
    let letters = FINGERPRINTS.as_bytes();
    let mut seen = [false; 256];
    let mut at = 0;
    while at < letters.len() {
        seen[letters[at] as usize] = letters[at] != b' ';
        at += 1;
    }
    let mut digits = [0_u8; 256];
    let mut next = 1;
    let mut letter = 0;
    while letter < digits.len() {
        if seen[letter] {
            digits[letter] = next;
            next += 1;
        }
        letter += 1;
    }
    // Digits ascend with the letters, so the byte order of the list is the order of the numbers.
    assert!(next as usize == RADIX);
    digits
}

const fn fingerprint_index() -> ([u16; RADIX * RADIX + 1], [u16; FINGERPRINT_COUNT]) {
    let digit_of = letter_digits();
    let letters = FINGERPRINTS.as_bytes();
    let mut starts = [0_u16; RADIX * RADIX + 1];
    let mut tails = [0_u16; FINGERPRINT_COUNT];
    let (mut at, mut index, mut head_next) = (0, 0, 0);
    while at < letters.len() {
        let mut digits = [0_usize; 5];
        let mut len = 0;
        while letters[at] != b' ' {
            digits[len] = digit_of[letters[at] as usize] as usize;
            len += 1;
            at += 1;
        }
        at += 1;
        let head = digits[0] * RADIX + digits[1];
        while head_next <= head {
            starts[head_next] = index as u16;
            head_next += 1;
        }
        // An earlier head here would mean that the list is not in order.
        assert!(head_next == head + 1);
        tails[index] = ((digits[2] * RADIX + digits[3]) * RADIX + digits[4]) as u16;
        assert!(index as u16 == starts[head] || tails[index - 1] < tails[index]);
        index += 1;
    }
    assert!(index == FINGERPRINT_COUNT);
    while head_next < starts.len() {
        starts[head_next] = index as u16;
        head_next += 1;
    }
    (starts, tails)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_found_in_either_case_and_nothing_else_is() {
        for (word, letter) in KEYWORDS {
            let kind = kind_of(word.as_bytes()).expect(word);
            assert_eq!(kind.letter(), letter, "{word}");
            assert_eq!(kind_of(word.to_ascii_lowercase().as_bytes()), Some(kind), "{word}");
            assert_eq!(kind_of(format!("{word}\0").as_bytes()), None, "{word} and a NUL");
            if let Some((first, second)) = word.split_once(' ') {
                let found = phrase(first.to_ascii_lowercase().as_bytes(), second.as_bytes());
                assert_eq!(found, Some((word.as_bytes(), kind)), "{word}");
            }
        }
        assert_eq!(kind_of(b""), None);
        assert_eq!(kind_of(b"palisade"), None);
        assert_eq!(phrase(b"UNION", b"PACIFIC"), None);
    }

    #[test]
    fn untelling_kinds_make_no_attack() {
        let untelling =
            |word: &str| word.bytes().all(|b| UNTELLING_LETTERS.contains(&b.to_ascii_lowercase()));
        assert!(!FINGERPRINTS.split_ascii_whitespace().any(untelling));
        for (word, letter) in KEYWORDS {
            // Operators of two bytes: those that the gate lets through are operators and no more.
            if word.bytes().all(|byte| b",;:?=+%<>!~^-/*".contains(&byte)) {
                assert_eq!(letter, b'o', "{word}");
            }
            if word.contains('.') {
                assert!(matches!(letter, b'n' | b'f'), "{word}");
            }
            let first = word.split(' ').next().unwrap_or(word);
            if first != word || !UNTELLING_LETTERS.contains(&letter) && first.is_ascii() && first.len() > 2 {
                assert!(may_be_telling(first.to_ascii_lowercase().as_bytes()), "{word}");
                assert!(may_end_telling(format!("1{first}").as_bytes()), "{word}");
            }
        }
    }

    #[test]
    fn exactly_the_listed_fingerprints_are_attacks() {
        let listed: std::collections::HashSet<&[u8]> =
            FINGERPRINTS.split_ascii_whitespace().map(str::as_bytes).collect();
        assert_eq!(listed.len(), FINGERPRINT_COUNT);
        let letters: Vec<u8> = (0..=255_u8).filter(|&b| LETTER_DIGIT[usize::from(b)] != 0).collect();
        assert_eq!(letters.len() + 1, RADIX);
        // Every string of up to four known letters, and of five those that start with a digit or an n.
        let mut level: Vec<Vec<u8>> = vec![Vec::new()];
        let mut found = 0;
        for len in 1..=5 {
            let longer = level.iter().filter(|s| len < 5 || s[0] == b'1' || s[0] == b'N');
            level =
                longer.flat_map(|s| letters.iter().map(move |&l| [s.as_slice(), &[l]].concat())).collect();
            for candidate in &level {
                assert_eq!(is_attack(candidate), listed.contains(candidate.as_slice()), "{candidate:?}");
                found += usize::from(is_attack(candidate));
            }
        }
        let expected = listed.iter().filter(|f| f.len() < 5 || f[0] == b'1' || f[0] == b'N').count();
        assert_eq!(found, expected);
        assert!(listed.iter().all(|f| is_attack(&f.to_ascii_lowercase())));
        assert!(!is_attack(b"") && !is_attack(b"1 1") && !is_attack(b"{") && !is_attack(b"1OS1N1"));
    }
}
