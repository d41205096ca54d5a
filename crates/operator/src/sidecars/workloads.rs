//! Workloads that are rolled: a label and annotations on the template of their pods, by server-side apply without force, so
//! that what somebody else wrote there wins and is told.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::{Map, Value, json};

use super::{CLOSE_PORT, PROTECTED_BY};
use crate::inject::{MODE, POD_LABEL, PROFILE};
use crate::kinds::Attachment;
use crate::protect::Key;

/// Kinds whose templates are written, with their plurals; all of `apps/v1`.
pub const KINDS: [(&str, &str); 3] =
    [("Deployment", "deployments"), ("StatefulSet", "statefulsets"), ("DaemonSet", "daemonsets")];

/// A workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// Its kind.
    pub kind: &'static str,
    /// Which.
    pub key: Key,
    /// The one of that name.
    pub uid: String,
    /// The `Protection` that its template follows.
    pub protected_by: Option<String>,
    /// Whether the application's port is to be closed.
    pub closes: bool,
    /// `spec.selector`.
    pub selector: Value,
    /// Labels of its template.
    pub labels: BTreeMap<String, String>,
    /// Annotations of its template that are ours to read.
    pub annotations: BTreeMap<String, String>,
    /// The whole template, of one whose port is to be closed.
    pub template: Value,
}

/// A write to a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Roll {
    /// Its kind.
    pub kind: &'static str,
    /// Which.
    pub key: Key,
    /// All that we want of it; what we wanted before and do not any more goes.
    pub intention: Value,
}

impl Workload {
    /// Takes away all but what [`Workload::read`] reads.
    pub(super) fn slim(object: &mut DynamicObject) {
        let meta = &mut object.metadata;
        meta.managed_fields = None;
        meta.labels = None;
        for annotations in meta.annotations.iter_mut() {
            annotations.retain(|name, _| name.starts_with("palisade.dev/"));
        }
        let closes = meta
            .annotations
            .as_ref()
            .and_then(|all| all.get(CLOSE_PORT))
            .is_some_and(|value| value == "true");
        let spec = &object.data["spec"];
        let template =
            if closes { spec["template"].clone() } else { json!({"metadata": spec["template"]["metadata"]}) };
        object.data = json!({"spec": {"selector": spec["selector"], "template": template}});
    }

    /// A workload that [`Workload::slim`] left.
    pub(super) fn read(kind: &'static str, object: &DynamicObject) -> Self {
        let annotation = |name: &str| object.metadata.annotations.as_ref()?.get(name).cloned();
        let spec = &object.data["spec"];
        let texts = |map: &Value| {
            let map = map.as_object().into_iter().flatten();
            map.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        let closes = annotation(CLOSE_PORT).is_some_and(|value| value == "true");
        Self {
            kind,
            key: Key::of(&object.metadata),
            uid: object.metadata.uid.clone().unwrap_or_default(),
            protected_by: annotation(PROTECTED_BY),
            closes,
            selector: spec["selector"].clone(),
            labels: texts(&spec["template"]["metadata"]["labels"]),
            annotations: texts(&spec["template"]["metadata"]["annotations"]),
            template: if closes { spec["template"].clone() } else { Value::Null },
        }
    }

    /// What is to be written so that it follows a `Protection`, or none any more; `None` where it does.
    pub fn roll(&self, by: Option<&Attachment>) -> Option<Roll> {
        let mut metadata = json!({"name": self.key.name, "namespace": self.key.namespace});
        let Some(by) = by else {
            self.protected_by.as_ref()?;
            return Some(self.written(json!({"metadata": metadata})));
        };
        let said = [(PROFILE, &by.profile), (MODE, &by.mode)];
        let follows = self.protected_by.as_ref() == Some(&by.name)
            && self.labels.get(POD_LABEL).is_some_and(|label| label == "true")
            && said.iter().all(|(name, value)| self.annotations.get(*name) == value.as_ref());
        if follows {
            return None;
        }
        metadata["annotations"] = json!({PROTECTED_BY: by.name});
        let annotations: Map<String, Value> = said
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))))
            .collect();
        let template = json!({"metadata": {"labels": {POD_LABEL: "true"}, "annotations": annotations}});
        Some(self.written(json!({"metadata": metadata, "spec": {"template": template}})))
    }

    fn written(&self, mut intention: Value) -> Roll {
        intention["apiVersion"] = json!("apps/v1");
        intention["kind"] = json!(self.kind);
        Roll { kind: self.kind, key: self.key.clone(), intention }
    }
}
