//! Escapes of ANSI C strings.

use super::Effect;
use super::edits::decode_backslashes;
use super::hex::hex_pair;

/// `escapeSeqDecode`: `\a \b \f \n \r \t \v \\ \? \' \"`, `\xHH` (also `\XHH`), octal `\O` to `\OOO` modulo
/// 256; any other escape loses its backslash. A backslash at the end stays. Output never exceeds input. O(n).
///
/// Source: ModSecurity v3 `escape_seq_decode.cc`. Differs: nothing known; `testdata/transforms/escapes.toml`
/// pins it. (ModSecurity 2 keeps the backslash of a malformed `\x`.)
pub fn decode(input: &[u8], out: &mut Vec<u8>) -> Effect {
    decode_backslashes(input, out, escape)
}

/// What the text behind a backslash stands for, and how much of it that takes; `None` at the end of the text.
pub fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let letter = *text.first()?;
    if matches!(letter, b'x' | b'X')
        && let Some(byte) = hex_pair(&text[1..])
    {
        return Some((byte, 3));
    }
    Some(match octal_digits(text) {
        0 => (control_letter(letter).unwrap_or(letter), 1),
        digits => (text[..digits].iter().fold(0, |value: u8, digit| value << 3 | (digit - b'0')), digits),
    })
}

/// The control character of `\a \b \f \n \r \t \v`.
pub(super) const fn control_letter(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        _ => return None,
    })
}

/// How many octal digits `text` starts with, three at most.
pub(super) fn octal_digits(text: &[u8]) -> usize {
    text.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count()
}
