//! The rules of Calico's policies and profiles, within the API's limits.

use palisade_yaml::{Node, quoted};

use super::claims::claim;
use super::entity::{Place, entity};
use super::reader::{Fields, Reader};
use crate::http_match::{HeaderMatch, HeaderRegex, HeaderTest, HostMatch, HttpMatch, PathMatch};
use crate::path::comparable_path;
use crate::rule::{Action, Asked, Icmp, Protocol, Rule};

/// Rules of a policy in each direction.
pub(super) const RULES_MAX: usize = 1024;
/// Methods, paths, headers, hosts and claims of a rule, each.
pub(super) const HTTP_ITEMS_MAX: usize = 20;
/// Characters of a path.
pub(super) const PATH_CHARS_MAX: usize = 1024;

/// In which of a policy's lists a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Ingress,
    Egress,
}

pub(super) fn read(reader: &mut Reader, fields: &Fields<'_>, place: Place<'_>) -> Option<Vec<Rule<Asked>>> {
    let name = match place.side {
        Side::Ingress => "ingress",
        Side::Egress => "egress",
    };
    fields.get(name)?;
    let help = "split the policy in two; policies of one order are asked by name";
    reader.at_most(fields, name, RULES_MAX, help);
    Some(reader.each(fields, name, |reader, node| rule(reader, node, place)))
}

const KNOWN: [&str; 10] = [
    "action",
    "ipVersion",
    "protocol",
    "notProtocol",
    "icmp",
    "notICMP",
    "source",
    "destination",
    "http",
    "metadata",
];

fn rule(reader: &mut Reader, node: &Node, place: Place<'_>) -> Option<Rule<Asked>> {
    let fields = reader.fields(node, &KNOWN)?;
    let words =
        [("Allow", Action::Allow), ("Deny", Action::Deny), ("Log", Action::Log), ("Pass", Action::Pass)];
    let action = reader.at(&fields, "action", |reader, node| reader.word(node, "action", &words));
    if fields.get("action").is_none() {
        reader.error(node, "a rule without an action", "add `action: Allow`, Deny, Log or Pass");
    }
    let ip_version = reader
        .at(&fields, "ipVersion", |reader, node| reader.word(node, "version of IP", &[("4", 4), ("6", 6)]));
    let protocol = reader.at(&fields, "protocol", self::protocol);
    let not_protocol = reader.at(&fields, "notProtocol", self::protocol);
    let icmp = reader.at(&fields, "icmp", self::icmp);
    let not_icmp = reader.at(&fields, "notICMP", self::icmp);
    if let (Some(protocol), Some(node)) = (protocol, fields.get("icmp").or(fields.get("notICMP")))
        && !matches!(protocol, Protocol::ICMP | Protocol::ICMP_V6)
    {
        let message = format!("`icmp` does not go together with protocol {protocol}");
        reader.error(node, message, "write `protocol: ICMP` or ICMPv6");
    }
    let source = reader.at(&fields, "source", |reader, node| entity(reader, node, place, "source"));
    let destination =
        reader.at(&fields, "destination", |reader, node| entity(reader, node, place, "destination"));
    for (end, entity) in [("source", &source), ("destination", &destination)] {
        let (Some(entity), Some(node)) = (entity, fields.get(end)) else { continue };
        let has_ports = !entity.ports.is_empty()
            || !entity.not_ports.is_empty()
            || !entity.who.ports.is_empty()
            || !entity.who.not_ports.is_empty();
        if has_ports && !protocol.is_some_and(Protocol::has_ports) {
            let message = format!("`{end}` asks for ports, which only TCP, UDP, SCTP and UDPLite have");
            reader.error(node, message, "add `protocol: TCP` to the rule");
        }
        let wrong = entity.nets.iter().chain(&entity.not_nets).find(|net| {
            let version = if net.address().is_ipv4() { 4 } else { 6 };
            ip_version.is_some_and(|asked| asked != version)
        });
        if let Some(net) = wrong {
            let message = format!("{net} is not of the rule's `ipVersion`");
            reader.error(node, message, "leave `ipVersion` out; ranges say it");
        }
    }
    let http = reader.at(&fields, "http", self::http);
    if let (Some(node), Some(action)) = (fields.get("http"), action) {
        if !matches!(action, Action::Allow | Action::Deny) {
            let message = format!("`http` does not go together with action {}", action.as_str());
            reader.error(node, message, "write an Allow or Deny rule");
        }
        if protocol.is_some_and(|protocol| protocol != Protocol::TCP) || not_protocol == Some(Protocol::TCP) {
            reader.error(
                node,
                "`http` needs protocol TCP",
                "write `protocol: TCP`, or leave the protocol out",
            );
        }
    }
    Some(Rule {
        action: action?,
        ip_version,
        protocol,
        not_protocol,
        icmp,
        not_icmp,
        source: source.unwrap_or_default(),
        destination: destination.unwrap_or_default(),
        http,
    })
}

