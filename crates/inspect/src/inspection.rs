//! One exchange on its way through the checks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use palisade_authn::{Identity, Place};
use palisade_detect::{Attack, Detection, Finding};
use palisade_engine::{
    Answer, Clock, Connection, Enforcement, Interruption, InterruptionAction, LimitAction, Lookup, Phase,
    Progress, RuleId, Shortfall, Transaction,
};
use palisade_http::{Fields, FramingFinding, RequestHead, ResponseHead};
use palisade_model::{Leaks, PeerIdentity, Root, Stage, Verdict};
use palisade_openapi::Check;
use palisade_policy::Awaited;

use crate::detector::{Judged, is_text};
use crate::environment;
use crate::gate::{self, Admission, Asked};
use crate::patches::PATCH;
use crate::profile::{Profile, Service};
use crate::redacted::AUDIT_BODY_BYTES_MAX;
use crate::report::Report;
use crate::specification::SPECIFICATION;
use crate::standing::Standing;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The socket's other end.
    pub peer_addr: SocketAddr,
    /// Who the trusted hops say it is; the peer itself where nobody is trusted.
    pub client_addr: SocketAddr,
    /// Where it arrived.
    pub server_addr: SocketAddr,
    /// What its certificate says and whether that is believed; `None` where none was asked for.
    pub identity: Option<Arc<PeerIdentity>>,
    /// Who the request is from, by what it carries; `None` where that is not known, or nobody asked.
    pub authenticated: Option<Arc<Identity>>,
    /// Places of credentials that were judged and refused; the request goes on all the same.
    pub refused: Vec<Place>,
    /// What policies said to its connection; `None` where it was not asked about.
    pub admission: Option<Arc<Admission>>,
    /// Where it may go, where it is the call of our own workload: every address that its service has.
    pub towards: Option<Arc<[SocketAddr]>>,
    /// What its handshake settled; `None` without TLS.
    pub secured: Option<Secured>,
    /// The id that we gave the request.
    pub request_id: String,
}

/// What a TLS handshake settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secured {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite as the IANA names it.
    pub cipher: &'static str,
    /// The name that the client asked for.
    pub server_name: Option<Arc<str>>,
}

/// How much an inspection keeps for its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Detail {
    /// What logs and events need.
    #[default]
    Normal,
    /// Also matches of rules that do not log.
    Explain,
    /// Also every value that every rule looked at.
    Debug,
}

/// What comes next of the exchange.
#[derive(Debug)]
pub enum Input<'a> {
    /// Some of the request's body, the transfer coding undone.
    Chunk(&'a [u8]),
    /// The request's trailers. Nothing looks at them yet.
    Trailers(&'a Fields),
    /// The request is whole. Comes for every request, also one without a body.
    End,
    /// The request's body goes on, but no more of it is handed over: in place of [`End`](Self::End). It counts as a body
    /// over the profile's limit.
    Cut,
    /// The response's head.
    ResponseHead(ResponseHead),
    /// Some of the response's body, transfer and content coding undone.
    ResponseChunk(&'a [u8]),
    /// The response is whole.
    ResponseEnd,
}

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Feed on.
    More(Release),
    /// Answer this, then [`Inspection::resume`].
    Need(Lookup),
    /// Let others run, then [`Inspection::resume`].
    Yield,
    /// Policies may decide otherwise when there are news of who has the peer's address: wait for
    /// [`Inspection::take_news`], then [`Inspection::resume`].
    Await {
        /// No longer than this.
        at_most: Duration,
    },
    /// A stage is decided. After a pass the exchange goes on, and all that is held of that stage may go.
    Outcome(Outcome),
}

/// How many bytes of what is held may be passed on before the stage is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Release {
    /// Of the request's body.
    pub request_bytes: u64,
    /// Of the response's body.
    pub response_bytes: u64,
}

/// How a caller goes on after [`Step::Need`], [`Step::Yield`] or [`Step::Await`].
#[derive(Clone, Debug)]
pub enum Answered {
    /// The answer to the lookup.
    Answer(Answer),
    /// Nothing was asked.
    Continue,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Complete,
    /// Somebody went away, or we stopped it.
    Aborted,
}

