//! Objects as watches tell them, kept in memory and without what nobody here reads.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Notify;

use super::super::ask::{Attachment, Target};
use super::super::calico::{APPLICATION_LAYER_NAME, ApplicationLayer, policy_sync_path_prefix};
use super::super::names::Key;
use super::super::plan::Observed;
use super::super::ruleset::{RULESET_NAME, RULESET_NAMESPACE, RuleFolder};
use super::LEDGER_NAME;
use crate::kinds;

/// Objects of one kind.
#[derive(Debug)]
pub(super) struct Kept<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    objects: Mutex<HashMap<Key, Arc<K>>>,
    /// All were read once, or the cluster has no such kind.
    read: AtomicBool,
    task: Mutex<Option<tokio::task::AbortHandle>>,
}

impl<K> Kept<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    fn watch(api: Api<K>, config: watcher::Config, changed: Arc<Notify>, slim: fn(&mut K)) -> Self {
        let inner = Inner { objects: Mutex::default(), read: AtomicBool::new(false), task: Mutex::default() };
        let kept = Self(Arc::new(inner));
        let there = kept.0.clone();
        let task = tokio::spawn(async move {
            let mut events = watcher(api, config).default_backoff().boxed();
            let mut first: HashMap<Key, Arc<K>> = HashMap::new();
            while let Some(event) = events.next().await {
                let of = |mut object: K| {
                    object.managed_fields_mut().retain(|entry| entry.fields_v1.is_some());
                    slim(&mut object);
                    (Key::of(object.meta()), Arc::new(object))
                };
                let mut objects = there.objects.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Ok(watcher::Event::Apply(object)) => objects.extend([of(object)]),
                    Ok(watcher::Event::Delete(object)) => {
                        objects.remove(&Key::of(object.meta()));
                    }
                    Ok(watcher::Event::Init) => first.clear(),
                    Ok(watcher::Event::InitApply(object)) => first.extend([of(object)]),
                    Ok(watcher::Event::InitDone) => {
                        *objects = std::mem::take(&mut first);
                        there.read.store(true, Ordering::Release);
                    }
                    Err(error) if is_absent(&error) => {
                        objects.clear();
                        there.read.store(true, Ordering::Release);
                    }
                    // The watch is begun again by itself, with pauses.
                    Err(_) => continue,
                }
                drop(objects);
                changed.notify_one();
            }
        });
        *kept.0.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        kept
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<K>> {
        self.0.objects.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.0.objects.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn is_read(&self) -> bool {
        self.0.read.load(Ordering::Acquire)
    }
}

