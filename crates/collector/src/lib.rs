//! Many data planes, one store: their events go to a collector, and what is said there comes back.
//!
//! ```text
//!  data plane ([`Uplink`])                          collector ([`Collector`])
//!    Hello{name, version, spool, about}      ────▶  who may be called that: by its certificate, or by a token
//!                                            ◀────  Welcome{reached}: what of this spool is in the store
//!    Portion{after, number, records}         ────▶  records, and `number`, in one transaction
//!                                            ◀────  Taken{number}
//!    About{...}                              ────▶  inventory
//!                                            ◀────  Lists{records}, Modes{...}, Exceptions{...}
//! ```
//!
//! The one idea to hold: a record is in the data plane's spool until the collector has said that it is in the store, and how
//! far a spool is in the store stands in the store itself, written with the records. So whoever is killed, and whenever, goes
//! on where the store is: no record is lost, and none is there twice.
//!
//! A data plane has one portion on its way. While the collector does not take it, the spool grows on the data plane's disk,
//! within its bound; no request waits for any of it.
//!
//! Not here: what a data plane makes of lists, modes and exceptions, and where the console keeps them (`palisade`); the transport
//! ([`palisade_control::link`]); the spool and the store ([`palisade_events`]).

mod about;
mod collector;
mod intake;
mod lists;
pub mod messages;
mod portion;
mod roster;
mod uplink;

pub use about::{About, ExceptedAbout, RulesAbout, ServiceAbout};
pub use collector::{Collector, CollectorCounts, CollectorError, CollectorOptions, ModesOf, Tokens};
pub use lists::{ListFeed, ListsAtHand};
pub use portion::{Arrived, Misfit, read_portion};
pub use roster::PlaneShown;
pub use uplink::{Following, Obeys, Uplink, UplinkOptions, UplinkState, uplink};

/// Where the stream is, as gRPC names it.
pub const DELIVER_PATH: &str = "/palisade.collector.v1.Collector/Deliver";
/// How long one record may be, in bytes of its JSON. What is longer is not sent.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// How many bytes of records a portion has, about; one record that is longer is a portion of its own.
pub const PORTION_BYTES_MAX: usize = 1 << 20;
/// Records of a portion.
pub const PORTION_RECORDS_MAX: usize = 20_000;
/// How long a message to the collector may be: a portion, and what stands around its records.
pub const TO_COLLECTOR_BYTES_MAX: usize = 4 << 20;
/// How long a message to a data plane may be: as many entries of lists as go together, or modes.
pub const TO_PLANE_BYTES_MAX: usize = 16 << 20;
/// How long the name of a data plane may be, in bytes: that of a DNS name.
pub const NAME_MAX: usize = 253;

/// Whether a data plane may be called that: what a DNS name is made of.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(plain)
}
