//! HTTP/2: a connection of a client, and both sides of an exchange.
//!
//! ```text
//!  bytes ── meter ── h2 ──┬── stream: head -> passage        one task each; bodies under the streams' windows
//!             |           └── stream: head -> passage
//!             └ counts what both ends refuse; floods end the connection
//! ```
//!
//! The crate `h2` reads and writes frames, keeps windows and the states of streams. What it refuses (malformed frames,
//! fields of one connection, targets that are no URI) it refuses by itself, so that rules do not see it; the meter
//! counts it. What it lets through is read by the same reader as a head of HTTP/1, so that both have the same findings.

mod client;
mod connection;
mod head;
mod meter;
mod rewound;
mod server;

pub(crate) use self::connection::serve;
pub(crate) use self::rewound::Rewound;
pub(crate) use self::server::{Follows, Http2Server};
