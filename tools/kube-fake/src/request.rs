//! A request as it came, and what its path is about.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

/// A request that the server answered, for tests to look at.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Decoded.
    pub query: BTreeMap<String, String>,
    /// As JSON; null where there is none, a text where it is something else.
    pub body: Value,
    /// Of the answer. 0: none was given.
    pub status: u16,
}

/// A request with its body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: http::Method,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.query(name), "true" | "1")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// Without parameters.
    pub(crate) fn media_type(&self) -> &str {
        self.header("content-type").split(';').next().unwrap_or("").trim()
    }

    /// `fieldManager`, or the first word of the client's name for itself.
    pub(crate) fn manager(&self) -> String {
        match self.query("fieldManager") {
            "" => {
                let agent = self.header("user-agent").split('/').next().unwrap_or("").trim();
                if agent.is_empty() { "unknown".to_owned() } else { agent.to_owned() }
            }
            manager => manager.to_owned(),
        }
    }

    pub(crate) fn seen(&self, status: u16) -> Seen {
        let body = if self.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&self.body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&self.body).into_owned()))
        };
        Seen {
            method: self.method.to_string(),
            path: self.path.clone(),
            query: self.query.clone(),
            body,
            status,
        }
    }
}

/// What a path below `/api` and `/apis` is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) plural: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// The old form, `/watch/` before the resource.
    pub(crate) watch: bool,
}

impl Place {
    /// `None` for anything that names no resource.
    pub(crate) fn parse(path: &str) -> Option<Place> {
        let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (group, version, mut rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let watch = rest.first() == Some(&"watch");
        if watch {
            rest = &rest[1..];
        }
        let own = |text: &str| Some(text.to_owned());
        let (namespace, plural, name, subresource) = match rest {
            ["namespaces", name, "status" | "finalize"] => (None, "namespaces", own(name), own(rest[2])),
            ["namespaces", namespace, plural] => (own(namespace), *plural, None, None),
            ["namespaces", namespace, plural, name] => (own(namespace), *plural, own(name), None),
            ["namespaces", namespace, plural, name, sub] => (own(namespace), *plural, own(name), own(sub)),
            [plural] => (None, *plural, None, None),
            [plural, name] => (None, *plural, own(name), None),
            [plural, name, sub] => (None, *plural, own(name), own(sub)),
            _ => return None,
        };
        let plural = plural.to_owned();
        Some(Place {
            group: group.into(),
            version: version.into(),
            namespace,
            plural,
            name,
            subresource,
            watch,
        })
    }
}

/// `a=b&c=d`, percent-decoded; the last of a name counts.
pub(crate) fn query(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
