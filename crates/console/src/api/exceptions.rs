//! `/api/v1/services/{name}/exceptions`: what a service is excepted from. What its configuration says is shown; what was set
//! here is changed here.

use serde_json::{Value, json};

use super::entries::{REASON_BYTES_MAX, one_line};
use super::request::Parameters;
use super::{Asker, Refused, bad, failed, name_of};
use crate::control::{AddExceptions, Author, Control};

/// Bytes of what is to be excepted.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Exceptions of one request.
const ITEMS_MAX: usize = 100;
const EXAMPLE: &str =
    r#"write {"rules": [942100], "points": ["query:q"], "paths": ["/search"]}, or {"items": [...]}"#;

/// A page of them, the configuration's first, and what was changed.
pub(super) fn all(service: &str, parameters: &Parameters, control: &dyn Control) -> Result<Value, Refused> {
    let (limit, after) = (parameters.limit()?, parameters.after()?);
    let all = control.exceptions(service).map_err(failed)?;
    let rest = all.get(after..).unwrap_or_default();
    let next = (rest.len() > limit).then(|| (after + limit).to_string());
    let (changes, at) = (control.exception_changes(service), control.exceptions_at(service));
    Ok(json!({ "items": &rest[..limit.min(rest.len())], "next": next, "changes": changes, "dataplanes": at }))
}

/// Sets one exception or several; who, why and for which event may stand beside them.
pub(super) fn add(
    service: &str,
    body: &[u8],
    mut author: Author,
    asker: &Asker,
    control: &dyn Control,
) -> Result<Value, Refused> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is no JSON ({error}): {EXAMPLE}")))?;
    let Value::Object(mut object) = value else { return Err(bad(EXAMPLE)) };
    let mut text = |key: &str| match object.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= REASON_BYTES_MAX => Ok(Some(text)),
        Some(_) => Err(bad(format!("`{key}` is a text of at most {REASON_BYTES_MAX} bytes"))),
    };
    if let Some(by) = text("by")? {
        author.name = name_of(Some(&by), asker);
    }
    if let Some(reason) = text("reason")? {
        author.reason = one_line(&reason);
    }
    let event = text("event")?;
    if event.as_deref().is_some_and(|id| palisade_model::EventId::parse(id).is_none()) {
        return Err(bad("`event` is the id of an event"));
    }
    let exceptions = match object.remove("items") {
        Some(Value::Array(items)) if object.is_empty() => items,
        Some(_) => {
            return Err(bad(format!("`items` is a list, and nothing else stands beside it: {EXAMPLE}")));
        }
        None => vec![Value::Object(object)],
    };
    if exceptions.is_empty() || exceptions.len() > ITEMS_MAX {
        return Err(bad(format!("set 1 to {ITEMS_MAX} exceptions at a time: {EXAMPLE}")));
    }
    let exceptions = exceptions.iter().map(Value::to_string).collect();
    let items =
        control.add_exceptions(service, AddExceptions { exceptions, event }, author).map_err(failed)?;
    Ok(json!({ "items": items, "next": null, "dataplanes": control.exceptions_at(service) }))
}
