//! Names and other plain texts.

use std::fmt;

use crate::decode::Shape;
use crate::value::{FromText, Refused, decode_as_text};

decode_as_text!(String, Name);

impl FromText for String {
    fn from_text(text: &str) -> Result<Self, Refused> {
        if text.is_empty() {
            return Err(("is empty".to_owned(), "write a text".to_owned()));
        }
        Ok(text.to_owned())
    }

    fn shape() -> Shape {
        Shape::Text { what: "a text", pattern: None, example: "text" }
    }
}

/// The name of a listener, service or profile: letters, digits, `.`, `_` and `-`, at most 128.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// Bytes of a name. It stands in every log line and metric.
const NAME_BYTES_MAX: usize = 128;

impl Name {
    /// Reads one; `None` when it is none.
    pub fn new(text: &str) -> Option<Self> {
        let first = text.bytes().next()?;
        let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (first.is_ascii_alphanumeric() && text.bytes().all(rest) && text.len() <= NAME_BYTES_MAX)
            .then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromText for Name {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Self::new(text).ok_or_else(|| {
            let kept: String =
                text.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(40).collect();
            let kept = kept.trim_start_matches(['.', '_', '-']);
            let example = if kept.is_empty() { "web" } else { kept };
            let help = format!("use letters, digits, `.`, `_` and `-`, such as {example}");
            ("is not a name".to_owned(), help)
        })
    }

    fn shape() -> Shape {
        let pattern = Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$");
        Shape::Text { what: "a name", pattern, example: "web" }
    }
}
