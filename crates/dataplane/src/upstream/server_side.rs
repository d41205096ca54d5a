//! The upstream's side of one exchange, in whatever protocol its connection speaks.

use std::io;
use std::task::{Context, Poll};

use palisade_http::{Fields, Framing, HeadLimits, ResponseHead};
use tokio::time::timeout;

use super::{Link, Server, Upstream};
use crate::body::Coding;
use crate::http1::Http1Server;
use crate::http2::{Follows, Http2Server};
use crate::request::RequestPlan;
use crate::sides::{BodyLost, Side};
use crate::upload::Upload;

/// A connection of an upstream, or a share of one, for the time of one exchange.
#[derive(Debug)]
pub(crate) enum ServerSide {
    Http1(Http1Server),
    Http2(Box<Http2Server>),
}

/// Why the head of a response does not come.
#[derive(Debug)]
pub(crate) enum HeadLost {
    /// The upstream closed or broke the connection before the first byte of an answer.
    Closed(String),
    /// The upstream has done nothing about the request: it may be sent once more, whatever it is.
    Unprocessed(String),
    /// What came is no answer; in words.
    Refused(String),
}

impl ServerSide {
    /// Begins with the request's head as it goes on, but for its end, and says how its body follows.
    ///
    /// # Errors
    /// When nothing of it was sent.
    pub(crate) async fn begin(
        upstream: &Upstream,
        server: Server,
        forwarded: &[u8],
        plan: &RequestPlan,
        upload: &Upload,
    ) -> Result<Self, HeadLost> {
        let length = upload.length().filter(|_| plan.length_is_open());
        let Server { link, lease, .. } = server;
        match link {
            Link::Http1(wire) => {
                let coding = if length.is_some() { Coding::Plain } else { plan.coding() };
                let mut server = Http1Server::new(*wire, lease, forwarded, coding);
                server.end_head(plan.length_is_open().then_some(length));
                Ok(Self::Http1(server))
            }
            Link::Http2(share) => {
                let follows = match plan.upgrade {
                    true => Follows::Tunnel,
                    false if !plan.has_body() || upload.length() == Some(0) => Follows::Nothing,
                    false => Follows::Body,
                };
                let begun = Http2Server::begin(share, lease, forwarded, upstream.scheme(), follows);
                match timeout(upstream.connect_timeout(), begun).await {
                    Ok(begun) => Ok(Self::Http2(Box::new(begun?))),
                    Err(_) => Err(HeadLost::Unprocessed("takes no more requests at a time".into())),
                }
            }
        }
    }

    /// The head of the next response, interim ones included; `None` when some of it came.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        limits: &HeadLimits,
    ) -> Poll<Result<Option<ResponseHead>, HeadLost>> {
        match self {
            Self::Http1(server) => server.poll_head(cx, limits),
            Self::Http2(server) => server.poll_head(cx),
        }
    }

    /// How the body of this response comes. `method` is the request's.
    ///
    /// # Errors
    /// Why the response cannot be passed on.
    pub(crate) fn framing(&mut self, head: &ResponseHead, method: &[u8]) -> Result<Framing, &'static str> {
        match self {
            Self::Http1(server) => server.framing(head, method),
            Self::Http2(server) => Ok(server.framing(head, method)),
        }
    }

    /// Whether all of the response's body was taken.
    pub(crate) fn body_is_done(&self) -> bool {
        match self {
            Self::Http1(server) => server.body_is_done(),
            Self::Http2(server) => server.body_is_done(),
        }
    }

    /// The trailer fields, once the response's body is over.
    pub(crate) fn trailers(&self) -> Option<&Fields> {
        match self {
            Self::Http1(server) => server.trailers(),
            Self::Http2(server) => server.trailers(),
        }
    }

    /// Sends the end of the request. Trailers stay here on HTTP/1: there are servers that take them for headers.
    pub(crate) fn send_end(&mut self, trailers: Option<Fields>) {
        match self {
            Self::Http1(server) => server.send_end(),
            Self::Http2(server) => server.send_end(trailers.as_ref()),
        }
    }

    /// From now on bytes come and go as they are.
    pub(crate) fn become_tunnel(&mut self) {
        match self {
            Self::Http1(server) => server.become_tunnel(),
            // A stream has carried bytes as they are from its beginning.
            Self::Http2(_) => {}
        }
    }

    /// Keeps the connection for the next request, where it can take one. The exchange is over.
    pub(crate) fn put_idle(self, upstream: &Upstream) {
        match self {
            Self::Http1(server) => {
                if let Some((wire, lease)) = server.into_reusable() {
                    upstream.put_idle(wire, lease);
                }
            }
            // Its connection was never taken from others.
            Self::Http2(_) => {}
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
            Self::Http2(server) => server.poll_body(cx, take),
        }
    }

    fn send_piece(&mut self, piece: &[u8]) {
        match self {
            Self::Http1(server) => server.send_piece(piece),
            Self::Http2(server) => server.send_piece(piece),
        }
    }

    fn pending(&self) -> usize {
        match self {
            Self::Http1(server) => server.pending(),
            Self::Http2(server) => server.pending(),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Http1(server) => server.poll_flush(cx),
            Self::Http2(server) => server.poll_flush(cx),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Http1(server) => server.poll_end(cx),
            Self::Http2(server) => server.poll_end(cx),
        }
    }
}
