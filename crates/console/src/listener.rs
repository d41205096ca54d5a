//! The socket side: an address, its bounds, and how it ends.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::answer::{Shown, answer};
use crate::guard::{Guard, Keys};
use crate::stream::ConnectionLife;
use crate::subject::Subject;

/// Bounds of one admin address.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections at a time. One more cuts the oldest, not the newest: who holds many connections and asks nothing
    /// does not keep a probe out. Default 256.
    pub connections_max: usize,
    /// Bytes of a request's head. Over it: 431. Default 16 KiB, and no less than 8.
    pub head_bytes_max: usize,
    /// Header lines. Over it: 431. Default 64.
    pub headers_max: usize,
    /// From the accept, or from the last answer, to the end of a head. Then closed: scrapers and probes that come
    /// again later connect again. Default 10 s.
    pub head_time: Duration,
    /// A whole connection, which is all that one who reads an answer byte by byte can have. Default 120 s.
    pub connection_time: Duration,
    /// Answers that have begun when the listener ends. Default 1 s.
    pub end_time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 256,
            head_bytes_max: 16 * 1024,
            headers_max: 64,
            head_time: Duration::from_secs(10),
            connection_time: Duration::from_secs(120),
            end_time: Duration::from_secs(1),
        }
    }
}

/// An admin address to be.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    shown: Shown,
    bounds: Bounds,
}

/// Why an admin address cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It can be reached by others and asks for nothing.
    #[error("off loopback the admin listener needs a token: everybody who reaches {address} could read it")]
    NeedsToken {
        /// The address.
        address: SocketAddr,
    },
    /// The system does not give it.
    #[error("cannot listen on {address}")]
    Io {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl Admin {
    /// An address that shows everything. On loopback keys are optional; off loopback they are not.
    ///
    /// # Errors
    /// When the address is off loopback and there is no key.
    pub fn new(address: SocketAddr, keys: impl Into<Keys>) -> Result<Self, BindError> {
        let guard = Guard::new(keys.into());
        if !guard.asks_who() && !address.ip().to_canonical().is_loopback() {
            return Err(BindError::NeedsToken { address });
        }
        Ok(Self { address, shown: Shown::Everything(Arc::new(guard)), bounds: Bounds::default() })
    }

    /// An address that shows probes and metrics only, without a token, on whatever interface: for kubelet and
    /// Prometheus.
    pub fn probes(address: SocketAddr) -> Self {
        Self { address, shown: Shown::ProbesAndMetrics, bounds: Bounds::default() }
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_bounds(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// Takes the address. Runs in a tokio runtime.
    ///
    /// # Errors
    /// When the system does not give it.
    pub async fn bind(self) -> Result<Bound, BindError> {
        let failed = |source| BindError::Io { address: self.address, source };
        let socket = TcpListener::bind(self.address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Bound { socket, address, shown: Arc::new(self.shown), bounds: self.bounds })
    }
}

/// An admin address in use.
#[derive(Debug)]
pub struct Bound {
    socket: TcpListener,
    address: SocketAddr,
    shown: Arc<Shown>,
    bounds: Bounds,
}

impl Bound {
    /// The address, with the port that port 0 became.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `end` is ready; answers that have begun then have
    /// [`Bounds::end_time`].
    pub async fn serve(self, subject: Arc<dyn Subject>, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        let ending = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        // In the order of their coming.
        let mut open: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let (stream, peer) = tokio::select! {
                () = &mut end => break,
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => (stream, peer),
                    // Out of descriptors, mostly: one of ours may help, spinning does not.
                    Err(_) => {
                        if let Some(oldest) = open.pop_front() {
                            oldest.abort();
                        }
                        sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                },
            };
            // Closed already, and by now without an address.
            let Ok(local) = stream.local_addr() else { continue };
            while connections.try_join_next().is_some() {}
            open.retain(|connection| !connection.is_finished());
            if open.len() >= self.bounds.connections_max
                && let Some(oldest) = open.pop_front()
            {
                oldest.abort();
            }
            let served =
                connection(stream, (peer, local), &self.shown, &subject, &self.bounds, ending.watcher());
            open.push_back(connections.spawn(served));
            // Those who are here read what has come before the next one may cost them their place.
            tokio::task::yield_now().await;
        }
        drop(self.socket);
        let _ = timeout(self.bounds.end_time, ending.shutdown()).await;
        connections.shutdown().await;
    }
}

fn connection(
    stream: TcpStream,
    ends: (SocketAddr, SocketAddr),
    shown: &Arc<Shown>,
    subject: &Arc<dyn Subject>,
    bounds: &Bounds,
    ending: Watcher,
) -> impl Future<Output = ()> + use<> {
    let _ = stream.set_nodelay(true);
    let (shown, subject) = (shown.clone(), subject.clone());
    // A body is read where a change has one; after the answer to another request that has one, hyper closes.
    let life = Arc::<ConnectionLife>::default();
    let of_requests = life.clone();
    let service = service_fn(move |mut request| {
        let (shown, subject) = (shown.clone(), subject.clone());
        request.extensions_mut().insert(of_requests.clone());
        async move { Ok::<_, Infallible>(answer(request, ends, &shown, subject.as_ref()).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_time)
        .max_buf_size(bounds.head_bytes_max)
        .max_headers(bounds.headers_max)
        .serve_connection(TokioIo::new(stream), service);
    let served = ending.watch(served);
    let connection_time = bounds.connection_time;
    async move {
        let mut served = pin!(served);
        loop {
            tokio::select! {
                // What goes wrong on a connection is the client's affair.
                _ = &mut served => break,
                () = life.cut() => break,
                // A stream of events has no end.
                () = sleep(connection_time) => if !life.streams() { break },
            }
        }
    }
}
