//! Policies and the objects that they are about, as files of a bundle: what the policy engine reads, and no more of it.
//!
//! Policies are a file each, so that one change is one file; pods and service accounts are a file a namespace. One policy that
//! cannot be read never harms another: in its place stands one that selects the same and allows nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use palisade_policy::read_objects;
use serde_json::{Map, Value, json};

use super::names::Key;
use super::pods::Pod;

/// Files by their names in a bundle, and what is to be said about objects.
#[derive(Clone, Debug, Default)]
pub struct PolicyFiles {
    /// Name and text.
    pub files: BTreeMap<String, String>,
    /// Policies that cannot be used as they are: what they are called, and why.
    pub unusable: Vec<(String, String)>,
}

/// Makes the files.
pub fn policy_files<'a>(
    policies: impl Iterator<Item = &'a Value>,
    namespaces: impl Iterator<Item = &'a Namespace>,
    accounts: impl Iterator<Item = &'a ServiceAccount>,
    pods: impl Iterator<Item = &'a Pod>,
) -> PolicyFiles {
    let mut made = PolicyFiles::default();
    policies.for_each(|policy| made.policy(policy));
    let mut lists: BTreeMap<String, Vec<Cow<'_, str>>> = BTreeMap::new();
    for namespace in namespaces {
        let name = Key::of(&namespace.metadata).name;
        let metadata = json!({"name": name, "labels": namespace.metadata.labels});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        lists.entry("namespaces".to_owned()).or_default().push(object.to_string().into());
    }
    for account in accounts {
        let key = Key::of(&account.metadata);
        let metadata =
            json!({"name": key.name, "namespace": key.namespace, "labels": account.metadata.labels});
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
        lists.entry(format!("accounts.{}", key.namespace)).or_default().push(object.to_string().into());
    }
    for pod in pods {
        if let Some(object) = &pod.for_policies {
            lists.entry(format!("pods.{}", pod.key.namespace)).or_default().push((**object).into());
        }
    }
    for (name, items) in lists {
        let list = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{}]}}"#, items.join(","));
        made.files.insert(format!("policies/{name}.yaml"), list);
    }
    made
}

/// What policies ask of a pod: who it is, which addresses and named ports it has. Pods that have ended have none.
pub(super) fn pod_object(pod: &Pod) -> Option<Value> {
    if pod.addresses.is_empty() || pod.has_ended {
        return None;
    }
    let named = pod
        .ports
        .iter()
        .map(|port| json!({"name": port.name, "containerPort": port.number, "protocol": port.protocol}));
    let named: Vec<_> = named.collect();
    let mut of_pod = json!({"serviceAccountName": pod.account.as_deref().unwrap_or("default")});
    if pod.on_host {
        of_pod["hostNetwork"] = json!(true);
    }
    if !named.is_empty() {
        of_pod["containers"] = json!([{"name": "all", "ports": named}]);
    }
    let ips: Vec<_> = pod.addresses.iter().map(|address| json!({"ip": address.to_string()})).collect();
    Some(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": pod.key.name, "namespace": pod.key.namespace, "labels": pod.labels()},
        "spec": of_pod, "status": {"podIPs": ips},
    }))
}

impl PolicyFiles {
    fn policy(&mut self, object: &Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let (Some(api), Some(kind), Some(name)) =
            (text("/apiVersion"), text("/kind"), text("/metadata/name"))
        else {
            return;
        };
        let namespace = text("/metadata/namespace");
        let owner = if api.contains("projectcalico.org") { "calico" } else { "kubernetes" };
        let file = match namespace {
            Some(namespace) => format!("policies/{owner}.{kind}.{namespace}.{name}.yaml"),
            None => format!("policies/{owner}.{kind}.{name}.yaml"),
        };
        let mut metadata = Map::new();
        for field in ["name", "namespace", "labels"] {
            if let Some(value) =
                object.pointer(&format!("/metadata/{field}")).filter(|value| !value.is_null())
            {
                metadata.insert(field.to_owned(), value.clone());
            }
        }
        let spec = object.get("spec").cloned().unwrap_or_else(|| json!({}));
        let pruned = json!({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}).to_string();
        let Some(why) = unreadable(&pruned) else {
            self.files.insert(file, pruned);
            return;
        };
        let closed = closed(api, kind, &Value::Object(metadata), &spec).map(|object| object.to_string());
        let what = namespace
            .map_or_else(|| format!("{kind} {name}"), |namespace| format!("{kind} {namespace}/{name}"));
        match closed.filter(|text| unreadable(text).is_none()) {
            Some(text) => {
                self.files.insert(file, text);
                self.unusable
                    .push((what, format!("{why}; until it is mended, what it selects allows nothing by it")));
            }
            None => self.unusable.push((what, format!("{why}; it is left out"))),
        }
    }
}

/// Why the policy engine does not take an object.
fn unreadable(text: &str) -> Option<String> {
    let read = read_objects(text.as_bytes());
    if !read.unreadable && read.refused.is_empty() && read.objects.len() + read.ignored > 0 {
        return None;
    }
    let said = read.diagnostics.first().map(|diagnostic| diagnostic.message.clone());
    Some(said.unwrap_or_else(|| "it cannot be read".to_owned()).chars().take(300).collect())
}

/// A policy that selects what another does, and has no rule.
fn closed(api: &str, kind: &str, metadata: &Value, spec: &Value) -> Option<Value> {
    let kept: &[&str] = match kind {
        "NetworkPolicy" if api == "networking.k8s.io/v1" => &["podSelector"],
        "NetworkPolicy" | "GlobalNetworkPolicy" => {
            &["tier", "order", "selector", "namespaceSelector", "serviceAccountSelector"]
        }
        _ => return None,
    };
    let mut closed = Map::new();
    for field in kept {
        if let Some(value) = spec.get(*field) {
            closed.insert((*field).to_owned(), value.clone());
        }
    }
    let types = if api == "networking.k8s.io/v1" { "policyTypes" } else { "types" };
    closed.insert(types.to_owned(), json!(["Ingress"]));
    Some(json!({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": closed}))
}