impl<K> Drop for Kept<K> {
    fn drop(&mut self) {
        if let Some(task) = self.0.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// The cluster does not serve the kind.
fn is_absent(error: &watcher::Error) -> bool {
    let kube = match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => error,
        _ => return false,
    };
    matches!(kube, kube::Error::Api(status) if status.code == 404)
}

/// All that the plan looks at.
pub(super) struct World {
    pub(super) changed: Arc<Notify>,
    namespace: String,
    services: Kept<Service>,
    slices: Kept<EndpointSlice>,
    pub(super) pods: Kept<Pod>,
    namespaces: Kept<Namespace>,
    accounts: Kept<ServiceAccount>,
    ruleset: Kept<ConfigMap>,
    mirror: Kept<ConfigMap>,
    ledger: Kept<ConfigMap>,
    policies: Vec<Kept<DynamicObject>>,
    layers: Kept<DynamicObject>,
    felix: Kept<DynamicObject>,
    protections: Kept<DynamicObject>,
    profiles: Kept<DynamicObject>,
    rule_sets: Kept<DynamicObject>,
    rule_maps: Kept<ConfigMap>,
    /// What rule sets hold, and whether it compiles: a pass does not compile again what stayed.
    compiled: Mutex<BTreeMap<Key, (kinds::Rules, bool)>>,
}

/// Kinds that decide who may talk to whom. Where a cluster serves Calico's kinds it serves them as projectcalico.org/v3.
const POLICY_KINDS: [(&str, &str, &str); 9] = [
    ("networking.k8s.io", "NetworkPolicy", "networkpolicies"),
    ("projectcalico.org", "NetworkPolicy", "networkpolicies"),
    ("projectcalico.org", "GlobalNetworkPolicy", "globalnetworkpolicies"),
    ("projectcalico.org", "StagedNetworkPolicy", "stagednetworkpolicies"),
    ("projectcalico.org", "StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies"),
    ("projectcalico.org", "StagedKubernetesNetworkPolicy", "stagedkubernetesnetworkpolicies"),
    ("projectcalico.org", "Tier", "tiers"),
    ("projectcalico.org", "NetworkSet", "networksets"),
    ("projectcalico.org", "GlobalNetworkSet", "globalnetworksets"),
];

/// A kind of objects that are read as they come.
pub(super) fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

impl World {
    pub(super) fn watch(client: &Client, namespace: &str) -> Self {
        let changed = Arc::new(Notify::new());
        fn as_it_is<K>(_: &mut K) {}
        macro_rules! all {
            ($kind:ty, $slim:expr) => {
                Kept::watch(
                    Api::<$kind>::all(client.clone()),
                    watcher::Config::default(),
                    changed.clone(),
                    $slim,
                )
            };
        }
        let map = |namespace: &str, name: &str| {
            let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
            Kept::watch(
                Api::<ConfigMap>::namespaced(client.clone(), namespace),
                config,
                changed.clone(),
                as_it_is,
            )
        };
        let dynamic = |group: &str, version: &str, kind: &str, plural: &str| {
            let api = Api::<DynamicObject>::all_with(client.clone(), &resource(group, version, kind, plural));
            Kept::watch(api, watcher::Config::default(), changed.clone(), without_managers)
        };
        let version = |group: &str| if group == "projectcalico.org" { "v3" } else { "v1" };
        World {
            services: all!(Service, as_it_is),
            slices: all!(EndpointSlice, without_managers),
            pods: all!(Pod, slim_pod),
            namespaces: all!(Namespace, without_managers),
            accounts: all!(ServiceAccount, without_managers),
            ruleset: map(RULESET_NAMESPACE, RULESET_NAME),
            mirror: map(namespace, RULESET_NAME),
            ledger: map(namespace, LEDGER_NAME),
            policies: POLICY_KINDS
                .iter()
                .map(|(group, kind, plural)| dynamic(group, version(group), kind, plural))
                .collect(),
            layers: dynamic("operator.tigera.io", "v1", "ApplicationLayer", "applicationlayers"),
            felix: dynamic("projectcalico.org", "v3", "FelixConfiguration", "felixconfigurations"),
            protections: dynamic("palisade.dev", "v1alpha1", "Protection", "protections"),
            profiles: dynamic("palisade.dev", "v1alpha1", "WafProfile", "wafprofiles"),
            rule_sets: dynamic("palisade.dev", "v1alpha1", "RuleSet", "rulesets"),
            rule_maps: Kept::watch(
                Api::<ConfigMap>::all(client.clone()),
                watcher::Config::default().labels("palisade.dev/rules=true"),
                changed.clone(),
                as_it_is,
            ),
            compiled: Mutex::default(),
            namespace: namespace.to_owned(),
            changed: changed.clone(),
        }
    }

    /// Everything was read once: what is not there is not there.
    pub(super) fn is_read(&self) -> bool {
        self.services.is_read()
            && self.slices.is_read()
            && self.pods.is_read()
            && self.namespaces.is_read()
            && self.accounts.is_read()
            && [&self.ruleset, &self.mirror, &self.ledger, &self.rule_maps].into_iter().all(Kept::is_read)
            && self.policies.iter().all(Kept::is_read)
            && [&self.layers, &self.felix, &self.protections, &self.profiles, &self.rule_sets]
                .into_iter()
                .all(Kept::is_read)
    }

    pub(super) fn ruleset(&self) -> Option<Arc<ConfigMap>> {
        self.ruleset.get(&Key::new(RULESET_NAMESPACE, RULESET_NAME))
    }

    pub(super) fn mirror(&self) -> Option<Arc<ConfigMap>> {
        self.mirror.get(&Key::new(&self.namespace, RULESET_NAME))
    }

    pub(super) fn ledger(&self) -> Option<BTreeMap<String, String>> {
        self.ledger.get(&Key::new(&self.namespace, LEDGER_NAME)).and_then(|map| map.data.clone())
    }

    pub(super) fn application_layer(&self) -> Option<Arc<DynamicObject>> {
        self.layers.get(&Key::new("", APPLICATION_LAYER_NAME))
    }

    pub(super) fn application_layer_error(&self) -> Option<String> {
        ApplicationLayer::read(&self.application_layer()?.data).1
    }

    pub(super) fn policy_sync_path_prefix(&self) -> Option<String> {
        Some(policy_sync_path_prefix(&self.felix.get(&Key::new("", "default"))?.data).to_owned())
    }

