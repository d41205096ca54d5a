//! From objects to the form that the index takes, change by change.
//!
//! Every question that some rule asks of labels becomes a set, named by the question itself; an object that changes is
//! asked every question once, before and after. What a change touches beyond that is told where it happens.

mod endpoints;
mod questions;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::flow::Feed;
use crate::form::{AccountName, CompiledPolicy, PolicyRef, SetName, Sets, Update};
use crate::item::{Inherited, Item, with_name};
use crate::labels::Labels;
use crate::net::Net;
use crate::object::{Object, ObjectKey, Policy, Profile};
use crate::objects::Objects;
use crate::rule::{Asked, Rule};
use endpoints::Endpoints;
use questions::Questions;

/// A change to the objects: a new one, or one that is gone.
pub type Change = (ObjectKey, Option<Object>);

/// Objects, and what was made of them.
#[derive(Debug, Default)]
pub struct Compiler {
    objects: Objects,
    items: BTreeMap<ObjectKey, Item>,
    /// Who has a range, by all that have it.
    holders: BTreeMap<Net, BTreeSet<ObjectKey>>,
    questions: Questions,
    endpoints: Endpoints,
    /// Profiles that endpoints name, and how often.
    named: BTreeMap<Arc<str>, usize>,
    /// Profiles that the index was told of.
    profiles: BTreeSet<Arc<str>>,
    begun: bool,
}

impl Compiler {
    /// A compiler without objects, of objects that come all at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A compiler without objects.
    #[must_use]
    pub fn fed(feed: Feed) -> Self {
        let mut compiler = Self::default();
        compiler.objects.feed = feed;
        compiler
    }

