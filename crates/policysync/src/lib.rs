//! Policies from Calico's agent on the node (Felix), by its Policy Sync API: who may talk to whom, compiled there, and
//! decided here.
//!
//! ```text
//!  socket --grpc--> ToDataplane --state--> graph: what names what        --> News --> policy::Store
//!  (client: dial, back-off)       (pure)   shown only when all it names is
//! ```
//!
//! The one idea to hold: a decision never sees a name that leads nowhere. Each stream begins with everything; it is put
//! together beside the store that decides, and takes its place as a whole when the agent says that it was all. From then on
//! a change is shown as soon as everything that it names is there, and what is taken away stays as long as something that is
//! shown names it.
//!
//! What cannot be understood decides against whoever asks: a set with a member that is none is one of which nobody knows who
//! is in it, a rule with a clause that we do not know grants nothing and denies.
//!
//! Not here: what decides (`palisade-policy`), and reports of traffic to the agent.

mod client;
mod convert;
mod graph;
mod grpc;
mod limits;
pub mod messages;
mod names;
mod state;
mod status;

pub use client::{Client, Options, Subscription};
pub use limits::{Limits, MESSAGE_BYTES_MAX};
pub use state::{Refusal, State};
pub use status::{Status, StatusNow};
