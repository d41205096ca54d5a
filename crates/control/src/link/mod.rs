//! How processes of Palisade talk to one another: gRPC over TLS 1.3, with certificates that are read again when their files
//! change. What is said over it is known elsewhere.
//!
//! Who may talk is decided twice: by the authority that signed the caller's certificate, before a byte of gRPC is read, and
//! by the names that the certificate holds, once the caller has said who it is ([`Peer::is_called`]).

mod dial;
mod incoming;
mod method;
mod tls;

pub use dial::{DialError, Pause, Target, TargetError, dial};
pub use incoming::{Accepted, CONNECTIONS_MAX, HANDSHAKE_TIME, Peer, incoming};
pub use method::{Caller, Method, STALL_TIME, Words, call, serve};
pub use tls::{ClientAuth, Files, LiveTls, Pem, TlsError};

use std::time::Duration;

/// How often either end asks whether the other is still there.
pub const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
/// How long the other may take to say so.
pub const KEEP_ALIVE_TIME: Duration = Duration::from_secs(10);
