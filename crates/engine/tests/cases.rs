//! The cases of `testdata/engine/*.toml`: rules, an exchange, and what has to come of it.
//!
//! Every case is run four ways, which have to agree: the bodies whole and byte by byte, and with a yield before
//! every rule or with none. Then libmodsecurity3, where it is installed, is asked as well: a case that it decides
//! in another way says so in `differs`, and a `differs` that no longer holds fails.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_engine::persistent::{MemoryStore, UnixMillis};
use palisade_engine::{
    Answer, Clock, Connection, Enforcement, GeoRecord, InterruptionAction, Lookup, Progress, RuleSet,
    Sanitised, Shortfall, Transaction,
};
use palisade_http::{Fields, RequestHead, ResponseHead};
use palisade_oracle::modsecurity::{self, ModSecurity};
use palisade_seclang::MemoryLoader;
use palisade_seclang::ast::{Phase, Variable};
use serde::Deserialize;

/// What stands before the rules of every case.
const PREAMBLE: &str = "SecRuleEngine On\nSecRequestBodyAccess On\n";

/// One case. The keys of its first exchange stand beside these.
struct Case {
    name: String,
    why: String,
    /// What libmodsecurity 3.0.9 does instead.
    differs: Option<String>,
    /// What the difference is in, entries of `sees` or TX, `log`, `stop`; all else agrees. Empty: in anything.
    differs_in: Vec<String>,
    /// Why libmodsecurity cannot be asked: lookups, clocks, things it does not have.
    only_here: Option<String>,
    rules: String,
    /// Files that the rules name.
    files: BTreeMap<String, String>,
    /// A part of what the loader or the compiler says against the rules. Nothing is run then.
    error: Option<String>,
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseKeys {
    name: String,
    why: String,
    differs: Option<String>,
    #[serde(default)]
    differs_in: Vec<String>,
    only_here: Option<String>,
    #[serde(default)]
    rules: String,
    #[serde(default)]
    files: BTreeMap<String, String>,
    error: Option<String>,
    /// Further exchanges under the same rules and with the same persistent collections.
    #[serde(default)]
    then: Vec<toml::Table>,
}

const CASE_KEYS: &[&str] =
    &["name", "why", "differs", "differs_in", "only_here", "rules", "files", "error", "then"];

/// One exchange and what is expected of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// The head, a line each, without the blank line.
    #[serde(default = "plain_request")]
    request: String,
    #[serde(default)]
    body: String,
    /// The head of the answer. Without it phases 3 and 4 are not run.
    response: Option<String>,
    #[serde(default)]
    response_body: String,
    #[serde(default = "client")]
    client: SocketAddr,
    #[serde(default = "server")]
    server: SocketAddr,
    /// Milliseconds since 1970.
    #[serde(default)]
    at_ms: u64,
    #[serde(default)]
    utc_offset_seconds: i32,
    /// How long it has taken when a phase is run.
    #[serde(default)]
    took_micros: u64,
    /// The profile only monitors, whatever the rules say.
    #[serde(default)]
    monitoring: bool,
    /// Addresses of names; other names have none.
    #[serde(default)]
    dns: BTreeMap<String, IpAddr>,
    /// What is known of addresses; nothing of others.
    #[serde(default)]
    geo: BTreeMap<IpAddr, BTreeMap<String, String>>,
    /// Lookups fail.
    #[serde(default)]
    lookups_fail: bool,

    /// `deny 403 in 2`, `drop in 1`, `redirect 302 /there in 1`; absent: it goes on.
    stop: Option<String>,
    /// The same for what would have been done.
    would_stop: Option<String>,
    /// `ID DATA` of each line of the error log, in order.
    #[serde(default)]
    log: Vec<String>,
    /// Values of TX at the end; `false` for one that is not there.
    #[serde(default)]
    tx: BTreeMap<String, toml::Value>,
    /// By phase and targets, `2 ARGS|!ARGS:x`: the values that a last rule of the phase sees, `NAME=value`. Like
    /// libmodsecurity's, whose collections have no order, they are compared as a set.
    #[serde(default)]
    sees: BTreeMap<String, Vec<String>>,
    /// Lookups asked for, in order: `dns NAME`, `geo ADDRESS`, `Ip KEY`.
    asked: Option<Vec<String>>,
    /// Shortfalls, by name.
    #[serde(default)]
    shortfalls: Vec<String>,
    #[serde(default)]
    sanitised: Vec<String>,
    /// Engine, parts and whether it is relevant: `On ABZ relevant`.
    audit: Option<String>,
    /// Variables in the store at the end, `Ip KEY name=value`, when given.
    stored: Option<Vec<String>>,
}

