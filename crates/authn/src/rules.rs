//! What a token must hold to count at one place.

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::token::{Token, TokenError};

/// What is asked of tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenRules {
    /// Algorithms that are taken; a token chooses none of its own.
    pub algorithms: Vec<Algorithm>,
    /// `iss` must be one of them; any where there are none.
    pub issuers: Vec<String>,
    /// `aud` must be or hold one of them; any where there are none.
    pub audiences: Vec<String>,
    /// `typ` must be one of them, letter case and a leading `application/` aside; any where there are none.
    pub kinds: Vec<String>,
    /// How far clocks may be apart.
    pub leeway_seconds: u64,
    /// Whether a token without `exp` counts.
    pub endless: bool,
    /// Claims that it must have.
    pub required: Vec<Requirement>,
}

/// A claim that a token must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its name.
    pub claim: String,
    /// Values of which it must be or hold one; any value where there are none.
    pub values: Vec<String>,
}

impl TokenRules {
    /// What can be said before a signature is looked at.
    ///
    /// # Errors
    /// When a token is of an algorithm or a kind that is not taken.
    pub(crate) fn admit(&self, token: &Token<'_>) -> Result<(), TokenError> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(TokenError::Algorithm);
        }
        if self.kinds.is_empty() {
            return Ok(());
        }
        let plain = |kind: &str| {
            let kind = kind.to_ascii_lowercase();
            kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind)
        };
        let kind = token.kind.as_deref().map(plain).ok_or(TokenError::Kind)?;
        self.kinds.iter().any(|wanted| plain(wanted) == kind).then_some(()).ok_or(TokenError::Kind)
    }

    /// Judges the claims of a token whose signature is good, but for those that are required here. Until when it is valid
    /// comes back; `u64::MAX` for one without an end.
    ///
    /// # Errors
    /// When they are somebody else's, or of another time.
    pub(crate) fn judge(&self, claims: &Claims, now_seconds: u64) -> Result<u64, TokenError> {
        let until = match claims.get("exp") {
            None if self.endless => u64::MAX,
            None => return Err(TokenError::Claims),
            Some(exp) => seconds(exp)?.saturating_add(self.leeway_seconds),
        };
        if now_seconds >= until {
            return Err(TokenError::Expired);
        }
        if let Some(nbf) = claims.get("nbf")
            && seconds(nbf)?.saturating_sub(self.leeway_seconds) > now_seconds
        {
            return Err(TokenError::NotYetValid);
        }
        for name in ["iss", "sub", "jti"] {
            if claims.get(name).is_some_and(|value| !value.is_string()) {
                return Err(TokenError::Claims);
            }
        }
        if !self.issuers.is_empty() {
            let issuer = claims.string("iss").ok_or(TokenError::Issuer)?;
            if !self.issuers.iter().any(|wanted| wanted == issuer) {
                return Err(TokenError::Issuer);
            }
        }
        let is_for_us = |audience: &str| self.audiences.iter().any(|wanted| wanted == audience);
        let heard = match claims.get("aud") {
            None => self.audiences.is_empty(),
            Some(Value::String(audience)) => self.audiences.is_empty() || is_for_us(audience),
            Some(Value::Array(all)) if all.iter().all(Value::is_string) => {
                self.audiences.is_empty() || all.iter().filter_map(Value::as_str).any(is_for_us)
            }
            Some(_) => return Err(TokenError::Claims),
        };
        if heard { Ok(until) } else { Err(TokenError::Audience) }
    }

    /// Whether a token that counts says what is asked for here.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn satisfy(&self, claims: &Claims) -> Result<(), TokenError> {
        let holds = |Requirement { claim, values }: &Requirement| match values.is_empty() {
            true => claims.get(claim).is_some(),
            false => values.iter().any(|value| claims.holds(claim, value)),
        };
        self.required.iter().all(holds).then_some(()).ok_or(TokenError::Requirement)
    }
}

/// A NumericDate: seconds since 1970, perhaps with a fraction, which is dropped.
fn seconds(value: &Value) -> Result<u64, TokenError> {
    if let Some(whole) = value.as_u64() {
        return Ok(whole);
    }
    let number = value.as_f64().filter(|number| number.is_finite()).ok_or(TokenError::Claims)?;
    // What is before 1970 is over, or has long begun. A float becomes the nearest number that fits.
    Ok(number.max(0.0) as u64)
}
