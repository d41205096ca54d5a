//! SQL's tokens, in all dialects at once: where they differ, the reading that an injection could use is taken.

use std::ops::Range;

use super::words::{WORD_BYTES_MAX, Word};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The text is over, or a comment or null byte hides the rest.
    End,
    /// `1`, `1.5e3`, `0x41`, `\N`.
    Number,
    /// `'a'` or `"a"`; an open one runs to the end of the text.
    Text {
        /// Whether its closing quote is there.
        closed: bool,
    },
    /// A name: no word of the language, or one in back quotes or brackets.
    Name,
    /// A word of the language.
    Word(Word),
    /// `@x`, `@@x`, `:x`, `?`, `$1`.
    Variable,
    /// `&&` and `||`.
    Logic,
    /// `=`, `<>`, `<=>`, `~*`, ...
    Compare,
    /// `+`, `-`, `/`, `%`, `|`, `&`, `^`, `->`, ...
    Arithmetic,
    /// `*`.
    Star,
    /// `!`, `~`.
    Not,
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `,`.
    Comma,
    /// `;`.
    Semicolon,
    /// `.`.
    Dot,
    /// `:=`.
    Assign,
    /// `::`.
    Cast,
    /// `{`.
    OpenBrace,
    /// `}`.
    CloseBrace,
    /// A byte that no dialect has here.
    Other,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Ways of writing that serve to get past a filter, and how the text ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// `/*!50000 ... */`, which one family of servers runs.
    pub(super) versioned: bool,
    /// `/**/` where a blank would do.
    pub(super) blank_comments: bool,
    /// A word of the language with a comment in it.
    pub(super) split_word: bool,
    /// A word of the language in mixed case: `uNiOn`.
    pub(super) mixed_case: bool,
    /// A comment hides the rest of the statement.
    pub(super) cut: Option<Cut>,
    /// A text that is open at the end.
    pub(super) open_text: Option<OpenText>,
}

/// A text without its closing quote.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenText {
    pub(super) quote: u8,
    /// Where it begins.
    pub(super) start: usize,
}

/// A comment that reaches the text's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Where it begins.
    pub(super) start: usize,
    /// What is written in it.
    pub(super) says: Says,
}

/// What a comment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Nothing to speak of: what it is for is to hide what follows.
    Nothing,
    /// It is no comment: a null byte, which ends the statement for libraries in C.
    Null,
    /// One short word, as scanners write: `-- abcd`.
    Word,
    /// Text.
    Text,
}

/// Reads tokens from a text, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    /// Inside `/*! ... */`.
    in_versioned: bool,
    /// A word of the language was read last: a `+` that touches it is a blank that somebody did not decode.
    after_word: bool,
    pub(super) manner: Manner,
}

/// Bytes of the word that a comment of a scanner holds at most.
const CUT_WORD_BYTES_MAX: usize = 10;

