//! What a request's head means to us, and the head that goes on to the upstream.
//!
//! Fields keep their order, their case and their duplicates. What does not go on: fields of one connection (RFC 9110
//! section 7.6.1) with those that Connection names, `Expect: 100-continue` (we answer it), what we say ourselves
//! about the client ([`crate::forwarded`], [`crate::identity_headers`]), and upgrades to anything but WebSocket: a connection that becomes h2c is
//! one whose requests nobody inspects any more.

use palisade_http::{Framing, FramingFinding, RequestHead, Target, TargetForm, request_body_framing};
use palisade_model::PeerIdentity;

use crate::arrival::Arrival;
use crate::authentication::Authentication;
use crate::body::{Coding, write_field};
use crate::forwarded::{self, Known};
use crate::identity_headers::Forward;
use crate::outgoing::Outgoing;
use crate::settings::ForwardedFor;
use crate::trace::Trace;

/// What we do with a request, as its head has it.
#[derive(Debug)]
pub(crate) struct RequestPlan {
    pub(crate) method: Vec<u8>,
    /// HTTP/1.0: it knows no chunks and no 1xx.
    pub(crate) http10: bool,
    pub(crate) framing: Framing,
    /// The client wants to go on with the connection.
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
    pub(crate) upgrade: bool,
    /// An answer of ours is better in JSON.
    pub(crate) wants_json: bool,
    /// It came on HTTP/2.
    pub(crate) http2: bool,
    /// It is a call of gRPC, whose answers are read from trailers.
    pub(crate) grpc: bool,
    /// Why it is refused whatever the rules say.
    pub(crate) refusal: Option<FramingFinding>,
}

impl RequestPlan {
    pub(crate) fn of(head: &RequestHead) -> Self {
        let refusal = head
            .findings
            .iter()
            .copied()
            .find(|finding| finding.is_ambiguous())
            .or_else(|| odd_authority(head));
        let http10 = head.http1_minor() != Some(1);
        let framing = if refusal.is_some() {
            Framing::None
        } else {
            // Ambiguous lengths are among the findings.
            request_body_framing(head).unwrap_or(Framing::None)
        };
        let (close, keep_alive, upgrade) = connection_words(head);
        let expects_continue = !http10
            && framing != Framing::None
            && framing != Framing::Length(0)
            && head.headers.values(b"expect").any(|value| value.eq_ignore_ascii_case(b"100-continue"));
        let websocket = upgrade
            && !http10
            && framing == Framing::None
            && head.headers.first(b"upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
        Self {
            method: head.method.clone(),
            http10,
            framing,
            keep_alive: if http10 { keep_alive && !close } else { !close },
            expects_continue,
            upgrade: websocket,
            wants_json: head.headers.first(b"accept").is_some_and(prefers_json),
            http2: false,
            grpc: false,
            refusal,
        }
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method == b"HEAD"
    }

    /// Whether sending it twice is the same as sending it once (RFC 9110 section 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(&self.method[..], b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
    }

    /// Whether it may have a body.
    pub(crate) fn has_body(&self) -> bool {
        self.coding() != Coding::None
    }

    /// Whether its body came without a word of its length, which HTTP/1 has to have: it is said once it is known how
    /// much is held.
    pub(crate) fn length_is_open(&self) -> bool {
        self.http2 && self.framing == Framing::Chunked
    }

    /// How its body goes on.
    pub(crate) fn coding(&self) -> Coding {
        match self.framing {
            Framing::Chunked => Coding::Chunked,
            Framing::Length(1..) => Coding::Plain,
            _ => Coding::None,
        }
    }
}

