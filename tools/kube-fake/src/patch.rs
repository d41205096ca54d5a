//! Merge patch (RFC 7386), JSON patch (RFC 6902, as API servers bend it) and strategic merge.

use serde_json::{Value, json};

use crate::fields::{self, ListForm, Step};
use crate::kinds::Kind;
use crate::status::Failed;

/// RFC 7386.
pub(crate) fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    let fields = value.as_object_mut().expect("made one above");
    for (name, patch) in patch {
        if patch.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), patch);
        }
    }
}

/// All operations or none. `replace` of what is not there adds it, as real servers do.
pub(crate) fn json(value: &mut Value, patch: &Value) -> Result<(), Failed> {
    let operations = patch.as_array().ok_or_else(|| {
        let kind = if patch.is_object() { "object" } else { "value" };
        let told = format!(
            "error decoding patch: json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp"
        );
        Failed::bad_request(told)
    })?;
    let mut patched = value.clone();
    for operation in operations {
        step(&mut patched, operation).ok_or_else(rejected)?;
    }
    *value = patched;
    Ok(())
}

fn rejected() -> Failed {
    let message = "the server rejected our request due to an error in our request";
    Failed::status(422, Some("Invalid"), message, Some(json!({})))
}

fn step(value: &mut Value, operation: &Value) -> Option<()> {
    let path = operation["path"].as_str()?;
    match operation["op"].as_str()? {
        "add" => add(value, path, operation.get("value")?.clone()),
        "remove" => take(value, path).map(drop),
        "replace" => {
            if value.pointer(path).is_none() {
                return add(value, path, operation.get("value")?.clone());
            }
            *value.pointer_mut(path)? = operation.get("value")?.clone();
            Some(())
        }
        "move" => {
            let moved = take(value, operation["from"].as_str()?)?;
            add(value, path, moved)
        }
        "copy" => {
            let copied = value.pointer(operation["from"].as_str()?)?.clone();
            add(value, path, copied)
        }
        "test" => (value.pointer(path)? == operation.get("value")?).then_some(()),
        _ => None,
    }
}

fn last(path: &str) -> Option<(&str, String)> {
    let (parent, name) = path.rsplit_once('/')?;
    Some((parent, name.replace("~1", "/").replace("~0", "~")))
}

fn add(value: &mut Value, path: &str, new: Value) -> Option<()> {
    if path.is_empty() {
        *value = new;
        return Some(());
    }
    let (parent, name) = last(path)?;
    match value.pointer_mut(parent)? {
        Value::Object(fields) => drop(fields.insert(name, new)),
        Value::Array(items) if name == "-" => items.push(new),
        Value::Array(items) => {
            let at: usize = name.parse().ok()?;
            if at > items.len() {
                return None;
            }
            items.insert(at, new);
        }
        _ => return None,
    }
    Some(())
}

fn take(value: &mut Value, path: &str) -> Option<Value> {
    let (parent, name) = last(path)?;
    match value.pointer_mut(parent)? {
        Value::Object(fields) => fields.remove(&name),
        Value::Array(items) => {
            let at: usize = name.parse().ok()?;
            (at < items.len()).then(|| items.remove(at))
        }
        _ => None,
    }
}

/// What clients send of it: maps, lists by their merge key, `$patch: delete|replace`. Orders and deletions from
/// primitive lists are refused.
pub(crate) fn strategic(kind: &Kind, value: &mut Value, patch: &Value) -> Result<(), Failed> {
    strategic_at(kind, value, patch, &mut Vec::new())
}

fn strategic_at(kind: &Kind, value: &mut Value, patch: &Value, path: &mut Vec<Step>) -> Result<(), Failed> {
    match patch {
        Value::Object(patch) => {
            match patch.get("$patch").and_then(Value::as_str) {
                Some("replace") => {
                    let mut whole = patch.clone();
                    whole.remove("$patch");
                    *value = Value::Object(whole);
                    return Ok(());
                }
                Some("delete") => {
                    *value = Value::Null;
                    return Ok(());
                }
                Some(other) => return Err(Failed::not_here(format!("$patch: {other}"))),
                None => {}
            }
            if !value.is_object() {
                *value = json!({});
            }
            let fields = value.as_object_mut().expect("made one above");
            for (name, patch) in patch {
                if name.starts_with("$setElementOrder/") {
                    // Order alone: this server keeps the order in which items came.
                    continue;
                }
                if name.starts_with('$') {
                    return Err(Failed::not_here(name));
                }
                if patch.is_null() {
                    fields.remove(name);
                    continue;
                }
                path.push(Step::Field(name.clone()));
                let field = fields.entry(name.clone()).or_insert(Value::Null);
                strategic_at(kind, field, patch, path)?;
                path.pop();
                if fields[name].is_null() {
                    fields.remove(name);
                }
            }
        }
        Value::Array(patch) => {
            let form = fields::list_form(kind, path);
            let (Value::Array(items), true) = (&mut *value, form != ListForm::Atomic) else {
                *value = Value::Array(patch.clone());
                return Ok(());
            };
            for patch in patch {
                let ListForm::Map(keys) = &form else {
                    if !items.contains(patch) {
                        items.push(patch.clone());
                    }
                    continue;
                };
                // Strategic merge goes by the first key alone (`containerPort`, `port`).
                let key = &keys[0];
                let found = items.iter().position(|item| item[key] == patch[key]);
                match (found, patch["$patch"].as_str()) {
                    (Some(at), Some("delete")) => drop(items.remove(at)),
                    (None, Some("delete")) => {}
                    (Some(at), _) => {
                        path.push(Step::Key(fields::key_of(patch, keys)));
                        strategic_at(kind, &mut items[at], patch, path)?;
                        path.pop();
                    }
                    (None, _) => items.push(patch.clone()),
                }
            }
        }
        other => *value = other.clone(),
    }
    Ok(())
}
