//! Who may see the admin listener, and who may change something by it.
//!
//! Three ways in are closed. Somebody on the network: off loopback everything but a probe asks for the token. A web
//! page in a browser on this machine whose name was pointed at our address (DNS rebinding): it is told by its `Host`,
//! which names neither loopback nor the address it came to. A web page that lets its reader's browser send us a form:
//! it is told by its `Origin`, and by `Sec-Fetch-Site` where a browser has that.
//!
//! A request that shows the token is not asked for its `Host`: a page that rebinds a name does not know the token, and
//! scrapers reach us by names that we cannot know.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, ORIGIN};
use hyper::{Method, Request};

use crate::routes::Role;
use crate::session::{self, CSRF_HEADER, Session, Sessions};
use crate::sign_on::{Sent, SignOn};
use crate::token::TokenFile;
use crate::users::UsersFile;

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody said who they are, or said it wrongly.
    NoToken,
    /// A name that is not ours.
    ForeignHost,
    /// Another site's page asks for a change.
    ForeignOrigin,
    /// A session's change without what our page proves it with.
    NotProved,
    /// Somebody who may read asks for a change.
    NotAllowed,
}

/// What opens an admin address: a token, users with passwords, or both; nothing on loopback.
#[derive(Debug, Default)]
pub struct Keys {
    /// Whoever shows it may change everything.
    pub token: Option<TokenFile>,
    /// Each with a role.
    pub users: Option<UsersFile>,
    /// Whoever a provider knows, with the role that it tells.
    pub sign_on: Option<Arc<dyn SignOn>>,
}

impl From<Option<TokenFile>> for Keys {
    fn from(token: Option<TokenFile>) -> Self {
        Self { token, ..Self::default() }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) role: Role,
    /// Where somebody logged in.
    pub(crate) session: Option<Session>,
}

/// What a request has to show.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    pub(crate) keys: Keys,
    pub(crate) sessions: Sessions,
    pub(crate) sent: Sent,
}

impl Guard {
    pub(crate) fn new(keys: Keys) -> Self {
        Self { keys, ..Self::default() }
    }

    /// Whether somebody has to say who they are.
    pub(crate) fn asks_who(&self) -> bool {
        self.keys.token.is_some() || self.keys.users.is_some() || self.keys.sign_on.is_some()
    }

    /// Checks a request that came to `local` and asks for what a role may.
    pub(crate) fn check<B>(
        &self,
        request: &Request<B>,
        local: SocketAddr,
        asks: Role,
    ) -> Result<Caller, Refusal> {
        let caller = if self.asks_who() {
            self.caller(request.headers())
        } else if host_is_ours(request, local.ip()) {
            Caller { role: Role::Operator, session: None }
        } else {
            return Err(Refusal::ForeignHost);
        };
        if caller.role < asks && caller.role == Role::Anybody {
            return Err(Refusal::NoToken);
        }
        if changes_state(request.method()) {
            if !origin_is_ours(request) {
                return Err(Refusal::ForeignOrigin);
            }
            let proof = only(request.headers(), CSRF_HEADER);
            let is_proved = caller.session.as_ref().is_none_or(|session| session.is_proved_by(proof));
            if asks > Role::Anybody && !is_proved {
                return Err(Refusal::NotProved);
            }
        }
        if caller.role < asks { Err(Refusal::NotAllowed) } else { Ok(caller) }
    }

    /// Who shows the token, or the cookie of a session that still stands for somebody.
    fn caller(&self, headers: &HeaderMap) -> Caller {
        let token = self.keys.token.as_ref();
        if bearer(headers).is_some_and(|shown| token.is_some_and(|token| token.opens(shown))) {
            return Caller { role: Role::Operator, session: None };
        }
        let session = cookie(headers, session::COOKIE).and_then(|id| self.sessions.of(id, Instant::now()));
        match session.filter(|session| self.stamp(&session.user) == Some(session.stamp)) {
            Some(session) => Caller { role: session.role, session: Some(session) },
            None => Caller { role: Role::Anybody, session: None },
        }
    }

