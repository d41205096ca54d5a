//! The bank's page for customers.

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::{ACCOUNTS, Reach};
use crate::{Answer, Ends, Request, Service};

/// `GET /` shows the first account, as Summary tells it; anything else is not there.
#[derive(Debug, Clone, Default)]
pub struct Customer {
    /// The way to Summary.
    pub reach: Reach,
}

impl Service for Customer {
    async fn answer(&self, request: Request, _ends: Ends) -> Answer {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/") => self.account().await,
            (_, "/") => Answer::html(StatusCode::METHOD_NOT_ALLOWED, "<h1>Method Not Allowed</h1>\n"),
            _ => Answer::html(StatusCode::NOT_FOUND, "<h1>Not Found</h1>\n"),
        }
    }
}

impl Customer {
    async fn account(&self) -> Answer {
        let summary = match self.reach.get(&format!("http://summary/{}", ACCOUNTS[0].id)).await {
            Ok(reply) if reply.status == 200 => serde_json::from_slice(&reply.body).unwrap_or(Value::Null),
            Ok(reply) => return broken(&format!("summary answered {}", reply.status)),
            Err(error) => return broken(&format!("summary: {error}")),
        };
        let (Some(name), Some(balance)) = (summary["name"].as_str(), summary["balance"].as_str()) else {
            return broken("summary answered something else");
        };
        let page = format!(
            "<!doctype html>\n<html><head><title>YAO Bank</title></head>\n<body>\n<h1>Welcome to YAO Bank</h1>\n\
             <h2>Name: {}</h2>\n<h2>Balance: {}</h2>\n<a href=\"/logout\">Log Out</a>\n</body></html>\n",
            escaped(name),
            escaped(balance)
        );
        Answer::html(StatusCode::OK, page)
    }
}

fn broken(why: &str) -> Answer {
    let page = format!("<h1>Internal Server Error</h1>\n<p>{}</p>\n", escaped(why));
    Answer::html(StatusCode::INTERNAL_SERVER_ERROR, page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