/// What the listener adds to a forwarded head.
#[derive(Debug)]
pub(crate) struct Hop<'a> {
    pub(crate) arrival: &'a Arrival,
    /// Who the request is from.
    pub(crate) client: std::net::IpAddr,
    pub(crate) forwarded_for: ForwardedFor,
    pub(crate) request_id: &'a str,
    /// The Host of a request that has none.
    pub(crate) authority: &'a [u8],
    /// How the application is told of the client's certificate.
    pub(crate) forward: &'a Forward,
    /// What it is asked for in place of what the client asked for.
    pub(crate) outgoing: &'a Outgoing,
    /// The target that it is asked for; as the client sent it when `None`.
    pub(crate) target: Option<Vec<u8>>,
    /// Who the client is, where its host asks for certificates.
    pub(crate) peer: Option<&'a PeerIdentity>,
    /// Who has to say who they are: what of that does not go on.
    pub(crate) authentication: Option<&'a Authentication>,
    /// The trace that it belongs to, where somebody takes traces.
    pub(crate) trace: Option<&'a Trace>,
}

/// Writes the head that the upstream gets, but for its end.
pub(crate) fn write_head(head: &RequestHead, plan: &RequestPlan, hop: &Hop<'_>, out: &mut Vec<u8>) {
    let (rewritten, without_token);
    let head = match &hop.target {
        Some(target) => {
            rewritten = RequestHead { target: target.clone(), ..head.clone() };
            &rewritten
        }
        None => head,
    };
    let head = match hop.authentication.and_then(|authentication| authentication.target(&head.target)) {
        Some(target) => {
            without_token = RequestHead { target, ..head.clone() };
            &without_token
        }
        None => head,
    };
    // The target of an absolute form says whose it is, whatever Host says (RFC 9112 section 3.2.2).
    let absolute = absolute_target(head);
    let host = match &absolute {
        Some(target) => target.authority(),
        None => head.headers.first(b"host").unwrap_or(hop.authority),
    };

    out.extend_from_slice(&head.method);
    out.push(b' ');
    if let Some(target) = &absolute {
        let prefix = target.scheme().len() + b"://".len() + target.authority().len();
        let rest = head.target.get(prefix..).unwrap_or_default();
        if !rest.starts_with(b"/") {
            // RFC 9112 section 3.2.4: no path at all is `*` for OPTIONS.
            out.push(if head.method == b"OPTIONS" && rest.is_empty() { b'*' } else { b'/' });
        }
        out.extend_from_slice(rest);
    } else {
        out.extend_from_slice(&head.target);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");

    let other_host = hop.outgoing.host.as_deref();
    if other_host.is_some() || absolute.is_some() || head.headers.first(b"host").is_none() {
        write_field(b"Host", other_host.map_or(host, str::as_bytes), out);
    }
    let named = named_by_connection(head);
    let takes_trailers = head.headers.values(b"te").any(|value| has_word(value, b"trailers"));
    for (name, value) in head.headers.iter() {
        let dropped = is_hop_by_hop(name)
            || match hop.forwarded_for {
                ForwardedFor::Nothing => false,
                ForwardedFor::IngressNginx { .. } => forwarded::is_ours_as_ingress_nginx(name),
                ForwardedFor::Append | ForwardedFor::Replace => forwarded::is_ours(name),
            }
            || hop.forward.is_ours(name)
            || (absolute.is_some() || other_host.is_some()) && name.eq_ignore_ascii_case(b"host")
            || hop.outgoing.headers.drops(name)
            || plan.expects_continue && name.eq_ignore_ascii_case(b"expect")
            || hop.authentication.is_some_and(|authentication| authentication.keeps_back(name, value))
            || hop.trace.is_some_and(|trace| trace.keeps_back(name))
            || named.iter().any(|word| name.eq_ignore_ascii_case(word));
        if dropped {
            continue;
        }
        let cookies = hop.authentication.filter(|_| name.eq_ignore_ascii_case(b"cookie"));
        match cookies.and_then(|authentication| authentication.cookies(value)) {
            None => write_field(name, value, out),
            Some(rest) if rest.is_empty() => {}
            Some(rest) => write_field(name, &rest, out),
        }
    }
    for (name, value) in hop.outgoing.headers.fields() {
        write_field(name.as_bytes(), value.as_bytes(), out);
    }
    if let Some(trace) = hop.trace {
        write_field(b"Traceparent", trace.traceparent().as_bytes(), out);
    }
    if plan.coding() == Coding::Chunked && !plan.length_is_open() {
        write_field(b"Transfer-Encoding", b"chunked", out);
    }
    if plan.upgrade {
        write_field(b"Connection", b"Upgrade", out);
        write_field(b"Upgrade", b"websocket", out);
    } else if takes_trailers {
        write_field(b"Connection", b"TE", out);
        write_field(b"TE", b"trailers", out);
    }
    let known = Known {
        from: hop.arrival.client_addr.ip(),
        client: hop.client,
        scheme: hop.arrival.scheme(),
        host,
        request_id: hop.request_id,
    };
    if hop.forwarded_for != ForwardedFor::Nothing {
        forwarded::write(&head.headers, &known, hop.forwarded_for, out);
    }
    if let Some(peer) = hop.peer {
        let own_uris = hop.arrival.tls.as_ref().map_or(&[][..], |tls| &tls.own_uris);
        hop.forward.fields(peer, own_uris, |name, value| write_field(name.as_bytes(), value.as_bytes(), out));
    }
}

/// The target when it is of the absolute form.
fn absolute_target(head: &RequestHead) -> Option<Target> {
    if head.target.starts_with(b"/") {
        return None;
    }
    Some(Target::new(&head.target, &head.method)).filter(|target| target.form() == TargetForm::Absolute)
}

/// An absolute target whose authority cannot become a Host: empty, or with a user's name in it, which hides the host
/// from people and from some servers (RFC 9110 section 4.2.4).
fn odd_authority(head: &RequestHead) -> Option<FramingFinding> {
    let target = absolute_target(head)?;
    let odd = |&byte: &u8| byte <= b' ' || byte == 0x7f || b"/\\@?#,<>\"".contains(&byte);
    let scheme = target.scheme();
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return Some(FramingFinding::TargetInvalid);
    }
    let authority = target.authority();
    (authority.is_empty() || authority.iter().any(odd)).then_some(FramingFinding::HostInvalid)
}

