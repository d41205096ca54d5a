//! libinjection's 480 public unit tests, read from `../shared/conformance/libinjection-tests.jsonl`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use palisade_codec::libinjection::html::{HtmlKind, HtmlTokens, Place};
use palisade_codec::libinjection::sql::{Context, Dialect, Kind, SqlToken, SqlTokens, fold};
use palisade_codec::libinjection::{sqli, sqli_ungated};
use serde_json::Value;

const VECTORS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/libinjection-tests.jsonl");

#[test]
fn public_unit_tests() {
    let Ok(lines) = std::fs::read_to_string(VECTORS) else {
        println!("skipped: {VECTORS} is absent");
        return;
    };
    let mut ran: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).expect("each line is a JSON object");
        let field = |name: &str| case[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}"));
        let input = unhex(field("input_hex"));
        let family = field("kind").split('-').next().unwrap_or_default();
        let actual = match family {
            "tokens" => print_sql(SqlTokens::new(&input, Context::Bare, Dialect::Ansi)),
            "folding" => {
                let folded = fold(&mut SqlTokens::new(&input, Context::Bare, Dialect::Ansi));
                print_sql(folded.tokens().iter().copied())
            }
            "sqli" => {
                assert_eq!(sqli(&input), sqli_ungated(&input));
                latin1(sqli(&input).unwrap_or_default().as_bytes())
            }
            "html5" => print_html(HtmlTokens::new(&input, Place::Text)),
            other => panic!("unknown kind of test {other}"),
        };
        *ran.entry(family.to_owned()).or_default() += 1;
        if !agree(&actual, field("expected")) {
            failures.push(format!("{}: expected\n{}\ngot\n{actual}", field("id"), field("expected")));
        }
    }
    println!("ran {ran:?}");
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    assert_eq!(ran.values().sum::<usize>(), 480);
}

/// Equal line by line, but for the case of phrases: ours are in capitals, see [`SqlToken::text`].
fn agree(actual: &str, expected: &str) -> bool {
    let mut actual = actual.trim_end().lines();
    let mut expected = expected.trim_end().lines();
    loop {
        match (actual.next(), expected.next()) {
            (None, None) => return true,
            (Some(ours), Some(theirs)) if ours == theirs => {}
            (Some(ours), Some(theirs)) if is_phrase(ours) && ours[2..].eq_ignore_ascii_case(&theirs[2..]) => {
                if ours[..2] != theirs[..2] {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// A token's letter, a space, then words of capitals with spaces between them.
fn is_phrase(line: &str) -> bool {
    line.matches(' ').count() > 1 && line[2..].bytes().all(|byte| byte == b' ' || byte.is_ascii_uppercase())
}

/// One line a token: its letter, a space, its text with the quotes and `@` signs it had.
fn print_sql<'a>(tokens: impl Iterator<Item = SqlToken<'a>>) -> String {
    let mut out = String::new();
    for token in tokens {
        let _ = write!(out, "{} {}", char::from(token.kind.letter()), "@".repeat(token.at_signs.into()));
        let quoted = matches!(token.kind, Kind::String | Kind::Variable);
        out.extend(token.open.filter(|_| quoted).map(char::from));
        out.push_str(&latin1(token.text));
        out.extend(token.close.filter(|_| quoted).map(char::from));
        out.push('\n');
    }
    out
}

fn print_html(tokens: HtmlTokens<'_>) -> String {
    let mut out = String::new();
    for token in tokens {
        let kind = match token.kind {
            HtmlKind::Text => "DATA_TEXT",
            HtmlKind::TagNameOpen => "TAG_NAME_OPEN",
            HtmlKind::TagNameClose => "TAG_NAME_CLOSE",
            HtmlKind::TagNameSelfClose => "TAG_NAME_SELFCLOSE",
            HtmlKind::TagClose => "TAG_CLOSE",
            HtmlKind::AttributeName => "ATTR_NAME",
            HtmlKind::AttributeValue => "ATTR_VALUE",
            HtmlKind::Comment => "TAG_COMMENT",
            HtmlKind::Doctype => "DOCTYPE",
        };
        let _ = writeln!(out, "{kind},{},{}", token.text.len(), latin1(token.text));
    }
    out
}

/// The vectors write each byte as one character.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
