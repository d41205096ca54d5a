//! One client connection: requests one after another, each from its head to the last byte of its answer.
//!
//! ```text
//!  head -> receive ---------> ask ------> answer, relay -> next head
//!            |  holds body     |  retries    |  holds body where rules want it, else streams
//!            v                 v             v
//!          stop: own answer (block page, 4xx, 5xx), and the connection ends where the request was not read whole
//! ```

mod answer;
mod ask;
mod elsewhere;
mod head;
mod health;
mod receive;
mod relay;
mod stop;

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use palisade_http::{FramingFinding, RequestHead};
use palisade_inspect::{Peer, Service};
use tokio::io::{AsyncRead, AsyncWrite};

use self::elsewhere::elsewhere;
use self::head::Read;
use self::stop::Stop;
pub(crate) use self::stop::told;
use crate::arrival::Arrival;
use crate::body::BodyReader;
use crate::exchange::{About, Exchange, own_line};
use crate::journal::Remark;
use crate::metrics::RequestCounts;
use crate::request::{self, RequestPlan};
use crate::request_id::request_id;
use crate::serve::Drain;
use crate::settings::{Listener, Plane};
use crate::site::Site;
use crate::upload::Upload;
use crate::wire::{Timer, Wire};

/// A client's connection.
pub(crate) struct Connection<S> {
    client: Wire<S>,
    arrival: Arrival,
    listener: Arc<Listener>,
    plane: Arc<Plane>,
    drain: Drain,
    timer: Timer,
    /// How long the upstream of this request may take to respond.
    response_timeout: Duration,
    /// What the answers to this request look like.
    site: Option<Arc<Site>>,
    requests: u64,
    /// Where requests are counted, for the service that the last one was for.
    counts: Option<(Arc<Service>, Arc<RequestCounts>)>,
    _open: Open,
    /// Body bytes on their way from a wire to a hold; empty between uses.
    scratch: Vec<u8>,
}

/// Counts as an open connection while it lives.
struct Open(Arc<Plane>);

impl Open {
    fn new(plane: Arc<Plane>) -> Self {
        plane.metrics.connections_open.one();
        Self(plane)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.connections_open.one_less();
    }
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

/// What is read of a client that was answered early.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
const LINGER: Duration = Duration::from_secs(2);

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(
        stream: S,
        arrival: Arrival,
        listener: Arc<Listener>,
        plane: Arc<Plane>,
        drain: Drain,
    ) -> Self {
        let timer = Timer::new(listener.timeouts.head);
        let client = Wire::new(stream);
        Self {
            client,
            arrival,
            listener,
            drain,
            timer,
            response_timeout: Duration::ZERO,
            site: None,
            requests: 0,
            counts: None,
            _open: Open::new(plane.clone()),
            plane,
            scratch: Vec::new(),
        }
    }

    /// Serves it until it ends.
    pub(crate) async fn run(mut self) {
        loop {
            let after = match self.read_head().await {
                Some(Read::Head(head)) => Box::pin(self.exchange(head, false)).await,
                Some(Read::Refused(head)) => Box::pin(self.exchange(head, true)).await,
                Some(Read::Late) => self.late_head().await,
                Some(Read::Ended) => self.ended_head().await,
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

    async fn exchange(&mut self, head: RequestHead, refused: bool) -> After {
        self.requests += 1;
        let mut plan = RequestPlan::of(&head);
        if refused && plan.refusal.is_none() {
            plan.refusal = Some(FramingFinding::LineMalformed);
        }
        if self.is_health_check(&head, &plan) {
            return self.answer_health_check(&plan).await;
        }
        let elsewhere = self.listener.redirect.map(|redirect| elsewhere(redirect, &head));
        let destination = if elsewhere.is_none() { self.listener.routes.find(&head) } else { None };
        self.site = destination.as_ref().and_then(|destination| destination.site.clone());
        let id = request_id();
        let mut forwarded = Vec::with_capacity(head.line.len() + 1024);
        let upstream = destination.as_ref().map(|destination| &destination.upstream);
        self.response_timeout =
            upstream.and_then(|upstream| upstream.response()).unwrap_or(self.listener.timeouts.response);
        if let (None, Some(upstream)) = (plan.refusal, upstream) {
            let hop = request::Hop {
                arrival: &self.arrival,
                forwarded_for: self.listener.forwarded_for,
                request_id: &id,
                authority: upstream.authority().as_bytes(),
            };
            request::write_head(&head, &plan, &hop, &mut forwarded);
        }
        let peer = Peer {
            peer_addr: self.arrival.peer_addr,
            client_addr: self.arrival.client_addr,
            server_addr: self.arrival.local_addr,
            identity: self.arrival.identity().cloned(),
            request_id: id,
        };
        // What nobody wants is nobody's to inspect, but it is counted and logged as everything is.
        let service =
            destination.as_ref().map_or(&self.plane.nobody, |destination| &destination.service).clone();
        let counts = self.counts_of(&service);
        let about = About { listener: &self.listener.name, counts };
        let (mut exchange, stand) = Exchange::begin(&self.plane, about, peer, head, &service).await;

        let mut body = BodyReader::new(plan.framing);
        let inspected = match (upstream, plan.refusal) {
            (None, None) => Err(elsewhere.unwrap_or_else(|| self.no_route())),
            _ => self.inspect_request(&plan, &mut exchange, stand, &mut body).await,
        };
        let inspected = inspected.and_then(|held| Ok((held, upstream.ok_or_else(|| self.no_route())?)));
        match inspected {
            Ok((held, upstream)) => {
                let rest = (!body.is_done()).then_some(body);
                let upload = Upload::new(held, rest, plan.coding());
                self.forward(&plan, &mut exchange, upload, forwarded, upstream).await
            }
            Err(stop) => {
                let whole = plan.refusal.is_none() && body.is_done();
                self.stop(&plan, &mut exchange, stop, whole).await
            }
        }
    }

    /// The end of a request that no route takes.
    fn no_route(&self) -> Stop {
        self.plane.metrics.events.no_route_total.one();
        Stop::answer(404, "no route takes this host and path")
    }

    /// The counters of a service. Looked up once in the life of a connection, and after a reload.
    fn counts_of(&mut self, service: &Arc<Service>) -> Arc<RequestCounts> {
        match &self.counts {
            Some((known, counts)) if Arc::ptr_eq(known, service) => counts.clone(),
            _ => {
                let counts = self.plane.metrics.requests_of(&self.listener.name, &service.name);
                self.counts = Some((service.clone(), counts.clone()));
                counts
            }
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

    /// A line about what never became a request.
    fn remark(&self, text: &str, id: &str) {
        self.plane.journal.remark(Remark {
            listener: self.listener.name.clone(),
            client_addr: self.arrival.client_addr,
            line: own_line(self.arrival.client_addr, self.arrival.local_addr, b"", id, text),
        });
    }
}
