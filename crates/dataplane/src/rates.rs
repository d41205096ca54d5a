//! Rate limits at work: what of a request is its key, and where counts stand.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_authn::Identity;
use palisade_config::RateKey;
use palisade_http::{RequestHead, Target, normal_path, percent_decode};
use palisade_lists::{Actor, Counting, Meter, Moment, Pace, Rate, Seed, Together};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use crate::metrics::{Count, Sample, Take, Value};

/// The limits that hold for a request.
pub type Rates = Arc<[Arc<RateLimit>]>;

/// A limit, shared by all who name it.
#[derive(Debug)]
pub struct RateLimit {
    name: String,
    written: palisade_config::RateLimit,
    rate: Rate,
    /// In pieces, so that workers seldom wait for one another.
    pieces: [Mutex<Piece>; PIECES],
    seed: Seed,
    sharing: Arc<Sharing>,
    /// The limit as it is written, hashed: counts of one that is written otherwise elsewhere, as during an update, stay apart.
    shared_name: [u8; 32],
    above: Count,
}

#[derive(Debug)]
struct Piece {
    meter: Meter,
    /// Requests that were counted and that others have not been told of, by key.
    taken: HashMap<SharedKey, u32>,
}

/// A limit and a key of it, hashed: the same in every process. It begins with a mark of the limit.
pub type SharedKey = [u8; 16];

/// Bytes of the mark.
const MARK: usize = 4;

