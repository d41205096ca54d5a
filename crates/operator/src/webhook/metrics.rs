//! What the admission server counts, as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use crate::inject::Skip;
use crate::probes::Told;

/// Counters, from the start of the process, and whether it is ready.
#[derive(Debug, Default)]
pub struct AdmissionMetrics {
    ready: AtomicBool,
    injected: AtomicU64,
    denied: AtomicU64,
    skipped: [AtomicU64; Skip::ALL.len()],
    /// By hook, micros and number.
    answered: [(AtomicU64, AtomicU64); 2],
    /// What was not answered, by a word of ours.
    refused: Mutex<BTreeMap<&'static str, u64>>,
    /// Validations by kind and outcome, words of ours.
    validated: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

impl AdmissionMetrics {
    /// Certificates are in place and questions are answered; or, again, not.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Release);
    }

    pub(super) fn injected(&self) {
        self.injected.fetch_add(1, Relaxed);
    }

    pub(super) fn denied(&self) {
        self.denied.fetch_add(1, Relaxed);
    }

    pub(super) fn skipped(&self, skip: Skip) {
        self.skipped[skip as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn validated(&self, kind: &'static str, outcome: &'static str) {
        *self
            .validated
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
            .entry((kind, outcome))
            .or_default() += 1;
    }

    pub(super) fn refused(&self, reason: &'static str) {
        *self.refused.lock().unwrap_or_else(|broken| broken.into_inner()).entry(reason).or_default() += 1;
    }

    pub(super) fn answered(&self, inject: bool, took: Duration) {
        let (micros, count) = &self.answered[usize::from(!inject)];
        micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        count.fetch_add(1, Relaxed);
    }
}

impl Told for AdmissionMetrics {
    fn missing(&self) -> Option<&'static str> {
        (!self.ready.load(Acquire)).then_some("certificates are not in place")
    }

    fn metrics(&self) -> String {
        let mut out = String::new();
        let mut family = |name: &str, help: &str, kind: &str, lines: Vec<(String, String)>| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in lines {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        let of = |counter: &AtomicU64| counter.load(Relaxed).to_string();
        family(
            "palisade_injections_total",
            "Pods that an API server asked about, by what became of them.",
            "counter",
            vec![
                (r#"{outcome="injected"}"#.to_owned(), of(&self.injected)),
                (r#"{outcome="denied"}"#.to_owned(), of(&self.denied)),
            ],
        );
        family(
            "palisade_injection_skips_total",
            "Pods that stayed as they were, by reason.",
            "counter",
            Skip::ALL
                .iter()
                .map(|skip| (format!(r#"{{reason="{}"}}"#, skip.reason()), of(&self.skipped[*skip as usize])))
                .collect(),
        );
        let validated = self.validated.lock().unwrap_or_else(|broken| broken.into_inner());
        family(
            "palisade_validations_total",
            "Objects that were checked, by kind and outcome.",
            "counter",
            validated
                .iter()
                .map(|((kind, outcome), count)| {
                    (format!(r#"{{kind="{kind}",outcome="{outcome}"}}"#), count.to_string())
                })
                .collect(),
        );
        let refused = self.refused.lock().unwrap_or_else(|broken| broken.into_inner());
        family(
            "palisade_admission_refused_total",
            "Questions that were not answered, by reason.",
            "counter",
            refused
                .iter()
                .map(|(reason, count)| (format!(r#"{{reason="{reason}"}}"#), count.to_string()))
                .collect(),
        );
        let hooks = ["inject", "validate"].into_iter().zip(&self.answered);
        let (mut sums, mut counts) = (Vec::new(), Vec::new());
        for (hook, (micros, count)) in hooks {
            let labels = format!(r#"{{hook="{hook}"}}"#);
            sums.push((
                labels.clone(),
                format!("{:.6}", Duration::from_micros(micros.load(Relaxed)).as_secs_f64()),
            ));
            counts.push((labels, of(count)));
        }
        family("palisade_admission_seconds_sum", "Time that answers took, added up.", "counter", sums);
        family("palisade_admission_seconds_count", "Questions that were answered.", "counter", counts);
        out
    }
}
