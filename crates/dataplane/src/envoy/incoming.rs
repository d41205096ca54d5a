//! Connections of Envoys over TLS: greeted, and let in where the certificate is one that may ask. What is not let in is
//! closed before it can ask anything, counted, and told now and then.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::ReceiverStream;

use super::Shared;
use crate::arrival::Arrival;
use crate::certificate;
use crate::exchange::own_line;
use crate::journal::Remark;
use crate::metrics::HandshakeOutcome;
use crate::request_id::request_id;
use crate::throttle::Throttle;
use crate::tls::{ClientStream, Greeting, Handshakes, ServerTls, handshake};

/// Connections that are let in and that nobody has taken yet. Each is taken at once.
const WAITING_MAX: usize = 16;

/// Takes connections until the stream is dropped.
pub(super) fn incoming(
    socket: TcpListener,
    tls: Arc<ServerTls>,
    time: Duration,
    shared: Arc<Shared>,
) -> ReceiverStream<io::Result<ClientStream>> {
    let (let_in, stream) = mpsc::channel(WAITING_MAX);
    let threshold = Arc::new(Threshold {
        tls,
        time,
        shared,
        handshakes: Handshakes::default(),
        told: Throttle::default(),
    });
    tokio::spawn(accept_all(socket, threshold, let_in));
    ReceiverStream::new(stream)
}

async fn accept_all(
    socket: TcpListener,
    threshold: Arc<Threshold>,
    let_in: mpsc::Sender<io::Result<ClientStream>>,
) {
    let mut greeted = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = let_in.closed() => return,
        };
        let (threshold, let_in) = (threshold.clone(), let_in.clone());
        let events = &threshold.shared.plane.metrics.events;
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors, mostly: those who are here may finish and give theirs back.
            events.accept_failures_total.one();
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        while greeted.try_join_next().is_some() {}
        let _ = stream.set_nodelay(true);
        greeted.spawn(async move {
            if let Some(asker) = threshold.pass(stream, peer).await {
                let _ = let_in.send(Ok(asker)).await;
            }
        });
    }
}

struct Threshold {
    tls: Arc<ServerTls>,
    /// For a handshake.
    time: Duration,
    shared: Arc<Shared>,
    handshakes: Handshakes,
    told: Throttle,
}

impl Threshold {
    async fn pass(&self, stream: TcpStream, peer: SocketAddr) -> Option<ClientStream> {
        let local = stream.local_addr().ok()?;
        let mut arrival = Arrival::plain(peer, local);
        let count = |outcome| self.shared.plane.metrics.tls.one(outcome);
        let max = self.shared.listener.limits.handshakes_max;
        let Some(handshaking) = self.handshakes.begin(max) else {
            count(HandshakeOutcome::Refused);
            self.tell(&format!("TLS is not begun: {max} handshakes are under way"), &arrival);
            return None;
        };
        let greeting = handshake(stream, &self.tls, Instant::now() + self.time).await;
        drop(handshaking);
        let (outcome, why) = match greeting {
            Greeting::Tls(stream, settled) => {
                count(HandshakeOutcome::Completed);
                arrival.tls = Some(settled.into());
                // No host is asked for here: what the listener says holds.
                let Err(refusal) = certificate::judge(&arrival, None) else { return Some(stream) };
                self.shared.plane.metrics.events.askers_refused_total.one();
                self.tell(&format!("Not let ask: {}", refusal.why), &arrival);
                return None;
            }
            Greeting::Plain(_) => {
                (HandshakeOutcome::PlainHttp, "Not let ask: it does not speak TLS".to_owned())
            }
            Greeting::Gone => {
                count(HandshakeOutcome::Gone);
                return None;
            }
            Greeting::Late => {
                (HandshakeOutcome::Late, "The TLS handshake did not come to its end in time".to_owned())
            }
            Greeting::Failed(why) => (HandshakeOutcome::Failed, format!("The TLS handshake failed: {why}")),
        };
        count(outcome);
        self.tell(&why, &arrival);
        None
    }

    fn tell(&self, what: &str, arrival: &Arrival) {
        let Some(times) = self.told.one() else { return };
        let others = if times > 1 { format!(" (and {} others)", times - 1) } else { String::new() };
        let (client, local) = (arrival.peer_addr, arrival.local_addr);
        self.shared.plane.journal.remark(Remark {
            listener: self.shared.listener.name.clone(),
            client_addr: client,
            line: own_line(client, local, b"", &request_id(), &format!("{what}{others}")),
        });
    }
}
