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
mod answer;
mod api;
mod asking;
mod control;
mod explainer;
mod exposition;
mod files;
mod guard;
mod listener;
mod openapi;
mod records;
mod routes;
mod session;
mod status;
mod stream;
mod subject;
mod token;
mod users;

pub use control::{
    AddedCounts, AlertInForce, AlertPut, AlertStatus, Author, Control, ControlError, ModeChange, Place,
    RouteInForce, ServiceInForce,
};
pub use explainer::{Explainer, PolicyRuleShown, PolicyShown, Question, RuleQuery, RuleShown, Rules};
pub use exposition::{Exposition, Format, Histogram};
pub use guard::Keys;
pub use listener::{Admin, BindError, Bound, Bounds};
pub use records::{Opener, Records};
pub use status::{
    ListenerStatus, Reload, Reloads, RuleSetStatus, ServiceStatus, StaleStatus, State, Status, Timestamp,
};
pub use subject::{Health, Subject};
pub use token::{TokenError, TokenFile};
pub use users::{UsersError, UsersFile, user_line};
