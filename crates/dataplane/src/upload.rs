//! A request's body on its way to the upstream: what was held first, then what still comes from the client.

mod judged;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use palisade_http::Fields;
use palisade_inspect::Action;

pub(crate) use self::judged::{Came, Judged, Judging, Source};
use crate::authentication::Authentication;
use crate::body::is_forbidden_trailer;
use crate::exchange::Exchange;
use crate::hold::{Held, Reserved};
use crate::identity_headers::Forward;
use crate::sides::{BodyLost, ClientSide, Side};
use crate::upstream::ServerSide;
use crate::wire::OUTPUT_BYTES_MAX;

#[derive(Debug)]
pub(crate) struct Upload {
    held: Option<Held>,
    held_is_out: bool,
    /// More of the body comes than is held.
    streams: bool,
    /// What streams is judged on its way.
    judged: Option<Judged>,
    rest_began: bool,
    has_body: bool,
    ended: bool,
    abandoned: bool,
    /// What the service is told of clients, which they do not say themselves.
    forward: Arc<Forward>,
    authentication: Option<Arc<Authentication>>,
    /// The largest body that may pass, in bytes.
    bytes_max: u64,
    /// Whether the last poll moved anything.
    pub(crate) moved: bool,
    /// Bytes that came from the client beyond what was held.
    pub(crate) streamed_bytes: u64,
}

/// Why a body does not get through.
#[derive(Debug)]
pub(crate) enum UploadError {
    /// No more of it comes.
    Client(BodyLost),
    /// What was held cannot be read back.
    Held(io::Error),
    /// A check says that it must not pass.
    Blocked(Action),
    /// The inspection failed; it has said so itself.
    Failed,
    /// A message is larger than so many bytes.
    TooLarge(usize),
    /// The body is larger than its route takes.
    OverRoute(u64),
    /// The budget for what is held is used up.
    OverBudget,
}

impl Upload {
    /// `streams`: more of the body comes than is held.
    pub(crate) fn new(held: Option<Held>, streams: bool, has_body: bool, forward: Arc<Forward>) -> Self {
        Self {
            held,
            held_is_out: false,
            streams,
            judged: None,
            rest_began: false,
            has_body,
            ended: !has_body,
            abandoned: false,
            forward,
            authentication: None,
            bytes_max: u64::MAX,
            moved: false,
            streamed_bytes: 0,
        }
    }

    /// What streams of it is judged on its way.
    pub(crate) fn judged(self, judging: Judging, reserved: Reserved) -> Self {
        Self { judged: Some(Judged::new(judging, reserved)), ..self }
    }

    /// The service is told who it is from, which clients do not say themselves.
    pub(crate) fn behind(self, authentication: Option<Arc<Authentication>>) -> Self {
        Self { authentication, ..self }
    }

    /// It may have so many bytes, those that are held included.
    pub(crate) fn up_to(self, bytes_max: u64) -> Self {
        Self { bytes_max, ..self }
    }

    /// Whether more has come than may.
    fn is_too_large(&self) -> bool {
        self.held.as_ref().map_or(0, Held::len).saturating_add(self.streamed_bytes) > self.bytes_max
    }

    /// How long it is, where all of it is held.
    pub(crate) fn length(&self) -> Option<u64> {
        (!self.streams).then(|| self.held.as_ref().map_or(0, Held::len))
    }

    /// Whether it can be sent once more.
    pub(crate) fn is_replayable(&self) -> bool {
        !self.rest_began
    }

    /// Starts anew, for another connection.
    pub(crate) fn rewind(&mut self) {
        if let Some(held) = &mut self.held {
            held.rewind();
        }
        self.held_is_out = false;
        self.ended = !self.has_body;
        self.abandoned = false;
    }

    /// All of it is in the server's output, or nobody wants it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.ended || self.abandoned
    }

    /// The request went out as a whole: its connections can go on.
    pub(crate) fn is_complete(&self) -> bool {
        self.ended && !self.abandoned
    }

    /// Whether it is the client that we wait for.
    pub(crate) fn waits_for_client(&self) -> bool {
        let judges = self.judged.as_ref().is_some_and(Judged::is_at_work);
        !self.is_over() && !judges && (self.held.is_none() || self.held_is_out)
    }

    /// Moves what can be moved. Ready when all is written. A server that takes no more is no error: it may have
    /// answered already.
    pub(crate) fn poll<C: ClientSide>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut C,
        server: &mut ServerSide,
        exchange: &mut Exchange,
    ) -> Poll<Result<(), UploadError>> {
        self.moved = false;
        loop {
            if self.abandoned {
                return Poll::Ready(Ok(()));
            }
            if self.is_too_large() {
                return Poll::Ready(Err(UploadError::OverRoute(self.bytes_max)));
            }
            let waits = match self.fill_output(cx, client, server, exchange) {
                Ok(waits) => waits,
                Err(error) => return Poll::Ready(Err(error)),
            };
            match server.poll_flush(cx) {
                Poll::Ready(Ok(())) if self.ended => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) if waits => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => self.abandoned = true,
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The fields after the client's body that may go on, but for those that are for headers.
    fn trailers(&self, client: &mut impl ClientSide) -> Option<Fields> {
        let mut kept = Fields::new();
        for (name, value) in client.request_trailers()?.iter() {
            let told = self.authentication.as_ref().is_some_and(|it| it.keeps_back(name, value));
            if !is_forbidden_trailer(name) && !self.forward.is_ours(name) && !told {
                kept.push(name, value);
            }
        }
        Some(kept)
    }

    /// Fills the server's output. Whether it stopped because its source has nothing yet.
    fn fill_output<C: ClientSide>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut C,
        server: &mut ServerSide,
        exchange: &mut Exchange,
    ) -> Result<bool, UploadError> {
        while !self.ended && server.pending() < OUTPUT_BYTES_MAX {
            if let Some(held) = self.held.as_mut().filter(|_| !self.held_is_out) {
                match held.poll_piece(cx, &mut |piece| server.send_piece(piece)) {
                    Poll::Ready(Ok(true)) => self.moved = true,
                    Poll::Ready(Ok(false)) => self.held_is_out = true,
                    Poll::Ready(Err(error)) => return Err(UploadError::Held(error)),
                    Poll::Pending => return Ok(true),
                }
                continue;
            }
            if let Some(judged) = &mut self.judged {
                match judged.poll(cx, client, exchange, &mut self.streamed_bytes) {
                    Poll::Pending => return Ok(true),
                    Poll::Ready(Err(error)) => return Err(error),
                    Poll::Ready(Ok(Came::Bytes(bytes))) => {
                        server.send_piece(&bytes);
                        self.rest_began = true;
                        self.moved = true;
                    }
                    Poll::Ready(Ok(Came::End)) => {
                        server.send_end(self.trailers(client));
                        self.ended = true;
                    }
                }
                continue;
            }
            if !self.streams || client.body_is_done() {
                server.send_end(self.trailers(client));
                self.ended = true;
                continue;
            }
            let streamed = &mut self.streamed_bytes;
            let came = client.poll_body(cx, &mut |piece| {
                *streamed += piece.len() as u64;
                server.send_piece(piece);
            });
            match came {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(lost)) => return Err(UploadError::Client(lost)),
                Poll::Pending => return Ok(true),
            }
            self.rest_began = true;
            self.moved = true;
        }
        Ok(false)
    }
}
