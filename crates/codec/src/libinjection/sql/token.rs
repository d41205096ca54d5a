//! SQL cut into tokens, in the two dialects that matter to the verdict.
//!
//! What lives here: [`SqlTokens`], which reads one token at a time and never fails: what it does not know is a token of
//! kind [`Kind::Unknown`]. What deliberately does not: anything that needs more than one token.
//!
//! Quirks kept because the verdict hangs on them: NUL is white space, ends words, and yet is accepted among the digits
//! and letters of number, bit string and dollar-quote literals; an unclosed `/*` comment is never suspicious for a
//! comment inside it; only the first [`TEXT_LEN_MAX`] bytes of a token are kept and compared.

use memchr::{memchr, memmem};

use super::super::keywords::{self, WordHash};

/// Tokens keep at most this many bytes of their text.
pub const TEXT_LEN_MAX: usize = 31;

/// Which quote the input is taken to stand behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    /// None: the input is SQL as it stands.
    Bare,
    /// A single quote that the input may close.
    SingleQuoted,
    /// A double quote that the input may close.
    DoubleQuoted,
}

/// Whose comments are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// `--` starts a comment, `#` is an operator.
    Ansi,
    /// `--` starts a comment only before white space, `#` always.
    MySql,
}

/// What a token is; the value is its letter in a fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Kind {
    Keyword = b'k',
    Union = b'U',
    Group = b'B',
    /// A word that starts a statement, such as SELECT.
    Expression = b'E',
    SqlType = b't',
    Function = b'f',
    Bareword = b'n',
    Number = b'1',
    Variable = b'v',
    String = b's',
    Operator = b'o',
    LogicOperator = b'&',
    Comment = b'c',
    Collate = b'A',
    LeftParenthesis = b'(',
    RightParenthesis = b')',
    LeftBrace = b'{',
    RightBrace = b'}',
    Dot = b'.',
    Comma = b',',
    Colon = b':',
    Semicolon = b';',
    /// A word that starts a statement in Transact-SQL.
    Tsql = b'T',
    Unknown = b'?',
    /// What databases read so differently that no reading is safe.
    Evil = b'X',
    Backslash = b'\\',
}

impl Kind {
    /// The letter that stands for this kind in a fingerprint.
    pub fn letter(self) -> u8 {
        self as u8
    }
}

/// One token of SQL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SqlToken<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its text without quotes and without the `@` of variables, cut off after [`TEXT_LEN_MAX`] bytes. A phrase that
    /// folding made of several words is in capitals with one space between the words, whatever the input had.
    pub text: &'a [u8],
    /// The mark that opened a string: a quote, `$`, `q` or `u`. None where the quote was only taken to be there.
    pub open: Option<u8>,
    /// The mark that closed a string, if one did.
    pub close: Option<u8>,
    /// How many `@` stood before a variable.
    pub at_signs: u8,
}

impl SqlToken<'_> {
    pub(super) const EMPTY: Self =
        Self { kind: Kind::Unknown, text: b"", open: None, close: None, at_signs: 0 };

    /// Whether the text is `word`, which is in capitals, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether this is a sign or negation.
    pub(super) fn is_unary(&self) -> bool {
        self.kind == Kind::Operator
            && (matches!(self.text, b"+" | b"-" | b"!" | b"~" | b"!!") || self.is("NOT"))
    }

    /// Whether this is an arithmetic operator.
    pub(super) fn is_arithmetic(&self) -> bool {
        self.kind == Kind::Operator && matches!(self.text, b"*" | b"/" | b"-" | b"+" | b"%")
    }
}

/// The tokens of an input, one after the other. O(n) over the whole input.
#[derive(Clone, Debug)]
pub struct SqlTokens<'a> {
    input: &'a [u8],
    pos: usize,
    context: Context,
    dialect: Dialect,
    tokens_read: usize,
    mysql_differs: bool,
}

impl<'a> SqlTokens<'a> {
    /// Reads `input` in the given context and dialect.
    pub fn new(input: &'a [u8], context: Context, dialect: Dialect) -> Self {
        Self { input, pos: 0, context, dialect, tokens_read: 0, mysql_differs: false }
    }

    /// How many tokens have been read.
    pub(super) fn tokens_read(&self) -> usize {
        self.tokens_read
    }

    /// Whether a comment mark has been read that MySQL takes differently from the rest.
    pub(super) fn mysql_differs(&self) -> bool {
        self.mysql_differs
    }
}

impl<'a> Iterator for SqlTokens<'a> {
    type Item = SqlToken<'a>;

