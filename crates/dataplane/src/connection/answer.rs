//! A response on its way back: its head and body through their stages, then to the client.

use palisade_http::{Framing, ResponseHead};
use palisade_inspect::{Action, End};
use tokio::io::{AsyncRead, AsyncWrite};

use super::ask::ServerLost;
use super::relay::Ending;
use super::stop::{CLIENT_GONE, Stop};
use super::{After, Connection};
use crate::body::BodyReader;
use crate::content_coding::ContentDecoder;
use crate::exchange::{Exchange, Failed, Stand};
use crate::hold::Held;
use crate::journal::{AnsweredBy, Sent};
use crate::request::RequestPlan;
use crate::response::{self, ResponsePlan};
use crate::server_stream::ServerStream;
use crate::tunnel::tunnel;
use crate::upload::Upload;
use crate::upstream::Upstream;
use crate::wire::Wire;

/// Bytes that come out of a body that is only watched on its way. Its beginning is all that anybody looks at.
const WATCHED_BYTES_MAX: u64 = 64 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Sends the request on and its answer back.
    pub(super) async fn forward(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        mut upload: Upload,
        forwarded: Vec<u8>,
        upstream: &Upstream,
    ) -> After {
        let (mut server, head) =
            match self.ask_upstream(plan, exchange, &mut upload, &forwarded, upstream).await {
                Ok(answered) => answered,
                Err(stop) => {
                    return self.stop(plan, exchange, stop, upload.is_read()).await;
                }
            };
        let broken = |why: &str| Stop::answer(502, format!("the upstream's response {why}"));
        if head.status == 101 {
            let websocket =
                head.headers.first(b"upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
            if !plan.upgrade || !websocket {
                self.plane.metrics.events.upstream_broken_total.one();
                return self
                    .stop(
                        plan,
                        exchange,
                        broken("switches to a protocol that nobody asked for"),
                        upload.is_read(),
                    )
                    .await;
            }
            return self.switch(plan, exchange, head, server.wire).await;
        }
        let answer = match ResponsePlan::of(&head, plan) {
            Ok(answer) => answer,
            Err(why) => {
                self.plane.metrics.events.upstream_broken_total.one();
                return self
                    .stop(plan, exchange, broken(&format!("is ambiguous ({why})")), upload.is_read())
                    .await;
            }
        };

        // Not sent before it is decided, and taken back when the decision is against it.
        let stays =
            plan.keep_alive && upload.is_complete() && !answer.ends_connection && !self.is_last_request();
        let site = self.site.clone();
        let hop = response::Hop {
            request_id: exchange.request_id(),
            close: !stays,
            http10: plan.http10,
            head_only: plan.is_head(),
            changes: site.as_ref().map(|site| &site.headers),
        };
        let status = head.status;
        let (mark, sent) = (self.client.output().len(), self.client.sent());
        response::write_head(&head, &answer, &hop, self.client.output());
        let inspected = self.inspect_response(exchange, head, &answer, &mut server.wire, &mut upload).await;
        let (held, mut body) = match inspected {
            Ok(inspected) => inspected,
            Err(stop) => {
                self.client.output().truncate(mark);
                return self.stop(plan, exchange, stop, upload.is_read()).await;
            }
        };
        exchange.answered(Some(Sent { status, by: AnsweredBy::Upstream }), 0);
        let through =
            self.relay(exchange, &mut server.wire, &mut body, &mut upload, answer.coding, held).await;
        match through {
            Ok(()) => {
                // The last bytes leave after the log has its lines: who has the answer finds them there.
                exchange.finish(End::Complete);
                if answer.reusable && upload.is_complete() {
                    upstream.put_idle(server);
                }
                let sent = self.flush_client().await;
                if !sent {
                    self.plane.metrics.events.clients_gone_total.one();
                }
                match stays && sent && upload.is_complete() && upload.is_read() {
                    true => After::Next,
                    false if !upload.is_read() => After::Linger,
                    false => After::Close,
                }
            }
            Err(Ending::Client(why)) => {
                exchange.note(why);
                if self.client.sent() == sent {
                    exchange.answered(None, 0);
                }
                self.plane.metrics.events.clients_gone_total.one();
                exchange.finish(End::Aborted);
                After::Cut
            }
            Err(Ending::Upload(stop) | Ending::Server(stop)) => {
                if self.client.sent() == sent {
                    self.client.output().truncate(mark);
                    return self.stop(plan, exchange, stop, upload.is_read()).await;
                }
                // Too late for another answer: the client sees that this one is cut short.
                match &stop {
                    Stop::Answer { why, .. } => exchange.note(&format!("The answer was cut short: {why}")),
                    Stop::ClientGone => exchange.note(CLIENT_GONE),
                    Stop::Act(_) | Stop::Elsewhere { .. } | Stop::Failed => {}
                }
                exchange.finish(End::Aborted);
                After::Cut
            }
        }
    }

    /// Takes the response through its stages. What was held of its body comes back with the reader of the rest.
    pub(super) async fn inspect_response(
        &mut self,
        exchange: &mut Exchange,
        head: ResponseHead,
        answer: &ResponsePlan,
        server: &mut Wire<ServerStream>,
        upload: &mut Upload,
    ) -> Result<(Option<Held>, BodyReader), Stop> {
        let mut body = BodyReader::new(answer.framing);
        let decoder = ContentDecoder::new(&head.headers, self.listener.limits.response_body_decoded_max);
        let watched =
            exchange.may_watch_response().then(|| ContentDecoder::new(&head.headers, WATCHED_BYTES_MAX));
        let mut held = None;
        let mut stand = exchange.response_head(head).await?;
        if stand == Stand::More {
            if exchange.wants_response_body() && answer.framing != Framing::None {
                let (whole, decided) =
                    self.hold_response(exchange, &mut body, decoder, server, upload).await?;
                held = Some(whole);
                if let Some(decided) = decided {
                    stand = decided;
                }
            } else {
                exchange.watch(watched);
            }
            if stand == Stand::More {
                stand = exchange.response_end().await?;
            }
        }
        match stand {
            Stand::Decided(Action::Forward) | Stand::More => Ok((held, body)),
            Stand::Decided(action) => Err(Stop::Act(action)),
        }
    }

    pub(super) async fn hold_response(
        &mut self,
        exchange: &mut Exchange,
        body: &mut BodyReader,
        decoder: Result<ContentDecoder, crate::content_coding::Undecoded>,
        server: &mut Wire<ServerStream>,
        upload: &mut Upload,
    ) -> Result<(Held, Option<Stand>), Stop> {
        let limits = &self.listener.limits;
        let (held_max, memory_max) = (limits.response_body_held_max, limits.body_memory_max);
        let held_max = held_max.min(exchange.response_body_bytes_max());
        let mut held = Held::new(self.plane.budget.clone(), memory_max);
        let mut decoder = match decoder {
            Ok(decoder) => Some(decoder),
            Err(why) => {
                // What cannot be decoded is shown as it is.
                self.not_whole(exchange, why.words());
                None
            }
        };
        let mut decoded = Vec::new();
        let mut stopped = false;
        loop {
            let mut piece = std::mem::take(&mut self.scratch);
            piece.clear();
            let used = body
                .take(server.input(), &mut |run| piece.extend_from_slice(run))
                .map_err(|finding| self.response_broken(&format!("has broken chunks ({finding:?})")))?;
            server.consume(used);
            if !piece.is_empty() {
                held.push(&piece).await.map_err(|error| self.cannot_hold(&error))?;
                decoded.clear();
                match &mut decoder {
                    _ if stopped => {}
                    Some(decoder) => {
                        if let Err(why) = decoder.feed(&piece, &mut decoded) {
                            self.not_whole(exchange, why.words());
                            stopped = true;
                        }
                    }
                    None => decoded.extend_from_slice(&piece),
                }
                if !decoded.is_empty() {
                    let stand = exchange.response_chunk(&decoded, piece.len()).await?;
                    if stand != Stand::More {
                        return Ok((held, Some(stand)));
                    }
                }
            }
            self.scratch = piece;
            if body.is_done() {
                return Ok((held, None));
            }
            if held.len() > held_max {
                self.not_whole(exchange, &format!("it is larger than {held_max} bytes"));
                return Ok((held, None));
            }
            match self.fill_server(exchange, server, upload).await {
                Ok(()) => {}
                Err(ServerLost::Ended) if body.end() => return Ok((held, None)),
                Err(ServerLost::Ended) => return Err(self.response_broken("ended in the middle")),
                Err(ServerLost::Io(error)) => {
                    return Err(self.response_broken(&format!("broke off: {error}")));
                }
                Err(ServerLost::Stop(stop)) => return Err(stop),
            }
        }
    }

    pub(super) fn not_whole(&self, exchange: &mut Exchange, why: &str) {
        self.plane.metrics.events.responses_not_inspected_whole_total.one();
        exchange.note(&format!("The response's body was not inspected whole: {why}"));
    }

    pub(super) fn response_broken(&self, how: &str) -> Stop {
        self.plane.metrics.events.upstream_broken_total.one();
        Stop::answer(502, format!("the upstream's response {how}"))
    }

    /// The connection becomes a WebSocket.
    pub(super) async fn switch(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        head: ResponseHead,
        mut server: Wire<ServerStream>,
    ) -> After {
        let mark = self.client.output().len();
        response::write_switching(&head, exchange.request_id(), self.client.output());
        let stand = match exchange.response_head(head).await {
            Ok(Stand::More) => exchange.response_end().await,
            decided => decided,
        };
        let stop = match stand {
            Ok(Stand::More | Stand::Decided(Action::Forward)) => None,
            Ok(Stand::Decided(action)) => Some(Stop::Act(action)),
            Err(Failed) => Some(Stop::Failed),
        };
        if let Some(stop) = stop {
            self.client.output().truncate(mark);
            return self.stop(plan, exchange, stop, true).await;
        }
        exchange.answered(Some(Sent { status: 101, by: AnsweredBy::Upstream }), 0);
        exchange.finish(End::Complete);
        self.plane.metrics.events.tunnels_total.one();
        tunnel(&mut self.client, &mut server, &mut self.timer, self.listener.timeouts.tunnel).await;
        After::Close
    }
}
