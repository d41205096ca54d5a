//! What a listener is told: addresses, bounds and times. Typed; files and flags that say it are read elsewhere.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use palisade_http::{Fields, HeadLimits};
use palisade_inspect::{Profile, Service};
use palisade_model::Mode;

use crate::arrival::Arrival;
use crate::authentication::{Authentication, AuthenticationCounts, AuthenticationFamilies};
use crate::client_address::ClientAddresses;
use crate::hold::Budget;
use crate::identity_headers::Forward;
use crate::journal::Journal;
use crate::lists::LiveLists;
use crate::lookups::{Lookups, SharedCollections};
use crate::metrics::{Metrics, Sample, Value};
use crate::outgoing::{Moved, Outgoing};
use crate::rates::{RateLimits, Rates};
use crate::routes::Routes;
use crate::site::Site;
use crate::tls::ServerTls;
use crate::upstream::Upstream;

/// One address that we listen on, and where its requests go.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name in logs and metrics.
    pub name: Arc<str>,
    /// Where it listens. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Where its requests go; may be replaced while it serves.
    pub routes: Arc<Routes>,
    /// A path that is answered here with 200, uninspected; for probes.
    pub health_path: Option<String>,
    /// What clients may speak.
    pub protocol: Protocol,
    /// Every request but health checks is sent elsewhere.
    pub redirect: Option<Redirect>,
    /// What becomes of an `X-Forwarded-For` that the client sent.
    pub forwarded_for: ForwardedFor,
    /// TLS; `None`: it is plain.
    pub tls: Option<Arc<ServerTls>>,
    /// Who clients are where somebody stands between; `None`: the connection's other end.
    pub client_addresses: Option<ClientAddresses>,
    /// Bounds.
    pub limits: Limits,
    /// Times.
    pub timeouts: Timeouts,
}

impl Listener {
    /// A listener with everything else at its default.
    pub fn new(name: impl Into<Arc<str>>, address: SocketAddr, routes: Arc<Routes>) -> Self {
        Self {
            name: name.into(),
            address,
            routes,
            health_path: None,
            protocol: Protocol::default(),
            redirect: None,
            forwarded_for: ForwardedFor::default(),
            tls: None,
            client_addresses: None,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Listener {
    /// Who a request on a connection is from.
    pub(crate) fn client_of(&self, arrival: &Arrival, headers: &Fields) -> SocketAddr {
        match &self.client_addresses {
            Some(addresses) => addresses.client_of(arrival.client_addr, headers),
            None => arrival.client_addr,
        }
    }
}

/// What clients of a listener may speak. Over TLS the two sides agree on it by ALPN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, or HTTP/2 where a connection begins with its preface or ALPN chose it.
    #[default]
    Auto,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone, from the first byte.
    H2c,
}

/// Bounds of connections on which clients speak HTTP/2.
#[derive(Clone, Debug)]
pub struct Http2Limits {
    /// Streams at a time. Over it: reset, to be tried again. Default 100.
    pub streams_max: u32,
    /// What a client may send of one body beyond what was taken, in bytes. Default 256 KiB.
    pub stream_window: u32,
    /// The same for all bodies of a connection. Default 1 MiB.
    pub connection_window: u32,
    /// Streams that a client may reset at once. Over it the connection is ended. Default 200.
    pub resets_burst: u32,
    /// How many of them come back in a second. Default 20.
    pub resets_per_second: u32,
    /// Frames that ask for nothing and answer nothing (SETTINGS, PING, PRIORITY, WINDOW_UPDATE, unknown ones) at once.
    /// HEADERS and DATA in either direction pay for some. Over it the connection is ended. Default 500.
    pub control_burst: u32,
    /// How many of them come back in a second. Default 50.
    pub control_per_second: u32,
    /// Windows that are opened by less than this are counted by themselves, under the same bound, and nothing pays for
    /// them. In bytes; default 256.
    pub window_update_min: u64,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            streams_max: 100,
            stream_window: 256 * 1024,
            connection_window: 1024 * 1024,
            resets_burst: 200,
            resets_per_second: 20,
            control_burst: 500,
            control_per_second: 50,
            window_update_min: 256,
        }
    }
}

/// The same place over HTTPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The status: 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The port of the place.
    pub port: u16,
}

