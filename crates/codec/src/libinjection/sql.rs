//! SQL as libinjection reads it: tokens, folding, and the verdict on a folded statement.
//!
//! What lives here: the readings an input gets, the fingerprint of each, and the exceptions for fingerprints that plain
//! text has too. Cutting into tokens is in `token`, folding in `fold`; both are public for tests and explanations. What
//! deliberately does not: a SQL grammar. The tokens serve no purpose but the fingerprint.
//!
//! Linear time: each byte is looked at a bounded number of times. libinjection searches the end of a word before it asks
//! whether the part before a dot is a keyword, and so spends quadratic time on `LIKE.1LIKE.1LIKE.1...`; we ask on the
//! way. The answer is the same.

mod fold;
mod token;

use memchr::{memchr, memmem};

pub use fold::{Folded, fold};
pub use token::{Context, Dialect, Kind, SqlToken, SqlTokens, TEXT_LEN_MAX};

use super::{Fingerprint, keywords};

/// The verdict over every reading that can matter, and the fingerprint of the first that is an attack.
pub(super) fn judge(input: &[u8]) -> Option<Fingerprint> {
    let has = |byte| memchr(byte, input).is_some();
    judge_as(input, Context::Bare)
        .or_else(|| if has(b'\'') { judge_as(input, Context::SingleQuoted) } else { None })
        .or_else(|| {
            if has(b'"') { attack(&Reading::new(input, Context::DoubleQuoted, Dialect::MySql)) } else { None }
        })
}

/// The fingerprint of one reading, whether it is an attack's or not. For tests and explanations.
pub fn fingerprint(input: &[u8], context: Context, dialect: Dialect) -> Fingerprint {
    Reading::new(input, context, dialect).fingerprint()
}

/// Standard SQL first, and MySQL where the input has a comment mark that MySQL takes differently.
fn judge_as(input: &[u8], context: Context) -> Option<Fingerprint> {
    let standard = Reading::new(input, context, Dialect::Ansi);
    let found = attack(&standard);
    if found.is_none() && standard.mysql_differs {
        return attack(&Reading::new(input, context, Dialect::MySql));
    }
    found
}

fn attack(reading: &Reading<'_>) -> Option<Fingerprint> {
    let fingerprint = reading.fingerprint();
    let known = keywords::is_attack(fingerprint.as_bytes());
    (known && !reading.is_plain_text(fingerprint)).then_some(fingerprint)
}

/// One input folded in one context and dialect.
struct Reading<'a> {
    input: &'a [u8],
    folded: Folded<'a>,
    /// Tokens read before folding, comments and skipped ones included.
    tokens_read: usize,
    mysql_differs: bool,
}

impl<'a> Reading<'a> {
    fn new(input: &'a [u8], context: Context, dialect: Dialect) -> Self {
        let mut tokens = SqlTokens::new(input, context, dialect);
        let mut folded = fold(&mut tokens);
        folded.end_at_open_backtick();
        Self { input, folded, tokens_read: tokens.tokens_read(), mysql_differs: tokens.mysql_differs() }
    }

    fn fingerprint(&self) -> Fingerprint {
        let tokens = self.folded.tokens();
        if tokens.iter().any(|token| token.kind == Kind::Evil) {
            return Fingerprint::from_letters([Kind::Evil.letter()].into_iter());
        }
        Fingerprint::from_letters(tokens.iter().map(|token| token.kind.letter()))
    }

    /// Whether a known fingerprint is one that ordinary text has too, judged by what the tokens say.
    fn is_plain_text(&self, fingerprint: Fingerprint) -> bool {
        let letters = fingerprint.as_bytes();
        // Said to keep a statement out of SQL Server's audit log.
        if letters.len() > 1 && letters.ends_with(b"c") && memmem::find(self.input, b"sp_password").is_some()
        {
            return false;
        }
        match (self.folded.tokens(), letters) {
            ([first, second], [_, _]) => self.is_plain_pair(first, second),
            ([first, second, third], [_, _, _]) => self.is_plain_triple(letters, first, second, third),
            _ => false,
        }
    }

    fn is_plain_pair(&self, first: &SqlToken<'_>, second: &SqlToken<'_>) -> bool {
        if second.kind == Kind::Union {
            // "1 union" and no more; a comment or something folded away would make it more.
            return self.tokens_read == 2;
        }
        let mark = second.text.first().copied();
        if mark == Some(b'#') {
            return true;
        }
        if second.kind == Kind::Comment {
            let is_block = mark == Some(b'/');
            if first.kind == Kind::Bareword && !is_block {
                return true;
            }
            if first.kind == Kind::Number {
                return !is_block && self.tokens_read <= 2 && !self.number_ends_like_sql(first.text.len());
            }
        }
        // "--" ends many an ordinary sentence; more text after it makes it no attack either.
        second.text.len() > 2 && mark == Some(b'-')
    }

    /// Whether white space or a comment follows the number that an input with fingerprint `1c` starts with. Guards
    /// against text such as `1234-ABCDEF--`, whose number is not the whole of its first word.
    ///
    /// `len` is counted from the start of the input, even where white space precedes the number; libinjection does so.
    /// It also takes bytes above 0x7F for white space.
    fn number_ends_like_sql(&self, len: usize) -> bool {
        match self.input.get(len..).unwrap_or_default() {
            [] => true,
            [b'/', b'*', ..] | [b'-', b'-', ..] => true,
            [next, ..] => matches!(next, 0..=32 | 0x80..=0xff),
        }
    }

    fn is_plain_triple(
        &self,
        letters: &[u8],
        first: &SqlToken<'_>,
        second: &SqlToken<'_>,
        third: &SqlToken<'_>,
    ) -> bool {
        match letters {
            // `foo' + 'bar`: an attack if the outer quotes are missing and the inner ones are alike.
            b"sos" | b"s&s" => !(first.open.is_none() && third.close.is_none() && first.close == third.open),
            // `sexy and 17` is text, `sexy and 17<18` is not.
            b"s&n" | b"n&1" | b"1&1" | b"1&v" | b"1&s" => self.tokens_read == 3,
            // Of keywords between two values only INTO OUTFILE and INTO DUMPFILE count.
            _ if second.kind == Kind::Keyword => {
                second.text.len() < 5 || !second.text[..4].eq_ignore_ascii_case(b"INTO")
            }
            _ => false,
        }
    }
}
