//! `palisade profile`: what inspection costs on a corpus of requests, and which rules cost most of it.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use palisade_engine::{Clock, Connection, Enforcement, Progress, RuleId, RuleSet, Transaction};
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
    let talks = std::io::stderr().is_terminal();
    let mut measured = Vec::with_capacity(cases.len());
    let mut costs = HashMap::new();
    for (number, case) in cases.iter().enumerate() {
        if talks {
            eprint!("\r{}/{} {:40}", number + 1, cases.len(), case.name);
        }
        measured.push(measure(case, &service, flags));
        // The table costs a clock reading a rule: not while instructions are counted.
        if let (Some(rule_set), None) = (&rule_set, flags.iterations) {
            charge(case, rule_set, flags, &mut costs);
        }
    }
    if talks {
        say!("\r{:60}\r", "");
    }
    let shares = shares(&costs);
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
    median: Duration,
    min: Duration,
    verdict: &'static str,
    matched: Vec<u64>,
}

fn measure(case: &Case, service: &Arc<Service>, flags: &ProfileFlags) -> Measured {
    let mut store = MemoryStore::default();
    let limit = Duration::from_secs_f64(flags.seconds);
    let begun = Instant::now();
    let mut times = Vec::new();
    let mut first = None;
    let mut iterations = 0;
    for (iteration, exchange) in (0u64..).zip(case.variants.iter().cycle()) {
        let over = match flags.iterations {
            Some(iterations) => iteration >= iterations,
            None => begun.elapsed() >= limit && iteration > 0,
        };
        if over {
            break;
        }
        let started = Instant::now();
        let inspected = inspect(exchange, service, Detail::Normal, "profile".to_owned(), &mut store);
        times.push(started.elapsed());
        iterations += 1;
        first.get_or_insert_with(|| {
            let verdict = match inspected.action {
                Action::Forward => "pass",
                Action::Answer { .. } => "deny",
                Action::Redirect { .. } => "redirect",
                Action::Close => "drop",
            };
            let matches = inspected.report.transaction().map_or(&[][..], Transaction::matches);
            (verdict, matches.iter().map(|matched| matched.id.0).collect())
        });
        // Keeping every time of a long run would measure the list.
        if times.len() == TIMES_MAX {
            times.sort_unstable();
            times = times.into_iter().step_by(2).collect();
        }
    }
    times.sort_unstable();
    let (verdict, matched) = first.unwrap_or(("none", Vec::new()));
    Measured {
        name: case.name.clone(),
        iterations,
        median: times.get(times.len() / 2).copied().unwrap_or_default(),
        min: times.first().copied().unwrap_or_default(),
        verdict,
        matched,
    }
}

const TIMES_MAX: usize = 1 << 20;

/// Adds up what each rule takes on a case. Each variant runs for an equal share of a quarter of the time asked for.
fn charge(case: &Case, rules: &Arc<RuleSet>, flags: &ProfileFlags, costs: &mut HashMap<RuleId, Duration>) {
    let limit = Duration::from_secs_f64(flags.seconds / 4.0);
    let begun = Instant::now();
    for exchange in case.variants.iter().cycle() {
        let (sender, receiver) = mpsc::channel();
        let connection =
            Connection { client: exchange.client, server: exchange.server, unique_id: "profile".into() };
        let mut transaction =
            Transaction::new(rules.clone(), connection, Enforcement::AsWritten, Clock::default());
        let mut last = Instant::now();
        transaction.observe_rules(Box::new(move |rule| {
            let now = Instant::now();
            // Only the receiver of this function is ever gone, and then nobody counts.
            let _ = sender.send((rule, now - last));
            last = Instant::now();
        }));
        transaction.request_head(exchange.head.clone());
        settle(&mut transaction, Phase::RequestHeaders);
        transaction.request_body_chunk(&exchange.body);
        transaction.request_body_end();
        settle(&mut transaction, Phase::RequestBody);
        drop(transaction);
        for (rule, took) in receiver {
            *costs.entry(rules.rule(rule).id).or_default() += took;
        }
        if begun.elapsed() >= limit {
            break;
        }
    }
}

fn settle(transaction: &mut Transaction, phase: Phase) {
    let mut progress = transaction.run(phase, Clock::default());
    while progress != Progress::Done {
        if matches!(progress, Progress::Need(_)) {
            transaction.answer(palisade_engine::Answer::Unavailable);
        }
        progress = transaction.resume(Clock::default());
    }
}

/// Each rule's part of all, the largest first.
fn shares(costs: &HashMap<RuleId, Duration>) -> Vec<(RuleId, f64)> {
    let total: f64 = costs.values().map(Duration::as_secs_f64).sum();
    let mut shares: Vec<(RuleId, f64)> =
        costs.iter().map(|(rule, took)| (*rule, took.as_secs_f64() / total.max(f64::MIN_POSITIVE))).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    shares
}

/// Rules that the table shows.
const RULES_SHOWN: usize = 20;

fn print_json(cases: &[Measured], shares: &[(RuleId, f64)], load: Duration) -> Result<()> {
    let cases: Vec<_> = cases
        .iter()
        .map(|case| {
            json!({
                "name": case.name, "iterations": case.iterations, "us_median": micros(case.median),
                "us_min": micros(case.min), "verdict": case.verdict, "matched": case.matched,
            })
        })
        .collect();
    let rules: Vec<_> = shares.iter().map(|(id, share)| json!({"id": id.0, "share": share})).collect();
    let answer = json!({
        "cases": cases, "rules": rules, "load_ms": load.as_secs_f64() * 1e3, "rss_mb": resident_megabytes(),
    });
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}

fn print_table(cases: &[Measured], shares: &[(RuleId, f64)], load: Duration) -> Result<()> {
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
    if !shares.is_empty() {
        writeln!(out, "\ncostliest rules")?;
        for (id, share) in shares.iter().take(RULES_SHOWN) {
            writeln!(out, "{id:>10} {:5.1} %", share * 100.0)?;
        }
    }
    let memory =
        resident_megabytes().map_or_else(String::new, |megabytes| format!(", {megabytes:.1} MB resident"));
    writeln!(out, "\nloaded in {:.0} ms{memory}", load.as_secs_f64() * 1e3)?;
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
