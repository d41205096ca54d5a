//! Hosts, paths and what they lead to: from Ingresses, oldest first, to the configuration of a data plane.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, IngressServiceBackend, ServiceBackendPort};
use serde_json::{Value, json};

use crate::draft::{Draft, HTTP, HTTPS, short};
use crate::entrances::{Inspected, Profiles};
use crate::ingress::backends::Backends;
use crate::ingress::leading::Leading;
use crate::ingress::options::{AuthTls, Global, Options};
use crate::ingress::protected::Protected;
use crate::ingress::rules::{Files, RuleFiles};
use crate::ingress::secrets::Secrets;
use crate::ingress::{Object, Observed, Report, Settings, Translator, annotations_of, key};

/// Hosts and paths as they come together.
pub(crate) struct Table<'a> {
    pub(super) settings: &'a Settings,
    pub(super) global: &'a Global,
    pub(super) memory: &'a mut Translator,
    pub(super) backends: Backends<'a>,
    pub(super) secrets: Secrets<'a>,
    /// By name; empty is any host.
    hosts: BTreeMap<String, Host>,
    files: Files,
    /// Certificates and authorities.
    pub(super) tls: BTreeMap<String, Arc<[u8]>>,
    /// Certificate files in the order of listeners.
    certificates: Vec<(String, String)>,
    profiles: BTreeMap<String, Value>,
}

#[derive(Default)]
pub(super) struct Host {
    /// It has a certificate of its own.
    pub(super) tls: bool,
    pub(super) clients: Option<Clients>,
    pub(super) locations: Vec<Location>,
}

/// What a host asks of clients.
pub(super) enum Clients {
    /// As the configuration has it, and whose Ingress said it.
    Asked(Value, AuthTls),
    /// Nobody can be verified: the host is closed.
    Closed(AuthTls),
}

pub(super) struct Location {
    pub(super) path: String,
    pub(super) exact: bool,
    pub(super) to: To,
    /// Sent to HTTPS where its host has a certificate.
    pub(super) redirects: bool,
    /// Sent there whether it has one or not.
    pub(super) forced: bool,
    pub(super) body_max: Option<u64>,
    pub(super) streams: bool,
    pub(super) mode: Option<String>,
}

/// Where requests go.
#[derive(Clone)]
pub(super) enum To {
    Service { name: String, service: Value },
    Answer(u16),
    Redirect { name: String, status: u16, location: String },
}

/// What an Ingress says by itself, whatever else is in the cluster but the ConfigMap.
#[derive(Clone)]
pub(super) struct Read {
    ingress: Arc<Ingress>,
    options: Options,
    rules: Option<RuleFiles>,
    /// Its rules, and what they are in need of.
    files: Arc<Files>,
}

