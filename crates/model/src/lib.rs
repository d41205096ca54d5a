//! The nouns that every part of Palisade shares. No behaviour that needs a request, a rule or a socket.

mod attack;
mod audit_record;
mod calendar;
mod country;
mod detector;
mod event;
mod fields;
mod listing;
mod mode;
mod network;
mod peer_identity;
mod places;
mod point_pattern;
mod redact;
mod spares;
mod spiffe;
mod status;
mod traffic;
mod verdict;
mod wildcard;
mod workload;

pub use attack::Attack;
pub use audit_record::{
    AuditFile, AuditFinding, AuditMessage, AuditParts, AuditRecord, AuditRequest, AuditResponse, EngineMode,
    Intercepted, Interception, Severity,
};
pub use calendar::{Calendar, days_since_1970};
pub use country::{Country, NoCountry};
pub use detector::{Leaks, Sensitivity};
pub use event::{
    Destination, Dropped, Event, EventAction, EventFinding, EventId, EventKind, EventTls, PolicyHit,
    PolicyTrace, RuleHit, Source,
};
pub use fields::{Field, FieldKind, Member, Moment, Numbers, paths};
pub use listing::{Listing, UnknownListing};
pub use mode::{Mode, UnknownMode};
pub use network::{Network, NoNetwork};
pub use peer_identity::{CertificateFacts, Failure, PeerIdentity, Verification};
pub use places::{Part, Point, Root};
pub use point_pattern::{PointError, PointPattern};
pub use redact::{
    BodyForm, Excerpt, JOINED_NAME_PARTS, NAME_PARTS, NAMES, Place, Redactor, StandIn, holds_stand_in,
};
pub use spares::Spares;
pub use spiffe::{SPIFFE_ID_BYTES_MAX, SpiffeId, SpiffeIdError, TRUST_DOMAIN_BYTES_MAX};
pub use status::reason_phrase;
pub use traffic::{ParameterSketch, Traffic, ValueClass, VisitParameter};
pub use verdict::{Stage, Verdict};
pub use wildcard::{WILDCARD_BYTES_MAX, WILDCARD_TEXT_BYTES_MAX, Wildcard};
pub use workload::{KnownBy, Workload};
