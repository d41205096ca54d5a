//! Least-privilege policies out of what was seen: who asked whom, for what.
//!
//! ```text
//!  Observation ──learn──> workload ──> port ──> who asks ──> paths, methods      bounded at every arrow
//!                                        │
//!  Suggestion <──suggest── patterns <────┘   a Calico policy with http, a Kubernetes policy that leaves
//!                                            no other port open
//! ```
//!
//! What is suggested allows everything that was learned. It is wider where paths or addresses are many, and then says so.
//! Nothing here decides what is worth learning: attacks, refusals and errors are left out by who reads the log.

mod generalise;
mod paths;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use palisade_model::{KnownBy, Workload};

use crate::labels::Labels;
use crate::object::{self, Object, ObjectKey};
use crate::objects::Objects;
use crate::path::comparable_path;
use paths::PathTree;

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The workload that was asked.
    pub asked: &'a Workload,
    /// The port where it arrived.
    pub port: u16,
    /// Where the application itself listens.
    pub application: Option<SocketAddr>,
    /// The workload that asked.
    pub source: Option<&'a Workload>,
    /// Its address; none where that is not known: anybody may ask the same then.
    pub address: Option<IpAddr>,
    /// The method.
    pub method: &'a str,
    /// The path, without query.
    pub path: &'a [u8],
    /// How many requests were like this.
    pub requests: u64,
}

/// Why a request was not learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unlearned {
    /// A name is none that Kubernetes could have.
    Name,
    /// The method is none that a policy could name.
    Method,
    /// The path can be read in more than one way: no rule about paths allows it.
    Path,
    /// There is more of something than is kept.
    Bound,
}

impl Unlearned {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "a workload's name is none that Kubernetes could have",
            Self::Method => "the method is none that a policy could name",
            Self::Path => "the path can be read in more than one way",
            Self::Bound => "more workloads, ports, sources or methods than are kept",
        }
    }
}

/// How policies are suggested.
#[derive(Clone, Debug, Default)]
pub struct SuggestOptions {
    /// Labels of the workloads that are asked, where no object tells them.
    pub labels: Labels,
    /// A peer's address is enough to be a workload, as `plaintextPeers: address` says.
    pub plaintext_by_address: bool,
    /// Policies are staged.
    pub staged: bool,
    /// Workloads are written as well, with the addresses from which their certificates came.
    pub workloads: bool,
}

/// What is suggested.
#[derive(Clone, Debug, Default)]
pub struct Suggestion {
    /// Policies, as a file of YAML.
    pub yaml: String,
    /// What there is to know about them, line by line.
    pub notes: Vec<String>,
    /// Workloads as the policies take them to be: what was learned of them, for who tries the policies.
    pub assumed: Vec<(ObjectKey, Object)>,
}

/// Learns from requests.
#[derive(Debug, Default)]
pub struct Learner {
    asked: BTreeMap<Account, Learned>,
    plaintext_by_address: bool,
    room: Room,
}

/// What may still be remembered, all together.
#[derive(Debug)]
struct Room {
    /// Places in paths.
    places: usize,
    /// Addresses of who asks.
    addresses: usize,
    /// Who asks, for each workload and port.
    sources: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { places: PLACES_MAX, addresses: ADDRESSES_ALL_MAX, sources: SOURCES_ALL_MAX }
    }
}

/// A service account: namespace and name.
pub(crate) type Account = (Box<str>, Box<str>);

/// What is known of a workload that was asked.
#[derive(Debug, Default)]
struct Learned {
    names: BTreeSet<Box<str>>,
    ports: BTreeMap<u16, BTreeMap<Who, Requests>>,
    applications: BTreeSet<SocketAddr>,
    /// Methods by number.
    methods: Vec<Box<str>>,
    requests: u64,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// A service account.
    Account(Account),
    /// Whoever has one of the addresses.
    Addresses,
}

/// What one of them asks for.
#[derive(Debug, Default)]
struct Requests {
    paths: PathTree,
    addresses: BTreeSet<IpAddr>,
    /// There were more addresses.
    more_addresses: bool,
    /// Some came from addresses that are not known.
    no_address: bool,
    count: u64,
    /// Its certificate came from addresses that no workload is known to have.
    unknown_at_address: bool,
}

/// Workloads that are asked.
const ASKED_MAX: usize = 256;
/// Ports of one of them.
const PORTS_MAX: usize = 16;
/// Service accounts that ask at a port.
const WHO_MAX: usize = 512;
/// Methods of one workload: as many as a rule may name.
const METHODS_MAX: usize = 20;
/// Addresses that are remembered of one who asks.
const ADDRESSES_MAX: usize = 1024;
/// Names, and places of applications, of one workload.
const NAMES_MAX: usize = 64;
/// Places in paths, all together.
const PLACES_MAX: usize = 200_000;
/// Addresses, all together.
const ADDRESSES_ALL_MAX: usize = 100_000;
/// Who asks, for each workload and port, all together.
const SOURCES_ALL_MAX: usize = 20_000;

