//! What routes look at beside host and path, and what becomes of a request's own place on its way.

use crate::decode::{Decode, Decoder, Shape, Step, section};
use crate::node::{Node, Value, quoted};
use crate::tls::ServerName;
use crate::value::{FromText, Port, Refused, RoutePath, decode_as_text, words};

decode_as_text!(Scheme, Weight);

words! {
    /// The scheme of a URL.
    pub enum Scheme: "a scheme" {
        /// Plain.
        Http = "http",
        /// Over TLS.
        Https = "https",
    }
}

impl Scheme {
    /// The port that a URL need not name.
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

section! {
    /// Where a redirect goes whose place has parts of the request's own: what is not written here is as it was, but for the
    /// scheme and the port.
    pub struct Moved {
        /// The scheme.
        scheme: Scheme = "https",
        /// The host; the one that the request names when absent.
        host: Option<ServerName>,
        /// The port; the scheme's usual one when absent.
        port: Option<Port>,
        /// The path; the request's own when absent. Its query stays in either case.
        path: Option<PathChange>,
    }
}

section! {
    /// What a service is asked for in place of what the client asked for. Rules, policies and logs see what the client asked.
    pub struct Rewrite {
        /// The `Host`.
        host: Option<ServerName>,
        /// The path. The query stays.
        path: Option<PathChange>,
    }
}

section! {
    /// A path in place of another, or of its beginning. What comes of it is in normal form; a path that has none is answered
    /// with 400.
    pub struct PathChange {
        /// The beginning that is replaced, segment by segment; the whole path when absent.
        prefix: Option<RoutePath>,
        /// What stands there then.
        to: RoutePath,
    }
}

/// Names with the values that they are to have, such as headers of a request or arguments of its query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wanted(Vec<(String, String)>);

/// More than the Gateway API allows a route to ask for.
const WANTED_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 4096;

impl Wanted {
    /// All of them, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Decode for Wanted {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return Some(Self::default()),
            _ => {
                let help = "write a mapping from names to values: `{x-version: v2}`".to_owned();
                decoder.error(node, format!("{} stands where names are expected", node.describe()), help);
                return None;
            }
        };
        if entries.len() > WANTED_MAX {
            decoder.error(node, format!("more than {WANTED_MAX} names"), None);
            return None;
        }
        let mut wanted = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let plain = |text: &str| !text.chars().any(char::is_control);
            if key.name.is_empty() || key.name.len() > NAME_BYTES_MAX || !plain(&key.name) {
                let what = format!("{} is no name that a request can have", quoted(&key.name));
                decoder.error(node, what, "write one such as x-version".to_owned());
                return None;
            }
            let value = decoder.within(&Step::Key(&key.name), |decoder| match &value.value {
                Value::Text { text, .. } if text.len() <= VALUE_BYTES_MAX && plain(text) => {
                    Some(text.clone())
                }
                _ => {
                    let message = format!("{} stands where a value is expected", value.describe());
                    decoder.error(value, message, "write one line of text, such as v2".to_owned());
                    None
                }
            });
            wanted.push((key.name.clone(), value?));
        }
        wanted.sort();
        Some(Self(wanted))
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn shape() -> Shape {
        Shape::Names(Box::new(Shape::Text { what: "a text", pattern: None, example: "v2" }))
    }
}

/// A share of requests, beside those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight(u32);

impl Weight {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

const WEIGHT_MAX: u32 = 1_000_000;

impl FromText for Weight {
    fn from_text(text: &str) -> Result<Self, Refused> {
        match text.parse() {
            Ok(weight @ 1..=WEIGHT_MAX) => Ok(Self(weight)),
            _ => {
                let help = "write one such as 90; leave the route out that is to have nothing".to_owned();
                Err((format!("is not a weight from 1 to {WEIGHT_MAX}"), help))
            }
        }
    }

    fn shape() -> Shape {
        Shape::Integer { min: 1, max: WEIGHT_MAX.into() }
    }
}
