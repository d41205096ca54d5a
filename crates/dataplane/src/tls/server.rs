//! What a listener says in handshakes: certificates by name, versions, protocols, and whom it asks for a certificate.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, ServerConfig,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use super::client_rules::ClientRules;
use super::client_verifier::ClientVerifier;
use super::{KeyPair, provider};
use crate::arrival::Alpn;

/// TLS of a listener, replaced while it serves.
#[derive(Debug)]
pub struct ServerTls {
    in_force: ArcSwap<TlsServer>,
}

impl ServerTls {
    /// With this in force.
    pub fn new(server: Arc<TlsServer>) -> Arc<Self> {
        Arc::new(Self { in_force: ArcSwap::new(server) })
    }

    /// What is in force.
    pub fn in_force(&self) -> Arc<TlsServer> {
        self.in_force.load_full()
    }

    /// Greets later connections by another. Those that are there go on.
    pub fn replace(&self, server: Arc<TlsServer>) {
        self.in_force.store(server);
    }
}

/// What one configuration says of a listener's TLS.
#[derive(Debug)]
pub struct TlsServerSettings {
    /// Certificates, at least one, and what each is called in metrics (its file). The first is for clients that ask for no
    /// name, or for a name that none has.
    pub certificates: Vec<(String, KeyPair)>,
    /// Whether TLS 1.2 is spoken beside 1.3.
    pub tls12: bool,
    /// Protocols that are offered, the preferred first.
    pub alpn: Vec<Alpn>,
    /// What is asked of clients.
    pub client_rules: ClientRules,
}

/// The server's side of handshakes.
pub struct TlsServer {
    certificates: Vec<(String, KeyPair)>,
    /// Each rule and its configuration, in the order of `rules`.
    configs: Vec<Arc<ServerConfig>>,
    rules: Arc<ClientRules>,
    names: Arc<Certificates>,
    tickets: Arc<dyn ProducesTickets>,
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}

/// Why there is no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsServerError {
    /// No certificate.
    #[error("TLS needs a certificate")]
    NoCertificate,
    /// The cryptography says no.
    #[error("{0}")]
    Cryptography(String),
}

impl TlsServer {
    /// A server of these settings. With the one that it follows, sessions of clients go on.
    ///
    /// # Errors
    /// When there is no certificate, or the cryptography fails.
    pub fn new(settings: TlsServerSettings, before: Option<&Self>) -> Result<Self, TlsServerError> {
        let failed = |error: rustls::Error| TlsServerError::Cryptography(error.to_string());
        if settings.certificates.is_empty() {
            return Err(TlsServerError::NoCertificate);
        }
        let tickets = match before {
            Some(before) => before.tickets.clone(),
            None => new_tickets().map_err(failed)?,
        };
        let names = Arc::new(Certificates::new(&settings.certificates));
        let versions: &[_] = if settings.tls12 { &[&TLS13, &TLS12] } else { &[&TLS13] };
        let rules = Arc::new(settings.client_rules);
        let mut configs = Vec::new();
        for rule in rules.each() {
            let builder = ServerConfig::builder_with_provider(provider())
                .with_protocol_versions(versions)
                .map_err(failed)?;
            let builder = match rule.mode.asks() {
                true => builder.with_client_cert_verifier(ClientVerifier::new(&rule.anchors)),
                false => builder.with_no_client_auth(),
            };
            let mut config = builder.with_cert_resolver(names.clone());
            config.alpn_protocols = settings.alpn.iter().map(|alpn| alpn.as_bytes().to_vec()).collect();
            // Tickets alone: no state of clients that come once. Where clients are asked who they are, not even these: a
            // session that goes on would bring an old verdict along.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            if rule.mode.asks() {
                config.send_tls13_tickets = 0;
            } else {
                config.ticketer = tickets.clone();
            }
            configs.push(Arc::new(config));
        }
        Ok(Self { certificates: settings.certificates, configs, rules, names, tickets })
    }

    /// The configuration for a client that asks for a name.
    pub(crate) fn config_for(&self, name: Option<&str>) -> Arc<ServerConfig> {
        self.configs[self.rules.index_of(name.map(str::as_bytes))].clone()
    }

    /// What hosts ask of clients.
    pub(crate) fn rules(&self) -> &Arc<ClientRules> {
        &self.rules
    }

    /// Who the certificate for a name says that we are. Several for one name say the same.
    pub(crate) fn uris(&self, name: Option<&str>) -> Arc<[String]> {
        let shown = name.map_or(&self.names.default, |name| &self.names.find(name)[0]);
        let pair = self.certificates.iter().find(|(_, pair)| Arc::ptr_eq(pair.certified(), shown));
        pair.map(|(_, pair)| pair.uris().clone()).unwrap_or_default()
    }

    /// Its certificates and what they are called.
    pub(crate) fn certificates(&self) -> &[(String, KeyPair)] {
        &self.certificates
    }
}

fn new_tickets() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    #[cfg(feature = "aws-lc-rs")]
    let tickets = rustls::crypto::aws_lc_rs::Ticketer::new();
    #[cfg(not(feature = "aws-lc-rs"))]
    let tickets = rustls::crypto::ring::Ticketer::new();
    tickets
}

/// Certificates by the name that a client asks for.
struct Certificates {
    /// In lower case.
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows `*.`.
    below: HashMap<String, Vec<Arc<CertifiedKey>>>,
    default: Arc<CertifiedKey>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("exact", &self.exact.keys()).finish_non_exhaustive()
    }
}

impl Certificates {
    fn new(pairs: &[(String, KeyPair)]) -> Self {
        let mut certificates =
            Self { exact: HashMap::new(), below: HashMap::new(), default: pairs[0].1.certified().clone() };
        for (_, pair) in pairs {
            for name in pair.names() {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(name) => (&mut certificates.below, name),
                    None => (&mut certificates.exact, name.as_str()),
                };
                map.entry(name.to_owned()).or_default().push(pair.certified().clone());
            }
        }
        certificates
    }

    /// Those for a name, the first first: of several for one name, one may be of a kind of key that the client takes.
    fn find(&self, name: &str) -> &[Arc<CertifiedKey>] {
        if let Some(found) = self.exact.get(name) {
            return found;
        }
        let below = name.split_once('.').and_then(|(_, rest)| self.below.get(rest));
        below.map_or(std::slice::from_ref(&self.default), Vec::as_slice)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = match hello.server_name() {
            Some(name) => self.find(&name.to_ascii_lowercase()),
            None => std::slice::from_ref(&self.default),
        };
        let usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        found.iter().find(usable).or(found.first()).cloned()
    }
}
