//! JSON as Python's `json.dumps` writes it: keys in the order they were given, blanks after commas and colons.

/// A value to be shown.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    Null,
    Bool(bool),
    Number(u64),
    Decimal(f64),
    Text(String),
    Object(Vec<(String, Shown)>),
}

impl Shown {
    pub(super) fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let mut into = String::new();
        self.write(&mut into, None);
        into
    }

    /// With an indent of two.
    pub(super) fn indented(&self) -> String {
        let mut into = String::new();
        self.write(&mut into, Some(0));
        into
    }

    fn write(&self, into: &mut String, depth: Option<usize>) {
        match self {
            Self::Null => into.push_str("null"),
            Self::Bool(value) => into.push_str(if *value { "true" } else { "false" }),
            Self::Number(value) => into.push_str(&value.to_string()),
            Self::Decimal(value) => into.push_str(&format!("{value:?}")),
            Self::Text(text) => into.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Self::Object(fields) => {
                let inner = depth.map(|depth| depth + 1);
                into.push('{');
                for (number, (key, value)) in fields.iter().enumerate() {
                    match (inner, number) {
                        (None, 0) => {}
                        (None, _) => into.push_str(", "),
                        (Some(_), 0) => {}
                        (Some(_), _) => into.push(','),
                    }
                    new_line(into, inner);
                    into.push_str(&serde_json::Value::from(key.as_str()).to_string());
                    into.push_str(": ");
                    value.write(into, inner);
                }
                if !fields.is_empty() {
                    new_line(into, depth);
                }
                into.push('}');
            }
        }
    }
}

fn new_line(into: &mut String, depth: Option<usize>) {
    if let Some(depth) = depth {
        into.push('\n');
        into.push_str(&"  ".repeat(depth));
    }
}

impl From<Option<u16>> for Shown {
    fn from(value: Option<u16>) -> Self {
        value.map_or(Self::Null, |value| Self::Number(value.into()))
    }
}

impl From<Option<&str>> for Shown {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Self::Null, Self::text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_keep_their_order_and_pythons_blanks() {
        let inner = Shown::object([("b", Shown::Decimal(1.0)), ("a", Shown::Null)]);
        let shown = Shown::object([
            ("time", Shown::text("x\"y")),
            ("stats", inner),
            ("none", Shown::Object(Vec::new())),
        ]);
        assert_eq!(shown.line(), r#"{"time": "x\"y", "stats": {"b": 1.0, "a": null}, "none": {}}"#);
        let indented = "{\n  \"time\": \"x\\\"y\",\n  \"stats\": {\n    \"b\": 1.0,\n    \"a\": null\n  },\n  \"none\": {}\n}";
        assert_eq!(shown.indented(), indented);
    }
}
