//! Everything at once: from what a cluster holds to what is to become of each Service, which ports the pool has, what the
//! pool is told, and what people are told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Service, ServiceAccount};
use palisade_control::Bundle;
use serde_json::{Map, Value, json};

use super::alerts;
use super::ask::Ask;
use super::bundle::{Front, Parts, USUAL_PROFILE, Workload, bundle, rule_names, service_name};
use super::calico::{ApplicationLayer, Switch};
use super::endpoints::{Keeper, Slice, ready_by_port};
use super::ledger::Ledger;
use super::names::{
    INSPECTED_CONDITION, Key, PROTECT_CALICO, PROTECTED_CONDITION, PortKey, SHADOW_OF, label, shadow_name,
};
use super::pods::Pod;
use super::policies::{PolicyFiles, policy_files};
use super::pool::Pool;
use super::refusal::{Grounds, Refusal, is_http2, refusal};
use super::report::{Finding, finding, selector_owners};
use super::ruleset::RuleFolder;
use super::steps::{Next, Stage, View, Wish, is_touched, next, ours_by_port, port_names};
use super::uninspected::{self, since_before};
use crate::kinds::{Attachment, Attachments, profile_error, profile_name};

/// What the operator was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace that it and the pool are in.
    pub namespace: String,
    /// Ports that the pool may take.
    pub ports: RangeInclusive<u16>,
    /// The address that the pool listens at: `0.0.0.0`, or `[::]`.
    pub listen: String,
    /// How long the pool serves connections of a Service that is no longer protected, in seconds.
    pub drain: u64,
    /// Whether the pool runs on every node.
    pub pool_on_every_node: bool,
    /// Keys at the top of the pool's configuration.
    pub base: Map<String, Value>,
    /// The usual profile, where no ConfigMap has rules.
    pub profile: Value,
    /// What the pool's reader has against an alert, in YAML; an alert that it refuses stays away from the pool.
    pub alert_error: fn(&str) -> Option<String>,
    /// Whether the pool enforces policies, where Calico's `ApplicationLayer` says nothing.
    pub policies: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let base = json!({"logs": {"error": "stderr", "access": "stdout", "dikastes": true}});
        Self {
            namespace: "palisade-system".to_owned(),
            ports: 20_000..=29_999,
            listen: "0.0.0.0".to_owned(),
            drain: 300,
            pool_on_every_node: false,
            base: base.as_object().cloned().unwrap_or_default(),
            profile: json!({"mode": "monitoring"}),
            alert_error: |_| None,
            policies: true,
        }
    }
}

/// What is in a cluster, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// All Services, shadows among them.
    pub services: Vec<Arc<Service>>,
    /// All EndpointSlices.
    pub slices: Vec<Arc<Slice>>,
    /// All Pods.
    pub pods: Vec<Arc<Pod>>,
    /// All Namespaces.
    pub namespaces: Vec<Arc<Namespace>>,
    /// All ServiceAccounts.
    pub accounts: Vec<Arc<ServiceAccount>>,
    /// Policies, tiers and sets, of Kubernetes and of Calico.
    pub policies: Vec<Arc<Value>>,
    /// Calico's alerts, templates and exceptions.
    pub alerts: Vec<Arc<Value>>,
    /// Of `Protection`s.
    pub attachments: Vec<Attachment>,
    /// `WafProfile`s, as profiles of a configuration.
    pub profiles: BTreeMap<Key, Value>,
    /// Files of the rule sets that they name, by their names in the bundle.
    pub rule_files: BTreeMap<String, String>,
    /// Calico's `ApplicationLayer` tigera-secure.
    pub application_layer: Option<ApplicationLayer>,
    /// The rules of ConfigMap `modsecurity-ruleset`: the last that were good.
    pub rules: Option<Arc<RuleFolder>>,
    /// All Services are given back: the operator is being uninstalled.
    pub leaving: bool,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Ports, to be written down before anything else is done.
    pub ledger: Ledger,
    /// What the pool is told; `None` where it would be too large.
    pub bundle: Option<Bundle>,
    /// Ports of the bundle, with what each is called there and how many endpoints it knows behind it: what is in force once
    /// the pool says so.
    pub serves: BTreeMap<u16, (String, usize)>,
    /// What is to become of Services: of those that are asked for, and of those that something of ours is about.
    pub services: Vec<ServicePlan>,
    /// Objects that cannot be used, and why.
    pub unusable: Vec<(String, String)>,
}

