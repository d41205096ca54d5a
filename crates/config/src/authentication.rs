//! Who a request is from: ways to know it, and where which of them is asked.

use std::collections::BTreeSet;

use crate::decode::{Decode, Decoder, Shape, Step, section};
use crate::headers::{HeaderName, Headers};
use crate::node::{Node, Value, quoted};
use crate::sinks::HttpUrl;
use crate::tls::UpstreamTls;
use crate::value::{FilePath, FromText, Located, Name, Refused, Time, decode_as_text, words};

section! {
    /// A way to know who a request is from: one of `jwt`, `apiKeys` and `forward`. Services and routes name those that they
    /// ask.
    pub struct Authenticator {
        /// Its name in services, routes, logs and metrics.
        name: Located<Name>,
        /// By a signed token.
        jwt: Option<Jwt>,
        /// By an API key.
        api_keys: Option<ApiKeys>,
        /// An authentication server is asked.
        forward: Option<ForwardAuth>,
        /// Headers by which the service is told who it is: the header's name, and the claim that it has. `sub` is there
        /// whatever somebody is known by. What clients send under these names never goes on, on routes that ask this
        /// authenticator.
        headers: Headers,
        /// Whether the token or key goes on to the service: `keep` or `remove`.
        credential: Credential = "keep",
    }
}

section! {
    /// Signed tokens: JSON Web Tokens in their compact form.
    pub struct Jwt {
        /// Where the keys are that tokens are signed by.
        keys: JwtKeys,
        /// Algorithms that are taken; a token chooses none of its own. `RS256` to `RS512`, `PS256` to `PS512`, `ES256`, `ES384`
        /// and `EdDSA`; `HS256` to `HS512` with `keys.secretFile` alone.
        algorithms: Vec<Located<JwtAlgorithm>>,
        /// Issuers of which a token must name one (`iss`), letter by letter; any when absent.
        issuers: Vec<String>,
        /// Audiences of which a token must name one (`aud`); any when absent: then a token for another service of the same
        /// issuer lets in here as well.
        audiences: Vec<String>,
        /// Kinds of which a token must be one (`typ`), such as `at+jwt`; any when absent.
        kinds: Vec<String>,
        /// Claims that a token must have: the claim, and values of which it must be or hold one; any value where the list is
        /// empty. Of `scope` each word counts. Who lacks one is answered with 403.
        require: RequiredClaims,
        /// How far clocks may be apart, for `exp` and `nbf`. Up to 5 minutes.
        leeway: Time = "30s",
        /// Whether a token has to end (`exp`).
        require_expiry: bool = "true",
        /// Where the token stands: `bearer` (the header Authorization), `header:NAME`, `cookie:NAME`, `query:NAME`, looked at in
        /// this order; `bearer` when absent.
        from: Vec<CredentialPlace>,
    }
}

section! {
    /// Keys of tokens: one of `file`, `url` and `secretFile`.
    pub struct JwtKeys {
        /// A file with a JWKS. It is read again when it changes; one that cannot be used leaves the keys as they were.
        file: Option<Located<FilePath>>,
        /// Where a JWKS is published. It is fetched beside requests; the last good one is kept where there is no new one, and
        /// redirects are not followed.
        url: Option<Located<HttpUrl>>,
        /// A file with a shared secret of 32 bytes or more, for HS256, HS384 and HS512.
        secret_file: Option<Located<FilePath>>,
        /// How often keys at a URL are fetched anew.
        refresh: Time = "5m",
        /// A token by an unknown key has them fetched at once, at most once in this time.
        refresh_unknown: Time = "30s",
        /// How long a request waits for keys that are being fetched: for an unknown one, or where there are none yet. After
        /// that it is refused: 401, or 503 where there are none.
        wait: Time = "2s",
        /// How long fetching may take.
        timeout: Time = "5s",
        /// TLS towards the URL.
        tls: Option<Located<UpstreamTls>>,
    }
}

section! {
    /// API keys.
    pub struct ApiKeys {
        /// A file with a line for each: a name, and `sha256:` with the SHA-256 of the key in hexadecimal digits. It is read
        /// again when it changes.
        file: Located<FilePath>,
        /// Where the key stands: `header:NAME`, `query:NAME`, `cookie:NAME` or `bearer`, looked at in this order;
        /// `header:x-api-key` when absent.
        from: Vec<CredentialPlace>,
    }
}

section! {
    /// An authentication server is asked about each request: by a GET without a body, with the request's method, host and target
    /// in `X-Original-Method`, `X-Original-URL`, `X-Forwarded-*` and `X-Auth-Request-Redirect`. 2xx lets the request pass; 401
    /// and 403 are answered to the client; anything else, and no answer in time, is 503.
    pub struct ForwardAuth {
        /// The server, and the path that is asked for.
        url: Located<HttpUrl>,
        /// Headers of the request that it is shown; Authorization and Cookie when absent.
        request_headers: Vec<HeaderName>,
        /// Headers of its answer that the service is told, in place of what the client sent under these names. Each is a claim
        /// as well, by its name in lower case.
        response_headers: Vec<HeaderName>,
        /// The header of its answer that says who it is.
        subject: Option<HeaderName>,
        /// Where a browser is sent instead of being answered with 401: `{url}` stands for the escaped URL of the request.
        sign_in: Option<HttpUrl>,
        /// How long it may take.
        timeout: Time = "5s",
        /// TLS towards it.
        tls: Option<Located<UpstreamTls>>,
    }
}

