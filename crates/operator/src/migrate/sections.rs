//! The Gateways that Ingresses come to: a listener without TLS, and one for each host with a certificate.

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(super) const VERSION: &str = "gateway.networking.k8s.io/v1";
pub(super) const NAMESPACE: &str = "palisade-system";
pub(super) const GATEWAY: &str = "palisade";
/// What the API takes of listeners of a Gateway.
const LISTENERS_MAX: usize = 64;

/// Where a host's listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    gateway: String,
    name: String,
}

impl Section {
    pub(super) fn parent(&self) -> Value {
        json!({"namespace": NAMESPACE, "name": self.gateway, "sectionName": self.name})
    }
}

/// The listener without TLS.
pub(super) fn http() -> Value {
    json!({"namespace": NAMESPACE, "name": GATEWAY, "sectionName": "http"})
}

/// Listeners by host. The first Gateway has the one without TLS.
pub(super) fn sections<'a>(secured: &BTreeMap<&'a str, (&'a str, &'a str)>) -> BTreeMap<&'a str, Section> {
    let place = |(index, host): (usize, &&'a str)| {
        let at = index + 1;
        let gateway = if at < LISTENERS_MAX {
            GATEWAY.to_owned()
        } else {
            format!("{GATEWAY}-{}", at / LISTENERS_MAX + 1)
        };
        (*host, Section { gateway, name: format!("https-{at}") })
    };
    secured.keys().enumerate().map(place).collect()
}

/// The listener of a host: its own, or that of a wildcard.
pub(super) fn section<'s>(sections: &'s BTreeMap<&str, Section>, host: &str) -> Option<&'s Section> {
    let wildcard = || sections.get(format!("*.{}", host.split_once('.')?.1).as_str());
    sections.get(host).or_else(wildcard)
}

/// The Gateways, as many as their listeners need.
pub(super) fn gateways(secured: &BTreeMap<&str, (&str, &str)>) -> Vec<Value> {
    let all = json!({"namespaces": {"from": "All"}});
    let mut listeners: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let plain = json!({"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": all});
    listeners.insert(GATEWAY.to_owned(), vec![plain]);
    for (host, section) in sections(secured) {
        let (namespace, secret) = secured[host];
        listeners.entry(section.gateway).or_default().push(
            json!({"name": section.name, "port": 443, "protocol": "HTTPS",
            "hostname": host, "allowedRoutes": all,
            "tls": {"certificateRefs": [{"namespace": namespace, "name": secret}]}}),
        );
    }
    let gateway = |(name, listeners): (String, Vec<Value>)| {
        json!({"apiVersion": VERSION, "kind": "Gateway", "metadata": {"namespace": NAMESPACE, "name": name},
            "spec": {"gatewayClassName": GATEWAY, "listeners": listeners}})
    };
    listeners.into_iter().map(gateway).collect()
}
