//! A service that answers what it received, to see what a proxy in front of it passed on.
//!
//! It shows the request as hyper understood it: header names in lower case, and values of one name together. Whoever
//! must see the bytes of the wire needs a raw socket.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{Answer, Ends, Request, Service};

/// The service that says what it received.
#[derive(Debug, Clone, Copy, Default)]
pub struct Echo;

impl Service for Echo {
    async fn answer(&self, request: Request, _ends: Ends) -> Answer {
        answer(&request)
    }
}

/// Answers 200 with `{"method","target","path","query","version","headers":[[name,value]..],"body","body_bytes"}`.
/// Bytes that are not UTF-8 are replaced in the text; `body_bytes` is the true length.
#[must_use]
pub fn answer(request: &Request) -> Answer {
    let headers: Vec<Value> = request
        .headers()
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let echo = json!({
        "method": request.method().as_str(),
        "target": request.uri().to_string(),
        "path": request.uri().path(),
        "query": request.uri().query(),
        "version": format!("{:?}", request.version()),
        "headers": headers,
        "body": String::from_utf8_lossy(request.body()),
        "body_bytes": request.body().len(),
    });
    Answer::json(StatusCode::OK, &echo)
}
