//! The client's side of an exchange on HTTP/1.

use std::io;
use std::task::{Context, Poll};

use palisade_http::{Fields, Framing, ResponseHead};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::block_page::{OwnPage, Written};
use crate::body::{BodyReader, Coding};
use crate::request::RequestPlan;
use crate::response::{self, Form, Hop};
use crate::serve::Drain;
use crate::sides::{BodyLost, ClientSide, Side};
use crate::wire::Wire;

/// A client's connection for the time of one exchange.
#[derive(Debug)]
pub(crate) struct Http1Client<'c, S> {
    wire: &'c mut Wire<S>,
    drain: &'c Drain,
    /// The request's body.
    body: BodyReader,
    http10: bool,
    keep_alive: bool,
    /// How the answer's body goes.
    coding: Coding,
    stays: bool,
    /// Where the answer begins in the output, and how much had left before.
    mark: usize,
    sent: u64,
}

impl<'c, S: AsyncRead + AsyncWrite + Unpin> Http1Client<'c, S> {
    /// `last`: there is no other request on this connection.
    pub(super) fn new(wire: &'c mut Wire<S>, plan: &RequestPlan, last: bool, drain: &'c Drain) -> Self {
        let sent = wire.sent();
        Self {
            wire,
            drain,
            body: BodyReader::new(plan.framing),
            http10: plan.http10,
            keep_alive: plan.keep_alive && !last,
            coding: Coding::None,
            stays: false,
            mark: 0,
            sent,
        }
    }

    fn begin_answer(&mut self, stays: bool) {
        self.stays = stays && self.keep_alive && !self.drain.is_asked();
        self.mark = self.wire.output().len();
        self.sent = self.wire.sent();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Side for Http1Client<'_, S> {
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>> {
        poll_body(self.wire, &mut self.body, cx, take)
    }

    fn send_piece(&mut self, piece: &[u8]) {
        self.coding.write(piece, self.wire.output());
    }

    fn pending(&self) -> usize {
        self.wire.pending()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll_flush(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll_end(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientSide for Http1Client<'_, S> {
    fn body_is_done(&self) -> bool {
        self.body.is_done()
    }

    fn request_trailers(&mut self) -> Option<Fields> {
        None
    }

    fn send_continue(&mut self) {
        // A client that has begun to send does not wait for us.
        if self.wire.input().is_empty() {
            self.wire.output().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    fn send_interim(&mut self, head: &ResponseHead) {
        if !self.http10 {
            response::write_interim(head, self.wire.output());
        }
    }

    fn send_head(&mut self, head: &ResponseHead, framing: Framing, hop: &Hop<'_>, request_is_out: bool) {
        let (coding, ends_connection) = response::coding(framing, self.http10);
        self.begin_answer(request_is_out && !ends_connection);
        self.coding = coding;
        let form = Form { coding, close: !self.stays, http10: self.http10 };
        response::write_head(head, form, hop, self.wire.output());
    }

    fn send_switching(&mut self, head: &ResponseHead, request_id: &str) -> u16 {
        self.begin_answer(false);
        response::write_switching(head, request_id, self.wire.output());
        101
    }

    fn become_tunnel(&mut self) {
        self.body = BodyReader::new(Framing::UntilClose);
        self.coding = Coding::Plain;
    }

    fn send_own(&mut self, page: OwnPage, request_is_read: bool) -> Written {
        self.begin_answer(request_is_read);
        page.write_http1(!self.stays, self.http10, self.wire.output())
    }

    fn send_end(&mut self, trailers: Option<&Fields>) {
        self.coding.finish(trailers, self.wire.output());
    }

    fn is_begun(&self) -> bool {
        self.wire.sent() != self.sent
    }

    fn take_back(&mut self) {
        self.wire.output().truncate(self.mark);
    }

    fn stays(&self) -> bool {
        self.stays
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// Takes some more of a body from a wire.
pub(super) fn poll_body<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    body: &mut BodyReader,
    cx: &mut Context<'_>,
    take: &mut dyn FnMut(&[u8]),
) -> Poll<Result<bool, BodyLost>> {
    if body.is_done() {
        return Poll::Ready(Ok(false));
    }
    if wire.input().is_empty() {
        match wire.poll_fill(cx) {
            Poll::Ready(Ok(0)) if body.end() => return Poll::Ready(Ok(false)),
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(BodyLost::Ended)),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(BodyLost::Broken(error.to_string()))),
            Poll::Pending => return Poll::Pending,
        }
    }
    let taken = body.take(wire.input(), take);
    Poll::Ready(taken.map(|used| wire.consume(used)).map(|()| true).map_err(BodyLost::Malformed))
}
