//! The client's side of an exchange on HTTP/2: one stream.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use palisade_http::{Fields, Framing, ResponseHead};
use tokio::time::timeout;

use super::head;
use crate::block_page::{OwnPage, Written};
use crate::body::is_forbidden_trailer;
use crate::passage::After;
use crate::request::RequestPlan;
use crate::response::Hop;
use crate::sides::{BodyLost, ClientSide, Side};

/// How long a client may take to end a request that was answered already, and how much it may send meanwhile. Then the stream
/// is reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 * 1024;

/// A client's stream.
pub(super) struct Http2Client {
    body: StreamBody,
    respond: SendResponse<Bytes>,
    /// The head of the answer until it leaves.
    head: Option<Response<()>>,
    /// After its head has left.
    output: Option<SendStream<Bytes>>,
    outgoing: Outgoing,
    stays: bool,
}

impl Http2Client {
    pub(super) fn new(body: RecvStream, respond: SendResponse<Bytes>, plan: &RequestPlan) -> Self {
        // What asks for a tunnel has no body before there is one.
        let done = plan.framing == Framing::None;
        Self {
            body: StreamBody::new(body, done),
            respond,
            head: None,
            output: None,
            outgoing: Outgoing::default(),
            stays: true,
        }
    }

    /// Leaves the stream as the exchange ended. What is still to be sent was handed on already.
    pub(super) fn leave(mut self, after: After) {
        match after {
            // Where its request is not whole, dropping the stream tells the client to send no more of it.
            After::Next | After::Close | After::Linger => {}
            After::Cut => {
                self.respond.send_reset(Reason::INTERNAL_ERROR);
                if let Some(output) = &mut self.output {
                    output.send_reset(Reason::INTERNAL_ERROR);
                }
            }
        }
    }

