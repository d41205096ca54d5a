//! The cluster as we see it: how to reach its API server ([`client`]), and what there is in it.

mod connect;

pub use connect::{ClusterFlags, ConnectError, client, config};
