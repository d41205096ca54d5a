//! One exchange, from its head to the last byte of its answer, whatever protocols its sides speak.
//!
//! ```text
//!  head -> receive ---------> ask ------> answer, relay -> done
//!            |  holds body     |  retries    |  holds body where rules want it, else streams
//!            v                 v             v
//!          stop: own answer (block page, 4xx, 5xx)
//! ```

mod answer;
mod ask;
mod elsewhere;
mod error_page;
mod health;
mod on_the_way;
mod receive;
mod relay;
mod stop;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use palisade_http::{Framing, RequestHead, Target};
use palisade_inspect::{Direction, Peer, Service};
use palisade_model::PeerIdentity;

use self::elsewhere::{answered, elsewhere};
use self::stop::Stop;
pub(crate) use self::stop::told;
use crate::arrival::Arrival;
use crate::body::write_field;
use crate::certificate;
use crate::exchange::{About, Exchange, Stand, own_line};
use crate::hold::Reserved;
use crate::journal::Remark;
use crate::metrics::RequestCounts;
use crate::request::{self, RequestPlan};
use crate::request_id::request_id;
use crate::routes::host_of;
use crate::settings::{BodyMode, Destination, Listener, Plane};
use crate::sides::ClientSide;
use crate::site::Site;
use crate::trace::Trace;
use crate::upload::{Judging, Upload};
use crate::wire::Timer;

/// Who has come, and where: what all exchanges of a connection have in common.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) arrival: Arrival,
    pub(crate) listener: Arc<Listener>,
    pub(crate) plane: Arc<Plane>,
}

/// What becomes of the client after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// The next request.
    Next,
    /// It is closed.
    Close,
    /// It is cut at once, whatever it still sends: the answer, if there is one, is not whole.
    Cut,
    /// It is closed, but what it still sends is read for a while: it was answered before its request was whole.
    Linger,
}

/// What a connection keeps from one exchange to the next, only to be quick.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Where requests are counted, for the service that the last one was for.
    counts: Option<(Arc<Service>, Arc<RequestCounts>)>,
    /// Body bytes on their way from a side to a hold; empty between uses.
    scratch: Vec<u8>,
}

/// An exchange on its way.
pub(crate) struct Passage<'p, C> {
    client: &'p mut C,
    caller: &'p Caller,
    timer: &'p mut Timer,
    kept: &'p mut Kept,
    /// How long the upstream of this request may take to respond.
    response_timeout: Duration,
    /// What the answers to this request look like.
    site: Option<Arc<Site>>,
    bodies: Bodies,
    /// Where the call of our own workload may go: the addresses that policies were asked about.
    towards: Option<Arc<[SocketAddr]>>,
    /// The connection ends after this exchange, whatever its sides say.
    closing: bool,
    /// The largest body that this request may have.
    body_max: u64,
}

/// What becomes of the bodies of an exchange that rules want to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bodies {
    /// They wait for the verdict.
    Held,
    /// They are judged on their way.
    OnTheWay,
    /// Nobody looks at them.
    Off,
}

impl<'p, C: ClientSide> Passage<'p, C> {
    pub(crate) fn new(
        client: &'p mut C,
        caller: &'p Caller,
        timer: &'p mut Timer,
        kept: &'p mut Kept,
    ) -> Self {
        Self {
            client,
            caller,
            timer,
            kept,
            response_timeout: Duration::ZERO,
            site: None,
            bodies: Bodies::Held,
            towards: None,
            closing: false,
            body_max: u64::MAX,
        }
    }