/// The verdict of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which stage.
    pub stage: Stage,
    /// What the checks want. In a mode that only monitors this is what they would have wanted.
    pub verdict: Verdict,
    /// Why.
    pub cause: Cause,
    /// Something could not be looked at as the rules ask; the report says what.
    pub incomplete: bool,
}

/// Why a verdict is not a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is a pass.
    None,
    /// A rule.
    Rule(RuleId),
    /// A limit on what is inspected.
    Limit,
    /// A finding of the built-in detector.
    Finding(Attack),
    /// The specification of the service's API does not allow it; the kind of breach.
    Specification(Attack),
    /// A virtual patch.
    Patch,
    /// The message can be read in more than one way.
    Framing(FramingFinding),
    /// Policy: who asks may not, or may not ask that.
    Policy,
    /// Who asks is on the deny list.
    List,
    /// Who asks does so too often.
    Rate,
    /// It is not known who asks, or what is said of them is not true.
    Authentication,
}

/// The inspection of one exchange. Owned and `Send`: it may move between threads at every step.
#[derive(Debug)]
pub struct Inspection {
    service: Arc<Service>,
    standing: Standing,
    peer: Peer,
    /// Boxed, because it is large and an inspection is moved at every step.
    transaction: Option<Box<Transaction>>,
    /// Boxed for the same reason.
    detection: Option<Box<Detection>>,
    /// What came of it; `None` until it has looked at all.
    judged: Option<Judged>,
    /// It has begun to look, and has not ended.
    detecting: bool,
    /// The response is looked at for leaks, and has not been looked at yet.
    watching: bool,
    /// The request held against the service's specification, with its head for exceptions.
    specified: Option<Box<Specified>>,
    /// Patches that hold for the request, by number.
    patches: Vec<usize>,
    framing: Option<FramingFinding>,
    stage: Stage,
    clock: Clock,
    request_bytes: u64,
    /// More of the request's body exists than was handed over.
    request_cut: bool,
    response_bytes: u64,
    outcome: Option<Outcome>,
    /// What policies said; `None` where there are none.
    policy: Option<gate::Judged>,
    /// The request's head, while its peer is not known yet.
    waits: Option<Box<Waits>>,
    /// The beginning of the request's body, for the audit log.
    kept_request_body: Vec<u8>,
}

/// A request on its way through a specification's check.
#[derive(Debug)]
struct Specified {
    head: RequestHead,
    check: Check,
    /// Breaches that have been judged.
    judged: usize,
}

/// A request whose peer is not known yet.
#[derive(Debug)]
struct Waits {
    head: RequestHead,
    detail: Detail,
    since_micros: u64,
    news: Option<Awaited>,
}

impl Inspection {
    /// Begins with the request's head. The request stands as the caller says.
    pub fn begin(
        peer: Peer,
        head: RequestHead,
        service: &Arc<Service>,
        standing: Standing,
        detail: Detail,
        clock: Clock,
    ) -> (Self, Step) {
        let mut inspection = Self {
            service: service.clone(),
            standing,
            peer,
            transaction: None,
            detection: None,
            judged: None,
            detecting: false,
            watching: false,
            specified: None,
            patches: Vec::new(),
            framing: head.findings.iter().copied().find(|finding| finding.is_ambiguous()),
            stage: Stage::RequestHead,
            clock,
            request_bytes: 0,
            request_cut: false,
            response_bytes: 0,
            outcome: None,
            policy: None,
            waits: None,
            kept_request_body: Vec::new(),
        };
        if let Some((cause, status)) = standing.refused() {
            let step = inspection.refuse(cause, status);
            return (inspection, step);
        }
        let waits = Box::new(Waits { head, detail, since_micros: clock.monotonic_micros, news: None });
        let step = inspection.ask_policy(waits);
        (inspection, step)
    }

