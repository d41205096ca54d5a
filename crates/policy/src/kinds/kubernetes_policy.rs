//! Kubernetes's NetworkPolicy, as Calico reads it: in tier `default` at order 1000, Allow rules alone.
//!
//! Each pair of a peer and a port becomes a rule; a rule without peers or ports is one for any.

use palisade_yaml::{Node, Value, quoted};

use super::Metadata;
use super::policy::{DEFAULT_TIER, staged_action, types_of};
use super::reader::{Fields, Reader};
use crate::labels;
use crate::object::{Object, Policy, PolicyId, PolicyKind};
use crate::rule::{Action, Asked, Entity, NamespaceMatch, PrincipalMatch, Protocol, Rule};
use crate::selector::{Expr, Selector};

/// Where Kubernetes's policies stand among others.
const ORDER: f64 = 1000.0;

pub(super) fn enforced(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    read(reader, fields, meta, false)
}

pub(super) fn staged(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    read(reader, fields, meta, true)
}

fn read(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata, is_staged: bool) -> Option<Object> {
    let policy = reader.at(fields, "spec", |reader, node| {
        let mut known = vec!["podSelector", "policyTypes", "ingress", "egress"];
        if is_staged {
            known.push("stagedAction");
        }
        let fields = reader.fields(node, &known)?;
        let staged = is_staged.then(|| staged_action(reader, &fields));
        let mut parts = vec![Expr::is(labels::NAMESPACE, &meta.namespace), on_kubernetes()];
        if let Some(pods) = reader.at(&fields, "podSelector", label_selector) {
            parts.push(pods);
        }
        parts.retain(|part| *part != Expr::All);
        let types = types_of(reader, &fields, "policyTypes");
        let ingress = rules(reader, &fields, "ingress", "from", &meta.namespace);
        let egress = rules(reader, &fields, "egress", "to", &meta.namespace);
        let (does_ingress, does_egress) = types.unwrap_or((true, fields.get("egress").is_some()));
        Some(Policy {
            // The name that Calico gives it.
            id: PolicyId {
                name: format!("knp.default.{}", meta.name).into(),
                namespace: meta.namespace.clone(),
                kind: PolicyKind::Kubernetes,
            },
            tier: DEFAULT_TIER.into(),
            order: Some(ORDER),
            staged,
            applies_to: Expr::all_of(parts).into(),
            ingress: does_ingress.then_some(ingress),
            egress: does_egress.then_some(egress),
        })
    });
    if fields.get("spec").is_none()
        && let Some(node) = fields.get("metadata")
    {
        reader.error(node, "a policy without `spec`", "add `spec: {podSelector: {}}`");
    }
    policy.map(Object::Policy)
}

fn on_kubernetes() -> Expr {
    Expr::is(labels::ORCHESTRATOR, "k8s")
}

fn rules(
    reader: &mut Reader,
    fields: &Fields<'_>,
    list: &str,
    peers: &str,
    namespace: &str,
) -> Vec<Rule<Asked>> {
    let written = reader.each(fields, list, |reader, node| {
        let fields = reader.fields(node, &[peers, "ports"])?;
        let peers = reader.each(&fields, peers, |reader, node| peer(reader, node, namespace));
        let ports = reader.each(&fields, "ports", port);
        Some((peers, ports))
    });
    let mut rules = Vec::new();
    for (peers, ports) in written {
        let any_peer = [Entity::default()];
        let any_port = [Ports::default()];
        let peers = if peers.is_empty() { &any_peer[..] } else { &peers };
        let ports = if ports.is_empty() { &any_port[..] } else { &ports };
        for peer in peers {
            for port in ports {
                let mut rule = Rule::new(Action::Allow);
                rule.protocol = port.protocol;
                let (source, destination) = if list == "ingress" {
                    (&mut rule.source, &mut rule.destination)
                } else {
                    (&mut rule.destination, &mut rule.source)
                };
                *source = peer.clone();
                // For egress the peer is the destination, and so are the ports.
                let with_ports = if list == "ingress" { destination } else { source };
                with_ports.ports = port.range.into_iter().collect();
                with_ports.who.ports = port.name.iter().cloned().collect();
                rules.push(rule);
            }
        }
    }
    rules
}

