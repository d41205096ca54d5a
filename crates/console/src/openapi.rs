//! `/api/v1/openapi.json`: the table of routes as an OpenAPI document.

use serde_json::{Map, Value, json};

use crate::routes::{Operation, ROUTES, Role};

/// Describes every path, for a program of this version.
pub(crate) fn document(version: &str) -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let in_path: Vec<Value> = route.path.split('/').filter_map(captured).map(in_path).collect();
        let mut item = Map::new();
        for operation in route.operations {
            item.insert(operation.method.to_ascii_lowercase(), described(operation, &in_path));
        }
        paths.insert(route.path.to_owned(), Value::Object(item));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Palisade",
            "version": version,
            "description": "The admin listener: what a data plane decided, what is in force, and changes of it.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": {
                "type": "object",
                "required": ["error"],
                "properties": {"error": {"type": "string", "description": "what is wrong, and what to write"}},
            }},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": crate::session::COOKIE},
            },
        },
    })
}

/// The name in `{name}`.
fn captured(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn in_path(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
}

fn described(operation: &Operation, in_path: &[Value]) -> Value {
    let in_query = operation.query.iter().map(|(name, what)| {
        json!({"name": name, "in": "query", "description": what, "schema": {"type": "string"}})
    });
    let parameters: Vec<Value> = in_path.iter().cloned().chain(in_query).collect();
    let schema = match operation.media_type {
        "application/json" => json!({"type": "object"}),
        _ => json!({"type": "string"}),
    };
    let error = json!({
        "description": "what is wrong",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    });
    let mut described = json!({
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": operation.answer, "content": {operation.media_type: {"schema": schema}}},
            "default": error,
        },
        "security": match operation.asks {
            Role::Anybody => json!([]),
            // Nothing at all on loopback without a token file.
            Role::Viewer | Role::Operator => json!([{}, {"token": []}, {"session": []}]),
        },
        "x-role": operation.asks.name(),
    });
    if let Some(body) = operation.body {
        described["requestBody"] =
            json!({"description": body, "content": {"application/json": {"schema": {}}}});
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_each_of_its_methods_is_described() {
        let document = document("1.2.3");
        assert_eq!(document["info"]["version"], "1.2.3");
        assert_eq!(document["paths"].as_object().unwrap().len(), ROUTES.len());
        for route in ROUTES {
            let item = &document["paths"][route.path];
            for operation in route.operations {
                let described = &item[operation.method.to_ascii_lowercase()];
                assert_eq!(described["summary"], operation.summary, "{}", route.path);
                let captures = route.path.matches('{').count();
                let parameters = described["parameters"].as_array().unwrap();
                assert_eq!(parameters.len(), captures + operation.query.len(), "{}", route.path);
                assert_eq!(described["requestBody"].is_object(), operation.body.is_some());
            }
            assert_eq!(item.as_object().unwrap().len(), route.operations.len(), "{}", route.path);
        }
    }
}
