//! A request's body on its way to the upstream: what was held first, then what still comes from the client.

use std::io;
use std::task::{Context, Poll};

use palisade_http::ChunkFinding;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::body::{BodyReader, Coding};
use crate::hold::Held;
use crate::wire::{OUTPUT_BYTES_MAX, Wire};

#[derive(Debug)]
pub(crate) struct Upload {
    held: Option<Held>,
    held_is_out: bool,
    rest: Option<BodyReader>,
    rest_began: bool,
    coding: Coding,
    ended: bool,
    abandoned: bool,
    /// Whether the last poll moved anything.
    pub(crate) moved: bool,
    /// Bytes that came from the client beyond what was held.
    pub(crate) streamed_bytes: u64,
}

/// Why a body does not get through.
#[derive(Debug)]
pub(crate) enum UploadError {
    /// The client ended it early.
    ClientEnded,
    /// The client's connection broke.
    Client,
    /// Its chunked coding is broken.
    Broken(ChunkFinding),
    /// What was held cannot be read back.
    Held(io::Error),
}

impl Upload {
    /// `rest` is there when more of the body comes than is held.
    pub(crate) fn new(held: Option<Held>, rest: Option<BodyReader>, coding: Coding) -> Self {
        Self {
            held,
            held_is_out: false,
            rest,
            rest_began: false,
            coding,
            ended: coding == Coding::None,
            abandoned: false,
            moved: false,
            streamed_bytes: 0,
        }
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
        self.ended = self.coding == Coding::None;
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

    /// Nothing of this request is still to be read from the client: what comes next is another one.
    pub(crate) fn is_read(&self) -> bool {
        self.rest.as_ref().is_none_or(BodyReader::is_done)
    }

    /// Whether it is the client that we wait for.
    pub(crate) fn waits_for_client(&self) -> bool {
        !self.is_over() && (self.held.is_none() || self.held_is_out)
    }

    /// Moves what can be moved. Ready when all is written. A server that takes no more is no error: it may have
    /// answered already.
    pub(crate) fn poll<C, S>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Wire<C>,
        server: &mut Wire<S>,
    ) -> Poll<Result<(), UploadError>>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.moved = false;
        loop {
            if self.abandoned {
                return Poll::Ready(Ok(()));
            }
            let waits = match self.fill_output(cx, client, server) {
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

    /// Fills the server's output. Whether it stopped because its source has nothing yet.
    fn fill_output<C, S>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Wire<C>,
        server: &mut Wire<S>,
    ) -> Result<bool, UploadError>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let coding = self.coding;
        while !self.ended && server.pending() < OUTPUT_BYTES_MAX {
            if let Some(held) = self.held.as_mut().filter(|_| !self.held_is_out) {
                match held.poll_piece(cx, &mut |piece| coding.write(piece, server.output())) {
                    Poll::Ready(Ok(true)) => self.moved = true,
                    Poll::Ready(Ok(false)) => self.held_is_out = true,
                    Poll::Ready(Err(error)) => return Err(UploadError::Held(error)),
                    Poll::Pending => return Ok(true),
                }
                continue;
            }
            let Some(rest) = self.rest.as_mut().filter(|rest| !rest.is_done()) else {
                // No rule looks at what comes after the body, and there are servers that take it for headers: it
                // stays here.
                coding.finish(None, server.output());
                self.ended = true;
                continue;
            };
            if client.input().is_empty() {
                match client.poll_fill(cx) {
                    Poll::Ready(Ok(0)) => return Err(UploadError::ClientEnded),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(_)) => return Err(UploadError::Client),
                    Poll::Pending => return Ok(true),
                }
            }
            self.rest_began = true;
            self.moved = true;
            let output = server.output();
            let streamed = &mut self.streamed_bytes;
            let used = rest
                .take(client.input(), &mut |piece| {
                    *streamed += piece.len() as u64;
                    coding.write(piece, output);
                })
                .map_err(UploadError::Broken)?;
            client.consume(used);
        }
        Ok(false)
    }
}
