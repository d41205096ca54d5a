//! The accept loop of a listener: how many connections there may be, and how they end when we do.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::arrival::{Arrival, canonical};
use crate::arrive::Threshold;
use crate::block_page::{AnswerForm, OwnAnswer};
use crate::exchange::own_line;
use crate::http1::Connection;
use crate::journal::Remark;
use crate::passage::told;
use crate::request_id::request_id;
use crate::settings::{ForwardedFor, Listener, Plane};
use crate::shared_address::SharedAddress;
use crate::throttle::Throttle;

/// An address that is ours. A listener that takes the place of another at the same address takes over its socket: nobody
/// who connects in between is refused.
#[derive(Clone, Debug)]
pub struct Socket {
    listener: Arc<TcpListener>,
}

impl Socket {
    /// Takes an address. Runs in a tokio runtime.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: Arc::new(TcpListener::bind(address).await?) })
    }

    /// Where it listens, with the port that port 0 became.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A listener that has its address.
#[derive(Debug)]
pub struct Bound {
    listener: Arc<Listener>,
    socket: Socket,
}

impl Bound {
    /// Binds a listener. Runs in a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(listener: Listener) -> io::Result<Self> {
        let socket = Socket::bind(listener.address).await?;
        Ok(Self::on(listener, socket))
    }

    /// A listener on a socket that is there, whatever its own address says.
    pub fn on(listener: Listener, socket: Socket) -> Self {
        Self { listener: Arc::new(listener), socket }
    }

    /// Where it listens, with the port that port 0 became.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_address()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.listener.name
    }

    /// Its socket, for whoever takes its place.
    pub fn socket(&self) -> Socket {
        self.socket.clone()
    }
}

/// How serving ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because the deadline came.
    pub cut_connections: usize,
}

/// Asks listeners to end.
#[derive(Clone, Debug)]
pub struct DrainTrigger {
    asked: Arc<watch::Sender<Option<Instant>>>,
}

/// Hears that it is to end.
pub struct Drain {
    asked: watch::Receiver<Option<Instant>>,
    /// Made once and polled often: what a connection waits for while it is idle.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

/// A trigger, and what listens to it. Clone the latter for each listener.
pub fn drain() -> (DrainTrigger, Drain) {
    let (sender, asked) = watch::channel(None);
    (DrainTrigger { asked: Arc::new(sender) }, Drain { asked, waiting: None })
}

impl DrainTrigger {
    /// No more connections are accepted, idle ones are closed, requests that have begun are answered, and what is
    /// left after `deadline` is cut.
    pub fn start(&self, deadline: Duration) {
        self.asked.send_replace(Some(Instant::now() + deadline));
    }
}

impl Drain {
    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.asked.borrow().is_some()
    }

    /// What changes when it is asked for.
    pub(crate) fn asked(&self) -> watch::Receiver<Option<Instant>> {
        self.asked.clone()
    }

    /// Ready once it was asked for.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let asked = &self.asked;
        let waiting = self.waiting.get_or_insert_with(|| {
            let asked = asked.clone();
            Box::pin(async move {
                until_asked(asked).await;
            })
        });
        waiting.as_mut().poll(cx)
    }
}

impl Clone for Drain {
    fn clone(&self) -> Self {
        Self { asked: self.asked.clone(), waiting: None }
    }
}

impl std::fmt::Debug for Drain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drain").field("asked", &self.is_asked()).finish_non_exhaustive()
    }
}

/// The deadline, once it was asked for. A trigger that is gone will never ask.
pub(crate) async fn until_asked(mut asked: watch::Receiver<Option<Instant>>) -> Instant {
    let deadline = asked.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
    match deadline {
        Some(deadline) => deadline,
        None => pending().await,
    }
}

/// Serves a listener until it is asked to end and its connections have. Runs in a tokio runtime; each connection is
/// a task of its own. Its counters are there, at zero, from the call on.
pub fn serve(bound: Bound, plane: Arc<Plane>, drain: Drain) -> impl Future<Output = Drained> + Send {
    for service in bound.listener.routes.services() {
        plane.metrics.requests_of(&bound.listener.name, &service);
    }
    if let Some(tls) = &bound.listener.tls {
        plane.metrics.tls.watch(bound.listener.name.clone(), tls.clone());
    }
    accept_all(bound, plane, drain)
}

