//! The admission server: an API server asks about objects before it stores them, and is answered.
//!
//! `/inject` puts sidecars into pods ([`crate::inject`]), `/validate` compiles rules and profiles with the data plane's own
//! compiler, so that what it would refuse is refused at `kubectl apply`. Both only read what they are sent: nothing is
//! fetched, stored or applied for a question, so that a dry run is a run.
//!
//! ```text
//!  TLS ──> server: bounded body, time, number ──> review: AdmissionReview in ──> inject / validate ──> review: answer out
//!          (the only async part)                  (pure from here on)
//! ```

mod metrics;
mod review;
mod server;
mod validate;

#[cfg(test)]
mod tests;

pub use metrics::AdmissionMetrics;
pub use review::{Decision, Request, Unreadable, answer};
pub use server::{Bounds, Identity, IdentityError, ServeError, Server};
pub use validate::validate;

use crate::inject::{Injection, Namespace, Settings, inject};

/// What becomes of a pod that an API server asks about. Everything but the creation of a Pod is let pass as it is.
pub fn decide_injection(request: &Request<'_>, settings: &Settings, metrics: &AdmissionMetrics) -> Decision {
    let is_new_pod = request.resource == "pods"
        && request.group.is_empty()
        && request.sub_resource.is_none()
        && request.operation == "CREATE";
    let Some(pod) = request.object.filter(|_| is_new_pod) else { return Decision::allow() };
    // The pod of a controller has no name by now, and before some version no namespace: the request has it.
    match inject(pod, &Namespace::named(request.namespace), settings) {
        Injection::Patched { patch, warnings, status, .. } => {
            metrics.injected();
            let strategy = serde_json::to_value(status.strategy).unwrap_or_default();
            let strategy = strategy.as_str().unwrap_or_default().to_owned();
            Decision { patch: Some(patch), warnings, ..Decision::allow() }.noting("injected", strategy)
        }
        Injection::Skipped(skip) => {
            metrics.skipped(skip);
            let decision = Decision::allow().noting("skipped", skip.reason().to_owned());
            match skip.is_surprising() {
                true => decision.warning(format!("palisade: no sidecar for this pod: {skip}")),
                false => decision,
            }
        }
        Injection::Denied(message) => {
            metrics.denied();
            Decision::deny(400, "BadRequest", format!("palisade: {message}"))
        }
    }
}