    fn next(&mut self) -> Option<SqlToken<'a>> {
        let quote = match self.context {
            Context::Bare => None,
            Context::SingleQuoted => Some(b'\''),
            Context::DoubleQuoted => Some(b'"'),
        };
        let token = match quote {
            Some(quote) if self.pos == 0 && !self.input.is_empty() => {
                SqlToken { open: None, ..self.string_at(0, quote) }
            }
            _ => {
                self.pos += self.rest().iter().take_while(|&&byte| starts_white(byte)).count();
                let first = *self.input.get(self.pos)?;
                self.token(first)
            }
        };
        self.tokens_read += 1;
        Some(token)
    }
}

impl<'a> SqlTokens<'a> {
    fn token(&mut self, first: u8) -> SqlToken<'a> {
        match first {
            b'0'..=b'9' | b'.' => self.number(),
            b'\'' | b'"' => self.string_at(self.pos + 1, first),
            b'`' => self.backticks(),
            b'(' => self.take(Kind::LeftParenthesis, 1),
            b')' => self.take(Kind::RightParenthesis, 1),
            b'{' => self.take(Kind::LeftBrace, 1),
            b'}' => self.take(Kind::RightBrace, 1),
            b',' => self.take(Kind::Comma, 1),
            b';' => self.take(Kind::Semicolon, 1),
            b'?' | b']' => self.take(Kind::Unknown, 1),
            b'%' | b'^' | b'+' | b'~' => self.take(Kind::Operator, 1),
            b'!' | b'&' | b'*' | b':' | b'<' | b'=' | b'>' | b'|' => self.operator(),
            b'-' => self.dash(),
            b'/' => self.slash(),
            b'#' => self.hash(),
            b'\\' => self.backslash(),
            b'@' => self.variable(),
            b'$' => self.dollar(),
            b'[' => self.brackets(),
            b'b' | b'B' => self.digits_in_quotes(|byte| matches!(byte, b'0' | b'1' | 0)),
            b'x' | b'X' => self.digits_in_quotes(|byte| byte.is_ascii_hexdigit() || byte == 0),
            b'e' | b'E' => self.escape_string(),
            b'n' | b'N' if self.peek(1) == Some(b'\'') => self.escape_string(),
            b'n' | b'N' => self.oracle_string(1),
            b'q' | b'Q' => self.oracle_string(0),
            b'u' | b'U' => self.unicode_string(),
            _ => self.word(),
        }
    }

    /// A name, or the keyword that the word is, or the keyword before its first dot or backtick that follows one.
    fn word(&mut self) -> SqlToken<'a> {
        let rest = self.rest();
        let mut hash = WordHash::EMPTY;
        let mut len = 0;
        while let Some(&byte) = rest.get(len).filter(|&&byte| !ENDS_WORD[usize::from(byte)]) {
            if len == TEXT_LEN_MAX {
                len += rest[len..].iter().take_while(|&&byte| !ENDS_WORD[usize::from(byte)]).count();
                return self.take(Kind::Bareword, len);
            }
            if matches!(byte, b'.' | b'`')
                && let Some(kind) = keywords::kind_of_hashed(&rest[..len], hash)
                && kind != Kind::Bareword
            {
                return self.take(kind, len);
            }
            hash = hash.push(byte);
            len += 1;
        }
        let kind = keywords::kind_of_hashed(&rest[..len], hash);
        self.take(kind.unwrap_or(Kind::Bareword), len)
    }

    fn number(&mut self) -> SqlToken<'a> {
        let rest = self.rest();
        let is_digit: Option<fn(u8) -> bool> = match rest {
            [b'0', b'x' | b'X', ..] => Some(|byte| byte.is_ascii_hexdigit() || byte == 0),
            [b'0', b'b' | b'B', ..] => Some(|byte| matches!(byte, b'0' | b'1' | 0)),
            _ => None,
        };
        if let Some(is_digit) = is_digit {
            let digits = run(&rest[2..], is_digit);
            return self.take(if digits == 0 { Kind::Bareword } else { Kind::Number }, 2 + digits);
        }

        let digits_at = |at: usize| run(&rest[at..], |byte| byte.is_ascii_digit());
        let mut len = digits_at(0);
        let has_point = rest.get(len) == Some(&b'.');
        if has_point {
            len += 1 + digits_at(len + 1);
            if len == 1 {
                return self.take(Kind::Dot, 1);
            }
        }
        let has_exponent = matches!(rest.get(len), Some(b'e' | b'E'));
        let mut exponent_digits = 0;
        if has_exponent {
            len += 1;
            len += usize::from(matches!(rest.get(len), Some(b'+' | b'-')));
            exponent_digits = digits_at(len);
            len += exponent_digits;
        }
        // Oracle's suffix for floating point, unless it starts a word; `1fUNION` is `1f` and `UNION`.
        if let [b'd' | b'D' | b'f' | b'F', after @ ..] = &rest[len..] {
            len += usize::from(
                after.first().is_none_or(|&next| is_white(next) || matches!(next, b';' | b'u' | b'U')),
            );
        }
        // MySQL skips `1.e` before a name or a parenthesis.
        let is_word = has_exponent && exponent_digits == 0;
        self.take(if is_word { Kind::Bareword } else { Kind::Number }, len)
    }

    /// A string whose content starts at `start`, ended by `quote` unless doubled or escaped with a backslash.
    fn string_at(&mut self, start: usize, quote: u8) -> SqlToken<'a> {
        let mut from = start;
        while let Some(end) = memchr(quote, &self.input[from..]).map(|at| from + at) {
            // Counts the backslashes right before a quote: no other quote counts them again.
            let backslashes = self.input[start..end].iter().rev().take_while(|&&byte| byte == b'\\').count();
            if backslashes % 2 == 1 {
                from = end + 1;
            } else if self.input.get(end + 1) == Some(&quote) {
                from = end + 2;
            } else {
                self.pos = end + 1;
                return string(&self.input[start..end], quote, Some(quote));
            }
        }
        self.pos = self.input.len();
        string(&self.input[start..], quote, None)
    }

    /// `E'..'` and `N'..'`.
    fn escape_string(&mut self) -> SqlToken<'a> {
        match self.rest() {
            [_, b'\'', _, ..] => self.string_at(self.pos + 2, b'\''),
            _ => self.word(),
        }
    }

    /// `U&'..'`.
    fn unicode_string(&mut self) -> SqlToken<'a> {
        match self.rest() {
            [_, b'&', b'\'', ..] => {
                let token = self.string_at(self.pos + 3, b'\'');
                SqlToken { open: Some(b'u'), close: token.close.map(|_| b'u'), ..token }
            }
            _ => self.word(),
        }
    }

    /// Oracle's `q'(..)'`, with `skip` bytes before the `q`.
    fn oracle_string(&mut self, skip: usize) -> SqlToken<'a> {
        let close = match &self.rest()[skip..] {
            [b'q' | b'Q', b'\'', b'(', ..] => b')',
            [b'q' | b'Q', b'\'', b'[', ..] => b']',
            [b'q' | b'Q', b'\'', b'{', ..] => b'}',
            [b'q' | b'Q', b'\'', b'<', ..] => b'>',
            [b'q' | b'Q', b'\'', mark @ 33..=127, ..] => *mark,
            _ => return self.word(),
        };
        self.string_until(skip + 3, &[close, b'\''], b'q')
    }

    /// A string whose content starts `skip` bytes ahead and ends at `end`, whose marks are told as `mark`.
    fn string_until(&mut self, skip: usize, end: &[u8], mark: u8) -> SqlToken<'a> {
        let content = &self.rest()[skip..];
        match memmem::find(content, end) {
            None => {
                self.pos = self.input.len();
                string(content, mark, None)
            }
            Some(len) => {
                self.pos += skip + len + end.len();
                string(&content[..len], mark, Some(mark))
            }
        }
    }

    /// `b'01'` and `x'1f'`.
    fn digits_in_quotes(&mut self, is_digit: fn(u8) -> bool) -> SqlToken<'a> {
        if let [_, b'\'', after @ ..] = self.rest() {
            let digits = run(after, is_digit);
            if after.get(digits) == Some(&b'\'') {
                return self.take(Kind::Number, digits + 3);
            }
        }
        self.word()
    }

    /// MySQL's quoted names. Only the name of a function means more than a name.
    fn backticks(&mut self) -> SqlToken<'a> {
        let token = self.string_at(self.pos + 1, b'`');
        let is_function = keywords::kind_of(token.text) == Some(Kind::Function);
        SqlToken { kind: if is_function { Kind::Function } else { Kind::Bareword }, ..token }
    }

    /// SQL Server's quoted names; the brackets stay in the text.
    fn brackets(&mut self) -> SqlToken<'a> {
        let len = memchr(b']', self.rest()).map_or(self.rest().len(), |at| at + 1);
        self.take(Kind::Bareword, len)
    }

    fn variable(&mut self) -> SqlToken<'a> {
        let at_signs = 1 + u8::from(self.peek(1) == Some(b'@'));
        self.pos += usize::from(at_signs);
        let token = match self.peek(0) {
            Some(quote @ (b'`' | b'\'' | b'"')) => self.string_at(self.pos + 1, quote),
            _ => {
                let len = run(self.rest(), |byte| !ENDS_VARIABLE[usize::from(byte)]);
                self.take(Kind::Variable, len)
            }
        };
        SqlToken { kind: Kind::Variable, at_signs, ..token }
    }

    /// Money, `$$string$$`, `$mark$string$mark$`, or a dollar sign that starts none of them.
    fn dollar(&mut self) -> SqlToken<'a> {
        let after = &self.rest()[1..];
        match run(after, |byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | 0)) {
            0 => {}
            1 if after[0] == b'.' => return self.word(),
            len => return self.take(Kind::Number, 1 + len),
        }
        let letters = run(after, |byte| byte.is_ascii_alphabetic() || byte == 0);
        if after.get(letters) == Some(&b'$') {
            let mark = &self.rest()[..letters + 2];
            return self.string_until(mark.len(), mark, b'$');
        }
        self.take(Kind::Bareword, 1)
    }

    fn operator(&mut self) -> SqlToken<'a> {
        match self.rest() {
            [b'<', b'=', b'>', ..] => self.take(Kind::Operator, 3),
            [first, second, ..] => match keywords::kind_of(&[*first, *second]) {
                Some(kind) => self.take(kind, 2),
                None if *first == b':' => self.take(Kind::Colon, 1),
                None => self.take(Kind::Operator, 1),
            },
            _ => self.take(Kind::Operator, 1),
        }
    }

    fn dash(&mut self) -> SqlToken<'a> {
        match self.rest() {
            [_, b'-'] => self.line_comment(),
            [_, b'-', next, ..] if is_white(*next) => self.line_comment(),
            [_, b'-', ..] if self.dialect == Dialect::Ansi => {
                self.mysql_differs = true;
                self.line_comment()
            }
            _ => self.take(Kind::Operator, 1),
        }
    }

    fn hash(&mut self) -> SqlToken<'a> {
        self.mysql_differs = true;
        match self.dialect {
            Dialect::Ansi => self.take(Kind::Operator, 1),
            Dialect::MySql => self.line_comment(),
        }
    }

    fn line_comment(&mut self) -> SqlToken<'a> {
        let end = memchr(b'\n', self.rest());
        let token = self.take(Kind::Comment, end.unwrap_or(self.rest().len()));
        self.pos += usize::from(end.is_some());
        token
    }

    fn slash(&mut self) -> SqlToken<'a> {
        let [_, b'*', after @ ..] = self.rest() else { return self.take(Kind::Operator, 1) };
        let end = memmem::find(after, b"*/");
        // PostgreSQL nests comments and MySQL runs what stands in `/*! */`. The closing star may belong to an inner mark.
        let nested = end.is_some_and(|end| memmem::find(&after[..=end], b"/*").is_some());
        let kind = if nested || after.first() == Some(&b'!') { Kind::Evil } else { Kind::Comment };
        self.take(kind, 2 + end.map_or(after.len(), |end| end + 2))
    }

    /// A backslash, or MySQL's `\N` for NULL.
    fn backslash(&mut self) -> SqlToken<'a> {
        if self.peek(1) == Some(b'N') { self.take(Kind::Number, 2) } else { self.take(Kind::Backslash, 1) }
    }

    /// Takes `len` bytes as a token of `kind`.
    fn take(&mut self, kind: Kind, len: usize) -> SqlToken<'a> {
        let text = &self.rest()[..len];
        self.pos += len;
        SqlToken { kind, text: kept(text), ..SqlToken::EMPTY }
    }

    fn rest(&self) -> &'a [u8] {
        &self.input[self.pos..]
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.input.get(self.pos + ahead).copied()
    }
}

fn string(content: &[u8], open: u8, close: Option<u8>) -> SqlToken<'_> {
    SqlToken { kind: Kind::String, text: kept(content), open: Some(open), close, at_signs: 0 }
}

fn kept(text: &[u8]) -> &[u8] {
    &text[..text.len().min(TEXT_LEN_MAX)]
}

/// How many bytes from the start of `text` on satisfy `accept`.
fn run(text: &[u8], accept: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|&&byte| accept(byte)).count()
}

/// White space between tokens: every control character, space, DEL and Latin-1's no-break space.
fn starts_white(byte: u8) -> bool {
    matches!(byte, 0..=32 | 127 | 0xa0)
}

/// White space after a comment mark or a number's suffix.
fn is_white(byte: u8) -> bool {
    matches!(byte, 0 | b'\t'..=b'\r' | b' ' | 0xa0)
}

static ENDS_WORD: [bool; 256] = byte_set(b" []{}<>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r\"\xa0\0");

static ENDS_VARIABLE: [bool; 256] = byte_set(b" <>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r'`\"\0");

const fn byte_set(bytes: &[u8]) -> [bool; 256] {
    let mut set = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        set[bytes[at] as usize] = true;
        at += 1;
    }
    set
}
