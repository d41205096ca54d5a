//! ModSecurity 2's words for a match.

use std::fmt::Write as _;

use palisade_model::{AuditMessage, Interception};

/// `Warning. Pattern match ".." at ARGS:q. [file ".."] ... [tag ".."]`.
pub(super) fn message(message: &AuditMessage) -> String {
    let mut out = String::with_capacity(512);
    match &message.intercepted {
        None => out.push_str("Warning. "),
        Some(stop) => {
            match &stop.by {
                Interception::Status(status) => {
                    let _ = write!(out, "Access denied with code {status}");
                }
                Interception::Close => out.push_str("Access denied with connection close"),
                Interception::Redirect { status, location } => {
                    let _ = write!(out, "Access denied with redirection to {location} using status {status}");
                }
            }
            let _ = write!(out, " (phase {}). ", stop.phase);
        }
    }
    push_reason(&mut out, message);
    let mut field = |name: &str, text: &str| {
        if !text.is_empty() {
            let _ = write!(out, " [{name} \"{}\"]", quoted(text));
        }
    };
    field("file", message.file.as_str());
    field("line", &message.line_number.to_string());
    field("id", &message.rule_id.to_string());
    field("rev", message.revision.as_str());
    field("msg", message.message.as_str());
    field("data", message.data.as_str());
    field("severity", message.severity.map_or("", |severity| severity.as_word()));
    field("ver", message.version.as_str());
    for (name, value) in [("maturity", message.maturity), ("accuracy", message.accuracy)] {
        if value > 0 {
            field(name, &value.to_string());
        }
    }
    for tag in &message.tags {
        field("tag", tag.as_str());
    }
    out
}

/// What the operator found, by its kind.
fn push_reason(out: &mut String, message: &AuditMessage) {
    let Some(operator) = &message.operator else {
        out.push_str("Unconditional match in SecAction.");
        return;
    };
    let (argument, target) = (quoted(message.argument.as_str()), message.target.as_str());
    let operator = operator.as_str();
    if message.negated {
        let cut = cut(&argument);
        let _ = write!(out, "Match of \"{operator} {cut}\" against \"{}\" required.", quoted(target));
        return;
    }
    let _ = match operator {
        "rx" | "rxGlobal" => write!(out, "Pattern match \"{}\" at {target}.", cut(&argument)),
        "pm" | "pmFromFile" | "pmf" => write!(out, "Matched phrase \"{}\" at {target}.", cut(&argument)),
        "eq" | "ge" | "gt" | "le" | "lt" => {
            write!(out, "Operator {} matched {argument} at {target}.", operator.to_ascii_uppercase())
        }
        "contains" | "containsWord" | "streq" | "beginsWith" | "endsWith" | "strmatch" => {
            write!(out, "String match \"{}\" at {target}.", cut(&argument))
        }
        "within" => write!(out, "String match within \"{}\" at {target}.", cut(&argument)),
        "detectSQLi" => write!(out, "detected SQLi using libinjection at {target}."),
        "detectXSS" => write!(out, "detected XSS using libinjection at {target}."),
        "ipMatch" | "ipMatchFromFile" | "ipMatchF" => {
            write!(out, "IPmatch: \"{}\" matched at {target}.", cut(&argument))
        }
        "validateByteRange" => write!(out, "Found byte(s) in {target} outside range: {}.", cut(&argument)),
        "validateUrlEncoding" => write!(out, "Invalid URL Encoding at {target}."),
        "validateUtf8Encoding" => write!(out, "Invalid UTF-8 encoding at {target}."),
        "verifyCC" => write!(out, "CC# match \"{}\" at {target}.", cut(&argument)),
        "geoLookup" => write!(out, "Geo lookup succeeded at {target}."),
        "rbl" => write!(out, "RBL lookup succeeded at {target}."),
        "unconditionalMatch" => write!(out, "Unconditional match in {target}."),
        _ => write!(out, "Operator {operator} matched \"{}\" at {target}.", cut(&argument)),
    };
}

/// ModSecurity 2 shows this much of a pattern.
const PATTERN_CHARS_MAX: usize = 252;

fn cut(text: &str) -> String {
    match text.char_indices().nth(PATTERN_CHARS_MAX) {
        Some((at, _)) => format!("{} ...", &text[..at]),
        None => text.to_owned(),
    }
}

/// A text between quotes, as ModSecurity 2 escapes it: quotes and backslashes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
