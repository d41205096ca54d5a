//! Who may talk to whom, and with what request: Calico's application layer policy, exactly, then better.

mod claims;
mod clause;
mod compile;
mod decision;
mod flow;
mod form;
mod http_match;
mod index;
mod item;
mod kinds;
pub mod labels;
mod naive;
mod net;
mod object;
mod objects;
mod path;
mod rule;
mod selector;
mod store;
mod suggest;
mod waiting;
mod walk;

pub use claims::{CLAIM_DEPTH_MAX, ClaimMatch, ClaimPath, ClaimTest, Claims};
pub use clause::{Clause, Doubt};
pub use compile::{Change, Compiler};
pub use decision::{Decision, Decisions, NearMiss, PROFILE_TIER, Reason, Speaker, Stop, Verdict};
pub use flow::{
    Direction, Feed, Flow, Identity, Judgement, Party, Patience, PlaintextPeers, Request, TrustDomains,
    Unusable, WorkloadName,
};
pub use form::{
    AccountName, CompiledPolicy, Endpoint, EndpointId, EndpointKind, EndpointTier, Member, PolicyRef,
    SetName, Sets, Update,
};
pub use http_match::{
    Fit, HeaderMatch, HeaderRegex, HeaderTest, Headers, HostMatch, HttpHead, HttpMatch, PathMatch, host_name,
};
pub use index::{Index, IndexSize};
pub use kinds::{ObjectsRead, POLICY_FILE_BYTES_MAX, read_objects};
pub use labels::Labels;
pub use naive::NEAR_MISS_RULES_MAX;
pub use net::{Net, plain};
pub use object::*;
pub use objects::Objects;
pub use path::comparable_path;
pub use rule::{Action, Asked, Entity, Icmp, NamespaceMatch, PrincipalMatch, Protocol, Rule, ServiceName};
pub use selector::{Expr, LABEL_BYTES_MAX, NESTING_MAX, SELECTOR_BYTES_MAX, Selector, SelectorError};
pub use store::{News, Source, Store};
pub use suggest::{
    Learner, Observation, SourceSeen, SuggestOptions, SuggestedFor, Suggestion, Unlearned, suggested_workload,
};
pub use waiting::{Awaited, Knowledge, WAITING_MAX, WAITING_OF_ADDRESS_MAX, WaitingNow};
