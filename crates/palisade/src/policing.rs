//! Policies of a running process: read from files, kept while a change is wrong, and put before services.
//!
//! What decides lives outside of the snapshot and is changed in place; a snapshot only says which services stand behind it,
//! and as which workload. Or they are Calico's agent's: then a thread follows it, and nothing here is read.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use palisade_config::{
    Config, Name, PlaintextPeers, Policies, PolicySync, Route, Service, SyncMode, Workload,
};
use palisade_console::PolicyShown;
use palisade_inspect::{Direction, Ends, Gate, Listens, Waits};
use palisade_model::KnownBy;
use palisade_policy::{Change, Feed, Judgement, Labels, News, Object, ObjectKey, Store, WorkloadName};
use palisade_policysync::{Client, Limits, Options, Status, Subscription};
use palisade_seclang::Loader;

use crate::authenticating;
use crate::commands::policy::eval::trust_domains;
use crate::files::FileSystem;
use crate::policies::PolicyFiles;
use crate::policy_text::shown_policies;
use crate::rules::plural;
use crate::watch::{Seen, Watched};

/// The policies of a process.
#[derive(Debug, Default)]
pub(crate) struct Policing {
    files: PolicyFiles,
    /// None until policies are configured, and from then on for good.
    store: Option<Arc<Store>>,
    /// Workloads that the configuration tells of, as they are in the store.
    told: Vec<(ObjectKey, Object)>,
    seen: Seen,
    /// The agent whose policies they are, where they are not from files.
    synced: Option<Synced>,
    shown: Arc<ShownPolicies>,
}

/// Policies that Calico's agent hands over.
#[derive(Debug)]
struct Synced {
    told: PolicySync,
    /// Its thread ends with it.
    _client: Client,
}

/// Policies as the admin listener shows them.
#[derive(Debug, Default)]
pub(crate) struct ShownPolicies {
    now: Mutex<Option<Shown>>,
    listed: Mutex<Arc<[PolicyShown]>>,
}

/// What decides, and how the stream goes that feeds it, where one does.
pub(crate) type Shown = (Arc<Store>, Option<Arc<Status>>);

impl ShownPolicies {
    fn set(&self, now: Option<Shown>) {
        if now.is_none() {
            self.list(Vec::new());
        }
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn list(&self, policies: Vec<PolicyShown>) {
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = policies.into();
    }

    /// Policies from files, in the order in which they are asked. Those of an agent are not told apart here.
    pub(crate) fn listed(&self) -> Vec<PolicyShown> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).to_vec()
    }

    /// What is in force. None without policies.
    pub(crate) fn now(&self) -> Option<Shown> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why nothing passes yet, if so.
    pub(crate) fn missing(&self) -> Option<String> {
        let (store, status) = self.now()?;
        let status = status.filter(|_| !store.is_in_sync())?;
        let why = status.now().last_error.map_or_else(String::new, |error| format!(": {error}"));
        Some(format!("no policies have come yet, and policy fails closed{why}"))
    }
}

impl Policing {
    /// Reads what a configuration names and takes what changed. Says what is wrong.
    ///
    /// # Errors
    /// When something is wrong: at the first time nothing is taken then; later what is wrong stays as it was, and the
    /// rest is taken.
    pub(crate) fn read(&mut self, config: &Config) -> Result<()> {
        let Some(policies) = &config.policies else {
            // Without policies nobody stands behind them; what they were is of no account.
            self.forget();
            return Ok(());
        };
        if let Some(sync) = &policies.sync {
            return self.follow(sync);
        }
        if self.synced.is_some() {
            self.forget();
        }
        let watched = Watched::new(&FileSystem);
        let read = self.read_files(policies, &watched);
        self.seen = watched.into_seen();
        let read = read?;
        read.said.show();
        if read.said.errors > 0 && self.store.is_none() {
            self.files = PolicyFiles::default();
            bail!("the policies are not usable: {}", read.said.count());
        }
        let store = self.store.get_or_insert_with(|| Arc::new(Store::new(Feed::Complete)));
        self.shown.set(Some((store.clone(), None)));
        let told: Vec<(ObjectKey, Object)> = workloads(config).collect();
        let there: HashSet<&ObjectKey> = told.iter().map(|(key, _)| key).collect();
        let gone = self.told.iter().filter(|(key, _)| !there.contains(key));
        let mut changes: Vec<Change> = gone.map(|(key, _)| (key.clone(), None)).collect();
        changes.extend(told.iter().map(|(key, object)| (key.clone(), Some(object.clone()))));
        self.told = told;
        self.shown.list(shown_policies(self.files.objects()));
        let objects = read.objects;
        let changed = read.changes.len();
        changes.extend(read.changes);
        store.take(News::Objects(changes));
        if changed > 0 {
            let size = store.size();
            say!(
                "palisade: policies: {} in {}, {} changed",
                plural(size.policies, "policy").replace("policys", "policies"),
                plural(objects, "object"),
                changed
            );
        }
        if read.said.errors > 0 {
            bail!("{} in policies", plural(read.said.errors, "error"));
        }
        Ok(())
    }

