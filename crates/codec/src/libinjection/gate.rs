//! Cheap tests that prove "no" for most values of ordinary traffic.
//!
//! What lives here: proofs only. A gate may let anything through, but what it stops has no verdict but "no"; property
//! tests compare gated and ungated verdicts. What deliberately does not: heuristics.

use memchr::memchr2;

use super::keywords;
use super::sql::Folded;

/// True only if `input` reads as names, numbers and plain operators in every way SQL can be read, or starts with as
/// many plain words as matter.
///
/// The proof of the former. The bytes let through start no string, comment, variable, parenthesis or brace, so only the bare reading
/// matters and the tokens are words, numbers, operators, and `,` `;` `:` `.` `?`. Unless a word is one of those that
/// [`keywords`] calls telling, all kinds are then those that tell nothing, folding makes no other kind out of them, and
/// no fingerprint consists of them alone (tests check that against the tables).
pub(super) fn cannot_be_sqli(input: &[u8]) -> bool {
    starts_as_prose(input) || input.len() <= PROOF_LEN_MAX && reads_as_plain(input)
}

/// True only if `input` has no quotes and starts with as many plain words as folding looks at.
///
/// The proof. Without quotes only the bare reading matters. Each of the words, with white space or the end behind it, is
/// a token of its own, is on no list and starts no phrase, so no two or three of them fold. Folding is then done, whatever
/// follows, and the fingerprint is `nnnnn`, which is no attack's (a test checks that).
fn starts_as_prose(input: &[u8]) -> bool {
    let mut rest = input;
    for _ in 0..PROSE_WORDS {
        let start = rest.iter().take_while(|&&byte| is_plain_white(byte)).count();
        rest = &rest[start..];
        let (word, behind) = rest.split_at(run_of_word_bytes(rest));
        let ends = behind.first().is_none_or(|&byte| is_plain_white(byte));
        let starts = word.first().is_some_and(|&byte| CLASS[usize::from(byte)] == Class::Letter);
        if !ends || !starts || keywords::may_be_telling(word) || keywords::kind_of(word).is_some() {
            return false;
        }
        rest = behind;
    }
    memchr2(b'\'', b'"', input).is_none()
}

/// The first proof of [`cannot_be_sqli`].
fn reads_as_plain(input: &[u8]) -> bool {
    let mut before = Class::Mark;
    let mut at = 0;
    while let Some(&byte) = input.get(at) {
        let class = CLASS[usize::from(byte)];
        match class {
            Class::Letter | Class::Digit => {
                let word = &input[at..at + run_of_word_bytes(&input[at..])];
                // A number may end inside: `1union`, `1.e5union`.
                let starts_number = class == Class::Digit || before == Class::Dot;
                if (class == Class::Letter && keywords::may_be_telling(word))
                    || (starts_number && keywords::may_end_telling(word))
                {
                    return false;
                }
                at += word.len();
                before = class;
                continue;
            }
            // `--` and `/*` start comments.
            Class::Dash if before == Class::Dash => return false,
            Class::Star if before == Class::Slash => return false,
            Class::Telling => return false,
            Class::Dot | Class::Dash | Class::Slash | Class::Star | Class::Mark => {}
        }
        before = class;
        at += 1;
    }
    true
}

/// Strings of which every input that is an attack has one, ASCII case ignored: what [`cannot_be_sqli`] looks for, by
/// itself and not as whole words.
pub(super) fn telling_strings() -> impl Iterator<Item = &'static [u8]> {
    let bytes = BYTES.chunks(1).filter(|byte| CLASS[usize::from(byte[0])] == Class::Telling);
    bytes.chain([&b"--"[..], b"/*"]).chain(keywords::telling_words())
}

static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

/// True only if `input` has neither `<` nor `=`.
///
/// Document types, tags and comments start with `<`; an attribute's value, which is what makes its name matter, starts
/// after `=`.
pub(super) fn cannot_be_xss(input: &[u8]) -> bool {
    memchr2(b'<', b'=', input).is_none()
}

/// The proof reads all of the input, folding mostly the first few words only: on longer texts folding is faster.
const PROOF_LEN_MAX: usize = 128;

/// The tokens that folding keeps, and the one behind them that it looks at.
const PROSE_WORDS: usize = Folded::LEN_MAX + 1;

