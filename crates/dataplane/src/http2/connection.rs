//! One client connection on HTTP/2: streams beside one another, each a task.
//!
//! ```text
//!  accept ──> stream (passage) ─┐
//!  meter's signs, the drain, ───┼──> GOAWAY, then the streams that are there end, then the connection
//!  no stream for a while        ┘
//! ```

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::client::Http2Client;
use super::head;
use super::meter::{Metered, Signs};
use crate::metrics::Http2Abuse;
use crate::passage::{After, Caller, Kept, Passage};
use crate::request_id::request_id;
use crate::serve::Drain;
use crate::settings::Http2Limits;
use crate::wire::Timer;

/// How long a connection that is over may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves a connection of HTTP/2 until it ends. The stream begins with the preface.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, caller: Caller, drain: Drain) {
    let plane = caller.plane.clone();
    plane.metrics.events.http2_connections_total.one();
    let limits = caller.listener.limits.http2.clone();
    let (stream, signs) = Metered::new(stream, limits.clone(), plane.clone());
    let shaken = timeout(caller.listener.timeouts.head, builder(&caller).handshake(stream)).await;
    let Ok(Ok(connection)) = shaken else {
        plane.metrics.events.http2_handshake_failures_total.one();
        return;
    };
    let mut session = Session {
        connection,
        streams: JoinSet::new(),
        timer: Timer::new(caller.listener.timeouts.head),
        idle_since: Instant::now(),
        served: 0,
        state: State::Open,
        limits,
        signs,
        drain,
        caller,
    };
    std::future::poll_fn(|cx| session.poll(cx)).await;
    let Session { mut streams, connection, .. } = session;
    drop(connection);
    // They notice that nobody listens any more, and end as they should.
    let _ = timeout(LAST_WORDS, async { while streams.join_next().await.is_some() {} }).await;
}

fn builder(caller: &Caller) -> h2::server::Builder {
    let limits = &caller.listener.limits;
    let head = &limits.request_head;
    let http2 = &limits.http2;
    // A field counts 32 bytes more than it has (RFC 9113 section 6.5.2). Ours is met first, so that rules see the head;
    // what is beyond this is refused unseen.
    let list = head.head_bytes_max + 32 * head.headers_max + 16 * 1024;
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(http2.streams_max)
        .max_header_list_size(size(list))
        .initial_window_size(http2.stream_window)
        .initial_connection_window_size(http2.connection_window)
        .max_send_buffer_size(64 * 1024)
        .max_concurrent_reset_streams(http2.streams_max as usize)
        // The meter is met first, and says more.
        .max_pending_accept_reset_streams(2 * http2.resets_burst as usize)
        .max_local_error_reset_streams(Some(http2.resets_burst as usize))
        .enable_connect_protocol();
    builder
}

/// A connection with its streams.
struct Session<S> {
    connection: Connection<Metered<S>, Bytes>,
    streams: JoinSet<()>,
    timer: Timer,
    /// When the last stream ended.
    idle_since: Instant,
    /// Streams so far.
    served: u64,
    state: State,
    limits: Http2Limits,
    signs: Arc<Signs>,
    drain: Drain,
    caller: Caller,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// No more streams; those that are there may end.
    Leaving,
    /// It ends now.
    Cut(Instant),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            while let Poll::Ready(Some(_)) = self.streams.poll_join_next(cx) {
                self.idle_since = Instant::now();
            }
            if self.state == State::Open && self.drain.poll(cx).is_ready() {
                self.leave();
            }
            match self.poll_connection(cx) {
                Poll::Ready(true) => continue,
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if let (Some(abuse), State::Open | State::Leaving) = (self.signs.abuse(), self.state) {
                self.cut(abuse);
                continue;
            }
            self.timer.set_at(self.due());
            match self.timer.poll(cx) {
                Poll::Ready(()) if self.late() => return Poll::Ready(()),
                Poll::Ready(()) => continue,
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Moves the connection. Whether it goes on.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        // Streams that were reset end a little later than they are told; a client must not pile them up meanwhile.
        let crowded = self.streams.len() >= 2 * self.limits.streams_max as usize;
        if crowded || matches!(self.state, State::Cut(_)) {
            return self.connection.poll_closed(cx).map(|_| false);
        }
        match self.connection.poll_accept(cx) {
            Poll::Ready(Some(Ok((request, respond)))) => {
                self.served += 1;
                self.caller.plane.metrics.events.http2_streams_total.one();
                self.streams.spawn(exchange(request, respond, self.caller.clone()));
                if self.served >= self.caller.listener.limits.requests_per_connection_max {
                    self.leave();
                }
                Poll::Ready(true)
            }
            Poll::Ready(Some(Err(_)) | None) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Says that no more streams are taken.
    fn leave(&mut self) {
        if self.state == State::Open {
            self.state = State::Leaving;
            self.connection.graceful_shutdown();
        }
    }

    /// Ends the connection of a client that floods.
    fn cut(&mut self, abuse: Http2Abuse) {
        let Caller { plane, .. } = &self.caller;
        plane.metrics.http2.abuse(abuse);
        let why = format!("Refused with GOAWAY: the client floods the connection ({})", abuse.words());
        self.caller.remark(&why, &request_id());
        self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        self.state = State::Cut(Instant::now() + LAST_WORDS);
        self.streams.abort_all();
    }

    /// When something is to be done though nothing comes.
    fn due(&self) -> Instant {
        let timeouts = &self.caller.listener.timeouts;
        let stuck = self.signs.stuck_since().map(|since| since + timeouts.write);
        let idle = match (self.state, self.served) {
            (State::Cut(until), _) => Some(until),
            _ if !self.streams.is_empty() => None,
            (State::Leaving, _) => Some(self.idle_since + LAST_WORDS),
            (State::Open, 0) => Some(self.idle_since + timeouts.head),
            (State::Open, _) => Some(self.idle_since + timeouts.idle),
        };
        let due = stuck.into_iter().chain(idle).min();
        // Streams have their own times.
        due.unwrap_or_else(|| Instant::now() + Duration::from_secs(60))
    }

    /// The time has come. Whether the connection is over.
    fn late(&mut self) -> bool {
        let Caller { plane, listener, .. } = &self.caller;
        let timeouts = &listener.timeouts;
        if self.signs.stuck_since().is_some_and(|since| since.elapsed() >= timeouts.write) {
            plane.metrics.http2.abuse(Http2Abuse::SlowReading);
            let why = format!("The connection is closed: {}", Http2Abuse::SlowReading.words());
            self.caller.remark(&why, &request_id());
            return true;
        }
        match self.state {
            State::Cut(until) => Instant::now() >= until,
            State::Leaving => self.streams.is_empty() && Instant::now() >= self.due(),
            State::Open => {
                if self.streams.is_empty() && Instant::now() >= self.due() {
                    plane.metrics.events.idle_timeouts_total.one();
                    self.idle_since = Instant::now();
                    self.leave();
                }
                false
            }
        }
    }
}

/// One stream.
async fn exchange(request: Request<RecvStream>, respond: SendResponse<Bytes>, caller: Caller) {
    let (parts, body) = request.into_parts();
    let (head, plan) = head::read(&parts, body.is_end_stream(), &caller.listener.limits.request_head);
    drop(parts);
    let mut client = Http2Client::new(body, respond, &plan);
    let mut timer = Timer::new(caller.listener.timeouts.body);
    let mut kept = Kept::default();
    let after = Passage::new(&mut client, &caller, &mut timer, &mut kept).run(head, plan).await;
    if after != After::Cut {
        client.linger().await;
    }
    client.leave(after);
}
