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
    collect(input, &STRICT, out);
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
    collect(input, &LENIENT, out);
    Effect::of_result(input, out)
}

/// `base64Encode`: with padding, without line breaks. Output is four bytes for each three begun. O(n).
///
/// Source: RFC 4648, 4. Differs: nothing known.
pub fn encode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    out.clear();
    out.reserve(input.len().div_ceil(3) * 4);
    let letter = |bits: u32, place: u32| ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
    let (groups, rest) = input.as_chunks::<3>();
    for &[a, b, c] in groups {
        let bits = u32::from_be_bytes([0, a, b, c]);
        out.extend_from_slice(&[letter(bits, 0), letter(bits, 1), letter(bits, 2), letter(bits, 3)]);
    }
    match *rest {
        [a] => {
            let bits = u32::from_be_bytes([0, a, 0, 0]);
            out.extend_from_slice(&[letter(bits, 0), letter(bits, 1), b'=', b'=']);
        }
        [a, b] => {
            let bits = u32::from_be_bytes([0, a, b, 0]);
            out.extend_from_slice(&[letter(bits, 0), letter(bits, 1), letter(bits, 2), b'=']);
        }
        _ => {}
    }
    Effect::of_result(input, out)
}

/// Packs six-bit digits into bytes; bits that do not fill a byte are dropped.
fn collect(input: &[u8], digits: &[u8; 256], out: &mut Vec<u8>) {
    out.clear();
    out.reserve(input.len() / 4 * 3 + 3);
    let mut rest = input;
    // Digits that wait for a whole group, as bits.
    let mut bits: u32 = 0;
    let mut waiting = 0;
    loop {
        // As long as groups are plain they need no look at single digits.
        while waiting == 0
            && let Some((group, behind)) = rest.split_first_chunk::<4>()
        {
            let group = group.map(|byte| digits[usize::from(byte)]);
            if group.iter().fold(0, |all, digit| all | digit) >= SKIPPED {
                break;
            }
            let [a, b, c, d] = group.map(u32::from);
            let [_, bytes @ ..] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
            out.extend_from_slice(&bytes);
            rest = behind;
        }
        let Some((&byte, behind)) = rest.split_first() else { break };
        rest = behind;
        match digits[usize::from(byte)] {
            END => break,
            SKIPPED => {}
            digit => {
                bits = bits << 6 | u32::from(digit);
                waiting += 1;
                if waiting == 4 {
                    let [_, bytes @ ..] = bits.to_be_bytes();
                    out.extend_from_slice(&bytes);
                    (bits, waiting) = (0, 0);
                }
            }
        }
    }
    let [_, bytes @ ..] = (bits << (6 * (4 - waiting) % 32)).to_be_bytes();
    out.extend_from_slice(&bytes[..waiting * 6 / 8]);
}

/// Stands for what is no digit and is passed over; the two lie above all digits in any union of bits.
const SKIPPED: u8 = 64;
/// Stands for what ends the text.
const END: u8 = 128;

/// The digits of [`decode`].
static STRICT: [u8; 256] = {
    let mut digits = [END; 256];
    let mut byte = 0;
    while byte < digits.len() {
        digits[byte] = match byte as u8 {
            b' ' | b'\t' | b'\r' | b'\n' => SKIPPED,
            b'-' | b'_' => END,
            byte => match digit(byte) {
                Some(digit) => digit,
                None => END,
            },
        };
        byte += 1;
    }
    digits
};

/// The digits of [`decode_lenient`].
static LENIENT: [u8; 256] = {
    let mut digits = [SKIPPED; 256];
    let mut byte = 0;
    while byte < digits.len() {
        if let Some(digit) = digit(byte as u8) {
            digits[byte] = digit;
        }
        byte += 1;
    }
    digits
};

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