    /// As the plan takes it.
    pub(super) fn observed(&self, rules: Option<Arc<RuleFolder>>) -> Observed {
        let policies = self.policies.iter().flat_map(|kept| kept.all());
        let policies = policies.filter_map(|policy| serde_json::to_value(&*policy).ok()).map(Arc::new);
        let (profiles, rule_files) = self.profiles();
        Observed {
            services: self.services.all(),
            slices: self.slices.all(),
            pods: self.pods.all(),
            namespaces: self.namespaces.all(),
            accounts: self.accounts.all(),
            policies: policies.collect(),
            attachments: self.protections.all().iter().map(|object| attachment(object)).collect(),
            profiles,
            rule_files,
            application_layer: self.application_layer().map(|object| ApplicationLayer::read(&object.data).0),
            rules,
            leaving: false,
        }
    }
}

impl World {
    /// `WafProfile`s as profiles of a configuration, and the files of the rule sets that they name. One whose rule sets cannot
    /// be used keeps their names, which no data plane takes: the plan leaves it out and says so.
    fn profiles(&self) -> (BTreeMap<Key, Value>, BTreeMap<String, String>) {
        let rules = self.rules();
        let (mut profiles, mut files) = (BTreeMap::new(), BTreeMap::new());
        for object in self.profiles.all() {
            let key = Key::of(&object.metadata);
            let spec = object.data["spec"].clone();
            let named = |name: &str| rules.get(&Key::new(&key.namespace, name));
            match kinds::resolved(&key.namespace, &spec, named) {
                Ok((profile, named)) => {
                    files.extend(named);
                    profiles.insert(key, profile);
                }
                Err(_) => drop(profiles.insert(key, spec)),
            }
        }
        (profiles, files)
    }

    /// Rule sets that compile.
    fn rules(&self) -> BTreeMap<Key, kinds::Rules> {
        let mut before = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeMap::new();
        for object in self.rule_sets.all() {
            let key = Key::of(&object.metadata);
            let map = |name: &str| {
                Some(self.rule_maps.get(&Key::new(&key.namespace, name))?.data.clone().unwrap_or_default())
            };
            let Ok(rules) = kinds::rule_files(&object.data["spec"], map) else { continue };
            let known = before.get(&key).filter(|(known, _)| *known == rules).map(|(_, fine)| *fine);
            let fine = known.unwrap_or_else(|| kinds::compile(&rules).is_ok());
            now.insert(key, (rules, fine));
        }
        *before = now;
        before
            .iter()
            .filter(|(_, (_, fine))| *fine)
            .map(|(key, (rules, _))| (key.clone(), rules.clone()))
            .collect()
    }
}

/// A `Protection` as the plan takes it. Targets of kinds that are not known here are others' matter.
fn attachment(object: &DynamicObject) -> Attachment {
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let spec = &object.data["spec"];
    let targets = spec["targetRefs"].as_array().into_iter().flatten();
    let target = |target: &Value| {
        let name = text(target, "name")?;
        match text(target, "kind")?.as_str() {
            "Service" => Some(Target::Service(name)),
            "Namespace" => Some(Target::Namespace),
            kind @ ("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => {
                Some(Target::Workload(kind.to_owned(), name))
            }
            _ => None,
        }
    };
    Attachment {
        key: Key::of(&object.metadata),
        created: object
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0.to_string())
            .unwrap_or_default(),
        targets: targets.filter_map(target).collect(),
        profile: text(spec, "profile"),
        mode: text(spec, "mode"),
    }
}

fn without_managers<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

/// What is read of a Pod; the rest of it is many times as large.
fn slim_pod(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
    if let Some(spec) = &mut pod.spec {
        let slim = |containers: &mut Vec<k8s_openapi::api::core::v1::Container>| {
            for container in containers {
                *container = k8s_openapi::api::core::v1::Container {
                    name: std::mem::take(&mut container.name),
                    ports: container.ports.take(),
                    ..Default::default()
                };
            }
        };
        slim(&mut spec.containers);
        spec.init_containers.iter_mut().for_each(slim);
        *spec = k8s_openapi::api::core::v1::PodSpec {
            containers: std::mem::take(&mut spec.containers),
            init_containers: spec.init_containers.take(),
            host_network: spec.host_network,
            node_name: spec.node_name.take(),
            service_account_name: spec.service_account_name.take(),
            ..Default::default()
        };
    }
    if let Some(status) = &mut pod.status {
        *status = k8s_openapi::api::core::v1::PodStatus {
            conditions: status.conditions.take(),
            phase: status.phase.take(),
            pod_ip: status.pod_ip.take(),
            pod_ips: status.pod_ips.take(),
            ..Default::default()
        };
    }
}
