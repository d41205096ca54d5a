//! Logs for a collector of OpenTelemetry, by OTLP over HTTP in JSON: `POST URL/v1/logs`.

use serde_json::{Value, json};

use super::client::{Answer, Client, HttpSetting};
use super::document::{Document, Kind};
use super::secret::Secrets;
use super::webhook::{post, whole};
use super::worker::{Delivered, Transport};

/// Where to.
#[derive(Clone, Debug, PartialEq)]
pub struct OtlpSetting {
    /// The collector, without `/v1/logs`.
    pub http: HttpSetting,
    /// The name of this node.
    pub host: String,
}

#[derive(Debug)]
pub(super) struct Otlp {
    client: Client,
    host: String,
}

impl Otlp {
    pub(super) fn new(setting: &OtlpSetting, secrets: &Secrets) -> Result<Self, String> {
        Ok(Self { client: Client::new(&setting.http, secrets)?, host: setting.host.clone() })
    }
}

impl Transport for Otlp {
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        let records: Vec<Value> = documents.iter().map(record).collect();
        let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let resource = [attribute("service.name", "palisade"), attribute("host.name", &self.host)];
        let scope = json!({"name": "palisade", "version": env!("CARGO_PKG_VERSION")});
        let body = json!({"resourceLogs": [{
            "resource": {"attributes": resource},
            "scopeLogs": [{"scope": scope, "logRecords": records}],
        }]});
        let headers = [("content-type", "application/json")];
        let answer = post(&self.client, "/v1/logs", &headers, body.to_string().into_bytes(), true);
        let rejected = partial_rejection(&answer, "rejectedLogRecords").min(documents.len() as u64);
        let delivered = whole(documents.len(), answer);
        if rejected == 0 {
            return delivered;
        }
        // Which ones is not told, and they are not to be sent again.
        let problem = Some(format!("the collector rejected {rejected} records"));
        Delivered { refused: rejected, problem, ..delivered }
    }
}

/// How many of what was sent the collector says that it rejected.
pub(super) fn partial_rejection(answer: &Result<Answer, String>, key: &str) -> u64 {
    let answer = answer.as_ref().ok().filter(|answer| answer.status == 200);
    let body =
        answer.and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok()).unwrap_or_default();
    let rejected = &body["partialSuccess"][key];
    // 64-bit numbers are texts in protobuf's JSON.
    rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0)
}

fn record(document: &Document) -> Value {
    let fields: Value = serde_json::from_str(&document.json).unwrap_or_default();
    let text = |key: &str| fields[key].as_str();
    // Numbers of OpenTelemetry: 9 is INFO, 13 WARN, 17 ERROR.
    let (number, word) = match document.kind {
        Kind::Alerts => (17, "ERROR"),
        Kind::Waf if text("action") == Some("deny") => (13, "WARN"),
        Kind::Waf | Kind::L7 => (9, "INFO"),
    };
    let mut attributes = vec![json!({"key": "event.name", "value": {"stringValue": document.kind.as_str()}})];
    for (key, value) in [
        ("http.request.method", text("method")),
        ("palisade.action", text("action")),
        ("palisade.service", text("service")),
        ("palisade.request_id", text("request_id")),
        ("client.address", fields["source"]["ip"].as_str()),
    ] {
        if let Some(value) = value {
            attributes.push(json!({"key": key, "value": {"stringValue": value}}));
        }
    }
    let mut record = json!({
        // 64-bit numbers are texts in protobuf's JSON.
        "timeUnixNano": (u128::from(document.time_ms) * 1_000_000).to_string(),
        "severityNumber": number,
        "severityText": word,
        "body": {"stringValue": &*document.json},
        "attributes": attributes,
    });
    if let Some(trace) = text("trace_id").filter(|trace| trace.len() == 32) {
        record["traceId"] = json!(trace);
    }
    record
}