    /// Takes what the client still sends of a request that was answered before it was whole, for a while. There are clients
    /// that lose the answer where a reset comes right behind it (curl 7.88 every other time).
    pub(super) async fn linger(&mut self) {
        let mut left = LINGER_BYTES_MAX;
        let taken = poll_fn(|cx| {
            while !self.body.done && left > 0 {
                match ready!(self.body.poll(cx, &mut |piece| left = left.saturating_sub(piece.len()))) {
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
            Poll::Ready(())
        });
        let _ = timeout(LINGER, taken).await;
    }

    fn begin_answer(&mut self, head: Response<()>) {
        self.head = Some(head);
        self.outgoing = Outgoing::default();
    }
}

impl Side for Http2Client {
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>> {
        self.body.poll(cx, take)
    }

    fn send_piece(&mut self, piece: &[u8]) {
        self.outgoing.bytes.extend_from_slice(piece);
    }

    fn pending(&self) -> usize {
        self.outgoing.bytes.len()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(head) = self.head.take() {
            let ends = self.outgoing.is_only_an_end();
            self.output = Some(self.respond.send_response(head, ends).map_err(io::Error::other)?);
            if ends {
                self.outgoing.end = End::Sent;
            }
        }
        match &mut self.output {
            Some(output) => self.outgoing.poll_flush(output, cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.finish(None);
        self.poll_flush(cx)
    }
}

impl ClientSide for Http2Client {
    fn body_is_done(&self) -> bool {
        self.body.done
    }

    fn request_trailers(&mut self) -> Option<Fields> {
        self.body.trailers.take()
    }

    fn send_continue(&mut self) {
        let mut head = Response::new(());
        *head.status_mut() = http::StatusCode::CONTINUE;
        // Who cannot be told goes on by itself.
        let _ = self.respond.send_informational(head);
    }

    fn send_interim(&mut self, head: &ResponseHead) {
        let fields = head::map(&head.headers, |name| !crate::request::is_hop_by_hop(name));
        let _ = self.respond.send_informational(head::response(head.status, fields));
    }

    fn send_head(&mut self, head: &ResponseHead, framing: Framing, hop: &Hop<'_>, request_is_out: bool) {
        let open = matches!(framing, Framing::Chunked | Framing::UntilClose);
        let no_length = head.status == 204 || open;
        self.begin_answer(head::answer(head.status, head, no_length, hop.changes, hop.request_id));
        self.stays = request_is_out;
    }

    fn send_switching(&mut self, head: &ResponseHead, request_id: &str) -> u16 {
        // RFC 8441 section 5: the tunnel begins with a 200, and there was no key that could be accepted.
        let mut answer = head::answer(200, head, true, None, request_id);
        answer.headers_mut().remove("sec-websocket-accept");
        self.begin_answer(answer);
        200
    }

    fn become_tunnel(&mut self) {
        self.body.done = false;
    }

    fn send_own(&mut self, page: OwnPage, request_is_read: bool) -> Written {
        self.begin_answer(head::response(page.status, head::map(&page.fields, |_| true)));
        self.outgoing.bytes.extend_from_slice(&page.body);
        self.outgoing.finish(None);
        self.stays = request_is_read;
        page.written()
    }

    fn send_end(&mut self, trailers: Option<&Fields>) {
        let trailers = trailers.map(|fields| head::map(fields, |name| !is_forbidden_trailer(name)));
        self.outgoing.finish(trailers.filter(|trailers| !trailers.is_empty()));
    }

    fn is_begun(&self) -> bool {
        self.output.is_some()
    }

    fn take_back(&mut self) {
        self.head = None;
        self.outgoing = Outgoing::default();
    }

    fn stays(&self) -> bool {
        self.stays
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let reset = match &mut self.output {
            Some(output) => output.poll_reset(cx),
            None => self.respond.poll_reset(cx),
        };
        reset.map(|_| ())
    }
}

/// The body that comes on a stream.
#[derive(Debug)]
pub(super) struct StreamBody {
    stream: RecvStream,
    pub(super) done: bool,
    pub(super) trailers: Option<Fields>,
}

impl StreamBody {
    pub(super) fn new(stream: RecvStream, done: bool) -> Self {
        Self { stream, done, trailers: None }
    }

    /// As [`Side::poll_body`].
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>> {
        if self.done {
            return Poll::Ready(Ok(false));
        }
        let broken = |error: h2::Error| BodyLost::Broken(error.to_string());
        match ready!(self.stream.poll_data(cx)) {
            Some(Ok(piece)) => {
                // Whoever takes it has room for it: then the sender may send as much again.
                let _ = self.stream.flow_control().release_capacity(piece.len());
                take(&piece);
                self.done = self.stream.is_end_stream();
                Poll::Ready(Ok(true))
            }
            Some(Err(error)) => Poll::Ready(Err(broken(error))),
            None => {
                let trailers = ready!(self.stream.poll_trailers(cx)).map_err(broken)?;
                self.trailers = trailers.as_ref().map(head::fields);
                self.done = true;
                Poll::Ready(Ok(false))
            }
        }
    }
}

/// What goes on a stream after its head.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) bytes: BytesMut,
    pub(super) end: End,
}

/// Where the end of a stream is.
#[derive(Debug, Default)]
pub(super) enum End {
    /// More may come.
    #[default]
    Open,
    /// It comes after the bytes, with trailers or without.
    Due(Option<HeaderMap>),
    Sent,
}

impl Outgoing {
    pub(super) fn finish(&mut self, trailers: Option<HeaderMap>) {
        if matches!(self.end, End::Open) {
            self.end = End::Due(trailers);
        }
    }

    /// Whether nothing is left but to end the stream, so that its head can do that.
    pub(super) fn is_only_an_end(&self) -> bool {
        self.bytes.is_empty() && matches!(self.end, End::Due(None))
    }

    /// Hands on what the stream's windows take.
    pub(super) fn poll_flush(
        &mut self,
        stream: &mut SendStream<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.bytes.is_empty() {
            stream.reserve_capacity(self.bytes.len());
            let room = stream.capacity();
            if room == 0 {
                match ready!(stream.poll_capacity(cx)) {
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                    None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                }
            }
            let piece = self.bytes.split_to(room.min(self.bytes.len())).freeze();
            let ends = self.is_only_an_end();
            stream.send_data(piece, ends).map_err(io::Error::other)?;
            if ends {
                self.end = End::Sent;
            }
        }
        match std::mem::take(&mut self.end) {
            End::Open => {
                // Whoever has nothing to send still wants to know that nobody listens any more.
                if stream.poll_reset(cx).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
            }
            End::Due(None) => {
                stream.send_data(Bytes::new(), true).map_err(io::Error::other)?;
                self.end = End::Sent;
            }
            End::Due(Some(trailers)) => {
                stream.send_trailers(trailers).map_err(io::Error::other)?;
                self.end = End::Sent;
            }
            End::Sent => self.end = End::Sent,
        }
        Poll::Ready(Ok(()))
    }
}
