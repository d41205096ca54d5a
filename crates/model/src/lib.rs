//! The nouns that every part of Palisade shares. No behaviour that needs a request, a rule or a socket.

mod audit_record;
mod calendar;
mod mode;
mod places;
mod redact;
mod status;
mod verdict;

pub use audit_record::{
    AuditFile, AuditMessage, AuditParts, AuditRecord, AuditRequest, AuditResponse, EngineMode, Intercepted,
    Interception, Severity,
};
pub use calendar::Calendar;
pub use mode::{Mode, UnknownMode};
pub use places::{Part, Point, Root};
pub use redact::{BodyForm, Excerpt, JOINED_NAME_PARTS, NAME_PARTS, NAMES, Place, Redactor};
pub use status::reason_phrase;
pub use verdict::{Stage, Verdict};
