//! An explained request as people read it.

use std::fmt::Write as _;
use std::time::Duration;

use palisade_engine::{Match, Transaction};
use palisade_inspect::{Action, shortfall_text};

use super::met::Met;
use super::{SEVERITIES, cause, would};
use crate::exchange::{Exchange, Inspected};

/// The answer in lines.
pub(super) fn to_text(exchange: &Exchange, met: &Met, inspected: &Inspected, took: Duration) -> String {
    let mode = met.asked.standing.mode;
    let has_rules = met.service.profile.rules.is_some();
    let mut out = String::new();
    let transaction = inspected.report.transaction();
    let by =
        inspected.outcome.as_ref().and_then(cause).map_or_else(String::new, |cause| format!(" by {cause}"));
    let headline = match &inspected.action {
        Action::Forward => "PASS".to_owned(),
        Action::Answer { status } => format!("DENY {status}{by}"),
        Action::Close => format!("DROP{by}"),
        Action::Redirect { status, location } => {
            format!("REDIRECT {status} to {}{by}", shown(location.as_bytes(), LINE_CHARS_MAX))
        }
    };
    let _ = writeln!(out, "{headline}");
    if let Some(would) = would(inspected) {
        let _ = writeln!(out, "  in mode {mode} nothing is stopped; block mode would {would} it{by}");
    }
    let _ = writeln!(out, "  {}", shown(&exchange.head.line, LINE_CHARS_MAX));
    for (name, said) in met.lines(&inspected.report) {
        let _ = writeln!(out, "  {name:<9} {}", shown(said.as_bytes(), ERROR_CHARS_MAX));
    }
    if !has_rules && met.configured.is_none() {
        let _ = writeln!(out, "  no rules, the detector alone: name rules by --crs or --rules");
    }
    for finding in inspected.report.findings() {
        describe_finding(&mut out, finding);
    }
    for finding in inspected.report.excepted_findings() {
        let point = finding.point.to_string();
        let point = shown(point.as_bytes(), LINE_CHARS_MAX);
        let _ = writeln!(out, "\n  {:<9} allowed at {point} by an exception", finding.attack.name());
    }
    let matches = transaction.map_or(&[][..], Transaction::matches);
    let told = |matched: &&Match| matched.logged || matched.interrupted.is_some();
    for matched in matches.iter().filter(told) {
        let transaction = transaction.expect("matches come from a transaction");
        describe_match(&mut out, transaction, matched);
    }
    let silent = matches.iter().filter(|matched| !told(matched)).count();
    let _ = writeln!(out);
    let scores = inspected.report.scores();
    if !scores.is_empty() {
        let list: Vec<String> = scores.iter().map(|(name, score)| format!("{name} {score}")).collect();
        let _ = writeln!(out, "  scores    {}", list.join(", "));
    }
    for shortfall in inspected.report.shortfalls() {
        let _ = writeln!(out, "  unseen    {}", shortfall_text(shortfall));
    }
    if silent > 0 {
        let _ = writeln!(
            out,
            "  silent    {silent} {} that only set things up; --format json lists them",
            if silent == 1 { "match of a rule" } else { "matches of rules" }
        );
    }
    let _ = writeln!(out, "  time      {} us", took.as_micros());
    out
}

fn describe_finding(out: &mut String, finding: &palisade_inspect::Finding) {
    let (attack, confidence) = (finding.attack, finding.confidence.get());
    let _ = writeln!(out, "\n  {:<9} {confidence:>3} %     {}", attack.name(), attack.title());
    let _ = writeln!(out, "    where     {}", shown(finding.point.to_string().as_bytes(), LINE_CHARS_MAX));
    if !finding.decode_path.is_empty() {
        let _ = writeln!(out, "    decoded   {}", shown(finding.decoded().as_bytes(), LINE_CHARS_MAX));
    }
    let _ = writeln!(out, "    saw       {}", shown(&finding.excerpt, LINE_CHARS_MAX));
    let _ = writeln!(out, "    reads     {}", shown(finding.why.as_bytes(), LINE_CHARS_MAX));
    let point = shown(finding.point.to_string().as_bytes(), LINE_CHARS_MAX);
    let _ =
        writeln!(out, "    to allow  exceptions: [{{attacks: [{}], points: [\"{point}\"]}}]", attack.name());
}

