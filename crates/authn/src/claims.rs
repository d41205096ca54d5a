//! What a token says of who has it.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Claims by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Claims that are texts.
    pub fn of_texts(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(texts.into_iter().map(|(name, text)| (name, Value::String(text))).collect())
    }

    /// A claim as one text: a text as it is, a number or a truth value as JSON writes it, a list of these joined by commas,
    /// anything else as JSON. `None` where it is absent or null.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(match self.0.get(name)? {
            Value::Null => return None,
            Value::String(text) => Cow::Borrowed(text),
            Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
                let texts: Vec<String> = items.iter().map(plain).collect();
                Cow::Owned(texts.join(","))
            }
            other => Cow::Owned(other.to_string()),
        })
    }

    /// A claim that has to be a text.
    pub(crate) fn string(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether a claim is this value, or has it in its list. `scope` and `scp` are lists with blanks between, as OAuth has
    /// them (RFC 8693 section 4.2).
    #[must_use]
    pub fn holds(&self, name: &str, wanted: &str) -> bool {
        match self.get(name) {
            None => false,
            Some(Value::Array(items)) => items.iter().any(|item| plain(item) == wanted),
            Some(Value::String(text)) if matches!(name, "scope" | "scp") => {
                text.split(' ').any(|word| word == wanted)
            }
            Some(value) => plain(value) == wanted,
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn a_claim_reads_as_one_text_and_holds_what_is_in_it() {
        let text = br#"{"s":"a b","n":7,"t":true,"z":null,"l":["x",1],"o":{"a":[]},"scope":"read write"}"#;
        let claims = Claims::new(json::object(text).unwrap());
        let all = ["s", "n", "t", "z", "l", "o", "scope", "none"].map(|name| claims.text(name));
        let all = all.map(|text| text.map(Cow::into_owned));
        let expected = [
            Some("a b"),
            Some("7"),
            Some("true"),
            None,
            Some("x,1"),
            Some(r#"{"a":[]}"#),
            Some("read write"),
            None,
        ];
        assert_eq!(all, expected.map(|text| text.map(str::to_owned)));
        for (name, value) in
            [("s", "a b"), ("n", "7"), ("t", "true"), ("l", "x"), ("l", "1"), ("scope", "write")]
        {
            assert!(claims.holds(name, value), "{name} {value}");
        }
        for (name, value) in [("s", "a"), ("z", "null"), ("l", "x,1"), ("scope", "read write"), ("none", "")]
        {
            assert!(!claims.holds(name, value), "{name} {value}");
        }
    }
}
