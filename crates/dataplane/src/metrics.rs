//! What is counted: plain atomics, written while serving and read by whoever shows them.
//!
//! One way to read all of it, [`Metrics::visit`]; names are those of Prometheus, with the unit last and `_total` on what
//! only grows. No exchange looks anything up to be counted: a connection keeps a handle to the counters of its listener
//! and service. Labels take their values from configuration and from fixed sets, never from clients.

mod block_class;
mod histogram;
mod http2;
mod requests;
mod tls;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use palisade_inspect::{Attack, Report};
use palisade_model::{Listing, Verdict};

pub use self::block_class::BlockClass;
pub use self::histogram::HistogramValue;
use self::histogram::Seconds;
pub(crate) use self::http2::{Http2Abuse, Http2Counts};
pub(crate) use self::requests::RequestCounts;
use self::requests::RequestFamilies;
pub(crate) use self::tls::HandshakeOutcome;
use self::tls::TlsMetrics;
use crate::journal::{AnsweredBy, Facts};

/// One value of one metric.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The metric's name.
    pub name: &'a str,
    /// What it counts, one line.
    pub help: &'a str,
    /// Which of the metric's values this is; empty where there is one only.
    pub labels: &'a [(&'a str, &'a str)],
    /// The value, which also says the metric's kind.
    pub value: Value<'a>,
}

/// The value of a metric.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(u64),
    /// How a quantity is distributed.
    Histogram(HistogramValue<'a>),
}

/// Takes samples.
pub(crate) type Take<'a> = &'a mut dyn FnMut(Sample<'_>);

/// A counter that only grows.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    /// For gauges.
    pub(crate) fn one_less(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
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
        /// Events that need no labels. The comments are their help texts.
        #[derive(Debug, Default)]
        pub(crate) struct Events { $($(#[doc = $doc])+ pub(crate) $name: Count,)+ }

        impl Events {
            fn visit(&self, take: Take<'_>) {
                $(take(Sample {
                    name: concat!("palisade_", stringify!($name)),
                    help: concat!($($doc),+).trim(),
                    labels: &[],
                    value: Value::Counter(self.$name.value()),
                });)+
            }
        }
    };
}

counts! {
    /// Connections accepted.
    connections_total,
    /// Connections refused because there were too many.
    connections_refused_total,
    /// Connections closed when they came because policies allow nothing that could be asked on them.
    policy_connections_closed_total,
    /// Connections that could not be accepted, as a rule for want of file descriptors.
    accept_failures_total,
    /// Connections of trusted peers that did not begin with a header of the PROXY protocol.
    proxy_headers_refused_total,
    /// Connections closed because no request came on them in time.
    idle_timeouts_total,
    /// Health checks answered here, uninspected.
    health_checks_total,
    /// Requests answered with 404 here because no route takes their host and path.
    no_route_total,
    /// Requests refused because of the client's certificate, or for want of one.
    certificates_refused_total,
    /// Requests refused because they can be read in more than one way.
    framing_refused_total,
    /// Heads of requests that did not come in time.
    head_timeouts_total,
    /// Heads of requests that ended in the middle.
    heads_incomplete_total,
    /// Bodies of requests that did not come in time.
    body_timeouts_total,
    /// Bodies of requests that ended or broke in the middle.
    bodies_incomplete_total,
    /// Bodies of requests over what may be held.
    bodies_too_large_total,
    /// Requests refused because the budget for held bodies was used up or its disk failed.
    budget_refused_total,
    /// Upstreams that could not be reached.
    upstream_connect_failed_total,
    /// Endpoints of upstreams that could not be connected to and were passed over for a while.
    upstream_ejections_total,
    /// Upstreams that did not answer in time.
    upstream_timeouts_total,
    /// Answers of upstreams that broke, ended early or made no sense.
    upstream_broken_total,
    /// Requests sent once more because an idle connection turned out to be closed.
    upstream_retries_total,
    /// Connections to upstreams that were made but for their TLS handshake; each is a connection that could not be made.
    upstream_tls_failed_total,
    /// Connections made to upstreams.
    upstream_connections_total,
    /// Connections that became tunnels.
    tunnels_total,
    /// Connections on which clients spoke HTTP/2.
    http2_connections_total,
    /// Connections that were to be HTTP/2 and did not begin as such in time.
    http2_handshake_failures_total,
    /// Streams of HTTP/2 that clients opened and that were no protocol errors.
    http2_streams_total,
    /// Clients that went away before their answer was out.
    clients_gone_total,
    /// Responses whose body could not be looked at whole: too large, or in a coding that is not read.
    responses_not_inspected_whole_total,
    /// Requests whose bodies were shown to us only in part.
    requests_not_inspected_whole_total,
    /// Inspections that failed in us; their requests did not pass.
    inspection_failures_total,
    /// Inspections that took longer than an Envoy's question may; their requests did not pass.
    inspections_late_total,
    /// Questions of an Envoy that did not pass because what decides was not in force yet.
    not_ready_total,
    /// Connections on which somebody wanted to ask as an Envoy, and whom we do not let.
    askers_refused_total,
    /// Ends of exchanges that the journal failed to take.
    journal_failures_total,
}

/// Findings by the kind of attack.
#[derive(Debug)]
struct FindingCounts([Count; Attack::ALL.len()]);

impl Default for FindingCounts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Count::default()))
    }
}

