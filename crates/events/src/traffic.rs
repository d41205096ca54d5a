//! L7 records: requests that are alike, added up over an interval, with Calico's switches.
//!
//! The idea to hold: a request is a key and some numbers. What makes requests alike is put together as bytes, raw and cut;
//! of a key that is there already nothing is copied and nothing redacted. Redaction happens once a key, when an interval
//! ends, on the thread that writes records.
//!
//! At the bound on keys further requests are counted by service alone, so that sums stay right.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_model::{
    EventAction, EventId, Excerpt, KnownBy, Moment, ParameterSketch, Redactor, Traffic, ValueClass,
    VisitParameter, Workload,
};

use crate::bus::TrafficSource;

/// What tells requests apart, and how much of it.
///
/// Source: the `l7LogsFileAggregation*` fields of Calico's FelixConfiguration, with their defaults; the interval is ours.
#[derive(Clone, Debug)]
pub struct TrafficSwitches {
    /// How long requests are added up.
    pub interval: Duration,
    /// Records of one interval at most; requests beyond it are counted by service.
    pub records_max: usize,
    /// User-Agent and HTTP version tell requests apart.
    pub headers: bool,
    /// The method does.
    pub method: bool,
    /// The service does.
    pub service: bool,
    /// The protected workload does.
    pub destination: bool,
    /// Who asks does.
    pub source: bool,
    /// The status does.
    pub response_code: bool,
    /// The name that TLS was asked for does.
    pub tls_sni: bool,
    /// How much of the URL does.
    pub url: UrlDetail,
    /// Components of its path that are kept.
    pub url_components_max: usize,
    /// Bytes of it that are kept.
    pub url_bytes_max: usize,
    /// Whether names and classes of parameters are noted.
    pub parameters: bool,
}

/// How much of a URL is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlDetail {
    /// All of it.
    Full,
    /// The path.
    WithoutQuery,
    /// That there was one: `/`.
    WithoutQueryAndPath,
    /// Nothing.
    Nothing,
}

impl UrlDetail {
    /// Whether paths are told apart.
    fn has_path(self) -> bool {
        matches!(self, Self::Full | Self::WithoutQuery)
    }
}

impl Default for TrafficSwitches {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(15),
            records_max: 1500,
            headers: false,
            method: true,
            service: true,
            destination: true,
            source: true,
            response_code: true,
            tls_sni: true,
            url: UrlDetail::Full,
            url_components_max: 5,
            url_bytes_max: 250,
            parameters: true,
        }
    }
}

/// A request. Raw: nothing of it is kept but what redaction lets through.
#[derive(Clone, Debug)]
pub struct SeenRequest<'a> {
    /// What hides its secrets.
    pub redactor: &'a Redactor,
    /// The listener's name.
    pub listener: &'a str,
    /// The service's name.
    pub service: &'a str,
    /// The number of its application.
    pub application: Option<u32>,
    /// The workload that asked, where one is known.
    pub source: Option<&'a Workload>,
    /// It showed a certificate that names somebody.
    pub certified: bool,
    /// The socket's other end.
    pub peer: IpAddr,
    /// The workload that was asked, where one is known.
    pub destination: Option<&'a Workload>,
    /// The port where it arrived.
    pub port: u16,
    /// The method.
    pub method: &'a [u8],
    /// The target.
    pub target: &'a [u8],
    /// `HTTP/1.1`.
    pub version: &'a [u8],
    /// The status that the client got.
    pub status: Option<u16>,
    /// The client's program.
    pub user_agent: Option<&'a [u8]>,
    /// Version, cipher suite and name of TLS.
    pub tls: Option<(&'static str, &'static str, Option<&'a str>)>,
    /// Bytes of its body.
    pub bytes_in: u64,
    /// Bytes of its answer's body.
    pub bytes_out: u64,
    /// How long it took.
    pub duration: Duration,
    /// What was done with it.
    pub action: EventAction,
}

