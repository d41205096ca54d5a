//! Least-privilege policies out of L7 records, for the console: `policy suggest` for who has no access log at hand.
//!
//! A record adds up requests that are alike, and names nobody's address. So whoever proved to be no workload is anybody here,
//! and a path that was cut is a prefix.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use palisade_console::{
    LeftOut, PolicyLearner, PolicySource, PolicyTrial, SeenTraffic, SuggestedPolicies, SuggestedPolicy,
};
use palisade_model::{KnownBy, Workload};
use palisade_policy::{
    Compiler, Direction, Feed, Flow, HttpHead, Identity, Index, Judgement, Learner, Object, ObjectKey,
    Objects, Observation, Party, Patience, PlaintextPeers, Protocol, Request, SuggestOptions, SuggestedFor,
    TrustDomains, comparable_path, read_objects, suggested_workload,
};

use crate::commands::policy::eval;

/// Learns from records, about workloads as a configuration has them.
#[derive(Debug)]
pub(crate) struct Suggesting {
    objects: Vec<(ObjectKey, Object)>,
    options: SuggestOptions,
    learner: Learner,
    learned: u64,
    left_out: BTreeMap<&'static str, u64>,
    /// Services in front of a workload.
    services: BTreeMap<Account, BTreeSet<String>>,
    /// What policies are tried on, and how often that was seen.
    asks: HashMap<Ask, u64>,
}

/// Namespace and service account.
type Account = (String, String);

/// Requests that policies cannot tell apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ask {
    of: Account,
    kind: Kind,
    port: u16,
    from: Option<Account>,
    method: String,
    path: String,
    is_cut: bool,
}

/// What requests are to who learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Learned,
    NotLearned,
    Flagged,
    ClientError,
}

impl Kind {
    /// In words, after a count.
    fn as_str(self) -> &'static str {
        match self {
            Self::Learned => "that they were made of",
            Self::NotLearned => "that were served, but not learned from",
            Self::Flagged => "taken for attacks, or stopped",
            Self::ClientError => "answered with 400 to 499",
        }
    }
}

/// Different requests that policies are tried on.
const ASKS_MAX: usize = 20_000;
/// Denials that are shown of each kind.
const EXAMPLES_MAX: usize = 3;
/// Services that are named of a workload.
const SERVICES_MAX: usize = 16;
/// A segment that is taken for something masked: what is below it is not known.
const UNKNOWN: &str = "/****";

impl Suggesting {
    pub(crate) fn about(objects: Vec<(ObjectKey, Object)>, staged: bool) -> Self {
        let options = SuggestOptions { staged, ..SuggestOptions::default() };
        Self {
            objects,
            learner: Learner::new(&options),
            options,
            learned: 0,
            left_out: BTreeMap::new(),
            services: BTreeMap::new(),
            asks: HashMap::new(),
        }
    }

    fn leave_out(&mut self, requests: u64, why: &'static str) {
        if requests > 0 {
            let count = self.left_out.entry(why).or_default();
            *count = count.saturating_add(requests);
        }
    }

    fn note(&mut self, ask: Ask, requests: u64) {
        if requests == 0 {
            return;
        }
        if let Some(count) = self.asks.get_mut(&ask) {
            *count = count.saturating_add(requests);
        } else if self.asks.len() < ASKS_MAX {
            self.asks.insert(ask, requests);
        }
    }
}

