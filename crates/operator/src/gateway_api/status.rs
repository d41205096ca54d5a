//! Conditions, as statuses have them, but for the time at which they became so: whoever writes them knows that.

use serde_json::{Value, json};

/// A status that an object is to have. Of an HTTPRoute and of a policy it is the part that is ours.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusOf {
    /// `Gateway`, `HTTPRoute`, `GatewayClass`, `BackendTLSPolicy`, `Protection`.
    pub kind: &'static str,
    /// Empty for what lives in the cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `status`, without times. Of `parents` and `ancestors` only those of our controller.
    pub status: Value,
}

/// A condition.
pub(super) fn condition(
    kind: &str,
    is: bool,
    reason: &str,
    message: impl Into<String>,
    generation: i64,
) -> Value {
    // The API takes 32768 characters.
    let message: String = message.into().chars().take(1024).collect();
    json!({
        "type": kind, "status": if is { "True" } else { "False" }, "reason": reason, "message": message,
        "observedGeneration": generation,
    })
}

/// What is wrong with something: the reason in one word, and in words.
pub(crate) type Wrong = (&'static str, String);

/// The condition that says whether something is wrong.
pub(crate) fn unless(kind: &str, good: &str, wrong: Option<&Wrong>, generation: i64) -> Value {
    match wrong {
        None => condition(kind, true, good, "", generation),
        Some((reason, message)) => condition(kind, false, reason, message.clone(), generation),
    }
}
