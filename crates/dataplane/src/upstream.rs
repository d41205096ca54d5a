//! Where a service lives: its endpoints, which of them a request goes to, and connections to it.
//!
//! The least busy endpoint that has not failed lately is taken. One that cannot be connected to is passed over for a
//! while and the next one is tried, since nothing was sent yet; when all have failed lately, all are tried.

mod endpoint;
mod endpoints;
mod server_side;
mod shared;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use self::endpoint::Endpoint;
pub(crate) use self::endpoint::Lease;
use self::endpoints::{Endpoints, Target};
pub(crate) use self::server_side::{HeadLost, ServerSide};
pub(crate) use self::shared::Share;
use crate::server_stream::ServerStream;
use crate::tls::{UpstreamTls, upstream_told};
use crate::wire::Wire;

/// Where requests of a service go.
#[derive(Debug)]
pub struct Upstream {
    /// Of the first URL, for requests without a Host and for logs.
    authority: String,
    limits: UpstreamLimits,
    endpoints: Arc<Endpoints>,
    turn: AtomicUsize,
    in_process: Option<Acceptor>,
    tls: Option<Tls>,
}

/// How an upstream is greeted.
#[derive(Debug)]
struct Tls {
    told: Arc<UpstreamTls>,
    /// Of the first URL.
    host: String,
}

/// Bounds and times of an upstream.
#[derive(Clone, Debug)]
pub struct UpstreamLimits {
    /// To resolve its name and connect. Then 504. Default 5 s.
    pub connect: Duration,
    /// How long it may take to respond, and between two pieces of its response; the listener's when `None`.
    pub response: Option<Duration>,
    /// Idle connections kept to each endpoint. Over it: closed. Default 128.
    pub idle_max: usize,
    /// How long an idle one is kept. Default 30 s.
    pub idle: Duration,
    /// How long addresses of its name are used before they are asked for anew; the system's resolver tells no
    /// lifetime. Default 10 s.
    pub resolve_every: Duration,
    /// How long an endpoint that could not be connected to is passed over. Default 10 s.
    pub eject: Duration,
    /// What it is spoken to in.
    pub protocol: UpstreamProtocol,
    /// The address of this machine that connections leave from; the system chooses when `None`. An endpoint of the other
    /// family cannot be connected to from it.
    pub source: Option<IpAddr>,
}

/// What an upstream is spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, many requests on a connection: agreed on by ALPN over TLS, known beforehand without.
    Http2,
    /// Over TLS what ALPN chooses; HTTP/1.1 without.
    Auto,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            response: None,
            idle_max: 128,
            idle: Duration::from_secs(30),
            resolve_every: Duration::from_secs(10),
            eject: Duration::from_secs(10),
            protocol: UpstreamProtocol::default(),
            source: None,
        }
    }
}

/// A text that names no upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamUrlError {
    /// It begins with neither `http://` nor `https://`, or not with that of the others.
    #[error("`{0}` is not an upstream: write http://HOST or http://HOST:PORT, or all with https")]
    Scheme(String),
    /// It has a path, a query or credentials, which would have no meaning.
    #[error(
        "`{0}` is not an upstream: requests keep their own path, so write http://HOST:PORT with nothing after it"
    )]
    Rest(String),
    /// Its host is empty or has bytes that no host has.
    #[error("`{0}` is not an upstream: its host is not a name or an address")]
    Host(String),
    /// Its port is no number from 1 to 65535.
    #[error("`{0}` is not an upstream: its port is not a number from 1 to 65535")]
    Port(String),
}

/// A connection to an upstream.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) link: Link,
    pub(crate) address: SocketAddr,
    lease: Lease,
    /// It has served others before.
    pub(crate) reused: bool,
}

/// What a connection is to one exchange.
#[derive(Debug)]
pub(crate) enum Link {
    /// All of it.
    Http1(Box<Wire<ServerStream>>),
    /// A stream beside those of others.
    Http2(Share),
}

/// How connecting went.
#[derive(Debug)]
pub(crate) struct Connecting {
    pub(crate) server: Result<Server, ConnectError>,
    /// Endpoints that failed on the way and are now passed over.
    pub(crate) ejected: u32,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("its name does not resolve: {0}")]
    Resolve(io::Error),
    #[error("it cannot be reached: {0}")]
    Connect(io::Error),
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    #[error("it does not begin HTTP/2: {0}")]
    Http2(String),
    #[error("it did not accept a connection in time")]
    Timeout,
}

/// Endpoints that one request tries to connect to.
const TRIES: usize = 4;

impl Upstream {
    /// An upstream from its URL, `http://HOST[:PORT]`; `https` needs [`Upstream::over`].
    ///
    /// # Errors
    /// When it is not one.
    pub fn new(url: &str, limits: UpstreamLimits) -> Result<Self, UpstreamUrlError> {
        Self::of(&[url], limits)
    }