    /// Takes it all the way.
    pub(crate) async fn run(mut self, mut head: RequestHead, mut plan: RequestPlan) -> After {
        let Caller { arrival, listener, plane } = self.caller;
        if health::is_check(listener, &head, &plan) {
            return self.answer_health_check(&plan).await;
        }
        let (mut told, mut refused, mut turned) = (None, None, None);
        match certificate::judge(arrival, host_of(&head).as_deref()) {
            Ok(peer) => told = peer,
            Err(refusal) => {
                turned = error_page::turn(&mut head, &mut plan, &refusal);
                match turned {
                    Some(_) => told = Some(arrival.identity().map_or(&PeerIdentity::NONE, |peer| peer)),
                    None => refused = Some(Stop::Certificate(refusal)),
                }
            }
        }
        self.closing = turned.is_some();
        let elsewhere = refused.or_else(|| listener.redirect.map(|redirect| elsewhere(redirect, &head)));
        let destination = if elsewhere.is_none() { listener.routes.find(&head) } else { None };
        let elsewhere = elsewhere.or_else(|| answered(&destination.as_ref()?.home, &head));
        let site = destination.as_ref().and_then(|destination| destination.site.clone());
        self.site = site.map(|site| site.at(Target::new(&head.target, &head.method).path()));
        let id = request_id();
        let sampling = plane.journal.sampling();
        let trace = sampling.map(|sampling| Trace::of(&head.headers, &id, &request_id(), sampling));
        let client_addr = listener.client_of(arrival, &head.headers);
        let mut forwarded = Vec::with_capacity(head.line.len() + 1024);
        let changed = destination.as_ref().map_or(Ok(None), |destination| destination.outgoing.target(&head));
        let elsewhere = elsewhere.or_else(|| {
            changed.is_err().then(|| Stop::answer(400, "its path has no normal form that could be changed"))
        });
        let upstream = destination.as_ref().and_then(|destination| destination.upstream());
        let upstream = upstream.filter(|_| changed.is_ok());
        self.response_timeout =
            upstream.and_then(|upstream| upstream.response()).unwrap_or(listener.timeouts.response);
        if let (None, Some(destination), Some(upstream)) = (plan.refusal, &destination, upstream) {
            let hop = request::Hop {
                arrival,
                client: client_addr.ip(),
                forwarded_for: listener.forwarded_for,
                request_id: &id,
                authority: upstream.authority().as_bytes(),
                forward: &destination.forward,
                outgoing: &destination.outgoing,
                target: changed.ok().flatten(),
                peer: told,
                authentication: destination.authentication.as_deref(),
                trace: trace.as_ref(),
            };
            request::write_head(&head, &plan, &hop, &mut forwarded);
        }
        let towards = match &destination {
            Some(destination) => addresses_of(destination).await,
            None => None,
        };
        self.towards = towards.clone();
        let peer = Peer {
            peer_addr: arrival.peer_addr,
            client_addr,
            server_addr: arrival.local_addr,
            identity: arrival.identity().cloned(),
            authenticated: None,
            refused: Vec::new(),
            admission: arrival.admission.clone(),
            towards,
            secured: arrival.secured(),
            request_id: id,
        };
        // What nobody wants is nobody's to inspect, but it is counted and logged as everything is.
        let inspected = destination.as_ref().filter(|destination| destination.upstream().is_some());
        let service = inspected.map_or(&plane.nobody, |destination| &destination.service).clone();
        let counts = self.counts_of(&service);
        let mode = destination.as_ref().map_or(BodyMode::Hold, |destination| destination.body);
        self.bodies = match mode {
            // Whether a call has one message or many that wait for one another cannot be known beforehand.
            BodyMode::Hold if plan.grpc => Bodies::OnTheWay,
            BodyMode::Hold => Bodies::Held,
            BodyMode::Stream => Bodies::OnTheWay,
            BodyMode::Off => Bodies::Off,
        };
        self.body_max = destination.as_ref().map_or(u64::MAX, |destination| destination.body_max);
        let in_parts = self.bodies == Bodies::OnTheWay && plan.has_body() && plan.refusal.is_none();
        let rates = destination.as_ref().map(|destination| &destination.rates);
        let authentication = destination.as_ref().and_then(|destination| destination.authentication.as_ref());
        let about = About {
            listener: &listener.name,
            counts,
            tls: arrival.tls.as_ref(),
            rates,
            // What can be read in more than one way is refused whoever sends it.
            authentication: authentication.filter(|_| plan.refusal.is_none()),
            scheme: arrival.scheme(),
            in_parts,
        };
        let (mut exchange, stand) = Exchange::begin(plane, about, peer, head, &service).await;
        if let Some(facts) = exchange.facts() {
            facts.trace = trace;
        }
        for (name, value) in exchange.take_told() {
            write_field(name.as_bytes(), value.as_bytes(), &mut forwarded);
        }
        if let Some(line) = turned {
            plane.metrics.events.certificates_refused_total.one();
            exchange.note(&line);
        }

        // Asked before the head is judged: after that the exchange's own inspection wants nothing of the body.
        let wants_body = exchange.wants_request_body();
        let inspected = match (upstream, plan.refusal) {
            // Nobody else refuses what no route takes.
            (None, None) if !matches!(stand, Ok(Stand::Decided(_))) => {
                Err(elsewhere.unwrap_or_else(|| self.no_route()))
            }
            _ if too_long(&plan, self.body_max) => Err(Stop::answer(413, too_large(self.body_max))),
            _ => self.inspect_request(&plan, &mut exchange, stand).await,
        };
        let inspected = inspected.and_then(|held| Ok((held, upstream.ok_or_else(|| self.no_route())?)));
        match inspected {
            Ok((held, upstream)) => {
                let streams = plan.has_body() && !self.client.body_is_done();
                let forward = destination.as_ref().map(|to| to.forward.clone()).unwrap_or_default();
                let mut upload = Upload::new(held, streams, plan.has_body(), forward)
                    .behind(authentication.cloned())
                    .up_to(self.body_max);
                if in_parts && wants_body {
                    let bytes_max = listener.limits.message_held_max;
                    let messages = plan.grpc && mode == BodyMode::Hold;
                    let judging = if messages { Judging::Messages { bytes_max } } else { Judging::Whole };
                    upload = upload.judged(judging, Reserved::new(plane.budget.clone()));
                }
                self.forward(&plan, &mut exchange, upload, forwarded, upstream).await
            }
            Err(stop) => {
                let whole = plan.refusal.is_none() && self.client.body_is_done();
                self.stop(&plan, &mut exchange, stop, whole).await
            }
        }
    }

