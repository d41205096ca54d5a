//! The socket side: TLS, HTTP/1.1, and bounds on everything that a caller may use up.
//!
//! Whoever reaches the port may ask; what is answered tells nothing that the caller did not send. Compiling rules runs on
//! threads of its own, a few at a time: one that takes long keeps its place until it is done, and the next are told to
//! come again.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::metrics::AdmissionMetrics;
use super::review::{Decision, Unreadable, answer};
use super::{decide_injection, validate};
use crate::inject::Settings;

/// Bounds of an admission server.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Bytes of a question. API servers send at most 3 MiB of object, twice in an update. Over it: 413.
    pub body_bytes_max: usize,
    /// From the end of a handshake to the end of an answer. API servers wait for at most 30 s. Over it: 503.
    pub answer_time: Duration,
    /// A handshake. Over it the connection is closed.
    pub handshake_time: Duration,
    /// Connections at a time; further ones wait to be accepted.
    pub connections_max: usize,
    /// Questions that are worked on at a time. One more: 503.
    pub questions_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes_max: 8 << 20,
            answer_time: Duration::from_secs(10),
            handshake_time: Duration::from_secs(5),
            connections_max: 256,
            questions_max: 8,
        }
    }
}

/// Why a certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Not PEM, or not what it should be.
    #[error("{what} cannot be read: {source}")]
    Pem {
        /// `certificate` or `key`.
        what: &'static str,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// They do not belong together, or are of a kind that nobody speaks.
    #[error("certificate and key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// Who the server is. It may change while it runs; connections that are open keep what they began with.
#[derive(Debug)]
pub struct Identity(RwLock<Arc<ServerConfig>>);

impl Identity {
    /// A certificate, those between it and its authority behind it, and its key; both in PEM.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn new(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        Ok(Self(RwLock::new(config_of(certificate, key)?)))
    }

    /// Shows another one from now on.
    ///
    /// # Errors
    /// When it cannot be used; the one before stays then.
    pub fn replace(&self, certificate: &[u8], key: &[u8]) -> Result<(), IdentityError> {
        let made = config_of(certificate, key)?;
        *self.0.write().unwrap_or_else(|broken| broken.into_inner()) = made;
        Ok(())
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(|broken| broken.into_inner()).clone().into()
    }
}

fn config_of(certificate: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, IdentityError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|source| IdentityError::Pem { what: "certificate", source })?;
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|source| IdentityError::Pem { what: "key", source })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Why a server cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ServeError {
    address: SocketAddr,
    source: io::Error,
}

/// An admission server on an address of its own.
#[derive(Debug)]
pub struct Server {
    socket: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    identity: Arc<Identity>,
    settings: Settings,
    metrics: Arc<AdmissionMetrics>,
    bounds: Bounds,
    questions: Arc<Semaphore>,
}

