//! From what was seen to rules: requests of one source put together by method, sources that ask for the same put together,
//! addresses put into ranges. Wider where there would be more than a policy may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::paths::{Methods, Pattern, WIDTHS, Width};
use super::{Learned, Requests, Who};
use crate::net::Net;

/// A rule: who may ask for what at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) port: u16,
    pub(super) from: From,
    pub(super) methods: Vec<Box<str>>,
    /// Empty: any.
    pub(super) paths: Vec<Pattern>,
}

/// Who may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    /// Service accounts of a namespace.
    Accounts { namespace: Box<str>, names: Vec<Box<str>> },
    /// Addresses.
    Nets(Vec<Net>),
    /// Anybody.
    Anybody,
}

/// The rules of a workload, and how wide they had to be.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) rules: Vec<Allowed>,
    /// Paths are wider than they were seen, and by how much.
    pub(super) width: Width,
}

/// Rules of one policy, the last one, which denies, beside them. The API allows 1,024.
const RULES_MAX: usize = 1000;
/// Paths of one rule.
const RULE_PATHS_MAX: usize = 20;
/// Ranges of one rule; more are put into wider ones.
const NETS_MAX: usize = 64;

/// The narrowest rules that a policy holds.
pub(super) fn rules(learned: &Learned) -> Rules {
    for width in WIDTHS {
        let rules = at_width(learned, width);
        // Every path of every source is at most one rule a source and port, which bounds keep below the limit but for
        // hostile input: there the last ones are left out, and who tries the policies hears of it.
        if rules.len() <= RULES_MAX {
            return Rules { rules, width };
        }
    }
    let mut rules = at_width(learned, Width::All);
    rules.truncate(RULES_MAX);
    Rules { rules, width: Width::All }
}

/// What one source may ask: methods, by number, and paths.
type Asks = Vec<(Methods, Vec<Pattern>)>;

fn at_width(learned: &Learned, width: Width) -> Vec<Allowed> {
    let mut out = Vec::new();
    for (port, sources) in &learned.ports {
        // Service accounts of a namespace that ask for the same share rules.
        let mut alike: BTreeMap<(Box<str>, Asks), Vec<Box<str>>> = BTreeMap::new();
        for (who, requests) in sources {
            let asks = asks(requests, width);
            match who {
                Who::Account((namespace, name)) => {
                    alike.entry((namespace.clone(), asks)).or_default().push(name.clone());
                }
                Who::Addresses => push(&mut out, *port, &nets(requests), &asks, learned),
            }
        }
        for ((namespace, asks), names) in alike {
            push(&mut out, *port, &From::Accounts { namespace, names }, &asks, learned);
        }
    }
    out
}

fn asks(requests: &Requests, width: Width) -> Asks {
    let mut from = WIDTHS.iter().skip_while(|other| **other != width);
    let patterns = from.find_map(|width| requests.paths.patterns(*width)).unwrap_or_default();
    let mut by_methods: BTreeMap<Methods, Vec<Pattern>> = BTreeMap::new();
    for (pattern, methods) in patterns {
        by_methods.entry(methods).or_default().push(pattern);
    }
    by_methods.into_iter().collect()
}

fn push(out: &mut Vec<Allowed>, port: u16, from: &From, asks: &Asks, learned: &Learned) {
    for (methods, patterns) in asks {
        let number = |number: &usize| methods & (1 << number) != 0;
        let methods: Vec<Box<str>> =
            (0..learned.methods.len()).filter(number).map(|number| learned.methods[number].clone()).collect();
        let everything = patterns.iter().any(|pattern| pattern.is_prefix && pattern.path == b"/");
        let rule = |paths: &[Pattern]| Allowed {
            port,
            from: from.clone(),
            methods: methods.clone(),
            paths: paths.to_vec(),
        };
        match everything {
            true => out.push(rule(&[])),
            false => out.extend(patterns.chunks(RULE_PATHS_MAX).map(rule)),
        }
    }
}

/// The addresses of a source: each by itself where they are few, else in ranges, and anybody where those are many.
pub(super) fn nets(requests: &Requests) -> From {
    if requests.more_addresses || requests.no_address {
        return From::Anybody;
    }
    for (v4, v6) in [(32, 128), (24, 64), (16, 48)] {
        let net = |address: &IpAddr| {
            let length = if address.is_ipv4() { v4 } else { v6 };
            Net::new(*address, length).unwrap_or(Net::of(*address))
        };
        let nets: BTreeSet<Net> = requests.addresses.iter().map(net).collect();
        if nets.len() <= NETS_MAX {
            return From::Nets(nets.into_iter().collect());
        }
    }
    From::Anybody
}
