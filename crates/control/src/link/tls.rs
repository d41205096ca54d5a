//! Certificates that change while we run: read again at the next connection after their files did.
//!
//! What cannot be read leaves in force what was, and is told by [`LiveTls::error`]: a rotation that is half done must not
//! cut the way over which it could be mended.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// How long a file of certificates or of a key may be.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Whether a client has to show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// It has.
    Required,
    /// It may say in another way who it is; a certificate that it does show has to be good.
    Optional,
}

/// Where certificates lie, each in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The authorities that the other end's certificate has to be signed by.
    pub ca: PathBuf,
    /// Our own certificate, those between it and its authority after it; and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// The same, in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem {
    /// As in [`Files::ca`].
    pub ca: Vec<u8>,
    /// As in [`Files::own`].
    pub own: Option<(Vec<u8>, Vec<u8>)>,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pem").finish_non_exhaustive()
    }
}

/// Why certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        why: String,
    },
    /// No certificate is in what should hold some.
    #[error("{0} holds no certificate in PEM")]
    NoCertificate(&'static str),
    /// No key is in what should hold one.
    #[error("the key is none in PEM: {0}")]
    Key(String),
    /// A server has to show a certificate.
    #[error("a server needs a certificate and its key")]
    NothingOwn,
    /// They do not go together.
    #[error("the certificates cannot be used: {0}")]
    Unusable(String),
}

/// The certificates of one end, and what TLS makes of them.
#[derive(Debug)]
pub struct LiveTls {
    clients: ClientAuth,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    files: Option<Files>,
    /// The files as they were when they were read last.
    stamps: Vec<Option<Stamp>>,
    made: Made,
    error: Option<TlsError>,
}

#[derive(Clone, Debug)]
struct Made {
    server: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
}

/// What changes when a file does.
type Stamp = (i64, i64, u64, u64);

impl LiveTls {
    /// Reads certificates from files, and again whenever they have changed.
    ///
    /// # Errors
    /// When they cannot be read or used.
    pub fn of_files(files: Files, clients: ClientAuth) -> Result<Self, TlsError> {
        let stamps = stamps(&files);
        let made = make(&read(&files)?, clients)?;
        Ok(Self { clients, state: Mutex::new(State { files: Some(files), stamps, made, error: None }) })
    }

    /// Takes certificates from memory.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn of_pem(pem: &Pem, clients: ClientAuth) -> Result<Self, TlsError> {
        let made = make(pem, clients)?;
        Ok(Self { clients, state: Mutex::new(State { files: None, stamps: Vec::new(), made, error: None }) })
    }

    /// Takes others from now on. Connections that are there keep theirs.
    ///
    /// # Errors
    /// When they cannot be used; those from before stay.
    pub fn replace(&self, pem: &Pem) -> Result<(), TlsError> {
        let made = make(pem, self.clients)?;
        self.state().made = made;
        Ok(())
    }

    /// Why the newest files are not in force, where they are not.
    pub fn error(&self) -> Option<TlsError> {
        self.state().error.clone()
    }

    /// For a connection that came. `None` where there is no certificate to show.
    pub fn server(&self) -> Option<Arc<ServerConfig>> {
        self.newest().server
    }

    /// For a connection that we make.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.newest().client
    }

    fn newest(&self) -> Made {
        let mut state = self.state();
        if let Some(files) = &state.files {
            let now = stamps(files);
            if now != state.stamps {
                match read(files).and_then(|pem| make(&pem, self.clients)) {
                    Ok(made) => {
                        state.made = made;
                        state.error = None;
                    }
                    Err(error) => state.error = Some(error),
                }
                state.stamps = now;
            }
        }
        state.made.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn paths(files: &Files) -> impl Iterator<Item = &Path> {
    let own = files.own.iter().flat_map(|(certificate, key)| [certificate, key]);
    [&files.ca].into_iter().chain(own).map(PathBuf::as_path)
}

fn stamps(files: &Files) -> Vec<Option<Stamp>> {
    let stamp = |path: &Path| {
        let there = fs::metadata(path).ok()?;
        Some((there.mtime(), there.mtime_nsec(), there.len(), there.ino()))
    };
    paths(files).map(stamp).collect()
}

fn read(files: &Files) -> Result<Pem, TlsError> {
    let read = |path: &Path| {
        let read = || {
            if fs::metadata(path)?.len() > FILE_BYTES_MAX {
                return Err(io::Error::other("it is longer than 1 MiB"));
            }
            fs::read(path)
        };
        read().map_err(|error| TlsError::File { path: path.display().to_string(), why: error.to_string() })
    };
    let own =
        files.own.as_ref().map(|(certificate, key)| Ok::<_, TlsError>((read(certificate)?, read(key)?)));
    Ok(Pem { ca: read(&files.ca)?, own: own.transpose()? })
}

fn make(pem: &Pem, clients: ClientAuth) -> Result<Made, TlsError> {
    let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable(error.to_string());
    let mut roots = RootCertStore::empty();
    for authority in certificates(&pem.ca, "the file of authorities")? {
        roots.add(authority).map_err(|error| unusable(&error))?;
    }
    let roots = Arc::new(roots);
    let provider = Arc::new(ring::default_provider());
    let versions = [&TLS13];
    let of_clients = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .map_err(|error| unusable(&error))?
        .with_root_certificates(roots.clone());
    let Some((chain, key)) = &pem.own else {
        let mut client = of_clients.with_no_client_auth();
        client.alpn_protocols = vec![b"h2".to_vec()];
        return Ok(Made { server: None, client: Arc::new(client) });
    };
    let chain = certificates(chain, "our certificate's file")?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    let verifier = match clients {
        ClientAuth::Required => verifier,
        ClientAuth::Optional => verifier.allow_unauthenticated(),
    };
    let verifier = verifier.build().map_err(|error| unusable(&error))?;
    let mut client =
        of_clients.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|error| unusable(&error))?;
    client.alpn_protocols = vec![b"h2".to_vec()];
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| unusable(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| unusable(&error))?;
    server.alpn_protocols = vec![b"h2".to_vec()];
    // A session that goes on would be one that nobody's certificate was asked for.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(Made { server: Some(Arc::new(server)), client: Arc::new(client) })
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(TlsError::NoCertificate(what)),
        Err(error) => Err(TlsError::Unusable(format!("{what}: {error}"))),
    }
}
