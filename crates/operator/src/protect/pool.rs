//! The pool: data planes that stand in for protected Services, and what they are known to serve.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::names::Key;
use super::pods::Pod;

/// Data planes that are ready, and what all of them have in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Those that are ready, by name.
    pub members: Vec<Member>,
    /// Ports that all of them serve, with how many endpoints they know behind each.
    pub in_force: BTreeMap<u16, usize>,
}

/// A data plane of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its Pod.
    pub pod: Key,
    /// The Pod's uid.
    pub uid: String,
    /// Its addresses, in order.
    pub addresses: Vec<IpAddr>,
    /// The node that it runs on.
    pub node: Option<String>,
}

impl Member {
    /// A Pod that is ready for clients. None: it is not, or it has no address, or it is on its way out.
    pub fn of(pod: &Pod) -> Option<Self> {
        if !pod.is_ready || pod.addresses.is_empty() {
            return None;
        }
        let mut addresses = pod.addresses.to_vec();
        addresses.sort();
        addresses.dedup();
        Some(Self { pod: pod.key.clone(), uid: pod.uid.clone(), addresses, node: pod.node.clone() })
    }
}
