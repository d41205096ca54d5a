//! What an application is told of a client's certificate, and that it is told so by nobody else.
//!
//! The names are those of ingress-nginx. What a client sends under them never goes on, whether its host asks for
//! certificates or not: an application that believes them cannot know. `-` and `_` are the same here, because they are to
//! application servers that make variables of headers (`HTTP_SSL_CLIENT_VERIFY`).

use palisade_identity::{XfccFields, escaped_certificate_pem, hex_lower, xfcc_element};
use palisade_inspect::openssl_time;
use palisade_model::PeerIdentity;

/// What a service's application is told beside the verdict and the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The header that has the certificate's fingerprint.
    pub fingerprint_header: String,
    /// How it is made.
    pub fingerprint_hash: FingerprintHash,
    /// Whether `ssl-client-cert` has the certificate, as URL-escaped PEM.
    pub certificate: bool,
    /// Whether `x-forwarded-client-cert` says it in Envoy's form.
    pub xfcc: bool,
    /// Further headers, and what each says.
    pub headers: Vec<(String, Fact)>,
}

/// What may be said of a certificate under a name of the service's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The verdict, which is said where there is no certificate as well.
    Verify,
    /// RFC 2253.
    SubjectDn,
    /// RFC 2253.
    IssuerDn,
    /// `/C=IL/CN=x`.
    SubjectDnLegacy,
    /// `/C=IL/CN=x`.
    IssuerDnLegacy,
    /// Upper-case hex.
    Serial,
    /// A hash of the certificate.
    Fingerprint(FingerprintHash),
    /// When it begins to be good.
    NotBefore,
    /// When it ends.
    NotAfter,
    /// Until then.
    DaysLeft,
    /// URL-escaped PEM.
    Certificate,
}

impl Fact {
    /// What is said, if there is anything to say.
    fn of(self, peer: &PeerIdentity) -> Option<String> {
        if self == Self::Verify {
            return Some(peer.verify().to_string());
        }
        let facts = peer.certificate()?;
        let said = match self {
            Self::Verify => return None,
            Self::SubjectDn => facts.subject_dn.to_string(),
            Self::IssuerDn => facts.issuer_dn.to_string(),
            Self::SubjectDnLegacy => facts.subject_dn_legacy.to_string(),
            Self::IssuerDnLegacy => facts.issuer_dn_legacy.to_string(),
            Self::Serial => facts.serial.to_string(),
            Self::Fingerprint(FingerprintHash::Sha1) => hex_lower(&facts.sha1),
            Self::Fingerprint(FingerprintHash::Sha256) => hex_lower(&facts.sha256),
            Self::NotBefore => openssl_time(facts.not_before),
            Self::NotAfter => openssl_time(facts.not_after),
            Self::DaysLeft => {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
                (facts.not_after.saturating_sub(now).max(0) / 86_400).to_string()
            }
            Self::Certificate => escaped_certificate_pem(&facts.der),
        };
        // A header without a value is none, as nginx has it.
        (!said.is_empty()).then_some(said)
    }
}

/// How a fingerprint is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FingerprintHash {
    /// 40 hex digits, as nginx has it.
    #[default]
    Sha1,
    /// 64.
    Sha256,
}

impl Default for Forward {
    fn default() -> Self {
        Self {
            fingerprint_header: "ssl-client-fingerprint".to_owned(),
            fingerprint_hash: FingerprintHash::default(),
            certificate: false,
            xfcc: false,
            headers: Vec::new(),
        }
    }
}

impl Forward {
    /// Whether a client may not say this: a name of ours, or the one that this service's fingerprint has.
    pub(crate) fn is_ours(&self, name: &[u8]) -> bool {
        is_identity_header(name)
            || same(name, self.fingerprint_header.as_bytes())
            || self.headers.iter().any(|(header, _)| same(name, header.as_bytes()))
    }

    /// Hands over what is said of a client of a host that asks for certificates. `own_uris` are those of the certificate
    /// that it was shown.
    pub(crate) fn fields(&self, peer: &PeerIdentity, own_uris: &[String], mut say: impl FnMut(&str, &str)) {
        say("ssl-client-verify", &peer.verify().to_string());
        for (header, fact) in &self.headers {
            if let Some(said) = fact.of(peer) {
                say(header, &said);
            }
        }
        let Some(facts) = peer.certificate() else { return };
        for (name, value) in
            [("ssl-client-subject-dn", &facts.subject_dn), ("ssl-client-issuer-dn", &facts.issuer_dn)]
        {
            if !value.is_empty() {
                say(name, value);
            }
        }
        let fingerprint = match self.fingerprint_hash {
            FingerprintHash::Sha1 => hex_lower(&facts.sha1),
            FingerprintHash::Sha256 => hex_lower(&facts.sha256),
        };
        say(&self.fingerprint_header, &fingerprint);
        say("ssl-client-serial", &facts.serial);
        if let Some(id) = peer.spiffe_id() {
            say("ssl-client-spiffe-id", id.as_str());
        }
        if self.certificate {
            say("ssl-client-cert", &escaped_certificate_pem(&facts.der));
        }
        // It has no place for a verdict, so it is only for certificates that are believed.
        if let (true, Some(facts)) = (self.xfcc, peer.trusted_certificate()) {
            say("x-forwarded-client-cert", &xfcc_element(facts, own_uris, XfccFields::USUAL));
        }
    }
}

