//! A small API server for tests: objects of any kind in memory, with resource versions, watches, conflicts and failures
//! on request. What it does is compared with what a real one answered (`tests/transcripts.rs`).
//!
//! It lives on loopback, on a thread of its own, and speaks plain HTTP, or TLS to those who show its token or a certificate:
//! any client reaches it by [`Server::url`]. What it does not do it refuses with 501, so that no test passes on an empty
//! success. CEL is not evaluated: rules and match conditions count as met. Not here: users beside the one, quotas, and the
//! controllers of a cluster (nothing makes pods of a Deployment, or slices of a Service).
//!
//! [`everywhere`] runs a test's body on it, and on a real API server where `KUBEBUILDER_ASSETS` names one ([`Real`]): the
//! same body, by the same few words ([`Cluster`]).

mod admission;
mod apply;
mod body;
mod builtin;
mod cluster;
mod credentials;
mod discovery;
mod faults;
mod fields;
mod guard;
mod kinds;
mod options;
mod patch;
mod real;
mod request;
mod rest;
mod schema;
mod selector;
mod server;
mod status;
mod store;
mod verbs;
mod watch;

pub use cluster::{Cluster, everywhere};
pub use credentials::{Credentials, Identity, Pair};
pub use faults::{Answer, Fault};
pub use kinds::Scope;
pub use real::Real;
pub use request::Seen;
pub use server::Server;
