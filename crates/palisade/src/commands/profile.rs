//! `palisade profile`: what inspection costs on a corpus of requests, and which rules cost most of it.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use palisade_engine::{
    Clock, Connection, Enforcement, FilterCounts, Progress as EngineProgress, Rule, RuleId, RuleSet,
    Transaction,
};
use palisade_inspect::{Action, Detail, MemoryStore, Profile, Service};
use palisade_model::Mode;
use palisade_seclang::ast::Phase;
use serde_json::json;

use crate::Finding;
use crate::exchange::{Exchange, inspect};
use crate::files::read_requests;
use crate::flags::ProfileFlags;
use crate::request::RequestLine;
use crate::rules::{self, Warnings};

/// Measures each case of the corpus on this thread.
pub(crate) fn run(flags: &ProfileFlags) -> Result<Finding> {
    rules::note_detect(flags.detect);
    if !(flags.seconds > 0.0 && flags.seconds.is_finite()) {
        bail!("--seconds {} is no time to measure for; try 1", flags.seconds);
    }
    let begun = Instant::now();
    let rule_set = rules::load_or_fail(&flags.rules, Warnings::Hidden)?;
    let load = begun.elapsed();
    if rule_set.is_none() {
        say!("palisade: no rules: only the reading of requests is measured; name rules by --crs or --rules");
    }
    let cases = corpus(flags)?;
    let service = Service::new("profile", Profile::new(Mode::Block, rule_set.clone()));
    let mut progress = Progress::new(cases.len());
    let mut measured = Vec::with_capacity(cases.len());
    let mut costs = Costs::default();
    for case in &cases {
        progress.begin(&case.name);
        measured.push(measure(case, &service, flags, &mut progress));
        // The table costs a clock reading a rule: not while instructions are counted.
        if let (Some(rule_set), None) = (&rule_set, flags.iterations) {
            charge(case, rule_set, flags, &mut costs);
        }
    }
    progress.end();
    let shares = Shares::of(&costs, rule_set.as_deref());
    if flags.json {
        print_json(&measured, &shares, load)?
    } else {
        print_table(&measured, &shares, load)?
    }
    Ok(Finding::Nothing)
}

/// Cases that are named to somebody who asked for one that is not there.
const CASES_NAMED: usize = 20;

/// Requests of one name.
struct Case {
    name: String,
    variants: Vec<Exchange>,
}

fn corpus(flags: &ProfileFlags) -> Result<Vec<Case>> {
    let path = flags.corpus.display();
    let text = String::from_utf8(read_requests(&flags.corpus)?)
        .with_context(|| format!("`{path}` is not UTF-8; write such bytes as body_base64"))?;
    let mut cases: Vec<Case> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{path}:{}", number + 1);
        let request = RequestLine::parse(line).map_err(|unreadable| anyhow!(unreadable.message));
        let request = request.with_context(place)?;
        let mut exchange = request.exchange().with_context(place)?;
        if !flags.response_phases {
            exchange.response = None;
        }
        let name = request.name.with_context(|| format!("{}: the request has no \"name\"", place()))?;
        if flags.case.as_ref().is_some_and(|wanted| *wanted != name) {
            if others.len() < CASES_NAMED && !others.contains(&name) {
                others.push(name);
            }
            continue;
        }
        match cases.iter_mut().find(|case| case.name == name) {
            Some(case) => case.variants.push(exchange),
            None => cases.push(Case { name, variants: vec![exchange] }),
        }
    }
    match (&flags.case, cases.is_empty()) {
        (Some(case), true) if !others.is_empty() => {
            let more = if others.len() == CASES_NAMED { ", ..." } else { "" };
            bail!("`{path}` has no case `{case}`; it has {}{more}", others.join(", "))
        }
        (_, true) => bail!("`{path}` holds no request"),
        _ => Ok(cases),
    }
}

struct Measured {
    name: String,
    iterations: u64,
    /// Of the first exchange: nothing is warm then, or only what other cases have warmed.
    first: Duration,
    median: Duration,
    min: Duration,
    verdict: &'static str,
    matched: Vec<u64>,
    /// Of all iterations.
    filters: FilterCounts,
    /// Exchanges a second, of one thread and of as many as were asked for.
    throughput: Option<[f64; 2]>,
}

