//! An exchange that is known whole, driven through the inspection: what `explain`, `profile` and tests do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use palisade_http::{RequestHead, ResponseHead};
use palisade_inspect::{
    Action, Answer, Answered, Clock, Detail, End, Input, Inspection, Lookup, MemoryStore, Outcome, Peer,
    Report, Service, Stance, Standing, Step, UnixMillis, decide,
};

/// A request and perhaps its response.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) head: RequestHead,
    pub(crate) body: Vec<u8>,
    pub(crate) response: Option<(ResponseHead, Vec<u8>)>,
}

/// What came of it.
pub(crate) struct Inspected {
    pub(crate) action: Action,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) report: Report,
}

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
    let peer = Peer {
        peer_addr: exchange.client,
        client_addr: exchange.client,
        server_addr: exchange.server,
        identity: None,
        authenticated: None,
        admission: None,
        towards: None,
        secured: None,
        request_id,
    };
    let standing = Standing::of(service);
    let stance = standing.stance(service);
    let (mut inspection, step) =
        Inspection::begin(peer, exchange.head.clone(), service, standing, detail, clock());
    let mut driver = Driver { inspection: &mut inspection, store, stance, stopped: None, last: None };
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
    let mut report = inspection.finish(end, clock());
    store.commit(std::mem::take(&mut report.operations));
    match stopped {
        Some((action, outcome)) => Inspected { action, outcome: Some(outcome), report },
        None => Inspected { action: Action::Forward, outcome: last, report },
    }
}

struct Driver<'a> {
    inspection: &'a mut Inspection,
    store: &'a mut MemoryStore,
    stance: Stance,
    stopped: Option<(Action, Outcome)>,
    last: Option<Outcome>,
}

impl Driver<'_> {
    fn goes_on(&self) -> bool {
        self.stopped.is_none()
    }

    fn feed(&mut self, input: Input<'_>) {
        let step = self.inspection.feed(input, clock());
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
                Step::Need(Lookup::Collection(key)) => {
                    Answered::Answer(Answer::Collection(self.store.load(&key, clock().now)))
                }
                Step::Need(Lookup::Dns { .. } | Lookup::Geo { .. }) => Answered::Answer(Answer::Unavailable),
            };
            step = self.inspection.resume(answered, clock());
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