/// Digits of a number that is passed over.
const VOID_DIGITS_MAX: usize = 8;

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, in_versioned: false, after_word: false, manner: Manner::default() }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The next token; at the end, `End` again and again.
    pub(super) fn next(&mut self) -> Token {
        let over = self.skip_blanks();
        let start = self.at;
        if over || start >= self.text.len() {
            self.at = self.text.len();
            return Token { kind: Kind::End, start, end: start };
        }
        let kind = self.read();
        self.after_word = matches!(kind, Kind::Word(_));
        debug_assert!(self.at > start);
        Token { kind, start, end: self.at }
    }

    /// Skips blanks and comments. Answers whether the statement is over for whoever reads it.
    fn skip_blanks(&mut self) -> bool {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                0 => {
                    self.manner.cut = Some(Cut { start: self.at, says: Says::Null });
                    return true;
                }
                1..=b' ' | 0xa0 => self.at += 1,
                0xc2 if self.byte(1) == 0xa0 => self.at += 2,
                b'+' if self.is_blank_plus() => self.at += 1,
                0xe2 if self.dash_at_end() => {
                    self.manner.cut = Some(Cut { start: self.at, says: Says::Nothing });
                    return true;
                }
                b'-' if self.byte(1) == b'-' => {
                    if self.line_comment(2) {
                        return true;
                    }
                }
                b'#' if self.byte(1) != b'>' => {
                    if self.line_comment(1) {
                        return true;
                    }
                }
                b'/' if self.byte(1) == b'*' => {
                    if self.block_comment() {
                        return true;
                    }
                }
                b'*' if self.in_versioned && self.byte(1) == b'/' => {
                    self.in_versioned = false;
                    self.at += 2;
                }
                b'0'..=b'9' if let Some(len) = self.void_number() => self.at += len,
                _ => break,
            }
        }
        false
    }

    /// The length of `1.e`, an exponent without its number, which MySQL and MariaDB pass over before whatever is no letter,
    /// digit or sign.
    fn void_number(&self) -> Option<usize> {
        let digits =
            self.text[self.at..].iter().take(VOID_DIGITS_MAX).take_while(|byte| byte.is_ascii_digit());
        let digits = digits.count();
        let is_void = self.byte(digits) == b'.'
            && matches!(self.byte(digits + 1), b'e' | b'E')
            && !is_name_byte(self.byte(digits + 2))
            && !matches!(self.byte(digits + 2), b'+' | b'-' | 0);
        is_void.then_some(digits + 2)
    }

    /// Whether a `+` is a blank of a form that was not decoded: it touches a word of the language or a comment.
    fn is_blank_plus(&self) -> bool {
        let rest = &self.text[self.at + 1..];
        let letters =
            rest.iter().take(WORD_BYTES_MAX + 1).take_while(|byte| byte.is_ascii_alphabetic()).count();
        rest.first() == Some(&b';')
            || self.after_word
                && rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'@')
            || rest.starts_with(b"--")
            || rest.starts_with(b"/*")
            || rest.get(letters).is_none_or(|byte| *byte == b'+') && Word::of(&rest[..letters]).is_some()
    }

    /// A dash at the end, which an editor made of two.
    fn dash_at_end(&self) -> bool {
        let rest = &self.text[self.at..];
        (rest.starts_with("–".as_bytes()) || rest.starts_with("—".as_bytes())) && is_blank(&rest[3..])
    }

    /// Skips a comment to the line's end; answers whether that is the text's end.
    fn line_comment(&mut self, opener: usize) -> bool {
        let body = &self.text[self.at + opener..];
        match memchr::memchr(b'\n', body) {
            Some(line) if !is_blank(&body[line..]) => {
                self.at += opener + line + 1;
                false
            }
            _ => {
                self.manner.cut = Some(Cut { start: self.at, says: says(body) });
                true
            }
        }
    }

    /// Skips a comment in `/* */`, or enters one that is run; answers whether it is never closed.
    fn block_comment(&mut self) -> bool {
        let rest = &self.text[self.at + 2..];
        let mariadb = rest.starts_with(b"M!");
        if rest.starts_with(b"!") || mariadb {
            let digits = &rest[1 + usize::from(mariadb)..];
            let digits = digits.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            // A version has five digits or six; fewer are a number of the statement's.
            let digits = if digits < 5 { 0 } else { digits };
            self.manner.versioned = true;
            self.in_versioned = true;
            self.at += 3 + usize::from(mariadb) + digits;
            return false;
        }
        match memchr::memmem::find(rest, b"*/") {
            Some(len) => {
                self.manner.blank_comments |= len < 16;
                self.at += len + 4;
                false
            }
            None => {
                self.manner.cut = Some(Cut { start: self.at, says: says(rest) });
                true
            }
        }
    }

    fn read(&mut self) -> Kind {
        let byte = self.byte(0);
        match byte {
            b'\'' | b'"' => self.text(byte),
            b'`' => self.quoted_name(b'`'),
            b'[' => self.quoted_name(b']'),
            b'0'..=b'9' => self.number(),
            b'.' if self.byte(1).is_ascii_digit() => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word(),
            b'$' => self.dollar(),
            b'@' => {
                self.at += 1 + usize::from(self.byte(1) == b'@');
                if matches!(self.byte(0), quote @ (b'`' | b'\'' | b'"') if self.text[self.at + 1..].contains(&quote))
                {
                    let quote = self.byte(0);
                    self.text(quote);
                } else {
                    self.name_bytes();
                }
                Kind::Variable
            }
            b'\\' if self.byte(1) == b'N' => self.take(2, Kind::Number),
            b'?' => self.take(1, Kind::Variable),
            b':' => match self.byte(1) {
                b'=' => self.take(2, Kind::Assign),
                b':' => self.take(2, Kind::Cast),
                b'a'..=b'z' | b'A'..=b'Z' => {
                    self.at += 1;
                    self.name_bytes();
                    Kind::Variable
                }
                _ => self.take(1, Kind::Other),
            },
            b'(' => self.take(1, Kind::Open),
            b')' => self.take(1, Kind::Close),
            b',' => self.take(1, Kind::Comma),
            b';' => self.take(1, Kind::Semicolon),
            b'.' => self.take(1, Kind::Dot),
            b'{' => self.take(1, Kind::OpenBrace),
            b'}' => self.take(1, Kind::CloseBrace),
            _ => self.operator(byte),
        }
    }

    fn take(&mut self, len: usize, kind: Kind) -> Kind {
        self.at += len;
        kind
    }

    fn operator(&mut self, byte: u8) -> Kind {
        let rest = &self.text[self.at..];
        let known = OPERATORS.iter().find(|(spelled, _)| rest.starts_with(spelled));
        match known {
            Some((spelled, kind)) => self.take(spelled.len(), *kind),
            None => match byte {
                b'=' | b'<' | b'>' => self.take(1, Kind::Compare),
                b'+' | b'-' | b'/' | b'%' | b'|' | b'&' | b'^' | b'#' => self.take(1, Kind::Arithmetic),
                b'*' => self.take(1, Kind::Star),
                b'!' | b'~' => self.take(1, Kind::Not),
                _ => self.take(1, Kind::Other),
            },
        }
    }

    /// A text in quotes. A doubled quote and one after a backslash stand for themselves.
    fn text(&mut self, quote: u8) -> Kind {
        let start = self.at;
        self.at += 1;
        while let Some(found) = memchr::memchr2(quote, b'\\', &self.text[self.at..]) {
            self.at += found;
            if self.byte(0) == b'\\' || self.byte(1) == quote {
                self.at = (self.at + 2).min(self.text.len());
                // A quote after the last backslash is as likely the text's end: `'\'`.
                continue;
            }
            self.at += 1;
            return Kind::Text { closed: true };
        }
        self.at = self.text.len();
        self.manner.open_text = Some(OpenText { quote, start });
        Kind::Text { closed: false }
    }

    /// A name in back quotes or brackets; brackets hold no more than a name does.
    fn quoted_name(&mut self, close: u8) -> Kind {
        let rest = &self.text[self.at + 1..];
        match memchr::memchr(close, &rest[..rest.len().min(128)]) {
            Some(len) => self.take(len + 2, Kind::Name),
            None if close == b'`' => {
                self.manner.open_text = Some(OpenText { quote: b'`', start: self.at });
                self.at = self.text.len();
                Kind::Text { closed: false }
            }
            None => self.take(1, Kind::Other),
        }
    }

    /// A number. Letters right after it begin a word, as some dialects read `1e0union`, when that is a word of the
    /// language; else all of it is a name.
    fn number(&mut self) -> Kind {
        let start = self.at;
        if self.byte(0) == b'0' && matches!(self.byte(1), b'x' | b'X' | b'b' | b'B') {
            self.at += 2;
            self.while_byte(|byte| byte.is_ascii_hexdigit());
        } else {
            self.while_byte(|byte| byte.is_ascii_digit() || byte == b'_');
            if self.byte(0) == b'.' {
                self.at += 1;
                self.while_byte(|byte| byte.is_ascii_digit());
            }
            let signed = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if matches!(self.byte(0), b'e' | b'E')
                && (self.byte(1 + signed).is_ascii_digit() || !self.byte(1).is_ascii_alphabetic())
            {
                self.at += 1 + signed;
                self.while_byte(|byte| byte.is_ascii_digit());
            }
        }
        if is_name_byte(self.byte(0)) && self.byte(0) < 0x80 {
            let end = self.at;
            self.name_bytes();
            if Word::of(&self.text[end..self.at]).is_some() {
                self.at = end;
                return Kind::Number;
            }
            // `1.x` is a table's column, `3rd` and `2k` are names.
            self.at = self.at.max(start + 1);
            return Kind::Name;
        }
        Kind::Number
    }

    /// `$1`, `$tag$text$tag$`, or a name.
    fn dollar(&mut self) -> Kind {
        self.at += 1;
        let tag_start = self.at;
        self.while_byte(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if self.byte(0) != b'$' || self.at - tag_start > 16 {
            return Kind::Variable;
        }
        self.at += 1;
        let tag = &self.text[tag_start - 1..self.at];
        match memchr::memmem::find(&self.text[self.at..], tag) {
            Some(len) => self.take(len + tag.len(), Kind::Text { closed: true }),
            None => Kind::Other,
        }
    }

    /// A word of the language, a name, or a text with a prefix: `N'a'`, `x'41'`, `q'[a]'`, `_utf8'a'`.
    fn word(&mut self) -> Kind {
        let start = self.at;
        self.name_bytes();
        let spelled = &self.text[start..self.at];
        if self.byte(0) == b'\''
            && self.at + 1 < self.text.len()
            && (spelled.len() == 1 || spelled[0] == b'_')
        {
            match spelled {
                b"n" | b"N" | b"e" | b"E" | b"b" | b"B" | b"x" | b"X" => return self.text(b'\''),
                b"q" | b"Q" => return self.oracle_text(),
                _ if spelled[0] == b'_' => return self.text(b'\''),
                _ => {}
            }
        }
        if let Some(word) = Word::of(spelled) {
            self.manner.mixed_case |= is_mixed(spelled);
            return Kind::Word(word);
        }
        self.split_word(start).map_or(Kind::Name, Kind::Word)
    }

    /// `uni/**/on`: a word of the language, once a filter has taken the comments out.
    fn split_word(&mut self, start: usize) -> Option<Word> {
        let mut joined = [0; WORD_BYTES_MAX];
        let mut len = self.at - start;
        joined.get_mut(..len)?.copy_from_slice(&self.text[start..self.at]);
        let mut at = self.at;
        while self.text[at..].starts_with(b"/*") {
            let body = &self.text[at + 2..];
            at += memchr::memmem::find(&body[..body.len().min(16)], b"*/")? + 4;
            let more = self.text[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            joined.get_mut(len..len + more)?.copy_from_slice(&self.text[at..at + more]);
            len += more;
            at += more;
            if let Some(word) = Word::of(&joined[..len]) {
                self.manner.split_word = true;
                self.at = at;
                return Some(word);
            }
        }
        None
    }

    /// `q'[it's]'`: the text ends with the closing delimiter and a quote.
    fn oracle_text(&mut self) -> Kind {
        let close = match self.byte(1) {
            b'[' => b']',
            b'(' => b')',
            b'{' => b'}',
            b'<' => b'>',
            other => other,
        };
        let rest = self.text.get(self.at + 2..).unwrap_or_default();
        match memchr::memmem::find(rest, &[close, b'\'']) {
            Some(len) => self.take(len + 4, Kind::Text { closed: true }),
            None => self.text(b'\''),
        }
    }

    fn name_bytes(&mut self) {
        let mut before = 0;
        while let Some(&byte) = self.text.get(self.at) {
            // A hard blank, in UTF-8 or in Latin 1.
            let blank = byte == 0xc2 && self.byte(1) == 0xa0 || byte == 0xa0 && before < 0x80;
            if blank || !is_name_byte(byte) {
                break;
            }
            before = byte;
            self.at += 1;
        }
    }

    fn while_byte(&mut self, is: impl Fn(u8) -> bool) {
        self.at += self.text[self.at..].iter().take_while(|byte| is(**byte)).count();
    }

    pub(super) fn spelled(&self, range: Range<usize>) -> &'a [u8] {
        &self.text[range]
    }

    pub(super) fn whole(&self) -> &'a [u8] {
        self.text
    }
}

