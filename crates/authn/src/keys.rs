//! Keys that tokens may be signed by: a JWKS (RFC 7517), or a shared secret.

use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use ring::{digest, hmac};
use serde_json::{Map, Value};

use crate::algorithm::{Algorithm, Family};
use crate::json;
use crate::token::{Token, TokenError, decoded};

/// Bytes of a JWKS. Large providers have 20 KiB.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;
/// Bytes that a shared secret has at least (RFC 7518 section 3.2).
pub const SECRET_BYTES_MIN: usize = 32;
/// Keys of one set.
const KEYS_MAX: usize = 256;
/// Keys that one token is tried with: those of one id, or all, where neither token nor keys have one.
const CANDIDATES_MAX: usize = 4;
/// Bytes of an RSA modulus: ring takes 2048 to 8192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Keys by which tokens are judged.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<String>,
    revision: [u8; 32],
}

/// One of them.
struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, where it says one.
    algorithm: Option<Algorithm>,
    material: Material,
}

enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point as ring wants it: 0x04, x, y.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
    Secret(Vec<u8>),
}

/// Why bytes are no set of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is larger than any.
    #[error("it has more than {JWKS_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no object of JSON with a list `keys`.
    #[error("it is no JWKS: a JSON object with a list `keys`, and no name twice")]
    NotJwks,
    /// It holds more than any.
    #[error("it has more than {KEYS_MAX} keys")]
    TooMany,
    /// None of its keys can be used.
    #[error("none of its keys can be used{}", first(.0))]
    Empty(Vec<String>),
    /// A shared secret that can be guessed.
    #[error(
        "it has {0} bytes, and a secret has {SECRET_BYTES_MIN} at least: `openssl rand -hex 32` makes one"
    )]
    SecretTooShort(usize),
}

fn first(skipped: &[String]) -> String {
    skipped.first().map(|why| format!(": {why}")).unwrap_or_default()
}

impl KeySet {
    /// Reads a JWKS. Keys that are not for signatures, that we cannot use or that are secret are left out
    /// ([`skipped`](Self::skipped)), as RFC 7517 section 5 has it. Shared secrets (`oct`) are among those: what is published
    /// is no secret.
    ///
    /// # Errors
    /// When it is none, or none of its keys can be used.
    pub fn from_jwks(bytes: &[u8]) -> Result<Self, KeySetError> {
        if bytes.len() > JWKS_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        let jwks = json::object(bytes).ok_or(KeySetError::NotJwks)?;
        let Some(Value::Array(listed)) = jwks.get("keys") else { return Err(KeySetError::NotJwks) };
        if listed.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, jwk) in listed.iter().enumerate() {
            match Key::from_jwk(jwk) {
                Ok(key) => keys.push(key),
                Err(why) => skipped.push(format!("key {index} {why}")),
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::Empty(skipped));
        }
        Ok(Self { keys, skipped, revision: revision(bytes) })
    }

    /// A shared secret, for HS256, HS384 and HS512. A line end at its end is not part of it.
    ///
    /// # Errors
    /// When it is too short to be one.
    pub fn from_secret(bytes: &[u8]) -> Result<Self, KeySetError> {
        let secret = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeySetError::SecretTooShort(secret.len()));
        }
        let key = Key { id: None, algorithm: None, material: Material::Secret(secret.to_vec()) };
        Ok(Self { keys: vec![key], skipped: Vec::new(), revision: revision(secret) })
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Keys that were left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Equal for equal keys.
    pub(crate) fn revision(&self) -> [u8; 32] {
        self.revision
    }

    /// Whether one of the keys has signed a token. Its algorithm is allowed already.
    ///
    /// # Errors
    /// When none has, or none is the one that the token names.
    pub(crate) fn verify(&self, token: &Token<'_>) -> Result<(), TokenError> {
        let mut candidates = self.keys.iter().filter(|key| key.is_for(token));
        let tried: Vec<&Key> = candidates.by_ref().take(CANDIDATES_MAX).collect();
        if tried.is_empty() || candidates.next().is_some() {
            return Err(TokenError::UnknownKey);
        }
        match tried.iter().any(|key| key.material.has_signed(token)) {
            true => Ok(()),
            false => Err(TokenError::Signature),
        }
    }
}

impl Key {
    fn from_jwk(jwk: &Value) -> Result<Self, &'static str> {
        let Value::Object(jwk) = jwk else { return Err("is no object") };
        let text = |name: &str| match jwk.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err("has a member of a wrong type"),
        };
        if text("use")?.is_some_and(|usage| usage != "sig") {
            return Err("is not for signatures");
        }
        if let Some(operations) = jwk.get("key_ops") {
            let Value::Array(operations) = operations else { return Err("has a member of a wrong type") };
            if !operations.iter().any(|operation| operation == "verify") {
                return Err("is not for verifying");
            }
        }
        let (id, algorithm) = (text("kid")?, text("alg")?);
        let algorithm = match algorithm {
            None => None,
            Some(name) => Some(Algorithm::from_name(name).ok_or("is for an algorithm that is not taken")?),
        };
        let material = Material::from_jwk(jwk, text("kty")?, text("crv")?)?;
        if algorithm.is_some_and(|algorithm| algorithm.family() != material.family()) {
            return Err("says an algorithm that it is not for");
        }
        if jwk.contains_key("d") || jwk.contains_key("k") {
            return Err("is a private one, which belongs to nobody but its issuer");
        }
        Ok(Self { id: id.map(str::to_owned), algorithm, material })
    }

    fn is_for(&self, token: &Token<'_>) -> bool {
        // A shared secret is told to us by hand, and has no id of its own.
        let same_id = matches!(self.material, Material::Secret(_))
            || match &token.key_id {
                Some(id) => self.id.as_ref() == Some(id),
                None => true,
            };
        same_id
            && self.material.family() == token.algorithm.family()
            && self.algorithm.is_none_or(|only| only == token.algorithm)
    }
}

