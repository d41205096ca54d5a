//! Whether a certificate's subject is one that a host is meant for.

use std::fmt;

use palisade_model::{PeerIdentity, Wildcard};

/// A condition on the subject of a client's certificate.
pub enum SubjectMatch {
    /// The certificate is believed, has one CN, and the whole of it is this text, where `*` stands for anything.
    Strict(Wildcard),
    /// A pattern is found anywhere in the whole subject as RFC 2253 writes it, believed or not, the empty text where
    /// there is no certificate: as ingress-nginx's `auth-tls-match-cn` does it, for those who come from there.
    /// `CN=hospital-1` lets `CN=hospital-10` in, and a subject with `OU=CN=hospital-1`. The pattern is compiled by
    /// whoever knows patterns.
    Compat(Box<dyn Fn(&str) -> bool + Send + Sync>),
}

impl SubjectMatch {
    /// The strict kind of `CN=hospital-1` or `CN=*.example.com`. None where the text is not `CN=` and 1 to 256 bytes.
    #[must_use]
    pub fn strict(text: &str) -> Option<Self> {
        Wildcard::new(text.strip_prefix("CN=")?).map(Self::Strict)
    }

    /// The compatible kind, by a compiled pattern that searches without an anchor and minds case.
    pub fn compat(pattern: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::Compat(Box::new(pattern))
    }

    /// Whether the subject is one of those. `peer` is None where no certificate was asked for.
    #[must_use]
    pub fn matches(&self, peer: Option<&PeerIdentity>) -> bool {
        match self {
            Self::Strict(wanted) => {
                let certificate = peer.and_then(PeerIdentity::trusted_certificate);
                match certificate.map(|certificate| certificate.common_names.as_slice()) {
                    Some([name]) => wanted.matches(name.as_bytes()),
                    _ => false,
                }
            }
            Self::Compat(pattern) => pattern(
                peer.and_then(PeerIdentity::certificate).map_or("", |facts| facts.subject_dn.as_str()),
            ),
        }
    }
}

impl fmt::Debug for SubjectMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strict(wanted) => f.debug_tuple("Strict").field(wanted).finish(),
            Self::Compat(_) => f.write_str("Compat(..)"),
        }
    }
}