fn plain_request() -> String {
    "GET / HTTP/1.1\nHost: h".to_owned()
}

fn client() -> SocketAddr {
    "192.0.2.1:40000".parse().expect("an address")
}

fn server() -> SocketAddr {
    "192.0.2.2:80".parse().expect("an address")
}

#[test]
fn cases_hold() {
    let files = case_files();
    let mut failed = Vec::new();
    let mut total = 0;
    for (file, cases) in &files {
        for case in cases {
            if let Err(why) = check(case) {
                failed.push(format!("{file}: {} ({})\n  {why}", case.name, case.why));
            }
        }
        println!("{file}: {} cases", cases.len());
        total += cases.len();
    }
    println!("{total} cases");
    assert!(failed.is_empty(), "{} of {total} cases fail:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn cases_agree_with_libmodsecurity_or_say_how_they_differ() {
    let asked = match ModSecurity::load() {
        Ok(_) => ModSecurity::load,
        Err(unavailable) => {
            println!("skipped: {unavailable}");
            return;
        }
    };
    let (mut agree, mut differ, mut alone) = (0, 0, 0);
    let mut failed = Vec::new();
    for (file, cases) in &case_files() {
        for case in cases {
            if case.only_here.is_some() {
                alone += 1;
                continue;
            }
            // A fresh instance: it owns the persistent collections.
            let theirs = check_theirs(&asked().expect("it was there before"), case);
            match (theirs, &case.differs) {
                (Ok(wrong), None) if wrong.is_empty() => agree += 1,
                (Ok(wrong), Some(_)) if wrong.is_empty() => {
                    failed.push(format!("{file}: {}: listed as different and is not", case.name));
                }
                (Ok(wrong), Some(_))
                    if case.differs_in.is_empty()
                        || wrong.keys().eq(case.differs_in.iter().collect::<BTreeSet<_>>()) =>
                {
                    differ += 1;
                }
                (Err(_), Some(_)) if case.differs_in.is_empty() => differ += 1,
                (Ok(wrong), _) => failed.push(format!("{file}: {}: libmodsecurity: {wrong:#?}", case.name)),
                (Err(why), _) => failed.push(format!("{file}: {}: libmodsecurity: {why}", case.name)),
            }
        }
    }
    println!(
        "{agree} cases agree with libmodsecurity, {differ} differ on purpose, {alone} cannot be asked there"
    );
    assert!(agree > 0, "no case was compared");
    assert!(failed.is_empty(), "{} cases:\n{}", failed.len(), failed.join("\n"));
}

/// A variable, action or `ctl` that no case names is one that nobody has looked at.
#[test]
fn every_name_has_a_case() {
    let text: String = case_files().iter().flat_map(|(_, cases)| cases).map(rules_of).collect();
    let words: BTreeSet<String> = text
        .split(|char: char| !char.is_ascii_alphanumeric() && char != '_')
        .map(str::to_ascii_lowercase)
        .collect();
    let variables = Variable::ALL.iter().map(|variable| variable.as_str());
    let missing: Vec<&str> = variables
        .chain(ACTIONS.iter().copied())
        .filter(|name| !WITHOUT_A_CASE.iter().any(|(without, _)| without == name))
        .filter(|name| !words.contains(&name.to_ascii_lowercase()))
        .collect();
    assert!(missing.is_empty(), "without a case: {missing:?}");
    for (name, why) in WITHOUT_A_CASE {
        assert!(!words.contains(&name.to_ascii_lowercase()), "{name} has a case");
        println!("no case for {name}: {why}");
    }
}

const WITHOUT_A_CASE: &[(&str, &str)] = &[
    ("MSC_PCRE_ERROR", "set with MSC_PCRE_LIMITS_EXCEEDED"),
    ("INBOUND_ERROR_DATA", "a misprint of the manual; it has no value"),
];

/// Actions and `ctl`s of the language that do something in the engine.
const ACTIONS: &[&str] = &[
    "allow",
    "block",
    "deny",
    "drop",
    "pass",
    "redirect",
    "proxy",
    "status",
    "chain",
    "skip",
    "skipAfter",
    "auditlog",
    "noauditlog",
    "log",
    "nolog",
    "capture",
    "multiMatch",
    "deprecatevar",
    "expirevar",
    "initcol",
    "setenv",
    "setrsc",
    "setsid",
    "setuid",
    "setvar",
    "sanitiseArg",
    "sanitiseMatched",
    "sanitiseMatchedBytes",
    "sanitiseRequestHeader",
    "sanitiseResponseHeader",
    "t",
    "xmlns",
    "msg",
    "logdata",
    "severity",
    "rev",
    "tag",
    "auditEngine",
    "auditLogParts",
    "debugLogLevel",
    "forceRequestBodyVariable",
    "requestBodyAccess",
    "requestBodyLimit",
    "requestBodyProcessor",
    "responseBodyAccess",
    "responseBodyLimit",
    "ruleEngine",
    "ruleRemoveById",
    "ruleRemoveByMsg",
    "ruleRemoveByTag",
    "ruleRemoveTargetById",
    "ruleRemoveTargetByMsg",
    "ruleRemoveTargetByTag",
    "parseXmlIntoArgs",
];

fn case_files() -> Vec<(String, Vec<Case>)> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/engine"));
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the case folder is part of the repository")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no case file");
    let mut names = BTreeSet::new();
    paths
        .iter()
        .map(|path| {
            let file = path.file_name().expect("a file").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(path).expect("a readable case file");
            let mut table: toml::Table =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
            let cases = table.remove("case").unwrap_or_else(|| panic!("{file}: no case"));
            assert!(table.is_empty(), "{file}: unknown keys in {table:?}");
            let cases: Vec<toml::Table> = cases.try_into().unwrap_or_else(|error| panic!("{file}: {error}"));
            let cases: Vec<Case> = cases.into_iter().map(|case| read_case(&file, case)).collect();
            assert!(!cases.is_empty(), "{file}: no case");
            for case in &cases {
                assert!(names.insert(case.name.clone()), "{file}: {} is there twice", case.name);
                assert!(!case.why.is_empty(), "{file}: {}: a case says why", case.name);
            }
            (file, cases)
        })
        .collect()
}

