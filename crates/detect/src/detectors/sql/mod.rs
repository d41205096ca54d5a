//! SQL, as a fragment that breaks out of a query and as a whole statement.
//!
//! # What it finds
//! Text that goes on with a query from where it lands in it: in a number's place, in a string of either quote, in a quoted
//! name, in a comment. `sql-injection` is what breaks out of such a place, `sql-statement` a statement that stands alone,
//! so that a field that takes statements can allow the second and still refuse the first.
//!
//! # Why it matters
//! A query that is put together from text runs whatever the text says: it reads other tables, writes files, waits until
//! its questions are answered, or runs commands.
//!
//! # How it decides
//! From each place where the text could land, a parser of all dialects at once reads on as a server would. A string ends
//! at the *first* quote of its kind, so a text has few such places however many quotes it holds. What the parser meets is
//! weighed: a UNION with columns or a function that waits says more than one more condition; breaking out of quotes, hiding
//! the rest behind a comment and leaving a quote for the rest to close add to it; anything that no server could read
//! takes away from it.
//!
//! # Example
//! `1') UNION SELECT NULL,version()-- -` closes the string and 1 bracket, then UNION SELECT of 2 columns, then calls
//! version, and comments out the rest.
//!
//! # What it misses
//! A value that is itself what the query should have asked for but must not: another user's number. Fragments of one or
//! two words (`admin'`), which only errors tell apart from names.
//!
//! # References
//! SQL-92; the grammars of MySQL 8, PostgreSQL 16, SQL Server 2022, Oracle 19c, SQLite 3, HSQLDB 2 and Db2 11; CWE-89.

mod clauses;
mod follow;
mod marks;
mod operands;
mod operators;
mod parser;
mod statements;
mod tokens;
mod words;

use palisade_codec::ByteSet;
use palisade_model::Root;

use self::follow::{Landing, Reading};
use self::parser::Parser;
use self::statements::Statement;
use self::tokens::Kind;
use super::{Detector, Evidence};
use crate::{Attack, Confidence, Value};

/// Finds what breaks out.
pub(super) const INJECTION: Detector =
    Detector { name: "sql-injection", attack: Attack::Sqli, gate: GATE, look: look_for_injection };

/// Finds what stands alone.
pub(super) const STATEMENT: Detector =
    Detector { name: "sql-statement", attack: Attack::SqlStatement, gate: BLANKS, look: look_for_statement };

/// Bytes that can stand between two words.
const BLANKS: ByteSet = ByteSet::of(b" \t\n\r\x0b\x0c\xa0(/+");

/// Nothing is broken out of without one of these.
const GATE: ByteSet = BLANKS.union(ByteSet::of(b"'\"`;=<>|&*#!~@{"));

/// Bytes of a text that may be a few signs between quotes.
const SHORT_BYTES_MAX: usize = 64;

fn look_for_injection(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    if value.bytes.len() <= SHORT_BYTES_MAX && (value.set.contains(b'\'') || value.set.contains(b'"')) {
        if let Some(why) = operators::between_quotes(value.bytes) {
            evidence.found(Confidence::LIKELY, 0..value.bytes.len(), why);
            return;
        }
        if operators::is_quoted_word(value.bytes) {
            return;
        }
    }
    let mut best: Option<Reading> = None;
    // Comments have slashes, which a path's segments do not keep together.
    let whole_path =
        value.point.root == Root::Path && value.point.path.is_empty() && value.set.contains(b'*');
    let segments = whole_path.then(|| Landing::in_path(value.bytes)).into_iter().flatten();
    for landing in Landing::all(value.bytes, value.set).chain(segments) {
        if let Some(reading) = landing.read(value.bytes)
            && best.as_ref().is_none_or(|best| best.confidence < reading.confidence)
        {
            best = Some(reading);
        }
    }
    if let Some(reading) = best {
        evidence.found(reading.confidence, reading.at, reading.why);
    }
}

/// Fields whose business is statements.
const STATEMENT_FIELDS: &[&[u8]] = &[b"sql", b"statement", b"stmt", b"sqlquery", b"sql_query", b"rawsql"];

