//! What an account is, for the customer's page.

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::Reach;
use crate::{Answer, Ends, Request, Service};

/// `GET /ACCOUNT` answers `{"name": "...", "balance": "..."}`, the keys below the account in the database; 500 for one that is
/// not there, as the service that it is made after.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The way to the database.
    pub reach: Reach,
}

impl Service for Summary {
    async fn answer(&self, request: Request, _ends: Ends) -> Answer {
        let account = request.uri().path().trim_start_matches('/');
        let is_account = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_account || !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Answer::json(StatusCode::NOT_FOUND, &json!({"error": "not found"}));
        }
        let url = format!("http://database:2379/v2/keys/accounts/{account}?recursive=true");
        match self.reach.get(&url).await {
            Ok(reply) if reply.status == 200 => match fields(&reply.body) {
                Some(fields) => Answer::json(StatusCode::OK, &Value::Object(fields)),
                None => broken("the database answered something else"),
            },
            Ok(reply) => broken(&format!("the database answered {}", reply.status)),
            Err(error) => broken(&format!("database: {error}")),
        }
    }
}

/// The keys directly below the node of an answer, by the last part of their names.
fn fields(body: &[u8]) -> Option<Map<String, Value>> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let nodes = answer["node"]["nodes"].as_array()?;
    let field = |node: &Value| {
        let name = node["key"].as_str()?.rsplit('/').next()?;
        Some((name.to_owned(), node["value"].clone()))
    };
    nodes.iter().map(field).collect()
}

fn broken(why: &str) -> Answer {
    Answer::json(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": why}))
}
