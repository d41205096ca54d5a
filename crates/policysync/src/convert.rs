//! Rules and endpoints from the wire, in the form that the store takes.
//!
//! Nothing of a rule is left out because it is not understood: such a rule asks for a set that is never delivered as well, so
//! that it cannot be decided. Then it grants nothing, and it denies.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use palisade_policy::{
    Action, CompiledPolicy, DefaultAction, Endpoint, EndpointTier, Entity, HttpMatch, Icmp, NamespaceMatch,
    Net, PathMatch, PolicyRef, PrincipalMatch, Protocol, Rule, Selector, SetName, Sets, comparable_path,
};
use prost::Message as _;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::limits::Limits;
use crate::messages::{self, Icmp as WireIcmp, NotIcmp, NumberOrName, PathMatchKind, PortRange};
use crate::names;

/// The set that is never delivered. No id on the wire begins so.
const NOT_UNDERSTOOD: &str = "\0not understood";

/// A policy's or profile's rules, and what of them was not understood.
pub(crate) fn rules(
    inbound: &[Bytes],
    outbound: &[Bytes],
    namespace: &str,
    limits: &Limits,
) -> (CompiledPolicy, Option<&'static str>) {
    let mut odd = None;
    let mut all = |rules: &[Bytes]| {
        let mut out = Vec::with_capacity(rules.len());
        for bytes in rules {
            let mut reading = Reading { odd: None, limits };
            out.push(reading.rule(bytes, namespace));
            odd = odd.or(reading.odd);
        }
        out
    };
    let (ingress, egress) = (all(inbound), all(outbound));
    (CompiledPolicy { ingress, egress }, odd)
}

/// Sets that rules name, the one that is never delivered left out.
pub(crate) fn sets_of(policy: &CompiledPolicy) -> impl Iterator<Item = &SetName> {
    let rules = policy.ingress.iter().chain(&policy.egress);
    let sets = rules.flat_map(|rule| [&rule.source.who, &rule.destination.who]);
    let names = sets.flat_map(|Sets { all, none, services, ports, not_ports }| {
        [all, none, services, ports, not_ports].into_iter().flat_map(|names| names.iter())
    });
    names.filter(|name| &***name != NOT_UNDERSTOOD)
}

