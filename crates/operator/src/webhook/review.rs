//! AdmissionReview, version v1: a question as an API server writes it, and the answer as it reads it.
//!
//! A denial is answered with 200 as well; every other status is a failure of the webhook, which `failurePolicy` decides.
//! The shapes are those of `admission.k8s.io/v1`, seen with a kube-apiserver 1.36.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What an API server asks. Fields that are absent are empty.
#[derive(Clone, Copy, Debug)]
pub struct Request<'v> {
    /// The question's id, which the answer repeats.
    pub uid: &'v str,
    /// API group of the object's kind.
    pub group: &'v str,
    /// The object's kind.
    pub kind: &'v str,
    /// The resource, such as `pods`.
    pub resource: &'v str,
    /// `status`, `ephemeralcontainers`: a part of the object.
    pub sub_resource: Option<&'v str>,
    /// The object's name; empty when it is made up later.
    pub name: &'v str,
    /// Its namespace.
    pub namespace: &'v str,
    /// CREATE, UPDATE, DELETE or CONNECT.
    pub operation: &'v str,
    /// The object; none when it is deleted.
    pub object: Option<&'v Value>,
    /// The object before.
    pub old_object: Option<&'v Value>,
}

/// What a body is that is no question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or nested too deeply.
    #[error("the body is not JSON: {0}")]
    Json(String),
    /// Another kind or version.
    #[error("the body is no AdmissionReview of admission.k8s.io/v1")]
    Kind,
    /// It has no `request.uid`.
    #[error("the AdmissionReview has no request with a uid")]
    Request,
}

/// The answer to a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Whether the object may be stored.
    pub allowed: bool,
    /// HTTP status that the client of the API server gets, where it may not.
    pub code: u16,
    /// The same as a word.
    pub reason: &'static str,
    /// Why not.
    pub message: String,
    /// Operations that change the object, JSON Patch.
    pub patch: Option<Value>,
    /// Lines that the client is shown.
    pub warnings: Vec<String>,
    /// What the API server's audit log keeps.
    pub notes: BTreeMap<&'static str, String>,
}

impl Decision {
    /// It may be stored as it is.
    pub fn allow() -> Self {
        Self { allowed: true, ..Self::default() }
    }

    /// It may not.
    pub fn deny(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), ..Self::default() }
    }

    /// The same with one more warning.
    #[must_use]
    pub fn warning(mut self, line: impl Into<String>) -> Self {
        self.warnings.push(line.into());
        self
    }

    /// The same with a note for the audit log.
    #[must_use]
    pub fn noting(mut self, name: &'static str, value: String) -> Self {
        self.notes.insert(name, value);
        self
    }
}

/// Answers a body: reads the question, asks `decide`, writes the answer.
///
/// # Errors
/// When the body is no question.
pub fn answer(body: &[u8], decide: impl FnOnce(&Request<'_>) -> Decision) -> Result<Vec<u8>, Unreadable> {
    let review: Value = serde_json::from_slice(body).map_err(|error| Unreadable::Json(error.to_string()))?;
    let text = |value: Option<&'_ Value>, name: &str| -> Option<String> {
        Some(value?.get(name)?.as_str()?.to_owned())
    };
    if text(Some(&review), "apiVersion").as_deref() != Some("admission.k8s.io/v1")
        || text(Some(&review), "kind").as_deref() != Some("AdmissionReview")
    {
        return Err(Unreadable::Kind);
    }
    let request = read(review.get("request").ok_or(Unreadable::Request)?).ok_or(Unreadable::Request)?;
    let decision = decide(&request);
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response(request.uid, &decision),
    });
    Ok(answer.to_string().into_bytes())
}

fn read(request: &Value) -> Option<Request<'_>> {
    let text = |path: &[&str]| {
        path.iter().try_fold(request, |value, key| value.get(key)).and_then(Value::as_str).unwrap_or_default()
    };
    let object = |name: &str| request.get(name).filter(|object| object.is_object());
    Some(Request {
        uid: Some(text(&["uid"])).filter(|uid| !uid.is_empty())?,
        group: text(&["kind", "group"]),
        kind: text(&["kind", "kind"]),
        resource: text(&["resource", "resource"]),
        sub_resource: Some(text(&["subResource"])).filter(|part| !part.is_empty()),
        name: text(&["name"]),
        namespace: text(&["namespace"]),
        operation: text(&["operation"]),
        object: object("object"),
        old_object: object("oldObject"),
    })
}

fn response(uid: &str, decision: &Decision) -> Value {
    let mut response = Map::new();
    let mut set = |name: &str, value: Value| drop(response.insert(name.to_owned(), value));
    set("uid", json!(uid));
    set("allowed", json!(decision.allowed));
    if !decision.allowed {
        let message = clipped(&decision.message, MESSAGE_BYTES_MAX);
        set("status", json!({"code": decision.code, "reason": decision.reason, "message": message}));
    }
    // An empty patch is none.
    let patch = decision
        .patch
        .as_ref()
        .filter(|patch| decision.allowed && patch.as_array().is_some_and(|all| !all.is_empty()));
    if let Some(patch) = patch {
        set("patchType", json!("JSONPatch"));
        set("patch", json!(STANDARD.encode(patch.to_string())));
    }
    if !decision.warnings.is_empty() {
        // A warning with a line end is dropped by the API server without a word.
        let line = |text: &String| {
            clipped(&text.split_whitespace().collect::<Vec<_>>().join(" "), WARNING_BYTES_MAX)
        };
        set("warnings", decision.warnings.iter().take(WARNINGS_MAX).map(line).collect());
    }
    if !decision.notes.is_empty() {
        set("auditAnnotations", json!(decision.notes));
    }
    Value::Object(response)
}

/// A text of at most so many bytes.
fn clipped(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max.saturating_sub(3)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", &text[..end])
}

/// Bytes of a message: several diagnostics with their lines.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a warning: API servers cut what is longer.
const WARNING_BYTES_MAX: usize = 250;
/// Warnings of an answer.
const WARNINGS_MAX: usize = 16;
