//! The two sides of an exchange, whatever protocol each of them speaks.
//!
//! ```text
//!               poll_body                    send_piece, poll_flush
//!  client  ──────────────────> passage ──────────────────────────────> server
//!     ^     Http1Client                        ServerSide::Http1           |
//!     |     Http2Client                        ServerSide::Http2           |
//!     +────────────────────────  <─────────────────────────────────────────+
//!        send_piece, poll_flush                   poll_head, poll_body
//! ```
//!
//! Everything is a poll, so that both directions move within one task. The client's side is a type parameter of the
//! passage, because it is known once for a whole connection; the server's is an enum, because it is known only when
//! there is a connection. Nothing here knows of inspection, times or journals: those are the passage's.

use std::io;
use std::task::{Context, Poll};

use palisade_http::{ChunkFinding, Fields, Framing, ResponseHead};

use crate::block_page::{OwnPage, Written};
use crate::response::Hop;

/// One side: a body that comes, and bytes that go.
pub(crate) trait Side {
    /// Hands some more of the body that comes to `take`, transfer coding undone; perhaps nothing. `false`: it is over.
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>>;

    /// Appends a piece of the body that goes.
    fn send_piece(&mut self, piece: &[u8]);

    /// Bytes that have not left yet. Over [`OUTPUT_BYTES_MAX`](crate::wire::OUTPUT_BYTES_MAX) nothing should be added.
    fn pending(&self) -> usize;

    /// Lets everything leave.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Says that nothing more goes. For tunnels, whose bodies have no other end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The client's side of one exchange whose request's head was read.
pub(crate) trait ClientSide: Side {
    /// Whether all of the request's body was taken.
    fn body_is_done(&self) -> bool;

    /// The fields after the request's body, once that is done. None on HTTP/1: no rule looks at what
    /// comes there, and there are servers that take it for headers.
    fn request_trailers(&mut self) -> Option<Fields>;

    /// Tells a client that waits for it to send its body.
    fn send_continue(&mut self);

    /// An interim answer (1xx but 100 and 101).
    fn send_interim(&mut self, head: &ResponseHead);

    /// The head of the upstream's answer. It does not leave before the next flush.
    fn send_head(&mut self, head: &ResponseHead, framing: Framing, hop: &Hop<'_>, request_is_out: bool);

    /// The head that makes a tunnel of the exchange. As [`send_head`](Self::send_head). Comes back with its status.
    fn send_switching(&mut self, head: &ResponseHead, request_id: &str) -> u16;

    /// From now on bytes come and go as they are.
    fn become_tunnel(&mut self);

    /// An answer of ours, whole.
    fn send_own(&mut self, page: OwnPage, request_is_read: bool) -> Written;

    /// The end of the answer.
    fn send_end(&mut self, trailers: Option<&Fields>);

    /// Whether some of the answer has left: then there is no other one.
    fn is_begun(&self) -> bool;

    /// Takes the answer back, of which nothing has left.
    fn take_back(&mut self);

    /// Whether the connection takes another request after this one.
    fn stays(&self) -> bool;

    /// Ready once the client has said that it wants no answer any more. Only where that can be known beside everything
    /// else: on HTTP/1 a connection whose client has said its last may still wait for the answer.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Why no more of a body comes.
#[derive(Debug)]
pub(crate) enum BodyLost {
    /// The other end has ended it early.
    Ended,
    /// The connection, or this exchange on it, broke.
    Broken(String),
    /// Its chunked coding is broken.
    Malformed(ChunkFinding),
}
