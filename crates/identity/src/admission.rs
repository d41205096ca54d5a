//! Whether a host lets a client in by its certificate.

use std::fmt;
use std::str::FromStr;

use palisade_model::{PeerIdentity, Verification};

use crate::failure::is_unknown_issuer;

/// What a host asks of its clients. The words are those of nginx's `ssl_verify_client` and of ingress-nginx's
/// `auth-tls-verify-client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ClientCertificates {
    /// None is asked for.
    #[default]
    Off,
    /// One that we believe.
    On,
    /// None, or one that we believe.
    Optional,
    /// None, or any that is sound but for its issuer: the application judges whose it is.
    OptionalNoCa,
}

impl ClientCertificates {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Off, Self::On, Self::Optional, Self::OptionalNoCa];

    /// The word in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Optional => "optional",
            Self::OptionalNoCa => "optional_no_ca",
        }
    }

    /// A certificate is asked for in the handshake.
    #[must_use]
    pub fn asks(self) -> bool {
        self != Self::Off
    }

    /// Whether a request of this client is answered. `peer` is None where no certificate was asked for.
    /// Source: nginx's `ngx_http_process_request`, where `optional` refuses a certificate that fails, in spite of the
    /// documentation of ingress-nginx.
    #[must_use]
    pub fn admit(self, peer: Option<&PeerIdentity>) -> Admission {
        let verification = peer.map_or(Verification::None, PeerIdentity::verify);
        match (self, verification) {
            (Self::Off, _) | (_, Verification::Success) => Admission::Pass,
            (Self::On, Verification::None) => Admission::Missing,
            (_, Verification::None) => Admission::Pass,
            (Self::OptionalNoCa, Verification::Failed(failure)) if is_unknown_issuer(failure) => {
                Admission::Pass
            }
            (_, Verification::Failed(_)) => Admission::Invalid,
        }
    }
}

impl fmt::Display for ClientCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is none of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` says nothing of client certificates; use on, off, optional or optional_no_ca")]
pub struct UnknownClientCertificates(pub String);

impl FromStr for ClientCertificates {
    type Err = UnknownClientCertificates;

    fn from_str(text: &str) -> Result<Self, UnknownClientCertificates> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| UnknownClientCertificates(text.to_owned()))
    }
}

/// What [`ClientCertificates::admit`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admission {
    /// The request goes on.
    Pass,
    /// No certificate came: nginx's 496, a 400 to the client.
    Missing,
    /// One came that will not do: nginx's 495, a 400 to the client.
    Invalid,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{EXPIRED, FAILURES, SELF_SIGNED_LEAF, WRONG_PURPOSE};
    use palisade_model::{CertificateFacts, Failure};

    fn failed(failure: Failure) -> PeerIdentity {
        let facts = CertificateFacts {
            der: Box::default(),
            subject_dn: String::new(),
            subject_dn_legacy: String::new(),
            issuer_dn: String::new(),
            issuer_dn_legacy: String::new(),
            common_names: Vec::new(),
            serial: "00".into(),
            not_before: 0,
            not_after: 0,
            sha1: [0; 20],
            sha256: [0; 32],
            spiffe_id: None,
            uri_sans: Vec::new(),
            dns_sans: Vec::new(),
        };
        PeerIdentity::untrusted(failure, facts)
    }

    #[test]
    fn every_mode_reads_its_own_word() {
        for mode in ClientCertificates::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert!("On".parse::<ClientCertificates>().is_err());
    }

    #[test]
    fn modes_admit_as_nginx_does() {
        use Admission::{Invalid, Missing, Pass};
        use ClientCertificates::{Off, On, Optional, OptionalNoCa};
        let unknown = failed(SELF_SIGNED_LEAF);
        let expired = failed(EXPIRED);
        let purpose = failed(WRONG_PURPOSE);
        for (mode, none, of_unknown_issuer, of_another_failure) in [
            (Off, Pass, Pass, Pass),
            (On, Missing, Invalid, Invalid),
            (Optional, Pass, Invalid, Invalid),
            (OptionalNoCa, Pass, Pass, Invalid),
        ] {
            assert_eq!(mode.admit(None), none);
            assert_eq!(mode.admit(Some(&PeerIdentity::NONE)), none);
            assert_eq!(mode.admit(Some(&unknown)), of_unknown_issuer);
            assert_eq!(mode.admit(Some(&expired)), of_another_failure);
            assert_eq!(mode.admit(Some(&purpose)), of_another_failure);
        }
    }

    #[test]
    fn four_failures_are_those_of_an_unknown_issuer() {
        let tolerated: Vec<u16> = FAILURES
            .iter()
            .filter(|failure| is_unknown_issuer(**failure))
            .map(|failure| failure.code)
            .collect();
        assert_eq!(tolerated, [18, 19, 20, 21]);
    }
}
