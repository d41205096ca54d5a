//! Headers that a configuration sets on responses.

use crate::decode::{Decode, Decoder, Shape, Step};
use crate::node::{Node, Value, quoted};
use crate::value::{FromText, Refused};

/// The name of a header that may be changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderName(String);

impl HeaderName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Those that frame a message or belong to one connection, and the one that is ours.
const FIXED: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

const NAME_BYTES_MAX: usize = 128;
const VALUE_BYTES_MAX: usize = 4096;
const HEADERS_MAX: usize = 64;

impl FromText for HeaderName {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(token) {
            return Err(("is no header's name".to_owned(), "write one such as X-Frame-Options".to_owned()));
        }
        if FIXED.contains(&text.to_ascii_lowercase().as_str()) {
            let what = "is a header that the proxy itself answers for".to_owned();
            return Err((what, "leave it out".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a header's name",
            pattern: Some("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$"),
            example: "X-Frame-Options",
        }
    }
}

/// The value of a header.
struct HeaderValue(String);

impl FromText for HeaderValue {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let printable = text.chars().all(|char| !char.is_control() || char == '\t');
        if !printable || text.len() > VALUE_BYTES_MAX {
            let help = format!("write one line of at most {VALUE_BYTES_MAX} bytes");
            return Err(("is no header's value".to_owned(), help));
        }
        Ok(Self(text.trim().to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text { what: "a text", pattern: None, example: "DENY" }
    }
}

/// Headers with their values, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, String)>);

impl Headers {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.0.iter().map(|(name, value)| (name, value.as_str()))
    }
}

impl Decode for Headers {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return Some(Self::default()),
            _ => {
                let help = "write a mapping from names to values: `{X-Frame-Options: DENY}`".to_owned();
                decoder.error(node, format!("{} stands where headers are expected", node.describe()), help);
                return None;
            }
        };
        if entries.len() > HEADERS_MAX {
            decoder.error(node, format!("more than {HEADERS_MAX} headers"), None);
            return None;
        }
        let mut headers = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = HeaderName::decode(&Node::text(&key.name, key.origin), decoder);
            let value = decoder.within(&Step::Key(&key.name), |decoder| match &value.value {
                Value::Text { text, .. } => match HeaderValue::from_text(text) {
                    Ok(HeaderValue(text)) => Some(text),
                    Err((what, help)) => {
                        decoder.error(value, format!("{} {what}", quoted(text)), help);
                        None
                    }
                },
                _ => {
                    let message = format!("{} stands where a value is expected", value.describe());
                    decoder.error(value, message, "write a text, such as DENY".to_owned());
                    None
                }
            });
            headers.push(name.zip(value));
        }
        headers.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn shape() -> Shape {
        Shape::Names(Box::new(<HeaderValue as FromText>::shape()))
    }
}
