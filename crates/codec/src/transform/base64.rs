//! Base64.

use super::Effect;

/// `base64Decode`: decodes up to the first byte that is no Base64, in practice the padding. White space is
/// skipped, and a last group of two or three digits counts although its padding is missing. Output is at most
/// three quarters of the input. O(n).
///
/// Source: RFC 4648, 4; ModSecurity v3 `utils/base64.cc`. Differs: on text that is not well-formed Base64,
/// 3.0.9 answers nothing at all and drops an unpadded last group, so that one stray byte hides the payload
/// from every rule behind; we decode what stands before it, as ModSecurity 2 and Coraza do. A stray byte at
/// the very start still hides it: rules that mean lenient decoders say `base64DecodeExt`.
pub fn decode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let digits = input.iter().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    collect(digits.map_while(|&byte| if matches!(byte, b'-' | b'_') { None } else { digit(byte) }), out);
    Effect::of_result(input, out)
}

/// `base64DecodeExt`: decodes the bytes that are Base64 and skips the others, padding included. Takes `-` for
/// `+` and `_` for `/`. Output is at most three quarters of the input. O(n).
///
/// Source: ModSecurity v3 `utils/base64.cc`. Differs: 3.0.9 skips `-` and `_`, which garbles a JWT; the
/// current v3 and Coraza (its issue 1651) take them. When one digit too many is left, 3.0.9 answers nothing
/// if a lone `=` follows it or if it is a `9` at the end (whose value, 61, is taken for the `=`); we drop
/// that digit alone.
pub fn decode_lenient(input: &[u8], out: &mut Vec<u8>) -> Effect {
    collect(input.iter().filter_map(|&byte| digit(byte)), out);
    Effect::of_result(input, out)
}

/// `base64Encode`: with padding, without line breaks. Output is four bytes for each three begun. O(n).
///
/// Source: RFC 4648, 4. Differs: nothing known.
pub fn encode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    out.clear();
    out.reserve(input.len().div_ceil(3) * 4);
    for group in input.chunks(3) {
        let mut bytes = [0; 4];
        bytes[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(bytes);
        for place in 0..4 {
            out.push(match place <= group.len() {
                true => ALPHABET[(bits >> (18 - 6 * place) & 63) as usize],
                false => b'=',
            });
        }
    }
    Effect::of_result(input, out)
}

/// Packs six-bit digits into bytes; bits that do not fill a byte are dropped.
fn collect(digits: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    out.clear();
    out.reserve(digits.size_hint().1.map_or(0, |most| most / 4 * 3 + 3));
    let mut bits: u32 = 0;
    let mut count = 0;
    for digit in digits {
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
}

/// The value of a digit of either alphabet, the usual one or that for URLs.
const fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
