//! A traffic simulator by microsim's environment and words: a [`Server`] that answers with random bytes and counts attacks
//! that reach it, and a [`Simulator`] that sends ordinary requests with attacks among them.
//!
//! Source: kellybrazil/microsim, by what it does. Differs, on purpose:
//! - One detector for every method, on what was asked for and on what was sent, decoded once; theirs for POST never matches
//!   what their client sends.
//! - `STOP_SECONDS` is a timer; theirs is looked at after a request.
//! - HTTP/1.1 with lengths in place of HTTP/1.0.
//! - Nobody is talked to who was not named: `EGRESS_URLS`, `MALWARE_URL` and `DGA_RESOLVER` have no default.
//! - The same seed makes the same choices in the same order.

mod attack;
mod clock;
mod counters;
mod dns;
mod server;
mod settings;
mod shown;
mod simulator;
mod stats;
mod statsd;

use std::sync::Arc;
use std::time::Duration;

pub use attack::{Attack, decoded};
pub use counters::{Counter, Counters, Role};
pub use server::Server;
pub use settings::{
    ClientSettings, Common, Ordinary, REQUEST_BYTES_MAX, RESPOND_BYTES_MAX, ServerSettings, SettingError,
};
pub use simulator::{STEP_MAX, STEPS_MAX, Simulator};
pub use statsd::Statsd;

/// Takes lines as they come, without their ends.
pub type Lines = Arc<dyn Fn(&str) + Send + Sync>;

/// Where to end by itself. Without any it goes on until it is told to end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// After so long.
    pub duration: Option<Duration>,
    /// After so many requests: taken by a server; sent by a client, attacks not counted.
    pub requests: Option<u64>,
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Told,
    /// A bound was reached.
    Bound,
    /// `STOP_SECONDS` are over: so many, padding included.
    Killed(u64),
}

/// The name of this machine, as lines and statistics have it.
#[must_use]
pub fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
