//! A sink that takes JSON by POST: a list of records.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::client::{Answer, Client, HttpSetting};
use super::document::Document;
use super::secret::Secrets;
use super::worker::{Delivered, Transport};

/// Where to.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookSetting {
    /// The server.
    pub http: HttpSetting,
    /// Whether bodies are compressed by gzip.
    pub gzip: bool,
}

#[derive(Debug)]
pub(super) struct Webhook {
    client: Client,
    gzip: bool,
}

impl Webhook {
    pub(super) fn new(setting: &WebhookSetting, secrets: &Secrets) -> Result<Self, String> {
        Ok(Self { client: Client::new(&setting.http, secrets)?, gzip: setting.gzip })
    }
}

impl Transport for Webhook {
    fn deliver(&mut self, documents: &[Document]) -> Delivered {
        let mut body = vec![b'['];
        for (place, document) in documents.iter().enumerate() {
            if place > 0 {
                body.push(b',');
            }
            body.extend_from_slice(document.json.as_bytes());
        }
        body.push(b']');
        whole(
            documents.len(),
            post(&self.client, "", &[("content-type", "application/json")], body, self.gzip),
        )
    }
}

/// Posts a body, compressed or not.
pub(super) fn post(
    client: &Client,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    gzip: bool,
) -> Result<Answer, String> {
    if !gzip {
        return client.request("POST", path, headers, Some(&body));
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let body = encoder.write_all(&body).and_then(|()| encoder.finish());
    let body = body.map_err(|error| format!("the body cannot be compressed: {error}"))?;
    let headers: Vec<_> = headers.iter().copied().chain([("content-encoding", "gzip")]).collect();
    client.request("POST", path, &headers, Some(&body))
}

/// What an answer says about all records alike.
pub(super) fn whole(count: usize, answer: Result<Answer, String>) -> Delivered {
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => Delivered::default(),
        Ok(answer) if answer.is_temporary() => Delivered {
            wait: answer.retry_after,
            ..Delivered::none_of(count, format!("answered with {}", answer.status))
        },
        Ok(answer) => Delivered {
            refused: count as u64,
            problem: Some(format!("answered with {}", answer.status)),
            ..Delivered::default()
        },
        Err(problem) => Delivered::none_of(count, problem),
    }
}