    /// Asks policies about the request; goes on when they have decided.
    fn ask_policy(&mut self, mut waits: Box<Waits>) -> Step {
        if let Some(gate) = &self.service.gate {
            let waited = self.clock.monotonic_micros.saturating_sub(waits.since_micros);
            let now = self.clock.monotonic_micros / 1000;
            match gate.ask(&self.peer, &waits.head, Duration::from_micros(waited), now) {
                Asked::Judged(policy) => self.policy = Some(policy),
                Asked::Awaits { news, at_most } => {
                    waits.news = Some(news);
                    self.waits = Some(waits);
                    return Step::Await { at_most };
                }
            }
        }
        // Whom policies refuse, nobody else looks at.
        if self.policy.as_ref().is_some_and(|policy| !policy.is_allowed()) {
            return self.refuse(Cause::Policy, 403);
        }
        if let Some(status) = self.standing.above_claim_rate {
            return self.refuse(Cause::Rate, status);
        }
        let Waits { head, detail, .. } = *waits;
        self.specify(&head);
        self.look_at_head(head, detail);
        // What stops the request now needs no rule to look at it.
        let decisive = self.judged.as_ref().and_then(Judged::decisive);
        if decisive.is_some_and(|finding| finding.detector == PATCH || self.standing.enforces()) {
            return self.conclude();
        }
        self.run(Phase::RequestHeaders)
    }

    /// Asks patches and the specification about the head.
    fn specify(&mut self, head: &RequestHead) {
        if !self.standing.is_inspected() {
            return;
        }
        self.patches = self.service.profile.patches.here(head);
        if let Some(finding) = self.service.profile.patches.at_once(&self.patches) {
            self.patched(finding);
            return;
        }
        let Some(enforcement) = &self.service.specification else { return };
        let check = enforcement.begin(head, &self.peer);
        self.specified = Some(Box::new(Specified { head: head.clone(), check, judged: 0 }));
        self.judge_breaches();
    }

    /// Judges breaches that have not been judged.
    fn judge_breaches(&mut self) {
        let (Some(enforcement), Some(specified)) = (&self.service.specification, &mut self.specified) else {
            return;
        };
        let breaches = specified.check.breaches();
        let judged = enforcement.judge(
            &breaches[specified.judged.min(breaches.len())..],
            &specified.head,
            &self.service.exceptions,
        );
        specified.judged = breaches.len();
        self.judged.get_or_insert_default().add(judged);
    }

    /// A patch refuses the request: that comes before whatever else was found.
    fn patched(&mut self, finding: Finding) {
        let judged = self.judged.get_or_insert_default();
        judged.decisive = Some(judged.findings.len());
        judged.findings.push(finding);
    }

    /// Shows the head to all who look at requests.
    fn look_at_head(&mut self, head: RequestHead, detail: Detail) {
        let (service, peer, clock) = (&self.service, &self.peer, self.clock);
        let Profile { rules, detector, .. } = service.profile.as_ref();
        if !self.standing.is_inspected() {
            return;
        }
        let enforces = self.standing.enforces();
        self.detection =
            detector.as_ref().map(|detector| Box::new(Detection::recalling(&head, &detector.recall)));
        // Patches ask what the detector sees, also where its findings count for nothing else.
        if !self.patches.is_empty() {
            let detection = self.detection.get_or_insert_with(|| {
                Box::new(Detection::begin(&head, &palisade_detect::DetectLimits::default()))
            });
            detection.watch(service.profile.patches.watched(&self.patches));
        }
        self.transaction = rules.as_ref().map(|rules| {
            let connection = Connection {
                client: peer.client_addr,
                server: peer.server_addr,
                unique_id: peer.request_id.clone(),
            };
            // Only where a verdict is sure to stop the exchange may the rules stop looking at it.
            let enforcement = if enforces { Enforcement::AsWritten } else { Enforcement::DetectOnly };
            let mut transaction = Box::new(Transaction::new(rules.clone(), connection, enforcement, clock));
            match detail {
                Detail::Normal => {}
                Detail::Explain => transaction.keep_silent_matches(),
                Detail::Debug => {
                    transaction.keep_silent_matches();
                    transaction.keep_evaluated();
                }
            }
            environment::of(peer, clock, &mut |name, value| transaction.set_environment(name, value));
            transaction.cap(service.profile.caps);
            if let Some(watch) = service.profile.costs.as_ref().and_then(|costs| costs.watch()) {
                transaction.observe_rules(watch);
            }
            if let Some(exceptions) = service.exceptions.rules() {
                transaction.except(exceptions.clone());
            }
            transaction.request_head(head);
            transaction
        });
    }

