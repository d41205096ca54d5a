//! Traces of this process: what is told of a request, and to whom.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use palisade_config::Config;
use palisade_console::Exposition;
use palisade_dataplane::{AnsweredBy, Facts, Sampling, Trace};
use palisade_events::recording::Outcome;
use palisade_events::sinks::{AttributeValue, Attributes, RequestTrace, Tracer, UpstreamSpan};
use palisade_inspect::Report;
use palisade_model::Redactor;

use crate::decision::decided;
use crate::outlets::{otlp_of, our_say, secrets_of};

/// How long the end of the program waits for what is on its way.
const END_PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of a target, and of another text, that a span tells.
const TARGET_BYTES_MAX: usize = 2048;
const TEXT_BYTES_MAX: usize = 512;
/// Methods that a span names; others are `_OTHER`, so that no client makes names.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];

/// Who takes traces.
#[derive(Debug)]
pub(crate) struct Traces {
    tracer: Tracer,
    sampling: Sampling,
}

impl Traces {
    /// Starts what the settings ask for.
    ///
    /// # Errors
    /// When the file of authorities cannot be used.
    pub(crate) fn start(config: &Config) -> Result<Option<Arc<Self>>> {
        let settings = &config.tracing;
        let Some(otlp) = &settings.otlp else { return Ok(None) };
        let tracer = Tracer::start(&otlp_of(otlp), &secrets_of(config), our_say());
        let tracer = tracer.map_err(|error| anyhow!("tracing: {error}"))?;
        let sampling = Sampling { one_in: settings.one_in.get(), follows_parents: settings.parents };
        Ok(Some(Arc::new(Self { tracer, sampling })))
    }

    pub(crate) fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Tells a request that has ended, where it is traced.
    pub(crate) fn record(&self, facts: &Facts, report: Option<&Report>) {
        if let Some(trace) = facts.trace.filter(|trace| trace.is_sampled) {
            self.tracer.send(told(facts, &trace, report));
        }
    }

    /// Ends it, with what waits delivered, but not for ever.
    pub(crate) fn end(&self) {
        if !self.tracer.end_within(END_PATIENCE) {
            say!("palisade: traces were lost at the end: the collector did not take them in time");
        }
    }

    pub(crate) fn metrics(&self, into: &mut Exposition) {
        let counts = self.tracer.counts();
        let name = "palisade_traced_requests_total";
        let help = "Requests whose spans were sent to a collector, by what became of them.";
        for (outcome, count) in
            [("delivered", counts.delivered), ("dropped", counts.dropped), ("failed", counts.failed)]
        {
            into.counter(name, help, &[("outcome", outcome)], count);
        }
    }
}

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::Text(text.into())
}

fn told(facts: &Facts, trace: &Trace, report: Option<&Report>) -> RequestTrace {
    let status = facts.sent.map(|sent| sent.status);
    let method = METHODS.iter().find(|known| known.as_bytes() == facts.method).copied();
    RequestTrace {
        trace: trace.id,
        parent: trace.parent,
        span: trace.span,
        // A path would make as many names as clients like.
        name: method.unwrap_or("HTTP").to_owned(),
        started_unix_millis: facts.started.0,
        took: facts.timing.total,
        attributes: of_request(facts, method.unwrap_or("_OTHER"), status),
        failed: status.is_none_or(|status| status >= 500),
        inspection: (facts.timing.engine, of_inspection(facts, report)),
        upstream: facts.timing.upstream.map(|took| {
            let answered = facts.sent.filter(|sent| sent.by == AnsweredBy::Upstream).map(|sent| sent.status);
            let mut attributes = vec![("http.request.method", text(method.unwrap_or("_OTHER")))];
            if let Some(address) = facts.upstream_addr {
                attributes.push(("server.address", text(address.ip().to_string())));
                attributes.push(("server.port", AttributeValue::Number(address.port().into())));
            }
            status_of(answered, 400, &mut attributes);
            let failed = answered.is_none_or(|status| status >= 400);
            let after = facts.timing.upstream_after.unwrap_or_default();
            UpstreamSpan { span: trace.upstream_span, after, took, attributes, failed }
        }),
    }
}

/// What OpenTelemetry's semantic conventions say of a server's span.
fn of_request(facts: &Facts, method: &'static str, status: Option<u16>) -> Attributes {
    let redactor: &Redactor = &facts.service.profile.redactor;
    let masked = |bytes: &[u8]| text(redactor.text(bytes, TEXT_BYTES_MAX).as_str());
    let number = |number: u64| AttributeValue::Number(number);
    let target = redactor.target(&facts.target, TARGET_BYTES_MAX);
    let (path, query) = match target.as_str().split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target.as_str(), None),
    };
    let mut attributes = vec![
        ("http.request.method", text(method)),
        ("url.scheme", text(if facts.tls.is_some() { "https" } else { "http" })),
        ("url.path", text(path)),
        ("client.address", text(facts.client_addr.ip().to_string())),
        ("network.peer.address", text(facts.peer_addr.ip().to_string())),
        ("network.peer.port", number(facts.peer_addr.port().into())),
        ("http.request.body.size", number(facts.request_body_bytes)),
        ("http.response.body.size", number(facts.response_body_bytes)),
        ("palisade.service", text(facts.service.name.clone())),
        ("palisade.listener", text(&*facts.listener)),
        ("palisade.request_id", text(facts.request_id.clone())),
    ];
    if method == "_OTHER" {
        attributes.push(("http.request.method_original", masked(&facts.method)));
    }
    attributes.extend(query.map(|query| ("url.query", text(query))));
    if let Some(version) = facts.version.strip_prefix(b"HTTP/") {
        let version = version.strip_suffix(b".0").filter(|rest| *rest == b"2").unwrap_or(version);
        attributes.push(("network.protocol.version", masked(version)));
    }
    attributes.extend(facts.host.as_ref().map(|host| ("server.address", masked(host))));
    attributes.extend(facts.user_agent.as_ref().map(|agent| ("user_agent.original", masked(agent))));
    status_of(status, 500, &mut attributes);
    attributes
}

/// The status, and the kind of error that it is from one on.
fn status_of(status: Option<u16>, error_from: u16, attributes: &mut Attributes) {
    match status {
        Some(status) => {
            attributes.push(("http.response.status_code", AttributeValue::Number(status.into())));
            if status >= error_from {
                attributes.push(("error.type", text(status.to_string())));
            }
        }
        None => attributes.push(("error.type", text("_OTHER"))),
    }
}

/// What came of the inspection.
fn of_inspection(facts: &Facts, report: Option<&Report>) -> Attributes {
    let decided = decided(report, facts.stopped, facts.stance);
    let outcome = match decided.outcome {
        Outcome::Blocked => "deny",
        Outcome::WouldBlock => "would_block",
        Outcome::Pass => "pass",
    };
    let mut attributes = vec![("palisade.action", text(outcome)), ("palisade.mode", text(decided.mode))];
    if !decided.cause.is_empty() {
        attributes.push(("palisade.cause", text(decided.cause)));
    }
    let rules: Vec<String> = decided.rules.iter().map(u64::to_string).collect();
    for (key, texts) in [("palisade.rules", rules), ("palisade.findings", decided.findings)] {
        if !texts.is_empty() {
            attributes.push((key, AttributeValue::Texts(texts)));
        }
    }
    attributes
}
