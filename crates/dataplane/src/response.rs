//! What a response's head means to us, and the head that goes on to the client.
//!
//! An upstream is trusted further than a client, but not to say two things at once: a head whose body could end in
//! two places, or that could be split into two answers, is not passed on. Merely odd ones are passed on cleaned:
//! folded lines joined, lines ended by CRLF, fields without a proper name left out.

use palisade_http::{Framing, FramingFinding, ResponseHead, response_body_framing};

use crate::body::{Coding, write_field};
use crate::request::{has_word, is_hop_by_hop};
use crate::site::HeaderChanges;

/// How the body of a response comes on HTTP/1.
///
/// # Errors
/// Why it cannot be passed on.
pub(crate) fn framing(head: &ResponseHead, method: &[u8]) -> Result<Framing, &'static str> {
    if let Some(finding) = head.findings.iter().find(|finding| is_refused(**finding)) {
        return Err(finding.name());
    }
    response_body_framing(head, method).map_err(FramingFinding::name)
}

/// Whether a connection of HTTP/1 can serve another request after this response.
pub(crate) fn is_reusable(head: &ResponseHead, framing: Framing) -> bool {
    let closes = head.headers.values(b"connection").any(|value| has_word(value, b"close"));
    head.http1_minor() == Some(1) && !closes && framing != Framing::UntilClose
}

/// How the client gets the body on HTTP/1, and whether its end is the connection's end.
pub(crate) fn coding(framing: Framing, http10: bool) -> (Coding, bool) {
    match framing {
        Framing::None => (Coding::None, false),
        Framing::Length(_) => (Coding::Plain, false),
        Framing::Chunked | Framing::UntilClose if http10 => (Coding::Plain, true),
        Framing::Chunked | Framing::UntilClose => (Coding::Chunked, false),
    }
}

/// What is added to a head on its way to the client.
#[derive(Debug)]
pub(crate) struct Hop<'a> {
    pub(crate) request_id: &'a str,
    /// It answers HEAD.
    pub(crate) head_only: bool,
    /// What its service changes.
    pub(crate) changes: Option<&'a HeaderChanges>,
}

/// How a client on HTTP/1 takes a head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) coding: Coding,
    pub(crate) close: bool,
    pub(crate) http10: bool,
}

/// Writes the head that a client on HTTP/1 gets.
pub(crate) fn write_head(head: &ResponseHead, form: Form, hop: &Hop<'_>, out: &mut Vec<u8>) {
    write_start(head, out);
    // A length where there can be no body is a length that somebody waits for.
    let no_length = head.status == 204 || form.coding == Coding::Chunked;
    write_fields(head, no_length, hop.changes, out);
    let chunked_get = hop.head_only && !form.http10 && head.headers.first(b"transfer-encoding").is_some();
    if form.coding == Coding::Chunked || chunked_get && head.status != 204 && head.status != 304 {
        write_field(b"Transfer-Encoding", b"chunked", out);
    }
    // On HTTP/2 a stream that has ended says that there is no body; here somebody would wait for one.
    let bodiless = hop.head_only || matches!(head.status, 100..=199 | 204 | 304);
    if form.coding == Coding::None && !bodiless && head.headers.first(b"content-length").is_none() {
        write_field(b"Content-Length", b"0", out);
    }
    write_field(b"X-Request-Id", hop.request_id.as_bytes(), out);
    end_head(form.close, form.http10, out);
}