fn measure(case: &Case, service: &Arc<Service>, flags: &ProfileFlags, progress: &mut Progress) -> Measured {
    let mut store = MemoryStore::default();
    let limit = Duration::from_secs_f64(flags.seconds);
    let begun = Instant::now();
    let mut times = Vec::new();
    let mut first = None;
    let mut filters = FilterCounts::default();
    let mut iterations = 0;
    for (iteration, exchange) in (0u64..).zip(case.variants.iter().cycle()) {
        let done = match flags.iterations {
            Some(iterations) => iteration as f64 / iterations as f64,
            None => begun.elapsed().as_secs_f64() / limit.as_secs_f64(),
        };
        if done >= 1.0 && iteration > 0 {
            break;
        }
        progress.show(done);
        let started = Instant::now();
        let inspected = inspect(exchange, service, Detail::Normal, "profile".to_owned(), &mut store);
        let took = started.elapsed();
        times.push(took);
        iterations += 1;
        if let Some(transaction) = inspected.report.transaction() {
            add(&mut filters, &transaction.filter_counts());
        }
        first.get_or_insert_with(|| {
            let verdict = match inspected.action {
                Action::Forward => "pass",
                Action::Answer { .. } => "deny",
                Action::Redirect { .. } => "redirect",
                Action::Close => "drop",
            };
            let matches = inspected.report.transaction().map_or(&[][..], Transaction::matches);
            (took, verdict, matches.iter().map(|matched| matched.id.0).collect())
        });
        // Keeping every time of a long run would measure the list.
        if times.len() == TIMES_MAX {
            times.sort_unstable();
            times = times.into_iter().step_by(2).collect();
        }
    }
    times.sort_unstable();
    let (first, verdict, matched) = first.unwrap_or((Duration::ZERO, "none", Vec::new()));
    Measured {
        name: case.name.clone(),
        iterations,
        first,
        median: times.get(times.len() / 2).copied().unwrap_or_default(),
        min: times.first().copied().unwrap_or_default(),
        verdict,
        matched,
        filters,
        throughput: flags.threads.map(|threads| {
            [1, threads].map(|threads| throughput(case, service, usize::from(threads), limit))
        }),
    }
}

fn add(sum: &mut FilterCounts, more: &FilterCounts) {
    sum.values += more.values;
    sum.outputs += more.outputs;
    sum.pairs += more.pairs;
    sum.candidates += more.candidates;
    sum.asked += more.asked;
    sum.matched += more.matched;
}

/// Exchanges a second of so many threads at once.
fn throughput(case: &Case, service: &Arc<Service>, threads: usize, limit: Duration) -> f64 {
    let begun = Instant::now();
    let work = || {
        let mut store = MemoryStore::default();
        let mut done = 0u64;
        for exchange in case.variants.iter().cycle() {
            inspect(exchange, service, Detail::Normal, "profile".to_owned(), &mut store);
            done += 1;
            if begun.elapsed() >= limit {
                break;
            }
        }
        done
    };
    let done: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an inspection does not panic")).sum()
    });
    done as f64 / begun.elapsed().as_secs_f64()
}

const TIMES_MAX: usize = 1 << 20;

/// What the rules took, on exchanges whose rules were timed one by one.
#[derive(Default)]
struct Costs {
    /// Each rule, and with `None` looking at the values for all rules together.
    took: HashMap<Option<RuleId>, Duration>,
    exchanges: u32,
}

/// Adds up what each rule takes on a case, in a quarter of the time asked for. Of each variant's runs a rule's shortest
/// counts: a process that is put aside for a moment would be charged to whichever rule was at work.
fn charge(case: &Case, rules: &Arc<RuleSet>, flags: &ProfileFlags, costs: &mut Costs) {
    let limit = Duration::from_secs_f64(flags.seconds / 4.0);
    let begun = Instant::now();
    let mut least: Vec<HashMap<Option<RuleId>, Duration>> = vec![HashMap::new(); case.variants.len()];
    for round in 0.. {
        if round > 0 && begun.elapsed() >= limit {
            break;
        }
        for (exchange, least) in case.variants.iter().zip(&mut least) {
            for (rule, took) in timed(exchange, rules) {
                let known = least.entry(rule).or_insert(took);
                *known = took.min(*known);
            }
        }
    }
    costs.exchanges += case.variants.len() as u32;
    for (rule, took) in least.into_iter().flatten() {
        *costs.took.entry(rule).or_default() += took;
    }
}

