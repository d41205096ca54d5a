//! One stream's news, message by message: what they make visible, or why one is refused. No I/O.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use palisade_policy::{
    CompiledPolicy, Endpoint, Labels, Member, News, PolicyRef, SetName, Source, Update, labels,
};

use crate::convert;
use crate::graph::{Event, Graph, Key};
use crate::limits::Limits;
use crate::messages::{self, Payload, ToDataplane};
use crate::names;

/// Why something that a message says is not taken. What it is about decides against whoever asks then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{about}: {why}")]
pub struct Refusal {
    /// Of what, shortened.
    pub about: String,
    /// Why.
    pub why: &'static str,
}

/// What one stream has said.
///
/// Before it says that this was all, nothing is visible. Then everything becomes visible at once ([`News::Anew`]), and later
/// news one by one. Taken as a [`Source`] by a store.
#[derive(Debug)]
pub struct State {
    limits: Limits,
    graph: Graph<Content>,
    events: Vec<Event<Content>>,
    /// Sets that are known; `None`: nobody knows who is in it.
    sets: HashMap<SetName, Option<HashSet<Member>>>,
    members: usize,
    /// What is shown but sets, until all was said.
    kept: HashMap<Key, Content>,
    weights: HashMap<Key, Weight>,
    total: Weight,
    policies: usize,
    endpoints: usize,
    accounts: HashMap<Account, Weight>,
    labels: HashMap<Account, Labels>,
    in_sync: bool,
    /// All was said, and the store does not know yet.
    anew: bool,
    out: Vec<Update>,
    out_weight: usize,
}

/// What an object says.
#[derive(Debug)]
enum Content {
    /// A set, whose members stand elsewhere.
    Set,
    /// Rules; `None`: they are not known, so that nobody passes.
    Policy(Option<CompiledPolicy>),
    Endpoint(Endpoint),
}

/// A namespace, or a service account in one.
type Account = (Box<str>, Option<Box<str>>);

/// What an object takes of the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Weight {
    bytes: usize,
    rules: usize,
}