/// Fields of one connection.
pub(crate) fn is_hop_by_hop(name: &[u8]) -> bool {
    match name.len() {
        2 => name.eq_ignore_ascii_case(b"te"),
        7 => name.eq_ignore_ascii_case(b"upgrade"),
        10 => name.eq_ignore_ascii_case(b"connection") || name.eq_ignore_ascii_case(b"keep-alive"),
        16 => name.eq_ignore_ascii_case(b"proxy-connection"),
        17 => name.eq_ignore_ascii_case(b"transfer-encoding"),
        _ => false,
    }
}

/// Whether a comma-separated list has a word, ASCII case ignored; parameters after `;` do not count.
pub(crate) fn has_word(list: &[u8], word: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|item| {
        let item = item.split(|byte| *byte == b';').next().unwrap_or_default();
        item.trim_ascii().eq_ignore_ascii_case(word)
    })
}

/// Whether Connection says close, keep-alive, upgrade.
fn connection_words(head: &RequestHead) -> (bool, bool, bool) {
    let mut words = (false, false, false);
    for value in head.headers.values(b"connection") {
        words.0 |= has_word(value, b"close");
        words.1 |= has_word(value, b"keep-alive");
        words.2 |= has_word(value, b"upgrade");
    }
    words
}

/// Fields that Connection names. Those without which the message is another one stay: a client must not be able
/// to take them away behind our back.
fn named_by_connection(head: &RequestHead) -> Vec<&[u8]> {
    head.headers
        .values(b"connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|word| {
            !matches!(
                word.to_ascii_lowercase().as_slice(),
                b"" | b"close" | b"keep-alive" | b"host" | b"content-length"
            )
        })
        .collect()
}