fn read_case(file: &str, table: toml::Table) -> Case {
    let shown = table.get("name").map(ToString::to_string).unwrap_or_default();
    let (own, exchange): (toml::Table, toml::Table) =
        table.into_iter().partition(|(key, _)| CASE_KEYS.contains(&key.as_str()));
    let read = |table: toml::Table| -> Exchange {
        table.try_into().unwrap_or_else(|error| panic!("{file}: {shown}: {error}"))
    };
    let keys: CaseKeys = own.try_into().unwrap_or_else(|error| panic!("{file}: {shown}: {error}"));
    let exchanges = std::iter::once(exchange).chain(keys.then).map(read).collect();
    Case {
        name: keys.name,
        why: keys.why,
        differs: keys.differs,
        differs_in: keys.differs_in,
        only_here: keys.only_here,
        rules: keys.rules,
        files: keys.files,
        error: keys.error,
        exchanges,
    }
}

/// The rules of a case, and for each entry of `sees` of any exchange one that gathers what it sees in TX.
fn rules_of(case: &Case) -> String {
    let mut text = format!("{PREAMBLE}{}\n", case.rules);
    for (number, look) in looks(case).iter().enumerate() {
        let (phase, targets) =
            look.split_once(' ').unwrap_or_else(|| panic!("{}: no phase in {look}", case.name));
        text.push_str(&format!(
            "SecRule {targets} \"@unconditionalMatch\" \"id:{},phase:{phase},pass,nolog,t:none,\
             setvar:'tx.sees_{number}=%{{tx.sees_{number}}}%{{MATCHED_VAR_NAME}}\u{1e}%{{MATCHED_VAR}}\u{1f}'\"\n",
            70_000_000 + number
        ));
    }
    text
}

fn looks(case: &Case) -> Vec<&String> {
    let all: BTreeSet<&String> = case.exchanges.iter().flat_map(|exchange| exchange.sees.keys()).collect();
    all.into_iter().collect()
}

