//! Our CRDs are what an API server takes.

use kube_cel::{Validator, compile_schema};
use palisade_kube_fake::{Cluster, Server, everywhere};
use palisade_operator::kinds::{breaches, crds, crds_yaml};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// An object as an API server takes it, or refuses it with these words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    kind: String,
    spec: String,
    refused: Option<String>,
}

impl Case {
    fn object(&self) -> Value {
        let spec: Value = serde_json::from_str(&self.spec).expect("a spec in JSON");
        json!({"apiVersion": "palisade.dev/v1alpha1", "kind": self.kind, "spec": spec,
            "metadata": {"namespace": "shop", "name": self.name}})
    }
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../../testdata/kinds/objects.toml");
    let cases: Cases = toml::from_str(text).expect("cases in TOML");
    assert!(!cases.case.is_empty());
    cases.case
}

fn schema_of<'c>(crds: &'c [Value], kind: &str) -> &'c Value {
    let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == *kind).expect("a kind of ours");
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// How many rules a schema has, at any depth. Each has to compile.
fn rules(schema: &Value) -> usize {
    let compiled = compile_schema(schema);
    assert!(!compiled.has_errors(), "{:?}", compiled.compilation_errors());
    let own = schema["x-kubernetes-validations"].as_array().map_or(0, Vec::len);
    let properties = schema["properties"].as_object().into_iter().flatten().map(|(_, below)| below);
    let below = properties.chain([&schema["items"], &schema["additionalProperties"]]);
    own + below.filter(|below| below.is_object()).map(rules).sum::<usize>()
}

#[test]
fn every_rule_of_our_kinds_compiles() {
    let all: usize =
        crds().iter().map(|crd| rules(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])).sum();
    println!("{all} rules");
    assert!(all >= 5, "{all}");
}

#[test]
fn rules_of_our_kinds_refuse_what_they_should_and_nothing_else() {
    let crds = crds();
    for case in cases() {
        let schema = schema_of(&crds, &case.kind);
        let told = Validator::new().validate(schema, &case.object(), None);
        let told = told.err().map(|errors| errors.to_string());
        match (&case.refused, &told) {
            (Some(words), Some(told)) => assert!(told.contains(words), "{}: {told}", case.name),
            (refused, told) => assert_eq!(refused.is_some(), told.is_some(), "{}: {told:?}", case.name),
        }
    }
}

/// The same by a real API server; the fake one runs no CEL, and is asked for what is taken alone.
#[test]
fn api_servers_take_and_refuse_objects_of_our_kinds() {
    everywhere(|cluster| {
        for crd in crds() {
            cluster.put(crd);
        }
        for case in cases() {
            match (&case.refused, cluster) {
                (None, _) => drop(cluster.put(case.object())),
                (Some(words), Cluster::Real(_)) => {
                    let told = cluster.refused(&case.object()).unwrap_or_default();
                    assert!(told.contains(words), "{}: {told:?}", case.name);
                }
                (Some(_), Cluster::Fake(_)) => {}
            }
        }
    });
}

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
            json!({"type": "object", "properties": {"a": {"type": "string"}},
                "x-kubernetes-validations": [{"rule": "self.a == 'b'"}]}),
            "without maxLength",
        ),
        (
            json!({"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}},
                "x-kubernetes-validations": [{"rule": "self.a > 1"}]}}),
            "without maxItems",
        ),
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
