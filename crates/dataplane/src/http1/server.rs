//! The upstream's side of an exchange on HTTP/1.

use std::io;
use std::task::{Context, Poll};

use palisade_http::{Fields, Framing, HeadLimits, HeadParse, HeadScanner, ResponseHead, parse_response_head};

use super::client::poll_body;
use crate::body::{BodyReader, Coding, write_field};
use crate::response;
use crate::server_stream::ServerStream;
use crate::sides::{BodyLost, Side};
use crate::upstream::{HeadLost, Lease};
use crate::wire::Wire;

/// A connection of an upstream for the time of one exchange.
#[derive(Debug)]
pub(crate) struct Http1Server {
    wire: Wire<ServerStream>,
    lease: Lease,
    /// How the request's body goes.
    coding: Coding,
    scanner: HeadScanner,
    body: BodyReader,
    reusable: bool,
}

impl Http1Server {
    /// Begins with the request's head as it goes on, but for its end.
    pub(crate) fn new(mut wire: Wire<ServerStream>, lease: Lease, forwarded: &[u8], coding: Coding) -> Self {
        wire.output().extend_from_slice(forwarded);
        Self {
            wire,
            lease,
            coding,
            scanner: HeadScanner::new(),
            body: BodyReader::new(Framing::None),
            reusable: false,
        }
    }

    /// Ends the request's head. `length`: its body came without saying how long it is, and is so long as far as we know.
    pub(crate) fn end_head(&mut self, length: Option<Option<u64>>) {
        let output = self.wire.output();
        match length {
            None => {}
            Some(Some(length)) => write_field(b"Content-Length", length.to_string().as_bytes(), output),
            Some(None) => write_field(b"Transfer-Encoding", b"chunked", output),
        }
        output.extend_from_slice(b"\r\n");
    }

    /// Sends the end of the request.
    pub(crate) fn send_end(&mut self) {
        self.coding.finish(None, self.wire.output());
    }

    /// The head of the next response; `None` when some of it came.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        limits: &HeadLimits,
    ) -> Poll<Result<Option<ResponseHead>, HeadLost>> {
        if let Some(read) = self.read_head(limits) {
            return Poll::Ready(read);
        }
        let wire = &mut self.wire;
        match wire.poll_fill(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) if wire.input().is_empty() => {
                Poll::Ready(Err(HeadLost::Closed("closed its connection without an answer".into())))
            }
            Poll::Ready(Ok(0)) => {
                Poll::Ready(Err(HeadLost::Refused("the upstream's response ended in its head".into())))
            }
            Poll::Ready(Ok(_)) => Poll::Ready(self.read_head(limits).unwrap_or(Ok(None))),
            Poll::Ready(Err(error)) => {
                Poll::Ready(Err(HeadLost::Closed(format!("broke its connection: {error}"))))
            }
        }
    }

    /// What the input holds of a head; nothing while it may still grow to be one.
    fn read_head(&mut self, limits: &HeadLimits) -> Option<Result<Option<ResponseHead>, HeadLost>> {
        let wire = &mut self.wire;
        let input = wire.input();
        if self.scanner.find(input).is_none() && input.len() <= limits.head_bytes_max {
            return None;
        }
        match parse_response_head(input, limits) {
            HeadParse::Complete { head, consumed } => {
                wire.consume(consumed);
                self.scanner = HeadScanner::new();
                Some(Ok(Some(head)))
            }
            HeadParse::Refused { head, .. } => {
                let why = head.findings.last().map_or("no head", |finding| finding.name());
                let why = format!("the upstream's response is no HTTP/1.1 ({why})");
                Some(Err(HeadLost::Refused(why)))
            }
            HeadParse::Incomplete => None,
        }
    }

    /// How the response's body comes.
    ///
    /// # Errors
    /// Why it cannot be passed on.
    pub(crate) fn framing(&mut self, head: &ResponseHead, method: &[u8]) -> Result<Framing, &'static str> {
        let framing = response::framing(head, method)?;
        self.body = BodyReader::new(framing);
        self.reusable = response::is_reusable(head, framing);
        Ok(framing)
    }

    /// Whether all of the response's body was taken.
    pub(crate) fn body_is_done(&self) -> bool {
        self.body.is_done()
    }

    /// The trailer fields, once the response's body is over.
    pub(crate) fn trailers(&self) -> Option<&Fields> {
        self.body.trailers()
    }

    /// From now on bytes come and go as they are.
    pub(crate) fn become_tunnel(&mut self) {
        self.body = BodyReader::new(Framing::UntilClose);
        self.coding = Coding::Plain;
    }

    /// The connection, where it can serve another request.
    pub(crate) fn into_reusable(self) -> Option<(Wire<ServerStream>, Lease)> {
        self.reusable.then_some((self.wire, self.lease))
    }
}

impl Side for Http1Server {
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>> {
        poll_body(&mut self.wire, &mut self.body, cx, take)
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
