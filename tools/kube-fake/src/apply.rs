//! Who owns which field: server-side apply, and what plain writes do to owners.

use serde_json::{Map, Value, json};

use crate::fields::{self, ListForm, Owned, Step};
use crate::kinds::Kind;
use crate::status::{Cause, Failed};

/// An entry of `managedFields`.
#[derive(Clone, Debug)]
struct Manager {
    name: String,
    apply: bool,
    api_version: String,
    status: bool,
    time: String,
    owned: Owned,
}

/// A write, as its manager and time go into `managedFields`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) name: &'a str,
    pub(crate) api_version: &'a str,
    pub(crate) status: bool,
    pub(crate) time: &'a str,
}

/// Puts `patch` over `live` as `writer`'s whole intention.
pub(crate) fn apply(
    kind: &Kind,
    live: &Value,
    patch: &Value,
    writer: Writer<'_>,
    force: bool,
) -> Result<Value, Failed> {
    let mut managers = managers(live);
    let wanted = fields::owned(kind, patch);
    let mut new = live.clone();
    merge(kind, &mut new, patch, &mut Vec::new());

    let mut conflicts: Vec<(String, String)> = Vec::new();
    for manager in managers.iter_mut().filter(|manager| !manager.is(writer, true)) {
        let lost: Vec<_> = manager
            .owned
            .iter()
            .filter(|path| {
                overlaps(path, &wanted) && fields::at(kind, live, path) != fields::at(kind, &new, path)
            })
            .filter(|path| !is_item(path) && !path_goes(kind, live, &new, path))
            .cloned()
            .collect();
        for path in lost {
            conflicts.push((manager.named(), fields::shown(&path)));
            manager.owned.remove(&path);
        }
    }
    if !force && !conflicts.is_empty() {
        return Err(conflict(&conflicts));
    }

    // What this manager no longer says goes, unless somebody else wants it too.
    let before =
        managers.iter().find(|manager| manager.is(writer, true)).map(|manager| manager.owned.clone());
    let mut gone: Vec<_> = before.iter().flatten().filter(|path| !wanted.contains(*path)).cloned().collect();
    // Items before what is in them: an item without its keys could not be found.
    gone.sort_by_key(Vec::len);
    for path in gone {
        let others = managers.iter().any(|manager| {
            !manager.is(writer, true) && manager.owned.iter().any(|owned| owned.starts_with(&path))
        });
        let still = wanted.iter().any(|owned| owned.starts_with(&path));
        if !others && !still {
            fields::remove(kind, &mut new, &path);
        }
    }
    set(&mut managers, writer, true, wanted);
    store(&mut new, managers);
    Ok(new)
}

/// `new` with the owners that a plain write by `writer` leaves behind.
pub(crate) fn written(kind: &Kind, live: Option<&Value>, new: &mut Value, writer: Writer<'_>) {
    let empty = Value::Null;
    let live = live.unwrap_or(&empty);
    let mut managers = managers(live);
    let all = fields::owned(kind, new);
    let changed: Owned = all
        .iter()
        .filter(|path| fields::at(kind, live, path) != fields::at(kind, new, path))
        .filter(|path| (path.first() == Some(&Step::Field("status".into()))) == writer.status || !kind.status)
        .cloned()
        .collect();
    for manager in managers.iter_mut().filter(|manager| !manager.is(writer, false)) {
        manager.owned.retain(|path| all.contains(path) && (is_item(path) || !changed.contains(path)));
    }
    let mut own = managers
        .iter()
        .find(|manager| manager.is(writer, false))
        .map(|it| it.owned.clone())
        .unwrap_or_default();
    own.retain(|path| all.contains(path));
    own.extend(changed);
    set(&mut managers, writer, false, own);
    store(new, managers);
}

impl Manager {
    fn is(&self, writer: Writer<'_>, apply: bool) -> bool {
        self.name == writer.name && self.apply == apply && self.status == writer.status
    }

    fn named(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if self.status {
            text.push_str(" with subresource \"status\"");
        }
        if !self.apply {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }
}

fn conflict(conflicts: &[(String, String)]) -> Failed {
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|(who, field)| {
            json!({"reason": "FieldManagerConflict", "message": format!("conflict with {who}"), "field": field})
        })
        .collect();
    let message = if let [(who, field)] = conflicts {
        format!("Apply failed with 1 conflict: conflict with {who}: {field}")
    } else {
        let mut told = format!("Apply failed with {} conflicts:", conflicts.len());
        let mut last = None;
        for (who, field) in conflicts {
            if last != Some(who) {
                told.push_str(&format!("{}conflicts with {who}:", if last.is_none() { " " } else { "\n" }));
            }
            told.push_str(&format!("\n- {field}"));
            last = Some(who);
        }
        told
    };
    Failed::status(409, Some("Conflict"), message, Some(json!({"causes": causes})))
}

fn is_item(path: &[Step]) -> bool {
    matches!(path.last(), Some(Step::Key(_)))
}

/// Whether a patch that says `wanted` says something about `path`.
fn overlaps(path: &[Step], wanted: &Owned) -> bool {
    wanted.iter().any(|said| said.starts_with(path) || path.starts_with(said))
}

/// A member of a set that is still there is no conflict, whatever else came.
fn path_goes(kind: &Kind, live: &Value, new: &Value, path: &[Step]) -> bool {
    matches!(path.last(), Some(Step::Item(_)))
        && fields::at(kind, live, path).is_some() == fields::at(kind, new, path).is_some()
}

