//! The upstream asked: a connection to it, the request sent, and the head of its response awaited.

use std::future::poll_fn;
use std::task::Poll;

use palisade_http::{HeadParse, HeadScanner, ResponseHead, parse_response_head};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Connection;
use super::stop::Stop;
use crate::exchange::Exchange;
use crate::request::RequestPlan;
use crate::response::{self, ResponsePlan};
use crate::server_stream::ServerStream;
use crate::upload::{Upload, UploadError};
use crate::upstream::{ConnectError, Connecting, Server, Upstream};
use crate::wire::Wire;

/// Interim responses of one upstream to one request.
const INTERIM_MAX: usize = 16;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection with the request on it and the head of its response.
    pub(super) async fn ask_upstream(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        upload: &mut Upload,
        forwarded: &[u8],
        upstream: &Upstream,
    ) -> Result<(Server, ResponseHead), Stop> {
        let twice = plan.is_idempotent();
        let mut idle = upstream.take_idle(!twice);
        loop {
            let reused = idle.is_some();
            let mut server = match idle.take() {
                Some(server) => server,
                None => {
                    exchange.waits_for_upstream(true);
                    let server = self.connect(upstream).await;
                    exchange.waits_for_upstream(false);
                    server?
                }
            };
            if let Some(facts) = exchange.facts() {
                facts.upstream_addr = Some(server.address);
            }
            server.wire.output().extend_from_slice(forwarded);
            match self.await_response(plan, exchange, &mut server.wire, upload).await {
                Ok(head) => return Ok((server, head)),
                Err(Unanswered::Stop(stop)) => return Err(stop),
                Err(Unanswered::Closed(_)) if reused && twice && upload.is_replayable() => {
                    self.plane.metrics.events.upstream_retries_total.one();
                    upload.rewind();
                }
                Err(Unanswered::Closed(how)) => {
                    self.plane.metrics.events.upstream_broken_total.one();
                    return Err(Stop::answer(502, format!("the upstream {how}")));
                }
            }
        }
    }

    pub(super) async fn connect(&self, upstream: &Upstream) -> Result<Server, Stop> {
        let Connecting { server, ejected } = upstream.connect().await;
        let events = &self.plane.metrics.events;
        events.upstream_ejections_total.add(ejected.into());
        match server {
            Ok(server) => {
                events.upstream_connections_total.one();
                Ok(server)
            }
            Err(error) => {
                events.upstream_connect_failed_total.one();
                let status = if matches!(error, ConnectError::Timeout) { 504 } else { 502 };
                Err(Stop::answer(status, format!("the upstream {}: {error}", upstream.authority())))
            }
        }
    }

    /// Sends the request and waits for the head of its response; interim ones go on to the client.
    pub(super) async fn await_response(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        server: &mut Wire<ServerStream>,
        upload: &mut Upload,
    ) -> Result<ResponseHead, Unanswered> {
        let limits = self.listener.limits.response_head.clone();
        let mut scanner = HeadScanner::new();
        let mut interims = 0;
        self.timer.set(self.response_timeout);
        loop {
            let input = server.input();
            if scanner.find(input).is_some() || input.len() > limits.head_bytes_max {
                match parse_response_head(input, &limits) {
                    HeadParse::Complete { head, consumed } => {
                        server.consume(consumed);
                        if !matches!(head.status, 100 | 102..=199) {
                            return Ok(head);
                        }
                        interims += 1;
                        if interims > INTERIM_MAX {
                            return Err(Unanswered::Closed("sent too many interim responses".into()));
                        }
                        // 100 is the answer to an expectation that we have met ourselves.
                        if head.status != 100 && !plan.http10 && ResponsePlan::of(&head, plan).is_ok() {
                            response::write_interim(&head, self.client.output());
                            if !self.flush_client().await {
                                return Err(Unanswered::Stop(Stop::ClientGone));
                            }
                        }
                        scanner = HeadScanner::new();
                        continue;
                    }
                    HeadParse::Refused { head, .. } => {
                        self.plane.metrics.events.upstream_broken_total.one();
                        let why = head.findings.last().map_or("no head", |finding| finding.name());
                        let why = format!("the upstream's response is no HTTP/1.1 ({why})");
                        return Err(Unanswered::Stop(Stop::answer(502, why)));
                    }
                    HeadParse::Incomplete => {}
                }
            }
            match self.fill_server(exchange, server, upload).await {
                Ok(()) => {}
                Err(ServerLost::Ended) if server.input().is_empty() => {
                    return Err(Unanswered::Closed("closed its connection without an answer".into()));
                }
                Err(ServerLost::Ended) => {
                    self.plane.metrics.events.upstream_broken_total.one();
                    return Err(Unanswered::Stop(Stop::answer(
                        502,
                        "the upstream's response ended in its head",
                    )));
                }
                Err(ServerLost::Io(error)) => {
                    return Err(Unanswered::Closed(format!("broke its connection: {error}")));
                }
                Err(ServerLost::Stop(stop)) => return Err(Unanswered::Stop(stop)),
            }
        }
    }

    /// Reads more of the response, while the request may still be on its way.
    pub(super) async fn fill_server(
        &mut self,
        exchange: &mut Exchange,
        server: &mut Wire<ServerStream>,
        upload: &mut Upload,
    ) -> Result<(), ServerLost> {
        let response = self.response_timeout;
        let Self { client, timer, listener, .. } = self;
        let timeouts = &listener.timeouts;
        exchange.waits_for_upstream(!upload.waits_for_client());
        let end = poll_fn(|cx| {
            let mut uploaded = false;
            if !upload.is_over() || server.pending() > 0 {
                let before = upload.streamed_bytes;
                let uploading = upload.poll(cx, client, server);
                exchange.streamed(upload.streamed_bytes - before);
                if let Poll::Ready(Err(error)) = uploading {
                    return Poll::Ready(Err(Lack::Upload(error)));
                }
                uploaded = upload.moved;
                exchange.waits_for_upstream(!upload.waits_for_client());
            }
            match server.poll_fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Lack::Ended)),
                Poll::Ready(Ok(_)) => {
                    timer.set(response);
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Lack::Io(error))),
                Poll::Pending => {}
            }
            if uploaded {
                timer.set(if upload.waits_for_client() { timeouts.body } else { response });
            }
            timer.poll(cx).map(|()| Err(Lack::Timeout))
        })
        .await;
        exchange.waits_for_upstream(false);
        match end {
            Ok(()) => Ok(()),
            Err(Lack::Ended) => Err(ServerLost::Ended),
            Err(Lack::Io(error)) => Err(ServerLost::Io(error)),
            Err(Lack::Upload(error)) => Err(ServerLost::Stop(self.upload_failed(&error))),
            Err(Lack::Timeout) => Err(ServerLost::Stop(self.timed_out(upload))),
        }
    }

    pub(super) fn timed_out(&self, upload: &Upload) -> Stop {
        if upload.waits_for_client() {
            self.plane.metrics.events.body_timeouts_total.one();
            Stop::answer(408, "the request's body did not come in time")
        } else {
            self.plane.metrics.events.upstream_timeouts_total.one();
            Stop::answer(504, "the upstream did not answer in time")
        }
    }

    pub(super) fn upload_failed(&self, error: &UploadError) -> Stop {
        let why = match error {
            UploadError::Client => {
                self.plane.metrics.events.clients_gone_total.one();
                return Stop::ClientGone;
            }
            UploadError::Held(error) => return self.cannot_hold_back(error),
            UploadError::ClientEnded => "the request's body ended in the middle".to_owned(),
            UploadError::Broken(finding) => {
                format!("the chunks of the request's body are broken ({finding:?})")
            }
        };
        self.plane.metrics.events.bodies_incomplete_total.one();
        Stop::answer(400, why)
    }

    pub(super) fn cannot_hold_back(&self, error: &std::io::Error) -> Stop {
        self.plane.metrics.events.budget_refused_total.one();
        Stop::answer(503, format!("a held body cannot be read back: {error}"))
    }
}

/// Why there is no response.
pub(super) enum Unanswered {
    /// The upstream closed or broke the connection before the first byte of an answer; on a connection that had
    /// been idle that says nothing about the request.
    Closed(String),
    Stop(Stop),
}

/// Why no more of a response comes.
pub(super) enum ServerLost {
    Ended,
    Io(std::io::Error),
    Stop(Stop),
}

/// As seen from within a poll.
pub(super) enum Lack {
    Ended,
    Io(std::io::Error),
    Upload(UploadError),
    Timeout,
}
