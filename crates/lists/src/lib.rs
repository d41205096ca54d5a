//! Who passes unchecked, who is refused, whose attacks are stopped: three lists of sources.
//!
//! ```text
//!   address ──> networks by length ──┐
//!           ──> country, ASN ────────┴─> entries: not expired, of this application ──> allow, deny, gray: first hit
//! ```
//!
//! The idea to hold: an entry costs the same to find, add and remove however many there are. Networks stand in tables by
//! how many bits they have, and a lookup asks for each length that is in use; nothing is ever sorted or rebuilt, and a
//! table is in many pieces, so that none grows by much at a time.
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
mod sieve;
mod slots;
mod subject;
mod watch;

pub use entry::{Application, Entry, EntryId, EntryIdError, Origin, Scope, ScopeError};
pub use history::{Change, Tombstone, What};
pub use line::{LINE_BYTES_MAX, Line};
pub use lists::{Added, Full, Hit, Limits, Lists, Source};
pub use page::{Page, Query};
pub use palisade_model::{Country, Listing, Moment, Network};
pub use rate::{Counting, Meter, Pace, Rate, Together};
pub use record::Record;
pub use slots::Seed;
pub use subject::{Nowhere, Places, Subject, SubjectError};
pub use watch::{Actor, Behaviour, PAYLOADS_MAX, Threshold, Watch};
