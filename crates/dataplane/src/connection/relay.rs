//! The body of a response moved to the client, both directions at once.

use std::future::poll_fn;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};

use super::Connection;
use super::stop::{CLIENT_GONE, Stop};
use crate::body::{BodyReader, Coding};
use crate::exchange::Exchange;
use crate::hold::Held;
use crate::server_stream::ServerStream;
use crate::upload::{Upload, UploadError};
use crate::wire::{OUTPUT_BYTES_MAX, Wire};

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Moves the response's body to the client, while the request may still be on its way. When it is through, its
    /// end is in the client's output, not yet written.
    pub(super) async fn relay(
        &mut self,
        exchange: &mut Exchange,
        server: &mut Wire<ServerStream>,
        body: &mut BodyReader,
        upload: &mut Upload,
        coding: Coding,
        mut held: Option<Held>,
    ) -> Result<(), Ending> {
        let response = self.response_timeout;
        let Self { client, timer, listener, .. } = self;
        let timeouts = &listener.timeouts;
        timer.set(response);
        let mut written_bytes = 0;
        let end = poll_fn(|cx| {
            exchange.waits_for_upstream(false);
            loop {
                let mut moved = false;
                let mut blocked = false;
                while client.pending() < OUTPUT_BYTES_MAX {
                    if let Some(reading) = &mut held {
                        let output = client.output();
                        let mut write = |piece: &[u8]| {
                            written_bytes += piece.len() as u64;
                            coding.write(piece, output);
                        };
                        match reading.poll_piece(cx, &mut write) {
                            Poll::Ready(Ok(true)) => moved = true,
                            Poll::Ready(Ok(false)) => held = None,
                            Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Held(error))),
                            Poll::Pending => {
                                blocked = true;
                                break;
                            }
                        }
                        continue;
                    }
                    if body.is_done() {
                        coding.finish(body.trailers(), client.output());
                        return Poll::Ready(Ok(()));
                    }
                    if server.input().is_empty() {
                        match server.poll_fill(cx) {
                            Poll::Ready(Ok(0)) if body.end() => continue,
                            Poll::Ready(Ok(0)) => {
                                return Poll::Ready(Err(Broken::Response("ended in the middle".into())));
                            }
                            Poll::Ready(Ok(_)) => {}
                            Poll::Ready(Err(error)) => {
                                return Poll::Ready(Err(Broken::Response(format!("broke off: {error}"))));
                            }
                            Poll::Pending => {
                                blocked = true;
                                break;
                            }
                        }
                    }
                    let output = client.output();
                    let mut write = |piece: &[u8]| {
                        written_bytes += piece.len() as u64;
                        coding.write(piece, output);
                        exchange.watched(piece);
                    };
                    match body.take(server.input(), &mut write) {
                        Ok(used) => server.consume(used),
                        Err(finding) => {
                            return Poll::Ready(Err(Broken::Response(format!(
                                "has broken chunks ({finding:?})"
                            ))));
                        }
                    }
                    moved = true;
                }
                let flushed = match client.poll_flush(cx) {
                    Poll::Ready(Ok(())) => true,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Client)),
                    Poll::Pending => false,
                };
                if !upload.is_over() || server.pending() > 0 {
                    let before = upload.streamed_bytes;
                    let uploading = upload.poll(cx, client, server);
                    exchange.streamed(upload.streamed_bytes - before);
                    if let Poll::Ready(Err(error)) = uploading {
                        return Poll::Ready(Err(Broken::Upload(error)));
                    }
                    moved |= upload.moved;
                }
                if moved {
                    timer.set(if client.pending() > 0 { timeouts.write } else { response });
                }
                if flushed && !blocked {
                    continue;
                }
                // What was held is not the upstream's any more, and what is not flushed waits for the client.
                exchange.waits_for_upstream(
                    held.is_none() && client.pending() == 0 && !upload.waits_for_client(),
                );
                exchange.relayed(written_bytes);
                return timer.poll(cx).map(|()| Err(Broken::Timeout));
            }
        })
        .await;
        exchange.waits_for_upstream(false);
        exchange.relayed(written_bytes);
        match end {
            Ok(()) => Ok(()),
            Err(Broken::Client) => Err(Ending::Client(CLIENT_GONE)),
            Err(Broken::Timeout) if self.client.pending() > 0 => {
                Err(Ending::Client("The client took nothing of its answer in time"))
            }
            Err(Broken::Timeout) => Err(Ending::Server(self.timed_out(upload))),
            Err(Broken::Held(error)) => Err(Ending::Server(self.cannot_hold_back(&error))),
            Err(Broken::Response(how)) => Err(Ending::Server(self.response_broken(&how))),
            Err(Broken::Upload(error)) => Err(match self.upload_failed(&error) {
                Stop::ClientGone => Ending::Client(CLIENT_GONE),
                stop => Ending::Upload(stop),
            }),
        }
    }
}

/// Why a response does not get through.
pub(super) enum Ending {
    /// It is gone, or might as well be; in words.
    Client(&'static str),
    Upload(Stop),
    Server(Stop),
}

/// As seen from within a poll.
pub(super) enum Broken {
    Client,
    Timeout,
    Held(std::io::Error),
    Response(String),
    Upload(UploadError),
}