impl State {
    /// A stream that has said nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            graph: Graph::default(),
            events: Vec::new(),
            sets: HashMap::default(),
            members: 0,
            kept: HashMap::default(),
            weights: HashMap::default(),
            total: Weight::default(),
            policies: 0,
            endpoints: 0,
            accounts: HashMap::default(),
            labels: HashMap::default(),
            in_sync: false,
            anew: false,
            out: Vec::new(),
            out_weight: 0,
        }
    }

    /// Whether all was said once.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.in_sync
    }

    /// Objects of which what was said last is not visible, because it names what is not there or is named by what is.
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.graph.held_back()
    }

    /// How much a store has not taken yet: changes, and members and rules in them.
    #[must_use]
    pub fn pending_weight(&self) -> usize {
        self.out_weight
    }

    /// Takes a message. Costs what it says and what waits for that.
    ///
    /// # Errors
    /// What of it was not understood or goes beyond a limit; the rest is taken.
    pub fn take(&mut self, message: ToDataplane) -> Result<(), Refusal> {
        let Some(payload) = message.payload else { return Ok(()) };
        let taken = match payload {
            Payload::InSync(_) => {
                self.all_was_said();
                Ok(())
            }
            Payload::IpSetUpdate(set) => self.set(set),
            Payload::IpSetDeltaUpdate(delta) => self.set_delta(delta),
            Payload::IpSetRemove(set) => {
                self.graph.withdraw(&Key::Set(SetName::from(&*set.id)), &mut self.events);
                Ok(())
            }
            Payload::ActiveProfileUpdate(update) => self.profile(update),
            Payload::ActiveProfileRemove(remove) => {
                self.remove(Key::Profile(Arc::from(&*remove.id.unwrap_or_default().name)));
                Ok(())
            }
            Payload::ActivePolicyUpdate(update) => self.policy(update),
            Payload::ActivePolicyRemove(remove) => {
                self.remove(Key::Policy(names::policy(&remove.id.unwrap_or_default())));
                Ok(())
            }
            Payload::WorkloadEndpointUpdate(update) => self.endpoint(update),
            Payload::WorkloadEndpointRemove(remove) => {
                self.remove(Key::Endpoint(names::endpoint(&remove.id.unwrap_or_default())));
                Ok(())
            }
            Payload::ServiceAccountUpdate(update) => {
                let id = update.id.unwrap_or_default();
                self.account((id.namespace.into(), Some(id.name.into())), update.labels)
            }
            Payload::ServiceAccountRemove(remove) => {
                let id = remove.id.unwrap_or_default();
                self.forget_account(&(id.namespace.into(), Some(id.name.into())));
                Ok(())
            }
            Payload::NamespaceUpdate(update) => {
                self.account((update.id.unwrap_or_default().name.into(), None), update.labels)
            }
            Payload::NamespaceRemove(remove) => {
                self.forget_account(&(remove.id.unwrap_or_default().name.into(), None));
                Ok(())
            }
        };
        self.settle();
        taken
    }

    fn all_was_said(&mut self) {
        if self.in_sync {
            return;
        }
        self.in_sync = true;
        self.anew = true;
        let known = self.sets.iter().filter_map(|(name, members)| Some((name, members.as_ref()?)));
        self.out = known
            .map(|(name, members)| Update::Set(name.clone(), members.iter().copied().collect()))
            .collect();
        let mut kept: Vec<(Key, Content)> = self.kept.drain().collect();
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        for (key, content) in kept {
            self.show(key, content);
        }
        let labels = std::mem::take(&mut self.labels);
        labels.into_iter().for_each(|(account, labels)| self.say(account_update(account, Some(labels))));
        self.say(Update::InSync);
    }

    fn say(&mut self, update: Update) {
        self.out_weight += 1 + match &update {
            Update::Set(_, members) => members.len(),
            Update::SetDelta { added, removed, .. } => added.len() + removed.len(),
            Update::Policy(_, rules) | Update::Profile(_, rules) => rules.ingress.len() + rules.egress.len(),
            _ => 0,
        };
        self.out.push(update);
    }

    fn set(&mut self, wire: messages::IpSetUpdate) -> Result<(), Refusal> {
        let name = self.name(&wire.id)?;
        let key = Key::Set(name.clone());
        if !self.sets.contains_key(&name) && self.sets.len() >= self.limits.sets_max {
            return Err(refusal(&name, "more sets of addresses than the limit"));
        }
        let before = self.sets.get(&name).and_then(Option::as_ref).map_or(0, HashSet::len);
        let room = self.limits.members_max.saturating_sub(self.members - before);
        let members = members_of(&wire.members, room);
        let why = members.as_ref().err().copied();
        let members = members.ok();
        self.members = self.members - before + members.as_ref().map_or(0, HashSet::len);
        if self.graph.is_shown(&key) {
            self.graph.keep(&key);
            let before = self.sets.insert(name.clone(), members).flatten();
            self.set_changed(&name, before);
        } else {
            self.sets.insert(name.clone(), members);
            self.graph.offer(key, [].into(), Content::Set, &mut self.events);
        }
        why.map_or(Ok(()), |why| Err(refusal(&name, why)))
    }

    fn set_delta(&mut self, wire: messages::IpSetDeltaUpdate) -> Result<(), Refusal> {
        let name = SetName::from(&*wire.id);
        let Some(known) = self.sets.get_mut(&name) else {
            return Err(refusal(&name, "a change of a set that is not there"));
        };
        // Of a set of which nobody knows who is in it a change says nothing; all of it has to come again.
        let Some(members) = known else { return Ok(()) };
        self.members -= members.len();
        let mut why = None;
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for text in &wire.removed_members {
            match names::member(text) {
                Some(member) if members.remove(&member) => removed.push(member),
                Some(_) => {}
                None => why = Some(NO_MEMBER),
            }
        }
        let room = self.limits.members_max.saturating_sub(self.members);
        for text in &wire.added_members {
            match names::member(text) {
                Some(_) if members.len() >= room => why = Some(TOO_MANY_MEMBERS),
                Some(member) if members.insert(member) => added.push(member),
                Some(_) => {}
                None => why = Some(NO_MEMBER),
            }
        }
        if let Some(why) = why {
            // As it was before, for the store.
            for member in added {
                members.remove(&member);
            }
            members.extend(removed);
            let before = known.take();
            self.set_changed(&name, before);
            return Err(refusal(&name, why));
        }
        self.members += members.len();
        if self.in_sync && !(added.is_empty() && removed.is_empty()) {
            self.say(Update::SetDelta { name, added, removed });
        }
        Ok(())
    }

    /// Says what changed in a set that is shown.
    fn set_changed(&mut self, name: &SetName, before: Option<HashSet<Member>>) {
        if !self.in_sync {
            return;
        }
        match (before, self.sets.get(name).and_then(Option::as_ref)) {
            (None, None) => {}
            (None, Some(members)) => {
                let members = members.iter().copied().collect();
                self.say(Update::Set(name.clone(), members));
            }
            (Some(before), None) => set_removed(name, before).into_iter().for_each(|update| self.say(update)),
            (Some(before), Some(now)) => {
                let added: Vec<Member> = now.difference(&before).copied().collect();
                let removed: Vec<Member> = before.difference(now).copied().collect();
                if !(added.is_empty() && removed.is_empty()) {
                    self.say(Update::SetDelta { name: name.clone(), added, removed });
                }
            }
        }
    }

    fn profile(&mut self, wire: messages::ActiveProfileUpdate) -> Result<(), Refusal> {
        let name: Arc<str> = self.name(&wire.id.unwrap_or_default().name)?;
        let profile = wire.profile.unwrap_or_default();
        let rules = [&*profile.inbound_rules, &profile.outbound_rules];
        self.rules(Key::Profile(name.clone()), &name, rules, "")
    }

    fn policy(&mut self, wire: messages::ActivePolicyUpdate) -> Result<(), Refusal> {
        let reference = names::policy(&wire.id.unwrap_or_default());
        let name = self.name(&reference.id.name)?;
        let policy = wire.policy.unwrap_or_default();
        let namespace = match policy.namespace.is_empty() {
            true => reference.id.namespace.clone(),
            false => policy.namespace.into(),
        };
        let rules = [&*policy.inbound_rules, &policy.outbound_rules];
        self.rules(Key::Policy(reference), &name, rules, &namespace)
    }

    fn rules(
        &mut self,
        key: Key,
        name: &str,
        [inbound, outbound]: [&[bytes::Bytes]; 2],
        namespace: &str,
    ) -> Result<(), Refusal> {
        let is_new = !self.weights.contains_key(&key);
        if is_new && self.policies >= self.limits.policies_max {
            return Err(refusal(name, "more policies than the limit"));
        }
        let bytes = inbound.iter().chain(outbound).map(bytes::Bytes::len).sum();
        let weight = Weight { bytes, rules: inbound.len() + outbound.len() };
        let fits = self.fits(&key, weight);
        let (content, needs, why) = if fits {
            let (policy, odd) = convert::rules(inbound, outbound, namespace, &self.limits);
            let needs: HashSet<Key> = convert::sets_of(&policy).map(|name| Key::Set(name.clone())).collect();
            match self.graph.references() + needs.len() > self.limits.references_max {
                true => (None, HashSet::default(), Some("more names than the limit")),
                false => (Some(policy), needs, odd),
            }
        } else {
            (None, HashSet::default(), Some("more rules than the limit"))
        };
        self.policies += usize::from(is_new);
        self.weigh(key.clone(), if content.is_some() { weight } else { Weight::default() });
        self.graph.offer(key, needs.into_iter().collect(), Content::Policy(content), &mut self.events);
        why.map_or(Ok(()), |why| Err(refusal(name, why)))
    }

    fn endpoint(&mut self, wire: messages::WorkloadEndpointUpdate) -> Result<(), Refusal> {
        let id = names::endpoint(&wire.id.unwrap_or_default());
        let name = self.name(&format!("{}/{}", id.namespace, id.name))?;
        let key = Key::Endpoint(id);
        let wire = wire.endpoint.unwrap_or_default();
        let texts = wire.profile_ids.iter().chain(&wire.ipv4_nets).chain(&wire.ipv6_nets);
        let bytes = wire.tiers.iter().map(bytes::Bytes::len).chain(texts.map(String::len)).sum();
        let weight = Weight { bytes, rules: 0 };
        let is_new = !self.weights.contains_key(&key);
        if is_new && self.endpoints >= self.limits.endpoints_max || !self.fits(&key, weight) {
            self.remove(key);
            return Err(refusal(&name, "more endpoints than the limit"));
        }
        let (endpoint, odd) = convert::endpoint(&wire);
        let needs = needs_of(&endpoint);
        if self.graph.references() + needs.len() > self.limits.references_max {
            self.remove(key);
            return Err(refusal(&name, "more names than the limit"));
        }
        self.endpoints += usize::from(is_new);
        self.weigh(key.clone(), weight);
        self.graph.offer(key, needs.into_iter().collect(), Content::Endpoint(endpoint), &mut self.events);
        odd.map_or(Ok(()), |why| Err(refusal(&name, why)))
    }

    fn remove(&mut self, key: Key) {
        if let Some(weight) = self.weights.remove(&key) {
            self.total.bytes -= weight.bytes;
            self.total.rules -= weight.rules;
            match key {
                Key::Endpoint(_) => self.endpoints -= 1,
                Key::Policy(_) | Key::Profile(_) => self.policies -= 1,
                Key::Set(_) => {}
            }
        }
        self.graph.withdraw(&key, &mut self.events);
    }

    /// Whether an object's next version stays within the limits.
    fn fits(&self, key: &Key, weight: Weight) -> bool {
        let before = self.weights.get(key).copied().unwrap_or_default();
        self.total.bytes - before.bytes + weight.bytes <= self.limits.bytes_max
            && self.total.rules - before.rules + weight.rules <= self.limits.rules_max
    }

    fn weigh(&mut self, key: Key, weight: Weight) {
        let before = self.weights.insert(key, weight).unwrap_or_default();
        self.total.bytes = self.total.bytes - before.bytes + weight.bytes;
        self.total.rules = self.total.rules - before.rules + weight.rules;
    }

    fn account(&mut self, account: Account, wire: BTreeMap<String, String>) -> Result<(), Refusal> {
        let shown = || account.1.as_deref().unwrap_or(&account.0).to_owned();
        self.name(&account.0)?;
        if let Some(name) = &account.1 {
            self.name(name)?;
        }
        let bytes = wire.iter().map(|(name, value)| name.len() + value.len()).sum();
        let before = self.accounts.get(&account).copied();
        let fits =
            self.total.bytes - before.map_or(0, |before| before.bytes) + bytes <= self.limits.bytes_max;
        if before.is_none() && self.accounts.len() >= self.limits.accounts_max || !fits {
            self.forget_account(&account);
            return Err(refusal(&shown(), "more service accounts and namespaces than the limit"));
        }
        self.total.bytes = self.total.bytes - before.map_or(0, |before| before.bytes) + bytes;
        let mut labels: Labels = wire.iter().collect();
        for name in [labels::NAME, labels::METADATA_NAME] {
            labels.set_default(name, account.1.as_deref().unwrap_or(&account.0));
        }
        self.accounts.insert(account.clone(), Weight { bytes, rules: 0 });
        match self.in_sync {
            true => self.say(account_update(account, Some(labels))),
            false => {
                self.labels.insert(account, labels);
            }
        }
        Ok(())
    }

    fn forget_account(&mut self, account: &Account) {
        let Some(weight) = self.accounts.remove(account) else { return };
        self.total.bytes -= weight.bytes;
        self.labels.remove(account);
        if self.in_sync {
            self.say(account_update(account.clone(), None));
        }
    }

    fn name(&self, text: &str) -> Result<Arc<str>, Refusal> {
        match text.len() {
            0 => Err(refusal(text, "an object without a name")),
            bytes if bytes > self.limits.name_bytes_max => Err(refusal(text, "a name longer than the limit")),
            _ if text.starts_with('\0') => Err(refusal(text, "no name begins so")),
            _ => Ok(Arc::from(text)),
        }
    }

    /// Makes of what is shown and hidden what a store takes.
    fn settle(&mut self) {
        for event in std::mem::take(&mut self.events) {
            match event {
                Event::Shown(key, content) if self.in_sync => self.show(key, content),
                Event::Shown(_, Content::Set) => {}
                Event::Shown(key, content) => {
                    self.kept.insert(key, content);
                }
                Event::Hidden(Key::Set(name)) => {
                    let members = self.sets.remove(&name).flatten();
                    self.members -= members.as_ref().map_or(0, HashSet::len);
                    if self.in_sync {
                        for update in set_removed(&name, members.unwrap_or_default()) {
                            self.say(update);
                        }
                    }
                }
                Event::Hidden(key) => {
                    self.kept.remove(&key);
                    if self.in_sync {
                        match key {
                            Key::Policy(reference) => self.say(Update::PolicyRemoved(reference)),
                            Key::Profile(name) => self.say(Update::ProfileRemoved(name)),
                            Key::Endpoint(id) => self.say(Update::EndpointRemoved(id)),
                            Key::Set(_) => {}
                        }
                    }
                }
            }
        }
    }

    fn show(&mut self, key: Key, content: Content) {
        let update = match (key, content) {
            (Key::Set(name), _) => {
                let Some(Some(members)) = self.sets.get(&name) else { return };
                Update::Set(name, members.iter().copied().collect())
            }
            (Key::Policy(reference), Content::Policy(Some(policy))) => Update::Policy(reference, policy),
            (Key::Policy(reference), _) => Update::PolicyRemoved(reference),
            (Key::Profile(name), Content::Policy(Some(profile))) => Update::Profile(name, profile),
            (Key::Profile(name), _) => Update::ProfileRemoved(name),
            (Key::Endpoint(id), Content::Endpoint(endpoint)) => Update::Endpoint(id, endpoint),
            (Key::Endpoint(id), _) => Update::EndpointRemoved(id),
        };
        self.say(update);
    }
}

