//! Looking into JSON that anybody may have written, and making room in it.

use serde_json::{Map, Value};

/// The value at a path of keys.
pub(crate) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// The text at a path of keys.
pub(crate) fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path)?.as_str()
}

/// The mapping at a path of keys.
pub(crate) fn map<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Map<String, Value>> {
    at(value, path)?.as_object()
}

/// The list at a path of keys; none is an empty one.
pub(crate) fn list<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The mapping at a path of keys, made where there is none.
pub(crate) fn map_at<'v>(value: &'v mut Value, path: &[&str]) -> &'v mut Map<String, Value> {
    let mut here = value;
    for key in path {
        here = as_map(here).entry(*key).or_insert(Value::Null);
    }
    as_map(here)
}

/// The list at a path of keys, made where there is none.
pub(crate) fn list_at<'v>(value: &'v mut Value, path: &[&str]) -> &'v mut Vec<Value> {
    let (last, before) = path.split_last().expect("a list has a name");
    let here = map_at(value, before).entry(*last).or_insert(Value::Null);
    if !here.is_array() {
        *here = Value::Array(Vec::new());
    }
    here.as_array_mut().expect("it is one now")
}

fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it is one now")
}

/// The `name` of a container, port, variable or volume.
pub(crate) fn name(item: &Value) -> Option<&str> {
    item.get("name")?.as_str()
}

/// A container by its name, wherever it stands.
pub(crate) fn find<'v>(pod: &'v Value, named: &str) -> Option<&'v Value> {
    let all = list(pod, &["spec", "containers"]).iter().chain(list(pod, &["spec", "initContainers"]));
    all.into_iter().find(|container| name(container) == Some(named))
}

/// A port's number.
pub(crate) fn port_number(port: &Value) -> Option<u16> {
    let number = port.get("containerPort")?.as_u64()?;
    u16::try_from(number).ok().filter(|number| *number > 0)
}

/// Whether a port is TCP's, as ports are that do not say.
pub(crate) fn is_tcp(port: &Value) -> bool {
    match port.get("protocol") {
        None | Some(Value::Null) => true,
        Some(protocol) => protocol.as_str().is_some_and(|name| name == "TCP" || name.is_empty()),
    }
}
