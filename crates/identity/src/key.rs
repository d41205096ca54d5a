//! Public keys, and signatures that are checked by them.

use ring::signature::{self as ring_signature, UnparsedPublicKey, VerificationAlgorithm};

use crate::der::{self, Element, Malformed, Reader};

/// A certificate's key.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    kind: KeyKind,
    /// What the BIT STRING holds: the form that `ring` takes.
    bytes: Box<[u8]>,
    /// SHA-256 of the whole SubjectPublicKeyInfo: what tells keys apart.
    digest: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa {
        bits: usize,
    },
    /// An RSA key that signs by PSS alone.
    RsaPss {
        bits: usize,
    },
    P256,
    P384,
    /// A named curve that `ring` does not know.
    OtherCurve,
    /// A curve that the key describes by itself.
    ExplicitCurve,
    Ed25519,
    /// Nothing can be said about it.
    Unknown,
}

/// How a certificate, a CRL or a handshake was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureAlgorithm {
    RsaPkcs1(Digest),
    /// With a mask of the same digest and a salt as long as it, which is all that `ring` takes.
    RsaPss(Digest),
    /// PSS of another make.
    RsaPssOther,
    Ecdsa(Digest),
    Ed25519,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl PublicKey {
    pub(crate) fn read(element: &Element<'_>) -> Result<Self, Malformed> {
        let mut parts = element.reader();
        let (algorithm, bits) = (parts.expect(der::SEQUENCE)?, parts.expect(der::BIT_STRING)?);
        parts.end()?;
        let (oid, parameters) = algorithm_identifier(&algorithm)?;
        let bytes = bits.whole_bits()?;
        let kind = match oid {
            RSA => KeyKind::Rsa { bits: modulus_bits(bytes)? },
            RSA_PSS => KeyKind::RsaPss { bits: modulus_bits(bytes)? },
            EC => match parameters {
                Some(curve) if curve.tag == der::OID => match curve.content {
                    CURVE_P256 => KeyKind::P256,
                    CURVE_P384 => KeyKind::P384,
                    _ => KeyKind::OtherCurve,
                },
                Some(curve) if curve.tag == der::SEQUENCE => KeyKind::ExplicitCurve,
                _ => return Err(Malformed),
            },
            ED25519 => KeyKind::Ed25519,
            _ => KeyKind::Unknown,
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, element.whole);
        Ok(Self {
            kind,
            bytes: bytes.into(),
            digest: digest.as_ref().try_into().expect("SHA-256 is 32 bytes"),
        })
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether it is as strong as OpenSSL's security level 2 wants: 112 bits, RSA of 2048. A key of which nothing can
    /// be said is not.
    pub(crate) fn is_strong(&self) -> bool {
        match self.kind {
            KeyKind::Rsa { bits } | KeyKind::RsaPss { bits } => bits >= RSA_BITS_MIN,
            KeyKind::P256
            | KeyKind::P384
            | KeyKind::OtherCurve
            | KeyKind::ExplicitCurve
            | KeyKind::Ed25519 => true,
            KeyKind::Unknown => false,
        }
    }

    /// Whether a signature of this kind can be made with a key of this kind.
    pub(crate) fn can_make(&self, algorithm: SignatureAlgorithm) -> bool {
        use SignatureAlgorithm as Algorithm;
        matches!(
            (self.kind, algorithm),
            (KeyKind::Rsa { .. }, Algorithm::RsaPkcs1(_) | Algorithm::RsaPss(_) | Algorithm::RsaPssOther)
                | (KeyKind::RsaPss { .. }, Algorithm::RsaPss(_) | Algorithm::RsaPssOther)
                | (
                    KeyKind::P256 | KeyKind::P384 | KeyKind::OtherCurve | KeyKind::ExplicitCurve,
                    Algorithm::Ecdsa(_)
                )
                | (KeyKind::Ed25519, Algorithm::Ed25519)
        )
    }

    /// Whether this key made that signature. What `ring` cannot check was not made by it.
    pub(crate) fn verify(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let Some(checked) = self.by_ring(algorithm) else { return false };
        UnparsedPublicKey::new(checked, &self.bytes).verify(message, signature).is_ok()
    }

    /// Whether a signature of that kind can be checked with this key at all.
    pub(crate) fn can_check(&self, algorithm: SignatureAlgorithm) -> bool {
        self.by_ring(algorithm).is_some()
    }

    fn by_ring(&self, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
        use Digest::{Sha1, Sha256, Sha384, Sha512};
        use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1, RsaPss};
        Some(match (self.kind, algorithm) {
            // Short keys and SHA-1 are refused by strength; that the signature is right is another matter.
            (KeyKind::Rsa { .. }, RsaPkcs1(Sha1)) => {
                &ring_signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY
            }
            (KeyKind::Rsa { .. }, RsaPkcs1(Sha256)) => {
                &ring_signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
            }
            (KeyKind::Rsa { .. }, RsaPkcs1(Sha384)) => &ring_signature::RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa { .. }, RsaPkcs1(Sha512)) => {
                &ring_signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
            }
            (KeyKind::Rsa { .. } | KeyKind::RsaPss { .. }, RsaPss(Sha256)) => {
                &ring_signature::RSA_PSS_2048_8192_SHA256
            }
            (KeyKind::Rsa { .. } | KeyKind::RsaPss { .. }, RsaPss(Sha384)) => {
                &ring_signature::RSA_PSS_2048_8192_SHA384
            }
            (KeyKind::Rsa { .. } | KeyKind::RsaPss { .. }, RsaPss(Sha512)) => {
                &ring_signature::RSA_PSS_2048_8192_SHA512
            }
            (KeyKind::P256, Ecdsa(Sha256)) => &ring_signature::ECDSA_P256_SHA256_ASN1,
            (KeyKind::P256, Ecdsa(Sha384)) => &ring_signature::ECDSA_P256_SHA384_ASN1,
            (KeyKind::P384, Ecdsa(Sha256)) => &ring_signature::ECDSA_P384_SHA256_ASN1,
            (KeyKind::P384, Ecdsa(Sha384)) => &ring_signature::ECDSA_P384_SHA384_ASN1,
            (KeyKind::Ed25519, Ed25519) => &ring_signature::ED25519,
            _ => return None,
        })
    }
}

