//! `/livez`, `/readyz`, `/startupz`, `/healthz` and `/metrics` without TLS and without a token, for kubelets and Prometheus:
//! of whatever runs for a cluster and has no admin listener of a data plane.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Who is asked.
pub trait Told: Send + Sync + 'static {
    /// What is missing until it is ready.
    fn missing(&self) -> Option<&'static str>;

    /// Whether it has come up, ready or not: who is asked this waits for the start, and ends what takes too long.
    fn has_started(&self) -> bool {
        self.missing().is_none()
    }

    /// Its numbers in Prometheus' text form.
    fn metrics(&self) -> String;
}

/// A listener at work. It ends when this is dropped.
#[derive(Debug)]
pub struct Probes {
    address: SocketAddr,
    task: tokio::task::AbortHandle,
}

impl Probes {
    /// Takes its address and answers from then on.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(address: SocketAddr, told: Arc<dyn Told>) -> std::io::Result<Probes> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, told)).abort_handle();
        Ok(Probes { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, told: Arc<dyn Told>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others end meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let told = Arc::clone(&told);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(&request, &*told);
                async move { Ok::<_, Infallible>(answer) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(PATIENCE, served).await;
            drop(place);
        });
    }
}

fn answer<B>(request: &Request<B>, told: &dyn Told) -> Response<Full<Bytes>> {
    let ok = || (StatusCode::OK, "OK\n".to_owned());
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/livez" | "/healthz") => ok(),
        (&Method::GET | &Method::HEAD, "/startupz") if told.has_started() => ok(),
        (&Method::GET | &Method::HEAD, "/readyz" | "/startupz") => match told.missing() {
            None => ok(),
            Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
        },
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, told.metrics()),
        _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Of a connection, from its first byte to the last of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of a request: those of kubelets and Prometheus have some hundreds. The least that hyper takes.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// At a time; who comes then waits.
const CONNECTIONS_MAX: usize = 64;
