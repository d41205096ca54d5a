//! Protection of Services by a pool of data planes: annotate a Service and its next connection is inspected, take the
//! annotation away and traffic flows as it did.
//!
//! ```text
//!  Services, slices, pods, policies, rules, switches --plan--> ledger, bundle of the pool, wishes, findings
//!                       wish and a fresh reading of one Service --next--> writes, each safe by itself
//! ```
//!
//! Everything here is a function of objects that were observed; what reads and writes them is `reconciler`.

mod alerts;
mod ask;
mod bundle;
mod calico;
mod endpoints;
mod ledger;
mod names;
mod plan;
mod pods;
mod policies;
mod pool;
pub mod reconciler;
mod refusal;
mod report;
mod ruleset;
mod shapes;
mod steps;
mod uninspected;

pub use ask::Ask;
pub use bundle::{Front, Parts, USUAL_PROFILE, Workload, bundle, rule_names, service_name};
pub use calico::{
    APPLICATION_LAYER_NAME, ApplicationLayer, Envoy, HONOURED_CONDITION, LogCollection,
    POLICY_SYNC_CONDITION, Switch, policy_sync_path_prefix,
};
pub use endpoints::{Endpoint, Keeper, Port, Seen, Slice};
pub use ledger::{Entry, Ledger};
pub use names::*;
pub use plan::{Observed, Plan, ServicePlan, Settings, plan};
pub(crate) use pods::controller;
pub use pods::{NamedPort, Pod};
pub use policies::{PolicyFiles, policy_files};
pub use pool::{Member, Pool};
pub(crate) use refusal::is_of_system;
pub use refusal::{Grounds, Refusal, refusal};
pub use report::{Finding, finding, selector_owners};
pub use ruleset::{RULESET_FIRST, RULESET_NAME, RULESET_NAMESPACE, RuleFolder, RulesRefused};
pub use shapes::{Selector, shadow};
pub use steps::{Next, Stage, Step, View, Waiting, Wish, is_touched, next};