    /// What is waited for after [`Step::Await`]: ready when there are news of the peer.
    pub fn take_news(&mut self) -> Option<Awaited> {
        self.waits.as_mut()?.news.take()
    }

    /// What policies said to the request; `None` where there are none.
    pub fn policy(&self) -> Option<&gate::Judged> {
        self.policy.as_ref()
    }

    fn refuse(&mut self, cause: Cause, status: u16) -> Step {
        let outcome = Outcome {
            stage: Stage::RequestHead,
            verdict: Verdict::Deny { status },
            cause,
            incomplete: false,
        };
        self.outcome = Some(outcome.clone());
        Step::Outcome(outcome)
    }

    /// Whether the request's body will be looked at, so that it has to be held. Known after [`begin`](Self::begin)
    /// has come to [`Step::More`].
    pub fn wants_request_body(&self) -> bool {
        self.detection.is_some()
            || self.specified.as_ref().is_some_and(|specified| specified.check.wants_body())
            || self.transaction.as_ref().is_some_and(|transaction| transaction.wants_request_body())
    }

    /// Whether the response's body will be looked at. Known after the response's head was fed.
    pub fn wants_response_body(&self) -> bool {
        self.watching && self.leaks() == Leaks::Block
            || self.transaction.as_ref().is_some_and(|transaction| transaction.wants_response_body())
    }

    /// Whether the response's body should be [shown](Self::watch) on its way, where it is not held and fed. Known after
    /// the response's head was fed.
    pub fn watches_response_body(&self) -> bool {
        self.watching
    }

    /// Shows some of a response's body that is on its way to the client, codings undone. Whether more of it is wanted.
    /// What is found is in the report; it stops nothing.
    pub fn watch(&mut self, chunk: &[u8]) -> bool {
        self.watching && self.detection.as_mut().is_some_and(|detection| detection.feed_response(chunk))
    }

    fn leaks(&self) -> Leaks {
        self.service.profile.detector.as_ref().map_or(Leaks::Ignore, |detector| detector.leaks)
    }

    /// Looks at what was shown of the response.
    fn look_at_response(&mut self) {
        let (Some(detection), Some(detector)) = (&mut self.detection, &self.service.profile.detector) else {
            return;
        };
        if std::mem::take(&mut self.watching) {
            let found = detection.run_response();
            let judged = detector.judge(&found, detection.head(), &self.service.exceptions);
            self.judged.get_or_insert_default().add(judged);
        }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, input: Input<'_>, clock: Clock) -> Step {
        self.clock = clock;
        match input {
            Input::Chunk(chunk) => {
                self.request_bytes += chunk.len() as u64;
                if let Some(specified) = &mut self.specified {
                    specified.check.feed(chunk);
                }
                if let Some(transaction) = &mut self.transaction {
                    if transaction.audits_request_body() {
                        let room = AUDIT_BODY_BYTES_MAX.saturating_sub(self.kept_request_body.len());
                        self.kept_request_body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    }
                    transaction.request_body_chunk(chunk);
                    // Over a limit there is no reason to wait for the rest.
                    if transaction.interruption().is_some() {
                        self.stage = Stage::Request;
                        return self.conclude();
                    }
                }
                if let Some(detection) = &mut self.detection {
                    let caps = &self.service.profile.caps;
                    let over = self.request_bytes.saturating_sub(caps.request_body_bytes_max);
                    let seen = chunk.len().saturating_sub(usize::try_from(over).unwrap_or(usize::MAX));
                    detection.feed(&chunk[..seen]);
                    // Where a refusal is sure there is no reason to wait for the rest.
                    if self.is_refused_by_size() && self.standing.enforces() {
                        self.stage = Stage::Request;
                        return self.conclude();
                    }
                }
                Step::More(Release::default())
            }
            Input::Trailers(_) => Step::More(Release::default()),
            Input::End => {
                self.stage = Stage::Request;
                self.end_specified(false);
                if let Some(transaction) = &mut self.transaction {
                    transaction.request_body_end();
                }
                self.run(Phase::RequestBody)
            }
            Input::Cut => {
                self.stage = Stage::Request;
                self.request_cut = true;
                self.end_specified(true);
                if let Some(transaction) = &mut self.transaction {
                    transaction.request_body_cut();
                    if transaction.interruption().is_some() {
                        return self.conclude();
                    }
                }
                self.run(Phase::RequestBody)
            }
            Input::ResponseHead(head) => {
                self.stage = Stage::ResponseHead;
                self.watching = self.detection.is_some() && self.leaks() != Leaks::Ignore && is_text(&head);
                if let Some(transaction) = &mut self.transaction {
                    transaction.response_head(head);
                }
                self.run(Phase::ResponseHeaders)
            }
            Input::ResponseChunk(chunk) => {
                self.response_bytes += chunk.len() as u64;
                self.watch(chunk);
                if let Some(transaction) = &mut self.transaction {
                    transaction.response_body_chunk(chunk);
                    if transaction.interruption().is_some() {
                        self.stage = Stage::Response;
                        return self.conclude();
                    }
                }
                Step::More(Release::default())
            }
            Input::ResponseEnd => {
                self.stage = Stage::Response;
                if self.leaks() == Leaks::Block {
                    self.look_at_response();
                }
                self.run(Phase::ResponseBody)
            }
        }
    }