impl Learner {
    /// One that knows nothing.
    #[must_use]
    pub fn new(options: &SuggestOptions) -> Self {
        Self {
            asked: BTreeMap::new(),
            plaintext_by_address: options.plaintext_by_address,
            room: Room::default(),
        }
    }

    /// Learns from a request. Takes time in proportion to its path.
    ///
    /// # Errors
    /// When it cannot be learned from; nothing that was learned has changed then.
    pub fn learn(&mut self, seen: &Observation<'_>) -> Result<(), Unlearned> {
        let Place { asked, who } = self.place(seen)?;
        let path = comparable_path(seen.path).ok_or(Unlearned::Path)?;
        // Nothing is begun that there is no room for.
        let there = self.asked.get(&asked).and_then(|learned| learned.ports.get(&seen.port));
        if self.room.sources == 0 && !there.is_some_and(|port| port.contains_key(&who)) {
            return Err(Unlearned::Bound);
        }
        let learned = below(&mut self.asked, asked, ASKED_MAX)?;
        let number = match learned.method(seen.method) {
            Some(number) => number,
            None if learned.methods.len() < METHODS_MAX => {
                learned.methods.push(seen.method.into());
                learned.methods.len() - 1
            }
            None => return Err(Unlearned::Bound),
        };
        let port = below(&mut learned.ports, seen.port, PORTS_MAX)?;
        let requests = below(port, who, WHO_MAX)?;
        if requests.count == 0 {
            self.room.sources -= 1;
        }
        requests.count += seen.requests;
        requests.paths.add(&path, 1 << number, &mut self.room.places);
        requests.unknown_at_address |=
            seen.source.is_some_and(|source| source.known_by == KnownBy::Certificate);
        let address = seen.address.map(crate::net::plain);
        requests.no_address |= address.is_none();
        if let Some(address) = address.filter(|address| !requests.addresses.contains(address)) {
            if requests.addresses.len() < ADDRESSES_MAX && self.room.addresses > 0 {
                self.room.addresses -= 1;
                requests.addresses.insert(address);
            } else {
                requests.more_addresses = true;
            }
        }
        learned.requests += seen.requests;
        if let Some(name) = seen.asked.name.as_ref().filter(|_| learned.names.len() < NAMES_MAX) {
            learned.names.insert(name.clone());
        }
        if let Some(application) = seen.application.filter(|_| learned.applications.len() < NAMES_MAX) {
            learned.applications.insert(application);
        }
        Ok(())
    }

    /// Whether a request like this was learned from.
    #[must_use]
    pub fn has_learned(&self, seen: &Observation<'_>) -> bool {
        let Ok(Place { asked, who }) = self.place(seen) else { return false };
        let learned = self.asked.get(&asked);
        comparable_path(seen.path).is_some()
            && learned.is_some_and(|learned| {
                let port = learned.ports.get(&seen.port);
                learned.method(seen.method).is_some() && port.is_some_and(|port| port.contains_key(&who))
            })
    }

    fn place(&self, seen: &Observation<'_>) -> Result<Place, Unlearned> {
        let asked = account(seen.asked)?;
        let who = match seen.source {
            Some(source) if source.known_by != KnownBy::Address || self.plaintext_by_address => {
                Who::Account(account(source)?)
            }
            _ => Who::Addresses,
        };
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte);
        if seen.method.is_empty() || seen.method.len() > 64 || !seen.method.bytes().all(is_token) {
            return Err(Unlearned::Method);
        }
        Ok(Place { asked, who })
    }

    /// Policies that allow what was learned, about workloads as these objects have them.
    #[must_use]
    pub fn suggest(&self, objects: &Objects, options: &SuggestOptions) -> Suggestion {
        let mut suggestion = Suggestion::default();
        let mut certified: BTreeMap<Account, BTreeSet<IpAddr>> = BTreeMap::new();
        for (account, learned) in &self.asked {
            about(account, learned, objects, options, &mut suggestion);
            for (who, requests) in learned.ports.values().flatten() {
                if let Who::Account(account) = who
                    && requests.unknown_at_address
                {
                    certified.entry(account.clone()).or_default().extend(&requests.addresses);
                }
            }
        }
        for (account, addresses) in certified {
            // Those that are known have their own.
            let unknown: Vec<IpAddr> =
                addresses.into_iter().filter(|address| !objects.has_workload_at(*address)).collect();
            if unknown.is_empty() {
                continue;
            }
            write::workload(&account, &unknown, options, &mut suggestion);
            let (mut key, mut object) = assumed(&account, Labels::default(), unknown);
            // One that is asked as well stays as it is.
            if let Some((_, Object::Workload(there))) =
                suggestion.assumed.iter_mut().find(|(there, _)| *there == key)
                && let Object::Workload(workload) = &mut object
            {
                there.addresses = std::mem::take(&mut workload.addresses);
                continue;
            }
            key.kind = "WorkloadEndpoint";
            suggestion.assumed.push((key, object));
        }
        suggestion
    }

    /// The same for each workload that was asked by itself, with what was learned of it.
    #[must_use]
    pub fn suggest_each(&self, objects: &Objects, options: &SuggestOptions) -> Vec<SuggestedFor> {
        let each = self.asked.iter().map(|(account, learned)| {
            let mut suggestion = Suggestion::default();
            about(account, learned, objects, options, &mut suggestion);
            let sources = learned.ports.iter().flat_map(|(port, sources)| {
                sources.iter().map(|(who, requests)| SourceSeen {
                    account: match who {
                        Who::Account(account) => Some(account.clone()),
                        Who::Addresses => None,
                    },
                    port: *port,
                    requests: requests.count,
                })
            });
            SuggestedFor {
                account: account.clone(),
                requests: learned.requests,
                sources: sources.collect(),
                suggestion,
            }
        });
        each.collect()
    }
}

