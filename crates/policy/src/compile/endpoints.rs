//! Which policies select which endpoint, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::form::{Endpoint, EndpointId, EndpointKind, EndpointTier, PolicyRef, Update};
use crate::item::Item;
use crate::net::Net;
use crate::object::{ObjectKey, Policy};
use crate::objects::{Objects, Variant};

#[derive(Debug, Default)]
pub(super) struct Endpoints {
    /// What was said of each.
    said: BTreeMap<EndpointId, Endpoint>,
    /// What each policy is known by to the index.
    pub(super) references: BTreeMap<ObjectKey, PolicyRef>,
}

impl Endpoints {
    /// Says what changed: of all endpoints, or of some.
    pub(super) fn renew(
        &mut self,
        objects: &Objects,
        items: &BTreeMap<ObjectKey, Item>,
        concerned: Option<&BTreeSet<ObjectKey>>,
        out: &mut Vec<Update>,
    ) {
        if concerned.is_some_and(BTreeSet::is_empty) {
            return;
        }
        let enforced = objects.policies_of(Variant::Enforced);
        let pending = objects.policies_of(Variant::Pending);
        let staging = objects.staging();
        let references: BTreeMap<(&crate::object::PolicyId, bool), &PolicyRef> = self
            .references
            .values()
            .map(|reference| ((&*reference.id, reference.staged), reference))
            .collect();
        let mut renew = |key: &ObjectKey| {
            let Some(id) = endpoint_id(key) else { return };
            let Some(item) = items.get(key) else {
                if self.said.remove(&id).is_some() {
                    out.push(Update::EndpointRemoved(id));
                }
                return;
            };
            let Some(facts) = &item.endpoint else { return };
            let tiers = |policies: &[&Policy]| tiers(objects, &references, policies, item);
            let endpoint = Endpoint {
                addresses: item.nets.iter().filter_map(Net::single).collect::<Vec<IpAddr>>(),
                tiers: tiers(&enforced),
                pending: staging
                    .iter()
                    .any(|policy| policy.applies_to.matches(&item.labels))
                    .then(|| tiers(&pending)),
                profiles: facts.profiles.iter().map(|name| (&**name).into()).collect(),
            };
            if self.said.get(&id) != Some(&endpoint) {
                self.said.insert(id.clone(), endpoint.clone());
                out.push(Update::Endpoint(id, endpoint));
            }
        };
        match concerned {
            Some(keys) => keys.iter().for_each(&mut renew),
            None => items.keys().for_each(&mut renew),
        }
        // Where all are asked, those that are gone have been told of already, or are told now.
        if concerned.is_none() {
            let there: BTreeSet<EndpointId> = items.keys().filter_map(endpoint_id).collect();
            let gone: Vec<EndpointId> = self.said.keys().filter(|id| !there.contains(id)).cloned().collect();
            for id in gone {
                self.said.remove(&id);
                out.push(Update::EndpointRemoved(id));
            }
        }
    }
}

fn tiers(
    objects: &Objects,
    references: &BTreeMap<(&crate::object::PolicyId, bool), &PolicyRef>,
    policies: &[&Policy],
    item: &Item,
) -> Vec<EndpointTier> {
    let mut tiers: Vec<(&str, Vec<PolicyRef>, Vec<PolicyRef>)> = Vec::new();
    for policy in policies {
        if !policy.applies_to.matches(&item.labels) {
            continue;
        }
        let Some(reference) = references.get(&(&policy.id, policy.staged.is_some())) else { continue };
        if tiers.last().is_none_or(|(name, ..)| *name != &*policy.tier) {
            tiers.push((&policy.tier, Vec::new(), Vec::new()));
        }
        if let Some((_, ingress, egress)) = tiers.last_mut() {
            ingress.extend(policy.ingress.is_some().then(|| (*reference).clone()));
            egress.extend(policy.egress.is_some().then(|| (*reference).clone()));
        }
    }
    let made = tiers.into_iter().map(|(name, ingress, egress)| EndpointTier {
        name: Arc::from(name),
        default_action: objects.tier(name).default_action,
        ingress: ingress.into(),
        egress: egress.into(),
    });
    made.collect()
}

fn endpoint_id(key: &ObjectKey) -> Option<EndpointId> {
    let kind = match key.kind {
        "Pod" => EndpointKind::Pod,
        "WorkloadEndpoint" => EndpointKind::Workload,
        "HostEndpoint" => EndpointKind::Host,
        _ => return None,
    };
    Some(EndpointId { kind, namespace: key.namespace.clone(), name: key.name.clone() })
}
