//! Client certificates: whatever a client sends, the verdict is one of those that there are, nobody unknown is believed,
//! and what applications read says nothing that the certificate did not.

use palisade_identity::{
    Admission, Anchors, ClientCertificates, FAILURES, Handshake, SIGNATURE_SCHEMES, XfccFields,
    certificate_pem, escaped_certificate_pem, possession, verify, xfcc_element,
};
use palisade_model::{CertificateFacts, PeerIdentity, SpiffeId, Verification};

/// A chain under authorities: one byte of options (the lowest bit: there is a revocation list; the next three: the
/// depth), then DER in pieces, each behind its length in two bytes: an authority, the list where there is one, the chain.
///
/// # Panics
/// When something did not hold.
pub fn certificate_chain(bytes: &[u8]) {
    let Some((options, mut rest)) = bytes.split_first() else { return };
    let mut pieces = Vec::new();
    while let [high, low, after @ ..] = rest {
        let (piece, behind) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(after.len()));
        pieces.push(piece);
        rest = behind;
    }
    let has_list = options & 1 != 0;
    let Some((authority, pieces)) = pieces.split_first() else { return };
    let (list, chain) = match pieces.split_first() {
        Some((list, chain)) if has_list => {
            (Some(certificate_pem(list).replace("CERTIFICATE", "X509 CRL")), chain)
        }
        _ => (None, pieces),
    };
    let nobody = Anchors::nobody();
    let depth = options >> 1 & 7;
    let anchors =
        Anchors::new(certificate_pem(authority).as_bytes(), list.as_deref().map(str::as_bytes), depth);
    let Ok(stranger) = verify(chain, &nobody, NOW) else {
        assert!(anchors.is_err() || verify(chain, anchors.as_ref().unwrap_or(&nobody), NOW).is_err());
        return;
    };
    check(&stranger);
    assert_ne!(stranger.verify(), Verification::Success);
    if let Some(facts) = stranger.certificate() {
        for scheme in SIGNATURE_SCHEMES {
            for handshake in [Handshake::Tls12, Handshake::Tls13] {
                assert!(possession(&facts.der, handshake, *scheme, b"message", &facts.sha256).is_err());
            }
        }
    }
    if let Ok(anchors) = anchors {
        let peer = verify(chain, &anchors, NOW).expect("what can be read does not depend on the authorities");
        check(&peer);
        assert_eq!(verify(chain, &anchors, NOW).as_ref(), Ok(&peer), "a second look says the same");
        assert_eq!(peer.certificate(), stranger.certificate());
    }
}

/// A subject and alternative names in a certificate that is right otherwise: one byte of the subject's length, the
/// relative names of the subject, the alternative names.
///
/// # Panics
/// When something did not hold.
pub fn certificate_names(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (subject, alternative) = rest.split_at(usize::from(*length).min(rest.len()));
    let certificate = certificate_of(subject, alternative);
    let Ok(peer) = verify(&[&certificate], &Anchors::nobody(), NOW) else { return };
    check(&peer);
    assert_eq!(peer.certificate().expect("one was sent").der[..], certificate[..]);
}

/// A SPIFFE id: what is read prints as it was, and is within its grammar.
///
/// # Panics
/// When something did not hold.
pub fn spiffe_id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(id) = text.parse::<SpiffeId>() else { return };
    assert_eq!(id.to_string(), text);
    assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text);
    assert!(text.is_ascii() && text.len() <= 2048 && (1..=255).contains(&id.trust_domain().len()));
    assert!(!text.contains("/..//") && !text.ends_with('/') && !text.contains(['%', '?', '#', ' ']));
    if let Some((namespace, name)) = id.service_account() {
        assert_eq!(format!("/ns/{namespace}/sa/{name}"), id.path());
        assert!(!namespace.is_empty() && !name.is_empty());
    }
}

fn check(peer: &PeerIdentity) {
    match peer.verify() {
        Verification::None => assert_eq!(peer.certificate(), None),
        Verification::Success => assert!(peer.certificate().is_some()),
        Verification::Failed(failure) => {
            assert!(FAILURES.contains(&failure));
            assert_eq!((peer.trusted_certificate(), peer.spiffe_id()), (None, None));
            assert_ne!(ClientCertificates::On.admit(Some(peer)), Admission::Pass);
            assert_ne!(ClientCertificates::Optional.admit(Some(peer)), Admission::Pass);
        }
    }
    let Some(facts) = peer.certificate() else { return };
    for text in [
        &facts.subject_dn,
        &facts.subject_dn_legacy,
        &facts.issuer_dn,
        &facts.issuer_dn_legacy,
        &facts.serial,
    ] {
        assert!(is_field(text), "{text:?}");
    }
    let escaped = escaped_certificate_pem(&facts.der);
    assert!(escaped.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
    check_element(facts);
}

/// An element has no more parts than it was given, whatever the names are.
fn check_element(facts: &CertificateFacts) {
    let fields = XfccFields { certificate: true, subject: true, uri: true, dns: true };
    let element = xfcc_element(facts, &[], fields);
    assert!(is_field(&element), "{element:?}");
    let (mut parts, mut quoted, mut escaped) = (1, false, false);
    for byte in element.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => parts += 1,
            b',' => assert!(quoted, "{element:?}"),
            _ => {}
        }
    }
    assert!(!quoted && !escaped, "{element:?}");
    assert_eq!(parts, 3 + facts.uri_sans.len().max(1) + facts.dns_sans.len(), "{element:?}");
}

/// Whether a header can hold it.
fn is_field(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// A certificate of version 3 with an Ed25519 key and no signature of it.
fn certificate_of(subject: &[u8], alternative: &[u8]) -> Vec<u8> {
    let sequence = |parts: &[&[u8]]| element(0x30, &parts.concat());
    let ed25519 = sequence(&[&element(6, &[0x2B, 0x65, 0x70])]);
    let names = element(4, &element(0x30, alternative));
    let extension = sequence(&[&element(6, &[0x55, 0x1D, 17]), &names]);
    let times = [element(0x17, b"200101000000Z"), element(0x17, b"491231235959Z")].concat();
    let signed = sequence(&[
        &element(0xA0, &[2, 1, 2]),
        &element(2, &[1]),
        &ed25519,
        &element(0x30, &[]),
        &element(0x30, &times),
        &element(0x30, subject),
        &sequence(&[&ed25519, &element(3, &[0; 33])]),
        &element(0xA3, &element(0x30, &extension)),
    ]);
    sequence(&[&signed, &ed25519, &element(3, &[0; 65])])
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("inputs are short").to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let head = match content.len() {
        short @ 0..0x80 => vec![tag, short as u8],
        _ => [&[tag, 0x80 | (4 - zeros) as u8], &length[zeros..]].concat(),
    };
    [&head, content].concat()
}

/// 2027-01-15: within the time of the certificates among the kept inputs.
const NOW: i64 = 1_800_000_000;
