//! What a value looks like as a whole: one word, a line, a text.
//!
//! Code that lands in an application comes with little around it, an argument before and a comment after. The same code
//! among sentences is somebody writing about it.

/// The size of a text in words and lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Runs of bytes between blanks, at most [`COUNTED_MAX`].
    pub(super) words: usize,
    /// Lines that hold something, at most [`COUNTED_MAX`].
    pub(super) lines: usize,
}

/// More than this is a text, however much more.
pub(super) const COUNTED_MAX: usize = 64;

impl Frame {
    /// Counts. O(n), and stops where the counts are full.
    pub(super) fn of(text: &[u8]) -> Self {
        let mut frame = Self { words: 0, lines: 0 };
        let (mut in_word, mut in_line) = (false, false);
        for byte in text {
            if byte.is_ascii_whitespace() {
                in_word = false;
                in_line &= *byte != b'\n';
                continue;
            }
            frame.words += usize::from(!in_word);
            frame.lines += usize::from(!in_line);
            (in_word, in_line) = (true, true);
            if frame.words >= COUNTED_MAX || frame.lines >= COUNTED_MAX {
                break;
            }
        }
        frame
    }

    /// Whether it is several sentences or lines, such as people write and paste.
    pub(super) fn is_text(&self) -> bool {
        self.lines > 4 || self.words > 24
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_lines_are_counted() {
        assert_eq!(Frame::of(b""), Frame { words: 0, lines: 0 });
        assert_eq!(Frame::of(b" a  b\r\n\r\nc "), Frame { words: 3, lines: 2 });
        assert_eq!(Frame::of(&b"a ".repeat(1000)).words, COUNTED_MAX);
    }
}