    /// What the sessions of somebody hang on: the token, or their line in the file of users.
    pub(crate) fn stamp(&self, user: &str) -> Option<u64> {
        if user == TOKENS {
            self.keys.token.as_ref().map(TokenFile::stamp)
        } else if user.starts_with(SIGNED_ON) {
            // A provider is not asked again: their session lasts as long as one does.
            self.keys.sign_on.as_ref().map(|_| 0)
        } else {
            self.keys.users.as_ref()?.stamp(user)
        }
    }
}

/// Who logged in with the token. No user has such a name.
pub(crate) const TOKENS: &str = "(token)";

/// What the name of somebody whom a provider knows begins with. No user has such a name.
pub(crate) const SIGNED_ON: &str = "oidc:";

/// The value of a cookie of ours, where it stands there once.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let all = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let ours = all.filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    let mut ours = ours.fuse();
    let first = ours.next()?;
    ours.next().is_none().then_some(first)
}

/// What stands after `Bearer` in the only `Authorization`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = only(headers, AUTHORIZATION)?;
    let (scheme, shown) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| shown.trim_ascii())
}

fn changes_state(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether every name in the request for whom it is meant is loopback's or the address it came to. Its port does not
/// matter: forwarded ports differ from ours.
fn host_is_ours<B>(request: &Request<B>, local: IpAddr) -> bool {
    let ours = |authority: &str| {
        let host = host_of(authority);
        match host.parse::<IpAddr>() {
            Ok(address) => {
                address.to_canonical().is_loopback() || address.to_canonical() == local.to_canonical()
            }
            Err(_) => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
        }
    };
    let named = only(request.headers(), HOST).and_then(|host| std::str::from_utf8(host).ok());
    // The target of a request to a proxy names a host too. Then it is the one that counts; ask for both.
    let in_target = request.uri().authority().is_none_or(|authority| ours(authority.as_str()));
    in_target && named.is_some_and(ours)
}

/// Whether a page that asks for a change is one of ours. What is no browser sends neither header.
fn origin_is_ours<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let site_is_ours = match only(headers, "sec-fetch-site") {
        None => !headers.contains_key("sec-fetch-site"),
        Some(site) => matches!(site, b"same-origin" | b"none"),
    };
    let origin_is_ours = match only(headers, ORIGIN) {
        None => !headers.contains_key(ORIGIN),
        // Behind something that speaks TLS for us, the page's scheme is not ours; its host and port are. `null` is
        // the origin of those who hide theirs.
        Some(origin) => only(headers, HOST).is_some_and(|host| {
            let stripped = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
            stripped.is_some_and(|origin| !host.is_empty() && origin.eq_ignore_ascii_case(host))
        }),
    };
    site_is_ours && origin_is_ours
}

