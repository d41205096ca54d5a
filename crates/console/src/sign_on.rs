//! Logging in by a provider: where a browser is sent, and what it comes back with. `GET login/oidc`,
//! `GET login/oidc/callback`.
//!
//! ```text
//! browser ── login/oidc ──> state, nonce, verifier are kept here; a cookie binds them to this browser
//!    │ <── 303 to the provider, with state, nonce and the verifier's challenge
//!    └── callback?code&state ──> they are there, once, and this browser's ── SignOn::finish ──> a session
//! ```
//!
//! The idea to hold: a callback counts once, for the browser that was sent, within ten minutes. Somebody who lures a browser
//! here with a code of their own has no state that fits its cookie.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Request, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::answer::{Answer, JSON, respond};
use crate::api::request::Parameters;
use crate::guard::{Guard, SIGNED_ON, cookie};
use crate::routes::Role;
use crate::session::{is_same, random};
use crate::subject::Subject;

/// A provider that says who somebody is, as the program that asks it implements it. Called on a thread of its own.
pub trait SignOn: Debug + Send + Sync {
    /// Where a browser is sent.
    ///
    /// # Errors
    /// When the provider cannot be asked where that is.
    fn begin(&self, state: &str, nonce: &str, verifier: &str) -> Result<String, String>;

    /// Who came back with a code.
    ///
    /// # Errors
    /// When the code is worth nothing, what it is worth is not signed for us, or they may nothing here.
    fn finish(&self, code: &str, nonce: &str, verifier: &str) -> Result<SignedOn, String>;
}

/// Somebody whom a provider knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedOn {
    /// What they are called.
    pub name: String,
    /// Whether they may change things.
    pub operates: bool,
}

/// Those who were sent to the provider and have not come back.
#[derive(Debug, Default)]
pub(crate) struct Sent(Mutex<VecDeque<Going>>);

struct Going {
    state: String,
    nonce: String,
    verifier: String,
    /// What the browser's cookie holds.
    browser: String,
    since: Instant,
}

impl Debug for Going {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Going").field("since", &self.since).finish_non_exhaustive()
    }
}

/// Browsers that are on their way; one more forgets the first.
const SENT_MAX: usize = 256;
/// How long somebody may take there.
const AWAY: Duration = Duration::from_secs(600);
const COOKIE: &str = "palisade_oidc";
/// A code and a state are shorter.
const PARAMETER_BYTES_MAX: usize = 4096;
/// Characters of a name in lines of the log.
const NAME_CHARS_MAX: usize = 64;
/// Providers that are asked at a time.
static ASKING: Semaphore = Semaphore::const_new(4);

impl Sent {
    fn keep(&self, going: Going) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() >= SENT_MAX {
            sent.pop_front();
        }
        sent.push_back(going);
    }

    /// Takes one away, where it is this browser's and not too old.
    fn take(&self, state: &str, browser: &[u8], now: Instant) -> Option<Going> {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|going| now - going.since < AWAY);
        let place = sent.iter().position(|going| is_same(going.state.as_bytes(), state.as_bytes()))?;
        // Whoever's it is: it has been shown.
        let going = sent.remove(place)?;
        is_same(going.browser.as_bytes(), browser).then_some(going)
    }
}

/// Sends a browser to the provider.
pub(crate) async fn begin(guard: &Arc<Guard>, local: SocketAddr) -> Answer {
    let Some(sign_on) = guard.keys.sign_on.clone() else { return none() };
    let Ok(_room) = ASKING.acquire().await else { return failed(StatusCode::SERVICE_UNAVAILABLE, "ending") };
    let drawn = (random(), random(), random(), random());
    let (Ok(state), Ok(nonce), Ok(verifier), Ok(browser)) = drawn else {
        return failed(StatusCode::INTERNAL_SERVER_ERROR, "the system gives no random bytes");
    };
    let going = Going { state, nonce, verifier, browser, since: Instant::now() };
    let asked = (going.state.clone(), going.nonce.clone(), going.verifier.clone());
    let to = tokio::task::spawn_blocking(move || sign_on.begin(&asked.0, &asked.1, &asked.2)).await;
    match to.unwrap_or_else(|_| Err("the request failed in us".to_owned())) {
        Ok(url) => {
            // It comes back by a link of another site: a strict cookie would stay away.
            let cookie = format!(
                "{COOKIE}={}; Path=/api/v1/login/oidc; HttpOnly; SameSite=Lax; Max-Age={}{}",
                going.browser,
                AWAY.as_secs(),
                if local.ip().to_canonical().is_loopback() { "" } else { "; Secure" }
            );
            guard.sent.keep(going);
            elsewhere(&url, &[cookie])
        }
        Err(why) => failed(StatusCode::BAD_GATEWAY, &format!("the provider cannot be asked: {why}")),
    }
}

