//! Tokens that expressions of most languages are made of.

use super::super::ascii;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// A name: letters, digits, `_`, `$`.
    Name(&'a [u8]),
    /// A number as written.
    Number(&'a [u8]),
    /// What stands between quotes, escapes as written.
    Text(&'a [u8]),
    /// Anything else, a byte at a time.
    Sign(u8),
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The quote around a text, else 0.
    pub(crate) quote: u8,
}

impl<'a> Token<'a> {
    /// The same token of a text that begins `by` bytes earlier.
    pub(crate) fn moved(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by, ..self }
    }

    pub(crate) fn name(&self) -> Option<&'a [u8]> {
        if let Kind::Name(name) = self.kind { Some(name) } else { None }
    }

    pub(crate) fn text(&self) -> Option<&'a [u8]> {
        if let Kind::Text(text) = self.kind { Some(text) } else { None }
    }

    pub(crate) fn is(&self, sign: u8) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

/// The tokens of a text, in order; blanks and C comments are left out. O(n).
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    /// Quotes and comments that are not closed before the end: looking for their end again would find nothing.
    never_closed: [bool; 4],
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, never_closed: [false; 4] }
    }

    /// The first tokens of a text, up to a number of them.
    pub(crate) fn first(text: &'a [u8], most: usize) -> Vec<Token<'a>> {
        Self::new(text).take(most).collect()
    }

    /// The end of a quoted text that begins after `from`: the next such quote without a backslash before it.
    fn closing(&mut self, quote: u8, from: usize) -> Option<usize> {
        let slot = match quote {
            b'"' => 0,
            b'\'' => 1,
            _ => 2,
        };
        if self.never_closed[slot] {
            return None;
        }
        let mut at = from;
        while let Some(found) = memchr::memchr2(quote, b'\\', &self.text[at..]) {
            at += found;
            if self.text[at] == quote {
                return Some(at);
            }
            // `\"` where the whole text was escaped once more than it is read: the quote still closes.
            at += 2;
            if at > self.text.len() {
                break;
            }
        }
        self.never_closed[slot] = true;
        None
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let text = self.text;
        loop {
            let byte = *text.get(self.at)?;
            if byte.is_ascii_whitespace() || byte == 0 {
                self.at += 1;
            } else if byte == b'/' && text.get(self.at + 1) == Some(&b'*') && !self.never_closed[3] {
                match memchr::memmem::find(&text[self.at + 2..], b"*/") {
                    Some(end) => self.at += end + 4,
                    None => self.never_closed[3] = true,
                }
            } else {
                break;
            }
        }
        let start = self.at;
        let byte = text[start];
        let kind = if ascii::is_name_byte(byte) {
            self.at += ascii::name_len(&text[start..]);
            let name = &text[start..self.at];
            if byte.is_ascii_digit() {
                // `7.5`, not `7.upto`.
                if text.get(self.at) == Some(&b'.') && text.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
                    self.at += 1;
                    self.at += ascii::name_len(&text[self.at..]);
                }
                Kind::Number(&text[start..self.at])
            } else {
                Kind::Name(name)
            }
        } else if matches!(byte, b'"' | b'\'' | b'`')
            && let Some(end) = self.closing(byte, start + 1)
        {
            self.at = end + 1;
            Kind::Text(&text[start + 1..end])
        } else {
            self.at += 1;
            Kind::Sign(byte)
        };
        let quote = if matches!(kind, Kind::Text(_)) { byte } else { 0 };
        Some(Token { kind, start, end: self.at, quote })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_fall_into_tokens() {
        let kinds: Vec<_> =
            Tokens::new(b"a.b('c\\'d' , 7.5*\"e\")/*x*/ \"f").map(|token| token.kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::Name(b"a"),
                Kind::Sign(b'.'),
                Kind::Name(b"b"),
                Kind::Sign(b'('),
                Kind::Text(b"c\\'d"),
                Kind::Sign(b','),
                Kind::Number(b"7.5"),
                Kind::Sign(b'*'),
                Kind::Text(b"e"),
                Kind::Sign(b')'),
                Kind::Sign(b'"'),
                Kind::Name(b"f"),
            ]
        );
    }
}
