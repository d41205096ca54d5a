//! Heads of HTTP/2 and what they are to the rest of us.
//!
//! A request's head is written as HTTP/1 would have it and read by the reader of HTTP/1: one reader decides what is odd.
//! Nothing in it can pose as something else, because the `http` crate's values hold no line ends.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use h2::ext::Protocol;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use palisade_http::{
    Fields, Framing, FramingFinding, HeadLimits, HeadParse, RequestHead, ResponseHead, parse_request_head,
};
use sha1::{Digest as _, Sha1};

use crate::request::RequestPlan;
use crate::request_id::request_id;
use crate::response::each_field;
use crate::site::HeaderChanges;

/// Reads the head of a stream. `ends`: nothing follows it.
pub(super) fn read(parts: &Parts, ends: bool, limits: &HeadLimits) -> (RequestHead, RequestPlan) {
    let websocket = websocket(parts);
    let text = written(parts, websocket);
    let (mut head, refused) = match parse_request_head(&text, limits) {
        HeadParse::Complete { head, .. } => (head, false),
        HeadParse::Refused { head, .. } => (head, true),
        // It has its end, so this cannot be; were it, it would be refused.
        HeadParse::Incomplete => (RequestHead::default(), true),
    };
    let mut plan = RequestPlan::of(&head);
    plan.http2 = true;
    plan.grpc = head.headers.first(b"content-type").is_some_and(is_grpc);
    if refused && plan.refusal.is_none() {
        plan.refusal = Some(FramingFinding::LineMalformed);
    }
    if plan.refusal.is_none() && plan.framing == Framing::None && !ends && !websocket {
        plan.framing = Framing::Chunked;
    }
    // As rules know it, whatever the reader was told.
    if let Some(rest) = head.line.strip_suffix(b"HTTP/1.1") {
        head.line = [rest, VERSION].concat();
    }
    head.version = VERSION.to_vec();
    (head, plan)
}

const VERSION: &[u8] = b"HTTP/2.0";

/// Whether a content type is gRPC's, over HTTP/2 itself.
fn is_grpc(content_type: &[u8]) -> bool {
    let Some((kind, rest)) = content_type.split_at_checked(b"application/grpc".len()) else { return false };
    kind.eq_ignore_ascii_case(b"application/grpc") && rest.first().is_none_or(|byte| b"+; \t".contains(byte))
}

/// Whether it asks for a WebSocket by extended CONNECT (RFC 8441).
fn websocket(parts: &Parts) -> bool {
    let protocol = parts.extensions.get::<Protocol>();
    protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"))
}

