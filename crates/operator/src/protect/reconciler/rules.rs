//! The rules of the ConfigMap that are in force: the last that were good, over restarts by a copy in our own namespace.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::super::names::Key;
use super::super::ruleset::{RULESET_NAME, RULESET_NAMESPACE, RuleFolder};
use super::reference;

/// What was made of the ConfigMaps.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The version that was looked at last, and what was wrong with it.
    looked_at: Option<(Option<String>, Option<String>)>,
    good: Option<Arc<RuleFolder>>,
    /// As they are in our copy.
    mirrored: Option<[u8; 32]>,
}

impl Rules {
    /// The rules that are to be in force. Compiles what is new.
    pub(super) fn of(
        &mut self,
        map: Option<Arc<ConfigMap>>,
        mirror: Option<Arc<ConfigMap>>,
    ) -> Option<Arc<RuleFolder>> {
        let copy = mirror.and_then(|mirror| RuleFolder::of(&mirror).ok());
        self.mirrored = copy.as_ref().map(RuleFolder::digest);
        let Some(map) = map else {
            // Without it the usual profile inspects; the copy is of what was.
            (self.looked_at, self.good) = (None, None);
            return None;
        };
        let version = map.metadata.resource_version.clone();
        if self.looked_at.as_ref().is_some_and(|(looked, _)| *looked == version) {
            return self.good.clone();
        }
        let checked = RuleFolder::of(&map).and_then(|folder| folder.check().map(|()| folder));
        let error = match checked {
            Ok(folder) => {
                self.good = Some(Arc::new(folder));
                None
            }
            Err(error) => {
                self.good = self.good.take().or_else(|| copy.map(Arc::new));
                let kept = match &self.good {
                    Some(_) => "the rules before it stay in force",
                    None => "the usual profile inspects",
                };
                Some(format!("{}: {error}; {kept}", error.reason()))
            }
        };
        self.looked_at = Some((version, error));
        self.good.clone()
    }

    /// What is wrong with the ConfigMap.
    pub(super) fn refused(&self) -> Option<(ObjectReference, String)> {
        let (_, error) = self.looked_at.as_ref()?;
        let key = Key::new(RULESET_NAMESPACE, RULESET_NAME);
        Some((reference("v1", "ConfigMap", &key, None), error.clone()?))
    }

    /// Our copy, where it is not what is in force.
    pub(super) fn to_mirror(&self, namespace: &str) -> Option<ConfigMap> {
        let good = self.good.as_ref().filter(|good| self.mirrored != Some(good.digest()))?;
        let mut data = BTreeMap::new();
        let mut binary = BTreeMap::new();
        for (name, content) in good.files() {
            match std::str::from_utf8(content) {
                Ok(text) => drop(data.insert(name.to_owned(), text.to_owned())),
                Err(_) => drop(binary.insert(name.to_owned(), k8s_openapi::ByteString(content.to_vec()))),
            }
        }
        Some(ConfigMap {
            metadata: ObjectMeta {
                name: Some(RULESET_NAME.to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(data),
            binary_data: Some(binary).filter(|binary| !binary.is_empty()),
            immutable: None,
        })
    }
}
