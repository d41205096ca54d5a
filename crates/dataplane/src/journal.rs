//! What an exchange leaves behind, and who takes it. One call at the end of each exchange carries the raw report, our
//! own lines and the facts; what is written of them, and where, is for the one who takes them.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use palisade_http::RequestHead;
use palisade_inspect::{
    Direction, Identity, Peer, PolicyJudged, Report, Service, Stance, Standing, UnixMillis,
};
use palisade_model::{Listing, PeerIdentity, Workload};

use crate::arrival::TlsArrival;
use crate::copy::{CopyRoom, RequestCopy};
use crate::trace::{Sampling, Trace};

/// Takes what exchanges leave behind. Called on the threads that serve: it must not block, and it should be quick.
pub trait Journal: Send + Sync + Debug {
    /// An exchange has ended. Comes once for each, however it ended, before the last bytes of its answer leave:
    /// who has the answer finds its lines.
    fn ended(&self, ended: Ended);

    /// Something happened that never became an exchange.
    fn remark(&self, remark: Remark);

    /// Policies closed a connection before a request of it was read. The remark about it has come before; who keeps no
    /// more than lines needs no more.
    fn closed(&self, closed: ClosedConnection) {
        drop(closed);
    }

    /// Whether the end of a request to this service shall come with a copy of it, and how much room that has. Asked when
    /// its head is whole.
    fn copies(&self, service: &Service) -> Option<CopyRoom> {
        let _ = service;
        None
    }

    /// Which requests are traced; `None` where nobody takes traces, and what clients say of theirs goes on as it came.
    fn sampling(&self) -> Option<Sampling> {
        None
    }
}

/// A connection that policies closed.
#[derive(Debug)]
pub struct ClosedConnection {
    /// The listener's name.
    pub listener: Arc<str>,
    /// The socket's other end, which policies go by.
    pub peer_addr: SocketAddr,
    /// Who trusted hops say it is; the peer itself where nobody is trusted.
    pub client_addr: SocketAddr,
    /// Where it arrived.
    pub server_addr: SocketAddr,
    /// Who its certificate says it is, where that was known by then.
    pub identity: Option<Arc<PeerIdentity>>,
    /// What policies said.
    pub judged: Box<PolicyJudged>,
}

/// The end of an exchange. Raw: it holds what the client sent.
#[derive(Debug)]
pub struct Ended {
    /// What the inspection saw. `None`: it failed in us, and the request did not pass. Its operations are taken out:
    /// they are committed already.
    pub report: Option<Report>,
    /// Lines of our own in the form of the error log, in order, without line ends. They belong after the report's.
    pub notes: Vec<String>,
    /// What is known of the exchange whatever the rules saw.
    pub facts: Facts,
    /// The request, where [`Journal::copies`] asked for it.
    pub copy: Option<Box<RequestCopy>>,
}

/// A line about what never became an exchange: a head that did not come, a connection too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The listener's name.
    pub listener: Arc<str>,
    /// Who connected.
    pub client_addr: SocketAddr,
    /// The line in the form of the error log, without its end.
    pub line: String,
}

/// What is known of an exchange whatever the rules saw. Texts are as the client sent them, any byte included, and cut
/// at their bounds.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The listener's name.
    pub listener: Arc<str>,
    /// The service that was asked.
    pub service: Arc<Service>,
    /// Who the trusted hops say it is; the peer itself where nobody is trusted.
    pub client_addr: SocketAddr,
    /// The socket's other end.
    pub peer_addr: SocketAddr,
    /// Where it arrived.
    pub server_addr: SocketAddr,
    /// What the peer's certificate says and whether that is believed; `None` where none was asked for. An Envoy may have
    /// seen it for us.
    pub identity: Option<Arc<PeerIdentity>>,
    /// Who it is from, by what it carries; `None` where that is not known, or nobody asked.
    pub authenticated: Option<Arc<Identity>>,
    /// The workload that asked, where one is known.
    pub source: Option<Arc<Workload>>,
    /// The workload that was asked, where one is known.
    pub destination: Option<Arc<Workload>>,
    /// What TLS knows of its connection, the client's identity included; `None` where it was plain.
    pub tls: Option<Arc<TlsArrival>>,
    /// The id that we gave it.
    pub request_id: String,
    /// The id that the client gave it, at most 128 bytes.
    pub client_request_id: Option<Vec<u8>>,
    /// The method, at most 64 bytes.
    pub method: Vec<u8>,
    /// The target, at most 8 KiB.
    pub target: Vec<u8>,
    /// The version, such as `HTTP/1.1`, at most 16 bytes.
    pub version: Vec<u8>,
    /// The first Host, at most 256 bytes.
    pub host: Option<Vec<u8>>,
    /// The first User-Agent, at most 512 bytes.
    pub user_agent: Option<Vec<u8>>,
    /// The first Referer, at most 2 KiB.
    pub referer: Option<Vec<u8>>,
    /// What the client was sent, the final status line at least begun. `None`: nothing.
    pub sent: Option<Sent>,
    /// The upstream's address, once there was a connection to it.
    pub upstream_addr: Option<SocketAddr>,
    /// Bytes of the request's body that were read, its transfer coding undone.
    pub request_body_bytes: u64,
    /// Bytes of the answer's body that were on their way to the client when it ended, without transfer coding.
    pub response_body_bytes: u64,
    /// When its head was whole.
    pub started: UnixMillis,
    /// Where its time went.
    pub timing: Timing,
    /// What decided beside the verdict: the mode in force, and whether the source was on the gray list.
    pub stance: Stance,
    /// The list that the source was on.
    pub list: Option<Listing>,
    /// A check stopped it: it was answered, redirected or cut by us for what it is.
    pub stopped: bool,
    /// The first `traceparent`, at most 64 bytes.
    pub traceparent: Option<Vec<u8>>,
    /// Its trace, where somebody takes traces.
    pub trace: Option<Trace>,
}

