//! URLs that run instead of going somewhere.

use super::super::ascii;
use super::html::is_blank;
use super::script::{self, Code};

/// What a URL does besides going somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// The script of a `javascript:` URL and its kin.
    Script { scheme: &'static str, code: Code },
    /// A `data:` URL of a kind that browsers run.
    Data(String),
}

/// Bytes of a URL's beginning in which its scheme is sought: payloads put blanks and control characters into it.
const SCHEME_BYTES_MAX: usize = 512;

/// Bytes of it that are kept: schemes, and the beginning of what they run.
const PLAIN_BYTES_MAX: usize = 160;

/// Reads a URL whose character references are resolved. `None` where it only goes somewhere.
pub(super) fn read(url: &[u8]) -> Option<Runs> {
    let plain = plain_beginning(url);
    let mut rest = &plain[..];
    // What stands before the scheme and is no letter was meant to be overlooked; some schemes hold another URL.
    for _ in 0..WRAPPERS_MAX {
        let junk =
            rest.iter().position(|byte| byte.is_ascii_alphabetic() || *byte == b'/').unwrap_or(rest.len());
        rest = &rest[junk..];
        match WRAPPERS.iter().find(|wrapper| ascii::starts(rest, wrapper)) {
            Some(wrapper) => rest = &rest[wrapper.len()..],
            None => break,
        }
    }
    if ascii::starts(rest, b"data:") {
        return data(&rest[5..]);
    }
    let scheme = SCRIPTS.iter().find(|scheme| ascii::starts(rest, scheme.as_bytes()))?;
    let mut code = &rest[scheme.len()..];
    while SCRIPTS.iter().any(|again| ascii::starts(code, again.as_bytes())) {
        code = &code[memchr::memchr(b':', code)? + 1..];
    }
    Some(Runs::Script { scheme: scheme.trim_end_matches(':'), code: script::read(code) })
}

/// A URL's beginning as browsers read it, and as older ones did: without blanks, control characters, comments and
/// percent-encoded control characters.
fn plain_beginning(url: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &url[..url.len().min(SCHEME_BYTES_MAX)];
    while let [byte, tail @ ..] = rest
        && out.len() < PLAIN_BYTES_MAX
    {
        if rest.starts_with(b"<!--") || rest.starts_with(b"]]>") {
            // `javas<!-- -->cript:`, `javas]]><![CDATA[cript:`
            let end = if rest[0] == b']' { &b"<![cdata["[..] } else { b"-->" };
            if let Some(found) = ascii::find(rest, end) {
                rest = &rest[found + end.len()..];
                continue;
            }
        }
        if let [b'%', high @ (b'0' | b'1'), low, after @ ..] = rest
            && low.is_ascii_hexdigit()
            && !(*high == b'0' && *low == b'0' && after.is_empty())
        {
            rest = after;
            continue;
        }
        if *byte > b' ' && *byte != b'\\' && *byte != 0x7f && !is_blank(*byte) {
            out.push(*byte);
        }
        rest = tail;
    }
    out
}

fn data(rest: &[u8]) -> Option<Runs> {
    let head = &rest[..memchr::memchr(b',', rest)?];
    let kind = head.split(|byte| matches!(byte, b';' | b'&')).next().unwrap_or_default();
    let runs = ascii::is_one_of(
        kind,
        &[
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "application/xml",
            "text/xml",
            "text/javascript",
            "application/javascript",
            "application/x-javascript",
            "text/ecmascript",
            "text/vbscript",
            "text/xsl",
            "multipart/x-mixed-replace",
        ],
    );
    (runs || kind.contains(&b'<')).then(|| Runs::Data(ascii::shown(kind).to_ascii_lowercase()))
}

const SCRIPTS: &[&str] = &["javascript:", "vbscript:", "livescript:", "mocha:", "jscript:", "vbs:"];

/// Schemes before another URL.
const WRAPPERS: &[&[u8]] = &[b"feed:", b"view-source:", b"jar:", b"url=", b"url(", b"pcast:"];
const WRAPPERS_MAX: usize = 8;

/// Script that people put into links to do nothing or to go back.
pub(super) fn is_harmless(code: &[u8]) -> bool {
    let plain: Vec<u8> = code.iter().filter(|byte| !byte.is_ascii_whitespace()).copied().collect();
    let plain = plain.strip_suffix(b";").unwrap_or(&plain);
    ascii::is_one_of(
        plain,
        &[
            "",
            "void(0)",
            "void0",
            ";",
            "//",
            "history.back()",
            "history.go(-1)",
            "window.history.back()",
            "window.print()",
            "#",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_seen_through_what_is_put_into_them() {
        for url in [
            "javascript:alert(1)",
            " \u{1}java\tscript:alert(1)",
            "%06javascript:alert(1)",
            "&14;javascript:alert(1)",
            "feed:feed:javAscript:feed:alert(1)",
            "javas%01cript:javascript:alert(1)",
            "javas<!-- -->cript:alert(1)",
        ] {
            let read = read(url.as_bytes());
            assert!(matches!(read, Some(Runs::Script { code: Code::Browser(_), .. })), "{url}: {read:?}");
        }
        assert!(matches!(read(b"data:text/html;base64,PHN"), Some(Runs::Data(_))));
        assert_eq!(read(b"data:,<script>"), None);
        for url in [
            "https://example.com/javascript:x",
            "/javascript",
            "data:image/png;base64,AA",
            "",
            "#",
            "mailto:a@b",
        ] {
            assert_eq!(read(url.as_bytes()), None, "{url}");
        }
    }
}