    /// An upstream that is several places alike, at least one. Each address that one of them resolves to is an endpoint.
    ///
    /// # Errors
    /// When one of them is not an upstream's URL.
    pub fn of(urls: &[&str], limits: UpstreamLimits) -> Result<Self, UpstreamUrlError> {
        let mut targets = Vec::with_capacity(urls.len());
        let mut authority = None;
        for url in urls {
            let (written, target) = parse(url, "http")?;
            authority.get_or_insert(written);
            targets.push(target);
        }
        Self::at(authority, targets, limits)
    }

    /// The same over TLS: URLs are `https://HOST[:PORT]`.
    ///
    /// # Errors
    /// When one of them is not such a URL.
    pub fn over(
        tls: Arc<UpstreamTls>,
        urls: &[&str],
        limits: UpstreamLimits,
    ) -> Result<Self, UpstreamUrlError> {
        let mut targets = Vec::with_capacity(urls.len());
        let mut authority = None;
        for url in urls {
            let (written, target) = parse(url, "https")?;
            authority.get_or_insert(written);
            targets.push(target);
        }
        let host = targets.first().map(|target: &Target| target.host.clone()).unwrap_or_default();
        Ok(Self { tls: Some(Tls { told: tls, host }), ..Self::at(authority, targets, limits)? })
    }

    fn at(
        authority: Option<String>,
        targets: Vec<Target>,
        limits: UpstreamLimits,
    ) -> Result<Self, UpstreamUrlError> {
        Ok(Self {
            authority: authority.ok_or_else(|| UpstreamUrlError::Scheme(String::new()))?,
            endpoints: Endpoints::new(targets, limits.resolve_every, Box::new(endpoints::system)),
            limits,
            turn: AtomicUsize::new(0),
            in_process: None,
            tls: None,
        })
    }

    /// An upstream inside this process, for tests that want no sockets: `accept` is handed the other end of each
    /// connection, in which `pipe_bytes` find room. Its address reads as 0.0.0.0:0.
    pub fn in_process(pipe_bytes: usize, accept: impl Fn(DuplexStream) + Send + Sync + 'static) -> Self {
        let limits = UpstreamLimits::default();
        let target = Target { host: Ipv4Addr::UNSPECIFIED.to_string(), port: 0 };
        Self {
            authority: "in-process".to_owned(),
            endpoints: Endpoints::new(vec![target], limits.resolve_every, Box::new(endpoints::system)),
            limits,
            turn: AtomicUsize::new(0),
            tls: None,
            in_process: Some(Acceptor { pipe_bytes, accept: Arc::new(accept) }),
        }
    }

    /// How long it may take to respond, where it says so itself.
    pub(crate) fn response(&self) -> Option<Duration> {
        self.limits.response
    }

