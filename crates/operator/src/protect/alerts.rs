//! Calico's alerts as files of a bundle: a file an object, so that one change is one file. Whoever reads them is not known
//! here; [`Settings::alert_error`](super::plan::Settings) says what that one has against an object, and such a one is left out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Where they lie in a bundle.
pub(super) const FOLDER: &str = "alerts";

/// Files by their names in a bundle, and objects that cannot be used, with why.
pub(super) fn files<'a>(
    objects: impl Iterator<Item = &'a Value>,
    wrong: fn(&str) -> Option<String>,
) -> (BTreeMap<String, String>, Vec<(String, String)>) {
    let (mut files, mut unusable) = (BTreeMap::new(), Vec::new());
    for object in objects {
        let (Some(kind), Some(name)) = (object["kind"].as_str(), object["metadata"]["name"].as_str()) else {
            continue;
        };
        let text = json!({
            "apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": object["spec"],
        })
        .to_string();
        match wrong(&text) {
            None => drop(files.insert(format!("{FOLDER}/{kind}.{name}.yaml"), text)),
            Some(why) => unusable.push((format!("{kind} {name}"), format!("{why}; it is left out"))),
        }
    }
    (files, unusable)
}
