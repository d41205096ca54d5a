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
    out.resize(input.len(), 0);
    let mut len = 0;
    let mut after_space = false;
    for &byte in input {
        let (kind, written) = KINDS[usize::from(byte)];
        match kind {
            Kind::Dropped => continue,
            Kind::Blank if after_space => continue,
            Kind::TakesSpace if after_space => len -= 1,
            Kind::Blank | Kind::TakesSpace | Kind::Plain => {}
        }
        out[len] = written;
        len += 1;
        after_space = kind == Kind::Blank;
    }
    out.truncate(len);
    Effect::Changed
}

/// What becomes of a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Dropped,
    Blank,
    /// Stands without a space before it.
    TakesSpace,
}

/// The kinds of bytes and what is written for them.
static KINDS: [(Kind, u8); 256] = {
    let mut kinds = [(Kind::Plain, 0); 256];
    let mut byte = 0;
    while byte < kinds.len() {
        kinds[byte] = match byte as u8 {
            b'"' | b'\'' | b'\\' | b'^' => (Kind::Dropped, 0),
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => (Kind::Blank, b' '),
            mark @ (b'/' | b'(') => (Kind::TakesSpace, mark),
            plain => (Kind::Plain, plain.to_ascii_lowercase()),
        };
        byte += 1;
    }
    kinds
};

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
