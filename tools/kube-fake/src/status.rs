//! What goes wrong, in the form that clients read: `Status` objects.

use serde_json::{Map, Value, json};

use crate::kinds::Kind;

/// An answer that is not the object asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failed {
    pub(crate) code: u16,
    /// A `Status`, or a text where a real server answers none.
    pub(crate) body: Result<Value, String>,
}

/// One thing wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

impl Cause {
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Cause {
        let message =
            if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Cause { reason: "FieldValueRequired", message, field: field.into() }
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &str, detail: &str) -> Cause {
        Cause {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {detail}"),
            field: field.into(),
        }
    }

    pub(crate) fn type_invalid(field: impl Into<String>, value: &str, detail: &str) -> Cause {
        Cause { reason: "FieldValueTypeInvalid", ..Cause::invalid(field, value, detail) }
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Cause {
        Cause { reason: "FieldValueForbidden", message: format!("Forbidden: {detail}"), field: field.into() }
    }

    pub(crate) fn unsupported(field: impl Into<String>, value: &str, supported: &[String]) -> Cause {
        let message = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        Cause { reason: "FieldValueNotSupported", message, field: field.into() }
    }
}

impl Failed {
    pub(crate) fn status(
        code: u16,
        reason: Option<&str>,
        message: impl Into<String>,
        details: Option<Value>,
    ) -> Failed {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message.into(), "code": code,
        });
        if let Some(reason) = reason {
            body["reason"] = json!(reason);
        }
        if let Some(details) = details {
            body["details"] = details;
        }
        Failed { code, body: Ok(body) }
    }

    /// Of a path that no group serves.
    pub(crate) fn page_not_found() -> Failed {
        Failed { code: 404, body: Err("404 page not found\n".to_owned()) }
    }

    /// Of a resource that a known group does not have.
    pub(crate) fn no_such_resource() -> Failed {
        Failed::status(
            404,
            Some("NotFound"),
            "the server could not find the requested resource",
            Some(json!({})),
        )
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Failed {
        let message = format!("{} {name:?} not found", kind.qualified());
        Failed::status(404, Some("NotFound"), message, Some(kind.details(name)))
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str, deleting: bool) -> Failed {
        let prefix = if deleting { "object is being deleted: " } else { "" };
        let message = format!("{prefix}{} {name:?} already exists", kind.qualified());
        Failed::status(409, Some("AlreadyExists"), message, Some(kind.details(name)))
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Failed {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified());
        Failed::status(409, Some("Conflict"), message, Some(kind.details(name)))
    }

    pub(crate) fn modified(kind: &Kind, name: &str) -> Failed {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Failed::conflict(kind, name, why)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Failed {
        Failed::status(400, Some("BadRequest"), message, None)
    }

    pub(crate) fn forbidden(kind: &Kind, name: &str, why: &str) -> Failed {
        let message = format!("{} {name:?} is forbidden: {why}", kind.qualified());
        Failed::status(403, Some("Forbidden"), message, Some(kind.details(name)))
    }

    /// Of an object, named by its kind.
    pub(crate) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Failed {
        let qualified =
            if kind.group.is_empty() { kind.kind.clone() } else { format!("{}.{}", kind.kind, kind.group) };
        Failed::invalid_as(&qualified, &kind.group, &kind.kind, name, causes)
    }

    /// Of `qualified`, which the details call `kind` of `group`.
    pub(crate) fn invalid_as(
        qualified: &str,
        group: &str,
        kind: &str,
        name: &str,
        causes: &[Cause],
    ) -> Failed {
        let mut told: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        told.dedup();
        let told = if told.len() == 1 { told.remove(0) } else { format!("[{}]", told.join(", ")) };
        let mut details = Map::new();
        if !name.is_empty() {
            details.insert("name".into(), json!(name));
        }
        if !group.is_empty() {
            details.insert("group".into(), json!(group));
        }
        if !kind.is_empty() {
            details.insert("kind".into(), json!(kind));
        }
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        details.insert("causes".into(), Value::Array(causes));
        let message = format!("{qualified} {name:?} is invalid: {told}");
        Failed::status(422, Some("Invalid"), message, Some(Value::Object(details)))
    }

    /// Of something that a real server would do and this one does not.
    pub(crate) fn not_here(what: impl std::fmt::Display) -> Failed {
        Failed::status(
            501,
            Some("NotImplemented"),
            format!("the fake API server does not do this: {what}"),
            None,
        )
    }

    pub(crate) fn expired(message: impl Into<String>) -> Failed {
        Failed::status(410, Some("Expired"), message, None)
    }

    /// Without a reason, as Go's plain errors come.
    pub(crate) fn internal(message: impl Into<String>) -> Failed {
        Failed::status(500, None, message, None)
    }

    pub(crate) fn media_type(accepted: &[&str]) -> Failed {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Failed::status(415, Some("UnsupportedMediaType"), message, None)
    }

    pub(crate) fn method_not_allowed() -> Failed {
        let message = "the server does not allow this method on the requested resource";
        Failed::status(405, Some("MethodNotAllowed"), message, Some(json!({})))
    }
}