/// The value of a header that stands there once.
fn only(headers: &HeaderMap, name: impl hyper::header::AsHeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

/// `[::1]:9901`, `127.0.0.1:9901`, `localhost` without port and brackets.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map_or("", |(host, _)| host);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request<()> {
        let builder = Request::builder().method(method).uri(target);
        headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(()).unwrap()
    }

    /// What becomes of a change.
    fn check_of(guard: &Guard, request: &Request<()>) -> Result<(), Refusal> {
        guard.check(request, local(), Role::Operator).map(|_| ())
    }

    fn token() -> TokenFile {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("palisade-guard-{}-{number}", std::process::id()));
        std::fs::write(&path, "0123456789abcdef").unwrap();
        let token = TokenFile::open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        token
    }

    fn local() -> SocketAddr {
        "192.0.2.7:9901".parse().unwrap()
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        let guard = Guard::default();
        let check = |host: &str| check_of(&guard, &request("GET", "/", &[("host", host)]));
        for ours in [
            "localhost",
            "LOCALHOST:9901",
            "localhost.:1",
            "127.0.0.1:9901",
            "127.8.8.8",
            "[::1]:80",
            "[::1]",
            "[::ffff:127.0.0.1]:9901",
            "192.0.2.7:9901",
            "192.0.2.7",
            "192.0.2.7:31000",
        ] {
            assert_eq!(check(ours), Ok(()), "{ours}");
        }
        for foreign in [
            "",
            ":9901",
            "evil.example",
            "evil.example:9901",
            "localhost.evil.example",
            "evil-localhost",
            "127.0.0.1.evil.example",
            "evil.example/127.0.0.1",
            "127.0.0.1@evil.example",
            "evil.example:80@127.0.0.1",
            "192.0.2.8",
            "0.0.0.0:9901",
            "2130706433",
            "127.1",
            "[::2]",
            "[::1",
            "::1",
            "localhost, evil.example",
        ] {
            // `::1` without brackets has no port to strip but one colon too many: it is not how anyone writes it.
            assert_eq!(check(foreign), Err(Refusal::ForeignHost), "{foreign}");
        }
        let no = |headers: &[(&str, &str)], target| check_of(&guard, &request("GET", target, headers));
        assert_eq!(no(&[], "/"), Err(Refusal::ForeignHost));
        let twice = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(no(&twice, "/"), Err(Refusal::ForeignHost));
        assert_eq!(no(&twice[..1], "http://evil.example/"), Err(Refusal::ForeignHost));
        assert_eq!(no(&twice[..1], "http://localhost:9901/"), Ok(()));
        assert_eq!(no(&[("host", "evil.example")], "http://localhost/"), Err(Refusal::ForeignHost));
    }

    #[test]
    fn where_there_is_a_token_only_the_token_opens() {
        let guard = Guard::new(Some(token()).into());
        let check = |value: &str| {
            let headers = [("host", "palisade.internal"), ("authorization", value)];
            check_of(&guard, &request("GET", "/metrics", &headers))
        };
        for right in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer 0123456789abcdeg", "Basic 0123456789abcdef", "0123456789abcdef"]
        {
            assert_eq!(check(wrong), Err(Refusal::NoToken), "{wrong}");
        }
        let local_host = [("host", "localhost")];
        assert_eq!(check_of(&guard, &request("GET", "/", &local_host)), Err(Refusal::NoToken));
        let twice = [("authorization", "Bearer 0123456789abcdef"), ("authorization", "Bearer x")];
        let two = check_of(&guard, &request("GET", "/", &twice));
        assert_eq!(two.unwrap_err(), Refusal::NoToken);
    }

    #[test]
    fn a_change_that_another_sites_page_asks_for_is_refused() {
        for guard in [Guard::default(), Guard::new(Some(token()).into())] {
            let check = |method: &str, more: &[(&str, &str)]| {
                let headers = [("host", "localhost:9901"), ("authorization", "Bearer 0123456789abcdef")];
                check_of(&guard, &request(method, "/api/v1/lists/deny", &[&headers, more].concat()))
            };
            for ours in [
                &[][..],
                &[("origin", "http://localhost:9901")],
                &[("origin", "https://LOCALHOST:9901"), ("sec-fetch-site", "same-origin")],
                &[("sec-fetch-site", "none")],
            ] {
                assert_eq!(check("POST", ours), Ok(()), "{ours:?}");
            }
            for foreign in [
                &[("origin", "http://evil.example")][..],
                &[("origin", "http://localhost")],
                &[("origin", "http://localhost:8080")],
                &[("origin", "http://localhost:9901.evil.example")],
                &[("origin", "null")],
                &[("origin", "")],
                &[("origin", "localhost:9901")],
                &[("sec-fetch-site", "cross-site")],
                &[("sec-fetch-site", "same-site")],
                &[("origin", "http://localhost:9901"), ("sec-fetch-site", "cross-site")],
                &[("origin", "http://localhost:9901"), ("origin", "http://evil.example")],
            ] {
                for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
                    assert_eq!(check(method, foreign), Err(Refusal::ForeignOrigin), "{method} {foreign:?}");
                }
                assert_eq!(
                    check("GET", foreign),
                    Ok(()),
                    "reading is kept apart by the browser: {foreign:?}"
                );
            }
        }
    }
}
