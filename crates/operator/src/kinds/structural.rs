//! JSON Schema, as API servers take it: structural, without references, one type a node.

use serde_json::{Map, Value, json};

/// `schema` (draft 2020-12, with its `$defs`) in structural form. What a structural schema cannot say is left open: the
/// data plane's own reader checks every profile anyway.
pub(super) fn structural(schema: &Value, definitions: &Value) -> Value {
    form(schema, definitions, 0)
}

fn form(schema: &Value, definitions: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return json!({"x-kubernetes-preserve-unknown-fields": true});
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        let mut out = form(&definitions[name], definitions, depth);
        describe(schema, &mut out);
        return out;
    }
    let mut out = match (&schema["anyOf"], &schema["type"]) {
        (Value::Array(choices), _) => one_of(choices, definitions, depth),
        (_, Value::Array(types)) => {
            let mut single = schema.clone();
            single["type"] = types.iter().find(|name| *name != "null").cloned().unwrap_or(Value::Null);
            let mut out = form(&single, definitions, depth);
            if types.iter().any(|name| name == "null") {
                out["nullable"] = json!(true);
            }
            out
        }
        (_, Value::String(name)) => typed(schema, name, definitions, depth),
        _ if schema["enum"].is_array() => json!({"type": "string", "enum": schema["enum"]}),
        _ => json!({"x-kubernetes-preserve-unknown-fields": true}),
    };
    describe(schema, &mut out);
    out
}

fn typed(schema: &Value, name: &str, definitions: &Value, depth: usize) -> Value {
    let mut out = json!({"type": name});
    match name {
        "object" => {
            if let Some(properties) = schema["properties"].as_object() {
                let properties: Map<String, Value> = properties
                    .iter()
                    .map(|(name, below)| (name.clone(), form(below, definitions, depth + 1)))
                    .collect();
                out["properties"] = Value::Object(properties);
                if schema["required"].is_array() {
                    out["required"] = schema["required"].clone();
                }
            } else if schema["additionalProperties"].is_object() {
                out["additionalProperties"] = form(&schema["additionalProperties"], definitions, depth + 1);
            } else {
                out["x-kubernetes-preserve-unknown-fields"] = json!(true);
            }
        }
        "array" => out["items"] = form(&schema["items"], definitions, depth + 1),
        "integer" => {
            out["format"] = json!("int64");
            for bound in ["minimum", "maximum"] {
                if schema[bound].is_number() {
                    out[bound] = schema[bound].clone();
                }
            }
        }
        "string" => {
            // API servers' patterns know no looking around.
            if let Some(pattern) = schema["pattern"].as_str().filter(|pattern| !pattern.contains("(?")) {
                out["pattern"] = json!(pattern);
            }
            if schema["enum"].is_array() {
                out["enum"] = schema["enum"].clone();
            }
        }
        _ => {}
    }
    out
}

fn one_of(choices: &[Value], definitions: &Value, depth: usize) -> Value {
    let (nulls, rest): (Vec<&Value>, Vec<&Value>) =
        choices.iter().partition(|choice| choice["type"] == "null");
    let forms: Vec<Value> = rest.iter().map(|choice| form(choice, definitions, depth)).collect();
    let types: Vec<&str> = forms.iter().map(|form| form["type"].as_str().unwrap_or("")).collect();
    let mut out = match forms.as_slice() {
        [one] => one.clone(),
        _ if types.iter().all(|name| *name == "string") => json!({"type": "string"}),
        _ if types.iter().all(|name| matches!(*name, "string" | "integer")) => {
            json!({"x-kubernetes-int-or-string": true})
        }
        _ => json!({"x-kubernetes-preserve-unknown-fields": true}),
    };
    if !nulls.is_empty() {
        out["nullable"] = json!(true);
    }
    out
}

fn describe(schema: &Value, out: &mut Value) {
    if let Some(text) = schema["description"].as_str().filter(|text| !text.is_empty()) {
        out["description"] = json!(text);
    }
}

/// What an API server would refuse in a schema: where, and why. Empty for one that it takes.
///
/// Source: Kubernetes' rules for structural schemas, and what transcript 05 shows.
pub fn breaches(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(schema, "openAPIV3Schema", false, &mut found);
    found
}

/// `is_ruled`: a rule (CEL) of the node, or of one above it, may look at it.
fn walk(schema: &Value, path: &str, is_ruled: bool, found: &mut Vec<String>) {
    let mut say = |what: &str| found.push(format!("{path}: {what}"));
    let Some(fields) = schema.as_object() else {
        say("is no mapping");
        return;
    };
    for name in fields.keys() {
        if !KNOWN.contains(&name.as_str()) {
            say(&format!("{name} is not of OpenAPI v3 as API servers take it"));
        }
    }
    let open = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    let either = fields.get("x-kubernetes-int-or-string") == Some(&json!(true));
    match fields.get("type") {
        Some(Value::String(name)) => {
            if !matches!(name.as_str(), "object" | "array" | "string" | "integer" | "number" | "boolean") {
                say(&format!("type {name}"));
            }
            if name == "array" && !fields.contains_key("items") {
                say("an array without items");
            }
        }
        Some(_) => say("type is not one word"),
        None if !open && !either => say("has no type"),
        None => {}
    }
    if fields.contains_key("properties") && fields.contains_key("additionalProperties") {
        say("properties and additionalProperties exclude each other");
    }
    if fields.get("x-kubernetes-list-type") == Some(&json!("map")) {
        let keys = fields.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
        let required = |key: &Value| {
            let items = &schema["items"];
            items["required"].as_array().is_some_and(|all| all.contains(key))
                || !items["properties"][key.as_str().unwrap_or("")]["default"].is_null()
        };
        if keys.is_none_or(|keys| keys.is_empty() || !keys.iter().all(required)) {
            say("keys of a list that is a map have to be required");
        }
    }
    let is_ruled = is_ruled || fields.contains_key("x-kubernetes-validations");
    let bound = match fields.get("type").and_then(Value::as_str) {
        Some("array") => Some("maxItems"),
        Some("object") if fields.contains_key("additionalProperties") => Some("maxProperties"),
        Some("string") if !fields.contains_key("enum") => Some("maxLength"),
        _ => None,
    };
    if let Some(bound) = bound.filter(|bound| is_ruled && !fields.contains_key(*bound)) {
        say(&format!("a rule's cost is not bounded without {bound}"));
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        walk(below, &format!("{path}.{name}"), is_ruled, found);
    }
    for field in ["items", "additionalProperties"] {
        if let Some(below) = fields.get(field) {
            walk(below, &format!("{path}.{field}"), is_ruled, found);
        }
    }
    if has_rule_below(&schema["items"]) && !fields.contains_key("maxItems") {
        found.push(format!("{path}: rules of its items run as often as there are items, without maxItems"));
    }
}

fn has_rule_below(schema: &Value) -> bool {
    let Some(fields) = schema.as_object() else { return false };
    let properties = schema["properties"].as_object().into_iter().flatten().map(|(_, below)| below);
    fields.contains_key("x-kubernetes-validations")
        || properties.chain([&schema["items"], &schema["additionalProperties"]]).any(has_rule_below)
}

/// Sections inside one another; the deepest of a profile has four.
const DEPTH_MAX: usize = 12;

const KNOWN: &[&str] = &[
    "type",
    "format",
    "description",
    "properties",
    "additionalProperties",
    "required",
    "items",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "nullable",
    "default",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
];
