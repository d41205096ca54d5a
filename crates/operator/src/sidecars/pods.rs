//! Pods as far as it matters whether they have their sidecar.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::Value;

use crate::inject::{Injection, NAMESPACE_LABEL, Namespace, POD_LABEL, Settings, Skip, has_sidecar, inject};
use crate::protect::{Key, controller};

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Which.
    pub key: Key,
    /// The one of that name.
    pub uid: String,
    /// What keeps it: kind and name.
    pub controller: Option<(String, String)>,
    /// What its own label says.
    pub label: Option<bool>,
    /// Whether it has a sidecar.
    pub standing: Standing,
}

/// Whether a pod has its sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has one of ours.
    Injected,
    /// It would get none.
    Skipped,
    /// It would get one, and has none: it is older than its label, or nobody answered when it was made.
    Without,
    /// It has ended.
    Ended,
}

impl Pod {
    /// Reads a pod of the API.
    pub(super) fn read(object: DynamicObject) -> Self {
        let standing = serde_json::to_value(&object).map_or(Standing::Skipped, |pod| standing(&pod));
        let meta = object.metadata;
        let label = meta.labels.as_ref().and_then(|labels| labels.get(POD_LABEL));
        Self {
            key: Key::of(&meta),
            controller: controller(&meta),
            label: label.and_then(|label| label.parse().ok()),
            uid: meta.uid.unwrap_or_default(),
            standing,
        }
    }

    /// Whether it should have had a sidecar and has none. `labels` are those of its namespace.
    pub fn is_missing_one(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let of_namespace =
            || labels.and_then(|labels| labels.get(NAMESPACE_LABEL)).is_some_and(|label| label == "enabled");
        self.standing == Standing::Without && self.label.unwrap_or_else(of_namespace)
    }
}

/// Of a whole pod. What its namespace says is asked later, when it is known.
fn standing(pod: &Value) -> Standing {
    if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return Standing::Ended;
    }
    if has_sidecar(pod) {
        return Standing::Injected;
    }
    let everywhere = Settings { excluded_namespaces: [].into(), ..Settings::default() };
    match inject(pod, &Namespace::default(), &everywhere) {
        // What would be denied was made where nobody denied it.
        Injection::Patched { .. } | Injection::Denied(_) => Standing::Without,
        Injection::Skipped(Skip::AlreadyInjected) => Standing::Injected,
        Injection::Skipped(_) => Standing::Skipped,
    }
}
