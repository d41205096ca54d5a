//! What records of exchanges look like in logs, and how they get there without a request waiting for a disk.
//!
//! ```text
//! AuditRecord ──audit::{native, native2, json}──> entry ──┐
//! AccessRecord ──access::line───────────────────> line  ──┼─> LogWriter: bounded queue, one thread, counted drops
//! AuditMessage ──dikastes::line──────────────────> line ──┘
//!
//! Event, Traffic ──JSON─────────────────────────> Bus: bounded queue, one thread, batches for each subscriber
//!
//! copies of requests ──stand-ins for secrets────> Recorder: bounded queue, one thread, files that expire
//! ```
//!
//! The forms are functions of records, and records are made of [`palisade_model::Excerpt`]s: what comes here is masked
//! already, but for what is to be recorded: that is masked on the recorder's thread. What a form adds is that content cannot end a line, an entry or a text of JSON.
//!
//! Not here: which exchanges are logged, and which parts of them (`palisade-inspect`); the error log's lines, which are
//! the engine's; where files are (`palisade`).

pub mod access;
pub mod alerts;
pub mod audit;
mod bus;
mod clock;
pub mod dikastes;
mod log_writer;
pub mod query;
pub mod recording;
mod reference;
mod replace;
pub mod sinks;
pub mod store;
mod traffic;

pub use bus::{
    Batch, Bus, BusCounts, BusLimits, Record, SubscriberCounts, Subscription, Taken, TrafficSource,
};
pub use clock::unix_millis;
pub use log_writer::{Destination, EntryFile, LogWriter};
pub use reference::reference;
pub use replace::replace_file;
pub use traffic::{EachParameter, SeenRequest, TrafficLog, TrafficSwitches, UrlDetail};