impl PolicyLearner for Suggesting {
    fn learn(&mut self, seen: &SeenTraffic<'_>) {
        let flagged = seen.blocked.saturating_add(seen.would_block).min(seen.count);
        match &*seen.src_known_by {
            "configuration" => {
                let why = "of the workload's own: policies are suggested for what comes in";
                return self.leave_out(seen.count, why);
            }
            "contradiction" => {
                return self.leave_out(seen.count, "with another's certificate than has the address");
            }
            _ => {}
        }
        let Some(port) = seen.dest_service_port.filter(|_| seen.dest_type == "wep") else {
            let why = "for workloads that records do not name: configure `workload`, and `events.l7.destinationInfo`";
            return self.leave_out(seen.count, why);
        };
        if seen.method.is_empty() || !seen.url.starts_with('/') {
            let why = "without a method or a path: `events.l7` says how much records keep";
            return self.leave_out(seen.count, why);
        }
        let workload = |namespace: &str, account: &str, known_by| Workload {
            namespace: namespace.into(),
            name: None,
            service_account: (!account.is_empty()).then(|| account.into()),
            known_by,
        };
        let asked = workload(&seen.dest_namespace, &seen.dest_service_account, KnownBy::Configuration);
        let source = match &*seen.src_known_by {
            "certificate" | "certificate_and_address" => {
                // Its address is not known either way, so nothing is said of who has it.
                let known_by = KnownBy::CertificateAndAddress;
                Some(workload(&seen.src_namespace, &seen.src_service_account, known_by))
            }
            _ => None,
        };
        let mut path = seen.url.split('?').next().unwrap_or_default().to_owned();
        // Of a segment that was cut the rest is not known either.
        if let Some(end) = path.rfind('/').filter(|_| seen.url_cut == "byte") {
            path.truncate(end);
        }
        let is_cut = !seen.url_cut.is_empty();
        if is_cut {
            path += UNKNOWN;
        }
        let observation = |requests| Observation {
            asked: &asked,
            port,
            application: None,
            source: source.as_ref(),
            address: None,
            method: &seen.method,
            path: path.as_bytes(),
            requests,
        };
        let account = |workload: &Workload| {
            let account = workload.service_account.as_deref().unwrap_or("default");
            (workload.namespace.to_string(), account.to_owned())
        };
        let ask = |kind| Ask {
            of: account(&asked),
            kind,
            port,
            from: source.as_ref().map(account),
            method: seen.method.to_string(),
            path: path.clone(),
            is_cut,
        };
        self.leave_out(flagged, Kind::Flagged.as_str());
        self.note(ask(Kind::Flagged), flagged);
        let passed = seen.count - flagged;
        if passed == 0 {
            return;
        }
        match seen.response_code.parse::<u16>() {
            Ok(400..=499) => {
                self.leave_out(passed, Kind::ClientError.as_str());
                return self.note(ask(Kind::ClientError), passed);
            }
            // Palisade's own, where nobody else answered.
            Ok(502..=504) => {
                return self
                    .leave_out(passed, "answered with 502 to 504: the service may not have been there");
            }
            Ok(_) => {}
            Err(_) => return self.leave_out(passed, "without an answer"),
        }
        match self.learner.learn(&observation(passed)) {
            Ok(()) => {
                self.learned = self.learned.saturating_add(passed);
                let services = self.services.entry(account(&asked)).or_default();
                if services.len() < SERVICES_MAX {
                    services.insert(seen.service.to_string());
                }
                self.note(ask(Kind::Learned), passed);
            }
            Err(why) => {
                self.leave_out(passed, why.as_str());
                self.note(ask(Kind::NotLearned), passed);
            }
        }
    }

    fn suggest(self: Box<Self>) -> SuggestedPolicies {
        let mut objects = Objects::default();
        for (key, object) in &self.objects {
            objects.set(key.clone(), object.clone());
        }
        let each = self.learner.suggest_each(&objects, &self.options);
        let mut tried = self.tried(&each);
        let items = each.into_iter().map(|one| {
            let account = (one.account.0.to_string(), one.account.1.to_string());
            let services = self.services.get(&account).into_iter().flatten().cloned().collect();
            SuggestedPolicy {
                services,
                requests: one.requests,
                sources: sources(&one),
                notes: one.suggestion.notes.iter().map(|note| without_name(note, &account)).collect(),
                tried: tried.remove(&account).unwrap_or_default(),
                yaml: one.suggestion.yaml,
                namespace: account.0,
                service_account: account.1,
            }
        });
        let items = items.collect();
        let left_out = self
            .left_out
            .iter()
            .map(|(why, requests)| LeftOut { requests: *requests, why: (*why).to_owned() })
            .collect();
        SuggestedPolicies { learned: self.learned, left_out, items }
    }
}