/// What a client was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The status.
    pub status: u16,
    /// Whose answer it is.
    pub by: AnsweredBy,
}

/// Whose answer the client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The service's.
    Upstream,
    /// One of ours: a block, a refusal, an error.
    Palisade,
}

/// Where the time of an exchange went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From the request's head being whole to the last byte of the answer being ready to leave. Includes waiting for
    /// a slow client's body.
    pub total: Duration,
    /// Inside the inspection: rules of all phases, the logging phase included; lookups that it waited for are not.
    pub engine: Duration,
    /// While the upstream was what we waited for: connecting, the request being written, the response until the last
    /// of it that was read. Not while a client that is slow to send its body, or to take the response's, was.
    /// `None`: it was not asked.
    pub upstream: Option<Duration>,
    /// From the request's head being whole to the upstream being waited for first. `None`: it was not asked.
    pub upstream_after: Option<Duration>,
}

impl Facts {
    /// What the head and the connection tell.
    pub(crate) fn of(
        listener: &Arc<str>,
        service: &Arc<Service>,
        standing: Standing,
        peer: &Peer,
        head: &RequestHead,
        started: UnixMillis,
    ) -> Self {
        let mut facts = Self {
            listener: listener.clone(),
            service: service.clone(),
            client_addr: peer.client_addr,
            peer_addr: peer.peer_addr,
            server_addr: peer.server_addr,
            identity: peer.identity.clone(),
            authenticated: peer.authenticated.clone(),
            source: service.source(peer),
            destination: match service.ends.direction {
                Direction::Ingress => service.destination(peer.server_addr.ip()),
                Direction::Egress => {
                    let towards = peer.towards.as_ref().and_then(|addresses| addresses.first());
                    match towards {
                        Some(address) => service.destination(address.ip()),
                        None => service.ends.theirs.clone(),
                    }
                }
            },
            tls: None,
            request_id: peer.request_id.clone(),
            client_request_id: None,
            method: cut(&head.method, 64),
            target: cut(&head.target, 8 * 1024),
            version: cut(&head.version, 16),
            host: None,
            user_agent: None,
            referer: None,
            sent: None,
            upstream_addr: None,
            request_body_bytes: 0,
            response_body_bytes: 0,
            started,
            timing: Timing::default(),
            stance: standing.stance(service),
            list: standing.list,
            stopped: false,
            traceparent: None,
            trace: None,
        };
        for (name, value) in head.headers.iter() {
            let (known, field, bytes_max) = match name.len() {
                4 => ("host", &mut facts.host, 256),
                7 => ("referer", &mut facts.referer, 2 * 1024),
                10 => ("user-agent", &mut facts.user_agent, 512),
                11 => ("traceparent", &mut facts.traceparent, 64),
                12 => ("x-request-id", &mut facts.client_request_id, 128),
                _ => continue,
            };
            if field.is_none() && name.eq_ignore_ascii_case(known.as_bytes()) {
                *field = Some(cut(value, bytes_max));
            }
        }
        facts
    }

    /// Whom our workload's own call reached, once that is known.
    pub(crate) fn reached(&mut self) {
        if let (Direction::Egress, Some(address)) = (self.service.ends.direction, self.upstream_addr) {
            self.destination = self.service.destination(address.ip());
        }
    }
}

fn cut(bytes: &[u8], bytes_max: usize) -> Vec<u8> {
    bytes[..bytes.len().min(bytes_max)].to_vec()
}
