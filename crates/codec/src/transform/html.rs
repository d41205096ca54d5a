//! HTML character references, as few as SecLang knows.
//!
//! A browser knows 2,231 names and decodes to code points. What a browser would see is the business of a
//! decoder for the detectors, which is another function; this one answers what a rule with
//! `t:htmlEntityDecode` expects.

use super::Effect;
use super::edits::{Edits, find_byte};

/// `htmlEntityDecode`: `&#DDD`, `&#xHHH`, `&quot`, `&amp`, `&lt`, `&gt` and `&nbsp`, each with or without its
/// `;`, names in any case. A reference becomes one byte: a number's lowest 8 bits, 0xA0 for `nbsp`. The rest
/// is kept. Output never exceeds input. O(n).
///
/// A number beyond 2^63 - 1 counts as 2^63 - 1 and so becomes 0xFF. Names end where letters and digits end:
/// `&ltx;` is no reference.
///
/// Source: ModSecurity v3 `html_entity_decode.cc`. Differs: nothing known; `testdata/transforms/html.toml`
/// pins it.
pub fn decode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = find_byte(&input[at..], b'&') {
        at += found;
        match reference(&input[at..]) {
            Reference::Byte { byte, len } => {
                edits.put(at..at + len, byte);
                at += len;
            }
            Reference::None { len } => at += len,
        }
    }
    edits.finish()
}

enum Reference {
    Byte {
        byte: u8,
        len: usize,
    },
    /// Not a reference; nothing in the first `len` bytes can start one.
    None {
        len: usize,
    },
}

/// Reads what an ampersand introduces. `text` starts with it.
fn reference(text: &[u8]) -> Reference {
    match text.get(1) {
        Some(b'#') => match text.get(2) {
            Some(b'x' | b'X') => number(text, 3, 16),
            _ => number(text, 2, 10),
        },
        _ => named(text),
    }
}

fn number(text: &[u8], start: usize, radix: u32) -> Reference {
    let mut value: u64 = 0;
    let mut end = start;
    while let Some(digit) = text.get(end).and_then(|&byte| char::from(byte).to_digit(radix)) {
        // Saturated as strtol does; all ones then, so the low byte is 0xff.
        value = value.saturating_mul(radix.into()).saturating_add(digit.into()).min(i64::MAX as u64);
        end += 1;
    }
    if end == start {
        return Reference::None { len: start.min(text.len()) };
    }
    Reference::Byte { byte: value as u8, len: end + semicolon(text, end) }
}

fn named(text: &[u8]) -> Reference {
    let len = 1 + text[1..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if !(1 + NAME_LEN_MIN..=1 + NAME_LEN_MAX).contains(&len) {
        return Reference::None { len };
    }
    match NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text[1..len])) {
        Some(&(_, byte)) => Reference::Byte { byte, len: len + semicolon(text, len) },
        None => Reference::None { len },
    }
}

/// How long the semicolon at `at` is: one byte, or absent.
fn semicolon(text: &[u8], at: usize) -> usize {
    usize::from(text.get(at) == Some(&b';'))
}

/// All the names there are.
const NAMES: [(&[u8], u8); 5] =
    [(b"quot", b'"'), (b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"nbsp", 0xa0)];

const NAME_LEN_MIN: usize = 2;
const NAME_LEN_MAX: usize = 4;
