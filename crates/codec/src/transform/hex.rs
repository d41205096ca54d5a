//! Hexadecimal text, and the digits that the other decoders share.

use super::edits::{Edits, find_byte};
use super::{ByteSet, Effect};

/// `hexDecode`: each two bytes become one; an odd last byte is dropped. Output is half the input. O(n).
///
/// There are no invalid digits: a byte from `A` on counts as `(byte & 0xdf) - 'A' + 10`, any other as `byte -
/// '0'`, modulo 256, so `0z` is 0x23.
///
/// Source: ModSecurity v3 `hex_decode.cc`, `utils/string.h`. Differs: nothing known.
pub fn decode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    out.clear();
    out.extend(input.chunks_exact(2).map(|pair| {
        digit_by_arithmetic(pair[0]).wrapping_mul(16).wrapping_add(digit_by_arithmetic(pair[1]))
    }));
    Effect::of_result(input, out)
}

/// `hexEncode`: two lower-case digits for each byte. O(n).
///
/// Source: ModSecurity v3 `hex_encode.cc`. Differs: nothing known.
pub fn encode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.clear();
    out.resize(input.len() * 2, 0);
    for (pair, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(input) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    Effect::of_result(input, out)
}

/// `sqlHexDecode`: the literals `0xHH..` of SQL (also `0X`) become the bytes that they stand for. `0x`
/// without a whole byte after it stays, and so does an odd last digit. Output never exceeds input. O(n).
///
/// Source: the manual, ModSecurity v3 `sql_hex_decode.cc`. Differs: 3.0.9 cuts the value at the first NUL,
/// decoded ones included, loses the value's last byte, and does not see a literal directly behind another; we
/// do none of that.
pub fn sql_decode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = find_byte(&input[at..], b'0') {
        at += found;
        if !matches!(input.get(at + 1), Some(b'x' | b'X')) {
            at += 1;
            continue;
        }
        let mut start = at;
        let mut digits = at + 2;
        while let Some(byte) = hex_pair(&input[digits..]) {
            // The first byte takes the place of the `0x` as well.
            edits.put(start..digits + 2, byte);
            digits += 2;
            start = digits;
        }
        at = digits;
    }
    edits.finish()
}

/// The value of a hexadecimal digit of either case.
pub const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The byte that the first two digits of `text` make; more may follow.
pub fn hex_pair(text: &[u8]) -> Option<u8> {
    let (&[high, low], _) = text.split_first_chunk()?;
    Some(hex_digit(high)? << 4 | hex_digit(low)?)
}

/// The number that the first four digits of `text` make; more may follow.
pub fn hex_quad(text: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([hex_pair(text)?, hex_pair(text.get(2..)?)?]))
}

/// ModSecurity's digit, which takes any byte.
const fn digit_by_arithmetic(byte: u8) -> u8 {
    if byte >= b'A' { (byte & 0xdf).wrapping_sub(b'A').wrapping_add(10) } else { byte.wrapping_sub(b'0') }
}

/// The digits of either case.
pub(super) const HEX_DIGITS: ByteSet =
    ByteSet::range(b'0', b'9').union(ByteSet::range(b'a', b'f')).union(ByteSet::range(b'A', b'F'));