/// What is suggested for one workload.
#[derive(Clone, Debug)]
pub struct SuggestedFor {
    /// Its namespace and service account.
    pub account: (Box<str>, Box<str>),
    /// Requests that were learned from.
    pub requests: u64,
    /// Who sent them.
    pub sources: Vec<SourceSeen>,
    /// Policies.
    pub suggestion: Suggestion,
}

/// Who asked at a port, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSeen {
    /// Namespace and service account; none for whoever proved to be no workload.
    pub account: Option<(Box<str>, Box<str>)>,
    /// The port.
    pub port: u16,
    /// Requests.
    pub requests: u64,
}

/// Adds the policies of one workload.
fn about(
    account: &Account,
    learned: &Learned,
    objects: &Objects,
    options: &SuggestOptions,
    suggestion: &mut Suggestion,
) {
    let labels = labels_of(objects, account, Some(&learned.names));
    let labels = labels.or_else(|| (!options.labels.is_empty()).then(|| options.labels.clone()));
    let rules = generalise::rules(learned);
    let about = write::About { account, learned, labels: labels.as_ref(), rules: &rules };
    write::policies(&about, objects, options, suggestion);
    suggestion.assumed.push(assumed(account, labels.unwrap_or_default(), Vec::new()));
}

/// Where a request is learned.
struct Place {
    asked: Account,
    who: Who,
}

impl Learned {
    fn method(&self, method: &str) -> Option<usize> {
        self.methods.iter().position(|known| **known == *method)
    }
}

/// What stands under a key, made where there is room.
fn below<K: Ord, V: Default>(map: &mut BTreeMap<K, V>, key: K, max: usize) -> Result<&mut V, Unlearned> {
    if !map.contains_key(&key) && map.len() >= max {
        return Err(Unlearned::Bound);
    }
    Ok(map.entry(key).or_default())
}

/// The workload that a service account's policies are tried on.
#[must_use]
pub fn suggested_workload(namespace: &str, account: &str) -> crate::flow::WorkloadName {
    crate::flow::WorkloadName { namespace: namespace.into(), name: format!("suggest-{account}").into() }
}

fn assumed(account: &Account, labels: Labels, addresses: Vec<IpAddr>) -> (ObjectKey, Object) {
    let name = suggested_workload(&account.0, &account.1);
    let key = ObjectKey { kind: "WorkloadEndpoint", namespace: name.namespace, name: name.name };
    let workload = object::Workload {
        namespace: account.0.clone(),
        service_account: account.1.clone(),
        labels,
        addresses,
        ports: Vec::new(),
    };
    (key, Object::Workload(workload))
}

/// The labels that tell a workload from others, where an object has them: by its name, else by its service account.
fn labels_of(objects: &Objects, account: &Account, names: Option<&BTreeSet<Box<str>>>) -> Option<Labels> {
    let workloads = || {
        objects.iter().filter_map(|(key, object)| match object {
            Object::Workload(workload)
                if key.namespace == account.0 && workload.service_account == account.1 =>
            {
                Some((key, workload))
            }
            _ => None,
        })
    };
    let named = workloads().find(|(key, _)| names.is_some_and(|names| names.contains(&key.name)));
    let (_, workload) = named.or_else(|| workloads().next())?;
    for label in ["app.kubernetes.io/name", "app", "k8s-app"] {
        if let Some(value) = workload.labels.get(label) {
            return Some([(label, value)].into_iter().collect());
        }
    }
    let changes = |name: &str| {
        name.ends_with("-hash") || name.starts_with("statefulset.kubernetes.io/") || name == "version"
    };
    let lasting: Labels = workload.labels.iter().filter(|(name, _)| !changes(name)).collect();
    (!lasting.is_empty()).then_some(lasting)
}

/// The service account of a workload; `default` where it is not said.
fn account(workload: &Workload) -> Result<Account, Unlearned> {
    let is_name = |name: &str| {
        let known =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        (1..=253).contains(&name.len()) && name.bytes().all(known)
    };
    let account = workload.service_account.as_deref().unwrap_or("default");
    if !is_name(&workload.namespace) || !is_name(account) {
        return Err(Unlearned::Name);
    }
    Ok((workload.namespace.clone(), account.into()))
}