fn written(parts: &Parts, websocket: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    // What asks for a WebSocket is a GET to everybody who speaks HTTP/1, and to rules.
    let method = if websocket { "GET" } else { parts.method.as_str() };
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    match parts.uri.path_and_query() {
        Some(target) => out.extend_from_slice(target.as_str().as_bytes()),
        None => out.extend_from_slice(authority.unwrap_or(b"*")),
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut field = |name: &[u8], value: &[u8]| {
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    if let Some(authority) = authority {
        field(b"host", authority);
    }
    let mut cookies_are_out = false;
    for (name, value) in &parts.headers {
        match name.as_str() {
            // The same once more says nothing; another one is a second Host (RFC 9113 section 8.3.1).
            "host" if authority == Some(value.as_bytes()) => {}
            // RFC 9113 section 8.2.3: crumbs are one field to everybody else.
            "cookie" => {
                if !std::mem::replace(&mut cookies_are_out, true) {
                    let crumbs: Vec<&[u8]> =
                        parts.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
                    field(b"cookie", &crumbs.join(&b"; "[..]));
                }
            }
            name => field(name.as_bytes(), value.as_bytes()),
        }
    }
    if websocket {
        field(b"connection", b"Upgrade");
        field(b"upgrade", b"websocket");
        // RFC 8441 section 5 leaves the key out, which HTTP/1 cannot do without.
        if !parts.headers.contains_key("sec-websocket-key") {
            let id = request_id();
            let nonce = id.as_bytes().get(..16).unwrap_or(&[b'0'; 16]);
            field(b"sec-websocket-key", STANDARD.encode(nonce).as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// The head of an answer as a client on HTTP/2 gets it.
pub(super) fn answer(
    status: u16,
    head: &ResponseHead,
    no_length: bool,
    changes: Option<&HeaderChanges>,
    request_id: &str,
) -> Response<()> {
    let mut fields = HeaderMap::with_capacity(head.headers.len() + 1);
    each_field(head, no_length, changes, &mut |name, value| append(&mut fields, name, value));
    append(&mut fields, b"x-request-id", request_id.as_bytes());
    response(status, fields)
}

/// A head of fields that are there.
pub(super) fn response(status: u16, fields: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    // A service may say 999, which HTTP/2 can say as well; what is no number of three digits is not read as a head.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = fields;
    response
}

/// Fields in the form of HTTP/2.
pub(super) fn map(fields: &Fields, goes_on: impl Fn(&[u8]) -> bool) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields.iter().filter(|(name, _)| goes_on(name)) {
        append(&mut map, name, value);
    }
    map
}

/// Fields as the rest of us have them.
pub(super) fn fields(map: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in map {
        fields.push(name.as_str().as_bytes(), value.as_bytes());
    }
    fields
}

/// What HTTP/2 cannot say stays behind: names that are no names, values with control bytes.
fn append(map: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
        map.append(name, value);
    }
}

/// The head of a request as it goes on, in the form of HTTP/1 that [`crate::request`] gives it, read once more.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestText<'t>(pub(super) &'t [u8]);

impl RequestText<'_> {
    /// The same on HTTP/2. `None` where it cannot be said there: a method, a host or a target that the `http` crate does
    /// not take.
    pub(super) fn request(self, scheme: &str) -> Option<Request<()>> {
        let mut lines =
            self.0.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut start = lines.next()?.split(|byte| *byte == b' ');
        let (method, target) = (start.next()?, start.next()?);
        let mut fields = HeaderMap::new();
        let mut host = None;
        for line in lines.filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"host") {
                host = host.or(Some(value));
            } else if !is_of_http1(name) {
                append(&mut fields, name, value);
            }
        }
        let uri =
            Uri::builder().scheme(scheme).authority(host?).path_and_query(escaped(target)).build().ok()?;
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(method).ok()?;
        *request.uri_mut() = uri;
        *request.headers_mut() = fields;
        Some(request)
    }
}

/// Makes the request for a WebSocket what it is on HTTP/2 (RFC 8441 section 5). What its key is answered with on HTTP/1
/// comes back (RFC 6455 section 4.2.2); who sends none cannot check it either.
pub(super) fn tunnel(request: &mut Request<()>) -> String {
    *request.method_mut() = Method::CONNECT;
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    let key = request.headers_mut().remove("sec-websocket-key");
    let key = key.as_ref().map_or(&[][..], HeaderValue::as_bytes);
    let digest =
        Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    STANDARD.encode(digest)
}

/// Fields of one connection that [`crate::request`] writes for HTTP/1.
fn is_of_http1(name: &[u8]) -> bool {
    [&b"connection"[..], b"transfer-encoding", b"upgrade", b"keep-alive", b"proxy-connection"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// A target in which bytes that no URI has are escaped, which HTTP/1 passes on.
fn escaped(target: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(target.len());
    for byte in target {
        match byte {
            b'"' | b'<' | b'>' | b'`' | b'#' | 0..=b' ' | 0x7f.. => {
                out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
            byte => out.push(*byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn read_of(parts: &Parts) -> (RequestHead, RequestPlan) {
        read(parts, true, &HeadLimits::default())
    }

    fn listed(head: &RequestHead) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        head.headers.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect()
    }

    #[test]
    fn a_head_is_what_rules_know_with_its_host_first_and_its_crumbs_joined() {
        let fields = [("b", "1"), ("cookie", "x=1"), ("a", "2"), ("cookie", "y=2"), ("host", "h:1")];
        let (head, plan) = read_of(&parts("http://h:1/p%2f?q=x", &fields[..4]));
        assert_eq!(head.line, b"GET /p%2f?q=x HTTP/2.0");
        assert_eq!((&head.target[..], &head.version[..]), (&b"/p%2f?q=x"[..], VERSION));
        assert_eq!(listed(&head), ["host: h:1", "b: 1", "cookie: x=1; y=2", "a: 2"]);
        assert!(plan.refusal.is_none() && plan.framing == Framing::None && plan.http2);
        assert_eq!(listed(&read_of(&parts("http://h:1/", &fields)).0).len(), 4, "the same host once more");
    }

    #[test]
    fn what_says_two_things_is_refused_as_on_http1() {
        for (uri, fields, finding) in [
            ("http://h/", [("host", "other")], FramingFinding::HostRepeated),
            ("http://u@h/", [("a", "b")], FramingFinding::HostInvalid),
            ("http://h/", [("content-length", "+1")], FramingFinding::ContentLengthInvalid),
        ] {
            let (head, plan) = read_of(&parts(uri, &fields));
            assert_eq!(plan.refusal, Some(finding), "{uri} {fields:?}");
            assert!(head.findings.contains(&finding));
        }
        assert_eq!(read_of(&parts("/", &[("a", "b")])).1.refusal, Some(FramingFinding::HostMissing));
    }

    #[test]
    fn a_stream_that_goes_on_has_a_body_of_unknown_length() {
        let open = read(&parts("http://h/", &[]), false, &HeadLimits::default()).1;
        assert_eq!(open.framing, Framing::Chunked);
        let long = read(&parts("http://h/", &[("content-length", "5")]), false, &HeadLimits::default()).1;
        assert_eq!(long.framing, Framing::Length(5));
    }

    #[test]
    fn grpc_is_grpc_and_not_what_begins_like_it() {
        for (kind, grpc) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC; x=y", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            assert_eq!(is_grpc(kind.as_bytes()), grpc, "{kind}");
        }
    }

    #[test]
    fn a_websocket_is_a_connect_without_a_key_and_its_answer_has_what_http1_wants() {
        let text = RequestText(
            b"GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        let mut request = text.request("https").unwrap();
        // The example of RFC 6455 section 1.3.
        assert_eq!(tunnel(&mut request), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!((request.method(), request.uri().path()), (&Method::CONNECT, "/chat"));
        assert!(websocket(&request.into_parts().0));
    }

    #[test]
    fn a_forwarded_head_says_the_same_on_http2() {
        let text = RequestText(
            b"POST /a\"b<?c=`d HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\nx-a: 2\r\nConnection: TE\r\nTE: trailers\r\n\
              Transfer-Encoding: chunked\r\n\r\n",
        );
        let request = text.request("http").unwrap();
        assert_eq!(request.uri(), "http://h:1/a%22b%3C?c=%60d");
        assert_eq!(request.method(), "POST");
        let listed: Vec<_> =
            request.headers().iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        assert_eq!(listed, [("x-a", "1"), ("x-a", "2"), ("te", "trailers")]);
    }
}
