//! TLS towards a service: whom we believe to be it, and who we say we are.

use std::fmt;
use std::io;
use std::sync::Arc;

use palisade_identity::{Anchors, Handshake, verify};
use palisade_model::SpiffeId;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::key_pair::{CertificateTextError, KeyPair, certificates};
use super::proof::{prove, schemes};
use super::provider;
use crate::arrival::Alpn;

/// The client's side of handshakes with one service. Never changes; a reload makes another.
pub struct UpstreamTls {
    config: Arc<ClientConfig>,
    /// The host of the URL when `None`.
    server_name: Option<ServerName<'static>>,
}

impl fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// What is said about TLS towards a service.
#[derive(Debug)]
pub struct UpstreamTlsSettings {
    /// Who the service must be.
    pub believed: Believed,
    /// The certificate that we show when we are asked.
    pub client: Option<KeyPair>,
    /// The name that is asked for; the host of the URL when `None`.
    pub server_name: Option<String>,
    /// Protocols that are offered, the preferred first.
    pub alpn: Vec<Alpn>,
}

/// Who is believed to be a service.
#[derive(Debug)]
pub enum Believed {
    /// Whoever has a certificate of these authorities (DER) for the name that is asked for. With revocation lists (PEM) every
    /// certificate of its chain needs one that is in time.
    ByName(Vec<Vec<u8>>, Option<Vec<u8>>),
    /// Whoever has a certificate of these authorities (DER) for one of these ids; names do not count.
    BySpiffeId(Vec<Vec<u8>>, Vec<SpiffeId>),
    /// Anybody.
    Anybody,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamTlsError {
    /// The authorities cannot be used.
    #[error(
        "no certificate authority among these can be used: write one in PEM, `-----BEGIN CERTIFICATE-----`"
    )]
    NoAuthority,
    /// The revocation lists cannot be used.
    #[error("no revocation list can be read: write them in PEM, `-----BEGIN X509 CRL-----`")]
    NoRevocationList,
    /// The name is none.
    #[error("`{0}` is no name that a certificate could have")]
    ServerName(String),
    /// The cryptography says no.
    #[error("{0}")]
    Cryptography(String),
}

/// Certificates of a PEM text, in DER.
///
/// # Errors
/// When it has none.
pub fn authorities(pem: &[u8]) -> Result<Vec<Vec<u8>>, CertificateTextError> {
    Ok(certificates(pem)?.iter().map(|certificate| certificate.to_vec()).collect())
}

impl UpstreamTls {
    /// As settings say.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn new(settings: UpstreamTlsSettings) -> Result<Self, UpstreamTlsError> {
        let failed = |error: Error| UpstreamTlsError::Cryptography(error.to_string());
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let verifier: Arc<dyn ServerCertVerifier> = match settings.believed {
            Believed::ByName(authorities, lists) => {
                let mut builder =
                    WebPkiServerVerifier::builder_with_provider(roots(authorities)?, provider.clone());
                if let Some(pem) = lists {
                    builder = builder.with_crls(revocation_lists(&pem)?).enforce_revocation_expiration();
                }
                builder.build().map_err(|error| UpstreamTlsError::Cryptography(error.to_string()))?
            }
            Believed::BySpiffeId(authorities, ids) => {
                let service = SpiffeService { roots: roots(authorities)?, ids, algorithms };
                Arc::new(NamelessVerifier { spiffe: Some(service) })
            }
            Believed::Anybody => Arc::new(NamelessVerifier { spiffe: None }),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match settings.client {
            Some(pair) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair.certified().clone())))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = settings.alpn.iter().map(|alpn| alpn.as_bytes().to_vec()).collect();
        let server_name = settings.server_name.map(|name| server_name(&name)).transpose()?;
        Ok(Self { config: Arc::new(config), server_name })
    }

    /// Greets a service. `host` is the URL's.
    ///
    /// # Errors
    /// When it is not believed to be the service, or does not answer as one.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host).map_err(io::Error::other)?,
        };
        TlsConnector::from(self.config.clone()).connect(name, stream).await
    }
}

/// What a failed handshake with a service is, with what to do where that can be said.
pub(crate) fn told(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "its certificate is of an issuer that we do not know; name its authority by `upstream.tls.ca`"
                .to_owned()
        }
        Some(Error::InvalidCertificate(error)) => format!("its certificate will not do: {error}"),
        Some(Error::InvalidMessage(_)) => "it does not speak TLS".to_owned(),
        Some(Error::AlertReceived(alert)) => format!("it refused us ({alert:?})"),
        Some(error) => error.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        None => error.to_string(),
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, UpstreamTlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| UpstreamTlsError::ServerName(name.to_owned()))
}

fn roots(authorities: Vec<Vec<u8>>) -> Result<Arc<RootCertStore>, UpstreamTlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.into_iter().map(CertificateDer::from));
    if roots.is_empty() {
        return Err(UpstreamTlsError::NoAuthority);
    }
    Ok(Arc::new(roots))
}

fn revocation_lists(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, UpstreamTlsError> {
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    lists.ok().filter(|lists| !lists.is_empty()).ok_or(UpstreamTlsError::NoRevocationList)
}

/// Believes a service without its name: by its SPIFFE id, or whoever it is. In either case it holds the key of the
/// certificate that it shows.
#[derive(Debug)]
struct NamelessVerifier {
    /// `None`: anybody.
    spiffe: Option<SpiffeService>,
}

/// A service known by its SPIFFE id.
#[derive(Debug)]
struct SpiffeService {
    roots: Arc<RootCertStore>,
    ids: Vec<SpiffeId>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl SpiffeService {
    fn believe(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        // Above it was said that the certificate is good; here only what it says is read.
        let read = verify(&[end_entity], &Anchors::nobody(), 0)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let id = read.certificate().and_then(|facts| facts.spiffe_id.as_ref());
        match id {
            Some(id) if self.ids.contains(id) => Ok(ServerCertVerified::assertion()),
            _ => Err(Error::InvalidCertificate(CertificateError::NotValidForName)),
        }
    }
}

impl ServerCertVerifier for NamelessVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.spiffe {
            Some(service) => service.believe(end_entity, intermediates, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        prove(Handshake::Tls12, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        prove(Handshake::Tls13, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}