    /// Takes policies from an agent from now on. What an agent before it said goes on deciding until this one has said all.
    fn follow(&mut self, sync: &PolicySync) -> Result<()> {
        if self.synced.as_ref().is_some_and(|synced| synced.told == *sync) {
            return Ok(());
        }
        if self.synced.is_none() {
            self.forget();
        }
        let store = self.store.get_or_insert_with(|| Arc::new(Store::new(Feed::Compiled))).clone();
        self.synced = None;
        let options = Options {
            socket: sync.socket.as_str().into(),
            subscription: match sync.mode {
                SyncMode::PerPod => Subscription::PerPod,
                SyncMode::PerHost => Subscription::PerHost,
            },
            limits: Limits::default(),
            say: Box::new(|line| say!("palisade: {line}")),
        };
        let client =
            Client::start(options, store.clone()).context("cannot start the thread of policy sync")?;
        self.shown.set(Some((store, Some(client.status().clone()))));
        self.synced = Some(Synced { told: sync.clone(), _client: client });
        Ok(())
    }

    fn forget(&mut self) {
        let shown = std::mem::take(&mut self.shown);
        shown.set(None);
        *self = Self { shown, ..Self::default() };
    }

    /// For the admin listener.
    pub(crate) fn shown(&self) -> &Arc<ShownPolicies> {
        &self.shown
    }

    fn read_files(
        &mut self,
        policies: &Policies,
        loader: &dyn Loader,
    ) -> Result<crate::policies::PoliciesRead> {
        let paths: Vec<String> = policies.files.iter().map(|path| path.as_str().to_owned()).collect();
        self.files.read(&paths, loader)
    }

    /// The gate before a service, or before our workload's calls to it; none where there are no policies.
    pub(crate) fn gate(&self, config: &Config, service: &Service, direction: Direction) -> Option<Gate> {
        let (store, policies) = (self.store.as_ref()?, config.policies.as_ref()?);
        let compatibility = &policies.compatibility;
        let domains: Vec<String> =
            policies.trust_domains.iter().map(|domain| domain.as_str().to_owned()).collect();
        let judgement = Judgement {
            trust_domains: trust_domains(&domains),
            plaintext_peers: match policies.plaintext_peers {
                PlaintextPeers::Deny => palisade_policy::PlaintextPeers::Deny,
                PlaintextPeers::Address => palisade_policy::PlaintextPeers::Address,
            },
            unusable_as_plaintext: compatibility.unusable_as_plaintext,
            unknown_sets_match: compatibility.unknown_sets_match,
            http_ignored_elsewhere: compatibility.http_ignored_elsewhere,
        };
        let protects = ours(config, service, direction);
        let listens = protects.map(|workload| Listens {
            address: workload.address.map(|address| address.0),
            port: workload.port.map(|port| port.get()),
        });
        let gate = Gate::new(store.clone(), judgement, protects.map(name_of), direction)
            .listening_at(listens.unwrap_or_default());
        Some(match &policies.sync {
            None => gate,
            Some(sync) => gate.fed_by_cluster(Waits {
                at_most: policies.unknown_peer_wait.duration(),
                of_one_workload: sync.mode == SyncMode::PerPod,
            }),
        })
    }

    /// What [`Self::warnings`] would say of a configuration with these objects, for whoever only checks them.
    pub(crate) fn warnings_of(config: &Config, objects: Vec<Change>) -> Vec<String> {
        let store = Arc::new(Store::new(Feed::Complete));
        let workloads = workloads(config).map(|(key, object)| (key, Some(object)));
        store.take(News::Objects(workloads.chain(objects).collect()));
        Self { store: Some(store), ..Self::default() }.warnings(config)
    }

    /// What is likely not meant: services of nobody, workloads that no policy selects, and claims that nobody vouches for.
    pub(crate) fn warnings(&self, config: &Config) -> Vec<String> {
        let Some(store) = &self.store else { return Vec::new() };
        // What a cluster has to say comes later.
        if config.policies.as_ref().is_some_and(|policies| policies.sync.is_some()) {
            return Vec::new();
        }
        let mut warnings: Vec<String> = self.unmet_claims(config).collect();
        let asked = asked_at(config);
        let has_workloads = store.size().endpoints > 0;
        let knows_whose_it_is = |service: &Service| {
            let asked_at_a_workload = |address: &IpAddr| {
                store.workload_at(*address, None).is_some() || address.is_unspecified() && has_workloads
            };
            // An Envoy says with each request where it arrived.
            !config.envoy.is_empty() && has_workloads
                || asked.get(&*service.name).into_iter().flatten().any(asked_at_a_workload)
        };
        for (_, service, direction) in in_use(config) {
            match ours(config, service, direction) {
                // A pod among the objects has the address at which it is asked; where that may be any, any pod has one.
                None if knows_whose_it_is(service) => {}
                None => warnings.push(format!(
                    "warning: service {}: nobody says whose it is, so that policies refuse every request to it: write \
                     `workload: {{namespace: ..., name: ..., labels: {{...}}}}`, at the top or at the service, or put the pod \
                     among the objects, with its address",
                    *service.name
                )),
                Some(workload) => {
                    let name = name_of(workload);
                    let (comes_in, goes_out) = store.selected(&name).unwrap_or_default();
                    match direction {
                        Direction::Ingress if !comes_in => warnings.push(format!(
                            "warning: no policy selects the workload {name} for what comes in: every request is allowed"
                        )),
                        Direction::Egress if !goes_out => warnings.push(format!(
                            "warning: no policy selects the workload {name} for what goes out: all its calls are allowed"
                        )),
                        _ => {}
                    }
                }
            }
        }
        warnings.sort();
        warnings.dedup();
        warnings
    }

