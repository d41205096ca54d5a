//! What `/validate` makes of rules and profiles: they are compiled by the code that runs them.
//!
//! Rules read nothing but the files that came with them, so that an `Include` of something else is an error here as it is
//! there. Sizes are bounded, and compiling is linear in them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use palisade_config::Overrides;
use palisade_engine::{RuleSources, load_rules};
use palisade_seclang::{Diagnostic, MemoryLoader, SourceMap, Style};
use serde_json::{Value, json};

use super::metrics::AdmissionMetrics;
use super::review::{Decision, Request};

/// Bytes of all rule files of one object. Above it: denied. etcd takes about 1.5 MiB; a whole CRS 4 has 0.94.
pub const RULES_BYTES_MAX: usize = 2 << 20;

/// Label of a ConfigMap whose `*.conf` are rules.
const RULES_LABEL: &str = "palisade.dev/rules";
/// Calico's ConfigMap of rules.
const CALICO_RULES: &str = "modsecurity-ruleset";
/// Files that Calico's ConfigMap has to have; they are loaded first, in this order.
const CALICO_FIRST: [&str; 2] = ["modsecdefault.conf", "crs-setup.conf"];
/// Errors that a denial shows.
const ERRORS_MAX: usize = 5;

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
    let bytes: usize = files.iter().map(|(name, text)| name.len() + text.len()).sum();
    if bytes > RULES_BYTES_MAX {
        return invalid(format!("the rules have {bytes} bytes, and at most {RULES_BYTES_MAX} are looked at"));
    }
    // Names without a folder would be those of files here.
    let at = |name: &str| format!("/{name}");
    let rules = order.iter().map(|name| at(name)).collect();
    let loader =
        files.into_iter().fold(MemoryLoader::new(), |loader, (name, text)| loader.with(at(&name), text));
    let loaded = load_rules(&RuleSources { rules, ..RuleSources::default() }, &loader);
    let (errors, warnings): (Vec<_>, Vec<_>) = loaded.diagnostics.iter().partition(|found| found.is_error());
    let lines = warnings.iter().map(|warning| one_line(warning, &loaded.sources)).collect();
    if loaded.rules.is_some() && errors.is_empty() {
        return Decision { warnings: lines, ..Decision::allow() };
    }
    let mut message = match errors.len() {
        1 => "1 error in the rules".to_owned(),
        count => format!("{count} errors in the rules"),
    };
    for error in errors.iter().take(ERRORS_MAX) {
        message.push('\n');
        message.push_str(error.render(&loaded.sources, Style::Plain).replace("--> /", "--> ").trim_end());
    }
    if errors.len() > ERRORS_MAX {
        message.push_str("\n...");
    }
    Decision { warnings: lines, ..invalid(message) }
}

/// `custom.conf:3:9: unknown variable`.
fn one_line(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let place = diagnostic.span.map(|span| {
        let (line, column) = sources.line_column(span);
        format!("{}:{line}:{column}: ", sources.name(span.file).trim_start_matches('/'))
    });
    format!("{}{}", place.unwrap_or_default(), diagnostic.message)
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
    let config = json!({
        "services": [{"name": "x", "upstream": {"url": "http://127.0.0.1:1"}}],
        "profiles": {"default": spec},
    });
    let text = config.to_string();
    let file = palisade_config::File { text: text.as_bytes(), folder: "" };
    let read = palisade_config::read(Some(file), &Overrides::default());
    let say = |found: &palisade_config::Diagnostic| {
        let key = found.key.strip_prefix("profiles.default").unwrap_or(&found.key);
        let help = found.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
        format!("spec{key}: {}{help}", found.message)
    };
    let (errors, warnings): (Vec<_>, Vec<_>) = read.diagnostics.iter().partition(|found| found.is_error());
    let warnings = warnings.into_iter().map(say).collect();
    if read.config.is_some() && errors.is_empty() {
        return Decision { warnings, ..Decision::allow() };
    }
    let errors: Vec<String> = errors.into_iter().take(ERRORS_MAX).map(say).collect();
    Decision { warnings, ..invalid(errors.join("\n")) }
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
