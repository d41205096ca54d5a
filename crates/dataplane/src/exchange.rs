//! One exchange's way through the inspection: lookups answered, others let run in between, the outcome turned into
//! an action, and the journal told at its end, whatever that end is.

mod driving;
mod part;

use std::fmt::Write as _;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use palisade_http::{RequestHead, ResponseHead};
use palisade_inspect::{
    Action, Clock, Detail, End, Input, Inspection, Outcome, Peer, Service, Stance, Standing, Step,
    Unauthenticated, UnixMillis, decide,
};
use palisade_lists::{Hit, Listing, Moment, Origin};

use palisade_model::{Mode, Verdict};

use self::driving::Waiting;
use self::part::Parts;
use crate::arrival::TlsArrival;
use crate::authentication::{self, Asking, Authentication, Refusal};
use crate::content_coding::{ContentDecoder, Undecoded};
use crate::copy::Copying;
use crate::journal::{Ended, Facts, Sent, Timing};
use crate::metrics::{RequestCounts, Tally};
use crate::passage::told;
use crate::rates::{Above, By, Rates, first_above};
use crate::settings::Plane;

/// An exchange being inspected. Dropping it ends it as aborted, so that what it leaves behind is never
/// lost.
#[derive(Debug)]
pub(crate) struct Exchange {
    plane: Arc<Plane>,
    inspection: Option<Box<Inspection>>,
    stance: Stance,
    /// The entry of a list that its source was found by.
    hit: Option<Hit>,
    /// The rate limit that it came above.
    above: Option<Above>,
    /// The one that who it is from came above; policies come before it.
    by_claim: Option<Above>,
    /// Why it is not known who it is from, where it is refused for that.
    refusal: Option<Refusal>,
    /// What the service is told of who it is from.
    told: Vec<(String, String)>,
    /// Of the stage that was decided last.
    outcome: Option<Outcome>,
    /// Lines of our own, for the log's end.
    notes: Vec<String>,
    /// Filled in as the exchange goes; none once it has ended.
    facts: Option<Facts>,
    began: Instant,
    engine: Duration,
    upstream: Stopwatch,
    counts: Arc<RequestCounts>,
    tally: Tally,
    /// Reads the response's body on its way, where somebody watches it.
    watch: Option<Watch>,
    /// Where its body is judged in parts.
    parts: Option<Parts>,
    /// Where its response is judged on its way.
    waiting: Option<Waiting>,
    /// The request as it comes, where somebody wants a copy of it.
    copying: Option<Box<Copying>>,
}

/// A response's body that is shown on its way.
struct Watch {
    decoder: ContentDecoder,
    decoded: Vec<u8>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// Where an exchange belongs.
pub(crate) struct About<'a> {
    pub(crate) listener: &'a Arc<str>,
    pub(crate) counts: Arc<RequestCounts>,
    pub(crate) tls: Option<&'a Arc<TlsArrival>>,
    /// The limits that hold for it.
    pub(crate) rates: Option<&'a Rates>,
    /// Who has to say who they are.
    pub(crate) authentication: Option<&'a Arc<Authentication>>,
    /// How the client came: `http` or `https`.
    pub(crate) scheme: &'a str,
    /// Its body is judged in parts, while it is on its way.
    pub(crate) in_parts: bool,
}

/// Where an exchange stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Feed on.
    More,
    /// A stage is decided.
    Decided(Action),
}

/// What is known of a request before anybody asks who it is from.
struct Before {
    began: Instant,
    clock: Clock,
    hit: Option<Hit>,
    standing: Standing,
    above: Option<Above>,
}

impl Before {
    fn of(plane: &Plane, about: &About<'_>, peer: &Peer, head: &RequestHead, service: &Service) -> Self {
        let began = Instant::now();
        let clock = clock(began, plane.utc_offset_seconds);
        let hit = plane.lists.find(peer.client_addr.ip(), service.application, Moment(clock.now.0));
        let standing = Standing::of(service).on(hit.as_ref().map(|hit| hit.list));
        // Whom the deny list refuses does not count: it would wait no longer for that.
        let counts = standing.list != Some(Listing::Deny);
        let above = about.rates.filter(|_| counts).and_then(|rates| {
            first_above(rates, head, peer.client_addr.ip(), By::Request, Moment(clock.now.0))
        });
        let standing = standing.above_rate(above.as_ref().map(|above| above.limit.status()));
        Self { began, clock, hit, standing, above }
    }
}