/// White space to all readers.
fn is_plain_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn run_of_word_bytes(text: &[u8]) -> usize {
    text.iter().take_while(|&&byte| matches!(CLASS[usize::from(byte)], Class::Letter | Class::Digit)).count()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// What makes a proof impossible.
    Telling,
    /// What words start with.
    Letter,
    Digit,
    Dot,
    Dash,
    Slash,
    Star,
    /// White space and other operators and punctuation.
    Mark,
}

static CLASS: [Class; 256] = {
    let mut class = [Class::Telling; 256];
    let mut byte = 0;
    while byte < class.len() {
        class[byte] = match byte as u8 {
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80..=0x9f | 0xa1..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'.' => Class::Dot,
            b'-' => Class::Dash,
            b'/' => Class::Slash,
            b'*' => Class::Star,
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b';' | b':' | b'?' | b'=' | b'+' | b'%' | b'<' | b'>'
            | b'!' | b'~' | b'^' => Class::Mark,
            _ => Class::Telling,
        };
        byte += 1;
    }
    class
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{sqli, sqli_ungated, xss, xss_ungated};
    use super::*;

    #[test]
    fn the_gate_stops_ordinary_values() {
        for value in [
            "",
            "42",
            "joe",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "2026-11-21T10:20:30.123Z",
            "/shop/products/item-1234.html",
            "application/xhtml+xml;q=0.9",
            "gzip, deflate, br",
            "de-DE,de;q=0.9",
        ] {
            assert!(cannot_be_sqli(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn the_gate_lets_through_what_could_tell() {
        for value in
            ["1 union select 2", "1union", "1.e5union select", "a--", "a/*", "x'", "@x", "1;if x", "n in x"]
        {
            assert!(!cannot_be_sqli(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn plain_words_are_enough_and_nothing_else_is() {
        assert!(!keywords::is_attack(b"nnnnn"));
        let long = "delivery times figures tea customers meet ' ";
        assert!(!starts_as_prose(long.as_bytes()), "quotes have readings of their own");
        for (value, proven) in [
            ("delivery times figures tea customers meet ; drop table x--", true),
            ("  delivery\ttimes figures\r\ntea customers meet", true),
            ("delivery times figures tea customers", false),
            ("delivery times figures tea customers 1", false),
            ("delivery times figures tea customers meet(1)", false),
            ("delivery times figures union customers meet again", false),
            ("delivery times figures x'41 customers meet again", false),
            ("delivery times.figures tea customers meet again", false),
        ] {
            assert_eq!(starts_as_prose(value.as_bytes()), proven, "{value}");
        }
    }

    /// Words, most of them plain, with something else behind or among them.
    fn prose() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            8 => "[a-z\u{e9}_]{1,8}",
            1 => "[a-z]{30,34}",
            1 => prop::sample::select(super::super::tables::KEYWORDS.map(|(word, _)| word).to_vec()).prop_map(str::to_owned),
        ];
        let tail = "[-a-z0-9'\"`#()@$&|{};/*=<>,. \\\\]{0,12}";
        (prop::collection::vec((word, "[ \t\n\r\u{b}\u{a0}]{1,2}"), 4..9), tail).prop_map(|(words, tail)| {
            let mut text: String =
                words.iter().flat_map(|(word, white)| [word.as_str(), white.as_str()]).collect();
            text.push_str(&tail);
            text.into_bytes()
        })
    }

    /// Values that are mostly words, numbers and marks, with an attack's parts among them.
    fn values() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            4 => "[a-z]{1,8}",
            3 => "[0-9.eExXfdbB]{1,6}",
            4 => "[-+*/ .,;:?=<>!~^%]",
            2 => prop::sample::select(super::super::tables::KEYWORDS.map(|(word, _)| word).to_vec()).prop_map(str::to_owned),
            1 => "['\"`#()@$&|{}\\[\\]\\\\]",
        ];
        prop_oneof![
            4 => prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..40),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn gates_never_change_a_verdict(value in prop_oneof![values(), prose()]) {
            prop_assert_eq!(sqli(&value), sqli_ungated(&value));
            prop_assert_eq!(xss(&value), xss_ungated(&value));
        }

        /// Also of values beyond the length that the gate reads.
        #[test]
        fn every_attack_has_a_telling_string(value in values(), repeats in prop::sample::select(vec![1, 1, 9])) {
            let value = value.repeat(repeats);
            let has = |string: &[u8]| value.windows(string.len()).any(|part| part.eq_ignore_ascii_case(string));
            prop_assert!(sqli_ungated(&value).is_none() || telling_strings().any(has));
        }
    }
}
