//! `palisade profile`: what inspection costs on a corpus of requests, and which rules cost most of it.
//!
//! Here: reading the corpus and measuring whole exchanges. [`threads`] measures several threads at once, [`shares`] times
//! the rules one by one, [`answer`] prints.

mod answer;
mod shares;
mod threads;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use palisade_engine::{FilterCounts, Transaction};
use palisade_inspect::{Action, Detail, DetectLimits, Detector, MemoryStore, Profile, Recall, Service};
use palisade_model::Mode;

use crate::Finding;
use crate::exchange::{Exchange, inspect};
use crate::files::read_requests;
use crate::flags::{ProfileFlags, Switch};
use crate::memory;
use crate::request::RequestLine;
use crate::rules::{self, Warnings};
use crate::specifications;

use shares::{Costs, Shares};
use threads::Throughput;

/// Measures each case of the corpus on this thread.
pub(crate) fn run(flags: &ProfileFlags) -> Result<Finding> {
    if !(flags.seconds > 0.0 && flags.seconds.is_finite()) {
        bail!("--seconds {} is no time to measure for; try 1", flags.seconds);
    }
    let begun = Instant::now();
    let mut rule_set = rules::load_or_fail(&flags.rules, Warnings::Hidden)?;
    memory::give_back();
    let load = begun.elapsed();
    if rule_set.is_none() && flags.detect != Some(Switch::On) {
        say!("palisade: no rules: only the reading of requests is measured; name rules by --crs or --rules");
    }
    let cases = corpus(flags)?;
    let mut detector = (flags.detect == Some(Switch::On)).then(Detector::default);
    if flags.memo == Some(Switch::Off) {
        if let Some(rule_set) = &mut rule_set {
            Arc::get_mut(rule_set).context("the rules are in use already")?.remember_nothing();
        }
        detector = detector.map(|detector| Detector {
            recall: Arc::new(Recall::forgetful(DetectLimits::default())),
            ..detector
        });
    }
    let profile = Profile::new(Mode::Block, rule_set.clone()).with_detector(detector);
    let specification = flags.openapi.as_deref().map(specifications::named).transpose()?;
    let service = Service::new("profile", profile).specified(specification);
    let mut progress = Progress::new(cases.len());
    let mut measured = Vec::with_capacity(cases.len());
    let mut costs = Costs::default();
    for case in &cases {
        progress.begin(&case.name);
        measured.push(measure(case, &service, flags, &mut progress));
        // The table costs a clock reading a rule: not while instructions are counted.
        if let (Some(rule_set), None) = (&rule_set, flags.iterations) {
            costs.charge(&case.variants, rule_set, Duration::from_secs_f64(flags.seconds / 4.0));
        }
    }
    progress.end();
    let shares = Shares::of(&costs, rule_set.as_deref());
    if flags.json {
        answer::print_json(&measured, &shares, load)?
    } else {
        answer::print_table(&measured, &shares, load)?
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
    /// Of one thread and of as many as were asked for.
    throughput: Option<[Throughput; 2]>,
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
            [1, threads].map(|threads| Throughput::of(case, service, usize::from(threads), limit))
        }),
    }
}

fn add(sum: &mut FilterCounts, more: &FilterCounts) {
    sum.values += more.values;
    sum.known += more.known;
    sum.outputs += more.outputs;
    sum.pairs += more.pairs;
    sum.candidates += more.candidates;
    sum.asked += more.asked;
    sum.matched += more.matched;
}

const TIMES_MAX: usize = 1 << 20;

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
