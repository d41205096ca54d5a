//! Who a request is from, once that is settled.

use std::borrow::Cow;
use std::sync::Arc;

use crate::claims::Claims;

/// Who a request is from, and how that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The name of the authenticator that says so.
    pub authenticator: Arc<str>,
    /// How it knows.
    pub method: Method,
    /// Who issued what it knows it by.
    pub issuer: Option<String>,
    /// Who it is: `sub` of a token, the name of an API key, what an authentication server calls them.
    pub subject: Option<String>,
    /// The key that a token is signed by.
    pub key_id: Option<String>,
    /// All that is said of them.
    pub claims: Claims,
}

/// How somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By a signed token.
    Jwt,
    /// By an API key.
    ApiKey,
    /// An authentication server says so.
    Forward,
}

impl Method {
    /// In one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::ApiKey => "api_key",
            Self::Forward => "forward",
        }
    }
}

impl Identity {
    /// A claim as one text. `sub` and `iss` are there whatever they are known by.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<Cow<'_, str>> {
        let own = match name {
            "sub" => self.subject.as_deref(),
            "iss" => self.issuer.as_deref(),
            _ => None,
        };
        own.map(Cow::Borrowed).or_else(|| self.claims.text(name))
    }

    /// Calls for each value where these names lead ([`Claims::each_value`]), and says whether something stands there; `sub`
    /// and `iss` as for [`claim`](Self::claim).
    pub fn each_value<'n>(
        &self,
        names: impl ExactSizeIterator<Item = &'n str> + Clone,
        call: &mut dyn FnMut(&str),
    ) -> bool {
        let own = match names.clone().next().filter(|_| names.len() == 1) {
            Some("sub") => self.subject.as_deref(),
            Some("iss") => self.issuer.as_deref(),
            _ => None,
        };
        match own {
            Some(own) => {
                call(own);
                true
            }
            None => self.claims.each_value(names, call),
        }
    }
}