fn look_for_statement(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let mut parser = Parser::new(value.bytes, 0);
    if !matches!(parser.kind(), Kind::Word(_)) {
        return;
    }
    let read = parser.statements();
    let whole = parser.kind() == Kind::End;
    let weight = parser.marks.heaviest();
    let level = match read {
        Ok(statement) if whole => {
            if weight >= 4 {
                Statement::Harm
            } else if weight >= 2 {
                statement.max(Statement::Code)
            } else {
                statement
            }
        }
        // What was read before the text went astray has to speak for itself.
        _ if weight >= 4 => Statement::Code,
        _ if weight == 3 && parser.kind() == Kind::End => Statement::Code,
        _ => return,
    };
    let name = value.point.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let expected = STATEMENT_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field));
    // Statements that people quote run over lines; those that are sent to run seldom do.
    let quoted = memchr::memchr(b'\n', value.bytes.trim_ascii()).is_some();
    let confidence = match level {
        Statement::Harm if expected => Confidence::POSSIBLE,
        Statement::Harm if quoted => Confidence::LIKELY,
        Statement::Harm => Confidence::STRONG,
        Statement::Code if expected || quoted || is_prepared(value.bytes) => Confidence::POSSIBLE,
        Statement::Code => Confidence::LIKELY,
        Statement::Words => Confidence::HINT,
        Statement::Phrase => return,
    };
    let mut why = String::from("a whole statement");
    parser.marks.read(&mut why);
    evidence.found(confidence, 0..value.bytes.len(), why);
}

/// Whether a statement leaves places for values, `id = ?` or `id = $1`: programs and their traces have such, nothing
/// runs them as they stand.
fn is_prepared(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'?', b'$', text).any(|at| {
        let before = text[..at].trim_ascii_end().last().copied().unwrap_or(0);
        let after = text.get(at + 1).copied().unwrap_or(b' ');
        let place = if text[at] == b'?' {
            after.is_ascii_whitespace() || b"),;".contains(&after)
        } else {
            after.is_ascii_digit()
        };
        place && b"=(,<>".contains(&before)
    })
}

#[cfg(test)]
mod tests {
    use palisade_codec::ByteSet;
    use proptest::prelude::*;

    use super::{Kind, Landing, Parser, tokens::Tokens};

    /// Pieces that lead the parser into each of its corners.
    const PIECES: &[&str] = &[
        "'",
        "\"",
        "`",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ";",
        ".",
        "..",
        "::",
        ":=",
        ":",
        "@",
        "@@a",
        "?",
        "$a$",
        "$1",
        "\\",
        "\\N",
        "0x",
        "1",
        "1.e",
        "1e0union",
        "a",
        "a.b",
        "N'",
        "q'[",
        "_utf8'",
        " ",
        "+",
        "-",
        "--",
        "#",
        "/*",
        "*/",
        "/*!50000",
        "\n",
        "\0",
        "–",
        "\u{a0}",
        "=",
        "<=>",
        "||",
        "&&",
        "!",
        "~",
        "*",
        "/",
        "union",
        "select",
        "all",
        "from",
        "where",
        "and",
        "or",
        "not",
        "in",
        "is",
        "null",
        "between",
        "like",
        "case",
        "when",
        "then",
        "else",
        "end",
        "order",
        "by",
        "limit",
        "into",
        "outfile",
        "procedure",
        "analyse",
        "sleep(",
        "convert(int,",
        "cast(",
        "as",
        "int",
        "values",
        "with",
        "exec",
        "declare",
        "begin",
        "if",
        "while",
        "waitfor",
        "delay",
        "drop",
        "table",
        "insert",
        "update",
        "set",
        "delete",
        "grant",
        "copy",
        "load",
        "attach",
        "uni/**/on",
        "current",
        "user",
    ];

    fn read(text: &[u8]) {
        let set = ByteSet::of(text);
        for landing in Landing::all(text, &set) {
            let _ = landing.read(text);
        }
        let _ = Parser::new(text, 0).statements();
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40), blanks: bool) {
            read(pieces.join(if blanks { " " } else { "" }).as_bytes());
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
        }

        #[test]
        fn tokens_cover_the_text_once(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
            let text = pieces.concat();
            let mut tokens = Tokens::new(text.as_bytes(), 0);
            let mut at = 0;
            loop {
                let token = tokens.next();
                prop_assert!(token.start >= at && token.end >= token.start);
                at = token.end;
                if token.kind == Kind::End {
                    break;
                }
                prop_assert!(token.end > token.start);
            }
        }
    }

    #[test]
    fn nesting_is_bounded() {
        for opener in [
            "(",
            "case when ",
            "(select ",
            "sleep(",
            "1 or (",
            "1;if 1 then ",
            "1;begin ",
            "not ",
            "- ",
            "{d ",
        ] {
            for lead in ["", "1 or ", "'", "' or ", "1;"] {
                read(format!("{lead}{}", opener.repeat(20_000)).as_bytes());
            }
        }
    }
}
