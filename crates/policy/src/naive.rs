//! The definition: a decision over the objects as they were written, by asking everything in order.
//!
//! It says what a decision is. The [index](crate::Index) is derived from the same objects and only leaves out what cannot
//! match; a property test holds it to this.

use std::net::IpAddr;
use std::sync::Arc;

use crate::clause::{Answer, Doubt, End, Match, World, ask, hangs_on_more};
use crate::decision::{Decision, Decisions, NearMiss, PROFILE_TIER, Reason, Speaker};
use crate::flow::{Direction, Feed, Flow, Identity, Judgement, Party, Patience};
use crate::form::AccountName;
use crate::item::{Inherited, Item, with_name};
use crate::labels::Labels;
use crate::object::Policy;
use crate::objects::{Objects, Variant};
use crate::rule::{Action, Asked, Rule};
use crate::walk::{self, Next, Walk};

impl Objects {
    /// Decides about a flow, by the definition. Cost: every rule, every label of every object.
    #[must_use]
    pub fn evaluate(&self, flow: &Flow<'_>, judgement: &Judgement) -> Decisions {
        let world = AsWritten::of(self, flow);
        let Some(endpoint) = world.protected(flow) else {
            return Decisions { enforced: Decision::denied(Reason::UnknownWorkload), pending: None };
        };
        let enforced = self.decide(&world, endpoint, Variant::Enforced, judgement);
        let staged = self.staging().iter().any(|policy| policy.applies_to.matches(&endpoint.labels));
        let pending = staged.then(|| self.decide(&world, endpoint, Variant::Pending, judgement));
        Decisions { enforced, pending }
    }

    fn decide(
        &self,
        world: &AsWritten<'_>,
        endpoint: &Item,
        variant: Variant,
        judgement: &Judgement,
    ) -> Decision {
        let flow = world.flow;
        let mut walk = Walk::of(world.awaitable());
        for (tier, policies) in &self.tiers(endpoint, flow.direction, variant) {
            let name: Arc<str> = (&**tier).into();
            let mut next = Next::Rule;
            'tier: for policy in policies {
                for (index, rule) in rules(policy, flow.direction).unwrap_or_default().iter().enumerate() {
                    let speaker = || Speaker::Policy(Arc::new(policy.id.clone()));
                    next = ask_rule(&mut walk, world, judgement, rule, &name, index, &speaker);
                    if next != Next::Rule {
                        break 'tier;
                    }
                }
            }
            if next == Next::Rule {
                let first = Speaker::Policy(Arc::new(policies[0].id.clone()));
                next = walk.tier_end(&name, first, self.tier(tier).default_action);
            }
            if next == Next::Nowhere {
                return walk.finish();
            }
        }
        let tier: Arc<str> = PROFILE_TIER.into();
        for name in endpoint.endpoint.iter().flat_map(|facts| &facts.profiles) {
            let Some(profile) = self.profile_of(name) else { return walk.missing() };
            let rules = if flow.direction == Direction::Ingress { profile.ingress } else { profile.egress };
            for (index, rule) in rules.iter().enumerate() {
                let speaker = || Speaker::Profile((&**name).into());
                let next = ask_rule(&mut walk, world, judgement, rule, &tier, index, &speaker);
                // There is nothing that a profile could pass to.
                if next != Next::Rule {
                    return walk.finish();
                }
            }
        }
        walk.finish()
    }

    /// The policies that select an endpoint in a direction, by tier, in order. Tiers without any do not appear.
    fn tiers(
        &self,
        endpoint: &Item,
        direction: Direction,
        variant: Variant,
    ) -> Vec<(Box<str>, Vec<&Policy>)> {
        let mut tiers: Vec<(Box<str>, Vec<&Policy>)> = Vec::new();
        for policy in self.policies_of(variant) {
            if rules(policy, direction).is_none() || !policy.applies_to.matches(&endpoint.labels) {
                continue;
            }
            match tiers.last_mut() {
                Some((tier, policies)) if *tier == policy.tier => policies.push(policy),
                _ => tiers.push((policy.tier.clone(), vec![policy])),
            }
        }
        tiers
    }

    /// Of the rules that could have allowed a flow where it was denied, the one that came nearest: whose first clause that
    /// fails comes last in the order of clauses; of several the first. Only so many rules of a tier are looked at
    /// ([`NEAR_MISS_RULES_MAX`]), since anybody who is denied makes us look.
    #[must_use]
    pub fn near_miss(&self, flow: &Flow<'_>, decision: &Decision, judgement: &Judgement) -> Option<NearMiss> {
        if decision.reason != Reason::TierDefault {
            return None;
        }
        let stop = decision.decisive()?;
        let world = AsWritten::of(self, flow);
        let endpoint = world.protected(flow)?;
        let tiers = self.tiers(endpoint, flow.direction, Variant::Enforced);
        let (_, policies) = tiers.iter().find(|(tier, _)| **tier == *stop.tier)?;
        let mut nearest: Option<NearMiss> = None;
        let mut asked = 0;
        for policy in policies {
            for (index, rule) in rules(policy, flow.direction).unwrap_or_default().iter().enumerate() {
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
                    let policy = Speaker::Policy(Arc::new(policy.id.clone()));
                    nearest =
                        Some(NearMiss { tier: stop.tier.clone(), policy, rule_index: index, clause, doubt });
                }
            }
        }
        nearest
    }
}

