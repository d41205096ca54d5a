//! From a request to its answer. Nothing here waits.

use std::net::SocketAddr;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use crate::api::{self, Resource};
use crate::exposition::{Exposition, Format};
use crate::files;
use crate::guard::{Guard, Refusal};
use crate::openapi;
use crate::routes::{ROUTES, Role, Route};
use crate::stream::Listening;
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
pub(crate) enum Page {
    Livez,
    Readyz,
    Startupz,
    Metrics,
    Status,
    OpenApi,
    Api(Resource),
}

impl Page {
    fn is_probe(&self) -> bool {
        matches!(self, Self::Livez | Self::Readyz | Self::Startupz)
    }
}

/// An answer: what is in memory, or what comes.
pub(crate) type Answer = Response<Either<Full<Bytes>, Listening>>;

/// Answers a request of `peer` that came to `local`.
pub(crate) async fn answer(
    request: Request<Incoming>,
    (peer, local): (SocketAddr, SocketAddr),
    shown: &Shown,
    subject: &dyn Subject,
) -> Answer {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let found = Route::of(path);
    let file = files::at(path).filter(|_| matches!(shown, Shown::Everything(_)));
    let operation = found.as_ref().and_then(|(route, _)| route.operation(request.method().as_str()));
    let asks = match operation {
        Some(operation) => operation.asks,
        // The console itself holds no secrets, and shows who may not see anything yet where to say who they are.
        None if file.is_some() && reads => Role::Anybody,
        None => Role::Viewer,
    };
    // Probes come from whoever keeps this process alive, by whatever name, and learn nothing that is secret.
    if !(reads && found.as_ref().is_some_and(|(_, page)| page.is_probe()))
        && let Shown::Everything(guard) = shown
        && let Err(refusal) = guard.check(&request, local, asks)
    {
        return refused(refusal);
    }
    if let Some(file) = file {
        return if reads { files::answer(&request, file) } else { wrong_method("GET, HEAD", shown) };
    }
    let found = match (found, shown) {
        (Some((_, page)), Shown::ProbesAndMetrics) if !(page.is_probe() || page == Page::Metrics) => None,
        (found, _) => found,
    };
    let Some((route, page)) = found else {
        return failure(StatusCode::NOT_FOUND, "there is nothing at this path", shown);
    };
    let Some(operation) = operation else { return wrong_method(&route.methods(), shown) };
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
        Page::OpenApi => {
            let document = openapi::document(&subject.status().version);
            respond(StatusCode::OK, JSON, format!("{document}\n"))
        }
        Page::Api(resource) => match subject.control() {
            Some(control) => {
                api::answer(request, resource, operation, peer, control, subject.records()).await
            }
            None => failure(StatusCode::SERVICE_UNAVAILABLE, "starting: this is not there yet", shown),
        },
    }
}

/// The paths of an address, as an error names them.
fn paths(shown: &Shown) -> Vec<&'static str> {
    let all = ROUTES.iter().map(|route| route.path);
    match shown {
        Shown::Everything(_) => all.chain(["/"]).collect(),
        Shown::ProbesAndMetrics => all.filter(|path| !path.starts_with("/api/")).collect(),
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

fn wrong_method(methods: &str, shown: &Shown) -> Answer {
    let mut answer = failure(StatusCode::METHOD_NOT_ALLOWED, &format!("this path takes {methods}"), shown);
    let methods = HeaderValue::from_str(methods).expect("methods are plain words");
    answer.headers_mut().insert(ALLOW, methods);
    answer
}

fn failure(status: StatusCode, why: &str, shown: &Shown) -> Answer {
    respond(status, JSON, format!("{}\n", json!({ "error": why, "paths": paths(shown) })))
}

pub(crate) fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let body = body.into();
    let length = body.len();
    let mut response = Response::new(Either::Left(Full::new(body)));
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
