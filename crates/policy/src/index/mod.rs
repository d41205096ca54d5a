//! Decisions in microseconds: rules over named sets of addresses, found by the peer's address.
//!
//! ```text
//!  Update ──apply──> sets: address -> numbers of sets        programs: per endpoint and direction,
//!                    owners, labels of accounts              rules found by set or range, asked in order
//!
//!  Flow ──decide──> sets of both ends as bits ──> candidates ──> ask, as the definition does ──> Decision
//! ```
//!
//! An update costs what it changes; taking sets away costs one look at all members, however many go at once.

mod bits;
mod prefixes;
mod program;
mod sets;
mod world;

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::Arc;

use palisade_model::{KnownBy, Workload};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::clause::{Match, ask, hangs_on_more};
use crate::decision::{Decision, Decisions, NearMiss, PROFILE_TIER, Reason, Speaker, Verdict};
use crate::flow::{Direction, Feed, Flow, Judgement, Party, Patience, WorkloadName};
use crate::form::{
    AccountName, CompiledPolicy, Endpoint, EndpointId, EndpointKind, EndpointTier, Member, PolicyRef,
    SetName, Update,
};
use crate::labels::Labels;
use crate::naive::NEAR_MISS_RULES_MAX;
use crate::net::plain;
use crate::rule::{Action, Rule};
use crate::waiting::Knowledge;
use crate::walk::{self, Next, Walk};
use program::{Program, Rules, SetId};
use sets::SetStore;
use world::Compiled;

/// The index: what decides.
#[derive(Debug, Default)]
pub struct Index {
    feed: Feed,
    in_sync: bool,
    /// Counts changes of anything but who is in which set by his address.
    generation: u64,
    sets: SetStore,
    policies: HashMap<PolicyRef, Arc<Rules>>,
    profiles: HashMap<Arc<str>, Arc<Rules>>,
    endpoints: HashMap<EndpointId, Known>,
    by_address: FxHashMap<IpAddr, Vec<EndpointId>>,
    programs: HashMap<(Direction, Vec<EndpointTier>), Arc<Program>>,
    owners: FxHashMap<IpAddr, Box<[AccountName]>>,
    namespaces: HashMap<Box<str>, Labels>,
    accounts: HashMap<Box<str>, HashMap<Box<str>, Labels>>,
}

#[derive(Debug)]
struct Known {
    endpoint: Endpoint,
    enforced: [Arc<Program>; 2],
    pending: Option<[Arc<Program>; 2]>,
}

/// How much an index holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexSize {
    /// Policies, staged ones too.
    pub policies: usize,
    /// Rules of all of them, in both directions.
    pub rules: usize,
    /// Sets of addresses.
    pub sets: usize,
    /// Addresses, ranges and ports that are in some set.
    pub members: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Layouts of rules; endpoints with the same policies share one.
    pub programs: usize,
    /// An estimate of the layouts' memory in bytes.
    pub programs_bytes: usize,
}

impl Index {
    /// An empty index, which denies everything until it is in sync.
    #[must_use]
    pub fn new(feed: Feed) -> Self {
        Self { feed, ..Self::default() }
    }

