//! The inspection of one exchange, as a pure state machine that every way in shares: the proxy, `explain`, later
//! ext_authz and ext_proc.
//!
//! ```text
//!  begin(peer, head, service) -> (Inspection, Step)
//!  feed(chunk | end | response head | ...)  -> Step
//!  resume(answer | go on)                   -> Step
//!  finish(end | aborted)                    -> Report
//!
//!  Step = More       feed on; nothing held may be released beyond what it says
//!       | Need       a lookup must be answered first
//!       | Yield      let others run, then resume
//!       | Await      a peer is not known yet: wait for news of it, then resume
//!       | Outcome    a stage has a verdict; decide() turns it into an action
//! ```
//!
//! No I/O, no clock, no runtime: sockets, time and lookups belong to the caller. One function, [`decide()`], turns an
//! outcome into an action; nobody else asks for the mode.

mod costs;
mod decide;
mod detector;
mod ends;
mod environment;
mod exceptions;
mod findings;
mod gate;
mod in_secrets;
mod inspection;
mod patches;
mod profile;
mod redacted;
mod report;
mod routes;
mod specification;
mod standing;

pub use costs::{RuleCost, RuleCosts, WatchRule};
pub use decide::{Action, Stance, decide};
pub use detector::Detector;
pub use ends::Ends;
pub use environment::openssl_time;
pub use exceptions::{Exceptions, FindingExceptions};
pub use gate::{Admission, Arriving, Gate, Gates, Judged as PolicyJudged, Listens, Waits};
pub use inspection::{
    Answered, Cause, Detail, End, Input, Inspection, Outcome, Peer, Release, Secured, Step,
};
pub use palisade_authn::Identity;
pub use palisade_detect::{Attack, DetectLimits, Finding, Recall};
pub use palisade_engine::persistent::{
    CollectionKey, MemoryStore, Operation, PersistentCollection, StoredVariable, UnixMillis,
};
pub use palisade_engine::{
    Answer, Caps, Clock, GeoRecord, Interner, LoadedRules, Lookup, RuleSources, load_rules, load_rules_with,
    path_is_below,
};
pub use palisade_openapi::{Specification, SpecificationRead, read as read_specification};
pub use palisade_policy::{Awaited, Direction};
pub use patches::Patches;
pub use profile::{OnFailure, Profile, Service};
pub use redacted::{AUDIT_BODY_BYTES_MAX, Redacted, Sent, cause_word, form_of, masked_uri, shortfall_text};
pub use report::Report;
pub use routes::{Asking, Asks, PathMatch, RouteTable, RouteTo};
pub use specification::Enforcement;
pub use standing::{ModeOverride, ServiceMode, SetMode, Standing, Unauthenticated};
