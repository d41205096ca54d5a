//! Manifests: YAML text to JSON values as the API server means them, and back.
//!
//! Comments and the order of keys are not kept.

use palisade_yaml::{Node, Value as Written, YamlLimits, parse_documents};
use serde_json::{Map, Number, Value};

/// Bounds of a file of manifests.
const LIMITS: YamlLimits = YamlLimits { bytes_max: 32 << 20, depth_max: 100, weight_max: 256 << 20 };

/// The documents of a text, YAML or JSON.
///
/// # Errors
/// What is wrong first, with its line.
pub fn read(text: &[u8]) -> Result<Vec<Value>, String> {
    let documents = parse_documents(text, &LIMITS).map_err(|wrong| match wrong.origin {
        palisade_yaml::Origin::File { line, column, .. } => {
            format!("line {line}, column {column}: {}", wrong.message)
        }
        _ => wrong.message,
    })?;
    Ok(documents.iter().map(value_of).collect())
}

fn value_of(node: &Node) -> Value {
    match &node.value {
        Written::Null => Value::Null,
        Written::Text { text, plain: false } => Value::String(text.clone()),
        Written::Text { text, plain: true } => plain(text),
        Written::List(items) => items.iter().map(value_of).collect(),
        Written::Map(entries) => {
            let entries = entries.iter().map(|(key, node)| (key.name.clone(), value_of(node)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// What a word without quotes is. As kubectl reads it: `0644` is octal. `yes` and `on` stay words; the API server then
/// says where they cannot be.
fn plain(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        "null" | "Null" | "NULL" | "~" | "" => return Value::Null,
        _ => {}
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok();
    let number = match digits.as_bytes() {
        [b'0', b'x', ..] => radix(&digits[2..], 16),
        [b'0', b'o', ..] => radix(&digits[2..], 8),
        [b'0', rest @ ..] if !rest.is_empty() && rest.iter().all(|byte| (b'0'..=b'7').contains(byte)) => {
            radix(digits, 8)
        }
        all if !all.is_empty() && all.iter().all(u8::is_ascii_digit) => radix(digits, 10),
        _ => None,
    };
    match (number, negative) {
        (Some(number), false) => return Value::Number(number.into()),
        (Some(number), true) if number <= i64::MAX as u64 => return Value::Number((-(number as i64)).into()),
        _ => {}
    }
    let is_float = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        && digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    let float = is_float.then(|| text.parse().ok().and_then(Number::from_f64)).flatten();
    float.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// A document as YAML, without a line that begins it.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

/// Documents as one stream.
pub fn write_all<'v>(documents: impl IntoIterator<Item = &'v Value>) -> String {
    let each: Vec<String> = documents.into_iter().map(write).collect();
    each.join("---\n")
}

fn block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 {
                    out.extend(std::iter::repeat_n(' ', indent));
                }
                scalar_text(key, indent, Place::Key, out);
                out.push(':');
                under(value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.extend(std::iter::repeat_n(' ', indent));
                }
                out.push_str("- ");
                block(item, indent + 2, out);
            }
        }
        leaf => {
            scalar(leaf, indent, out);
            out.push('\n');
        }
    }
}

/// A value behind its key's colon.
fn under(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent + 2));
            block(value, indent + 2, out);
        }
        // Lists stand below their key without more indentation, as kubectl writes them.
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            block(value, indent, out);
        }
        leaf => {
            out.push(' ');
            scalar(leaf, indent + 2, out);
            out.push('\n');
        }
    }
}

fn scalar(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(text) => scalar_text(text, indent, Place::Value, out),
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        other => out.push_str(&other.to_string()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Key,
    Value,
}

fn scalar_text(text: &str, indent: usize, place: Place, out: &mut String) {
    if is_safe(text) {
        out.push_str(text);
        return;
    }
    if place == Place::Value && is_literal(text) {
        out.push_str(match (text.ends_with("\n\n"), text.ends_with('\n')) {
            (true, _) => "|+",
            (false, true) => "|",
            (false, false) => "|-",
        });
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            out.push('\n');
            if !line.is_empty() {
                out.extend(std::iter::repeat_n(' ', indent));
                out.push_str(line);
            }
        }
        return;
    }
    // A text of JSON is one of YAML.
    out.push_str(&Value::from(text).to_string());
}

/// Whether a text can stand without quotes and is still a text.
fn is_safe(text: &str) -> bool {
    let fits = |char: char| char.is_ascii_alphanumeric() || " _./:@=,+-%()".contains(char);
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '_'))
        && text.chars().all(fits)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !word.contains(&text.to_ascii_lowercase().as_str())
}

/// Whether a text of several lines reads the same between its lines.
fn is_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(|char| char == '\n' || char == '\t' || !char.is_control() && char != '\u{feff}')
        && !text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_what_kubectl_takes_them_for() {
        let text =
            "a: 0644\nb: '0644'\nc: true\nd: yes\ne: 1.5\nf: 50m\ng: ~\nh: -3\ni: 2026-01-01\nj: 1e3\n";
        let read = read(text.as_bytes()).unwrap().remove(0);
        let expected = json!({
            "a": 420, "b": "0644", "c": true, "d": "yes", "e": 1.5, "f": "50m", "g": null, "h": -3,
            "i": "2026-01-01", "j": 1000.0,
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_written_looks_as_people_write_it() {
        let value = json!({"kind": "Pod", "args": ["run"], "env": [{"name": "A", "value": "1"}], "empty": {},
            "text": "one\ntwo\n"});
        let expected =
            "args:\n- run\nempty: {}\nenv:\n- name: A\n  value: \"1\"\nkind: Pod\ntext: |\n  one\n  two\n";
        assert_eq!(write(&value), expected);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[a-z:# \\n\\t'\"|>{}\\[\\],&*!%@`~0-9.-]{0,12}",
            "\\PC{0,6}",
            Just("true".to_owned()),
            Just("0x10".to_owned()),
            "[ a-z]{0,4}\n{0,3}[ a-z]{0,4}\n{0,3}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z:#/ .-]{1,6}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(value in any_value()) {
            prop_assume!(!value.is_null());
            let text = write(&value);
            prop_assert_eq!(read(text.as_bytes()).map(|mut all| all.remove(0)), Ok(value), "{}", text);
        }
    }
}
