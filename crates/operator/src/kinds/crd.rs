//! The three CRDs.

use serde_json::{Value, json};

use super::structural::structural;

/// Of all our kinds.
pub const GROUP: &str = "palisade.dev";
/// The only version so far.
pub const VERSION: &str = "v1alpha1";
/// Kind and plural: how traffic is inspected.
pub const WAF_PROFILE: (&str, &str) = ("WafProfile", "wafprofiles");
/// Kind and plural: rules.
pub const RULE_SET: (&str, &str) = ("RuleSet", "rulesets");
/// Kind and plural: what is protected, and how.
pub const PROTECTION: (&str, &str) = ("Protection", "protections");

/// The CRDs, as an API server takes them.
pub fn crds() -> Vec<Value> {
    vec![
        crd(
            WAF_PROFILE,
            "wafp",
            "How traffic is inspected: the keys of a profile of the configuration file.",
            &profile(),
            &json!([column("Mode", ".spec.mode"), accepted(), age()]),
        ),
        crd(
            RULE_SET,
            "wafrs",
            "Rules in SecLang: written here, in a ConfigMap, or a release of the OWASP CRS.",
            &rule_set(),
            &json!([
                column("ConfigMap", ".spec.configMap.name"),
                column("CRS", ".spec.crs.release"),
                accepted(),
                age()
            ]),
        ),
        crd(
            PROTECTION,
            "wafpr",
            "What is protected, and how. The nearest to a workload decides: Service, workload, namespace; of two with one target the older.",
            &protection(),
            &json!([column("Profile", ".spec.profile"), column("Mode", ".spec.mode"), accepted(), age()]),
        ),
    ]
}

fn crd((kind, plural): (&str, &str), short: &str, docs: &str, spec: &Value, columns: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}"), "labels": {"app.kubernetes.io/name": "palisade"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase(),
                "shortNames": [short], "categories": ["palisade"],
            },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "description": docs,
                    "required": ["spec"],
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                        "spec": spec,
                        "status": status(kind),
                    },
                }},
            }],
        },
    })
}

fn column(name: &str, path: &str) -> Value {
    json!({"name": name, "type": "string", "jsonPath": path})
}

fn accepted() -> Value {
    column("Accepted", ".status.conditions[?(@.type==\"Accepted\")].status")
}

fn age() -> Value {
    json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})
}

fn profile() -> Value {
    let schema: Value =
        serde_json::from_str(&palisade_config::json_schema()).expect("the configuration's schema is JSON");
    let definitions = &schema["$defs"];
    let mut spec = structural(&definitions["Profile"], definitions);
    let properties = spec["properties"].as_object_mut().expect("a profile has keys");
    // Profiles of a cluster begin from nothing; rules are named objects, and paths what a data plane makes of them.
    properties.remove("base");
    properties.insert("rules".to_owned(), rules());
    properties["mode"]["default"] = json!("monitoring");
    spec
}

fn rules() -> Value {
    json!({
        "type": "object",
        "description": "Which rules inspect. Without any the built-in detector alone protects.",
        "properties": {
            "ruleSets": {
                "type": "array", "maxItems": 16, "x-kubernetes-list-type": "set",
                "items": {"type": "string", "minLength": 1, "maxLength": 253},
                "description": "RuleSets of this namespace by name, in the order in which they are loaded.",
            },
            "crs": {"type": "string", "maxLength": 4096, "description": "Folder of an OWASP CRS within the data plane's image."},
            "paranoia": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 4, "description": "CRS's paranoia level; the setup file's when absent."},
        },
    })
}

fn rule_set() -> Value {
    json!({
        "type": "object",
        "properties": {
            "text": {"type": "string", "maxLength": 1_048_576, "description": "Rules in SecLang."},
            "configMap": {
                "type": "object", "required": ["name"],
                "description": "A ConfigMap of this namespace with the label palisade.dev/rules: \"true\": its keys that end in .conf, by name; others are files that rules name.",
                "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 253}},
            },
            "crs": {
                "type": "object", "required": ["release"],
                "description": "A release of the OWASP CRS that the data plane's image or volume holds.",
                "properties": {"release": {"type": "string", "maxLength": 32, "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"}},
            },
        },
        "x-kubernetes-validations": [{
            "rule": "(has(self.text) ? 1 : 0) + (has(self.configMap) ? 1 : 0) + (has(self.crs) ? 1 : 0) == 1",
            "message": "write one of text, configMap, crs",
        }],
    })
}

