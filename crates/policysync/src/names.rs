//! What objects are called: on the wire, and in the store.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use palisade_policy::{EndpointId, EndpointKind, Member, Net, PolicyId, PolicyKind, PolicyRef, Protocol};
use prost::Message as _;

use crate::messages;

/// Bytes below this begin no name, but every message that is not empty: a field's number and type.
const TEXT_BEGINS_AT: u8 = 0x20;

/// The policy that an id names.
pub(crate) fn policy(id: &messages::PolicyId) -> PolicyRef {
    // Kinds begin with a capital, namespaces do not: whichever field has which.
    let is_kind = |text: &str| text.starts_with(|first: char| first.is_ascii_uppercase());
    let swapped = is_kind(&id.namespace) || !is_kind(&id.kind) && id.namespace.is_empty();
    let (namespace, kind) = match swapped {
        true => (&*id.kind, &*id.namespace),
        false => (&*id.namespace, &*id.kind),
    };
    if kind.is_empty() && namespace.is_empty() { named(&id.name) } else { of_kind(kind, namespace, &id.name) }
}

/// The policy that an endpoint names, in either form. `None` where it is none of them.
pub(crate) fn policy_of_endpoint(bytes: &Bytes) -> Option<PolicyRef> {
    if bytes.first().is_some_and(|first| *first < TEXT_BEGINS_AT) {
        return messages::PolicyId::decode(bytes.clone()).ok().map(|id| policy(&id));
    }
    std::str::from_utf8(bytes).ok().map(named)
}

/// By kind, as from 3.32.
fn of_kind(kind: &str, namespace: &str, name: &str) -> PolicyRef {
    let (staged, kind) = match kind.strip_prefix("Staged") {
        Some(rest) => (true, rest),
        None => (false, kind),
    };
    let (kind, name): (_, Box<str>) = match kind {
        "NetworkPolicy" => (PolicyKind::Namespaced, name.into()),
        "KubernetesNetworkPolicy" => (PolicyKind::Kubernetes, name.into()),
        "GlobalNetworkPolicy" => (PolicyKind::Global, name.into()),
        "" if namespace.is_empty() => (PolicyKind::Global, name.into()),
        "" => (PolicyKind::Namespaced, name.into()),
        // Kinds of others (ClusterNetworkPolicy and its like) may have the names of ours.
        other => (PolicyKind::Global, format!("{other}.{name}").into()),
    };
    PolicyRef { id: Arc::new(PolicyId { name, namespace: namespace.into(), kind }), staged }
}

/// By a name alone, as up to 3.31: `[NAMESPACE/][staged:][knp.default.]NAME`.
fn named(text: &str) -> PolicyRef {
    let (namespace, rest) = text.split_once('/').unwrap_or(("", text));
    let (staged, name) = match rest.strip_prefix("staged:") {
        Some(name) => (true, name),
        None => (false, rest),
    };
    let (kind, name) = match name.strip_prefix("knp.default.") {
        Some(name) if !namespace.is_empty() => (PolicyKind::Kubernetes, name),
        _ if namespace.is_empty() => (PolicyKind::Global, name),
        _ => (PolicyKind::Namespaced, name),
    };
    PolicyRef { id: Arc::new(PolicyId { name: name.into(), namespace: namespace.into(), kind }), staged }
}

/// What an endpoint is called here: a pod's first interface as the pod.
pub(crate) fn endpoint(id: &messages::WorkloadEndpointId) -> EndpointId {
    let of_interface = |name: &str| match &*id.endpoint_id {
        "eth0" | "" => name.into(),
        other => format!("{name}/{other}").into(),
    };
    match id.workload_id.split_once('/') {
        Some((namespace, pod)) if id.orchestrator_id == "k8s" => {
            EndpointId { kind: EndpointKind::Pod, namespace: namespace.into(), name: of_interface(pod) }
        }
        _ => {
            let name = of_interface(&id.workload_id);
            EndpointId { kind: EndpointKind::Workload, namespace: (&*id.orchestrator_id).into(), name }
        }
    }
}

