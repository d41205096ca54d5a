//! The socket side: accepts connections, reads a request whole, asks the service, writes the answer.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A request with its body read.
pub type Request = hyper::Request<Bytes>;

/// The two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The client's, as the socket has it.
    pub remote: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
}

/// A service: a function from a request to an answer.
pub trait Service: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: Request, ends: Ends) -> impl Future<Output = Answer> + Send;
}

/// What a service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: StatusCode,
    /// The media type, as the Content-Type header says it.
    pub content_type: &'static str,
    /// Headers beside it.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A page of HTML.
    #[must_use]
    pub fn html(status: StatusCode, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/html; charset=utf-8", body.into())
    }

    /// A JSON value.
    #[must_use]
    pub fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        Self::new(status, "application/json", value.to_string().into_bytes())
    }

    /// Plain text.
    #[must_use]
    pub fn text(status: StatusCode, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into())
    }

    /// A body of some type.
    #[must_use]
    pub fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, headers: Vec::new(), body }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.push((HeaderName::from_static(name), value));
        self
    }
}

/// Serves a service over HTTP/1.1 until `shutdown` completes; then lets running requests finish, at most [`DRAIN_MAX`].
/// An error of one connection ends that connection only.
///
/// At most [`CONNECTIONS_MAX`] connections are open; further ones wait in the listen queue. A body above
/// [`BODY_BYTES_MAX`] is answered 413.
pub async fn serve(listener: TcpListener, service: impl Service, shutdown: impl Future<Output = ()>) {
    let service = Arc::new(service);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);

    loop {
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot.expect("the semaphore is never closed"),
            () = &mut shutdown => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted.and_then(|(stream, remote)| {
                let local = stream.local_addr()?;
                Ok((stream, Ends { remote, local }))
            }),
            () = &mut shutdown => break,
        };
        let (stream, ends) = match accepted {
            Ok(accepted) => accepted,
            Err(_) => {
                // Out of descriptors or a client gone already: neither is helped by spinning.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let service = service.clone();
        let answering = service_fn(move |request| answer(service.clone(), ends, request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_MAX)
            .serve_connection(TokioIo::new(stream), answering);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            // A broken connection is the client's affair: the answer has nowhere to go.
            let _ = connection.await;
            drop(slot);
        });
    }

    drop(listener);
    let _ = tokio::time::timeout(DRAIN_MAX, connections.shutdown()).await;
}

/// Connections that are open at the same time.
pub const CONNECTIONS_MAX: usize = 1024;

/// The longest request body that is read.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long running requests may take to finish after the shutdown.
pub const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How long a client may take to send a request head.
const HEADER_READ_MAX: Duration = Duration::from_secs(30);

async fn answer(
    service: Arc<impl Service>,
    ends: Ends,
    request: hyper::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let answer = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => service.answer(Request::from_parts(head, body.to_bytes()), ends).await,
        Err(error) if error.is::<LengthLimitError>() => {
            Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n")
        }
        Err(_) => Answer::text(StatusCode::BAD_REQUEST, "the body cannot be read\n"),
    };

    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.extend(answer.headers);
    Ok(response)
}
