//! Manifests as values and back: YAML of people in, YAML for people out.

use palisade_yaml::{Node, Style, YamlLimits, parse_documents};
use serde_json::{Map, Number, Value};

/// A text that is no YAML, in words with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

/// A file of manifests may be this large.
const LIMITS: YamlLimits = YamlLimits { bytes_max: 64 << 20, depth_max: 64, weight_max: 512 << 20 };

/// The objects of a text: its documents, those of lists one by one.
///
/// # Errors
/// When it is no YAML.
pub fn read_objects(name: &str, text: &[u8]) -> Result<Vec<Value>, Broken> {
    let documents = parse_documents(text, &LIMITS)
        .map_err(|broken| Broken(broken.render(Some((name, text)), Style::Plain)))?;
    let mut out = Vec::new();
    for document in documents {
        match value(&document) {
            Value::Null => {}
            Value::Object(object)
                if object.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List")) =>
            {
                let items = object.get("items").and_then(Value::as_array);
                out.extend(items.into_iter().flatten().cloned());
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn value(node: &Node) -> Value {
    match &node.value {
        palisade_yaml::Value::Null => Value::Null,
        palisade_yaml::Value::Text { text, plain } => scalar(text, *plain),
        palisade_yaml::Value::List(items) => items.iter().map(value).collect(),
        palisade_yaml::Value::Map(entries) => Value::Object(
            entries.iter().map(|(key, node)| (key.name.clone(), value(node))).collect::<Map<_, _>>(),
        ),
    }
}

fn scalar(text: &str, plain: bool) -> Value {
    match text {
        "true" if plain => Value::Bool(true),
        "false" if plain => Value::Bool(false),
        _ if plain => text
            .parse::<i64>()
            .map_or_else(|_| Value::String(text.to_owned()), |number| Number::from(number).into()),
        _ => Value::String(text.to_owned()),
    }
}

/// Objects as the documents of a text, keys in the order that people write them in.
pub fn to_yaml(objects: &[Value]) -> String {
    let mut out = String::new();
    for object in objects {
        out.push_str("---\n");
        write(object, 0, &mut out);
    }
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for key in ordered(map) {
                out.push_str(&format!("{indent}{}:", word(key)));
                below(&map[key], depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut text = String::new();
                match item {
                    Value::Object(map) if !map.is_empty() => write(item, depth + 1, &mut text),
                    other => text = format!("{indent}  {}\n", inline(other)),
                }
                // The dash stands in the indentation of what it begins.
                out.push_str(&format!("{indent}- {}", text.get(indent.len() + 2..).unwrap_or_default()));
            }
        }
        other => out.push_str(&format!("{indent}{}\n", inline(other))),
    }
}

fn below(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            write(value, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write(value, depth, out);
        }
        Value::String(text) if is_block(text) => {
            let keep = match (text.ends_with('\n'), text.ends_with("\n\n")) {
                (_, true) => "+",
                (true, _) => "",
                _ => "-",
            };
            out.push_str(&format!(" |{keep}\n"));
            let indent = "  ".repeat(depth + 1);
            for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                let line = if line.is_empty() { String::new() } else { format!("{indent}{line}") };
                out.push_str(&format!("{line}\n"));
            }
        }
        other => out.push_str(&format!(" {}\n", inline(other))),
    }
}

/// Whether a text reads as a block: several lines, none of which YAML would read otherwise.
fn is_block(text: &str) -> bool {
    let plain = |char: char| !char.is_control() || char == '\n' || char == '\t';
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(plain)
        && !text.trim().is_empty()
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        other => other.to_string(),
    }
}

/// A text without quotes where YAML reads it as the same text; else as JSON writes it.
fn word(text: &str) -> String {
    let fine = |char: char| char.is_ascii_alphanumeric() || "-_./$@".contains(char);
    let letter = text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '/');
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if letter && text.chars().all(fine) && !reserved.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    Value::from(text).to_string()
}

/// Keys as people order them, others after those by name.
fn ordered(map: &Map<String, Value>) -> Vec<&String> {
    const FIRST: [&str; 12] = [
        "apiVersion",
        "kind",
        "metadata",
        "namespace",
        "name",
        "labels",
        "annotations",
        "ingressClassName",
        "host",
        "path",
        "pathType",
        "backend",
    ];
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort_by_key(|key| {
        (FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()), key.as_str())
    });
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_the_same() {
        let text = b"apiVersion: v1\nkind: X\nmetadata: {name: a, labels: {on: \"true\", n: \"1\", e: ''}}\n\
            spec:\n  list: [1, two, {three: 3, four: [a, b]}, []]\n  none: null\n  map: {}\n\
            \x20 block: |\n    one\n\n      two\n  strip: |-\n    a\n    b\n  odd: \" x\\ny\"\n  tab: \"a\\tb: c\"\n";
        let read = read_objects("a.yaml", text).unwrap();
        let again = to_yaml(&read);
        assert_eq!(read_objects("b.yaml", again.as_bytes()).unwrap(), read, "{again}");
        assert!(again.contains("  block: |\n    one\n\n      two\n") && again.contains("on"), "{again}");
    }
}
