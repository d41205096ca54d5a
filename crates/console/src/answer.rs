//! From a request to its answer. Nothing here waits.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue,
    IF_NONE_MATCH, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use crate::access;
use crate::api::{self, Asker, Resource};
use crate::asking::{self, Asking};
use crate::exposition::{Exposition, Format};
use crate::files;
use crate::guard::{Caller, Guard, Refusal};
use crate::openapi;
use crate::routes::{ROUTES, Role, Route};
use crate::sign_on;
use crate::stream::Listening;
use crate::subject::{Health, Subject};

/// What an address shows.
#[derive(Debug)]
pub(crate) enum Shown {
    /// Everything, to those whom the guard lets in.
    Everything(Arc<Guard>),
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
    Dataplanes,
    OpenApi,
    Session,
    Login,
    SignOn,
    SignedOn,
    Logout,
    Asking(Asking),
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
    ends: (SocketAddr, SocketAddr),
    shown: &Shown,
    subject: &dyn Subject,
) -> Answer {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || !request.uri().path().starts_with("/api/") {
        return untagged(request, ends, shown, subject).await;
    }
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    tagged(untagged(request, ends, shown, subject).await, known).await
}

async fn untagged(
    request: Request<Incoming>,
    ends: (SocketAddr, SocketAddr),
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
    let is_probe = reads && found.as_ref().is_some_and(|(_, page)| page.is_probe());
    let caller = match shown {
        Shown::Everything(guard) if !is_probe => match guard.check(&request, ends.1, asks) {
            Ok(caller) => caller,
            Err(refusal) => return refused(refusal),
        },
        _ => Caller { role: Role::Anybody, session: None },
    };
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
        Page::Dataplanes => {
            let page = json!({ "items": subject.dataplanes(), "next": null });
            respond(StatusCode::OK, JSON, format!("{page}\n"))
        }
        Page::OpenApi => {
            let document = openapi::document(&subject.status().version);
            respond(StatusCode::OK, JSON, format!("{document}\n"))
        }
        Page::Session | Page::Login | Page::SignOn | Page::SignedOn | Page::Logout => {
            // The address for probes does not have these pages.
            let Shown::Everything(guard) = shown else {
                return failure(StatusCode::NOT_FOUND, "there is nothing at this path", shown);
            };
            match page {
                Page::Login => access::log_in(request, ends, guard, subject).await,
                Page::SignOn => sign_on::begin(guard, ends.1).await,
                Page::SignedOn => sign_on::finish(&request, ends, guard, subject).await,
                Page::Logout => access::log_out(guard, caller.session.as_ref()),
                _ => access::session(guard, &caller),
            }
        }
        Page::Asking(asking) => asking::answer(request, asking, operation, subject).await,
        Page::Api(resource) => {
            let asker = Asker { from: ends.0, user: caller.session.map(|session| session.user) };
            let Some(control) = subject.control() else {
                return failure(StatusCode::SERVICE_UNAVAILABLE, "starting: this is not there yet", shown);
            };
            let change = (operation.method != "GET").then(|| audited(&request, &asker));
            let answer = api::answer(request, resource, operation, asker, control, subject.records()).await;
            if let Some(change) = change {
                subject.say(&format!("{change}: {}", answer.status().as_u16()));
            }
            answer
        }
    }
}

/// An answer with a tag of what it says; 304 where whoever asks has that already. What comes bit by bit has none.
async fn tagged(answer: Answer, known: Option<HeaderValue>) -> Answer {
    let is_json = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == JSON);
    let (mut parts, body) = answer.into_parts();
    let body = match body {
        Either::Left(body) if is_json && parts.status == StatusCode::OK => body,
        body => return Response::from_parts(parts, body),
    };
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = format!("W/\"{:016x}-{:x}\"", hasher.finish(), body.len());
    let is_known = known
        .is_some_and(|known| known.to_str().is_ok_and(|known| known.split(',').any(|one| one.trim() == tag)));
    parts.headers.insert(ETAG, HeaderValue::from_str(&tag).expect("a tag is hexadecimal"));
    if !is_known {
        return Response::from_parts(parts, Either::Left(Full::new(body)));
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(CONTENT_TYPE);
    Response::from_parts(parts, Either::Left(Full::default()))
}

/// A change, in a line that is there although nobody asks.
fn audited(request: &Request<Incoming>, asker: &Asker) -> String {
    let who = asker.user.as_deref().unwrap_or("somebody");
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let (shown, rest) = target.split_at(target.floor_char_boundary(TARGET_BYTES_MAX));
    let cut = if rest.is_empty() { "" } else { "..." };
    format!("audit: {who} from {}: {} {shown}{cut}", asker.from.ip().to_canonical(), request.method())
}

/// Bytes of a target in a line of the log.
const TARGET_BYTES_MAX: usize = 300;

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
        Refusal::NotProved => (
            StatusCode::FORBIDDEN,
            "a change in a session carries x-palisade-csrf with the `csrf` of /api/v1/session",
        ),
        Refusal::NotAllowed => (StatusCode::FORBIDDEN, "this is for operators: your role is viewer"),
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
