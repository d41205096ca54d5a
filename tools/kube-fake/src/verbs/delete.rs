//! Deletion: marked while finalizers hold an object, then gone with all that it owns.

use std::sync::Arc;

use serde_json::{Value, json};

use super::read::{item, list_of};
use super::{Asked, Prepared};
use crate::kinds::Kind;
use crate::options;
use crate::selector::Selection;
use crate::status::Failed;
use crate::store::{self, Store};

/// A `DeleteOptions` and what it asks of the object.
pub(crate) fn delete(store: &Store, asked: &Asked<'_>) -> Result<Prepared, Failed> {
    options::check(asked.request, "DeleteOptions", false)?;
    let body: Value = serde_json::from_slice(&asked.request.body).unwrap_or(Value::Null);
    let policy = options::propagation(asked.request, &body)?;
    let live = asked.live(store)?;
    let preconditions = &body["preconditions"];
    for (field, of, after) in [
        ("uid", "UID", "The object might have been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "The object might have been modified"),
    ] {
        let (Some(wanted), is) =
            (preconditions[field].as_str(), live["metadata"][field].as_str().unwrap_or(""))
        else {
            continue;
        };
        if wanted != is {
            let (kind, name) = (&asked.kind.kind, asked.name());
            let told = format!(
                "Operation cannot be fulfilled on {kind} {name:?}: the {of} in the precondition ({wanted}) does not match the {of} in record ({is}). {after}"
            );
            let mut details = json!({"name": name, "kind": kind});
            if !asked.kind.group.is_empty() {
                details["group"] = json!(asked.kind.group);
            }
            return Err(Failed::status(409, Some("Conflict"), told, Some(details)));
        }
    }
    let dry = asked.request.query("dryRun") == "All" || body["dryRun"][0] == "All";
    Ok(deleted(live, policy == "Foreground", dry))
}

fn deleted(live: Arc<Value>, foreground: bool, dry: bool) -> Prepared {
    let held = live["metadata"]["finalizers"].as_array().is_some_and(|held| !held.is_empty());
    let mut new = None;
    if held || foreground {
        let mut marked = Value::clone(&live);
        if marked["metadata"]["deletionTimestamp"].is_null() {
            marked["metadata"]["deletionTimestamp"] = json!(store::now());
            marked["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        }
        if foreground {
            let finalizers = &mut marked["metadata"]["finalizers"];
            match finalizers.as_array_mut() {
                Some(finalizers) => finalizers.push(json!("foregroundDeletion")),
                None => *finalizers = json!(["foregroundDeletion"]),
            }
        }
        new = Some(marked);
    }
    Prepared { operation: "DELETE", old: Some(live), new, status: false, dry, foreground }
}

pub(crate) fn delete_all(store: &mut Store, asked: &Asked<'_>) -> Result<Value, Failed> {
    let request = asked.request;
    let selection =
        Selection::parse(&asked.kind, request.query("labelSelector"), request.query("fieldSelector"))?;
    let doomed: Vec<_> = store
        .list(&asked.kind, asked.place.namespace.as_deref())
        .filter(|(_, object)| selection.matches(object))
        .map(|(name, object)| (name.clone(), Arc::clone(object)))
        .collect();
    let mut items = Vec::new();
    for ((namespace, name), object) in doomed {
        match deleted(Arc::clone(&object), false, false).new {
            Some(marked) => items.push(item(asked, &store.put(&asked.kind, marked))),
            None => {
                items.push(item(asked, &object));
                remove(store, &asked.kind, &namespace, &name);
            }
        }
    }
    let metadata = json!({"resourceVersion": store.version().to_string()});
    Ok(list_of(asked, metadata, items))
}

/// Takes an object away with all that it owns and, for a namespace, all that is in it.
pub(crate) fn remove(store: &mut Store, kind: &Kind, namespace: &str, name: &str) {
    let Some(gone) = store.remove(kind, namespace, name) else { return };
    crate::server::kind_changed(store, kind, &gone);
    let uid = gone["metadata"]["uid"].clone();
    let kinds: Vec<Arc<Kind>> = store.kinds.all().cloned().collect();
    let is_namespace = kind.kind == "Namespace" && kind.group.is_empty();
    for kind in kinds {
        let dependents: Vec<store::Name> = store
            .list(&kind, None)
            .filter(|((of, _), object)| {
                (is_namespace && of == name)
                    || object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| {
                        !owners.is_empty() && owners.iter().all(|owner| owner["uid"] == uid)
                    })
            })
            .map(|(name, _)| name.clone())
            .collect();
        for (namespace, name) in dependents {
            remove(store, &kind, &namespace, &name);
        }
    }
}