impl SeenRequest<'_> {
    /// How it is known which workload asked, in a word.
    fn source_known_by(&self) -> Option<&'static str> {
        let known_by = self.source?.known_by;
        Some(match known_by {
            KnownBy::Address if self.certified => "contradiction",
            _ => known_by.as_str(),
        })
    }
}

/// Visits the parameters of a request.
pub type EachParameter<'p> = dyn Fn(&mut VisitParameter<'_>) + 'p;

/// Adds requests up.
#[derive(Debug)]
pub struct TrafficLog {
    switches: TrafficSwitches,
    host: Excerpt,
    interval: Mutex<Interval>,
    /// Requests that had no record of their own.
    excess: AtomicU64,
}

#[derive(Debug)]
struct Interval {
    began: Moment,
    rows: HashMap<Box<[u8]>, Row>,
    /// By service, what no longer had room.
    rest: HashMap<Box<str>, Numbers>,
}

/// Requests that are alike.
#[derive(Debug)]
struct Row {
    of: Traffic,
    redactor: Redactor,
    url: Vec<u8>,
    method: Vec<u8>,
    version: Vec<u8>,
    user_agent: Vec<u8>,
    numbers: Numbers,
    parameters: Vec<Parameter>,
}

#[derive(Debug, Default)]
struct Numbers {
    count: u64,
    blocked: u64,
    would_block: u64,
    bytes_in: u64,
    bytes_out: u64,
    nanos: u128,
    nanos_max: u64,
}

#[derive(Debug)]
struct Parameter {
    place: &'static str,
    name: Box<[u8]>,
    count: u64,
    classes: u16,
    bytes_max: u64,
}

/// Parameters of one record, and of one request that are looked at.
const PARAMETERS_MAX: usize = 32;
/// Bytes of a parameter's name, of a method, of a program's name.
const NAME_BYTES_MAX: usize = 64;
const METHOD_BYTES_MAX: usize = 32;
const USER_AGENT_BYTES_MAX: usize = 256;
/// A secret that begins before the bound is recognised as a whole by what follows it.
const SLACK_BYTES: usize = 128;

impl TrafficLog {
    /// Adds up from now on, on the node of this name.
    pub fn new(switches: TrafficSwitches, host: Excerpt, now: Moment) -> Self {
        let interval = Interval { began: now, rows: HashMap::new(), rest: HashMap::new() };
        Self { switches, host, interval: Mutex::new(interval), excess: AtomicU64::new(0) }
    }

    /// Adds a request.
    pub fn add(&self, seen: &SeenRequest<'_>, each_parameter: &EachParameter<'_>) {
        let url = self.url(seen.target);
        let key = self.key(seen, &url);
        let mut interval = self.interval();
        if let Some(row) = interval.rows.get_mut(&key[..]) {
            row.numbers.add(seen);
            if self.switches.parameters {
                each_parameter(&mut |place, name, value| row.parameter(place, name, value));
            }
            return;
        }
        if interval.rows.len() >= self.switches.records_max {
            self.excess.fetch_add(1, Ordering::Relaxed);
            match interval.rest.get_mut(seen.service) {
                Some(numbers) => numbers.add(seen),
                None => interval.rest.entry(seen.service.into()).or_default().add(seen),
            }
            return;
        }
        let mut row = self.row(seen, &url);
        if self.switches.parameters {
            each_parameter(&mut |place, name, value| row.parameter(place, name, value));
        }
        interval.rows.insert(key.into(), row);
    }

    /// Requests that had no record of their own, because there were too many different ones.
    pub fn excess(&self) -> u64 {
        self.excess.load(Ordering::Relaxed)
    }