impl Material {
    fn from_jwk(
        jwk: &Map<String, Value>,
        kind: Option<&str>,
        curve: Option<&str>,
    ) -> Result<Self, &'static str> {
        let member = |name: &str| match jwk.get(name) {
            Some(Value::String(text)) => {
                decoded(text.as_bytes()).map_err(|_| "has a member that is no base64url")
            }
            _ => Err("lacks a member of its kind"),
        };
        match (kind, curve) {
            (Some("RSA"), _) => {
                let trimmed = |bytes: Vec<u8>| {
                    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                    bytes[zeros..].to_vec()
                };
                let (n, e) = (trimmed(member("n")?), trimmed(member("e")?));
                if !MODULUS_BYTES.contains(&n.len()) || e.is_empty() || e.len() > 5 {
                    return Err("is an RSA key of less than 2048 or more than 8192 bits, or an odd one");
                }
                Ok(Self::Rsa { n, e })
            }
            (Some("EC"), Some(curve @ ("P-256" | "P-384"))) => {
                let length = if curve == "P-256" { 32 } else { 48 };
                let (x, y) = (member("x")?, member("y")?);
                if x.len() != length || y.len() != length {
                    return Err("is a point of another curve");
                }
                let point = [&[4][..], &x, &y].concat();
                Ok(if curve == "P-256" { Self::P256(point) } else { Self::P384(point) })
            }
            (Some("OKP"), Some("Ed25519")) => {
                let x = member("x")?;
                if x.len() == 32 { Ok(Self::Ed25519(x)) } else { Err("is a point of another curve") }
            }
            (Some("oct"), _) => Err("is a shared secret, which is told by a file of its own (`secretFile`)"),
            _ => Err("is of a kind or a curve that is not taken"),
        }
    }

    fn family(&self) -> Family {
        match self {
            Self::Rsa { .. } => Family::Rsa,
            Self::P256(_) => Family::P256,
            Self::P384(_) => Family::P384,
            Self::Ed25519(_) => Family::Ed25519,
            Self::Secret(_) => Family::Secret,
        }
    }

    fn has_signed(&self, token: &Token<'_>) -> bool {
        let Token { algorithm, signed, signature, .. } = token;
        let by = |verification: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(verification, key).verify(signed, signature).is_ok()
        };
        let rsa = |parameters: &RsaParameters, n: &[u8], e: &[u8]| {
            RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
        };
        // ring compares in constant time.
        let secret = |hmac: hmac::Algorithm, secret: &[u8]| {
            hmac::verify(&hmac::Key::new(hmac, secret), signed, signature).is_ok()
        };
        match (self, algorithm) {
            (Self::Rsa { n, e }, Algorithm::Rs256) => rsa(&signature::RSA_PKCS1_2048_8192_SHA256, n, e),
            (Self::Rsa { n, e }, Algorithm::Rs384) => rsa(&signature::RSA_PKCS1_2048_8192_SHA384, n, e),
            (Self::Rsa { n, e }, Algorithm::Rs512) => rsa(&signature::RSA_PKCS1_2048_8192_SHA512, n, e),
            (Self::Rsa { n, e }, Algorithm::Ps256) => rsa(&signature::RSA_PSS_2048_8192_SHA256, n, e),
            (Self::Rsa { n, e }, Algorithm::Ps384) => rsa(&signature::RSA_PSS_2048_8192_SHA384, n, e),
            (Self::Rsa { n, e }, Algorithm::Ps512) => rsa(&signature::RSA_PSS_2048_8192_SHA512, n, e),
            (Self::P256(point), Algorithm::Es256) => by(&signature::ECDSA_P256_SHA256_FIXED, point),
            (Self::P384(point), Algorithm::Es384) => by(&signature::ECDSA_P384_SHA384_FIXED, point),
            (Self::Ed25519(point), Algorithm::EdDsa) => by(&signature::ED25519, point),
            (Self::Secret(key), Algorithm::Hs256) => secret(hmac::HMAC_SHA256, key),
            (Self::Secret(key), Algorithm::Hs384) => secret(hmac::HMAC_SHA384, key),
            (Self::Secret(key), Algorithm::Hs512) => secret(hmac::HMAC_SHA512, key),
            // Families are compared before.
            _ => false,
        }
    }
}

/// Shows no key: the one of a family is a secret.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("family", &self.material.family())
            .finish_non_exhaustive()
    }
}

fn revision(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}