/// An endpoint, and what of it was not understood.
pub(crate) fn endpoint(wire: &messages::WorkloadEndpoint) -> (Endpoint, Option<&'static str>) {
    let mut odd = None;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for net in wire.ipv4_nets.iter().chain(&wire.ipv6_nets) {
        match net.parse::<Net>().ok().and_then(|net| net.single()) {
            Some(address) => addresses.push(address),
            None => odd = Some("an endpoint's address is none"),
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    let mut tiers = Vec::with_capacity(wire.tiers.len());
    for bytes in &wire.tiers {
        match tier(bytes) {
            Some(tier) => tiers.push(tier),
            // What stands in its place denies: a policy that nobody has.
            None => {
                odd = Some("a tier cannot be read");
                let unreadable: Box<[PolicyRef]> = [names::policy(&messages::PolicyId::default())].into();
                tiers.push(EndpointTier {
                    name: Arc::from(""),
                    default_action: DefaultAction::Deny,
                    ingress: unreadable.clone(),
                    egress: unreadable,
                });
            }
        }
    }
    let staged = |named: &PolicyRef| named.staged;
    let any_staged = tiers.iter().any(|tier| tier.ingress.iter().chain(&tier.egress).any(staged));
    let pending = any_staged.then(|| tiers.iter().filter_map(|tier| variant(tier, &tier_pending)).collect());
    let endpoint = Endpoint {
        addresses,
        tiers: tiers.iter().filter_map(|tier| variant(tier, &tier_enforced)).collect(),
        pending,
        profiles: wire.profile_ids.iter().map(|name| Arc::from(&**name)).collect(),
    };
    (endpoint, odd)
}

fn tier(bytes: &Bytes) -> Option<EndpointTier> {
    let wire = messages::TierInfo::decode(bytes.clone()).ok()?;
    let all =
        |policies: &[Bytes]| policies.iter().map(names::policy_of_endpoint).collect::<Option<Box<[_]>>>();
    Some(EndpointTier {
        name: Arc::from(&*wire.name),
        default_action: match wire.default_action.eq_ignore_ascii_case("pass") {
            true => DefaultAction::Pass,
            false => DefaultAction::Deny,
        },
        ingress: all(&wire.ingress_policies)?,
        egress: all(&wire.egress_policies)?,
    })
}

/// A tier with some of its policies; `None` when none is left, since a tier without policies does nothing.
fn variant(tier: &EndpointTier, choose: &dyn Fn(&[PolicyRef]) -> Box<[PolicyRef]>) -> Option<EndpointTier> {
    let (ingress, egress) = (choose(&tier.ingress), choose(&tier.egress));
    let (name, default_action) = (tier.name.clone(), tier.default_action);
    (!ingress.is_empty() || !egress.is_empty()).then_some(EndpointTier {
        name,
        default_action,
        ingress,
        egress,
    })
}

fn tier_enforced(policies: &[PolicyRef]) -> Box<[PolicyRef]> {
    policies.iter().filter(|named| !named.staged).cloned().collect()
}

/// As if what is staged were in force: it takes the place of the one of its name.
fn tier_pending(policies: &[PolicyRef]) -> Box<[PolicyRef]> {
    let staged: std::collections::HashSet<_> =
        policies.iter().filter(|named| named.staged).map(|named| &named.id).collect();
    policies.iter().filter(|named| named.staged || !staged.contains(&named.id)).cloned().collect()
}

/// One rule being read.
struct Reading<'l> {
    /// What was not understood first.
    odd: Option<&'static str>,
    limits: &'l Limits,
}

impl Reading<'_> {
    fn rule(&mut self, bytes: &Bytes, namespace: &str) -> Rule<Sets> {
        let wire = match messages::Rule::decode(bytes.clone()) {
            Ok(wire) => wire,
            Err(_) => {
                self.odd = Some("a rule cannot be read");
                return self.closed(Rule::new(Action::Deny));
            }
        };
        if has_unknown_fields(bytes) {
            self.odd("a rule has a field that is not known here");
        }
        let action = match &*wire.action.to_ascii_lowercase() {
            "allow" => Action::Allow,
            "deny" => Action::Deny,
            "pass" | "next-tier" => Action::Pass,
            "log" => Action::Log,
            _ => {
                self.odd("a rule's action is not known here");
                Action::Deny
            }
        };
        let source = Side {
            nets: &wire.src_net,
            not_nets: &wire.not_src_net,
            ports: &wire.src_ports,
            not_ports: &wire.not_src_ports,
            selector: &wire.original_src_selector,
            not_selector: &wire.original_not_src_selector,
            namespace_selector: &wire.original_src_namespace_selector,
            accounts: wire.src_service_account_match.as_ref(),
        };
        let destination = Side {
            nets: &wire.dst_net,
            not_nets: &wire.not_dst_net,
            ports: &wire.dst_ports,
            not_ports: &wire.not_dst_ports,
            selector: &wire.original_dst_selector,
            not_selector: &wire.original_not_dst_selector,
            namespace_selector: &wire.original_dst_namespace_selector,
            accounts: wire.dst_service_account_match.as_ref(),
        };
        // A source's service is an address alone, and excludes every other question about it.
        let in_sets = self.sets(&wire.src_ip_set_ids);
        let (all, services) =
            if wire.original_src_service.is_empty() { (in_sets, [].into()) } else { ([].into(), in_sets) };
        let source_sets = Sets {
            all,
            none: self.sets(&wire.not_src_ip_set_ids),
            services,
            ports: self.sets(&wire.src_named_port_ip_set_ids),
            not_ports: self.sets(&wire.not_src_named_port_ip_set_ids),
        };
        let destination_sets = Sets {
            all: self.sets(&wire.dst_ip_set_ids),
            none: self.sets(&wire.not_dst_ip_set_ids),
            services: self.sets(&wire.dst_ip_port_set_ids),
            ports: self.sets(&wire.dst_named_port_ip_set_ids),
            not_ports: self.sets(&wire.not_dst_named_port_ip_set_ids),
        };
        let rule = Rule {
            action,
            ip_version: match wire.ip_version {
                0 => None,
                4 => Some(4),
                6 => Some(6),
                _ => self.none("a rule's version of IP is not known here"),
            },
            protocol: wire.protocol.as_ref().and_then(|wire| self.protocol(wire)),
            not_protocol: wire.not_protocol.as_ref().and_then(|wire| self.protocol(wire)),
            icmp: wire.icmp.and_then(|icmp| match icmp {
                WireIcmp::IcmpType(kind) => self.icmp(kind, None),
                WireIcmp::IcmpTypeCode(wire) => self.icmp(wire.kind, Some(wire.code)),
            }),
            not_icmp: wire.not_icmp.and_then(|icmp| match icmp {
                NotIcmp::NotIcmpType(kind) => self.icmp(kind, None),
                NotIcmp::NotIcmpTypeCode(wire) => self.icmp(wire.kind, Some(wire.code)),
            }),
            source: self.entity(&source, source_sets, namespace),
            destination: self.entity(&destination, destination_sets, namespace),
            http: wire.http_match.as_ref().map(|wire| self.http(wire)),
        };
        if self.odd.is_some() { self.closed(rule) } else { rule }
    }

    /// The same rule, undecidable.
    fn closed(&self, mut rule: Rule<Sets>) -> Rule<Sets> {
        // Of the destination: what is asked of a source's address is asked of its certificate as well.
        let all = &rule.destination.who.all;
        rule.destination.who.all = all.iter().cloned().chain([SetName::from(NOT_UNDERSTOOD)]).collect();
        rule
    }

    fn odd(&mut self, what: &'static str) {
        self.odd.get_or_insert(what);
    }

    fn none<T>(&mut self, what: &'static str) -> Option<T> {
        self.odd(what);
        None
    }

    fn sets(&mut self, ids: &[String]) -> Box<[SetName]> {
        let usable = |id: &&String| !id.starts_with('\0') && id.len() <= self.limits.name_bytes_max;
        let sets: Box<[SetName]> = ids.iter().filter(usable).map(|id| SetName::from(&**id)).collect();
        if sets.len() < ids.len() {
            self.odd("a set's id is longer than the limit");
        }
        sets
    }

    fn entity(&mut self, side: &Side<'_>, who: Sets, namespace: &str) -> Entity<Sets> {
        Entity {
            nets: self.nets(side.nets),
            not_nets: self.nets(side.not_nets),
            ports: self.ports(side.ports),
            not_ports: self.ports(side.not_ports),
            principal: self.principal(side, namespace),
            who,
        }
    }

    /// What is asked of a certificate: the service account, and the namespace by the scope rule.
    fn principal(&mut self, side: &Side<'_>, namespace: &str) -> Option<PrincipalMatch> {
        let asks = !side.selector.is_empty() || !side.not_selector.is_empty() || side.accounts.is_some();
        let scope = if !side.namespace_selector.trim().is_empty() {
            let selector = self.selector(side.namespace_selector)?;
            NamespaceMatch::of_principal(&selector)
        } else if asks && !namespace.is_empty() {
            NamespaceMatch::Is(namespace.into())
        } else {
            NamespaceMatch::Any
        };
        if side.accounts.is_none() && scope == NamespaceMatch::Any {
            return None;
        }
        let accounts = side.accounts.cloned().unwrap_or_default();
        Some(PrincipalMatch {
            names: accounts.names.iter().map(|name| Box::from(&**name)).collect(),
            selector: match accounts.selector.trim().is_empty() {
                true => None,
                false => self.selector(&accounts.selector),
            },
            namespace: scope,
        })
    }

    fn selector(&mut self, text: &str) -> Option<Selector> {
        match text.parse() {
            Ok(selector) => Some(selector),
            Err(_) => self.none("a rule's selector is none"),
        }
    }

    fn nets(&mut self, texts: &[String]) -> Box<[Net]> {
        let nets: Box<[Net]> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        if nets.len() < texts.len() {
            self.odd("a rule's range of addresses is none");
        }
        nets
    }

    fn ports(&mut self, ranges: &[PortRange]) -> Box<[(u16, u16)]> {
        let port = |number: i32| u16::try_from(number).ok();
        let range = |range: &PortRange| {
            Some((port(range.first)?, port(range.last)?)).filter(|(first, last)| first <= last)
        };
        let ports: Box<[(u16, u16)]> = ranges.iter().filter_map(range).collect();
        if ports.len() < ranges.len() {
            self.odd("a rule's range of ports is none");
        }
        ports
    }

    fn protocol(&mut self, wire: &messages::Protocol) -> Option<Protocol> {
        let protocol = match &wire.number_or_name {
            Some(NumberOrName::Number(number)) => u8::try_from(*number).ok().filter(|n| *n > 0).map(Protocol),
            Some(NumberOrName::Name(name)) => Protocol::parse(name),
            None => None,
        };
        protocol.or_else(|| self.none("a rule's protocol is not known here"))
    }

    fn icmp(&mut self, kind: i32, code: Option<i32>) -> Option<Icmp> {
        let number = |number: i32| u8::try_from(number).ok();
        match (number(kind), code.map(number)) {
            (Some(kind), None) => Some(Icmp { kind: Some(kind), code: None }),
            (Some(kind), Some(Some(code))) => Some(Icmp { kind: Some(kind), code: Some(code) }),
            _ => self.none("a rule's ICMP message is none"),
        }
    }

    fn http(&mut self, wire: &messages::HttpMatch) -> HttpMatch {
        let path = |wire: &messages::PathMatch| {
            let form = |text: &str| Some(comparable_path(text.as_bytes())?.into_owned().into_boxed_slice());
            match wire.path_match.as_ref()? {
                PathMatchKind::Exact(text) => form(text).map(PathMatch::Exact),
                PathMatchKind::Prefix(text) => form(text).map(PathMatch::Prefix),
            }
        };
        let paths: Box<[PathMatch]> = wire.paths.iter().filter_map(path).collect();
        if paths.len() < wire.paths.len() {
            self.odd("a rule's path is none");
        }
        HttpMatch {
            methods: wire.methods.iter().map(|method| Box::from(&**method)).collect(),
            paths,
            ..HttpMatch::default()
        }
    }
}

