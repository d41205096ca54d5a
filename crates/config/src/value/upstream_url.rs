//! Where a service lives: one URL, or several that are alike.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;

use super::route::HOST_BYTES_MAX;
use crate::decode::{Decode, Decoder, Shape, Step};
use crate::node::{Node, Value};
use crate::value::{FromText, Located, Refused, decode_as_text};

decode_as_text!(UpstreamUrl);

/// Where a service lives: `http://HOST` or `http://HOST:PORT`, or the same with `https`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamUrl {
    url: String,
    tls: bool,
    host: String,
    port: u16,
}

impl UpstreamUrl {
    /// As it was written, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Its host: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Its host and port as an address, where the host is one (`localhost` counts as 127.0.0.1).
    pub fn address(&self) -> Option<SocketAddr> {
        let ip = match self.host.as_str() {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.parse().ok()?,
        };
        Some(SocketAddr::new(ip, self.port))
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl FromText for UpstreamUrl {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| ("is not an upstream".to_owned(), help);
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
            None if !text.is_empty() => return Err(not(format!("perhaps http://{text} is meant"))),
            _ => return Err(not("write http://HOST or http://HOST:PORT".to_owned())),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(at) = authority.find(['/', '?', '#', '@']) {
            let help = match authority.as_bytes()[at] {
                b'@' => format!("write it without a user: {scheme}://HOST:PORT"),
                _ => format!("requests keep their own path: write {scheme}://{}", &authority[..at]),
            };
            return Err(not(help));
        }
        let (host, port) = match authority.rsplit_once(':') {
            // A colon inside brackets is the address's.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            None if scheme == "https" => 443,
            None => 80,
            Some(port) => {
                let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
                let number = port.parse().ok().filter(|port| *port > 0 && digits);
                number.ok_or_else(|| not("a port is a number from 1 to 65535".to_owned()))?
            }
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let valid = match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host.len() <= HOST_BYTES_MAX
                    && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            }
        };
        if !valid {
            return Err(not(
                "its host is a name or an address: http://shop:3000, http://[::1]:3000".to_owned()
            ));
        }
        let host = bare.unwrap_or(host).to_owned();
        Ok(Self { url: format!("{scheme}://{authority}"), tls: scheme == "https", host, port })
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a URL",
            pattern: Some("^https?://[^/?#@]+/?$"),
            example: "http://127.0.0.1:3000",
        }
    }
}

/// URLs of a service, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamUrls(Vec<Located<UpstreamUrl>>);

/// Each is a name to resolve or an address to try.
const URLS_MAX: usize = 256;

impl Deref for UpstreamUrls {
    type Target = [Located<UpstreamUrl>];

    fn deref(&self) -> &[Located<UpstreamUrl>] {
        &self.0
    }
}

impl Decode for UpstreamUrls {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let Value::List(items) = &node.value else {
            return Located::decode(node, decoder).map(|url| Self(vec![url]));
        };
        if items.is_empty() || items.len() > URLS_MAX {
            let message = format!("{} URLs stand where 1 to {URLS_MAX} are expected", items.len());
            decoder.error(node, message, "write one, or a list of those that are alike".to_owned());
            return None;
        }
        let urls: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                decoder.within(&Step::Index(index), |decoder| Located::decode(item, decoder))
            })
            .collect();
        urls.into_iter().collect::<Option<_>>().map(Self)
    }

    fn shape() -> Shape {
        Shape::OneOrMore(Box::new(<UpstreamUrl as Decode>::shape()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::refused;

    #[test]
    fn upstreams_are_http_and_nothing_after_the_port() {
        let url = |text: &str| UpstreamUrl::from_text(text).unwrap();
        assert_eq!((url("http://shop").host(), url("http://shop").port()), ("shop", 80));
        assert_eq!((url("http://[::1]:3000/").host(), url("http://[::1]:3000/").port()), ("::1", 3000));
        for (text, said) in [
            ("127.0.0.1:3000", "is not an upstream; perhaps http://127.0.0.1:3000 is meant"),
            ("http://a/b", "is not an upstream; requests keep their own path: write http://a"),
            ("http://u@a", "is not an upstream; write it without a user: http://HOST:PORT"),
            ("http://a:0", "is not an upstream; a port is a number from 1 to 65535"),
            ("http://a:+1", "is not an upstream; a port is a number from 1 to 65535"),
        ] {
            assert_eq!(refused::<UpstreamUrl>(text), said, "{text}");
        }
        assert_eq!((url("https://shop").is_tls(), url("https://shop").port()), (true, 443));
        for text in ["", "ftp://a", "https://", "http://", "http://a b", "http://[::1", "http://::1"] {
            refused::<UpstreamUrl>(text);
        }
    }
}
