//! The durable, redacted record of a decision that matters. Plain data: texts are [`Excerpt`]s, so nothing in it is raw.
//!
//! Its JSON is a superset of Calico's WAF log (`tigera_secure_ee_waf`): `rule_info` is one text in Dikastes' form, for
//! queries such as `"rule_info" IN {"*942100*"}`, and `rules[]` has the same typed. What is not known is left out.
//!
//! Not here: which exchanges make an event (`palisade`, from a report seen through redaction), and where events go
//! (`palisade-events`).

use std::fmt;
use std::net::IpAddr;

use serde::Serializer;

use crate::fields::{FieldKind, Member, Moment, Numbers, field_words, record};
use crate::redact::Excerpt;
use crate::{Attack, Mode};

record! {
    /// One decision that matters.
    pub struct Event {
        /// When it was recorded: at the end of the exchange.
        time: Moment = "@timestamp",
        /// Its own id, which sorts by time.
        id: EventId = "id",
        /// What kind of decision it is.
        kind: EventKind = "kind",
        /// What was done: `pass`, `deny`, or `would_block` where the mode only watches.
        action: EventAction = "action",
        /// The mode in force: `monitoring`, `safe_blocking`, `block` or `off`.
        mode: Option<Mode> = "mode",
        /// The source was on the gray list.
        gray: bool = "gray",
        /// What rules and detector wanted: `pass`, `deny`, `drop`, `redirect`, or `error` when the inspection failed.
        verdict: Option<&'static str> = "verdict",
        /// The node that it was recorded on.
        host: Excerpt = "host",
        /// The data plane that it came from, as a collector knows it.
        dataplane: Excerpt = "dataplane",
        /// The service that was asked.
        service: Excerpt = "service",
        /// The number of its application.
        application: Option<u32> = "application",
        /// The listener that took the request.
        listener: Excerpt = "listener",
        /// Who asked.
        source: Source = "source",
        /// Whom they asked.
        destination: Destination = "destination",
        /// The method as sent.
        method: Excerpt = "method",
        /// Path and query as sent, secrets masked.
        path: Excerpt = "path",
        /// `HTTP/1.1`.
        protocol: Excerpt = "protocol",
        /// The host that was asked for.
        authority: Excerpt = "authority",
        /// The client's program.
        user_agent: Excerpt = "user_agent",
        /// What happened, in a few words. `WAF check FAILED!` where rules or the detector wanted to stop it, as Calico says.
        msg: Excerpt = "msg",
        /// All rules that matched, in one text, each as Dikastes writes it.
        rule_info: Excerpt = "rule_info",
        /// Rules that matched and are logged, in order, at most 64.
        rules: Vec<RuleHit> = "rules",
        /// Findings of the built-in detector that are worth a line, the one that decided last, at most 32.
        findings: Vec<EventFinding> = "findings",
        /// Kinds of attack that findings tell of, and rules by CRS's tags, each once.
        attacks: Vec<&'static str> = "attacks",
        /// Why the verdict is no pass: `rule`, `finding`, `limit`, `framing`, `policy`, `list`, `rate`,
        /// `authentication`, `specification`, `patch`, `incomplete` or `failure`.
        cause: Option<&'static str> = "cause",
        /// The rule that decided.
        rule_id: Option<u64> = "rule_id",
        /// The kind of attack that decided.
        attack: Option<Attack> = "attack",
        /// How the message can be read in more than one way, where that decided.
        framing: Option<&'static str> = "framing",
        /// The phase that decided: 1 and 2 for the request, 3 and 4 for the response.
        phase: Option<u8> = "phase",
        /// Variables of the rules that are scores and not zero: `blocking_inbound_anomaly_score`.
        scores: Numbers = "scores",
        /// What policies said, where they denied or would deny.
        policy: Option<Box<PolicyTrace>> = "policy",
        /// The reason that a list's entry or a limit gives.
        reason: Excerpt = "reason",
        /// Not everything could be looked at as the rules ask.
        incomplete: bool = "incomplete",
        /// What could not be looked at, and why.
        shortfalls: Vec<Excerpt> = "shortfalls",
        /// The status that the client got.
        status: Option<u16> = "status",
        /// Who answered: `upstream` or `palisade`.
        answered_by: Option<&'static str> = "answered_by",
        /// Bytes of the request's body that were read.
        request_bytes: Option<u64> = "request_bytes",
        /// Bytes of it that were inspected.
        request_bytes_inspected: Option<u64> = "request_bytes_inspected",
        /// Bytes of the answer's body.
        response_bytes: Option<u64> = "response_bytes",
        /// Bytes of the upstream's answer that were inspected by rules.
        response_bytes_inspected: Option<u64> = "response_bytes_inspected",
        /// When its head was whole.
        started: Option<Moment> = "start_time",
        /// How long the exchange took, in microseconds.
        duration_us: Option<u64> = "duration_us",
        /// What we answered as `x-request-id`.
        request_id: Excerpt = "request_id",
        /// What the client sent as `x-request-id`.
        client_request_id: Excerpt = "client_request_id",
        /// The trace that it belongs to, by the W3C's `traceparent`.
        trace_id: Excerpt = "trace_id",
        /// TLS of the connection.
        tls: Option<Box<EventTls>> = "tls",
        /// What was lost, in an event that tells of losses.
        dropped: Option<Dropped> = "dropped",
    }
}

