//! `palisade explain`: what would happen to a request, and why. No server, no upstream.

mod met;
mod text;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use palisade_engine::{Match, RuleSet, Transaction};
use palisade_events::unix_millis;
use palisade_inspect::{
    Action, Cause, Detail, Detector, MemoryStore, Outcome, Profile, RuleSources, Service, shortfall_text,
};
use palisade_lists::Moment;
use palisade_model::{Listing, Mode, Verdict};
use palisade_seclang::Style;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use self::met::Met;
pub(crate) use self::met::Who;
use self::text::{ERROR_CHARS_MAX, printable, shown};
use crate::Finding;
use crate::configured::{FromFile, Inspecting};
use crate::exchange::{Exchange, Inspected, inspect_with};
use crate::files::read_requests;
use crate::flags::{ExplainFlags, Format, Switch};
use crate::request::{RequestLine, parse_message};
use crate::rules::{self, Warnings};
use crate::snapshot::Credentials;
use crate::specifications;

/// Explains a request, or each of several; exit 1 when one of them is stopped or cannot be explained.
pub(crate) fn run(flags: &ExplainFlags) -> Result<Finding> {
    if flags.debug_rules && flags.format == Format::Text {
        bail!("--debug-rules has no place in the text form: add --format json");
    }
    let input = read_requests(&flags.request)?;
    let mut requests = parse(&input, &flags.request)?;
    let who = Who { listener: flags.listener.clone(), principal: flags.principal.clone() };
    for request in requests.iter_mut().flatten() {
        request.who = std::mem::take(&mut request.who).or(&who);
        if let (Some(from), false) = (flags.from, request.says_from) {
            request.exchange.client.set_ip(from);
        }
    }
    let subject = match &flags.config {
        Some(file) => Subject::Configuration(Box::new(FromFile::read(file, Credentials::Judged)?)),
        None => {
            // Nobody asks for the common rules when every request brings its own.
            let needs_rules =
                requests.iter().any(|request| matches!(request, Ok(request) if request.rules.is_none()));
            let rule_set =
                if needs_rules { rules::load_or_fail(&flags.rules, Warnings::Hidden)? } else { None };
            let specification = flags.openapi.as_deref().map(specifications::named).transpose()?;
            let detect = flags.detect != Some(Switch::Off);
            Subject::Service(service(rule_set, flags, detect).specified(specification))
        }
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut finding = Finding::Nothing;
    let mut store = MemoryStore::default();
    for (number, request) in requests.iter().enumerate() {
        let explained = match request {
            Ok(request) => explain_one(flags, &subject, request, number, &mut store),
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

/// What requests are put to.
enum Subject {
    Service(Arc<Service>),
    Configuration(Box<FromFile>),
}

/// A request, and rules of its own if it brings some.
struct Request {
    id: Value,
    rules: Option<String>,
    who: Who,
    /// It says from where it comes.
    says_from: bool,
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
        let exchange = parse_message(input)?;
        let request =
            Request { id: Value::Null, rules: None, who: Who::default(), says_from: false, exchange };
        return Ok(vec![Ok(request)]);
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
    let refused = |message: String| Refused { id: request.id.clone(), message, line };
    let exchange = request.exchange().map_err(|error| refused(format!("{error:#}")))?;
    let principal = request.principal.as_deref().map(str::parse).transpose();
    let principal = principal.map_err(|error| refused(format!("`principal`: {error}")))?;
    let who = Who { listener: request.listener, principal };
    Ok(Request {
        id: request.id,
        rules: request.rules,
        who,
        says_from: request.client_ip.is_some(),
        exchange,
    })
}

fn service(rules: Option<Arc<RuleSet>>, flags: &ExplainFlags, detect: bool) -> Arc<Service> {
    let profile =
        Profile::new(flags.mode.unwrap_or(Mode::Block), rules).with_detector(detect.then(Detector::default));
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
    subject: &Subject,
    request: &Request,
    number: usize,
    store: &mut MemoryStore,
) -> Explained {
    let Request { id, rules: own_rules, who, exchange, .. } = request;
    let detail = if flags.debug_rules { Detail::Debug } else { Detail::Explain };
    let how = (detail, format!("explain-{}", number + 1));
    let met = match (own_rules, subject) {
        (None, Subject::Service(service)) => Met::of_service(service, exchange, how),
        (None, Subject::Configuration(file)) => match put(file, flags.mode, who.clone(), exchange, how) {
            Ok(met) => met,
            Err(why) => return Explained::failed(id, format!("ERROR  {why}\n"), why, None, None),
        },
        (Some(_), Subject::Configuration(_)) => {
            let why = "`rules` are not taken beside --config: those of the service are asked".to_owned();
            return Explained::failed(id, format!("ERROR  {why}\n"), why, None, None);
        }
        (Some(text), Subject::Service(_)) => {
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
            let own = service(Some(rule_set), flags, flags.detect == Some(Switch::On));
            // Collections of one rule text are nothing to another.
            *store = MemoryStore::default();
            Met::of_service(&own, exchange, how)
        }
    };
    let begun = Instant::now();
    let inspected = inspect_with(exchange, &met.service, met.asked.clone(), store);
    let took = begun.elapsed();
    let finding = if inspected.action == Action::Forward { Finding::Nothing } else { Finding::Something };
    let json = to_json(id, &met, &inspected, flags.debug_rules, took);
    let text = text::to_text(exchange, &met, &inspected, took);
    Explained { json, text, finding }
}

/// Puts a request to a configuration.
fn put(
    file: &FromFile,
    mode: Option<Mode>,
    who: Who,
    exchange: &Exchange,
    how: (Detail, String),
) -> Result<Met, String> {
    let inspecting = met::way(&file.configured, &who, exchange)?;
    let on_list = |address, application| {
        file.lists.find(address, application, Moment(unix_millis())).map(|hit| hit.list)
    };
    let met = Met::at(inspecting, mode, exchange, who, on_list, how);
    Ok(if file.policies_elsewhere { met.without_policies() } else { met })
}

/// The answer to one request as JSON, put to what is in force; what cannot be read is told in it.
pub(crate) fn explained(
    object: &[u8],
    mode: Option<Mode>,
    find: impl FnOnce(&Exchange, Option<&str>) -> Result<Inspecting, String>,
    on_list: impl FnOnce(IpAddr, Option<u32>) -> Option<Listing>,
) -> Value {
    let request = match parse_object(object, 1) {
        Ok(request) => request,
        Err(refused) => return refused.explained(Path::new("-")).json,
    };
    if request.rules.is_some() {
        let why = "`rules` are not taken here: the service's are asked".to_owned();
        return Explained::failed(&request.id, String::new(), why, None, None).json;
    }
    let Request { id, who, exchange, .. } = request;
    let inspecting = match find(&exchange, who.listener.as_deref()) {
        Ok(inspecting) => inspecting,
        Err(why) => return Explained::failed(&id, String::new(), why, None, None).json,
    };
    let how = (Detail::Explain, "explain-1".to_owned());
    let met = Met::at(&inspecting, mode, &exchange, who, on_list, how);
    let begun = Instant::now();
    let inspected = inspect_with(&exchange, &met.service, met.asked.clone(), &mut MemoryStore::default());
    to_json(&id, &met, &inspected, false, begun.elapsed())
}

fn to_json(id: &Value, met: &Met, inspected: &Inspected, debug: bool, took: Duration) -> Value {
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
    if let Some(way) = met.json(&inspected.report) {
        answer["configured"] = way;
    }
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

/// Names of severities, by number.
pub(crate) const SEVERITIES: [&str; 8] =
    ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];
