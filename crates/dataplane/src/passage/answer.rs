//! A response on its way back: its head and body through their stages, then to the client.

use palisade_http::{Framing, ResponseHead};
use palisade_inspect::{Action, End};

use super::on_the_way::OnTheWay;
use super::relay::Ending;
use super::stop::{CLIENT_GONE, Stop};
use super::{After, Bodies, Passage};
use crate::block_page::grpc_status;
use crate::content_coding::{ContentDecoder, Undecoded, WATCHED_BYTES_MAX};
use crate::exchange::{Exchange, Failed, Stand};
use crate::hold::Held;
use crate::journal::{AnsweredBy, Sent};
use crate::request::RequestPlan;
use crate::response::Hop;
use crate::sides::{BodyLost, ClientSide, Side};
use crate::tunnel::tunnel;
use crate::upload::Upload;
use crate::upstream::{ServerSide, Upstream};

impl<C: ClientSide> Passage<'_, C> {
    /// Sends the request on and its answer back.
    pub(super) async fn forward(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        mut upload: Upload,
        forwarded: Vec<u8>,
        upstream: &Upstream,
    ) -> After {
        let asked = self.ask_upstream(plan, exchange, &mut upload, &forwarded, upstream).await;
        let (mut server, head, framing) = match asked {
            Ok(answered) => answered,
            Err(stop) => return self.stop_forwarding(plan, exchange, stop).await,
        };
        if head.status == 101 {
            let websocket =
                head.headers.first(b"upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
            if !plan.upgrade || !websocket {
                let stop = self.response_broken("switches to a protocol that nobody asked for");
                return self.stop_forwarding(plan, exchange, stop).await;
            }
            return self.switch(plan, exchange, head, server).await;
        }

        // Not sent before it is decided, and taken back when the decision is against it.
        let site = self.site.clone();
        let hop = Hop {
            request_id: exchange.request_id(),
            head_only: plan.is_head(),
            changes: site.as_ref().map(|site| &site.headers),
        };
        let status = head.status;
        self.client.send_head(&head, framing, &hop, upload.is_complete() && !self.closing);
        let inspected = self.inspect_response(exchange, head, framing, &mut server, &mut upload).await;
        let (held, on_the_way) = match inspected {
            Ok(inspected) => inspected,
            Err(stop) => {
                self.client.take_back();
                return self.stop_forwarding(plan, exchange, stop).await;
            }
        };
        exchange.answered(Some(Sent { status, by: AnsweredBy::Upstream }), 0);
        match self.relay(exchange, &mut server, &mut upload, held, on_the_way).await {
            Ok(()) => {
                // The last bytes leave after the log has its lines: who has the answer finds them there.
                exchange.finish(End::Complete);
                if upload.is_complete() {
                    server.put_idle(upstream);
                }
                let sent = self.flush_client().await;
                if !sent {
                    self.caller.plane.metrics.events.clients_gone_total.one();
                }
                let is_read = self.client.body_is_done();
                match self.client.stays() && sent && upload.is_complete() && is_read {
                    true => After::Next,
                    false if !is_read => After::Linger,
                    false => After::Close,
                }
            }
            Err(Ending::Client(why)) => {
                exchange.note(why);
                if !self.client.is_begun() {
                    exchange.answered(None, 0);
                }
                self.caller.plane.metrics.events.clients_gone_total.one();
                exchange.finish(End::Aborted);
                After::Cut
            }
            Err(Ending::Upload(stop) | Ending::Server(stop)) => {
                if !self.client.is_begun() {
                    self.client.take_back();
                    return self.stop_forwarding(plan, exchange, stop).await;
                }
                // Too late for another answer: the client sees that this one is cut short, and one that speaks gRPC why.
                if matches!(stop, Stop::Act(_)) {
                    exchange.blocked();
                    exchange.note("Blocked in the middle: the answer was cut short");
                    if plan.grpc {
                        let status = grpc_status(403, exchange.request_id());
                        self.client.send_end(Some(&status));
                        exchange.finish(End::Aborted);
                        self.flush_client().await;
                        return After::Linger;
                    }
                }
                match &stop {
                    Stop::Answer { why, .. } => exchange.note(&format!("The answer was cut short: {why}")),
                    Stop::ClientGone => exchange.note(CLIENT_GONE),
                    Stop::Act(_) | Stop::Elsewhere { .. } | Stop::Certificate(_) | Stop::Failed => {}
                }
                exchange.finish(End::Aborted);
                After::Cut
            }
        }
    }

    async fn stop_forwarding(&mut self, plan: &RequestPlan, exchange: &mut Exchange, stop: Stop) -> After {
        let is_read = self.client.body_is_done();
        self.stop(plan, exchange, stop, is_read).await
    }

    /// Takes the response through its stages. What was held of its body comes back, or what judges it on its way.
    async fn inspect_response(
        &mut self,
        exchange: &mut Exchange,
        head: ResponseHead,
        framing: Framing,
        server: &mut ServerSide,
        upload: &mut Upload,
    ) -> Result<(Option<Held>, Option<OnTheWay>), Stop> {
        let decoder =
            ContentDecoder::new(&head.headers, self.caller.listener.limits.response_body_decoded_max);
        let watched =
            exchange.may_watch_response().then(|| ContentDecoder::new(&head.headers, WATCHED_BYTES_MAX));
        let mut held = None;
        let mut stand = exchange.response_head(head).await?;
        if stand == Stand::More {
            let looks =
                exchange.wants_response_body() && framing != Framing::None && self.bodies != Bodies::Off;
            if looks && self.bodies == Bodies::OnTheWay {
                return Ok((None, Some(OnTheWay::new(decoder.ok()))));
            }
            if looks {
                let (whole, decided) = self.hold_response(exchange, decoder, server, upload).await?;
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
            Stand::Decided(Action::Forward) | Stand::More => Ok((held, None)),
            Stand::Decided(action) => Err(Stop::Act(action)),
        }
    }

    async fn hold_response(
        &mut self,
        exchange: &mut Exchange,
        decoder: Result<ContentDecoder, Undecoded>,
        server: &mut ServerSide,
        upload: &mut Upload,
    ) -> Result<(Held, Option<Stand>), Stop> {
        let limits = &self.caller.listener.limits;
        let (held_max, memory_max) = (limits.response_body_held_max, limits.body_memory_max);
        let held_max = held_max.min(exchange.response_body_bytes_max());
        let mut held = Held::new(self.caller.plane.budget.clone(), memory_max);
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
            let mut piece = std::mem::take(&mut self.kept.scratch);
            piece.clear();
            let came = self
                .while_uploading(exchange, server, upload, |server, cx| {
                    server.poll_body(cx, &mut |run| piece.extend_from_slice(run))
                })
                .await?;
            let more = came.map_err(|lost| self.response_lost(&lost))?;
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
            self.kept.scratch = piece;
            if !more {
                return Ok((held, None));
            }
            if held.len() > held_max && !server.body_is_done() {
                self.not_whole(exchange, &format!("it is larger than {held_max} bytes"));
                return Ok((held, None));
            }
        }
    }

    fn not_whole(&self, exchange: &mut Exchange, why: &str) {
        self.caller.plane.metrics.events.responses_not_inspected_whole_total.one();
        exchange.note(&format!("The response's body was not inspected whole: {why}"));
    }

    pub(super) fn response_broken(&self, how: &str) -> Stop {
        self.caller.plane.metrics.events.upstream_broken_total.one();
        Stop::answer(502, format!("the upstream's response {how}"))
    }

    pub(super) fn response_lost(&self, lost: &BodyLost) -> Stop {
        match lost {
            BodyLost::Ended => self.response_broken("ended in the middle"),
            BodyLost::Broken(how) => self.response_broken(&format!("broke off: {how}")),
            BodyLost::Malformed(finding) => self.response_broken(&format!("has broken chunks ({finding:?})")),
        }
    }

    /// The exchange becomes a WebSocket.
    async fn switch(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        head: ResponseHead,
        mut server: ServerSide,
    ) -> After {
        let status = self.client.send_switching(&head, exchange.request_id());
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
            self.client.take_back();
            return self.stop(plan, exchange, stop, true).await;
        }
        exchange.answered(Some(Sent { status, by: AnsweredBy::Upstream }), 0);
        exchange.finish(End::Complete);
        self.caller.plane.metrics.events.tunnels_total.one();
        self.client.become_tunnel();
        server.become_tunnel();
        tunnel(self.client, &mut server, self.timer, self.caller.listener.timeouts.tunnel).await;
        After::Close
    }
}
