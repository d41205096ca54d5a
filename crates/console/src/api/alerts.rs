//! `/api/v1/alerts`: alerts, forms for them, what hides their events and who is told. Those of files are shown; those that
//! were written here are changed here.

use hyper::StatusCode;
use palisade_model::EventId;
use serde_json::{Value, json};

use super::request::Parameters;
use super::{Refused, bad, failed};
use crate::control::{AlertInForce, Author, Control};

/// Bytes of an object.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Fired alerts of one change.
const FIRED_MAX: usize = 1000;
pub(super) const KINDS: [&str; 4] =
    ["GlobalAlert", "GlobalAlertTemplate", "AlertException", "SecurityEventWebhook"];

/// All of them, or those of a kind.
pub(super) fn all(parameters: &Parameters, control: &dyn Control) -> Result<Value, Refused> {
    let kind = parameters.one("kind")?.map(known).transpose()?;
    let alerts = control.alerts().map_err(failed)?;
    let items: Vec<Value> =
        alerts.iter().filter(|alert| kind.is_none_or(|kind| kind == alert.kind)).map(shown).collect();
    Ok(json!({ "items": items, "next": null }))
}

pub(super) fn one(name: &str, parameters: &Parameters, control: &dyn Control) -> Result<Value, Refused> {
    let kind = kind(parameters)?;
    let alerts = control.alerts().map_err(failed)?;
    let alert = alerts.iter().find(|alert| (alert.kind, alert.name.as_str()) == (kind, name));
    alert.map(shown).ok_or_else(|| (StatusCode::NOT_FOUND, format!("there is no {kind} `{name}`")))
}

/// Writes an object: the kind is its own.
pub(super) fn put(name: &str, body: &[u8], by: &Author, control: &dyn Control) -> Result<Value, Refused> {
    let put = control.put_alert(name, body, by).map_err(failed)?;
    let mut answer = shown(&put.alert);
    answer["warnings"] = json!(put.warnings);
    Ok(answer)
}

pub(super) fn delete(
    name: &str,
    parameters: &Parameters,
    by: &Author,
    control: &dyn Control,
) -> Result<Value, Refused> {
    control.delete_alert(kind(parameters)?, name, by).map_err(failed)?;
    Ok(json!({ "removed": 1 }))
}

/// Ids of alerts that fired: by `id`, or a body's `ids`.
pub(super) fn fired_ids(parameters: &Parameters, body: &[u8]) -> Result<Vec<EventId>, Refused> {
    let example = r#"write {"ids": ["0199..."]}, ids of alerts that fired"#;
    let mut named: Vec<String> = parameters.all("id").map(str::to_owned).collect();
    if !body.trim_ascii().is_empty() {
        let value: Value = serde_json::from_slice(body).map_err(|_| bad(example))?;
        let ids = value.get("ids").and_then(Value::as_array).ok_or_else(|| bad(example))?;
        named.extend(ids.iter().map(|id| id.as_str().unwrap_or_default().to_owned()));
    }
    if named.is_empty() || named.len() > FIRED_MAX {
        return Err(bad(format!("name 1 to {FIRED_MAX} alerts: {example}")));
    }
    let read = |id: &String| EventId::parse(id).ok_or_else(|| bad(format!("`{id}` is no id of an event")));
    named.iter().map(read).collect()
}

fn kind(parameters: &Parameters) -> Result<&'static str, Refused> {
    parameters.one("kind")?.map_or(Ok(KINDS[0]), known)
}

fn known(word: &str) -> Result<&'static str, Refused> {
    let kind = KINDS.into_iter().find(|kind| *kind == word);
    kind.ok_or_else(|| bad(format!("`kind` is one of {}", KINDS.join(", "))))
}

fn shown(alert: &AlertInForce) -> Value {
    let AlertInForce { kind, name, file, object, status } = alert;
    json!({
        "kind": kind,
        "name": name,
        "origin": if file.is_some() { "file" } else { "api" },
        "file": file,
        "spec": object["spec"],
        "status": status,
    })
}
