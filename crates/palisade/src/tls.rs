//! TLS of listeners and towards services, made of the files that a configuration names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use palisade_config::{
    AuthoritySource, ByListener, CertificateSource, ClientCertificateMode, ClientCertificates, Config,
    ErrorPage, FilePath, HostPattern, Listener, ListenerProtocol, ListenerTls, Name, Route, Service,
    SubjectMatching, TlsVersion, UpstreamProtocol,
};
use palisade_dataplane::{
    Alpn, Believed, CertificatePage, ClientRule, ClientRules, KeyPair, TlsServer, TlsServerSettings,
    UpstreamTls, UpstreamTlsSettings, authorities,
};
use palisade_identity::{Anchors, SubjectMatch};
use palisade_seclang::Loader;

use crate::files::FileSystem;
use crate::watch::{Seen, Watched};
use crate::workload_api;

/// TLS in force, by listener; those without it are not here.
pub(crate) type ListenersTls = HashMap<Name, Arc<TlsServer>>;

/// TLS in force towards services; those without it are not here.
pub(crate) type UpstreamsTls = HashMap<Name, Arc<UpstreamTls>>;

/// Makes TLS, and remembers what went into it.
#[derive(Debug, Default)]
pub(crate) struct TlsMaker {
    listeners: Memory<TlsServer>,
    upstreams: Memory<UpstreamTls>,
    /// Warnings that were given, so that none is repeated with each reload.
    warned: Vec<String>,
}

/// What was made last, by name.
#[derive(Debug)]
pub(crate) struct Memory<T>(HashMap<Name, Made<T>>);

#[derive(Debug)]
struct Made<T> {
    /// What it was told.
    told: String,
    /// What it read, whether that could be used or not.
    seen: Seen,
    /// `None`: it could not be used.
    made: Option<Arc<T>>,
}

impl TlsMaker {
    /// The TLS of a listener. Where neither what it is told nor its files have changed since it was made last, and
    /// nobody asks for `all`, it is the same. `before` is what is in force.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(crate) fn of_listener(
        &mut self,
        hosts: &Hosts<'_>,
        listener: &Listener,
        tls: &ListenerTls,
        before: Option<&Arc<TlsServer>>,
        all: bool,
    ) -> Result<Arc<TlsServer>> {
        let hosts = hosts.of_listener(listener);
        // Everything but files that it is made of; equal words make equal TLS.
        let told = format!("{tls:?} {hosts:?}");
        let mut warnings = Vec::new();
        let made = self.listeners.of(&listener.name, told, all, |loader| {
            let alpn: &[Alpn] = match listener.protocol {
                ListenerProtocol::Auto => &[Alpn::Http2, Alpn::Http1],
                ListenerProtocol::Http1 => &[Alpn::Http1],
                ListenerProtocol::H2c => &[Alpn::Http2],
            };
            server(loader, alpn, tls, hosts, before.map(|before| &**before), &mut warnings)
        });
        self.warn(&format!("listener {}", *listener.name), warnings);
        made
    }

    /// The TLS of a place where Envoys ask, likewise.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(crate) fn of_envoy(
        &mut self,
        name: &Name,
        tls: &ListenerTls,
        before: Option<&Arc<TlsServer>>,
        all: bool,
    ) -> Result<Arc<TlsServer>> {
        let mut warnings = Vec::new();
        let made = self.listeners.of(name, format!("{tls:?}"), all, |loader| {
            // Whom it lets ask is its own to say: hosts are those of the requests that are asked about.
            server(loader, &[Alpn::Http2], tls, Vec::new(), before.map(|before| &**before), &mut warnings)
        });
        self.warn(&format!("listener {name}"), warnings);
        made
    }

    /// TLS towards a service, likewise. `None` where it is spoken to without.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(crate) fn of_upstream(&mut self, service: &Service, all: bool) -> Result<Option<Arc<UpstreamTls>>> {
        let Some(told) =
            service.upstream.as_ref().filter(|upstream| upstream.url.iter().any(|url| url.is_tls()))
        else {
            return Ok(None);
        };
        let (tls, protocol) = (told.tls.as_deref(), told.protocol);
        let mut warnings = Vec::new();
        let made = self.upstreams.of(&service.name, format!("{tls:?} {protocol:?}"), all, |loader| {
            let alpn = match protocol {
                UpstreamProtocol::Http1 => vec![Alpn::Http1],
                UpstreamProtocol::Http2 => vec![Alpn::Http2],
                UpstreamProtocol::Auto => vec![Alpn::Http2, Alpn::Http1],
            };
            upstream(loader, tls, alpn, &mut warnings)
        });
        self.warn(&format!("service {}", *service.name), warnings);
        made.map(Some)
    }

    fn warn(&mut self, of: &str, warnings: Vec<String>) {
        for warning in warnings {
            let warning = format!("{of}: {warning}");
            if !self.warned.contains(&warning) {
                say!("palisade: {warning}");
                self.warned.push(warning);
            }
        }
    }

    /// Forgets what is no more.
    pub(crate) fn keep(&mut self, config: &Config) {
        let listeners = config.listeners.iter().map(|listener| &*listener.name);
        let listening: HashSet<&Name> =
            listeners.chain(config.envoy.iter().map(|envoy| &*envoy.name)).collect();
        let services: HashSet<&Name> = config.services.iter().map(|service| &*service.name).collect();
        self.listeners.keep(|name| listening.contains(name));
        self.upstreams.keep(|name| services.contains(name));
    }

    /// The files of all of it.
    pub(crate) fn seen(&self) -> Seen {
        let mut all = self.listeners.seen();
        all.add(&self.upstreams.seen());
        all
    }
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Memory<T> {
    /// What a name stands for: what was made last, where neither what it is told nor its files have changed and nobody asks
    /// for `all`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn of(
        &mut self,
        name: &Name,
        told: String,
        all: bool,
        make: impl FnOnce(&dyn Loader) -> Result<T>,
    ) -> Result<Arc<T>> {
        if let Some(Made { told: was, seen, made: Some(made) }) = self.0.get(name)
            && !all
            && *was == told
            && seen.now(&FileSystem) == *seen
        {
            return Ok(made.clone());
        }
        let watched = Watched::new(&FileSystem);
        let made = make(&watched).map(Arc::new);
        let seen = watched.into_seen();
        self.0.insert(name.clone(), Made { told, seen, made: made.as_ref().ok().cloned() });
        made
    }

    /// Forgets what is no more.
    pub(crate) fn keep(&mut self, is_there: impl Fn(&Name) -> bool) {
        self.0.retain(|name, _| is_there(name));
    }

    /// The files of all of it.
    pub(crate) fn seen(&self) -> Seen {
        let mut all = Seen::default();
        self.0.values().for_each(|made| all.add(&made.seen));
        all
    }
}