fn describe_match(out: &mut String, transaction: &Transaction, matched: &Match) {
    let rules = transaction.rules();
    let rule = rules.rule(matched.rule);
    let severity = matched.severity.and_then(|level| SEVERITIES.get(usize::from(level))).unwrap_or(&"");
    let title = format!("{:<9} {severity:9} {}", matched.id, shown(&matched.msg, LINE_CHARS_MAX));
    let _ = writeln!(out, "\n  {}", title.trim_end());
    if !matched.target.is_empty() {
        let _ = writeln!(out, "    where     {}", shown(place(&matched.target).as_bytes(), LINE_CHARS_MAX));
        if !matched.transformations.is_empty() {
            let _ = writeln!(out, "    decoded   {}", matched.transformations.join(", "));
        }
        let value = shown(&matched.value, LINE_CHARS_MAX);
        let _ = writeln!(out, "    saw       {}", if value.is_empty() { "(nothing)" } else { &value });
    }
    if let Some((operator, negated, argument)) = &matched.operator {
        let not = if *negated { "!" } else { "" };
        let argument = shown(argument.as_bytes(), LINE_CHARS_MAX);
        let _ = writeln!(out, "    matched   {}", format!("{not}@{operator} {argument}").trim_end());
    }
    for (name, value) in
        matched.assigned.iter().filter(|(name, _)| name.windows(5).any(|w| w.eq_ignore_ascii_case(b"score")))
    {
        let _ = writeln!(
            out,
            "    score     {} = {}",
            shown(name, LINE_CHARS_MAX).to_lowercase(),
            shown(value, LINE_CHARS_MAX)
        );
    }
    if let Some(action) = &matched.interrupted {
        let status = matched.status.map_or_else(String::new, |status| format!(" with status {status}"));
        let word = match action {
            palisade_engine::InterruptionAction::Deny => "denied here",
            palisade_engine::InterruptionAction::Drop => "dropped here",
            palisade_engine::InterruptionAction::Redirect { .. } => "redirected here",
        };
        let _ = writeln!(out, "    action    {word}{status}, phase {}", matched.phase as u8);
    }
    let _ = writeln!(out, "    rule      {}:{}", rules.file_of(rule), rule.line);
}

/// A variable's name in the words of a request.
fn place(target: &[u8]) -> String {
    let name = printable(target);
    let (collection, key) = name.split_once(':').unwrap_or((&name, ""));
    let words = match collection {
        "ARGS" | "ARGS_GET" | "ARGS_POST" => "argument",
        "ARGS_NAMES" | "ARGS_GET_NAMES" | "ARGS_POST_NAMES" => "name of argument",
        "REQUEST_HEADERS" => "request header",
        "REQUEST_HEADERS_NAMES" => "name of request header",
        "REQUEST_COOKIES" => "cookie",
        "REQUEST_COOKIES_NAMES" => "name of cookie",
        "REQUEST_URI" | "REQUEST_URI_RAW" => "request target",
        "REQUEST_FILENAME" | "PATH_INFO" => "path",
        "REQUEST_BASENAME" => "last part of the path",
        "REQUEST_BODY" => "request body",
        "REQUEST_LINE" => "request line",
        "REQUEST_METHOD" => "method",
        "QUERY_STRING" => "query string",
        "FILES" => "file name of upload",
        "FILES_NAMES" => "field name of upload",
        "XML" => "XML body",
        "RESPONSE_BODY" => "response body",
        "RESPONSE_HEADERS" => "response header",
        "TX" => "variable",
        _ => return name,
    };
    if key.is_empty() { format!("{words} ({name})") } else { format!("{words} `{key}` ({name})") }
}

/// Characters of a text that one line shows.
const LINE_CHARS_MAX: usize = 160;

/// Characters of an error; one that lists the keys there are is long.
pub(super) const ERROR_CHARS_MAX: usize = 1000;

/// Text as it is; bytes that are not UTF-8 as `\xHH`.
pub(super) fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out
}

/// One line of text for a terminal: control characters escaped, cut with a word of how much is missing.
pub(super) fn shown(bytes: &[u8], chars_max: usize) -> String {
    let text = printable(bytes);
    let mut out = String::new();
    for (count, char) in text.chars().enumerate() {
        if count == chars_max {
            let _ = write!(out, "... ({} bytes in all)", bytes.len());
            break;
        }
        if char.is_control() {
            let _ = write!(out, "{}", char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_show_as_numbers() {
        assert_eq!(printable(b"a\xff\xfeb\xc3\xa9"), "a\\xFF\\xFEb\u{e9}");
        assert_eq!(shown(b"a\x1b[2Jb", 10), "a\\u{1b}[2Jb");
        assert_eq!(shown(b"abcdef", 3), "abc... (6 bytes in all)");
    }

    #[test]
    fn places_are_named_in_words_of_a_request() {
        assert_eq!(place(b"ARGS:q"), "argument `q` (ARGS:q)");
        assert_eq!(place(b"REQUEST_URI"), "request target (REQUEST_URI)");
        assert_eq!(place(b"MULTIPART_STRICT_ERROR"), "MULTIPART_STRICT_ERROR");
    }
}
