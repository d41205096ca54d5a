//! All objects that are known, by kind and name, and what they are together.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::flow::{Feed, WorkloadName};
use crate::item::{Inherited, Item};
use crate::labels::Labels;
use crate::object::{
    DefaultAction, Object, ObjectKey, Policy, PolicyId, Profile, StagedAction, TargetPort, Tier,
};
use crate::rule::{Action, Protocol, Rule, ServiceName};

/// The objects.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    all: BTreeMap<ObjectKey, Object>,
    /// How they come.
    pub feed: Feed,
}

impl Objects {
    /// Adds an object, in the place of one of its kind and name. Returns that.
    pub fn set(&mut self, key: ObjectKey, object: Object) -> Option<Object> {
        self.all.insert(key, object)
    }

    /// Takes an object away.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Object> {
        self.all.remove(key)
    }

    /// An object.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.all.get(key)
    }

    /// All of them, by kind, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        self.all.iter()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The addresses of a workload.
    #[must_use]
    pub fn addresses_of(&self, workload: &WorkloadName) -> &[IpAddr] {
        for kind in WORKLOAD_KINDS {
            let key = ObjectKey { kind, namespace: workload.namespace.clone(), name: workload.name.clone() };
            if let Some(Object::Workload(workload)) = self.all.get(&key) {
                return &workload.addresses;
            }
        }
        &[]
    }

    /// Whether a workload is known to have an address.
    pub(crate) fn has_workload_at(&self, address: IpAddr) -> bool {
        self.all.values().any(|object| match object {
            Object::Workload(workload) => workload.addresses.contains(&address),
            _ => false,
        })
    }

    pub(crate) fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.all.values().filter_map(|object| match object {
            Object::Policy(policy) => Some(policy),
            _ => None,
        })
    }

    /// The policies of a variant: as they are, or as they would be if what is staged were in force.
    pub(crate) fn policies_of(&self, variant: Variant) -> Vec<&Policy> {
        let mut policies: Vec<&Policy> = match variant {
            Variant::Enforced => self.policies().filter(|policy| policy.staged.is_none()).collect(),
            Variant::Pending => {
                let replaced = self.replaced();
                let stays = |policy: &&Policy| match policy.staged {
                    None => !replaced.contains(&policy.id),
                    Some(StagedAction::Set | StagedAction::Learn) => true,
                    Some(StagedAction::Delete | StagedAction::Ignore) => false,
                };
                self.policies().filter(stays).collect()
            }
        };
        policies.sort_by(|a, b| self.compare_policies(a, b));
        policies
    }

    /// Policies whose place something staged takes.
    pub(crate) fn replaced(&self) -> BTreeSet<&PolicyId> {
        let takes = |policy: &&Policy| !matches!(policy.staged, None | Some(StagedAction::Ignore));
        self.policies().filter(takes).map(|policy| &policy.id).collect()
    }

    /// Policies that are staged, and those whose place they take: whoever one of them selects has two answers. It looks at every
    /// object: asked once for all endpoints.
    pub(crate) fn staging(&self) -> Vec<&Policy> {
        let replaced = self.replaced();
        if replaced.is_empty() {
            return Vec::new();
        }
        let concerned = |policy: &&Policy| {
            let acts = !matches!(policy.staged, None | Some(StagedAction::Ignore));
            acts || replaced.contains(&policy.id)
        };
        self.policies().filter(concerned).collect()
    }

    /// Tiers by order and name; policies in them by order, name, namespace and kind. Without an order: last.
    pub(crate) fn compare_policies(&self, a: &Policy, b: &Policy) -> Ordering {
        let key = |policy: &Policy| (self.tier(&policy.tier).order, policy.order);
        let ((tier_a, order_a), (tier_b, order_b)) = (key(a), key(b));
        compare_orders(tier_a, tier_b)
            .then_with(|| a.tier.cmp(&b.tier))
            .then_with(|| compare_orders(order_a, order_b))
            .then_with(|| a.id.cmp(&b.id))
            .then_with(|| a.staged.is_some().cmp(&b.staged.is_some()))
    }

    /// A tier; one that nobody made is the last, unless it is built in.
    pub(crate) fn tier(&self, name: &str) -> Tier {
        let built_in = BUILT_IN_TIERS.iter().find(|(built_in, ..)| *built_in == name);
        let key = ObjectKey { kind: "Tier", namespace: "".into(), name: name.into() };
        match (self.all.get(&key), built_in) {
            (Some(Object::Tier(tier)), Some((_, order, _))) => {
                Tier { order: tier.order.or(Some(*order)), ..tier.clone() }
            }
            (Some(Object::Tier(tier)), None) => tier.clone(),
            (_, Some((_, order, default_action))) => {
                Tier { order: Some(*order), default_action: *default_action }
            }
            _ => Tier { order: None, default_action: DefaultAction::Deny },
        }
    }

    /// A profile, by its name; what Kubernetes and Calico give every cluster is there without an object.
    pub(crate) fn profile_of(&self, name: &str) -> Option<Profile> {
        if let Some(profile) = self.profile(name) {
            return Some(profile.clone());
        }
        let allow = || vec![Rule::new(Action::Allow)];
        if name.starts_with("kns.") || name == DEFAULT_ALLOW {
            return Some(Profile { ingress: allow(), egress: allow(), labels: Labels::default() });
        }
        // Of labels alone.
        name.starts_with("ksa.").then(Profile::default)
    }

    /// Addresses and ports that answer for a service: as its endpoints say, else its pods.
    pub(crate) fn service_members(&self, service: &ServiceName) -> BTreeSet<(IpAddr, Protocol, u16)> {
        let mut said = false;
        let mut members = BTreeSet::new();
        for object in self.all.values() {
            if let Object::Endpoints(endpoints) = object
                && endpoints.service == *service
            {
                said = true;
                members.extend(
                    endpoints.members.iter().map(|(address, protocol, port)| (*address, *protocol, *port)),
                );
            }
        }
        let key =
            ObjectKey { kind: "Service", namespace: service.namespace.clone(), name: service.name.clone() };
        let Some(Object::Service(service)) = self.all.get(&key) else { return members };
        for port in &service.ports {
            let of_port =
                |number| service.addresses.iter().map(move |address| (*address, port.protocol, number));
            members.extend(port.port.into_iter().flat_map(of_port));
        }
        if said {
            return members;
        }
        let Some(selector) = &service.selector else { return members };
        for object in self.all.values() {
            let Object::Workload(workload) = object else { continue };
            if workload.namespace != key.namespace || !selector.matches(&workload.labels) {
                continue;
            }
            for port in &service.ports {
                let numbers: Vec<u16> = match &port.target {
                    TargetPort::Number(number) => vec![*number],
                    TargetPort::Named(name) => {
                        let named = |there: &&crate::object::NamedPort| {
                            there.name == *name && there.protocol == port.protocol
                        };
                        workload.ports.iter().filter(named).map(|there| there.port).collect()
                    }
                };
                for number in numbers {
                    members
                        .extend(workload.addresses.iter().map(|address| (*address, port.protocol, number)));
                }
            }
        }
        members
    }

    /// All that has addresses, with its key.
    pub(crate) fn items(&self) -> Vec<(&ObjectKey, Item)> {
        self.all.iter().filter_map(|(key, object)| Some((key, Item::of(key, object, self)?))).collect()
    }
}

