//! One end of a flow in a rule: what it asks of addresses, as one question to labels, and what of certificates.
//!
//! ```text
//!  selector, namespaceSelector, serviceAccounts  ->  who.selected   one selector over an object's labels
//!  namespaceSelector, serviceAccounts            ->  principal      asked of the name in the certificate as well
//! ```
//!
//! The scope rule: in a policy of one namespace, `selector`, `notSelector` and `serviceAccounts` without a
//! `namespaceSelector` mean that namespace; with none of them any peer may match. In a global policy no
//! `namespaceSelector` means all namespaces.

use palisade_yaml::{Node, Value, quoted};

use super::reader::{Fields, Reader};
use super::rules::Side;
use crate::labels;
use crate::net::Net;
use crate::object::{PolicyId, PolicyKind};
use crate::rule::{Asked, Entity, NamespaceMatch, PrincipalMatch, ServiceName};
use crate::selector::{Expr, Selector};

/// Ranges of addresses in a list.
pub(super) const NETS_MAX: usize = 256;
/// Ports in a list.
pub(super) const PORTS_MAX: usize = 50;
/// Characters of a selector.
pub(super) const SELECTOR_CHARS_MAX: usize = 1024;

/// Whose rule it is.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) policy: &'p PolicyId,
    pub(super) side: Side,
}

impl Place<'_> {
    fn namespace(&self) -> Option<&str> {
        (self.policy.kind != PolicyKind::Global).then_some(&*self.policy.namespace)
    }
}

const KNOWN: [&str; 10] = [
    "nets",
    "notNets",
    "selector",
    "notSelector",
    "namespaceSelector",
    "services",
    "ports",
    "notPorts",
    "serviceAccounts",
    "domains",
];

pub(super) fn entity(reader: &mut Reader, node: &Node, place: Place<'_>, end: &str) -> Option<Entity<Asked>> {
    let fields = reader.fields(node, &KNOWN)?;
    if let Some(node) = fields.get("domains") {
        let help = "write `nets`, or for HTTP a destination host: `http: {hosts: [NAME]}`";
        reader.error(node, "`domains` has no meaning here: nothing here watches DNS", help);
    }
    for other in ["selector", "notSelector", "namespaceSelector", "serviceAccounts", "nets", "notNets"] {
        reader.not_both(&fields, "services", other);
    }
    for list in ["nets", "notNets"] {
        reader.at_most(&fields, list, NETS_MAX, "put them into a GlobalNetworkSet, and select it by a label");
    }
    for list in ["ports", "notPorts"] {
        reader.at_most(&fields, list, PORTS_MAX, "write ranges, such as 8000:8099, or a second rule");
    }
    let nets = reader.each(&fields, "nets", net).into();
    let not_nets = reader.each(&fields, "notNets", net).into();
    let (ports, named) = ports(reader, &fields, "ports");
    let (not_ports, not_named) = self::ports(reader, &fields, "notPorts");
    let own = reader.at(&fields, "selector", selector);
    let not_selected = reader.at(&fields, "notSelector", selector);
    let namespaces = reader.at(&fields, "namespaceSelector", namespace_selector);
    let accounts = reader.at(&fields, "serviceAccounts", service_accounts);
    let service = reader.at(&fields, "services", |reader, node| service(reader, node, place));
    if service.is_some() {
        let fits = matches!((place.side, end), (Side::Ingress, "source") | (Side::Egress, "destination"));
        if !fits && let Some(node) = fields.get("services") {
            let help = "services are for the source of ingress rules and the destination of egress rules";
            reader.error(node, format!("`services` has no place in the {end} here"), help);
        }
    }
    let asks = own.is_some() || not_selected.is_some() || accounts.is_some();
    let scope = match (&namespaces, place.namespace()) {
        (Some(namespaces), _) => NamespaceMatch::Labels(namespaces.clone()),
        (None, Some(namespace)) if asks => NamespaceMatch::Is(namespace.into()),
        _ => NamespaceMatch::Any,
    };
    let selected = selected(own.as_ref(), &scope, accounts.as_ref());
    let principal = (accounts.is_some() || scope != NamespaceMatch::Any)
        .then(|| PrincipalMatch { namespace: in_principal(scope), ..accounts.unwrap_or_default() });
    Some(Entity {
        nets,
        not_nets,
        ports,
        not_ports,
        principal,
        who: Asked { selected, not_selected, service, ports: named, not_ports: not_named },
    })
}

/// All that is asked of the labels of whoever has the address, as one selector.
fn selected(
    own: Option<&Selector>,
    scope: &NamespaceMatch,
    accounts: Option<&PrincipalMatch>,
) -> Option<Selector> {
    let mut parts = Vec::new();
    match scope {
        NamespaceMatch::Any => {}
        NamespaceMatch::Is(namespace) => parts.push(Expr::is(labels::NAMESPACE, namespace)),
        NamespaceMatch::Labels(namespaces) => {
            parts.push(namespaces.expr().prefixed(labels::OF_NAMESPACE).map(&|leaf| match leaf {
                Expr::All => Expr::has(labels::NAMESPACE),
                Expr::Global => Expr::has(labels::NAMESPACE).negated(),
                other => other.clone(),
            }));
        }
    }
    if let Some(own) = own {
        parts.push(own.expr().clone());
    }
    if let Some(accounts) = accounts {
        let names = accounts.names.iter().map(|name| &**name);
        parts.push(match accounts.names.is_empty() {
            true => Expr::has(labels::SERVICE_ACCOUNT),
            false => Expr::is_in(labels::SERVICE_ACCOUNT, names),
        });
        if let Some(selector) = &accounts.selector {
            parts.push(selector.expr().prefixed(labels::OF_SERVICE_ACCOUNT));
        }
    }
    (!parts.is_empty()).then(|| Expr::all_of(parts).into())
}

