//! `palisade explain`: what would happen to a request, and why. No server, no upstream.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use palisade_engine::{Match, RuleSet, Transaction};
use palisade_inspect::{
    Action, Cause, Detail, Detector, MemoryStore, Outcome, Profile, RuleSources, Service, shortfall_text,
};
use palisade_model::{Mode, Verdict};
use palisade_seclang::Style;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::Finding;
use crate::exchange::{Exchange, Inspected, inspect};
use crate::files::read_requests;
use crate::flags::{ExplainFlags, Format, Switch};
use crate::request::{RequestLine, parse_message};
use crate::rules::{self, Warnings};
use crate::specifications;

/// Explains a request, or each of several; exit 1 when one of them is stopped or cannot be explained.
pub(crate) fn run(flags: &ExplainFlags) -> Result<Finding> {
    if flags.debug_rules && flags.format == Format::Text {
        bail!("--debug-rules has no place in the text form: add --format json");
    }
    let input = read_requests(&flags.request)?;
    let requests = parse(&input, &flags.request)?;
    // Nobody asks for the common rules when every request brings its own.
    let needs_rules =
        requests.iter().any(|request| matches!(request, Ok(request) if request.rules.is_none()));
    let rule_set = if needs_rules { rules::load_or_fail(&flags.rules, Warnings::Hidden)? } else { None };
    let specification = flags.openapi.as_deref().map(specifications::named).transpose()?;
    let common = service(rule_set, flags, flags.detect != Some(Switch::Off)).specified(specification);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut finding = Finding::Nothing;
    let mut store = MemoryStore::default();
    for (number, request) in requests.iter().enumerate() {
        let explained = match request {
            Ok(request) => explain_one(flags, &common, request, number, &mut store),
            Err(refused) => refused.explained(&flags.request),
        };
        if explained.finding == Finding::Something {
            finding = Finding::Something;
        }
        match flags.format {
            Format::Json => writeln!(out, "{}", explained.json)?,
            Format::Text => {
                if number > 0 {
                    writeln!(out)?;
                }
                write!(out, "{}", explained.text)?;
            }
        }
    }
    out.flush()?;
    Ok(finding)
}

/// A request, and rules of its own if it brings some.
struct Request {
    id: Value,
    rules: Option<String>,
    exchange: Exchange,
}

/// A line that is no request.
struct Refused {
    id: Value,
    message: String,
    /// In the input, from 1.
    line: usize,
}

impl Refused {
    fn explained(&self, input: &Path) -> Explained {
        let file =
            if input.as_os_str() == "-" { "<standard input>".into() } else { input.display().to_string() };
        let text =
            format!("ERROR  {file}:{}: {}\n", self.line, shown(self.message.as_bytes(), ERROR_CHARS_MAX));
        Explained::failed(&self.id, text, self.message.clone(), Some(file), Some(self.line))
    }
}

/// The requests of an input, in order: one HTTP message, one JSON object over several lines, or JSON lines.
fn parse(input: &[u8], name: &Path) -> Result<Vec<Result<Request, Refused>>> {
    if input.trim_ascii().is_empty() {
        bail!("the request is empty: give a JSON object, or an HTTP message");
    }
    if !is_json(input, name) {
        return Ok(vec![Ok(Request { id: Value::Null, rules: None, exchange: parse_message(input)? })]);
    }
    let lines =
        || input.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    let pretty = lines().next().is_some_and(|(_, line)| line.trim_ascii() == b"{");
    if pretty || serde_json::from_slice::<IgnoredAny>(input).is_ok() {
        return Ok(vec![parse_object(input, 1)]);
    }
    Ok(lines().map(|(number, line)| parse_object(line, number + 1)).collect())
}

/// By its name, or by its first lines: an HTTP message has no line in its head that is a JSON object.
fn is_json(input: &[u8], name: &Path) -> bool {
    let extension = name.extension().and_then(OsStr::to_str).unwrap_or_default();
    let lines = input.trim_ascii_start().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let object = |line: &[u8]| line.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(line).is_ok();
    ["json", "jsonl", "ndjson"].contains(&extension)
        || input.trim_ascii_start().starts_with(b"{")
        || lines.take_while(|line| !line.is_empty()).take(HEAD_LINES_MAX).any(object)
}

/// Lines that are looked at to tell JSON lines from an HTTP message.
const HEAD_LINES_MAX: usize = 1000;

