//! Objects as watches tell them, kept in memory and without what nobody here reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{self, ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::DynamicObject;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::super::calico::{APPLICATION_LAYER_NAME, ApplicationLayer, policy_sync_path_prefix};
use super::super::endpoints::Slice;
use super::super::names::Key;
use super::super::plan::Observed;
use super::super::pods::Pod;
use super::super::report::keep_selector_owners;
use super::super::ruleset::{RULESET_NAME, RULESET_NAMESPACE, RuleFolder};
use super::LEDGER_NAME;
use crate::cluster::{Profiles, Watched, resource};
use crate::kinds::Attachment;

/// All that the plan looks at.
pub(super) struct World {
    pub(super) changed: Arc<Notify>,
    namespace: String,
    services: Watched<Service>,
    slices: Watched<Slice>,
    pub(super) pods: Watched<Pod>,
    namespaces: Watched<Namespace>,
    accounts: Watched<ServiceAccount>,
    ruleset: Watched<ConfigMap>,
    mirror: Watched<ConfigMap>,
    ledger: Watched<ConfigMap>,
    policies: Vec<Watched<DynamicObject>>,
    alerts: Vec<Watched<DynamicObject>>,
    layers: Watched<DynamicObject>,
    felix: Watched<DynamicObject>,
    protections: Watched<DynamicObject>,
    profiles: Profiles,
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

/// Calico's kinds about alerts.
const ALERT_KINDS: [(&str, &str); 3] = [
    ("GlobalAlert", "globalalerts"),
    ("GlobalAlertTemplate", "globalalerttemplates"),
    ("AlertException", "alertexceptions"),
];

impl World {
    pub(super) fn watch(client: &Client, namespace: &str) -> Self {
        let changed = Arc::new(Notify::new());
        fn as_it_is<K>(_: &mut K) {}
        macro_rules! all {
            ($kind:ty, $slim:expr) => {
                Watched::slim(
                    Api::<$kind>::all(client.clone()),
                    watcher::Config::default(),
                    changed.clone(),
                    $slim,
                )
            };
        }
        macro_rules! read {
            ($kind:ty, $read:expr) => {
                Watched::read(
                    Api::<$kind>::all(client.clone()),
                    watcher::Config::default(),
                    changed.clone(),
                    $read,
                )
            };
        }
        let map = |namespace: &str, name: &str| {
            let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
            Watched::slim(
                Api::<ConfigMap>::namespaced(client.clone(), namespace),
                config,
                changed.clone(),
                as_it_is,
            )
        };
        let dynamic = |group: &str, version: &str, kind: &str, plural: &str| {
            let api = Api::<DynamicObject>::all_with(client.clone(), &resource(group, version, kind, plural));
            Watched::slim(api, watcher::Config::default(), changed.clone(), without_managers)
        };
        let version = |group: &str| if group == "projectcalico.org" { "v3" } else { "v1" };
        World {
            services: all!(Service, slim_service),
            slices: read!(EndpointSlice, Slice::from),
            pods: read!(v1::Pod, Pod::from),
            namespaces: all!(Namespace, without_managers),
            accounts: all!(ServiceAccount, without_managers),
            ruleset: map(RULESET_NAMESPACE, RULESET_NAME),
            mirror: map(namespace, RULESET_NAME),
            ledger: map(namespace, LEDGER_NAME),
            policies: POLICY_KINDS
                .iter()
                .map(|(group, kind, plural)| dynamic(group, version(group), kind, plural))
                .collect(),
            alerts: ALERT_KINDS
                .iter()
                .map(|(kind, plural)| dynamic("projectcalico.org", "v3", kind, plural))
                .collect(),
            layers: dynamic("operator.tigera.io", "v1", "ApplicationLayer", "applicationlayers"),
            felix: dynamic("projectcalico.org", "v3", "FelixConfiguration", "felixconfigurations"),
            protections: dynamic("palisade.dev", "v1alpha1", "Protection", "protections"),
            profiles: Profiles::watch(client, &changed),
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
            && [&self.ruleset, &self.mirror, &self.ledger].into_iter().all(Watched::is_read)
            && self.profiles.is_read()
            && self.alerts.iter().all(Watched::is_read)
            && self.policies.iter().all(Watched::is_read)
            && [&self.layers, &self.felix, &self.protections].into_iter().all(Watched::is_read)
    }

    pub(super) fn ruleset(&self) -> Option<Arc<ConfigMap>> {
        self.ruleset.get(RULESET_NAMESPACE, RULESET_NAME)
    }

    pub(super) fn mirror(&self) -> Option<Arc<ConfigMap>> {
        self.mirror.get(&self.namespace, RULESET_NAME)
    }

    pub(super) fn ledger(&self) -> Option<BTreeMap<String, String>> {
        self.ledger.get(&self.namespace, LEDGER_NAME).and_then(|map| map.data.clone())
    }

    pub(super) fn application_layer(&self) -> Option<Arc<DynamicObject>> {
        self.layers.get("", APPLICATION_LAYER_NAME)
    }

    pub(super) fn application_layer_error(&self) -> Option<String> {
        ApplicationLayer::read(&self.application_layer()?.data).1
    }

    pub(super) fn policy_sync_path_prefix(&self) -> Option<String> {
        Some(policy_sync_path_prefix(&self.felix.get("", "default")?.data).to_owned())
    }

    /// As the plan takes it.
    pub(super) fn observed(&self, rules: Option<Arc<RuleFolder>>) -> Observed {
        let policies = self.policies.iter().flat_map(|kept| kept.all());
        let policies = policies.filter_map(|policy| serde_json::to_value(&*policy).ok()).map(Arc::new);
        let alerts = self.alerts.iter().zip(ALERT_KINDS).flat_map(|(kept, (kind, _))| {
            kept.all().into_iter().map(move |object| {
                let name = object.metadata.name.as_deref();
                Arc::new(json!({"kind": kind, "metadata": {"name": name}, "spec": object.data["spec"]}))
            })
        });
        let (profiles, rule_files) = self.profiles();
        Observed {
            services: self.services.all(),
            slices: self.slices.all(),
            pods: self.pods.all(),
            namespaces: self.namespaces.all(),
            accounts: self.accounts.all(),
            policies: policies.collect(),
            alerts: alerts.collect(),
            attachments: self.protections.all().iter().filter_map(|object| attachment(object)).collect(),
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
        let (mut profiles, mut files) = (BTreeMap::new(), BTreeMap::new());
        for profile in self.profiles.all() {
            let key = Key::new(&profile.namespace, &profile.name);
            match profile.resolved {
                Some((resolved, named)) => {
                    files.extend(named);
                    profiles.insert(key, resolved);
                }
                None => drop(profiles.insert(key, profile.spec)),
            }
        }
        (profiles, files)
    }
}

fn attachment(object: &DynamicObject) -> Option<Attachment> {
    serde_json::to_value(object).ok().map(|object| Attachment::read(&object))
}

fn without_managers<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

/// What was last applied is the Service once more.
fn slim_service(service: &mut Service) {
    keep_selector_owners(&mut service.metadata);
    service.metadata.annotations.iter_mut().for_each(|all| drop(all.remove(LAST_APPLIED)));
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