    /// Host and port as in its first URL.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// An idle connection to the endpoint whose turn it is, on which nothing is known to have come. `sure`: ask the
    /// system first, for requests that must not be sent twice.
    pub(crate) fn take_idle(&self, sure: bool) -> Option<Server> {
        let endpoints = self.endpoints.known();
        let turn = self.turn.load(Ordering::Relaxed);
        let endpoint = Endpoint::pick(&endpoints, turn, &[]).filter(|endpoint| !endpoint.is_ejected())?;
        let shared = match self.limits.protocol {
            UpstreamProtocol::Http1 => None,
            UpstreamProtocol::Http2 => Some(endpoint.take_shared()?),
            UpstreamProtocol::Auto => endpoint.take_shared(),
        };
        let server = shared.or_else(|| endpoint.take_idle(&self.limits, sure))?;
        if endpoints.len() > 1 {
            self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        }
        Some(server)
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put_idle(&self, wire: Wire<ServerStream>, lease: Lease) {
        lease.put_idle(wire, &self.limits);
    }

    /// The addresses of its endpoints as they are now; none where no name resolves, or none in time.
    pub(crate) async fn addresses(&self) -> Vec<SocketAddr> {
        match timeout(self.limits.connect, self.endpoints.all()).await {
            Ok(Ok(endpoints)) => endpoints.iter().map(|endpoint| endpoint.address()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }

    /// How requests to it are addressed.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// How long it may take to take a request.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.limits.connect
    }

    /// Closes idle connections that are too old or that the upstream has closed.
    pub(crate) fn sweep(&self) {
        self.endpoints.known().iter().for_each(|endpoint| endpoint.sweep(&self.limits));
    }

    /// Makes a connection to the endpoint whose turn it is, or to another where that fails.
    pub(crate) async fn connect(&self) -> Connecting {
        let mut ejected = 0;
        let server = timeout(self.limits.connect, self.connect_to_any(&mut ejected)).await;
        Connecting { server: server.unwrap_or(Err(ConnectError::Timeout)), ejected }
    }

    async fn connect_to_any(&self, ejected: &mut u32) -> Result<Server, ConnectError> {
        let endpoints = self.endpoints.all().await.map_err(ConnectError::Resolve)?;
        let tries = endpoints.len().min(TRIES);
        // Each gets its share of the time, so that one that swallows packets does not hide the others.
        let share = self.limits.connect / u32::try_from(tries).unwrap_or(u32::MAX).max(1);
        let mut failed = ConnectError::Timeout;
        let mut tried = Vec::with_capacity(tries);
        for _ in 0..tries {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let Some(endpoint) = Endpoint::pick(&endpoints, turn, &tried) else { break };
            match timeout(share, self.connect_to(endpoint)).await {
                Ok(Ok(server)) => {
                    endpoint.recovered();
                    return Ok(server);
                }
                Ok(Err(error)) => failed = error,
                Err(_) => {}
            }
            tried.push(endpoint.address());
            if endpoints.len() > 1 {
                endpoint.eject(self.limits.eject);
                *ejected += 1;
            }
        }
        self.endpoints.doubt();
        Err(failed)
    }

    async fn connect_to(&self, endpoint: &Arc<Endpoint>) -> Result<Server, ConnectError> {
        if self.limits.protocol == UpstreamProtocol::Http1 {
            let stream = self.open(endpoint.address()).await?;
            return Ok(endpoint.busy(Link::Http1(Box::new(Wire::new(stream)))));
        }
        // Requests that come at once share the connection that the first of them makes.
        let _opening = endpoint.shared().opening.lock().await;
        if let Some(server) = endpoint.take_shared() {
            return Ok(server);
        }
        let stream = self.open(endpoint.address()).await?;
        let link = match (self.limits.protocol, stream.has_chosen_http2()) {
            (UpstreamProtocol::Auto, None | Some(false)) => Link::Http1(Box::new(Wire::new(stream))),
            (UpstreamProtocol::Http2, Some(false)) => {
                return Err(ConnectError::Http2("ALPN did not choose h2".to_owned()));
            }
            _ => {
                let begun = endpoint.shared().add(stream).await;
                Link::Http2(begun.map_err(|error| ConnectError::Http2(error.to_string()))?)
            }
        };
        Ok(endpoint.busy(link))
    }

    async fn open(&self, address: SocketAddr) -> Result<ServerStream, ConnectError> {
        if let Some(Acceptor { pipe_bytes, accept }) = &self.in_process {
            let (near, far) = tokio::io::duplex(*pipe_bytes);
            accept(far);
            return Ok(ServerStream::Pipe(near));
        }
        let stream = connect(self.limits.source, address).await.map_err(ConnectError::Connect)?;
        // Heads and bodies are written whole; waiting to join them with more only delays them.
        let _ = stream.set_nodelay(true);
        let Some(Tls { told, host }) = &self.tls else { return Ok(ServerStream::Tcp(stream)) };
        let stream = told.connect(host, stream).await;
        stream
            .map(|stream| ServerStream::Tls(Box::new(stream)))
            .map_err(|error| ConnectError::Tls(upstream_told(&error)))
    }
}

/// Connects to an address, from one of this machine's where it is said which.
async fn connect(source: Option<IpAddr>, address: SocketAddr) -> io::Result<TcpStream> {
    let Some(source) = source else { return TcpStream::connect(address).await };
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

/// Authority and target of a URL of a scheme.
fn parse(url: &str, scheme: &str) -> Result<(String, Target), UpstreamUrlError> {
    let said = || url.to_owned();
    let rest = url.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
    let rest = rest.ok_or_else(|| UpstreamUrlError::Scheme(said()))?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#', '@']) {
        return Err(UpstreamUrlError::Rest(said()));
    }
    let (host, port) = match authority.rsplit_once(':') {
        // A colon inside brackets is the address's.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port {
        None if scheme == "https" => 443,
        None => 80,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0 && !authority.ends_with("+"))
            .ok_or_else(|| UpstreamUrlError::Port(said()))?,
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let valid = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        }
    };
    if !valid {
        return Err(UpstreamUrlError::Host(said()));
    }
    Ok((authority.to_owned(), Target { host: bare.unwrap_or(host).to_owned(), port }))
}

/// Takes connections inside this process.
struct Acceptor {
    pipe_bytes: usize,
    accept: Arc<dyn Fn(DuplexStream) + Send + Sync>,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_host_and_port_and_nothing_else() {
        for (url, host, port) in [
            ("http://127.0.0.1:3000", "127.0.0.1", 3000),
            ("http://shop.example.com/", "shop.example.com", 80),
            ("http://[::1]:81", "::1", 81),
            ("http://[::1]", "::1", 80),
        ] {
            let (_, target) = parse(url, "http").unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port), "{url}");
        }
        assert_eq!(parse("https://shop", "https").unwrap().1.port, 443);
        for url in [
            "127.0.0.1:80",
            "https://a",
            "http://",
            "http://a/b",
            "http://a:0",
            "http://a:x",
            "http://a b",
            "http://u@a",
            "http://[::g]",
        ] {
            assert!(parse(url, "http").is_err(), "{url}");
        }
    }
}
