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

/// The same where we speak as ingress-nginx does, which also keeps `Proxy` back (CVE-2016-5385).
pub(crate) fn is_ours_as_ingress_nginx(name: &[u8]) -> bool {
    const FURTHER: [&[u8]; 6] = [
        b"proxy",
        b"x-scheme",
        b"x-forwarded-port",
        b"x-forwarded-scheme",
        b"x-original-forwarded-for",
        b"x-original-forwarded-host",
    ];
    is_ours(name) || FURTHER.iter().any(|ours| name.eq_ignore_ascii_case(ours))
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
    if let ForwardedFor::IngressNginx { full } = policy {
        let full = full.then_some(&*from);
        return as_ingress_nginx(headers, known, &client, full, out);
    }
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

/// As ingress-nginx's `proxy_set_header`s say it, but for the request's id, which is always ours. With `full` that address is
/// appended to the client's list, which names the client already where a trusted hop wrote it.
fn as_ingress_nginx(
    headers: &Fields,
    known: &Known<'_>,
    client: &str,
    full: Option<&str>,
    out: &mut Vec<u8>,
) {
    let list = |name: &[u8]| {
        let values: Vec<&[u8]> = headers.values(name).filter(|value| !value.is_empty()).collect();
        values.join(&b", "[..])
    };
    let (said, said_host) = (list(b"x-forwarded-for"), list(b"x-forwarded-host"));
    let port = if known.scheme == "https" { "443" } else { "80" };
    let forwarded_for = match full {
        Some(from) if said.is_empty() => from.as_bytes().to_vec(),
        Some(from) => [&said[..], b", ", from.as_bytes()].concat(),
        None => client.as_bytes().to_vec(),
    };
    for (name, value) in [
        ("X-Request-ID", known.request_id.as_bytes()),
        ("X-Real-IP", client.as_bytes()),
        ("X-Forwarded-For", &forwarded_for),
        ("X-Forwarded-Host", known.host),
        ("X-Forwarded-Port", port.as_bytes()),
        ("X-Forwarded-Proto", known.scheme.as_bytes()),
        ("X-Forwarded-Scheme", known.scheme.as_bytes()),
        ("X-Scheme", known.scheme.as_bytes()),
        ("X-Original-Forwarded-For", &said),
        ("X-Original-Forwarded-Host", &said_host),
    ] {
        // As nginx has it, a header without a value is none.
        if !value.is_empty() {
            write_field(name.as_bytes(), value, out);
        }
    }
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
            from: "::ffff:10.0.0.9".parse().unwrap(),
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
            "X-Forwarded-For: 198.51.100.1, 198.51.100.2, 198.51.100.3, 10.0.0.9\r\n\
             X-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com\r\nX-Real-IP: 192.0.2.7\r\nX-Request-Id: 0f\r\n"
        );
        assert!(written(ForwardedFor::Replace).starts_with("X-Forwarded-For: 192.0.2.7\r\n"));
    }

    #[test]
    fn as_ingress_nginx_the_client_stands_alone_and_its_word_apart() {
        assert_eq!(
            written(ForwardedFor::IngressNginx { full: false }),
            "X-Request-ID: 0f\r\nX-Real-IP: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.7\r\n\
             X-Forwarded-Host: example.com\r\nX-Forwarded-Port: 80\r\nX-Forwarded-Proto: http\r\n\
             X-Forwarded-Scheme: http\r\nX-Scheme: http\r\n\
             X-Original-Forwarded-For: 198.51.100.1, 198.51.100.2, 198.51.100.3\r\n"
        );
        let full = written(ForwardedFor::IngressNginx { full: true });
        assert!(
            full.contains("\r\nX-Forwarded-For: 198.51.100.1, 198.51.100.2, 198.51.100.3, 10.0.0.9\r\n"),
            "{full}"
        );
        for line in full.lines() {
            let name = line.split(':').next().unwrap();
            assert!(is_ours_as_ingress_nginx(name.as_bytes()), "{name}");
        }
        assert!(is_ours_as_ingress_nginx(b"Proxy") && !is_ours_as_ingress_nginx(b"host"));
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
