//! Tokens judged by keys and rules, and those remembered that were good.
//!
//! What is remembered is a token whose signature and claims were good, by the SHA-256 of all of it, under the keys that it was
//! judged by: another token, another byte of it or another set of keys is judged anew. Its times are compared again each time.
//! A token that is refused leaves nothing, so nobody without a key can take the place of others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest;

use crate::claims::Claims;
use crate::identity::{Identity, Method};
use crate::json;
use crate::keys::KeySet;
use crate::rules::TokenRules;
use crate::token::{Token, TokenError};

/// Tokens remembered by one authenticator, about.
pub const REMEMBERED_MAX: usize = SHARDS * 2 * YOUNG_MAX;
/// Bytes of a token that is remembered: larger ones are seldom, and their claims would take more memory than they save work.
const REMEMBERED_BYTES_MAX: usize = 4096;
/// Parts, so that threads seldom wait for one another.
const SHARDS: usize = 8;
/// Tokens of the younger half of a part. When it is full it becomes the older half, and what that held is forgotten.
const YOUNG_MAX: usize = 512;

/// Judges tokens.
#[derive(Debug)]
pub struct Tokens {
    authenticator: Arc<str>,
    rules: TokenRules,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<[u8; 32], Remembered>,
    old: HashMap<[u8; 32], Remembered>,
}

#[derive(Clone, Debug)]
struct Remembered {
    identity: Arc<Identity>,
    /// The keys that it was judged by.
    revision: [u8; 32],
}

impl Tokens {
    /// Judges tokens by rules, in the name of an authenticator.
    #[must_use]
    pub fn new(authenticator: Arc<str>, rules: TokenRules) -> Self {
        Self { authenticator, rules, shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Whom a token is of. Costs a SHA-256 where it was seen before; else a signature as well.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn judge(&self, token: &[u8], keys: &KeySet, now_seconds: u64) -> Result<Arc<Identity>, TokenError> {
        // Nothing this long was remembered, or is hashed.
        if token.len() > crate::token::TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let digest = digest::digest(&digest::SHA256, token);
        let digest: [u8; 32] = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        let shard = &self.shards[usize::from(digest[0]) % SHARDS];
        if let Some(Remembered { identity, revision }) = recall(shard, &digest)
            && revision == keys.revision()
        {
            // Times go on. Everything else about it is as it was.
            self.rules.judge(&identity.claims, now_seconds)?;
            return Ok(identity);
        }
        let identity = Arc::new(self.verify(token, keys, now_seconds)?);
        if token.len() <= REMEMBERED_BYTES_MAX {
            remember(shard, digest, Remembered { identity: identity.clone(), revision: keys.revision() });
        }
        Ok(identity)
    }

    fn verify(&self, token: &[u8], keys: &KeySet, now_seconds: u64) -> Result<Identity, TokenError> {
        let token = Token::parse(token)?;
        self.rules.admit(&token)?;
        keys.verify(&token)?;
        // Only now: what nobody has signed is not read.
        let claims = Claims::new(json::object(&token.claims).ok_or(TokenError::Claims)?);
        self.rules.judge(&claims, now_seconds)?;
        self.rules.satisfy(&claims)?;
        Ok(Identity {
            authenticator: self.authenticator.clone(),
            method: Method::Jwt,
            issuer: claims.string("iss").map(str::to_owned),
            subject: claims.string("sub").map(str::to_owned),
            key_id: token.key_id,
            claims,
        })
    }
}

fn recall(shard: &Mutex<Shard>, digest: &[u8; 32]) -> Option<Remembered> {
    // A panic inside would have lost an entry, which is verified again then.
    let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
    shard.young.get(digest).or_else(|| shard.old.get(digest)).cloned()
}

fn remember(shard: &Mutex<Shard>, digest: [u8; 32], remembered: Remembered) {
    let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
    if shard.young.len() >= YOUNG_MAX {
        shard.old = std::mem::take(&mut shard.young);
    }
    shard.young.insert(digest, remembered);
}