/// Reads one JSON object, whose first line is `line` of the input.
fn parse_object(object: &[u8], line: usize) -> Result<Request, Refused> {
    let text = std::str::from_utf8(object).map_err(|_| {
        let message = "it is not UTF-8; write such bytes as body_base64".to_owned();
        Refused { id: Value::Null, message, line }
    })?;
    // Who sent a request that we cannot read still knows it by its id.
    let id = || serde_json::from_str::<Value>(text).ok().map_or(Value::Null, |value| value["id"].clone());
    let request = RequestLine::parse(text).map_err(|unreadable| Refused {
        id: id(),
        message: unreadable.message,
        line: line + unreadable.line - 1,
    })?;
    let exchange = request.exchange().map_err(|error| Refused {
        id: request.id.clone(),
        message: format!("{error:#}"),
        line,
    })?;
    Ok(Request { id: request.id, rules: request.rules, exchange })
}

fn service(rules: Option<Arc<RuleSet>>, flags: &ExplainFlags, detect: bool) -> Arc<Service> {
    let profile = Profile::new(flags.mode, rules).with_detector(detect.then(Detector::default));
    Service::new("explain", profile)
}

struct Explained {
    json: Value,
    text: String,
    finding: Finding,
}

impl Explained {
    fn failed(id: &Value, text: String, message: String, file: Option<String>, line: Option<usize>) -> Self {
        let json = json!({
            "id": id, "verdict": null, "status": null, "redirect": null, "rule_id": null, "phase": null,
            "matched": [], "log": [], "findings": [], "scores": {}, "cause": null, "would": null, "shortfalls": [],
            "error": {"message": message, "file": file, "line": line},
        });
        Self { json, text, finding: Finding::Something }
    }
}

fn explain_one(
    flags: &ExplainFlags,
    common: &Arc<Service>,
    request: &Request,
    number: usize,
    store: &mut MemoryStore,
) -> Explained {
    let Request { id, rules: own_rules, exchange } = request;
    let own;
    let service = match own_rules {
        None => common,
        Some(text) => {
            let text = Some(("<request>".to_owned(), text.as_bytes().to_vec(), String::new()));
            let loaded = rules::load(&RuleSources { text, ..RuleSources::default() });
            let Some(rule_set) = loaded.rules else {
                let mut errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
                let shown: String = errors
                    .clone()
                    .map(|error| format!("\n{}", error.render(&loaded.sources, Style::Plain)))
                    .collect();
                let error = errors.next();
                let place = error.and_then(|error| error.span);
                return Explained::failed(
                    id,
                    format!("ERROR  the rules of this request do not load\n{shown}"),
                    error.map_or_else(|| "the rules do not load".to_owned(), |error| error.message.clone()),
                    place.map(|span| loaded.sources.name(span.file).to_owned()),
                    place.map(|span| loaded.sources.line(span)),
                );
            };
            // Such a line asks about its rules: the detector joins only when it is called.
            own = service(Some(rule_set), flags, flags.detect == Some(Switch::On));
            // Collections of one rule text are nothing to another.
            *store = MemoryStore::default();
            &own
        }
    };
    let detail = if flags.debug_rules { Detail::Debug } else { Detail::Explain };
    let request_id = format!("explain-{}", number + 1);
    let begun = Instant::now();
    let inspected = inspect(exchange, service, detail, request_id, store);
    let took = begun.elapsed();
    let finding = if inspected.action == Action::Forward { Finding::Nothing } else { Finding::Something };
    let json = to_json(id, &inspected, flags.debug_rules, took);
    let text = to_text(exchange, &inspected, flags.mode, service.profile.rules.as_deref(), took);
    Explained { json, text, finding }
}

/// The answer to one request as JSON through a service as it is in force; what cannot be read is told in it.
pub(crate) fn explained(object: &[u8], service: &Arc<Service>) -> Value {
    let request = match parse_object(object, 1) {
        Ok(request) => request,
        Err(refused) => return refused.explained(Path::new("-")).json,
    };
    if request.rules.is_some() {
        let why = "`rules` are not taken here: the service's are asked".to_owned();
        return Explained::failed(&request.id, String::new(), why, None, None).json;
    }
    let begun = Instant::now();
    let mut store = MemoryStore::default();
    let inspected = inspect(&request.exchange, service, Detail::Explain, "explain-1".to_owned(), &mut store);
    to_json(&request.id, &inspected, false, begun.elapsed())
}