/// Which hosts a listener has, and what their services ask of clients.
#[derive(Debug)]
pub(crate) struct Hosts<'c> {
    services: HashMap<&'c Name, &'c Service>,
    by_listener: ByListener<'c>,
}

/// Hosts of one route, and what its service asks of clients, if it says so.
type HostsOfRoute<'c> = (Vec<&'c HostPattern>, Option<&'c ClientCertificates>);

impl<'c> Hosts<'c> {
    /// Those of a configuration.
    pub(crate) fn of(config: &'c Config) -> Self {
        let services = config.services.iter().map(|service| (&*service.name, service)).collect();
        Self { services, by_listener: ByListener::of(config) }
    }

    fn of_listener(&self, listener: &Listener) -> Vec<HostsOfRoute<'c>> {
        let of_route = |(_, route): (usize, &'c Route)| {
            let service = self.services.get(&*route.service)?;
            let hosts = route.hosts.iter().map(|host| &**host).collect();
            Some((hosts, service.tls.client_certificates.as_deref()))
        };
        self.by_listener.routes(&listener.name).filter_map(of_route).collect()
    }
}

fn server(
    loader: &dyn Loader,
    alpn: &[Alpn],
    tls: &ListenerTls,
    hosts: Vec<HostsOfRoute<'_>>,
    before: Option<&TlsServer>,
    warnings: &mut Vec<String>,
) -> Result<TlsServer> {
    let mut certificates = Vec::new();
    for source in &tls.certificates {
        let (file, pair) = key_pair(loader, source)?;
        warnings.extend(pair.warning(now()).map(|warning| format!("{file}: {warning}")));
        certificates.push((file, pair));
    }
    let mut rules = Rules { loader, made: Vec::new(), warnings: Vec::new() };
    let default = match &tls.client_certificates {
        Some(certificates) => rules.of(certificates)?,
        None => Arc::new(ClientRule::off()),
    };
    let mut by_host = Vec::new();
    for (hosts, told) in hosts {
        by_host.push((hosts, told.map(|told| rules.of(told)).transpose()?));
    }
    // One service of a host that says something speaks for the host.
    by_host.sort_by_key(|(_, rule)| rule.is_none());
    let by_host = by_host.into_iter().map(|(hosts, rule)| (hosts, rule.unwrap_or_else(|| default.clone())));
    let client_rules = ClientRules::new(default.clone(), by_host);
    warnings.append(&mut rules.warnings);
    let settings = TlsServerSettings {
        certificates,
        tls12: tls.min_version == TlsVersion::Tls12,
        alpn: alpn.to_vec(),
        client_rules,
    };
    Ok(TlsServer::new(settings, before)?)
}

