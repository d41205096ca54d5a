//! The fields that say who asked and how: removed as the client sent them, written as we know them.

use std::net::IpAddr;

use palisade_http::Fields;

use crate::body::write_field;
use crate::settings::ForwardedFor;

/// Whether we write this field ourselves, so that the client's does not go on.
pub(crate) fn is_ours(name: &[u8]) -> bool {
    match name.len() {
        9 => name.eq_ignore_ascii_case(b"x-real-ip"),
        12 => name.eq_ignore_ascii_case(b"x-request-id"),
        15 => name.eq_ignore_ascii_case(b"x-forwarded-for"),
        16 => name.eq_ignore_ascii_case(b"x-forwarded-host"),
        17 => name.eq_ignore_ascii_case(b"x-forwarded-proto"),
        _ => false,
    }
}

/// What we know of the request.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// Who the connection is from: what the next reader of the list counts from.
    pub(crate) from: IpAddr,
    /// Who the request is from.
    pub(crate) client: IpAddr,
    pub(crate) scheme: &'static str,
    pub(crate) host: &'a [u8],
    pub(crate) request_id: &'a str,
}

/// Writes our fields. `headers` are the client's.
pub(crate) fn write(headers: &Fields, known: &Known<'_>, policy: ForwardedFor, out: &mut Vec<u8>) {
    let client = known.client.to_canonical().to_string();
    let from = known.from.to_canonical().to_string();
    out.extend_from_slice(b"X-Forwarded-For: ");
    if policy == ForwardedFor::Append {
        for value in headers.values(b"x-forwarded-for").filter(|value| !value.is_empty()) {
            out.extend_from_slice(value);
            out.extend_from_slice(b", ");
        }
    }
    out.extend_from_slice(if policy == ForwardedFor::Append { from.as_bytes() } else { client.as_bytes() });
    out.extend_from_slice(b"\r\n");
    write_field(b"X-Forwarded-Proto", known.scheme.as_bytes(), out);
    if !known.host.is_empty() {
        write_field(b"X-Forwarded-Host", known.host, out);
    }
    write_field(b"X-Real-IP", client.as_bytes(), out);
    write_field(b"X-Request-Id", known.request_id.as_bytes(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(policy: ForwardedFor) -> String {
        let mut headers = Fields::new();
        headers.push(b"x-forwarded-for", b"198.51.100.1");
        headers.push(b"Accept", b"*/*");
        headers.push(b"X-Forwarded-For", b"198.51.100.2, 198.51.100.3");
        let known = Known {
            from: "::ffff:192.0.2.7".parse().unwrap(),
            client: "::ffff:192.0.2.7".parse().unwrap(),
            scheme: "http",
            host: b"example.com",
            request_id: "0f",
        };
        let mut out = Vec::new();
        write(&headers, &known, policy, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_peer_is_appended_or_stands_alone() {
        assert_eq!(
            written(ForwardedFor::Append),
            "X-Forwarded-For: 198.51.100.1, 198.51.100.2, 198.51.100.3, 192.0.2.7\r\n\
             X-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com\r\nX-Real-IP: 192.0.2.7\r\nX-Request-Id: 0f\r\n"
        );
        assert!(written(ForwardedFor::Replace).starts_with("X-Forwarded-For: 192.0.2.7\r\n"));
    }

    #[test]
    fn what_we_write_is_what_we_remove() {
        let mut out = written(ForwardedFor::Append);
        while let Some((line, rest)) = out.clone().split_once("\r\n") {
            let name = line.split(':').next().unwrap();
            assert!(is_ours(name.to_ascii_uppercase().as_bytes()), "{name}");
            out = rest.to_owned();
        }
        assert!(!is_ours(b"x-forwarded-foo") && !is_ours(b"host"));
    }
}
