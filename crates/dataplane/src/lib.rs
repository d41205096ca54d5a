//! The reverse proxy: sockets in, sockets out, and the inspection of each exchange in between.
//!
//! We read and write HTTP/1.1 on the wire ourselves, because a library that serves requests hides what an inspecting
//! one has to see: the raw target, the order and case of fields, two lengths in one head. Forwarded heads keep all
//! of that but what belongs to one connection only.
//!
//! ```text
//!            serve          accept, limits, drain
//!              | arrive      PROXY protocol, TLS
//!              | one task each
//!        http1 | http2      the client's connection: head after head, or stream beside stream
//!              |
//!           passage         head -> inspection -> body -> inspection -> upstream -> inspection -> client
//!         /    |     \
//!  request  exchange  response       what is forwarded | the seam, its lookups and its log | what is answered
//!     |        |         |
//!    hold   lookups   block_page     bodies under a budget | collections, DNS | pages of our own
//!              |
//!          authentication            who it is from: tokens, keys, a server that is asked
//!              |
//!          upstream                  names, connections, the idle ones
//! ```
//!
//! The passage exists once. Its client and its server stand behind `sides`, whatever protocol they speak.
//!
//! Nothing of a request reaches the upstream before its stage is decided. What an exchange leaves
//! behind is with the journal before the last byte of its answer leaves.
//!
//! Beside the proxy: `envoy`, which answers the questions of an Envoy that is not ours by the same exchanges.
//!
//! Not here: what is found and what follows from it (`palisade-inspect`), what a certificate is worth
//! (`palisade-identity`), rules, configuration files, signals.

mod admission;
mod arrival;
mod arrive;
mod authentication;
mod block_page;
mod body;
mod certificate;
mod client_address;
mod content_coding;
mod copy;
mod envoy;
mod exchange;
mod forwarded;
mod hold;
mod http1;
mod http2;
mod identity_headers;
mod journal;
mod lists;
mod lookups;
mod metrics;
mod outgoing;
mod passage;
mod proxy_protocol;
mod rates;
mod request;
mod request_id;
mod response;
mod routes;
mod serve;
mod server_stream;
mod settings;
mod shared_address;
mod sides;
mod site;
mod throttle;
mod tls;
mod trace;
mod tunnel;
mod upload;
mod upstream;
mod wire;

pub use arrival::{Alpn, Arrival, TlsArrival};
pub use authentication::{
    AuthServer, Authentication, AuthenticationCounts, Authenticator, FetchTimes, ForwardAuth, JudgedAlone,
    KeySource, KeysNews, Way,
};
pub use client_address::{ClientAddresses, address as client_address, forwarded_elements};
pub use copy::{CopyExtent, CopyRoom, RequestCopy};
pub use envoy::{
    BoundEnvoy, EnvoyAddress, EnvoyListener, Health, Protected, Readiness, ask_health, serve_envoy,
};
pub use hold::Budget;
pub use identity_headers::{Fact, FingerprintHash, Forward};
pub use journal::{AnsweredBy, ClosedConnection, Ended, Facts, Journal, Remark, Sent, Timing};
pub use lists::LiveLists;
pub use lookups::SharedCollections;
pub use metrics::{BlockClass, HistogramValue, Metrics, Sample, Value};
pub use outgoing::{Moved, Outgoing, PathChange};
pub use proxy_protocol::{
    HEADER_BYTES_MAX as PROXY_HEADER_BYTES_MAX, NoHeader, Parsed, Proxied, parse as parse_proxy_header,
};
pub use rates::{RateLimit, RateLimits, Rates, SharedKey};
pub use routes::{Routes, host_of};
pub use serve::{Bound, Drain, DrainTrigger, Drained, Socket, drain, serve, serve_stream};
pub use settings::{
    Answer, BodyMode, Destination, ForwardedFor, Home, Http2Limits, Limits, Listener, Plane, Protocol,
    Redirect, Timeouts,
};
pub use site::{HeaderChanges, PAGE_BYTES_MAX, Page, PageError, Site};
pub use tls::{
    Believed, CertificatePage, CertificateTextError, ClientRule, ClientRules, KeyPair, KeyPairError,
    Misdirected, ServerTls, TlsServer, TlsServerError, TlsServerSettings, UpstreamTls, UpstreamTlsError,
    UpstreamTlsSettings, authorities,
};
pub use trace::{Sampling, Trace};
pub use upstream::{Upstream, UpstreamLimits, UpstreamProtocol, UpstreamUrlError};