/// What became visible since it was asked last.
impl Source for State {
    fn news(&mut self) -> Option<News> {
        if self.out.is_empty() {
            return None;
        }
        let updates = std::mem::take(&mut self.out);
        self.out_weight = 0;
        Some(if std::mem::take(&mut self.anew) { News::Anew(updates) } else { News::Updates(updates) })
    }
}

const NO_MEMBER: &str = "a member of a set that is neither an address nor a range nor a port";
const TOO_MANY_MEMBERS: &str = "more members of sets than the limit";

fn members_of(texts: &[String], room: usize) -> Result<HashSet<Member>, &'static str> {
    let mut members = HashSet::default();
    for text in texts {
        members.insert(names::member(text).ok_or(NO_MEMBER)?);
        if members.len() > room {
            return Err(TOO_MANY_MEMBERS);
        }
    }
    Ok(members)
}

/// A set goes: its members by name, so that the store need not look for them.
fn set_removed(name: &SetName, members: HashSet<Member>) -> [Update; 2] {
    let removed = members.into_iter().collect();
    [Update::SetDelta { name: name.clone(), added: Vec::new(), removed }, Update::SetRemoved(name.clone())]
}

fn needs_of(endpoint: &Endpoint) -> HashSet<Key> {
    let tiers = endpoint.tiers.iter().chain(endpoint.pending.iter().flatten());
    let policies = tiers.flat_map(|tier| tier.ingress.iter().chain(&tier.egress));
    let policies = policies.map(|named: &PolicyRef| Key::Policy(named.clone()));
    policies.chain(endpoint.profiles.iter().map(|name| Key::Profile(name.clone()))).collect()
}

fn account_update((namespace, name): Account, labels: Option<Labels>) -> Update {
    match name {
        Some(name) => Update::ServiceAccount(namespace, name, labels),
        None => Update::Namespace(namespace, labels),
    }
}

fn refusal(about: &str, why: &'static str) -> Refusal {
    let about = about.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect();
    Refusal { about, why }
}
