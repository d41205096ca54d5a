//! Statuses of the Gateway API's objects and of Protections: what is there, what is to be there, and the difference.
//!
//! A condition keeps the time at which it became so. What other controllers say in `parents` and `ancestors` stays: the write
//! names the version that was read, so that of two who write at once one tries again.

use std::collections::HashMap;
use std::sync::Arc;

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::cluster::resource;
use crate::gateway_api::{self, CONTROLLER, GROUP, StatusOf};
use crate::kinds;

/// Objects of one kind.
struct Kind<'a> {
    group: (&'a str, &'a str),
    /// Kind and plural.
    names: (&'a str, &'a str),
    objects: &'a [Arc<DynamicObject>],
    /// The list that controllers share, and who we are in it.
    shared: Option<(&'a str, &'a str)>,
}

/// Writes what differs. Lines for people come back.
pub(super) async fn write(
    client: &Client,
    observed: &gateway_api::Observed,
    wanted: &[StatusOf],
    controller: &str,
    now: &str,
) -> Vec<String> {
    let wanted: HashMap<(&str, &str, &str), &Value> =
        wanted.iter().map(|of| ((of.kind, of.namespace.as_str(), of.name.as_str()), &of.status)).collect();
    let of_api = |names, objects, list: Option<&'static str>| {
        let shared = list.map(|list| (list, CONTROLLER));
        Kind { group: (GROUP, "v1"), names, objects, shared }
    };
    let kinds = [
        of_api(("GatewayClass", "gatewayclasses"), &observed.classes, None),
        of_api(("Gateway", "gateways"), &observed.gateways, None),
        of_api(("HTTPRoute", "httproutes"), &observed.routes, Some("parents")),
        of_api(("BackendTLSPolicy", "backendtlspolicies"), &observed.backend_tls, Some("ancestors")),
        Kind {
            group: (kinds::GROUP, kinds::VERSION),
            names: kinds::PROTECTION,
            objects: &observed.protections,
            shared: Some(("ancestors", controller)),
        },
    ];
    let mut said = Vec::new();
    for Kind { group, names: (kind, plural), objects, shared } in kinds {
        for object in objects {
            let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
            let there = object.data.get("status").cloned().unwrap_or_default();
            let wanted = wanted.get(&(kind, namespace.as_str(), name.as_str())).copied();
            let Some(status) = next(&there, wanted, shared, now) else { continue };
            let of = resource(group.0, group.1, kind, plural);
            let api: Api<DynamicObject> = match namespace.is_empty() {
                true => Api::all_with(client.clone(), &of),
                false => Api::namespaced_with(client.clone(), &namespace, &of),
            };
            let patch = json!({"metadata": {"resourceVersion": object.resource_version()}, "status": status});
            match api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
                Ok(_) => {}
                // It went, or was written meanwhile: what is read next is looked at again.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
                Err(error) => said.push(format!(
                    "gateway: the status of {kind} {namespace}/{name} cannot be written: {error}"
                )),
            }
        }
    }
    said
}

/// The status that is to be written; `None` where it says so already, or is not ours to say.
fn next(there: &Value, wanted: Option<&Value>, shared: Option<(&str, &str)>, now: &str) -> Option<Value> {
    let mut status = match (wanted, shared) {
        (Some(wanted), _) => wanted.clone(),
        // Somebody's else, but perhaps ours before.
        (None, Some((list, _))) => json!({list: []}),
        (None, None) => return None,
    };
    if let Some((list, controller)) = shared {
        let others = there[list].as_array().into_iter().flatten();
        let others: Vec<Value> =
            others.filter(|entry| entry["controllerName"] != controller).cloned().collect();
        if let Some(all) = status[list].as_array_mut() {
            all.splice(0..0, others);
        }
        if there[list].is_null() && status[list].as_array().is_some_and(Vec::is_empty) {
            return None;
        }
    }
    keep_times(&mut status, there, now);
    let fields = status.as_object()?;
    fields.iter().any(|(key, value)| there[key] != *value).then_some(status)
}

/// Gives every condition its time: the one that it has, where it said the same before.
fn keep_times(value: &mut Value, before: &Value, now: &str) {
    match value {
        Value::Array(items) => {
            for item in items {
                let same = |other: &&Value| IDENTITY.iter().all(|key| item.get(key) == other.get(key));
                let before =
                    before.as_array().into_iter().flatten().find(same).unwrap_or(&Value::Null).clone();
                keep_times(item, &before, now);
            }
        }
        // What others say has its time.
        Value::Object(fields) if fields.contains_key("lastTransitionTime") => {}
        Value::Object(fields) if fields.contains_key("reason") && fields.contains_key("status") => {
            let since =
                before["lastTransitionTime"].as_str().filter(|_| before["status"] == fields["status"]);
            fields.insert("lastTransitionTime".to_owned(), json!(since.unwrap_or(now)));
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                keep_times(value, &before[key.as_str()], now);
            }
        }
        _ => {}
    }
}

/// What makes two entries of a list one.
const IDENTITY: [&str; 5] = ["type", "name", "parentRef", "ancestorRef", "controllerName"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(controller: &str, status: &str, time: Option<&str>) -> Value {
        let mut condition = json!({"type": "Accepted", "status": status, "reason": "r", "message": "", "observedGeneration": 1});
        if let Some(time) = time {
            condition["lastTransitionTime"] = json!(time);
        }
        json!({"parentRef": {"name": "g"}, "controllerName": controller, "conditions": [condition]})
    }

    const PARENTS: Option<(&str, &str)> = Some(("parents", CONTROLLER));

    #[test]
    fn what_others_say_stays_and_what_is_said_already_is_not_written() {
        let there =
            json!({"parents": [parent("other", "True", Some("1")), parent(CONTROLLER, "True", Some("2"))]});
        let wanted = |status: &str| json!({"parents": [parent(CONTROLLER, status, None)]});
        assert_eq!(next(&there, Some(&wanted("True")), PARENTS, "3"), None);
        let changed = next(&there, Some(&wanted("False")), PARENTS, "3").unwrap();
        assert_eq!(
            changed,
            json!({"parents": [parent("other", "True", Some("1")), parent(CONTROLLER, "False", Some("3"))]})
        );
        let gone = next(&there, None, PARENTS, "3").unwrap();
        assert_eq!(gone, json!({"parents": [parent("other", "True", Some("1"))]}));
        assert_eq!(next(&gone, None, PARENTS, "3"), None);
        assert_eq!(next(&Value::Null, None, PARENTS, "3"), None);
    }
}
