//! Pods in manifests: a Pod itself, or the template of whatever makes pods.

use serde_json::Value;

use super::settings::Namespace;
use super::view;

/// A pod in a manifest.
#[derive(Debug)]
pub struct Workload<'v> {
    /// `deployment/web`, for messages.
    pub name: String,
    /// The namespace that the manifest names; `default` when it names none.
    pub namespace: Namespace,
    /// The pod: an object with `metadata` and `spec`, to be replaced by what became of it.
    pub pod: &'v mut Value,
    /// Which item of a list it is; 0 outside of one.
    pub index: usize,
}

/// Calls `visit` with each pod of a manifest: a Pod, a List, or a kind with a template. Says how many there were; other
/// kinds have none.
///
/// # Errors
/// The first error of `visit`.
pub fn each_workload<E>(
    object: &mut Value,
    visit: &mut dyn FnMut(Workload<'_>) -> Result<(), E>,
) -> Result<usize, E> {
    let kind = view::text(object, &["kind"]).unwrap_or_default().to_owned();
    if kind == "List" || (kind.ends_with("List") && object.get("items").is_some()) {
        let items =
            object.get_mut("items").and_then(Value::as_array_mut).map_or(&mut [][..], Vec::as_mut_slice);
        // Lists do not nest: an item that is one is left alone.
        let each = items.iter_mut().enumerate().map(|(index, item)| one(item, index, visit));
        return each.sum();
    }
    one(object, 0, visit)
}

fn one<E>(
    object: &mut Value,
    index: usize,
    visit: &mut dyn FnMut(Workload<'_>) -> Result<(), E>,
) -> Result<usize, E> {
    let kind = view::text(object, &["kind"]).unwrap_or_default();
    let template = match kind {
        "Pod" => "",
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job"
        | "DeploymentConfig"
        | "Rollout" => "/spec/template",
        "CronJob" => "/spec/jobTemplate/spec/template",
        _ => return Ok(0),
    };
    let named = view::text(object, &["metadata", "name"]);
    let named = named.or_else(|| view::text(object, &["metadata", "generateName"])).unwrap_or("?");
    let name = format!("{}/{named}", kind.to_ascii_lowercase());
    let namespace = Namespace::named(view::text(object, &["metadata", "namespace"]).unwrap_or("default"));
    let Some(pod) = object.pointer_mut(template) else { return Ok(0) };
    visit(Workload { name, namespace, pod, index })?;
    Ok(1)
}