fn check(case: &Case) -> Result<(), String> {
    let rules = match compiled(&rules_of(case), &case.files) {
        Ok(rules) => Arc::new(rules),
        Err(said) => {
            return match &case.error {
                Some(part) if said.contains(part) => Ok(()),
                _ => Err(format!("does not load: {said}")),
            };
        }
    };
    if case.error.is_some() {
        return Err("loads, and should not".to_owned());
    }
    let ways = [(usize::MAX, false), (1, false), (usize::MAX, true), (1, true)];
    let mut first: Option<Vec<Said>> = None;
    for (chunk, yields) in ways {
        let mut store = MemoryStore::default();
        let mut all = Vec::new();
        for exchange in &case.exchanges {
            let mut said = run(&rules, exchange, chunk, yields, &mut store);
            said.sees = looks(case)
                .into_iter()
                .enumerate()
                .filter(|(_, look)| exchange.sees.contains_key(*look))
                .map(|(number, look)| {
                    (
                        look.clone(),
                        said.tx.get(&format!("sees_{number}")).map_or_else(Vec::new, |text| split_seen(text)),
                    )
                })
                .collect();
            said.tx.retain(|name, _| !name.starts_with("sees_"));
            if first.is_none() {
                judge(exchange, &said)?;
            }
            all.push(said);
        }
        match &first {
            None => first = Some(all),
            Some(first) if *first == all => {}
            Some(first) => {
                return Err(format!(
                    "in pieces of {chunk} bytes, yields {yields}: {all:#?}\n  otherwise: {first:#?}"
                ));
            }
        }
    }
    Ok(())
}

/// What separates names from values and entries from each other in `sees` are control characters, because
/// libmodsecurity's parser does not take every other one beside a macro.
fn split_seen(text: &str) -> Vec<String> {
    let mut seen: Vec<String> = text
        .split('\u{1f}')
        .filter(|entry| !entry.is_empty())
        .map(|entry| entry.replacen('\u{1e}', "=", 1))
        .collect();
    seen.sort();
    seen
}

/// What an engine made of an exchange.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    stop: Option<String>,
    would_stop: Option<String>,
    log: Vec<String>,
    tx: BTreeMap<String, String>,
    sees: BTreeMap<String, Vec<String>>,
    asked: Vec<String>,
    shortfalls: Vec<String>,
    sanitised: Vec<String>,
    audit: String,
    stored: Vec<String>,
}

fn judge(exchange: &Exchange, said: &Said) -> Result<(), String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: String, seen: String| {
        if expected != seen {
            wrong.push(format!("{what}: expected {expected}, not {seen}"));
        }
    };
    compare("stop", format!("{:?}", exchange.stop), format!("{:?}", said.stop));
    compare("would_stop", format!("{:?}", exchange.would_stop), format!("{:?}", said.would_stop));
    compare("log", format!("{:?}", exchange.log), format!("{:?}", said.log));
    for (name, value) in &exchange.tx {
        let expected = value.as_str();
        compare(name, format!("{expected:?}"), format!("{:?}", said.tx.get(name).map(String::as_str)));
    }
    for (look, expected) in &exchange.sees {
        let mut expected = expected.clone();
        expected.sort();
        compare(look, format!("{expected:?}"), format!("{:?}", said.sees[look]));
    }
    if let Some(asked) = &exchange.asked {
        compare("asked", format!("{asked:?}"), format!("{:?}", said.asked));
    }
    compare("shortfalls", format!("{:?}", exchange.shortfalls), format!("{:?}", said.shortfalls));
    compare("sanitised", format!("{:?}", exchange.sanitised), format!("{:?}", said.sanitised));
    if let Some(audit) = &exchange.audit {
        compare("audit", audit.clone(), said.audit.clone());
    }
    if let Some(stored) = &exchange.stored {
        compare("stored", format!("{stored:?}"), format!("{:?}", said.stored));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ")) }
}

fn compiled(text: &str, files: &BTreeMap<String, String>) -> Result<Arc<RuleSet>, String> {
    let loader =
        files.iter().fold(MemoryLoader::new(), |loader, (name, text)| loader.with(name, text.as_bytes()));
    support::compiled(text, &loader)
}

