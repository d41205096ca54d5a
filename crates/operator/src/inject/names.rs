//! Labels and annotations, as users write them and as we do.

/// Name of our container.
pub const CONTAINER: &str = "palisade";
/// Label of a namespace: `enabled` or `disabled`.
pub const NAMESPACE_LABEL: &str = "palisade.dev/injection";
/// Label of a pod: `true` or `false`. It wins over the namespace.
pub const POD_LABEL: &str = "palisade.dev/inject";

/// Annotation: name of a profile, whose ConfigMap `palisade-profile-NAME` is mounted.
pub const PROFILE: &str = "palisade.dev/profile";
/// Annotation: name of a ConfigMap with `palisade.yaml`, and the rule files that it names.
pub const CONFIG: &str = "palisade.dev/config";
/// Annotation: off, monitoring, safe_blocking or block.
pub const MODE: &str = "palisade.dev/mode";
/// Annotation: the application's port, by name or number.
pub const APP_PORT: &str = "palisade.dev/app-port";
/// Annotation: the port that the sidecar takes requests on.
pub const LISTEN_PORT: &str = "palisade.dev/listen-port";
/// Annotation: the sidecar's port for probes and metrics.
pub const PROBES_PORT: &str = "palisade.dev/probes-port";
/// Annotation: how traffic gets to the sidecar.
pub const STRATEGY: &str = "palisade.dev/strategy";
/// Annotation: `cpu=50m/1,memory=96Mi/512Mi`, requests and limits.
pub const RESOURCES: &str = "palisade.dev/resources";
/// Annotation, strategy port-swap: the variable that tells the application its port.
pub const APP_PORT_ENV: &str = "palisade.dev/app-port-env";
/// Annotation: ports that the NetworkPolicy leaves open, `9090,9091`.
pub const EXEMPT_PORTS: &str = "palisade.dev/exempt-ports";
/// Annotation that we write: what was done, in JSON.
pub const STATUS: &str = "palisade.dev/status";

/// kubectl's: the container that `logs` and `exec` mean.
pub(crate) const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// What our volumes' names begin with.
pub(crate) const VOLUME_PREFIX: &str = "palisade-";
/// What our annotations begin with.
pub(crate) const PREFIX: &str = "palisade.dev/";
/// Every annotation that a pod may carry.
pub(crate) const KNOWN: &[&str] = &[
    PROFILE,
    CONFIG,
    MODE,
    APP_PORT,
    LISTEN_PORT,
    PROBES_PORT,
    STRATEGY,
    RESOURCES,
    APP_PORT_ENV,
    EXEMPT_PORTS,
    STATUS,
];
