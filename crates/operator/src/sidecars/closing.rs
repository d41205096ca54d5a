//! The NetworkPolicy that closes an application's own port, for workloads that ask for it.

use serde_json::{Value, json};

use super::workloads::Workload;
use super::{CLOSES, MANAGED_BY};
use crate::inject::{Injection, Namespace, Settings, inject, network_policy};

/// What a policy says of whom it is of.
pub(super) fn closes(workload: &Workload) -> String {
    format!("{}/{}", workload.kind, workload.key.name)
}

/// The policy of a workload whose pods have sidecars. Ports are those that injection gives its template.
///
/// # Errors
/// Why there can be none.
pub(super) fn policy(workload: &Workload, settings: &Settings) -> Result<Value, String> {
    let namespace = Namespace::named(&workload.key.namespace);
    let pod = match inject(&workload.template, &namespace, settings) {
        Injection::Patched { pod, .. } => pod,
        Injection::Skipped(skip) => return Err(format!("its pods get no sidecar: {skip}")),
        Injection::Denied(why) => return Err(format!("its pods get no sidecar: {why}")),
    };
    let name = format!("{}-{}", workload.kind.to_lowercase(), workload.key.name);
    let made = network_policy(&name, Some(&workload.key.namespace), &pod, Some(&workload.selector), settings);
    let mut policy = made.map_err(|error| error.to_string())?;
    policy["metadata"]["labels"] = json!({MANAGED_BY.0: MANAGED_BY.1});
    policy["metadata"]["annotations"] = json!({CLOSES: closes(workload)});
    policy["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": workload.kind, "name": workload.key.name, "uid": workload.uid,
    }]);
    Ok(policy)
}