fn protocol(reader: &mut Reader, node: &Node) -> Option<Protocol> {
    let text = reader.text(node)?;
    let protocol = Protocol::parse(text);
    if protocol.is_none() {
        let help = "write TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite, or a number from 1 to 255";
        reader.error(node, format!("{} is no protocol", quoted(text)), help);
    }
    protocol
}

fn icmp(reader: &mut Reader, node: &Node) -> Option<Icmp> {
    let fields = reader.fields(node, &["type", "code"])?;
    let kind = reader.at(&fields, "type", |reader, node| reader.number(node, 0, 254));
    let code = reader.at(&fields, "code", |reader, node| reader.number(node, 0, 255));
    if code.is_some() && kind.is_none() {
        reader.error(node, "an ICMP code without a type", "add `type:`");
    }
    Some(Icmp { kind: kind.map(|kind| kind as u8), code: code.map(|code| code as u8) })
}

fn http(reader: &mut Reader, node: &Node) -> Option<HttpMatch> {
    let lists = ["methods", "paths", "headers", "hosts", "claims"];
    let fields = reader.fields(node, &lists)?;
    for list in lists {
        reader.at_most(&fields, list, HTTP_ITEMS_MAX, "write a second rule for the rest");
    }
    let mut methods: Vec<Box<str>> = Vec::new();
    for (node, method) in reader.texts(&fields, "methods") {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if method.is_empty() || !method.bytes().all(is_token) {
            reader.error(
                node,
                format!("{} is no method", quoted(method)),
                "write a method such as GET, or \"*\"",
            );
        } else if methods.iter().any(|there| **there == *method) {
            reader.error(
                node,
                format!("the method {} stands here twice", quoted(method)),
                "remove one of them",
            );
        } else if method != "*" && method.bytes().any(|byte| byte.is_ascii_lowercase()) {
            let help = format!("methods are compared in their case: write {}", method.to_ascii_uppercase());
            reader.warn(node, format!("{} matches no usual request", quoted(method)), &help);
        }
        methods.push(method.into());
    }
    let paths = reader.each(&fields, "paths", path);
    let headers = reader.each(&fields, "headers", header);
    let hosts = reader.each(&fields, "hosts", host);
    let claims = reader.each(&fields, "claims", claim);
    Some(HttpMatch {
        methods: methods.into(),
        paths: paths.into(),
        headers: headers.into(),
        hosts: hosts.into(),
        claims: claims.into(),
    })
}

