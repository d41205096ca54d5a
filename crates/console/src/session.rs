//! Sessions of those who logged in: who they are, for how long, and what proves that a change is theirs.
//!
//! Sessions are in memory alone: a restart ends them. There are at most [`SESSIONS_MAX`]; one more ends the oldest. Wrong
//! attempts make their address wait, longer each time.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::routes::Role;

/// The cookie that names a session.
pub(crate) const COOKIE: &str = "palisade_session";
/// The header that proves that a change comes from our page: other sites' pages cannot set it.
pub(crate) const CSRF_HEADER: &str = "x-palisade-csrf";

/// Sessions at a time.
const SESSIONS_MAX: usize = 256;
/// How long a session lasts at most.
const WHOLE: Duration = Duration::from_secs(12 * 3600);
/// How long it lasts while nobody asks anything.
const IDLE: Duration = Duration::from_secs(3600);
/// Wrong attempts of an address before it has to wait.
const FREE_ATTEMPTS: u32 = 5;
/// How long it waits at most.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Addresses whose wrong attempts are remembered; more are forgotten at once.
const ADDRESSES_MAX: usize = 4096;

/// Who is logged in, and who guesses.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The oldest first.
    sessions: VecDeque<Session>,
    guesses: HashMap<IpAddr, Guesses>,
}

/// Somebody who is logged in.
#[derive(Clone)]
pub(crate) struct Session {
    id: String,
    pub(crate) csrf: String,
    /// A user's name, or `token`.
    pub(crate) user: String,
    pub(crate) role: Role,
    /// What it hangs on: it is over once that is another.
    pub(crate) stamp: u64,
    begun: Instant,
    used: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Guesses {
    wrong: u32,
    last: Instant,
}

impl Guesses {
    /// How long to wait after the last wrong attempt: 2, 4, 8 ... seconds.
    fn wait(self) -> Duration {
        match self.wrong.checked_sub(FREE_ATTEMPTS) {
            None => Duration::ZERO,
            Some(over) => Duration::from_secs(2 << over.min(16)).min(WAIT_MAX),
        }
    }
}

impl Sessions {
    /// Begins a session and gives the value of its cookie.
    pub(crate) fn begin(
        &self,
        user: &str,
        role: Role,
        stamp: u64,
        now: Instant,
    ) -> Result<Session, getrandom::Error> {
        let (id, csrf) = (random()?, random()?);
        let session = Session { id, csrf, user: user.to_owned(), role, stamp, begun: now, used: now };
        let mut inner = self.inner();
        if inner.sessions.len() >= SESSIONS_MAX {
            inner.sessions.pop_front();
        }
        inner.sessions.push_back(session.clone());
        Ok(session)
    }

    /// The session that a cookie names, while it lasts.
    pub(crate) fn of(&self, id: &[u8], now: Instant) -> Option<Session> {
        let mut inner = self.inner();
        inner.sessions.retain(|session| now - session.begun < WHOLE && now - session.used < IDLE);
        let session = inner.sessions.iter_mut().find(|session| is_same(session.id.as_bytes(), id))?;
        session.used = now;
        Some(session.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, session: &Session) {
        self.inner().sessions.retain(|other| other.id != session.id);
    }

    /// How long an address has to wait before it may try again.
    pub(crate) fn wait(&self, address: IpAddr, now: Instant) -> Duration {
        let guesses = self.inner().guesses.get(&address).copied();
        guesses.map_or(Duration::ZERO, |guesses| guesses.wait().saturating_sub(now - guesses.last))
    }

    /// Notes how an attempt went. Noted before it is judged as wrong, so that many at once gain nothing.
    pub(crate) fn attempted(&self, address: IpAddr, was_right: bool, now: Instant) {
        let mut inner = self.inner();
        if was_right {
            inner.guesses.remove(&address);
            return;
        }
        if inner.guesses.len() >= ADDRESSES_MAX && !inner.guesses.contains_key(&address) {
            inner.guesses.retain(|_, guesses| now - guesses.last < WAIT_MAX);
            if inner.guesses.len() >= ADDRESSES_MAX {
                inner.guesses.clear();
            }
        }
        let guesses = inner.guesses.entry(address).or_insert(Guesses { wrong: 0, last: now });
        if now - guesses.last > WAIT_MAX {
            guesses.wrong = 0;
        }
        *guesses = Guesses { wrong: guesses.wrong + 1, last: now };
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// The cookie that begins it. `Secure` where others could listen; a browser takes that from localhost as well.
    pub(crate) fn cookie(&self, is_secure: bool) -> String {
        let secure = if is_secure { "; Secure" } else { "" };
        format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict{secure}", self.id)
    }

    /// Whether a request's header proves that a change comes from our page.
    pub(crate) fn is_proved_by(&self, header: Option<&[u8]>) -> bool {
        header.is_some_and(|header| is_same(self.csrf.as_bytes(), header))
    }
}

/// The cookie that ends a session.
pub(crate) fn no_cookie() -> String {
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("user", &self.user).field("role", &self.role).finish_non_exhaustive()
    }
}

/// 256 bits that nobody guesses, as hexadecimal digits.
pub(crate) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Whether two secrets are the same, in a time that does not tell how far they are.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(one.len() ^ other.len(), |difference, (one, other)| {
        // Kept from being cut short by a compiler that sees where this goes.
        std::hint::black_box(difference | usize::from(one ^ other))
    });
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_while_it_is_used_and_not_for_ever() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let session = sessions.begin("alice", Role::Operator, 1, start).unwrap();
        let is_there = |at| sessions.of(session.id.as_bytes(), at).is_some();
        let minutes = |count: u64| start + Duration::from_secs(60 * count);
        for minute in (0..12 * 60).step_by(50) {
            assert!(is_there(minutes(minute)), "{minute}");
        }
        assert!(!is_there(minutes(12 * 60 + 1)), "twelve hours are the most");
        let idle = sessions.begin("bob", Role::Viewer, 1, start).unwrap();
        assert!(sessions.of(idle.id.as_bytes(), minutes(61)).is_none());
        assert!(sessions.of(b"", start).is_none());
        assert!(!format!("{session:?}").contains(&session.id));
    }

    #[test]
    fn one_session_too_many_ends_the_oldest() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let all: Vec<Session> =
            (0..=SESSIONS_MAX).map(|_| sessions.begin("a", Role::Viewer, 1, now).unwrap()).collect();
        assert!(sessions.of(all[0].id.as_bytes(), now).is_none());
        assert!(sessions.of(all[1].id.as_bytes(), now).is_some());
        sessions.end(&all[1]);
        assert!(sessions.of(all[1].id.as_bytes(), now).is_none());
    }

    #[test]
    fn who_guesses_waits_longer_each_time_and_nobody_else_does() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let [guesser, other]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let mut waits = Vec::new();
        for _ in 0..14 {
            sessions.attempted(guesser, false, now);
            waits.push(sessions.wait(guesser, now).as_secs());
        }
        assert_eq!(waits, [0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(sessions.wait(other, now), Duration::ZERO);
        assert_eq!(sessions.wait(guesser, now + WAIT_MAX), Duration::ZERO);
        sessions.attempted(guesser, true, now);
        assert_eq!(sessions.wait(guesser, now), Duration::ZERO);
        for number in 0..2 * ADDRESSES_MAX as u32 {
            sessions.attempted(IpAddr::from(number.to_be_bytes()), false, now);
        }
        assert!(sessions.inner().guesses.len() <= ADDRESSES_MAX);
    }
}
