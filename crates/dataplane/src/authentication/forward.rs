//! An authentication server that is asked about each request, as `auth-url` of ingress-nginx and Traefik's ForwardAuth have it.

use std::fmt::Write as _;
use std::sync::Arc;

use palisade_authn::{Claims, Identity, Method, Place};
use palisade_http::{RequestHead, ResponseHead};

use super::subrequest::Server;
use super::{Asking, Refusal, Said};
use crate::routes::host_of;

/// An authentication server.
#[derive(Debug)]
pub struct ForwardAuth {
    /// Where it is asked.
    pub server: Server,
    /// Headers of the request that it is shown.
    pub request_headers: Vec<String>,
    /// Headers of its answer that the service is told.
    pub response_headers: Vec<String>,
    /// The header of its answer that says who it is.
    pub subject: Option<String>,
    /// Where a browser goes in place of a 401.
    pub sign_in: Option<String>,
}

/// Of the server's page as much is read as it takes to use its connection again; nobody is shown it.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Values of one header of its answer that are handed on.
const VALUES_MAX: usize = 16;
/// Cookies of a request that are told apart, as browsers send them and more.
const COOKIES_MAX: usize = 256;

impl ForwardAuth {
    pub(super) async fn ask(&self, name: &Arc<str>, asking: Asking<'_>) -> Said {
        let head = asking.head;
        let host = host_of(head).map(|host| printable(&host)).unwrap_or_default();
        // What is no character of a URL is escaped, so that nothing of a client's ends a header.
        let target = printable(&head.target);
        let path_and_query = if target.starts_with('/') { target.as_str() } else { "/" };
        let url = format!("{}://{host}{path_and_query}", asking.scheme);
        let client = asking.client.to_string();
        let method = printable(&head.method);
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("X-Original-URL", url.as_bytes()),
            ("X-Original-Method", method.as_bytes()),
            ("X-Forwarded-Method", method.as_bytes()),
            ("X-Forwarded-Proto", asking.scheme.as_bytes()),
            ("X-Forwarded-Host", host.as_bytes()),
            ("X-Forwarded-Uri", path_and_query.as_bytes()),
            ("X-Forwarded-For", client.as_bytes()),
            ("X-Auth-Request-Redirect", path_and_query.as_bytes()),
            ("X-Request-Id", asking.request_id.as_bytes()),
        ];
        for header in &self.request_headers {
            fields.extend(head.headers.values(header.as_bytes()).map(|value| (header.as_str(), value)));
        }
        let place = self.server.place();
        let refused = |status, reason, why: String, fields| {
            Said::Refused(Refusal { status, reason, by: Some(name.clone()), why, fields })
        };
        let answer = match self.server.get(&fields, BODY_BYTES_MAX).await {
            Ok(answer) => answer.head,
            Err(why) => {
                let why = format!("the authentication server {place} {why}");
                return refused(503, "server_failed", why, Vec::new());
            }
        };
        match answer.status {
            200..=299 => self.known(name, &answer),
            401 if self.sign_in.is_some() && !is_grpc(asking) => {
                let sign_in = self.sign_in.as_deref().unwrap_or_default().replace("{url}", &escaped(&url));
                let mut fields = handed_on(&answer, &["set-cookie"]);
                fields.push(("Location".to_owned(), sign_in));
                refused(
                    302,
                    "server_refused",
                    format!("the authentication server {place} wants a sign-in"),
                    fields,
                )
            }
            status @ (401 | 403) => {
                let fields = handed_on(&answer, &["www-authenticate", "set-cookie"]);
                let why = format!("the authentication server {place} answered {status}");
                refused(status, "server_refused", why, fields)
            }
            status => {
                let why = format!(
                    "the authentication server {place} answered {status}, which is no word on who it is"
                );
                refused(503, "server_failed", why, Vec::new())
            }
        }
    }

    /// Where it is shown something that may be a credential. Which of them it went by is its secret.
    pub(super) fn places(&self, head: &RequestHead) -> Vec<Place> {
        let mut places = Vec::new();
        for header in &self.request_headers {
            let values = head.headers.values(header.as_bytes());
            if header.eq_ignore_ascii_case("cookie") {
                places.extend(values.flat_map(cookie_names).take(COOKIES_MAX).map(Place::Cookie));
            } else if values.take(1).count() > 0 {
                places.push(Place::Header(header.to_ascii_lowercase()));
            }
        }
        places
    }

    fn known(&self, name: &Arc<str>, answer: &ResponseHead) -> Said {
        let mut told = Vec::new();
        for header in &self.response_headers {
            let values = answer.headers.values(header.as_bytes()).take(VALUES_MAX);
            told.extend(values.map(|value| (header.to_ascii_lowercase(), text(value))));
        }
        let subject = self.subject.as_ref().and_then(|header| answer.headers.first(header.as_bytes()));
        let mut claims: Vec<(String, String)> = Vec::new();
        for (header, value) in &told {
            // The first counts, as the subject's does.
            if !claims.iter().any(|(known, _)| known == header) {
                claims.push((header.clone(), value.clone()));
            }
        }
        let identity = Identity {
            authenticator: name.clone(),
            method: Method::Forward,
            issuer: None,
            subject: subject.map(text).filter(|subject| !subject.is_empty()),
            key_id: None,
            claims: Claims::of_texts(claims),
        };
        Said::Known(Arc::new(identity), told)
    }
}

fn cookie_names(value: &[u8]) -> impl Iterator<Item = String> {
    let names =
        value.split(|byte| *byte == b';').filter_map(|cookie| cookie.split(|byte| *byte == b'=').next());
    names.map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned())
}

fn is_grpc(asking: Asking<'_>) -> bool {
    let kind = asking.head.headers.first(b"content-type").unwrap_or_default();
    kind.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
}

/// Fields of its answer that the client gets.
fn handed_on(answer: &ResponseHead, names: &[&str]) -> Vec<(String, String)> {
    let field = |name: &&str| {
        let values = answer.headers.values(name.as_bytes()).take(VALUES_MAX);
        values.map(|value| ((*name).to_owned(), text(value))).collect::<Vec<_>>()
    };
    names.iter().flat_map(field).collect()
}

/// A header's value without what could end it.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().filter(|char| !char.is_control() || *char == '\t').collect()
}

/// What is no character of a URL as `%HH`.
fn printable(bytes: &[u8]) -> String {
    escape(bytes, |byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

/// A text as a part of a query.
fn escaped(text: &str) -> String {
    escape(text.as_bytes(), |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

fn escape(bytes: &[u8], stays: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match stays(*byte) {
            true => out.push(char::from(*byte)),
            false => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
