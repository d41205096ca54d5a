//! The bulk API's bodies and answers.

use serde_json::{Value, json};

use super::ElasticSetting;
use crate::sinks::document::Document;

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is there, now or since earlier.
    Stored,
    /// Not now.
    Again(String),
    /// It will never be.
    Never(String),
}

/// An action and a document for each, a line each.
pub(super) fn body(documents: &[Document], setting: &ElasticSetting) -> Vec<u8> {
    let mut body = Vec::with_capacity(documents.iter().map(|document| document.weight() + 128).sum());
    for document in documents {
        let index = setting.index(document.kind, document.time_ms);
        let action = json!({"create": {"_index": index, "_id": format!("{:032x}", document.id)}});
        body.extend_from_slice(action.to_string().as_bytes());
        body.push(b'\n');
        body.extend_from_slice(document.json.as_bytes());
        body.push(b'\n');
    }
    body
}

/// What an answer says of each document, in their order; `None` where it is no such answer.
pub(super) fn verdicts(answer: &[u8], count: usize) -> Option<Vec<Verdict>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let items = answer["items"].as_array().filter(|items| items.len() == count)?;
    items.iter().map(verdict).collect()
}

fn verdict(item: &Value) -> Option<Verdict> {
    let (_, result) = item.as_object()?.iter().next()?;
    let status = result["status"].as_u64()?;
    let why = || {
        let word = |key: &str| result["error"][key].as_str().map(clip).unwrap_or_default();
        format!("a document is answered with {status} {}: {}", word("type"), word("reason"))
    };
    Some(match status {
        200..300 => Verdict::Stored,
        // It is there since an earlier try.
        409 => Verdict::Stored,
        // The queue is full, no shard is there, or the server is in trouble.
        429 | 500.. => Verdict::Again(why()),
        // A mapping, an index that is read only, a document that cannot be parsed.
        _ => Verdict::Never(why()),
    })
}

/// The reason in an answer to a whole request, for a message.
pub(super) fn reason(answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let reason = answer["error"]["reason"].as_str().or(answer["error"].as_str());
    reason.map(|reason| format!(": {}", clip(reason))).unwrap_or_default()
}

fn clip(text: &str) -> String {
    text.chars().take(200).collect()
}
