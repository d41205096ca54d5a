//! The name of a workload: `spiffe://TRUST-DOMAIN/PATH`.
//!
//! Only the name. Whether its bearer proved anything is [`PeerIdentity`](crate::PeerIdentity)'s to say, and whether a
//! trust domain is one of ours is policy's.

use std::fmt;
use std::str::FromStr;

/// A whole SPIFFE id is at most so long. Source: the SPIFFE-ID standard, 2.3.
pub const SPIFFE_ID_BYTES_MAX: usize = 2048;

/// A trust domain is at most so long. Source: the SPIFFE-ID standard, 2.3.
pub const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// A valid SPIFFE id, as it is written: equal names are equal bytes, nothing is folded or decoded.
///
/// Source: the SPIFFE-ID standard, section 2. A trust domain is of lower-case letters, digits, `.`, `-` and `_`; a path
/// is empty or `/segment` once or more, of letters, digits, `.`, `-` and `_`, where no segment is empty, `.` or `..`.
/// The scheme is taken in lower case only, as every issuer writes it.
///
/// ```
/// use palisade_model::SpiffeId;
/// let id: SpiffeId = "spiffe://cluster.local/ns/shop/sa/web".parse().unwrap();
/// assert_eq!((id.trust_domain(), id.path()), ("cluster.local", "/ns/shop/sa/web"));
/// assert_eq!(id.service_account(), Some(("shop", "web")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    text: Box<str>,
    /// Where the path begins.
    path_at: usize,
}

impl SpiffeId {
    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `cluster.local`.
    pub fn trust_domain(&self) -> &str {
        &self.text[SCHEME.len()..self.path_at]
    }

    /// Empty, or from its first slash on.
    pub fn path(&self) -> &str {
        &self.text[self.path_at..]
    }

    /// Namespace and name where the path is `/ns/NAMESPACE/sa/NAME`, the form that Istio and Calico give to Kubernetes
    /// service accounts.
    pub fn service_account(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.path().strip_prefix("/ns/")?.split_once("/sa/")?;
        (!namespace.contains('/') && !name.contains('/')).then_some((namespace, name))
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > SPIFFE_ID_BYTES_MAX {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (trust_domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let in_domain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if trust_domain.is_empty()
            || trust_domain.len() > TRUST_DOMAIN_BYTES_MAX
            || !trust_domain.bytes().all(in_domain)
        {
            return Err(SpiffeIdError::TrustDomain);
        }
        let segments = path.split('/').skip(1);
        for segment in segments {
            if matches!(segment, "" | "." | "..") || !segment.bytes().all(in_path) {
                return Err(SpiffeIdError::Path);
            }
        }
        Ok(Self { text: text.into(), path_at: SCHEME.len() + trust_domain.len() })
    }
}

/// Why a text is no SPIFFE id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpiffeIdError {
    /// It is longer than [`SPIFFE_ID_BYTES_MAX`].
    TooLong,
    /// It does not begin with `spiffe://`.
    Scheme,
    /// The trust domain is empty, too long, or has a character that none has.
    TrustDomain,
    /// A segment of the path is empty, `.`, `..`, or has a character that none has.
    Path,
}

impl fmt::Display for SpiffeIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a SPIFFE id has at most 2048 bytes",
            Self::Scheme => "a SPIFFE id begins with `spiffe://`, as in `spiffe://cluster.local/ns/shop/sa/web`",
            Self::TrustDomain => {
                "a trust domain has 1 to 255 of lower-case letters, digits, `.`, `-` and `_`, and no port"
            }
            Self::Path => {
                "a SPIFFE id's path has segments of letters, digits, `.`, `-` and `_`, none empty, `.` or `..`, and no \
                 slash at the end"
            }
        })
    }
}

impl std::error::Error for SpiffeIdError {}

const SCHEME: &str = "spiffe://";

