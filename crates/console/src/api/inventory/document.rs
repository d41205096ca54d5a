//! What was seen of a service as an OpenAPI 3.1 document: a beginning, for somebody to go on with.
//!
//! It says no more than was seen: no parameter is required, and values of several classes may be anything.

use std::collections::BTreeMap;

use palisade_model::Calendar;
use serde_json::{Map, Value, json};

use super::{Inventory, Parameter, Seen};

/// Methods that such a document knows.
const METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"];

/// The document.
pub(in crate::api) fn document(inventory: &Inventory) -> Value {
    let mut paths = Map::new();
    for (path, in_path, methods) in inventory.endpoints() {
        let mut item = Map::new();
        let of_path: Vec<Value> = in_path
            .iter()
            .map(|one| {
                let schema = schema_of_class(one.class);
                json!({"name": one.name, "in": "path", "required": true, "schema": schema})
            })
            .collect();
        for (method, seen) in methods.iter().filter(|(method, _)| METHODS.contains(method)) {
            item.insert(method.to_ascii_lowercase(), operation(seen, &of_path));
        }
        if !item.is_empty() {
            paths.insert(path, Value::Object(item));
        }
    }
    let time = |millis: u64| Calendar::new(millis, 0).rfc3339_seconds();
    let (from, to) = (time(inventory.from), time(inventory.to));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": inventory.service,
            "version": to,
            "description": format!(
                "Made of traffic from {from} to {to}. It says what was seen, not what is meant: read it before anything is held against it."
            ),
        },
        "paths": paths,
    })
}

fn operation(seen: &Seen, of_path: &[Value]) -> Value {
    let in_query = seen.parameters.iter().filter(|((place, _), _)| place == "query");
    let in_query = in_query.map(|((_, name), parameter)| {
        json!({"name": name, "in": "query", "required": false, "schema": schema(parameter), "x-seen": parameter.count})
    });
    let parameters: Vec<Value> = of_path.iter().cloned().chain(in_query).collect();
    let responses: Map<String, Value> = seen
        .statuses
        .iter()
        .filter(|(status, _)| status.len() == 3)
        .map(|(status, count)| (status.clone(), json!({"description": format!("seen {count} times")})))
        .collect();
    let mut operation = json!({"parameters": parameters, "responses": responses, "x-seen": seen.requests});
    let of_body: Vec<(&str, &Parameter)> = seen
        .parameters
        .iter()
        .filter(|((place, _), _)| place == "body")
        .map(|((_, name), parameter)| (name.as_str(), parameter))
        .collect();
    if !of_body.is_empty() {
        operation["requestBody"] = json!({"required": false, "content": content(&of_body)});
    }
    operation
}

/// Bodies of JSON, whose fields are named `json.a.b`, and of forms.
fn content(of_body: &[(&str, &Parameter)]) -> Value {
    let mut content = Map::new();
    let (json, form): (Vec<_>, Vec<_>) = of_body.iter().partition(|(name, _)| name.starts_with("json."));
    if !json.is_empty() {
        let mut root = Field::default();
        for (name, parameter) in json {
            root.add(name.split('.').skip(1), parameter);
        }
        content.insert("application/json".to_owned(), json!({"schema": root.schema()}));
    }
    if !form.is_empty() {
        let properties: Map<String, Value> =
            form.iter().map(|(name, parameter)| ((*name).to_owned(), schema(parameter))).collect();
        let form = json!({"schema": {"type": "object", "properties": properties}});
        content.insert("application/x-www-form-urlencoded".to_owned(), form.clone());
        content.insert("multipart/form-data".to_owned(), form);
    }
    Value::Object(content)
}

/// A field of a JSON body, with those in it.
#[derive(Debug, Default)]
struct Field<'p> {
    fields: BTreeMap<String, Field<'p>>,
    items: Option<Box<Field<'p>>>,
    value: Option<&'p Parameter>,
}

impl<'p> Field<'p> {
    fn add<'n>(&mut self, path: impl Iterator<Item = &'n str>, parameter: &'p Parameter) {
        let mut field = self;
        for segment in path {
            let number = segment.strip_prefix("array_");
            field = match number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
                true => field.items.get_or_insert_default(),
                false => field.fields.entry(segment.to_owned()).or_default(),
            };
        }
        field.value = Some(parameter);
    }

    fn schema(&self) -> Value {
        let mut shapes = Vec::new();
        if !self.fields.is_empty() {
            let properties: Map<String, Value> =
                self.fields.iter().map(|(name, field)| (name.clone(), field.schema())).collect();
            shapes.push(json!({"type": "object", "properties": properties}));
        }
        if let Some(items) = &self.items {
            shapes.push(json!({"type": "array", "items": items.schema()}));
        }
        match (self.value, shapes.len()) {
            // Whether a number was written in quotes is not kept: anything that is not nested.
            (Some(_), 0) => json!({"type": ["string", "number", "boolean", "null"]}),
            (None, 1) => shapes.remove(0),
            _ => json!({}),
        }
    }
}

fn schema(parameter: &Parameter) -> Value {
    let mut classes = parameter.classes.iter().map(String::as_str);
    match (classes.next(), classes.next()) {
        (Some(class), None) => schema_of_class(class),
        _ if parameter.classes.iter().all(|class| class == "integer" || class == "decimal") => {
            json!({"type": "number"})
        }
        _ => json!({"type": "string"}),
    }
}

fn schema_of_class(class: &str) -> Value {
    match class {
        "integer" => json!({"type": "integer"}),
        "decimal" => json!({"type": "number"}),
        "uuid" => json!({"type": "string", "format": "uuid"}),
        "email" => json!({"type": "string", "format": "email"}),
        "hex" => json!({"type": "string", "pattern": "^[0-9A-Fa-f]+$"}),
        "word" | "token" => json!({"type": "string", "pattern": "^[^/]+$"}),
        _ => json!({"type": "string"}),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{of, record};
    use super::*;

    #[test]
    fn a_document_says_what_was_seen() {
        let parameters = json!([
            {"place": "query", "name": "page", "count": 3, "classes": ["integer"], "bytes_max": 2},
            {"place": "query", "name": "q", "count": 3, "classes": ["text", "empty"], "bytes_max": 2},
            {"place": "body", "name": "json.user.name", "count": 3, "classes": ["word"], "bytes_max": 2},
            {"place": "body", "name": "json.tags.array_0", "count": 3, "classes": ["word"], "bytes_max": 2},
            {"place": "body", "name": "note", "count": 3, "classes": ["text"], "bytes_max": 2},
        ]);
        let document = document(&of(&[
            record("POST", "/users/7", "200", parameters),
            record("PROPFIND", "/dav", "207", json!([])),
        ]));
        let operation = &document["paths"]["/users/{id}"]["post"];
        assert_eq!(
            operation["parameters"][0],
            json!({"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}})
        );
        assert_eq!(operation["parameters"][1]["schema"], json!({"type": "integer"}));
        assert_eq!(operation["parameters"][2]["schema"], json!({"type": "string"}));
        let json = &operation["requestBody"]["content"]["application/json"]["schema"]["properties"];
        assert_eq!(json["tags"]["type"], "array");
        assert!(json["user"]["properties"]["name"]["type"].is_array());
        assert_eq!(operation["responses"], json!({"200": {"description": "seen 3 times"}}));
        assert!(document["paths"].get("/dav").is_none());
    }
}