/// One Service.
#[derive(Clone, Debug)]
pub struct ServicePlan {
    /// Which.
    pub key: Key,
    /// What is to become of it. The writes are to be planned from a fresh reading.
    pub wish: Wish,
    /// What would be done, going by what was observed.
    pub next: Next,
    /// Why it is not protected although somebody asks.
    pub refusal: Option<Refusal>,
    /// What is said of it. All of it is written together.
    pub findings: Vec<Finding>,
    /// Whether the Service says all of that already, and nothing else.
    pub is_said: bool,
    /// Pods that may hold connections which nobody inspects.
    pub uninspected: usize,
}

/// Plans from what was observed. Takes time linear in it, but for sorting.
pub fn plan(
    observed: &Observed,
    settings: &Settings,
    mut ledger: Ledger,
    pool: &Pool,
    before: Option<&Bundle>,
    now: u64,
) -> Plan {
    let world = Index::of(observed);
    let attachments = Attachments::new(&observed.attachments);
    let mut wanted: BTreeSet<PortKey> = BTreeSet::new();
    let mut held: BTreeSet<PortKey> = BTreeSet::new();
    let mut asked = Vec::new();
    for service in observed.services.iter().filter(|service| label(&service.metadata, SHADOW_OF).is_none()) {
        let neighbours = world.neighbours(service);
        let view = neighbours.view(service);
        let touched = is_touched(&view);
        let ours: Vec<_> = view.slices.iter().copied().filter(|slice| slice.keeper == Keeper::Us).collect();
        let key = Key::of(&service.metadata);
        for (port, number) in ours_by_port(&ours) {
            let of = PortKey { service: key.clone(), port };
            ledger.recover(of.clone(), number);
            held.insert(of);
        }
        let backends = Backends::of(&view, &world);
        let ask = world.ask(service, &attachments, &backends, observed);
        if ask == Ask::No && !touched && !has_condition(service) {
            continue;
        }
        let grounds = Grounds {
            own_namespace: &settings.namespace,
            pool_on_every_node: settings.pool_on_every_node,
            only_host_network: backends.only_host_network(),
        };
        let refused = match &ask {
            Ask::No => None,
            Ask::Unclear(refusal) => Some(refusal.clone()),
            _ => refusal(service, &grounds),
        };
        let protect = ask != Ask::No && refused.is_none() && service.metadata.deletion_timestamp.is_none();
        if protect {
            let ports = port_names(service).map(|port| PortKey { service: key.clone(), port });
            wanted.extend(ports);
        }
        asked.push((service, neighbours, ask, refused, protect, backends));
    }
    let without: BTreeSet<_> = ledger.settle(&wanted, &held, now, settings.drain).into_iter().collect();
    let in_ledger: BTreeSet<&Key> = ledger.entries().map(|(_, entry)| &entry.of.service).collect();

    let (profiles, mut unusable) = profiles(observed, settings);
    let mut services = Vec::new();
    let mut fronts = Vec::new();
    for (service, neighbours, ask, mut refused, mut protect, backends) in asked {
        let key = Key::of(&service.metadata);
        let view = neighbours.view(service);
        let missing = port_names(service)
            .find(|port| protect && without.contains(&PortKey { service: key.clone(), port: port.clone() }));
        if let Some(port) = missing {
            refused = Some(Refusal::NoPoolPort(port));
            protect = false;
        }
        let ports = port_names(service).filter_map(|port| {
            let number = ledger.port(&PortKey { service: key.clone(), port: port.clone() })?;
            Some((port, number))
        });
        let wish = match protect {
            true => Wish::Protect(ports.collect()),
            false => Wish::Restore { drained: !in_ledger.contains(&key) },
        };
        let next = next(&view, &wish, pool);
        let protection = match &ask {
            Ask::Protection(index) => observed.attachments.get(*index),
            _ => None,
        };
        fronts.extend(front(service, &view, &ledger, &backends, protection, &profiles));
        let owners = selector_owners(&service.metadata);
        let said = finding(&ask, refused.as_ref(), &next, &owners, settings.drain);
        let off = || {
            has_condition(service)
                .then(|| Finding::no(PROTECTED_CONDITION, "NotProtected", "it is not protected"))
        };
        let mut findings: Vec<_> = said.or_else(off).into_iter().collect();
        let counted =
            (next.stage == Stage::Protected).then(|| since_before(service, backends.0.iter().copied()));
        let counted = counted.flatten();
        findings.extend(counted.map(uninspected::finding));
        services.push(ServicePlan {
            is_said: says(service, &findings),
            uninspected: counted.map_or(0, |(_, before, _)| before),
            key,
            wish,
            next,
            refusal: refused,
            findings,
        });
    }
    fronts.sort_by_key(|front: &Front| front.port);

    let enforced = observed
        .application_layer
        .as_ref()
        .map_or(settings.policies, |layer| layer.application_layer_policy == Switch::Enabled);
    let policies = if enforced { world.policies() } else { PolicyFiles::default() };
    unusable.extend(policies.unusable);
    let (alerts, unusable_alerts) =
        alerts::files(observed.alerts.iter().map(|alert| &**alert), settings.alert_error);
    unusable.extend(unusable_alerts);
    let mut base = settings.base.clone();
    if !alerts.is_empty() {
        base.insert("alerts".to_owned(), json!({"files": [alerts::FOLDER]}));
    }
    if let Some(layer) = &observed.application_layer {
        layer.settings(&mut base);
    }
    let parts = Parts {
        base: &base,
        listen: &settings.listen,
        client_address: observed.application_layer.as_ref().and_then(ApplicationLayer::client_address),
        fronts: &fronts,
        profiles: &profiles,
        rules: observed.rules.as_deref(),
        rule_files: &observed.rule_files,
        alerts: &alerts,
        policies: enforced.then_some(&policies.files),
        before,
    };
    let made = bundle(&parts);
    if let Err(error) = &made {
        unusable.push(("bundle of the pool".to_owned(), error.to_string()));
    }
    Plan {
        serves: fronts
            .iter()
            .map(|front| (front.port, (service_name(&front.of), front.endpoints.len())))
            .collect(),
        ledger,
        bundle: made.ok(),
        services,
        unusable,
    }
}