    /// The objects as they are.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Takes changes, and says what they change for the index, in an order in which nothing is named before it is there.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Vec<Update> {
        let mut out = Vec::new();
        let mut touched = Touched::default();
        for (key, object) in changes {
            self.change(key, object, &mut touched, &mut out);
        }
        self.change_items(&touched, &mut out);
        if touched.services {
            self.questions.ask_services(&self.objects, &mut out);
        }
        // Policies come after the sets that they name.
        let mut gone = Vec::new();
        for key in &touched.policies {
            self.change_policy(key, &mut out, &mut gone);
        }
        self.change_profiles(&touched, &mut out, &mut gone);
        let all = !touched.policies.is_empty() || touched.tiers || !self.begun;
        let concerned = if all { None } else { Some(&touched.items) };
        self.endpoints.renew(&self.objects, &self.items, concerned, &mut out);
        out.append(&mut gone);
        self.questions.forget_unused(&mut out);
        if !self.begun {
            self.begun = true;
            out.push(Update::InSync);
        }
        out
    }

    fn change(
        &mut self,
        key: ObjectKey,
        object: Option<Object>,
        touched: &mut Touched,
        out: &mut Vec<Update>,
    ) {
        let before = match &object {
            Some(object) => self.objects.set(key.clone(), object.clone()),
            None => self.objects.remove(&key),
        };
        if before == object {
            return;
        }
        let Some(one) = object.as_ref().or(before.as_ref()) else { return };
        match one {
            Object::Policy(_) => {
                touched.policies.insert(key);
            }
            Object::Tier(_) => touched.tiers = true,
            Object::Profile(_) => {
                touched.profiles = true;
                touched.items.extend(self.keys_of("HostEndpoint", |_| true));
            }
            Object::Workload(_) | Object::HostEndpoint(_) | Object::NetworkSet(_) => {
                touched.services |= matches!(one, Object::Workload(_));
                touched.items.insert(key);
            }
            Object::Service(_) | Object::Endpoints(_) => touched.services = true,
            Object::Namespace(_) => {
                let labels = self.objects.namespace(&key.name).map(|labels| with_name(labels, &key.name));
                out.push(Update::Namespace(key.name.clone(), labels));
                for kind in ["Pod", "WorkloadEndpoint", "NetworkSet"] {
                    touched.items.extend(self.keys_of(kind, |other| other.namespace == key.name));
                }
            }
            Object::ServiceAccount(_) => {
                let labels = self.objects.service_account(&key.namespace, &key.name);
                let labels: Option<Labels> = labels.map(|labels| with_name(labels, &key.name));
                out.push(Update::ServiceAccount(key.namespace.clone(), key.name.clone(), labels));
                for kind in ["Pod", "WorkloadEndpoint"] {
                    touched.items.extend(self.keys_of(kind, |other| other.namespace == key.namespace));
                }
            }
        }
    }

    fn keys_of(&self, kind: &'static str, is: impl Fn(&ObjectKey) -> bool) -> Vec<ObjectKey> {
        self.items.keys().filter(|key| key.kind == kind && is(key)).cloned().collect()
    }

    /// Objects with addresses: membership in sets, and who runs where.
    fn change_items(&mut self, touched: &Touched, out: &mut Vec<Update>) {
        let mut addresses: BTreeSet<IpAddr> = BTreeSet::new();
        for key in &touched.items {
            let after = self.objects.get(key).and_then(|object| Item::of(key, object, &self.objects));
            let before = self.items.get(key);
            if before == after.as_ref() {
                continue;
            }
            let before = self.items.remove(key);
            for item in [&before, &after].into_iter().flatten().filter(|item| item.endpoint.is_some()) {
                addresses.extend(item.nets.iter().filter_map(Net::single));
            }
            for net in before.iter().flat_map(|item| &item.nets) {
                if let Some(holders) = self.holders.get_mut(net) {
                    holders.remove(key);
                    if holders.is_empty() {
                        self.holders.remove(net);
                    }
                }
            }
            let others = Others { items: &self.items, holders: &self.holders };
            self.questions.ask_item(before.as_ref(), after.as_ref(), &others, out);
            for name in profiles_of(before.as_ref()) {
                if let Some(count) = self.named.get_mut(&**name) {
                    *count -= 1;
                }
            }
            for name in profiles_of(after.as_ref()) {
                match self.named.get_mut(&**name) {
                    Some(count) => *count += 1,
                    None => {
                        self.named.insert((&**name).into(), 1);
                    }
                }
            }
            self.named.retain(|_, count| *count > 0);
            if let Some(item) = after {
                for net in &item.nets {
                    self.holders.entry(*net).or_default().insert(key.clone());
                }
                self.items.insert(key.clone(), item);
            }
        }
        for address in addresses {
            out.push(Update::Owner(address, self.accounts_at(address)));
        }
    }

    /// Who runs at an address; `None` where no endpoint has it.
    fn accounts_at(&self, address: IpAddr) -> Option<Box<[AccountName]>> {
        let holders = self.holders.get(&Net::of(address))?;
        let endpoints = holders.iter().filter_map(|key| self.items.get(key)?.endpoint.as_ref());
        let mut known = false;
        let accounts = endpoints.inspect(|_| known = true).filter_map(|facts| facts.service_account.clone());
        let accounts: Box<[AccountName]> = accounts.collect();
        known.then_some(accounts)
    }

    fn change_policy(&mut self, key: &ObjectKey, out: &mut Vec<Update>, gone: &mut Vec<Update>) {
        let asker = questions::Asker::Object(key.clone());
        match self.objects.get(key) {
            Some(Object::Policy(policy)) => {
                let (policy, reference) = (policy.clone(), reference(policy));
                let compiled = CompiledPolicy {
                    ingress: self.rules(&asker, policy.ingress.as_deref().unwrap_or_default(), out),
                    egress: self.rules(&asker, policy.egress.as_deref().unwrap_or_default(), out),
                };
                self.questions.settle(&asker);
                let before = self.endpoints.references.insert(key.clone(), reference.clone());
                gone.extend(before.filter(|before| *before != reference).map(Update::PolicyRemoved));
                out.push(Update::Policy(reference, compiled));
            }
            _ => {
                self.questions.settle(&asker);
                gone.extend(self.endpoints.references.remove(key).map(Update::PolicyRemoved));
            }
        }
    }

    /// Profiles that endpoints name: those that are objects, and those that go without saying.
    fn change_profiles(&mut self, touched: &Touched, out: &mut Vec<Update>, gone: &mut Vec<Update>) {
        let wanted: BTreeSet<Arc<str>> = self.named.keys().cloned().collect();
        for name in self.profiles.difference(&wanted) {
            gone.push(Update::ProfileRemoved(name.clone()));
            self.questions.settle(&questions::Asker::Profile(name.clone()));
        }
        for name in &wanted {
            let is_new = !self.profiles.contains(name);
            if !is_new && !touched.profiles {
                continue;
            }
            let asker = questions::Asker::Profile(name.clone());
            match self.objects.profile_of(name) {
                Some(Profile { ingress, egress, .. }) => {
                    let compiled = CompiledPolicy {
                        ingress: self.rules(&asker, &ingress, out),
                        egress: self.rules(&asker, &egress, out),
                    };
                    out.push(Update::Profile(name.clone(), compiled));
                }
                None => gone.push(Update::ProfileRemoved(name.clone())),
            }
            self.questions.settle(&asker);
        }
        self.profiles = wanted;
    }

    fn rules(
        &mut self,
        asker: &questions::Asker,
        rules: &[Rule<Asked>],
        out: &mut Vec<Update>,
    ) -> Vec<Rule<Sets>> {
        let mut compiled = Vec::with_capacity(rules.len());
        for rule in rules {
            compiled.push(rule.map(|who, is_source| {
                let mut ask = |question| -> Box<[SetName]> {
                    [self.questions.ask(asker, question, &self.items, &self.objects, out)].into()
                };
                let mut each = |names: &[Box<str>]| -> Box<[SetName]> {
                    names.iter().flat_map(|name| ask(questions::Question::Port(name.clone()))).collect()
                };
                let (ports, not_ports) = (each(&who.ports), each(&who.not_ports));
                let mut labels = |selector: &Option<crate::selector::Selector>| match selector {
                    Some(selector) => ask(questions::Question::Labels(selector.clone())),
                    None => [].into(),
                };
                let (all, none) = (labels(&who.selected), labels(&who.not_selected));
                let services = match &who.service {
                    Some(service) => ask(questions::Question::Service(service.clone(), is_source)),
                    None => [].into(),
                };
                Sets { all, none, services, ports, not_ports }
            }));
        }
        compiled
    }
}

/// What changes have touched.
#[derive(Default)]
struct Touched {
    policies: BTreeSet<ObjectKey>,
    items: BTreeSet<ObjectKey>,
    tiers: bool,
    profiles: bool,
    services: bool,
}

/// Everybody but the one that changes.
struct Others<'c> {
    items: &'c BTreeMap<ObjectKey, Item>,
    holders: &'c BTreeMap<Net, BTreeSet<ObjectKey>>,
}

impl Others<'_> {
    /// Whether one of them has a range and is so.
    fn any(&self, net: &Net, is: impl Fn(&Item) -> bool) -> bool {
        let holders = self.holders.get(net).into_iter().flatten();
        holders.filter_map(|key| self.items.get(key)).any(is)
    }
}

fn profiles_of(item: Option<&Item>) -> &[Box<str>] {
    item.and_then(|item| item.endpoint.as_ref()).map_or(&[], |facts| &facts.profiles)
}

fn reference(policy: &Policy) -> PolicyRef {
    PolicyRef { id: Arc::new(policy.id.clone()), staged: policy.staged.is_some() }
}
