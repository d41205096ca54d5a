//! One client connection on HTTP/1: requests one after another.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use palisade_http::{FramingFinding, RequestHead};
use tokio::io::{AsyncRead, AsyncWrite};

use super::client::Http1Client;
use super::head::Read;
use crate::arrival::{Alpn, Arrival};
use crate::http2::{self, Rewound};
use crate::passage::{After, Caller, Kept, Passage};
use crate::request::RequestPlan;
use crate::serve::Drain;
use crate::settings::{Listener, Plane, Protocol};
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

/// RFC 9113 section 3.4: the preface goes on after what HTTP/1 takes for a head.
const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0";
const PREFACE_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

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
        if self.is_http2() {
            return self.serve_http2(&[]).await;
        }
        loop {
            let read = self.read_head().await;
            if self.begins_http2(read.as_ref()) {
                return self.serve_http2(PREFACE_HEAD).await;
            }
            let after = match read {
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

    /// Whether it is agreed that this connection is one of HTTP/2.
    fn is_http2(&self) -> bool {
        match &self.caller.arrival.tls {
            Some(tls) => tls.alpn == Some(Alpn::Http2),
            None => self.caller.listener.protocol == Protocol::H2c,
        }
    }

    /// Goes on as HTTP/2, which begins with what was `read`.
    async fn serve_http2(self, read: &[u8]) {
        let Self { client, caller, drain, _open, .. } = self;
        let (stream, rest) = client.into_parts();
        let stream = Rewound::new([read, &rest].concat(), stream);
        // Larger than everything that HTTP/1 needs.
        Box::pin(http2::serve(stream, caller, drain)).await;
    }

    /// Whether what came first is the beginning of the preface of HTTP/2, which was made to look like a head.
    fn begins_http2(&self, read: Option<&Read>) -> bool {
        self.requests == 0
            && self.caller.listener.protocol == Protocol::Auto
            && self.caller.arrival.tls.is_none()
            && matches!(read, Some(Read::Head(head) | Read::Refused(head)) if head.line == PREFACE_LINE
                && head.headers.is_empty())
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