/// Runs an exchange and says how long each rule took.
fn timed(exchange: &Exchange, rules: &Arc<RuleSet>) -> HashMap<Option<RuleId>, Duration> {
    let (sender, receiver) = mpsc::channel();
    let connection =
        Connection { client: exchange.client, server: exchange.server, unique_id: "profile".into() };
    let mut transaction =
        Transaction::new(rules.clone(), connection, Enforcement::AsWritten, Clock::default());
    let last = Arc::new(Mutex::new(Instant::now()));
    let since = last.clone();
    transaction.observe_rules(Box::new(move |rule| {
        let mut last = since.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the receiver of this function is ever gone, and then nobody counts.
        let _ = sender.send((rule, last.elapsed()));
        *last = Instant::now();
    }));
    let phase = |transaction: &mut Transaction, phase| {
        // What happens between phases is nobody's: bodies are read.
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        settle(transaction, phase);
    };
    transaction.request_head(exchange.head.clone());
    phase(&mut transaction, Phase::RequestHeaders);
    transaction.request_body_chunk(&exchange.body);
    transaction.request_body_end();
    phase(&mut transaction, Phase::RequestBody);
    if let Some((head, body)) = &exchange.response {
        transaction.response_head(head.clone());
        phase(&mut transaction, Phase::ResponseHeaders);
        transaction.response_body_chunk(body);
        phase(&mut transaction, Phase::ResponseBody);
    }
    phase(&mut transaction, Phase::Logging);
    drop(transaction);
    let mut took: HashMap<Option<RuleId>, Duration> = HashMap::new();
    for (rule, time) in receiver {
        *took.entry(rule.map(|rule| rules.rule(rule).id)).or_default() += time;
    }
    took
}

fn settle(transaction: &mut Transaction, phase: Phase) {
    let mut progress = transaction.run(phase, Clock::default());
    while progress != EngineProgress::Done {
        if matches!(progress, EngineProgress::Need(_)) {
            transaction.answer(palisade_engine::Answer::Unavailable);
        }
        progress = transaction.resume(Clock::default());
    }
}

/// Who takes which part of the rules' time. The parts of all rules and of looking add up to one.
#[derive(Default)]
struct Shares {
    /// The largest first.
    rules: Vec<RuleShare>,
    /// The part of looking at the values, once for all rules.
    looking: f64,
}

struct RuleShare {
    id: RuleId,
    share: f64,
    /// Of one exchange, on average.
    took: Duration,
    file: String,
    line: u32,
}

impl Shares {
    fn of(costs: &Costs, rule_set: Option<&RuleSet>) -> Self {
        let Some(rule_set) = rule_set.filter(|_| costs.exchanges > 0) else { return Self::default() };
        let total: Duration = costs.took.values().sum();
        let part = |took: Duration| took.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
        let places: HashMap<RuleId, &Rule> = rule_set.rules().map(|rule| (rule.id, rule)).collect();
        let mut rules: Vec<RuleShare> = costs
            .took
            .iter()
            .filter_map(|(id, took)| {
                let rule = places.get(id.as_ref()?)?;
                Some(RuleShare {
                    id: rule.id,
                    share: part(*took),
                    took: *took / costs.exchanges,
                    file: rule_set.file_of(rule).to_owned(),
                    line: rule.line,
                })
            })
            .collect();
        rules.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.id.cmp(&b.id)));
        Self { rules, looking: costs.took.get(&None).map_or(0.0, |took| part(*took)) }
    }
}

/// What is being measured, on standard error when that is a terminal.
struct Progress {
    cases: usize,
    begun: usize,
    case: String,
    shown: Option<Instant>,
    talks: bool,
}

impl Progress {
    fn new(cases: usize) -> Self {
        Self { cases, begun: 0, case: String::new(), shown: None, talks: std::io::stderr().is_terminal() }
    }

    fn begin(&mut self, case: &str) {
        self.begun += 1;
        // A name is anybody's text: it must not steer a terminal or break its line.
        self.case = case.chars().filter(|c| !c.is_control()).take(40).collect();
        self.shown = None;
        self.show(0.0);
    }

    /// Says how far the case is, a few times a second at most.
    fn show(&mut self, done: f64) {
        if !self.talks || self.shown.is_some_and(|shown| shown.elapsed() < Duration::from_millis(200)) {
            return;
        }
        self.shown = Some(Instant::now());
        let percent = (done * 100.0).min(100.0);
        eprint!("\r{}/{} {:40} {percent:3.0} %", self.begun, self.cases, self.case);
    }

    fn end(&self) {
        if self.talks {
            eprint!("\r{:70}\r", "");
        }
    }
}

