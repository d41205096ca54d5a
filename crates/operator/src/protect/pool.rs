//! The pool: data planes that stand in for protected Services, and what they are known to serve.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;

use super::names::Key;

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
        let status = pod.status.as_ref()?;
        let conditions = status.conditions.as_deref().unwrap_or_default();
        let ready =
            conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        if !ready || pod.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let mut addresses = pod_addresses(pod);
        addresses.sort();
        addresses.dedup();
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        (!addresses.is_empty()).then(|| Self { pod: Key::of(&pod.metadata), uid, addresses, node })
    }
}

/// The addresses of a Pod.
pub(super) fn pod_addresses(pod: &Pod) -> Vec<IpAddr> {
    let Some(status) = &pod.status else { return Vec::new() };
    let all = status.pod_ips.iter().flatten().map(|address| address.ip.as_str());
    all.chain(status.pod_ip.as_deref()).filter_map(|address| address.parse().ok()).collect()
}