    fn interval(&self) -> MutexGuard<'_, Interval> {
        // What stands there is whole after every statement.
        self.interval.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The URL as it tells requests apart, and a little more, so that secrets in it can be told.
    fn url(&self, target: &[u8]) -> UrlParts {
        let parts = UrlParts::of(target);
        let (mut path, mut query) = (parts.path.clone(), parts.query.clone());
        match self.switches.url {
            UrlDetail::Full => {}
            UrlDetail::WithoutQuery => query = 0..0,
            UrlDetail::WithoutQueryAndPath | UrlDetail::Nothing => (path, query) = (0..0, 0..0),
        }
        let mut slashes = memchr::memchr_iter(b'/', &target[path.clone()]);
        if let Some(cut) = slashes.nth(self.switches.url_components_max) {
            path.end = path.start + cut;
        }
        let cut = match () {
            () if !self.switches.url.has_path() => None,
            () if path.len() > self.switches.url_bytes_max => Some("byte"),
            () if path.end < parts.path.end => Some("segment"),
            () => None,
        };
        UrlParts { path, query, cut }
    }

    fn key(&self, seen: &SeenRequest<'_>, url: &UrlParts) -> Vec<u8> {
        let switches = &self.switches;
        let mut key = Vec::with_capacity(256);
        let mut part = |bytes: &[u8]| {
            // Its length first, so that no two keys are written alike.
            key.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            key.extend_from_slice(bytes);
        };
        part(seen.listener.as_bytes());
        if switches.service {
            part(seen.service.as_bytes());
        }
        for (is_told, workload) in [(switches.source, seen.source), (switches.destination, seen.destination)]
        {
            if let Some(workload) = workload.filter(|_| is_told) {
                part(workload.namespace.as_bytes());
                part(workload.name.as_deref().unwrap_or_default().as_bytes());
                part(workload.service_account.as_deref().unwrap_or_default().as_bytes());
            } else {
                part(b"");
            }
        }
        if switches.source {
            part(seen.source_known_by().unwrap_or_else(|| outside(seen.peer)).as_bytes());
        }
        if switches.destination {
            part(&seen.port.to_le_bytes());
        }
        if switches.method {
            part(cut(seen.method, METHOD_BYTES_MAX));
        }
        if switches.response_code {
            part(&seen.status.unwrap_or_default().to_le_bytes());
        }
        if switches.headers {
            part(cut(seen.user_agent.unwrap_or_default(), USER_AGENT_BYTES_MAX));
            part(seen.version);
        }
        part(if seen.tls.is_some() { b"s" } else { b"" });
        if let Some((_, _, Some(sni))) = seen.tls.filter(|_| switches.tls_sni) {
            part(sni.as_bytes());
        }
        let path = &seen.target[url.path.clone()];
        part(cut(path, switches.url_bytes_max));
        part(url.cut.unwrap_or_default().as_bytes());
        let left = switches.url_bytes_max.saturating_sub(path.len());
        part(cut(&seen.target[url.query.clone()], left));
        key
    }

