//! The rules of an endpoint in one direction, laid out so that few of them have to be asked.
//!
//! A rule is found by the first of these that it asks for: the peer's address by a set, by ranges, the destination's port,
//! the first segment of the path. One that asks for none of them is always asked. What is found is asked in order, by the
//! same code that defines what a rule means, so the index only leaves out rules of which one clause surely does not fit.

use std::borrow::Borrow;
use std::hash::Hash;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::bits::Bits;
use super::prefixes::Prefixes;
use crate::flow::{Direction, Flow, Request};
use crate::form::{EndpointTier, PolicyRef, Sets};
use crate::http_match::PathMatch;
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
    by_port: Keyed<u16>,
    by_segment: Keyed<Box<[u8]>>,
}

/// Rules under keys, and all of them together for flows that do not say the key.
#[derive(Debug)]
struct Keyed<K> {
    rules: FxHashMap<K, Vec<u32>>,
    all: Vec<u32>,
}

impl<K> Default for Keyed<K> {
    fn default() -> Self {
        Self { rules: FxHashMap::default(), all: Vec::new() }
    }
}

impl<K: Hash + Eq> Keyed<K> {
    fn add(&mut self, keys: impl IntoIterator<Item = K>, rule: u32) {
        for key in keys {
            let rules = self.rules.entry(key).or_default();
            if rules.last() != Some(&rule) {
                rules.push(rule);
            }
        }
        self.all.push(rule);
    }

    /// The rules under a key; all of them without one.
    fn under<Q: Hash + Eq + ?Sized>(&self, key: Option<&Q>) -> &[u32]
    where
        K: Borrow<Q>,
    {
        match key {
            Some(key) => self.rules.get(key).map_or(&[], Vec::as_slice),
            None => &self.all,
        }
    }

    fn bytes(&self) -> usize {
        let keyed: usize = self.rules.values().map(|rules| rules.len() * 4 + 56).sum();
        keyed + self.all.len() * 4
    }
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
            by_port: Keyed::default(),
            by_segment: Keyed::default(),
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
                    for net in &peer.nets {
                        self.by_net.add(*net, number as u32);
                    }
                } else if let Some(ports) = few_ports(&rule.destination) {
                    self.by_port.add(ports, number as u32);
                } else if let Some(segments) = segments(rule) {
                    self.by_segment.add(segments, number as u32);
                } else {
                    self.always.set(number);
                }
            }
        }
        self.by_set = by_set.into_iter().map(|(set, rules)| (set, rules.into())).collect();
    }

    /// The rules that a flow does not rule out, whose peer has this address. `sets` calls for every set that it is in, or
    /// may be in.
    pub(super) fn candidates(
        &self,
        address: IpAddr,
        flow: &Flow<'_>,
        sets: impl FnOnce(&mut dyn FnMut(SetId)),
    ) -> Bits {
        let mut found = self.always.clone();
        sets(&mut |set| {
            for rule in self.by_set.get(&set).into_iter().flatten() {
                found.set(*rule as usize);
            }
        });
        self.by_net.each(address, |rule| found.set(rule as usize));
        let path = match flow.request {
            Request::Head(head) => head.path,
            // Such a rule cannot be decided then, which is for it to say.
            Request::Expected | Request::None => None,
        };
        let by_port = self.by_port.under(flow.destination.port.as_ref());
        let by_path = self.by_segment.under(path.map(first_segment));
        by_port.iter().chain(by_path).for_each(|rule| found.set(*rule as usize));
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
        self.always.bytes()
            + by_set
            + self.by_net.len() * 40
            + self.by_port.bytes()
            + self.by_segment.bytes()
            + self.policies.len() * 40
    }
}

/// The ports that a destination is asked to have, where they are few and numbers.
fn few_ports(destination: &Entity<Sets<SetId>>) -> Option<Vec<u16>> {
    let span = |(first, last): &(u16, u16)| usize::from(last - first) + 1;
    let count: usize = destination.ports.iter().map(span).sum();
    let few = (1..=PORTS_MAX).contains(&count) && destination.who.ports.is_empty();
    few.then(|| destination.ports.iter().flat_map(|(first, last)| *first..=*last).collect())
}

/// A rule that asks for more ports than this is found otherwise.
const PORTS_MAX: usize = 64;

/// The first segments of the paths that a rule asks for, where it asks for any and none of them is everything.
fn segments(rule: &Rule<Sets<SetId>>) -> Option<Vec<Box<[u8]>>> {
    let paths = &rule.http.as_ref()?.paths;
    let is_all = |path: &PathMatch| matches!(path, PathMatch::Prefix(prefix) if **prefix == *b"/");
    if paths.is_empty() || paths.iter().any(is_all) {
        return None;
    }
    let of = |path: &PathMatch| match path {
        PathMatch::Exact(path) | PathMatch::Prefix(path) => first_segment(path).into(),
    };
    Some(paths.iter().map(of).collect())
}

/// `a` of `/a/b`, nothing of `/`.
fn first_segment(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b'/').nth(1).unwrap_or_default()
}

fn peer<W>(rule: &Rule<W>, direction: Direction) -> &Entity<W> {
    match direction {
        Direction::Ingress => &rule.source,
        Direction::Egress => &rule.destination,
    }
}
