//! What the configuration file may say, for people and for editors: a reference page and a JSON Schema, both made from
//! the sections themselves.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::decode::{KeyInfo, Section, Shape, key_name};
use crate::sections::Config;

/// The reference page, in Markdown.
pub fn reference() -> String {
    let mut out = String::from(INTRODUCTION);
    section(&mut out, Config::SECTION, "");
    out
}

/// The JSON Schema (draft 2020-12), which editors check a file by. It knows forms and keys; that names lead somewhere,
/// and that routes do not contradict each other, only `palisade check --config` knows.
pub fn json_schema() -> String {
    let mut definitions = Map::new();
    define(Config::SECTION, &mut definitions);
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Palisade's configuration file",
        "$ref": "#/$defs/Config",
        "$defs": definitions,
    });
    let mut text = serde_json::to_string_pretty(&schema).expect("a tree of texts is JSON");
    text.push('\n');
    text
}

const INTRODUCTION: &str = "\
# Configuration file

<!-- Made from the code by `palisade config reference`; a test keeps it so. -->

`palisade run --config FILE` reads YAML with the keys below; `palisade check --config FILE` says all that is wrong with
a file, with its line and a value that works. `examples/palisade.yaml` is one to begin with, and
`configuration.schema.json` beside this page lets editors check as you type.

- A key that is not below is an error; so is one that stands twice.
- Sizes are written with their unit: `12.5MiB` (B, KiB, MiB, GiB; kB, MB and GB are powers of ten). So are times: `5s`
  (ms, s, m, h, d).
- Relative paths start at the folder of the file; those of flags at the working directory.
- Flags win over the file, and so do `PALISADE_*` variables (`environment.md` beside this page). One that means one of
  several listeners, services or profiles of the file is refused.
- Anchors and aliases work; merge keys (`<<`) and tags do not. A file has at most 4 MiB, 32 levels, 10,000 listeners,
  10,000 services, 10,000 profiles and 20,000 hosts of routes.
- A change of the file, of a rule file or of a page that it names is in force within a second or two, and with SIGHUP at
  once; requests that have begun end by what they began with. A file that cannot be used leaves everything in force as it
  is. Rules that cannot be used leave the profiles that name them as they were, pages their services, while others change.

";

/// Writes a section and those below it.
fn section(out: &mut String, section_here: &Section, path: &str) {
    if !path.is_empty() {
        let _ = writeln!(out, "## `{path}`\n");
    }
    let _ = writeln!(out, "{}\n", prose(section_here.docs, "\n\n"));
    out.push_str("| key | value | default | |\n|---|---|---|---|\n");
    for key in section_here.keys {
        let name = key_name(key.field);
        let shape = (key.shape)();
        let default = match key.default {
            Some(default) => format!("`{default}`"),
            None if (key.required)() => "required".to_owned(),
            None => String::new(),
        };
        let _ = writeln!(out, "| `{name}` | {} | {default} | {} |", words(&shape), prose(key.docs, "<br>"));
    }
    out.push('\n');
    if !section_here.later.is_empty() {
        let later: Vec<String> = section_here.later.iter().map(|key| format!("`{key}`")).collect();
        let _ = writeln!(out, "Not in this version: {}.\n", later.join(", "));
    }
    for key in section_here.keys {
        let name = key_name(key.field);
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        if let Some((below, path)) = section_below(&(key.shape)(), path) {
            section(out, below, &path);
        }
    }
}

/// The section that a shape holds, and its path.
fn section_below(shape: &Shape, path: String) -> Option<(&'static Section, String)> {
    match shape {
        Shape::Section(section) => Some((section, path)),
        Shape::Nullable(inner) => section_below(inner, path),
        Shape::Either(one, other) => section_below(one, path.clone()).or_else(|| section_below(other, path)),
        Shape::List(inner) => section_below(inner, path + "[]"),
        Shape::Names(inner) => section_below(inner, path + ".NAME"),
        _ => None,
    }
}

