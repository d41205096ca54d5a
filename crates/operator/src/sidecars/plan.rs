//! Everything at once: from what a cluster holds to what is to be written about sidecars, and what is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::closing::{closes, policy};
use super::maps::profile_map;
use super::pods::{Pod, Standing};
use super::workloads::{Roll, Workload};
use crate::inject::{NAMESPACE_LABEL, POD_LABEL, Settings};
use crate::kinds::{Attachment, Attachments, Target, Way};
use crate::protect::{Key, is_of_system};

/// What is in a cluster, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Of `Protection`s.
    pub attachments: Vec<Attachment>,
    /// Workloads whose templates can be written.
    pub workloads: Vec<Workload>,
    /// Selectors of Services that `Protection`s name.
    pub services: BTreeMap<Key, BTreeMap<String, String>>,
    /// Labels of namespaces.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Pods.
    pub pods: Vec<Arc<Pod>>,
    /// `WafProfile`s that can be used: uid, profile, files.
    pub profiles: BTreeMap<Key, (String, Value, BTreeMap<String, String>)>,
    /// `WafProfile`s that there are, usable or not.
    pub profile_names: BTreeSet<Key>,
    /// ConfigMaps of ours: their data.
    pub maps: BTreeMap<Key, Value>,
    /// NetworkPolicies of ours: whom they close, and their specs.
    pub policies: BTreeMap<Key, (String, Value)>,
}

/// What is to be done and told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Workloads to be written.
    pub rolls: Vec<Roll>,
    /// Objects to be made, or made so: ConfigMaps and NetworkPolicies.
    pub apply: Vec<Value>,
    /// ConfigMaps that nobody needs any more.
    pub drop_maps: Vec<Key>,
    /// NetworkPolicies that nobody asks for any more.
    pub drop_policies: Vec<Key>,
    /// Pods that should have a sidecar and have none.
    pub missing: Vec<(Key, String)>,
    /// Of `Protection`s by sidecar, by their places: how many pods have theirs.
    pub injected: BTreeMap<usize, Injected>,
    /// What cannot be done: kind, which, why.
    pub unusable: Vec<(&'static str, Key, String)>,
}

/// Pods of a `Protection`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// Workloads that follow it, or will.
    pub workloads: usize,
    /// Pods of theirs.
    pub pods: usize,
    /// Those that have a sidecar.
    pub with: usize,
}

/// Plans from what was observed. Takes time linear in it but for workloads that share a namespace with Services that are named.
pub fn plan(observed: &Observed, settings: &Settings) -> Plan {
    let attachments = Attachments::new(&observed.attachments);
    let mut plan = Plan::default();
    let left_alone =
        |namespace: &str| settings.excluded_namespaces.contains(namespace) || is_of_system(namespace);
    let mut followers: BTreeMap<(&str, &Key), usize> = BTreeMap::new();
    for workload in observed.workloads.iter().filter(|workload| !left_alone(&workload.key.namespace)) {
        let by = nearest(workload, observed, &attachments);
        if let Some(index) = by {
            plan.injected.entry(index).or_default().workloads += 1;
            followers.insert((workload.kind, &workload.key), index);
        }
        plan.rolls.extend(workload.roll(by.map(|index| &observed.attachments[index])));
    }
    // Of workloads, those that have a pod without its sidecar.
    let mut open: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for pod in &observed.pods {
        if pod.standing == Standing::Ended || left_alone(&pod.key.namespace) {
            continue;
        }
        let of = pod.controller.as_ref().map(|(kind, name)| (kind.as_str(), name.as_str()));
        if let Some((kind, name)) = of {
            if pod.standing != Standing::Injected {
                open.insert((kind, &pod.key.namespace, name));
            }
            let key = Key::new(&pod.key.namespace, name);
            if let Some(injected) =
                followers.get(&(kind, &key)).and_then(|index| plan.injected.get_mut(index))
            {
                injected.pods += 1;
                injected.with += usize::from(pod.standing == Standing::Injected);
            }
        }
        if pod.is_missing_one(observed.namespaces.get(&pod.key.namespace)) {
            plan.missing.push((pod.key.clone(), pod.uid.clone()));
        }
    }
    plan.close(observed, settings, &open);
    plan.profiles(observed);
    plan
}