fn piece_of(key: &SharedKey) -> usize {
    usize::from(key[MARK]) % PIECES
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // What stands there is whole after every statement.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether others count with us.
#[derive(Debug, Default)]
struct Sharing {
    /// They may: keys have the names that all know them by.
    is_configured: AtomicBool,
    /// Somebody tells them at the moment.
    tells: AtomicBool,
    wake: Arc<Notify>,
}

/// Limits by name, over reloads: a limit that stays as it is keeps its counts.
#[derive(Debug, Default)]
pub struct RateLimits {
    known: Mutex<HashMap<String, Arc<RateLimit>>>,
    sharing: Arc<Sharing>,
}

const PIECES: usize = 16;
/// Keys of one limit that are counted by themselves; others share.
const KEYS_MAX: usize = 131_072;

/// A request above a limit.
#[derive(Debug)]
pub(crate) struct Above {
    pub(crate) limit: Arc<RateLimit>,
    pub(crate) wait: Duration,
}

impl RateLimits {
    /// The limit that is written so.
    pub fn of(&self, written: &palisade_config::RateLimit) -> Arc<RateLimit> {
        let mut known = self.known();
        match known.get(written.name.as_str()) {
            Some(limit) if limit.written == *written => limit.clone(),
            _ => {
                let limit = Arc::new(RateLimit::new(written, self.sharing.clone()));
                known.insert(limit.name.clone(), limit.clone());
                limit
            }
        }
    }

    /// Has keys named as all processes name them. Before the first request.
    pub fn share(&self) {
        self.sharing.is_configured.store(true, Ordering::Relaxed);
    }

    /// Whether requests are noted that others are to be told of.
    pub fn tell(&self, tell: bool) {
        self.sharing.tells.store(tell, Ordering::Relaxed);
        if !tell {
            // Who hears of them later would count them as of then.
            for limit in self.known().values() {
                limit.pieces.iter().for_each(|piece| lock(piece).taken = HashMap::new());
            }
        }
    }

    /// Wakes when there is something to tell.
    pub fn wake(&self) -> Arc<Notify> {
        self.sharing.wake.clone()
    }

    /// Requests that others have not been told of, so many keys at most. They count as told.
    pub fn taken(&self, most: usize) -> Vec<(SharedKey, Rate, u32)> {
        let limits: Vec<Arc<RateLimit>> = self.known().values().cloned().collect();
        let mut all = Vec::new();
        for limit in limits {
            for piece in &limit.pieces {
                let mut piece = lock(piece);
                let keys: Vec<SharedKey> = piece.taken.keys().take(most - all.len()).copied().collect();
                let some = keys.iter().filter_map(|key| Some((*key, limit.rate, piece.taken.remove(key)?)));
                all.extend(some);
            }
        }
        all
    }

    /// Goes on with what all processes have counted.
    pub fn adopt(&self, known: &[(SharedKey, Together)], now: Moment) {
        let limits: Vec<Arc<RateLimit>> = self.known().values().cloned().collect();
        for (key, together) in known {
            for limit in limits.iter().filter(|limit| limit.is_mine(key)) {
                let mut piece = lock(&limit.pieces[piece_of(key)]);
                let since = piece.taken.get(key).copied().unwrap_or_default();
                piece.meter.adopt(key, *together, since, now);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<RateLimit>>> {
        lock(&self.known)
    }

    pub(crate) fn visit_metrics(&self, take: Take<'_>) {
        for limit in self.known().values() {
            take(Sample {
                name: "palisade_rate_limited_total",
                help: "Requests that were refused because they came above a rate limit, by its name.",
                labels: &[("limit", &limit.name)],
                value: Value::Counter(limit.above.value()),
            });
        }
    }
}

impl RateLimit {
    fn new(written: &palisade_config::RateLimit, sharing: Arc<Sharing>) -> Self {
        let random = || RandomState::new().hash_one(0);
        let rate = Rate {
            requests: written.requests.get(),
            per: written.per.duration(),
            by: match written.by {
                palisade_config::Counting::SlidingWindow => Counting::SlidingWindow,
                palisade_config::Counting::LeakyBucket => Counting::LeakyBucket { burst: written.burst },
            },
        };
        let seed = Seed(random(), random());
        Self {
            name: written.name.to_string(),
            written: written.clone(),
            shared_name: Sha256::digest(format!("{}\0{rate:?}\0{:?}", &*written.name, written.key)).into(),
            rate,
            pieces: std::array::from_fn(|_| {
                let meter = Meter::new(rate, KEYS_MAX / PIECES, seed);
                Mutex::new(Piece { meter, taken: HashMap::new() })
            }),
            seed,
            sharing,
            above: Count::default(),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The status above it.
    pub(crate) fn status(&self) -> u16 {
        match self.written.status {
            palisade_config::RateStatus::TooMany => 429,
            palisade_config::RateStatus::Unavailable => 503,
        }
    }

    /// Whether it tells one from another by who they are.
    fn is_by_claim(&self) -> bool {
        self.written.key.iter().any(|key| matches!(key, RateKey::Claim(_)))
    }

    fn take(&self, head: &RequestHead, client: IpAddr, who: Option<&Identity>, now: Moment) -> Pace {
        let mut key = Vec::with_capacity(64);
        for part in &self.written.key {
            let value = value_of(part, head, client, who);
            // With its length, so that two values do not read as two others.
            key.extend_from_slice(&(value.len() as u64).to_le_bytes());
            key.extend_from_slice(&value);
        }
        if self.sharing.is_configured.load(Ordering::Relaxed) {
            return self.take_shared(&self.shared_key(&key), now);
        }
        // Not the hash by which the meter tells keys apart: its bits are used up here.
        let piece = Seed(self.seed.1, self.seed.0).hash_one(&key) as usize % PIECES;
        lock(&self.pieces[piece]).meter.take(&key, now)
    }

    fn take_shared(&self, key: &SharedKey, now: Moment) -> Pace {
        let mut piece = lock(&self.pieces[piece_of(key)]);
        let pace = piece.meter.take(key, now);
        if pace == Pace::Within && self.sharing.tells.load(Ordering::Relaxed) {
            let room = piece.taken.len() < KEYS_MAX / PIECES;
            match piece.taken.get_mut(key) {
                Some(count) => *count = count.saturating_add(1),
                // Of more keys at once than are counted by themselves, these are not told.
                None if !room => return pace,
                None => drop(piece.taken.insert(*key, 1)),
            }
            drop(piece);
            self.sharing.wake.notify_one();
        }
        pace
    }

    /// The name of a key in all processes. Hashed: no store need know who asks.
    fn shared_key(&self, key: &[u8]) -> SharedKey {
        let mut hash = Sha256::new();
        hash.update(self.shared_name);
        hash.update(key);
        let mut name = [0; 16];
        name.copy_from_slice(&hash.finalize()[..16]);
        name[..MARK].copy_from_slice(&self.shared_name[..MARK]);
        name
    }

    fn is_mine(&self, key: &SharedKey) -> bool {
        key[..MARK] == self.shared_name[..MARK]
    }
}

/// Which limits are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By<'a> {
    /// Those that need nothing but the request.
    Request,
    /// Those that need who it is from, where that is known.
    Claim(Option<&'a Identity>),
}

/// Counts a request. The first limit that it is above; it does not count towards later ones then.
pub(crate) fn first_above(
    rates: &Rates,
    head: &RequestHead,
    client: IpAddr,
    by: By<'_>,
    now: Moment,
) -> Option<Above> {
    let (by_claim, who) = match by {
        By::Request => (false, None),
        By::Claim(who) => (true, who),
    };
    let limits = rates.iter().filter(|limit| limit.is_by_claim() == by_claim);
    limits.into_iter().find_map(|limit| match limit.take(head, client, who, now) {
        Pace::Within => None,
        Pace::Above(wait) => {
            limit.above.one();
            Some(Above { limit: limit.clone(), wait })
        }
    })
}

/// What a request has for a part of a key; nothing where it has none.
fn value_of<'h>(
    key: &RateKey,
    head: &'h RequestHead,
    client: IpAddr,
    who: Option<&Identity>,
) -> Cow<'h, [u8]> {
    let joined = |values: Vec<&[u8]>| match values[..] {
        [] => Cow::Borrowed(&b""[..]),
        [one] => Cow::Owned(one.to_vec()),
        _ => Cow::Owned(values.join(&b'\n')),
    };
    match key {
        RateKey::Claim(name) => {
            let claim = who.and_then(|who| who.claim(name));
            Cow::Owned(claim.map(|claim| claim.into_owned().into_bytes()).unwrap_or_default())
        }
        RateKey::Address => Cow::Owned(Actor::new(client, None).source.to_string().into_bytes()),
        RateKey::Path => {
            let target = Target::new(&head.target, &head.method);
            Cow::Owned(match normal_path(target.path()) {
                Some(path) => path.to_vec(),
                None => target.path().to_vec(),
            })
        }
        RateKey::Header(name) => {
            let name = name.as_str().as_bytes();
            let fields = head.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            joined(fields.map(|(_, value)| value).collect())
        }
        RateKey::Cookie(name) => {
            let fields = head.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(b"cookie"));
            let cookies = fields.flat_map(|(_, value)| value.split(|byte| *byte == b';'));
            let named = cookies.filter_map(|cookie| {
                let (other, value) = split(cookie.trim_ascii(), b'=');
                (other == name.as_bytes()).then_some(value)
            });
            joined(named.collect())
        }
        RateKey::Argument(name) => {
            let (_, query) = split(&head.target, b'?');
            let pairs = query.split(|byte| *byte == b'&');
            let mut values = Vec::new();
            for pair in pairs {
                let (other, value) = split(pair, b'=');
                // One value has many spellings, and they are one.
                if decoded(other) == name.as_bytes() {
                    values.extend_from_slice(&decoded(value));
                    values.push(b'\n');
                }
            }
            Cow::Owned(values)
        }
    }
}

/// What stands before and after the first of a byte; all before it where there is none.
fn split(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == at) {
        Some(place) => (&text[..place], &text[place + 1..]),
        None => (text, b""),
    }
}

/// Undoes `+` and %HH; what is no escape stays.
fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, fields: &[(&str, &str)]) -> RequestHead {
        let mut head =
            RequestHead { method: b"GET".to_vec(), target: target.into(), ..RequestHead::default() };
        fields.iter().for_each(|(name, value)| head.headers.push(name.as_bytes(), value.as_bytes()));
        head
    }

    fn value(key: RateKey, target: &str, fields: &[(&str, &str)]) -> String {
        let head = head(target, fields);
        String::from_utf8(value_of(&key, &head, "2001:db8::7".parse().unwrap(), None).into_owned()).unwrap()
    }

    #[test]
    fn a_key_is_read_as_the_service_would_read_it() {
        let argument = |target| value(RateKey::Argument("user".into()), target, &[]);
        for target in ["/?user=a b", "/?user=a+b", "/x?y=1&%75ser=%61%20b", "/?user=a%20b&users=2"] {
            assert_eq!(argument(target), "a b\n", "{target}");
        }
        assert_eq!(argument("/?user=1&user=%zz"), "1\n%zz\n");
        assert_eq!(argument("/?user=%+1&user=%1"), "% 1\n%1\n", "a sign is no digit");
        assert_eq!(argument("/user"), "");
        let cookie = |value_of| value(RateKey::Cookie("s".into()), "/", &[("Cookie", value_of)]);
        assert_eq!((cookie("a=1; s=2;ss=3"), cookie("a=s")), ("2".to_owned(), String::new()));
        assert_eq!(value(RateKey::Path, "//a/./b/%63?x", &[]), "/a/b/c");
        assert_eq!(value(RateKey::Address, "/", &[]), "2001:db8::/64");
    }
}