/// Whether a name is one by which applications are told of certificates.
pub(crate) fn is_identity_header(name: &[u8]) -> bool {
    const NAMES: [&str; 8] = [
        "ssl-client-verify",
        "ssl-client-subject-dn",
        "ssl-client-issuer-dn",
        "ssl-client-fingerprint",
        "ssl-client-serial",
        "ssl-client-spiffe-id",
        "ssl-client-cert",
        "x-forwarded-client-cert",
    ];
    NAMES.iter().any(|own| same(name, own.as_bytes()))
}

/// Equal but for case and for `_` in place of `-`.
pub(crate) fn same(name: &[u8], own: &[u8]) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == own.len() && name.iter().zip(own).all(|(name, own)| fold(*name) == fold(*own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use palisade_model::{CertificateFacts, Failure};

    fn facts() -> CertificateFacts {
        CertificateFacts {
            der: Box::from(*b"certificate"),
            subject_dn: "CN=web".into(),
            subject_dn_legacy: "/CN=web".into(),
            issuer_dn: String::new(),
            issuer_dn_legacy: String::new(),
            common_names: vec!["web".into()],
            serial: "0A".into(),
            not_before: 0,
            not_after: 0,
            sha1: [0xAB; 20],
            sha256: [0xCD; 32],
            spiffe_id: "spiffe://cluster.local/ns/shop/sa/web".parse().ok(),
            uri_sans: vec!["spiffe://cluster.local/ns/shop/sa/web".into()],
            dns_sans: Vec::new(),
        }
    }

    fn said(forward: &Forward, peer: &PeerIdentity) -> Vec<String> {
        let mut out = Vec::new();
        forward.fields(peer, &["spiffe://cluster.local/us".to_owned()], |name, value| {
            out.push(format!("{name}: {value}"))
        });
        out
    }

    #[test]
    fn the_verdict_is_always_said_and_identities_are_said_of_those_who_are_believed() {
        let forward = Forward { certificate: true, xfcc: true, ..Forward::default() };
        assert_eq!(said(&forward, &PeerIdentity::NONE), ["ssl-client-verify: NONE"]);
        let fingerprint = format!("ssl-client-fingerprint: {}", "ab".repeat(20));
        let trusted = said(&forward, &PeerIdentity::trusted(facts()));
        assert_eq!(
            trusted[..5],
            [
                "ssl-client-verify: SUCCESS",
                "ssl-client-subject-dn: CN=web",
                &fingerprint,
                "ssl-client-serial: 0A",
                "ssl-client-spiffe-id: spiffe://cluster.local/ns/shop/sa/web",
            ]
        );
        assert!(trusted[5].starts_with("ssl-client-cert: -----BEGIN%20CERTIFICATE-----%0A"));
        assert!(trusted[6].starts_with("x-forwarded-client-cert: By=spiffe://cluster.local/us;Hash=cdcd"));
        let failure = Failure { code: 18, reason: "self-signed certificate" };
        let untrusted = said(&forward, &PeerIdentity::untrusted(failure, facts()));
        assert_eq!(untrusted[0], "ssl-client-verify: FAILED:self-signed certificate");
        assert_eq!(untrusted.len(), 5);
    }

    #[test]
    fn a_fingerprint_has_the_name_and_the_hash_that_the_service_wants() {
        let forward = Forward {
            fingerprint_header: "X-Client-Print".into(),
            fingerprint_hash: FingerprintHash::Sha256,
            ..Forward::default()
        };
        let said = said(&forward, &PeerIdentity::trusted(facts()));
        assert!(said.contains(&format!("X-Client-Print: {}", "cd".repeat(32))));
        assert!(forward.is_ours(b"x_client-print") && forward.is_ours(b"ssl-client-fingerprint"));
        assert!(!Forward::default().is_ours(b"x-client-print"));
    }

    #[test]
    fn further_headers_say_what_they_are_told_to_and_belong_to_us() {
        let headers = [
            ("X-Serial", Fact::Serial),
            ("X-Issuer", Fact::IssuerDn),
            ("X-Verify", Fact::Verify),
            ("X-From", Fact::NotBefore),
        ];
        let headers = headers.map(|(name, fact)| (name.to_owned(), fact)).to_vec();
        let forward = Forward { headers, ..Forward::default() };
        let trusted = said(&forward, &PeerIdentity::trusted(facts()));
        let own = ["X-Serial: 0A", "X-Verify: SUCCESS", "X-From: Jan  1 00:00:00 1970 GMT"];
        assert_eq!(trusted[1..4], own, "an empty issuer is not said");
        assert!(said(&forward, &PeerIdentity::NONE).contains(&"X-Verify: NONE".to_owned()));
        assert!(forward.is_ours(b"x_serial") && !Forward::default().is_ours(b"x-serial"));
    }

    #[test]
    fn names_are_ours_in_any_case_and_with_underscores() {
        for name in
            ["SSL-Client-Verify", "ssl_client_verify", "Ssl_Client-Subject_DN", "X_Forwarded_Client_Cert"]
        {
            assert!(is_identity_header(name.as_bytes()), "{name}");
        }
        for name in ["ssl-client", "ssl-client-verify-x", "x-forwarded-for", "sslclientverify", ""] {
            assert!(!is_identity_header(name.as_bytes()), "{name}");
        }
        for line in said(
            &Forward { certificate: true, xfcc: true, ..Forward::default() },
            &PeerIdentity::trusted(facts()),
        ) {
            assert!(is_identity_header(line.split(':').next().unwrap().as_bytes()), "{line}");
        }
    }
}
