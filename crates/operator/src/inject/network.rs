//! A NetworkPolicy that closes the application's own port: traffic comes by way of the sidecar or not at all.
//!
//! Kubernetes adds policies up, so another one that lets the port be reached opens it again; and it takes a network
//! plugin that enforces policies.

use serde_json::{Map, Value, json};

use super::names::{CONTAINER, EXEMPT_PORTS};
use super::options::exempt_ports;
use super::plan::Status;
use super::settings::Settings;
use super::{No, view};

/// Why there is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkPolicyError {
    /// The pod was not injected.
    #[error("the pod has no sidecar, so that there is nothing to close")]
    NotInjected,
    /// Its pods cannot be told from others.
    #[error("the pod has no labels, so that a NetworkPolicy cannot select it")]
    NoLabels,
    /// An annotation cannot be read.
    #[error("{0}")]
    Annotation(String),
}

/// The policy for a pod that was injected. `selector` is the workload's own (`spec.selector`); the pod's labels are
/// taken when absent. Ports of the sidecar are open to everybody, its metrics to the namespaces that the settings name,
/// and the ports of `palisade.dev/exempt-ports` to everybody; nothing else is.
///
/// # Errors
/// See [`NetworkPolicyError`].
pub fn network_policy(
    name: &str,
    namespace: Option<&str>,
    pod: &Value,
    selector: Option<&Value>,
    settings: &Settings,
) -> Result<Value, NetworkPolicyError> {
    let status = Status::of(pod).ok_or(NetworkPolicyError::NotInjected)?;
    let labels = view::map(pod, &["metadata", "labels"]).filter(|labels| !labels.is_empty());
    let selector = match (selector.filter(|selector| selector.is_object()), labels) {
        (Some(selector), _) => selector.clone(),
        (None, Some(labels)) => json!({"matchLabels": labels}),
        (None, None) => return Err(NetworkPolicyError::NoLabels),
    };
    let exempt = view::text(pod, &["metadata", "annotations", EXEMPT_PORTS]).unwrap_or_default();
    let exempt = exempt_ports(exempt).map_err(|no| match no {
        No::Deny(message) => NetworkPolicyError::Annotation(message),
        No::Skip(_) => NetworkPolicyError::NotInjected,
    })?;
    let port = |number: u16| json!({"protocol": "TCP", "port": number});
    let open: Vec<Value> = std::iter::once(status.listen).chain(exempt).map(port).collect();
    let mut rules = vec![json!({"ports": open})];
    if let (Some(labels), Some(probes)) = (&settings.metrics_from, probes_port(pod)) {
        let from = json!([{"namespaceSelector": {"matchLabels": labels}}]);
        rules.push(json!({"from": from, "ports": [port(probes)]}));
    }
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(format!("palisade-{name}")));
    namespace
        .into_iter()
        .for_each(|namespace| drop(metadata.insert("namespace".to_owned(), json!(namespace))));
    metadata.insert("labels".to_owned(), json!({"app.kubernetes.io/managed-by": "palisade"}));
    Ok(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": rules},
    }))
}

fn probes_port(pod: &Value) -> Option<u16> {
    let ports = view::list(view::find(pod, CONTAINER)?, &["ports"]);
    ports.iter().find(|port| view::name(port) == Some("palisade-probes")).and_then(view::port_number)
}
