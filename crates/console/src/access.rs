//! Logging in and out: `POST login`, `POST logout`, `GET session`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER, SET_COOKIE};
use hyper::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::answer::{Answer, JSON, respond};
use crate::api::request::read_body;
use crate::guard::{Caller, Guard, TOKENS};
use crate::routes::Role;
use crate::session::{Session, no_cookie};
use crate::subject::Subject;

/// Bytes of what somebody says who logs in.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// Passwords that are looked at at a time: each takes 19 MiB and some ten milliseconds.
static ATTEMPTS: Semaphore = Semaphore::const_new(2);

/// Who the caller is to us, and how one may log in.
pub(crate) fn session(guard: &Guard, caller: &Caller) -> Answer {
    respond(StatusCode::OK, JSON, format!("{}\n", shown(guard, caller)))
}

fn shown(guard: &Guard, caller: &Caller) -> Value {
    let ways = [
        ("oidc", guard.keys.sign_on.is_some()),
        ("password", guard.keys.users.is_some()),
        ("token", guard.keys.token.is_some()),
    ];
    let ways: Vec<&str> = ways.iter().filter(|(_, is)| *is).map(|(way, _)| *way).collect();
    let session = caller.session.as_ref();
    let user = session.map(|session| session.user.as_str());
    json!({
        "login": guard.asks_who(),
        "ways": ways,
        "user": user.or((guard.asks_who() && caller.role != Role::Anybody).then_some(TOKENS)),
        "role": caller.role.name(),
        "csrf": session.map(|session| session.csrf.as_str()),
    })
}

/// Begins a session for who shows the token, or a user's password.
pub(crate) async fn log_in(
    request: Request<Incoming>,
    (peer, local): (SocketAddr, SocketAddr),
    guard: &Arc<Guard>,
    subject: &dyn Subject,
) -> Answer {
    if !guard.asks_who() {
        return failed(StatusCode::CONFLICT, "nobody has to log in here");
    }
    let Ok(_room) = ATTEMPTS.acquire().await else {
        return failed(StatusCode::SERVICE_UNAVAILABLE, "ending");
    };
    let address = peer.ip().to_canonical();
    let wait = guard.sessions.wait(address, Instant::now());
    if wait > Duration::ZERO {
        let seconds = wait.as_secs() + 1;
        let mut answer = failed(
            StatusCode::TOO_MANY_REQUESTS,
            &format!("too many wrong attempts: try again in {seconds} s"),
        );
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        return answer;
    }
    let body = match read_body(request, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err((status, why)) => return failed(status, &why),
    };
    let Some(shown_key) = Key::read(&body) else {
        return failed(
            StatusCode::BAD_REQUEST,
            r#"write {"token": "..."} or {"user": "...", "password": "..."}"#,
        );
    };
    let user = shown_key.user().to_owned();
    // Noted before it is judged, so that many at once gain nothing.
    guard.sessions.attempted(address, false, Instant::now());
    let judge = guard.clone();
    let role = tokio::task::spawn_blocking(move || shown_key.role(&judge)).await.unwrap_or_default();
    let stamp = role.and_then(|_| guard.stamp(&user));
    let (Some(role), Some(stamp)) = (role, stamp) else {
        subject.say(&format!("login of {} from {address} refused", quoted(&user)));
        return failed(StatusCode::UNAUTHORIZED, "that opens nothing here");
    };
    guard.sessions.attempted(address, true, Instant::now());
    let Ok(session) = guard.sessions.begin(&user, role, stamp, Instant::now()) else {
        return failed(StatusCode::INTERNAL_SERVER_ERROR, "the system gives no random bytes");
    };
    subject.say(&format!("login of {} from {address} as {}", quoted(&user), role.name()));
    let cookie = session.cookie(!local.ip().to_canonical().is_loopback());
    let caller = Caller { role, session: Some(session) };
    with_cookie(respond(StatusCode::OK, JSON, format!("{}\n", shown(guard, &caller))), &cookie)
}

/// Ends the caller's session.
pub(crate) fn log_out(guard: &Guard, session: Option<&Session>) -> Answer {
    if let Some(session) = session {
        guard.sessions.end(session);
    }
    with_cookie(respond(StatusCode::OK, JSON, "{}\n"), &no_cookie())
}

/// What somebody shows.
enum Key {
    Token(String),
    Password { user: String, password: String },
}

impl Key {
    fn read(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        match (text("token"), text("user"), text("password")) {
            (Some(token), None, None) => Some(Self::Token(token)),
            (None, Some(user), Some(password)) => Some(Self::Password { user, password }),
            _ => None,
        }
    }

    fn user(&self) -> &str {
        match self {
            Self::Token(_) => TOKENS,
            Self::Password { user, .. } => user,
        }
    }

    /// What it opens. Takes a while.
    fn role(&self, guard: &Guard) -> Option<Role> {
        match self {
            Self::Token(shown) => {
                let token = guard.keys.token.as_ref()?;
                token.opens(shown.trim().as_bytes()).then_some(Role::Operator)
            }
            Self::Password { user, password } => guard.keys.users.as_ref()?.opens(user, password),
        }
    }
}

/// A name that somebody gave, for a line of a log.
fn quoted(user: &str) -> String {
    let short: String = user.chars().take(64).collect();
    format!("{short:?}")
}

fn with_cookie(mut answer: Answer, cookie: &str) -> Answer {
    let cookie = HeaderValue::from_str(cookie).expect("hexadecimal digits and words");
    answer.headers_mut().insert(SET_COOKIE, cookie);
    answer
}

fn failed(status: StatusCode, why: &str) -> Answer {
    respond(status, JSON, format!("{}\n", json!({ "error": why })))
}