/// The inspection failed in us. The request must not pass.
#[derive(Debug)]
pub(crate) struct Failed;

impl Exchange {
    /// Begins with the request's head.
    pub(crate) async fn begin(
        plane: &Arc<Plane>,
        about: About<'_>,
        peer: Peer,
        head: RequestHead,
        service: &Arc<Service>,
    ) -> (Box<Self>, Result<Stand, Failed>) {
        let before = Before::of(plane, &about, &peer, &head, service);
        // Who is refused already need not say who it is.
        let judged = match about.authentication.filter(|_| before.standing.refused().is_none()) {
            Some(authentication) => {
                let (client, request_id) = (peer.client_addr.ip(), peer.request_id.as_str());
                let asking = Asking { head: &head, client, scheme: about.scheme, request_id };
                // What it takes to ask is room that other exchanges do not have to have.
                Some(Box::new(Box::pin(authentication.judge(asking)).await))
            }
            None => None,
        };
        let (mut exchange, begun) = Self::begun(plane, about, before, judged, peer, head, service);
        let stand = match begun {
            Ok(step) => {
                let waits = matches!(step, Step::Await { .. });
                let stand = exchange.drive(step).await;
                if waits {
                    exchange.note_policy();
                    exchange.settle_claim_rate();
                }
                stand
            }
            Err(Failed) => Err(Failed),
        };
        (exchange, stand)
    }

    /// Begins as far as it goes without waiting. Not part of what awaits, which would have room for all of it and be moved
    /// about with that.
    fn begun(
        plane: &Arc<Plane>,
        about: About<'_>,
        before: Before,
        judged: Option<Box<authentication::Judged>>,
        peer: Peer,
        head: RequestHead,
        service: &Arc<Service>,
    ) -> (Box<Self>, Result<Step, Failed>) {
        let Before { began, clock, hit, standing, above } = before;
        let asked = judged.is_some();
        let authentication::Judged { identity, told, refusal, refused, is_monitored } =
            judged.map(|judged| *judged).unwrap_or_default();
        let standing = standing.unauthenticated(refusal.as_ref().map(|refusal| Unauthenticated {
            status: refusal.status,
            reason: refusal.reason,
            is_monitored,
        }));
        let peer = Peer { authenticated: identity, refused, ..peer };
        let by_claim = about.rates.filter(|_| asked && standing.refused().is_none());
        let by_claim = by_claim.and_then(|rates| {
            let by = By::Claim(peer.authenticated.as_deref());
            first_above(rates, &head, peer.client_addr.ip(), by, Moment(clock.now.0))
        });
        let standing = standing.above_claim_rate(by_claim.as_ref().map(|above| above.limit.status()));
        let mut exchange = Box::new(Self {
            plane: plane.clone(),
            inspection: None,
            outcome: None,
            stance: standing.stance(service),
            hit,
            above,
            by_claim: None,
            refusal,
            told,
            notes: Vec::new(),
            facts: Some(Facts {
                tls: about.tls.cloned(),
                ..Facts::of(about.listener, service, standing, &peer, &head, clock.now)
            }),
            began,
            engine: Duration::ZERO,
            upstream: Stopwatch::default(),
            counts: about.counts,
            tally: Tally::default(),
            watch: None,
            copying: plane.journal.copies(service).map(|room| Copying::begin(room, &head, about.in_parts)),
            parts: about.in_parts.then(|| Parts::new(peer.clone(), head.clone(), service.clone(), standing)),
            waiting: None,
        });
        let looked = Instant::now();
        let begun = guarded(|| Inspection::begin(peer, head, service, standing, Detail::Normal, clock));
        exchange.engine += looked.elapsed();
        exchange.note_list();
        exchange.note_rate();
        exchange.note_authentication(is_monitored);
        let begun = match begun {
            Ok((inspection, step)) => {
                exchange.inspection = Some(Box::new(inspection));
                exchange.by_claim = by_claim;
                if !matches!(step, Step::Await { .. }) {
                    exchange.note_policy();
                    exchange.settle_claim_rate();
                }
                Ok(step)
            }
            Err(Failed) => Err(exchange.failed()),
        };
        (exchange, begun)
    }

