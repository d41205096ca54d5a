//! `palisade rules list|show`: what a rule set holds.

use std::io::Write as _;

use anyhow::{Result, bail};
use palisade_engine::{Disruptive, Rule, RuleSet};
use serde_json::json;

use crate::Finding;
use crate::commands::explain::SEVERITIES;
use crate::flags::{RuleFlags, RulesListFlags, RulesShowFlags};
use crate::rules::{Warnings, load_or_fail};

/// One line a rule.
pub(crate) fn list(flags: &RulesListFlags) -> Result<Finding> {
    let rules = loaded(&flags.rules)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut any = false;
    for rule in rules.rules() {
        let tags = tags(rule);
        let level = paranoia_level(&tags);
        let msg = rule.msg.as_ref().map_or_else(String::new, |msg| palisade_engine::written_text(msg));
        let chosen = flags.phase.is_none_or(|phase| phase == rule.phase as u8)
            && flags.level.is_none_or(|wanted| level == Some(wanted))
            && flags.tag.as_ref().is_none_or(|wanted| tags.iter().any(|tag| tag.contains(wanted.as_str())))
            && flags.msg.as_ref().is_none_or(|wanted| msg.to_lowercase().contains(&wanted.to_lowercase()));
        if !chosen {
            continue;
        }
        any = true;
        let place = format!("{}:{}", rules.file_of(rule), rule.line);
        if flags.json {
            let line = json!({
                "id": rule.id.0, "phase": rule.phase as u8, "paranoia": level, "severity": rule.severity,
                "msg": msg, "tags": tags, "action": action(rule), "file": rules.file_of(rule), "line": rule.line,
            });
            writeln!(out, "{line}")?;
        } else {
            let level = level.map_or_else(|| "-".to_owned(), |level| level.to_string());
            writeln!(
                out,
                "{:>7}  phase {}  PL {level}  {:8}  {msg}  {place}",
                rule.id,
                rule.phase as u8,
                action(rule)
            )?;
        }
    }
    out.flush()?;
    Ok(if any { Finding::Nothing } else { Finding::Something })
}

/// All of some rules.
pub(crate) fn show(flags: &RulesShowFlags) -> Result<Finding> {
    let rules = loaded(&flags.rules)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut missing = Vec::new();
    let mut shown = 0;
    for id in &flags.ids {
        match rules.rules().find(|rule| rule.id.0 == *id) {
            Some(rule) => {
                if shown > 0 {
                    writeln!(out)?;
                }
                shown += 1;
                write!(out, "{}", describe(&rules, rule))?;
            }
            None => missing.push(id.to_string()),
        }
    }
    out.flush()?;
    if missing.is_empty() {
        return Ok(Finding::Nothing);
    }
    say!("palisade: no rule has the id {}", missing.join(", "));
    Ok(Finding::Something)
}

fn loaded(flags: &RuleFlags) -> Result<std::sync::Arc<RuleSet>> {
    match load_or_fail(flags, Warnings::Hidden)? {
        Some(rules) => Ok(rules),
        None => bail!("no rules: name them by --crs, --rules-before or --rules"),
    }
}

fn describe(rules: &RuleSet, rule: &Rule) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let _ = writeln!(out, "{}  {}:{}", rule.id, rules.file_of(rule), rule.line);
    let _ = writeln!(out, "  phase     {}", rule.phase as u8);
    if let Some(msg) = &rule.msg {
        let _ = writeln!(out, "  msg       {}", palisade_engine::written_text(msg));
    }
    let _ = writeln!(out, "  action    {}{}", action(rule), if rule.logs { "" } else { ", not logged" });
    if let Some(severity) = rule.severity {
        let name = SEVERITIES.get(usize::from(severity)).unwrap_or(&"");
        let _ = writeln!(out, "  severity  {severity} {name}");
    }
    let tags = tags(rule);
    if !tags.is_empty() {
        let _ = writeln!(out, "  tags      {}", tags.join(", "));
    }
    for (number, link) in rule.links.iter().enumerate() {
        let _ = writeln!(out, "  {}", if number == 0 { "when" } else { "and" });
        for (name, text) in link.describe() {
            let _ = writeln!(out, "    {name:10}{}", text.trim_end());
        }
    }
    out
}

pub(crate) fn action(rule: &Rule) -> String {
    match &rule.disruptive {
        Disruptive::Pass => "pass".to_owned(),
        Disruptive::Allow(_) => "allow".to_owned(),
        Disruptive::Deny(status) => format!("deny {status}"),
        Disruptive::Drop => "drop".to_owned(),
        Disruptive::Redirect { status, .. } => format!("redirect {status}"),
    }
}

pub(crate) fn tags(rule: &Rule) -> Vec<String> {
    rule.tags.iter().map(|tag| palisade_engine::written_text(tag)).collect()
}

fn paranoia_level(tags: &[String]) -> Option<u8> {
    tags.iter().find_map(|tag| tag.strip_prefix("paranoia-level/")?.parse().ok())
}
