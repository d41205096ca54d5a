//! The same as objects of the Gateway API, where it can be said there without opening or losing anything. An Ingress that says
//! more stays one: `palisade gateway` serves both from one table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::redirects::redirect;
use super::sections::{GATEWAY, NAMESPACE, Section, VERSION, gateways, http, section, sections};
use super::{Finding, annotations_of, title};
use crate::gateway_api::CONTROLLER;
use crate::ingress::annotations::{self, Honour, PREFIX};

/// What the API takes: hosts of a route, rules of a route.
const HOSTS_MAX: usize = 16;
const RULES_MAX: usize = 16;

/// Annotations that have a counterpart. Of others one that acts keeps its Ingress.
const SAYABLE: &[&str] = &[
    "app-root",
    "backend-protocol",
    "enable-modsecurity",
    "force-ssl-redirect",
    "permanent-redirect",
    "permanent-redirect-code",
    "proxy-read-timeout",
    "proxy-ssl-name",
    "proxy-ssl-secret",
    "proxy-ssl-server-name",
    "proxy-ssl-verify",
    "server-alias",
    "ssl-redirect",
    "temporal-redirect",
    "temporal-redirect-code",
];

/// Why others have no counterpart, by how their names begin; the first counts.
const UNSAYABLE: &[(&str, &str)] = &[
    (
        "auth-tls-",
        "a Gateway asks clients of a port and not of a host, and has no word for depth, subject, error page and what services are told",
    ),
    ("proxy-body-size", "an HTTPRoute has no word for the size of bodies"),
    ("proxy-request-buffering", "an HTTPRoute has no word for bodies that are judged on their way"),
    ("proxy-connect-timeout", "an HTTPRoute has no word for the time of a connection alone"),
    (
        "modsecurity-",
        "a snippet is read of Ingresses; as a RuleSet, a WafProfile and an ExtensionRef its rules are the same, and who may change them is not",
    ),
    ("configuration-snippet", "an HTTPRoute has no word for what services are told of certificates"),
    ("service-upstream", "a route goes to endpoints"),
];
/// Keys of the ConfigMap by which Ingresses alone are inspected or closed.
const OF_INGRESSES: &[&str] = &["enable-modsecurity", "modsecurity-snippet", "whitelist-source-range"];

/// What Ingresses come to.
#[derive(Default)]
pub(super) struct Gateways {
    pub(super) objects: Vec<Value>,
    pub(super) findings: Vec<Finding>,
    /// Ingresses that stay, by their place among those that were given.
    pub(super) stay: BTreeSet<usize>,
}

/// Says Ingresses as routes, with the ConfigMap's keys.
pub(super) fn of(ingresses: &[&Value], objects: &[Value], data: &BTreeMap<String, String>) -> Gateways {
    let mut out = Gateways::default();
    let mut said = Vec::new();
    let mut of_ingresses: BTreeMap<String, usize> = BTreeMap::new();
    for (index, ingress) in ingresses.iter().enumerate() {
        match Ingress::read(ingress, objects, data) {
            Ok(read) => said.push((index, read)),
            Err((name, why)) => out.stay(ingresses, index, &name, &why, &mut of_ingresses),
        }
    }
    // What one Ingress asks of a host's clients is asked for all of its paths: those who share a host go or stay together.
    loop {
        let shared = |(_, ingress): &(usize, Ingress<'_>)| {
            hosts_of(ingress.object)
                .into_iter()
                .find_map(|host| Some((of_ingresses.get(&host).copied()?, host)))
        };
        let Some((at, (with, host))) = said.iter().enumerate().find_map(|(at, one)| Some((at, shared(one)?)))
        else {
            break;
        };
        let (index, _) = said.remove(at);
        let why = format!("it shares {host} with {}, which stays one", title(ingresses[with]));
        out.stay(ingresses, index, "host", &why, &mut of_ingresses);
    }
    let said: Vec<Ingress<'_>> = said.into_iter().map(|(_, ingress)| ingress).collect();
    if said.is_empty() {
        return out;
    }
    let secured = secured(&said);
    let grants: BTreeSet<&str> = secured.values().map(|(namespace, _)| *namespace).collect();
    out.objects.push(json!({"apiVersion": VERSION, "kind": "GatewayClass", "metadata": {"name": GATEWAY},
        "spec": {"controllerName": CONTROLLER}}));
    out.objects.extend(gateways(&secured));
    out.objects.extend(grants.iter().filter(|namespace| **namespace != NAMESPACE).map(|namespace| {
        json!({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": {"namespace": namespace, "name": "palisade-certificates"},
            "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": NAMESPACE}],
                "to": [{"group": "", "kind": "Secret"}]}})
    }));
    let sections = sections(&secured);
    let (mut routes, mut further) = (Routes::default(), BTreeMap::new());
    for ingress in &said {
        ingress.write(&sections, data, &mut routes);
        ingress.needs(&mut further);
        ingress.remarks(&sections, data, &mut out.findings);
    }
    out.objects.extend(routes.objects);
    out.objects.extend(further.into_values());
    out
}