/// The same of a principal.
fn in_principal(scope: NamespaceMatch) -> NamespaceMatch {
    match scope {
        NamespaceMatch::Labels(namespaces) => NamespaceMatch::of_principal(&namespaces),
        other => other,
    }
}

/// A selector in a place where `global()` means nothing.
pub(super) fn selector(reader: &mut Reader, node: &Node) -> Option<Selector> {
    let selector = namespace_selector(reader, node)?;
    if selector.expr().any(&|leaf| *leaf == Expr::Global) {
        let help = "it is for the `namespaceSelector` of a rule's source or destination";
        reader.error(node, "`global()` has no meaning here", help);
        return None;
    }
    Some(selector)
}

/// A selector; `None` where it is empty.
fn namespace_selector(reader: &mut Reader, node: &Node) -> Option<Selector> {
    let text = reader.text(node)?;
    let characters = text.chars().count();
    if characters > SELECTOR_CHARS_MAX {
        let help = "give the objects a label of their own, and select that";
        reader.error(
            node,
            format!("a selector has at most {SELECTOR_CHARS_MAX} characters, not {characters}"),
            help,
        );
        return None;
    }
    if text.trim_matches([' ', '\t']).is_empty() {
        return None;
    }
    match text.parse::<Selector>() {
        Ok(selector) => Some(selector),
        Err(error) => {
            reader.error(
                node,
                format!("{} is no selector: {error}", quoted(text)),
                "write it like app == 'web' && has(tier)",
            );
            None
        }
    }
}

fn service_accounts(reader: &mut Reader, node: &Node) -> Option<PrincipalMatch> {
    let fields = reader.fields(node, &["names", "selector"])?;
    let names = reader.each(&fields, "names", |reader, node| super::name(reader, node, "a service account"));
    let selector = reader.at(&fields, "selector", selector);
    Some(PrincipalMatch { names: names.into(), selector, namespace: NamespaceMatch::Any })
}

fn service(reader: &mut Reader, node: &Node, place: Place<'_>) -> Option<ServiceName> {
    let fields = reader.fields(node, &["name", "namespace"])?;
    let name = reader.at(&fields, "name", |reader, node| super::name(reader, node, "a service"));
    let own = place.namespace().map(Box::from);
    let namespace =
        reader.at(&fields, "namespace", |reader, node| super::name(reader, node, "a namespace")).or(own);
    match (name, namespace) {
        (Some(name), Some(namespace)) => Some(ServiceName { namespace, name }),
        (None, _) => {
            reader.error(node, "`services` without a name", "add `name: SERVICE`");
            None
        }
        (_, None) => {
            let help = "add `namespace: NAMESPACE`: a global policy has none of its own";
            reader.error(node, "`services` without a namespace", help);
            None
        }
    }
}

fn net(reader: &mut Reader, node: &Node) -> Option<Net> {
    let text = reader.text(node)?;
    let net = text.parse();
    if net.is_err() {
        reader.error(node, format!("{} is no range of addresses", quoted(text)), "write it like 10.0.0.0/8");
    }
    net.ok()
}

type Ports = (Box<[(u16, u16)]>, Box<[Box<str>]>);

/// Numbers, `first:last`, and names.
fn ports(reader: &mut Reader, fields: &Fields<'_>, list: &str) -> Ports {
    let (mut ranges, mut names) = (Vec::new(), Vec::new());
    reader.each(fields, list, |reader, node| {
        let Value::Text { text, plain } = &node.value else {
            reader.text(node);
            return Some(());
        };
        let number =
            |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        let named = |text: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            !text.is_empty() && text.len() <= 128 && text.bytes().all(known)
        };
        match text.split_once(':') {
            Some((first, last)) => match (number(first), number(last)) {
                (Some(first), Some(last)) if first <= last => ranges.push((first, last)),
                (Some(_), Some(_)) => {
                    reader.error(
                        node,
                        format!("{} is a range that ends before it begins", quoted(text)),
                        "write the lower port first",
                    );
                }
                _ => reader.error(
                    node,
                    format!("{} is no range of ports", quoted(text)),
                    "write it like \"8000:8099\"",
                ),
            },
            None => match number(text) {
                Some(port) => ranges.push((port, port)),
                None if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && *plain => {
                    reader.error(
                        node,
                        format!("{} is no port", quoted(text)),
                        "write a number from 0 to 65535",
                    );
                }
                None if named(text) => names.push(Box::from(text.as_str())),
                None => reader.error(
                    node,
                    format!("{} is no port", quoted(text)),
                    "write a number, \"first:last\" or the name of a port",
                ),
            },
        }
        Some(())
    });
    (ranges.into(), names.into())
}
