//! Who a request is from, by what it carries: signed tokens and API keys.
//!
//! ```text
//!  request ── Place ──> credential ── Token (strict) ── KeySet: one known key ── signature ── TokenRules ──> Identity
//!                           └──────── ApiKeys: SHA-256 ───────────────────────────────────────────────────┘
//! ```
//!
//! The one idea to hold: nothing that a token says is looked at before its signature is good, but for which of the known
//! keys, and which of the allowed algorithms, that signature is by. A token cannot bring a key, a place of keys or an
//! algorithm of its own.
//!
//! Not here: where keys come from and when they are fetched anew, an authentication server that is asked, what becomes of a
//! refusal (`palisade-dataplane`). No I/O, no clock: keys and the time are arguments. Cryptography is ring's.

mod algorithm;
mod api_keys;
mod claims;
mod identity;
mod json;
mod keys;
mod place;
mod rules;
mod token;
mod tokens;

pub use algorithm::Algorithm;
pub use api_keys::{API_KEYS_BYTES_MAX, API_KEYS_MAX, ApiKeys, ApiKeysError};
pub use claims::Claims;
pub use identity::{Identity, Method};
pub use keys::{JWKS_BYTES_MAX, KeySet, KeySetError, SECRET_BYTES_MIN};
pub use place::{Found, Place};
pub use rules::{Requirement, TokenRules};
pub use token::{TOKEN_BYTES_MAX, Token, TokenError};
pub use tokens::{REMEMBERED_MAX, Tokens};