    /// Routes before which nobody verifies tokens, where a policy asks for their claims.
    fn unmet_claims(&self, config: &Config) -> impl Iterator<Item = String> {
        in_use(config).filter_map(|(route, service, direction)| {
            if authenticating::told(service, route).is_some() {
                return None;
            }
            let workload = name_of(ours(config, service, direction)?);
            let policy = self.store.as_ref()?.asks_claims(&workload, direction)?;
            Some(format!(
                "warning: route {} of {}: {policy} asks for `http.claims`, and nobody verifies tokens here, so that its \
                 Allow rules with claims never match and its Deny rules match whoever comes: write `authentication: {{by: \
                 [NAME]}}` at the route, with a name of `authenticators`",
                *route.path, *service.name
            ))
        })
    }

    /// The files that were read.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

/// Routes with the services that are asked by them, or called by our workload.
fn in_use(config: &Config) -> impl Iterator<Item = (&Route, &Service, Direction)> {
    let services: HashMap<&Name, &Service> =
        config.services.iter().map(|service| (&*service.name, service)).collect();
    let outbound = Outbound::of(config);
    config
        .routes
        .iter()
        .filter_map(move |route| Some((route, *services.get(&*route.service)?, outbound.direction_of(route))))
}

/// The addresses at which each service is asked.
fn asked_at(config: &Config) -> HashMap<&Name, HashSet<IpAddr>> {
    let ip = |listener: &palisade_config::Listener| listener.address.0.ip();
    let all: HashSet<IpAddr> = config.listeners.iter().map(ip).collect();
    let named: HashMap<&Name, IpAddr> =
        config.listeners.iter().map(|listener| (&*listener.name, ip(listener))).collect();
    let mut asked: HashMap<&Name, HashSet<IpAddr>> = HashMap::new();
    for route in &config.routes {
        let at = asked.entry(&*route.service).or_default();
        match route.listener.as_deref() {
            Some(listener) => at.extend(named.get(listener)),
            None => at.extend(&all),
        }
    }
    asked
}

/// The listeners that take our workload's own calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbound(HashSet<Name>);

impl Outbound {
    /// Those of a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let listeners = config.listeners.iter();
        let outbound = listeners.filter(|one| one.direction == palisade_config::Direction::Outbound);
        Self(outbound.map(|listener| (*listener.name).clone()).collect())
    }

    /// Whether a route takes what comes in or the workload's own calls.
    pub(crate) fn direction_of(&self, route: &Route) -> Direction {
        match route.listener.as_deref() {
            Some(listener) if self.0.contains(listener) => Direction::Egress,
            _ => Direction::Ingress,
        }
    }
}

/// Who stands at the ends of a service's requests. A workload of a service's own is the one that we stand before; where our
/// workload calls that service, it is whom it calls.
pub(crate) fn ends(config: &Config, service: &Service, direction: Direction) -> Ends {
    let theirs = service.workload.as_ref().filter(|_| direction == Direction::Egress);
    Ends { direction, ours: ours(config, service, direction).map(known), theirs: theirs.map(known) }
}

/// The workload that we stand before.
fn ours<'c>(config: &'c Config, service: &'c Service, direction: Direction) -> Option<&'c Workload> {
    let own = service.workload.as_ref().filter(|_| direction == Direction::Ingress);
    own.or(config.workload.as_ref())
}

fn known(workload: &Workload) -> Arc<palisade_model::Workload> {
    Arc::new(palisade_model::Workload {
        namespace: workload.namespace.as_str().into(),
        name: Some(workload.name.as_str().into()),
        service_account: Some(workload.service_account.as_str().into()),
        known_by: KnownBy::Configuration,
    })
}

/// Workloads that a configuration tells of, as objects.
pub(crate) fn workloads(config: &Config) -> impl Iterator<Item = (ObjectKey, Object)> {
    let of_services = config.services.iter().filter_map(|service| service.workload.as_ref());
    config.workload.iter().chain(of_services).map(|workload| {
        let name = name_of(workload);
        let key = ObjectKey { kind: "WorkloadEndpoint", namespace: name.namespace, name: name.name };
        let object = palisade_policy::Workload {
            namespace: key.namespace.clone(),
            service_account: workload.service_account.as_str().into(),
            labels: workload.labels.iter().collect::<Labels>(),
            ..palisade_policy::Workload::default()
        };
        (key, Object::Workload(object))
    })
}

fn name_of(workload: &Workload) -> WorkloadName {
    WorkloadName { namespace: workload.namespace.as_str().into(), name: workload.name.as_str().into() }
}
