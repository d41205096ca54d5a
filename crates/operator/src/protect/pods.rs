//! Pods as far as the plan reads them. A cluster has five for each Service, and one of the API is many times as large.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;

use super::names::{Key, label};
use super::policies::pod_object;

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Which.
    pub key: Key,
    /// The one of that name.
    pub uid: String,
    /// Names and values, by name.
    pub labels: Box<[(String, String)]>,
    /// What keeps it: kind and name.
    pub controller: Option<(String, String)>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The node that it runs on.
    pub node: Option<String>,
    /// The service account that it runs as.
    pub account: Option<String>,
    /// It has the network of its node.
    pub on_host: bool,
    /// It is ready for clients, and not on its way out.
    pub is_ready: bool,
    /// It has run to its end.
    pub has_ended: bool,
    /// Its addresses, each once.
    pub addresses: Box<[IpAddr]>,
    /// Ports that have a name.
    pub ports: Box<[NamedPort]>,
    /// What policies ask of it, as the pool is told: written once, and not for each of all pods whenever one changes.
    pub for_policies: Option<Box<str>>,
}

/// A port of a container that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPort {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: i32,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

impl Pod {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        let at = self.labels.binary_search_by(|(label, _)| label.as_str().cmp(name)).ok()?;
        Some(&self.labels[at].1)
    }

    /// Its labels as objects have them.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.labels.iter().cloned().collect()
    }
}

impl From<v1::Pod> for Pod {
    fn from(pod: v1::Pod) -> Self {
        let key = Key::of(&pod.metadata);
        let controller = controller(&pod.metadata);
        let meta = pod.metadata;
        let (spec, status) = (pod.spec.unwrap_or_default(), pod.status.unwrap_or_default());
        let conditions = status.conditions.unwrap_or_default();
        let ready =
            conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let first = status.pod_ip.as_deref();
        let others = status.pod_ips.iter().flatten().map(|address| address.ip.as_str());
        let mut addresses = Vec::new();
        for address in first.into_iter().chain(others).filter_map(|address| address.parse().ok()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let containers = spec.containers.into_iter().chain(spec.init_containers.into_iter().flatten());
        let named = |port: v1::ContainerPort| {
            let protocol = port.protocol.unwrap_or_else(|| "TCP".to_owned());
            Some(NamedPort { name: port.name?, number: port.container_port, protocol })
        };
        let mut pod = Self {
            key,
            uid: meta.uid.unwrap_or_default(),
            labels: meta.labels.unwrap_or_default().into_iter().collect(),
            controller,
            created: meta.creation_timestamp.map(|time| time.0),
            node: spec.node_name,
            account: spec.service_account_name,
            on_host: spec.host_network == Some(true),
            is_ready: ready && meta.deletion_timestamp.is_none(),
            has_ended: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            addresses: addresses.into(),
            ports: containers
                .flat_map(|container| container.ports.into_iter().flatten())
                .filter_map(named)
                .collect(),
            for_policies: None,
        };
        pod.for_policies = pod_object(&pod).map(|object| object.to_string().into_boxed_str());
        pod
    }
}

/// The controller that keeps a pod, by kind and name. A Deployment keeps pods by a ReplicaSet whose name is its own and the
/// pods' template hash.
pub(crate) fn controller(pod: &ObjectMeta) -> Option<(String, String)> {
    let owner = pod.owner_references.as_deref()?.iter().find(|owner| owner.controller == Some(true))?;
    let hash = label(pod, "pod-template-hash");
    let deployment = hash.and_then(|hash| owner.name.strip_suffix(hash)?.strip_suffix('-'));
    Some(match (owner.kind.as_str(), deployment) {
        ("ReplicaSet", Some(name)) => ("Deployment".to_owned(), name.to_owned()),
        (kind, _) => (kind.to_owned(), owner.name.clone()),
    })
}
