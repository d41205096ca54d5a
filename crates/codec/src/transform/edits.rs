//! How decoders write: as replacements of ranges of the input, so that a value in which nothing is replaced
//! is never copied.

use std::io::Write;
use std::ops::Range;

use memchr::memchr;

use super::Effect;

/// Collects replacements from left to right. The text between them is copied only when the next one arrives.
pub(super) struct Edits<'a> {
    input: &'a [u8],
    out: &'a mut Vec<u8>,
    /// How much of the input is accounted for in `out`.
    done: usize,
    changed: bool,
}

impl<'a> Edits<'a> {
    pub(super) fn new(input: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        Self { input, out, done: 0, changed: false }
    }

    /// Puts `with` where `range` was. Ranges come in order and do not overlap.
    pub(super) fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        self.skip_to(range);
        self.out.extend_from_slice(with);
    }

    /// Puts one byte where `range` was.
    pub(super) fn put(&mut self, range: Range<usize>, byte: u8) {
        self.skip_to(range);
        self.out.push(byte);
    }

    /// Adds text behind the last replacement.
    pub(super) fn append(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.write_fmt(text).expect("a Vec takes every write");
    }

    /// Adds bytes behind the last replacement.
    pub(super) fn append_bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Leaves `range` out.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.skip_to(range);
    }

    /// Copies what is left. A result that came out equal to the input counts as unchanged.
    pub(super) fn finish(self) -> Effect {
        if !self.changed {
            return Effect::Unchanged;
        }
        self.out.extend_from_slice(&self.input[self.done..]);
        Effect::of_result(self.input, self.out)
    }

    fn skip_to(&mut self, range: Range<usize>) {
        if !self.changed {
            self.changed = true;
            self.out.clear();
            self.out.reserve(self.input.len());
        }
        self.out.extend_from_slice(&self.input[self.done..range.start]);
        self.done = range.end;
    }
}

/// Decodes what stands behind backslashes: `escape` says what the text behind one means and how much of it that takes,
/// `None` at the end of the text, where the backslash stays. O(n).
pub(super) fn decode_backslashes(
    input: &[u8],
    out: &mut Vec<u8>,
    escape: fn(&[u8]) -> Option<(u8, usize)>,
) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = memchr(b'\\', &input[at..]) {
        at += found;
        let Some((byte, len)) = escape(&input[at + 1..]) else { break };
        edits.put(at..at + 1 + len, byte);
        at += 1 + len;
    }
    edits.finish()
}
