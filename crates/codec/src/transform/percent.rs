//! Percent-encoding: `%HH`, `+`, and the `%uHHHH` of old IIS.

use memchr::memchr2;

use super::edits::{Edits, find, find_byte};
use super::hex::{hex_pair, hex_quad};
use super::unicode::{UnicodeMap, low_byte_folded};
use super::{ByteSet, Effect};

/// Decodes `%HH` and nothing else; `+` stays. A `%` without two hexadecimal digits is kept, and what follows
/// it is still decoded (`%%41` is `%A`). Output never exceeds input. O(n).
///
/// Source: RFC 3986, 2.1; for malformed escapes ModSecurity v3 `utils/decode.cc`.
pub fn percent_decode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = find_byte(&input[at..], b'%') {
        at = decode_escape(input, at + found, &mut edits);
    }
    edits.finish()
}

/// `urlDecode`: `%HH`, and `+` is a space. Output never exceeds input. O(n).
///
/// Source: ModSecurity v3 `url_decode.cc`. Differs: nothing known; `testdata/transforms/percent.toml` pins
/// it.
pub fn url_decode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = find_encoded(&input[at..]) {
        at += found;
        at = match input[at] {
            b'+' => {
                edits.put(at..at + 1, b' ');
                at + 1
            }
            _ => decode_escape(input, at, &mut edits),
        };
    }
    edits.finish()
}

/// `urlDecodeUni`: as [`url_decode`], and `%uHHHH` (or `%UHHHH`) becomes one byte: what `map` has for it;
/// without a map, or without an entry, its low byte, to which full-width ASCII (FF01 to FF5E) adds 0x20.
/// Output never exceeds input. O(n), with a binary search in the map for each `%u`.
///
/// Source: ModSecurity v3 `url_decode_uni.cc`. Differs: nothing known; `testdata/transforms/percent.toml`
/// pins it.
pub fn url_decode_uni(input: &[u8], out: &mut Vec<u8>, map: Option<&UnicodeMap>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = find_encoded(&input[at..]) {
        at += found;
        at = match (input[at], input.get(at + 1)) {
            (b'+', _) => {
                edits.put(at..at + 1, b' ');
                at + 1
            }
            (_, Some(b'u' | b'U')) => match hex_quad(&input[at + 2..]) {
                Some(code) => {
                    let mapped = map.and_then(|map| map.get(code));
                    edits.put(at..at + 6, mapped.unwrap_or_else(|| low_byte_folded(code.into())));
                    at + 6
                }
                None => at + 2,
            },
            _ => decode_escape(input, at, &mut edits),
        };
    }
    edits.finish()
}

/// `urlEncode`: a space becomes `+`; letters, digits and `*` stay; all else becomes `%hh` in lower case, `-`,
/// `.` and `_` as well. Output is at most three times the input. O(n).
///
/// Source: ModSecurity v3 `url_encode.cc`. Differs: nothing known.
pub fn url_encode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut edits = Edits::new(input, out);
    for (at, &byte) in input.iter().enumerate().filter(|(_, byte)| ENCODED.contains(**byte)) {
        match byte {
            b' ' => edits.put(at..at + 1, b'+'),
            _ => {
                let escape = [b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
                edits.replace(at..at + 1, &escape);
            }
        }
    }
    edits.finish()
}

fn find_encoded(text: &[u8]) -> Option<usize> {
    find(text, |byte| matches!(byte, b'%' | b'+'), |text| memchr2(b'%', b'+', text))
}

/// Decodes the `%HH` at `at`, if it is one, and says where to go on.
fn decode_escape(input: &[u8], at: usize, edits: &mut Edits<'_>) -> usize {
    match hex_pair(&input[at + 1..]) {
        Some(byte) => {
            edits.put(at..at + 3, byte);
            at + 3
        }
        None => at + 1,
    }
}

/// What `urlEncode` does not leave alone.
pub(super) const ENCODED: ByteSet = ByteSet::range(0, b')')
    .union(ByteSet::range(b'+', b'/'))
    .union(ByteSet::range(b':', b'@'))
    .union(ByteSet::range(b'[', b'`'))
    .union(ByteSet::range(b'{', 0xff));
