//! A signed token in its compact form (RFC 7515 section 7.1): `HEADER.CLAIMS.SIGNATURE`, each in base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::json;

/// Bytes of a token. Identity providers stay below 4 KiB, as cookies and heads do.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a token's header, decoded. Those with a chain of certificates have about 5 KiB.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a key's id.
const KEY_ID_BYTES_MAX: usize = 256;

/// A token that was read, and not verified.
///
/// Of the header these count: `alg`, `kid`, `typ`, `crit`. `jku`, `jwk`, `x5u`, `x5c` and thumbprints are ignored, as RFC 7515
/// has it for who does not use them: keys are known beforehand, and nothing in a token leads to another.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    /// How it says that it is signed.
    pub algorithm: Algorithm,
    /// The key that it names. A text that is compared with those of known keys, and nothing else.
    pub key_id: Option<String>,
    /// What it says it is.
    pub kind: Option<String>,
    /// What is signed.
    pub(crate) signed: &'a [u8],
    pub(crate) claims: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// Why a token does not count. What is said of it is for logs: who sent it is told that it is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// Its form is not that of a token.
    #[error("it is no signed token")]
    Malformed,
    /// It is longer than any.
    #[error("it is too long")]
    TooLong,
    /// `crit` names something that has to be understood, and nothing of that kind is.
    #[error("it needs an extension that is not understood")]
    Critical,
    /// It is signed by an algorithm that is not allowed here, or not at all.
    #[error("its algorithm is not allowed")]
    Algorithm,
    /// It is of another kind than is asked for.
    #[error("it is of another kind")]
    Kind,
    /// No known key has its key id and is for its algorithm.
    #[error("its key is not known")]
    UnknownKey,
    /// Nobody who has a key has signed it.
    #[error("its signature is not good")]
    Signature,
    /// A claim that has a meaning here is missing or of a wrong type.
    #[error("its claims are not those of a token")]
    Claims,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Somebody else has issued it.
    #[error("its issuer is another")]
    Issuer,
    /// It is for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// It is good, and does not say what is asked for here.
    #[error("it lacks a claim that is required here")]
    Requirement,
}

impl TokenError {
    /// In one word, for metrics and logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::Critical => "critical",
            Self::Algorithm => "algorithm",
            Self::Kind => "kind",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Requirement => "requirement",
        }
    }
}

impl<'a> Token<'a> {
    /// Reads the compact form: three parts, canonical base64url without padding, a header that is one JSON object without a
    /// name twice. O(n).
    ///
    /// # Errors
    /// When it is no token, or one that cannot be judged here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TokenError> {
        if bytes.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let mut parts = bytes.split(|byte| *byte == b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let signed = &bytes[..header.len() + 1 + claims.len()];
        let header = decoded(header)?;
        if header.len() > HEADER_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let header = json::object(&header).ok_or(TokenError::Malformed)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(TokenError::Critical);
        }
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(TokenError::Malformed),
        };
        let (algorithm, key_id, kind) = (text("alg")?, text("kid")?, text("typ")?);
        if key_id.as_ref().is_some_and(|id| id.len() > KEY_ID_BYTES_MAX) {
            return Err(TokenError::UnknownKey);
        }
        let algorithm = algorithm.ok_or(TokenError::Malformed)?;
        let algorithm = Algorithm::from_name(&algorithm).ok_or(TokenError::Algorithm)?;
        Ok(Self { algorithm, key_id, kind, signed, claims: decoded(claims)?, signature: decoded(signature)? })
    }
}

/// Canonical base64url: no padding, no blanks, no bits beyond the last byte. One token has one spelling.
pub(crate) fn decoded(text: &[u8]) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)
}
