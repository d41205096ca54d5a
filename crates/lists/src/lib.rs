//! Who passes unchecked, who is refused, whose attacks are stopped: three lists of sources.
//!
//! ```text
//!   address ──> trie of networks ──┐
//!           ──> country, ASN ──────┴─> entries: not expired, of this application ──> allow, deny, gray: first hit
//! ```
//!
//! The idea to hold: a lookup goes down the bits of an address once, however many networks there are and of however many
//! lengths, and meets the smallest last, whose entry stands there. A change touches one node of that way; nothing is ever
//! sorted, moved or rebuilt.
//!
//! No I/O and no clock: time is an argument, and which country and which autonomous system an address belongs to is
//! answered by a [`Places`] that is handed in. Where lists are kept, and who may change them, is others' affair.

mod entry;
mod generations;
mod history;
mod line;
mod lists;
mod page;
mod rate;
mod record;
mod seed;
mod slab;
mod slot;
mod subject;
mod trie;
mod watch;

pub use entry::{Application, Entry, EntryId, EntryIdError, Origin, Scope, ScopeError};
pub use history::{Change, Tombstone, What};
pub use line::{LINE_BYTES_MAX, Line};
pub use lists::{Added, Full, Hit, Limits, Lists, Source};
pub use page::{Page, Query};
pub use palisade_model::{Country, Listing, Moment, Network};
pub use rate::{Counting, Meter, Pace, Rate, Together};
pub use record::Record;
pub use seed::Seed;
pub use subject::{Nowhere, Places, Subject, SubjectError};
pub use watch::{Actor, Behaviour, PAYLOADS_MAX, Threshold, Watch};
