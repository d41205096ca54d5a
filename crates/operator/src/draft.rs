//! A gateway's configuration as it comes together, whoever asks for it: listeners, services, routes, profiles and files.
//!
//! Ingresses and objects of the Gateway API are two inputs of this one table. Who claims a place first has it; what stands in
//! where nobody claims anything comes last.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use palisade_control::{Bundle, BundleError, ENTRY};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// The listener of plain HTTP.
pub(crate) const HTTP: &str = "http";
/// The listener of TLS.
pub(crate) const HTTPS: &str = "https";

/// A configuration that is being made.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    listeners: BTreeMap<String, Listening>,
    services: BTreeMap<String, Value>,
    routes: Vec<Value>,
    claimed: HashSet<String>,
    fallbacks: Vec<(Option<String>, Way, String)>,
    pub(crate) profiles: BTreeMap<String, Value>,
    /// Rules, certificates, authorities.
    pub(crate) files: BTreeMap<String, Arc<[u8]>>,
}

/// A listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listening {
    /// Its configuration, but for its name and its TLS.
    pub(crate) value: Value,
    /// Certificate and key, by names of files; plain where there is none.
    pub(crate) certificates: Vec<(String, String)>,
    /// What is asked of clients.
    pub(crate) clients: Option<Value>,
}

/// Which requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    /// A name, `*.` or `**.` and a name; empty is any.
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) exact: bool,
    pub(crate) method: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    /// Further keys of the route.
    pub(crate) more: Map<String, Value>,
}

impl Draft {
    /// Adds a listener, or comes back with the one that is there.
    pub(crate) fn listener(&mut self, name: &str, value: impl FnOnce() -> Value) -> &mut Listening {
        self.listeners
            .entry(name.to_owned())
            .or_insert_with(|| Listening { value: value(), ..Listening::default() })
    }

    /// The name under which a service is known: its own, unless another of this name says something else.
    pub(crate) fn service(&mut self, base: String, beside: &str, service: Value) -> String {
        match self.services.get(&base) {
            None => {
                self.services.insert(base.clone(), service);
                return base;
            }
            Some(there) if *there == service => return base,
            Some(_) => {}
        }
        let beside = if beside.is_empty() { "any" } else { beside };
        let plain =
            |char: char| if char.is_ascii_alphanumeric() || ".-_".contains(char) { char } else { '_' };
        let other = short(format!("{base}_{beside}").chars().map(plain).collect());
        let mut name = other.clone();
        let mut number = 2;
        while self.services.get(&name).is_some_and(|there| *there != service) {
            name = short(format!("{other}-{number}"));
            number += 1;
        }
        self.services.insert(name.clone(), service);
        name
    }

    /// Lets requests go to services, by weight where there are several. `on` is a listener, or those of plain HTTP and of TLS.
    /// Whether any of it was free.
    pub(crate) fn lead(&mut self, on: Option<&str>, way: &Way, to: &[(String, Option<u32>)]) -> bool {
        let both = [HTTP, HTTPS];
        let asked: &[&str] = match &on {
            Some(on) => std::slice::from_ref(on),
            None => &both,
        };
        let free: Vec<&str> =
            asked.iter().copied().filter(|on| self.claimed.insert(format!("{on} {}", way.claim()))).collect();
        let whole = on.is_none() && free.len() == both.len();
        let on: Vec<Option<&str>> = if whole { vec![None] } else { free.iter().copied().map(Some).collect() };
        for on in &on {
            for (service, weight) in to {
                self.routes.push(way.route(*on, service, *weight));
            }
        }
        !on.is_empty()
    }

    /// Where requests go that nobody else takes in the end.
    pub(crate) fn fall_back(&mut self, on: Option<&str>, way: Way, service: String) {
        self.fallbacks.push((on.map(str::to_owned), way, service));
    }

