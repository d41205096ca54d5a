//! Events as Calico's `tigera_secure_ee_events` has them: of alerts, and of the firewall.

use std::net::IpAddr;

use palisade_model::Calendar;
use serde_json::{Map, Value, json};

use super::alert::GlobalAlert;
use super::watch::Fired;
use crate::query;

/// The event of an alert that fired.
#[must_use]
pub fn alert_event(alert: &GlobalAlert, fired: &Fired, host: &str) -> Value {
    let value_of = |name: &str| first_text(&fired.record, name);
    let mut event = Map::new();
    event.insert("id".to_owned(), json!(format!("{:032x}", fired.id)));
    let time = Calendar::new(fired.time_ms, 0).rfc3339();
    event.insert("time".to_owned(), json!(time));
    // As other events have them: it stands beside them in the store.
    event.insert("@timestamp".to_owned(), json!(time));
    event.insert("kind".to_owned(), json!(ALERT_KIND));
    event.insert("type".to_owned(), json!("global_alert"));
    event.insert("origin".to_owned(), json!(alert.name));
    event.insert("name".to_owned(), json!(alert.name));
    event.insert("severity".to_owned(), json!(alert.severity));
    event.insert("description".to_owned(), json!(alert.summary.expand(&value_of)));
    event.insert("host".to_owned(), json!(host));
    event.insert("fingerprint".to_owned(), json!(fired.fingerprint));
    ends(&fired.record, &mut event);
    event.insert("record".to_owned(), fired.record.clone());
    Value::Object(event)
}

/// What the security events say of a decision of the firewall.
#[must_use]
pub fn security_event(record: &Value) -> Value {
    let text = |key: &str| first_text(record, key);
    let rules = text("rules.message").or_else(|| text("findings.why")).or_else(|| text("msg"));
    let mut event = Map::new();
    for (ours, theirs) in [("id", "id"), ("time", "@timestamp"), ("host", "host"), ("origin", "service")] {
        event.insert(ours.to_owned(), json!(text(theirs).unwrap_or_default()));
    }
    event.insert("type".to_owned(), json!("waf"));
    event.insert("name".to_owned(), json!("WAF Event"));
    event.insert(
        "severity".to_owned(),
        json!(if text("action").as_deref() == Some("deny") { 80 } else { 60 }),
    );
    event.insert("description".to_owned(), json!(rules.unwrap_or_default()));
    event.insert("attack_vector".to_owned(), json!("Network"));
    event.insert("mitre_tactic".to_owned(), json!("Initial Access"));
    event.insert("mitre_ids".to_owned(), json!(["T1190"]));
    event.insert("mitigations".to_owned(), json!([MITIGATION]));
    ends(record, &mut event);
    event.insert("record".to_owned(), record.clone());
    Value::Object(event)
}

/// An event that says that it is a test.
#[must_use]
pub fn test_event(alert: &str, severity: u8, now_ms: u64, host: &str) -> Value {
    json!({
        "id": format!("{:032x}", u128::from(now_ms) << 80),
        "time": Calendar::new(now_ms, 0).rfc3339(),
        "type": "global_alert",
        "origin": alert,
        "name": alert,
        "severity": severity,
        "description": format!("test of the alert {alert}: nothing has happened"),
        "host": host,
        "fingerprint": "test",
        "source_ip": IpAddr::from([192, 0, 2, 1]),
        "dest_name": "test",
        "record": {"test": true},
    })
}

/// The kind of an alert's event among other events.
pub const ALERT_KIND: &str = "alert";

const MITIGATION: &str = "Look at the request's record: where it is an attack, set the service's mode to block; where it \
    is not, except the rule or the finding for its path.";

/// Copies who asked whom out of a record's objects, where it says so.
fn ends(record: &Value, event: &mut Map<String, Value>) {
    for (name, keys) in ENDS {
        let mut found = None;
        for key in *keys {
            query::values(record, key, &mut |value| {
                let is_something = !value.is_null() && value != "" && value != "-";
                if found.is_none() && is_something && !value.is_object() {
                    found = Some(value.clone());
                }
            });
        }
        if let Some(found) = found {
            event.insert((*name).to_owned(), found);
        }
    }
}

/// Names in an event, and where they are in records of WAF and L7, the better ones first.
const ENDS: &[(&str, &[&str])] = &[
    ("source_ip", &["source.ip", "source_ip"]),
    ("source_port", &["source.port_num", "source_port"]),
    ("source_name", &["source.name", "source.hostname", "source_name"]),
    ("source_name_aggr", &["src_name_aggr", "source_name_aggr"]),
    ("source_namespace", &["source.namespace", "src_namespace", "source_namespace"]),
    ("dest_ip", &["destination.ip", "dest_ip"]),
    ("dest_port", &["destination.port_num", "dest_service_port", "dest_port"]),
    ("dest_name", &["destination.name", "destination.hostname", "dest_service_name", "dest_name"]),
    ("dest_name_aggr", &["dest_name_aggr"]),
    ("dest_namespace", &["destination.namespace", "dest_namespace"]),
];

/// The first value at a key, as text.
pub(super) fn first_text(record: &Value, key: &str) -> Option<String> {
    let mut first = None;
    query::values(record, key, &mut |value| {
        if first.is_none() {
            first = match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            };
        }
    });
    first
}