impl Server {
    /// Takes an address. Runs in a tokio runtime.
    ///
    /// # Errors
    /// When the system does not give it.
    pub async fn bind(
        address: SocketAddr,
        identity: Arc<Identity>,
        settings: Settings,
        metrics: Arc<AdmissionMetrics>,
        bounds: Bounds,
    ) -> Result<Self, ServeError> {
        let failed = |source| ServeError { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let questions = Arc::new(Semaphore::new(bounds.questions_max));
        Ok(Self {
            socket,
            address,
            shared: Arc::new(Shared { identity, settings, metrics, bounds, questions }),
        })
    }

    /// Where it listens, with the port that port 0 became.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `end` is ready; questions that have begun then are answered.
    pub async fn serve(self, end: impl Future<Output = ()>) {
        let mut end = std::pin::pin!(end);
        let places = Arc::new(Semaphore::new(self.shared.bounds.connections_max));
        let (ending, ended) = tokio::sync::watch::channel(false);
        loop {
            let accepted = tokio::select! {
                () = &mut end => break,
                accepted = accept(&self.socket, &places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let (shared, ended) = (self.shared.clone(), ended.clone());
                    tokio::spawn(async move {
                        connection(stream, shared, ended).await;
                        drop(place);
                    });
                }
                // Out of descriptors, mostly: they come back.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        drop(self.socket);
        let _ = ending.send(true);
        let all = u32::try_from(self.shared.bounds.connections_max).unwrap_or(u32::MAX);
        let _ = timeout(self.shared.bounds.answer_time, places.acquire_many(all)).await;
    }
}

async fn accept(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = socket.accept().await?;
    Ok((stream, place))
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, mut ended: tokio::sync::watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let handshake = shared.identity.acceptor().accept(stream);
    let Ok(Ok(stream)) = timeout(shared.bounds.handshake_time, handshake).await else {
        shared.metrics.refused("handshake");
        return;
    };
    let of_requests = shared.clone();
    let service = service_fn(move |request| {
        let shared = of_requests.clone();
        async move { Ok::<_, Infallible>(respond(request, shared).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIME)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let is_ending = async { drop(ended.wait_for(|ended| *ended).await) };
    let cut = tokio::select! {
        // What goes wrong on a connection is the caller's affair.
        _ = &mut served => false,
        () = is_ending => true,
    };
    if cut {
        served.as_mut().graceful_shutdown();
        let _ = timeout(shared.bounds.answer_time, served).await;
    }
}

/// How long a connection may wait for its next question; API servers keep theirs.
const IDLE_TIME: Duration = Duration::from_secs(90);

async fn respond(request: http::Request<Incoming>, shared: Arc<Shared>) -> Response<Full<Bytes>> {
    let began = Instant::now();
    let is_injection = match request.uri().path() {
        "/inject" => true,
        "/validate" => false,
        _ => return refusal(StatusCode::NOT_FOUND, "there are /inject and /validate"),
    };
    if request.method() != Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "POST an AdmissionReview");
    }
    let Ok(place) = shared.questions.clone().try_acquire_owned() else {
        shared.metrics.refused("busy");
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many questions at a time");
    };
    let body = Limited::new(request.into_body(), shared.bounds.body_bytes_max);
    let body = match timeout(shared.bounds.answer_time, body.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            shared.metrics.refused("too-large");
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the AdmissionReview is too large");
        }
        Ok(Err(_)) => return refusal(StatusCode::BAD_REQUEST, "the body broke off"),
        Err(_) => {
            shared.metrics.refused("slow");
            return refusal(StatusCode::REQUEST_TIMEOUT, "the body took too long");
        }
    };
    let left = shared.bounds.answer_time.saturating_sub(began.elapsed());
    let work = {
        let shared = shared.clone();
        tokio::task::spawn_blocking(move || {
            let answered = answered(&body, is_injection, &shared);
            // Only now: work that nobody waits for any more still takes its place.
            drop(place);
            answered
        })
    };
    match timeout(left, work).await {
        Ok(Ok(Ok(answer))) => {
            shared.metrics.answered(is_injection, began.elapsed());
            Response::builder()
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(Full::new(answer.into()))
                .expect("a status and a fixed header make a response")
        }
        Ok(Ok(Err(unreadable))) => {
            shared.metrics.refused("unreadable");
            refusal(StatusCode::BAD_REQUEST, &unreadable.to_string())
        }
        Ok(Err(_)) => {
            shared.metrics.refused("failed");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "the question could not be answered")
        }
        Err(_) => {
            shared.metrics.refused("slow");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long")
        }
    }
}

/// The answer to a question; pure but for the counters.
fn answered(body: &[u8], is_injection: bool, shared: &Shared) -> Result<Vec<u8>, Unreadable> {
    answer(body, |request| -> Decision {
        match is_injection {
            true => decide_injection(request, &shared.settings, &shared.metrics),
            false => validate(request, &shared.metrics),
        }
    })
}

fn refusal(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{message}\n"))));
    *response.status_mut() = status;
    response
}
