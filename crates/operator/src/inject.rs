//! A sidecar for a pod: the pod as it was asked for in, the pod with Palisade before its application out.
//!
//! One pure function, [`inject`]. The admission server calls it, and so does `palisade inject` on manifests. It works on
//! JSON as it came, so that fields which this version does not know stay as they are, and changes nothing but what
//! `docs/guide/injection.md` says: our container and volumes, the name of the application's port (and its number where
//! ports are swapped), probes and hooks that lead to that port, two annotations.
//!
//! ```text
//!  pod ──skip?──> plan (strategy, ports, options) ──> takeover: the application's container
//!                   ▲                            └──> sidecar: our container and volumes ──> pod ──diff──> patch
//!                   └── status annotation of an earlier injection: ports stay, the sidecar is made anew
//! ```
//!
//! No clock, no cluster: what a Service does with a port is not known here.

mod names;
mod network;
mod options;
mod patch;
mod plan;
mod probes;
mod settings;
mod sidecar;
mod skip;
mod takeover;
mod view;
mod workload;

#[cfg(test)]
mod tests;

pub use names::{
    APP_PORT, APP_PORT_ENV, CONFIG, CONTAINER, EXEMPT_PORTS, LISTEN_PORT, MODE, NAMESPACE_LABEL, POD_LABEL,
    PROBES_PORT, PROFILE, RESOURCES, STATUS, STRATEGY,
};
pub use network::{NetworkPolicyError, network_policy};
pub use options::{Amount, Resources};
pub use patch::{PatchError, apply, diff};
pub use plan::{Status, Strategy};
pub use settings::{Namespace, Settings, SidecarForm};
pub use skip::Skip;
pub use workload::{Workload, each_workload};

use serde_json::{Map, Value, json};

pub(crate) use options::shown;

use options::Options;
use plan::Plan;

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Injection {
    /// It has a sidecar now.
    Patched {
        /// The whole pod.
        pod: Value,
        /// The same as a JSON Patch (RFC 6902) of the pod that came.
        patch: Value,
        /// What was done with which ports.
        status: Status,
        /// What the author should know; one line each.
        warnings: Vec<String>,
    },
    /// It stays as it is.
    Skipped(Skip),
    /// It must not run like this: what is wrong, and what to write instead.
    Denied(String),
}

/// Puts a sidecar into a pod. `pod` has `metadata` and `spec`, as a Pod or the template of a Deployment does.
///
/// What is not a pod at all is denied. The cost is linear in the size of the pod; nothing panics.
pub fn inject(pod: &Value, namespace: &Namespace, settings: &Settings) -> Injection {
    if let Some(skip) = skip::before_reading(pod, namespace, settings) {
        return Injection::Skipped(skip);
    }
    injected(pod, namespace, settings).unwrap_or_else(|no| match no {
        No::Skip(skip) => Injection::Skipped(skip),
        No::Deny(message) => Injection::Denied(message),
    })
}

/// Whether a pod has a sidecar that was injected.
pub fn has_sidecar(pod: &Value) -> bool {
    Status::of(pod).is_some() && view::find(pod, CONTAINER).is_some()
}

/// Why there is no injection.
#[derive(Debug)]
pub(crate) enum No {
    Skip(Skip),
    Deny(String),
}

fn deny<T>(message: impl Into<String>) -> Result<T, No> {
    Err(No::Deny(message.into()))
}

fn injected(pod: &Value, namespace: &Namespace, settings: &Settings) -> Result<Injection, No> {
    if !pod.get("spec").is_some_and(|spec| spec.get("containers").is_some_and(Value::is_array)) {
        return deny("this is no pod: it has no list `spec.containers`");
    }
    for map in ["metadata", "spec"] {
        if pod.get(map).is_some_and(|value| !value.is_object()) {
            return deny(format!("this is no pod: `{map}` is no mapping"));
        }
    }
    let options = Options::read(pod, namespace, settings)?;
    let earlier = Status::of(pod).filter(|_| view::find(pod, CONTAINER).is_some());
    let mut after = pod.clone();
    let plan = match &earlier {
        Some(status) => {
            sidecar::remove(&mut after);
            Plan::again(&after, status, &options, settings)?
        }
        None => {
            let plan = Plan::new(&after, &options, namespace, settings)?;
            takeover::apply(&mut after, &plan)?;
            plan
        }
    };
    let made = sidecar::make(&plan, &options, settings);
    let mut status = plan.status();
    status.template = made.hash();
    // A sidecar that is there as we would make it stays, with what the API server and others have added to it.
    if earlier.as_ref() == Some(&status) && made.stands_in(pod, settings) {
        return Err(No::Skip(Skip::AlreadyInjected));
    }
    made.put_into(&mut after, settings)?;
    annotate(&mut after, &status, plan.container_name());
    let patch = diff(pod, &after);
    Ok(Injection::Patched { pod: after, patch, status, warnings: options.warnings })
}

fn annotate(pod: &mut Value, status: &Status, application: Option<&str>) {
    let annotations = view::map_at(pod, &["metadata", "annotations"]);
    annotations.insert(STATUS.to_owned(), json!(status.to_text()));
    // Whoever asks for logs without naming a container means the application.
    if let Some(application) = application {
        annotations.entry(names::DEFAULT_CONTAINER).or_insert_with(|| json!(application));
    }
}

/// Texts by name, as labels and annotations are; what is no text is left out.
pub(crate) fn texts(map: Option<&Map<String, Value>>) -> impl Iterator<Item = (&str, &str)> {
    map.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}
