//! Base64, in the alphabets of RFC 4648 and with or without padding.

use palisade_codec::ByteSet;

use super::{Made, Reading};
use crate::Decoding;
use crate::detection::WORD;

/// Base64 of a text.
pub(super) const BASE64: Reading = Reading { decoding: Decoding::Base64, gate: WORD, read };

/// Bytes of base64 below which words are taken for it too often.
const BYTES_MIN: usize = 12;

const ALPHABET: ByteSet = WORD.union(ByteSet::of(b"+/-_=\r\n"));

fn read(text: &[u8], set: &ByteSet, _: &crate::DetectLimits) -> Made {
    if text.len() < BYTES_MIN || !ALPHABET.contains_all(set) {
        return Made::NOTHING;
    }
    match decode(text) {
        Some(decoded) if reads_as_text(&decoded) => Made::one(decoded),
        _ => Made::NOTHING,
    }
}

/// Decodes; `None` where it is no base64.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    let mut padded = false;
    for &byte in text {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                padded = true;
                continue;
            }
            b'\r' | b'\n' => continue,
            _ => return None,
        };
        if padded {
            return None;
        }
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    // One digit left over is six bits of nothing.
    (count != 6).then_some(out)
}

/// Whether a decoded text is a text: random words decode to bytes that nobody writes.
fn reads_as_text(text: &[u8]) -> bool {
    let odd = text.iter().filter(|byte| byte.is_ascii_control() && !b"\t\r\n".contains(byte)).count();
    !text.is_empty() && odd * 20 <= text.len() && std::str::from_utf8(text).is_ok()
}
