//! ModSecurity 3's JSON: one object a line.
//!
//! Source: what libmodsecurity 3.0.9 writes: the same keys in the same order, with values of the same types
//! (`http_version` and ports are numbers, all details are texts). Differs: a header given several times is one key
//! with its values joined by `, `, where 3.0.9 writes the key several times; findings of the detector, where there are
//! any, are under a key of ours, `findings`.

use palisade_model::{AuditFinding, AuditMessage, AuditRecord, Calendar, EngineMode, Excerpt};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Producer;

/// One entry: a line with its end.
pub fn json(record: &AuditRecord, producer: &Producer) -> String {
    let (request, response, parts) = (&record.request, &record.response, record.parts);
    let transaction = Transaction {
        client_ip: record.client.ip().to_string(),
        time_stamp: Calendar::new(record.started_unix_millis, record.utc_offset_seconds).asctime(),
        server_id: &producer.server_id,
        client_port: record.client.port(),
        host_ip: record.server.ip().to_string(),
        host_port: record.server.port(),
        unique_id: record.unique_id.as_str(),
        request: Request {
            method: request.method.as_str(),
            http_version: version(request.version.as_str()),
            uri: request.target.as_str(),
            body: request.body.as_ref().filter(|_| parts.has('C')).map(shown),
            headers: parts.has('B').then_some(Headers(&request.headers)),
        },
        response: Response {
            body: response.body.as_ref().filter(|_| parts.has('E')).map(shown),
            http_code: response.status.unwrap_or(0),
            headers: parts.has('F').then_some(Headers(&response.headers)),
        },
        producer: parts.has('H').then(|| ProducerObject {
            modsecurity: format!("Palisade v{} (Linux)", producer.version),
            connector: format!("Palisade v{}", producer.version),
            secrules_engine: match record.engine {
                EngineMode::On => "Enabled",
                EngineMode::DetectionOnly => "DetectionOnly",
                EngineMode::Off => "Disabled",
            },
            components: record.components.iter().map(Excerpt::as_str).collect(),
        }),
        messages: parts.has('H').then(|| record.messages.iter().map(message).collect()),
        findings: record.findings.iter().filter(|_| parts.has('H')).map(finding).collect(),
    };
    let mut out = serde_json::to_string(&Entry { transaction }).expect("texts and numbers are always JSON");
    out.push('\n');
    out
}

#[derive(Serialize)]
struct Entry<'r> {
    transaction: Transaction<'r>,
}

#[derive(Serialize)]
struct Transaction<'r> {
    client_ip: String,
    time_stamp: String,
    server_id: &'r str,
    client_port: u16,
    host_ip: String,
    host_port: u16,
    unique_id: &'r str,
    request: Request<'r>,
    response: Response<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    producer: Option<ProducerObject<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message<'r>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding<'r>>,
}

#[derive(Serialize)]
struct Request<'r> {
    method: &'r str,
    http_version: f64,
    uri: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers<'r>>,
}

#[derive(Serialize)]
struct Response<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    http_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers<'r>>,
}

#[derive(Serialize)]
struct ProducerObject<'r> {
    modsecurity: String,
    connector: String,
    secrules_engine: &'static str,
    components: Vec<&'r str>,
}

#[derive(Serialize)]
struct Message<'r> {
    message: &'r str,
    details: Details<'r>,
}

#[derive(Serialize)]
struct Finding<'r> {
    message: &'static str,
    attack: &'static str,
    detector: &'static str,
    confidence: u8,
    point: &'r str,
    decoded: &'r str,
    data: &'r str,
    why: &'r str,
    denied: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'r> {
    r#match: &'r str,
    reference: &'static str,
    rule_id: String,
    file: &'r str,
    line_number: String,
    data: &'r str,
    severity: String,
    ver: &'r str,
    rev: &'r str,
    tags: Vec<&'r str>,
    maturity: String,
    accuracy: String,
}

fn message(message: &AuditMessage) -> Message<'_> {
    Message {
        message: message.message.as_str(),
        details: Details {
            r#match: message.matched.as_str(),
            reference: "",
            rule_id: message.rule_id.to_string(),
            file: message.file.as_str(),
            line_number: message.line_number.to_string(),
            data: message.data.as_str(),
            severity: message.severity.map_or(0, |severity| severity.0).to_string(),
            ver: message.version.as_str(),
            rev: message.revision.as_str(),
            tags: message.tags.iter().map(Excerpt::as_str).collect(),
            maturity: message.maturity.to_string(),
            accuracy: message.accuracy.to_string(),
        },
    }
}

fn finding(finding: &AuditFinding) -> Finding<'_> {
    Finding {
        message: finding.attack.title(),
        attack: finding.attack.name(),
        detector: finding.detector,
        confidence: finding.confidence,
        point: finding.point.as_str(),
        decoded: finding.decoded.as_str(),
        data: finding.data.as_str(),
        why: finding.why.as_str(),
        denied: finding.intercepted.is_some(),
    }
}

/// `HTTP/1.1` as the number that ModSecurity writes; what is no version is 0.
fn version(text: &str) -> f64 {
    match text.strip_prefix("HTTP/") {
        Some("0.9") => 0.9,
        Some("1.0") => 1.0,
        Some("1.1") => 1.1,
        Some("2.0" | "2") => 2.0,
        _ => 0.0,
    }
}

fn shown(body: &Excerpt) -> String {
    let mut out = body.as_str().to_owned();
    super::push_left_out(&mut out, body);
    out
}

struct Headers<'r>(&'r [(Excerpt, Excerpt)]);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Names in the spelling and at the place of their first field. Found by sorting, since their number is the
        // client's.
        let mut order: Vec<(String, usize)> = self
            .0
            .iter()
            .enumerate()
            .map(|(at, (name, _))| (name.as_str().to_ascii_lowercase(), at))
            .collect();
        order.sort_unstable();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut last = None;
        for (name, at) in &order {
            match groups.last_mut() {
                Some(group) if last == Some(name) => group.push(*at),
                _ => groups.push(vec![*at]),
            }
            last = Some(name);
        }
        groups.sort_unstable_by_key(|group| group[0]);
        let mut map = serializer.serialize_map(Some(groups.len()))?;
        for group in groups {
            let values: Vec<&str> = group.iter().map(|at| self.0[*at].1.as_str()).collect();
            map.serialize_entry(self.0[group[0]].0.as_str(), &values.join(", "))?;
        }
        map.end()
    }
}
