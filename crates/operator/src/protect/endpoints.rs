//! Endpoints as EndpointSlices tell them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::names::{MANAGED_BY_LABEL, MANAGED_BY_US, MIRROR_CONTROLLER, SLICE_CONTROLLER, label};

/// Who keeps an EndpointSlice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The cluster, for a Service with a selector.
    Controller,
    /// The cluster, for an Endpoints object that it takes for hand-made.
    Mirror,
    /// We.
    Us,
    /// Somebody else.
    Other,
}

/// Who keeps a slice.
pub(super) fn keeper(slice: &EndpointSlice) -> Keeper {
    match label(&slice.metadata, MANAGED_BY_LABEL) {
        Some(SLICE_CONTROLLER) => Keeper::Controller,
        Some(MIRROR_CONTROLLER) => Keeper::Mirror,
        Some(MANAGED_BY_US) => Keeper::Us,
        _ => Keeper::Other,
    }
}

/// What can be reached behind each port of a Service, by the port's name. An endpoint that says nothing of itself is ready.
pub(super) fn ready_by_port<'a>(
    slices: impl IntoIterator<Item = &'a EndpointSlice>,
) -> BTreeMap<String, BTreeSet<SocketAddr>> {
    let mut by_port: BTreeMap<String, BTreeSet<SocketAddr>> = BTreeMap::new();
    for slice in slices {
        for port in slice.ports.iter().flatten() {
            let Some(number) = port.port.and_then(|number| u16::try_from(number).ok()) else { continue };
            let addresses = slice.endpoints.iter().filter(|endpoint| is_ready(endpoint)).flat_map(addresses);
            let all = by_port.entry(port.name.clone().unwrap_or_default()).or_default();
            all.extend(addresses.map(|address| SocketAddr::new(address, number)));
        }
    }
    by_port
}

fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
}

fn addresses(endpoint: &Endpoint) -> impl Iterator<Item = IpAddr> {
    endpoint.addresses.iter().filter_map(|address| address.parse().ok())
}
