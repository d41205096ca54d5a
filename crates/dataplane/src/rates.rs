//! Rate limits at work: what of a request is its key, and where counts stand.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use palisade_authn::Identity;
use palisade_config::RateKey;
use palisade_http::{RequestHead, Target, normal_path};
use palisade_lists::{Actor, Counting, Meter, Moment, Pace, Rate, Seed};

use crate::metrics::{Count, Sample, Take, Value};

/// The limits that hold for a request.
pub type Rates = Arc<[Arc<RateLimit>]>;

/// A limit, shared by all who name it.
#[derive(Debug)]
pub struct RateLimit {
    name: String,
    written: palisade_config::RateLimit,
    /// In pieces, so that workers seldom wait for one another.
    meters: [Mutex<Meter>; PIECES],
    seed: Seed,
    above: Count,
}

/// Limits by name, over reloads: a limit that stays as it is keeps its counts.
#[derive(Debug, Default)]
pub struct RateLimits(Mutex<HashMap<String, Arc<RateLimit>>>);

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
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(written.name.as_str()) {
            Some(limit) if limit.written == *written => limit.clone(),
            _ => {
                let limit = Arc::new(RateLimit::new(written));
                known.insert(limit.name.clone(), limit.clone());
                limit
            }
        }
    }

    pub(crate) fn visit_metrics(&self, take: Take<'_>) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for limit in known.values() {
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
    fn new(written: &palisade_config::RateLimit) -> Self {
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
            meters: std::array::from_fn(|_| Mutex::new(Meter::new(rate, KEYS_MAX / PIECES, seed))),
            seed,
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
        // Not the hash by which the meter tells keys apart: its bits are used up here.
        let piece = Seed(self.seed.1, self.seed.0).hash_one(&key) as usize % PIECES;
        let mut meter = self.meters[piece].lock().unwrap_or_else(PoisonError::into_inner);
        meter.take(&key, now)
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
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, byte) {
            (_, Some(byte)) => {
                out.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => out.push(b' '),
            (first, _) => out.push(*first),
        }
    }
    out
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
        assert_eq!(argument("/user"), "");
        let cookie = |value_of| value(RateKey::Cookie("s".into()), "/", &[("Cookie", value_of)]);
        assert_eq!((cookie("a=1; s=2;ss=3"), cookie("a=s")), ("2".to_owned(), String::new()));
        assert_eq!(value(RateKey::Path, "//a/./b/%63?x", &[]), "/a/b/c");
        assert_eq!(value(RateKey::Address, "/", &[]), "2001:db8::/64");
    }
}