/// Routes, none of which has another's name.
#[derive(Default)]
struct Routes {
    objects: Vec<Value>,
    names: BTreeSet<(String, String)>,
}

impl Routes {
    fn name(&mut self, namespace: &str, wanted: String) -> String {
        let mut name = wanted;
        while !self.names.insert((namespace.to_owned(), name.clone())) {
            name.push_str("-route");
        }
        name
    }
}

impl Gateways {
    fn stay(
        &mut self,
        ingresses: &[&Value],
        index: usize,
        name: &str,
        why: &str,
        hosts: &mut BTreeMap<String, usize>,
    ) {
        self.stay.insert(index);
        self.findings.push(finding(ingresses[index], name, "stays", format!("an Ingress: {why}")));
        for host in hosts_of(ingresses[index]) {
            hosts.entry(host).or_insert(index);
        }
    }
}

/// The hosts that an Ingress says something of, aliases among them.
fn hosts_of(ingress: &Value) -> BTreeSet<String> {
    let rules = ingress["spec"]["rules"].as_array().into_iter().flatten();
    let hosts = rules.filter_map(|rule| rule["host"].as_str()).map(str::to_ascii_lowercase);
    let aliases = annotations_of(ingress).remove(&format!("{PREFIX}server-alias")).unwrap_or_default();
    hosts.chain(split(&aliases)).collect()
}

fn split(aliases: &str) -> impl Iterator<Item = String> {
    aliases.split(',').map(|alias| alias.trim().to_ascii_lowercase()).filter(|alias| !alias.is_empty())
}

fn finding(object: &Value, name: &str, verdict: &'static str, why: String) -> Finding {
    Finding { object: title(object), name: name.to_owned(), verdict, why }
}

/// An Ingress that can be said.
struct Ingress<'a> {
    object: &'a Value,
    namespace: &'a str,
    name: &'a str,
    /// By the names without prefix.
    annotations: BTreeMap<String, String>,
    /// Hosts and what they have; an empty host is any.
    hosts: Vec<(String, Vec<Value>)>,
    /// Hosts with a Secret.
    secrets: Vec<(String, &'a str)>,
    /// Services that are asked by TLS.
    tls_services: BTreeSet<&'a str>,
}

/// What keeps an Ingress one: which annotation or field, and why.
pub(super) type Stays = (String, String);

/// How Services are spoken to.
#[derive(Clone, Copy)]
struct Spoken {
    tls: bool,
    http2: bool,
}