/// Rules that are looked at for the one that came nearest.
pub const NEAR_MISS_RULES_MAX: usize = 4096;

fn ask_rule(
    walk: &mut Walk,
    world: &AsWritten<'_>,
    judgement: &Judgement,
    rule: &Rule<Asked>,
    tier: &Arc<str>,
    index: usize,
    speaker: &dyn Fn() -> Speaker,
) -> Next {
    let matched = ask(rule, world.flow, world, judgement);
    let hangs_on_more = hangs_on_more(rule, world.flow, world);
    walk.rule(&walk::Asked { tier, speaker, index, action: rule.action, hangs_on_more }, matched)
}

fn rules(policy: &Policy, direction: Direction) -> Option<&[Rule<Asked>]> {
    match direction {
        Direction::Ingress => policy.ingress.as_deref(),
        Direction::Egress => policy.egress.as_deref(),
    }
}

/// The objects, asked about one flow.
struct AsWritten<'o> {
    objects: &'o Objects,
    flow: &'o Flow<'o>,
    items: Vec<Item>,
    namespaces: Vec<(Box<str>, Labels)>,
    accounts: Vec<(AccountName, Labels)>,
}

impl<'o> AsWritten<'o> {
    fn of(objects: &'o Objects, flow: &'o Flow<'o>) -> Self {
        let items = objects.items().into_iter().map(|(_, item)| item).collect();
        let mut world = Self { objects, flow, items, namespaces: Vec::new(), accounts: Vec::new() };
        for party in [&flow.source, &flow.destination] {
            let Identity::ServiceAccount { namespace, name } = &party.identity else { continue };
            if let Some(labels) = objects.namespace(namespace) {
                world.namespaces.push((namespace.clone(), with_name(labels, namespace)));
            }
            if let Some(labels) = objects.service_account(namespace, name) {
                world.accounts.push(((namespace.clone(), name.clone()), with_name(labels, name)));
            }
        }
        world
    }

    /// The endpoint that we stand before: by its name, else by its address, workloads before machines.
    fn protected(&self, flow: &Flow<'_>) -> Option<&Item> {
        let party = if flow.direction == Direction::Ingress { &flow.destination } else { &flow.source };
        let facts = |item: &'_ Item| item.endpoint.clone();
        let endpoints = || self.items.iter().filter(|item| item.endpoint.is_some());
        if let Some(wanted) = &party.workload {
            return endpoints()
                .find(|item| facts(item).and_then(|facts| facts.workload).as_ref() == Some(wanted));
        }
        let address = party.address?;
        let here = || endpoints().filter(|item| item.has(address));
        here()
            .find(|item| facts(item).is_some_and(|facts| facts.workload.is_some()))
            .or_else(|| here().next())
    }

