//! `Protection`s of what traffic comes in by (an Ingress, a Gateway, an HTTPRoute): what inspects its requests, and what the
//! Protections are told. Ingresses and the Gateway API ask here alike.
//!
//! Not here: which Ingress, Gateway or HTTPRoute is served (`crate::ingress`, `crate::gateway_api`), and what the operator says
//! of a Protection beside it (`crate::runtime`).

mod profiles;
mod told;

pub(crate) use self::profiles::{Attached, Inspected, Loads, Profiles};
pub(crate) use self::told::{Served, statuses};

/// Who says in `status.ancestors` of a Protection that it inspects by it: the gateways of one Lease, of which one writes.
pub fn controller((namespace, name): &(String, String)) -> String {
    format!("{}/{namespace}/{name}", crate::gateway_api::CONTROLLER)
}
