//! Least-privilege policies out of L7 records, for the console: `policy suggest` for who has no access log at hand.
//!
//! A record adds up requests that are alike, and names nobody's address. So whoever proved to be no workload is anybody here,
//! and a path that was cut is a prefix.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use palisade_console::{
    LeftOut, PolicyLearner, PolicySource, PolicyTrial, SeenTraffic, SuggestedPolicies, SuggestedPolicy,
};
use palisade_model::{KnownBy, Workload};
use palisade_policy::{
    Identity, Judgement, Learner, Object, ObjectKey, Objects, Observation, Party, PlaintextPeers,
    SuggestOptions, SuggestedFor, TrustDomains, read_objects,
};

use crate::commands::policy::trial::{Outcome, PastRequest, Server, Trial};

/// Learns from records, about workloads as a configuration has them.
#[derive(Debug)]
pub(crate) struct Suggesting {
    objects: Objects,
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
/// Services that are named of a workload.
const SERVICES_MAX: usize = 16;
/// A segment that is taken for something masked: what is below it is not known.
const UNKNOWN: &str = "/****";

impl Suggesting {
    pub(crate) fn about(workloads: Vec<(ObjectKey, Object)>, staged: bool) -> Self {
        let options = SuggestOptions { staged, ..SuggestOptions::default() };
        let mut objects = Objects::default();
        for (key, object) in workloads {
            objects.set(key, object);
        }
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
        let each = self.learner.suggest_each(&self.objects, &self.options);
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
        // Staged policies deny nothing: the same ones are tried as if they were in force.
        let enforced = SuggestOptions { staged: false, ..self.options.clone() };
        let unstaged = self.options.staged.then(|| self.learner.suggest_each(&self.objects, &enforced));
        let all = unstaged.as_deref().unwrap_or(each).iter().flat_map(|one| {
            let policies = read_objects(one.suggestion.yaml.as_bytes()).objects;
            one.suggestion.assumed.iter().cloned().chain(policies)
        });
        let judgement = Judgement {
            trust_domains: TrustDomains::Any,
            plaintext_peers: PlaintextPeers::Deny,
            ..Judgement::default()
        };
        let trial = Trial::of(all, judgement);
        let asked: BTreeSet<Account> =
            each.iter().map(|one| (one.account.0.to_string(), one.account.1.to_string())).collect();
        let mut outcomes: BTreeMap<(&Account, Kind), Outcome> = BTreeMap::new();
        let mut asks: Vec<(&Ask, u64)> = self.asks.iter().map(|(ask, requests)| (ask, *requests)).collect();
        asks.sort_unstable();
        for (ask, requests) in asks.into_iter().filter(|(ask, _)| asked.contains(&ask.of)) {
            let outcome = outcomes.entry((&ask.of, ask.kind)).or_default();
            trial.ask(ask.past(), requests, outcome, || ask.to_string());
        }
        let mut by_account: BTreeMap<Account, Vec<PolicyTrial>> = BTreeMap::new();
        for ((account, kind), Outcome { requests, denied, examples }) in outcomes {
            let trial = PolicyTrial { what: kind.as_str().to_owned(), requests, denied, examples };
            by_account.entry(account.clone()).or_default().push(trial);
        }
        by_account
    }
}

impl Ask {
    fn past(&self) -> PastRequest<'_> {
        let identity = match &self.from {
            Some((namespace, name)) => {
                Identity::ServiceAccount { namespace: namespace.as_str().into(), name: name.as_str().into() }
            }
            None => Identity::Plain,
        };
        PastRequest {
            source: Party { identity, ..Party::default() },
            asked: (&self.of.0, &self.of.1),
            server: Server { address: None, port: self.port },
            method: &self.method,
            path: self.path.as_bytes(),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            if self.is_cut { self.path.strip_suffix(UNKNOWN).unwrap_or(&self.path) } else { &self.path };
        write!(f, "{} {shown} at port {} from ", self.method, self.port)?;
        match &self.from {
            Some((namespace, name)) => write!(f, "{namespace}/{name}"),
            None => f.write_str("whoever has no certificate"),
        }
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
