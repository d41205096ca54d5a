//! From an ended exchange to its event: what redaction lets through of the report, and who asked whom.

use palisade_dataplane::{AnsweredBy, ClosedConnection, Facts};
use palisade_events::{SeenRequest, dikastes};
use palisade_inspect::{Redacted, Report};
use palisade_model::{
    AuditMessage, Destination, Event, EventAction, EventKind, EventTls, Excerpt, Moment, Redactor, Source,
    Verdict,
};

use crate::events::Events;

use super::{TARGET_BYTES_MAX, TEXT_BYTES_MAX};

/// Bytes of `rule_info`.
const RULE_INFO_BYTES_MAX: usize = 16 * 1024;

/// Records what has ended: its event, where something in it matters, and one more request of its kind.
pub(crate) fn record(
    events: &Events,
    facts: &Facts,
    report: Option<&Report>,
    redacted: Option<&Redacted<'_>>,
    messages: &[AuditMessage],
) {
    if let Some(event) = event_of(facts, redacted, messages, &events.host) {
        events.bus.send(event);
    }
    let Some(traffic) = &events.traffic else { return };
    let would_block = report.is_some_and(|report| *report.verdict() != Verdict::Pass);
    let seen = SeenRequest {
        redactor: &facts.service.profile.redactor,
        listener: &facts.listener,
        service: &facts.service.name,
        application: facts.service.application,
        source: facts.source.as_deref(),
        certified: facts.identity.as_ref().is_some_and(|identity| identity.spiffe_id().is_some()),
        peer: facts.peer_addr.ip(),
        destination: facts.destination.as_deref(),
        port: facts.server_addr.port(),
        method: &facts.method,
        target: &facts.target,
        version: &facts.version,
        status: facts.sent.map(|sent| sent.status),
        user_agent: facts.user_agent.as_deref(),
        tls: facts.tls.as_ref().map(|tls| (tls.version, tls.cipher, tls.sni.as_deref())),
        bytes_in: facts.request_body_bytes,
        bytes_out: facts.response_body_bytes,
        duration: facts.timing.total,
        action: match () {
            () if facts.stopped => EventAction::Deny,
            () if would_block => EventAction::WouldBlock,
            () => EventAction::Pass,
        },
    };
    traffic.add(&seen, &|visit| report.into_iter().for_each(|report| report.each_parameter(visit)));
}

/// Records a connection that policies closed.
pub(crate) fn closed(events: &Events, closed: &ClosedConnection) {
    let redactor = Redactor::new();
    let (client, peer) = (closed.client_addr, closed.peer_addr.ip());
    let spiffe_id = closed.identity.as_ref().and_then(|identity| identity.spiffe_id());
    events.bus.send(Event {
        host: events.host.clone(),
        listener: redactor.words(&closed.listener),
        source: Source {
            ip: Some(client.ip()),
            port_num: Some(client.port()),
            hostname: redactor.words("-"),
            peer_ip: Some(peer).filter(|peer| *peer != client.ip()),
            spiffe_id: spiffe_id
                .map(|id| redactor.text(id.to_string().as_bytes(), TEXT_BYTES_MAX))
                .unwrap_or_default(),
            ..Source::default()
        },
        destination: Destination {
            ip: Some(closed.server_addr.ip()),
            port_num: Some(closed.server_addr.port()),
            ..Destination::default()
        },
        ..closed.judged.event(&redactor)
    });
}

