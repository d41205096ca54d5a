//! What whoever runs the injector says, for all pods.

use std::collections::{BTreeMap, BTreeSet};

use palisade_model::Mode;

use super::options::Resources;

/// How the sidecar stands in the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidecarForm {
    /// An init container that goes on running (`restartPolicy: Always`): on by default since Kubernetes 1.29.
    Native,
    /// An ordinary container, for API servers before.
    Plain,
}

impl SidecarForm {
    /// The form for an API server's version, major and minor.
    pub fn for_version(major: u32, minor: u32) -> Self {
        if (major, minor) >= (1, 29) { Self::Native } else { Self::Plain }
    }
}

/// The injector's settings. Options of a pod win over those of its namespace, those over these.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The image of the sidecar; its entry point is `palisade`.
    pub image: String,
    /// `Always`, `IfNotPresent` or `Never`; the API server's default when absent.
    pub image_pull_policy: Option<String>,
    /// How the sidecar stands in the pod.
    pub form: SidecarForm,
    /// The mode where neither an annotation nor a mounted configuration says it.
    pub mode: Mode,
    /// The port that sidecars listen on.
    pub listen_port: u16,
    /// The port for probes and metrics.
    pub probes_port: u16,
    /// The address that sidecars listen on: `0.0.0.0`, or `[::]` where pods have IPv6 alone.
    pub bind: String,
    /// A CRS folder in the image; only the detector inspects when absent.
    pub crs: Option<String>,
    /// What the sidecar asks for, and may take.
    pub resources: Resources,
    /// The user, and group, that the sidecar runs as. When absent the cluster chooses, as OpenShift wants it.
    pub run_as_user: Option<u32>,
    /// Seconds during which the sidecar goes on taking requests after its pod was told to end; at most half of the
    /// pod's own grace period.
    pub drain_seconds: u32,
    /// How large what the sidecar writes may become: bodies too large for memory, events.
    pub data_limit: String,
    /// Namespaces whose pods are never touched, our own among them.
    pub excluded_namespaces: BTreeSet<String>,
    /// Who gets a token for the sidecar, projected with this audience; no token when absent.
    pub token_audience: Option<String>,
    /// Labels of namespaces that may ask for metrics, in NetworkPolicies; nobody when absent.
    pub metrics_from: Option<BTreeMap<String, String>>,
}

impl Default for Settings {
    fn default() -> Self {
        let excluded = ["kube-system", "kube-public", "kube-node-lease", "palisade-system"];
        Self {
            image: "palisade".to_owned(),
            image_pull_policy: None,
            form: SidecarForm::Native,
            mode: Mode::Monitoring,
            listen_port: 16080,
            probes_port: 9902,
            bind: "0.0.0.0".to_owned(),
            crs: None,
            resources: Resources::default(),
            run_as_user: Some(65532),
            drain_seconds: 5,
            data_limit: "512Mi".to_owned(),
            excluded_namespaces: excluded.map(str::to_owned).into(),
            token_audience: None,
            metrics_from: None,
        }
    }
}

/// The namespace of a pod, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels. When absent whoever calls has chosen already (a webhook by its selectors, a user by a file), and only
    /// the pod's own label is asked.
    pub labels: Option<BTreeMap<String, String>>,
    /// Its annotations: options for its pods.
    pub annotations: BTreeMap<String, String>,
}

impl Namespace {
    /// A namespace of which only the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}
