//! JSON Patch (RFC 6902): what has to be done to one value so that it becomes another, and doing it.

use serde_json::{Map, Value, json};

/// The operations that make `after` of `before`: `add`, `remove`, `replace`, in the order in which they are applied.
///
/// Lists whose elements have names are compared by name, so that one more container is one operation. Parents are added
/// whole where they are not there.
pub fn diff(before: &Value, after: &Value) -> Value {
    let mut operations = Vec::new();
    compare(before, after, &mut String::new(), &mut operations);
    Value::Array(operations)
}

fn compare(before: &Value, after: &Value, path: &mut String, out: &mut Vec<Value>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(before), Value::Object(after)) => compare_maps(before, after, path, out),
        (Value::Array(before), Value::Array(after)) => compare_lists(before, after, path, out),
        (_, after) => out.push(json!({"op": "replace", "path": *path, "value": after})),
    }
}

fn compare_maps(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    path: &mut String,
    out: &mut Vec<Value>,
) {
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        within(path, key, |path| out.push(json!({"op": "remove", "path": path})));
    }
    for (key, after) in after {
        within(path, key, |path| match before.get(key) {
            Some(before) => compare(before, after, path, out),
            None => out.push(json!({"op": "add", "path": path, "value": after})),
        });
    }
}

fn compare_lists(before: &[Value], after: &[Value], path: &mut String, out: &mut Vec<Value>) {
    if before.len() == after.len() {
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            within(path, &index.to_string(), |path| compare(before, after, path, out));
        }
        return;
    }
    let Some(kept) = kept(before, after) else {
        out.push(json!({"op": "replace", "path": *path, "value": after}));
        return;
    };
    // From the end, so that the places of those before stay what they are.
    for (index, item) in before.iter().enumerate().rev() {
        if !kept.contains(&name(item)) {
            within(path, &index.to_string(), |path| out.push(json!({"op": "remove", "path": path})));
        }
    }
    let mut left = before.iter().filter(|item| kept.contains(&name(item))).peekable();
    for (index, after) in after.iter().enumerate() {
        within(path, &index.to_string(), |path| match left.next_if(|item| name(item) == name(after)) {
            Some(before) => compare(before, after, path, out),
            None => out.push(json!({"op": "add", "path": path, "value": after})),
        });
    }
}

fn name(item: &Value) -> Option<&str> {
    item.get("name")?.as_str()
}

/// The names of those that both lists have, when every element has one of its own and they stand in the same order.
fn kept<'v>(before: &'v [Value], after: &'v [Value]) -> Option<std::collections::HashSet<Option<&'v str>>> {
    use std::collections::HashSet;
    let names = |list: &'v [Value]| -> Option<Vec<Option<&'v str>>> {
        let names: Vec<_> = list.iter().map(name).collect();
        let distinct: HashSet<_> = names.iter().collect();
        (distinct.len() == names.len() && !names.contains(&None)).then_some(names)
    };
    let (before, after) = (names(before)?, names(after)?);
    let both: HashSet<_> = {
        let after: HashSet<_> = after.iter().copied().collect();
        before.iter().copied().filter(|name| after.contains(name)).collect()
    };
    let in_order = |names: Vec<Option<&'v str>>| {
        names.into_iter().filter(|name| both.contains(name)).collect::<Vec<_>>()
    };
    (in_order(before) == in_order(after)).then_some(both)
}

/// Appends a key to a pointer for as long as something is done there.
fn within<T>(path: &mut String, key: &str, then: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.push('/');
    for char in key.chars() {
        match char {
            '~' => path.push_str("~0"),
            '/' => path.push_str("~1"),
            char => path.push(char),
        }
    }
    let done = then(path);
    path.truncate(length);
    done
}

/// Why a patch does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// An operation of another kind, or without what it needs.
    #[error("operation {0} is not one of add, remove, replace with a path and a value")]
    Unknown(usize),
    /// The place is not there.
    #[error("operation {index}: there is no {path}")]
    NoPlace {
        /// Which operation.
        index: usize,
        /// Where.
        path: String,
    },
}

/// Applies a patch of `add`, `remove` and `replace`, as [`diff`] makes them.
///
/// # Errors
/// The first operation that cannot be applied.
pub fn apply(value: &Value, patch: &Value) -> Result<Value, PatchError> {
    let mut value = value.clone();
    for (index, operation) in patch.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate() {
        let word = operation.get("op").and_then(Value::as_str);
        let path = operation.get("path").and_then(Value::as_str).ok_or(PatchError::Unknown(index))?;
        let given = operation.get("value").cloned();
        let done = match (word, given) {
            (Some("add"), Some(given)) => add(&mut value, path, given),
            (Some("remove"), _) => remove(&mut value, path),
            (Some("replace"), Some(given)) => value.pointer_mut(path).map(|place| *place = given),
            _ => return Err(PatchError::Unknown(index)),
        };
        done.ok_or_else(|| PatchError::NoPlace { index, path: path.to_owned() })?;
    }
    Ok(value)
}

fn add(value: &mut Value, path: &str, given: Value) -> Option<()> {
    let (parent, key) = place(value, path)?;
    match parent {
        Value::Object(map) => drop(map.insert(key, given)),
        Value::Array(items) => {
            let index = if key == "-" { items.len() } else { key.parse().ok()? };
            (index <= items.len()).then(|| items.insert(index, given))?;
        }
        _ => return None,
    }
    Some(())
}

fn remove(value: &mut Value, path: &str) -> Option<()> {
    let (parent, key) = place(value, path)?;
    match parent {
        Value::Object(map) => map.remove(&key).map(drop),
        Value::Array(items) => {
            let index: usize = key.parse().ok()?;
            (index < items.len()).then(|| drop(items.remove(index)))
        }
        _ => None,
    }
}

fn place<'v>(value: &'v mut Value, path: &str) -> Option<(&'v mut Value, String)> {
    let (parent, key) = path.rsplit_once('/')?;
    Some((value.pointer_mut(parent)?, key.replace("~1", "/").replace("~0", "~")))
}
