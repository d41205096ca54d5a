//! Pods that stay as they are, and why.

use std::fmt;

use serde_json::Value;

use super::names::{CONTAINER, NAMESPACE_LABEL, POD_LABEL};
use super::plan::Status;
use super::settings::{Namespace, Settings};
use super::view;

/// Why a pod has no sidecar of ours. [`Skip::reason`] is the word for metrics, the text of `Display` is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skip {
    /// It has the sidecar that it would get.
    AlreadyInjected,
    /// Its namespace is left alone: our own, or the system's.
    ExcludedNamespace,
    /// It is on its node's network, whose ports it shares with others.
    HostNetwork,
    /// Somebody wrote the sidecar by hand.
    ManualSidecar,
    /// A copy of a pod that a kubelet runs from a file or URL: what is changed in it is not what runs.
    MirrorPod,
    /// Its namespace has no label that asks for injection.
    NamespaceNotEnabled,
    /// No TCP port is declared, so that there is nothing to stand in front of.
    NoPort,
    /// Its label says `false`.
    OptedOut,
    /// It runs on Windows.
    Windows,
}

impl Skip {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::AlreadyInjected,
        Self::ExcludedNamespace,
        Self::HostNetwork,
        Self::ManualSidecar,
        Self::MirrorPod,
        Self::NamespaceNotEnabled,
        Self::NoPort,
        Self::OptedOut,
        Self::Windows,
    ];

    /// The word for metrics and logs.
    pub fn reason(self) -> &'static str {
        match self {
            Self::AlreadyInjected => "already-injected",
            Self::ExcludedNamespace => "excluded-namespace",
            Self::HostNetwork => "host-network",
            Self::ManualSidecar => "manual-sidecar",
            Self::MirrorPod => "mirror-pod",
            Self::NamespaceNotEnabled => "namespace-not-enabled",
            Self::NoPort => "no-port",
            Self::OptedOut => "opted-out",
            Self::Windows => "windows",
        }
    }

    /// Whether somebody may have expected otherwise, so that it is worth a warning.
    pub fn is_surprising(self) -> bool {
        matches!(self, Self::HostNetwork | Self::ManualSidecar | Self::NoPort | Self::Windows)
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyInjected => "it has the sidecar already",
            Self::ExcludedNamespace => "its namespace is left alone",
            Self::HostNetwork => "it is on its node's network (hostNetwork)",
            Self::ManualSidecar => "it has a sidecar that somebody wrote by hand",
            Self::MirrorPod => "it is run from a file of its node; what is changed here would not run",
            Self::NamespaceNotEnabled => "its namespace has no label palisade.dev/injection: enabled",
            Self::NoPort => {
                "no container declares a TCP port; name the application's by the annotation palisade.dev/app-port"
            }
            Self::OptedOut => "its label palisade.dev/inject says false",
            Self::Windows => "it runs on Windows",
        })
    }
}

/// Whether a pod is to be left alone, as far as can be seen without reading its options.
pub(super) fn before_reading(pod: &Value, namespace: &Namespace, settings: &Settings) -> Option<Skip> {
    if settings.excluded_namespaces.contains(&namespace.name) {
        return Some(Skip::ExcludedNamespace);
    }
    let annotation = |name: &str| view::text(pod, &["metadata", "annotations", name]);
    let from_node = annotation("kubernetes.io/config.mirror").is_some()
        || annotation("kubernetes.io/config.source").is_some_and(|source| source != "api");
    if from_node {
        return Some(Skip::MirrorPod);
    }
    match view::text(pod, &["metadata", "labels", POD_LABEL]) {
        Some("false") => return Some(Skip::OptedOut),
        // What is neither is denied where options are read.
        Some(_) => {}
        None => {
            let labels = namespace.labels.as_ref();
            let enabled = |label: Option<&String>| label.is_some_and(|label| label == "enabled");
            if labels.is_some_and(|labels| !enabled(labels.get(NAMESPACE_LABEL))) {
                return Some(Skip::NamespaceNotEnabled);
            }
        }
    }
    let spec = |path: &[&str]| view::at(pod.get("spec")?, path);
    if spec(&["hostNetwork"]).is_some_and(|value| value.as_bool() == Some(true)) {
        return Some(Skip::HostNetwork);
    }
    let is_windows = |path: &[&str]| spec(path).and_then(Value::as_str) == Some("windows");
    if is_windows(&["os", "name"]) || is_windows(&["nodeSelector", "kubernetes.io/os"]) {
        return Some(Skip::Windows);
    }
    let ours = view::find(pod, CONTAINER).is_some();
    let by_hand = if ours { Status::of(pod).is_none() } else { has_known_firewall(pod) };
    by_hand.then_some(Skip::ManualSidecar)
}

/// Whether a container is a firewall of the sort that people write beside their application: ours, or an image whose
/// place we take, told where its application is.
fn has_known_firewall(pod: &Value) -> bool {
    view::list(pod, &["spec", "containers"]).iter().chain(view::list(pod, &["spec", "initContainers"])).any(
        |container| {
            let image = view::text(container, &["image"]).unwrap_or_default();
            let name = image.rsplit('/').next().unwrap_or_default();
            let name = name.split(['@', ':']).next().unwrap_or_default();
            let told = view::list(container, &["env"]).iter().filter_map(view::name).any(|variable| {
                matches!(
                    variable,
                    "PROXYLOCATION" | "UPSTREAM" | "BACKEND" | "PALISADE_UPSTREAM" | "PALISADE_CONFIG"
                )
            });
            told && matches!(name, "palisade" | "modsecurity-crs")
        },
    )
}
