//! What is served, as clients ask for it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kinds::{Kinds, Scope};
use crate::status::Failed;

/// The answer to a path that names no resource.
pub(crate) fn answer(kinds: &Kinds, path: &str, accept: &str) -> Result<Value, Failed> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if accept.contains("as=APIGroupDiscoveryList") && matches!(parts.as_slice(), ["api"] | ["apis"]) {
        return Ok(aggregated(kinds, parts[0] == "api"));
    }
    match parts.as_slice() {
        ["version"] => Ok(json!({
            "major": "1", "minor": "36", "gitVersion": "v1.36.2", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "2026-06-01T00:00:00Z", "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64",
        })),
        ["api"] => Ok(json!({
            "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [],
        })),
        ["apis"] => Ok(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups(kinds)})),
        ["api", "v1"] => resources(kinds, "", "v1"),
        ["apis", group] => groups(kinds)
            .into_iter()
            .find(|known| known["name"] == **group)
            .map(|mut known| {
                known["kind"] = json!("APIGroup");
                known["apiVersion"] = json!("v1");
                known
            })
            .ok_or_else(Failed::page_not_found),
        ["apis", group, version] => resources(kinds, group, version),
        _ => Err(Failed::page_not_found()),
    }
}

fn groups(kinds: &Kinds) -> Vec<Value> {
    versions(kinds)
        .into_iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
                .collect();
            json!({"name": group, "preferredVersion": versions[0], "versions": versions})
        })
        .collect()
}

fn versions(kinds: &Kinds) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in kinds.all() {
        let versions = groups.entry(kind.group.clone()).or_default();
        for version in &kind.versions {
            if !versions.contains(version) {
                versions.push(version.clone());
            }
        }
    }
    groups
}

fn resources(kinds: &Kinds, group: &str, version: &str) -> Result<Value, Failed> {
    if !kinds.has_group(group) {
        return Err(Failed::page_not_found());
    }
    let mut resources = Vec::new();
    for kind in kinds.all().filter(|kind| kind.group == group && kind.versions.iter().any(|it| it == version))
    {
        let mut resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.scope == Scope::Namespaced,
            "kind": kind.kind, "verbs": VERBS,
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        resources.push(resource);
        if kind.status {
            resources.push(json!({
                "name": format!("{}/status", kind.plural), "singularName": "",
                "namespaced": kind.scope == Scope::Namespaced, "kind": kind.kind, "verbs": ["get", "patch", "update"],
            }));
        }
    }
    if resources.is_empty() {
        return Err(Failed::no_such_resource());
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Ok(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}),
    )
}

fn aggregated(kinds: &Kinds, core: bool) -> Value {
    let items: Vec<Value> = versions(kinds)
        .into_iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let resources: Vec<Value> = kinds
                        .all()
                        .filter(|kind| kind.group == group && kind.versions.contains(version))
                        .map(|kind| {
                            let response = json!({"group": group, "version": version, "kind": kind.kind});
                            let mut resource = json!({
                                "resource": kind.plural, "responseKind": response,
                                "scope": if kind.scope == Scope::Namespaced { "Namespaced" } else { "Cluster" },
                                "singularResource": kind.singular, "verbs": VERBS,
                            });
                            if kind.status {
                                resource["subresources"] = json!([{
                                    "subresource": "status", "responseKind": response, "verbs": ["get", "patch", "update"],
                                }]);
                            }
                            resource
                        })
                        .collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