fn path(reader: &mut Reader, node: &Node) -> Option<PathMatch> {
    let fields = reader.fields(node, &["exact", "prefix"])?;
    let (exact, prefix) = (fields.get("exact"), fields.get("prefix"));
    let value = match (exact, prefix) {
        (Some(value), None) | (None, Some(value)) => value,
        _ => {
            reader.error(
                node,
                "a path is exactly one of `exact` and `prefix`",
                "write `- prefix: /api`, or `- exact: /api`",
            );
            return None;
        }
    };
    let text = reader.text(value)?;
    let characters = text.chars().count();
    if !text.starts_with('/') {
        let help = format!("write /{}", text.chars().take(80).collect::<String>());
        reader.error(
            value,
            format!("{} is no path: a path begins with a slash", quoted(text)),
            help.as_str(),
        );
        return None;
    }
    if text.contains(['?', '#', ' ', '\t', '\r', '\n']) {
        let help = "a path ends before the query; a blank is written %20";
        reader.error(value, format!("{} has a `?`, a `#` or a blank", quoted(text)), help);
        return None;
    }
    if characters > PATH_CHARS_MAX {
        let help = "a shorter prefix covers what is below it";
        reader.error(
            value,
            format!("a path has at most {PATH_CHARS_MAX} characters, not {characters}"),
            help,
        );
        return None;
    }
    let Some(form) = comparable_path(text.as_bytes()) else {
        let help = "write it decoded, without backslashes and without `..`";
        reader.error(
            value,
            format!("{} is a path that servers read in more than one way", quoted(text)),
            help,
        );
        return None;
    };
    let form = form.into_owned().into();
    Some(if exact.is_some() { PathMatch::Exact(form) } else { PathMatch::Prefix(form) })
}

/// Exists and DoesNotExist have no values; every other operator needs some.
pub(super) fn values_fit(reader: &mut Reader, node: &Node, operator: &str, values: usize) -> Option<()> {
    let (message, help) = match (operator, values) {
        ("Exists" | "DoesNotExist", 0) => return Some(()),
        ("Exists" | "DoesNotExist", _) => (format!("{operator} has no values"), "remove `values`"),
        (_, 0) => (format!("{operator} needs values"), "add `values: [VALUE]`"),
        _ => return Some(()),
    };
    reader.error(node, message, help);
    None
}

fn header(reader: &mut Reader, node: &Node) -> Option<HeaderMatch> {
    let fields = reader.fields(node, &["header", "operator", "values"])?;
    let name = reader.at(&fields, "header", Reader::text);
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        reader.error(node, "a header without its name", "add `header: NAME`");
        return None;
    };
    let values: Vec<(&Node, &str)> = reader.texts(&fields, "values");
    let texts = || values.iter().map(|(_, value)| Box::from(*value)).collect::<Box<[Box<str>]>>();
    let regexes = |reader: &mut Reader| {
        let mut out = Vec::new();
        for (node, value) in &values {
            match HeaderRegex::new(value) {
                Ok(regex) => out.push(regex),
                Err(error) => {
                    reader.error(node, format!("{} is no regular expression: {error}", quoted(value)), None)
                }
            }
        }
        out.into_boxed_slice()
    };
    let words = ["Exists", "DoesNotExist", "HasPrefix", "HasSuffix", "In", "NotIn", "MatchesRegex"];
    let words = words.map(|word| (word, word));
    if fields.get("operator").is_none() {
        let help =
            "add `operator:` with one of Exists, DoesNotExist, HasPrefix, HasSuffix, In, NotIn, MatchesRegex";
        reader.error(node, "a header without an operator", help);
    }
    let operator = reader.at(&fields, "operator", |reader, node| reader.word(node, "operator", &words))?;
    values_fit(reader, node, operator, values.len())?;
    let test = match operator {
        "Exists" => HeaderTest::Exists,
        "DoesNotExist" => HeaderTest::DoesNotExist,
        "HasPrefix" => HeaderTest::HasPrefix(texts()),
        "HasSuffix" => HeaderTest::HasSuffix(texts()),
        "In" => HeaderTest::In(texts()),
        "NotIn" => HeaderTest::NotIn(texts()),
        _ => HeaderTest::MatchesRegex(regexes(reader)),
    };
    Some(HeaderMatch { name: name.into(), test })
}

fn host(reader: &mut Reader, node: &Node) -> Option<HostMatch> {
    let text = reader.text(node)?;
    let (wild, name) = match text.strip_prefix("*.") {
        Some(parent) => (true, parent),
        None => (false, text),
    };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    let has_port = !name.starts_with('[') && name.contains(':');
    if name.is_empty() || name.len() > 253 || has_port || !name.bytes().all(known) {
        let help = "write shop.example.com, or \"*.example.com\", without a port";
        reader.error(node, format!("{} is no host", quoted(text)), help);
        return None;
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase().into();
    Some(if wild { HostMatch::Below(name) } else { HostMatch::Exact(name) })
}