/// All that the data plane counts, since the start of the process.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(crate) events: Events,
    pub(crate) connections_open: Count,
    pub(crate) tls: TlsMetrics,
    pub(crate) http2: Http2Counts,
    requests: RequestFamilies,
    blocked: [Count; BlockClass::ALL.len()],
    would_block: [Count; BlockClass::ALL.len()],
    findings: FindingCounts,
    pub(crate) list_hits: [Count; 3],
    duration_proxy: Seconds,
    duration_engine: Seconds,
    duration_upstream: Seconds,
    request_body: BodyBytes,
    response_body: BodyBytes,
}

#[derive(Debug, Default)]
struct BodyBytes {
    inspected: Count,
    not_inspected: Count,
}

/// What an exchange adds to the counters, beside its facts and its report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// It was answered by us because a check said so.
    pub(crate) blocked: bool,
    /// Bytes of the request's body that were shown to rules.
    pub(crate) request_inspected_bytes: u64,
    /// Bytes of the response's body that were shown to rules, before content coding was undone.
    pub(crate) response_inspected_bytes: u64,
}

impl Metrics {
    /// The counters of requests of one listener to one service.
    pub(crate) fn requests_of(&self, listener: &str, service: &str) -> std::sync::Arc<RequestCounts> {
        self.requests.of(listener, service)
    }

    /// Counts the end of an exchange.
    pub(crate) fn ended(&self, facts: &Facts, report: Option<&Report>, tally: Tally) {
        let timing = facts.timing;
        let rules_ran = report.is_some_and(|report| report.transaction().is_some());
        if rules_ran {
            self.duration_engine.record(timing.engine);
        }
        if let Some(upstream) = timing.upstream {
            self.duration_upstream.record(upstream);
        }
        let elsewhere = timing.engine + timing.upstream.unwrap_or_default();
        self.duration_proxy.record(timing.total.saturating_sub(elsewhere));

        self.request_body.add(facts.request_body_bytes, tally.request_inspected_bytes);
        // A page of ours is no body that anybody would inspect; what was held back for it was.
        let relayed = facts.sent.is_some_and(|sent| sent.by == AnsweredBy::Upstream);
        let response_bytes = if relayed { facts.response_body_bytes } else { tally.response_inspected_bytes };
        self.response_body.add(response_bytes, tally.response_inspected_bytes);

        if let Some(report) = report.filter(|report| tally.blocked || *report.verdict() != Verdict::Pass) {
            let counts = if tally.blocked { &self.blocked } else { &self.would_block };
            counts[BlockClass::of(report) as usize].one();
        }
        for finding in report.into_iter().flat_map(Report::notable_findings) {
            self.findings.0[finding.attack as usize].one();
        }
    }

    /// Shows every metric. Samples of one name follow each other.
    pub fn visit(&self, take: &mut dyn FnMut(Sample<'_>)) {
        self.requests.visit(take);
        for (name, help, counts) in [
            (
                "palisade_requests_blocked_total",
                "Requests that were answered here or cut because a check said so, by what the deciding rule is about.",
                &self.blocked,
            ),
            (
                "palisade_requests_would_block_total",
                "Requests that went on only because of the mode, by what the deciding rule is about.",
                &self.would_block,
            ),
        ] {
            for (class, count) in BlockClass::ALL.into_iter().zip(counts) {
                let labels = [("class", class.name())];
                take(Sample { name, help, labels: &labels, value: Value::Counter(count.value()) });
            }
        }
        for (attack, count) in Attack::ALL.iter().zip(&self.findings.0) {
            take(Sample {
                name: "palisade_findings_total",
                help: "Findings of the built-in detector that are worth a line of the error log, by the kind of attack.",
                labels: &[("attack", attack.name())],
                value: Value::Counter(count.value()),
            });
        }
        for (list, count) in Listing::ALL.into_iter().zip(&self.list_hits) {
            take(Sample {
                name: "palisade_list_hits_total",
                help: "Requests whose source was on a list, by the list that counted.",
                labels: &[("list", list.as_str())],
                value: Value::Counter(count.value()),
            });
        }
        for (part, seconds) in [
            ("proxy", &self.duration_proxy),
            ("engine", &self.duration_engine),
            ("upstream", &self.duration_upstream),
        ] {
            seconds.visit(
                "palisade_request_duration_seconds",
                "Where the time of requests went: engine is inside the rules, upstream is waiting for the service, \
                 proxy is the rest, slow clients included.",
                &[("part", part)],
                take,
            );
        }
        for (direction, bytes) in [("request", &self.request_body), ("response", &self.response_body)] {
            for (inspected, count) in [("true", &bytes.inspected), ("false", &bytes.not_inspected)] {
                take(Sample {
                    name: "palisade_body_bytes_total",
                    help: "Bytes of bodies, transfer coding undone, by whether rules were shown them.",
                    labels: &[("direction", direction), ("inspected", inspected)],
                    value: Value::Counter(count.value()),
                });
            }
        }
        take(Sample {
            name: "palisade_connections_open",
            help: "Connections of clients that are open.",
            labels: &[],
            value: Value::Gauge(self.connections_open.value()),
        });
        self.tls.visit(take);
        self.http2.visit(take);
        self.events.visit(take);
    }
}

impl BodyBytes {
    fn add(&self, all: u64, inspected: u64) {
        // Most exchanges have no body, and an addition of nothing still takes the cache line from other workers.
        if inspected > 0 {
            self.inspected.add(inspected);
        }
        if all > inspected {
            self.not_inspected.add(all - inspected);
        }
    }
}
