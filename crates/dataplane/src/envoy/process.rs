//! `envoy.service.ext_proc.v3.ExternalProcessor`: an exchange is seen whole, its response included. One stream of
//! messages is one exchange.
//!
//! How Envoy sends bodies decides what a verdict can still do:
//!
//! | body mode | the body | a block |
//! |---|---|---|
//! | `BUFFERED` | one piece, held by Envoy | before anything went on |
//! | `BUFFERED_PARTIAL` | its beginning, if it is long | the same; the rest counts as over the profile's limit |
//! | `STREAMED` | passes while it is looked at | in the middle: Envoy answers in place of the service, or cuts |
//! | `FULL_DUPLEX_STREAMED` | held here, under the budget of all held bodies | before anything went on |
//! | `NONE` | not shown | counts as over the profile's limit |
//!
//! Where a body comes piece by piece and is not held (`STREAMED`, and calls of gRPC in every mode but those that show less
//! than all of it), its judging and the response's run beside each other: [`OnTheWay`]. Of a call each message is judged by
//! itself and passes then; a stream that waits for its own end would never begin.

mod refusal;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;

use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Shown;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HeaderMutation, HeadersResponse, HttpBody, HttpHeaders, ProcessingRequest,
    ProcessingResponse, TrailersResponse,
};
use envoy_types::pb::google::protobuf::Struct;
use palisade_inspect::{Action, End};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use self::refusal::{Stop, Word};
use super::answer::{Reason, ValueForm, response_changes};
use super::attributes::response_head;
use super::messages::{Way, asked, changed, is_duplex, passed, streamed, untouched};
use super::on_the_way::OnTheWay;
use super::within::{Late, within};
use super::{Asked, Protected, Shared};
use crate::content_coding::{ContentDecoder, WATCHED_BYTES_MAX};
use crate::exchange::{Exchange, Stand};
use crate::hold::{Held, HoldError};
use crate::journal::{AnsweredBy, Sent};
use crate::upload::Judging;