/// Begins a session for who comes back.
pub(crate) async fn finish<B>(
    request: &Request<B>,
    (peer, local): (SocketAddr, SocketAddr),
    guard: &Arc<Guard>,
    subject: &dyn Subject,
) -> Answer {
    let Some(sign_on) = guard.keys.sign_on.clone() else { return none() };
    let address = peer.ip().to_canonical();
    let refused = |why: &str| {
        subject.say(&format!("login by the provider from {address} refused: {why}"));
        failed(StatusCode::UNAUTHORIZED, "that opens nothing here; begin at /api/v1/login/oidc")
    };
    let Ok(parameters) = Parameters::of(request.uri().query()) else {
        return refused("its query is not escaped as a URL's is");
    };
    let one =
        |name: &str| parameters.one(name).ok().flatten().filter(|text| text.len() <= PARAMETER_BYTES_MAX);
    let going = match (one("state"), cookie(request.headers(), COOKIE)) {
        (Some(state), Some(browser)) => guard.sent.take(state, browser, Instant::now()),
        _ => None,
    };
    let Some(going) = going else { return refused("it did not begin here, or too long ago") };
    let Some(code) = one("code").map(str::to_owned) else {
        let why = one("error").unwrap_or("no code");
        return refused(&format!("the provider says {:?}", shortened(why)));
    };
    let Ok(_room) = ASKING.acquire().await else { return failed(StatusCode::SERVICE_UNAVAILABLE, "ending") };
    let asked =
        tokio::task::spawn_blocking(move || sign_on.finish(&code, &going.nonce, &going.verifier)).await;
    let signed_on = match asked.unwrap_or_else(|_| Err("the request failed in us".to_owned())) {
        Ok(signed_on) => signed_on,
        Err(why) => return refused(&why),
    };
    let user = format!("{SIGNED_ON}{}", shortened(&signed_on.name));
    let role = if signed_on.operates { Role::Operator } else { Role::Viewer };
    let Some(stamp) = guard.stamp(&user) else { return none() };
    let Ok(session) = guard.sessions.begin(&user, role, stamp, Instant::now()) else {
        return failed(StatusCode::INTERNAL_SERVER_ERROR, "the system gives no random bytes");
    };
    subject.say(&format!("login of {user:?} from {address} as {}", role.name()));
    let over = format!("{COOKIE}=; Path=/api/v1/login/oidc; HttpOnly; SameSite=Lax; Max-Age=0");
    elsewhere("/", &[session.cookie(!local.ip().to_canonical().is_loopback()), over])
}

/// A name that somebody else gave, for a line of a log.
fn shortened(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(NAME_CHARS_MAX).collect()
}

fn elsewhere(url: &str, cookies: &[String]) -> Answer {
    let Ok(url) = HeaderValue::from_str(url) else {
        return failed(StatusCode::BAD_GATEWAY, "the provider's address is none");
    };
    let mut answer = respond(StatusCode::SEE_OTHER, JSON, "{}\n");
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(LOCATION, url);
    for cookie in cookies {
        headers.append(SET_COOKIE, HeaderValue::from_str(cookie).expect("hexadecimal digits and words"));
    }
    answer
}

fn none() -> Answer {
    failed(StatusCode::NOT_FOUND, "nobody logs in by a provider here: `admin.oidc` is not configured")
}

fn failed(status: StatusCode, why: &str) -> Answer {
    respond(status, JSON, format!("{}\n", json!({ "error": why })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn going(state: &str, browser: &str, since: Instant) -> Going {
        let text = str::to_owned;
        Going { state: text(state), nonce: text("n"), verifier: text("v"), browser: text(browser), since }
    }

    #[test]
    fn a_callback_counts_once_for_the_browser_that_was_sent_and_not_for_ever() {
        let (sent, now) = (Sent::default(), Instant::now());
        sent.keep(going("one", "alice", now));
        assert!(sent.take("other", b"alice", now).is_none());
        assert!(sent.take("one", b"alice", now).is_some());
        assert!(sent.take("one", b"alice", now).is_none(), "once");
        sent.keep(going("two", "alice", now));
        assert!(sent.take("two", b"mallory", now).is_none(), "another browser's");
        assert!(sent.take("two", b"alice", now).is_none(), "it has been shown");
        sent.keep(going("three", "alice", now));
        assert!(sent.take("three", b"alice", now + AWAY).is_none(), "too late");
        (0..2 * SENT_MAX).for_each(|number| sent.keep(going(&number.to_string(), "b", now)));
        assert!(sent.0.lock().unwrap().len() <= SENT_MAX);
        assert_eq!(shortened("a\nb\u{0}c"), "abc");
    }
}
