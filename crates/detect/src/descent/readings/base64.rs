//! Bytes spelled in letters and digits: base64 in the alphabets of RFC 4648, padded or not, and hexadecimal.

use palisade_codec::ByteSet;
use palisade_codec::transform::hex::hex_pair;

use super::{Made, Reading};
use crate::Decoding;
use crate::detection::WORD;

/// Base64 of a text, alone or behind a word (`Basic dXNlcjpwYXNz`).
pub(super) const BASE64: Reading =
    Reading { decoding: Decoding::Base64, gate: WORD, read: |text, set, _| read_base64(text, set) };

/// Hexadecimal of a text, with or without `0x`.
pub(super) const HEX: Reading = Reading {
    decoding: Decoding::Hex,
    gate: ByteSet::range(b'2', b'7'),
    read: |text, set, _| read_hex(text, set),
};

/// Bytes below which words are taken for an encoding too often.
const BYTES_MIN: usize = 12;

/// Bytes of what may still be one where all that comes out is printable, and some of it signs: `$(id)`, `{{7*7}}`. Of
/// six letters and digits one in some hundreds is.
const SHORT_BYTES_MIN: usize = 7;

/// Whether a short word may be base64 of code: it has capitals behind its first letter, which words seldom have.
pub(in crate::descent) fn may_be_short_base64(word: &[u8]) -> bool {
    word.len() >= SHORT_BYTES_MIN
        && word[1..].iter().any(u8::is_ascii_uppercase)
        && word.iter().any(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_code(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) && bytes.iter().any(u8::is_ascii_punctuation)
}

const ALPHABET: ByteSet = WORD.union(ByteSet::of(b"+/-_=\r\n"));
const HEX_DIGITS: ByteSet =
    ByteSet::range(b'0', b'9').union(ByteSet::range(b'a', b'f')).union(ByteSet::range(b'A', b'F'));

fn read_base64(text: &[u8], set: &ByteSet) -> Made {
    let text = match memchr::memchr(b' ', text) {
        // A scheme and what it carries.
        Some(blank) if blank <= 16 && text[..blank].iter().all(u8::is_ascii_alphabetic) => &text[blank + 1..],
        None if ALPHABET.contains_all(set) => text,
        _ => return Made::NOTHING,
    };
    if text.len() < SHORT_BYTES_MIN {
        return Made::NOTHING;
    }
    match decode(text) {
        Some(decoded) if text.len() < BYTES_MIN && !is_code(&decoded) => Made::NOTHING,
        Some(decoded) if makes_sense(&decoded) => Made::text(decoded),
        _ => Made::NOTHING,
    }
}

/// Decodes; `None` where it is no base64. Padding may be missing, and may stand in the middle where two texts were joined.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for &byte in text {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                (bits, count) = (0, 0);
                continue;
            }
            b'\r' | b'\n' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // One digit left over is six bits of nothing.
    (count != 6).then_some(out)
}

fn read_hex(text: &[u8], set: &ByteSet) -> Made {
    let digits = match text {
        [b'0', b'x' | b'X', digits @ ..] => digits,
        _ if HEX_DIGITS.contains_all(set) => text,
        _ => return Made::NOTHING,
    };
    if digits.len() < BYTES_MIN || digits.len() % 2 != 0 {
        return Made::NOTHING;
    }
    let decoded: Option<Vec<u8>> = digits.as_chunks::<2>().0.iter().map(|pair| hex_pair(pair)).collect();
    match decoded {
        Some(decoded) if makes_sense(&decoded) => Made::text(decoded),
        _ => Made::NOTHING,
    }
}

/// Whether decoded bytes are something that somebody would wrap: a text, or a kind of data that begins as it must. Random
/// words decode to bytes that nobody writes.
fn makes_sense(bytes: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 9] = [
        b"\x1f\x8b\x08",
        b"\x78\x9c",
        b"\x78\x01",
        b"\x78\xda",
        b"\x28\xb5\x2f\xfd",
        // Serialised objects of Java, .NET, Python and Ruby.
        b"\xac\xed\x00\x05",
        b"\x00\x01\x00\x00\x00\xff\xff\xff\xff",
        b"\x80\x04\x95",
        b"\x04\x08",
    ];
    let is_text = |bytes: &[u8]| {
        let odd =
            bytes.iter().filter(|byte| byte.is_ascii_control() && !b"\t\n\x0b\x0c\r".contains(byte)).count();
        odd * 10 <= bytes.len() && std::str::from_utf8(bytes).is_ok()
    };
    let (units, _) = bytes.as_chunks::<2>();
    let utf16 = units.len() >= 4 && units.iter().filter(|unit| unit[1] == 0).count() * 4 >= units.len() * 3;
    !bytes.is_empty() && (is_text(bytes) || utf16 || BEGINNINGS.iter().any(|begin| bytes.starts_with(begin)))
}

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::*;

    fn reads(read: fn(&[u8], &ByteSet) -> Made, text: &str) -> Option<String> {
        match read(text.as_bytes(), &ByteSet::of(text.as_bytes())).form {
            Form::Text(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => None,
        }
    }

    #[test]
    fn wrapped_texts_are_unwrapped_and_words_are_not() {
        for (text, expected) in [
            ("JyBPUiAxPTEgLS0=", Some("' OR 1=1 --")),
            ("JyBPUiAxPTEgLS0", Some("' OR 1=1 --")),
            ("Basic dXNlcjpwYXNzd29yZA==", Some("user:password")),
            ("internationalization", None),
            ("d41d8cd98f00b204e9800998ecf8427e", None),
            ("short", None),
            ("two words here", None),
        ] {
            assert_eq!(reads(read_base64, text).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("0x3c7363726970743e", Some("<script>")),
            ("3c7363726970743e", Some("<script>")),
            ("d41d8cd98f00b204e9800998ecf8427e", None),
            ("0x3c73", None),
        ] {
            assert_eq!(reads(read_hex, text).as_deref(), expected, "{text}");
        }
    }
}