/// What stands behind each port that a Service has in the ledger, also while it only drains.
fn front(
    service: &Service,
    view: &View<'_>,
    ledger: &Ledger,
    backends: &Backends<'_>,
    protection: Option<&Attachment>,
    profiles: &BTreeMap<String, Value>,
) -> Vec<Front> {
    let key = Key::of(&service.metadata);
    // Until the shadow's are there the Service's own are the same pods.
    let mut ready = ready_by_port(view.shadow_slices.iter().copied());
    if ready.values().all(BTreeSet::is_empty) {
        let theirs = view.slices.iter().copied().filter(|slice| slice.keeper == Keeper::Controller);
        ready = ready_by_port(theirs);
    }
    let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let profile = protection.and_then(Attachment::profile_name);
    let profile = profile.filter(|name| profiles.contains_key(name));
    let front = |port: &k8s_openapi::api::core::v1::ServicePort| {
        let of = PortKey { service: key.clone(), port: port.name.clone().unwrap_or_default() };
        let endpoints: BTreeSet<SocketAddr> = ready.get(&*of.port).cloned().unwrap_or_default();
        Some(Front {
            port: ledger.port(&of)?,
            endpoints,
            shadow: shadow_name(&key.name),
            shadow_port: u16::try_from(port.port).unwrap_or(80),
            http2: is_http2(port),
            profile: profile.clone().unwrap_or_else(|| USUAL_PROFILE.to_owned()),
            mode: protection.and_then(|protection| protection.mode.clone()),
            workload: backends.workload(),
            of,
        })
    };
    ports.filter_map(front).collect()
}

/// Profiles of the bundle by name. One that a data plane would not take is left out.
fn profiles(observed: &Observed, settings: &Settings) -> (BTreeMap<String, Value>, Vec<(String, String)>) {
    let mut unusable = Vec::new();
    let usual = match &observed.rules {
        // The rules say themselves whether they deny, as Dikastes has it; the detector would deny where they only warn.
        Some(folder) => {
            json!({"mode": "block", "rules": {"files": rule_names(folder)}, "detect": {"enabled": false}})
        }
        None => settings.profile.clone(),
    };
    let firewall = observed
        .application_layer
        .as_ref()
        .is_none_or(|layer| layer.web_application_firewall == Switch::Enabled);
    let usual = if firewall { usual } else { json!({"mode": "off"}) };
    let mut profiles: BTreeMap<String, Value> = [(USUAL_PROFILE.to_owned(), usual)].into();
    for (key, profile) in &observed.profiles {
        match profile_error(profile) {
            None => {
                profiles.insert(profile_name(&key.namespace, &key.name), profile.clone());
            }
            Some(error) => {
                let message = format!("{error}; the usual profile is in its place");
                unusable.push((format!("WafProfile {key}"), message));
            }
        }
    }
    (profiles, unusable)
}

fn conditions(service: &Service) -> &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition] {
    service.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default()
}

fn has_condition(service: &Service) -> bool {
    conditions(service).iter().any(|condition| condition.type_ == PROTECTED_CONDITION)
}