/// TLS towards something that speaks no HTTP, of its files as they are now.
///
/// # Errors
/// When it cannot be used.
pub(crate) fn towards(tls: Option<&palisade_config::UpstreamTls>) -> Result<UpstreamTls> {
    upstream(&FileSystem, tls, Vec::new(), &mut Vec::new())
}

pub(crate) fn upstream(
    loader: &dyn Loader,
    tls: Option<&palisade_config::UpstreamTls>,
    alpn: Vec<Alpn>,
    warnings: &mut Vec<String>,
) -> Result<UpstreamTls> {
    let mut client = None;
    if let Some(source) = tls.and_then(|tls| tls.client_cert.as_deref()) {
        let (file, pair) = key_pair(loader, source)?;
        warnings.extend(pair.warning(now()).map(|warning| format!("{file}: {warning}")));
        client = Some(pair);
    }
    let ids: Vec<_> = tls.iter().flat_map(|tls| &tls.spiffe_ids).map(|id| id.id().clone()).collect();
    let believed = match tls {
        Some(tls) if !tls.verify => Believed::Anybody,
        _ => {
            let roots = match ca_of(loader, tls)? {
                Some((file, pem)) => authorities(&pem).with_context(|| format!("upstream.tls.ca, {file}"))?,
                None => system_roots()?,
            };
            let crl = tls.and_then(|tls| tls.crl.as_deref());
            let crl = crl.map(|crl| read(loader, crl)).transpose()?;
            if ids.is_empty() { Believed::ByName(roots, crl) } else { Believed::BySpiffeId(roots, ids) }
        }
    };
    let settings = UpstreamTlsSettings {
        believed,
        client,
        server_name: tls.and_then(|tls| tls.server_name.as_ref()).map(|name| name.as_str().to_owned()),
        alpn,
    };
    Ok(UpstreamTls::new(settings)?)
}

/// The authorities that are named: by `ca`, or by a folder of Istio's layout, where they lie beside our own certificate.
fn ca_of(
    loader: &dyn Loader,
    tls: Option<&palisade_config::UpstreamTls>,
) -> Result<Option<(String, Vec<u8>)>> {
    let Some(tls) = tls else { return Ok(None) };
    if let Some(ca) = tls.ca.as_deref() {
        let path = path_of(ca);
        return Ok(Some((path.to_owned(), read_path(loader, path)?)));
    }
    let folder = match tls.client_cert.as_deref() {
        Some(CertificateSource::Folder(folder)) => folder,
        Some(CertificateSource::WorkloadApi) => {
            let path = workload_api::BUNDLE;
            return Ok(Some((path.to_owned(), read_path(loader, path)?)));
        }
        _ => return Ok(None),
    };
    for file in ["ca.crt", "root-cert.pem"] {
        let path = format!("{}/{file}", folder.as_str().trim_end_matches('/'));
        match loader.read(&path) {
            Ok(pem) => return Ok(Some((path, pem))),
            Err(error) if error.not_found => {}
            Err(error) => bail!("{path} cannot be read: {error}"),
        }
    }
    Ok(None)
}

/// Whom the system believes.
fn system_roots() -> Result<Vec<Vec<u8>>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        bail!("the system names no certificate authority{why}: name one by `upstream.tls.ca`");
    }
    Ok(found.certs.iter().map(|certificate| certificate.to_vec()).collect())
}

/// What is asked of clients, made once for all hosts that ask the same.
struct Rules<'l> {
    loader: &'l dyn Loader,
    made: Vec<(ClientCertificates, Arc<ClientRule>)>,
    warnings: Vec<String>,
}

