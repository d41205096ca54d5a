//! Connections that we make, and how long we wait before the next.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use super::{KEEP_ALIVE_EVERY, KEEP_ALIVE_TIME, LiveTls};

/// How long it may take until a connection is there, TLS included.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Where a server is: `https://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
}

/// What is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a server: write `https://HOST:PORT`")]
pub struct TargetError(String);

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let error = || TargetError(text.chars().take(256).collect());
        let uri: Uri = text.parse().map_err(|_| error())?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let host = uri.host().filter(|host| !host.is_empty() && bare && uri.scheme_str() == Some("https"));
        let host = host.ok_or_else(error)?.to_owned();
        Ok(Self { host, port: uri.port_u16().ok_or_else(error)? })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}", self.host, self.port)
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DialError(String);

/// Makes a connection, which is asked all the time whether it is still there.
///
/// # Errors
/// When nobody answers, or somebody whose certificate is not for the host of the target.
pub async fn dial(target: &Target, tls: Arc<LiveTls>) -> Result<Channel, DialError> {
    let error = |error: &dyn Error| DialError(root(error));
    let endpoint = Endpoint::from_shared(target.to_string()).map_err(|bad| error(&bad))?;
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIME)
        .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
        .keep_alive_timeout(KEEP_ALIVE_TIME)
        .keep_alive_while_idle(true);
    let connector = Connector { target: target.clone(), tls };
    endpoint.connect_with_connector(connector).await.map_err(|bad| error(&bad))
}

/// What lies at the bottom of an error.
fn root(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// What tonic asks for connections.
struct Connector {
    target: Target,
    tls: Arc<LiveTls>,
}

impl tonic::codegen::Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (target, tls) = (self.target.clone(), self.tls.client());
        let connect = async move {
            let bare = target.host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(bare.clone()).map_err(io::Error::other)?;
            let stream = TcpStream::connect((bare, target.port)).await?;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(TlsConnector::from(tls).connect(name, stream).await?))
        };
        Box::pin(async move {
            let slow = || io::Error::new(io::ErrorKind::TimedOut, "no connection in 10 s");
            timeout(CONNECT_TIME, connect).await.map_err(|_| slow())?
        })
    }
}

/// How long to wait before the next attempt: twice as long after each that came to nothing, and never the same for two who
/// failed at the same moment.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    next: Duration,
}

impl Pause {
    /// After the first failure.
    pub const FIRST: Duration = Duration::from_millis(250);
    /// After many.
    pub const MAX: Duration = Duration::from_secs(10);

    /// Nothing has failed yet.
    pub fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// After one more failure; `random` is evenly spread over 0 to 1. Between half of what is due and the whole of it.
    pub fn after_failure(&mut self, random: f64) -> Duration {
        let due = self.next;
        self.next = (2 * due).min(Self::MAX);
        due.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }

    /// It went well.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_and_a_port() {
        for good in ["https://control.palisade-system:9444", "https://127.0.0.1:1", "https://[::1]:9444"] {
            assert_eq!(good.parse::<Target>().unwrap().to_string(), good);
        }
        for bad in
            ["", "control:9444", "http://a:1", "https://a", "https://a:1/path", "https://:1", "https://a:1?q"]
        {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }

    #[test]
    fn pauses_grow_to_their_bound_and_begin_anew() {
        let mut pause = Pause::new();
        assert_eq!(pause.after_failure(1.0), Pause::FIRST);
        assert_eq!(pause.after_failure(0.0), Pause::FIRST);
        (0..20).for_each(|_| assert!(pause.after_failure(1.0) <= Pause::MAX));
        assert_eq!(pause.after_failure(1.0), Pause::MAX);
        pause.reset();
        assert_eq!(pause.after_failure(1.0), Pause::FIRST);
    }
}