    /// Refuses by a claim's rate what policies have let in.
    fn settle_claim_rate(&mut self) {
        let policy = self.inspection.as_ref().and_then(|inspection| inspection.policy());
        if policy.is_none_or(|policy| policy.is_allowed())
            && let Some(above) = self.by_claim.take()
        {
            self.above = Some(above);
            self.note_rate();
        }
    }

    /// Says why it is not known who it is from.
    fn note_authentication(&mut self, is_monitored: bool) {
        let Some(Refusal { status, reason, by, why, .. }) = &self.refusal else { return };
        let word = if is_monitored { "Would be refused" } else { "Refused" };
        let by = by.as_ref().map(|by| format!(" [authenticator \"{by}\"]")).unwrap_or_default();
        let text = format!("{word} with code {status}: not authenticated{by} [reason \"{reason}: {why}\"]");
        self.note(&text);
        if is_monitored {
            self.refusal = None;
        }
    }

    /// Whether it was refused because it is not known who it is from.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.refusal.is_some()
    }

    /// Fields of the answer to a request that is refused for that.
    pub(crate) fn refusal_fields(&self) -> &[(String, String)] {
        self.refusal.as_ref().map_or(&[], |refusal| &refusal.fields)
    }

    /// What the service is told of who it is from.
    pub(crate) fn take_told(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.told)
    }

    /// Notes what policies said.
    fn note_policy(&mut self) {
        let policy = self.inspection.as_ref().and_then(|inspection| inspection.policy());
        for note in policy.map(|policy| policy.notes()).unwrap_or_default() {
            self.note(&note);
        }
    }

    /// Feeds some of the request's body.
    pub(crate) async fn request_chunk(&mut self, chunk: &[u8]) -> Result<Stand, Failed> {
        self.tally.request_inspected_bytes += chunk.len() as u64;
        self.copying.iter_mut().for_each(|copying| copying.take(chunk));
        let step = self.feed(Input::Chunk(chunk))?;
        self.drive(step).await
    }

    /// Says that the request is whole.
    pub(crate) async fn request_end(&mut self) -> Result<Stand, Failed> {
        self.copying.iter_mut().for_each(|copying| copying.end());
        let step = self.feed(Input::End)?;
        self.drive(step).await
    }

    /// Says that no more of the request's body is shown, though there is more.
    pub(crate) async fn request_cut(&mut self) -> Result<Stand, Failed> {
        self.plane.metrics.events.requests_not_inspected_whole_total.one();
        let step = self.feed(Input::Cut)?;
        self.drive(step).await
    }

    /// Feeds the response's head.
    pub(crate) async fn response_head(&mut self, head: ResponseHead) -> Result<Stand, Failed> {
        let step = self.feed(Input::ResponseHead(head))?;
        self.drive(step).await
    }

    /// Feeds some of the response's body, which came as `wire_bytes`.
    pub(crate) async fn response_chunk(&mut self, chunk: &[u8], wire_bytes: usize) -> Result<Stand, Failed> {
        self.tally.response_inspected_bytes += wire_bytes as u64;
        let step = self.feed(Input::ResponseChunk(chunk))?;
        self.drive(step).await
    }

    /// Says that the response is whole.
    pub(crate) async fn response_end(&mut self) -> Result<Stand, Failed> {
        let step = self.feed(Input::ResponseEnd)?;
        self.drive(step).await
    }

    /// Whether the request's body is to be held and fed.
    pub(crate) fn wants_request_body(&self) -> bool {
        self.inspection.as_ref().is_some_and(|inspection| inspection.wants_request_body())
    }

    /// Feeds some of a response's body that is on its way, which came as `wire_bytes`.
    pub(crate) fn feed_response(&mut self, chunk: &[u8], wire_bytes: usize) -> Result<(), Failed> {
        self.tally.response_inspected_bytes += wire_bytes as u64;
        let step = self.feed(Input::ResponseChunk(chunk))?;
        self.waiting = Some(Waiting::Step(step));
        Ok(())
    }

    /// Says that a response that is on its way is whole.
    pub(crate) fn end_response(&mut self) -> Result<(), Failed> {
        let step = self.feed(Input::ResponseEnd)?;
        self.waiting = Some(Waiting::Step(step));
        Ok(())
    }

    /// Where a response that is on its way stands.
    pub(crate) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stand, Failed>> {
        self.poll_stand(cx)
    }

    /// Whether the response's body is to be held and fed.
    pub(crate) fn wants_response_body(&self) -> bool {
        self.inspection.as_ref().is_some_and(|inspection| inspection.wants_response_body())
    }

    /// Whether somebody may want to watch the response's body on its way. Its head has a say as well.
    pub(crate) fn may_watch_response(&self) -> bool {
        let detector = |inspection: &Inspection| inspection.service().profile.detector.is_some();
        self.inspection.as_deref().is_some_and(detector)
    }

    /// Shows the response's body, which is not held, to who watches it on its way, as the decoder gives it.
    pub(crate) fn watch(&mut self, decoder: Option<Result<ContentDecoder, Undecoded>>) {
        let watches = self.inspection.as_ref().is_some_and(|inspection| inspection.watches_response_body());
        // What cannot be decoded cannot be read either.
        let decoder = decoder.and_then(Result::ok).filter(|_| watches);
        self.watch = decoder.map(|decoder| Watch { decoder, decoded: Vec::new() });
    }

    /// Shows some of the response's body as it came.
    pub(crate) fn watched(&mut self, piece: &[u8]) {
        let (Some(watch), Some(inspection)) = (&mut self.watch, &mut self.inspection) else { return };
        let began = Instant::now();
        watch.decoded.clear();
        // What came out before an error, or before the bound, counts.
        let decoded = watch.decoder.feed(piece, &mut watch.decoded).is_ok();
        let goes_on = guarded(|| inspection.watch(&watch.decoded)).unwrap_or(false) && decoded;
        self.engine += began.elapsed();
        if !goes_on {
            self.watch = None;
        }
    }

    /// How much of the response's body rules are shown at most.
    pub(crate) fn response_body_bytes_max(&self) -> u64 {
        self.facts.as_ref().map_or(0, |facts| facts.service.profile.caps.response_body_bytes_max)
    }

    /// The outcome of the stage that was decided last.
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The request's id.
    pub(crate) fn request_id(&self) -> &str {
        self.facts.as_ref().map_or("", |facts| &facts.request_id)
    }

    /// What is known of it, to be filled in; none once it has ended.
    pub(crate) fn facts(&mut self) -> Option<&mut Facts> {
        self.facts.as_mut()
    }

    /// Says what the client is sent. The last word counts: an answer may be taken back while none of it has left.
    pub(crate) fn answered(&mut self, sent: Option<Sent>, body_bytes: u64) {
        if let Some(facts) = &mut self.facts {
            facts.sent = sent;
            facts.response_body_bytes = body_bytes;
        }
    }

    /// Counts bytes of the request's body that went straight on.
    pub(crate) fn streamed(&mut self, bytes: u64) {
        if let Some(facts) = &mut self.facts {
            facts.request_body_bytes += bytes;
        }
    }

    /// Says how much of the response's body is on its way to the client.
    pub(crate) fn relayed(&mut self, bytes: u64) {
        if let Some(facts) = &mut self.facts {
            facts.response_body_bytes = bytes;
        }
    }

    /// Says that a check stopped it.
    pub(crate) fn blocked(&mut self) {
        if !self.tally.blocked && self.stance.mode == Mode::SafeBlocking && self.stance.gray {
            let by = self.hit.as_ref().map(entry_words).unwrap_or_default();
            self.note(&format!("Stopped because its source is on the gray list{by}"));
        }
        self.tally.blocked = true;
    }

    /// After how many seconds the request may be sent again, where a rate limit refused it.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        // A part of a second is a second: who comes earlier waits longer.
        self.above.as_ref().map(|above| above.wait.as_millis().div_ceil(1000).clamp(1, 86_400) as u64)
    }

    /// Says which limit refuses the request.
    fn note_rate(&mut self) {
        let (Some(above), Some(seconds)) = (&self.above, self.retry_after()) else { return };
        let (status, limit) = (above.limit.status(), above.limit.name());
        let text = format!(
            "Refused with code {status}: above the rate limit [limit \"{limit}\"] [retry_after \"{seconds}\"]"
        );
        self.note(&text);
    }

    /// Counts the list that the source is on, and says which entry refuses it.
    fn note_list(&mut self) {
        let Some(hit) = &self.hit else { return };
        self.plane.metrics.list_hits[hit.list as usize].one();
        if hit.list == Listing::Deny {
            let text = format!("Denied with code 403: its source is on the deny list{}", entry_words(hit));
            self.note(&text);
        }
    }

    /// Says that judging it took longer than it may.
    pub(crate) fn late(&mut self) {
        self.plane.metrics.events.inspections_late_total.one();
        self.note(&told(503, "the inspection did not come to its end in time"));
    }

    /// Says whether it is the upstream that is waited for from now on.
    pub(crate) fn waits_for_upstream(&mut self, waits: bool) {
        self.upstream.run(waits);
    }

    /// Adds a line of our own to the exchange's log.
    pub(crate) fn note(&mut self, text: &str) {
        let Some(facts) = &self.facts else { return };
        let line = own_line(facts.client_addr, facts.server_addr, &facts.target, &facts.request_id, text);
        self.notes.push(line);
    }

    /// Ends it: the logging phase runs, collections are changed, and the journal has everything. Only the first end
    /// counts.
    pub(crate) fn finish(&mut self, end: End) {
        if self.facts.is_none() {
            return;
        }
        // What a part of the body has shown so far counts, also where it was not whole.
        let _ = self.finish_part(end);
        let now = Instant::now();
        let clock = clock(now, self.plane.utc_offset_seconds);
        let mut report = None;
        if let Some(inspection) = self.inspection.take() {
            let finished = guarded(|| inspection.finish(end, clock));
            self.engine += now.elapsed();
            match finished {
                Ok(mut finished) => {
                    self.plane.lookups.commit(std::mem::take(&mut finished.operations));
                    // A part that was not clean says more than a head that was.
                    let flagged = self.parts.as_mut().and_then(Parts::take_flagged);
                    let says_nothing = *finished.verdict() == Verdict::Pass;
                    report = Some(flagged.filter(|_| says_nothing).unwrap_or(finished));
                }
                Err(Failed) => {
                    self.failed();
                }
            }
        }
        let Some(mut facts) = self.facts.take() else { return };
        self.upstream.run(false);
        facts.reached();
        (facts.stance, facts.stopped) = (self.stance, self.tally.blocked);
        facts.timing = Timing {
            total: self.began.elapsed(),
            engine: self.engine,
            upstream: self.upstream.sum,
            upstream_after: self.upstream.first.map(|first| first.saturating_duration_since(self.began)),
        };
        self.counts.one(facts.sent);
        self.plane.metrics.ended(&facts, report.as_ref(), self.tally);
        let of_file = self.hit.as_ref().is_some_and(|hit| hit.origin == Origin::File);
        let body_bytes = facts.request_body_bytes;
        let copy = self.copying.take().map(|copying| copying.done(body_bytes, of_file));
        let ended = Ended { report, notes: std::mem::take(&mut self.notes), facts, copy };
        // Writing a record of a hostile exchange must not end others either.
        if guarded(|| self.plane.journal.ended(ended)).is_err() {
            self.plane.metrics.events.journal_failures_total.one();
        }
    }

    fn feed(&mut self, input: Input<'_>) -> Result<Step, Failed> {
        let now = Instant::now();
        let clock = clock(now, self.plane.utc_offset_seconds);
        let Some(inspection) = &mut self.inspection else { return Err(Failed) };
        let step = guarded(|| inspection.feed(input, clock));
        self.engine += now.elapsed();
        step.map_err(|Failed| self.failed())
    }

    async fn drive(&mut self, step: Step) -> Result<Stand, Failed> {
        self.waiting = Some(Waiting::Step(step));
        poll_fn(|cx| self.poll_stand(cx)).await
    }

    /// Where the exchange stands.
    fn poll_stand(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stand, Failed>> {
        let Some(inspection) = &mut self.inspection else { return Poll::Ready(Err(Failed)) };
        let polled = driving::poll(&self.plane, inspection, &mut self.waiting, &mut self.engine, cx);
        Poll::Ready(match ready!(polled) {
            Ok(Some(outcome)) => Ok(Stand::Decided(decide(&outcome, &self.stance))),
            Ok(None) => Ok(Stand::More),
            Err(Failed) => Err(self.failed()),
        })
    }

    /// Gives up on the inspection: after a panic its state means nothing, and is not asked again.
    fn failed(&mut self) -> Failed {
        if let Some(inspection) = self.inspection.take() {
            let _ = guarded(|| drop(inspection));
        }
        self.plane.metrics.events.inspection_failures_total.one();
        self.note("Inspection failed; the request does not pass");
        Failed
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // Nothing, where it has ended: a line needs the facts.
        self.note("The exchange was cut before its end");
        self.finish(End::Aborted);
    }
}