/// A member of a set: an address, a range, or an address with a port.
pub(crate) fn member(text: &str) -> Option<Member> {
    let Some((address, port)) = text.split_once(',') else {
        return text.parse::<Net>().ok().map(Member::Net);
    };
    let address: IpAddr = address.parse().ok()?;
    let (protocol, port) = port.split_once(':')?;
    let protocol = Protocol::parse(protocol).filter(|protocol| protocol.has_ports())?;
    Some(Member::Port(address, protocol, number(port)?))
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reference: &PolicyRef) -> String {
        let staged = if reference.staged { "staged " } else { "" };
        format!("{staged}{:?} {}", reference.id.kind, reference.id)
    }

    #[test]
    fn policies_are_known_by_either_form_of_their_name() {
        for (name, is) in [
            ("default.web", "Global default.web"),
            ("bank/default.web", "Namespaced bank/default.web"),
            ("bank/knp.default.web", "Kubernetes bank/web"),
            ("staged:default.web", "staged Global default.web"),
            ("bank/staged:knp.default.web", "staged Kubernetes bank/web"),
            ("knp.default.web", "Global knp.default.web"),
        ] {
            let id = messages::PolicyId { tier: "default".into(), name: name.into(), ..Default::default() };
            assert_eq!(shown(&policy(&id)), is, "{name}");
            let named = policy_of_endpoint(&Bytes::copy_from_slice(name.as_bytes())).unwrap();
            assert_eq!(named, policy(&id), "an endpoint names it so");
        }
        for (namespace, kind, is) in [
            ("", "GlobalNetworkPolicy", "Global web"),
            ("bank", "NetworkPolicy", "Namespaced bank/web"),
            ("bank", "StagedKubernetesNetworkPolicy", "staged Kubernetes bank/web"),
            ("", "ClusterNetworkPolicy", "Global ClusterNetworkPolicy.web"),
            ("bank", "", "Namespaced bank/web"),
        ] {
            let id = |namespace: &str, kind: &str| messages::PolicyId {
                tier: String::new(),
                name: "web".into(),
                namespace: namespace.into(),
                kind: kind.into(),
            };
            let one = id(namespace, kind);
            assert_eq!(shown(&policy(&one)), is);
            assert_eq!(policy(&one), policy(&id(kind, namespace)), "whichever field is which");
            assert_eq!(policy_of_endpoint(&one.encode_to_vec().into()).unwrap(), policy(&one));
        }
        assert_eq!(policy_of_endpoint(&Bytes::from_static(b"\x12\xff")), None);
        assert_eq!(policy_of_endpoint(&Bytes::from_static(b"a\xff")), None);
    }

    #[test]
    fn members_are_addresses_ranges_and_addresses_with_ports() {
        for good in
            ["10.0.0.1", "10.0.0.0/8", "2001:db8::/32", "10.0.0.1,tcp:80", "::1,UDP:53", "10.0.0.1,sctp:0"]
        {
            assert!(member(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "web",
            "10.0.0.1,80",
            "10.0.0.1,icmp:1",
            "10.0.0.1,tcp:+80",
            "10.0.0.0/8,tcp:80",
            "a.example.com",
        ] {
            assert!(member(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_pod_is_called_by_its_first_interface() {
        let id = |orchestrator: &str, workload: &str, endpoint: &str| {
            let id = messages::WorkloadEndpointId {
                orchestrator_id: orchestrator.into(),
                workload_id: workload.into(),
                endpoint_id: endpoint.into(),
            };
            let EndpointId { kind, namespace, name } = super::endpoint(&id);
            format!("{kind:?} {namespace} {name}")
        };
        assert_eq!(id("k8s", "bank/web-1", "eth0"), "Pod bank web-1");
        assert_eq!(id("k8s", "bank/web-1", "net1"), "Pod bank web-1/net1");
        assert_eq!(id("openstack", "vm/1", "eth0"), "Workload openstack vm/1");
    }
}
