//! What policies are about: tiers, sets, profiles, endpoints, and the objects of Kubernetes that say who has which
//! address and which labels.

use std::net::IpAddr;

use palisade_yaml::{Node, Value, quoted};

use super::entity::Place;
use super::reader::{Fields, Reader};
use super::{Metadata, labels, rules};
use crate::net::Net;
use crate::object::{
    DefaultAction, Endpoints, HostEndpoint, NamedPort, NetworkSet, Object, PolicyId, PolicyKind, Profile,
    Service, ServicePort, TargetPort, Tier, Workload,
};
use crate::rule::{Protocol, ServiceName};
use crate::selector::{Expr, Selector};

pub(super) fn tier(reader: &mut Reader, fields: &Fields<'_>, _: &Metadata) -> Option<Object> {
    let mut tier = Tier { order: None, default_action: DefaultAction::Deny };
    reader.at(fields, "spec", |reader, node| {
        let fields = reader.fields(node, &["order", "defaultAction"])?;
        tier.order = reader.at(&fields, "order", Reader::float);
        let words = [("Deny", DefaultAction::Deny), ("Pass", DefaultAction::Pass)];
        let action =
            reader.at(&fields, "defaultAction", |reader, node| reader.word(node, "default action", &words));
        tier.default_action = action.unwrap_or(DefaultAction::Deny);
        Some(())
    });
    Some(Object::Tier(tier))
}

pub(super) fn network_set(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    let nets = reader.at(fields, "spec", |reader, node| {
        let fields = reader.fields(node, &["nets", "allowedEgressDomains"])?;
        if let Some(node) = fields.get("allowedEgressDomains") {
            let help = "write `nets`, or for HTTP a destination host: `http: {hosts: [NAME]}`";
            reader.warn(node, "names have no meaning here: nothing here watches DNS", help);
        }
        Some(reader.each(&fields, "nets", |reader, node| {
            let text = reader.text(node)?;
            let net = text.parse::<Net>();
            if net.is_err() {
                reader.error(
                    node,
                    format!("{} is no range of addresses", quoted(text)),
                    "write it like 10.0.0.0/8",
                );
            }
            net.ok()
        }))
    });
    let (namespace, labels) = (meta.namespace.clone(), meta.labels.clone());
    Some(Object::NetworkSet(NetworkSet { namespace, labels, nets: nets.unwrap_or_default() }))
}

pub(super) fn profile(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    let id = PolicyId { name: meta.name.clone(), namespace: "".into(), kind: PolicyKind::Global };
    let profile = reader.at(fields, "spec", |reader, node| {
        let fields = reader.fields(node, &["ingress", "egress", "labelsToApply"])?;
        Some(Profile {
            ingress: rules::read(reader, &fields, Place { policy: &id, side: rules::Side::Ingress })
                .unwrap_or_default(),
            egress: rules::read(reader, &fields, Place { policy: &id, side: rules::Side::Egress })
                .unwrap_or_default(),
            labels: labels(reader, &fields, "labelsToApply"),
        })
    });
    Some(Object::Profile(profile.unwrap_or_default()))
}

pub(super) fn host_endpoint(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    let mut endpoint = HostEndpoint { labels: meta.labels.clone(), ..HostEndpoint::default() };
    reader.at(fields, "spec", |reader, node| {
        let fields = reader.fields(node, &["node", "interfaceName", "expectedIPs", "profiles", "ports"])?;
        endpoint.addresses = reader.each(&fields, "expectedIPs", address);
        endpoint.profiles =
            reader.texts(&fields, "profiles").into_iter().map(|(_, name)| name.into()).collect();
        endpoint.ports = reader.each(&fields, "ports", |reader, node| {
            let fields = reader.fields(node, &["name", "protocol", "port"])?;
            named_port(reader, &fields, "port")
        });
        Some(())
    });
    Some(Object::HostEndpoint(endpoint))
}