/// The service.
#[derive(Debug)]
pub(super) struct Process(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl ExternalProcessor for Process {
    type ProcessStream = ReceiverStream<Result<ProcessingResponse, Status>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let (answers, stream) = mpsc::channel(4);
        let conversation = Conversation {
            shared: self.0.clone(),
            answers,
            about: None,
            request: Side::default(),
            response: Side::default(),
            on_the_way: None,
            wish: None,
            status: 0,
            response_bytes: 0,
            coding: Coding::Plain,
        };
        tokio::spawn(conversation.run(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// One exchange on its way through Envoy.
struct Conversation {
    shared: Arc<Shared>,
    answers: mpsc::Sender<Result<ProcessingResponse, Status>>,
    about: Option<About>,
    request: Side,
    response: Side,
    /// The request's body, where it is judged on its way.
    on_the_way: Option<OnTheWay>,
    /// How Envoy is to send bodies from now on, for the next answer.
    wish: Option<ProcessingMode>,
    /// Of the response.
    status: u16,
    response_bytes: u64,
    /// Of the response.
    coding: Coding,
}

/// What is known once the request's head has come.
struct About {
    asked: Asked,
    protected: Option<Arc<Protected>>,
    exchange: Option<Box<Exchange>>,
}

/// One direction.
#[derive(Default)]
struct Side {
    /// How its body comes; older Envoys do not say.
    mode: Option<BodySendMode>,
    flow: Flow,
    /// What is not passed on before it is judged.
    held: Option<HeldBack>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Flow {
    /// Its head has not come.
    #[default]
    Due,
    /// Looked at piece by piece.
    Looking,
    /// Judged: what still comes passes.
    Judged,
}

/// The answer to a head, and the body that goes after it.
struct HeldBack {
    head: Answer,
    body: Held,
}

/// How rules get to see a response's body.
#[derive(Default)]
enum Coding {
    /// As it is.
    #[default]
    Plain,
    /// Decoded.
    Coded(Box<ContentDecoder>),
    /// No more of it.
    Broken,
}

impl Conversation {
    async fn run(mut self, mut shown: Streaming<ProcessingRequest>) {
        while let Ok(Some(message)) = shown.message().await {
            if let Some(modes) = message.protocol_config {
                self.request.mode = Some(modes.request_body_mode());
                self.response.mode = Some(modes.response_body_mode());
            }
            let Some(piece) = message.request else { continue };
            match self.take(piece, &message.attributes).await {
                Ok(()) => {}
                Err(Stop::Refused(refusal, why)) => {
                    self.refuse(refusal, &why).await;
                    break;
                }
                Err(Stop::Gone) => break,
            }
        }
        self.ended();
    }

    async fn take(&mut self, shown: Shown, attributes: &HashMap<String, Struct>) -> Result<(), Stop> {
        if self.about.is_none() && !matches!(shown, Shown::RequestHeaders(_)) {
            // The answer of a filter before ours to a request that never came here.
            self.shared.request_is_not_shown();
            let answer = untouched(shown, is_duplex(self.response.mode));
            return self.answer(answer).await;
        }
        // Envoy itself waits for ever where pieces go both ways.
        let due = Instant::now() + self.shared.listener.deadline;
        let judged = within(due, self.judge(shown, attributes)).await.unwrap_or_else(|Late| {
            if let Ok((_, exchange)) = self.exchange() {
                exchange.late();
            }
            Err(Word::Status(503, Reason::Late))
        });
        let answers = judged.map_err(|word| self.stop(word))?;
        for answer in answers {
            self.answer(answer).await?;
        }
        Ok(())
    }

    async fn judge(
        &mut self,
        shown: Shown,
        attributes: &HashMap<String, Struct>,
    ) -> Result<Vec<Answer>, Word> {
        match shown {
            Shown::RequestHeaders(head) => self.request_head(head, attributes).await,
            Shown::RequestBody(body) if self.on_the_way.is_some() => self.body_on_the_way(body).await,
            Shown::RequestBody(body) => self.body(Way::Request, body).await,
            Shown::RequestTrailers(_) => self.trailers(Way::Request).await,
            Shown::ResponseHeaders(head) => self.response_head(head).await,
            Shown::ResponseBody(body) => self.body(Way::Response, body).await,
            Shown::ResponseTrailers(_) => self.trailers(Way::Response).await,
        }
    }

    async fn request_head(
        &mut self,
        shown: HttpHeaders,
        attributes: &HashMap<String, Struct>,
    ) -> Result<Vec<Answer>, Word> {
        let mut asked = asked(&self.shared, &shown, attributes);
        if self.shared.is_not_ready(&asked) {
            self.about = Some(About { asked, protected: None, exchange: None });
            return Err(Word::Status(503, Reason::NotReady));
        }
        let protected = self.shared.protected(&mut asked, &HashMap::new());
        if let Some(exchange) = self.shared.joined.take(&asked.request_id) {
            let pass = Answer::RequestHeaders(changed(std::mem::take(&mut asked.forged), &[]));
            self.about = Some(About { asked, protected, exchange: Some(exchange) });
            self.request.flow = Flow::Judged;
            return Ok(vec![pass]);
        }
        let Some(to) = protected.clone() else {
            self.shared.no_route(&asked);
            self.about = Some(About { asked, protected, exchange: None });
            return Err(Word::Status(404, Reason::NoRoute));
        };
        let judging = if shown.end_of_stream { None } else { self.judging(asked.is_grpc) };
        let (exchange, stand) = self.shared.begin(&mut asked, &to, judging.is_some()).await;
        let pass = Answer::RequestHeaders(changed(std::mem::take(&mut asked.forged), &asked.told));
        let is_ambiguous = asked.ambiguity.is_some();
        let wants_body = exchange.wants_request_body();
        self.about = Some(About { asked, protected, exchange: Some(exchange) });
        let goes_on = settle(stand?)?;
        if !goes_on {
            self.request.flow = Flow::Judged;
        } else if shown.end_of_stream || !wants_body || is_ambiguous {
            self.end(Way::Request).await?;
        } else if let Some(judging) = judging {
            // The head alone; the body is judged by parts of its own.
            let (_, exchange) = self.exchange()?;
            settle(exchange.request_end().await?)?;
            self.on_the_way = Some(OnTheWay::new(judging, self.shared.plane.budget.clone()));
            if self.request.mode == Some(BodySendMode::Buffered) {
                // Envoy would wait for the end of the call. It follows where its filter says allow_mode_override.
                self.wish = Some(streamed());
            }
            self.request.flow = Flow::Looking;
        } else {
            match self.request.mode {
                Some(BodySendMode::None) => {
                    self.note(
                        "The request's body was not inspected: Envoy does not show it (request_body_mode)",
                    );
                    self.cut().await?;
                }
                mode if is_duplex(mode) => {
                    self.hold_back(Way::Request, pass);
                    return Ok(Vec::new());
                }
                _ => self.request.flow = Flow::Looking,
            }
        }
        if is_ambiguous {
            // Whatever rules and the mode say.
            return Err(Word::Status(400, Reason::Framing));
        }
        Ok(vec![pass])
    }

    /// How a request's body is judged, where that is on its way.
    fn judging(&self, is_grpc: bool) -> Option<Judging> {
        let bytes_max = self.shared.listener.limits.message_held_max;
        match self.request.mode {
            Some(BodySendMode::None | BodySendMode::BufferedPartial) => None,
            _ if is_grpc => Some(Judging::Messages { bytes_max }),
            Some(BodySendMode::Streamed) | None => Some(Judging::Whole),
            _ => None,
        }
    }

    async fn response_head(&mut self, shown: HttpHeaders) -> Result<Vec<Answer>, Word> {
        // A service may answer before it has the whole request. Where that is not judged by itself, no more of it is shown.
        if self.request.flow != Flow::Judged && self.on_the_way.is_none() {
            self.end(Way::Request).await?;
        }
        let limits = &self.shared.listener.limits;
        let head = response_head(&shown.headers.unwrap_or_default(), &limits.response_head);
        let decoder = ContentDecoder::new(&head.headers, limits.response_body_decoded_max);
        self.status = head.status;
        let changes = self.about.as_ref().map(|about| response_mutation(&about.asked)).unwrap_or_default();
        let (_, exchange) = self.exchange()?;
        let watched =
            exchange.may_watch_response().then(|| ContentDecoder::new(&head.headers, WATCHED_BYTES_MAX));
        let goes_on = settle(exchange.response_head(head).await?)?;
        let wants_body = goes_on && exchange.wants_response_body() && !shown.end_of_stream;
        if !wants_body {
            exchange.watch(watched);
        }
        let common = CommonResponse { header_mutation: Some(changes), ..CommonResponse::default() };
        let pass = Answer::ResponseHeaders(HeadersResponse { response: Some(common) });
        if !goes_on {
            self.response.flow = Flow::Judged;
        } else if !wants_body {
            self.end(Way::Response).await?;
        } else {
            match decoder {
                Ok(decoder) => self.coding = Coding::Coded(Box::new(decoder)),
                // What cannot be decoded is shown as it is.
                Err(why) => self.not_whole(why.words()),
            }
            match self.response.mode {
                Some(BodySendMode::None) => {
                    self.not_whole("Envoy does not show it (response_body_mode)");
                    self.end(Way::Response).await?;
                }
                // The answers of a call may be what its next message waits for.
                mode if is_duplex(mode) && !self.is_grpc() => {
                    self.hold_back(Way::Response, pass);
                    return Ok(Vec::new());
                }
                _ => self.response.flow = Flow::Looking,
            }
        }
        if shown.end_of_stream {
            self.complete();
        }
        Ok(vec![pass])
    }

    async fn body(&mut self, way: Way, shown: HttpBody) -> Result<Vec<Answer>, Word> {
        let HttpBody { body, end_of_stream, .. } = shown;
        let is_duplex = is_duplex(self.side(way).mode);
        let is_cut = way == Way::Request
            && !end_of_stream
            && self.request.mode == Some(BodySendMode::BufferedPartial)
            && self.request.flow != Flow::Judged;
        self.feed(way, &body).await?;
        if end_of_stream {
            self.end(way).await?;
        } else if is_cut {
            self.note("The request's body was not inspected whole: Envoy shows its beginning only (BUFFERED_PARTIAL)");
            self.cut().await?;
        }
        let answers = match self.side(way).held.take() {
            None => vec![passed(way, is_duplex.then_some((body, end_of_stream)))],
            Some(mut back) => {
                back.body.push(&body).await.map_err(|error| self.cannot_hold(&error))?;
                match self.side(way).flow {
                    Flow::Judged => self.released(way, back, end_of_stream).await?,
                    Flow::Due | Flow::Looking => {
                        self.side(way).held = Some(back);
                        Vec::new()
                    }
                }
            }
        };
        if way == Way::Response && end_of_stream {
            self.complete();
        }
        Ok(answers)
    }

    /// A piece of a request's body that is judged on its way.
    async fn body_on_the_way(&mut self, shown: HttpBody) -> Result<Vec<Answer>, Word> {
        let HttpBody { body, end_of_stream, .. } = shown;
        let passes = self.show_on_the_way(body, end_of_stream).await?;
        if !is_duplex(self.request.mode) {
            // Envoy holds this piece; those before it have passed.
            return Ok(vec![passed(Way::Request, None)]);
        }
        if passes.is_empty() && !end_of_stream {
            return Ok(Vec::new());
        }
        Ok(vec![passed(Way::Request, Some((passes, end_of_stream)))])
    }

    async fn show_on_the_way(&mut self, piece: Vec<u8>, is_last: bool) -> Result<Vec<u8>, Word> {
        let (Some(mut on_the_way), Ok((_, exchange))) = (self.on_the_way.take(), self.exchange()) else {
            return Err(Word::Status(500, Reason::Failed));
        };
        let passes = on_the_way.show(exchange, piece, is_last).await;
        match (&passes, is_last) {
            (Ok(_), true) => self.request.flow = Flow::Judged,
            (Ok(_), false) => self.on_the_way = Some(on_the_way),
            (Err(_), _) => {}
        }
        passes.map_err(|error| self.not_passed(error))
    }

    async fn trailers(&mut self, way: Way) -> Result<Vec<Answer>, Word> {
        let mut answers = Vec::new();
        if way == Way::Request && self.on_the_way.is_some() {
            let rest = self.show_on_the_way(Vec::new(), true).await?;
            if is_duplex(self.request.mode) && !rest.is_empty() {
                answers.push(passed(way, Some((rest, false))));
            }
        }
        self.end(way).await?;
        if let Some(back) = self.side(way).held.take() {
            answers.extend(self.released(way, back, false).await?);
        }
        answers.push(match way {
            Way::Request => Answer::RequestTrailers(TrailersResponse::default()),
            Way::Response => Answer::ResponseTrailers(TrailersResponse::default()),
        });
        if way == Way::Response {
            self.complete();
        }
        Ok(answers)
    }

    /// Shows a piece to the checks.
    async fn feed(&mut self, way: Way, piece: &[u8]) -> Result<(), Word> {
        let judged = self.side(way).flow == Flow::Judged;
        if way == Way::Response {
            self.response_bytes += piece.len() as u64;
        }
        let over = self.response_bytes > self.held_max(way);
        let mut coding = std::mem::take(&mut self.coding);
        let mut broken = None;
        let (_, exchange) = self.exchange()?;
        let stand = match way {
            Way::Request => {
                exchange.streamed(piece.len() as u64);
                if judged { Stand::More } else { exchange.request_chunk(piece).await? }
            }
            Way::Response if judged => {
                exchange.watched(piece);
                Stand::More
            }
            Way::Response => {
                let mut decoded = Vec::new();
                match &mut coding {
                    Coding::Plain => decoded.extend_from_slice(piece),
                    Coding::Coded(decoder) => broken = decoder.feed(piece, &mut decoded).err(),
                    Coding::Broken => {}
                }
                exchange.response_chunk(&decoded, piece.len()).await?
            }
        };
        self.coding = if broken.is_some() { Coding::Broken } else { coding };
        if let Some(why) = broken {
            self.not_whole(why.words());
        }
        if !settle(stand)? {
            self.side(way).flow = Flow::Judged;
        } else if way == Way::Response && over && !judged {
            self.not_whole(&format!("it is larger than {} bytes", self.held_max(way)));
            self.end(way).await?;
        }
        Ok(())
    }

    /// Says that a direction is whole, and judges it.
    async fn end(&mut self, way: Way) -> Result<(), Word> {
        if self.side(way).flow == Flow::Judged {
            return Ok(());
        }
        let (_, exchange) = self.exchange()?;
        let stand = match way {
            Way::Request => exchange.request_end().await?,
            Way::Response => exchange.response_end().await?,
        };
        settle(stand)?;
        self.side(way).flow = Flow::Judged;
        Ok(())
    }

    /// Says that no more of the request is shown, though there is more.
    async fn cut(&mut self) -> Result<(), Word> {
        let (_, exchange) = self.exchange()?;
        settle(exchange.request_cut().await?)?;
        self.request.flow = Flow::Judged;
        Ok(())
    }

    /// Holds a direction back until it is judged.
    fn hold_back(&mut self, way: Way, head: Answer) {
        let memory_max = self.shared.listener.limits.body_memory_max;
        let body = Held::new(self.shared.plane.budget.clone(), memory_max);
        let side = self.side(way);
        side.flow = Flow::Looking;
        side.held = Some(HeldBack { head, body });
    }

    /// What was held back, now that it may go. `ends`: with the last piece the message is whole.
    async fn released(&mut self, way: Way, back: HeldBack, ends: bool) -> Result<Vec<Answer>, Word> {
        let HeldBack { head, mut body } = back;
        let mut answers = vec![head];
        let mut left = body.len();
        body.rewind();
        loop {
            let mut piece = Vec::new();
            let more = poll_fn(|cx| body.poll_piece(cx, &mut |bytes| piece.extend_from_slice(bytes))).await;
            match more {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Err(self.cannot_hold(&HoldError::Disk(error))),
            }
            left -= piece.len() as u64;
            answers.push(passed(way, Some((piece, ends && left == 0))));
        }
        if ends && body.len() == 0 {
            answers.push(passed(way, Some((Vec::new(), true))));
        }
        Ok(answers)
    }

    fn held_max(&self, way: Way) -> u64 {
        match (way, &self.about) {
            (Way::Response, Some(About { exchange: Some(exchange), .. })) => {
                exchange.response_body_bytes_max().min(self.shared.listener.limits.response_body_held_max)
            }
            _ => u64::MAX,
        }
    }

    fn side(&mut self, way: Way) -> &mut Side {
        match way {
            Way::Request => &mut self.request,
            Way::Response => &mut self.response,
        }
    }

    /// The exchange, and its id. Without the request's head there is none.
    fn exchange(&mut self) -> Result<(&str, &mut Exchange), Word> {
        match &mut self.about {
            Some(About { asked, exchange: Some(exchange), .. }) => Ok((&asked.request_id, exchange)),
            _ => Err(Word::Status(500, Reason::Failed)),
        }
    }

    fn note(&mut self, text: &str) {
        if let Ok((_, exchange)) = self.exchange() {
            exchange.note(text);
        }
    }

    fn not_whole(&mut self, why: &str) {
        self.shared.plane.metrics.events.responses_not_inspected_whole_total.one();
        self.note(&format!("The response's body was not inspected whole: {why}"));
    }

    fn is_grpc(&self) -> bool {
        self.about.as_ref().is_some_and(|about| about.asked.is_grpc)
    }

    async fn answer(&mut self, answer: Answer) -> Result<(), Stop> {
        let mode_override = self.wish.take();
        let response =
            ProcessingResponse { response: Some(answer), mode_override, ..ProcessingResponse::default() };
        self.answers.send(Ok(response)).await.map_err(|_| Stop::Gone)
    }

    /// The response is whole.
    fn complete(&mut self) {
        let (status, bytes) = (self.status, self.response_bytes);
        if let Ok((_, exchange)) = self.exchange() {
            exchange.answered(Some(Sent { status, by: AnsweredBy::Upstream }), bytes);
            exchange.finish(End::Complete);
        }
    }

    /// The stream has ended, at whatever point.
    fn ended(&mut self) {
        // Envoy ends the stream where it is not told to show more: a request that is judged is then complete.
        let judged = self.request.flow == Flow::Judged;
        if judged && (self.status == 0 || self.response.flow == Flow::Judged) {
            if self.status > 0 {
                self.complete();
            } else if let Ok((_, exchange)) = self.exchange() {
                exchange.finish(End::Complete);
            }
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if let Some(about) = &self.about {
            self.shared.joined.end(&about.asked.request_id);
        }
    }
}

/// Whether more is to be fed. A verdict against the exchange is an error here.
fn settle(stand: Stand) -> Result<bool, Word> {
    match stand {
        Stand::More => Ok(true),
        Stand::Decided(Action::Forward) => Ok(false),
        Stand::Decided(action) => Err(Word::Action(action)),
    }
}

/// What becomes of the headers of a response that goes on.
fn response_mutation(asked: &Asked) -> HeaderMutation {
    let site = asked.site.as_deref();
    HeaderMutation {
        set_headers: response_changes(&asked.request_id, site, ValueForm::Raw),
        remove_headers: site.map(|site| site.headers.remove.clone()).unwrap_or_default(),
    }
}
