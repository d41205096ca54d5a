//! One client connection: requests one after another, each from its head to the last byte of its answer.
//!
//! ```text
//!  read_head -> inspect_request -> ask_upstream -> answer -> next head
//!                 |  holds body      |  retries      |  holds body where rules want it, else streams
//!                 v                  v               v
//!               own answer (block page, 4xx, 5xx), and the connection ends where the request was not read whole
//! ```

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use palisade_http::{Framing, HeadParse, HeadScanner, RequestHead, ResponseHead};
use palisade_http::{FramingFinding, parse_request_head, parse_response_head};
use palisade_inspect::{Action, End, Peer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::block_page::{AnswerForm, OwnAnswer};
use crate::body::{BodyReader, Coding};
use crate::content_coding::ContentDecoder;
use crate::exchange::{Exchange, Failed, Stand, own_line};
use crate::hold::{Held, HoldError};
use crate::journal::{AnsweredBy, Remark};
use crate::request::{self, RequestPlan};
use crate::request_id::request_id;
use crate::response::{self, ResponsePlan};
use crate::serve::Drain;
use crate::settings::{Listener, Plane};
use crate::tunnel::tunnel;
use crate::upload::{Upload, UploadError};
use crate::upstream::{ConnectError, Upstream};
use crate::wire::{Lost, OUTPUT_BYTES_MAX, Timer, Wire};

/// A client's connection.
pub(crate) struct Connection<S> {
    client: Wire<S>,
    peer: SocketAddr,
    local: SocketAddr,
    listener: Arc<Listener>,
    plane: Arc<Plane>,
    drain: Drain,
    timer: Timer,
    requests: u64,
    /// Body bytes on their way from a wire to a hold; empty between uses.
    scratch: Vec<u8>,
}

/// What becomes of the connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The next request.
    Next,
    /// It is closed.
    Close,
    /// It is closed at once, whatever the client still sends.
    Cut,
    /// It is closed, but what the client still sends is read for a while: closing at once would reset the
    /// connection, and our answer might be lost with it.
    Linger,
}

/// A request that ends with an answer of ours, for a reason that is no rule's.
#[derive(Debug)]
enum Stop {
    Answer {
        status: u16,
        note: String,
    },
    /// A check's word.
    Act(Action),
    /// The inspection failed; it has said so itself.
    Failed,
    ClientGone,
}

impl From<Failed> for Stop {
    fn from(Failed: Failed) -> Self {
        Stop::Failed
    }
}