impl Inherited for Objects {
    fn namespace(&self, name: &str) -> Option<&Labels> {
        match self.all.get(&ObjectKey { kind: "Namespace", namespace: "".into(), name: name.into() }) {
            Some(Object::Namespace(labels)) => Some(labels),
            _ => None,
        }
    }

    fn service_account(&self, namespace: &str, name: &str) -> Option<&Labels> {
        let key = ObjectKey { kind: "ServiceAccount", namespace: namespace.into(), name: name.into() };
        match self.all.get(&key) {
            Some(Object::ServiceAccount(labels)) => Some(labels),
            _ => None,
        }
    }

    fn profile(&self, name: &str) -> Option<&Profile> {
        match self.all.get(&ObjectKey { kind: "Profile", namespace: "".into(), name: name.into() }) {
            Some(Object::Profile(profile)) => Some(profile),
            _ => None,
        }
    }
}

/// What is looked at: what is in force, or what would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Variant {
    Enforced,
    Pending,
}

/// Kinds that are workloads; where a name is in both, the first counts.
pub(crate) const WORKLOAD_KINDS: [&str; 2] = ["Pod", "WorkloadEndpoint"];

const DEFAULT_ALLOW: &str = "projectcalico-default-allow";

const BUILT_IN_TIERS: [(&str, f64, DefaultAction); 3] = [
    ("kube-admin", 1_000.0, DefaultAction::Pass),
    ("default", 1_000_000.0, DefaultAction::Deny),
    ("kube-baseline", 10_000_000.0, DefaultAction::Pass),
];

fn compare_orders(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}
