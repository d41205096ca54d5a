//! Structural schemas of CRDs: defaults, pruning and validation. CEL rules are not evaluated, as if every one held.

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::status::{Cause, Failed};

/// Defaults come, what the schema does not know goes.
pub(crate) fn settle(kind: &Kind, object: &mut Value) {
    let Some(schema) = &kind.schema else { return };
    for field in ["spec", "status"] {
        let below = &schema["properties"][field];
        if below.is_object() && !object[field].is_null() {
            shape(below, &mut object[field]);
        } else if object[field].is_null()
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove(field);
        }
    }
    if let (Some(fields), Some(known)) = (object.as_object_mut(), schema["properties"].as_object()) {
        fields.retain(|name, _| {
            known.contains_key(name) || matches!(name.as_str(), "apiVersion" | "kind" | "metadata")
        });
    }
}

fn shape(schema: &Value, value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let more = schema.get("additionalProperties").filter(|more| more.is_object());
        let properties = schema["properties"].as_object();
        for (name, below) in properties.into_iter().flatten() {
            let nullable = below["nullable"] == true;
            if fields.get(name).is_none_or(|value| value.is_null() && !nullable) {
                match below.get("default") {
                    Some(default) => drop(fields.insert(name.clone(), default.clone())),
                    None => drop(fields.remove(name)),
                }
            }
        }
        fields.retain(|name, _| {
            open || more.is_some() || properties.is_some_and(|known| known.contains_key(name))
        });
        for (name, value) in fields {
            if let Some(below) = properties.and_then(|known| known.get(name)).or(more) {
                shape(below, value);
            }
        }
    } else if let (Some(items), Some(below)) = (value.as_array_mut(), schema.get("items")) {
        items.iter_mut().for_each(|item| shape(below, item));
    }
}

/// What is wrong with `new`, by the schema of its kind.
pub(crate) fn check(kind: &Kind, _old: Option<&Value>, new: &Value) -> Result<(), Failed> {
    let Some(schema) = &kind.schema else { return Ok(()) };
    let mut causes = Vec::new();
    for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if new[field].is_null() {
            causes.push(Cause::required(field, ""));
        }
    }
    for field in ["spec", "status"] {
        let below = &schema["properties"][field];
        if below.is_object() && !new[field].is_null() {
            validate(below, &new[field], field, &mut causes);
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    let name = new["metadata"]["name"].as_str().unwrap_or("");
    let duplicates = causes.iter().all(|cause| cause.reason == "FieldValueDuplicate");
    if !duplicates && has_rules(schema) {
        let detail = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
        causes.push(Cause::invalid("<nil>", "null", detail));
    }
    Err(Failed::invalid(kind, name, &causes))
}

fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.contains_key("x-kubernetes-validations") || fields.values().any(has_rules)
        }
        Value::Array(items) => items.iter().any(has_rules),
        _ => false,
    }
}

fn validate(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    let kind_of = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if let Some(wanted) = schema["type"].as_str() {
        let fits = wanted == kind_of || (wanted == "number" && kind_of == "integer");
        if !fits {
            let detail = format!("{path} in body must be of type {wanted}: {kind_of:?}");
            causes.push(Cause::type_invalid(path, &format!("{kind_of:?}"), &detail));
        }
    } else if schema["x-kubernetes-int-or-string"] == true && !matches!(kind_of, "integer" | "string") {
        let detail = format!("{path} in body must be of type integer,string: {kind_of:?}");
        causes.push(Cause::type_invalid(path, &format!("{kind_of:?}"), &detail));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let supported: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        causes.push(Cause::unsupported(path, &value.to_string(), &supported));
    }
    if let Some(number) = value.as_f64() {
        if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
            let detail = format!("{path} in body should be greater than or equal to {least}");
            causes.push(Cause::invalid(path, &value.to_string(), &detail));
        }
        if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
            let detail = format!("{path} in body should be less than or equal to {most}");
            causes.push(Cause::invalid(path, &value.to_string(), &detail));
        }
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
            let message = format!("Too long: may not be more than {most} bytes");
            causes.push(Cause { reason: "FieldValueTooLong", message, field: path.to_owned() });
        }
        if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
            let detail = format!("{path} in body should be at least {least} chars long");
            causes.push(Cause::invalid(path, &value.to_string(), &detail));
        }
    }
    if let Some(items) = value.as_array() {
        if let Some(most) = schema["maxItems"].as_u64().filter(|most| items.len() as u64 > *most) {
            let message = format!("Too many: {}: must have at most {most} items", items.len());
            causes.push(Cause { reason: "FieldValueTooMany", message, field: path.to_owned() });
        }
        if let Some(least) = schema["minItems"].as_u64().filter(|least| (items.len() as u64) < *least) {
            let detail = format!("{path} in body should have at least {least} items");
            causes.push(Cause::invalid(path, &items.len().to_string(), &detail));
        }
        duplicates(schema, items, path, causes);
        for (index, item) in items.iter().enumerate() {
            validate(&schema["items"], item, &format!("{path}[{index}]"), causes);
        }
    }
    if let Some(fields) = value.as_object() {
        for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(field) {
                causes.push(Cause::required(format!("{path}.{field}"), ""));
            }
        }
        for (name, value) in fields {
            let below = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
            if let Some(below) = below.filter(|below| below.is_object()) {
                validate(below, value, &format!("{path}.{name}"), causes);
            }
        }
    }
}

fn duplicates(schema: &Value, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let keys: Option<Vec<&str>> = match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => None,
        Some("map") => Some(
            schema["x-kubernetes-list-map-keys"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect(),
        ),
        _ => return,
    };
    let mut seen: Vec<Value> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let key = match &keys {
            None => item.clone(),
            Some(keys) => keys
                .iter()
                .map(|key| ((*key).to_owned(), item[*key].clone()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        };
        if seen.contains(&key) {
            let message = format!("Duplicate value: {key}");
            causes.push(Cause { reason: "FieldValueDuplicate", message, field: format!("{path}[{index}]") });
        }
        seen.push(key);
    }
}

/// The kind that a CRD declares.
pub(crate) fn kind_of(crd: &Value) -> Option<Kind> {
    let spec = &crd["spec"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let versions = spec["versions"].as_array()?;
    let served: Vec<&Value> = versions.iter().filter(|version| version["served"] == true).collect();
    let first = *served.first()?;
    let kind = text(&spec["names"]["kind"])?;
    Some(Kind {
        group: text(&spec["group"])?,
        versions: served.iter().filter_map(|version| text(&version["name"])).collect(),
        plural: text(&spec["names"]["plural"])?,
        singular: text(&spec["names"]["singular"]).unwrap_or_else(|| kind.to_lowercase()),
        kind,
        scope: if spec["scope"] == "Cluster" { crate::Scope::Cluster } else { crate::Scope::Namespaced },
        status: first["subresources"]["status"].is_object(),
        generation: true,
        strict_update: true,
        custom: true,
        selectable: first["selectableFields"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|field| {
                field["jsonPath"].as_str().map(|path| path.trim_start_matches('.').to_owned())
            })
            .collect(),
        schema: Some(std::sync::Arc::new(first["schema"]["openAPIV3Schema"].clone())),
        short_names: spec["names"]["shortNames"].as_array().into_iter().flatten().filter_map(text).collect(),
    })
}

/// What a CRD's status says once it is served.
pub(crate) fn established(crd: &mut Value) {
    let time = crate::store::now();
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": time});
    let stored: Vec<&Value> = crd["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| &version["name"])
        .collect();
    let status = json!({
        "acceptedNames": crd["spec"]["names"], "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
    crd["status"] = status;
}
