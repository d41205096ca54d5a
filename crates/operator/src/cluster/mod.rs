//! The cluster as we see it: how to reach its API server ([`client`]), and what there is in it ([`Watched`]).

mod connect;
mod watched;

pub use connect::{ClusterFlags, ConnectError, client, config};
pub use watched::{Watched, resource};
