//! Policies in words, as the console lists them.

use std::fmt::Write as _;

use palisade_console::{PolicyRuleShown, PolicyShown};
use palisade_policy::{
    Asked, ClaimMatch, ClaimTest, Entity, HeaderTest, HostMatch, HttpMatch, Object, ObjectKey, PathMatch,
    Policy, Rule,
};

/// The policies among objects, in the order in which they are asked: by tier, order and name.
pub(crate) fn shown_policies<'o>(objects: impl Iterator<Item = &'o (ObjectKey, Object)>) -> Vec<PolicyShown> {
    let (mut policies, mut tiers) = (Vec::new(), Vec::new());
    for (key, object) in objects {
        match object {
            Object::Policy(policy) => policies.push(policy),
            Object::Tier(tier) => tiers.push((&*key.name, tier.order)),
            _ => {}
        }
    }
    let order_of = |tier: &str| {
        let known = tiers.iter().find(|(name, _)| *name == tier);
        known.and_then(|(_, order)| *order).unwrap_or(f64::INFINITY)
    };
    policies.sort_by(|one, other| {
        let key = |policy: &Policy| (order_of(&policy.tier), policy.order.unwrap_or(f64::INFINITY));
        let ((tier, order), (other_tier, other_order)) = (key(one), key(other));
        let by_tier = tier.total_cmp(&other_tier).then_with(|| one.tier.cmp(&other.tier));
        by_tier.then(order.total_cmp(&other_order)).then_with(|| one.id.cmp(&other.id))
    });
    policies.into_iter().map(shown).collect()
}

fn shown(policy: &Policy) -> PolicyShown {
    let directions = [("ingress", &policy.ingress), ("egress", &policy.egress)];
    let rules = directions.iter().flat_map(|(direction, rules)| {
        rules.iter().flatten().enumerate().map(|(index, rule)| PolicyRuleShown {
            direction,
            index,
            action: rule.action.as_str(),
            text: text_of(rule),
        })
    });
    PolicyShown {
        kind: policy.id.kind.as_str(),
        namespace: policy.id.namespace.to_string(),
        name: policy.id.name.to_string(),
        tier: policy.tier.to_string(),
        order: policy.order,
        staged: policy.staged.is_some(),
        selector: policy.applies_to.to_string(),
        directions: directions.iter().filter(|(_, rules)| rules.is_some()).map(|(name, _)| *name).collect(),
        rules: rules.collect(),
    }
}

/// What a rule asks for, clause by clause.
fn text_of(rule: &Rule<Asked>) -> String {
    let mut clauses = Vec::new();
    if let Some(version) = rule.ip_version {
        clauses.push(format!("IPv{version}"));
    }
    clauses.extend(rule.protocol.map(|protocol| protocol.to_string()));
    clauses.extend(rule.not_protocol.map(|protocol| format!("not {protocol}")));
    clauses.extend(rule.icmp.map(|icmp| format!("ICMP {icmp:?}")));
    clauses.extend(rule.not_icmp.map(|icmp| format!("not ICMP {icmp:?}")));
    for (name, entity) in [("from", &rule.source), ("to", &rule.destination)] {
        let asked = entity_text(entity);
        if !asked.is_empty() {
            clauses.push(format!("{name} {}", asked.join(" and ")));
        }
    }
    clauses.extend(rule.http.as_ref().map(http_text));
    clauses.join("; ")
}

fn entity_text(entity: &Entity<Asked>) -> Vec<String> {
    let mut asked = Vec::new();
    let list = |items: Vec<String>| items.join(", ");
    let nets = |nets: &[_]| list(nets.iter().map(ToString::to_string).collect());
    let ports = |ports: &[(u16, u16)], names: &[Box<str>]| {
        let numbers = ports.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        list(numbers.chain(names.iter().map(ToString::to_string)).collect())
    };
    let who = &entity.who;
    asked.extend(who.selected.as_ref().map(ToString::to_string));
    asked.extend(who.not_selected.as_ref().map(|selector| format!("not {selector}")));
    asked.extend(
        who.service.as_ref().map(|service| format!("service {}/{}", service.namespace, service.name)),
    );
    if let Some(principal) = &entity.principal {
        let mut text = "service account".to_owned();
        if !principal.names.is_empty() {
            let _ = write!(text, " {}", list(principal.names.iter().map(ToString::to_string).collect()));
        }
        if let Some(selector) = &principal.selector {
            let _ = write!(text, " with {selector}");
        }
        asked.push(text);
    }
    for (word, ranges) in [("in", &entity.nets), ("not in", &entity.not_nets)] {
        if !ranges.is_empty() {
            asked.push(format!("{word} {}", nets(ranges)));
        }
    }
    for (word, numbers, names) in
        [("port", &entity.ports, &who.ports), ("not port", &entity.not_ports, &who.not_ports)]
    {
        if !numbers.is_empty() || !names.is_empty() {
            asked.push(format!("{word} {}", ports(numbers, names)));
        }
    }
    asked
}

fn http_text(http: &HttpMatch) -> String {
    let mut parts = Vec::new();
    if !http.methods.is_empty() {
        parts.push(http.methods.join(", "));
    }
    let paths = http.paths.iter().map(|path| match path {
        PathMatch::Exact(path) => String::from_utf8_lossy(path).into_owned(),
        PathMatch::Prefix(path) => format!("{}/**", String::from_utf8_lossy(path).trim_end_matches('/')),
    });
    let paths: Vec<String> = paths.collect();
    if !paths.is_empty() {
        parts.push(paths.join(", "));
    }
    let hosts = http.hosts.iter().map(|host| match host {
        HostMatch::Exact(name) => name.to_string(),
        HostMatch::Below(name) => format!("*.{name}"),
    });
    let hosts: Vec<String> = hosts.collect();
    if !hosts.is_empty() {
        parts.push(format!("host {}", hosts.join(", ")));
    }
    parts.extend(http.headers.iter().map(|header| match &header.test {
        HeaderTest::Exists => format!("header {}", header.name),
        HeaderTest::DoesNotExist => format!("no header {}", header.name),
        test => format!("header {} {test:?}", header.name),
    }));
    parts.extend(http.claims.iter().map(|ClaimMatch { claim, test }| match test {
        ClaimTest::Exists => format!("claim {claim}"),
        ClaimTest::DoesNotExist => format!("no claim {claim}"),
        ClaimTest::In(values) => format!("claim {claim} in {}", values.join(", ")),
        ClaimTest::NotIn(values) => format!("claim {claim} not in {}", values.join(", ")),
    }));
    parts.join(" ")
}
