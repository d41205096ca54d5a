//! The pool's configuration: a listener, a service and a route for each port that the ledger has given, the profiles that
//! inspect them, and policies.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use palisade_control::{Bundle, ENTRY};
use serde_json::{Map, Value, json};

use super::names::PortKey;
use super::ruleset::RuleFolder;

/// URLs of one service at most; beyond that its shadow's name stands for them.
const URLS_MAX: usize = 256;

/// The profile of Services for which nothing else is said.
pub const USUAL_PROFILE: &str = "waf";

/// What stands behind a port of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// The port of the pool.
    pub port: u16,
    /// The Service's.
    pub of: PortKey,
    /// Where its pods are.
    pub endpoints: BTreeSet<SocketAddr>,
    /// The name that leads to them.
    pub shadow: String,
    /// The port of the shadow.
    pub shadow_port: u16,
    /// Whether they are spoken to in HTTP/2.
    pub http2: bool,
    /// Its profile.
    pub profile: String,
    /// Its mode, in place of the profile's.
    pub mode: Option<String>,
    /// Whom policies see.
    pub workload: Workload,
}

/// Whom policies see behind a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// The labels that all its pods have.
    pub labels: BTreeMap<String, String>,
    /// The service account that its pods run as.
    pub account: Option<String>,
}

/// What a bundle is made of.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// Keys at the top that are as the operator was told: logs, events, admin.
    pub base: &'a Map<String, Value>,
    /// The address that listeners have.
    pub listen: &'a str,
    /// Whom listeners believe about the client.
    pub client_address: Option<Value>,
    /// What stands behind the ports.
    pub fronts: &'a [Front],
    /// Profiles by name, as configuration.
    pub profiles: &'a BTreeMap<String, Value>,
    /// Rules of the ConfigMap, in folder `rules/modsecurity-ruleset`.
    pub rules: Option<&'a RuleFolder>,
    /// Files of rule sets that profiles name, by their names in the bundle.
    pub rule_files: &'a BTreeMap<String, String>,
    /// Files of alerts, by name.
    pub alerts: &'a BTreeMap<String, String>,
    /// Files of policies, by name; `None`: policies decide nothing here.
    pub policies: Option<&'a BTreeMap<String, String>>,
    /// The bundle before this: contents that stay are not copied.
    pub before: Option<&'a Bundle>,
}

/// The names that rule files of a folder have in a bundle, in the order in which they are loaded.
pub fn rule_names(folder: &RuleFolder) -> Vec<String> {
    folder.order().map(rule_name).collect()
}

fn rule_name(file: &str) -> String {
    format!("rules/{}/{file}", super::ruleset::RULESET_NAME)
}

/// Puts a bundle together.
///
/// # Errors
/// When it would be larger than bundles may be, with what did not fit.
pub fn bundle(parts: &Parts<'_>) -> Result<Bundle, palisade_control::BundleError> {
    let mut bundle = Bundle::new();
    let mut put = |name: &str, content: Vec<u8>| {
        let before = parts.before.and_then(|before| before.get(name));
        match before.filter(|before| before[..] == content[..]) {
            Some(before) => bundle.put(name, before.clone()),
            None => bundle.put(name, content),
        }
    };
    put(ENTRY, entry(parts).to_string().into_bytes())?;
    for (name, text) in parts.policies.into_iter().flatten().chain(parts.rule_files).chain(parts.alerts) {
        put(name, text.as_bytes().to_vec())?;
    }
    if let Some(rules) = parts.rules {
        for (file, content) in rules.files() {
            bundle.put(&rule_name(file), Arc::clone(content))?;
        }
    }
    Ok(bundle)
}

fn entry(parts: &Parts<'_>) -> Value {
    let mut top = parts.base.clone();
    let mut listeners = Vec::new();
    let mut services = Vec::new();
    let mut routes = Vec::new();
    for front in parts.fronts {
        let name = service_name(&front.of);
        let mut listener = json!({"name": name, "address": format!("{}:{}", parts.listen, front.port)});
        if let Some(client) = &parts.client_address {
            listener["clientAddress"] = client.clone();
        }
        listeners.push(listener);
        services.push(service(front, &name));
        routes.push(json!({"listener": name, "path": "/", "service": name}));
    }
    if parts.fronts.is_empty() {
        // A configuration protects something; nobody can reach this.
        listeners.push(json!({"name": "idle", "address": "127.0.0.1:0"}));
        services.push(json!({"name": "idle", "upstream": {"url": "http://127.0.0.1:9"}, "mode": "off", "profile": USUAL_PROFILE}));
    }
    top.insert("listeners".to_owned(), listeners.into());
    top.insert("services".to_owned(), services.into());
    if !routes.is_empty() {
        top.insert("routes".to_owned(), routes.into());
    }
    let profiles: Map<String, Value> =
        parts.profiles.iter().map(|(name, profile)| (name.clone(), profile.clone())).collect();
    top.insert("profiles".to_owned(), profiles.into());
    if parts.policies.is_some_and(|policies| !policies.is_empty()) {
        // In a cluster's plain traffic an address says who has it, as Calico takes it.
        let policies = top.entry("policies").or_insert_with(|| json!({"plaintextPeers": "address"}));
        if let Some(policies) = policies.as_object_mut() {
            policies.insert("files".to_owned(), json!(["policies"]));
        }
    }
    Value::Object(top)
}

fn service(front: &Front, name: &str) -> Value {
    let urls: Vec<_> = match front.endpoints.len() {
        1..=URLS_MAX => front.endpoints.iter().map(|endpoint| format!("http://{endpoint}")).collect(),
        _ => {
            vec![format!("http://{}.{}.svc:{}", front.shadow, front.of.service.namespace, front.shadow_port)]
        }
    };
    let mut upstream = json!({"url": urls});
    if front.http2 {
        upstream["protocol"] = json!("http2");
    }
    let mut workload = json!({
        "namespace": front.of.service.namespace, "name": front.of.service.name, "labels": front.workload.labels,
    });
    // Rules mean the pods' address and port, not the pool's; a port's name is looked up by them.
    if let Some(endpoint) = front.endpoints.first() {
        workload["address"] = json!(endpoint.ip().to_string());
        workload["port"] = json!(endpoint.port());
    }
    if let Some(account) = &front.workload.account {
        workload["serviceAccount"] = json!(account);
    }
    let mut service =
        json!({"name": name, "upstream": upstream, "profile": front.profile, "workload": workload});
    if let Some(mode) = &front.mode {
        service["mode"] = json!(mode);
    }
    service
}

/// `NAMESPACE.NAME.PORT`, or with a hash where that is more than a name may have. No part of it has a dot.
pub fn service_name(of: &PortKey) -> String {
    const NAME_MAX: usize = 128;
    let PortKey { service, port } = of;
    let name = match port.is_empty() {
        true => format!("{}.{}", service.namespace, service.name),
        false => format!("{}.{}.{port}", service.namespace, service.name),
    };
    if name.len() <= NAME_MAX {
        return name;
    }
    use sha2::Digest as _;
    let hash: String =
        sha2::Sha256::digest(name.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let kept: String = name.chars().take(NAME_MAX - 1 - hash.len()).collect();
    format!("{kept}-{hash}")
}