    /// Takes changes. What they touch is laid out anew once, at the end.
    pub fn apply(&mut self, updates: impl IntoIterator<Item = Update>) {
        let mut touched: FxHashSet<PolicyRef> = FxHashSet::default();
        let mut endpoints: Vec<(EndpointId, Endpoint)> = Vec::new();
        let mut gone: HashSet<SetName> = HashSet::new();
        for update in updates {
            self.generation += u64::from(!is_of_addresses(&update));
            match update {
                Update::Set(name, members) => {
                    // It may have gone, and come again, within one batch.
                    gone.remove(&name);
                    self.sets.replace(&name, members);
                }
                Update::SetDelta { name, added, removed } => {
                    if gone.remove(&name) {
                        self.sets.remove([&name]);
                    }
                    self.sets.change(&name, added, removed);
                }
                Update::SetRemoved(name) => {
                    gone.insert(name);
                }
                Update::Policy(reference, policy) => {
                    let rules = self.compiled(&policy);
                    self.policies.insert(reference.clone(), Arc::new(rules));
                    touched.insert(reference);
                }
                Update::PolicyRemoved(reference) => {
                    self.policies.remove(&reference);
                    touched.insert(reference);
                }
                Update::Profile(name, profile) => {
                    let rules = self.compiled(&profile);
                    self.profiles.insert(name, Arc::new(rules));
                }
                Update::ProfileRemoved(name) => {
                    self.profiles.remove(&name);
                }
                Update::Endpoint(id, endpoint) => {
                    // What comes later in the same batch may be about it as well.
                    self.forget(&id);
                    endpoints.retain(|(there, _)| *there != id);
                    endpoints.push((id, endpoint));
                }
                Update::EndpointRemoved(id) => {
                    self.forget(&id);
                    endpoints.retain(|(there, _)| *there != id);
                }
                Update::Owner(address, None) => {
                    self.owners.remove(&plain(address));
                }
                Update::Owner(address, Some(accounts)) => {
                    self.owners.insert(plain(address), accounts);
                }
                Update::Namespace(name, Some(labels)) => {
                    self.namespaces.insert(name, labels);
                }
                Update::Namespace(name, None) => {
                    self.namespaces.remove(&name);
                }
                Update::ServiceAccount(namespace, name, Some(labels)) => {
                    self.accounts.entry(namespace).or_default().insert(name, labels);
                }
                Update::ServiceAccount(namespace, name, None) => {
                    if let Some(accounts) = self.accounts.get_mut(&namespace) {
                        accounts.remove(&name);
                    }
                }
                Update::InSync => self.in_sync = true,
            }
        }
        self.sets.remove(&gone);
        self.lay_out(&touched, endpoints);
    }

