//! How lists and maps of a kind are put together, and which fields a manager owns.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::kinds::Kind;

/// A step from an object to a field of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Field(String),
    /// An item of a list that is a map; its keys as JSON text.
    Key(String),
    /// An item of a list that is a set; as JSON text.
    Item(String),
}

pub(crate) type Path = Vec<Step>;
pub(crate) type Owned = BTreeSet<Path>;

/// How a list is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListForm {
    Atomic,
    Set,
    Map(Vec<String>),
}

/// Of the list at `path`.
pub(crate) fn list_form(kind: &Kind, path: &[Step]) -> ListForm {
    let names: Vec<&str> = path
        .iter()
        .filter_map(|step| if let Step::Field(name) = step { Some(&**name) } else { None })
        .collect();
    let keys = |keys: &[&str]| ListForm::Map(keys.iter().map(|key| (*key).to_owned()).collect());
    match names.as_slice() {
        ["metadata", "finalizers"] => return ListForm::Set,
        ["metadata", "ownerReferences"] => return keys(&["uid"]),
        _ => {}
    }
    if kind.custom {
        let Some(schema) = schema_at(kind, path) else { return ListForm::Atomic };
        return match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => ListForm::Set,
            Some("map") => ListForm::Map(
                schema["x-kubernetes-list-map-keys"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|key| key.as_str().map(str::to_owned))
                    .collect(),
            ),
            _ => ListForm::Atomic,
        };
    }
    match names.as_slice() {
        [.., "containers" | "initContainers" | "ephemeralContainers", "ports"] => {
            keys(&["containerPort", "protocol"])
        }
        [
            ..,
            "containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets",
        ] => keys(&["name"]),
        [.., "volumeMounts"] => keys(&["mountPath"]),
        [.., "volumeDevices"] => keys(&["devicePath"]),
        [.., "conditions"] => keys(&["type"]),
        ["webhooks"] => keys(&["name"]),
        ["spec", "ports"] if kind.kind == "Service" => keys(&["port", "protocol"]),
        ["secrets"] if kind.kind == "ServiceAccount" => keys(&["name"]),
        [.., "hostAliases" | "podIPs"] => keys(&["ip"]),
        [.., "topologySpreadConstraints"] => keys(&["topologyKey", "whenUnsatisfiable"]),
        _ => ListForm::Atomic,
    }
}

/// Whether the map at `path` has one owner.
pub(crate) fn is_atomic(kind: &Kind, path: &[Step]) -> bool {
    let Some(Step::Field(last)) = path.last() else { return false };
    if kind.custom {
        return schema_at(kind, path).is_some_and(|schema| schema["x-kubernetes-map-type"] == "atomic");
    }
    matches!(
        last.as_str(),
        "selector"
            | "podSelector"
            | "namespaceSelector"
            | "labelSelector"
            | "objectSelector"
            | "nodeSelector"
            | "fieldRef"
            | "resourceFieldRef"
            | "secretKeyRef"
            | "configMapKeyRef"
            | "scaleTargetRef"
            | "backend"
            | "defaultBackend"
    )
}

fn schema_at<'a>(kind: &'a Kind, path: &[Step]) -> Option<&'a Value> {
    let mut schema: &Value = kind.schema.as_deref()?;
    for step in path {
        schema = match step {
            Step::Field(name) => schema["properties"]
                .get(name)
                .or_else(|| schema.get("additionalProperties"))
                .filter(|schema| schema.is_object())?,
            Step::Key(_) | Step::Item(_) => schema.get("items")?,
        };
    }
    Some(schema)
}

/// What names an item of a list that is a map by `keys`.
pub(crate) fn key_of(item: &Value, keys: &[String]) -> String {
    let named: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let value = match &item[key] {
                Value::Null if key == "protocol" => json!("TCP"),
                value => value.clone(),
            };
            (key.clone(), value)
        })
        .collect();
    Value::Object(named).to_string()
}

/// All fields of `object` that somebody may own: leaves, and items of lists themselves.
pub(crate) fn owned(kind: &Kind, object: &Value) -> Owned {
    let mut owned = Owned::new();
    if let Some(fields) = object.as_object() {
        for (name, value) in fields {
            match name.as_str() {
                "apiVersion" | "kind" => {}
                "metadata" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        if matches!(
                            name.as_str(),
                            "labels" | "annotations" | "finalizers" | "ownerReferences"
                        ) {
                            let path = vec![Step::Field("metadata".into()), Step::Field(name.clone())];
                            collect(kind, value, path, &mut owned);
                        }
                    }
                }
                _ => collect(kind, value, vec![Step::Field(name.clone())], &mut owned),
            }
        }
    }
    owned
}

