//! The objects that we put into a cluster for a protected Service: its shadow, and the EndpointSlices that lead to the pool.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ObjectReference, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::endpoints::Slice;
use super::names::{Key, MANAGED_BY_LABEL, MANAGED_BY_US, SERVICE_NAME_LABEL, SHADOW_OF, shadow_name};
use super::pool::{Member, Pool};

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

/// The way from a Service to the pool: EndpointSlices of ours, one for each family of addresses that both have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    /// The Service.
    pub(super) of: &'a Service,
    /// Where it leads.
    pub(super) pool: &'a Pool,
    /// The pool's ports, by the names of the Service's.
    pub(super) ports: &'a BTreeMap<String, u16>,
}

impl<'a> Way<'a> {
    /// The families of addresses that the Service and somebody of the pool have.
    pub(super) fn families(self) -> impl Iterator<Item = &'a str> {
        let told = self.of.spec.as_ref().and_then(|spec| spec.ip_families.as_deref()).unwrap_or_default();
        let usual = told.is_empty().then_some("IPv4");
        told.iter()
            .map(String::as_str)
            .chain(usual)
            .filter(move |family| self.members(family).next().is_some())
    }

    /// What our EndpointSlice of a family is called.
    pub(super) fn slice_name(self, family: &str) -> String {
        let service = self.of.metadata.name.as_deref().unwrap_or_default();
        format!("{}-{}", shadow_name(service), family.to_ascii_lowercase())
    }

    /// Whether an EndpointSlice of ours leads there.
    pub(super) fn is_led_by(self, there: &Slice, family: &str) -> bool {
        let members = there
            .endpoints
            .iter()
            .map(|endpoint| (&endpoint.addresses[..], endpoint.is_ready, endpoint.node.as_deref()));
        let wanted = self
            .members(family)
            .map(|(member, address)| (std::slice::from_ref(address), true, member.node.as_deref()));
        let ports = there.ports.iter().map(|port| (&*port.name, port.number, port.app_protocol.as_deref()));
        let wanted_ports = self.served().map(|(port, number)| {
            (port.name.as_deref().unwrap_or_default(), Some(number), port.app_protocol.as_deref())
        });
        there.service.as_ref() == Some(&Key::of(&self.of.metadata))
            && there.family == family
            && members.eq(wanted)
            && ports.eq(wanted_ports)
    }

    /// The EndpointSlice of a family.
    pub(super) fn slice(self, family: &str) -> EndpointSlice {
        let key = Key::of(&self.of.metadata);
        let port = |(port, number): (&ServicePort, u16)| EndpointPort {
            app_protocol: port.app_protocol.clone(),
            name: Some(port.name.clone().unwrap_or_default()),
            port: Some(number.into()),
            protocol: Some("TCP".to_owned()),
        };
        EndpointSlice {
            metadata: ObjectMeta {
                name: Some(self.slice_name(family)),
                namespace: Some(key.namespace.clone()),
                labels: Some(
                    [
                        (SERVICE_NAME_LABEL.to_owned(), key.name.clone()),
                        (MANAGED_BY_LABEL.to_owned(), MANAGED_BY_US.to_owned()),
                    ]
                    .into(),
                ),
                owner_references: Some(vec![owned_by(self.of)]),
                ..ObjectMeta::default()
            },
            address_type: family.to_owned(),
            endpoints: self.members(family).map(|(member, address)| endpoint(member, address)).collect(),
            ports: Some(self.served().map(port).collect()),
        }
    }

    /// Who of the pool has an address of a family, and which.
    fn members(self, family: &str) -> impl Iterator<Item = (&'a Member, &'a IpAddr)> {
        let is_v4 = family == "IPv4";
        self.pool.members.iter().filter_map(move |member| {
            Some((member, member.addresses.iter().find(|address| address.is_ipv4() == is_v4)?))
        })
    }

    /// The Service's ports that the pool serves, with the pool's.
    fn served(self) -> impl Iterator<Item = (&'a ServicePort, u16)> {
        let told = self.of.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
        told.filter_map(move |port| Some((port, *self.ports.get(port.name.as_deref().unwrap_or_default())?)))
    }
}

fn endpoint(member: &Member, address: &IpAddr) -> Endpoint {
    Endpoint {
        addresses: vec![address.to_string()],
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
    }
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
