//! Hosts, paths and what they lead to: from Ingresses, oldest first, to the configuration of a data plane.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, IngressServiceBackend, ServiceBackendPort};
use palisade_config::{File, Overrides, read};
use palisade_control::{Bundle, ENTRY};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::ingress::backends::Backends;
use crate::ingress::options::{AuthTls, Global, Options};
use crate::ingress::rules::{Files, RuleFiles};
use crate::ingress::secrets::Secrets;
use crate::ingress::{Object, Observed, Report, Settings, Translator, annotations_of, key};

/// Hosts and paths as they come together.
pub(crate) struct Table<'a> {
    settings: &'a Settings,
    global: &'a Global,
    memory: &'a mut Translator,
    backends: Backends<'a>,
    secrets: Secrets<'a>,
    /// By name; empty is any host.
    hosts: BTreeMap<String, Host>,
    files: Files,
    /// Certificates and authorities.
    tls: BTreeMap<String, Arc<[u8]>>,
    /// Certificate files in the order of listeners.
    certificates: Vec<(String, String)>,
    profiles: BTreeMap<String, Value>,
}

#[derive(Default)]
struct Host {
    /// It has a certificate of its own.
    tls: bool,
    clients: Option<Clients>,
    locations: Vec<Location>,
}

/// What a host asks of clients.
enum Clients {
    /// As the configuration has it, and whose Ingress said it.
    Asked(Value, AuthTls),
    /// Nobody can be verified: the host is closed.
    Closed(AuthTls),
}

struct Location {
    path: String,
    exact: bool,
    to: To,
    /// Sent to HTTPS where its host has a certificate.
    redirects: bool,
    /// Sent there whether it has one or not.
    forced: bool,
    body_max: Option<u64>,
    streams: bool,
    mode: Option<String>,
}

/// Where requests go.
#[derive(Clone)]
enum To {
    Service { name: String, service: Value },
    Answer(u16),
    Redirect { name: String, status: u16, location: String },
}

/// What an Ingress leads to, with its rules and headers.
struct Making<'o> {
    namespace: String,
    name: String,
    options: &'o Options,
    profile: String,
    refused: bool,
}

impl<'a> Table<'a> {
    pub(crate) fn new(
        observed: &'a Observed,
        settings: &'a Settings,
        global: &'a Global,
        memory: &'a mut Translator,
    ) -> Self {
        let detects = json!({"mode": settings.mode, "detect": {"enabled": settings.mode != "off"}});
        let profiles = BTreeMap::from([
            ("default".to_owned(), detects),
            ("off".to_owned(), json!({"mode": "off", "detect": {"enabled": false}})),
        ]);
        Self {
            settings,
            global,
            memory,
            backends: Backends::new(observed),
            secrets: Secrets::new(&observed.secrets),
            hosts: BTreeMap::new(),
            files: Files::default(),
            tls: BTreeMap::new(),
            certificates: Vec::new(),
            profiles,
        }
    }

    /// Takes an Ingress in: as it is written, as it was when it was good last, or closed.
    pub(crate) fn take(&mut self, ingress: &Arc<Ingress>, reports: &mut Vec<Report>) {
        let object = Object::of("Ingress", &ingress.metadata);
        let of = key(&ingress.metadata);
        let mut options = self.options(ingress);
        let mut rules = self.rules(&of, &mut options);
        if options.refused.is_empty()
            && let Some(wrong) = self.unreadable(ingress, &options)
        {
            options.refused.push(("BadValue", wrong));
        }
        let say = |reports: &mut Vec<Report>, reason, message: String, served| {
            reports.push(Report { object: object.clone(), reason, message, served });
        };
        for (reason, message) in &options.said {
            say(reports, reason, message.clone(), true);
        }
        let mut taken = ingress.clone();
        if options.refused.is_empty() {
            self.memory.good.insert(of.clone(), ingress.clone());
        } else {
            // A mistake leaves what was there; what we cannot do at all is closed.
            let mistake =
                options.refused.iter().all(|(reason, _)| matches!(*reason, "BadValue" | "BadSnippet"));
            let before = self.memory.good.get(&of).cloned().filter(|_| mistake);
            let becomes =
                if before.is_some() { "it is served as it was" } else { "its paths are answered with 503" };
            for (reason, why) in &options.refused {
                say(reports, reason, format!("{becomes}: {why}"), false);
            }
            if let Some(before) = before {
                options = self.options(&before);
                rules = self.rules(&of, &mut options);
                taken = before;
            }
        }
        let profile = self.profile(&of, &options, rules);
        let refused = !options.refused.is_empty();
        let making = Making { namespace: of.0, name: of.1, options: &options, profile, refused };
        self.place(&taken, &making, &object, reports);
    }