    fn row(&self, seen: &SeenRequest<'_>, url: &UrlParts) -> Row {
        let switches = &self.switches;
        let words = |text: &str| seen.redactor.words(text);
        let text = |text: &str| seen.redactor.text(text.as_bytes(), NAME_BYTES_MAX * 4);
        let namespace = |workload: Option<&Workload>| workload.map_or(words("-"), |it| text(&it.namespace));
        let name = |workload: &Workload| match &workload.name {
            Some(name) => text(&aggregated(name)),
            None => workload.service_account.as_deref().map_or(words("-"), text),
        };
        let account = |workload: Option<&Workload>| {
            workload.and_then(|it| it.service_account.as_deref()).map(text).unwrap_or_default()
        };
        let kind = |workload: Option<&Workload>| Some(if workload.is_some() { "wep" } else { "net" });
        let source = seen.source.filter(|_| switches.source);
        let destination = seen.destination.filter(|_| switches.destination);
        let of = Traffic {
            host: self.host.clone(),
            service: words(seen.service),
            application: seen.application,
            listener: words(seen.listener),
            src_name_aggr: match source {
                Some(workload) => name(workload),
                None if switches.source => words(outside(seen.peer)),
                None => words("-"),
            },
            src_namespace: namespace(source),
            src_type: kind(source).filter(|_| switches.source),
            src_service_account: account(source),
            src_known_by: seen.source_known_by().filter(|_| switches.source),
            dest_name_aggr: destination.map_or(words("-"), name),
            dest_namespace: namespace(destination),
            dest_type: kind(destination).filter(|_| switches.destination),
            dest_service_account: account(destination),
            dest_service_name: words(if switches.service { seen.service } else { "-" }),
            dest_service_namespace: namespace(seen.destination.filter(|_| switches.service)),
            dest_service_port: Some(seen.port).filter(|_| switches.destination),
            response_code: match seen.status.filter(|_| switches.response_code) {
                Some(status) => words(&status.to_string()),
                None => words("-"),
            },
            protocol: Some(if seen.tls.is_some() { "https" } else { "http" }),
            collector_name: Some("palisade"),
            tls_version: seen.tls.map(|tls| tls.0),
            tls_cipher_suite: seen.tls.map(|tls| tls.1),
            tls_sni: match seen.tls {
                Some((_, _, Some(sni))) if switches.tls_sni => text(sni),
                _ => Excerpt::default(),
            },
            url_cut: url.cut,
            ..Traffic::default()
        };
        let room = switches.url_bytes_max + SLACK_BYTES;
        let mut raw = cut(&seen.target[url.path.clone()], room).to_vec();
        if !url.query.is_empty() {
            raw.push(b'?');
            raw.extend_from_slice(cut(&seen.target[url.query.clone()], room.saturating_sub(raw.len())));
        }
        if raw.is_empty() && switches.url == UrlDetail::WithoutQueryAndPath {
            raw.push(b'/');
        }
        let mut numbers = Numbers::default();
        numbers.add(seen);
        Row {
            of,
            redactor: seen.redactor.clone(),
            url: raw,
            method: if switches.method { cut(seen.method, METHOD_BYTES_MAX).to_vec() } else { Vec::new() },
            version: cut(seen.version, 16).to_vec(),
            user_agent: match seen.user_agent {
                Some(agent) if switches.headers => cut(agent, USER_AGENT_BYTES_MAX).to_vec(),
                _ => Vec::new(),
            },
            numbers,
            parameters: Vec::new(),
        }
    }
}

impl TrafficSource for TrafficLog {
    fn interval(&self) -> Duration {
        self.switches.interval
    }

    fn flush(&self, now: Moment) -> Vec<Traffic> {
        let empty = Interval { began: now, rows: HashMap::new(), rest: HashMap::new() };
        let Interval { began, rows, rest } = std::mem::replace(&mut *self.interval(), empty);
        let ends = (began, now);
        let words = |text: &str| Redactor::new().words(text);
        let alone = rest.into_iter().map(|(service, numbers)| {
            let of = Traffic {
                host: self.host.clone(),
                service: words(&service),
                dest_service_name: words(&service),
                src_name_aggr: words("-"),
                collector_name: Some("palisade"),
                ..Traffic::default()
            };
            numbers.told(of, ends)
        });
        rows.into_values().map(|row| row.told(ends, &self.switches)).chain(alone).collect()
    }
}

impl Row {
    fn parameter(&mut self, place: &'static str, name: &[u8], value: &[u8]) {
        let name = cut(name, NAME_BYTES_MAX);
        let class = 1 << ValueClass::of(value) as u16;
        let bytes = value.len() as u64;
        let known = self.parameters.iter().position(|known| known.place == place && *known.name == *name);
        if let Some(at) = known {
            let known = &mut self.parameters[at];
            known.count += 1;
            known.classes |= class;
            known.bytes_max = known.bytes_max.max(bytes);
        } else if self.parameters.len() < PARAMETERS_MAX {
            let name = name.into();
            self.parameters.push(Parameter { place, name, count: 1, classes: class, bytes_max: bytes });
        }
    }