/// The `Protection` by sidecar that decides for a workload: one of a Service that selects its pods, of itself, of its
/// namespace. `None` also where the nearest goes by the pool.
fn nearest(workload: &Workload, observed: &Observed, attachments: &Attachments) -> Option<usize> {
    let namespace = workload.key.namespace.as_str();
    let selects = |selector: &BTreeMap<String, String>| {
        !selector.is_empty() && selector.iter().all(|(name, value)| workload.labels.get(name) == Some(value))
    };
    let of_services = observed
        .services
        .iter()
        .filter(|(key, selector)| key.namespace == namespace && selects(selector))
        .map(|(key, _)| Target::Service(key.name.clone()));
    let own = Target::Workload(workload.kind.to_owned(), workload.key.name.clone());
    let places = of_services.chain([own, Target::Namespace]).map(|target| (namespace, target));
    attachments.nearest(places).filter(|index| observed.attachments[*index].way == Way::Sidecar)
}

impl Plan {
    /// A port is closed once every pod has its sidecar: before that nobody could be reached.
    fn close(&mut self, observed: &Observed, settings: &Settings, open: &BTreeSet<(&str, &str, &str)>) {
        let mut wanted: BTreeSet<Key> = BTreeSet::new();
        for workload in observed.workloads.iter().filter(|workload| workload.closes) {
            let namespace = workload.key.namespace.as_str();
            let enabled = observed
                .namespaces
                .get(namespace)
                .and_then(|labels| labels.get(NAMESPACE_LABEL))
                .is_some_and(|label| label == "enabled");
            let asks = workload.labels.get(POD_LABEL).map_or(enabled, |label| label == "true");
            let made = match asks {
                true => policy(workload, settings),
                false => {
                    Err("its pods get no sidecar: neither their label nor their namespace's asks for one"
                        .to_owned())
                }
            };
            match made {
                Ok(policy) => {
                    let name = policy["metadata"]["name"].as_str().unwrap_or_default();
                    let key = Key::new(namespace, name);
                    let there = observed.policies.get(&key);
                    let same =
                        there.is_some_and(|(of, spec)| *of == closes(workload) && *spec == policy["spec"]);
                    let all_have = !open.contains(&(workload.kind, namespace, &*workload.key.name));
                    if !same && (there.is_some() || all_have) {
                        self.apply.push(policy);
                    }
                    wanted.insert(key);
                }
                Err(why) => self.unusable.push((
                    workload.kind,
                    workload.key.clone(),
                    format!("{CANNOT_CLOSE}: {why}"),
                )),
            }
        }
        self.drop_policies.extend(observed.policies.keys().filter(|key| !wanted.contains(key)).cloned());
    }

    /// The last good map of a profile that cannot be used stays.
    fn profiles(&mut self, observed: &Observed) {
        let name =
            |profile: &Key| Key::new(&profile.namespace, &format!("palisade-profile-{}", profile.name));
        for (key, (uid, profile, files)) in &observed.profiles {
            match profile_map(key, uid, profile, files) {
                Ok(map) if observed.maps.get(&name(key)) != Some(&map["data"]) => self.apply.push(map),
                Ok(_) => {}
                Err(why) => self.unusable.push((
                    "WafProfile",
                    key.clone(),
                    format!("no ConfigMap for sidecars: {why}"),
                )),
            }
        }
        let kept: BTreeSet<Key> = observed.profile_names.iter().map(name).collect();
        self.drop_maps.extend(observed.maps.keys().filter(|key| !kept.contains(key)).cloned());
    }
}

const CANNOT_CLOSE: &str = "the application's port stays open";
