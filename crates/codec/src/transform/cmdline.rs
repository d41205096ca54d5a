//! Command lines of shells, Windows and Unix alike.

use super::case::UPPER;
use super::{ByteSet, Effect};

/// `cmdLine`: drops `\ " ' ^`, turns `, ;` and white space into spaces, joins spaces to one, drops those
/// before `/` and `(`, and lower-cases ASCII letters. Output never exceeds input. O(n).
///
/// White space is space, tab, CR and LF here, without vertical tab and form feed.
///
/// Source: ModSecurity v3 `cmd_line.cc`. Differs: nothing known; `testdata/transforms/text.toml` pins it.
pub fn cmd_line(input: &[u8], out: &mut Vec<u8>) -> Effect {
    if !would_change(input) {
        return Effect::Unchanged;
    }
    out.clear();
    let mut after_space = false;
    for &byte in input {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => continue,
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => {
                if !after_space {
                    out.push(b' ');
                }
                after_space = true;
                continue;
            }
            b'/' | b'(' if after_space => {
                out.pop();
                out.push(byte);
            }
            _ => out.push(byte.to_ascii_lowercase()),
        }
        after_space = false;
    }
    Effect::Changed
}

/// Exact: without any of these the loop above copies.
fn would_change(input: &[u8]) -> bool {
    let mut after_space = false;
    input.iter().any(|&byte| {
        let touched = match byte {
            b' ' | b'/' | b'(' => after_space,
            _ => TOUCHED.contains(byte),
        };
        after_space = byte == b' ';
        touched
    })
}

/// What may be dropped, replaced or lower-cased. `/` and `(` are not: they only take a space away.
pub(super) const TOUCHED: ByteSet = ByteSet::of(b"\\\"'^ ,;\t\r\n").union(UPPER);
