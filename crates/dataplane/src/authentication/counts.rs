//! How often it was known who a request is from, by service.

use std::sync::{Arc, Mutex, PoisonError};

use super::Refusal;
use crate::metrics::{Count, Sample, Take, Value};

/// What came of asking about the requests of one service.
#[derive(Debug, Default)]
pub struct AuthenticationCounts([Count; OUTCOMES.len()]);

const OUTCOMES: [&str; 7] =
    ["authenticated", "anonymous", "missing", "invalid", "forbidden", "unavailable", "would_refuse"];

impl AuthenticationCounts {
    pub(super) fn one(&self, refusal: Option<&Refusal>, is_known: bool, is_monitored: bool) {
        let outcome = match refusal {
            None if is_known => 0,
            None => 1,
            Some(_) if is_monitored => 6,
            Some(Refusal { reason: "missing", .. }) => 2,
            Some(Refusal { status: 403, .. }) => 4,
            Some(Refusal { status: 503, .. }) => 5,
            Some(_) => 3,
        };
        self.0[outcome].one();
    }
}

/// The counts of every service that asks, over reloads.
#[derive(Debug, Default)]
pub(crate) struct AuthenticationFamilies(Mutex<Vec<(String, Arc<AuthenticationCounts>)>>);

impl AuthenticationFamilies {
    pub(crate) fn of(&self, service: &str) -> Arc<AuthenticationCounts> {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counts)) = families.iter().find(|(name, _)| name == service) {
            return counts.clone();
        }
        let counts = Arc::<AuthenticationCounts>::default();
        families.push((service.to_owned(), counts.clone()));
        counts
    }

    pub(crate) fn visit(&self, take: Take<'_>) {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (service, counts) in families.iter() {
            for (outcome, count) in OUTCOMES.into_iter().zip(&counts.0) {
                take(Sample {
                    name: "palisade_authentication_total",
                    help: "Requests on routes that ask who they are from, by what came of it.",
                    labels: &[("service", service), ("outcome", outcome)],
                    value: Value::Counter(count.value()),
                });
            }
        }
    }
}