field_words! {
    /// What kind of decision an event tells of. More kinds will come.
    pub enum EventKind {
        /// Rules or the built-in detector: a block, what would be one, or a finding.
        Waf = "waf",
        /// Policy denied the request, or staged policies would decide otherwise.
        Policy = "policy",
        /// The message can be read in more than one way and was refused.
        Framing = "framing",
        /// A list decided.
        List = "list",
        /// A rate limit decided.
        Rate = "rate",
        /// It is not known who the request is from, or what it says of that is not true.
        Authentication = "authentication",
        /// Not everything could be inspected, or the inspection failed.
        Incomplete = "incomplete",
        /// Events were lost, because somebody did not keep up.
        Dropped = "dropped",
    }
}

field_words! {
    /// What was done with the request.
    pub enum EventAction {
        /// It went on.
        Pass = "pass",
        /// It was stopped.
        Deny = "deny",
        /// It went on, and would have been stopped in a mode that blocks.
        WouldBlock = "would_block",
    }
}

record! {
    /// Who asked.
    pub struct Source {
        /// Who the trusted hops say the client is; the connection's other end where nobody is trusted.
        ip: Option<IpAddr> = "ip",
        /// Its port; 0 where a hop did not tell it.
        port_num: Option<u16> = "port_num",
        /// The workload as Calico writes it, `-` when it is not known.
        hostname: Excerpt = "hostname",
        /// The socket's other end, where it is not the client.
        peer_ip: Option<IpAddr> = "peer_ip",
        /// The namespace of the workload at the peer's address.
        namespace: Excerpt = "namespace",
        /// Its name.
        name: Excerpt = "name",
        /// The service account that it runs as.
        service_account: Excerpt = "service_account",
        /// Who its certificate says it is, where that is believed.
        spiffe_id: Excerpt = "spiffe_id",
        /// The country of its address, where that is known.
        country: Excerpt = "country",
    }
}

record! {
    /// Whom they asked.
    pub struct Destination {
        /// Where the request arrived.
        ip: Option<IpAddr> = "ip",
        /// Its port.
        port_num: Option<u16> = "port_num",
        /// The service as Calico writes it, `service.namespace`; the service alone where no namespace is known.
        hostname: Excerpt = "hostname",
        /// The upstream's address, once there was a connection to it.
        upstream: Excerpt = "upstream",
        /// The namespace of the protected workload.
        namespace: Excerpt = "namespace",
        /// Its name.
        name: Excerpt = "name",
        /// The service account that it runs as.
        service_account: Excerpt = "service_account",
    }
}