    /// Everything, as a data plane takes it. What did not fit comes beside.
    pub(crate) fn bundle(mut self, further: &Map<String, Value>) -> (Bundle, Vec<BundleError>) {
        for (on, way, service) in std::mem::take(&mut self.fallbacks) {
            self.lead(on.as_deref(), &way, &[(service, None)]);
        }
        let used: HashSet<&str> = self.routes.iter().filter_map(|route| route["service"].as_str()).collect();
        let services = self.services.into_iter().filter(|(name, _)| used.contains(name.as_str()));
        let services: Value = services
            .map(|(name, mut service)| {
                service["name"] = name.into();
                service
            })
            .collect();
        let others = self.listeners.keys().any(|name| name != HTTP && name != HTTPS);
        let mut routes = Vec::with_capacity(self.routes.len());
        for route in self.routes {
            // A route of no listener would be one of every other as well.
            if others && route["listener"].is_null() {
                for on in [HTTP, HTTPS] {
                    let mut route = route.clone();
                    route["listener"] = json!(on);
                    routes.push(route);
                }
            } else {
                routes.push(route);
            }
        }
        let listeners: Value =
            self.listeners.iter().map(|(name, listening)| listening.configured(name)).collect();
        let mut config = further.clone();
        config.insert("listeners".to_owned(), listeners);
        config.insert("services".to_owned(), services);
        config.insert("routes".to_owned(), Value::Array(routes));
        config.insert("profiles".to_owned(), json!(self.profiles));
        let entry = Value::Object(config).to_string();
        let (mut bundle, mut errors) = (Bundle::new(), Vec::new());
        for (name, content) in self.files.into_iter().chain([(ENTRY.to_owned(), entry.into_bytes().into())]) {
            errors.extend(bundle.put(&name, content).err());
        }
        (bundle, errors)
    }
}

impl Listening {
    fn configured(&self, name: &str) -> Value {
        let mut value = self.value.clone();
        value["name"] = json!(name);
        if !self.certificates.is_empty() {
            let files = self.certificates.iter().map(|(cert, key)| json!({"cert": cert, "key": key}));
            value["tls"] = json!({"certificates": files.collect::<Vec<_>>()});
            if let Some(clients) = &self.clients {
                value["tls"]["clientCertificates"] = clients.clone();
            }
        }
        value
    }
}

impl Way {
    /// Everything that begins with a path.
    pub(crate) fn below(host: &str, path: &str) -> Self {
        Self { host: host.to_owned(), path: path.to_owned(), ..Self::default() }
    }

    /// Equal ones claim the same requests. A slash at the end matters to what takes one path alone.
    fn claim(&self) -> String {
        let path = if self.exact { &self.path } else { self.path.trim_end_matches('/') };
        format!("{} {path:?} {} {:?} {:?} {:?}", self.host, self.exact, self.method, self.headers, self.query)
    }

    pub(crate) fn route(&self, on: Option<&str>, service: &str, weight: Option<u32>) -> Value {
        let mut route = json!({"path": self.path, "service": service});
        if !self.host.is_empty() {
            route["hosts"] = json!([self.host]);
        }
        if let Some(on) = on {
            route["listener"] = json!(on);
        }
        if self.exact {
            route["exact"] = json!(true);
        }
        if let Some(method) = &self.method {
            route["method"] = json!(method);
        }
        for (key, wanted) in [("headers", &self.headers), ("query", &self.query)] {
            if !wanted.is_empty() {
                route[key] = json!(wanted);
            }
        }
        if let Some(weight) = weight {
            route["weight"] = json!(weight);
        }
        for (key, value) in &self.more {
            route[key] = value.clone();
        }
        route
    }
}

/// A name that a configuration may have: a long one ends in a digest of itself.
pub(crate) fn short(name: String) -> String {
    if name.len() <= 120 {
        return name;
    }
    let digest = Sha256::digest(&name);
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{digest}", name.chars().take(100).collect::<String>())
}
