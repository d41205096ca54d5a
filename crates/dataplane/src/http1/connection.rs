//! One client connection on HTTP/1: requests one after another.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use palisade_http::{FramingFinding, RequestHead};
use tokio::io::{AsyncRead, AsyncWrite};

use super::client::Http1Client;
use super::head::Read;
use crate::arrival::Arrival;
use crate::passage::{After, Caller, Kept, Passage};
use crate::request::RequestPlan;
use crate::serve::Drain;
use crate::settings::{Listener, Plane};
use crate::wire::{Timer, Wire};

/// A client's connection.
pub(crate) struct Connection<S> {
    pub(super) client: Wire<S>,
    pub(super) caller: Caller,
    pub(super) drain: Drain,
    pub(super) timer: Timer,
    pub(super) requests: u64,
    kept: Kept,
    _open: Open,
}

/// Counts as an open connection while it lives.
struct Open(Arc<Plane>);

impl Open {
    fn new(plane: Arc<Plane>) -> Self {
        plane.metrics.connections_open.one();
        Self(plane)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.connections_open.one_less();
    }
}

/// What is read of a client that was answered early: closing at once would reset the connection, and our answer might
/// be lost with it.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
const LINGER: Duration = Duration::from_secs(2);

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(
        stream: S,
        arrival: Arrival,
        listener: Arc<Listener>,
        plane: Arc<Plane>,
        drain: Drain,
    ) -> Self {
        Self {
            client: Wire::new(stream),
            timer: Timer::new(listener.timeouts.head),
            drain,
            requests: 0,
            kept: Kept::default(),
            _open: Open::new(plane.clone()),
            caller: Caller { arrival, listener, plane },
        }
    }

    /// Serves it until it ends.
    pub(crate) async fn run(mut self) {
        loop {
            let after = match self.read_head().await {
                Some(Read::Head(head)) => Box::pin(self.exchange(head, false)).await,
                Some(Read::Refused(head)) => Box::pin(self.exchange(head, true)).await,
                Some(Read::Late) => self.late_head().await,
                Some(Read::Ended) => self.ended_head().await,
                None => After::Close,
            };
            match after {
                After::Next => {}
                After::Cut => return,
                // More came than was asked for: closing on it would reset the connection, as below.
                After::Close if !self.client.input().is_empty() => return self.linger().await,
                After::Close => {
                    let _ = poll_fn(|cx| self.client.poll_end(cx)).await;
                    return;
                }
                After::Linger => return self.linger().await,
            }
        }
    }

    async fn exchange(&mut self, head: RequestHead, refused: bool) -> After {
        self.requests += 1;
        let mut plan = RequestPlan::of(&head);
        if refused && plan.refusal.is_none() {
            plan.refusal = Some(FramingFinding::LineMalformed);
        }
        let last = self.requests >= self.caller.listener.limits.requests_per_connection_max;
        let mut client = Http1Client::new(&mut self.client, &plan, last, &self.drain);
        Passage::new(&mut client, &self.caller, &mut self.timer, &mut self.kept).run(head, plan).await
    }

    /// Whether all of the output is out.
    pub(super) async fn flush_client(&mut self) -> bool {
        self.timer.set(self.caller.listener.timeouts.write);
        self.client.flush(&mut self.timer).await.is_ok()
    }

    /// Reads and forgets what the client still sends, for a while.
    async fn linger(&mut self) {
        if poll_fn(|cx| self.client.poll_end(cx)).await.is_err() {
            return;
        }
        self.timer.set(LINGER);
        let mut bytes = 0;
        while bytes < LINGER_BYTES_MAX && self.client.fill(&mut self.timer).await.is_ok() {
            let read = self.client.input().len();
            bytes += read;
            self.client.consume(read);
        }
    }
}
