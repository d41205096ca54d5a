//! Escapes of CSS 2.

use super::Effect;
use super::edits::{Edits, find_byte};
use super::hex::hex_digit;
use super::unicode::low_byte_folded;
use super::whitespace::is_space;

/// `cssDecode`: `\` and one to six hexadecimal digits, with one white space behind them, become the number's
/// low byte, full-width ASCII (FF01 to FF5E) folded; `\` before a line feed vanishes with it, before anything
/// else it vanishes alone, also at the end. Output never exceeds input. O(n).
///
/// Source: CSS 2, 4.1.3; ModSecurity v3 `css_decode.cc`. Differs: 3.0.9 cuts the result at the first NUL,
/// decoded ones included; we keep what follows, as ModSecurity 2 and the current v3 do.
pub fn decode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = find_byte(&input[at..], b'\\') {
        at += found;
        let text = &input[at + 1..];
        let (code, digits) = code_point(text);
        at = match (digits, text.first()) {
            (0, None) => {
                edits.remove(at..at + 1);
                at + 1
            }
            (0, Some(b'\n')) => {
                edits.remove(at..at + 2);
                at + 2
            }
            // The next byte is taken as it is, even if it is a backslash.
            (0, Some(_)) => {
                edits.remove(at..at + 1);
                at + 2
            }
            (digits, _) => {
                let space = usize::from(text.get(digits).is_some_and(|&byte| is_space(byte)));
                let end = at + 1 + digits + space;
                edits.put(at..end, low_byte_folded(code));
                end
            }
        };
    }
    edits.finish()
}

/// The number that up to six hexadecimal digits at the start of `text` make, and how many there were.
pub fn code_point(text: &[u8]) -> (u32, usize) {
    text.iter()
        .take(6)
        .map_while(|&byte| hex_digit(byte))
        .fold((0, 0), |(code, digits), digit| (code << 4 | u32::from(digit), digits + 1))
}
