//! What a token says of who has it.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Claims by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Claims of a JSON object.
    #[must_use]
    pub fn new(claims: Map<String, Value>) -> Self {
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
                let texts: Vec<_> = items.iter().map(plain).collect();
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

    /// Whether a claim is this value, or has it in its list; see [`each_value`](Self::each_value).
    #[must_use]
    pub fn holds(&self, name: &str, wanted: &str) -> bool {
        let mut holds = false;
        self.each_value([name], &mut |value| holds |= value == wanted);
        holds
    }

    /// Calls for what stands where these names lead, object by object: for each item of a list, else for all of it. `scope`
    /// and `scp` are lists with blanks between, as OAuth has them (RFC 8693 section 4.2). Whether something stands there;
    /// null is nothing.
    pub fn each_value<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        call: &mut dyn FnMut(&str),
    ) -> bool {
        let mut names = names.into_iter();
        let Some(first) = names.next() else { return false };
        let mut value = self.0.get(first);
        let mut is_scope = matches!(first, "scope" | "scp");
        for name in names {
            is_scope = false;
            value = value.and_then(|value| value.as_object()?.get(name));
        }
        match value {
            None | Some(Value::Null) => return false,
            Some(Value::Array(items)) => items.iter().for_each(|item| call(&plain(item))),
            Some(Value::String(text)) if is_scope => text.split(' ').for_each(call),
            Some(value) => call(&plain(value)),
        }
        true
    }
}

/// A text as it is, anything else as JSON.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
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

    #[test]
    fn a_claim_is_found_where_its_names_lead() {
        let text =
            br#"{"a":{"roles":["x",{"y":1},null],"scope":"r w","n":null,"t":"one"},"a.t":true,"e":[]}"#;
        let claims = Claims::new(json::object(text).unwrap());
        for (names, expected) in [
            (&["a", "roles"][..], Some(&["x", r#"{"y":1}"#, "null"][..])),
            (&["a", "scope"], Some(&["r w"])),
            (&["a", "t"], Some(&["one"])),
            (&["a.t"], Some(&["true"])),
            (&["e"], Some(&[])),
            (&["a", "n"], None),
            (&["a", "roles", "0"], None),
            (&["a", "t", "x"], None),
            (&["b", "t"], None),
            (&[], None),
        ] {
            let mut values = Vec::new();
            let there = claims.each_value(names.iter().copied(), &mut |value| values.push(value.to_owned()));
            assert_eq!(
                there.then_some(values).as_deref(),
                expected
                    .map(|texts| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
                    .as_deref(),
                "{names:?}"
            );
        }
    }
}
