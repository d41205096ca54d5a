//! EndpointSlices as far as they are read. Those of a pool of fifty name all of it for each protected Service, and an endpoint
//! of the API is many times as large as its address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::discovery::v1;

use super::names::{
    Key, MANAGED_BY_LABEL, MANAGED_BY_US, MIRROR_CONTROLLER, SERVICE_NAME_LABEL, SLICE_CONTROLLER, label,
};

/// An EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Which.
    pub seen: Seen,
    /// The Service that it is of.
    pub service: Option<Key>,
    /// Who keeps it.
    pub keeper: Keeper,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub family: String,
    /// Where it leads.
    pub endpoints: Box<[Endpoint]>,
    /// And to which ports there.
    pub ports: Box<[Port]>,
}

/// An object as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub key: Key,
    /// The one of that name that was seen.
    pub uid: Option<String>,
    /// Its version.
    pub resource_version: Option<String>,
}

/// Who keeps an EndpointSlice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// The cluster, for a Service with a selector.
    Controller,
    /// The cluster, for an Endpoints object that it takes for hand-made.
    Mirror,
    /// We.
    Us,
    /// Somebody else.
    Other,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its addresses. Names have none.
    pub addresses: Box<[IpAddr]>,
    /// One that says nothing of itself is ready.
    pub is_ready: bool,
    /// The node that it is on.
    pub node: Option<Box<str>>,
    /// The pod that it is, of those that others keep.
    pub pod: Option<Box<Key>>,
}

/// A port of all endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Empty where it has none.
    pub name: Box<str>,
    /// Its number.
    pub number: Option<u16>,
    /// What it speaks.
    pub app_protocol: Option<Box<str>>,
}

impl Slice {
    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.seen.key.name
    }
}

impl From<v1::EndpointSlice> for Slice {
    fn from(slice: v1::EndpointSlice) -> Self {
        let meta = slice.metadata;
        let key = Key::of(&meta);
        let keeper = match label(&meta, MANAGED_BY_LABEL) {
            Some(SLICE_CONTROLLER) => Keeper::Controller,
            Some(MIRROR_CONTROLLER) => Keeper::Mirror,
            Some(MANAGED_BY_US) => Keeper::Us,
            _ => Keeper::Other,
        };
        Self {
            service: label(&meta, SERVICE_NAME_LABEL).map(|service| Key::new(&key.namespace, service)),
            seen: Seen { key, uid: meta.uid, resource_version: meta.resource_version },
            keeper,
            family: slice.address_type,
            endpoints: slice.endpoints.into_iter().map(|endpoint| Endpoint::of(endpoint, keeper)).collect(),
            ports: slice.ports.into_iter().flatten().map(Port::from).collect(),
        }
    }
}

impl Endpoint {
    fn of(endpoint: v1::Endpoint, keeper: Keeper) -> Self {
        // The pods of our own are the pool's, which is known.
        let target = endpoint
            .target_ref
            .filter(|target| keeper != Keeper::Us && target.kind.as_deref() == Some("Pod"));
        let pod = |target: k8s_openapi::api::core::v1::ObjectReference| {
            Some(Box::new(Key { namespace: target.namespace?, name: target.name? }))
        };
        Self {
            addresses: endpoint.addresses.iter().filter_map(|address| address.parse().ok()).collect(),
            is_ready: endpoint.conditions.and_then(|conditions| conditions.ready).unwrap_or(true),
            node: endpoint.node_name.map(String::into_boxed_str),
            pod: target.and_then(pod),
        }
    }
}

impl From<v1::EndpointPort> for Port {
    fn from(port: v1::EndpointPort) -> Self {
        Self {
            name: port.name.unwrap_or_default().into_boxed_str(),
            number: port.port.and_then(|number| u16::try_from(number).ok()),
            app_protocol: port.app_protocol.map(String::into_boxed_str),
        }
    }
}

/// What can be reached behind each port of a Service, by the port's name.
pub(super) fn ready_by_port<'a>(
    slices: impl IntoIterator<Item = &'a Slice>,
) -> BTreeMap<&'a str, BTreeSet<SocketAddr>> {
    let mut by_port: BTreeMap<&str, BTreeSet<SocketAddr>> = BTreeMap::new();
    for slice in slices {
        for port in &slice.ports {
            let Some(number) = port.number else { continue };
            let ready = slice.endpoints.iter().filter(|endpoint| endpoint.is_ready);
            let addresses = ready.flat_map(|endpoint| &endpoint.addresses);
            let all = by_port.entry(&*port.name).or_default();
            all.extend(addresses.map(|address| SocketAddr::new(*address, number)));
        }
    }
    by_port
}
