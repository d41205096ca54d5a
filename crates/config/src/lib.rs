//! The configuration as data: a typed model of the configuration file, how flags and environment lie over and under it.
//!
//! ```text
//!  text of the file --> Node (a tree that knows its lines) --+
//!                                                            +--> Config, or Diagnostics
//!  flags, environment > Overrides (nodes that know by what) --+
//! ```
//!
//! The one idea to hold: a section is one struct made by `section!` (in `decode`), and everything about a key (type,
//! default, words) stands in it once. Decoding, the reference page and the JSON Schema all come from there.
//!
//! Not here: files and sockets (texts come in, paths go out as text), rules (`palisade-seclang`), and what becomes of
//! a configuration (`palisade-inspect`, `palisade-dataplane`, the binary).

mod authentication;
mod by_listener;
mod check;
mod client_address;
mod collector;
mod custom;
mod decode;
mod environment;
mod events;
mod exception;
mod headers;
mod http2;
mod inherit;
mod lists;
mod oidc;
mod openapi;
mod overrides;
mod policy;
mod policy_sync;
mod rates;
mod read;
mod recording;
mod reference;
mod routing;
mod sections;
mod shared_state;
mod sinks;
mod socket;
mod tls;
mod tracing;
mod value;

// What is known of YAML and of places in it stands in a crate of its own; here it goes by its old names.
use palisade_yaml::{diagnostic, node};

pub use authentication::{
    ApiKeys, Authentication, AuthenticationMode, AuthenticationStage, Authenticator, Credential,
    CredentialPlace, ForwardAuth, Jwt, JwtAlgorithm, JwtKeys, RequiredClaims, credential_names,
};
pub use by_listener::ByListener;
pub use check::EXCEPTIONS_MAX;
pub use client_address::{AddressSource, ClientAddress, HopCount};
pub use collector::{Collector, CollectorUrl, PlaneName};
pub use custom::{Binary, EndpointHeaders, Method, Patch};
pub use diagnostic::{Diagnostic, Severity, Style};
pub use environment::{Compat, Environment, EnvironmentRules, environment_reference};
pub use events::{Events, L7, TrimUrl};
pub use exception::RuleIds;
pub use headers::{HeaderName, Headers};
pub use http2::Http2;
pub use lists::{
    Automatic, AutomaticList, BruteForce, ForcedBrowsing, ListEntry, Lists, ModeOverride, PayloadsDeny,
    PayloadsGray, Places,
};
pub use node::Origin;
pub use oidc::Oidc;
pub use openapi::{OnBreach, OpenApi, OpenApiLimits};
pub use overrides::Overrides;
pub use palisade_model::{Country, Network};
pub use policy::{
    KubernetesName, Labels, PlaintextPeers, Policies, PolicyCompatibility, TrustDomain, Workload,
};
pub use policy_sync::{PolicySync, SyncMode, SyncSocket};
pub use rates::{Counting, RateKey, RateLimit, RateStatus};
pub use read::{FILE_BYTES_MAX, File, ProfileChange, Read, read, read_changed, read_exception};
pub use recording::{Keep, RecordedService, Recording};
pub use reference::{json_schema, reference};
pub use routing::{Moved, PathChange, Rewrite, Scheme, Wanted, Weight};
pub use sections::*;
pub use shared_state::{KeyPrefix, Redis, RedisPlace, RedisUrl, SharedState};
pub use sinks::{
    Alerts, Elasticsearch, Facility, HostPort, HttpAuth, HttpUrl, IndexName, JsonFile, Otlp, PlainText,
    RecordKind, Sink, Syslog, SyslogTransport, VariableName, Webhook,
};
pub use socket::Socket;
pub use tls::{
    AuthoritySource, CertificateFact, CertificateFacts, CertificateFiles, CertificateSource, ChainDepth,
    ClientCertificateMode, ClientCertificates, Direction, ErrorPage, Fingerprint, FingerprintHash, Forward,
    ListenerTls, ServerName, ServiceTls, SpiffeIdText, SubjectMatching, SubjectPattern, TlsVersion,
    UpstreamTls, WorkloadApi,
};
pub use tracing::Tracing;
pub use value::{
    Address, AdminAddress, AnswerStatus, AuditFormat, Count, CountIn, FilePath, ForwardedHeaders,
    HostPattern, IpAddress, ListenerProtocol, Located, Location, LogTarget, Name, OnFailure, OnRequestBody,
    OnResponseBody, Paranoia, Port, RedirectStatus, RouteBody, RoutePath, Size, SizeIn, Time,
    UpstreamProtocol, UpstreamUrl, UpstreamUrls,
};
