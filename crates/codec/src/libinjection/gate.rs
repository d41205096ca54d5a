//! Cheap tests that prove "no" for most values of ordinary traffic.
//!
//! What lives here: proofs only. A gate may let anything through, but what it stops has no verdict but "no"; a property
//! test compares gated and ungated verdicts. What deliberately does not: heuristics.

use memchr::memchr2;

/// True only if `input` is a single number or a single bare word, or empty.
///
/// One token folds to one letter, and the only fingerprint of one letter is `X`, which a word or number never gets.
/// A word that starts with a digit may fall into several tokens (`1union`), so it is let through.
pub(super) fn cannot_be_sqli(input: &[u8]) -> bool {
    match input.first() {
        None => true,
        Some(b'0'..=b'9') => input.iter().all(u8::is_ascii_digit),
        Some(_) => input.iter().all(|&byte| is_plain_word_byte(byte)),
    }
}

/// True only if `input` has neither `<` nor `=`.
///
/// Document types, tags and comments start with `<`; an attribute's value, which is what makes its name matter, starts
/// after `=`.
pub(super) fn cannot_be_xss(input: &[u8]) -> bool {
    memchr2(b'<', b'=', input).is_none()
}

/// Bytes that continue a bare word and mean nothing else inside one: a dot or a backtick would cut it at a keyword,
/// and 0xA0 is white space where a token starts.
fn is_plain_word_byte(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | 0x80..=0x9f | 0xa1..=0xff)
}