record! {
    /// A rule that matched.
    pub struct RuleHit {
        /// Its id, a text as in Calico's log.
        id: Excerpt = "id",
        /// `msg`.
        message: Excerpt = "message",
        /// `severity`, a text as in Calico's log: `2`.
        severity: Excerpt = "severity",
        /// Its file.
        file: Excerpt = "file",
        /// Its line in it, a text as in Calico's log.
        line: Excerpt = "line",
        /// It stopped the exchange.
        disruptive: bool = "disruptive",
        /// The phase.
        phase: Option<u8> = "phase",
        /// What it matched: `ARGS:q`.
        target: Excerpt = "target",
        /// `logdata`.
        data: Excerpt = "data",
        /// `tag`s in order.
        tags: Vec<Excerpt> = "tags",
    }
}

record! {
    /// A finding of the built-in detector.
    pub struct EventFinding {
        /// The kind of attack.
        attack: Option<Attack> = "attack",
        /// Which detector saw it.
        detector: &'static str = "detector",
        /// How sure it is, in percent.
        confidence: u8 = "confidence",
        /// Where, as exceptions name it: `query:q`.
        point: Excerpt = "point",
        /// What was undone to see it, outermost first: `base64, json:/cmd`.
        decode_path: Excerpt = "decode_path",
        /// What was seen there.
        excerpt: Excerpt = "excerpt",
        /// How it reads.
        why: Excerpt = "why",
        /// The phase: 2 for a request, 4 for a response.
        phase: u8 = "phase",
        /// It decided.
        disruptive: bool = "disruptive",
    }
}

record! {
    /// What policies said.
    pub struct PolicyTrace {
        /// What is in force says: `allow` or `deny`.
        verdict: &'static str = "verdict",
        /// Why, in words.
        reason: Excerpt = "reason",
        /// What would be if staged policies were in force, where that is something else.
        pending_verdict: Option<&'static str> = "pending_verdict",
        /// Why, in words.
        pending_reason: Excerpt = "pending_reason",
        /// Stops on the way of the decision in force, the last one decided.
        enforced: Vec<PolicyHit> = "enforced",
        /// The same, if staged policies were in force.
        pending: Vec<PolicyHit> = "pending",
        /// The rule that came nearest to allowing what was denied, and what did not fit.
        nearest: Excerpt = "nearest",
    }
}

record! {
    /// A stop on a policy decision's way, in the shape of Calico's flow log.
    pub struct PolicyHit {
        /// The policy's kind.
        kind: &'static str = "kind",
        /// Its namespace.
        namespace: Excerpt = "namespace",
        /// Its name.
        name: Excerpt = "name",
        /// Its tier.
        tier: Excerpt = "tier",
        /// What it did: `Allow`, `Deny`, `Pass` or `Log`.
        action: &'static str = "action",
        /// Which stop this is, from 0.
        policy_index: u32 = "policy_index",
        /// Which of its rules, from 0; left out at a tier's end.
        rule_index: Option<u32> = "rule_index",
    }
}

record! {
    /// TLS of a connection.
    pub struct EventTls {
        /// `TLSv1.3`.
        version: &'static str = "version",
        /// The cipher suite, as the IANA names it.
        cipher: &'static str = "cipher",
        /// The name that the client asked for.
        sni: Excerpt = "sni",
    }
}

record! {
    /// What was lost.
    pub struct Dropped {
        /// Who did not keep up: `queue`, or the store or sink.
        at: Excerpt = "at",
        /// Events that were lost.
        events: u64 = "events",
        /// Records of traffic that were lost.
        traffic: u64 = "traffic",
    }
}

/// The id of an event: 32 hexadecimal digits. The first twelve are the milliseconds of its time, so that ids sort by time
/// and tell where to look for their event; the next eight are drawn by the process, the last twelve count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u128);

impl EventId {
    /// An id.
    pub fn new(unix_millis: u64, process: u32, number: u64) -> Self {
        let millis = u128::from(unix_millis.min((1 << 48) - 1));
        Self(millis << 80 | u128::from(process) << 48 | u128::from(number & ((1 << 48) - 1)))
    }

    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }

    /// The milliseconds since 1970 that are in it.
    pub fn unix_millis(self) -> u64 {
        (self.0 >> 80) as u64
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Member for EventId {
    const KIND: FieldKind = FieldKind::Text;

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