fn peer(reader: &mut Reader, node: &Node, namespace: &str) -> Option<Entity<Asked>> {
    let fields = reader.fields(node, &["podSelector", "namespaceSelector", "ipBlock"])?;
    reader.not_both(&fields, "ipBlock", "podSelector");
    reader.not_both(&fields, "ipBlock", "namespaceSelector");
    if let Some(block) = fields.get("ipBlock") {
        let block = reader.fields(block, &["cidr", "except"])?;
        let net = reader.at(&block, "cidr", self::net);
        let except = reader.each(&block, "except", self::net);
        if block.get("cidr").is_none() {
            reader.error(node, "an `ipBlock` without `cidr`", "add `cidr: 10.0.0.0/8`");
        }
        return Some(Entity { nets: [net?].into(), not_nets: except.into(), ..Entity::default() });
    }
    let pods = reader.at(&fields, "podSelector", label_selector);
    let namespaces = reader.at(&fields, "namespaceSelector", label_selector);
    if pods.is_none() && namespaces.is_none() {
        reader.error(
            node,
            "a peer without a selector and without `ipBlock`",
            "write `podSelector: {}` for all pods",
        );
        return None;
    }
    let (scope, principal) = match namespaces {
        Some(namespaces) => {
            let of_object = match &namespaces {
                Expr::All => Expr::has(labels::NAMESPACE),
                selector => selector.prefixed(labels::OF_NAMESPACE),
            };
            (of_object, NamespaceMatch::Labels(namespaces.into()))
        }
        None => (Expr::is(labels::NAMESPACE, namespace), NamespaceMatch::Is(namespace.into())),
    };
    let mut parts = vec![scope, on_kubernetes()];
    parts.extend(pods.filter(|pods| *pods != Expr::All));
    Some(Entity {
        principal: Some(PrincipalMatch { namespace: principal, ..PrincipalMatch::default() }),
        who: Asked { selected: Some(Selector::from(Expr::all_of(parts))), ..Asked::default() },
        ..Entity::default()
    })
}

/// Kubernetes's own form of a selector.
pub(super) fn label_selector(reader: &mut Reader, node: &Node) -> Option<Expr> {
    let fields = reader.fields(node, &["matchLabels", "matchExpressions"])?;
    let labels = super::labels(reader, &fields, "matchLabels");
    let mut parts: Vec<Expr> = labels.iter().map(|(name, value)| Expr::is(name, value)).collect();
    parts.extend(reader.each(&fields, "matchExpressions", |reader, node| {
        let fields = reader.fields(node, &["key", "operator", "values"])?;
        let key = reader.at(&fields, "key", Reader::text);
        if key.is_none() {
            reader.error(node, "an expression without `key`", "add `key: LABEL`");
        }
        let values: Vec<&str> = reader.texts(&fields, "values").into_iter().map(|(_, value)| value).collect();
        let words = ["In", "NotIn", "Exists", "DoesNotExist"].map(|word| (word, word));
        let operator = reader.at(&fields, "operator", |reader, node| reader.word(node, "operator", &words));
        let (key, operator) = (key?, operator?);
        if values.is_empty() == matches!(operator, "In" | "NotIn") {
            reader.error(
                node,
                format!("{operator} and these values do not go together"),
                "In and NotIn have values, the others have none",
            );
            return None;
        }
        Some(match operator {
            "In" => Expr::is_in(key, values),
            "NotIn" => match Expr::is_in(key, values) {
                Expr::In(label, set) => Expr::NotIn(label, set),
                other => other,
            },
            "Exists" => Expr::has(key),
            _ => Expr::has(key).negated(),
        })
    }));
    Some(Expr::all_of(parts))
}

#[derive(Clone, Default)]
struct Ports {
    protocol: Option<Protocol>,
    range: Option<(u16, u16)>,
    name: Option<Box<str>>,
}

fn port(reader: &mut Reader, node: &Node) -> Option<Ports> {
    let fields = reader.fields(node, &["protocol", "port", "endPort"])?;
    let words = [("TCP", Protocol::TCP), ("UDP", Protocol::UDP), ("SCTP", Protocol::SCTP)];
    let protocol = reader.at(&fields, "protocol", |reader, node| reader.word(node, "protocol", &words));
    let last = reader.at(&fields, "endPort", |reader, node| reader.number(node, 1, 65535));
    let mut ports = Ports { protocol: Some(protocol.unwrap_or(Protocol::TCP)), ..Ports::default() };
    let Some(node) = fields.get("port") else {
        if last.is_some() {
            reader.error(node, "`endPort` without `port`", "add `port:`");
        }
        return Some(ports);
    };
    match &node.value {
        Value::Text { text, .. } if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            let first = reader.number(node, 1, 65535)? as u16;
            let last = last.map_or(first, |last| last as u16);
            if last < first {
                reader.error(
                    node,
                    format!("`endPort` {last} is below `port` {first}"),
                    "write the lower one first",
                );
            }
            ports.range = Some((first, last));
        }
        _ => {
            let name = reader.text(node)?;
            if last.is_some() {
                reader.error(
                    node,
                    format!("`endPort` does not go with the name {}", quoted(name)),
                    "write numbers",
                );
            }
            ports.name = Some(name.into());
        }
    }
    Some(ports)
}

fn net(reader: &mut Reader, node: &Node) -> Option<crate::net::Net> {
    let text = reader.text(node)?;
    let net = text.parse();
    if net.is_err() {
        reader.error(node, format!("{} is no range of addresses", quoted(text)), "write it like 10.0.0.0/8");
    }
    net.ok()
}
