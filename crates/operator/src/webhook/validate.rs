//! What `/validate` makes of rules and profiles: they are compiled by the code that runs them.
//!
//! Rules read nothing but the files that came with them, so that an `Include` of something else is an error here as it is
//! there. Sizes are bounded, and compiling is linear in them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::metrics::AdmissionMetrics;
use super::review::{Decision, Request};
use crate::kinds::{self, Compiled};

/// Label of a ConfigMap whose `*.conf` are rules.
const RULES_LABEL: &str = "palisade.dev/rules";
/// Calico's ConfigMap of rules.
const CALICO_RULES: &str = "modsecurity-ruleset";
/// Files that Calico's ConfigMap has to have; they are loaded first, in this order.
const CALICO_FIRST: [&str; 2] = ["modsecdefault.conf", "crs-setup.conf"];
/// Whether an object may be stored. Kinds that nothing is known of here may.
pub fn validate(request: &Request<'_>, metrics: &AdmissionMetrics) -> Decision {
    let Some(object) =
        request.object.filter(|_| request.sub_resource.is_none() && request.operation != "DELETE")
    else {
        return Decision::allow();
    };
    let (kind, decision) = match (request.group, request.kind) {
        ("", "ConfigMap") => match rule_map(request, object) {
            Some(decision) => ("ConfigMap", decision),
            None => return Decision::allow(),
        },
        ("palisade.dev", "RuleSet") => ("RuleSet", rule_set(object)),
        ("palisade.dev", "WafProfile") => ("WafProfile", profile(object)),
        ("palisade.dev", "Protection") => ("Protection", protection(object)),
        _ => return Decision::allow(),
    };
    metrics.validated(kind, if decision.allowed { "allowed" } else { "denied" });
    decision
}

/// The files of a ConfigMap, when they are rules.
fn rule_map(request: &Request<'_>, map: &Value) -> Option<Decision> {
    let is_calicos = request.name == CALICO_RULES;
    let labelled =
        map.pointer("/metadata/labels/palisade.dev~1rules").and_then(Value::as_str) == Some("true");
    if !is_calicos && !labelled {
        return None;
    }
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (name, text) in map.get("data").and_then(Value::as_object).into_iter().flatten() {
        files.insert(name.clone(), text.as_str().unwrap_or_default().into());
    }
    for (name, text) in map.get("binaryData").and_then(Value::as_object).into_iter().flatten() {
        match text.as_str().map(|text| STANDARD.decode(text)) {
            Some(Ok(bytes)) => drop(files.insert(name.clone(), bytes)),
            _ => return Some(invalid(format!("binaryData.{name} is not base64"))),
        }
    }
    if is_calicos && let Some(missing) = CALICO_FIRST.iter().find(|name| !files.contains_key(**name)) {
        return Some(invalid(format!("there is no {missing}, in lower-case letters; it is loaded first")));
    }
    let first = CALICO_FIRST.iter().filter(|name| files.contains_key(**name)).map(|name| (*name).to_owned());
    let is_other = |name: &&String| name.ends_with(".conf") && !CALICO_FIRST.contains(&name.as_str());
    let order: Vec<String> = first.chain(files.keys().filter(is_other).cloned()).collect();
    if order.is_empty() {
        return Some(invalid(format!(
            "label {RULES_LABEL} says that it holds rules, and it has no key that ends in .conf"
        )));
    }
    Some(compiled(files, order))
}

/// The rules of a RuleSet: those that it holds itself. What it names elsewhere is looked at where it is.
fn rule_set(object: &Value) -> Decision {
    let Some(text) = object.pointer("/spec/text").and_then(Value::as_str) else { return Decision::allow() };
    compiled([("spec.text".to_owned(), text.into())].into(), vec!["spec.text".to_owned()])
}

/// Compiles rules in the order of their names.
fn compiled(files: BTreeMap<String, Vec<u8>>, order: Vec<String>) -> Decision {
    let files = files.iter().map(|(name, text)| (name.as_str(), text.as_slice()));
    let Compiled { error, has_more, warnings } = kinds::compiled(files, &order);
    let Some(error) = error else { return Decision { warnings, ..Decision::allow() } };
    let more = if has_more { "\n..." } else { "" };
    Decision { warnings, ..invalid(format!("{error}{more}")) }
}

/// A profile is one of a configuration, where rules are named and not written.
fn profile(object: &Value) -> Decision {
    let Some(spec) = object.get("spec").and_then(Value::as_object) else {
        return invalid("it has no spec");
    };
    let mut spec = spec.clone();
    // Rules of a profile in a cluster are named objects; paths are what a data plane makes of them.
    let rules = spec.remove("rules");
    if rules.as_ref().is_some_and(|rules| !rules.is_object() && !rules.is_array()) {
        return invalid("spec.rules is no mapping");
    }
    let (error, warnings) = kinds::judged(&Value::Object(spec));
    match error {
        None => Decision { warnings, ..Decision::allow() },
        Some(error) => Decision { warnings, ..invalid(error) },
    }
}

/// What a Protection says beyond its schema.
fn protection(object: &Value) -> Decision {
    let targets = object.pointer("/spec/targetRefs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let kinds = [
        "Service",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "Namespace",
        "Gateway",
        "HTTPRoute",
        "Ingress",
    ];
    for (index, target) in targets.iter().enumerate() {
        let kind = target.get("kind").and_then(Value::as_str).unwrap_or_default();
        if !kinds.contains(&kind) {
            let kind = crate::inject::shown(kind);
            return invalid(format!(
                "spec.targetRefs[{index}].kind is {kind}; write one of {}",
                kinds.join(", ")
            ));
        }
    }
    Decision::allow()
}

fn invalid(message: impl Into<String>) -> Decision {
    Decision::deny(422, "Invalid", message)
}
