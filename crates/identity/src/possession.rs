//! Proof that a client holds its certificate's key: the signature of its handshake.
//!
//! For certificates of any version: TLS libraries that read certificates by the letter refuse those of version 1, which
//! is what `openssl x509 -req` makes of a request when nobody tells it otherwise.

use thiserror::Error;

use crate::certificate::Certificate;
use crate::key::{Digest, KeyKind, SignatureAlgorithm};

/// The version of the handshake: it says which signatures may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// TLS 1.2: PKCS #1 signatures may be made, ECDSA by any curve with any digest.
    Tls12,
    /// TLS 1.3: neither.
    Tls13,
}

/// Why a client did not prove anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PossessionError {
    /// The certificate is none.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// Not a way of signing that we check, or not one of this version of TLS and this kind of key.
    #[error("a signature of scheme {scheme:#06x} is not one that this key can make in this version of TLS")]
    Scheme {
        /// TLS's number of it.
        scheme: u16,
    },
    /// Somebody else signed, or something else.
    #[error("the signature is not one of the certificate's key")]
    Signature,
}

/// The schemes of signatures that [`possession`] checks, by TLS's numbers, the preferred first: ECDSA, EdDSA, RSA.
pub const SIGNATURE_SCHEMES: &[u16] =
    &[0x0503, 0x0403, 0x0807, 0x0806, 0x0805, 0x0804, 0x080B, 0x080A, 0x0809, 0x0601, 0x0501, 0x0401];

/// Whether the key of a leaf certificate (DER, any X.509 version) made a handshake's signature over a message, by a
/// scheme of TLS's numbers. The message is whole: in TLS 1.3 with its 64 blanks and its context.
///
/// RSA keys have 2048 to 8192 bits, but 1024 and more with PKCS #1 and SHA-256 or SHA-512 in TLS 1.2; curves are P-256
/// and P-384.
pub fn possession(
    leaf: &[u8],
    handshake: Handshake,
    scheme: u16,
    message: &[u8],
    signature: &[u8],
) -> Result<(), PossessionError> {
    use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1, RsaPss};
    let leaf = Certificate::read(leaf).map_err(|_| PossessionError::Unreadable)?;
    let (algorithm, makes_it): (_, fn(KeyKind) -> bool) = match (scheme, handshake) {
        (0x0401, Handshake::Tls12) => (RsaPkcs1(Digest::Sha256), is_rsa),
        (0x0501, Handshake::Tls12) => (RsaPkcs1(Digest::Sha384), is_rsa),
        (0x0601, Handshake::Tls12) => (RsaPkcs1(Digest::Sha512), is_rsa),
        (0x0403, Handshake::Tls12) => (Ecdsa(Digest::Sha256), is_curve),
        (0x0503, Handshake::Tls12) => (Ecdsa(Digest::Sha384), is_curve),
        (0x0403, Handshake::Tls13) => (Ecdsa(Digest::Sha256), |kind| kind == KeyKind::P256),
        (0x0503, Handshake::Tls13) => (Ecdsa(Digest::Sha384), |kind| kind == KeyKind::P384),
        (0x0804, _) => (RsaPss(Digest::Sha256), is_rsa),
        (0x0805, _) => (RsaPss(Digest::Sha384), is_rsa),
        (0x0806, _) => (RsaPss(Digest::Sha512), is_rsa),
        (0x0809, _) => (RsaPss(Digest::Sha256), is_rsa_pss),
        (0x080A, _) => (RsaPss(Digest::Sha384), is_rsa_pss),
        (0x080B, _) => (RsaPss(Digest::Sha512), is_rsa_pss),
        (0x0807, _) => (Ed25519, |kind| kind == KeyKind::Ed25519),
        _ => return Err(PossessionError::Scheme { scheme }),
    };
    if !makes_it(leaf.key.kind()) {
        return Err(PossessionError::Scheme { scheme });
    }
    if leaf.key.verify(algorithm, message, signature) { Ok(()) } else { Err(PossessionError::Signature) }
}

fn is_rsa(kind: KeyKind) -> bool {
    matches!(kind, KeyKind::Rsa { .. })
}

fn is_rsa_pss(kind: KeyKind) -> bool {
    matches!(kind, KeyKind::RsaPss { .. })
}

fn is_curve(kind: KeyKind) -> bool {
    matches!(kind, KeyKind::P256 | KeyKind::P384)
}
