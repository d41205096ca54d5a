//! Protection of Services by a pool of data planes: annotate a Service and its next connection is inspected, take the
//! annotation away and traffic flows as it did.
//!
//! Everything here but [`reconciler`](self) is a function of objects that were observed.

mod endpoints;
mod ledger;
mod names;
mod pool;
mod shapes;
mod steps;

pub use ledger::{Entry, Ledger};
pub use names::*;
pub use pool::{Member, Pool};
pub use shapes::{Selector, shadow, slices};
pub use steps::{Next, Seen, Stage, Step, View, Waiting, Wish, is_touched, next};