pub(super) fn workload_endpoint(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    let mut workload = Workload {
        namespace: meta.namespace.clone(),
        labels: meta.labels.clone(),
        service_account: "default".into(),
        ..Workload::default()
    };
    reader.at(fields, "spec", |reader, node| {
        let fields = reader.any_fields(node)?;
        if let Some(account) = reader.at(&fields, "serviceAccountName", Reader::text) {
            workload.service_account = account.into();
        }
        workload.addresses = reader.each(&fields, "ipNetworks", |reader, node| {
            let text = reader.text(node)?;
            let net = text.parse::<Net>().ok().and_then(|net| net.single());
            if net.is_none() {
                reader.error(
                    node,
                    format!("{} is no single address", quoted(text)),
                    "write it like 10.0.0.1/32",
                );
            }
            net
        });
        workload.ports = reader.each(&fields, "ports", |reader, node| {
            let fields = reader.any_fields(node)?;
            named_port(reader, &fields, "port")
        });
        Some(())
    });
    Some(Object::Workload(workload))
}

pub(super) fn pod(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    let mut workload = Workload {
        namespace: meta.namespace.clone(),
        labels: meta.labels.clone(),
        service_account: "default".into(),
        ..Workload::default()
    };
    let mut on_host_network = false;
    reader.at(fields, "spec", |reader, node| {
        let fields = reader.any_fields(node)?;
        let old_name = reader.at(&fields, "serviceAccount", Reader::text);
        let account = reader.at(&fields, "serviceAccountName", Reader::text).or(old_name);
        if let Some(account) = account.filter(|account| !account.is_empty()) {
            workload.service_account = account.into();
        }
        on_host_network = reader.at(&fields, "hostNetwork", Reader::truth).unwrap_or(false);
        for containers in ["containers", "initContainers"] {
            let ports = reader.each(&fields, containers, |reader, node| {
                let fields = reader.any_fields(node)?;
                Some(reader.each(&fields, "ports", |reader, node| {
                    let fields = reader.any_fields(node)?;
                    fields.get("name")?;
                    named_port(reader, &fields, "containerPort")
                }))
            });
            workload.ports.extend(ports.into_iter().flatten());
        }
        Some(())
    });
    reader.at(fields, "status", |reader, node| {
        let fields = reader.any_fields(node)?;
        // A pod that has ended keeps its address in its status; somebody else may have it by now.
        let phase = reader.at(&fields, "phase", Reader::text);
        if matches!(phase, Some("Succeeded" | "Failed")) || on_host_network {
            return Some(());
        }
        let first = reader.at(&fields, "podIP", address);
        workload.addresses = reader.each(&fields, "podIPs", |reader, node| {
            let fields = reader.any_fields(node)?;
            reader.at(&fields, "ip", address)
        });
        if let Some(first) = first.filter(|first| !workload.addresses.contains(first)) {
            workload.addresses.insert(0, first);
        }
        Some(())
    });
    Some(Object::Workload(workload))
}

pub(super) fn service_account(_: &mut Reader, _: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    Some(Object::ServiceAccount(meta.labels.clone()))
}

pub(super) fn namespace(_: &mut Reader, _: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    Some(Object::Namespace(meta.labels.clone()))
}

pub(super) fn service(reader: &mut Reader, fields: &Fields<'_>, _: &Metadata) -> Option<Object> {
    let mut service = Service { selector: None, ports: Vec::new(), addresses: Vec::new() };
    reader.at(fields, "spec", |reader, node| {
        let fields = reader.any_fields(node)?;
        let wanted = labels(reader, &fields, "selector");
        if !wanted.is_empty() {
            let parts = wanted.iter().map(|(name, value)| Expr::is(name, value)).collect();
            service.selector = Some(Selector::from(Expr::all_of(parts)));
        }
        service.ports = reader.each(&fields, "ports", |reader, node| {
            let fields = reader.any_fields(node)?;
            let protocol = protocol(reader, &fields)?;
            let target = fields.get("targetPort").filter(
                |node| !matches!(&node.value, Value::Text { text, .. } if text.is_empty() || text == "0"),
            );
            let node = target.or(fields.get("port"))?;
            let text = reader.text(node)?;
            let target = match text.parse() {
                Ok(port) => TargetPort::Number(port),
                Err(_) => TargetPort::Named(text.into()),
            };
            let port = fields.get("port").and_then(|node| reader.number(node, 1, 65535));
            Some(ServicePort { protocol, port: port.map(|port| port as u16), target })
        });
        // `None` and nothing say that it has no address of its own.
        let own = |node: &&Node| !matches!(&node.value, Value::Text { text, .. } if text.is_empty() || text == "None");
        let ips = reader.each(&fields, "clusterIPs", |reader, node| address(reader, Some(node).filter(own)?));
        service.addresses = ips;
        if let Some(node) = fields.get("clusterIP").filter(own)
            && service.addresses.is_empty()
        {
            service.addresses.extend(address(reader, node));
        }
        Some(())
    });
    Some(Object::Service(service))
}

