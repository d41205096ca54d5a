//! The rules of an endpoint in one direction, laid out so that few of them have to be asked.
//!
//! A rule that asks for the peer's address by a set or by ranges is found by the address; the others are always asked.
//! What is found is asked in order, by the same code that defines what a rule means, so the index only leaves out rules
//! whose address clause does not fit.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::bits::Bits;
use super::prefixes::Prefixes;
use crate::flow::Direction;
use crate::form::{EndpointTier, PolicyRef, Sets};
use crate::object::{DefaultAction, PolicyId};
use crate::rule::{Entity, Rule};

/// A set of addresses, by its number in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SetId(pub(super) u32);

/// Rules of a policy or profile, in both directions.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) ingress: Vec<Rule<Sets<SetId>>>,
    pub(super) egress: Vec<Rule<Sets<SetId>>>,
}

impl Rules {
    pub(super) fn of(&self, direction: Direction) -> &[Rule<Sets<SetId>>] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

#[derive(Debug)]
pub(super) struct Program {
    pub(super) tiers: Vec<Tier>,
    pub(super) policies: Vec<Placed>,
    /// A policy that an endpoint names and the store does not have.
    pub(super) missing: bool,
    /// How many rules.
    pub(super) rules: usize,
    always: Bits,
    by_set: FxHashMap<SetId, Box<[u32]>>,
    by_net: Prefixes,
}

#[derive(Debug)]
pub(super) struct Tier {
    pub(super) name: Arc<str>,
    pub(super) default_action: DefaultAction,
    pub(super) policies: Range<usize>,
    pub(super) rules: Range<usize>,
}

/// A policy with the number of its first rule.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) id: Arc<PolicyId>,
    pub(super) rules: Arc<Rules>,
    pub(super) first: usize,
}

impl Program {
    pub(super) fn build(
        tiers: &[EndpointTier],
        direction: Direction,
        policy: impl Fn(&PolicyRef) -> Option<Arc<Rules>>,
    ) -> Self {
        let mut program = Self {
            tiers: Vec::new(),
            policies: Vec::new(),
            missing: false,
            rules: 0,
            always: Bits::default(),
            by_set: FxHashMap::default(),
            by_net: Prefixes::default(),
        };
        for tier in tiers {
            let named = if direction == Direction::Ingress { &tier.ingress } else { &tier.egress };
            if named.is_empty() {
                continue;
            }
            let (policies, rules) = (program.policies.len(), program.rules);
            for reference in named {
                let Some(found) = policy(reference) else {
                    program.missing = true;
                    continue;
                };
                let first = program.rules;
                program.rules += found.of(direction).len();
                program.policies.push(Placed { id: reference.id.clone(), rules: found, first });
            }
            program.tiers.push(Tier {
                name: tier.name.clone(),
                default_action: tier.default_action,
                policies: policies..program.policies.len(),
                rules: rules..program.rules,
            });
        }
        program.lay_out(direction);
        program
    }

    fn lay_out(&mut self, direction: Direction) {
        let mut by_set: FxHashMap<SetId, Vec<u32>> = FxHashMap::default();
        self.always = Bits::below(self.rules);
        for placed in &self.policies {
            for (index, rule) in placed.rules.of(direction).iter().enumerate() {
                let number = placed.first + index;
                let peer = peer(rule, direction);
                if let Some(set) = peer.who.all.first() {
                    by_set.entry(*set).or_default().push(number as u32);
                } else if !peer.nets.is_empty() {
                    peer.nets.iter().for_each(|net| self.by_net.add(*net, number as u32));
                } else {
                    self.always.set(number);
                }
            }
        }
        self.by_set = by_set.into_iter().map(|(set, rules)| (set, rules.into())).collect();
    }

    /// The rules that an address does not rule out. `sets` calls for every set that it is in, or may be in.
    pub(super) fn candidates(
        &self,
        address: std::net::IpAddr,
        sets: impl FnOnce(&mut dyn FnMut(SetId)),
    ) -> Bits {
        let mut found = self.always.clone();
        sets(&mut |set| {
            for rule in self.by_set.get(&set).into_iter().flatten() {
                found.set(*rule as usize);
            }
        });
        self.by_net.each(address, |rule| found.set(rule as usize));
        found
    }

    /// The policy and the place in it of a rule.
    pub(super) fn place(&self, rule: usize) -> (&Placed, usize) {
        let at = self.policies.partition_point(|placed| placed.first <= rule).saturating_sub(1);
        // Policies without rules share the number of the next one's first.
        let placed = &self.policies[at];
        (placed, rule - placed.first)
    }

    /// An estimate of what it holds, without the rules themselves.
    pub(super) fn bytes(&self) -> usize {
        let by_set: usize = self.by_set.values().map(|rules| rules.len() * 4 + 40).sum();
        self.always.bytes() + by_set + self.by_net.len() * 40 + self.policies.len() * 40
    }
}

fn peer<W>(rule: &Rule<W>, direction: Direction) -> &Entity<W> {
    match direction {
        Direction::Ingress => &rule.source,
        Direction::Egress => &rule.destination,
    }
}
