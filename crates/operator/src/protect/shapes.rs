//! The objects that we put into a cluster for a protected Service: its shadow, and the EndpointSlices that lead to the pool.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ObjectReference, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::names::{Key, MANAGED_BY_LABEL, MANAGED_BY_US, SERVICE_NAME_LABEL, SHADOW_OF, shadow_name};
use super::pool::Pool;

/// A Service's selector.
pub type Selector = BTreeMap<String, String>;

/// The shadow of a Service: headless, with its ports and the selector that it had, so that the cluster's own controller
/// keeps EndpointSlices of the pods behind it. It goes with the Service.
pub fn shadow(of: &Service, selector: &Selector) -> Service {
    let spec = of.spec.clone().unwrap_or_default();
    let port = |port: ServicePort| ServicePort { node_port: None, ..port };
    let key = Key::of(&of.metadata);
    Service {
        metadata: ObjectMeta {
            name: Some(shadow_name(&key.name)),
            namespace: Some(key.namespace),
            labels: Some(
                [
                    (SHADOW_OF.to_owned(), key.name),
                    ("app.kubernetes.io/managed-by".to_owned(), "palisade".to_owned()),
                ]
                .into(),
            ),
            owner_references: Some(vec![owned_by(of)]),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            ip_families: spec.ip_families,
            ip_family_policy: spec.ip_family_policy,
            ports: spec.ports.map(|ports| ports.into_iter().map(port).collect()),
            publish_not_ready_addresses: spec.publish_not_ready_addresses.filter(|publish| *publish),
            selector: Some(selector.clone()),
            type_: Some("ClusterIP".to_owned()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Whether a shadow that is there does what it is there for.
pub(super) fn is_shadow(there: &Service, wanted: &Service) -> bool {
    let (Some(there_spec), Some(wanted_spec)) = (&there.spec, &wanted.spec) else { return false };
    let port = |port: &ServicePort| {
        let protocol = port.protocol.as_deref().unwrap_or("TCP").to_owned();
        (
            port.name.clone().unwrap_or_default(),
            port.port,
            protocol,
            port.target_port.clone(),
            port.app_protocol.clone(),
        )
    };
    let ports = |spec: &ServiceSpec| spec.ports.iter().flatten().map(port).collect::<Vec<_>>();
    there_spec.selector == wanted_spec.selector
        && ports(there_spec) == ports(wanted_spec)
        && there_spec.publish_not_ready_addresses.unwrap_or(false)
            == wanted_spec.publish_not_ready_addresses.unwrap_or(false)
        && there.metadata.labels.as_ref().and_then(|labels| labels.get(SHADOW_OF))
            == wanted.metadata.labels.as_ref().and_then(|labels| labels.get(SHADOW_OF))
}

/// The families of addresses that a Service has.
fn families(service: &Service) -> Vec<&str> {
    let told = service.spec.as_ref().and_then(|spec| spec.ip_families.as_deref()).unwrap_or_default();
    if told.is_empty() { vec!["IPv4"] } else { told.iter().map(String::as_str).collect() }
}

/// The EndpointSlices that lead from a Service to the pool, one for each family of addresses that both have. `ports` are
/// the pool's, by the names of the Service's.
pub fn slices(of: &Service, pool: &Pool, ports: &BTreeMap<String, u16>) -> Vec<EndpointSlice> {
    let slice = |family: &str| {
        let is_of = |address: &&IpAddr| address.is_ipv4() == (family == "IPv4");
        let endpoint = |member: &super::pool::Member| {
            Some(Endpoint {
                addresses: vec![member.addresses.iter().find(is_of)?.to_string()],
                conditions: Some(EndpointConditions {
                    ready: Some(true),
                    serving: Some(true),
                    terminating: Some(false),
                }),
                node_name: member.node.clone(),
                target_ref: Some(ObjectReference {
                    kind: Some("Pod".to_owned()),
                    namespace: Some(member.pod.namespace.clone()),
                    name: Some(member.pod.name.clone()),
                    uid: Some(member.uid.clone()),
                    ..ObjectReference::default()
                }),
                ..Endpoint::default()
            })
        };
        let endpoints: Vec<_> = pool.members.iter().filter_map(endpoint).collect();
        (!endpoints.is_empty()).then(|| slice(of, family, endpoints, ports))
    };
    families(of).into_iter().filter_map(slice).collect()
}

fn slice(
    of: &Service,
    family: &str,
    endpoints: Vec<Endpoint>,
    ports: &BTreeMap<String, u16>,
) -> EndpointSlice {
    let key = Key::of(&of.metadata);
    let told = of.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let port = |port: &ServicePort| {
        let name = port.name.clone().unwrap_or_default();
        let number = *ports.get(&name)?;
        Some(EndpointPort {
            app_protocol: port.app_protocol.clone(),
            name: Some(name),
            port: Some(number.into()),
            protocol: Some("TCP".to_owned()),
        })
    };
    EndpointSlice {
        metadata: ObjectMeta {
            name: Some(slice_name(&key.name, family)),
            namespace: Some(key.namespace.clone()),
            labels: Some(
                [
                    (SERVICE_NAME_LABEL.to_owned(), key.name.clone()),
                    (MANAGED_BY_LABEL.to_owned(), MANAGED_BY_US.to_owned()),
                ]
                .into(),
            ),
            owner_references: Some(vec![owned_by(of)]),
            ..ObjectMeta::default()
        },
        address_type: family.to_owned(),
        endpoints,
        ports: Some(told.iter().filter_map(port).collect()),
    }
}

/// What our EndpointSlice of a Service is called.
pub(super) fn slice_name(service: &str, family: &str) -> String {
    format!("{}-{}", shadow_name(service), family.to_ascii_lowercase())
}

/// Whether an EndpointSlice leads where a wanted one does.
pub(super) fn is_slice(there: &EndpointSlice, wanted: &EndpointSlice) -> bool {
    let leads = |slice: &EndpointSlice| {
        let endpoints: Vec<_> = slice
            .endpoints
            .iter()
            .map(|endpoint| {
                let ready =
                    endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
                (endpoint.addresses.clone(), ready, endpoint.node_name.clone())
            })
            .collect();
        let port = |port: &EndpointPort| {
            (port.name.clone().unwrap_or_default(), port.port, port.app_protocol.clone())
        };
        let ports: Vec<_> = slice.ports.iter().flatten().map(port).collect();
        (slice.address_type.clone(), endpoints, ports, slice.metadata.labels.clone())
    };
    leads(there) == leads(wanted)
}

fn owned_by(service: &Service) -> OwnerReference {
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        name: service.metadata.name.clone().unwrap_or_default(),
        uid: service.metadata.uid.clone().unwrap_or_default(),
        controller: None,
        block_owner_deletion: None,
    }
}