/// Interim responses of one upstream to one request.
const INTERIM_MAX: usize = 16;
/// What is read of a client that was answered early.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
const LINGER: Duration = Duration::from_secs(2);

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(
        stream: S,
        peer: SocketAddr,
        local: SocketAddr,
        listener: Arc<Listener>,
        plane: Arc<Plane>,
        drain: Drain,
    ) -> Self {
        let timer = Timer::new(listener.timeouts.head);
        let client = Wire::new(stream);
        Self { client, peer, local, listener, plane, drain, timer, requests: 0, scratch: Vec::new() }
    }

    /// Serves it until it ends.
    pub(crate) async fn run(mut self) {
        loop {
            let after = match self.read_head().await {
                Some(Read::Head(head)) => Box::pin(self.exchange(head, false)).await,
                Some(Read::Refused(head)) => Box::pin(self.exchange(head, true)).await,
                Some(Read::Late) => self.late_head().await,
                None => After::Close,
            };
            match after {
                After::Next => {}
                After::Cut => return,
                // More came than was asked for: closing on it would reset the connection, as below.
                After::Close if !self.client.input().is_empty() => return self.linger().await,
                After::Close => {
                    let _ = poll_fn(|cx| self.client.poll_end(cx)).await;
                    return;
                }
                After::Linger => return self.linger().await,
            }
        }
    }

    /// The next head, or none when the connection is to be closed without a word.
    async fn read_head(&mut self) -> Option<Read> {
        let mut scanner = HeadScanner::new();
        if self.client.input().is_empty() {
            self.client.rest();
            let first =
                if self.requests == 0 { self.listener.timeouts.head } else { self.listener.timeouts.idle };
            self.timer.set(first);
            let Self { client, timer, drain, .. } = self;
            poll_fn(|cx| match client.poll_fill(cx) {
                Poll::Ready(Ok(bytes)) => Poll::Ready((bytes > 0).then_some(())),
                Poll::Ready(Err(_)) => Poll::Ready(None),
                Poll::Pending if drain.poll(cx).is_ready() || timer.poll(cx).is_ready() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await?;
        }
        let limits = &self.listener.limits.request_head;
        let due = Instant::now() + self.listener.timeouts.head;
        loop {
            let input = self.client.input();
            if scanner.find(input).is_some() || input.len() > limits.head_bytes_max {
                match parse_request_head(input, limits) {
                    HeadParse::Complete { head, consumed } => {
                        self.client.consume(consumed);
                        return Some(Read::Head(head));
                    }
                    HeadParse::Refused { head, consumed } => {
                        self.client.consume(consumed);
                        return Some(Read::Refused(head));
                    }
                    HeadParse::Incomplete => {}
                }
            }
            self.timer.set_at(due);
            match self.client.fill(&mut self.timer).await {
                Ok(()) => {}
                Err(Lost::Timeout) => return Some(Read::Late),
                Err(Lost::Ended) => {
                    self.plane.metrics.heads_incomplete_total.one();
                    self.log("The head of a request ended in the middle");
                    return None;
                }
                Err(Lost::Broken) => return None,
            }
        }
    }

    /// Answers a head that did not come in time. There is nothing yet that rules could look at.
    async fn late_head(&mut self) -> After {
        self.plane.metrics.head_timeouts_total.one();
        let id = request_id();
        self.log_as("Refused with code 408: the head of the request did not come in time", &id);
        let form = AnswerForm { request_id: &id, json: false, head_only: false, close: true, http10: false };
        OwnAnswer::status(408).write(&form, self.client.output());
        self.flush_client().await;
        After::Linger
    }

    async fn exchange(&mut self, head: RequestHead, refused: bool) -> After {
        self.requests += 1;
        let mut plan = RequestPlan::of(&head);
        if refused && plan.refusal.is_none() {
            plan.refusal = Some(FramingFinding::LineMalformed);
        }
        if self.is_health_check(&head, &plan) {
            return self.answer_health_check(&plan).await;
        }
        self.plane.metrics.requests_total.one();
        let destination = self.listener.route.destination();
        let id = request_id();
        let mut forwarded = Vec::with_capacity(head.line.len() + 1024);
        if plan.refusal.is_none() {
            let hop = request::Hop {
                client: self.peer.ip(),
                forwarded_for: self.listener.forwarded_for,
                request_id: &id,
                authority: destination.upstream.authority().as_bytes(),
            };
            request::write_head(&head, &plan, &hop, &mut forwarded);
        }
        let peer =
            Peer { peer_addr: self.peer, client_addr: self.peer, server_addr: self.local, request_id: id };
        let (mut exchange, stand) =
            Exchange::begin(&self.plane, &self.listener.name, peer, head, &destination.service).await;

        let mut body = BodyReader::new(plan.framing);
        let upload = match self.inspect_request(&plan, &mut exchange, stand, &mut body).await {
            Ok(held) => {
                let rest = (!body.is_done()).then_some(body);
                Upload::new(held, rest, plan.coding())
            }
            Err(stop) => {
                let whole = plan.refusal.is_none() && body.is_done();
                return self.stop(&plan, &mut exchange, stop, whole).await;
            }
        };
        self.forward(&plan, &mut exchange, upload, forwarded, &destination.upstream).await
    }

    /// Takes the request through its stages. What was held of its body comes back; `body` then says whether more
    /// of it is to come.
    async fn inspect_request(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        stand: Result<Stand, Failed>,
        body: &mut BodyReader,
    ) -> Result<Option<Held>, Stop> {
        let mut stand = stand?;
        if let Some(finding) = plan.refusal {
            // The rules see what was read, and then it is refused whatever they and the mode say.
            if stand == Stand::More {
                stand = exchange.request_end().await?;
            }
            self.plane.metrics.framing_refused_total.one();
            let note = format!(
                "Refused with code 400: the request can be read in more than one way ({})",
                finding.name()
            );
            if let Stand::Decided(action) = stand
                && action != Action::Forward
            {
                exchange.note(&note);
                return Err(Stop::Act(action));
            }
            return Err(Stop::Answer { status: 400, note });
        }
        let mut held = None;
        if stand == Stand::More {
            if !body.is_done() && exchange.wants_request_body() {
                self.continue_if_expected(plan).await?;
                let (whole, decided) = self.hold_request(exchange, body).await?;
                held = Some(whole);
                if let Some(decided) = decided {
                    stand = decided;
                }
            }
            if stand == Stand::More {
                stand = exchange.request_end().await?;
            }
        }
        match stand {
            Stand::Decided(Action::Forward) | Stand::More => {}
            Stand::Decided(action) => return Err(Stop::Act(action)),
        }
        if plan.method == b"CONNECT" {
            let note = "Refused with code 405: CONNECT would open a tunnel past every check".to_owned();
            return Err(Stop::Answer { status: 405, note });
        }
        if !body.is_done() && held.is_none() {
            self.continue_if_expected(plan).await?;
        }
        Ok(held)
    }

    /// Holds the body as far as the rules want to see it.
    async fn hold_request(
        &mut self,
        exchange: &mut Exchange,
        body: &mut BodyReader,
    ) -> Result<(Held, Option<Stand>), Stop> {
        let limits = &self.listener.limits;
        let (held_max, memory_max) = (limits.request_body_held_max, limits.body_memory_max);
        let timeouts = &self.listener.timeouts;
        let (between, whole) = (timeouts.body, Instant::now() + timeouts.body_whole);
        let mut held = Held::new(self.plane.budget.clone(), memory_max);
        loop {
            let mut piece = std::mem::take(&mut self.scratch);
            piece.clear();
            let taken = body.take(self.client.input(), &mut |run| piece.extend_from_slice(run));
            if let Ok(used) = taken {
                self.client.consume(used);
            }
            if !piece.is_empty() {
                held.push(&piece).await.map_err(|error| self.cannot_hold(&error))?;
                let stand = exchange.request_chunk(&piece).await?;
                if stand != Stand::More {
                    return Ok((held, Some(stand)));
                }
            }
            self.scratch = piece;
            if let Err(finding) = taken {
                self.plane.metrics.bodies_incomplete_total.one();
                let why = format!("the chunks of the request's body are broken ({finding:?})");
                return Err(self.refuse_body(exchange, 400, why).await);
            }
            if body.is_done() {
                return Ok((held, None));
            }
            if !exchange.wants_request_body() {
                // The rules look no further; the rest streams.
                return Ok((held, None));
            }
            if held.len() > held_max {
                self.plane.metrics.bodies_too_large_total.one();
                let why = format!("the request's body is larger than {held_max} bytes");
                return Err(self.refuse_body(exchange, 413, why).await);
            }
            self.timer.set_at(whole.min(Instant::now() + between));
            let (status, why) = match self.client.fill(&mut self.timer).await {
                Ok(()) => continue,
                Err(Lost::Timeout) => {
                    self.plane.metrics.body_timeouts_total.one();
                    (408, "the request's body did not come in time")
                }
                Err(Lost::Ended) => {
                    self.plane.metrics.bodies_incomplete_total.one();
                    (400, "the request's body ended in the middle")
                }
                Err(Lost::Broken) => {
                    self.plane.metrics.clients_gone_total.one();
                    return Err(Stop::ClientGone);
                }
            };
            return Err(self.refuse_body(exchange, status, why.to_owned()).await);
        }
    }

    /// A body that is not read to its end: the rules see what came, and then it is refused.
    async fn refuse_body(&mut self, exchange: &mut Exchange, status: u16, why: String) -> Stop {
        let note = format!("Refused with code {status}: {why}");
        match exchange.request_end().await {
            Err(Failed) => Stop::Failed,
            Ok(Stand::Decided(action)) if action != Action::Forward => {
                exchange.note(&note);
                Stop::Act(action)
            }
            Ok(_) => Stop::Answer { status, note },
        }
    }

    fn cannot_hold(&self, error: &HoldError) -> Stop {
        self.plane.metrics.budget_refused_total.one();
        Stop::Answer { status: 503, note: format!("Refused with code 503: {error}") }
    }

    async fn continue_if_expected(&mut self, plan: &RequestPlan) -> Result<(), Stop> {
        // A client that has begun to send does not wait for us.
        if plan.expects_continue && self.client.input().is_empty() {
            self.client.output().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            if !self.flush_client().await {
                return Err(Stop::ClientGone);
            }
        }
        Ok(())
    }

    /// Sends the request on and its answer back.
    async fn forward(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        mut upload: Upload,
        forwarded: Vec<u8>,
        upstream: &Upstream,
    ) -> After {
        let (mut server, head) = match self.ask_upstream(plan, &mut upload, &forwarded, upstream).await {
            Ok(answered) => answered,
            Err(stop) => {
                return self.stop(plan, exchange, stop, upload.is_read()).await;
            }
        };
        let broken = |why: &str| Stop::Answer {
            status: 502,
            note: format!("Answered with code 502: the upstream's response {why}"),
        };
        if head.status == 101 {
            let websocket =
                head.headers.first(b"upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
            if !plan.upgrade || !websocket {
                self.plane.metrics.upstream_broken_total.one();
                return self
                    .stop(
                        plan,
                        exchange,
                        broken("switches to a protocol that nobody asked for"),
                        upload.is_read(),
                    )
                    .await;
            }
            return self.switch(plan, exchange, head, server).await;
        }
        let answer = match ResponsePlan::of(&head, plan) {
            Ok(answer) => answer,
            Err(why) => {
                self.plane.metrics.upstream_broken_total.one();
                return self
                    .stop(plan, exchange, broken(&format!("is ambiguous ({why})")), upload.is_read())
                    .await;
            }
        };

        // Not sent before it is decided, and taken back when the decision is against it.
        let stays =
            plan.keep_alive && upload.is_complete() && !answer.ends_connection && !self.is_last_request();
        let hop = response::Hop {
            request_id: exchange.request_id(),
            close: !stays,
            http10: plan.http10,
            head_only: plan.is_head(),
        };
        let status = head.status;
        let (mark, sent) = (self.client.output().len(), self.client.sent());
        response::write_head(&head, &answer, &hop, self.client.output());
        let inspected = self.inspect_response(exchange, head, &answer, &mut server, &mut upload).await;
        let (held, mut body) = match inspected {
            Ok(inspected) => inspected,
            Err(stop) => {
                self.client.output().truncate(mark);
                return self.stop(plan, exchange, stop, upload.is_read()).await;
            }
        };
        exchange.answered(status, AnsweredBy::Upstream);
        match self.relay(&mut server, &mut body, &mut upload, answer.coding, held).await {
            Ok(()) => {
                // The last bytes leave after the log has its lines: who has the answer finds them there.
                exchange.finish(End::Complete);
                if answer.reusable && upload.is_complete() {
                    upstream.put_idle(server);
                }
                let sent = self.flush_client().await;
                match stays && sent && upload.is_complete() && upload.is_read() {
                    true => After::Next,
                    false if !upload.is_read() => After::Linger,
                    false => After::Close,
                }
            }
            Err(Ending::Client) => {
                self.plane.metrics.clients_gone_total.one();
                exchange.finish(End::Aborted);
                After::Cut
            }
            Err(Ending::Upload(stop) | Ending::Server(stop)) => {
                if self.client.sent() == sent {
                    self.client.output().truncate(mark);
                    return self.stop(plan, exchange, stop, upload.is_read()).await;
                }
                // Too late for another answer: the client sees that this one is cut short.
                if let Stop::Answer { note, .. } = &stop {
                    exchange.note(note);
                }
                exchange.finish(End::Aborted);
                After::Cut
            }
        }
    }

    /// A connection with the request on it and the head of its response.
    async fn ask_upstream(
        &mut self,
        plan: &RequestPlan,
        upload: &mut Upload,
        forwarded: &[u8],
        upstream: &Upstream,
    ) -> Result<(Wire<TcpStream>, ResponseHead), Stop> {
        let twice = plan.is_idempotent();
        let mut idle = upstream.take_idle(!twice);
        loop {
            let reused = idle.is_some();
            let mut server = match idle.take() {
                Some(server) => server,
                None => self.connect(upstream).await?,
            };
            server.output().extend_from_slice(forwarded);
            match self.await_response(plan, &mut server, upload).await {
                Ok(head) => return Ok((server, head)),
                Err(Unanswered::Stop(stop)) => return Err(stop),
                Err(Unanswered::Closed(_)) if reused && twice && upload.is_replayable() => {
                    self.plane.metrics.upstream_retries_total.one();
                    upload.rewind();
                }
                Err(Unanswered::Closed(how)) => {
                    self.plane.metrics.upstream_broken_total.one();
                    let note = format!("Answered with code 502: the upstream {how}");
                    return Err(Stop::Answer { status: 502, note });
                }
            }
        }
    }

    async fn connect(&self, upstream: &Upstream) -> Result<Wire<TcpStream>, Stop> {
        match upstream.connect().await {
            Ok(server) => {
                self.plane.metrics.upstream_connections_total.one();
                Ok(server)
            }
            Err(error) => {
                self.plane.metrics.upstream_connect_failed_total.one();
                let status = if matches!(error, ConnectError::Timeout) { 504 } else { 502 };
                let note =
                    format!("Answered with code {status}: the upstream {}: {error}", upstream.authority());
                Err(Stop::Answer { status, note })
            }
        }
    }

    /// Sends the request and waits for the head of its response; interim ones go on to the client.
    async fn await_response(
        &mut self,
        plan: &RequestPlan,
        server: &mut Wire<TcpStream>,
        upload: &mut Upload,
    ) -> Result<ResponseHead, Unanswered> {
        let limits = self.listener.limits.response_head.clone();
        let mut scanner = HeadScanner::new();
        let mut interims = 0;
        self.timer.set(self.listener.timeouts.response);
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
                        self.plane.metrics.upstream_broken_total.one();
                        let why = head.findings.last().map_or("no head", |finding| finding.name());
                        let note =
                            format!("Answered with code 502: the upstream's response is no HTTP/1.1 ({why})");
                        return Err(Unanswered::Stop(Stop::Answer { status: 502, note }));
                    }
                    HeadParse::Incomplete => {}
                }
            }
            match self.fill_server(server, upload).await {
                Ok(()) => {}
                Err(ServerLost::Ended) if server.input().is_empty() => {
                    return Err(Unanswered::Closed("closed its connection without an answer".into()));
                }
                Err(ServerLost::Ended) => {
                    self.plane.metrics.upstream_broken_total.one();
                    let note = "Answered with code 502: the upstream's response ended in its head".to_owned();
                    return Err(Unanswered::Stop(Stop::Answer { status: 502, note }));
                }
                Err(ServerLost::Io(error)) => {
                    return Err(Unanswered::Closed(format!("broke its connection: {error}")));
                }
                Err(ServerLost::Stop(stop)) => return Err(Unanswered::Stop(stop)),
            }
        }
    }

    /// Reads more of the response, while the request may still be on its way.
    async fn fill_server(
        &mut self,
        server: &mut Wire<TcpStream>,
        upload: &mut Upload,
    ) -> Result<(), ServerLost> {
        let Self { client, timer, listener, .. } = self;
        let timeouts = &listener.timeouts;
        let end = poll_fn(|cx| {
            let mut uploaded = false;
            if !upload.is_over() || server.pending() > 0 {
                if let Poll::Ready(Err(error)) = upload.poll(cx, client, server) {
                    return Poll::Ready(Err(Lack::Upload(error)));
                }
                uploaded = upload.moved;
            }
            match server.poll_fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Lack::Ended)),
                Poll::Ready(Ok(_)) => {
                    timer.set(timeouts.response);
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Lack::Io(error))),
                Poll::Pending => {}
            }
            if uploaded {
                timer.set(if upload.waits_for_client() { timeouts.body } else { timeouts.response });
            }
            timer.poll(cx).map(|()| Err(Lack::Timeout))
        })
        .await;
        match end {
            Ok(()) => Ok(()),
            Err(Lack::Ended) => Err(ServerLost::Ended),
            Err(Lack::Io(error)) => Err(ServerLost::Io(error)),
            Err(Lack::Upload(error)) => Err(ServerLost::Stop(self.upload_failed(&error))),
            Err(Lack::Timeout) => Err(ServerLost::Stop(self.timed_out(upload))),
        }
    }

    fn timed_out(&self, upload: &Upload) -> Stop {
        if upload.waits_for_client() {
            self.plane.metrics.body_timeouts_total.one();
            let note = "Refused with code 408: the request's body did not come in time".to_owned();
            Stop::Answer { status: 408, note }
        } else {
            self.plane.metrics.upstream_timeouts_total.one();
            let note = "Answered with code 504: the upstream did not answer in time".to_owned();
            Stop::Answer { status: 504, note }
        }
    }

    fn upload_failed(&self, error: &UploadError) -> Stop {
        let why = match error {
            UploadError::Client => {
                self.plane.metrics.clients_gone_total.one();
                return Stop::ClientGone;
            }
            UploadError::Held(error) => return self.cannot_hold_back(error),
            UploadError::ClientEnded => "the request's body ended in the middle".to_owned(),
            UploadError::Broken(finding) => {
                format!("the chunks of the request's body are broken ({finding:?})")
            }
        };
        self.plane.metrics.bodies_incomplete_total.one();
        Stop::Answer { status: 400, note: format!("Refused with code 400: {why}") }
    }

    fn cannot_hold_back(&self, error: &std::io::Error) -> Stop {
        self.plane.metrics.budget_refused_total.one();
        Stop::Answer {
            status: 503,
            note: format!("Refused with code 503: a held body cannot be read back: {error}"),
        }
    }

    /// Takes the response through its stages. What was held of its body comes back with the reader of the rest.
    async fn inspect_response(
        &mut self,
        exchange: &mut Exchange,
        head: ResponseHead,
        answer: &ResponsePlan,
        server: &mut Wire<TcpStream>,
        upload: &mut Upload,
    ) -> Result<(Option<Held>, BodyReader), Stop> {
        let mut body = BodyReader::new(answer.framing);
        let decoder = ContentDecoder::new(&head.headers, self.listener.limits.response_body_decoded_max);
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

    async fn hold_response(
        &mut self,
        exchange: &mut Exchange,
        body: &mut BodyReader,
        decoder: Result<ContentDecoder, crate::content_coding::Undecoded>,
        server: &mut Wire<TcpStream>,
        upload: &mut Upload,
    ) -> Result<(Held, Option<Stand>), Stop> {
        let limits = &self.listener.limits;
        let (held_max, memory_max) = (limits.response_body_held_max, limits.body_memory_max);
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
                    let stand = exchange.response_chunk(&decoded).await?;
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
            match self.fill_server(server, upload).await {
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

    fn not_whole(&self, exchange: &mut Exchange, why: &str) {
        self.plane.metrics.responses_not_inspected_whole_total.one();
        exchange.note(&format!("The response's body was not inspected whole: {why}"));
    }

    fn response_broken(&self, how: &str) -> Stop {
        self.plane.metrics.upstream_broken_total.one();
        Stop::Answer { status: 502, note: format!("Answered with code 502: the upstream's response {how}") }
    }

    /// Moves the response's body to the client, while the request may still be on its way. When it is through, its
    /// end is in the client's output, not yet written.
    async fn relay(
        &mut self,
        server: &mut Wire<TcpStream>,
        body: &mut BodyReader,
        upload: &mut Upload,
        coding: Coding,
        mut held: Option<Held>,
    ) -> Result<(), Ending> {
        let Self { client, timer, listener, .. } = self;
        let timeouts = &listener.timeouts;
        timer.set(timeouts.response);
        let end = poll_fn(|cx| {
            loop {
                let mut moved = false;
                let mut blocked = false;
                while client.pending() < OUTPUT_BYTES_MAX {
                    if let Some(reading) = &mut held {
                        match reading.poll_piece(cx, &mut |piece| coding.write(piece, client.output())) {
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
                    match body.take(server.input(), &mut |piece| coding.write(piece, output)) {
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
                    if let Poll::Ready(Err(error)) = upload.poll(cx, client, server) {
                        return Poll::Ready(Err(Broken::Upload(error)));
                    }
                    moved |= upload.moved;
                }
                if moved {
                    timer.set(if client.pending() > 0 { timeouts.write } else { timeouts.response });
                }
                if flushed && !blocked {
                    continue;
                }
                return timer.poll(cx).map(|()| Err(Broken::Timeout));
            }
        })
        .await;
        match end {
            Ok(()) => Ok(()),
            Err(Broken::Client) => Err(Ending::Client),
            Err(Broken::Timeout) if self.client.pending() > 0 => Err(Ending::Client),
            Err(Broken::Timeout) => Err(Ending::Server(self.timed_out(upload))),
            Err(Broken::Held(error)) => Err(Ending::Server(self.cannot_hold_back(&error))),
            Err(Broken::Response(how)) => Err(Ending::Server(self.response_broken(&how))),
            Err(Broken::Upload(error)) => Err(match self.upload_failed(&error) {
                Stop::ClientGone => Ending::Client,
                stop => Ending::Upload(stop),
            }),
        }
    }

    /// The connection becomes a WebSocket.
    async fn switch(
        &mut self,
        plan: &RequestPlan,
        exchange: &mut Exchange,
        head: ResponseHead,
        mut server: Wire<TcpStream>,
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
        exchange.answered(101, AnsweredBy::Upstream);
        exchange.finish(End::Complete);
        self.plane.metrics.tunnels_total.one();
        tunnel(&mut self.client, &mut server, &mut self.timer, self.listener.timeouts.tunnel).await;
        After::Close
    }

    /// Ends an exchange with an answer of ours, or with none. `whole`: the request was read to its end, so that the
    /// connection can go on.
    async fn stop(&mut self, plan: &RequestPlan, exchange: &mut Exchange, stop: Stop, whole: bool) -> After {
        let answer = match stop {
            Stop::Act(Action::Answer { status }) => {
                self.plane.metrics.blocked_total.one();
                OwnAnswer::status(status)
            }
            Stop::Act(Action::Redirect { status, location }) => {
                self.plane.metrics.blocked_total.one();
                OwnAnswer { status, location: Some(location) }
            }
            Stop::Act(Action::Close) => {
                self.plane.metrics.blocked_total.one();
                exchange.finish(End::Aborted);
                return After::Cut;
            }
            Stop::Answer { status, note } => {
                exchange.note(&note);
                OwnAnswer::status(status)
            }
            // Forwarding is not stopping; were it asked for here, it would be a bug, and must not pass.
            Stop::Failed | Stop::Act(Action::Forward) => OwnAnswer::status(500),
            Stop::ClientGone => {
                exchange.finish(End::Aborted);
                return After::Cut;
            }
        };
        let stays = whole && plan.keep_alive && !self.is_last_request();
        let form = AnswerForm {
            request_id: exchange.request_id(),
            json: plan.wants_json,
            head_only: plan.is_head(),
            close: !stays,
            http10: plan.http10,
        };
        let status = answer.write(&form, self.client.output());
        exchange.answered(status, AnsweredBy::Palisade);
        exchange.finish(End::Aborted);
        match (self.flush_client().await, stays) {
            (true, true) => After::Next,
            (true, false) => After::Linger,
            (false, _) => After::Close,
        }
    }

    fn is_health_check(&self, head: &RequestHead, plan: &RequestPlan) -> bool {
        let Some(path) = &self.listener.health_path else { return false };
        let asked = head.target.split(|byte| *byte == b'?').next().unwrap_or_default();
        plan.refusal.is_none()
            && plan.framing == Framing::None
            && matches!(&head.method[..], b"GET" | b"HEAD")
            && asked == path.as_bytes()
    }

    async fn answer_health_check(&mut self, plan: &RequestPlan) -> After {
        self.plane.metrics.health_checks_total.one();
        let stays = plan.keep_alive && !self.is_last_request();
        let connection = match (stays, plan.http10) {
            (false, _) => "Connection: close\r\n",
            (true, true) => "Connection: keep-alive\r\n",
            (true, false) => "",
        };
        let body = if plan.is_head() { "" } else { "OK\n" };
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nX-Request-Id: {}\r\n{connection}\r\n{body}",
            request_id()
        );
        self.client.output().extend_from_slice(text.as_bytes());
        match self.flush_client().await && stays {
            true => After::Next,
            false => After::Close,
        }
    }

    fn is_last_request(&self) -> bool {
        self.drain.is_asked() || self.requests >= self.listener.limits.requests_per_connection_max
    }

    /// Whether all of the output is out.
    async fn flush_client(&mut self) -> bool {
        self.timer.set(self.listener.timeouts.write);
        self.client.flush(&mut self.timer).await.is_ok()
    }

    /// Reads and forgets what the client still sends, for a while.
    async fn linger(&mut self) {
        if poll_fn(|cx| self.client.poll_end(cx)).await.is_err() {
            return;
        }
        self.timer.set(LINGER);
        let mut bytes = 0;
        while bytes < LINGER_BYTES_MAX && self.client.fill(&mut self.timer).await.is_ok() {
            let read = self.client.input().len();
            bytes += read;
            self.client.consume(read);
        }
    }

    fn log(&self, text: &str) {
        self.log_as(text, &request_id());
    }

    /// A line about what never became a request.
    fn log_as(&self, text: &str, id: &str) {
        self.plane.journal.remark(Remark {
            listener: self.listener.name.clone(),
            client_addr: self.peer,
            line: own_line(self.peer, self.local, b"", id, text),
        });
    }
}

/// What came where a head was due.
enum Read {
    Head(RequestHead),
    /// No head of HTTP/1, as far as it was read.
    Refused(RequestHead),
    /// Not all of it, and the time is over.
    Late,
}

/// Why there is no response.
enum Unanswered {
    /// The upstream closed or broke the connection before the first byte of an answer; on a connection that had
    /// been idle that says nothing about the request.
    Closed(String),
    Stop(Stop),
}

/// Why no more of a response comes.
enum ServerLost {
    Ended,
    Io(std::io::Error),
    Stop(Stop),
}

/// As seen from within a poll.
enum Lack {
    Ended,
    Io(std::io::Error),
    Upload(UploadError),
    Timeout,
}

/// Why a response does not get through.
enum Ending {
    Client,
    Upload(Stop),
    Server(Stop),
}

/// As seen from within a poll.
enum Broken {
    Client,
    Timeout,
    Held(std::io::Error),
    Response(String),
    Upload(UploadError),
}