impl Rules<'_> {
    fn of(&mut self, told: &ClientCertificates) -> Result<Arc<ClientRule>> {
        if let Some((_, rule)) = self.made.iter().find(|(made, _)| made == told) {
            return Ok(rule.clone());
        }
        let mode = match told.mode {
            ClientCertificateMode::Off => palisade_identity::ClientCertificates::Off,
            ClientCertificateMode::On => palisade_identity::ClientCertificates::On,
            ClientCertificateMode::Optional => palisade_identity::ClientCertificates::Optional,
            ClientCertificateMode::OptionalNoCa => palisade_identity::ClientCertificates::OptionalNoCa,
        };
        let anchors = match told.ca.as_deref().filter(|_| mode.asks()) {
            Some(ca) => {
                let ca = path_of(ca);
                let authorities = read_path(self.loader, ca)?;
                let crl = told.crl.as_deref().map(|crl| read(self.loader, crl)).transpose()?;
                let files = told.crl.as_deref().map_or(ca.to_string(), |crl| format!("{ca} with {crl}"));
                Anchors::new(&authorities, crl.as_deref(), told.depth.get())
                    .with_context(|| format!("clientCertificates, {files}"))?
            }
            None => Anchors::nobody(),
        };
        let subject = told.match_subject.as_deref().map(|subject| self.subject(subject.as_str(), told));
        let rule = Arc::new(ClientRule {
            mode,
            anchors,
            subject: subject.transpose()?,
            spiffe_ids: told.spiffe_ids.iter().map(|id| id.id().clone()).collect(),
            error_page: told.error_page.as_ref().map(|page| match page {
                ErrorPage::Url(url) => CertificatePage::Elsewhere(url.clone()),
                ErrorPage::Path(path) => CertificatePage::Here(path.clone()),
            }),
        });
        self.made.push((told.clone(), rule.clone()));
        Ok(rule)
    }

    fn subject(&mut self, subject: &str, told: &ClientCertificates) -> Result<SubjectMatch> {
        if told.subject_matching == SubjectMatching::Strict {
            let strict = SubjectMatch::strict(subject);
            return strict.ok_or_else(|| anyhow!("matchSubject `{subject}` is not CN= and a text"));
        }
        // As nginx compiles its own.
        let options = palisade_pcre::Options { dot_all: false, multi_line: false, ..Default::default() };
        let pattern = palisade_pcre::Pattern::new(subject.as_bytes(), options)
            .map_err(|error| anyhow!("matchSubject `{subject}` is no regular expression: {error}"))?;
        if !subject.starts_with('^') || !subject.ends_with('$') {
            self.warnings.push(format!(
                "matchSubject `{subject}` is found anywhere in a subject, also in the middle of a name: \
                 `subjectMatching: strict` compares the whole CN"
            ));
        }
        // A pattern that takes too many steps lets nobody in.
        Ok(SubjectMatch::compat(move |text| pattern.is_match(text.as_bytes()).unwrap_or(false)))
    }
}

/// A certificate with its key, and the file that it is called by.
fn key_pair(loader: &dyn Loader, source: &CertificateSource) -> Result<(String, KeyPair)> {
    let (certificate, key) = match source {
        CertificateSource::Files(files) => (files.cert.to_string(), files.key.to_string()),
        CertificateSource::Folder(folder) => in_folder(loader, folder)?,
        CertificateSource::WorkloadApi => (workload_api::CHAIN.to_owned(), workload_api::KEY.to_owned()),
    };
    let read = |path: &str| read_path(loader, path);
    let (certificate_pem, key_pem) = (read(&certificate)?, read(&key)?);
    let pair = KeyPair::parse(&certificate_pem, &key_pem)
        .with_context(|| format!("certificate {certificate} with key {key}"))?;
    Ok((certificate, pair))
}

/// Where authorities are read.
fn path_of(source: &AuthoritySource) -> &str {
    match source {
        AuthoritySource::File(file) => file.as_str(),
        AuthoritySource::WorkloadApi => workload_api::BUNDLE,
    }
}

/// Layouts of folders: a mounted Secret, and Istio's.
const LAYOUTS: [(&str, &str); 2] = [("tls.crt", "tls.key"), ("cert-chain.pem", "key.pem")];

fn in_folder(loader: &dyn Loader, folder: &FilePath) -> Result<(String, String)> {
    let folder = folder.as_str().trim_end_matches('/');
    let path = |file: &str| format!("{folder}/{file}");
    for (certificate, key) in LAYOUTS {
        match loader.read(&path(certificate)) {
            Ok(_) => return Ok((path(certificate), path(key))),
            Err(error) if error.not_found => {}
            Err(error) => bail!("certificate {}: it cannot be read: {error}", path(certificate)),
        }
    }
    bail!(
        "the folder {folder} has neither tls.crt nor cert-chain.pem: name the files by `{{cert: ..., key: ...}}`"
    )
}

fn read(loader: &dyn Loader, path: &FilePath) -> Result<Vec<u8>> {
    read_path(loader, path.as_str())
}

fn read_path(loader: &dyn Loader, path: &str) -> Result<Vec<u8>> {
    loader.read(path).map_err(|error| match error.not_found {
        true => anyhow!("{path} does not exist"),
        false => anyhow!("{path} cannot be read: {error}"),
    })
}

/// Seconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
