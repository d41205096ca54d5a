//! Sidecars as a cluster's objects ask for them: what the webhook, which only sees a pod when it is made, cannot do.
//!
//! ```text
//!  Protections of strategy sidecar ──> label and annotations on the pod templates of workloads: they are rolled
//!  WafProfiles                     ──> ConfigMaps palisade-profile-NAME, which sidecars mount
//!  palisade.dev/close-port         ──> a NetworkPolicy that closes the application's own port
//!  pods without the sidecar that they should have ──> a metric, an event, a condition
//! ```
//!
//! [`plan()`] is a function of what was observed; [`reconciler`] reads and writes. Everything that is written says that it is
//! ours, and goes, or goes back, when nobody asks for it any more.

mod closing;
mod maps;
mod plan;
mod pods;
pub mod reconciler;
mod workloads;

pub use maps::{CONFIG_MAP_BYTES_MAX, profile_map};
pub use plan::{Injected, Observed, Plan, plan};
pub use pods::{Pod, Standing};
pub use workloads::{KINDS, Roll, Workload};

/// Annotation of a workload: `true` closes the application's own port to all but its sidecar.
pub const CLOSE_PORT: &str = "palisade.dev/close-port";
/// Annotation that we write on a workload: the `Protection` that its template follows.
pub const PROTECTED_BY: &str = "palisade.dev/protected-by";
/// Annotation that we write on a NetworkPolicy: kind and name of the workload that it is of.
pub const CLOSES: &str = "palisade.dev/closes";
/// Label of everything that we write.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "palisade");
/// Who writes: of every field that we own here.
pub const FIELD_MANAGER: &str = "palisade-sidecars";
/// The type of the condition on `Protection`s.
pub const INJECTED_CONDITION: &str = "Injected";
