//! The error-log line of a match, in ModSecurity v3's words: log parsers and CRS's test runner read it.
//!
//! ```text
//! [client 192.0.2.7] ModSecurity: Warning. Matched "Operator `Rx' with parameter `..' against variable
//!   `ARGS:q' (Value: `..' ) [file ".."] [line "1"] [id "942100"] ... [unique_id ".."] [ref ""]
//! ```
//!
//! Differs: `ref` is empty (offsets into the request, which nobody's parser reads); every quoted text is escaped,
//! so that nothing a client sends can end a field or a line.

use std::fmt::Write as _;

use crate::ruleset::RuleSet;
use crate::transaction::{Interruption, InterruptionAction, Match, Transaction};

/// The line of one match, without a line end.
pub fn line(transaction: &Transaction, matched: &Match) -> String {
    let rules: &RuleSet = transaction.rules();
    let rule = rules.rule(matched.rule);
    let mut out = String::with_capacity(512);
    begin(&mut out, transaction);
    match (&matched.interrupted, matched.status) {
        (Some(InterruptionAction::Drop), _) => {
            let _ = write!(out, "Access denied with connection close (phase {}). ", matched.phase as u8);
        }
        (Some(InterruptionAction::Redirect { location }), Some(status)) => {
            let _ = write!(out, "Access denied with redirection to ");
            push_escaped(&mut out, location.as_bytes(), usize::MAX);
            let _ = write!(out, " using status {status} (phase {}). ", matched.phase as u8);
        }
        (Some(_), status) => {
            let status = status.unwrap_or(403);
            let _ = write!(out, "Access denied with code {status} (phase {}). ", matched.phase as u8);
        }
        (None, _) => out.push_str("Warning. "),
    }
    match &matched.operator {
        Some((name, negated, argument)) => {
            out.push_str("Matched \"Operator `");
            if *negated {
                out.push('!');
            }
            out.push_str(&capitalised(name.as_str()));
            out.push_str("' with parameter `");
            push_escaped(&mut out, argument.as_bytes(), TEXT_CHARS_MAX);
            out.push_str("' against variable `");
            push_escaped(&mut out, &matched.target, TEXT_CHARS_MAX);
            out.push_str("' (Value: `");
            push_escaped(&mut out, &matched.value, VALUE_CHARS_MAX);
            out.push_str("' )");
        }
        None => out.push_str("Unconditional match."),
    }
    field(&mut out, "file", rules.file_of(rule).as_bytes());
    field(&mut out, "line", rule.line.to_string().as_bytes());
    field(&mut out, "id", rule.id.to_string().as_bytes());
    field(&mut out, "rev", rule.rev.as_bytes());
    field(&mut out, "msg", &matched.msg);
    field(&mut out, "data", &matched.data);
    field(&mut out, "severity", matched.severity.unwrap_or(0).to_string().as_bytes());
    field(&mut out, "ver", rule.ver.as_bytes());
    field(&mut out, "maturity", rule.maturity.to_string().as_bytes());
    field(&mut out, "accuracy", rule.accuracy.to_string().as_bytes());
    for tag in &matched.tags {
        field(&mut out, "tag", tag);
    }
    end(&mut out, transaction);
    out.push_str(" [ref \"\"]");
    out
}

/// The line of an interruption that no rule caused: a limit of the engine. Where rules only detect it is a warning.
/// Without a line end.
pub fn limit_line(transaction: &Transaction, by_limit: &Interruption) -> String {
    let mut out = String::new();
    begin(&mut out, transaction);
    if transaction.interruption() == Some(by_limit) {
        let status = by_limit.status.unwrap_or(403);
        let _ = write!(out, "Access denied with code {status} (phase {}). ", by_limit.phase as u8);
    } else {
        out.push_str("Warning. ");
    }
    push_escaped(&mut out, by_limit.reason.as_bytes(), TEXT_CHARS_MAX);
    end(&mut out, transaction);
    out
}

fn begin(out: &mut String, transaction: &Transaction) {
    let _ = write!(out, "[client {}] ModSecurity: ", transaction.connection().client.ip());
}

fn end(out: &mut String, transaction: &Transaction) {
    let connection = transaction.connection();
    field(out, "hostname", connection.server.ip().to_string().as_bytes());
    field(out, "uri", transaction.request_filename());
    field(out, "unique_id", connection.unique_id.as_bytes());
}

/// Characters of the operator's argument, the data and the URI.
const TEXT_CHARS_MAX: usize = 200;
/// Characters of the value in the match.
const VALUE_CHARS_MAX: usize = 100;

fn field(out: &mut String, name: &str, text: &[u8]) {
    out.push_str(" [");
    out.push_str(name);
    out.push_str(" \"");
    let limit = if matches!(name, "data" | "uri") { TEXT_CHARS_MAX } else { usize::MAX };
    push_escaped(out, text, limit);
    out.push_str("\"]");
}

/// Printable ASCII as it is, everything else and quotes as `\xHH`. At most so many bytes of it. A quote would end
/// a field, so that a client could write fields of its own; a backslash stays, as in ModSecurity.
fn push_escaped(out: &mut String, text: &[u8], limit: usize) {
    for byte in &text[..text.len().min(limit)] {
        match byte {
            b'"' => out.push_str("\\x22"),
            b' '..=b'~' => out.push(*byte as char),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
}

fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}
