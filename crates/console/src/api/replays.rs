//! `/api/v1/replays`: recorded requests through the configuration in force, or through a change of it.

use hyper::StatusCode;
use palisade_events::query::moment;
use serde_json::{Value, json};

use super::{Refused, bad, failed, time};
use crate::asking::elsewhere;
use crate::control::{Author, Control};
use crate::replays::{ReplayAsked, Replays};

/// Bytes of what is to be changed.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;
const EXAMPLE: &str =
    r#"write {}, or {"service": "shop", "since": "2h", "profile": "mode: block", "rules": "SecRule ..."}"#;

/// What there is to be replayed, and what was.
pub(super) fn all(control: &dyn Control) -> Result<Value, Refused> {
    let replays = of(control)?;
    Ok(json!({ "recording": replays.recording(), "items": replays.all(), "next": null }))
}

pub(super) fn one(id: u64, control: &dyn Control) -> Result<Value, Refused> {
    let found = of(control)?.all().into_iter().find(|replay| replay.id == id);
    found
        .map(|replay| json!(replay))
        .ok_or_else(|| (StatusCode::NOT_FOUND, format!("there is no replay {id}")))
}

/// Starts one.
pub(super) fn start(body: &[u8], by: Author, control: &dyn Control) -> Result<Value, Refused> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is no JSON ({error}): {EXAMPLE}")))?;
    let object = value.as_object().ok_or_else(|| bad(EXAMPLE))?;
    if let Some(key) =
        object.keys().find(|key| !["service", "since", "profile", "rules"].contains(&key.as_str()))
    {
        return Err(bad(format!("the key `{key}` is not known here: {EXAMPLE}")));
    }
    let text = |key: &str| match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.trim().is_empty())),
        Some(_) => Err(bad(format!("`{key}` is a text: {EXAMPLE}"))),
    };
    let since = text("since")?.map(|since| moment(&since, time::now().0));
    let asked = ReplayAsked {
        service: text("service")?,
        since_unix_millis: since.transpose().map_err(|error| bad(format!("`since`: {error}")))?,
        profile: text("profile")?,
        rules: text("rules")?,
    };
    if asked.service.is_none() && (asked.profile.is_some() || asked.rules.is_some()) {
        return Err(bad("say by `service` whose profile is changed"));
    }
    of(control)?.start(asked, by).map(|replay| json!(replay)).map_err(failed)
}

pub(super) fn remove(id: u64, control: &dyn Control) -> Result<Value, Refused> {
    of(control)?.remove(id).map_err(failed)?;
    Ok(json!({ "removed": 1 }))
}

fn of(control: &dyn Control) -> Result<std::sync::Arc<dyn Replays>, Refused> {
    control.replays().ok_or_else(|| (StatusCode::NOT_FOUND, elsewhere("what was recorded is replayed")))
}
