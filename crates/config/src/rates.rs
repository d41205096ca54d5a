//! Rate limits as a file has them.

use crate::decode::{Shape, section};
use crate::headers::HeaderName;
use crate::value::{Count, FromText, Located, Name, Refused, Time, decode_as_text, words};

section! {
    /// A bound on how often somebody may ask. Above it the answer is 429 with Retry-After, in every mode and for sources on
    /// the allow list as well. Places that name the same limit share its counts. They are this process's own where no
    /// `sharedState` is named: three of them behind one address let pass three times as much then.
    pub struct RateLimit {
        /// Its name in services, routes, logs and metrics.
        name: Located<Name>,
        /// What tells one from another: `address` (of the client; an IPv6 one by its network of 64 bits), `path`,
        /// `header:NAME`, `cookie:NAME`, `argument:NAME` (of the query), `claim:NAME` (of who it is from, `sub` for one; where
        /// `authentication` is asked), or several of these, which count together. Requests without the header, cookie, argument
        /// or claim count as of one. What clients may choose freely is best named beside `address`.
        key: Vec<RateKey>,
        /// So many requests.
        requests: Count,
        /// In so much time.
        per: Time = "1s",
        /// `sliding-window`: those of the time that ends now; `leaky-bucket`: evenly, and `burst` beyond that at once.
        by: Counting = "sliding-window",
        /// Requests beyond the even pace that may come at once, for leaky-bucket.
        burst: u32 = "0",
        /// The status above it: 429 or 503.
        status: RateStatus = "429",
    }
}

words! {
    /// How requests are counted.
    pub enum Counting: "how to count" {
        /// Those of the time that ends now.
        SlidingWindow = "sliding-window",
        /// They fill a bucket that leaks evenly.
        LeakyBucket = "leaky-bucket",
    }
}

words! {
    /// The status of an answer above a rate limit.
    pub enum RateStatus: "a status above a rate limit" {
        /// Too Many Requests.
        TooMany = "429",
        /// Service Unavailable, as nginx answers.
        Unavailable = "503",
    }
}

/// What tells one who asks from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RateKey {
    /// The client's address.
    Address,
    /// The path, in its normal form.
    Path,
    /// The value of a header.
    Header(HeaderName),
    /// The value of a cookie.
    Cookie(String),
    /// The value of a parameter of the query.
    Argument(String),
    /// What is said of who it is from, once that is known.
    Claim(String),
}

const NAME_BYTES_MAX: usize = 128;

impl FromText for RateKey {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let help = "write address, path, header:NAME, cookie:NAME, argument:NAME or claim:NAME";
        let named = |name: &str| match name.is_empty() || name.len() > NAME_BYTES_MAX {
            true => Err(("has no name of up to 128 bytes".to_owned(), help.to_owned())),
            false => Ok(name.to_owned()),
        };
        match text.split_once(':') {
            None if text == "address" => Ok(Self::Address),
            None if text == "path" => Ok(Self::Path),
            Some(("header", name)) => HeaderName::from_text(name).map(Self::Header),
            Some(("cookie", name)) => named(name).map(Self::Cookie),
            Some(("argument", name)) => named(name).map(Self::Argument),
            Some(("claim", name)) => named(name).map(Self::Claim),
            _ => Err(("tells nobody from another".to_owned(), help.to_owned())),
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "what tells one from another",
            pattern: Some("^(address|path|(header|cookie|argument|claim):.+)$"),
            example: "address",
        }
    }
}

decode_as_text!(Counting, RateStatus, RateKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        assert_eq!(RateKey::from_text("argument:user"), Ok(RateKey::Argument("user".to_owned())));
        assert_eq!(RateKey::from_text("address"), Ok(RateKey::Address));
        for (text, said) in [
            ("claim:", "has no name"),
            ("cookie:", "has no name"),
            ("header:a b", "is no header's name"),
            ("ip", "tells nobody from another"),
        ] {
            assert!(RateKey::from_text(text).unwrap_err().0.contains(said), "{text}");
        }
    }
}
