//! White space: that of C's `isspace`, six ASCII bytes.

use super::edits::Edits;
use super::neighbours::has_pair;
use super::{ByteSet, Effect};

/// `compressWhitespace`: each run of white space becomes one space. 0xA0 is none. Output never exceeds input.
/// O(n).
///
/// Source: ModSecurity v3 `compress_whitespace.cc`. Differs: nothing known.
pub fn compress(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = input[at..].iter().position(|&byte| is_space(byte)) {
        let start = at + found;
        at = start + input[start..].iter().take_while(|byte| is_space(**byte)).count();
        if &input[start..at] != b" " {
            edits.put(start..at, b' ');
        }
    }
    edits.finish()
}

/// `removeWhitespace`: takes out white space and each 0xC2 and 0xA0, of which UTF-8 makes the no-break space
/// (and 0xC2 also begins other characters of Latin-1). Output never exceeds input. O(n).
///
/// Source: ModSecurity v3 `remove_whitespace.cc`. Differs: nothing known.
pub fn remove(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let Some(first) = input.iter().position(|&byte| IS_REMOVED[usize::from(byte)]) else {
        return Effect::Unchanged;
    };
    out.clear();
    out.resize(input.len(), 0);
    out[..first].copy_from_slice(&input[..first]);
    // Each byte is written, and kept by counting it: words are short, and a branch at each end costs more.
    let mut len = first;
    for &byte in &input[first..] {
        out[len] = byte;
        len += usize::from(!IS_REMOVED[usize::from(byte)]);
    }
    out.truncate(len);
    Effect::Changed
}

/// `trim`: without white space at either end. 0xA0 is none. Output never exceeds input. O(n).
///
/// Source: ModSecurity v3 `trim.cc`. Differs: nothing known.
pub fn trim(input: &[u8], out: &mut Vec<u8>) -> Effect {
    keep(without_end(without_start(input)), input, out)
}

/// `trimLeft`: without white space at the start. O(n).
///
/// Source: ModSecurity v3 `trim_left.cc`. Differs: nothing known.
pub fn trim_left(input: &[u8], out: &mut Vec<u8>) -> Effect {
    keep(without_start(input), input, out)
}

/// `trimRight`: without white space at the end. O(n).
///
/// Source: ModSecurity v3 `trim_right.cc`. Differs: nothing known.
pub fn trim_right(input: &[u8], out: &mut Vec<u8>) -> Effect {
    keep(without_end(input), input, out)
}

/// Space, tab, LF, vertical tab, form feed, CR.
pub const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Whether a text, whose set of bytes is `bytes`, has no white space but single spaces.
pub(super) fn is_compressed(bytes: &ByteSet, text: &[u8]) -> bool {
    !bytes.intersects(&SPACES_BUT_SPACE) && !has_pair(text, |a, b| (a == b' ') & (b == b' '))
}

fn keep(part: &[u8], input: &[u8], out: &mut Vec<u8>) -> Effect {
    if part.len() == input.len() {
        return Effect::Unchanged;
    }
    out.clear();
    out.extend_from_slice(part);
    Effect::Changed
}

fn without_start(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| is_space(**byte)).count()..]
}

fn without_end(text: &[u8]) -> &[u8] {
    &text[..text.len() - text.iter().rev().take_while(|byte| is_space(**byte)).count()]
}

/// What [`is_space`] takes.
pub(super) const SPACES: ByteSet = ByteSet::of(b" \t\n\x0b\x0c\r");

const SPACES_BUT_SPACE: ByteSet = ByteSet::of(b"\t\n\x0b\x0c\r");

/// What [`remove`] takes out.
pub(super) const SPACES_AND_NBSP: ByteSet = SPACES.union(ByteSet::of(b"\xc2\xa0"));

static IS_REMOVED: [bool; 256] = {
    let mut removed = [false; 256];
    let mut byte = 0;
    while byte < removed.len() {
        removed[byte] = SPACES_AND_NBSP.contains(byte as u8);
        byte += 1;
    }
    removed
};
