//! A `WafProfile` as the ConfigMap that sidecars mount by the annotation `palisade.dev/profile`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::MANAGED_BY;
use crate::protect::Key;

/// What the API takes of one ConfigMap.
pub const CONFIG_MAP_BYTES_MAX: usize = 1_048_576;

/// The ConfigMap of a profile: `palisade.yaml`, and the rule files that it names, beside it. `profile` and `files` are as
/// [`crate::kinds::resolved`] gives them; `uid` is the profile's, which the map goes with.
///
/// # Errors
/// When two rule sets have files of one name, or all of it is more than a ConfigMap may hold.
pub fn profile_map(
    key: &Key,
    uid: &str,
    profile: &Value,
    files: &BTreeMap<String, String>,
) -> Result<Value, String> {
    let mut profile = profile.clone();
    let mut data: BTreeMap<String, String> = BTreeMap::new();
    // A ConfigMap has no folders; includes are found by the names that they have in their own.
    let short = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    for (path, text) in files {
        if data.insert(short(path), text.clone()).is_some() || short(path) == ENTRY {
            return Err(format!(
                "two of its rule sets have a file {}; give one of them another name",
                short(path)
            ));
        }
    }
    if let Some(named) = profile.pointer_mut("/rules/files").and_then(Value::as_array_mut) {
        for path in named {
            *path = json!(short(path.as_str().unwrap_or_default()));
        }
    }
    data.insert(ENTRY.to_owned(), crate::manifest::write(&json!({"profiles": {"default": profile}})));
    let bytes: usize = data.iter().map(|(name, text)| name.len() + text.len()).sum();
    if bytes > CONFIG_MAP_BYTES_MAX {
        return Err(format!("it and its rules have {bytes} bytes; a ConfigMap holds {CONFIG_MAP_BYTES_MAX}"));
    }
    Ok(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": format!("palisade-profile-{}", key.name), "namespace": key.namespace,
            "labels": {MANAGED_BY.0: MANAGED_BY.1},
            "ownerReferences": [{"apiVersion": "palisade.dev/v1alpha1", "kind": "WafProfile", "name": key.name, "uid": uid}],
        },
        "data": data,
    }))
}

/// Where the injector looks for the configuration.
const ENTRY: &str = "palisade.yaml";