    /// The end of a request that no route takes.
    fn no_route(&self) -> Stop {
        self.caller.plane.metrics.events.no_route_total.one();
        Stop::answer(404, "no route takes this host and path")
    }

    /// The counters of a service. Looked up once in the life of a connection, and after a reload.
    fn counts_of(&mut self, service: &Arc<Service>) -> Arc<RequestCounts> {
        match &self.kept.counts {
            Some((known, counts)) if Arc::ptr_eq(known, service) => counts.clone(),
            _ => {
                let Caller { listener, plane, .. } = self.caller;
                let counts = plane.metrics.requests_of(&listener.name, &service.name);
                self.kept.counts = Some((service.clone(), counts.clone()));
                counts
            }
        }
    }

    /// Whether everything has left for the client in time.
    async fn flush_client(&mut self) -> bool {
        self.timer.set(self.caller.listener.timeouts.write);
        poll_fn(|cx| match self.client.poll_flush(cx) {
            std::task::Poll::Ready(flushed) => std::task::Poll::Ready(flushed.is_ok()),
            std::task::Poll::Pending => self.timer.poll(cx).map(|()| false),
        })
        .await
    }
}

/// Whether a request says itself that its body is too large.
fn too_long(plan: &RequestPlan, body_max: u64) -> bool {
    plan.refusal.is_none() && matches!(plan.framing, Framing::Length(length) if length > body_max)
}

fn too_large(body_max: u64) -> String {
    format!("the request's body is larger than {body_max} bytes")
}

/// The addresses of a service whose policies ask where requests to it go. None where it has no address: what asks for one
/// cannot be decided then.
async fn addresses_of(destination: &Destination) -> Option<Arc<[SocketAddr]>> {
    let gate = destination.service.gate.as_ref()?;
    match gate.direction() {
        Direction::Ingress => None,
        Direction::Egress => Some(destination.upstream()?.addresses().await.into()),
    }
}

impl Caller {
    /// A line about what never became a request.
    pub(crate) fn remark(&self, text: &str, id: &str) {
        self.plane.journal.remark(Remark {
            listener: self.listener.name.clone(),
            client_addr: self.arrival.client_addr,
            line: own_line(self.arrival.client_addr, self.arrival.local_addr, b"", id, text),
        });
    }
}
