//! Where state is that several processes have in common.

use crate::decode::{Shape, section};
use crate::sinks::{PlainText, VariableName};
use crate::tls::UpstreamTls;
use crate::value::{FilePath, FromText, Located, Refused, Time, decode_as_text};

section! {
    /// State that several processes have in common: entries of lists, counts of rate limits, persistent collections of rules.
    /// Each process has its own without it. A change needs a restart.
    pub struct SharedState {
        /// A Redis or Valkey that all of them reach.
        redis: Option<Located<Redis>>,
    }
}

section! {
    /// A Redis (5 or later) or Valkey: one server, or an address that leads to the one in charge. No request waits for it but
    /// for a collection, and for that no longer than `lookup`; where it is away, every process goes on with what it knows.
    pub struct Redis {
        /// The server: `redis://HOST:PORT/DATABASE`, `rediss://` for TLS, `unix:PATH` for a socket. Port and database may be
        /// left out: 6379, 0.
        url: Located<RedisUrl>,
        /// The user of its access control list; its default user when absent.
        username: Option<PlainText>,
        /// A file with the user's password, read anew for each connection.
        password_file: Option<FilePath>,
        /// A variable with it.
        password_env: Option<VariableName>,
        /// TLS, for `rediss://`, as towards a service.
        tls: Option<Located<UpstreamTls>>,
        /// What the names of all keys begin with. Processes that have the same share their state.
        prefix: KeyPrefix = "palisade",
        /// After so long without an answer it counts as away.
        timeout: Time = "1s",
        /// How long a request waits for a collection that is not known freshly; then what is known here counts.
        lookup: Time = "20ms",
        /// How old what is known of a collection may be without being asked for anew.
        fresh: Time = "200ms",
    }
}

/// Where a Redis is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisUrl {
    text: String,
    place: RedisPlace,
    database: u32,
}

/// The place of a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisPlace {
    /// A host, by name or address.
    Host {
        /// Without brackets.
        host: String,
        /// Its port.
        port: u16,
        /// TLS is spoken.
        tls: bool,
    },
    /// The path of a socket.
    Socket(String),
}

const PORT: u16 = 6379;

impl RedisUrl {
    /// As it is written. It holds no secret.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it leads.
    pub fn place(&self) -> &RedisPlace {
        &self.place
    }

    /// Which database.
    pub fn database(&self) -> u32 {
        self.database
    }

    /// Whether TLS is spoken there.
    pub fn is_tls(&self) -> bool {
        matches!(self.place, RedisPlace::Host { tls: true, .. })
    }
}

impl FromText for RedisUrl {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let refused = |what: &str| {
            Err((
                what.to_owned(),
                "write one such as rediss://redis:6379/0 or unix:/run/redis.sock".to_owned(),
            ))
        };
        if text.len() > 1024 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refused("is no place of a Redis");
        }
        if let Some(path) = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")) {
            if !path.starts_with('/') {
                return refused("is not the path of a socket from the root");
            }
            let place = RedisPlace::Socket(path.to_owned());
            return Ok(Self { text: text.to_owned(), place, database: 0 });
        }
        let (tls, rest) = match (text.strip_prefix("redis://"), text.strip_prefix("rediss://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return refused("is no place of a Redis"),
        };
        if rest.contains('@') {
            let help = "write `username` and one of `passwordFile` and `passwordEnv` beside it";
            return Err(("holds a name or a password".to_owned(), help.to_owned()));
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = match database {
            "" => Some(0),
            digits => digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit())),
        };
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, Some(PORT)),
            Some((host, port)) => (host, port.strip_prefix(':').and_then(|port| port.parse().ok())),
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().ok()),
                None => (authority, Some(PORT)),
            },
        };
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        match (host, port.filter(|port| *port > 0), database) {
            (host, Some(port), Some(database)) if !host.is_empty() && host.bytes().all(known) => Ok(Self {
                text: text.to_owned(),
                place: RedisPlace::Host { host: host.to_owned(), port, tls },
                database,
            }),
            _ => refused("is no place of a Redis"),
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "where a Redis is",
            pattern: Some("^(rediss?://[^@/]+(/[0-9]*)?|unix:(//)?/.+)$"),
            example: "rediss://redis:6379/0",
        }
    }
}

/// What keys begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for KeyPrefix {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:{}".contains(&byte);
        match (1..=64).contains(&text.len()) && text.bytes().all(known) {
            true => Ok(Self(text.to_owned())),
            false => {
                let help = "write up to 64 letters, digits, `-`, `_`, `.`, `:`, `{` and `}`";
                Err(("is nothing that keys begin with".to_owned(), help.to_owned()))
            }
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "the begin of keys",
            pattern: Some("^[A-Za-z0-9_.:{}-]{1,64}$"),
            example: "palisade",
        }
    }
}

decode_as_text!(RedisUrl, KeyPrefix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_one_with_a_password_is_refused() {
        for (text, host, port, tls, database) in [
            ("redis://redis", "redis", 6379, false, 0),
            ("rediss://redis.example.com:6380/3", "redis.example.com", 6380, true, 3),
            ("redis://[::1]:7000/", "::1", 7000, false, 0),
            ("redis://[::1]", "::1", 6379, false, 0),
        ] {
            let url = RedisUrl::from_text(text).unwrap();
            let place = RedisPlace::Host { host: host.to_owned(), port, tls };
            assert_eq!((url.place(), url.database()), (&place, database), "{text}");
        }
        for text in ["unix:/run/redis.sock", "unix:///run/redis.sock"] {
            let url = RedisUrl::from_text(text).unwrap();
            assert_eq!(url.place(), &RedisPlace::Socket("/run/redis.sock".to_owned()));
        }
        for (text, said) in [
            ("redis://:secret@redis", "holds a name or a password"),
            ("http://redis", "is no place"),
            ("redis://", "is no place"),
            ("redis://redis:0", "is no place"),
            ("redis://redis/x", "is no place"),
            ("redis://a b", "is no place"),
            ("unix:redis.sock", "is not the path"),
        ] {
            assert!(RedisUrl::from_text(text).unwrap_err().0.contains(said), "{text}");
        }
        assert!(KeyPrefix::from_text("shop:{a}").is_ok() && KeyPrefix::from_text("a*").is_err());
    }
}