impl<'a> Ingress<'a> {
    /// # Errors
    /// What keeps it an Ingress: which annotation or field, and why.
    fn read(object: &'a Value, objects: &'a [Value], data: &BTreeMap<String, String>) -> Result<Self, Stays> {
        let stays = |name: &str, why: &str| Err((name.to_owned(), why.to_owned()));
        if let Some(key) = OF_INGRESSES
            .iter()
            .find(|key| data.get(**key).is_some_and(|value| !matches!(value.trim(), "" | "false")))
        {
            return stays(key, "what the ConfigMap says by it holds for Ingresses alone");
        }
        let meta = &object["metadata"];
        let all = annotations_of(object);
        let annotations: BTreeMap<String, String> = all
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), value.clone())))
            .collect();
        let acts = |name: &&String| {
            annotations::annotation(name).is_some_and(|known| known.honour != Honour::Ignored)
        };
        if let Some(name) = annotations.keys().filter(acts).find(|name| !SAYABLE.contains(&name.as_str())) {
            let why = UNSAYABLE.iter().find(|(begins, _)| name.starts_with(begins));
            return stays(
                name,
                why.map_or("the Gateway API has no word for it that means the same here", |why| why.1),
            );
        }
        if annotations.get("enable-modsecurity").is_some_and(|value| value != "false") {
            return stays("enable-modsecurity", "rules of a snippet are read of Ingresses");
        }
        let mut read = Self {
            object,
            namespace: meta["namespace"].as_str().unwrap_or("default"),
            name: meta["name"].as_str().unwrap_or_default(),
            annotations,
            hosts: Vec::new(),
            secrets: Vec::new(),
            tls_services: BTreeSet::new(),
        };
        let spoken = read.protocol()?;
        read.rules(objects, spoken)?;
        read.certificates()?;
        Ok(read)
    }

    fn is(&self, name: &str, or: bool) -> bool {
        self.annotations.get(name).map_or(or, |value| value == "true")
    }

    /// How Services are spoken to.
    fn protocol(&self) -> Result<Spoken, Stays> {
        let written = self.annotations.get("backend-protocol").map_or("HTTP", String::as_str);
        let http2 = written.starts_with("GRPC");
        match written {
            "HTTP" | "GRPC" => Ok(Spoken { tls: false, http2 }),
            "HTTPS" | "GRPCS"
                if self.annotations.get("proxy-ssl-verify").map(String::as_str) != Some("on") =>
            {
                let why = "a BackendTLSPolicy always verifies, and `proxy-ssl-verify` is not `on`";
                Err(("backend-protocol".to_owned(), why.to_owned()))
            }
            "HTTPS" | "GRPCS" => match self.authority() {
                Some(_) => Ok(Spoken { tls: true, http2 }),
                None => Err((
                    "proxy-ssl-secret".to_owned(),
                    "a BackendTLSPolicy reads its own namespace".to_owned(),
                )),
            },
            _ => {
                let why = "a route speaks HTTP to services, with or without TLS";
                Err(("backend-protocol".to_owned(), why.to_owned()))
            }
        }
    }

    /// The Secret with the authorities of Services, of its own namespace.
    fn authority(&self) -> Option<&str> {
        let (namespace, name) = self.annotations.get("proxy-ssl-secret")?.split_once('/')?;
        (namespace == self.namespace).then_some(name)
    }

    fn rules(&mut self, objects: &'a [Value], spoken: Spoken) -> Result<(), Stays> {
        let spec = &self.object["spec"];
        let redirect = redirect(&self.annotations)?;
        let mut any_host = Vec::new();
        let leads = |read: &mut Self, kind: &str, value: &str, backend: &'a Value| -> Result<Value, Stays> {
            let matches = json!([{"path": {"type": kind, "value": value}}]);
            Ok(match &redirect {
                Some(redirect) => json!({"matches": matches, "filters": [redirect]}),
                None => json!({"matches": matches, "backendRefs": [read.backend(backend, objects, spoken)?]}),
            })
        };
        let fallback = match spec.get("defaultBackend").filter(|backend| !backend.is_null()) {
            Some(backend) => Some(leads(self, "PathPrefix", "/", backend)?),
            None => None,
        };
        for rule in spec["rules"].as_array().into_iter().flatten() {
            let host = rule["host"].as_str().unwrap_or_default().to_ascii_lowercase();
            let mut written = Vec::new();
            for path in rule["http"]["paths"].as_array().into_iter().flatten() {
                let kind = if path["pathType"] == "Exact" { "Exact" } else { "PathPrefix" };
                let value = path["path"].as_str().filter(|path| !path.is_empty()).unwrap_or("/");
                written.push(leads(self, kind, value, &path["backend"])?);
            }
            let whole =
                |rule: &Value| rule["matches"][0]["path"] == json!({"type": "PathPrefix", "value": "/"});
            if let Some(rule) = fallback.as_ref().filter(|_| !written.iter().any(whole)) {
                written.push(rule.clone());
            }
            match host.is_empty() {
                true => any_host.extend(written),
                false => self.hosts.push((host, written)),
            }
        }
        if let (Some(rule), true) = (fallback, self.hosts.is_empty() && any_host.is_empty()) {
            any_host.push(rule);
        }
        if !any_host.is_empty() {
            self.hosts.push((String::new(), any_host));
        }
        Ok(())
    }

    /// A backend, its port by number.
    fn backend(&mut self, backend: &'a Value, objects: &'a [Value], spoken: Spoken) -> Result<Value, Stays> {
        let stays = |why: String| Err(("backend".to_owned(), why));
        let Some(service) = backend["service"]["name"].as_str() else {
            return stays("a backend that is no Service".to_owned());
        };
        if spoken.tls {
            self.tls_services.insert(service);
        }
        let port = &backend["service"]["port"];
        let wanted = port["name"].as_str().unwrap_or_default();
        let is_it = |object: &&Value| {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
            object["kind"] == "Service"
                && object["metadata"]["name"] == service
                && namespace == self.namespace
        };
        let ports = objects.iter().find(is_it).and_then(|object| object["spec"]["ports"].as_array());
        let is_meant = |there: &&Value| match port["number"].as_u64() {
            Some(number) => there["port"] == number,
            None => there["name"] == wanted,
        };
        let there = ports.into_iter().flatten().find(is_meant);
        let says_http2 = there.is_some_and(|port| {
            matches!(port["appProtocol"].as_str(), Some("kubernetes.io/h2c" | "kubernetes.io/grpc" | "grpc"))
        });
        if spoken.http2 != says_http2 {
            let why = match spoken.http2 {
                true => format!(
                    "a route speaks HTTP/2 to a Service whose port says `appProtocol: kubernetes.io/h2c`: write it there, and give Service {service} as well"
                ),
                false => format!(
                    "a route would speak HTTP/2 to Service {service}, whose port says so by `appProtocol`"
                ),
            };
            return Err(("backend-protocol".to_owned(), why));
        }
        let number = port["number"].as_u64().or_else(|| there.and_then(|port| port["port"].as_u64()));
        match number {
            Some(number) => Ok(json!({"name": service, "port": number})),
            None => stays(format!(
                "a route names the port of Service {service} by number, and which `{wanted}` is, is not known: give the Service as well"
            )),
        }
    }

    fn certificates(&mut self) -> Result<(), Stays> {
        let own: Vec<String> =
            self.hosts.iter().map(|(host, _)| host.clone()).filter(|host| !host.is_empty()).collect();
        for tls in self.object["spec"]["tls"].as_array().into_iter().flatten() {
            let Some(secret) = tls["secretName"].as_str().filter(|name| !name.is_empty()) else {
                let why = "without a Secret it is the gateway's own certificate that is shown, which a listener has no word for";
                return Err(("tls".to_owned(), why.to_owned()));
            };
            let named: Vec<String> = tls["hosts"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|host| Some(host.as_str()?.to_ascii_lowercase()))
                .collect();
            let named = if named.is_empty() { own.clone() } else { named };
            self.secrets.extend(named.into_iter().map(|host| (host, secret)));
        }
        Ok(())
    }

    fn aliases(&self) -> Vec<String> {
        split(self.annotations.get("server-alias").map(String::as_str).unwrap_or_default()).collect()
    }

    /// Its routes.
    fn write(&self, sections: &BTreeMap<&str, Section>, data: &BTreeMap<String, String>, out: &mut Routes) {
        let global = |key: &str, or: bool| data.get(key).map_or(or, |value| value == "true");
        let redirects = self.is("ssl-redirect", global("ssl-redirect", true));
        let forced = self.is("force-ssl-redirect", global("force-ssl-redirect", false));
        for (number, (host, rules)) in self.hosts.iter().enumerate() {
            let mut rules = rules.clone();
            if let Some(root) = self.annotations.get("app-root").filter(|_| !host.is_empty()) {
                rules.insert(0, app_root(root));
            }
            rules.iter_mut().for_each(|rule| self.dress(rule, data));
            let base =
                if number == 0 { self.name.to_owned() } else { format!("{}-{}", self.name, number + 1) };
            let hosts: Vec<String> = std::iter::once(host.clone()).chain(self.aliases()).collect();
            let hosts = if host.is_empty() { Vec::new() } else { hosts };
            // What has a certificate, and what has none.
            let (secured, plain): (Vec<String>, Vec<String>) =
                hosts.into_iter().partition(|host| section(sections, host).is_some());
            if !plain.is_empty() || host.is_empty() {
                let moved = if forced { to_https(&rules) } else { rules.clone() };
                self.route(&base, &plain, &[http()], &moved, out);
            }
            if secured.is_empty() {
                continue;
            }
            let base = if plain.is_empty() { base } else { format!("{base}-tls") };
            let mut parents: Vec<Value> =
                secured.iter().filter_map(|host| section(sections, host)).map(Section::parent).collect();
            parents.dedup();
            if redirects || forced {
                self.route(&format!("{base}-to-https"), &secured, &[http()], &to_https(&rules), out);
            } else {
                self.route(&format!("{base}-http"), &secured, &[http()], &rules, out);
            }
            if let Some(value) = hsts(data) {
                let header = json!({"type": "ResponseHeaderModifier", "responseHeaderModifier": {
                    "set": [{"name": "Strict-Transport-Security", "value": value}]}});
                rules.iter_mut().for_each(|rule| add_filter(rule, header.clone()));
            }
            self.route(&base, &secured, &parents, &rules, out);
        }
    }

    /// What holds for every rule.
    fn dress(&self, rule: &mut Value, data: &BTreeMap<String, String>) {
        if rule["backendRefs"].is_null() {
            return;
        }
        let seconds = self.annotations.get("proxy-read-timeout").or_else(|| data.get("proxy-read-timeout"));
        if let Some(seconds) = seconds.and_then(|text| text.trim_end_matches('s').parse::<u32>().ok()) {
            rule["timeouts"] = json!({"backendRequest": format!("{seconds}s")});
        }
        if self.annotations.get("enable-modsecurity").is_some_and(|value| value == "false") {
            let reference = json!({"group": "palisade.dev", "kind": "WafProfile", "name": "not-inspected"});
            add_filter(rule, json!({"type": "ExtensionRef", "extensionRef": reference}));
        }
    }

    fn route(&self, name: &str, hosts: &[String], parents: &[Value], rules: &[Value], out: &mut Routes) {
        let hosts: Vec<&[String]> =
            if hosts.is_empty() { vec![&[]] } else { hosts.chunks(HOSTS_MAX).collect() };
        let parts = hosts.iter().flat_map(|hosts| rules.chunks(RULES_MAX).map(move |rules| (*hosts, rules)));
        for (part, (hosts, rules)) in parts.enumerate() {
            let name = if part == 0 { name.to_owned() } else { format!("{name}-part{}", part + 1) };
            let mut meta = json!({"namespace": self.namespace, "name": out.name(self.namespace, name)});
            if let Some(labels) = self.object["metadata"].get("labels") {
                meta["labels"] = labels.clone();
            }
            let mut spec = Map::new();
            spec.insert("parentRefs".to_owned(), json!(parents));
            if !hosts.is_empty() {
                spec.insert("hostnames".to_owned(), json!(hosts));
            }
            spec.insert("rules".to_owned(), json!(rules));
            out.objects
                .push(json!({"apiVersion": VERSION, "kind": "HTTPRoute", "metadata": meta, "spec": spec}));
        }
    }

    /// Policies and profiles that its routes need, by name.
    fn needs(&self, further: &mut BTreeMap<String, Value>) {
        for service in &self.tls_services {
            let hostname = self.annotations.get("proxy-ssl-name").cloned();
            let hostname = hostname.unwrap_or_else(|| format!("{service}.{}", self.namespace));
            let policy = json!({"apiVersion": VERSION, "kind": "BackendTLSPolicy",
                "metadata": {"namespace": self.namespace, "name": service},
                "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": service}],
                    "validation": {"hostname": hostname,
                        "caCertificateRefs": [{"group": "", "kind": "Secret", "name": self.authority()}]}}});
            further.insert(format!("BackendTLSPolicy {}/{service}", self.namespace), policy);
        }
        if self.annotations.contains_key("enable-modsecurity") {
            let profile = json!({"apiVersion": "palisade.dev/v1alpha1", "kind": "WafProfile",
                "metadata": {"namespace": self.namespace, "name": "not-inspected"}, "spec": {"mode": "off"}});
            further.insert(format!("WafProfile {}", self.namespace), profile);
        }
    }

    /// What is otherwise in a route.
    fn remarks(
        &self,
        sections: &BTreeMap<&str, Section>,
        data: &BTreeMap<String, String>,
        out: &mut Vec<Finding>,
    ) {
        let mut say = |name: &str, why: &str| out.push(finding(self.object, name, "changed", why.to_owned()));
        if data.get("proxy-body-size").is_none_or(|size| size != "0") {
            say(
                "proxy-body-size",
                "an HTTPRoute has no word for it: bodies have the bounds of the profile that inspects them, and not 1m",
            );
        }
        if self.hosts.iter().any(|(host, _)| host.starts_with("*.")) {
            say("host", "`*.` takes names of several labels in the Gateway API, and of one in an Ingress");
        }
        if self.hosts.iter().any(|(host, _)| section(sections, host).is_none()) {
            say(
                "tls",
                "over HTTPS only hosts with a Secret are there; an Ingress's others answer with the gateway's own certificate",
            );
        } else {
            say("ssl-redirect", "by 308, which CRDs of the Gateway API that know 301 and 302 alone refuse");
        }
        for name in ["permanent-redirect", "temporal-redirect"] {
            if self.annotations.contains_key(name) {
                say(name, "the query of a request goes along, where it was dropped");
            }
        }
        if !self.tls_services.is_empty() {
            say("proxy-ssl-secret", "a certificate of our own in the Secret is not shown to the Service");
        }
    }
}

