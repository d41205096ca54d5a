//! Numbers of an operator, few and without names of objects in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::probes::Told;

/// What `/metrics` and `/readyz` are made of.
#[derive(Debug, Default)]
pub struct Metrics {
    leads: AtomicBool,
    read: AtomicBool,
    writes: AtomicU64,
    write_failures: AtomicU64,
    changes_of_leader: AtomicU64,
    /// What reconcilers count.
    gauges: Mutex<BTreeMap<&'static str, Shown>>,
    /// By kind: objects that are used, and those that cannot be.
    objects: Mutex<BTreeMap<&'static str, (usize, usize)>>,
}

/// What a gauge says, and its values by their labels.
type Shown = (&'static str, Vec<(String, u64)>);

/// A number of a reconciler's.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    /// What Prometheus calls it.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
}

impl Metrics {
    /// A number is this now.
    pub fn set(&self, gauge: &Gauge, value: usize) {
        self.keep(gauge, vec![(String::new(), value as u64)]);
    }

    /// A number is this now, by the words of a label.
    pub fn set_by(&self, gauge: &Gauge, label: &str, values: &BTreeMap<String, usize>) {
        let labelled = |(word, value): (&String, &usize)| (format!("{{{label}=\"{word}\"}}"), *value as u64);
        self.keep(gauge, values.iter().map(labelled).collect());
    }

    fn keep(&self, gauge: &Gauge, values: Vec<(String, u64)>) {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner).insert(gauge.name, (gauge.help, values));
    }

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
}

impl Told for Metrics {
    // Whoever waits for leadership is ready too: it has to be there when its turn comes.
    fn missing(&self) -> Option<&'static str> {
        (!self.is_read()).then_some("the cluster has not been read yet")
    }

    fn metrics(&self) -> String {
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
        for (name, (help, values)) in self.gauges.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            say(name, "gauge", help, values);
        }
        out
    }
}