impl SignatureAlgorithm {
    pub(crate) fn read(element: &Element<'_>) -> Result<Self, Malformed> {
        use Digest::{Md5, Sha1, Sha224, Sha256, Sha384, Sha512};
        let (oid, parameters) = algorithm_identifier(element)?;
        Ok(match oid {
            [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, which] => match which {
                4 => Self::RsaPkcs1(Md5),
                5 => Self::RsaPkcs1(Sha1),
                10 => pss(parameters).map_or(Self::RsaPssOther, Self::RsaPss),
                11 => Self::RsaPkcs1(Sha256),
                12 => Self::RsaPkcs1(Sha384),
                13 => Self::RsaPkcs1(Sha512),
                14 => Self::RsaPkcs1(Sha224),
                _ => Self::Unknown,
            },
            [0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1] => Self::Ecdsa(Sha1),
            [0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, which] => match which {
                1 => Self::Ecdsa(Sha224),
                2 => Self::Ecdsa(Sha256),
                3 => Self::Ecdsa(Sha384),
                4 => Self::Ecdsa(Sha512),
                _ => Self::Unknown,
            },
            ED25519 => Self::Ed25519,
            _ => Self::Unknown,
        })
    }

    /// Whether the digest is as strong as OpenSSL 3's security level 2 wants: 112 bits. SHA-1 counts 63 there, MD5 39;
    /// level 1 wants 80, so neither level takes them.
    pub(crate) fn is_strong(self) -> bool {
        match self {
            Self::RsaPkcs1(digest) | Self::RsaPss(digest) | Self::Ecdsa(digest) => {
                !matches!(digest, Digest::Md5 | Digest::Sha1)
            }
            Self::Ed25519 | Self::RsaPssOther => true,
            Self::Unknown => false,
        }
    }
}

/// The OID and the parameters of an AlgorithmIdentifier.
fn algorithm_identifier<'a>(element: &Element<'a>) -> Result<(&'a [u8], Option<Element<'a>>), Malformed> {
    let mut parts = element.reader();
    let oid = parts.expect(der::OID)?;
    let parameters = if parts.is_empty() { None } else { Some(parts.next()?) };
    parts.end()?;
    Ok((oid.content, parameters))
}

/// The digest of PSS parameters of the common make. Source: RFC 4055, section 3.1.
fn pss(parameters: Option<Element<'_>>) -> Option<Digest> {
    let mut parts = parameters.filter(|element| element.tag == der::SEQUENCE)?.reader();
    let digest_of = |element: &Element<'_>| match algorithm_identifier(element).ok()?.0 {
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1] => Some((Digest::Sha256, 32)),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2] => Some((Digest::Sha384, 48)),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3] => Some((Digest::Sha512, 64)),
        _ => None,
    };
    let (digest, length) = digest_of(&parts.expect(der::constructed(0)).ok()?.only().ok()?)?;
    let mask = parts.expect(der::constructed(1)).ok()?.only().ok()?;
    let (mask, mask_digest) = algorithm_identifier(&mask).ok()?;
    let salt = parts.expect(der::constructed(2)).ok()?.only().ok()?;
    // A trailer field, where there is one, says what it would say by default.
    let same = mask == MGF1 && digest_of(&mask_digest?)?.0 == digest && salt.unsigned().ok()? == length;
    same.then_some(digest)
}

fn modulus_bits(key: &[u8]) -> Result<usize, Malformed> {
    let mut parts = Reader::only(key, der::SEQUENCE)?.reader();
    let (modulus, _exponent) = (parts.expect(der::INTEGER)?, parts.expect(der::INTEGER)?);
    parts.end()?;
    let modulus = modulus.content;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = &modulus[zeros..];
    Ok(significant.first().map_or(0, |first| significant.len() * 8 - first.leading_zeros() as usize))
}

/// OpenSSL counts RSA of 2048 bits as 112.
const RSA_BITS_MIN: usize = 2048;

const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
const RSA_PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10];
const MGF1: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 8];
const EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
const CURVE_P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
const CURVE_P384: &[u8] = &[0x2B, 0x81, 4, 0, 0x22];
const ED25519: &[u8] = &[0x2B, 0x65, 0x70];