/// What an Ingress leads to, with its rules and headers.
pub(super) struct Making<'o> {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) options: &'o Options,
    pub(super) inspected: Inspected,
    pub(super) refused: bool,
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
    pub(crate) fn take(
        &mut self,
        ingress: &Arc<Ingress>,
        protecting: &mut Profiles<'_>,
        draft: &mut Draft,
        reports: &mut Vec<Report>,
    ) {
        let object = Object::of("Ingress", &ingress.metadata);
        let of = key(&ingress.metadata);
        let Read { mut options, mut rules, mut files, .. } = self.read(&of, ingress);
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
                Read { options, rules, files, .. } = self.look(&of, &before);
                taken = before;
            }
        }
        self.keep(&files);
        let profile = self.profile(&of, &options, rules);
        let protection = Protected { of: &of, profile, everywhere: self.global.modsecurity };
        let mut say = |reason, message, served| say(reports, reason, message, served);
        let inspected = protection.inspected(&mut options, protecting, draft, &mut say);
        let refused = !options.refused.is_empty() || inspected.is_none();
        let inspected = inspected.unwrap_or_default();
        let making = Making { namespace: of.0, name: of.1, options: &options, inspected, refused };
        self.place(&taken, &making, &object, reports);
    }

    /// An Ingress by itself; one that did not change is not read again.
    fn read(&mut self, of: &(String, String), ingress: &Arc<Ingress>) -> Read {
        let known = self.memory.reads.get(of).filter(|known| Arc::ptr_eq(&known.ingress, ingress));
        if let Some(known) = known {
            return known.clone();
        }
        let mut read = self.look(of, ingress);
        if read.options.refused.is_empty()
            && let Some(wrong) = self.unreadable(ingress, &read.options)
        {
            read.options.refused.push(("BadValue", wrong));
        }
        self.memory.reads.insert(of.clone(), read.clone());
        read
    }

    /// What an Ingress asks for, with its rules, compiled.
    fn look(&mut self, (namespace, name): &(String, String), ingress: &Arc<Ingress>) -> Read {
        let annotations = annotations_of(&ingress.metadata);
        let mut options = Options::of(&annotations, namespace, self.global, self.settings);
        let (crs, mut said) = (self.settings.crs.as_ref(), Vec::new());
        let mut files = Files::default();
        let made = files.of_ingress((namespace, name), &options, self.global, crs, &mut said);
        options.said.append(&mut said);
        let checked = made.and_then(|names| {
            files.complete(crs);
            if let Some(names) = &names {
                files.check(names, crs, &*self.settings.loader, &mut self.memory.compiled)?;
            }
            Ok(names)
        });
        let rules = checked.unwrap_or_else(|wrong| {
            files = Files::default();
            options.refused.push(("BadSnippet", wrong));
            None
        });
        Read { ingress: ingress.clone(), options, rules, files: Arc::new(files) }
    }

    fn keep(&mut self, files: &Files) {
        for (name, text) in &files.0 {
            if !self.files.0.contains_key(name) {
                self.files.0.insert(name.clone(), text.clone());
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

    /// Puts it all into a gateway's configuration.
    pub(crate) fn finish(mut self, draft: &mut Draft, reports: &mut Vec<Report>) {
        self.default_backend(reports);
        let fallback = self.hosts.get("").and_then(|host| {
            let whole = |location: &&Location| location.path == "/" && !location.exact;
            host.locations.iter().find(whole).map(|at| at.to.clone())
        });
        let fallback = fallback.unwrap_or(To::Answer(404));
        self.hosts.entry(String::new()).or_default();
        let leading = Leading { global: self.global, settings: self.settings };
        for (name, host) in &self.hosts {
            leading.host(draft, name, host, &fallback);
        }
        let default = ("tls/default.crt".to_owned(), "tls/default.key".to_owned());
        self.tls.insert(default.0.clone(), self.settings.certificate.0.clone().into());
        self.tls.insert(default.1.clone(), self.settings.certificate.1.clone().into());
        draft.listener(HTTP, || self.global.listening(&self.settings.http));
        let https = draft.listener(HTTPS, || self.global.listening(&self.settings.https));
        https.certificates = std::iter::once(default).chain(self.certificates).collect();
        draft.profiles.extend(self.profiles);
        draft.files.extend(self.files.0.into_iter().chain(self.tls));
    }

    /// The Service that has what no Ingress takes.
    fn default_backend(&mut self, reports: &mut Vec<Report>) {
        let Some((namespace, name)) = self.settings.default_backend.clone() else { return };
        let service = IngressServiceBackend { name: name.clone(), port: Some(ServiceBackendPort::default()) };
        let options = Options::default();
        let making = Making {
            namespace: namespace.clone(),
            name: "default-backend".to_owned(),
            options: &options,
            inspected: Inspected::default(),
            refused: false,
        };
        let backend = IngressBackend { service: Some(service), resource: None };
        let object = Object { kind: "Service", namespace, name, uid: String::new() };
        let to = self.resolved(&backend, &making, &mut |reason, message, served| {
            reports.push(Report { object: object.clone(), reason, message, served });
        });
        let location = self.location("/".to_owned(), false, to, &making);
        self.insert("", location);
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
pub(crate) fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    host.is_empty() || name.len() <= 253 && name.split('.').all(label)
}
