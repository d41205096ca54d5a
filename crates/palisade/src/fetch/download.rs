//! A file from a server, within a bound; or from disk, for machines without a network.

use std::io::{IsTerminal as _, Read, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Bytes of an archive; CRS with its tests is 1 MB.
const ARCHIVE_BYTES_MAX: u64 = 32 << 20;
const CONNECT: Duration = Duration::from_secs(15);
const PER_READ: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(600);

/// Downloads. `https://`, `http://`, or `file://` for one that is already here.
///
/// # Errors
/// When it cannot be had, with what to do about it.
pub(super) fn get(url: &str) -> Result<Vec<u8>> {
    match url.split_once("://") {
        Some(("file", path)) => {
            let file = std::fs::File::open(path).with_context(|| format!("`{path}` cannot be read"))?;
            bounded(file, url)
        }
        Some(("https" | "http", _)) => over_http(url),
        _ => bail!("`{url}` is no address to fetch from: begin --base-url with https://, http:// or file://"),
    }
}

fn over_http(url: &str) -> Result<Vec<u8>> {
    let tls = url.starts_with("https://").then(tls).transpose()?;
    let mut config = ureq::Agent::config_builder()
        // A redirect does not lead out of TLS.
        .https_only(tls.is_some())
        .user_agent(concat!("palisade/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(PER_READ))
        .timeout_global(Some(WHOLE));
    if let Some(tls) = tls {
        config = config.tls_config(tls);
    }
    let answer = config.build().new_agent().get(url).call().map_err(|error| match error {
        ureq::Error::StatusCode(404) => {
            anyhow::anyhow!("{url} is not there (404): is it a version that was released?")
        }
        ureq::Error::StatusCode(status) => anyhow::anyhow!("{url} is answered with {status}"),
        error => anyhow::anyhow!("{url} cannot be reached: {error}. {WITHOUT_A_NETWORK}"),
    })?;
    bounded(answer.into_body().into_reader(), url)
}

/// Verified by what this system trusts, so that a company's mirror works as well.
fn tls() -> Result<TlsConfig> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        bail!(
            "this system has no root certificates{why}: install ca-certificates, or name a file by SSL_CERT_FILE"
        );
    }
    let roots: Vec<Certificate<'static>> =
        found.certs.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn bounded(mut from: impl Read, url: &str) -> Result<Vec<u8>> {
    let mut progress = Progress::new();
    let mut all = Vec::new();
    loop {
        let before = all.len();
        (&mut from).take(1 << 16).read_to_end(&mut all).with_context(|| format!("{url} ended early"))?;
        if all.len() == before {
            progress.end();
            return Ok(all);
        }
        if all.len() as u64 > ARCHIVE_BYTES_MAX {
            bail!("{url} is larger than {ARCHIVE_BYTES_MAX} bytes, which no release of CRS is");
        }
        progress.at(all.len());
    }
}

/// How far it is, for somebody who looks.
struct Progress {
    shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal() }
    }

    fn at(&mut self, bytes: usize) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r{:.1} MB", bytes as f64 / 1e6);
        }
    }

    fn end(&mut self) {
        if self.shown {
            let _ = writeln!(std::io::stderr());
        }
    }
}

const WITHOUT_A_NETWORK: &str = "Without a way there: name a mirror by --base-url, or download that file elsewhere and \
    name its folder by --base-url file:///FOLDER; or install Debian's modsecurity-crs and use --crs /usr/share/modsecurity-crs";