    /// Whether everything has been said, so that decisions are more than refusals.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.in_sync
    }

    /// How much it holds.
    #[must_use]
    pub fn size(&self) -> IndexSize {
        IndexSize {
            policies: self.policies.len(),
            rules: self.policies.values().map(|rules| rules.ingress.len() + rules.egress.len()).sum(),
            sets: self.sets.len(),
            members: self.sets.members(),
            endpoints: self.endpoints.len(),
            programs: self.programs.len(),
            programs_bytes: self.programs.values().map(|program| program.bytes()).sum(),
        }
    }

    /// Decides about a connection before its first request: allow, deny, or [`NeedsHttp`](crate::Verdict::NeedsHttp)
    /// where the requests decide. A flow's own `request` is left out of account. What is allowed or denied here holds for
    /// every request; before the handshake ([`Identity::Expected`](crate::Identity::Expected)) it holds for every
    /// certificate as well.
    #[must_use]
    pub fn connection(&self, flow: &Flow<'_>, judgement: &Judgement) -> Decisions {
        self.evaluate(&Flow { request: crate::flow::Request::Expected, ..flow.clone() }, judgement)
    }

    /// In which directions some policy that is in force selects a workload: what comes in, what goes out. `None` where it
    /// is not known.
    #[must_use]
    pub fn selected(&self, workload: &WorkloadName) -> Option<(bool, bool)> {
        let known = self.workload(workload)?;
        let any = |direction| !known.enforced(direction).tiers.is_empty();
        Some((any(Direction::Ingress), any(Direction::Egress)))
    }

    /// The first policy before a workload with a rule that asks for claims, in force or staged.
    #[must_use]
    pub fn asks_claims(&self, workload: &WorkloadName, direction: Direction) -> Option<Speaker> {
        let known = self.workload(workload)?;
        let asks = |rule: &Rule<_>| rule.http.as_ref().is_some_and(|http| !http.claims.is_empty());
        let policies = [known.enforced(direction), known.pending(direction)];
        let mut placed = policies.into_iter().flat_map(|program| &program.policies);
        let found = placed.find(|placed| placed.rules.of(direction).iter().any(asks))?;
        Some(Speaker::Policy(found.id.clone()))
    }

    /// Decides about a request, or about a flow that is not HTTP: what is in force, and what would be.
    #[must_use]
    pub fn evaluate(&self, flow: &Flow<'_>, judgement: &Judgement) -> Decisions {
        let enforced = self.decide_as(flow, judgement, Known::enforced);
        let staged = self.protected(flow).is_some_and(|known| known.pending.is_some());
        let concerned = staged && self.in_sync;
        let pending = concerned.then(|| self.decide_as(flow, judgement, Known::pending));
        Decisions { enforced, pending }
    }

    /// Decides about a request, by what is in force alone.
    #[must_use]
    pub fn request(&self, flow: &Flow<'_>, judgement: &Judgement) -> Decision {
        self.decide_as(flow, judgement, Known::enforced)
    }

    fn decide_as(
        &self,
        flow: &Flow<'_>,
        judgement: &Judgement,
        program: fn(&Known, Direction) -> &Program,
    ) -> Decision {
        if !self.in_sync {
            return Decision::denied(Reason::NotSynced);
        }
        // Who is known gets what is known of him; only where that is a refusal is there something to wait for.
        if self.feed == Feed::Compiled && flow.patience == Patience::Waiting && self.knows_peer(flow) {
            let settled = Flow { patience: Patience::Over, ..flow.clone() };
            let decision = self.decide_as(&settled, judgement, program);
            if decision.verdict != Verdict::Deny {
                return decision;
            }
        }
        let Some(known) = self.protected(flow) else { return Decision::denied(Reason::UnknownWorkload) };
        let program = program(known, flow.direction);
        if program.missing {
            return Decision::denied(Reason::MissingPolicy);
        }
        let world = Compiled::of(self, flow, judgement);
        let candidates = world
            .peer_address()
            .map(|address| program.candidates(address, flow, |call| world.each_possible_set(call)));
        let next = |from: usize, below: usize| match &candidates {
            Some(candidates) => candidates.next(from, below),
            None => (from < below).then_some(from),
        };
        let mut walk = Walk::of(world.awaitable());
        for tier in &program.tiers {
            let mut after = Next::Rule;
            let mut from = tier.rules.start;
            while let Some(number) = next(from, tier.rules.end) {
                from = number + 1;
                let (placed, index) = program.place(number);
                let rule = &placed.rules.of(flow.direction)[index];
                let speaker = || Speaker::Policy(placed.id.clone());
                after = ask_rule(&mut walk, &world, rule, &tier.name, index, &speaker);
                if after != Next::Rule {
                    break;
                }
            }
            if after == Next::Rule {
                let first = Speaker::Policy(program.policies[tier.policies.start].id.clone());
                after = walk.tier_end(&tier.name, first, tier.default_action);
            }
            if after == Next::Nowhere {
                return walk.finish();
            }
        }
        let tier: Arc<str> = PROFILE_TIER.into();
        for name in &known.endpoint.profiles {
            let Some(profile) = self.profiles.get(name) else { return walk.missing() };
            for (index, rule) in profile.of(flow.direction).iter().enumerate() {
                let speaker = || Speaker::Profile(name.clone());
                if ask_rule(&mut walk, &world, rule, &tier, index, &speaker) != Next::Rule {
                    return walk.finish();
                }
            }
        }
        walk.finish()
    }

    /// Of the rules that could have allowed a flow where it was denied, the one that came nearest; see
    /// [`Objects::near_miss`](crate::Objects::near_miss).
    #[must_use]
    pub fn near_miss(&self, flow: &Flow<'_>, decision: &Decision, judgement: &Judgement) -> Option<NearMiss> {
        if decision.reason != Reason::TierDefault {
            return None;
        }
        let stop = decision.decisive()?;
        let program = self.protected(flow)?.enforced(flow.direction);
        let tier = program.tiers.iter().find(|tier| tier.name == stop.tier)?;
        let world = Compiled::of(self, flow, judgement);
        let mut nearest: Option<NearMiss> = None;
        let mut asked = 0;
        for placed in &program.policies[tier.policies.clone()] {
            for (rule_index, rule) in placed.rules.of(flow.direction).iter().enumerate() {
                asked += 1;
                if asked > NEAR_MISS_RULES_MAX {
                    return nearest;
                }
                if !matches!(rule.action, Action::Allow | Action::Pass) {
                    continue;
                }
                let (clause, doubt) = match ask(rule, flow, &world, judgement) {
                    Match::Yes => continue,
                    Match::No(clause) => (clause, None),
                    Match::Open(clause, doubt) => (clause, Some(doubt)),
                };
                if nearest.as_ref().is_none_or(|nearest| clause > nearest.clause) {
                    let policy = Speaker::Policy(placed.id.clone());
                    nearest = Some(NearMiss { tier: tier.name.clone(), policy, rule_index, clause, doubt });
                }
            }
        }
        nearest
    }

    /// What is known of an address, as a number that changes when that does, or rules do.
    #[must_use]
    pub fn knowledge(&self, address: IpAddr) -> Knowledge {
        let address = plain(address);
        let mut sum = 0_u64;
        self.sets.each_of_address(address, &mut |SetId(number)| {
            sum = sum.wrapping_add(FxBuildHasher.hash_one(number) | 1);
        });
        let owners = self.owners.get(&address).map_or(0, |accounts| FxBuildHasher.hash_one(accounts));
        Knowledge(FxBuildHasher.hash_one((self.generation, sum, owners)))
    }

    /// Changes as if everything had.
    pub(crate) fn follow(&mut self, before: &Self) {
        self.generation += before.generation + 1;
    }

    /// The only workload, where there is one and no other.
    #[must_use]
    pub fn only_workload(&self) -> Option<WorkloadName> {
        let mut all = self.endpoints.keys().filter(|id| id.kind != EndpointKind::Host);
        let (only, None) = (all.next()?, all.next()) else { return None };
        Some(WorkloadName { namespace: only.namespace.clone(), name: only.name.clone() })
    }

    /// Whether anything is known of an address: a set has it by itself and not by a range, or a workload.
    fn is_named(&self, address: IpAddr) -> bool {
        self.sets.has_by_itself(address) || self.by_address.contains_key(&plain(address))
    }

    fn knows_peer(&self, flow: &Flow<'_>) -> bool {
        let peer = if flow.direction == Direction::Ingress { &flow.source } else { &flow.destination };
        peer.address.is_some_and(|address| self.is_named(address))
    }

    /// The workload at an address, where one is known; of several the one that runs as this account (its namespace and
    /// its name), else the first.
    #[must_use]
    pub fn workload_at(&self, address: IpAddr, account: Option<(&str, &str)>) -> Option<Workload> {
        let ids = self.by_address.get(&plain(address))?;
        let mut workloads = ids.iter().filter(|id| id.kind != EndpointKind::Host);
        let runs_as = |id: &&EndpointId| {
            account.is_some_and(|(namespace, name)| {
                *id.namespace == *namespace && self.account_of(id) == Some(name)
            })
        };
        let id = workloads.clone().find(runs_as).or_else(|| workloads.next())?;
        Some(Workload {
            namespace: id.namespace.clone(),
            name: Some(id.name.clone()),
            service_account: self.account_of(id).map(Box::from),
            known_by: KnownBy::Address,
        })
    }

    /// The service account of a workload: its profile `ksa.NAMESPACE.NAME` names it, whoever told of the endpoint.
    fn account_of(&self, id: &EndpointId) -> Option<&str> {
        let profiles = &self.endpoints.get(id)?.endpoint.profiles;
        profiles
            .iter()
            .find_map(|name| name.strip_prefix("ksa.")?.strip_prefix(&*id.namespace)?.strip_prefix('.'))
    }

    /// The endpoint that we stand before: by its name, else by its address.
    fn protected(&self, flow: &Flow<'_>) -> Option<&Known> {
        let party: &Party =
            if flow.direction == Direction::Ingress { &flow.destination } else { &flow.source };
        match &party.workload {
            Some(workload) => self.workload(workload),
            None => self.endpoints.get(self.by_address.get(&plain(party.address?))?.first()?),
        }
    }

    fn workload(&self, workload: &WorkloadName) -> Option<&Known> {
        [EndpointKind::Pod, EndpointKind::Workload].into_iter().find_map(|kind| {
            let (namespace, name) = (workload.namespace.clone(), workload.name.clone());
            self.endpoints.get(&EndpointId { kind, namespace, name })
        })
    }

    fn compiled(&mut self, policy: &CompiledPolicy) -> Rules {
        let sets = &mut self.sets;
        let mut all = |rules: &[Rule<crate::form::Sets>]| {
            rules.iter().map(|rule| rule.map(|who, _| sets.numbered(who))).collect()
        };
        Rules { ingress: all(&policy.ingress), egress: all(&policy.egress) }
    }

    fn forget(&mut self, id: &EndpointId) {
        let Some(known) = self.endpoints.remove(id) else { return };
        for address in &known.endpoint.addresses {
            if let Some(ids) = self.by_address.get_mut(&plain(*address)) {
                ids.retain(|there| there != id);
                if ids.is_empty() {
                    self.by_address.remove(&plain(*address));
                }
            }
        }
    }

    /// Lays out the rules of endpoints that are new, and of those that name a policy that changed.
    fn lay_out(&mut self, touched: &FxHashSet<PolicyRef>, new: Vec<(EndpointId, Endpoint)>) {
        let names_touched = |tiers: &[EndpointTier]| {
            !touched.is_empty()
                && tiers
                    .iter()
                    .flat_map(|tier| tier.ingress.iter().chain(&tier.egress))
                    .any(|named| touched.contains(named))
        };
        self.programs.retain(|(_, tiers), _| !names_touched(tiers));
        let mut again: Vec<(EndpointId, Endpoint)> = Vec::new();
        if !touched.is_empty() {
            let concerned = |known: &Known| {
                names_touched(&known.endpoint.tiers)
                    || known.endpoint.pending.as_deref().is_some_and(names_touched)
            };
            let ids: Vec<EndpointId> = self
                .endpoints
                .iter()
                .filter(|(_, known)| concerned(known))
                .map(|(id, _)| id.clone())
                .collect();
            for id in ids {
                if let Some(known) = self.endpoints.get(&id) {
                    let endpoint = known.endpoint.clone();
                    self.forget(&id);
                    again.push((id, endpoint));
                }
            }
        }
        for (id, endpoint) in again.into_iter().chain(new) {
            for address in &endpoint.addresses {
                let ids = self.by_address.entry(plain(*address)).or_default();
                if let Err(at) = ids.binary_search(&id) {
                    ids.insert(at, id.clone());
                }
            }
            let enforced = self.programs_of(&endpoint.tiers);
            let pending = endpoint.pending.as_ref().map(|tiers| self.programs_of(tiers));
            self.endpoints.insert(id, Known { endpoint, enforced, pending });
        }
        // The map and nobody else.
        self.programs.retain(|_, program| Arc::strong_count(program) > 1);
    }

    fn programs_of(&mut self, tiers: &[EndpointTier]) -> [Arc<Program>; 2] {
        [Direction::Ingress, Direction::Egress].map(|direction| {
            let key = (direction, tiers.to_vec());
            if let Some(program) = self.programs.get(&key) {
                return program.clone();
            }
            let policies = &self.policies;
            let program = Arc::new(Program::build(tiers, direction, |named| policies.get(named).cloned()));
            self.programs.insert(key, program.clone());
            program
        })
    }
}

impl Known {
    fn enforced(&self, direction: Direction) -> &Program {
        &self.enforced[direction as usize]
    }

    fn pending(&self, direction: Direction) -> &Program {
        &self.pending.as_ref().unwrap_or(&self.enforced)[direction as usize]
    }
}

fn ask_rule(
    walk: &mut Walk,
    world: &Compiled<'_>,
    rule: &Rule<crate::form::Sets<SetId>>,
    tier: &Arc<str>,
    index: usize,
    speaker: &dyn Fn() -> Speaker,
) -> Next {
    let matched = ask(rule, world.flow, world, world.judgement);
    let hangs_on_more = hangs_on_more(rule, world.flow, world);
    walk.rule(&walk::Asked { tier, speaker, index, action: rule.action, hangs_on_more }, matched)
}

/// Whether a change says only who is in which set, by addresses without ports.
fn is_of_addresses(update: &Update) -> bool {
    let all = |members: &[Member]| members.iter().all(|member| matches!(member, Member::Net(_)));
    match update {
        Update::SetDelta { added, removed, .. } => all(added) && all(removed),
        _ => false,
    }
}
