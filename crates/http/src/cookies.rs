//! The `Cookie` header as fields.

use memchr::memchr;

use crate::Fields;

/// How a `Cookie` header is written (`SecCookieFormat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieFormat {
    /// Netscape cookies, `SecCookieFormat 0`: values are taken as they stand, quotes included.
    #[default]
    V0,
    /// RFC 2109 cookies, `SecCookieFormat 1`: a quoted value may hold the separator, and `$Version`, `$Path` and
    /// the like are attributes, not cookies.
    V1,
}

/// Adds the cookies of one header value to `out`. Names and values are not decoded and quotes stay; a cookie
/// without a name is dropped, one without `=` has an empty value. White space is removed before a name and at the
/// end of the last cookie, and stays elsewhere. O(n).
///
/// Source: ModSecurity v3 `transaction.cc` (observed on 3.0.9), which splits on `;` in both formats. Differs: `V1`
/// is read as RFC 2109 says, since v3 accepts the directive and ignores it.
pub fn parse_cookies(value: &[u8], format: CookieFormat, separator: u8, out: &mut Fields) {
    let mut rest = value.strip_suffix(&[separator]).unwrap_or(value).trim_ascii_end();
    while !rest.is_empty() {
        let end = match format {
            CookieFormat::V0 => memchr(separator, rest),
            CookieFormat::V1 => separator_outside_quotes(rest, separator),
        };
        let (pair, tail) = match end {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &[][..]),
        };
        rest = tail;
        let (name, value) = match memchr(b'=', pair) {
            Some(equals) => (&pair[..equals], &pair[equals + 1..]),
            None => (pair, &[][..]),
        };
        let name = name.trim_ascii_start();
        if name.is_empty() || format == CookieFormat::V1 && name.starts_with(b"$") {
            continue;
        }
        out.push_of_many(name, value);
    }
}

fn separator_outside_quotes(text: &[u8], separator: u8) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (index, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => return Some(index),
            _ => {}
        }
    }
    // A quote that is never closed hides nothing: split where a v0 reader would.
    if quoted { memchr(separator, text) } else { None }
}
