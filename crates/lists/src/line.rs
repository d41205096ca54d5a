//! Entries and changes as lines of JSON: what a file keeps of lists, and what processes that share lists tell each other.
//!
//! Whoever can write there can write anything: a line is bounded, and one that does not hold together is none.

use std::sync::Arc;

use palisade_model::{Listing, Moment};
use serde::{Deserialize, Serialize};

use crate::entry::{Entry, Origin, Scope};
use crate::history::{Change, What};

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An entry as it stands.
    Entry(Entry),
    /// A change that is over and done, for the history alone.
    Past(Change),
    /// A change that is to be made.
    Change(Change),
}

/// Bytes of a line; one of ours has a few hundred.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// The line as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    what: String,
    list: String,
    subject: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    applications: Vec<u32>,
    origin: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    created: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    /// Of a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    by: String,
    /// What happened, of a change of the past.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    past: String,
}

const ENTRY: &str = "entry";
const PAST: &str = "past";

impl Line {
    /// Reads a line, with or without its end; `None` where it is none. `reason` is the last reason that was read: long lists
    /// have few, and share them.
    pub fn read(line: &[u8], reason: &mut Arc<str>) -> Option<Self> {
        if line.len() > LINE_BYTES_MAX {
            return None;
        }
        let Written {
            what,
            list,
            subject,
            applications,
            origin,
            reason: why,
            created,
            expires,
            at,
            by,
            past,
        } = serde_json::from_slice(line).ok()?;
        if **reason != *why {
            *reason = why.into();
        }
        let entry = Entry {
            list: list.parse::<Listing>().ok()?,
            subject: subject.parse().ok()?,
            scope: Scope::of(applications).ok()?,
            origin: Origin::from_word(&origin)?,
            reason: reason.clone(),
            created: Moment(created),
            expires: expires.map(Moment),
        };
        let change = |what: &str, entry| {
            Some(Change { at: Moment(at?), what: What::from_word(what)?, entry, by: by.into() })
        };
        match &*what {
            ENTRY => Some(Self::Entry(entry)),
            PAST => change(&past, entry).map(Self::Past),
            what => change(what, entry).map(Self::Change),
        }
    }

    /// Writes it, with its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Entry(entry) => of_entry(entry, ENTRY).write(out),
            Self::Past(change) => {
                Written { past: change.what.as_str().to_owned(), ..of_change(change, PAST) }.write(out);
            }
            Self::Change(change) => of_change(change, change.what.as_str()).write(out),
        }
    }
}

impl Written {
    fn write(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(&mut *out, self).expect("texts and numbers are JSON, and memory takes it");
        out.push(b'\n');
    }
}

fn of_entry(entry: &Entry, what: &str) -> Written {
    Written {
        what: what.to_owned(),
        list: entry.list.as_str().to_owned(),
        subject: entry.subject.to_string(),
        applications: entry.scope.applications().to_vec(),
        origin: entry.origin.as_str().to_owned(),
        reason: entry.reason.to_string(),
        created: entry.created.0,
        expires: entry.expires.map(|end| end.0),
        at: None,
        by: String::new(),
        past: String::new(),
    }
}

fn of_change(change: &Change, what: &str) -> Written {
    Written { at: Some(change.at.0), by: change.by.to_string(), ..of_entry(&change.entry, what) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_it_is_written() {
        let entry = Entry {
            list: Listing::Gray,
            subject: "2001:db8::/32".parse().unwrap(),
            scope: Scope::of(vec![7, 1]).unwrap(),
            origin: Origin::Automatic,
            reason: "a \"reason\"\nof two lines".into(),
            created: Moment(5),
            expires: Some(Moment(6)),
        };
        let change = |what| Change { at: Moment(9), what, entry: entry.clone(), by: "somebody".into() };
        let lines = [
            Line::Entry(Entry { expires: None, reason: "".into(), ..entry.clone() }),
            Line::Past(change(What::Expired)),
            Line::Change(change(What::Removed)),
        ];
        for line in lines {
            let mut out = Vec::new();
            line.write(&mut out);
            assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(Line::read(&out, &mut "".into()), Some(line));
        }
    }

    #[test]
    fn what_does_not_hold_together_is_no_line() {
        let good = r#"{"what":"entry","list":"deny","subject":"192.0.2.1","origin":"api","created":1}"#;
        assert!(Line::read(good.as_bytes(), &mut "".into()).is_some());
        let change = good.replace("entry", "added");
        let many: Vec<u32> = (0..100).collect();
        for bad in [
            "",
            "null",
            "{}",
            &good.replace("deny", "black"),
            &good.replace("192.0.2.1", "192.0.2.1/24"),
            &good.replace("api", "god"),
            &good.replace(":1}", ":-1}"),
            &good.replace("entry", "eaten"),
            &change,
            &good.replace("entry", "past"),
            &good.replace('}', &format!(",\"applications\":{many:?}}}")),
            &good.replace('}', &format!(",\"reason\":\"{}\"}}", "x".repeat(LINE_BYTES_MAX))),
        ] {
            assert_eq!(Line::read(bad.as_bytes(), &mut "".into()), None, "{bad}");
        }
        let dated = change.replace('}', ",\"at\":3}");
        assert!(matches!(Line::read(dated.as_bytes(), &mut "".into()), Some(Line::Change(_))));
    }
}