    fn options(&self, ingress: &Ingress) -> Options {
        let namespace = ingress.metadata.namespace.as_deref().unwrap_or_default();
        Options::of(&annotations_of(&ingress.metadata), namespace, self.global, self.settings)
    }

    /// The rules of an Ingress, compiled.
    fn rules(&mut self, (namespace, name): &(String, String), options: &mut Options) -> Option<RuleFiles> {
        let (crs, mut said) = (self.settings.crs.as_ref(), Vec::new());
        // A snippet that was tried before lies there under the same name.
        self.files.0.remove(&format!("rules/{namespace}.{name}.conf"));
        let made = self.files.of_ingress((namespace, name), options, self.global, crs, &mut said);
        options.said.append(&mut said);
        let checked = made.and_then(|names| {
            self.files.complete(crs);
            if let Some(names) = &names {
                self.files.check(names, crs, &*self.settings.loader, &mut self.memory.compiled)?;
            }
            Ok(names)
        });
        match checked {
            Ok(names) => names,
            Err(wrong) => {
                self.files.0.remove(&format!("rules/{namespace}.{name}.conf"));
                options.refused.push(("BadSnippet", wrong));
                None
            }
        }
    }

    /// The profile of an Ingress; made where it is not there.
    fn profile(
        &mut self,
        (namespace, name): &(String, String),
        options: &Options,
        rules: Option<RuleFiles>,
    ) -> String {
        let Some(rules) = rules else {
            return if options.modsecurity == Some(false) { "off" } else { "default" }.to_owned();
        };
        let stem = |file: &str| file.trim_start_matches("rules/").trim_end_matches(".conf").to_owned();
        let own = rules.iter().any(|file| stem(file) == format!("{namespace}.{name}"));
        let profile = match own {
            true => short(format!("{namespace}.{name}")),
            false => rules.iter().skip(1).map(|file| stem(file)).collect::<Vec<_>>().join("-"),
        };
        let value = json!({"mode": "block", "rules": {"files": rules}, "detect": {"enabled": false}});
        self.profiles.entry(profile.clone()).or_insert(value);
        profile
    }

