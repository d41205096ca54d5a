//! The upstream asked: a connection to it, the request sent, and the head of its response awaited.

use std::future::poll_fn;
use std::task::{Context, Poll};

use palisade_http::{Framing, ResponseHead};

use super::Passage;
use super::receive::broken_body;
use super::stop::Stop;
use crate::exchange::Exchange;
use crate::hold::HoldError;
use crate::request::RequestPlan;
use crate::sides::{BodyLost, ClientSide, Side};
use crate::upload::{Upload, UploadError};
use crate::upstream::{ConnectError, Connecting, HeadLost, Server, ServerSide, Upstream};

/// Interim responses of one upstream to one request.
const INTERIM_MAX: usize = 16;
/// How often a request is sent in all.
const TRIES_MAX: u32 = 3;

impl<C: ClientSide> Passage<'_, C> {
    /// A connection with the request on it, the head of its response, and how the response's body comes.
    pub(super) async fn ask_upstream(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        upload: &mut Upload,
        forwarded: &[u8],
        upstream: &Upstream,
    ) -> Result<(ServerSide, ResponseHead, Framing), Stop> {
        let twice = plan.is_idempotent();
        let mut idle = upstream.take_idle(!twice);
        let mut tries = 0;
        loop {
            let server = match idle.take() {
                Some(server) => server,
                None => {
                    exchange.waits_for_upstream(true);
                    let server = self.connect(upstream).await;
                    exchange.waits_for_upstream(false);
                    server?
                }
            };
            // Nobody has judged a call to an address that its name has got since.
            if self.towards.as_ref().is_some_and(|judged| !judged.contains(&server.address)) {
                return Err(Stop::answer(
                    503,
                    "the upstream has an address that policies were not asked about",
                ));
            }
            if let Some(facts) = exchange.facts() {
                facts.upstream_addr = Some(server.address);
            }
            let reused = server.reused;
            let answered = match ServerSide::begin(upstream, server, forwarded, plan, upload).await {
                Ok(mut side) => match self.await_response(plan, exchange, &mut side, upload).await {
                    Ok((head, framing)) => return Ok((side, head, framing)),
                    Err(unanswered) => unanswered,
                },
                Err(lost) => self.unanswered(lost),
            };
            tries += 1;
            let (again, how) = match answered {
                Unanswered::Stop(stop) => return Err(stop),
                // A shared connection is still there, and others of its streams may be well: it is not asked for ever.
                Unanswered::Closed(how) => (reused && twice && tries < TRIES_MAX, how),
                Unanswered::Unprocessed(how) => (tries < TRIES_MAX, how),
            };
            if !again || !upload.is_replayable() {
                self.caller.plane.metrics.events.upstream_broken_total.one();
                return Err(Stop::answer(502, format!("the upstream {how}")));
            }
            self.caller.plane.metrics.events.upstream_retries_total.one();
            upload.rewind();
            // Others may wait on a connection of HTTP/2 that still takes requests.
            idle = if reused { None } else { upstream.take_idle(!twice) };
        }
    }

    async fn connect(&self, upstream: &Upstream) -> Result<Server, Stop> {
        let Connecting { server, ejected } = upstream.connect().await;
        let events = &self.caller.plane.metrics.events;
        events.upstream_ejections_total.add(ejected.into());
        match server {
            Ok(server) => {
                events.upstream_connections_total.one();
                Ok(server)
            }
            Err(error) => {
                events.upstream_connect_failed_total.one();
                events.upstream_tls_failed_total.add(matches!(error, ConnectError::Tls(_)).into());
                let status = if matches!(error, ConnectError::Timeout) { 504 } else { 502 };
                Err(Stop::answer(status, format!("the upstream {}: {error}", upstream.authority())))
            }
        }
    }

    /// Sends the request and waits for the head of its response; interim ones go on to the client.
    async fn await_response(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        server: &mut ServerSide,
        upload: &mut Upload,
    ) -> Result<(ResponseHead, Framing), Unanswered> {
        let mut interims = 0;
        self.timer.set(self.response_timeout);
        loop {
            let limits = &self.caller.listener.limits.response_head;
            let head = self
                .while_uploading(exchange, server, upload, |server, cx| server.poll_head(cx, limits))
                .await;
            let head = match head {
                Ok(Ok(Some(head))) => head,
                Ok(Ok(None)) => continue,
                Ok(Err(lost)) => return Err(self.unanswered(lost)),
                Err(stop) => return Err(Unanswered::Stop(stop)),
            };
            let framing = server.framing(&head, &plan.method);
            if !matches!(head.status, 100 | 102..=199) {
                let framing = match framing {
                    Ok(framing) => framing,
                    // It is another protocol's from here on.
                    Err(_) if head.status == 101 => Framing::None,
                    Err(why) => {
                        return Err(Unanswered::Stop(self.response_broken(&format!("is ambiguous ({why})"))));
                    }
                };
                return Ok((head, framing));
            }
            interims += 1;
            if interims > INTERIM_MAX {
                return Err(Unanswered::Closed("sent too many interim responses".into()));
            }
            // 100 is the answer to an expectation that we have met ourselves.
            if head.status != 100 && framing.is_ok() {
                self.client.send_interim(&head);
                if self.client.pending() > 0 && !self.flush_client().await {
                    return Err(Unanswered::Stop(Stop::ClientGone));
                }
            }
        }
    }

    fn unanswered(&self, lost: HeadLost) -> Unanswered {
        match lost {
            HeadLost::Closed(how) => Unanswered::Closed(how),
            HeadLost::Unprocessed(how) => Unanswered::Unprocessed(how),
            HeadLost::Refused(why) => {
                self.caller.plane.metrics.events.upstream_broken_total.one();
                Unanswered::Stop(Stop::answer(502, why))
            }
        }
    }

    /// Waits for something of the upstream, while the request may still be on its way.
    pub(super) async fn while_uploading<T>(
        &mut self,
        exchange: &mut Exchange,
        server: &mut ServerSide,
        upload: &mut Upload,
        mut wanted: impl FnMut(&mut ServerSide, &mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Stop> {
        let response = self.response_timeout;
        let Self { client, timer, caller, .. } = self;
        let timeouts = &caller.listener.timeouts;
        exchange.waits_for_upstream(!upload.waits_for_client());
        let end = poll_fn(|cx| {
            let mut uploaded = false;
            if !upload.is_over() || server.pending() > 0 {
                let before = upload.streamed_bytes;
                let uploading = upload.poll(cx, *client, server, exchange);
                exchange.streamed(upload.streamed_bytes - before);
                if let Poll::Ready(Err(error)) = uploading {
                    return Poll::Ready(Err(Lack::Upload(error)));
                }
                uploaded = upload.moved;
                exchange.waits_for_upstream(!upload.waits_for_client());
            }
            if let Poll::Ready(came) = wanted(server, cx) {
                timer.set(response);
                return Poll::Ready(Ok(came));
            }
            if client.poll_gone(cx).is_ready() {
                let gone = BodyLost::Broken("the client wants no answer".to_owned());
                return Poll::Ready(Err(Lack::Upload(UploadError::Client(gone))));
            }
            if uploaded {
                timer.set(if upload.waits_for_client() { timeouts.body } else { response });
            }
            timer.poll(cx).map(|()| Err(Lack::Timeout))
        })
        .await;
        exchange.waits_for_upstream(false);
        match end {
            Ok(came) => Ok(came),
            Err(Lack::Upload(error)) => Err(self.upload_failed(&error)),
            Err(Lack::Timeout) => Err(self.timed_out(upload)),
        }
    }

    pub(super) fn timed_out(&self, upload: &Upload) -> Stop {
        let events = &self.caller.plane.metrics.events;
        if upload.waits_for_client() {
            events.body_timeouts_total.one();
            Stop::answer(408, "the request's body did not come in time")
        } else {
            events.upstream_timeouts_total.one();
            Stop::answer(504, "the upstream did not answer in time")
        }
    }

    pub(super) fn upload_failed(&self, error: &UploadError) -> Stop {
        let events = &self.caller.plane.metrics.events;
        match error {
            UploadError::Client(BodyLost::Broken(_)) => {
                events.clients_gone_total.one();
                Stop::ClientGone
            }
            UploadError::Client(lost) => {
                events.bodies_incomplete_total.one();
                Stop::answer(400, broken_body(lost))
            }
            UploadError::Held(error) => self.cannot_hold_back(error),
            UploadError::Blocked(action) => Stop::Act(action.clone()),
            UploadError::Failed => Stop::Failed,
            UploadError::TooLarge(bytes_max) => {
                events.bodies_too_large_total.one();
                Stop::answer(413, format!("a message of the call is larger than {bytes_max} bytes"))
            }
            UploadError::OverRoute(bytes_max) => {
                events.bodies_too_large_total.one();
                Stop::answer(413, format!("the request's body is larger than {bytes_max} bytes"))
            }
            UploadError::OverBudget => self.cannot_hold(&HoldError::OverBudget),
        }
    }

    pub(super) fn cannot_hold_back(&self, error: &std::io::Error) -> Stop {
        self.caller.plane.metrics.events.budget_refused_total.one();
        Stop::answer(503, format!("a held body cannot be read back: {error}"))
    }
}

/// Why there is no response.
enum Unanswered {
    /// The upstream closed or broke the connection before the first byte of an answer; on a connection that had
    /// been idle that says nothing about the request.
    Closed(String),
    /// The upstream has said that it did nothing about the request.
    Unprocessed(String),
    Stop(Stop),
}

/// As seen from within a poll.
enum Lack {
    Upload(UploadError),
    Timeout,
}
