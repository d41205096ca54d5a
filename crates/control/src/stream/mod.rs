//! Bundles for many data planes over one gRPC stream each.
//!
//! ```text
//!  data plane                                    server ([`Control`])
//!    Hello{name, version, held, applied}  ────▶  who may be called that, by its certificate
//!                                         ◀────  Welcome{}
//!                                         ◀────  Begin{revision, base} Remove* (Put More*)* End
//!    Applied{revision, stale | refused}   ────▶  inventory
//!    Lost{why}                            ────▶  the same, whole
//! ```
//!
//! The one idea to hold: a data plane has at most one bundle on its way. While it takes one over others may be wanted; it
//! gets the newest then, and those between are never sent. What leads from the bundle that it holds to the newest is sent
//! where the server remembers that bundle, and the whole where it does not; which of both it is changes nothing.
//!
//! Not here: what a bundle means, and where the last good one lies on disk.

mod assembly;
mod control;
mod delta;
mod follow;
pub mod messages;
mod planes;

pub use assembly::{Assembly, Misfit};
pub use control::{Control, ControlError};
pub use delta::{Version, words};
pub use follow::{FollowOptions, Following, follow};
pub use planes::{PlaneState, Selector};

/// Where the stream is, as gRPC names it.
pub const FOLLOW_PATH: &str = "/palisade.control.v1.Control/Follow";
/// How much of a file's content one message has.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// How long a message to a data plane may be: a chunk, a name, and what stands around them.
pub const TO_PLANE_BYTES_MAX: usize = 128 * 1024;
/// How long a message to the server may be: an answer with as many stale objects as are told.
pub const TO_CONTROL_BYTES_MAX: usize = 1 << 20;
/// How many stale objects an answer names. Those beyond are one more, which says how many they are.
pub const STALE_MAX: usize = 500;
/// How long a text about an object may be, in bytes.
pub const TEXT_MAX: usize = 1024;
/// How long the name of a data plane may be, in bytes: that of a DNS name.
pub const NAME_MAX: usize = 253;
