//! `WafProfile`s of a cluster, with the rules that they name. Rules that stay are not compiled again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::DynamicObject;
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::Notify;

use super::watched::{Watched, resource};
use crate::kinds::{self, GROUP, RULE_SET, Rules, VERSION, WAF_PROFILE};

/// Namespace and name.
type Name = (String, String);

/// Profiles, rule sets, and the ConfigMaps that hold rules.
#[derive(Debug)]
pub struct Profiles {
    profiles: Watched<DynamicObject>,
    rule_sets: Watched<DynamicObject>,
    rule_maps: Watched<ConfigMap>,
    /// What rule sets hold, and whether it compiles.
    compiled: Mutex<BTreeMap<Name, (Rules, bool)>>,
}

/// A `WafProfile`.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The one of that name.
    pub uid: String,
    /// As it is written.
    pub spec: Value,
    /// As a profile of a configuration, with the files of the rule sets that it names. `None`: one of them cannot be used.
    pub resolved: Option<(Value, BTreeMap<String, String>)>,
}

impl Profiles {
    /// Begins to watch.
    pub fn watch(client: &Client, changed: &Arc<Notify>) -> Self {
        let ours = |(kind, plural): (&str, &str)| {
            let api = Api::<DynamicObject>::all_with(client.clone(), &resource(GROUP, VERSION, kind, plural));
            Watched::slim(api, watcher::Config::default(), changed.clone(), |object| {
                object.metadata.managed_fields = None;
            })
        };
        let labelled = watcher::Config::default().labels("palisade.dev/rules=true");
        Self {
            profiles: ours(WAF_PROFILE),
            rule_sets: ours(RULE_SET),
            rule_maps: Watched::start(Api::all(client.clone()), labelled, changed.clone()),
            compiled: Mutex::default(),
        }
    }

    /// Everything was read once.
    pub fn is_read(&self) -> bool {
        self.profiles.is_read() && self.rule_sets.is_read() && self.rule_maps.is_read()
    }

    /// All profiles. Compiles rules that are new.
    pub fn all(&self) -> Vec<Profile> {
        let rules = self.rules();
        let profile = |object: &Arc<DynamicObject>| {
            let (namespace, name) = name_of(object);
            let spec = object.data["spec"].clone();
            let named = |set: &str| rules.get(&(namespace.clone(), set.to_owned()));
            let resolved = kinds::resolved(&namespace, &spec, named).ok();
            Profile { uid: object.metadata.uid.clone().unwrap_or_default(), namespace, name, spec, resolved }
        };
        self.profiles.all().iter().map(profile).collect()
    }

    /// Rule sets that compile.
    fn rules(&self) -> BTreeMap<Name, Rules> {
        let mut before = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeMap::new();
        for object in self.rule_sets.all() {
            let name = name_of(&object);
            let map = |map: &str| Some(self.rule_maps.get(&name.0, map)?.data.clone().unwrap_or_default());
            let Ok(rules) = kinds::rule_files(&object.data["spec"], map) else { continue };
            let known = before.get(&name).filter(|(known, _)| *known == rules).map(|(_, fine)| *fine);
            let fine = known.unwrap_or_else(|| kinds::compile(&rules).is_ok());
            now.insert(name, (rules, fine));
        }
        *before = now;
        let fine = before.iter().filter(|(_, (_, fine))| *fine);
        fine.map(|(name, (rules, _))| (name.clone(), rules.clone())).collect()
    }
}

fn name_of(object: &DynamicObject) -> Name {
    let meta = &object.metadata;
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}