    fn told(self, ends: (Moment, Moment), switches: &TrafficSwitches) -> Traffic {
        let Row { of, redactor, url, method, version, user_agent, numbers, parameters } = self;
        let version = version.strip_prefix(b"HTTP/").unwrap_or(&version);
        let version = redactor.text(version, 16);
        let sketch = |parameter: Parameter| ParameterSketch {
            place: parameter.place,
            name: redactor.text(&parameter.name, NAME_BYTES_MAX),
            count: parameter.count,
            classes: ValueClass::ALL
                .iter()
                .copied()
                .filter(|class| parameter.classes & (1 << *class as u16) != 0)
                .collect(),
            bytes_max: parameter.bytes_max,
        };
        let of = Traffic {
            url: redactor.target(&url, switches.url_bytes_max),
            method: redactor.text(&method, METHOD_BYTES_MAX),
            user_agent: redactor.text(&user_agent, USER_AGENT_BYTES_MAX),
            request_type: match switches.headers {
                true => redactor.words(&format!("html/{version}")),
                false => Excerpt::default(),
            },
            protocol_version: version,
            parameters: parameters.into_iter().map(sketch).collect(),
            ..of
        };
        numbers.told(of, ends)
    }
}

impl Numbers {
    fn add(&mut self, seen: &SeenRequest<'_>) {
        self.count += 1;
        match seen.action {
            EventAction::Deny => self.blocked += 1,
            EventAction::WouldBlock => self.would_block += 1,
            _ => {}
        }
        self.bytes_in = self.bytes_in.saturating_add(seen.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(seen.bytes_out);
        let nanos = seen.duration.as_nanos();
        self.nanos += nanos;
        self.nanos_max = self.nanos_max.max(u64::try_from(nanos).unwrap_or(u64::MAX));
    }

    fn told(&self, of: Traffic, (start_time, end_time): (Moment, Moment)) -> Traffic {
        let mean = self.nanos / u128::from(self.count.max(1));
        Traffic {
            // The bus gives it its own.
            id: EventId::default(),
            start_time,
            end_time,
            count: self.count,
            blocked: self.blocked,
            would_block: self.would_block,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            duration_mean: u64::try_from(mean).unwrap_or(u64::MAX),
            duration_max: self.nanos_max,
            ..of
        }
    }
}

/// Where path and query are in a target.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UrlParts {
    path: std::ops::Range<usize>,
    query: std::ops::Range<usize>,
    /// The path goes on behind what is kept of it: after a whole `segment`, or a `byte`.
    cut: Option<&'static str>,
}

impl UrlParts {
    fn of(target: &[u8]) -> Self {
        match memchr::memchr(b'?', target) {
            Some(at) => Self { path: 0..at, query: at + 1..target.len(), cut: None },
            None => Self { path: 0..target.len(), query: 0..0, cut: None },
        }
    }
}

fn cut(bytes: &[u8], bytes_max: usize) -> &[u8] {
    &bytes[..bytes.len().min(bytes_max)]
}

/// Calico's words for who is no workload.
pub(crate) fn outside(address: IpAddr) -> &'static str {
    let private = match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => return outside(v4.into()),
            None => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        },
    };
    if private { "pvt" } else { "pub" }
}

/// The name that pods of one set share: what Kubernetes made up at its end is `*`.
pub(crate) fn aggregated(name: &str) -> std::borrow::Cow<'_, str> {
    // Kubernetes draws five characters of these.
    let drawn = |byte: u8| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte);
    match name.rsplit_once('-') {
        Some((set, end)) if end.len() == 5 && end.bytes().all(drawn) && !set.is_empty() => {
            format!("{set}-*").into()
        }
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests;
