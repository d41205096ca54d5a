//! An index that takes bulk requests, as Elasticsearch and OpenSearch do, and keeps the documents in memory.
//!
//! For demonstrations that show what arrives: `create` actions, ids that are taken once, and an answer for each. It is no
//! search engine: whatever else is asked gets a version, and is kept as a message.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{Answer, Ends, Request, Service};

/// Documents that are kept at most. Over it: 429, as an index under load says.
pub const DOCUMENTS_MAX: usize = 10_000;

/// An index. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct BulkIndex(Arc<Mutex<Vec<Document>>>);

#[derive(Debug)]
struct Document {
    index: String,
    id: String,
    source: Value,
}

impl BulkIndex {
    /// The documents of the indices whose names begin so, in the order they came.
    #[must_use]
    pub fn documents(&self, index: &str) -> Vec<Value> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .filter(|document| document.index.starts_with(index))
            .map(|document| document.source.clone())
            .collect()
    }

    fn take(&self, body: &[u8]) -> Option<Value> {
        let text = std::str::from_utf8(body).ok()?;
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut items = Vec::new();
        for pair in lines.chunks(2) {
            let [action, source] = pair else { return None };
            let action: Value = serde_json::from_str(action).ok()?;
            let name = |key: &str| action["create"][key].as_str().map(str::to_owned);
            let (index, id) = (name("_index")?, name("_id")?);
            let status = if kept.iter().any(|there| there.id == id && there.index == index) {
                409
            } else if kept.len() >= DOCUMENTS_MAX {
                429
            } else {
                kept.push(Document { index, id, source: serde_json::from_str(source).ok()? });
                201
            };
            items.push(json!({"create": {"status": status}}));
        }
        let errors = items.iter().any(|item| item["create"]["status"] != 201);
        Some(json!({"took": 1, "errors": errors, "items": items}))
    }
}

impl Service for BulkIndex {
    async fn answer(&self, request: Request, _ends: Ends) -> Answer {
        if request.uri().path() != "/_bulk" {
            return Answer::json(StatusCode::OK, &json!({"version": {"number": "8.15.0"}}));
        }
        match self.take(request.body()) {
            Some(said) => Answer::json(StatusCode::OK, &said),
            None => Answer::json(StatusCode::BAD_REQUEST, &json!({"error": "not a bulk request"})),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_taken_once_and_nonsense_not_at_all() {
        let index = BulkIndex::default();
        let body = b"{\"create\":{\"_index\":\"waf.a\",\"_id\":\"1\"}}\n{\"x\":1}\n";
        assert_eq!(index.take(body).unwrap()["errors"], false);
        let again = index.take(body).unwrap();
        assert_eq!((&again["errors"], &again["items"][0]["create"]["status"]), (&json!(true), &json!(409)));
        assert_eq!(index.documents("waf."), [json!({"x": 1})]);
        assert!(index.documents("other").is_empty());
        for nonsense in
            [&b"{\"create\":{\"_index\":\"a\",\"_id\":\"1\"}}\n"[..], b"\xff", b"{}\n{}\n", b"x\ny\n"]
        {
            assert_eq!(index.take(nonsense), None);
        }
    }
}