fn collect(kind: &Kind, value: &Value, path: Path, owned: &mut Owned) {
    let below = |step: Step| {
        let mut path = path.clone();
        path.push(step);
        path
    };
    match value {
        Value::Object(fields) if !fields.is_empty() && !is_atomic(kind, &path) => {
            for (name, value) in fields {
                collect(kind, value, below(Step::Field(name.clone())), owned);
            }
        }
        Value::Array(items) => match list_form(kind, &path) {
            ListForm::Atomic => drop(owned.insert(path)),
            ListForm::Set => owned.extend(items.iter().map(|item| below(Step::Item(item.to_string())))),
            ListForm::Map(keys) => {
                for item in items {
                    let at = below(Step::Key(key_of(item, &keys)));
                    owned.insert(at.clone());
                    collect(kind, item, at, owned);
                }
            }
        },
        _ => drop(owned.insert(path)),
    }
}

fn is_text(item: &Value, text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|named| named == *item)
}

/// What is at `path`.
pub(crate) fn at<'a>(kind: &Kind, object: &'a Value, path: &[Step]) -> Option<&'a Value> {
    let mut value = object;
    for (index, step) in path.iter().enumerate() {
        value = match step {
            Step::Field(name) => value.get(name)?,
            Step::Item(text) => value.as_array()?.iter().find(|item| is_text(item, text))?,
            Step::Key(text) => {
                let ListForm::Map(keys) = list_form(kind, &path[..index]) else { return None };
                value.as_array()?.iter().find(|item| key_of(item, &keys) == *text)?
            }
        };
    }
    Some(value)
}

/// Takes away what is at `path`, and what became empty by it.
pub(crate) fn remove(kind: &Kind, object: &mut Value, path: &[Step]) {
    for length in (1..=path.len()).rev() {
        let (parents, step) = (&path[..length - 1], &path[length - 1]);
        if length < path.len() {
            let empty = match at(kind, object, &path[..length]) {
                Some(Value::Object(fields)) => fields.is_empty(),
                Some(Value::Array(items)) => items.is_empty(),
                _ => false,
            };
            if !empty {
                return;
            }
        }
        let Some(parent) = at_mut(kind, object, parents) else { return };
        match (step, parent) {
            (Step::Field(name), Value::Object(fields)) => drop(fields.remove(name)),
            (Step::Item(text), Value::Array(items)) => items.retain(|item| !is_text(item, text)),
            (Step::Key(text), Value::Array(items)) => {
                if let ListForm::Map(keys) = list_form(kind, parents) {
                    items.retain(|item| key_of(item, &keys) != *text);
                }
            }
            _ => {}
        }
    }
}

fn at_mut<'a>(kind: &Kind, object: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    let mut value = object;
    for (index, step) in path.iter().enumerate() {
        value = match step {
            Step::Field(name) => value.get_mut(name)?,
            Step::Item(text) => value.as_array_mut()?.iter_mut().find(|item| is_text(item, text))?,
            Step::Key(text) => {
                let ListForm::Map(keys) = list_form(kind, &path[..index]) else { return None };
                value.as_array_mut()?.iter_mut().find(|item| key_of(item, &keys) == *text)?
            }
        };
    }
    Some(value)
}

/// `.spec.ports[port=80,protocol="TCP"].name`
pub(crate) fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) => {
                text.push('.');
                text.push_str(name);
            }
            Step::Item(item) => text.push_str(&format!("[={item}]")),
            Step::Key(key) => {
                let keys: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let keys: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                text.push_str(&format!("[{}]", keys.join(",")));
            }
        }
    }
    text
}

/// As `managedFields` has it.
pub(crate) fn fields_v1(owned: &Owned) -> Value {
    let mut tree = Value::Object(Map::new());
    for path in owned {
        let mut node = &mut tree;
        for step in path {
            let name = match step {
                Step::Field(name) => format!("f:{name}"),
                Step::Key(key) => format!("k:{key}"),
                Step::Item(item) => format!("v:{item}"),
            };
            node =
                node.as_object_mut().expect("every node is a map").entry(name).or_insert_with(|| json!({}));
        }
        // An item of a list is owned itself, beside what is in it.
        if matches!(path.last(), Some(Step::Key(_))) {
            node["."] = json!({});
        }
    }
    tree
}

/// The other way round.
pub(crate) fn from_fields_v1(tree: &Value) -> Owned {
    fn walk(tree: &Value, path: &mut Path, owned: &mut Owned) {
        let Some(fields) = tree.as_object() else { return };
        if fields.is_empty() || fields.contains_key(".") {
            owned.insert(path.clone());
        }
        for (name, below) in fields {
            let step = match name.split_at_checked(2) {
                Some(("f:", name)) => Step::Field(name.to_owned()),
                Some(("k:", key)) => Step::Key(key.to_owned()),
                Some(("v:", item)) => Step::Item(item.to_owned()),
                _ => continue,
            };
            path.push(step);
            walk(below, path, owned);
            path.pop();
        }
    }
    let mut owned = Owned::new();
    walk(tree, &mut Path::new(), &mut owned);
    owned.remove(&Path::new());
    owned
}
