//! Our CRDs are what an API server takes.

use palisade_kube_fake::Server;
use palisade_operator::kinds::{breaches, crds, crds_yaml};
use serde_json::{Value, json};

#[test]
fn schemas_are_structural() {
    let crds = crds();
    assert_eq!(crds.len(), 3);
    for crd in crds {
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert_eq!(breaches(schema), Vec::<String>::new(), "{}", crd["metadata"]["name"]);
    }
}

#[test]
fn what_is_not_structural_is_found() {
    for (schema, why) in [
        (json!({"type": "object", "properties": {"a": {}}}), "has no type"),
        (json!({"type": "object", "properties": {"a": {"$ref": "#/x"}}}), "$ref"),
        (
            json!({"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}),
            "exclude each other",
        ),
        (json!({"type": ["string", "null"]}), "one word"),
        (json!({"type": "array"}), "without items"),
        (
            json!({"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"]}),
            "required",
        ),
    ] {
        assert!(
            breaches(&schema).iter().any(|breach| breach.contains(why)),
            "{schema}: {:?}",
            breaches(&schema)
        );
    }
}

#[test]
fn a_profile_has_the_keys_of_the_configuration_file() {
    let crds = crds();
    let spec =
        &crds[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    let reference = palisade_config::json_schema();
    let reference: Value = serde_json::from_str(&reference).expect("JSON");
    let keys = reference["$defs"]["Profile"]["properties"].as_object().expect("keys");
    for key in keys.keys().filter(|key| *key != "base") {
        assert!(spec[key].is_object(), "{key} is missing");
    }
    assert_eq!(spec["detect"]["properties"]["sensitivity"]["enum"], json!(["low", "medium", "high"]));
}

#[test]
fn the_yaml_is_the_crds() {
    let text = crds_yaml();
    let read: Vec<Value> =
        text.split("---\n").skip(1).map(|text| serde_saphyr::from_str(text).expect("YAML")).collect();
    assert_eq!(read, crds());
}

#[test]
fn an_api_server_serves_them() {
    let server = Server::start();
    for crd in crds() {
        server.put(crd);
    }
    let profile = server.put(json!({
        "apiVersion": "palisade.dev/v1alpha1", "kind": "WafProfile", "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"mode": "block"},
    }));
    assert_eq!(profile["metadata"]["generation"], 1);
}