    /// Goes on after [`Step::Need`], [`Step::Yield`] or [`Step::Await`].
    pub fn resume(&mut self, answered: Answered, clock: Clock) -> Step {
        self.clock = clock;
        if let Some(waits) = self.waits.take() {
            return self.ask_policy(waits);
        }
        if self.detecting {
            return self.detect();
        }
        let Some(transaction) = &mut self.transaction else { return self.conclude() };
        if let Answered::Answer(answer) = answered {
            transaction.answer(answer);
        }
        let progress = transaction.resume(clock);
        self.after(progress)
    }

    /// Ends the inspection: the logging phase runs, and what was seen comes out. Lookups that the logging phase
    /// asks for are not answered (a collection that it opens there is changed without being read).
    pub fn finish(mut self, end: End, clock: Clock) -> Report {
        self.look_at_response();
        if let Some(transaction) = &mut self.transaction {
            let mut progress = transaction.run(Phase::Logging, clock);
            loop {
                match progress {
                    Progress::Done => break,
                    Progress::Need(_) => transaction.answer(Answer::Unavailable),
                    Progress::Yield => {}
                }
                progress = transaction.resume(clock);
            }
        }
        let operations =
            self.transaction.as_mut().map(|transaction| transaction.take_operations()).unwrap_or_default();
        Report {
            peer: self.peer,
            service: self.service,
            standing: self.standing,
            end,
            outcome: self.outcome,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            operations,
            transaction: self.transaction,
            detection: self.detection,
            judged: self.judged.unwrap_or_default(),
            policy: self.policy.map(Box::new),
            kept_request_body: self.kept_request_body,
            specified: self.specified.map(|specified| specified.head),
        }
    }