/// What becomes of an `X-Forwarded-For` that the client sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedFor {
    /// The address of who connected is appended to it, as most proxies do: who reads it counts trusted hops from the end.
    #[default]
    Append,
    /// It is replaced by the client's address: nothing that a client says of itself gets through.
    Replace,
    /// As ingress-nginx says it, in the headers that it writes. What the client said goes on under `X-Original-Forwarded-*`.
    IngressNginx {
        /// The address is appended to the client's list in place of standing alone.
        full: bool,
    },
    /// Nothing is said of the client, and what the request says of one goes on as it is: it is the workload's own call.
    Nothing,
}

/// The service that is protected and where it lives.
#[derive(Clone, Debug)]
pub struct Destination {
    /// How its traffic is inspected.
    pub service: Arc<Service>,
    /// What becomes of its requests.
    pub home: Home,
    /// The largest body that a request may have, in bytes. Over it: 413.
    pub body_max: u64,
    /// What its answers look like; as they come, and with our own pages, when `None`.
    pub site: Option<Arc<Site>>,
    /// What it is told of a client's certificate.
    pub forward: Arc<Forward>,
    /// What it is asked for in place of what the client asked for.
    pub outgoing: Arc<Outgoing>,
    /// What becomes of bodies while they are inspected.
    pub body: BodyMode,
    /// How often it may be asked for.
    pub rates: Rates,
    /// Who has to say who they are; nobody where it is `None`.
    pub authentication: Option<Arc<Authentication>>,
}

/// Where the requests for a service end.
#[derive(Clone, Debug)]
pub enum Home {
    /// They go there.
    At(Arc<Upstream>),
    /// They have this answer, uninspected.
    Answer(Answer),
}

/// An answer of ours that a service has in place of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status, with its page.
    Status(u16),
    /// The same place over HTTPS.
    Https(Redirect),
    /// A place with parts of the request's own.
    Moved {
        /// The status of the redirect.
        status: u16,
        /// Where.
        to: Moved,
    },
    /// Another place: a URL or a path.
    Elsewhere {
        /// The status of the redirect.
        status: u16,
        /// Where.
        location: String,
    },
}

/// What becomes of bodies while they are inspected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyMode {
    /// They are held until they are judged: nothing of a request reaches the service before. Calls of gRPC are held
    /// message by message, because nobody knows beforehand whether a message waits for an answer to the one before.
    #[default]
    Hold,
    /// They go on as they come and are shown to the rules on the way; only their end waits for the verdict.
    Stream,
    /// They go on unseen; heads are inspected.
    Off,
}

impl Destination {
    /// A service and where it lives, its answers as they come.
    pub fn new(service: Arc<Service>, upstream: Arc<Upstream>) -> Self {
        let (forward, body, rates) = (Arc::default(), BodyMode::default(), Rates::default());
        let (home, body_max) = (Home::At(upstream), u64::MAX);
        let outgoing = Arc::default();
        Self { service, home, body_max, site: None, forward, outgoing, body, rates, authentication: None }
    }

    /// Where its requests go, unless they are answered here.
    pub(crate) fn upstream(&self) -> Option<&Arc<Upstream>> {
        match &self.home {
            Home::At(upstream) => Some(upstream),
            Home::Answer(_) => None,
        }
    }
}

/// Bounds of one listener. Sizes are bytes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time. Over it: 503 and closed. Default 10,000.
    pub connections_max: usize,
    /// TLS handshakes under way at a time. Over it: closed. Default 2,000.
    pub handshakes_max: usize,
    /// Heads of requests. Over it: shown to the rules as far as read, then refused with 400.
    pub request_head: HeadLimits,
    /// Heads of responses. Over it: 502. Default: 128 KiB, 500 fields; upstreams are trusted further than clients.
    pub response_head: HeadLimits,
    /// Requests on one connection. After that it is closed. Default 10,000.
    pub requests_per_connection_max: u64,
    /// A request body that rules want to see. Over it: 413. Default 12.5 MiB, CRS's usual `SecRequestBodyLimit`.
    pub request_body_held_max: u64,
    /// A response body that rules want to see. Over it the rules see what was held, and the rest passes. Default
    /// 1 MiB.
    pub response_body_held_max: u64,
    /// What a compressed response may grow to for inspection. Over it the rest is not looked at. Default 8 MiB.
    pub response_body_decoded_max: u64,
    /// What one held body keeps in memory; the rest goes to disk. Default 1 MiB.
    pub body_memory_max: usize,
    /// A message of gRPC that is held until it is judged. Over it: refused. Default 4 MiB, what gRPC takes by default.
    pub message_held_max: usize,
    /// Connections of HTTP/2.
    pub http2: Http2Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            handshakes_max: 2_000,
            request_head: HeadLimits::default(),
            response_head: HeadLimits {
                head_bytes_max: 128 * 1024,
                line_bytes_max: 8 * 1024,
                headers_max: 500,
            },
            requests_per_connection_max: 10_000,
            request_body_held_max: 13_107_200,
            response_body_held_max: 1024 * 1024,
            response_body_decoded_max: 8 * 1024 * 1024,
            body_memory_max: 1024 * 1024,
            message_held_max: 4 * 1024 * 1024,
            http2: Http2Limits::default(),
        }
    }
}