/// JSON is named, and not after HTML.
pub(crate) fn prefers_json(accept: &[u8]) -> bool {
    let position =
        |kind: &[u8]| accept.windows(kind.len()).position(|window| window.eq_ignore_ascii_case(kind));
    match (position(b"json"), position(b"text/html")) {
        (Some(json), Some(html)) => json < html,
        (json, _) => json.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use palisade_http::{HeadLimits, HeadParse, parse_request_head};

    fn head(text: &str) -> RequestHead {
        match parse_request_head(text.as_bytes(), &HeadLimits::default()) {
            HeadParse::Complete { head, .. } => head,
            other => panic!("{other:?}"),
        }
    }

    fn forwarded(text: &str) -> String {
        let head = head(text);
        let plan = RequestPlan::of(&head);
        let address: std::net::SocketAddr = "192.0.2.7:1".parse().unwrap();
        let hop = Hop {
            arrival: &Arrival::plain(address, address),
            client: address.ip(),
            forwarded_for: ForwardedFor::Replace,
            request_id: "id",
            authority: b"upstream:80",
            forward: &Forward::default(),
            outgoing: &Outgoing::default(),
            target: None,
            peer: None,
            authentication: None,
            trace: None,
        };
        let mut out = Vec::new();
        write_head(&head, &plan, &hop, &mut out);
        let out = String::from_utf8(out).unwrap();
        out.split("X-Forwarded-For").next().unwrap().to_owned()
    }

    #[test]
    fn fields_keep_order_case_and_duplicates_and_what_belongs_to_the_connection_stays_behind() {
        assert_eq!(
            forwarded(
                "GET /a%2fb?<\"> HTTP/1.1\r\nHost: h\r\nx-B: 1\r\nConnection: X-Gone, close\r\nX-b: 2\r\nX-Gone: 1\r\n\
                 Keep-Alive: 5\r\nUpgrade: h2c\r\nTE: gzip\r\nProxy-Connection: x\r\nAccept: */*\r\n\r\n"
            ),
            "GET /a%2fb?<\"> HTTP/1.1\r\nHost: h\r\nx-B: 1\r\nX-b: 2\r\nAccept: */*\r\n"
        );
    }

    #[test]
    fn connection_cannot_take_away_what_frames_or_routes_a_message() {
        let text =
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: Host, content-length\r\n\r\n";
        assert_eq!(forwarded(text), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n");
    }

    #[test]
    fn an_absolute_target_becomes_path_and_host() {
        for (sent, line) in [
            ("GET http://other/p?q HTTP/1.1", "GET /p?q HTTP/1.1\r\nHost: other\r\n"),
            ("GET http://other?q HTTP/1.1", "GET /?q HTTP/1.1\r\nHost: other\r\n"),
            ("OPTIONS http://other HTTP/1.1", "OPTIONS * HTTP/1.1\r\nHost: other\r\n"),
        ] {
            assert_eq!(forwarded(&format!("{sent}\r\nHost: h\r\n\r\n")), line);
        }
        assert_eq!(forwarded("GET / HTTP/1.0\r\n\r\n"), "GET / HTTP/1.1\r\nHost: upstream:80\r\n");
    }

    #[test]
    fn only_websocket_upgrades_go_on() {
        let upgrade = |to: &str| {
            forwarded(&format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: {to}\r\n\r\n"))
        };
        assert_eq!(
            upgrade("WebSocket"),
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        );
        assert_eq!(upgrade("h2c"), "GET / HTTP/1.1\r\nHost: h\r\n");
    }

    #[test]
    fn keep_alive_is_the_default_of_1_1_only() {
        for (text, keeps) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ] {
            assert_eq!(RequestPlan::of(&head(text)).keep_alive, keeps, "{text}");
        }
    }

    #[test]
    fn json_is_for_who_asks_for_it_first() {
        for (accept, json) in [
            ("application/json", true),
            ("application/problem+json, text/html", true),
            ("text/html,application/xhtml+xml,application/json", false),
            ("*/*", false),
        ] {
            assert_eq!(prefers_json(accept.as_bytes()), json, "{accept}");
        }
    }
}