impl Suggesting {
    /// What all policies together would have done with what was seen, by workload.
    fn tried(&self, each: &[SuggestedFor]) -> BTreeMap<Account, Vec<PolicyTrial>> {
        let enforced = SuggestOptions { staged: false, ..self.options.clone() };
        // Staged policies deny nothing: the same ones are tried as if they were in force.
        let unstaged = self.options.staged.then(|| {
            let mut objects = Objects::default();
            self.objects.iter().for_each(|(key, object)| {
                objects.set(key.clone(), object.clone());
            });
            self.learner.suggest_each(&objects, &enforced)
        });
        let mut index = Index::new(Feed::Complete);
        let mut all: Vec<(ObjectKey, Option<Object>)> = Vec::new();
        for one in unstaged.as_deref().unwrap_or(each) {
            let assumed = one.suggestion.assumed.iter().cloned();
            let policies = read_objects(one.suggestion.yaml.as_bytes()).objects;
            all.extend(assumed.chain(policies).map(|(key, object)| (key, Some(object))));
        }
        index.apply(Compiler::new().apply(all));
        let judgement = Judgement {
            trust_domains: TrustDomains::Any,
            plaintext_peers: PlaintextPeers::Deny,
            ..Judgement::default()
        };
        let asked: BTreeSet<Account> =
            each.iter().map(|one| (one.account.0.to_string(), one.account.1.to_string())).collect();
        let mut trials: BTreeMap<(Account, Kind), PolicyTrial> = BTreeMap::new();
        let mut asks: Vec<(&Ask, u64)> = self.asks.iter().map(|(ask, requests)| (ask, *requests)).collect();
        asks.sort_unstable();
        for (ask, requests) in asks.into_iter().filter(|(ask, _)| asked.contains(&ask.of)) {
            let trial = trials.entry((ask.of.clone(), ask.kind)).or_insert_with(|| PolicyTrial {
                what: ask.kind.as_str().to_owned(),
                requests: 0,
                denied: 0,
                examples: Vec::new(),
            });
            trial.requests = trial.requests.saturating_add(requests);
            if let Some(why) = ask.denied(&index, &judgement) {
                trial.denied = trial.denied.saturating_add(requests);
                if trial.examples.len() < EXAMPLES_MAX {
                    trial.examples.push(why);
                }
            }
        }
        let mut by_account: BTreeMap<Account, Vec<PolicyTrial>> = BTreeMap::new();
        for ((account, _), trial) in trials {
            by_account.entry(account).or_default().push(trial);
        }
        by_account
    }
}

impl Ask {
    /// Why it would have been denied; none where it would not.
    fn denied(&self, index: &Index, judgement: &Judgement) -> Option<String> {
        let path = comparable_path(self.path.as_bytes());
        let headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let identity = match &self.from {
            Some((namespace, name)) => {
                Identity::ServiceAccount { namespace: namespace.as_str().into(), name: name.as_str().into() }
            }
            None => Identity::Plain,
        };
        let flow = Flow {
            direction: Direction::Ingress,
            source: Party { address: None, port: None, identity, workload: None },
            destination: Party {
                address: None,
                port: Some(self.port),
                identity: Identity::Plain,
                workload: Some(suggested_workload(&self.of.0, &self.of.1)),
            },
            protocol: Protocol::TCP,
            icmp: None,
            request: Request::Head(HttpHead {
                method: self.method.as_bytes(),
                path: path.as_deref(),
                host: None,
                headers: &headers,
                claims: None,
            }),
            patience: Patience::Over,
        };
        let decision = index.request(&flow, judgement);
        if decision.is_allowed() {
            return None;
        }
        let miss = index.near_miss(&flow, &decision, judgement);
        let from = match &self.from {
            Some((namespace, name)) => format!("{namespace}/{name}"),
            None => "whoever has no certificate".to_owned(),
        };
        let shown =
            if self.is_cut { self.path.strip_suffix(UNKNOWN).unwrap_or(&self.path) } else { &self.path };
        let reason = eval::reason(&decision, miss.as_ref());
        Some(format!("{} {shown} at port {} from {from}: {reason}", self.method, self.port))
    }
}

fn sources(one: &SuggestedFor) -> Vec<PolicySource> {
    let shown = one.sources.iter().map(|source| PolicySource {
        namespace: source.account.as_ref().map(|(namespace, _)| namespace.to_string()),
        service_account: source.account.as_ref().map(|(_, name)| name.to_string()),
        port: source.port,
        requests: source.requests,
    });
    shown.collect()
}

/// A note without the workload that it begins with, which stands above it here.
fn without_name(note: &str, (namespace, account): &Account) -> String {
    let rest = note.strip_prefix(&format!("{namespace}/{account}: ")).unwrap_or(note);
    rest.to_owned()
}
