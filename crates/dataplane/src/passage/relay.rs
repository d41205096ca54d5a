//! The body of a response moved to the client, both directions at once.

use std::future::poll_fn;
use std::task::Poll;

use super::Passage;
use super::on_the_way::{self, OnTheWay};
use super::stop::{CLIENT_GONE, Stop};
use crate::exchange::Exchange;
use crate::hold::Held;
use crate::sides::{BodyLost, ClientSide, Side};
use crate::upload::{Upload, UploadError};
use crate::upstream::ServerSide;
use crate::wire::OUTPUT_BYTES_MAX;

impl<C: ClientSide> Passage<'_, C> {
    /// Moves the response's body to the client, while the request may still be on its way. When it is through, its
    /// end is in the client's output, not yet written.
    pub(super) async fn relay(
        &mut self,
        exchange: &mut Exchange,
        server: &mut ServerSide,
        upload: &mut Upload,
        mut held: Option<Held>,
        mut on_the_way: Option<OnTheWay>,
    ) -> Result<(), Ending> {
        let response = self.response_timeout;
        let Self { client, timer, caller, .. } = self;
        let timeouts = &caller.listener.timeouts;
        timer.set(response);
        let mut written_bytes = 0;
        let end = poll_fn(|cx| {
            exchange.waits_for_upstream(false);
            loop {
                let mut moved = false;
                let mut blocked = false;
                while client.pending() < OUTPUT_BYTES_MAX {
                    if let Some(reading) = &mut held {
                        let mut write = |piece: &[u8]| {
                            written_bytes += piece.len() as u64;
                            client.send_piece(piece);
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
                    let polled = if let Some(judged) = &mut on_the_way {
                        let mut write = |piece: &[u8]| {
                            written_bytes += piece.len() as u64;
                            client.send_piece(piece);
                        };
                        match judged.poll(cx, server, exchange, &mut write) {
                            Poll::Ready(Ok(more)) => Poll::Ready(Ok(more)),
                            Poll::Ready(Err(on_the_way::Held::Lost(lost))) => Poll::Ready(Err(lost)),
                            Poll::Ready(Err(on_the_way::Held::Blocked(action))) => {
                                return Poll::Ready(Err(Broken::Blocked(Stop::Act(action))));
                            }
                            Poll::Ready(Err(on_the_way::Held::Failed)) => {
                                return Poll::Ready(Err(Broken::Blocked(Stop::Failed)));
                            }
                            Poll::Pending => Poll::Pending,
                        }
                    } else {
                        let mut write = |piece: &[u8]| {
                            written_bytes += piece.len() as u64;
                            client.send_piece(piece);
                            exchange.watched(piece);
                        };
                        server.poll_body(cx, &mut write)
                    };
                    match polled {
                        Poll::Ready(Ok(true)) => moved = true,
                        Poll::Ready(Ok(false)) => {
                            client.send_end(server.trailers());
                            return Poll::Ready(Ok(()));
                        }
                        Poll::Ready(Err(lost)) => return Poll::Ready(Err(Broken::Response(lost))),
                        Poll::Pending => {
                            blocked = true;
                            break;
                        }
                    }
                }
                let flushed = match client.poll_flush(cx) {
                    Poll::Ready(Ok(())) => true,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Client)),
                    Poll::Pending => false,
                };
                if !upload.is_over() || server.pending() > 0 {
                    let before = upload.streamed_bytes;
                    let uploading = upload.poll(cx, *client, server, exchange);
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
            Err(Broken::Blocked(stop)) => Err(Ending::Server(stop)),
            Err(Broken::Response(lost)) => Err(Ending::Server(self.response_lost(&lost))),
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
enum Broken {
    Client,
    Timeout,
    Held(std::io::Error),
    Response(BodyLost),
    Blocked(Stop),
    Upload(UploadError),
}
