//! The upstream's side of one exchange, in whatever protocol its connection speaks.

use std::io;
use std::task::{Context, Poll};

use palisade_http::{Fields, Framing, HeadLimits, ResponseHead};

use super::{Server, Upstream};
use crate::body::Coding;
use crate::http1::Http1Server;
use crate::request::RequestPlan;
use crate::sides::{BodyLost, Side};
use crate::upload::Upload;

/// A connection of an upstream, or a share of one, for the time of one exchange.
#[derive(Debug)]
pub(crate) enum ServerSide {
    Http1(Http1Server),
}

/// Why the head of a response does not come.
#[derive(Debug)]
pub(crate) enum HeadLost {
    /// The upstream closed or broke the connection before the first byte of an answer.
    Closed(String),
    /// What came is no answer; in words.
    Refused(String),
}

impl ServerSide {
    /// Begins with the request's head as it goes on, and says how its body follows.
    pub(crate) fn begin(server: Server, forwarded: &[u8], plan: &RequestPlan, upload: &Upload) -> Self {
        let length = upload.length().filter(|_| plan.length_is_open());
        let coding = if length.is_some() { Coding::Plain } else { plan.coding() };
        let mut server = Http1Server::new(server, forwarded, coding);
        server.end_head(if plan.length_is_open() { Some(length) } else { None });
        Self::Http1(server)
    }

    /// The head of the next response, interim ones included; `None` when some of it came.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        limits: &HeadLimits,
    ) -> Poll<Result<Option<ResponseHead>, HeadLost>> {
        match self {
            Self::Http1(server) => server.poll_head(cx, limits),
        }
    }

    /// How the body of this response comes. `method` is the request's.
    ///
    /// # Errors
    /// Why the response cannot be passed on.
    pub(crate) fn framing(&mut self, head: &ResponseHead, method: &[u8]) -> Result<Framing, &'static str> {
        match self {
            Self::Http1(server) => server.framing(head, method),
        }
    }

    /// Whether all of the response's body was taken.
    pub(crate) fn body_is_done(&self) -> bool {
        match self {
            Self::Http1(server) => server.body_is_done(),
        }
    }

    /// The trailer fields, once the response's body is over.
    pub(crate) fn trailers(&self) -> Option<&Fields> {
        match self {
            Self::Http1(server) => server.trailers(),
        }
    }

    /// Sends the end of the request. Trailers stay here on HTTP/1: there are servers that take them for headers.
    pub(crate) fn send_end(&mut self, _trailers: Option<Fields>) {
        match self {
            Self::Http1(server) => server.send_end(),
        }
    }

    /// From now on bytes come and go as they are.
    pub(crate) fn become_tunnel(&mut self) {
        match self {
            Self::Http1(server) => server.become_tunnel(),
        }
    }

    /// Keeps the connection for the next request, where it can take one. The exchange is over.
    pub(crate) fn put_idle(self, upstream: &Upstream) {
        match self {
            Self::Http1(server) => {
                if let Some(server) = server.into_reusable() {
                    upstream.put_idle(server);
                }
            }
        }
    }
}

impl Side for ServerSide {
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>> {
        match self {
            Self::Http1(server) => server.poll_body(cx, take),
        }
    }

    fn send_piece(&mut self, piece: &[u8]) {
        match self {
            Self::Http1(server) => server.send_piece(piece),
        }
    }

    fn pending(&self) -> usize {
        match self {
            Self::Http1(server) => server.pending(),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Http1(server) => server.poll_flush(cx),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Http1(server) => server.poll_end(cx),
        }
    }
}