async fn accept_all(bound: Bound, plane: Arc<Plane>, drain: Drain) -> Drained {
    let Bound { listener, socket } = bound;
    let mut connections = JoinSet::new();
    let refused = Refused::default();
    let threshold = Arc::new(Threshold::default());
    let mut shared = SharedAddress::default();
    let mut sweep = interval(Duration::from_secs(5));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked = std::pin::pin!(until_asked(drain.asked.clone()));
    let deadline = loop {
        tokio::select! {
            deadline = &mut asked => break deadline,
            accepted = socket.listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    while connections.try_join_next().is_some() {}
                    if listener.client_addresses.is_none()
                        && listener.forwarded_for != ForwardedFor::Nothing
                        && let Some(told) = shared.saw(canonical(peer).ip())
                    {
                        plane.lists.note_shared(canonical(peer).ip());
                        remark(&told, &request_id(), &stream, canonical(peer), &listener, &plane);
                    }
                    let tasks = connections.len();
                    if tasks >= listener.limits.connections_max {
                        refused.one(&stream, canonical(peer), &listener, &plane);
                    } else {
                        accept(stream, peer, &threshold, &listener, &plane, &drain, &mut connections);
                    }
                }
                // Out of descriptors, mostly: those who are here may finish and give theirs back.
                Err(_) => {
                    plane.metrics.events.accept_failures_total.one();
                    sleep(Duration::from_millis(50)).await;
                }
            },
            _ = sweep.tick() => {
                while connections.try_join_next().is_some() {}
                listener.routes.sweep();
            }
        }
    };
    drop(socket);
    if let Some(tls) = &listener.tls {
        plane.metrics.tls.unwatch(tls);
    }
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => Drained::default(),
        () = sleep_until(deadline) => {
            let cut_connections = connections.len();
            connections.shutdown().await;
            Drained { cut_connections }
        }
    }
}

/// Serves one connection that somebody else has accepted, until it ends. It counts as open, but not towards the
/// listener's bound.
pub async fn serve_stream<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    arrival: Arrival,
    listener: Arc<Listener>,
    plane: Arc<Plane>,
    drain: Drain,
) {
    Connection::new(stream, arrival, listener, plane, drain).run().await;
}

fn accept(
    stream: TcpStream,
    peer: SocketAddr,
    threshold: &Arc<Threshold>,
    listener: &Arc<Listener>,
    plane: &Arc<Plane>,
    drain: &Drain,
    connections: &mut JoinSet<()>,
) {
    plane.metrics.events.connections_total.one();
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let arrival = Arrival::plain(peer, local);
    let (threshold, listener, plane, drain) =
        (threshold.clone(), listener.clone(), plane.clone(), drain.clone());
    connections.spawn(async move {
        let Some((stream, arrival)) = threshold.pass(stream, arrival, &listener, &plane).await else {
            return;
        };
        Connection::new(stream, arrival, listener, plane, drain).run().await;
    });
}

/// Connections that are too many.
#[derive(Debug, Default)]
struct Refused {
    told: Throttle,
}

impl Refused {
    fn one(&self, stream: &TcpStream, peer: SocketAddr, listener: &Listener, plane: &Plane) {
        plane.metrics.events.connections_total.one();
        plane.metrics.events.connections_refused_total.one();
        let id = request_id();
        let form = AnswerForm {
            request_id: &id,
            json: false,
            head_only: false,
            close: true,
            http10: false,
            site: None,
            retry_after: None,
            fields: &[],
        };
        let mut answer = Vec::new();
        OwnAnswer::status(503).write(&form, &mut answer);
        // A new connection takes this much at once. What the client sends is not waited for. Over TLS it could not be read.
        if listener.tls.is_none() {
            let _ = stream.try_write(&answer);
        }

        let Some(untold) = self.told.one() else { return };
        let open = listener.limits.connections_max;
        let why = format!("{open} connections are open; refused since this was last told: {untold}");
        remark(&told(503, &why), &id, stream, peer, listener, plane);
    }
}

/// A line about what never became a request.
fn remark(text: &str, id: &str, stream: &TcpStream, peer: SocketAddr, listener: &Listener, plane: &Plane) {
    let local = canonical(stream.local_addr().unwrap_or(listener.address));
    let line = own_line(peer, local, b"", id, text);
    plane.journal.remark(Remark { listener: listener.name.clone(), client_addr: peer, line });
}
