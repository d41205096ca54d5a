//! A peer whom a proxy of ours has let in: it took part in the handshake and verified the chain, and says who it was.

use palisade_model::{CertificateFacts, PeerIdentity, SpiffeId};

use crate::certificate::Certificate;
use crate::pem;

/// Who a proxy says that its peer is: by the name in its certificate (Envoy's `principal`), by the certificate as escaped
/// PEM (Envoy's `certificate`), or by both. `None` where neither says anything: the peer came without TLS, or without a
/// certificate.
///
/// The proxy's word is taken: it has to verify chains (`require_client_certificate` and a `validation_context`). Where the
/// name is not the one in the certificate, the peer has a certificate and no name.
#[must_use]
pub fn vouched(principal: &str, certificate: &str) -> Option<PeerIdentity> {
    let name: Option<SpiffeId> = principal.parse().ok();
    let facts = leaf(certificate);
    match (facts, name) {
        (None, None) => None,
        (Some(facts), None) if principal.is_empty() => Some(PeerIdentity::trusted(facts)),
        (Some(mut facts), name) => {
            facts.spiffe_id = facts.spiffe_id.filter(|held| Some(held) == name.as_ref());
            Some(PeerIdentity::trusted(facts))
        }
        (None, Some(name)) => Some(PeerIdentity::trusted(named(name))),
    }
}

/// What the first certificate of an escaped text says.
fn leaf(escaped: &str) -> Option<CertificateFacts> {
    let text = unescaped(escaped.as_bytes());
    let blocks = pem::blocks(&text).ok()?;
    let leaf = blocks.into_iter().find(|block| block.label == "CERTIFICATE")?;
    Some(Certificate::read(&leaf.der).ok()?.facts())
}

fn unescaped(escaped: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(escaped.len());
    let mut at = 0;
    while let Some(&byte) = escaped.get(at) {
        match (byte, digit(escaped.get(at + 1)), digit(escaped.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// What is known of a peer of whom only the name is.
fn named(name: SpiffeId) -> CertificateFacts {
    CertificateFacts {
        der: Box::default(),
        subject_dn: String::new(),
        subject_dn_legacy: String::new(),
        issuer_dn: String::new(),
        issuer_dn_legacy: String::new(),
        common_names: Vec::new(),
        serial: String::new(),
        not_before: 0,
        not_after: 0,
        sha1: [0; 20],
        sha256: [0; 32],
        uri_sans: vec![name.to_string()],
        spiffe_id: Some(name),
        dns_sans: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_an_identity_where_it_is_a_spiffe_id() {
        let web = vouched("spiffe://cluster.local/ns/shop/sa/web", "").unwrap();
        assert_eq!(web.spiffe_id().unwrap().service_account(), Some(("shop", "web")));
        for (principal, certificate) in
            [("", ""), ("CN=web", ""), ("", "%2D"), ("", "nonsense"), ("spiffe://", "")]
        {
            assert_eq!(vouched(principal, certificate), None, "{principal} {certificate}");
        }
    }

    #[test]
    fn escapes_that_are_none_stay() {
        assert_eq!(unescaped(b"%2Dx%2d%2%zz%"), b"-x-%2%zz%");
    }
}
