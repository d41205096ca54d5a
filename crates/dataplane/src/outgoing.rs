//! What a service is asked for in place of what the client asked for: another path, another host, other headers; and where a
//! redirect goes that keeps parts of the request's own place.
//!
//! Rules, policies and logs see what the client sent. A path that is changed is in its normal form first, so that what is put
//! before it cannot be climbed out of by `..`; what has no normal form is not changed but refused.

use std::borrow::Cow;

use palisade_http::{RequestHead, Target, normal_path};

use crate::site::HeaderChanges;

/// Changes to a request on its way to a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Changes to its headers.
    pub headers: HeaderChanges,
    /// Its `Host`.
    pub host: Option<String>,
    /// Its path.
    pub path: Option<PathChange>,
}

/// Another path, in whole or from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathChange {
    /// The beginning that is replaced, without a slash at its end; the whole path when `None`.
    pub prefix: Option<String>,
    /// What stands there then, decoded.
    pub to: String,
}

/// A place of which parts are the request's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The request's own when `None`.
    pub host: Option<String>,
    /// Not named where it is the scheme's usual one.
    pub port: Option<u16>,
    /// The request's own when `None`.
    pub path: Option<PathChange>,
}

/// A path that cannot be changed, because it has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unchangeable;

impl Outgoing {
    /// The head with another target, where it has one.
    pub(crate) fn target(&self, head: &RequestHead) -> Result<Option<Vec<u8>>, Unchangeable> {
        let Some(change) = &self.path else { return Ok(None) };
        let target = Target::new(&head.target, &head.method);
        let mut place = change.place(&target)?;
        if !head.target.starts_with(b"/") {
            // An absolute target keeps its beginning, from which Host is made.
            let mut whole = [target.scheme(), b"://", target.authority()].concat();
            whole.append(&mut place);
            place = whole;
        }
        Ok(Some(place))
    }
}

impl PathChange {
    /// The path, changed, and the query as it was.
    pub(crate) fn place(&self, target: &Target) -> Result<Vec<u8>, Unchangeable> {
        let mut out = self.path(target.path())?;
        if let Some(query) = target.query() {
            out.push(b'?');
            out.extend_from_slice(query);
        }
        Ok(out)
    }

    fn path(&self, path: &[u8]) -> Result<Vec<u8>, Unchangeable> {
        let normal = normal_path(path).ok_or(Unchangeable)?;
        let mut out = escaped(self.to.as_bytes());
        let Some(prefix) = &self.prefix else { return Ok(out) };
        let folder = matches!(path.rsplit(|byte| *byte == b'/').next(), Some(b"" | b"." | b".."));
        let mut rest = normal.strip_prefix(prefix.as_bytes()).ok_or(Unchangeable)?.to_vec();
        if !(rest.is_empty() || rest.starts_with(b"/")) {
            return Err(Unchangeable);
        }
        if folder && !rest.ends_with(b"/") {
            rest.push(b'/');
        }
        if !rest.is_empty() && out.ends_with(b"/") {
            out.pop();
        }
        // What is normal is decoded.
        out.extend_from_slice(&escaped(&rest));
        if out.is_empty() {
            out.push(b'/');
        }
        Ok(out)
    }
}

impl Moved {
    /// The URL for a request to a host, which is one.
    pub(crate) fn url(&self, own_host: Option<&str>, target: &Target) -> Option<String> {
        let host: Cow<'_, str> = match &self.host {
            Some(host) if host.contains(':') => format!("[{host}]").into(),
            Some(host) => host.as_str().into(),
            None => own_host?.into(),
        };
        let usual = if self.scheme == "https" { 443 } else { 80 };
        let port = self.port.filter(|port| *port != usual).map(|port| format!(":{port}")).unwrap_or_default();
        let place = match &self.path {
            Some(change) => change.place(target).ok()?,
            // `OPTIONS *` is about no place.
            None => {
                Some(target.path_and_query()).filter(|place| place.starts_with(b"/")).unwrap_or(b"/").to_vec()
            }
        };
        let place = String::from_utf8(as_url(&place)).ok()?;
        Some(format!("{}://{host}{port}{place}", self.scheme))
    }
}

/// A decoded path as a target may hold it.
fn escaped(path: &[u8]) -> Vec<u8> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
    escaped_but(path, plain)
}

/// A target as a header may hold it: what is no character of a URL is escaped.
pub(crate) fn as_url(place: &[u8]) -> Vec<u8> {
    escaped_but(place, |byte| (b'!'..=b'~').contains(&byte) && !b"\"<>\\^`{|}".contains(&byte))
}

fn escaped_but(text: &[u8], plain: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            byte if plain(*byte) => out.push(*byte),
            byte => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(prefix: Option<&str>, to: &str, path: &str) -> Option<String> {
        let change = PathChange { prefix: prefix.map(str::to_owned), to: to.to_owned() };
        let target = Target::new(path.as_bytes(), b"GET");
        change.place(&target).ok().map(|place| String::from_utf8(place).unwrap())
    }

    #[test]
    fn a_beginning_is_replaced_segment_by_segment() {
        // The Gateway API's own table of what ReplacePrefixMatch comes to.
        for (path, prefix, to, expected) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "/", "/bar"),
            ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
            ("/a?b=/c", "", "/x", "/x/a?b=/c"),
        ] {
            assert_eq!(changed(Some(prefix), to, path).as_deref(), Some(expected), "{path} {prefix} {to}");
        }
    }

    #[test]
    fn what_is_put_before_a_path_cannot_be_climbed_out_of() {
        for (path, expected) in [
            ("/foo/a/../../foo/b", Some("/new/b")),
            ("/foo/./x/../b%20c%3f", Some("/new/b%20c%3F")),
            ("/foo/%2e%2e/foo", None),
            ("/foo/../x", None),
            ("/foo/..%2f..%2fetc", None),
            ("/foo/x%00", None),
            ("/foobar", None),
        ] {
            assert_eq!(changed(Some("/foo"), "/new", path).as_deref(), expected, "{path}");
        }
        assert_eq!(changed(None, "/one/", "/a/b?c").as_deref(), Some("/one/?c"));
    }

    #[test]
    fn a_moved_place_names_its_port_where_it_is_unusual() {
        let moved = |scheme, port| Moved { scheme, host: None, port, path: None };
        let target = Target::new(b"/a b?c=\"", b"GET");
        for (moved, expected) in [
            (moved("https", Some(443)), "https://h/a%20b?c=%22"),
            (moved("https", Some(8443)), "https://h:8443/a%20b?c=%22"),
            (moved("http", Some(80)), "http://h/a%20b?c=%22"),
            (Moved { host: Some("o".into()), ..moved("http", None) }, "http://o/a%20b?c=%22"),
        ] {
            assert_eq!(moved.url(Some("h"), &target).as_deref(), Some(expected));
        }
        assert_eq!(moved("https", None).url(None, &target), None);
    }
}