fn protection() -> Value {
    json!({
        "type": "object",
        "required": ["targetRefs"],
        "properties": {
            "targetRefs": {
                "type": "array", "minItems": 1, "maxItems": 16,
                "description": "What it is attached to, in this namespace (GEP-713).",
                "items": {
                    "type": "object", "required": ["kind", "name"],
                    "properties": {
                        "group": {"type": "string", "maxLength": 253},
                        "kind": {"type": "string", "enum": [
                            "Service", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Namespace", "Gateway", "HTTPRoute", "Ingress",
                        ]},
                        "name": {"type": "string", "minLength": 1, "maxLength": 253},
                        "sectionName": {"type": "string", "maxLength": 253, "description": "A listener of a Gateway, a rule of an HTTPRoute."},
                    },
                    "x-kubernetes-validations": [
                        {
                            "rule": "!has(self.sectionName) || self.kind in ['Gateway', 'HTTPRoute']",
                            "message": "only a Gateway and an HTTPRoute have sections",
                        },
                        {
                            "rule": "!has(self.group) || self.group == (\
                                self.kind in ['Service', 'Namespace'] ? '' : \
                                self.kind == 'Ingress' ? 'networking.k8s.io' : \
                                self.kind in ['Gateway', 'HTTPRoute'] ? 'gateway.networking.k8s.io' : 'apps')",
                            "message": "group does not have this kind; leave it out",
                        },
                    ],
                },
                "x-kubernetes-validations": [{
                    "rule": "self.all(a, self.exists_one(b, a.kind == b.kind && a.name == b.name && \
                        (has(a.sectionName) ? a.sectionName : '') == (has(b.sectionName) ? b.sectionName : '')))",
                    "message": "a target is named once",
                }],
            },
            "profile": {"type": "string", "minLength": 1, "maxLength": 253, "description": "A WafProfile of this namespace; the operator's usual one when absent."},
            "mode": {"type": "string", "enum": ["off", "monitoring", "safe_blocking", "block"], "description": "In place of the profile's."},
            "strategy": {"type": "string", "enum": ["pool", "sidecar"], "default": "pool", "description": "Whether traffic goes by the pool of data planes, or by a sidecar: workloads are rolled then."},
        },
        "x-kubernetes-validations": [{
            "rule": "self.strategy != 'sidecar' || \
                self.targetRefs.all(t, !(t.kind in ['Gateway', 'HTTPRoute', 'Ingress', 'ReplicaSet']))",
            "message": "strategy sidecar is for workloads, Services and namespaces",
        }],
    })
}

fn status(kind: &str) -> Value {
    let mut properties = json!({
        "observedGeneration": {"type": "integer", "format": "int64"},
        "conditions": conditions(),
    });
    if kind == PROTECTION.0 {
        properties["ancestors"] = ancestors();
    }
    json!({"type": "object", "properties": properties})
}

/// What gateways say of each entrance, as policies of the Gateway API have it (GEP-713).
fn ancestors() -> Value {
    let name = |max: u32| json!({"type": "string", "maxLength": max});
    json!({
        "type": "array", "maxItems": 16, "x-kubernetes-list-type": "atomic",
        "description": "Whether a gateway inspects by it, for each Ingress, Gateway and HTTPRoute that it names.",
        "items": {
            "type": "object",
            "required": ["ancestorRef", "controllerName", "conditions"],
            "properties": {
                "ancestorRef": {
                    "type": "object", "required": ["name"],
                    "properties": {
                        "group": name(253), "kind": name(63), "namespace": name(63), "name": name(253), "sectionName": name(253),
                    },
                },
                "controllerName": name(320),
                "conditions": conditions(),
            },
        },
    })
}

fn conditions() -> Value {
    json!({
        "type": "array", "maxItems": 16,
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"type": "string", "maxLength": 316},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                "reason": {"type": "string", "maxLength": 1024},
                "message": {"type": "string", "maxLength": 32768},
                "observedGeneration": {"type": "integer", "format": "int64"},
                "lastTransitionTime": {"type": "string", "format": "date-time"},
            },
        },
    })
}