fn run(
    rules: &Arc<RuleSet>,
    exchange: &Exchange,
    chunk: usize,
    yields: bool,
    store: &mut MemoryStore,
) -> Said {
    let connection =
        Connection { client: exchange.client, server: exchange.server, unique_id: "case".into() };
    let enforcement = if exchange.monitoring { Enforcement::DetectOnly } else { Enforcement::AsWritten };
    let start = Clock {
        now: UnixMillis(exchange.at_ms),
        utc_offset_seconds: exchange.utc_offset_seconds,
        monotonic_micros: 1_000_000,
    };
    let mut driver = Driver {
        transaction: Transaction::new(rules.clone(), connection, enforcement, start),
        exchange,
        clock: Clock { monotonic_micros: 1_000_000 + exchange.took_micros, ..start },
        store,
        asked: Vec::new(),
    };
    if yields {
        driver.transaction.yield_after(0);
    }
    driver.transaction.request_head(request_head(&exchange.request));
    driver.phase(Phase::RequestHeaders);
    for piece in exchange.body.as_bytes().chunks(chunk) {
        driver.transaction.request_body_chunk(piece);
    }
    driver.transaction.request_body_end();
    driver.phase(Phase::RequestBody);
    if let Some(response) = &exchange.response {
        driver.transaction.response_head(response_head(response));
        driver.phase(Phase::ResponseHeaders);
        for piece in exchange.response_body.as_bytes().chunks(chunk) {
            driver.transaction.response_body_chunk(piece);
        }
        driver.phase(Phase::ResponseBody);
    }
    driver.phase(Phase::Logging);
    driver.said()
}

struct Driver<'a> {
    transaction: Transaction,
    exchange: &'a Exchange,
    clock: Clock,
    store: &'a mut MemoryStore,
    asked: Vec<String>,
}

impl Driver<'_> {
    fn phase(&mut self, phase: Phase) {
        let mut progress = self.transaction.run(phase, self.clock);
        loop {
            match progress {
                Progress::Done => break,
                Progress::Yield => {}
                Progress::Need(lookup) => {
                    let answer = self.answer(lookup);
                    self.transaction.answer(answer);
                }
            }
            progress = self.transaction.resume(self.clock);
        }
        let operations = self.transaction.take_operations();
        self.store.commit(operations);
    }

    fn answer(&mut self, lookup: Lookup) -> Answer {
        let (asked, answer) = match lookup {
            Lookup::Dns { name } => {
                let answer = Answer::Dns(self.exchange.dns.get(&name).copied());
                (format!("dns {name}"), answer)
            }
            Lookup::Geo { address } => {
                let record = self.exchange.geo.get(&address).map(|fields| GeoRecord {
                    fields: fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                });
                (format!("geo {address}"), Answer::Geo(record))
            }
            Lookup::Collection(key) => {
                // What this exchange has asked for so far comes first.
                let operations = self.transaction.take_operations();
                self.store.commit(operations);
                let answer = Answer::Collection(self.store.load(&key, self.clock.now));
                (format!("{:?} {}", key.collection, String::from_utf8_lossy(&key.key)), answer)
            }
        };
        self.asked.push(asked);
        if self.exchange.lookups_fail { Answer::Unavailable } else { answer }
    }

    fn said(self) -> Said {
        let Driver { transaction, store, asked, clock, .. } = self;
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let stopped = |stop: &palisade_engine::Interruption| {
            let phase = stop.phase as u8;
            match (&stop.action, stop.status) {
                (InterruptionAction::Deny, Some(status)) => format!("deny {status} in {phase}"),
                (InterruptionAction::Redirect { location }, Some(status)) => {
                    format!("redirect {status} {location} in {phase}")
                }
                (InterruptionAction::Drop, None) => format!("drop in {phase}"),
                (action, status) => format!("{action:?} with {status:?} in {phase}"),
            }
        };
        let log = transaction
            .matches()
            .iter()
            .filter(|matched| matched.logged)
            .map(|matched| shown(matched.id.0, &palisade_engine::error_log::line(&transaction, matched)))
            .collect();
        let shortfalls = transaction
            .shortfalls()
            .iter()
            .map(|shortfall| match shortfall {
                Shortfall::StepLimit { rule, .. } => format!("steps of {rule}"),
                Shortfall::Limit(name) => (*name).to_owned(),
                Shortfall::TooManyLookups => "too many lookups".to_owned(),
                Shortfall::LookupFailed => "lookup failed".to_owned(),
                Shortfall::ArgumentInvalid { rule, .. } => format!("argument of {rule}"),
            })
            .collect();
        let sanitised = transaction
            .sanitised()
            .iter()
            .map(|what| match what {
                Sanitised::Argument(name) => format!("argument {}", lossy(name)),
                Sanitised::RequestHeader(name) => format!("request header {}", lossy(name)),
                Sanitised::ResponseHeader(name) => format!("response header {}", lossy(name)),
                Sanitised::MatchedBytes { target, keep_start, keep_end } => {
                    format!("matched {} but {keep_start} and {keep_end}", lossy(target))
                }
            })
            .collect();
        let relevant = if transaction.is_relevant() { " relevant" } else { "" };
        let audit = format!("{:?} {}{relevant}", transaction.audit_engine(), transaction.audit_parts());
        let keys: BTreeSet<&String> =
            asked.iter().filter(|asked| asked.starts_with(char::is_uppercase)).collect();
        let mut stored = Vec::new();
        for asked in keys {
            let (collection, key) = asked.split_once(' ').expect("as it was made");
            let collection = [
                palisade_engine::persistent::PersistentCollection::Ip,
                palisade_engine::persistent::PersistentCollection::Global,
                palisade_engine::persistent::PersistentCollection::Session,
                palisade_engine::persistent::PersistentCollection::User,
                palisade_engine::persistent::PersistentCollection::Resource,
            ]
            .into_iter()
            .find(|known| format!("{known:?}") == collection)
            .expect("a collection");
            let key = palisade_engine::persistent::CollectionKey { collection, key: key.as_bytes().to_vec() };
            for variable in store.load(&key, clock.now) {
                stored.push(format!("{asked} {}={}", lossy(&variable.name), lossy(&variable.value)));
            }
        }
        Said {
            stop: transaction.interruption().map(stopped),
            would_stop: transaction.would_interrupt().map(stopped),
            log,
            tx: transaction
                .tx()
                .map(|(name, value)| (lossy(name).to_ascii_lowercase(), lossy(value)))
                .collect(),
            sees: BTreeMap::new(),
            asked,
            shortfalls,
            sanitised,
            audit,
            stored,
        }
    }
}