/// What may be written, in words.
fn words(shape: &Shape) -> String {
    match shape {
        Shape::Text { what, .. } => (*what).to_owned(),
        Shape::Integer { min, max } if *max == i64::from(u32::MAX) => format!("a number from {min}"),
        Shape::Integer { min, max } => format!("a number from {min} to {max}"),
        Shape::Switch => "`true`, `false`".to_owned(),
        Shape::OneOf(all) => quoted(all),
        Shape::WordOr(all, other) => format!("{}, or {}", quoted(all), words(other)),
        Shape::Nullable(inner) => words(inner),
        Shape::List(inner) => match &**inner {
            Shape::Section(_) => "a list".to_owned(),
            inner => format!("a list, each {}", words(inner)),
        },
        Shape::OneOrMore(inner) => format!("{}, or a list of them", words(inner)),
        Shape::Names(_) => "by name".to_owned(),
        Shape::Either(one, other) => format!("{}, or {}", words(one), words(other)),
        Shape::Section(_) => "keys below".to_owned(),
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Doc comments as running text: an empty line is `paragraph`.
fn prose(docs: &[&str], paragraph: &str) -> String {
    let mut out = String::new();
    let mut fresh = true;
    for line in docs.iter().map(|line| line.trim()) {
        if line.is_empty() {
            out.push_str(paragraph);
            fresh = true;
            continue;
        }
        if !fresh {
            out.push(' ');
        }
        out.push_str(line);
        fresh = false;
    }
    out
}

fn define(section: &'static Section, into: &mut Map<String, Value>) {
    if into.contains_key(section.name) {
        return;
    }
    // Before those below it, which end here if they come back to it.
    into.insert(section.name.to_owned(), Value::Null);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in section.keys {
        let name = key_name(key.field);
        if (key.required)() {
            required.push(Value::from(name.clone()));
        }
        properties.insert(name, property(key, into));
    }
    let mut definition = json!({
        "type": "object",
        "description": prose(section.docs, "\n\n"),
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        definition["required"] = required.into();
    }
    into.insert(section.name.to_owned(), definition);
}

fn property(key: &KeyInfo, definitions: &mut Map<String, Value>) -> Value {
    let shape = (key.shape)();
    let mut property = schema_of(&shape, definitions);
    property["description"] = prose(key.docs, "\n\n").into();
    if let Some(default) = key.default {
        property["default"] = match shape {
            Shape::Integer { .. } => default.parse::<i64>().map_or(default.into(), Value::from),
            Shape::Switch => (default == "true").into(),
            _ => default.into(),
        };
    }
    property
}

fn schema_of(shape: &Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Text { pattern, example, .. } => {
            let mut text = json!({"type": "string", "examples": [example]});
            if let Some(pattern) = pattern {
                text["pattern"] = (*pattern).into();
            }
            text
        }
        Shape::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Shape::Switch => json!({"type": "boolean"}),
        Shape::OneOf(words) => json!({"enum": words}),
        Shape::WordOr(words, other) => json!({"anyOf": [{"enum": words}, schema_of(other, definitions)]}),
        Shape::Nullable(inner) => json!({"anyOf": [schema_of(inner, definitions), {"type": "null"}]}),
        Shape::List(inner) => json!({"type": ["array", "null"], "items": schema_of(inner, definitions)}),
        Shape::OneOrMore(inner) => {
            let one = schema_of(inner, definitions);
            json!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
        }
        Shape::Names(inner) => json!({
            "type": ["object", "null"],
            "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"},
            "additionalProperties": schema_of(inner, definitions),
        }),
        Shape::Either(one, other) => {
            json!({"anyOf": [schema_of(one, definitions), schema_of(other, definitions)]})
        }
        Shape::Section(section) => {
            define(section, definitions);
            json!({"$ref": format!("#/$defs/{}", section.name)})
        }
    }
}