/// Puts `patch` over `value`, list by list as the kind has it.
pub(crate) fn merge(kind: &Kind, value: &mut Value, patch: &Value, path: &mut Vec<Step>) {
    match (&mut *value, patch) {
        (Value::Object(_), Value::Object(patch)) if fields::is_atomic(kind, path) => {
            *value = Value::Object(patch.clone())
        }
        (Value::Object(fields), Value::Object(patch)) => {
            for (name, patch) in patch {
                path.push(Step::Field(name.clone()));
                if patch.is_null() {
                    fields.remove(name);
                } else {
                    merge(kind, fields.entry(name.clone()).or_insert(Value::Null), patch, path);
                }
                path.pop();
            }
        }
        (Value::Array(items), Value::Array(patch)) => match fields::list_form(kind, path) {
            ListForm::Atomic => items.clone_from(patch),
            ListForm::Set => {
                for item in patch {
                    if !items.contains(item) {
                        items.push(item.clone());
                    }
                }
            }
            ListForm::Map(keys) => {
                let key = |item: &Value| fields::key_of(item, &keys);
                let said: Vec<String> = patch.iter().map(key).collect();
                // In the order of the patch; what only the object has keeps its place before what it came before.
                let mut rest: Vec<Value> = std::mem::take(items);
                for (patch, key_said) in patch.iter().zip(&said) {
                    while rest.first().is_some_and(|item| !said.contains(&key(item))) {
                        items.push(rest.remove(0));
                    }
                    let Some(at) = rest.iter().position(|item| key(item) == *key_said) else {
                        items.push(patch.clone());
                        continue;
                    };
                    let mut merged = rest.remove(at);
                    path.push(Step::Key(key_said.clone()));
                    merge(kind, &mut merged, patch, path);
                    path.pop();
                    items.push(merged);
                }
                items.extend(rest);
            }
        },
        _ => *value = without_nulls(patch),
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect::<Map<_, _>>(),
        ),
        other => other.clone(),
    }
}

fn managers(object: &Value) -> Vec<Manager> {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| Manager {
            name: text(&entry["manager"]),
            apply: entry["operation"] == "Apply",
            api_version: text(&entry["apiVersion"]),
            status: entry["subresource"] == "status",
            time: text(&entry["time"]),
            owned: fields::from_fields_v1(&entry["fieldsV1"]),
        })
        .collect()
}

fn set(managers: &mut Vec<Manager>, writer: Writer<'_>, apply: bool, owned: Owned) {
    let at = managers.iter().position(|manager| manager.is(writer, apply));
    match at {
        Some(at) if managers[at].owned == owned => {}
        Some(at) => {
            managers[at].owned = owned;
            managers[at].time = writer.time.to_owned();
            managers[at].api_version = writer.api_version.to_owned();
        }
        None => managers.push(Manager {
            name: writer.name.to_owned(),
            apply,
            api_version: writer.api_version.to_owned(),
            status: writer.status,
            time: writer.time.to_owned(),
            owned,
        }),
    }
}

fn store(object: &mut Value, managers: Vec<Manager>) {
    let entries: Vec<Value> = managers
        .into_iter()
        .filter(|manager| !manager.owned.is_empty())
        .map(|manager| {
            let mut entry = json!({
                "manager": manager.name, "operation": if manager.apply { "Apply" } else { "Update" },
                "apiVersion": manager.api_version, "time": manager.time,
                "fieldsType": "FieldsV1", "fieldsV1": fields::fields_v1(&manager.owned),
            });
            if manager.status {
                entry["subresource"] = json!("status");
            }
            entry
        })
        .collect();
    if entries.is_empty() {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
    } else {
        object["metadata"]["managedFields"] = Value::Array(entries);
    }
}

/// What an apply may not say of itself.
pub(crate) fn check(kind: &Kind, name: &str, patch: &Value, live: Option<&Value>) -> Result<(), Failed> {
    let metadata = &patch["metadata"];
    if patch["apiVersion"].is_null() || patch["kind"].is_null() {
        return Err(Failed::bad_request("invalid object type: /, Kind="));
    }
    match metadata["name"].as_str() {
        None => {
            let told = format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be provided"
            );
            return Err(Failed::bad_request(told));
        }
        Some(said) if said != name => {
            let told = format!("the name of the object ({said}) does not match the name on the URL ({name})");
            return Err(Failed::bad_request(told));
        }
        Some(_) => {}
    }
    if !metadata["managedFields"].is_null() {
        return Err(Failed::bad_request("metadata.managedFields must be nil"));
    }
    let uid = metadata["uid"].as_str();
    match live {
        None => {
            if let Some(uid) = uid {
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                );
                return Err(Failed::conflict(kind, name, &why));
            }
        }
        Some(live) => {
            if metadata["resourceVersion"].is_string()
                && metadata["resourceVersion"] != live["metadata"]["resourceVersion"]
            {
                return Err(Failed::modified(kind, name));
            }
            if let Some(uid) = uid.filter(|uid| live["metadata"]["uid"] != **uid) {
                let cause = Cause::invalid("metadata.uid", &format!("{uid:?}"), "field is immutable");
                return Err(Failed::invalid(kind, name, &[cause.clone(), cause]));
            }
        }
    }
    Ok(())
}
