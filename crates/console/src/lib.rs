//! The admin listener: probes, metrics and status, beside the traffic and never in its way.
//!
//! ```text
//!   listener   accept, bounds, ends
//!      |
//!    guard     who may see it: token, Host, Origin
//!      |
//!   answer     path -> answer ------ subject: what there is to show, implemented by the program
//!      |           |
//!     api      exposition            numbers as Prometheus reads them
//!      |
//!   control    records, stream       what can be changed, implemented by the program; events: kept ones, and what comes
//! ```
//!
//! The idea to hold: an admin listener is asked most when things go badly, and by those who end a process that does
//! not answer. So whatever a client does, however many there are, the next probe is answered: a connection too many
//! costs the oldest one, and nothing is read but a small head; what a change brings is read within bounds, two at a time,
//! and made beside the thread that answers, where the event store is asked as well. Who listens to events is never waited
//! for.
//!
//! Not here: the proxy and its counters (`Subject` brings them), signals, flags.

mod access;
mod allowance;
mod answer;
mod api;
mod asking;
mod control;
mod dataplane;
mod explainer;
mod exposition;
mod files;
mod guard;
mod listener;
mod openapi;
mod records;
mod replays;
mod routes;
mod session;
mod sign_on;
mod status;
mod stream;
mod subject;
mod suggestions;
mod token;
mod users;

pub use control::{
    AddExceptions, AddedCounts, AlertInForce, AlertPut, AlertStatus, Author, Control, ControlError,
    Dismissal, ExceptionChange, ExceptionInForce, ExceptionsAt, ModeChange, Place, RouteInForce,
    ServiceInForce,
};
pub use dataplane::{Dataplane, DataplaneReceived, DataplaneRules, DataplaneService, DataplaneSpool};
pub use explainer::{
    Explainer, PolicyRuleShown, PolicyShown, Question, RuleCostShown, RuleQuery, RuleShown, Rules,
};
pub use exposition::{Exposition, Format, Histogram};
pub use guard::Keys;
pub use listener::{Admin, BindError, Bound, Bounds};
pub use records::{Opener, Records};
pub use replays::{RecordingShown, ReplayAsked, ReplayShown, Replays};
pub use sign_on::{SignOn, SignedOn};
pub use status::{
    ListenerStatus, Reload, Reloads, RuleSetStatus, ServiceStatus, StaleStatus, State, Status, Timestamp,
};
pub use subject::{Health, Subject};
pub use suggestions::{
    LeftOut, PolicyLearner, PolicySource, PolicyTrial, SeenTraffic, SuggestedPolicies, SuggestedPolicy,
};
pub use token::{TokenError, TokenFile};
pub use users::{UsersError, UsersFile, user_line};