/// Operators of more than one byte, longest first.
const OPERATORS: &[(&[u8], Kind)] = &[
    (b"<=>", Kind::Compare),
    (b"!~~*", Kind::Compare),
    (b"!~*", Kind::Compare),
    (b"->>", Kind::Arithmetic),
    (b"#>>", Kind::Arithmetic),
    (b"&&", Kind::Logic),
    (b"||", Kind::Logic),
    (b"<=", Kind::Compare),
    (b">=", Kind::Compare),
    (b"<>", Kind::Compare),
    (b"!=", Kind::Compare),
    (b"==", Kind::Compare),
    (b"^=", Kind::Compare),
    (b"!<", Kind::Compare),
    (b"!>", Kind::Compare),
    (b"!~", Kind::Compare),
    (b"~~", Kind::Compare),
    (b"~*", Kind::Compare),
    (b"@>", Kind::Compare),
    (b"<@", Kind::Compare),
    (b"?|", Kind::Compare),
    (b"?&", Kind::Compare),
    (b"->", Kind::Arithmetic),
    (b"#>", Kind::Arithmetic),
    (b"<<", Kind::Arithmetic),
    (b">>", Kind::Arithmetic),
];

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Capitals after small letters and small letters after capitals, and not only one capital in front.
fn is_mixed(word: &[u8]) -> bool {
    word.len() > 2 && word.iter().any(u8::is_ascii_lowercase) && word[1..].iter().any(u8::is_ascii_uppercase)
}

/// What a comment's text is: only there to be one (dashes, blanks), a scanner's mark, or text.
fn says(body: &[u8]) -> Says {
    let said = body.trim_ascii();
    let said = said.strip_suffix(b"*/").unwrap_or(said).trim_ascii();
    if said.len() <= CUT_WORD_BYTES_MAX && said.iter().all(|byte| b"-+ #/*%;\0'\"".contains(byte)) {
        Says::Nothing
    } else if said.len() <= CUT_WORD_BYTES_MAX && said.iter().all(u8::is_ascii_alphanumeric) {
        Says::Word
    } else {
        Says::Text
    }
}