/// Whether a Service's conditions of ours are these.
fn says(service: &Service, findings: &[Finding]) -> bool {
    let ours = |kind: &str| kind == PROTECTED_CONDITION || kind == INSPECTED_CONDITION;
    let there: Vec<_> = conditions(service).iter().filter(|condition| ours(&condition.type_)).collect();
    there.len() == findings.len()
        && findings.iter().all(|finding| there.iter().any(|condition| finding.is_said(condition)))
}

/// Who belongs to whom.
struct Index<'a> {
    observed: &'a Observed,
    /// By the Service that they are of.
    slices: HashMap<Key, Vec<&'a Slice>>,
    /// By the Service that they stand for.
    shadows: HashMap<Key, &'a Service>,
    pods: HashMap<Key, &'a Pod>,
}

/// A Service's surroundings.
struct Neighbours<'a> {
    slices: &'a [&'a Slice],
    shadow: Option<&'a Service>,
    shadow_slices: &'a [&'a Slice],
}

impl Neighbours<'_> {
    fn view<'v>(&'v self, service: &'v Service) -> View<'v> {
        View { service, slices: self.slices, shadow: self.shadow, shadow_slices: self.shadow_slices }
    }
}

impl<'a> Index<'a> {
    fn of(observed: &'a Observed) -> Self {
        let mut slices: HashMap<_, Vec<&Slice>> = HashMap::new();
        for slice in &observed.slices {
            if let Some(service) = &slice.service {
                slices.entry(service.clone()).or_default().push(slice);
            }
        }
        let shadows = observed.services.iter().filter_map(|service| {
            let namespace = service.metadata.namespace.as_deref()?;
            Some((Key::new(namespace, label(&service.metadata, SHADOW_OF)?), &**service))
        });
        let pods = observed.pods.iter().map(|pod| (pod.key.clone(), &**pod));
        Self { observed, slices, shadows: shadows.collect(), pods: pods.collect() }
    }

    fn neighbours(&self, service: &Service) -> Neighbours<'_> {
        let key = Key::of(&service.metadata);
        let shadow = self.shadows.get(&key).copied();
        let of_shadow = shadow.map(|shadow| self.slices_of(&Key::of(&shadow.metadata)));
        Neighbours { slices: self.slices_of(&key), shadow, shadow_slices: of_shadow.unwrap_or_default() }
    }

    fn slices_of(&self, service: &Key) -> &[&'a Slice] {
        self.slices.get(service).map_or(&[][..], |slices| &slices[..])
    }

    fn ask(
        &self,
        service: &Service,
        attachments: &Attachments,
        backends: &Backends<'_>,
        observed: &Observed,
    ) -> Ask {
        if observed.leaving {
            return Ask::No;
        }
        let controllers = match observed.attachments.is_empty() {
            true => Vec::new(),
            false => backends.controllers(),
        };
        match Ask::of(service, &observed.attachments, attachments, controllers.iter()) {
            // Calico's annotation means what Calico's switches say, where they are.
            Ask::Annotation(PROTECT_CALICO)
                if observed.application_layer.as_ref().is_some_and(|layer| !layer.takes_services()) =>
            {
                Ask::No
            }
            ask => ask,
        }
    }

    fn policies(&self) -> PolicyFiles {
        let Observed { policies, namespaces, accounts, pods, .. } = self.observed;
        policy_files(
            policies.iter().map(|policy| &**policy),
            namespaces.iter().map(|namespace| &**namespace),
            accounts.iter().map(|account| &**account),
            pods.iter().map(|pod| &**pod),
        )
    }
}

/// The pods behind a Service.
struct Backends<'a>(Vec<&'a Pod>);

impl<'a> Backends<'a> {
    fn of(view: &View<'_>, world: &Index<'a>) -> Self {
        let slices = if view.shadow_slices.is_empty() { view.slices } else { view.shadow_slices };
        let theirs = slices.iter().filter(|slice| slice.keeper == Keeper::Controller);
        let pods = theirs.flat_map(|slice| &slice.endpoints).filter_map(|endpoint| endpoint.pod.as_deref());
        Self(pods.filter_map(|pod| world.pods.get(pod).copied()).collect())
    }

    fn only_host_network(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|pod| pod.on_host)
    }

    /// The labels that all have, and the account of the first by name.
    fn workload(&self) -> Workload {
        let Some((first, others)) = self.0.split_first() else { return Workload::default() };
        let mut labels = first.labels();
        for other in others {
            labels.retain(|label, value| other.label(label) == Some(value));
        }
        let account = self.0.iter().filter_map(|pod| pod.account.clone()).min();
        Workload { labels, account }
    }

    /// The controllers that keep them, by kind and name.
    fn controllers(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.0.iter().filter_map(|pod| pod.controller.clone()).collect();
        all.sort();
        all.dedup();
        all
    }
}
