//! What is counted. Plain counters; who shows them reads them by name.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that only grows.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    /// Its value.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

macro_rules! counts {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters of the process since its start.
        #[derive(Debug, Default)]
        pub struct Metrics { $($(#[doc = $doc])+ pub $name: Count,)+ }

        impl Metrics {
            /// All counters with their names.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.value()),)+].into_iter()
            }
        }
    };
}

counts! {
    /// Connections accepted.
    connections_total,
    /// Connections refused because there were too many.
    connections_refused_total,
    /// Requests whose head came, health checks not counted.
    requests_total,
    /// Health checks answered here.
    health_checks_total,
    /// Requests answered by us because a check said so.
    blocked_total,
    /// Requests refused because they can be read in more than one way.
    framing_refused_total,
    /// Heads that did not come in time.
    head_timeouts_total,
    /// Heads that ended in the middle.
    heads_incomplete_total,
    /// Request bodies that did not come in time.
    body_timeouts_total,
    /// Request bodies that ended or broke in the middle.
    bodies_incomplete_total,
    /// Request bodies over what may be held.
    bodies_too_large_total,
    /// Requests refused because the budget for held bodies was used up or its disk failed.
    budget_refused_total,
    /// Upstreams that could not be reached.
    upstream_connect_failed_total,
    /// Upstreams that did not answer in time.
    upstream_timeouts_total,
    /// Answers of upstreams that broke, ended early or made no sense.
    upstream_broken_total,
    /// Requests sent once more because an idle connection turned out to be closed.
    upstream_retries_total,
    /// Connections made to upstreams.
    upstream_connections_total,
    /// Connections that became tunnels.
    tunnels_total,
    /// Clients that went away before their answer was out.
    clients_gone_total,
    /// Responses whose body could not be looked at whole: too large, or in a coding that we do not read.
    responses_not_inspected_whole_total,
    /// Inspections that failed in us.
    inspection_failures_total,
    /// Ends of exchanges that the journal failed to take.
    journal_failures_total,
}
