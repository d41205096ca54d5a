//! From a request to its answer. Nothing here waits.

use std::net::SocketAddr;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use crate::api::{self, Resource};
use crate::exposition::{Exposition, Format};
use crate::guard::{Guard, Refusal};
use crate::subject::{Health, Subject};

/// What an address shows.
#[derive(Debug)]
pub(crate) enum Shown {
    /// Everything, to those whom the guard lets in.
    Everything(Guard),
    /// Probes and metrics, to everybody.
    ProbesAndMetrics,
}

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Page {
    Livez,
    Readyz,
    Startupz,
    Metrics,
    Status,
    Api(Resource),
    Index,
}

impl Page {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/livez" | "/healthz" => Self::Livez,
            "/readyz" => Self::Readyz,
            "/startupz" => Self::Startupz,
            "/metrics" => Self::Metrics,
            "/api/v1/status" => Self::Status,
            "/" => Self::Index,
            path => Self::Api(Resource::of(path)?),
        })
    }

    fn is_probe(&self) -> bool {
        matches!(self, Self::Livez | Self::Readyz | Self::Startupz)
    }
}

/// An answer in memory.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Answers a request of `peer` that came to `local`.
pub(crate) async fn answer(
    request: Request<Incoming>,
    (peer, local): (SocketAddr, SocketAddr),
    shown: &Shown,
    subject: &dyn Subject,
) -> Answer {
    let page = Page::of(request.uri().path());
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    // Probes come from whoever keeps this process alive, by whatever name, and learn nothing that is secret.
    if !(reads && page.as_ref().is_some_and(Page::is_probe))
        && let Shown::Everything(guard) = shown
        && let Err(refusal) = guard.check(&request, local)
    {
        return refused(refusal);
    }
    let page = match (page, shown) {
        (Some(Page::Status | Page::Index | Page::Api(_)), Shown::ProbesAndMetrics) => None,
        (page, _) => page,
    };
    let Some(page) = page else {
        return failure(StatusCode::NOT_FOUND, "there is nothing at this path", shown);
    };
    if let Page::Api(resource) = page {
        return match subject.control() {
            Some(control) => api::answer(request, resource, peer, control).await,
            None => failure(StatusCode::SERVICE_UNAVAILABLE, "starting: this is not there yet", shown),
        };
    }
    if !reads {
        let mut answer =
            failure(StatusCode::METHOD_NOT_ALLOWED, "this path is only read: GET or HEAD", shown);
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match page {
        Page::Livez => health(subject.liveness()),
        Page::Readyz => health(subject.readiness()),
        Page::Startupz => health(subject.startup()),
        Page::Metrics => {
            let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
            let format = Format::accepted(accept.unwrap_or_default());
            let mut page = Exposition::new(format);
            subject.metrics(&mut page);
            respond(StatusCode::OK, format.content_type(), page.finish())
        }
        Page::Status => {
            let status = serde_json::to_string(&subject.status()).expect("strings and numbers are JSON");
            respond(StatusCode::OK, JSON, status + "\n")
        }
        Page::Index | Page::Api(_) => respond(StatusCode::OK, "text/html; charset=utf-8", INDEX),
    }
}

/// The pages of an address, as an error names them.
fn pages(shown: &Shown) -> &'static [&'static str] {
    const PAGES: &[&str] = &[
        "/livez",
        "/readyz",
        "/startupz",
        "/healthz",
        "/metrics",
        "/api/v1/status",
        "/api/v1/services",
        "/api/v1/services/{name}/mode",
        "/api/v1/lists/{allow|deny|gray}",
        "/api/v1/lists/changes",
        "/",
    ];
    match shown {
        Shown::Everything(_) => PAGES,
        Shown::ProbesAndMetrics => &PAGES[..5],
    }
}

fn health(health: Health) -> Answer {
    match health {
        Health::Good => respond(StatusCode::OK, TEXT, "OK"),
        Health::Bad(reason) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
    }
}

fn refused(refusal: Refusal) -> Answer {
    let (status, why) = match refusal {
        Refusal::NoToken => {
            (StatusCode::UNAUTHORIZED, "show the token of the token file: `Authorization: Bearer TOKEN`")
        }
        Refusal::ForeignHost => (
            StatusCode::MISDIRECTED_REQUEST,
            "the Host of this request names neither localhost, nor a loopback address, nor the address it came to: \
             a web page may have pointed its name here; use one of those names, or show a token",
        ),
        Refusal::ForeignOrigin => {
            (StatusCode::FORBIDDEN, "the page that asks for this change is not one of this address")
        }
    };
    let mut answer = respond(status, JSON, format!("{}\n", json!({ "error": why })));
    if refusal == Refusal::NoToken {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"palisade\""));
    }
    answer
}

fn failure(status: StatusCode, why: &str, shown: &Shown) -> Answer {
    respond(status, JSON, format!("{}\n", json!({ "error": why, "paths": pages(shown) })))
}

pub(crate) fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let body = body.into();
    let length = body.len();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    );
    response
}

const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const JSON: &str = "application/json";
/// Until the console is here.
const INDEX: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Palisade</title>
<h1>Palisade</h1>
<ul>
<li><a href=\"/api/v1/status\">/api/v1/status</a>: what is in force, as JSON
<li><a href=\"/api/v1/services\">/api/v1/services</a>: services and the modes in force
<li><a href=\"/api/v1/lists/deny\">/api/v1/lists/deny</a>, <a href=\"/api/v1/lists/allow\">allow</a>, <a
href=\"/api/v1/lists/gray\">gray</a>: sources on lists
<li><a href=\"/metrics\">/metrics</a>: numbers for Prometheus
<li><a href=\"/readyz\">/readyz</a>: whether requests should be sent here
<li><a href=\"/startupz\">/startupz</a>: whether the start is over
<li><a href=\"/livez\">/livez</a>, <a href=\"/healthz\">/healthz</a>: whether the process works
</ul>
</html>
";
