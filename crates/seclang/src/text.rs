//! Text that knows where it came from: lines joined at continuations and strings with their escapes undone
//! keep, for each byte, its offset in the file, so that a caret always points at what was written.

use crate::ast::{FileId, Span};

/// Bytes with their origin in one file.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    file: FileId,
    bytes: Vec<u8>,
    /// `(position here, offset in the file)`: from that position on both run in step. Positions ascend; never empty.
    marks: Vec<(u32, u32)>,
}

impl Text {
    /// An empty text that stands at an offset of a file.
    pub(crate) fn new(file: FileId, offset: usize) -> Self {
        Self { file, bytes: Vec::new(), marks: vec![(0, offset as u32)] }
    }

    /// Appends bytes that stand at `offset` in the file.
    pub(crate) fn push(&mut self, bytes: &[u8], offset: usize) {
        let at = self.bytes.len() as u32;
        let &(last_at, last_offset) = self.marks.last().expect("a text is made with one mark");
        if last_offset + (at - last_at) != offset as u32 {
            if last_at == at {
                self.marks.pop();
            }
            self.marks.push((at, offset as u32));
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { text: self, start: 0, end: self.bytes.len() }
    }

    /// The offset in the file of the byte at a position.
    fn offset(&self, position: usize) -> usize {
        let index = self.marks.partition_point(|&(at, _)| at as usize <= position).saturating_sub(1);
        let (at, offset) = self.marks[index];
        offset as usize + (position - at as usize)
    }
}

/// A part of a [`Text`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    text: &'a Text,
    start: usize,
    end: usize,
}

impl<'a> View<'a> {
    pub(crate) fn bytes(self) -> &'a [u8] {
        &self.text.bytes[self.start..self.end]
    }

    pub(crate) fn len(self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The part from `start` to `end`, both relative to this one and clamped to it.
    pub(crate) fn slice(self, start: usize, end: usize) -> View<'a> {
        let end = self.start + end.min(self.len());
        View { text: self.text, start: (self.start + start).min(end), end }
    }

    pub(crate) fn from(self, start: usize) -> View<'a> {
        self.slice(start, self.len())
    }

    pub(crate) fn first(self) -> Option<u8> {
        self.bytes().first().copied()
    }

    /// The offset in the file of a byte, or of the end.
    pub(crate) fn offset(self, position: usize) -> usize {
        let position = self.start + position;
        // The end of a part is right behind its last byte, not at the start of the next physical line.
        if position >= self.end && self.end > self.start {
            self.text.offset(self.end - 1) + 1
        } else {
            self.text.offset(position)
        }
    }

    /// Where it stands in the file. An empty part has an empty span.
    pub(crate) fn span(self) -> Span {
        let start = self.offset(0) as u32;
        Span { file: self.text.file, start, end: (self.offset(self.len()) as u32).max(start) }
    }

    pub(crate) fn trim_start(self) -> View<'a> {
        self.from(self.bytes().iter().take_while(|&&byte| is_blank(byte)).count())
    }

    pub(crate) fn trim_end(self) -> View<'a> {
        let blanks = self.bytes().iter().rev().take_while(|&&byte| is_blank(byte)).count();
        self.slice(0, self.len() - blanks)
    }

    pub(crate) fn trim(self) -> View<'a> {
        self.trim_start().trim_end()
    }

    /// A copy in which `\` before the quote is dropped. Other escapes stay: they belong to whoever reads the value.
    pub(crate) fn unescape(self, quote: u8) -> Text {
        let bytes = self.bytes();
        let mut text = Text::new(self.text.file, self.offset(0));
        let (mut kept, mut at) = (0, 0);
        while at < bytes.len() {
            if bytes[at] != b'\\' || at + 1 == bytes.len() {
                at += 1;
                continue;
            }
            if bytes[at + 1] == quote {
                self.copy_to(&mut text, kept, at);
                kept = at + 1;
            }
            at += 2;
        }
        self.copy_to(&mut text, kept, bytes.len());
        text
    }

    pub(crate) fn to_text(self) -> Text {
        let mut text = Text::new(self.text.file, self.offset(0));
        self.copy_to(&mut text, 0, self.len());
        text
    }

    fn copy_to(self, text: &mut Text, start: usize, end: usize) {
        let (mut start, end) = (self.start + start, self.start + end);
        let marks = &self.text.marks;
        let mut index = marks.partition_point(|&(at, _)| at as usize <= start).saturating_sub(1);
        while start < end {
            let next = marks.get(index + 1).map_or(end, |&(at, _)| (at as usize).min(end));
            text.push(&self.text.bytes[start..next], self.text.offset(start));
            start = next;
            index += 1;
        }
    }
}

/// Reads the line at `*at`, joined with those it continues on, and moves `*at` behind it.
///
/// A `\` right before the line's end joins; indentation of the next line stays, as in Apache. `None` at the end.
/// At most `bytes_max` bytes are kept; the flag says that there were more.
pub(crate) fn logical_line(
    file: FileId,
    source: &[u8],
    at: &mut usize,
    bytes_max: usize,
) -> Option<(Text, bool)> {
    if *at >= source.len() {
        return None;
    }
    let mut text = Text::new(file, *at);
    let mut cut = false;
    loop {
        let start = *at;
        let rest = &source[start..];
        let (line, next) = match bstr::ByteSlice::find_byte(rest, b'\n') {
            Some(end) => (&rest[..end], start + end + 1),
            None => (rest, source.len()),
        };
        *at = next;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (line, joined) = match line.strip_suffix(b"\\") {
            Some(line) => (line, true),
            None => (line, false),
        };
        let room = bytes_max - text.len();
        cut |= line.len() > room;
        text.push(&line[..line.len().min(room)], start);
        if !joined || *at >= source.len() {
            return Some((text, cut));
        }
    }
}

/// White space inside a line.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

/// The position of the quote that closes a string whose opening quote stands before `bytes`.
pub(crate) fn closing_quote(bytes: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
    None
}