/// `/` alone is sent elsewhere.
fn app_root(to: &str) -> Value {
    json!({"matches": [{"path": {"type": "Exact", "value": "/"}}],
        "filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 302,
            "path": {"type": "ReplaceFullPath", "replaceFullPath": to}}}]})
}

/// The same matches, sent to HTTPS.
fn to_https(rules: &[Value]) -> Vec<Value> {
    let moved = |rule: &Value| {
        json!({"matches": rule["matches"],
            "filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 308}}]})
    };
    rules.iter().map(moved).collect()
}

fn add_filter(rule: &mut Value, filter: Value) {
    match rule["filters"].as_array_mut() {
        Some(filters) => filters.push(filter),
        None => rule["filters"] = json!([filter]),
    }
}

/// What hosts with a certificate are to say, as ingress-nginx has it unless told otherwise.
fn hsts(data: &BTreeMap<String, String>) -> Option<String> {
    let switch = |key: &str, or: bool| data.get(key).map_or(or, |value| value == "true");
    let age = data.get("hsts-max-age").and_then(|age| age.parse::<u64>().ok()).unwrap_or(31_536_000);
    let subdomains = if switch("hsts-include-subdomains", true) { "; includeSubDomains" } else { "" };
    let preload = if switch("hsts-preload", false) { "; preload" } else { "" };
    switch("hsts", true).then(|| format!("max-age={age}{subdomains}{preload}"))
}

/// Hosts with a certificate, and their Secrets: who says it first counts.
fn secured<'a>(ingresses: &'a [Ingress<'a>]) -> BTreeMap<&'a str, (&'a str, &'a str)> {
    let mut all = BTreeMap::new();
    for ingress in ingresses {
        for (host, secret) in &ingress.secrets {
            all.entry(host.as_str()).or_insert((ingress.namespace, *secret));
        }
    }
    all
}
