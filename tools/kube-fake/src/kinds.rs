//! What kinds there are: the built-in ones that tests need, what is served on request, and what CRDs add.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the cluster.
    Cluster,
    /// In a namespace each.
    Namespaced,
}

/// A served resource.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) group: String,
    /// All that are served; the first is preferred.
    pub(crate) versions: Vec<String>,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) scope: Scope,
    /// `/status` exists, and a plain write leaves it alone.
    pub(crate) status: bool,
    /// `metadata.generation` counts.
    pub(crate) generation: bool,
    /// An update has to say which version it is of.
    pub(crate) strict_update: bool,
    /// By a CRD, or on request: no strategic merge.
    pub(crate) custom: bool,
    /// JSON paths that a field selector may name, beside name and namespace.
    pub(crate) selectable: Vec<String>,
    /// Of the CRD's version.
    pub(crate) schema: Option<Arc<Value>>,
    pub(crate) short_names: Vec<String>,
}

impl Kind {
    /// `leases.coordination.k8s.io`, `configmaps`.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub(crate) fn details(&self, name: &str) -> Value {
        let mut details = json!({"name": name, "kind": self.plural});
        if !self.group.is_empty() {
            details["group"] = json!(self.group);
        }
        details
    }

    pub(crate) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }
}

/// Group and plural.
pub(crate) type Key = (String, String);

/// All that is served.
#[derive(Debug)]
pub(crate) struct Kinds(BTreeMap<Key, Arc<Kind>>);

impl Kinds {
    pub(crate) fn built_in() -> Kinds {
        let mut kinds = Kinds(BTreeMap::new());
        for &(group, version, plural, kind, scope, how) in BUILT_IN {
            kinds.add(Kind {
                group: group.to_owned(),
                versions: vec![version.to_owned()],
                plural: plural.to_owned(),
                singular: kind.to_lowercase(),
                kind: kind.to_owned(),
                scope,
                status: how.contains('s'),
                generation: how.contains('g'),
                strict_update: how.contains('u'),
                custom: false,
                selectable: selectable(plural),
                schema: None,
                short_names: Vec::new(),
            });
        }
        kinds
    }

    pub(crate) fn add(&mut self, kind: Kind) {
        self.0.insert((kind.group.clone(), kind.plural.clone()), Arc::new(kind));
    }

    pub(crate) fn remove(&mut self, group: &str, plural: &str) {
        self.0.remove(&(group.to_owned(), plural.to_owned()));
    }

    pub(crate) fn get(&self, group: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.0.get(&(group.to_owned(), plural.to_owned()))
    }

    pub(crate) fn of_object(&self, object: &Value) -> Option<&Arc<Kind>> {
        let (group, _) = split(object["apiVersion"].as_str()?);
        let kind = object["kind"].as_str()?;
        self.0.values().find(|known| known.group == group && known.kind == kind)
    }

    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.0.values().any(|kind| kind.group == group)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.0.values()
    }
}

/// `apps/v1` -> (`apps`, `v1`), `v1` -> (``, `v1`).
pub(crate) fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn selectable(plural: &str) -> Vec<String> {
    let fields: &[&str] = match plural {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "reason",
            "reportingController",
            "type",
        ],
        "namespaces" => &["status.phase"],
        "secrets" => &["type"],
        "services" => &["spec.clusterIP", "spec.type"],
        _ => &[],
    };
    fields.iter().map(|field| (*field).to_owned()).collect()
}

use Scope::{Cluster, Namespaced};

/// Group, version, plural, kind, scope; `s` has a status, `g` counts generations, `u` updates name their version.
const BUILT_IN: &[(&str, &str, &str, &str, Scope, &str)] = &[
    ("", "v1", "configmaps", "ConfigMap", Namespaced, ""),
    ("", "v1", "endpoints", "Endpoints", Namespaced, ""),
    ("", "v1", "events", "Event", Namespaced, ""),
    ("", "v1", "namespaces", "Namespace", Cluster, "s"),
    ("", "v1", "nodes", "Node", Cluster, "s"),
    ("", "v1", "pods", "Pod", Namespaced, "sg"),
    ("", "v1", "replicationcontrollers", "ReplicationController", Namespaced, "sg"),
    ("", "v1", "secrets", "Secret", Namespaced, ""),
    ("", "v1", "serviceaccounts", "ServiceAccount", Namespaced, ""),
    ("", "v1", "services", "Service", Namespaced, "s"),
    ("apps", "v1", "daemonsets", "DaemonSet", Namespaced, "sg"),
    ("apps", "v1", "deployments", "Deployment", Namespaced, "sg"),
    ("apps", "v1", "replicasets", "ReplicaSet", Namespaced, "sg"),
    ("apps", "v1", "statefulsets", "StatefulSet", Namespaced, "sg"),
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", Namespaced, "s"),
    ("batch", "v1", "cronjobs", "CronJob", Namespaced, "sg"),
    ("batch", "v1", "jobs", "Job", Namespaced, "sg"),
    (
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        Cluster,
        "g",
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        Cluster,
        "g",
    ),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", Cluster, "sg"),
    ("coordination.k8s.io", "v1", "leases", "Lease", Namespaced, "u"),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", Namespaced, "g"),
    ("events.k8s.io", "v1", "events", "Event", Namespaced, ""),
    ("networking.k8s.io", "v1", "ingressclasses", "IngressClass", Cluster, "g"),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", Namespaced, "sg"),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", Namespaced, "g"),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", Namespaced, "sg"),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", Cluster, ""),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", Cluster, ""),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", Namespaced, ""),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", Namespaced, ""),
];
