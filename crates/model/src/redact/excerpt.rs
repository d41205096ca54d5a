//! What comes out of redaction: bounded, printable text with stars where secrets were.

use std::fmt;
use std::ops::Range;

/// Text that may leave the process: masked, printable and bounded. One line, or for bodies several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Excerpt {
    text: String,
    left_out_bytes: usize,
}

impl Excerpt {
    /// The text: printable characters, everything else as `\xHH`. Line ends and tabs only in a body.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many bytes of the original did not fit, at least.
    pub fn left_out_bytes(&self) -> usize {
        self.left_out_bytes
    }

    /// The same, where the original had so many bytes more that nobody kept.
    #[must_use]
    pub fn with_left_out(mut self, bytes: usize) -> Self {
        self.left_out_bytes += bytes;
        self
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Ranges of a text that are not shown, in any order.
#[derive(Debug, Default)]
pub(super) struct Spans(pub(super) Vec<Range<usize>>);

impl Spans {
    pub(super) fn add(&mut self, span: Range<usize>) {
        if !span.is_empty() {
            self.0.push(span);
        }
    }

    /// In order, those that touch joined.
    pub(super) fn merged(&self) -> Vec<Range<usize>> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by_key(|span| span.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(sorted.len());
        for span in sorted {
            match merged.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        merged
    }
}

/// The beginning of a text that is looked at, and how much is not.
pub(super) struct Window<'t> {
    pub(super) seen: &'t [u8],
    pub(super) left_out: usize,
}

/// A secret that begins within the bound is recognised as a whole: the longest card number, written as widely as it
/// can be, is shorter than this.
pub(super) const SLACK_BYTES: usize = 128;

pub(super) fn window(text: &[u8], bytes_max: usize) -> Window<'_> {
    let seen = &text[..text.len().min(bytes_max.saturating_add(SLACK_BYTES))];
    Window { seen, left_out: text.len() - seen.len() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    One,
    Many,
}

pub(super) fn excerpt_of(window: &Window<'_>, spans: &Spans, bytes_max: usize, lines: Lines) -> Excerpt {
    excerpt(window.seen, spans, bytes_max, lines).with_left_out(window.left_out)
}

/// Writes a text with its secrets as stars: as many as the next power of two of its length, from 4 to 64. So the class
/// of its length is told, and nothing of it.
pub(super) fn excerpt(text: &[u8], spans: &Spans, bytes_max: usize, lines: Lines) -> Excerpt {
    let mut out = Printed { text: String::with_capacity(text.len().min(bytes_max)), bytes_max, lines };
    let mut at = 0;
    for span in spans.merged() {
        if let Err(printed) = out.push(&text[at..span.start]) {
            return out.cut(text.len() - at - printed);
        }
        let stars = span.len().next_power_of_two().clamp(4, 64);
        if out.text.len() + stars > bytes_max {
            return out.cut(text.len() - span.start);
        }
        out.text.extend(std::iter::repeat_n('*', stars));
        at = span.end;
    }
    match out.push(&text[at..]) {
        Ok(()) => out.cut(0),
        Err(printed) => out.cut(text.len() - at - printed),
    }
}

pub(super) struct Printed {
    text: String,
    bytes_max: usize,
    lines: Lines,
}

impl Printed {
    fn cut(self, left_out_bytes: usize) -> Excerpt {
        Excerpt { text: self.text, left_out_bytes }
    }

    /// Appends a text; when it does not fit, the number of its bytes that did.
    fn push(&mut self, text: &[u8]) -> Result<(), usize> {
        let mut done = 0;
        while done < text.len() {
            // Nearly all that is ever written is this.
            let plain = plain_run(&text[done..]);
            let fits = plain.len().min(self.bytes_max.saturating_sub(self.text.len()));
            self.text.push_str(&plain[..fits]);
            done += fits;
            if fits < plain.len() {
                return Err(done);
            }
            let others = text[done..].iter().position(|byte| is_plain(*byte)).unwrap_or(text.len() - done);
            match self.push_others(&text[done..done + others]) {
                Ok(()) => done += others,
                Err(printed) => return Err(done + printed),
            }
        }
        Ok(())
    }

    /// The same for characters of any kind.
    fn push_others(&mut self, text: &[u8]) -> Result<(), usize> {
        let mut done = 0;
        for chunk in text.utf8_chunks() {
            let mut characters = chunk.valid().chars().peekable();
            while let Some(character) = characters.next() {
                let is_crlf = character == '\r' && characters.peek() == Some(&'\n');
                let is_kept = match character {
                    '\n' | '\t' => self.lines == Lines::Many,
                    '\r' => self.lines == Lines::Many && is_crlf,
                    _ => is_printable(character),
                };
                if is_kept {
                    // A line end is kept whole, or not at all.
                    let needs = character.len_utf8() + usize::from(character == '\r');
                    if self.text.len() + needs > self.bytes_max {
                        return Err(done);
                    }
                    self.text.push(character);
                } else {
                    let mut bytes = [0; 4];
                    self.push_escaped(character.encode_utf8(&mut bytes).as_bytes()).map_err(|()| done)?;
                }
                done += character.len_utf8();
            }
            self.push_escaped(chunk.invalid()).map_err(|()| done)?;
            done += chunk.invalid().len();
        }
        Ok(())
    }

    fn push_escaped(&mut self, bytes: &[u8]) -> Result<(), ()> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        if self.text.len() + 4 * bytes.len() > self.bytes_max {
            return Err(());
        }
        for byte in bytes {
            self.text.push_str("\\x");
            self.text.push(char::from(HEX[usize::from(byte >> 4)]));
            self.text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        Ok(())
    }
}

/// Bytes that stand for themselves: no part of a longer character, and nothing that a line end could be part of.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// How far a text goes on in plain bytes.
fn plain_run(text: &[u8]) -> &str {
    // Eight at a time, as long as all are.
    let (words, _) = text.as_chunks::<8>();
    let plain = 8 * words.iter().take_while(|word| word.iter().all(|byte| is_plain(*byte))).count();
    let rest = text[plain..].iter().position(|byte| !is_plain(*byte));
    let end = rest.map_or(text.len(), |rest| plain + rest);
    // ASCII is UTF-8.
    std::str::from_utf8(&text[..end]).unwrap_or_default()
}

/// Characters that stand in a log as they are. Not those that move, hide or reorder others: a terminal obeys them.
pub(super) fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn printed(bytes_max: usize, lines: Lines) -> Printed {
        Printed { text: String::new(), bytes_max, lines }
    }

    proptest! {
        #[test]
        fn runs_are_written_as_their_characters_are(
            text in proptest::collection::vec(
                prop_oneof![4 => b' '..=b'~', 1 => any::<u8>(), 1 => proptest::sample::select(b"\r\n\t\xc3\xa4\xe2\x80".to_vec())],
                0..200,
            ),
            bytes_max in 0usize..300,
            many in any::<bool>(),
        ) {
            let lines = if many { Lines::Many } else { Lines::One };
            let (mut by_runs, mut one_by_one) = (printed(bytes_max, lines), printed(bytes_max, lines));
            prop_assert_eq!(by_runs.push(&text), one_by_one.push_others(&text));
            prop_assert_eq!(by_runs.text, one_by_one.text);
        }
    }
}
