//! Who somebody is, asked of an OpenID provider for the web console: authorization code with PKCE (RFC 7636).
//!
//! Discovery and keys are asked for when somebody logs in, and remembered for a while. ID tokens are judged by
//! `palisade-authn`, as those of requests are: a known key, an algorithm that is allowed, this issuer, this client, this
//! nonce. No crate of the field does this here: those that are well kept bring a second stack of cryptography with them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use palisade_authn::{Algorithm, Claims, JWKS_BYTES_MAX, KeySet, TokenError, TokenRules, Tokens};
use palisade_config::{Oidc, PlainText};
use palisade_console::{SignOn, SignedOn};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A provider.
pub(crate) struct Provider {
    told: Oidc,
    secret: Option<String>,
    agent: ureq::Agent,
    tokens: Tokens,
    known: Mutex<Option<Known>>,
}

/// What a provider says of itself.
#[derive(Clone)]
struct Known {
    authorization: String,
    token: String,
    keys: Arc<KeySet>,
    jwks: String,
    since: Instant,
}

/// How long that is believed, and how soon keys are asked for again where a token is by another one.
const BELIEVED: Duration = Duration::from_secs(3600);
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long the provider may take for one answer, and how long that may be.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// How far clocks may be apart.
const LEEWAY_SECONDS: u64 = 60;
/// Algorithms of ID tokens: those that are signed by a key of the provider's.
const ALGORITHMS: [&str; 8] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"];

impl Provider {
    /// A provider as it is configured. It is not asked before somebody logs in.
    ///
    /// # Errors
    /// When its files cannot be read, or it would be spoken to in the clear.
    pub(crate) fn of(told: &Oidc) -> Result<Self> {
        for url in [&told.issuer, &told.redirect] {
            is_safe(url.as_str())?;
        }
        if told.operators.is_empty() && told.viewers.is_empty() {
            bail!(
                "nobody could log in: name values of `{}` under `operators` or `viewers`",
                told.claim.as_str()
            );
        }
        let secret = told.client_secret_file.as_ref().map(|path| {
            std::fs::read_to_string(path.as_str()).with_context(|| format!("`{}`", path.as_str()))
        });
        let secret = secret.transpose()?.map(|secret| secret.trim().to_owned());
        let rules = TokenRules {
            algorithms: ALGORITHMS.into_iter().filter_map(Algorithm::from_name).collect(),
            issuers: vec![told.issuer.as_str().to_owned()],
            audiences: vec![told.client_id.as_str().to_owned()],
            leeway_seconds: LEEWAY_SECONDS,
            ..TokenRules::default()
        };
        let mut config = ureq::Agent::config_builder()
            // Neither a code nor a secret goes where somebody redirects it to.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("palisade/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(PATIENCE));
        if told.issuer.as_str().starts_with("https://") {
            config = config.https_only(true).tls_config(tls(told)?);
        }
        let tokens = Tokens::new("console".into(), rules);
        Ok(Self {
            told: told.clone(),
            secret,
            agent: config.build().new_agent(),
            tokens,
            known: Mutex::default(),
        })
    }

    /// What the provider says of itself, asked for anew where that is old.
    fn known(&self, no_older_than: Duration) -> Result<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.since.elapsed() < no_older_than) {
            return Ok(known.clone());
        }
        let issuer = self.told.issuer.as_str();
        let said =
            self.json(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))?;
        let text = |key: &str| {
            let url = said[key].as_str().with_context(|| format!("its configuration has no `{key}`"))?;
            is_safe(url).map(|()| url.to_owned())
        };
        if said["issuer"].as_str() != Some(issuer) {
            bail!("its configuration names another issuer than {issuer}");
        }
        let jwks = text("jwks_uri")?;
        let keys =
            KeySet::from_jwks(&self.get(&jwks)?).map_err(|error| anyhow::anyhow!("{jwks}: {error}"))?;
        let fresh = Known {
            authorization: text("authorization_endpoint")?,
            token: text("token_endpoint")?,
            keys: Arc::new(keys),
            jwks,
            since: Instant::now(),
        };
        *known = Some(fresh.clone());
        Ok(fresh)
    }

    fn json(&self, url: &str) -> Result<Value> {
        serde_json::from_slice(&self.get(url)?).with_context(|| format!("{url} answers no JSON"))
    }

    fn get(&self, url: &str) -> Result<Vec<u8>> {
        let answer = self.agent.get(url).call().with_context(|| format!("{url} cannot be reached"))?;
        read(answer, url)
    }

    /// The ID token that a code is worth.
    fn id_token(&self, known: &Known, code: &str, verifier: &str) -> Result<String> {
        let client = self.told.client_id.as_str();
        let mut form = BTreeMap::from([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.told.redirect.as_str()),
            ("code_verifier", verifier),
        ]);
        let mut request = self.agent.post(&known.token).header("accept", "application/json");
        match &self.secret {
            Some(secret) => {
                let pair = format!("{}:{}", escaped(client), escaped(secret));
                request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
            }
            None => drop(form.insert("client_id", client)),
        }
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send(form.join("&")).context("its token endpoint cannot be reached")?;
        let answer = read(answer, "its token endpoint")?;
        let answer: Value = serde_json::from_slice(&answer).context("its token endpoint answers no JSON")?;
        let token = answer["id_token"].as_str().context("its token endpoint gives no ID token")?;
        Ok(token.to_owned())
    }

    fn claims(&self, token: &str, known: &Known) -> Result<Claims, TokenError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(self.tokens.judge(token.as_bytes(), &known.keys, now)?.claims.clone())
    }

    fn signed_on(&self, code: &str, nonce: &str, verifier: &str) -> Result<SignedOn> {
        let known = self.known(BELIEVED)?;
        let token = self.id_token(&known, code, verifier)?;
        let claims = match self.claims(&token, &known) {
            // Keys are changed from time to time.
            Err(TokenError::UnknownKey) => self.claims(&token, &self.known(AGAIN_AFTER)?),
            judged => judged,
        };
        let claims = claims.map_err(|why| anyhow::anyhow!("its ID token does not count: {why}"))?;
        if claims.text("nonce").is_none_or(|said| said != nonce) {
            bail!("its ID token is for another log-in");
        }
        if claims.text("azp").is_some_and(|party| party != self.told.client_id.as_str()) {
            bail!("its ID token is for another client");
        }
        let claim = self.told.claim.as_str();
        let has = |values: &[PlainText]| values.iter().any(|value| claims.holds(claim, value.as_str()));
        let operates = has(&self.told.operators);
        let subject = claims.text("sub").context("its ID token says nothing of whom it is")?;
        if !operates && !has(&self.told.viewers) {
            bail!("{subject:?} has no `{claim}` that may do something here");
        }
        let name = claims.text(self.told.name.as_str()).unwrap_or(subject).into_owned();
        Ok(SignedOn { name, operates })
    }
}

