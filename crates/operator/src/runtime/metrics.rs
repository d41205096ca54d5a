//! Numbers of an operator, few and without names of objects in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What `/metrics` and `/readyz` are made of.
#[derive(Debug, Default)]
pub struct Metrics {
    leads: AtomicBool,
    read: AtomicBool,
    writes: AtomicU64,
    write_failures: AtomicU64,
    changes_of_leader: AtomicU64,
    /// By kind: objects that are used, and those that cannot be.
    objects: Mutex<BTreeMap<&'static str, (usize, usize)>>,
}

impl Metrics {
    /// Leadership came or went.
    pub fn set_leads(&self, leads: bool) {
        if self.leads.swap(leads, Ordering::Relaxed) != leads {
            self.changes_of_leader.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Everything was read once.
    pub fn set_read(&self) {
        self.read.store(true, Ordering::Release);
    }

    /// Whether everything was read once.
    pub fn is_read(&self) -> bool {
        self.read.load(Ordering::Acquire)
    }

    /// A write to the API server was answered.
    pub fn written(&self, well: bool) {
        let counter = if well { &self.writes } else { &self.write_failures };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How many objects of a kind are used, and how many cannot be.
    pub fn set_objects(&self, kind: &'static str, used: usize, refused: usize) {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, (used, refused));
    }

    /// In Prometheus' text form.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut say = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        let one = |value: u64| vec![(String::new(), value)];
        say(
            "palisade_operator_leader",
            "gauge",
            "Whether this one leads.",
            &one(self.leads.load(Ordering::Relaxed).into()),
        );
        let changes = self.changes_of_leader.load(Ordering::Relaxed);
        say(
            "palisade_operator_leader_changes_total",
            "counter",
            "Times that this one began or ceased to lead.",
            &one(changes),
        );
        say(
            "palisade_operator_synced",
            "gauge",
            "Whether the cluster was read once.",
            &one(self.is_read().into()),
        );
        let writes = vec![
            ("{result=\"ok\"}".to_owned(), self.writes.load(Ordering::Relaxed)),
            ("{result=\"failed\"}".to_owned(), self.write_failures.load(Ordering::Relaxed)),
        ];
        say("palisade_operator_writes_total", "counter", "Writes to the API server.", &writes);
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let objects: Vec<_> = objects
            .iter()
            .flat_map(|(kind, (used, refused))| {
                [("true", *used), ("false", *refused)]
                    .map(|(is, count)| (format!("{{kind=\"{kind}\",accepted=\"{is}\"}}"), count as u64))
            })
            .collect();
        say("palisade_operator_objects", "gauge", "Objects of our kinds.", &objects);
        out
    }
}
