//! The form of a path that policies compare.
//!
//! It is `palisade-http`'s one normal form with what Calico leaves out as well: parameters of segments (`;v=1`), which
//! some servers do not take for a part of the name, and a slash at the end. Where servers differ there is no form, and a
//! rule that asks for a path cannot be decided: it grants nothing, and it denies.
//!
//! Source: the behaviour of Calico's checker. Differs: Calico turns `\` into `/` and resolves `%2e%2e` and `..` above the
//! root; here such paths have no form.

use std::borrow::Cow;

use palisade_http::normal_path;

/// The form of a path as sent; a query or fragment is left out. `None` where it has none. O(n).
#[must_use]
pub fn comparable_path(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(path.len());
    let path = &path[..end];
    if path.is_empty() {
        return None;
    }
    let mut normal = normal_path(path)?;
    // A `;` that is still written with an escape would be one after a second decoding.
    if normal.windows(3).any(|window| window.eq_ignore_ascii_case(b"%3b")) {
        return None;
    }
    if normal.contains(&b';') {
        let mut out = Vec::with_capacity(normal.len());
        for segment in normal.split(|byte| *byte == b'/') {
            let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
            // A dot segment with a parameter has no normal form already.
            if !name.is_empty() {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
        if out.is_empty() {
            out.push(b'/');
        }
        normal = Cow::Owned(out);
    }
    if normal.len() > 1 && normal.ends_with(b"/") {
        normal = match normal {
            Cow::Borrowed(path) => Cow::Borrowed(&path[..path.len() - 1]),
            Cow::Owned(mut path) => {
                path.pop();
                Cow::Owned(path)
            }
        };
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_mean_one_place_have_one_form() {
        for (sent, form) in [
            ("/", Some("/")),
            ("/a/", Some("/a")),
            ("/a/b?x=/c", Some("/a/b")),
            ("/a#b", Some("/a")),
            ("//a/./b/../c", Some("/a/c")),
            ("/%61dmin", Some("/admin")),
            ("/admin;x=1/y;z", Some("/admin/y")),
            ("/admin%3bx=1", Some("/admin")),
            ("/;x/admin", Some("/admin")),
            ("/;x", Some("/")),
            ("/a/..;/b", None),
            ("/a/%2e%2e/b", None),
            ("/a%2fb", None),
            ("/a%252fb", None),
            ("/a%253bb", None),
            ("/a\\b", None),
            ("/%zz", None),
            ("/a%00", None),
            ("/../a", None),
            ("*", None),
            ("http://h/a", None),
            ("", None),
            ("?x", None),
        ] {
            let got = comparable_path(sent.as_bytes());
            assert_eq!(got.as_deref(), form.map(str::as_bytes), "{sent}");
            if let Some(form) = form {
                assert_eq!(
                    comparable_path(form.as_bytes()).as_deref(),
                    Some(form.as_bytes()),
                    "{form}: its own"
                );
            }
        }
    }
}
