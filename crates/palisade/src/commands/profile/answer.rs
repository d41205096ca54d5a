//! What `palisade profile` prints: tables for people, JSON for scripts.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use palisade_engine::FilterCounts;
use serde_json::json;

use super::Measured;
use super::shares::{RuleShare, Shares};
use super::threads::Throughput;

/// Rules that the table shows.
const RULES_SHOWN: usize = 20;

pub(super) fn print_json(cases: &[Measured], shares: &Shares, load: Duration) -> Result<()> {
    let cases: Vec<_> = cases
        .iter()
        .map(|case| {
            let mut line = json!({
                "name": case.name, "iterations": case.iterations, "us_first": micros(case.first),
                "us_median": micros(case.median), "us_min": micros(case.min), "verdict": case.verdict,
                "matched": case.matched, "filters": filters_json(&case.filters, case.iterations),
            });
            if let Some([one, several]) = case.throughput {
                let cpu = |throughput: Throughput| throughput.cpu.map(micros);
                line["requests_per_second"] =
                    json!({"one_thread": one.per_second, "threads": several.per_second});
                line["cpu_us_per_request"] = json!({"one_thread": cpu(one), "threads": cpu(several)});
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
        "values": each(filters.values), "known": each(filters.known),
        "outputs": each(filters.outputs), "pairs": each(filters.pairs),
        "candidates": each(filters.candidates), "asked": each(filters.asked), "matched": each(filters.matched),
    })
}

pub(super) fn print_table(cases: &[Measured], shares: &Shares, load: Duration) -> Result<()> {
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
    print_throughput(&mut out, cases)?;
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

/// What several threads do at once, against one.
fn print_throughput(out: &mut impl std::io::Write, cases: &[Measured]) -> Result<()> {
    let mut measured = cases.iter().filter_map(|case| Some((&case.name, case.throughput?))).peekable();
    if measured.peek().is_none() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:32} {:>16} {:>16} {:>8} {:>12} {:>12}",
        "requests a second", "one thread", "threads", "times", "CPU us", "CPU us"
    )?;
    for (name, [one, several]) in measured {
        let times = several.per_second / one.per_second.max(f64::MIN_POSITIVE);
        let cpu = |throughput: Throughput| {
            throughput.cpu.map_or_else(String::new, |cpu| format!("{:.1}", micros(cpu)))
        };
        writeln!(
            out,
            "{name:32} {:>16.0} {:>16.0} {times:>8.2} {:>12} {:>12}",
            one.per_second,
            several.per_second,
            cpu(one),
            cpu(several)
        )?;
    }
    Ok(())
}

/// How many pairs of value and rule each filter leaves, of one exchange on average.
fn print_filters(out: &mut impl std::io::Write, cases: &[Measured]) -> Result<()> {
    if cases.iter().all(|case| case.filters.values == 0) {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:32} {:>8} {:>8} {:>8} {:>10} {:>18} {:>18} {:>8}",
        "what filters leave of a request",
        "values",
        "known",
        "texts",
        "pairs",
        "candidates",
        "asked",
        "matched"
    )?;
    for case in cases {
        let each = |count: u64| count as f64 / case.iterations.max(1) as f64;
        let FilterCounts { values, known, outputs, pairs, candidates, asked, matched } = case.filters;
        // Counts and what is only a number are candidates without being pairs.
        let part = |count: u64| match pairs {
            0 => String::new(),
            _ => format!("{:5.1} %", count as f64 * 100.0 / pairs as f64),
        };
        writeln!(
            out,
            "{:32} {:>8.1} {:>8.1} {:>8.1} {:>10.1} {:>10.1} {:>7} {:>10.1} {:>7} {:>8.1}",
            case.name,
            each(values),
            each(known),
            each(outputs),
            each(pairs),
            each(candidates),
            part(candidates),
            each(asked),
            part(asked),
            each(matched)
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