pub(super) fn endpoints(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    let service = ServiceName { namespace: meta.namespace.clone(), name: meta.name.clone() };
    let mut members = Vec::new();
    reader.each(fields, "subsets", |reader, node| {
        let fields = reader.any_fields(node)?;
        let addresses = reader.each(&fields, "addresses", |reader, node| {
            let fields = reader.any_fields(node)?;
            reader.at(&fields, "ip", address)
        });
        let ports = ports(reader, &fields);
        join(&addresses, &ports, &mut members);
        Some(())
    });
    Some(Object::Endpoints(Endpoints { service, members }))
}

pub(super) fn endpoint_slice(reader: &mut Reader, fields: &Fields<'_>, meta: &Metadata) -> Option<Object> {
    // A slice that belongs to no service has no meaning here.
    let name = meta.labels.get("kubernetes.io/service-name").unwrap_or_default();
    let service = ServiceName { namespace: meta.namespace.clone(), name: name.into() };
    let addresses = reader.each(fields, "endpoints", |reader, node| {
        let fields = reader.any_fields(node)?;
        Some(reader.each(&fields, "addresses", address))
    });
    let addresses: Vec<IpAddr> = addresses.into_iter().flatten().collect();
    let ports = ports(reader, fields);
    let mut members = Vec::new();
    join(&addresses, &ports, &mut members);
    Some(Object::Endpoints(Endpoints { service, members }))
}

fn ports(reader: &mut Reader, fields: &Fields<'_>) -> Vec<(Protocol, u16)> {
    reader.each(fields, "ports", |reader, node| {
        let fields = reader.any_fields(node)?;
        let protocol = protocol(reader, &fields)?;
        let port = reader.at(&fields, "port", |reader, node| reader.number(node, 1, 65535))?;
        Some((protocol, port as u16))
    })
}

/// Every address with every port. Both come from one object, whose size bounds the product.
fn join(addresses: &[IpAddr], ports: &[(Protocol, u16)], members: &mut Vec<(IpAddr, Protocol, u16)>) {
    for address in addresses {
        if ports.is_empty() {
            members.push((*address, Protocol::TCP, 0));
        }
        for (protocol, port) in ports.iter().take(SERVICE_PORTS_MAX) {
            members.push((*address, *protocol, *port));
        }
    }
}

/// As many ports of a slice count; the API allows 100.
const SERVICE_PORTS_MAX: usize = 100;

fn named_port(reader: &mut Reader, fields: &Fields<'_>, number: &str) -> Option<NamedPort> {
    let protocol = protocol(reader, fields)?;
    let port = reader.at(fields, number, |reader, node| reader.number(node, 1, 65535))?;
    let name = reader.at(fields, "name", Reader::text)?;
    Some(NamedPort { name: name.into(), protocol, port: port as u16 })
}

fn protocol(reader: &mut Reader, fields: &Fields<'_>) -> Option<Protocol> {
    let Some(node) = fields.get("protocol") else { return Some(Protocol::TCP) };
    let text = reader.text(node)?;
    let protocol = Protocol::parse(text);
    if protocol.is_none() {
        reader.error(node, format!("{} is no protocol", quoted(text)), "write TCP, UDP or SCTP");
    }
    protocol
}

fn address(reader: &mut Reader, node: &Node) -> Option<IpAddr> {
    let text = reader.text(node)?;
    let address = text.parse::<IpAddr>();
    if address.is_err() {
        reader.error(node, format!("{} is no address", quoted(text)), "write it like 10.0.0.1");
    }
    address.ok().map(crate::net::plain)
}