fn to_json(id: &Value, inspected: &Inspected, debug: bool, took: Duration) -> Value {
    let transaction = inspected.report.transaction();
    let (verdict, status, redirect) = match &inspected.action {
        Action::Forward => ("pass", None, None),
        Action::Answer { status } => ("deny", Some(*status), None),
        Action::Close => ("drop", None, None),
        Action::Redirect { status, location } => ("redirect", Some(*status), Some(location.clone())),
    };
    let stop =
        transaction.filter(|_| inspected.action != Action::Forward).and_then(Transaction::interruption);
    let matched: Vec<Value> = transaction.map_or_else(Vec::new, |transaction| {
        transaction.matches().iter().map(|matched| match_json(transaction, matched)).collect()
    });
    let mut answer = json!({
        "id": id,
        "verdict": verdict,
        "status": status,
        "redirect": redirect,
        "rule_id": stop.and_then(|stop| stop.rule).map(|rule| rule.0),
        "phase": stop.map(|stop| stop.phase as u8),
        "matched": matched,
        "log": inspected.report.error_log_lines(),
        "findings": inspected.report.findings().iter().map(finding_json).collect::<Vec<_>>(),
        "scores": inspected.report.scores().into_iter().collect::<BTreeMap<_, _>>(),
        "cause": inspected.outcome.as_ref().and_then(cause),
        "would": would(inspected),
        "shortfalls": inspected.report.shortfalls().iter().map(shortfall_text).collect::<Vec<_>>(),
        "time_us": took.as_micros() as u64,
        "error": null,
    });
    if debug {
        let evaluated = transaction.map_or(&[][..], Transaction::evaluated);
        answer["evaluated"] = evaluated
            .iter()
            .map(|seen| json!({"id": seen.id.0, "target": printable(&seen.target), "value": printable(&seen.value)}))
            .collect();
    }
    answer
}

fn finding_json(finding: &palisade_inspect::Finding) -> Value {
    json!({
        "attack": finding.attack.name(),
        "detector": finding.detector,
        "confidence": finding.confidence.get(),
        "point": finding.point.to_string(),
        "decode_path": finding.decode_path.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "excerpt": printable(&finding.excerpt),
        "why": finding.why,
    })
}

fn match_json(transaction: &Transaction, matched: &Match) -> Value {
    let rule = transaction.rules().rule(matched.rule);
    json!({
        "id": matched.id.0,
        "phase": matched.phase as u8,
        "msg": printable(&matched.msg),
        "data": printable(&matched.data),
        "severity": matched.severity,
        "tags": matched.tags.iter().map(|tag| printable(tag)).collect::<Vec<_>>(),
        "target": printable(&matched.target),
        "value": printable(&matched.value),
        "transformations": matched.transformations,
        "logged": matched.logged,
        "file": transaction.rules().file_of(rule),
        "line": rule.line,
    })
}

/// Why the verdict is not a pass, in words: `rule 949110`.
fn cause(outcome: &Outcome) -> Option<String> {
    match outcome.cause {
        Cause::None if outcome.incomplete => Some("what could not be inspected".to_owned()),
        Cause::None => None,
        Cause::Rule(rule) => Some(format!("rule {rule}")),
        Cause::Limit => Some("a limit on what is inspected".to_owned()),
        Cause::Finding(attack) => Some(format!("the detector ({})", attack.title())),
        Cause::Specification(attack) => Some(format!("the specification ({})", attack.title())),
        Cause::Patch => Some("a virtual patch".to_owned()),
        Cause::Policy => Some("policy".to_owned()),
        Cause::Rate => Some("a rate limit".to_owned()),
        Cause::Authentication => Some("authentication".to_owned()),
        Cause::List => Some("the deny list".to_owned()),
        Cause::Framing(finding) => Some(format!("its framing ({})", finding.name())),
    }
}

/// In a mode that stops nothing: what block mode would have done.
fn would(inspected: &Inspected) -> Option<&'static str> {
    let outcome = inspected.outcome.as_ref()?;
    (inspected.action == Action::Forward && outcome.verdict != Verdict::Pass)
        .then(|| outcome.verdict.as_str())
}

fn to_text(
    exchange: &Exchange,
    inspected: &Inspected,
    mode: Mode,
    rules: Option<&RuleSet>,
    took: Duration,
) -> String {
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
    if rules.is_none() {
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
const ERROR_CHARS_MAX: usize = 1000;

/// Names of severities, by number.
pub(crate) const SEVERITIES: [&str; 8] =
    ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];

/// Text as it is; bytes that are not UTF-8 as `\xHH`.
fn printable(bytes: &[u8]) -> String {
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
fn shown(bytes: &[u8], chars_max: usize) -> String {
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
