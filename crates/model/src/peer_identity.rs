//! What the other end's certificate says, and whether we believe it.
//!
//! Plain data. `palisade-identity` makes it from a chain of certificates; everybody else reads it. Where no certificate
//! was asked for, or the connection is plain, there is no `PeerIdentity` at all.

use std::fmt;

use crate::SpiffeId;

/// A peer that was asked for a certificate. That it holds the certificate's key was proved in the handshake, whatever
/// the chain is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    verify: Verification,
    certificate: Option<CertificateFacts>,
}

impl PeerIdentity {
    /// It was asked and sent none.
    pub const NONE: Self = Self { verify: Verification::None, certificate: None };

    /// It sent one that our certificate authorities vouch for.
    pub fn trusted(certificate: CertificateFacts) -> Self {
        Self { verify: Verification::Success, certificate: Some(certificate) }
    }

    /// It sent one that they do not vouch for.
    pub fn untrusted(failure: Failure, certificate: CertificateFacts) -> Self {
        Self { verify: Verification::Failed(failure), certificate: Some(certificate) }
    }

    /// What the chain is worth.
    pub fn verify(&self) -> Verification {
        self.verify
    }

    /// What the certificate says, believed or not: for logs and for applications that judge by themselves.
    pub fn certificate(&self) -> Option<&CertificateFacts> {
        self.certificate.as_ref()
    }

    /// What the certificate says where it is believed: what may decide something.
    pub fn trusted_certificate(&self) -> Option<&CertificateFacts> {
        self.certificate.as_ref().filter(|_| self.verify == Verification::Success)
    }

    /// Who the peer is: the SPIFFE id of a certificate that is believed.
    pub fn spiffe_id(&self) -> Option<&SpiffeId> {
        self.trusted_certificate()?.spiffe_id.as_ref()
    }
}

/// Whether a peer's certificate is believed. Prints as nginx's `$ssl_client_verify`: `NONE`, `SUCCESS`,
/// `FAILED:certificate has expired`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verification {
    /// None was sent.
    None,
    /// One of our certificate authorities vouches for it, now.
    Success,
    /// None does.
    Failed(Failure),
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("NONE"),
            Self::Success => f.write_str("SUCCESS"),
            Self::Failed(failure) => write!(f, "FAILED:{}", failure.reason),
        }
    }
}

/// Why a chain is not believed, in OpenSSL's terms: logs and applications know these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// `X509_V_ERR_...`, such as 20.
    pub code: u16,
    /// `unable to get local issuer certificate`.
    pub reason: &'static str,
}

/// What a certificate says of its holder. Only worth something beside a [`Verification`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The certificate itself.
    pub der: Box<[u8]>,
    /// The subject as RFC 2253 and nginx's `$ssl_client_s_dn` write it, the most specific first: `CN=web,O=Shop`.
    /// Always ASCII: other bytes are `\C3`.
    pub subject_dn: String,
    /// The subject as nginx's `$ssl_client_s_dn_legacy` writes it: `/O=Shop/CN=web`.
    pub subject_dn_legacy: String,
    /// The issuer, in the first form.
    pub issuer_dn: String,
    /// The issuer, in the second.
    pub issuer_dn_legacy: String,
    /// Every CN of the subject as text, in the order of the certificate.
    pub common_names: Vec<String>,
    /// In upper-case hex, two digits a byte: `0A1F`.
    pub serial: String,
    /// The first second in which it is valid, since 1970; the last of the year 9999 where what it says is no time.
    pub not_before: i64,
    /// The last; 0 where what it says is no time.
    pub not_after: i64,
    /// The SHA-1 of the certificate.
    pub sha1: [u8; 20],
    /// The SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// Who it names, where it is an X.509-SVID: exactly one URI, which is a valid SPIFFE id, and no certificate
    /// authority's.
    pub spiffe_id: Option<SpiffeId>,
    /// Every URI among its alternative names.
    pub uri_sans: Vec<String>,
    /// Every DNS name among its alternative names.
    pub dns_sans: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::{CertificateFacts, Failure, PeerIdentity, Verification};

    fn facts() -> CertificateFacts {
        CertificateFacts {
            der: Box::default(),
            subject_dn: "CN=web".into(),
            subject_dn_legacy: "/CN=web".into(),
            issuer_dn: "CN=ca".into(),
            issuer_dn_legacy: "/CN=ca".into(),
            common_names: vec!["web".into()],
            serial: "01".into(),
            not_before: 0,
            not_after: 1,
            sha1: [0; 20],
            sha256: [0; 32],
            spiffe_id: Some("spiffe://cluster.local/ns/shop/sa/web".parse().unwrap()),
            uri_sans: vec!["spiffe://cluster.local/ns/shop/sa/web".into()],
            dns_sans: Vec::new(),
        }
    }

    #[test]
    fn a_spiffe_id_is_an_identity_only_in_a_certificate_that_is_believed() {
        let expired = Failure { code: 10, reason: "certificate has expired" };
        let untrusted = PeerIdentity::untrusted(expired, facts());
        assert!(untrusted.certificate().unwrap().spiffe_id.is_some());
        assert_eq!((untrusted.spiffe_id(), untrusted.trusted_certificate()), (None, None));
        let trusted = PeerIdentity::trusted(facts());
        assert_eq!(trusted.spiffe_id().unwrap().service_account(), Some(("shop", "web")));
        assert_eq!((PeerIdentity::NONE.spiffe_id(), PeerIdentity::NONE.certificate()), (None, None));
    }

    #[test]
    fn a_verification_prints_as_nginx_prints_it() {
        let failure = Failure { code: 21, reason: "unable to verify the first certificate" };
        for (verification, text) in [
            (Verification::None, "NONE"),
            (Verification::Success, "SUCCESS"),
            (Verification::Failed(failure), "FAILED:unable to verify the first certificate"),
        ] {
            assert_eq!(verification.to_string(), text);
        }
    }
}
