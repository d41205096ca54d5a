//! The one normal form of a path: what routes, and later policy, exceptions and rate keys, match on.
//!
//! Normal is what every server would take a path for: decoded once, empty and `.` segments gone, `..` resolved. Where
//! servers differ there is no normal form, and whoever asks has to do without one: an encoded slash or backslash, a dot
//! segment written with escapes or with a parameter (`..;x`, which Tomcat takes for `..`), `..` above the root, control
//! characters, broken escapes, the bytes C0 and C1 (a slash to lenient UTF-8 decoders), and what a second decoding would
//! turn into one of these.
//!
//! ```text
//!  /a/./b//c/../d%41   ->  /a/b/dA
//!  /a/%2e%2e/b         ->  none
//! ```

use std::borrow::Cow;

/// The normal form of a path as sent, without query: it begins with a slash, and only `/` ends in one where the path as
/// sent did not. `None` when it has none. O(n), without allocation for a path that is normal already. An empty path
/// (`http://host`) is `/`.
pub fn normal_path(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    if path.is_empty() {
        return Some(Cow::Borrowed(b"/"));
    }
    if path[0] != b'/' {
        return None;
    }
    if is_normal(path) {
        return Some(Cow::Borrowed(path));
    }
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    for segment in path.split(|byte| *byte == b'/') {
        let start = out.len();
        out.push(b'/');
        let escaped = decode_into(segment, &mut out)?;
        let decoded = &out[start + 1..];
        let name = decoded.split(|byte| *byte == b';').next().unwrap_or_default();
        match (decoded, name) {
            (b"", _) => out.truncate(start),
            (_, b"." | b"..") if escaped || decoded != name => return None,
            (b".", _) => out.truncate(start),
            (b"..", _) => {
                out.truncate(start);
                let parent = out.iter().rposition(|byte| *byte == b'/')?;
                out.truncate(parent);
            }
            _ => {}
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    Some(Cow::Owned(out))
}

/// Whether a path is in its normal form as it is; some that are not found to be are made anew.
fn is_normal(path: &[u8]) -> bool {
    let mut before = 0;
    for &byte in path {
        match byte {
            b'%' | b'\\' | b';' | 0..=b' ' | 0x7f | 0xc0 | 0xc1 => return false,
            b'/' | b'.' if before == b'/' => return false,
            _ => {}
        }
        before = byte;
    }
    true
}

/// Appends a segment decoded. Says whether it had an escape; `None` when it means different things to different servers.
fn decode_into(segment: &[u8], out: &mut Vec<u8>) -> Option<bool> {
    let start = out.len();
    let mut escaped = false;
    let mut rest = segment;
    while let [first, after @ ..] = rest {
        let byte = if *first == b'%' {
            escaped = true;
            rest = after.get(2..)?;
            hex(after[0])? << 4 | hex(after[1])?
        } else {
            rest = after;
            *first
        };
        if matches!(byte, b'/' | b'\\' | 0..=0x1f | 0x7f | 0xc0 | 0xc1) {
            return None;
        }
        out.push(byte);
    }
    // What a second decoding finds.
    let again = out[start..].windows(3).any(|window| {
        let [b'%', high, low] = window else { return false };
        let byte = hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low);
        matches!(byte, Some(b'.' | b'/' | b'\\' | b'%' | 0..=0x1f | 0x7f | 0xc0 | 0xc1))
    });
    if again { None } else { Some(escaped) }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(path: &str) -> Option<String> {
        normal_path(path.as_bytes()).map(|path| String::from_utf8_lossy(&path).into_owned())
    }

    #[test]
    fn a_path_that_all_take_for_the_same_has_one_form() {
        for (sent, form) in [
            ("", "/"),
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a///b//", "/a/b"),
            ("/a/./b/.", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/a/b/../../c", "/c"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/a%20b/%41%7e", "/a b/A~"),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/100%25", "/100%"),
            ("/caf%c3%a9", "/café"),
            ("/a b", "/a b"),
        ] {
            assert_eq!(normal(sent).as_deref(), Some(form), "{sent}");
            assert_eq!(
                normal(&form.replace('%', "%25").replace(' ', "%20")).as_deref(),
                Some(form),
                "{sent}"
            );
        }
        assert!(
            matches!(normal_path(b"/a/b.html"), Some(Cow::Borrowed(_))),
            "no allocation where none is needed"
        );
    }

    #[test]
    fn a_path_that_servers_differ_about_has_none() {
        for sent in [
            "a",
            "*",
            "/..",
            "/a/../..",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/%2e",
            "/%2e%2e/x",
            "/.%2e/x",
            "/..;/x",
            "/.;a/x",
            "/%00",
            "/a%0ab",
            "/a\x01",
            "/%",
            "/%4",
            "/%zz",
            "/%u002f",
            "/%c0%af",
            "/%252e%252e/x",
            "/%252f",
            "/%2500",
            "/%25252e",
            "/..%3b/x",
            "/a%7f",
        ] {
            assert_eq!(normal(sent), None, "{sent}");
        }
    }

    #[test]
    fn the_normal_form_is_its_own() {
        // Every text of a few telling bytes: what comes out has no segment that means another.
        let bytes = b"/.%2efa;\\";
        let mut tried = 0;
        for length in 0..=6 {
            for number in 0..bytes.len().pow(length) {
                let mut left = number;
                let path: Vec<u8> = std::iter::once(b'/')
                    .chain((0..length).map(|_| {
                        let byte = bytes[left % bytes.len()];
                        left /= bytes.len();
                        byte
                    }))
                    .collect();
                let Some(form) = normal_path(&path) else { continue };
                tried += 1;
                assert_eq!(form[0], b'/');
                let inner = form.strip_suffix(b"/").unwrap_or(&form);
                for segment in inner.split(|byte| *byte == b'/').skip(1) {
                    assert!(!matches!(segment, b"" | b"." | b".."), "{}", path.escape_ascii());
                }
                assert!(!form.contains(&b'\\'));
            }
        }
        assert!(tried > 10_000, "{tried}");
    }
}
