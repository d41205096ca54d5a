//! Where a service lives: its name resolved again and again, connections made, and idle ones kept for the next
//! request.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::server_stream::ServerStream;
use crate::wire::Wire;

/// Where requests of a service go.
#[derive(Debug)]
pub struct Upstream {
    host: String,
    port: u16,
    authority: String,
    limits: UpstreamLimits,
    resolved: Mutex<Resolved>,
    next_address: AtomicUsize,
    idle: Mutex<Vec<Idle>>,
    in_process: Option<Acceptor>,
}

/// Bounds and times of an upstream.
#[derive(Clone, Debug)]
pub struct UpstreamLimits {
    /// To resolve its name and connect. Then 504. Default 5 s.
    pub connect: Duration,
    /// How long it may take to respond, and between two pieces of its response; the listener's when `None`.
    pub response: Option<Duration>,
    /// Idle connections kept. Over it: closed. Default 128.
    pub idle_max: usize,
    /// How long an idle one is kept. Default 30 s.
    pub idle: Duration,
    /// How long addresses of its name are used before they are asked for anew; the system's resolver tells no
    /// lifetime. Default 10 s.
    pub resolve_every: Duration,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            response: None,
            idle_max: 128,
            idle: Duration::from_secs(30),
            resolve_every: Duration::from_secs(10),
        }
    }
}

/// A text that names no upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamUrlError {
    /// It does not begin with `http://`.
    #[error("`{0}` is not an upstream: write http://HOST or http://HOST:PORT")]
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

#[derive(Debug, Default)]
struct Resolved {
    addresses: Vec<SocketAddr>,
    at: Option<Instant>,
}

/// A connection to an upstream.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) wire: Wire<ServerStream>,
    pub(crate) address: SocketAddr,
}

#[derive(Debug)]
struct Idle {
    server: Server,
    since: Instant,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("its name does not resolve: {0}")]
    Resolve(io::Error),
    #[error("it cannot be reached: {0}")]
    Connect(io::Error),
    #[error("it did not accept a connection in time")]
    Timeout,
}

impl Upstream {
    /// An upstream from its URL, `http://HOST[:PORT]`.
    ///
    /// # Errors
    /// When it is not one.
    pub fn new(url: &str, limits: UpstreamLimits) -> Result<Self, UpstreamUrlError> {
        let said = || url.to_owned();
        let rest = url.strip_prefix("http://").ok_or_else(|| UpstreamUrlError::Scheme(said()))?;
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
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
            authority: authority.to_owned(),
            limits,
            resolved: Mutex::default(),
            next_address: AtomicUsize::new(0),
            idle: Mutex::default(),
            in_process: None,
        })
    }

    /// An upstream inside this process, for tests that want no sockets: `accept` is handed the other end of each
    /// connection, in which `pipe_bytes` find room. Its address reads as 0.0.0.0:0.
    pub fn in_process(pipe_bytes: usize, accept: impl Fn(DuplexStream) + Send + Sync + 'static) -> Self {
        Self {
            host: String::new(),
            port: 0,
            authority: "in-process".to_owned(),
            limits: UpstreamLimits::default(),
            resolved: Mutex::default(),
            next_address: AtomicUsize::new(0),
            idle: Mutex::default(),
            in_process: Some(Acceptor { pipe_bytes, accept: Arc::new(accept) }),
        }
    }

    /// How long it may take to respond, where it says so itself.
    pub(crate) fn response(&self) -> Option<Duration> {
        self.limits.response
    }

    /// Host and port as in its URL.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// An idle connection on which nothing is known to have come. `sure`: ask the system first, for requests that
    /// must not be sent twice.
    pub(crate) fn take_idle(&self, sure: bool) -> Option<Server> {
        loop {
            // The one used last: the others may then grow old and go.
            let Idle { mut server, since } = self.idle().pop()?;
            let wire = &mut server.wire;
            if since.elapsed() < self.limits.idle && wire.is_quiet() && (!sure || wire.stream().is_quiet()) {
                return Some(server);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put_idle(&self, mut server: Server) {
        // Bytes that nobody asked for would be taken for the next answer.
        if !server.wire.input().is_empty() || server.wire.pending() > 0 {
            return;
        }
        server.wire.rest();
        let mut idle = self.idle();
        if idle.len() < self.limits.idle_max {
            idle.push(Idle { server, since: Instant::now() });
        }
    }

    /// Closes idle connections that are too old or that the upstream has closed.
    pub(crate) fn sweep(&self) {
        self.idle()
            .retain(|idle| idle.since.elapsed() < self.limits.idle && idle.server.wire.stream().is_quiet());
    }

    /// Makes a connection.
    pub(crate) async fn connect(&self) -> Result<Server, ConnectError> {
        if let Some(Acceptor { pipe_bytes, accept }) = &self.in_process {
            let (near, far) = tokio::io::duplex(*pipe_bytes);
            accept(far);
            let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
            return Ok(Server { wire: Wire::new(ServerStream::Pipe(near)), address });
        }
        timeout(self.limits.connect, self.connect_to_any()).await.unwrap_or(Err(ConnectError::Timeout))
    }

    async fn connect_to_any(&self) -> Result<Server, ConnectError> {
        let addresses = self.addresses().await.map_err(ConnectError::Resolve)?;
        let first = self.next_address.fetch_add(1, Ordering::Relaxed);
        // Each gets its share of the time, so that one that swallows packets does not hide the others.
        let share = self.limits.connect / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut failed = ConnectError::Timeout;
        for n in 0..addresses.len() {
            let address = addresses[(first + n) % addresses.len()];
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Heads and bodies are written whole; waiting to join them with more only delays them.
                    let _ = stream.set_nodelay(true);
                    return Ok(Server { wire: Wire::new(ServerStream::Tcp(stream)), address });
                }
                Ok(Err(error)) => failed = ConnectError::Connect(error),
                Err(_) => {}
            }
        }
        // They may all have moved.
        self.resolved().at = None;
        Err(failed)
    }

    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        {
            let resolved = self.resolved();
            if resolved.at.is_some_and(|at| at.elapsed() < self.limits.resolve_every) {
                return Ok(resolved.addresses.clone());
            }
        }
        match tokio::net::lookup_host((self.host.as_str(), self.port)).await {
            Ok(found) => {
                let mut addresses: Vec<SocketAddr> = found.collect();
                addresses.dedup();
                if addresses.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "no address"));
                }
                *self.resolved() = Resolved { addresses: addresses.clone(), at: Some(Instant::now()) };
                Ok(addresses)
            }
            Err(error) => {
                // A resolver that is away for a while must not take us with it.
                let known = self.resolved().addresses.clone();
                if known.is_empty() { Err(error) } else { Ok(known) }
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resolved(&self) -> MutexGuard<'_, Resolved> {
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            let upstream = Upstream::new(url, UpstreamLimits::default()).unwrap();
            assert_eq!((upstream.host.as_str(), upstream.port), (host, port), "{url}");
        }
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
            assert!(Upstream::new(url, UpstreamLimits::default()).is_err(), "{url}");
        }
    }
}
