//! How decoders write: as replacements of ranges of the input, so that a value in which nothing is replaced
//! is never copied.

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
    #[inline]
    pub(super) fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        self.skip_to(range);
        self.out.extend_from_slice(with);
    }

    /// Puts one byte where `range` was.
    #[inline]
    pub(super) fn put(&mut self, range: Range<usize>, byte: u8) {
        self.skip_to(range);
        self.out.push(byte);
    }

    /// Puts an array where `range` was.
    #[inline]
    pub(super) fn replace_array<const N: usize>(&mut self, range: Range<usize>, with: &[u8; N]) {
        self.skip_to(range);
        self.out.extend_from_slice(with);
    }

    /// Puts the first `len` bytes of `with` where `range` was.
    #[inline]
    pub(super) fn replace_short(&mut self, range: Range<usize>, with: &[u8; 16], len: usize) {
        self.skip_to(range);
        let end = self.out.len() + len;
        self.out.extend_from_slice(with);
        self.out.truncate(end);
    }

    /// Leaves `range` out.
    #[inline]
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

    #[inline]
    fn skip_to(&mut self, range: Range<usize>) {
        if !self.changed {
            self.changed = true;
            self.out.clear();
            self.out.reserve(self.input.len() + NEAR_BYTES);
        }
        self.copy_until(range.start);
        self.done = range.end;
    }

    /// Copies what is untouched so far. Between escapes that stand close together, a copy of fixed length that is cut
    /// afterwards is a few instructions, and calling for one of any length many.
    #[inline]
    fn copy_until(&mut self, end: usize) {
        let len = end - self.done;
        if len == 0 {
            return;
        }
        match self.input[self.done..].first_chunk::<NEAR_BYTES>() {
            Some(chunk) if len <= NEAR_BYTES => {
                let end = self.out.len() + len;
                self.out.extend_from_slice(chunk);
                self.out.truncate(end);
            }
            _ => self.out.extend_from_slice(&self.input[self.done..end]),
        }
    }
}

/// Where the first byte stands that `is_it`; `far` finds it in a text of any length. The next few bytes are looked at
/// here, as what is looked for often stands side by side, and each call costs as much as all of them.
#[inline]
pub(super) fn find(
    text: &[u8],
    is_it: impl Fn(u8) -> bool,
    far: impl FnOnce(&[u8]) -> Option<usize>,
) -> Option<usize> {
    let near = &text[..text.len().min(NEAR_BYTES)];
    match near.iter().position(|&byte| is_it(byte)) {
        None if near.len() < text.len() => Some(NEAR_BYTES + far(&text[NEAR_BYTES..])?),
        found => found,
    }
}

/// Where `byte` stands first.
#[inline]
pub(super) fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    find(text, |other| other == byte, |text| memchr(byte, text))
}

const NEAR_BYTES: usize = 16;

/// Decodes what stands behind backslashes: `escape` says what the text behind one means and how much of it that takes,
/// `None` at the end of the text, where the backslash stays. O(n).
pub(super) fn decode_backslashes(
    input: &[u8],
    out: &mut Vec<u8>,
    escape: impl Fn(&[u8]) -> Option<(u8, usize)>,
) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while let Some(found) = find_byte(&input[at..], b'\\') {
        at += found;
        let Some((byte, len)) = escape(&input[at + 1..]) else { break };
        edits.put(at..at + 1 + len, byte);
        at += 1 + len;
    }
    edits.finish()
}