/// One end of a rule on the wire.
struct Side<'w> {
    nets: &'w [String],
    not_nets: &'w [String],
    ports: &'w [PortRange],
    not_ports: &'w [PortRange],
    selector: &'w str,
    not_selector: &'w str,
    namespace_selector: &'w str,
    accounts: Option<&'w messages::ServiceAccountMatch>,
}

/// Whether a rule has fields that ask for something that we do not know of.
fn has_unknown_fields(bytes: &Bytes) -> bool {
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let Ok((tag, kind)) = decode_key(&mut rest) else { return true };
        if !messages::Rule::reads(tag) && !messages::Rule::HARMLESS.contains(&tag) {
            return true;
        }
        if skip_field(kind, tag, &mut rest, DecodeContext::default()).is_err() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(wire: &messages::Rule) -> (Rule<Sets>, Option<&'static str>) {
        let (policy, odd) = rules(&[wire.encode_to_vec().into()], &[], "bank", &Limits::default());
        (policy.ingress.into_iter().next().unwrap(), odd)
    }

    fn is_closed(rule: &Rule<Sets>) -> bool {
        rule.destination.who.all.iter().any(|name| &**name == NOT_UNDERSTOOD)
    }

    #[test]
    fn what_is_not_understood_makes_a_rule_undecidable() {
        let allow = || messages::Rule { action: "allow".into(), ..Default::default() };
        let (rule, odd) = read(&allow());
        assert!(!is_closed(&rule) && odd.is_none() && rule == Rule::new(Action::Allow));
        for (wire, what) in [
            (messages::Rule { action: "shrug".into(), ..allow() }, "action"),
            (messages::Rule { src_net: vec!["10.0.0.0/33".into()], ..allow() }, "range of addresses"),
            (
                messages::Rule { dst_ports: vec![PortRange { first: 9, last: 8 }], ..allow() },
                "range of ports",
            ),
            (
                messages::Rule { dst_ports: vec![PortRange { first: -1, last: 8 }], ..allow() },
                "range of ports",
            ),
            (messages::Rule { protocol: Some(messages::Protocol::default()), ..allow() }, "protocol"),
            (messages::Rule { ip_version: 5, ..allow() }, "version of IP"),
            (messages::Rule { icmp: Some(WireIcmp::IcmpType(300)), ..allow() }, "ICMP"),
            (messages::Rule { original_src_namespace_selector: "has(".into(), ..allow() }, "selector"),
            (messages::Rule { src_ip_set_ids: vec!["s".repeat(2000)], ..allow() }, "longer than the limit"),
            (
                messages::Rule {
                    http_match: Some(messages::HttpMatch {
                        methods: vec![],
                        paths: vec![messages::PathMatch {
                            path_match: Some(PathMatchKind::Prefix("/a/..%2f".into())),
                        }],
                    }),
                    ..allow()
                },
                "path",
            ),
        ] {
            let (rule, odd) = read(&wire);
            assert!(is_closed(&rule), "{what}");
            assert!(odd.unwrap().contains(what), "{odd:?} for {what}");
        }
        // Fields of other editions: 14 are sets of domains; annotations and ids ask for nothing.
        let mut bytes = allow().encode_to_vec();
        bytes.extend([0xda, 0x07, 0, 0xc2, 0x0c, 1, b'p', 0xca, 0x0c, 1, b'i']);
        let harmless = rules(&[bytes.clone().into()], &[], "", &Limits::default());
        assert_eq!((harmless.1, is_closed(&harmless.0.ingress[0])), (None, false));
        bytes.extend([0x72, 1, b'd']);
        let (policy, odd) = rules(&[bytes.into()], &[], "", &Limits::default());
        assert!(is_closed(&policy.ingress[0]) && odd.unwrap().contains("field"));
        // Bytes that are no rule deny.
        let (policy, odd) = rules(&[Bytes::from_static(b"\x0a\xff")], &[], "", &Limits::default());
        assert_eq!((policy.ingress[0].action, is_closed(&policy.ingress[0])), (Action::Deny, true));
        assert_eq!(odd, Some("a rule cannot be read"));
    }

    #[test]
    fn the_scope_rule_holds() {
        let with = |selector: &str, namespaces: &str| messages::Rule {
            action: "allow".into(),
            original_src_selector: selector.into(),
            original_src_namespace_selector: namespaces.into(),
            src_ip_set_ids: vec!["s:1".into()],
            ..Default::default()
        };
        let scope =
            |wire: &messages::Rule| read(wire).0.source.principal.map(|principal| principal.namespace);
        assert_eq!(scope(&with("app == 'web'", "")), Some(NamespaceMatch::Is("bank".into())));
        assert_eq!(scope(&with("", "")), None);
        assert!(matches!(scope(&with("", "all()")), Some(NamespaceMatch::Labels(_))));
        // A service is asked of the address alone.
        let service = messages::Rule { original_src_service: "web".into(), ..with("", "") };
        let who = read(&service).0.source.who;
        assert_eq!((who.all.len(), who.services.len()), (0, 1));
    }

    #[test]
    fn staged_policies_are_only_in_what_is_pending() {
        let named =
            |names: &[&'static str]| names.iter().map(|name| Bytes::from_static(name.as_bytes())).collect();
        let tier = |name: &str, ingress: &[&'static str]| -> Bytes {
            let tier = messages::TierInfo {
                name: name.into(),
                ingress_policies: named(ingress),
                egress_policies: vec![],
                default_action: String::new(),
            };
            tier.encode_to_vec().into()
        };
        let wire = messages::WorkloadEndpoint {
            ipv4_nets: vec!["10.0.0.1/32".into(), "10.0.0.0/8".into()],
            tiers: vec![tier("a", &["staged:x"]), tier("b", &["staged:y", "y", "z"])],
            ..Default::default()
        };
        let (endpoint, odd) = super::endpoint(&wire);
        assert_eq!(odd, Some("an endpoint's address is none"));
        assert_eq!(endpoint.addresses.len(), 1);
        let shown = |tiers: &[EndpointTier]| {
            let names = tiers.iter().map(|tier| {
                let policies =
                    tier.ingress.iter().map(|named| format!("{}{}", named.id.name, named.staged as u8));
                policies.collect::<Vec<_>>().join(" ")
            });
            names.collect::<Vec<_>>()
        };
        assert_eq!(shown(&endpoint.tiers), ["y0 z0"]);
        assert_eq!(shown(&endpoint.pending.unwrap()), ["x1", "y1 z0"]);
    }
}
