//! An exchange that is known whole, driven through the inspection: what `explain`, `profile`, `replay` and tests do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use palisade_http::{RequestHead, ResponseHead};
use palisade_inspect::{
    Action, Answer, Answered, Clock, Detail, End, Input, Inspection, Lookup, MemoryStore, Outcome, Peer,
    Report, Service, Stance, Standing, Step, UnixMillis, decide,
};
use palisade_model::PeerIdentity;

/// A request and perhaps its response.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) head: RequestHead,
    pub(crate) body: Vec<u8>,
    pub(crate) response: Option<(ResponseHead, Vec<u8>)>,
}

impl Exchange {
    /// Who asks, where nothing but addresses is known, and perhaps whom a certificate names.
    pub(crate) fn peer(&self, identity: Option<Arc<PeerIdentity>>, request_id: String) -> Peer {
        Peer {
            peer_addr: self.client,
            client_addr: self.client,
            server_addr: self.server,
            identity,
            authenticated: None,
            refused: Vec::new(),
            admission: None,
            towards: None,
            secured: None,
            request_id,
        }
    }
}

/// What came of it.
pub(crate) struct Inspected {
    pub(crate) action: Action,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) report: Report,
}

/// How a request is asked about: by whom, standing how, at which time.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) peer: Peer,
    pub(crate) standing: Standing,
    pub(crate) detail: Detail,
    /// When it came; now where that makes no difference.
    pub(crate) at: Option<UnixMillis>,
}

/// Answers what an inspection asks for.
pub(crate) type Answers<'a> = &'a mut dyn FnMut(Lookup, UnixMillis) -> Answer;

/// Runs a whole exchange. Persistent collections live in the store; names and places are not looked up.
// The engine benchmark counts the instructions of its calls.
#[inline(never)]
pub(crate) fn inspect(
    exchange: &Exchange,
    service: &Arc<Service>,
    detail: Detail,
    request_id: String,
    store: &mut MemoryStore,
) -> Inspected {
    let asked =
        Asked { peer: exchange.peer(None, request_id), standing: Standing::of(service), detail, at: None };
    inspect_with(exchange, service, asked, store)
}

/// The same as it was asked about.
pub(crate) fn inspect_with(
    exchange: &Exchange,
    service: &Arc<Service>,
    asked: Asked,
    store: &mut MemoryStore,
) -> Inspected {
    let mut answers = |lookup, now| match lookup {
        Lookup::Collection(key) => Answer::Collection(store.load(&key, now)),
        Lookup::Dns { .. } | Lookup::Geo { .. } => Answer::Unavailable,
    };
    let mut inspected = inspect_as(exchange, service, asked, &mut answers);
    store.commit(std::mem::take(&mut inspected.report.operations));
    inspected
}

/// Runs a whole exchange as it was asked about. Changes to persistent collections are left in the report.
pub(crate) fn inspect_as(
    exchange: &Exchange,
    service: &Arc<Service>,
    asked: Asked,
    answers: Answers<'_>,
) -> Inspected {
    let Asked { peer, standing, detail, at } = asked;
    let stance = standing.stance(service);
    let clock = || Clock { now: at.unwrap_or(clock().now), ..clock() };
    let (mut inspection, step) =
        Inspection::begin(peer, exchange.head.clone(), service, standing, detail, clock());
    let mut driver =
        Driver { inspection: &mut inspection, answers, clock: &clock, stance, stopped: None, last: None };
    driver.settle(step);
    if driver.goes_on() && driver.inspection.wants_request_body() {
        driver.feed(Input::Chunk(&exchange.body));
    }
    if driver.goes_on() {
        driver.feed(Input::End);
    }
    if let Some((head, body)) = &exchange.response {
        if driver.goes_on() {
            driver.feed(Input::ResponseHead(head.clone()));
        }
        if driver.goes_on() && driver.inspection.wants_response_body() {
            driver.feed(Input::ResponseChunk(body));
            if driver.goes_on() {
                driver.feed(Input::ResponseEnd);
            }
        }
    }
    let (stopped, last) = (driver.stopped.take(), driver.last.take());
    let end = if stopped.is_some() { End::Aborted } else { End::Complete };
    let report = inspection.finish(end, clock());
    match stopped {
        Some((action, outcome)) => Inspected { action, outcome: Some(outcome), report },
        None => Inspected { action: Action::Forward, outcome: last, report },
    }
}

struct Driver<'a> {
    inspection: &'a mut Inspection,
    answers: Answers<'a>,
    clock: &'a dyn Fn() -> Clock,
    stance: Stance,
    stopped: Option<(Action, Outcome)>,
    last: Option<Outcome>,
}

impl Driver<'_> {
    fn goes_on(&self) -> bool {
        self.stopped.is_none()
    }

    fn feed(&mut self, input: Input<'_>) {
        let step = self.inspection.feed(input, (self.clock)());
        self.settle(step);
    }

    /// Answers and resumes until the inspection wants more or has decided.
    fn settle(&mut self, mut step: Step) {
        loop {
            let answered = match step {
                Step::More(_) => return,
                Step::Outcome(outcome) => {
                    let action = decide(&outcome, &self.stance);
                    if action == Action::Forward {
                        self.last = Some(outcome);
                    } else {
                        self.stopped = Some((action, outcome));
                    }
                    return;
                }
                Step::Yield => Answered::Continue,
                // Policies are from files here, and with those nobody waits.
                Step::Await { .. } => Answered::Continue,
                Step::Need(lookup) => Answered::Answer((self.answers)(lookup, (self.clock)().now)),
            };
            step = self.inspection.resume(answered, (self.clock)());
        }
    }
}

/// The time, in UTC: whoever explains a request wants the same answer everywhere.
fn clock() -> Clock {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Clock {
        now: UnixMillis(since.as_millis() as u64),
        utc_offset_seconds: 0,
        monotonic_micros: since.as_micros() as u64,
    }
}