/// Rules that the table shows.
const RULES_SHOWN: usize = 20;

fn print_json(cases: &[Measured], shares: &Shares, load: Duration) -> Result<()> {
    let cases: Vec<_> = cases
        .iter()
        .map(|case| {
            let mut line = json!({
                "name": case.name, "iterations": case.iterations, "us_first": micros(case.first),
                "us_median": micros(case.median), "us_min": micros(case.min), "verdict": case.verdict,
                "matched": case.matched, "filters": filters_json(&case.filters, case.iterations),
            });
            if let Some([one, several]) = case.throughput {
                line["requests_per_second"] = json!({"one_thread": one, "threads": several});
            }
            line
        })
        .collect();
    let rules: Vec<_> = shares
        .rules
        .iter()
        .map(|rule| {
            let (file, line) = (&rule.file, rule.line);
            json!({"id": rule.id.0, "share": rule.share, "us": micros(rule.took), "file": file, "line": line})
        })
        .collect();
    let answer = json!({
        "cases": cases, "rules": rules, "looking_share": shares.looking, "load_ms": load.as_secs_f64() * 1e3,
        "rss_mb": resident_megabytes(),
    });
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}

/// What each filter left, of one exchange on average.
fn filters_json(filters: &FilterCounts, exchanges: u64) -> serde_json::Value {
    let each = |count: u64| count as f64 / exchanges.max(1) as f64;
    json!({
        "values": each(filters.values), "outputs": each(filters.outputs), "pairs": each(filters.pairs),
        "candidates": each(filters.candidates), "asked": each(filters.asked), "matched": each(filters.matched),
    })
}

fn print_table(cases: &[Measured], shares: &Shares, load: Duration) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:32} {:>10} {:>12} {:>12}  verdict", "case", "runs", "median us", "min us")?;
    for case in cases {
        writeln!(
            out,
            "{:32} {:>10} {:>12.1} {:>12.1}  {}",
            case.name,
            case.iterations,
            micros(case.median),
            micros(case.min),
            case.verdict
        )?;
    }
    if let Some([_, _]) = cases.first().and_then(|case| case.throughput) {
        writeln!(out, "\n{:32} {:>16} {:>16} {:>8}", "requests a second", "one thread", "threads", "times")?;
        for case in cases {
            let [one, several] = case.throughput.unwrap_or_default();
            let times = several / one.max(f64::MIN_POSITIVE);
            writeln!(out, "{:32} {one:>16.0} {several:>16.0} {times:>8.2}", case.name)?;
        }
    }
    print_filters(&mut out, cases)?;
    if !shares.rules.is_empty() {
        writeln!(out, "\ncostliest rules, of the time that rules take")?;
        writeln!(
            out,
            "{:>10} {:5.1} %  looking at the values, once for all rules",
            "",
            shares.looking * 100.0
        )?;
        for rule in shares.rules.iter().take(RULES_SHOWN) {
            let RuleShare { id, share, took, file, line } = rule;
            writeln!(out, "{id:>10} {:5.1} %  {:>8.2} us  {file}:{line}", share * 100.0, micros(*took))?;
        }
    }
    let memory =
        resident_megabytes().map_or_else(String::new, |megabytes| format!(", {megabytes:.1} MB resident"));
    writeln!(out, "\nloaded in {:.0} ms{memory}", load.as_secs_f64() * 1e3)?;
    Ok(())
}

/// How many pairs of value and rule each filter leaves, of one exchange on average.
fn print_filters(out: &mut impl std::io::Write, cases: &[Measured]) -> Result<()> {
    if cases.iter().all(|case| case.filters.values == 0) {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:32} {:>8} {:>8} {:>10} {:>10} {:>8} {:>8}",
        "what filters leave of a request", "values", "texts", "pairs", "candidates", "asked", "matched"
    )?;
    for case in cases {
        let each = |count: u64| count as f64 / case.iterations.max(1) as f64;
        let FilterCounts { values, outputs, pairs, candidates, asked, matched } = case.filters;
        let [values, outputs, pairs, candidates, asked, matched] =
            [values, outputs, pairs, candidates, asked, matched].map(each);
        writeln!(
            out,
            "{:32} {values:>8.1} {outputs:>8.1} {pairs:>10.1} {candidates:>10.1} {asked:>8.1} {matched:>8.1}",
            case.name
        )?;
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e9).round() / 1e3
}

/// Resident memory of this process, where the system says it as Linux does.
fn resident_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}
