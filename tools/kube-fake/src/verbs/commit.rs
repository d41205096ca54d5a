//! An admitted write comes into force, unless the object was written meanwhile.

use serde_json::{Value, json};

use super::{Asked, Prepared, remove};
use crate::apply::{self, Writer};
use crate::status::Failed;
use crate::store::{self, Store};
use crate::{builtin, schema};

/// Puts an admitted write into force, unless the object was written meanwhile (`None`).
pub(crate) fn commit(
    store: &mut Store,
    asked: &Asked<'_>,
    mut prepared: Prepared,
) -> Option<Result<(u16, Value), Failed>> {
    let kind = &asked.kind;
    let of = prepared.new.as_ref().or(prepared.old.as_deref()).expect("a write is about something");
    let (namespace, name) = store::name_of(of);
    let now = store.get(kind, &namespace, &name);
    let same = match (now, &prepared.old) {
        (Some(now), Some(old)) => now["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"],
        (None, None) => true,
        _ => false,
    };
    if !same {
        return None;
    }
    let operation = prepared.operation;
    if let Some(new) = &mut prepared.new {
        let old = prepared.old.as_deref();
        if operation != "DELETE" {
            let checked = schema::check(kind, old, new).and_then(|()| builtin::check(kind, old, new));
            if let Err(failed) = checked {
                return Some(Err(failed));
            }
            let applies = asked.request.media_type() == "application/apply-patch+yaml";
            if !applies {
                let (manager, api_version, time) =
                    (asked.request.manager(), asked.api_version(), store::now());
                let writer = Writer {
                    name: &manager,
                    api_version: &api_version,
                    status: prepared.status,
                    time: &time,
                };
                apply::written(kind, old, new, writer);
            }
        }
        let code = if operation == "CREATE" { 201 } else { 200 };
        if prepared.dry {
            return Some(Ok((code, asked.shown(new))));
        }
        if old.is_some_and(|old| old == new) {
            return Some(Ok((code, asked.shown(new))));
        }
        let kept = store.put(kind, prepared.new.take().expect("looked at above"));
        crate::server::kind_changed(store, kind, &kept);
        let ends = !kept["metadata"]["deletionTimestamp"].is_null()
            && kept["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
        if ends || prepared.foreground {
            remove(store, kind, &namespace, &name);
        }
        return Some(Ok((code, asked.shown(&kept))));
    }
    let old = prepared.old.expect("a deletion is of something");
    if !prepared.dry {
        remove(store, kind, &namespace, &name);
    }
    // Pods and namespaces end in their own time: the answer is the object.
    if matches!(kind.kind.as_str(), "Pod" | "Namespace") && kind.group.is_empty() {
        let mut shown = asked.shown(&old);
        shown["metadata"]["deletionTimestamp"] = json!(store::now());
        return Some(Ok((200, shown)));
    }
    let mut details = kind.details(&name);
    details["uid"] = old["metadata"]["uid"].clone();
    Some(Ok((
        200,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
    )))
}
