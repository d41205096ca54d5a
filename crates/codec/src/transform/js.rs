//! Escapes of JavaScript strings.

use super::Effect;
use super::edits::decode_backslashes;
use super::escape_seq::{control_letter, octal_digits};
use super::hex::{hex_pair, hex_quad};
use super::unicode::low_byte_folded;

/// `jsDecode`: `\uHHHH` (its low byte, full-width ASCII folded), `\xHH`, octal `\O` to `\377`, `\a \b \f \n
/// \r \t \v`; any other escape loses its backslash, a malformed `\u` and `\x` too. A backslash at the end
/// stays. Output never exceeds input. O(n).
///
/// Three octal digits count only up to `\377`: `\400` is `\40` and a `0`.
///
/// Source: ModSecurity v3 `js_decode.cc`. Differs: nothing known; `testdata/transforms/escapes.toml` pins it.
pub fn decode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    decode_backslashes(input, out, escape)
}

/// What the text behind a backslash stands for, and how much of it that takes; `None` at the end of the text.
pub fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let letter = *text.first()?;
    if letter == b'u'
        && let Some(code) = hex_quad(&text[1..])
    {
        return Some((low_byte_folded(code.into()), 5));
    }
    if letter == b'x'
        && let Some(byte) = hex_pair(&text[1..])
    {
        return Some((byte, 3));
    }
    Some(match octal_digits(text) {
        0 => (control_letter(letter).unwrap_or(letter), 1),
        digits => {
            let digits = if digits == 3 && letter > b'3' { 2 } else { digits };
            (octal(&text[..digits]), digits)
        }
    })
}

fn octal(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |value, digit| value << 3 | (digit - b'0'))
}
