//! The cluster as we see it: how to reach its API server ([`client`]), and what there is in it ([`Watched`]).

mod connect;
mod profiles;
mod watched;

pub use connect::{ClusterFlags, ConnectError, client, config};
pub use profiles::{Profile, Profiles};
pub use watched::{Watched, resource};