    /// The service whose traffic this is.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    fn run(&mut self, phase: Phase) -> Step {
        let clock = self.clock;
        match &mut self.transaction {
            Some(transaction) => {
                let progress = transaction.run(phase, clock);
                self.after(progress)
            }
            None => self.after(Progress::Done),
        }
    }

    fn after(&mut self, progress: Progress) -> Step {
        match progress {
            Progress::Need(lookup) => Step::Need(lookup),
            Progress::Yield => Step::Yield,
            Progress::Done => {
                let stopped = self.transaction.as_ref().is_some_and(|t| t.interruption().is_some());
                let goes_on = match self.stage {
                    // A body follows, or at least the word that there is none.
                    Stage::RequestHead => true,
                    Stage::ResponseHead => self.wants_response_body(),
                    Stage::Request | Stage::Response => false,
                };
                if goes_on && !stopped {
                    Step::More(Release::default())
                } else if self.stage == Stage::Request && !stopped {
                    self.detect()
                } else {
                    self.conclude()
                }
            }
        }
    }

    /// Puts the request, which is whole, to the detector, one share of work at a time.
    fn detect(&mut self) -> Step {
        let Some(detection) = &mut self.detection else { return self.conclude() };
        self.detecting = detection.run() == palisade_detect::Progress::Yield;
        if self.detecting {
            return Step::Yield;
        }
        if let Some(detector) = &self.service.profile.detector {
            let judged = detector.judge(detection.findings(), detection.head(), &self.service.exceptions);
            self.judged.get_or_insert_default().add(judged);
        }
        if let Some(finding) = self.service.profile.patches.judge(&self.patches, detection) {
            self.patched(finding);
        }
        self.conclude()
    }

    /// The request is whole, or cut: the rest of its breaches is known.
    fn end_specified(&mut self, cut: bool) {
        if let Some(specified) = &mut self.specified {
            specified.check.end(cut);
            self.judge_breaches();
        }
    }

    /// Whether the profile refuses a body of this size. Where rules look at bodies, they have the same bound and say so.
    fn is_refused_by_size(&self) -> bool {
        let caps = &self.service.profile.caps;
        !self.transaction.as_ref().is_some_and(|transaction| transaction.wants_request_body())
            && self.detection.is_some()
            && caps.on_request_body == LimitAction::Reject
            && (self.request_cut || self.request_bytes > caps.request_body_bytes_max)
    }

    /// The outcome of the stage, from all that is known by now.
    fn conclude(&mut self) -> Step {
        let transaction = self.transaction.as_deref();
        let stop = transaction.and_then(Transaction::interruption);
        let would_stop = transaction.and_then(Transaction::would_interrupt);
        // The rules have seen an odd message, now nobody else shall: that holds in every mode, so what rules would
        // have done in another one does not come before it.
        let framing = self.framing.filter(|_| self.stage <= Stage::Request);
        // A request's finding stops the request, a response's the response.
        let finding = self.judged.as_ref().and_then(Judged::decisive).filter(|finding| {
            let of_response = finding.point.as_point().root == Root::ResponseBody;
            if of_response { self.stage == Stage::Response } else { self.stage <= Stage::Request }
        });
        let finding = finding.map(|finding| match finding.detector {
            PATCH => Cause::Patch,
            SPECIFICATION => Cause::Specification(finding.attack),
            _ => Cause::Finding(finding.attack),
        });
        let too_large = self.stage == Stage::Request && self.is_refused_by_size();
        let (verdict, cause) = match (stop, framing, would_stop, finding) {
            // It acts where a rule's verdict may not.
            (_, _, _, Some(Cause::Patch)) => (Verdict::Deny { status: 403 }, Cause::Patch),
            (Some(interruption), _, _, _) | (None, None, Some(interruption), _) => {
                (verdict_of(interruption), interruption.rule.map_or(Cause::Limit, Cause::Rule))
            }
            (None, Some(finding), _, _) => (Verdict::Deny { status: 400 }, Cause::Framing(finding)),
            (None, None, None, _) if too_large => (Verdict::Deny { status: 413 }, Cause::Limit),
            (None, None, None, Some(cause)) => (Verdict::Deny { status: 403 }, cause),
            (None, None, None, None) => (Verdict::Pass, Cause::None),
        };
        let incomplete = transaction
            .is_some_and(|transaction| transaction.shortfalls().iter().any(Shortfall::blinds_rules));
        let outcome = Outcome { stage: self.stage, verdict, cause, incomplete };
        // The first that is not a pass tells the story.
        if self.outcome.as_ref().is_none_or(|earlier| earlier.verdict == Verdict::Pass) {
            self.outcome = Some(outcome.clone());
        }
        Step::Outcome(outcome)
    }
}

fn verdict_of(interruption: &Interruption) -> Verdict {
    match (&interruption.action, interruption.status) {
        (InterruptionAction::Deny, status) => Verdict::Deny { status: status.unwrap_or(403) },
        (InterruptionAction::Drop, _) => Verdict::Drop,
        (InterruptionAction::Redirect { location }, status) => {
            Verdict::Redirect { status: status.unwrap_or(302), location: location.clone() }
        }
    }
}
