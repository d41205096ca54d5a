//! Index templates: what each field is, from the same tables as queries.

use palisade_model::{Field, FieldKind};
use serde_json::{Map, Value, json};

use crate::query::DataSet;
use crate::sinks::document::Kind;

/// Whose words for fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Elasticsearch 7.8 and later.
    Elasticsearch,
    /// OpenSearch 2.7 and later.
    OpenSearch,
}

/// A composable index template for indices of a pattern. Fields that no table knows are kept and not indexed, so that
/// nobody who writes requests adds fields.
#[must_use]
pub fn index_template(kind: Kind, pattern: &str, engine: Engine) -> Value {
    let data_set = match kind {
        Kind::Waf => DataSet::Waf,
        Kind::L7 => DataSet::L7,
        Kind::Alerts => DataSet::Events,
    };
    let mut mappings = properties(data_set.fields().unwrap_or_default(), engine);
    mappings["dynamic"] = json!(false);
    json!({
        "index_patterns": [pattern],
        "priority": PRIORITY,
        "template": {
            "settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1"},
            "mappings": mappings,
        },
        "_meta": {"made_by": concat!("palisade ", env!("CARGO_PKG_VERSION")), "data_set": data_set.as_str()},
    })
}

/// Above those that come with the servers.
const PRIORITY: u32 = 300;

fn properties(fields: &[Field], engine: Engine) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), mapping(field.kind, engine))).collect();
    json!({ "properties": properties })
}

fn mapping(kind: FieldKind, engine: Engine) -> Value {
    match kind {
        FieldKind::Time => json!({"type": "date"}),
        FieldKind::Address => json!({"type": "ip", "ignore_malformed": true}),
        FieldKind::Number => json!({"type": "long"}),
        FieldKind::Flag => json!({"type": "boolean"}),
        // Lucene takes 32,766 bytes; a character has up to four.
        FieldKind::Text | FieldKind::Word => json!({"type": "keyword", "ignore_above": 8191}),
        FieldKind::Object(fields) => properties(fields, engine),
        // An index knows no lists: a field may have many values.
        FieldKind::List(of) => mapping(*of, engine),
        FieldKind::Numbers => match engine {
            Engine::Elasticsearch => json!({"type": "flattened", "ignore_above": 8191}),
            Engine::OpenSearch => json!({"type": "flat_object"}),
        },
    }
}