section! {
    /// Whether it has to be known who a request is from. It acts in every mode, for sources on the allow list as well.
    pub struct Authentication {
        /// Authenticators, by name. The first that knows who it is lets the request pass. On a route: those of its service when
        /// absent.
        by: Vec<Located<Name>>,
        /// required: who is not known is answered with 401. optional: a request without a token or key passes, one with a bad
        /// one does not. off: nobody is asked.
        mode: AuthenticationMode = "required",
        /// monitor: who would be refused passes, and logs say so.
        stage: AuthenticationStage = "enforce",
    }
}

words! {
    /// What becomes of a token or key that was good.
    pub enum Credential: "what becomes of a credential" {
        /// It goes on.
        Keep = "keep",
        /// The service does not see it.
        Remove = "remove",
    }
}

words! {
    /// Whether it has to be known who a request is from.
    pub enum AuthenticationMode: "a mode of authentication" {
        /// It has to.
        Required = "required",
        /// It need not, but what is said must be true.
        Optional = "optional",
        /// Nobody is asked.
        Off = "off",
    }
}

words! {
    /// Whether a refusal acts.
    pub enum AuthenticationStage: "a stage" {
        /// It does.
        Enforce = "enforce",
        /// It is only said.
        Monitor = "monitor",
    }
}

words! {
    /// How a token is signed.
    pub enum JwtAlgorithm: "an algorithm of tokens" {
        /// RSA, PKCS 1, SHA-256.
        Rs256 = "RS256",
        /// RSA, PKCS 1, SHA-384.
        Rs384 = "RS384",
        /// RSA, PKCS 1, SHA-512.
        Rs512 = "RS512",
        /// RSA, PSS, SHA-256.
        Ps256 = "PS256",
        /// RSA, PSS, SHA-384.
        Ps384 = "PS384",
        /// RSA, PSS, SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256.
        Es256 = "ES256",
        /// ECDSA on P-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
        /// A shared secret, SHA-256.
        Hs256 = "HS256",
        /// A shared secret, SHA-384.
        Hs384 = "HS384",
        /// A shared secret, SHA-512.
        Hs512 = "HS512",
    }
}

impl JwtAlgorithm {
    /// Whether it is by a shared secret.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

/// Where in a request a token or key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialPlace {
    /// `Authorization: Bearer`.
    Bearer,
    /// A header.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query.
    Query(String),
}

impl CredentialPlace {
    /// The name that it has there.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Bearer => None,
            Self::Header(name) => Some(name.as_str()),
            Self::Cookie(name) | Self::Query(name) => Some(name),
        }
    }
}

/// The names that tokens and keys have in headers, cookies and queries, each once: what is there is a secret under whatever
/// name.
pub fn credential_names(authenticators: &[Authenticator]) -> BTreeSet<&str> {
    let places = authenticators.iter().flat_map(|authenticator| {
        let jwt = authenticator.jwt.iter().flat_map(|jwt| &jwt.from);
        jwt.chain(authenticator.api_keys.iter().flat_map(|keys| &keys.from))
    });
    places.filter_map(CredentialPlace::name).collect()
}

const NAME_BYTES_MAX: usize = 128;

impl FromText for CredentialPlace {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let help = "write bearer, header:NAME, cookie:NAME or query:NAME";
        let named = |name: &str| {
            let fits = |byte: u8| byte.is_ascii_graphic() && !b"=;,&#%+\"".contains(&byte);
            match !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(fits) {
                true => Ok(name.to_owned()),
                false => Err(("has no name of up to 128 plain characters".to_owned(), help.to_owned())),
            }
        };
        match text.split_once(':') {
            None if text == "bearer" => Ok(Self::Bearer),
            Some(("header", name)) => HeaderName::from_text(name).map(Self::Header),
            Some(("cookie", name)) => named(name).map(Self::Cookie),
            Some(("query", name)) => named(name).map(Self::Query),
            _ => Err(("is no place of a token".to_owned(), help.to_owned())),
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a place of a token",
            pattern: Some("^(bearer|(header|cookie|query):.+)$"),
            example: "bearer",
        }
    }
}

decode_as_text!(Credential, AuthenticationMode, AuthenticationStage, JwtAlgorithm, CredentialPlace);

/// Claims that a token must have, with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequiredClaims(Vec<(String, Vec<String>)>);

const CLAIMS_MAX: usize = 32;

impl RequiredClaims {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(claim, values)| (claim.as_str(), values.as_slice()))
    }
}

impl Decode for RequiredClaims {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return Some(Self::default()),
            _ => {
                let help = "write a mapping from claims to values: `{scope: [orders]}`".to_owned();
                decoder.error(node, format!("{} stands where claims are expected", node.describe()), help);
                return None;
            }
        };
        if entries.len() > CLAIMS_MAX {
            decoder.error(node, format!("more than {CLAIMS_MAX} claims"), None);
            return None;
        }
        let mut claims = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if key.name.is_empty() || key.name.len() > NAME_BYTES_MAX {
                let message = format!("{} is no claim's name", quoted(&key.name));
                decoder.error(value, message, "write one of up to 128 bytes".to_owned());
                return None;
            }
            let values =
                decoder.within(&Step::Key(&key.name), |decoder| Vec::<String>::decode(value, decoder));
            claims.push(values.map(|values| (key.name.clone(), values)));
        }
        claims.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn shape() -> Shape {
        Shape::Names(Box::new(Vec::<String>::shape()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        assert_eq!(CredentialPlace::from_text("bearer"), Ok(CredentialPlace::Bearer));
        assert_eq!(CredentialPlace::from_text("query:t"), Ok(CredentialPlace::Query("t".to_owned())));
        for text in ["", "authorization", "query:", "cookie:a b", "query:a%62", "header:a:b", "header:te"] {
            assert!(CredentialPlace::from_text(text).is_err(), "{text}");
        }
    }
}