/// Adds up the times in which something was so.
#[derive(Debug, Default)]
struct Stopwatch {
    /// `None` until it ran for the first time.
    sum: Option<Duration>,
    since: Option<Instant>,
    /// When it ran first.
    first: Option<Instant>,
}

impl Stopwatch {
    fn run(&mut self, run: bool) {
        match (self.since, run) {
            (None, true) => {
                self.since = Some(Instant::now());
                self.first = self.first.or(self.since);
            }
            (Some(since), false) => {
                self.sum = Some(self.sum.unwrap_or_default() + since.elapsed());
                self.since = None;
            }
            _ => {}
        }
    }
}

/// A line of ours in the form of the error log, but under our own name: who counts ModSecurity's lines counts
/// matches of rules.
pub(crate) fn own_line(
    client: SocketAddr,
    server: SocketAddr,
    target: &[u8],
    request_id: &str,
    text: &str,
) -> String {
    let mut line =
        format!("[client {}] Palisade: {text} [hostname \"{}\"] [uri \"", client.ip(), server.ip());
    let path_end = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    for byte in &target[..path_end.min(200)] {
        match byte {
            b'"' | b'\\' => {
                let _ = write!(line, "\\x{byte:02x}");
            }
            b' '..=b'~' => line.push(char::from(*byte)),
            _ => {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
    }
    let _ = write!(line, "\"] [unique_id \"{}\"]", request_id);
    line
}

/// ` [entry "192.0.2.0/24"] [origin "api"] [reason "a scanner"]`
fn entry_words(hit: &Hit) -> String {
    let mut words = format!(" [entry \"{}\"] [origin \"{}\"] [reason \"", hit.subject, hit.origin.as_str());
    for char in hit.reason.chars().take(200) {
        match char {
            '"' | '\\' => words.push('\''),
            char if char.is_control() => words.push(' '),
            char => words.push(char),
        }
    }
    words + "\"]"
}

/// A bug in the inspection of one request must not end others, and must not let the request pass.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| Failed)
}

fn clock(at: Instant, utc_offset_seconds: i32) -> Clock {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Clock {
        now: UnixMillis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)),
        utc_offset_seconds,
        monotonic_micros: u64::try_from(at.saturating_duration_since(*START).as_micros()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_and_stays_inside() {
        assert!(guarded(|| -> u8 { panic!("as a bug would") }).is_err());
        assert_eq!(guarded(|| 1).ok(), Some(1));
    }

    #[test]
    fn what_a_client_sends_cannot_end_a_line_or_a_field() {
        let (client, server) = ("192.0.2.7:1".parse().unwrap(), "192.0.2.1:80".parse().unwrap());
        assert_eq!(
            own_line(client, server, b"/a\"]\n[id \"1\"]\\\xff?secret", "0f", "Refused"),
            "[client 192.0.2.7] Palisade: Refused [hostname \"192.0.2.1\"] \
             [uri \"/a\\x22]\\x0a[id \\x221\\x22]\\x5c\\xff\"] [unique_id \"0f\"]"
        );
    }
}