fn shown(id: u64, line: &str) -> String {
    let data = line.split_once("[data \"").and_then(|(_, rest)| rest.split("\"]").next()).unwrap_or_default();
    format!("{id} {data}").trim_end().to_owned()
}

fn headers_of(lines: std::str::Lines<'_>) -> Fields {
    let mut headers = Fields::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line}"));
        headers.push(name.as_bytes(), value.trim().as_bytes());
    }
    headers
}

/// Method, target and version of a request line.
fn request_line(head: &str) -> (&str, &str, &str) {
    let line = head.lines().next().unwrap_or_default();
    let (method, rest) = line.split_once(' ').expect("a method");
    let (target, version) = rest.rsplit_once(' ').expect("a version");
    (method, target, version)
}

fn request_head(head: &str) -> RequestHead {
    let (method, target, version) = request_line(head);
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().as_bytes().to_vec();
    RequestHead {
        line,
        method: method.into(),
        target: target.into(),
        version: version.into(),
        headers: headers_of(lines),
        findings: Vec::new(),
    }
}

fn response_head(head: &str) -> ResponseHead {
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default();
    let mut words = line.splitn(3, ' ');
    ResponseHead {
        line: line.into(),
        version: words.next().unwrap_or_default().into(),
        status: words.next().and_then(|status| status.parse().ok()).expect("a status"),
        reason: words.next().unwrap_or_default().into(),
        headers: headers_of(lines),
        findings: Vec::new(),
    }
}