/// Times of one listener.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// From the accept to the end of the TLS handshake, the PROXY protocol's header included. Then closed. Default 10 s.
    pub handshake: Duration,
    /// From a request's first byte to the end of its head; also from the accept to the first byte. Then 408.
    /// Default 30 s.
    pub head: Duration,
    /// Between two pieces of a request's body. Then 408. Default 30 s.
    pub body: Duration,
    /// A whole held body; keeps one who sends a byte a second from holding memory for days. Then 408. Default 300 s.
    pub body_whole: Duration,
    /// Between two requests. Then closed. Default 75 s.
    pub idle: Duration,
    /// From the end of the request to the head of the response, and between two pieces of its body. Then 504, or
    /// closed. Default 60 s.
    pub response: Duration,
    /// While the client takes nothing of what we send. Then closed. Default 60 s.
    pub write: Duration,
    /// A tunnel (WebSocket) in which nothing moves. Then closed. Default 1 h.
    pub tunnel: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            body_whole: Duration::from_secs(300),
            idle: Duration::from_secs(75),
            response: Duration::from_secs(60),
            write: Duration::from_secs(60),
            tunnel: Duration::from_secs(3600),
        }
    }
}

/// What all listeners of a process share.
#[derive(Debug)]
pub struct Plane {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) metrics: Metrics,
    pub(crate) lookups: Lookups,
    pub(crate) lists: Arc<LiveLists>,
    pub(crate) rates: RateLimits,
    pub(crate) authentication: AuthenticationFamilies,
    /// The service of requests that no route takes.
    pub(crate) nobody: Arc<Service>,
    pub(crate) utc_offset_seconds: i32,
}

impl Plane {
    /// `utc_offset_seconds` is local time minus UTC, which the TIME variables of rules show.
    pub fn new(journal: Arc<dyn Journal>, budget: Budget, utc_offset_seconds: i32) -> Arc<Self> {
        Self::with_lists(journal, budget, Arc::default(), None, utc_offset_seconds)
    }

    /// The same with lists that others have as well, and with persistent collections that other processes may have.
    pub fn with_lists(
        journal: Arc<dyn Journal>,
        budget: Budget,
        lists: Arc<LiveLists>,
        collections: Option<Arc<dyn SharedCollections>>,
        utc_offset_seconds: i32,
    ) -> Arc<Self> {
        Arc::new(Self {
            journal,
            budget: Arc::new(budget),
            metrics: Metrics::default(),
            lookups: Lookups::new(collections),
            lists,
            rates: RateLimits::default(),
            authentication: AuthenticationFamilies::default(),
            // No name that a service can have.
            nobody: Service::new("-", Profile::new(Mode::Off, None)),
            utc_offset_seconds,
        })
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Shows every metric, those of held bodies included. Samples of one name follow each other.
    pub fn visit_metrics(&self, take: &mut dyn FnMut(Sample<'_>)) {
        self.metrics.visit(take);
        self.lists.visit_metrics(take);
        self.rates.visit_metrics(take);
        self.authentication.visit(take);
        for (name, help, bytes) in [
            ("palisade_held_memory_bytes", "Memory that held bodies take.", self.budget.memory_used()),
            ("palisade_held_disk_bytes", "Disk that held bodies take.", self.budget.disk_used()),
        ] {
            take(Sample { name, help, labels: &[], value: Value::Gauge(bytes) });
        }
    }

    /// Who passes, who is refused, who is watched.
    pub fn lists(&self) -> &Arc<LiveLists> {
        &self.lists
    }

    /// Where it is counted what comes of asking who a service's requests are from.
    pub fn authentication_counts(&self, service: &str) -> Arc<AuthenticationCounts> {
        self.authentication.of(service)
    }

    /// Rate limits, by name.
    pub fn rates(&self) -> &RateLimits {
        &self.rates
    }

    /// What bodies are held in.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }
}

/// Where held bodies go that do not fit into memory.
pub(crate) type SpillFolder = PathBuf;