    /// Puts hosts and paths of an Ingress into the table.
    fn place(&mut self, ingress: &Ingress, making: &Making<'_>, object: &Object, reports: &mut Vec<Report>) {
        let Some(spec) = &ingress.spec else { return };
        let mut say = |reason, message: String, served| {
            reports.push(Report { object: object.clone(), reason, message, served });
        };
        let mut hosts: Vec<String> = Vec::new();
        for rule in spec.rules.iter().flatten() {
            let host = rule.host.clone().unwrap_or_default().to_ascii_lowercase();
            if !is_host(&host) {
                say("BadValue", format!("`{}` is no host", host.escape_debug()), false);
                continue;
            }
            hosts.push(host);
        }
        let aliases: Vec<String> =
            making.options.aliases.iter().filter(|alias| is_host(alias)).cloned().collect();
        // Certificates first: whether a host has one decides what its plain listener does.
        for tls in spec.tls.iter().flatten() {
            let named: Vec<String> = tls
                .hosts
                .iter()
                .flatten()
                .map(|host| host.to_ascii_lowercase())
                .filter(|host| is_host(host))
                .collect();
            let named = if named.is_empty() { hosts.clone() } else { named };
            let Some(secret) = tls.secret_name.clone().filter(|name| !name.is_empty()) else {
                named.iter().for_each(|host| self.host(host).tls = true);
                continue;
            };
            let secret = (making.namespace.clone(), secret);
            match self.secrets.pair(&secret, &self.settings.checks, &mut self.memory.pairs) {
                Ok(files) => {
                    let names = (files[0].0.clone(), files[1].0.clone());
                    if !self.certificates.contains(&names) {
                        self.certificates.push(names);
                    }
                    self.tls.extend(files);
                    named.iter().for_each(|host| self.host(host).tls = true);
                }
                Err(why) => say("BadCertificate", format!("the default certificate is shown: {why}"), false),
            }
        }
        if let Some(asked) = &making.options.auth_tls {
            for host in hosts.iter().chain(&aliases).collect::<BTreeSet<_>>() {
                self.ask(host, asked, &mut say);
            }
        }
        for rule in spec.rules.iter().flatten() {
            let host = rule.host.clone().unwrap_or_default().to_ascii_lowercase();
            if !is_host(&host) {
                continue;
            }
            let paths = rule.http.iter().flat_map(|http| &http.paths);
            for path in paths {
                let exact = path.path_type == "Exact";
                let written = path.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
                let to = self.resolved(&path.backend, making, &mut say);
                for host in std::iter::once(&host).chain(&aliases) {
                    let location = self.location(plain(written, making.refused), exact, to.clone(), making);
                    if !self.insert(host, location) {
                        let shown = if host.is_empty() { "*" } else { host };
                        say("PathTaken", format!("{shown}{written} belongs to an older Ingress"), false);
                    }
                }
            }
            if let (Some(root), false) = (&making.options.app_root, making.refused) {
                let name = short(format!("{}.{}.app-root", making.namespace, making.name));
                let to = To::Redirect { name, status: 302, location: root.clone() };
                let location = self.location("/".to_owned(), true, to, making);
                self.insert(&host, location);
            }
        }
        if let Some(backend) = &spec.default_backend {
            let to = self.resolved(backend, making, &mut say);
            let of = if spec.rules.iter().flatten().next().is_none() { vec![String::new()] } else { hosts };
            for host in of {
                let location = self.location("/".to_owned(), false, to.clone(), making);
                self.insert(&host, location);
            }
        }
    }

    fn host(&mut self, host: &str) -> &mut Host {
        self.hosts.entry(host.to_owned()).or_default()
    }

