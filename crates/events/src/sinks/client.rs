//! HTTP for sinks and webhooks: one request at a time, on the caller's thread, with a bound on everything.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::secret::{Reference, Secrets};

/// Where to, and as whom.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpSetting {
    /// `http://` or `https://`. May be a secret.
    pub url: Reference,
    /// Authorities that the server is verified by; those of the system when absent.
    pub ca: Option<PathBuf>,
    /// As whom.
    pub auth: Auth,
    /// How long a request may take.
    pub timeout: Duration,
}

/// As whom a request is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Auth {
    /// Nobody.
    #[default]
    None,
    /// A name and a password.
    Basic(Reference, Reference),
    /// A key of Elasticsearch's, as its API shows it (`encoded`).
    ApiKey(Reference),
    /// A token.
    Bearer(Reference),
}

/// Makes requests.
pub struct Client {
    agent: ureq::Agent,
    url: Reference,
    auth: Auth,
    secrets: Secrets,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// The body, as far as it may go.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether the same request may be answered otherwise later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.status, 401 | 403 | 404 | 408 | 425 | 429 | 500..)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).field("auth", &self.auth).finish_non_exhaustive()
    }
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// What cannot be used, in words.
    pub fn new(setting: &HttpSetting, secrets: &Secrets) -> Result<Self, String> {
        let roots: Vec<Certificate<'static>> =
            roots(setting.ca.as_deref())?.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // Credentials go where they were meant to go.
            .max_redirects(0)
            .user_agent(concat!("palisade/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT.min(setting.timeout)))
            .timeout_global(Some(setting.timeout))
            .max_idle_connections(1)
            .build()
            .new_agent();
        Ok(Self { agent, url: setting.url.clone(), auth: setting.auth.clone(), secrets: secrets.clone() })
    }

    /// Makes a request to a path below the URL (to the URL itself where it is empty).
    ///
    /// # Errors
    /// Why there is no answer, without the URL and without secrets.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, String> {
        let base = self.secrets.read(&self.url)?;
        let url = if path.is_empty() { base } else { format!("{}{path}", base.trim_end_matches('/')) };
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some(authorization) = self.authorization()? {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.unwrap_or_default().to_vec());
        let request = request.map_err(|_| "the URL or a header cannot be used".to_owned())?;
        let answer = self.agent.run(request).map_err(|error| explain(&error))?;
        let retry_after = answer.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        let read = answer.into_body().into_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut body);
        read.map_err(|error| format!("the answer ended early: {error}"))?;
        Ok(Answer { status, retry_after: retry_after.map(Duration::from_secs), body })
    }

    fn authorization(&self) -> Result<Option<String>, String> {
        let read = |reference| self.secrets.read(reference);
        Ok(match &self.auth {
            Auth::None => None,
            Auth::Basic(user, password) => {
                let pair = format!("{}:{}", read(user)?, read(password)?);
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            Auth::ApiKey(key) => Some(format!("ApiKey {}", read(key)?)),
            Auth::Bearer(token) => Some(format!("Bearer {}", read(token)?)),
        })
    }
}

/// Errors of a client, without what they quote.
fn explain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::BadUri(_) => "the URL cannot be used".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "the host is not found".to_owned(),
        ureq::Error::Io(error) => format!("the server cannot be reached: {error}"),
        other => format!("no answer: {other}"),
    }
}

/// The authorities in a file, or those of the system.
pub(crate) fn roots(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let Some(path) = ca else {
        // Where there are none a plain connection still works, and one over TLS says why it does not.
        return Ok(rustls_native_certs::load_native_certs().certs);
    };
    let name = path.display();
    let found =
        CertificateDer::pem_file_iter(path).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| format!("`{name}` is no file of certificates: {error}"))?;
    match found.is_empty() {
        true => Err(format!("`{name}` holds no certificate")),
        false => Ok(found),
    }
}

const CONNECT: Duration = Duration::from_secs(10);
/// Answers of a bulk request name each record: some hundred bytes each.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