/// Ends a head on HTTP/1: whether the connection stays is its last field.
pub(crate) fn end_head(close: bool, http10: bool, out: &mut Vec<u8>) {
    match (close, http10) {
        (true, _) => write_field(b"Connection", b"close", out),
        (false, true) => write_field(b"Connection", b"keep-alive", out),
        (false, false) => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the head of an interim response (1xx but 101).
pub(crate) fn write_interim(head: &ResponseHead, out: &mut Vec<u8>) {
    write_start(head, out);
    write_fields(head, true, None, out);
    out.extend_from_slice(b"\r\n");
}

/// Writes the head that makes the connection a WebSocket.
pub(crate) fn write_switching(head: &ResponseHead, request_id: &str, out: &mut Vec<u8>) {
    write_start(head, out);
    write_fields(head, true, None, out);
    write_field(b"Connection", b"Upgrade", out);
    write_field(b"Upgrade", b"websocket", out);
    write_field(b"X-Request-Id", request_id.as_bytes(), out);
    out.extend_from_slice(b"\r\n");
}

fn write_start(head: &ResponseHead, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(head.status.to_string().as_bytes());
    out.push(b' ');
    out.extend(head.reason.iter().filter(|byte| !byte.is_ascii_control()));
    out.extend_from_slice(b"\r\n");
}

fn write_fields(head: &ResponseHead, no_length: bool, changes: Option<&HeaderChanges>, out: &mut Vec<u8>) {
    each_field(head, no_length, changes, &mut |name, value| write_field(name, value, out));
}

/// The fields that go on to the client, in order.
pub(crate) fn each_field(
    head: &ResponseHead,
    no_length: bool,
    changes: Option<&HeaderChanges>,
    take: &mut dyn FnMut(&[u8], &[u8]),
) {
    let named: Vec<&[u8]> = head
        .headers
        .values(b"connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|word| !word.eq_ignore_ascii_case(b"content-length"))
        .collect();
    for (name, value) in head.headers.iter() {
        let dropped = is_hop_by_hop(name)
            || name.eq_ignore_ascii_case(b"x-request-id")
            || no_length && name.eq_ignore_ascii_case(b"content-length")
            || !is_field_name(name)
            || changes.is_some_and(|changes| changes.drops(name))
            || named.iter().any(|word| name.eq_ignore_ascii_case(word));
        if !dropped {
            take(name, value);
        }
    }
    for (name, value) in changes.into_iter().flat_map(HeaderChanges::fields) {
        take(name.as_bytes(), value.as_bytes());
    }
}

fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Findings with which a response is not passed on.
fn is_refused(finding: FramingFinding) -> bool {
    use FramingFinding::*;
    match finding {
        BareLf | ObsFold | SpaceBeforeColon | HeaderNameInvalid | HeaderWithoutColon => false,
        other => other.is_ambiguous(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::RequestPlan;
    use palisade_http::{HeadLimits, HeadParse, parse_request_head, parse_response_head};

    fn request(text: &str) -> RequestPlan {
        match parse_request_head(text.as_bytes(), &HeadLimits::default()) {
            HeadParse::Complete { head, .. } => RequestPlan::of(&head),
            other => panic!("{other:?}"),
        }
    }

    fn forwarded(response: &str, request: &RequestPlan) -> Result<String, &'static str> {
        let HeadParse::Complete { head, .. } =
            parse_response_head(response.as_bytes(), &HeadLimits::default())
        else {
            return Err("unreadable");
        };
        let (coding, ends_connection) = coding(framing(&head, &request.method)?, request.http10);
        let form = Form { coding, close: ends_connection, http10: request.http10 };
        let hop = Hop { request_id: "id", head_only: request.is_head(), changes: None };
        let mut out = Vec::new();
        write_head(&head, form, &hop, &mut out);
        Ok(String::from_utf8(out).unwrap().replace("\r\n", "|"))
    }

    #[test]
    fn heads_go_on_as_they_came_but_for_the_connections_own_fields() {
        let get = request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        let old = request("GET / HTTP/1.0\r\n\r\n");
        let head = request("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
        let chunked = "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nset-cookie: b\r\nTransfer-Encoding: chunked\r\n\
                       Connection: x-a\r\nX-A: 1\r\nX-Request-ID: theirs\r\n\r\n";
        for (request, response, expected) in [
            (
                &get,
                chunked,
                "HTTP/1.1 200 Fine|Set-Cookie: a|set-cookie: b|Transfer-Encoding: chunked|X-Request-Id: id||",
            ),
            (
                &old,
                chunked,
                "HTTP/1.1 200 Fine|Set-Cookie: a|set-cookie: b|X-Request-Id: id|Connection: close||",
            ),
            (
                &head,
                chunked,
                "HTTP/1.1 200 Fine|Set-Cookie: a|set-cookie: b|Transfer-Encoding: chunked|X-Request-Id: id||",
            ),
            (
                &head,
                "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n",
                "HTTP/1.1 200 |Content-Length: 5|X-Request-Id: id||",
            ),
            (&get, "HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 204 |X-Request-Id: id||"),
            (&get, "HTTP/1.0 200 OK\n\n", "HTTP/1.1 200 OK|Transfer-Encoding: chunked|X-Request-Id: id||"),
            (
                &get,
                "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nbad name: 1\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 200 OK|A: b c|Content-Length: 0|X-Request-Id: id||",
            ),
        ] {
            assert_eq!(forwarded(response, request).as_deref(), Ok(expected), "{response}");
        }
    }

    #[test]
    fn heads_that_can_be_read_twice_do_not_go_on() {
        let get = request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        for response in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 304 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
        ] {
            assert!(forwarded(response, &get).is_err(), "{response}");
        }
    }
}
