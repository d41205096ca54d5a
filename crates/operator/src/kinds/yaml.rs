//! A tree as YAML in block style. Texts are quoted as JSON quotes them, which YAML reads alike.

use serde_json::Value;

/// Ends in a line break.
pub(super) fn block(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                out.push_str(&format!("{pad}{}:", key(name)));
                below(value, indent, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str(&format!("{pad}-"));
                below(item, indent, out);
            }
        }
        scalar => out.push_str(&format!("{pad}{scalar}\n")),
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        out.push('\n');
        write(value, indent + 2, out);
    } else {
        out.push_str(&format!(" {value}\n"));
    }
}

fn key(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./$".contains(&byte));
    // Words that YAML 1.1 reads as switches.
    let switch = matches!(name, "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null");
    if plain && !switch && !name.is_empty() { name.to_owned() } else { Value::from(name).to_string() }
}
