//! The access log: one JSON object a line for each exchange.

use std::net::SocketAddr;

use palisade_model::{AuditFinding, Excerpt};
use serde::Serialize;

/// One exchange in the access log. Times are seconds, sizes bytes; what is not known is `null`.
#[derive(Clone, Debug, Serialize)]
pub struct AccessRecord<'a> {
    /// When its head was whole, RFC 3339 in UTC.
    pub time: String,
    /// What we answered as `x-request-id`.
    pub request_id: &'a str,
    /// What the client sent as `x-request-id`.
    #[serde(serialize_with = "optional_text")]
    pub client_request_id: Option<Excerpt>,
    /// Who the trusted hops say the client is.
    pub client: SocketAddr,
    /// The socket's other end.
    pub peer: SocketAddr,
    /// Where it arrived.
    pub server: SocketAddr,
    /// `inbound` or `outbound`: the workload's own calls.
    pub direction: &'static str,
    /// The workload that asked.
    pub source: Option<Workload<'a>>,
    /// The workload that was asked.
    pub destination: Option<Workload<'a>>,
    /// TLS of the connection; `null` where it was plain.
    pub tls: Option<Tls>,
    /// The certificate of the client; `null` where none was asked for.
    pub client_certificate: Option<ClientCertificate>,
    /// Who it is from, by what it carries; `null` where that is not known, or nobody asked.
    pub authenticated: Option<Authenticated<'a>>,
    /// The listener's name.
    pub listener: &'a str,
    /// The service's name.
    pub service: &'a str,
    /// The method.
    #[serde(serialize_with = "text")]
    pub method: Excerpt,
    /// The host that was asked for.
    #[serde(serialize_with = "optional_text")]
    pub host: Option<Excerpt>,
    /// Path and query, secrets masked.
    #[serde(serialize_with = "text")]
    pub path: Excerpt,
    /// `HTTP/1.1`.
    #[serde(serialize_with = "text")]
    pub protocol: Excerpt,
    /// The status that the client got; `null` when there was no answer.
    pub status: Option<u16>,
    /// Who answered: `upstream` or `palisade`; `null` when nobody did.
    pub answered_by: Option<&'static str>,
    /// The upstream's address, once there was a connection to it.
    pub upstream: Option<SocketAddr>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body.
    pub response_bytes: u64,
    /// How long it took.
    pub duration: f64,
    /// How much of that was inspection.
    pub duration_engine: f64,
    /// How much of that was waiting for the upstream.
    pub duration_upstream: Option<f64>,
    /// What rules and detector wanted: `pass`, `deny`, `drop`, `redirect`; `error` when the inspection failed.
    pub verdict: &'static str,
    /// The mode in force: whether that happened.
    pub mode: &'static str,
    /// The list that its source was on: `allow`, `deny` or `gray`; `null` where it was on none.
    pub list: Option<&'static str>,
    /// Rules that were logged, in order, at most 64.
    pub rules: Vec<u64>,
    /// Kinds of attack that the detector found, each once, in order: those that are worth a line of the error log.
    pub attacks: Vec<&'static str>,
    /// The finding that decided; `null` when none did.
    #[serde(serialize_with = "optional_finding")]
    pub finding: Option<AuditFinding>,
    /// The client's program.
    #[serde(serialize_with = "optional_text")]
    pub user_agent: Option<Excerpt>,
    /// Where the client came from, secrets masked.
    #[serde(serialize_with = "optional_text")]
    pub referer: Option<Excerpt>,
}

/// TLS of a connection.
#[derive(Clone, Debug, Serialize)]
pub struct Tls {
    /// `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite, as the IANA names it.
    pub cipher: &'static str,
    /// The name that the client asked for.
    #[serde(serialize_with = "optional_text")]
    pub sni: Option<Excerpt>,
}

/// A workload at one end.
#[derive(Clone, Debug, Serialize)]
pub struct Workload<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its own name.
    pub name: Option<&'a str>,
    /// The service account that it runs as.
    pub service_account: Option<&'a str>,
    /// How that is known: `certificate_and_address`, `certificate`, `address` or `configuration`.
    pub known_by: &'static str,
}

impl<'a> From<&'a palisade_model::Workload> for Workload<'a> {
    fn from(workload: &'a palisade_model::Workload) -> Self {
        Self {
            namespace: &workload.namespace,
            name: workload.name.as_deref(),
            service_account: workload.service_account.as_deref(),
            known_by: workload.known_by.as_str(),
        }
    }
}

/// A client that was asked for its certificate.
#[derive(Clone, Debug, Serialize)]
pub struct ClientCertificate {
    /// `NONE`, `SUCCESS` or `FAILED:` and why.
    pub verify: String,
    /// The subject, RFC 2253.
    #[serde(serialize_with = "optional_text")]
    pub subject: Option<Excerpt>,
    /// The SHA-256 of the certificate, hex.
    pub sha256: Option<String>,
    /// Who it is, where the certificate is believed and says so.
    pub spiffe_id: Option<String>,
}

/// Who a request is from.
#[derive(Clone, Debug, Serialize)]
pub struct Authenticated<'a> {
    /// The authenticator that says so.
    pub by: &'a str,
    /// `jwt`, `api_key` or `forward`.
    pub method: &'static str,
    /// Who it is.
    #[serde(serialize_with = "optional_text")]
    pub subject: Option<Excerpt>,
    /// Who issued the token.
    #[serde(serialize_with = "optional_text")]
    pub issuer: Option<Excerpt>,
    /// The key that the token is signed by.
    #[serde(serialize_with = "optional_text")]
    pub key_id: Option<Excerpt>,
}

/// Rules that one line names at most.
pub const RULES_MAX: usize = 64;

/// The line of a record, without its end.
pub fn line(record: &AccessRecord<'_>) -> String {
    serde_json::to_string(record).expect("texts and finite numbers are always JSON")
}

fn text<S: serde::Serializer>(text: &Excerpt, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text.as_str())
}

fn optional_text<S: serde::Serializer>(text: &Option<Excerpt>, serializer: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => serializer.serialize_str(text.as_str()),
        None => serializer.serialize_none(),
    }
}

fn optional_finding<S: serde::Serializer>(
    finding: &Option<AuditFinding>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Finding<'f> {
        attack: &'static str,
        detector: &'static str,
        confidence: u8,
        point: &'f str,
        decoded: &'f str,
    }
    let shown = finding.as_ref().map(|finding| Finding {
        attack: finding.attack.name(),
        detector: finding.detector,
        confidence: finding.confidence,
        point: finding.point.as_str(),
        decoded: finding.decoded.as_str(),
    });
    shown.serialize(serializer)
}