/// Runs a case in libmodsecurity. What it does not tell (lookups, shortfalls, sanitising, audit) is not compared.
/// Gives what it says otherwise, by what it is about; an error when it does not take the rules.
fn check_theirs(engine: &ModSecurity, case: &Case) -> Result<BTreeMap<String, String>, String> {
    let mut text = rules_of(case);
    let looks = looks(case);
    let probes: BTreeSet<&String> = case.exchanges.iter().flat_map(|exchange| exchange.tx.keys()).collect();
    let mut probe = |id: usize, name: &str| {
        text.push_str(&format!(
            "SecRule REQUEST_METHOD \"@unconditionalMatch\" \"id:{id},phase:5,pass,log,t:none,logdata:'%{{tx.{name}}}'\"\n"
        ));
    };
    for number in 0..looks.len() {
        probe(71_000_000 + number, &format!("sees_{number}"));
    }
    for (number, name) in probes.iter().enumerate() {
        probe(72_000_000 + number, name);
    }
    // Data files would have to be on disk; such cases say `only_here`.
    let rules = match (engine.rules(&text), &case.error) {
        (Ok(rules), None) => rules,
        (Err(_), Some(_)) => return Ok(BTreeMap::new()),
        (Ok(_), Some(_)) => return Err("loads".to_owned()),
        (Err(said), None) => return Err(format!("does not load: {said}")),
    };
    let mut wrong = BTreeMap::new();
    for exchange in &case.exchanges {
        let outcome = theirs(exchange).run(&rules).map_err(|error| error.to_string())?;
        let stop = outcome.first_denial().map(|(phase, due)| match &due.url {
            Some(url) => format!("redirect {} {url} in {phase}", due.status),
            None => format!("deny {} in {phase}", due.status),
        });
        let mut log = Vec::new();
        let mut probed = BTreeMap::new();
        for line in &outcome.log {
            let Some(id) = modsecurity::rule_id_of_line(line) else { continue };
            if id >= 70_000_000 {
                probed.insert(id as usize, shown(0, line).get(2..).unwrap_or_default().to_owned());
            } else {
                log.push(shown(id, line));
            }
        }
        if exchange.stop != stop {
            wrong.insert("stop".to_owned(), format!("expected {:?}, not {stop:?}", exchange.stop));
        }
        if exchange.log != log {
            wrong.insert("log".to_owned(), format!("expected {:?}, not {log:?}", exchange.log));
        }
        for (number, look) in looks.iter().enumerate() {
            let Some(expected) = exchange.sees.get(*look) else { continue };
            let mut expected: Vec<String> = expected.iter().map(|entry| escaped(entry)).collect();
            expected.sort();
            let text = probed.get(&(71_000_000 + number)).cloned().unwrap_or_default();
            let mut seen: Vec<String> = text
                .split("\\x1f")
                .filter(|entry| !entry.is_empty())
                .map(|entry| entry.replacen("\\x1e", "=", 1))
                .collect();
            // Its log cuts data at 200 characters: the last entry may be a part.
            let cut = text.len() >= 196 && !text.ends_with("\\x1f");
            if cut {
                seen.pop();
            }
            seen.sort();
            let same = if cut { seen.iter().all(|entry| expected.contains(entry)) } else { seen == expected };
            if !same {
                wrong.insert((*look).clone(), format!("expected {expected:?}, not {seen:?}"));
            }
        }
        for (number, name) in probes.iter().enumerate() {
            let Some(expected) = exchange.tx.get(*name) else { continue };
            let expected = escaped(expected.as_str().unwrap_or_default());
            let seen = probed.get(&(72_000_000 + number)).cloned().unwrap_or_default();
            if expected.trim_end() != seen.trim_end() {
                wrong.insert((*name).clone(), format!("expected {expected:?}, not {seen:?}"));
            }
        }
    }
    Ok(wrong)
}

/// As texts stand in its log.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' '..=b'~' if byte != b'"' => (byte as char).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect()
}

fn theirs(exchange: &Exchange) -> modsecurity::Exchange {
    let (method, target, version) = request_line(&exchange.request);
    let mut theirs = modsecurity::Exchange::new(method, target);
    theirs.http_version = version.trim_start_matches("HTTP/").to_owned();
    theirs.client = (exchange.client.ip().to_string(), exchange.client.port());
    theirs.server = (exchange.server.ip().to_string(), exchange.server.port());
    theirs.unique_id = Some("case".to_owned());
    for (name, value) in request_head(&exchange.request).headers.iter() {
        theirs = theirs.header(name, value);
    }
    theirs = theirs.body(exchange.body.as_bytes());
    if let Some(response) = &exchange.response {
        let head = response_head(response);
        theirs.response = Some(modsecurity::Response {
            status: head.status,
            headers: head.headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
            body: exchange.response_body.clone().into_bytes(),
        });
    }
    theirs
}
