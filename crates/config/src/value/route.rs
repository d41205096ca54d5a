//! What routes go by: hosts and paths.

use std::fmt;

use crate::decode::Shape;
use crate::value::{FromText, Refused, decode_as_text};

decode_as_text!(HostPattern, RoutePath, Location);

/// Whose requests a route is for: a name, `*.` or `**.` and a name, or any.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Any host, and requests without one.
    Any,
    /// This one, in lower case.
    Exact(String),
    /// Every name with exactly one label more than this one, as Kubernetes ingress means `*.example.com`.
    Below(String),
    /// Every name with one label more than this one or several, as the Gateway API means `*.example.com`.
    Within(String),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Below(host) => write!(f, "*.{host}"),
            Self::Within(host) => write!(f, "**.{host}"),
        }
    }
}

impl FromText for HostPattern {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let lower = text.to_ascii_lowercase();
        let host = lower.strip_suffix('.').unwrap_or(&lower);
        if text == "*" {
            return Ok(Self::Any);
        }
        let not = |help: &str| Err(("is not a host".to_owned(), help.to_owned()));
        if host.contains("://") {
            return not("write the name alone, such as shop.example.com");
        }
        if host.starts_with('[') && host.ends_with(']') {
            let inner = &host[1..host.len() - 1];
            return match inner.parse::<std::net::Ipv6Addr>() {
                Ok(_) => Ok(Self::Exact(host.to_owned())),
                Err(_) => not("write an IPv6 address in brackets, such as [::1]"),
            };
        }
        if host.contains(':') {
            return not("write it without a port: a route takes every port of its listener");
        }
        let (made, name): (fn(String) -> Self, &str) =
            match (host.strip_prefix("*."), host.strip_prefix("**.")) {
                (Some(name), _) => (Self::Below, name),
                (None, Some(name)) => (Self::Within, name),
                (None, None) => (Self::Exact, host),
            };
        if name.contains('*') {
            return not("a wildcard is a whole first label: write *.example.com");
        }
        if !name.is_ascii() {
            return not("write an internationalised name as it is sent, in xn-- form");
        }
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if name.len() > HOST_BYTES_MAX || !name.split('.').all(label) {
            return not("write a name such as shop.example.com, *.example.com, or * for any");
        }
        Ok(made(name.to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text { what: "a host name", pattern: None, example: "shop.example.com" }
    }
}

/// The longest name of DNS.
pub(super) const HOST_BYTES_MAX: usize = 253;

/// Where the requests of a route begin: a path in its normal form, decoded, ending in a slash or not. Whether it does
/// matters to routes that take one path alone; it makes no two paths different otherwise.
#[derive(Clone, Debug)]
pub struct RoutePath {
    /// Without a slash at its end.
    text: String,
    /// Whether it was written with one.
    slash: bool,
}

impl PartialEq for RoutePath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RoutePath {}

impl std::hash::Hash for RoutePath {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for RoutePath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RoutePath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl RoutePath {
    /// `/`, which every path begins with.
    pub fn root() -> Self {
        Self { text: String::new(), slash: true }
    }

    /// Without a slash at its end; empty for `/`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was written with a slash at its end, as `/` always is.
    pub fn ends_in_slash(&self) -> bool {
        self.slash
    }

    /// Its segments; none for `/`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').skip(1)
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "/" } else { &self.text })
    }
}

impl FromText for RoutePath {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| Err(("is not a path of a route".to_owned(), help));
        if !text.starts_with('/') {
            return not(format!("write /{}", text.chars().take(40).collect::<String>()));
        }
        if text.contains(['?', '#']) {
            return not("a route looks at the path alone: leave out what follows it".to_owned());
        }
        if text.contains(['*', '{']) {
            return not("a route takes all that begins with its path: write it without a pattern".to_owned());
        }
        if text.contains('%') {
            return not("write it decoded: a space as a space".to_owned());
        }
        if text.contains('\\') || text.chars().any(char::is_control) {
            return not("no path that can be normalised has such a character".to_owned());
        }
        let path = text.strip_suffix('/').unwrap_or(text);
        if path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
            return not("write it in its normal form, without `//`, `/./` and `/../`".to_owned());
        }
        if path.len() > PATH_BYTES_MAX {
            return not(format!("at most {PATH_BYTES_MAX} bytes"));
        }
        Ok(Self { text: path.to_owned(), slash: text.ends_with('/') })
    }

    fn shape() -> Shape {
        Shape::Text { what: "a path", pattern: Some("^/[^?#%\\\\*{]*$"), example: "/cms/" }
    }
}

const PATH_BYTES_MAX: usize = 2048;

/// Where a redirect goes: a URL, or a path of the same host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location(String);

impl Location {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for Location {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let url = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        let path = text.starts_with('/') && !text.starts_with("//");
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte));
        if (url || path) && plain && text.len() <= PATH_BYTES_MAX {
            return Ok(Self(text.to_owned()));
        }
        let help = "write one such as https://example.com/moved or /moved".to_owned();
        Err(("is neither a URL nor a path".to_owned(), help))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a URL or a path",
            pattern: Some("^(https?://[!-~]+|/[!-~]*)$"),
            example: "https://example.com/moved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::refused;

    #[test]
    fn hosts_are_names_addresses_and_whole_first_labels() {
        let exact = |text: &str| HostPattern::Exact(text.to_owned());
        assert_eq!(HostPattern::from_text("Shop.Example.com.").unwrap(), exact("shop.example.com"));
        assert_eq!(HostPattern::from_text("*.x.org").unwrap(), HostPattern::Below("x.org".into()));
        assert_eq!(HostPattern::from_text("**.x.org").unwrap(), HostPattern::Within("x.org".into()));
        assert_eq!(HostPattern::from_text("*").unwrap(), HostPattern::Any);
        assert_eq!(HostPattern::from_text("[::1]").unwrap(), exact("[::1]"));
        assert_eq!(HostPattern::from_text("127.0.0.1").unwrap(), exact("127.0.0.1"));
        for text in
            ["", "a..b", "a.*.b", "sh*p.x", "*.*.x", "x:80", "http://x", "bücher.de", "a b", "[::x]", "*."]
        {
            refused::<HostPattern>(text);
        }
    }

    #[test]
    fn paths_are_written_in_their_normal_form() {
        assert_eq!(RoutePath::from_text("/").unwrap().segments().count(), 0);
        assert_eq!(RoutePath::from_text("/a/b/").unwrap().segments().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(RoutePath::from_text("/a").unwrap(), RoutePath::from_text("/a/").unwrap());
        for text in
            ["", "a", "//", "/a//b", "/a/../b", "/./a", "/a%20b", "/a?b", "/a#b", "/a*", "/a\\b", "/a\nb"]
        {
            refused::<RoutePath>(text);
        }
    }
}