impl SignOn for Provider {
    fn begin(&self, state: &str, nonce: &str, verifier: &str) -> Result<String, String> {
        let known = self.known(BELIEVED).map_err(|error| format!("{error:#}"))?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        let scopes = self.told.scopes.iter().map(PlainText::as_str);
        let scopes: Vec<&str> = match self.told.scopes.is_empty() {
            true => vec!["openid", "profile", "email"],
            false => std::iter::once("openid").chain(scopes).collect(),
        };
        let asked = [
            ("response_type", "code"),
            ("client_id", self.told.client_id.as_str()),
            ("redirect_uri", self.told.redirect.as_str()),
            ("scope", &scopes.join(" ")),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let asked: Vec<String> =
            asked.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let mark = if known.authorization.contains('?') { '&' } else { '?' };
        Ok(format!("{}{mark}{}", known.authorization, asked.join("&")))
    }

    fn finish(&self, code: &str, nonce: &str, verifier: &str) -> Result<SignedOn, String> {
        self.signed_on(code, nonce, verifier).map_err(|error| format!("{error:#}"))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("told", &self.told).finish_non_exhaustive()
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("jwks", &self.jwks).finish_non_exhaustive()
    }
}

fn read(answer: ureq::http::Response<ureq::Body>, url: &str) -> Result<Vec<u8>> {
    let status = answer.status().as_u16();
    let most = ANSWER_BYTES_MAX.max(JWKS_BYTES_MAX as u64);
    let mut body = Vec::new();
    answer.into_body().into_reader().take(most + 1).read_to_end(&mut body).with_context(|| url.to_owned())?;
    if status != 200 {
        bail!("{url} is answered with {status}");
    }
    if body.len() as u64 > most {
        bail!("{url} answers with more than {most} bytes");
    }
    Ok(body)
}

/// Whether what goes there is read by nobody on the way.
fn is_safe(url: &str) -> Result<()> {
    let Some(rest) = url.strip_prefix("http://") else {
        return if url.starts_with("https://") { Ok(()) } else { bail!("`{url}` is no URL of HTTP") };
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback());
    if is_loopback { Ok(()) } else { bail!("`{url}` goes over the network in the clear: write https://") }
}

fn tls(told: &Oidc) -> Result<TlsConfig> {
    let roots: Vec<CertificateDer<'static>> = match &told.ca {
        Some(path) => CertificateDer::pem_file_iter(path.as_str())
            .and_then(Iterator::collect)
            .with_context(|| format!("`{}`", path.as_str()))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    if roots.is_empty() {
        bail!("there is no authority to verify the provider by: name a file by `ca`");
    }
    let roots: Vec<Certificate<'static>> =
        roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

/// As a value of a query or a form is written.
fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_in_the_clear_but_on_loopback() {
        for url in ["https://id.example.com/x", "http://127.0.0.1:1/", "http://[::1]:8/a", "http://localhost"]
        {
            assert!(is_safe(url).is_ok(), "{url}");
        }
        for url in
            ["http://id.example.com", "http://127.0.0.1.example.com/", "ftp://x", "http://localhost.evil/"]
        {
            assert!(is_safe(url).is_err(), "{url}");
        }
        assert_eq!(escaped("a b&c=ü/"), "a%20b%26c%3D%C3%BC%2F");
    }
}