#[cfg(test)]
mod tests {
    use super::{SPIFFE_ID_BYTES_MAX, SpiffeId, SpiffeIdError};
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<SpiffeId, SpiffeIdError> {
        text.parse()
    }

    #[test]
    fn what_the_standard_allows_is_read_and_what_it_forbids_is_not() {
        for good in [
            "spiffe://trustdomain",
            "spiffe://trust-domain_1.example/path",
            "spiffe://staging.example.com/payments/web-fe",
            "spiffe://k8s-west.example.com/9eebccd2-12bf-40a6-b262-65fe0487d453",
            "spiffe://1.2.3.4/...",
            "spiffe://a/Path/With_Case.and-dots/.../a..b",
        ] {
            assert_eq!(parse(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", SpiffeIdError::Scheme),
            ("spiffe:/a/b", SpiffeIdError::Scheme),
            ("SPIFFE://a/b", SpiffeIdError::Scheme),
            ("https://a/b", SpiffeIdError::Scheme),
            (" spiffe://a/b", SpiffeIdError::Scheme),
            ("spiffe://", SpiffeIdError::TrustDomain),
            ("spiffe:///path", SpiffeIdError::TrustDomain),
            ("spiffe://Example.org/a", SpiffeIdError::TrustDomain),
            ("spiffe://user@a/b", SpiffeIdError::TrustDomain),
            ("spiffe://a:8443/b", SpiffeIdError::TrustDomain),
            ("spiffe://a?q", SpiffeIdError::TrustDomain),
            ("spiffe://ä/b", SpiffeIdError::TrustDomain),
            ("spiffe://a/", SpiffeIdError::Path),
            ("spiffe://a//b", SpiffeIdError::Path),
            ("spiffe://a/./b", SpiffeIdError::Path),
            ("spiffe://a/b/..", SpiffeIdError::Path),
            ("spiffe://a/b%20c", SpiffeIdError::Path),
            ("spiffe://a/b?x", SpiffeIdError::Path),
            ("spiffe://a/b#x", SpiffeIdError::Path),
            ("spiffe://a/b\0", SpiffeIdError::Path),
        ] {
            assert_eq!(parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn lengths_end_where_the_standard_says() {
        let domain = |length| format!("spiffe://{}/a", "d".repeat(length));
        assert!(parse(&domain(255)).is_ok());
        assert_eq!(parse(&domain(256)), Err(SpiffeIdError::TrustDomain));
        let whole = |length: usize| format!("spiffe://a/{}", "p".repeat(length - 11));
        assert!(parse(&whole(SPIFFE_ID_BYTES_MAX)).is_ok());
        assert_eq!(parse(&whole(SPIFFE_ID_BYTES_MAX + 1)), Err(SpiffeIdError::TooLong));
    }

    #[test]
    fn a_service_account_is_four_segments_and_no_others() {
        for (path, account) in [
            ("/ns/shop/sa/web", Some(("shop", "web"))),
            ("/ns/sa/sa/sa", Some(("sa", "sa"))),
            ("/ns/shop/sa", None),
            ("/ns/shop/sa/web/x", None),
            ("/x/ns/shop/sa/web", None),
            ("/ns/a/b/sa/web", None),
            ("/ns/a/sa/b/sa/c", None),
            ("/NS/shop/SA/web", None),
            ("", None),
        ] {
            assert_eq!(parse(&format!("spiffe://d{path}")).unwrap().service_account(), account, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_as_the_same(
            domain in "[a-z0-9._-]{1,40}",
            segments in prop::collection::vec("[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}", 0..6),
        ) {
            let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
            let id = parse(&format!("spiffe://{domain}{path}")).unwrap();
            prop_assert_eq!((id.trust_domain(), id.path()), (domain.as_str(), path.as_str()));
            prop_assert_eq!(parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn any_text_is_refused_or_kept_as_it_is(text in "(spiffe://)?[a-cA/.%:\\-é]{0,20}") {
            if let Ok(id) = parse(&text) {
                prop_assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text);
            }
        }
    }
}
