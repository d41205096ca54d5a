//! Services that are not protected although somebody asks for it, and why.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::names::{Key, ORIGINAL_SELECTOR, annotation};

/// Why a Service is left as it is. [`Refusal::reason`] is what stands in conditions, events and metrics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The cluster's own services, and those of who runs its network.
    #[error("services of namespace {0} belong to the system and are left alone")]
    SystemNamespace(String),
    /// Ours.
    #[error("namespace {0} is our own")]
    OwnNamespace(String),
    /// The API server.
    #[error("default/kubernetes is the API server")]
    ApiServer,
    /// It has no address of its own that could lead elsewhere.
    #[error("a headless Service has no address that could lead to the pool: its clients ask for the pods")]
    Headless,
    /// It is a name.
    #[error("an ExternalName Service is a name of something outside the cluster")]
    ExternalName,
    /// Nobody knows what is behind it.
    #[error("it has no selector: its endpoints are made by hand or by another controller")]
    NoSelector,
    /// There is nothing to protect.
    #[error("it has no ports")]
    NoPorts,
    /// Not TCP.
    #[error("port {port} speaks {protocol}, and only TCP can be inspected")]
    NotTcp {
        /// The port.
        port: String,
        /// Its protocol.
        protocol: String,
    },
    /// Not HTTP in clear text.
    #[error("port {port} is said to speak {protocol}, and only HTTP in clear text can be inspected")]
    NotHttp {
        /// The port.
        port: String,
        /// What it is said to speak.
        protocol: String,
    },
    /// Its pods have the addresses of nodes.
    #[error("all its pods are on the host's network: policies cannot tell them from their nodes")]
    HostNetwork,
    /// Its clients are led to pods of their own node only.
    #[error("{0} is Local, and the pool does not run on every node")]
    LocalTraffic(&'static str),
    /// The annotation has a value that means nothing.
    #[error("annotation {annotation} is {value:?}: write \"true\" or \"false\"")]
    Annotation {
        /// Its name.
        annotation: &'static str,
        /// Its value.
        value: String,
    },
    /// There are more ports than the pool has.
    #[error("the pool has no port left for port {0}")]
    NoPoolPort(String),
}

impl Refusal {
    /// One word.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::SystemNamespace(_) => "SystemNamespace",
            Self::OwnNamespace(_) => "OwnNamespace",
            Self::ApiServer => "ApiServer",
            Self::Headless => "Headless",
            Self::ExternalName => "ExternalName",
            Self::NoSelector => "NoSelector",
            Self::NoPorts => "NoPorts",
            Self::NotTcp { .. } => "NotTcp",
            Self::NotHttp { .. } => "NotHttp",
            Self::HostNetwork => "HostNetwork",
            Self::LocalTraffic(_) => "LocalTraffic",
            Self::Annotation { .. } => "InvalidAnnotation",
            Self::NoPoolPort(_) => "NoPoolPort",
        }
    }
}

/// What a refusal depends on beside the Service.
#[derive(Clone, Copy, Debug)]
pub struct Grounds<'a> {
    /// Our namespace.
    pub own_namespace: &'a str,
    /// Whether the pool runs on every node.
    pub pool_on_every_node: bool,
    /// Whether there are pods behind the Service, all of them on the host's network.
    pub only_host_network: bool,
}

/// Why a Service cannot be protected, if so.
pub fn refusal(service: &Service, grounds: &Grounds<'_>) -> Option<Refusal> {
    let key = Key::of(&service.metadata);
    if key.namespace == grounds.own_namespace {
        return Some(Refusal::OwnNamespace(key.namespace));
    }
    if is_of_system(&key.namespace) {
        return Some(Refusal::SystemNamespace(key.namespace));
    }
    if (key.namespace.as_str(), key.name.as_str()) == ("default", "kubernetes") {
        return Some(Refusal::ApiServer);
    }
    let spec = service.spec.as_ref()?;
    if spec.type_.as_deref() == Some("ExternalName") {
        return Some(Refusal::ExternalName);
    }
    if spec.cluster_ip.as_deref() == Some("None") {
        return Some(Refusal::Headless);
    }
    let selects = spec.selector.as_ref().is_some_and(|selector| !selector.is_empty());
    if !selects && annotation(&service.metadata, ORIGINAL_SELECTOR).is_none() {
        return Some(Refusal::NoSelector);
    }
    let ports = spec.ports.as_deref().unwrap_or_default();
    if ports.is_empty() {
        return Some(Refusal::NoPorts);
    }
    if let Some(refusal) = ports.iter().find_map(of_port) {
        return Some(refusal);
    }
    if grounds.only_host_network {
        return Some(Refusal::HostNetwork);
    }
    let policies = [
        ("internalTrafficPolicy", &spec.internal_traffic_policy),
        ("externalTrafficPolicy", &spec.external_traffic_policy),
    ];
    let local = policies.iter().find(|(_, policy)| policy.as_deref() == Some("Local"));
    local.filter(|_| !grounds.pool_on_every_node).map(|(name, _)| Refusal::LocalTraffic(name))
}

/// Namespaces of clusters, of Calico, and of OpenShift.
pub(crate) fn is_of_system(namespace: &str) -> bool {
    const NAMES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "openshift"];
    const BEGINNINGS: [&str; 3] = ["calico-", "tigera-", "openshift-"];
    NAMES.contains(&namespace) || BEGINNINGS.iter().any(|beginning| namespace.starts_with(beginning))
}

fn of_port(port: &ServicePort) -> Option<Refusal> {
    let name = || match &port.name {
        Some(name) if !name.is_empty() => format!("{} ({name})", port.port),
        _ => port.port.to_string(),
    };
    if let Some(protocol) = port.protocol.as_deref().filter(|protocol| *protocol != "TCP") {
        return Some(Refusal::NotTcp { port: name(), protocol: protocol.to_owned() });
    }
    let protocol = spoken(port)?;
    (!is_plain_http(protocol)).then(|| Refusal::NotHttp { port: name(), protocol: protocol.to_owned() })
}

/// What a port says it speaks: by `appProtocol`, or by its name as Istio reads it (`https-web`, `mysql`), where that begins
/// with a protocol that is known. A port that says nothing may be HTTP.
pub(super) fn spoken(port: &ServicePort) -> Option<&str> {
    if let Some(protocol) = port.app_protocol.as_deref() {
        return Some(protocol);
    }
    let name = port.name.as_deref()?;
    let first = name.split('-').next().unwrap_or(name);
    (is_plain_http(first) || OTHERS.contains(&first)).then_some(first)
}

fn is_plain_http(protocol: &str) -> bool {
    matches!(
        protocol,
        "http" | "http2" | "h2c" | "grpc" | "ws" | "kubernetes.io/h2c" | "kubernetes.io/ws" | "grpc-web"
    )
}

/// Whether a port says that it is spoken to in HTTP/2.
pub(super) fn is_http2(port: &ServicePort) -> bool {
    matches!(spoken(port), Some("http2" | "h2c" | "grpc" | "kubernetes.io/h2c"))
}

/// First words of port names that say that it is not HTTP in clear text.
const OTHERS: [&str; 15] = [
    "https",
    "tls",
    "tcp",
    "udp",
    "mysql",
    "postgres",
    "postgresql",
    "redis",
    "mongo",
    "mongodb",
    "amqp",
    "kafka",
    "ldap",
    "smtp",
    "dns",
];
