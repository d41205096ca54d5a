//! JSON as programs write it, read at once: a configuration that is made by a program is JSON, and YAML's rules about what a
//! character means where take ten times as long for it.
//!
//! What is read here is exactly what the YAML reader would read, place by place. Whatever leaves room for a doubt (a text
//! that is not ASCII, white space between lines, a rare escape, anything wrong) is left to it, and so is every error.

use crate::node::Origin;

/// What a text consists of, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text {
        text: String,
        plain: bool,
    },
    ListBegins,
    MapBegins,
    /// The list or mapping that began last.
    Ends,
}

/// A longer key is none in YAML.
const KEY_BYTES_MAX: usize = 1000;

/// Hands over each piece of a text that is a list or mapping on one line, with its place, until `take` has enough. `None`
/// where that is not so, or is not surely so.
pub(crate) fn read(
    text: &str,
    depth_max: usize,
    mut take: impl FnMut(Piece, Origin) -> Option<()>,
) -> Option<()> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    if !matches!(reader.bytes.first(), Some(b'{' | b'[')) {
        return None;
    }
    // What is open: `true` for a mapping.
    let mut open: Vec<bool> = Vec::new();
    loop {
        // A value, or the end of what has just begun.
        let start = reader.at;
        let begins = match reader.next()? {
            byte @ (b'{' | b'[') => {
                if open.len() >= depth_max {
                    return None;
                }
                let map = byte == b'{';
                take(if map { Piece::MapBegins } else { Piece::ListBegins }, reader.since(start)?)?;
                open.push(map);
                true
            }
            b'"' => {
                let text = reader.quoted()?;
                take(Piece::Text { text, plain: false }, reader.since(start)?)?;
                false
            }
            _ => {
                reader.at = start;
                let text = reader.word()?.to_owned();
                take(Piece::Text { text, plain: true }, reader.since(start)?)?;
                false
            }
        };
        let mut first = begins;
        // What follows: ends, and in the end a comma or the next key.
        loop {
            let Some(map) = open.last().copied() else {
                return (reader.at == reader.bytes.len()).then_some(());
            };
            let end = if map { b'}' } else { b']' };
            if reader.peek()? == end {
                let start = reader.at;
                reader.at += 1;
                open.pop();
                take(Piece::Ends, reader.since(start)?)?;
                first = false;
                continue;
            }
            if !first && reader.next()? != b',' {
                return None;
            }
            if map {
                reader.key(&mut take)?;
            }
            break;
        }
    }
}

struct Reader<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// The place of what began there and ends here. All of it is ASCII on one line: bytes are columns.
    fn since(&self, start: usize) -> Option<Origin> {
        let (column, length) = (u32::try_from(start).ok()? + 1, u32::try_from(self.at - start).ok()?);
        Some(Origin::File { line: 1, column, length })
    }

    fn key(&mut self, take: &mut impl FnMut(Piece, Origin) -> Option<()>) -> Option<()> {
        let start = self.at;
        if self.next()? != b'"' {
            return None;
        }
        let text = self.quoted()?;
        if self.at - start > KEY_BYTES_MAX || self.next()? != b':' {
            return None;
        }
        self.at -= 1;
        take(Piece::Text { text, plain: false }, self.since(start)?)?;
        self.at += 1;
        Some(())
    }

    /// After the first quote to after the last.
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let start = self.at;
            while matches!(self.peek()?, b' '..=b'~' if !matches!(self.bytes[self.at], b'"' | b'\\')) {
                self.at += 1;
            }
            text.push_str(std::str::from_utf8(&self.bytes[start..self.at]).ok()?);
            match self.next()? {
                b'"' => return Some(text),
                b'\\' => text.push(match self.next()? {
                    b'"' => '"',
                    b'\\' => '\\',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    _ => return None,
                }),
                _ => return None,
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Option<&str> {
        let start = self.at;
        while matches!(self.peek(), Some(b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-')) {
            self.at += 1;
        }
        let word = std::str::from_utf8(&self.bytes[start..self.at]).ok()?;
        let digits = word.strip_prefix('-').unwrap_or(word);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = [whole, part]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        (is_number || matches!(word, "true" | "false" | "null")).then_some(word)
    }
}