    fn party(&self, end: End) -> &'o Party {
        if end == End::Source { &self.flow.source } else { &self.flow.destination }
    }

    fn who_has(&self, address: IpAddr) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.has(address))
    }

    /// `No`, unless news may come of who has the address.
    fn unless_news(&self, end: End, address: IpAddr) -> Answer {
        let mut endpoints = self.who_has(address).filter(|item| item.endpoint.is_some()).peekable();
        let contradicted = match &self.party(end).identity {
            Identity::ServiceAccount { namespace, name } => {
                end == End::Source && self.source_is_another(namespace, name)
            }
            // The certificate that is yet to come may do.
            Identity::Expected => end == End::Source,
            _ => false,
        };
        let news = endpoints.peek().is_none() || contradicted;
        if news && self.may_learn() { Answer::Open(Doubt::UnknownAddress) } else { Answer::No }
    }

    /// The peer's address, where waiting for news about it makes sense.
    fn awaitable(&self) -> Option<IpAddr> {
        let peer = if self.flow.direction == Direction::Ingress {
            &self.flow.source
        } else {
            &self.flow.destination
        };
        peer.address.filter(|_| self.may_learn())
    }
}

impl World<Asked> for AsWritten<'_> {
    fn selected(&self, end: End, who: &Asked) -> Answer {
        let Some(selector) = &who.selected else { return Answer::Yes };
        let Some(address) = self.party(end).address else { return Answer::Open(Doubt::NoAddress) };
        match self.who_has(address).any(|item| selector.matches(&item.labels)) {
            true => Answer::Yes,
            false => self.unless_news(end, address),
        }
    }

    fn asks_selected(&self, who: &Asked) -> bool {
        who.selected.is_some()
    }

    fn not_selected(&self, end: End, who: &Asked) -> Option<Answer> {
        let selector = who.not_selected.as_ref()?;
        let Some(address) = self.party(end).address else { return Some(Answer::Open(Doubt::NoAddress)) };
        Some(match self.who_has(address).any(|item| selector.matches(&item.labels)) {
            true => Answer::Yes,
            false => self.unless_news(end, address),
        })
    }

    fn service(&self, end: End, who: &Asked) -> Option<Answer> {
        let members = self.objects.service_members(who.service.as_ref()?);
        let party = self.party(end);
        let Some(address) = party.address else { return Some(Answer::Open(Doubt::NoAddress)) };
        let found = match (end, party.port) {
            (End::Source, _) => members.iter().any(|(there, ..)| *there == address),
            (End::Destination, None) => return Some(Answer::Open(Doubt::NoAddress)),
            (End::Destination, Some(port)) => {
                let protocol = self.flow.protocol;
                members.contains(&(address, protocol, port)) || members.contains(&(address, protocol, 0))
            }
        };
        Some(if found { Answer::Yes } else { self.unless_news(end, address) })
    }

    fn named_port(&self, end: End, who: &Asked) -> Option<Answer> {
        self.named(end, &who.ports)
    }

    fn not_named_port(&self, end: End, who: &Asked) -> Option<Answer> {
        self.named(end, &who.not_ports)
    }

    fn namespace(&self, name: &str) -> Option<&Labels> {
        self.namespaces.iter().find(|(there, _)| **there == *name).map(|(_, labels)| labels)
    }

    fn service_account(&self, namespace: &str, name: &str) -> Option<&Labels> {
        let wanted =
            |((there, account), _): &&(AccountName, Labels)| **there == *namespace && **account == *name;
        self.accounts.iter().find(wanted).map(|(_, labels)| labels)
    }

    fn may_learn(&self) -> bool {
        self.objects.feed == Feed::Growing && self.flow.patience == Patience::Waiting
    }

    fn source_is_another(&self, namespace: &str, name: &str) -> bool {
        let Some(address) = self.flow.source.address else { return false };
        let mut accounts = self
            .who_has(address)
            .filter_map(|item| item.endpoint.as_ref()?.service_account.as_ref())
            .peekable();
        accounts.peek().is_some()
            && !accounts.any(|(there, account)| **there == *namespace && **account == *name)
    }
}

impl AsWritten<'_> {
    fn named(&self, end: End, names: &[Box<str>]) -> Option<Answer> {
        if names.is_empty() {
            return None;
        }
        let party = self.party(end);
        let (Some(address), Some(port)) = (party.address, party.port) else {
            return Some(Answer::Open(Doubt::NoAddress));
        };
        let is_named = |item: &Item| {
            item.ports.iter().any(|there| {
                names.contains(&there.name) && there.protocol == self.flow.protocol && there.port == port
            })
        };
        Some(if self.who_has(address).any(is_named) { Answer::Yes } else { self.unless_news(end, address) })
    }
}
