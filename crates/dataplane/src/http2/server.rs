//! The upstream's side of an exchange on HTTP/2: one stream of a connection that others share.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, SendStream};
use palisade_http::{Fields, Framing, ResponseHead};
use palisade_model::reason_phrase;

use super::client::{End, Outgoing, StreamBody};
use super::head::{self, RequestText};
use crate::sides::{BodyLost, Side};
use crate::upstream::{HeadLost, Lease, Share};

/// A stream of an upstream's connection.
#[derive(Debug)]
pub(crate) struct Http2Server {
    response: ResponseFuture,
    /// Interim responses may still come.
    interim: bool,
    stream: SendStream<Bytes>,
    outgoing: Outgoing,
    /// Once there is a head.
    body: Option<StreamBody>,
    /// What a client on HTTP/1 is to hear when this becomes a WebSocket.
    accept: Option<String>,
    _share: Share,
    _lease: Lease,
}

/// What comes on a stream after its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    Nothing,
    Body,
    /// A WebSocket, where the other end agrees (RFC 8441).
    Tunnel,
}

impl Http2Server {
    /// Opens a stream with a request's head on it.
    ///
    /// # Errors
    /// When nothing was sent.
    pub(crate) async fn begin(
        share: Share,
        lease: Lease,
        text: &[u8],
        scheme: &str,
        follows: Follows,
    ) -> Result<Self, HeadLost> {
        let Some(mut request) = RequestText(text).request(scheme) else {
            return Err(HeadLost::Refused("the request cannot be said on HTTP/2".into()));
        };
        let mut accept = None;
        if follows == Follows::Tunnel {
            if !share.takes_websockets().await {
                let why = "the upstream takes no WebSocket on HTTP/2 (extended CONNECT, RFC 8441); \
                           `upstream.protocol: http1` asks for it by an upgrade";
                return Err(HeadLost::Refused(why.into()));
            }
            accept = Some(head::tunnel(&mut request));
        }
        let ends = follows == Follows::Nothing;
        let unsent = |error: h2::Error| {
            share.give_up();
            HeadLost::Unprocessed(format!("takes no more requests on its connection: {error}"))
        };
        let mut send = share.handle().ready().await.map_err(unsent)?;
        let (response, stream) = send.send_request(request, ends).map_err(unsent)?;
        let end = if ends { End::Sent } else { End::Open };
        let outgoing = Outgoing { end, ..Outgoing::default() };
        Ok(Self {
            response,
            interim: true,
            stream,
            outgoing,
            body: None,
            accept,
            _share: share,
            _lease: lease,
        })
    }

    /// The head of the next response.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<ResponseHead>, HeadLost>> {
        if self.interim {
            match self.response.poll_informational(cx) {
                Poll::Ready(Some(Ok(interim))) => return Poll::Ready(Ok(Some(read(&interim)))),
                Poll::Ready(None | Some(Err(_))) => self.interim = false,
                Poll::Pending => {}
            }
        }
        let response = ready!(Pin::new(&mut self.response).poll(cx)).map_err(lost)?;
        let mut head = read(&response);
        let body = response.into_body();
        let done = body.is_end_stream();
        // To everybody else a WebSocket begins as it does on HTTP/1.
        if let (200..=299, Some(accept)) = (head.status, self.accept.take()) {
            head.status = 101;
            head.reason = reason_phrase(101).as_bytes().to_vec();
            head.headers.push(b"upgrade", b"websocket");
            head.headers.push(b"sec-websocket-accept", accept.as_bytes());
        }
        self.body = Some(StreamBody::new(body, done));
        Poll::Ready(Ok(Some(head)))
    }

    /// How the response's body comes.
    pub(crate) fn framing(&self, head: &ResponseHead, method: &[u8]) -> Framing {
        let bodiless = method == b"HEAD" || matches!(head.status, 100..=199 | 204 | 304);
        if bodiless || self.body_is_done() {
            return Framing::None;
        }
        let length = head.headers.first(b"content-length").and_then(|value| std::str::from_utf8(value).ok());
        length.and_then(|length| length.parse().ok()).map_or(Framing::UntilClose, Framing::Length)
    }

    /// Whether all of the response's body was taken.
    pub(crate) fn body_is_done(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.done)
    }

    /// The trailer fields, once the response's body is over.
    pub(crate) fn trailers(&self) -> Option<&Fields> {
        self.body.as_ref()?.trailers.as_ref()
    }

    /// Sends the end of the request. The trailers are those that may go on.
    pub(crate) fn send_end(&mut self, trailers: Option<&Fields>) {
        let trailers = trailers.map(|fields| head::map(fields, |_| true));
        self.outgoing.finish(trailers.filter(|trailers| !trailers.is_empty()));
    }
}

impl Side for Http2Server {
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<bool, BodyLost>> {
        match &mut self.body {
            Some(body) => body.poll(cx, take),
            None => Poll::Ready(Ok(false)),
        }
    }

    fn send_piece(&mut self, piece: &[u8]) {
        self.outgoing.bytes.extend_from_slice(piece);
    }

    fn pending(&self) -> usize {
        self.outgoing.bytes.len()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_flush(&mut self.stream, cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.finish(None);
        self.poll_flush(cx)
    }
}

fn read<B>(response: &http::Response<B>) -> ResponseHead {
    let status = response.status().as_u16();
    let reason = reason_phrase(status).as_bytes();
    let version = b"HTTP/2.0".to_vec();
    let line = [&version[..], b" ", status.to_string().as_bytes(), b" ", reason].concat();
    let headers = head::fields(response.headers());
    ResponseHead { line, version, status, reason: reason.to_vec(), headers, findings: Vec::new() }
}

fn lost(error: h2::Error) -> HeadLost {
    // RFC 9113 section 8.7: nothing was done about it.
    if error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM) {
        return HeadLost::Unprocessed("refused the stream".into());
    }
    HeadLost::Closed(format!("gave no answer: {error}"))
}