    /// What a host asks of clients: the first Ingress that says it counts.
    fn ask(&mut self, host: &str, asked: &AuthTls, say: &mut impl FnMut(&'static str, String, bool)) {
        let shown = if host.is_empty() { "*" } else { host };
        if let Some(Clients::Asked(_, before) | Clients::Closed(before)) = &self.host(host).clients {
            if before != asked {
                say("HostTaken", format!("{shown}: an older Ingress says what is asked of clients"), false);
            }
            return;
        }
        let mode = asked.mode;
        let authorities = match (&asked.secret, mode) {
            (_, "off") => Ok(Vec::new()),
            (Some(secret), _) => self.secrets.authorities(secret),
            (None, _) => Err("its Secret cannot be had".to_owned()),
        };
        let clients = match authorities {
            Ok(files) => {
                let named = |suffix: &str| {
                    files.iter().find(|(name, _)| name.ends_with(suffix)).map(|(name, _)| name.clone())
                };
                let mut value = json!({"mode": mode});
                if let Some(ca) = named(".ca.crt") {
                    value["ca"] = json!(ca);
                    value["depth"] = json!(asked.depth);
                }
                if let Some(crl) = named(".crl") {
                    value["crl"] = json!(crl);
                }
                if let (Some(pattern), true) = (&asked.match_cn, mode != "off") {
                    value["matchSubject"] = json!(pattern);
                    value["subjectMatching"] = json!("compat");
                }
                if let (Some(page), true) = (&asked.error_page, mode != "off") {
                    value["errorPage"] = json!(page);
                }
                self.tls.extend(files);
                Clients::Asked(value, asked.clone())
            }
            Err(why) => {
                say("HostClosed", format!("{shown} is answered with 403: {why}"), false);
                Clients::Closed(asked.clone())
            }
        };
        self.host(host).clients = Some(clients);
    }

    fn location(&self, path: String, exact: bool, to: To, making: &Making<'_>) -> Location {
        let Options { ssl_redirect, force_ssl_redirect, body_max, streams, mode, .. } = making.options;
        Location {
            path,
            exact,
            to,
            redirects: ssl_redirect.unwrap_or(self.global.ssl_redirect),
            forced: force_ssl_redirect.unwrap_or(self.global.force_ssl_redirect),
            body_max: body_max.unwrap_or(self.global.body_max),
            streams: *streams,
            mode: mode.clone(),
        }
    }

    /// Whether it was free.
    fn insert(&mut self, host: &str, location: Location) -> bool {
        let locations = &mut self.host(host).locations;
        let same = |there: &Location| there.exact == location.exact && alike(there, &location);
        if locations.iter().any(same) {
            return false;
        }
        locations.push(location);
        true
    }

    /// What a backend comes to.
    fn resolved(
        &mut self,
        backend: &IngressBackend,
        making: &Making<'_>,
        say: &mut impl FnMut(&'static str, String, bool),
    ) -> To {
        if making.refused {
            return To::Answer(503);
        }
        if let Some((status, location)) = &making.options.redirect {
            let name = short(format!("{}.{}.redirect", making.namespace, making.name));
            return To::Redirect { name, status: *status, location: location.clone() };
        }
        let Some(service) = &backend.service else {
            say("NotHonoured", "a backend that is no Service is answered with 503".to_owned(), false);
            return To::Answer(503);
        };
        match self.upstream(service, making) {
            Ok(Some(upstream)) => {
                let port = service.port.as_ref().map(|port| match (&port.name, port.number) {
                    (Some(name), _) if !name.is_empty() => name.clone(),
                    (_, number) => number.unwrap_or_default().to_string(),
                });
                let name = format!(
                    "{}.{}.{}.{}",
                    making.namespace,
                    making.name,
                    service.name,
                    port.unwrap_or_else(|| "0".to_owned())
                );
                let mut value = json!({"upstream": upstream, "profile": making.profile});
                let forward = self.forward(making.options);
                if !forward.is_empty() {
                    value["forward"] = Value::Object(forward);
                }
                To::Service { name: short(name), service: value }
            }
            Ok(None) => {
                let what = format!("the Service {}/{} has nobody ready: 503", making.namespace, service.name);
                say("NoEndpoints", what, true);
                To::Answer(503)
            }
            Err(why) => {
                say("BadBackend", format!("503: {why}"), false);
                To::Answer(503)
            }
        }
    }

    fn upstream(
        &mut self,
        service: &IngressServiceBackend,
        making: &Making<'_>,
    ) -> Result<Option<Value>, String> {
        let options = making.options;
        let scheme = if options.https { "https" } else { "http" };
        let urls = self.backends.urls(&making.namespace, service, scheme, options.service_upstream)?;
        if urls.is_empty() {
            return Ok(None);
        }
        let mut upstream = json!({
            "url": urls,
            "connect": format!("{}s", options.connect.unwrap_or(self.global.connect)),
            "response": format!("{}s", options.read.unwrap_or(self.global.read)),
        });
        if options.http2 {
            upstream["protocol"] = json!("http2");
        }
        if options.https {
            let mut tls = json!({});
            let name = format!("{}.{}", service.name, making.namespace);
            tls["serverName"] = json!(options.upstream_name.clone().unwrap_or(name));
            match (&options.upstream_secret, options.upstream_verify) {
                (Some(secret), true) => {
                    let files = self.secrets.authorities(secret)?;
                    tls["ca"] = json!(files[0].0);
                    self.tls.extend(files);
                }
                (None, true) => {
                    return Err("proxy-ssl-verify asks for a proxy-ssl-secret with ca.crt".to_owned());
                }
                (_, false) => tls["verify"] = json!(false),
            }
            if let Some(secret) = options.upstream_secret.as_ref().filter(|of| self.secrets.has_pair(of)) {
                let files = self.secrets.pair(secret, &self.settings.checks, &mut self.memory.pairs)?;
                tls["clientCert"] = json!({"cert": files[0].0, "key": files[1].0});
                self.tls.extend(files);
            }
            upstream["tls"] = tls;
        }
        Ok(Some(upstream))
    }

    fn forward(&self, options: &Options) -> Map<String, Value> {
        let mut forward = Map::new();
        if options.auth_tls.as_ref().is_some_and(|asked| asked.pass_certificate) {
            forward.insert("clientCertificate".to_owned(), json!(true));
        }
        let headers: Map<String, Value> =
            options.headers.iter().map(|(name, fact)| (name.clone(), json!(fact))).collect();
        if !headers.is_empty() {
            forward.insert("headers".to_owned(), Value::Object(headers));
        }
        forward
    }

    /// What the data plane's own reader would not take of an Ingress, read alone.
    fn unreadable(&mut self, ingress: &Ingress, options: &Options) -> Option<String> {
        let spec = ingress.spec.as_ref()?;
        let mut routes = Vec::new();
        let mut seen = BTreeSet::new();
        for path in spec.rules.iter().flatten().flat_map(|rule| rule.http.iter().flat_map(|http| &http.paths))
        {
            let exact = path.path_type == "Exact";
            let written = path.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
            if seen.insert((written.trim_end_matches('/'), exact)) {
                routes.push(json!({"path": written, "exact": exact, "service": "s"}));
            }
        }
        routes.push(json!({"path": "/palisade-default", "service": "s"}));
        let mut service = json!({"name": "s", "upstream": {
            "url": if options.https { "https://a" } else { "http://a" },
            "connect": format!("{}s", options.connect.unwrap_or(5)),
            "response": format!("{}s", options.read.unwrap_or(60)),
        }, "forward": self.forward(options)});
        if let Some(name) = options.upstream_name.as_ref().filter(|_| options.https) {
            service["upstream"]["tls"] = json!({"serverName": name});
        }
        let mut services = vec![service];
        let places = [options.app_root.as_ref(), options.redirect.as_ref().map(|(_, to)| to)];
        for (number, place) in places.into_iter().flatten().enumerate() {
            let name = format!("redirect{number}");
            services.push(json!({"name": name, "answer": {"status": 302, "location": place}}));
            routes.push(json!({"path": format!("/palisade-{number}"), "service": name}));
        }
        let text = json!({"services": services, "routes": routes}).to_string();
        let known = self.memory.read.entry(Sha256::digest(&text).into()).or_insert_with(|| {
            let read = read(Some(File { text: text.as_bytes(), folder: "" }), &Overrides::default());
            let first = read.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
            first.map(|first| first.message.clone()).or_else(|| read.config.is_none().then(String::new))
        });
        known.clone()
    }

    /// The bundle.
    pub(crate) fn finish(mut self, reports: &mut Vec<Report>) -> Bundle {
        let backend = self.settings.default_backend.clone();
        if let Some((namespace, name)) = &backend {
            let service =
                IngressServiceBackend { name: name.clone(), port: Some(ServiceBackendPort::default()) };
            let options = Options::default();
            let making = Making {
                namespace: namespace.clone(),
                name: "default-backend".to_owned(),
                options: &options,
                profile: "default".to_owned(),
                refused: false,
            };
            let backend = IngressBackend { service: Some(service), resource: None };
            let object = Object {
                kind: "Service",
                namespace: namespace.clone(),
                name: name.clone(),
                uid: String::new(),
            };
            let to = self.resolved(&backend, &making, &mut |reason, message, served| {
                reports.push(Report { object: object.clone(), reason, message, served });
            });
            let location = self.location("/".to_owned(), false, to, &making);
            self.insert("", location);
        }
        let fallback = self.hosts.get("").and_then(|host| {
            host.locations
                .iter()
                .find(|location| location.path == "/" && !location.exact)
                .map(|at| at.to.clone())
        });
        let fallback = fallback.unwrap_or(To::Answer(404));
        let mut made = Made::default();
        self.hosts.entry(String::new()).or_default();
        for (name, host) in &self.hosts {
            made.host(name, host, &fallback, self.global, self.settings);
        }
        let mut bundle = Bundle::new();
        let default = ("tls/default.crt".to_owned(), "tls/default.key".to_owned());
        self.tls.insert(default.0.clone(), self.settings.certificate.0.clone().into());
        self.tls.insert(default.1.clone(), self.settings.certificate.1.clone().into());
        let certificates: Vec<Value> = std::iter::once(&default)
            .chain(&self.certificates)
            .map(|(cert, key)| json!({"cert": cert, "key": key}))
            .collect();
        let mut config = self.settings.further.clone();
        config.insert("listeners".to_owned(), self.listeners(&certificates));
        config.insert("services".to_owned(), made.services());
        config.insert("routes".to_owned(), Value::Array(made.routes));
        config.insert("profiles".to_owned(), json!(self.profiles));
        let entry = Value::Object(config).to_string();
        let files = self.files.0.into_iter().chain(self.tls);
        for (name, content) in files.chain([(ENTRY.to_owned(), entry.into_bytes().into())]) {
            if let Err(error) = bundle.put(&name, content) {
                let object = Object {
                    kind: "ConfigMap",
                    namespace: String::new(),
                    name: String::new(),
                    uid: String::new(),
                };
                reports.push(Report {
                    object,
                    reason: "TooLarge",
                    message: error.to_string(),
                    served: false,
                });
            }
        }
        bundle
    }

    fn listeners(&self, certificates: &[Value]) -> Value {
        let forwarded = if self.global.full_forwarded_for { "ingress-nginx-full" } else { "ingress-nginx" };
        let mut http = json!({"name": "http", "address": self.settings.http, "forwardedHeaders": forwarded});
        let mut https =
            json!({"name": "https", "address": self.settings.https, "forwardedHeaders": forwarded});
        https["tls"] = json!({"certificates": certificates});
        if let Some((from, trusted)) = &self.global.client_address {
            for listener in [&mut http, &mut https] {
                listener["clientAddress"] = json!({"from": from, "trusted": trusted});
            }
        }
        json!([http, https])
    }
}

/// Services and routes of the configuration.
#[derive(Default)]
struct Made {
    named: BTreeMap<String, Value>,
    routes: Vec<Value>,
}

impl Made {
    fn host(&mut self, name: &str, host: &Host, fallback: &To, global: &Global, settings: &Settings) {
        if let Some(Clients::Closed(_)) = &host.clients {
            self.route(name, None, "/", false, &To::Answer(403), host, None, global);
            return;
        }
        let asks = matches!(&host.clients, Some(Clients::Asked(value, _)) if value["mode"] != "off");
        let whole = host.locations.iter().any(|location| !location.exact && location.path == "/");
        for location in &host.locations {
            let own = Some(location);
            let (path, exact, to) = (location.path.as_str(), location.exact, &location.to);
            // What is asked of clients cannot be asked over plain HTTP.
            if location.redirects && host.tls || location.forced || asks {
                self.redirected(name, path, exact, settings);
                self.route(name, Some("https"), path, exact, to, host, own, global);
            } else {
                self.route(name, None, path, exact, to, host, own, global);
            }
        }
        if !whole {
            if asks {
                self.redirected(name, "/", false, settings);
            }
            self.route(name, asks.then_some("https"), "/", false, fallback, host, None, global);
        }
    }

    fn redirected(&mut self, host: &str, path: &str, exact: bool, settings: &Settings) {
        let answer = json!({"answer": {"status": 308, "httpsPort": settings.https_port}});
        self.named.insert("to-https".to_owned(), answer);
        self.push(host, Some("http"), path, exact, "to-https", None);
    }

    #[allow(clippy::too_many_arguments, reason = "a route has as many sides")]
    fn route(
        &mut self,
        name: &str,
        listener: Option<&str>,
        path: &str,
        exact: bool,
        to: &To,
        host: &Host,
        location: Option<&Location>,
        global: &Global,
    ) {
        let clients = match &host.clients {
            Some(Clients::Asked(value, _)) => Some(value),
            _ => None,
        };
        let (base, mut service) = match to {
            To::Service { name, service } => (name.clone(), service.clone()),
            To::Answer(status) => (format!("answer-{status}"), json!({"answer": {"status": status}})),
            To::Redirect { name, status, location } => {
                (name.clone(), json!({"answer": {"status": status, "location": location}}))
            }
        };
        if let Some(clients) = clients {
            service["tls"] = json!({"clientCertificates": clients});
        }
        if let (Some(hsts), true) = (&global.hsts, host.tls) {
            service["responseHeaders"] = json!({"set": {"Strict-Transport-Security": hsts}});
        }
        let service = self.service(base, name, service);
        self.push(name, listener, path, exact, &service, location);
    }

    /// The name under which a service is known: its own, unless another of this name says something else.
    fn service(&mut self, base: String, host: &str, service: Value) -> String {
        match self.named.get(&base) {
            None => {
                self.named.insert(base.clone(), service);
                return base;
            }
            Some(there) if *there == service => return base,
            Some(_) => {}
        }
        let host = if host.is_empty() { "any" } else { host };
        let other = short(format!("{base}@{host}").replace(['@', '*'], "_"));
        let mut name = other.clone();
        let mut number = 2;
        while self.named.get(&name).is_some_and(|there| *there != service) {
            name = short(format!("{other}-{number}"));
            number += 1;
        }
        self.named.insert(name.clone(), service);
        name
    }

    fn push(
        &mut self,
        host: &str,
        listener: Option<&str>,
        path: &str,
        exact: bool,
        service: &str,
        location: Option<&Location>,
    ) {
        let mut route = json!({"path": path, "service": service});
        if !host.is_empty() {
            route["hosts"] = json!([host]);
        }
        if let Some(listener) = listener {
            route["listener"] = json!(listener);
        }
        if exact {
            route["exact"] = json!(true);
        }
        if let Some(location) = location {
            if let Some(bytes) = location.body_max {
                route["bodyMax"] = json!(format!("{bytes}B"));
            }
            if location.streams {
                route["body"] = json!("stream");
            }
            if let Some(mode) = &location.mode {
                route["mode"] = json!(mode);
            }
        }
        self.routes.push(route);
    }

    fn services(&self) -> Value {
        let named = self.named.iter().map(|(name, service)| {
            let mut service = service.clone();
            service["name"] = json!(name);
            service
        });
        named.collect()
    }
}

/// Whether two paths are one. A slash at the end matters to what takes one path alone.
fn alike(one: &Location, other: &Location) -> bool {
    match one.exact {
        true => one.path == other.path,
        false => one.path.trim_end_matches('/') == other.path.trim_end_matches('/'),
    }
}

/// A path as it is written, or, of an Ingress that is closed, as much of it as is no pattern.
fn plain(path: &str, closed: bool) -> String {
    if !closed {
        return path.to_owned();
    }
    let pattern = |char: char| "()[]{}|*+?^$\\%#".contains(char) || char.is_control();
    let fixed = &path[..path.find(pattern).unwrap_or(path.len())];
    let fixed =
        if fixed.len() < path.len() { &fixed[..fixed.rfind('/').map_or(0, |at| at + 1)] } else { fixed };
    let normal =
        fixed.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect::<Vec<_>>().join("/");
    format!("/{normal}")
}

/// Empty, or a name, or `*.` and a name.
fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    host.is_empty() || name.len() <= 253 && name.split('.').all(label)
}

/// A name that a configuration may have: a long one ends in a digest of itself.
fn short(name: String) -> String {
    if name.len() <= 120 {
        return name;
    }
    let digest = Sha256::digest(&name);
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{digest}", name.chars().take(100).collect::<String>())
}
