//! What a replay came to, for people and for programs.

use std::io::Write;

use palisade_events::recording::Decided;
use palisade_model::Calendar;
use serde_json::{Value, json};

use super::compare::Flip;
use super::tally::{Example, OfService, Tally};
use crate::commands::events::harmless;
use crate::flags::{Format, ReplayFlags};
use crate::rules::plural;

/// A replay that has ended.
pub(crate) struct Described<'a> {
    pub(crate) flags: &'a ReplayFlags,
    pub(crate) tally: &'a Tally,
    /// Requests that the input had.
    pub(crate) read: u64,
}

impl Described<'_> {
    pub(crate) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        match self.flags.format {
            Format::Json => {
                let before = self.flags.before.as_ref().map(|before| before.display().to_string());
                let against = self.flags.against.display().to_string();
                let all = json(&against, before.as_deref(), self.tally, self.read);
                serde_json::to_writer_pretty(&mut *out, &all)?;
                writeln!(out)
            }
            Format::Text => self.text(out),
        }
    }

    fn text(&self, out: &mut impl Write) -> std::io::Result<()> {
        let tally = self.tally;
        writeln!(
            out,
            "{} replayed against {}",
            plural(tally.requests as usize, "request"),
            harmless(&self.flags.against.display().to_string())
        )?;
        writeln!(out, "{:>10}  as before", tally.same)?;
        for flip in Flip::ALL {
            let count = tally.flips(flip);
            if count > 0 {
                writeln!(out, "{count:>10}  {}", flip.told())?;
            }
        }
        if tally.undecidable > 0 {
            writeln!(out, "{:>10}  undecidable", tally.undecidable)?;
        }
        for (name, of) in &tally.services {
            if of.same < of.requests {
                service_text(out, name, of)?;
            }
        }
        Ok(())
    }
}

/// All of it, for a program.
pub(super) fn json(against: &str, before: Option<&str>, tally: &Tally, read: u64) -> Value {
    let flips: serde_json::Map<String, Value> =
        Flip::ALL.into_iter().map(|flip| (flip.word().to_owned(), tally.flips(flip).into())).collect();
    let services: Vec<Value> = tally.services.iter().map(|(name, of)| service_json(name, of)).collect();
    json!({
        "against": against,
        "before": before,
        "read": read,
        "requests": tally.requests,
        "same": tally.same,
        "undecidable": tally.undecidable,
        "flips": flips,
        "services": services,
    })
}

fn service_text(out: &mut impl Write, name: &str, of: &OfService) -> std::io::Result<()> {
    let name = if name.is_empty() { "(no service)" } else { name };
    writeln!(out, "\nservice {}", harmless(name))?;
    for (flip, flipped) in &of.flips {
        writeln!(out, "{:>10}  {}, by", flipped.count, flip.told())?;
        let mut by: Vec<_> = flipped.by.iter().collect();
        by.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (by, count) in by.into_iter().take(ROWS_MAX) {
            writeln!(out, "{count:>12}  {}", harmless(by))?;
        }
        for example in &flipped.examples {
            example_text(out, example)?;
        }
    }
    for (doubt, undecided) in &of.undecidable {
        writeln!(out, "{:>10}  undecidable: {}", undecided.count, harmless(&doubt.to_string()))?;
        for example in &undecided.examples {
            example_text(out, example)?;
        }
    }
    Ok(())
}

/// Rows of rules that a person is shown for one kind; programs have all of them.
const ROWS_MAX: usize = 20;

fn example_text(out: &mut impl Write, example: &Example) -> std::io::Result<()> {
    let Example { id, at, method, target, then, now, .. } = example;
    let at = at.map(|at| format!("{}  ", Calendar::new(at, 0).rfc3339_seconds())).unwrap_or_default();
    writeln!(out, "              {at}{}  {} {}", harmless(id), harmless(method), harmless(target))?;
    writeln!(out, "                then {}, now {}", said(then), said(now))
}

/// `blocked by rule 949110 (932100, sqli)`
fn said(decided: &Decided) -> String {
    let mut said = decided.outcome.as_str().replace('_', " ");
    if !decided.cause.is_empty() {
        said.push_str(&format!(" by {}", decided.cause));
    }
    let others = decided.rules.iter().map(u64::to_string).chain(decided.findings.iter().cloned());
    let others: Vec<String> =
        others.filter(|other| !decided.cause.ends_with(other.as_str())).take(8).collect();
    if !others.is_empty() {
        said.push_str(&format!(" ({})", others.join(", ")));
    }
    harmless(&said).into_owned()
}

fn service_json(name: &str, of: &OfService) -> Value {
    let flips: Vec<Value> = of
        .flips
        .iter()
        .map(|(flip, flipped)| {
            let by: Vec<Value> =
                flipped.by.iter().map(|(by, count)| json!({"by": by, "count": count})).collect();
            json!({
                "kind": flip.word(),
                "count": flipped.count,
                "by": by,
                "examples": flipped.examples.iter().map(example_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    let undecidable: Vec<Value> = of
        .undecidable
        .iter()
        .map(|(doubt, undecided)| {
            json!({
                "reason": doubt.to_string(),
                "count": undecided.count,
                "examples": undecided.examples.iter().map(example_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "service": name, "requests": of.requests, "same": of.same, "flips": flips, "undecidable": undecidable,
    })
}

fn example_json(example: &Example) -> Value {
    json!({
        "id": example.id,
        "time": example.at.map(|at| Calendar::new(at, 0).rfc3339()),
        "method": example.method,
        "target": example.target,
        "then": example.then,
        "now": example.now,
    })
}