/// The event of an exchange; `None` where nothing in it matters. `redacted` is the report, `None` where the inspection
/// failed; `messages` are those of it.
fn event_of(
    facts: &Facts,
    redacted: Option<&Redacted<'_>>,
    messages: &[AuditMessage],
    host: &Excerpt,
) -> Option<Event> {
    let redactor = &facts.service.profile.redactor;
    let judged = match redacted {
        Some(redacted) => redacted.event(messages, facts.stopped)?,
        None => failed(redactor),
    };
    let text = |text: &Vec<u8>| redactor.text(text, TEXT_BYTES_MAX);
    let optional = |field: &Option<Vec<u8>>| field.as_ref().map(text).unwrap_or_default();
    let rule_info = dikastes::rule_info(facts.server_addr.ip(), messages, RULE_INFO_BYTES_MAX);
    Some(Event {
        mode: Some(facts.stance.mode),
        gray: facts.stance.gray,
        host: host.clone(),
        service: redactor.words(&facts.service.name),
        listener: redactor.words(&facts.listener),
        source: source(facts, redactor),
        destination: destination(facts, redactor),
        method: text(&facts.method),
        path: redactor.target(&facts.target, TARGET_BYTES_MAX),
        protocol: text(&facts.version),
        authority: optional(&facts.host),
        user_agent: optional(&facts.user_agent),
        rule_info: redactor.words(&rule_info),
        status: facts.sent.map(|sent| sent.status),
        answered_by: facts.sent.map(|sent| match sent.by {
            AnsweredBy::Upstream => "upstream",
            AnsweredBy::Palisade => "palisade",
        }),
        request_bytes: Some(facts.request_body_bytes),
        response_bytes: Some(facts.response_body_bytes),
        started: Some(Moment(facts.started.0)),
        duration_us: Some(u64::try_from(facts.timing.total.as_micros()).unwrap_or(u64::MAX)),
        request_id: redactor.words(&facts.request_id),
        client_request_id: optional(&facts.client_request_id),
        trace_id: match &facts.trace {
            Some(trace) => {
                redactor.words(&trace.id.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            None => {
                let id = facts.traceparent.as_deref().and_then(trace_id);
                id.map(|id| redactor.words(id)).unwrap_or_default()
            }
        },
        tls: facts.tls.as_ref().map(|tls| {
            Box::new(EventTls {
                version: tls.version,
                cipher: tls.cipher,
                sni: tls
                    .sni
                    .as_ref()
                    .map(|sni| redactor.text(sni.as_bytes(), TEXT_BYTES_MAX))
                    .unwrap_or_default(),
            })
        }),
        ..judged
    })
}

/// The inspection failed in us, and the request did not pass.
fn failed(redactor: &Redactor) -> Event {
    Event {
        kind: EventKind::Incomplete,
        action: EventAction::Deny,
        verdict: Some("error"),
        cause: Some("failure"),
        incomplete: true,
        msg: redactor.words("The inspection failed"),
        ..Event::default()
    }
}

fn source(facts: &Facts, redactor: &Redactor) -> Source {
    let (client, peer) = (facts.client_addr, facts.peer_addr.ip());
    let workload = Workload::of(facts.source.as_deref(), redactor);
    Source {
        ip: Some(client.ip()),
        port_num: Some(client.port()),
        hostname: redactor.words(match facts.source.as_deref() {
            Some(palisade_model::Workload { name: Some(name), .. }) => name,
            _ => "-",
        }),
        peer_ip: Some(peer).filter(|peer| *peer != client.ip()),
        namespace: workload.namespace,
        name: workload.name,
        service_account: workload.service_account,
        spiffe_id: facts
            .identity
            .as_ref()
            .and_then(|identity| identity.spiffe_id())
            .map(|id| redactor.text(id.to_string().as_bytes(), TEXT_BYTES_MAX))
            .unwrap_or_default(),
        ..Source::default()
    }
}

fn destination(facts: &Facts, redactor: &Redactor) -> Destination {
    let service = &facts.service.name;
    let workload = Workload::of(facts.destination.as_deref(), redactor);
    Destination {
        ip: Some(facts.server_addr.ip()),
        port_num: Some(facts.server_addr.port()),
        hostname: match &facts.destination {
            Some(destination) => redactor.words(&format!("{service}.{}", destination.namespace)),
            None => redactor.words(service),
        },
        upstream: facts
            .upstream_addr
            .map(|upstream| redactor.words(&upstream.to_string()))
            .unwrap_or_default(),
        namespace: workload.namespace,
        name: workload.name,
        service_account: workload.service_account,
    }
}

/// What is told of a workload; nothing of one that is not known.
#[derive(Default)]
struct Workload {
    namespace: Excerpt,
    name: Excerpt,
    service_account: Excerpt,
}

impl Workload {
    fn of(workload: Option<&palisade_model::Workload>, redactor: &Redactor) -> Self {
        let Some(workload) = workload else { return Self::default() };
        // Names come from certificates as well.
        let text = |text: &str| redactor.text(text.as_bytes(), TEXT_BYTES_MAX);
        Self {
            namespace: text(&workload.namespace),
            name: workload.name.as_deref().map(text).unwrap_or_default(),
            service_account: workload.service_account.as_deref().map(text).unwrap_or_default(),
        }
    }
}

/// The trace's id in a `traceparent` of the W3C: 32 hexadecimal digits that are not all zero.
fn trace_id(traceparent: &[u8]) -> Option<&str> {
    let mut parts = std::str::from_utf8(traceparent).ok()?.split('-');
    let (version, id) = (parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let valid = version.len() == 2
        && hex(version)
        && id.len() == 32
        && hex(id)
        && id.bytes().any(|byte| byte != b'0');
    valid.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn only_what_is_a_trace_is_one() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(format!("00-{id}-00f067aa0ba902b7-01").as_bytes()), Some(id));
        for not in [
            "",
            "00",
            "00-00000000000000000000000000000000-1-1",
            "zz-4bf92f3577b34da6a3ce929d0e0e4736-1-1",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-1-1",
        ] {
            assert_eq!(trace_id(not.as_bytes()), None, "{not}");
        }
        assert_eq!(trace_id(b"00-\xff"), None);
    }
}
