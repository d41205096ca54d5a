//! Probes and metrics of the admission server, for kubelet and Prometheus, without TLS: `/livez`, `/readyz`, `/startupz`,
//! `/healthz`, `/metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::metrics::AdmissionMetrics;

/// What probes are told.
#[derive(Debug, Default)]
pub struct Readiness {
    ready: AtomicBool,
}

impl Readiness {
    /// Certificates are in place and questions are answered; or, again, not.
    pub fn set(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}

/// Connections at a time; who comes then waits.
const CONNECTIONS_MAX: usize = 64;
/// From the accept to the end.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// Serves probes until the process ends.
pub async fn serve_probes(socket: TcpListener, readiness: Arc<Readiness>, metrics: Arc<AdmissionMetrics>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = socket.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (readiness, metrics) = (readiness.clone(), metrics.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (readiness, metrics) = (readiness.clone(), metrics.clone());
                async move { Ok::<_, Infallible>(answer(&request, &readiness, &metrics)) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(CONNECTION_TIME, served).await;
            drop(place);
        });
    }
}

fn answer<B>(
    request: &http::Request<B>,
    readiness: &Readiness,
    metrics: &AdmissionMetrics,
) -> Response<Full<Bytes>> {
    let (status, text) = match request.uri().path() {
        "/livez" => (StatusCode::OK, "OK\n".to_owned()),
        "/readyz" | "/startupz" | "/healthz" => match readiness.ready.load(Ordering::Acquire) {
            true => (StatusCode::OK, "OK\n".to_owned()),
            false => {
                (StatusCode::SERVICE_UNAVAILABLE, "not ready: certificates are not in place\n".to_owned())
            }
        },
        "/metrics" => (StatusCode::OK, metrics.text()),
        _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

/// Takes an address for probes.
///
/// # Errors
/// When the system does not give it.
pub async fn bind_probes(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpListener::bind(address).await?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}
