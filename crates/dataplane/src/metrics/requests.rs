//! Requests by listener, service, status and whose answer it was.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Count, Sample, Take, Value};
use crate::journal::{AnsweredBy, Sent};

/// The counters of every listener and service that was asked for. As many as configurations name: names that are gone
/// keep theirs, as counters must not fall.
#[derive(Debug, Default)]
pub(super) struct RequestFamilies(Mutex<Vec<Family>>);

#[derive(Debug)]
struct Family {
    listener: String,
    service: String,
    counts: Arc<RequestCounts>,
}

/// Requests of one listener to one service.
#[derive(Debug, Default)]
pub(crate) struct RequestCounts {
    /// By the status's first digit; 0 for none.
    upstream: [Count; 6],
    palisade: [Count; 6],
}

const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

impl RequestCounts {
    pub(crate) fn one(&self, sent: Option<Sent>) {
        let counts = match sent.map(|sent| sent.by) {
            Some(AnsweredBy::Upstream) => &self.upstream,
            Some(AnsweredBy::Palisade) | None => &self.palisade,
        };
        // A service may say 999; it fails as one that says 599.
        counts[usize::from(sent.map_or(0, |sent| sent.status / 100)).min(5)].one();
    }
}

impl RequestFamilies {
    pub(super) fn of(&self, listener: &str, service: &str) -> Arc<RequestCounts> {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) =
            families.iter().find(|family| family.listener == listener && family.service == service)
        {
            return known.counts.clone();
        }
        let counts = Arc::<RequestCounts>::default();
        families.push(Family { listener: listener.into(), service: service.into(), counts: counts.clone() });
        counts
    }

    pub(super) fn visit(&self, take: Take<'_>) {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Family { listener, service, counts } in families.iter() {
            for (by, counts) in [("upstream", &counts.upstream), ("palisade", &counts.palisade)] {
                for (class, count) in CLASSES.into_iter().zip(counts) {
                    if by == "upstream" && class == "none" {
                        continue;
                    }
                    take(Sample {
                        name: "palisade_requests_total",
                        help: "Requests that have ended, by the status that the client was sent and by whose answer it was; \
                               health checks not counted.",
                        labels: &[
                            ("listener", listener),
                            ("service", service),
                            ("status", class),
                            ("by", by),
                        ],
                        value: Value::Counter(count.value()),
                    });
                }
            }
        }
    }
}
