//! What Envoy says of a request, as a head of ours.
//!
//! Envoy parses messages itself: what it refuses never comes here, and what it normalises (names in lower case, the
//! fragment cut off) is gone. `encode_raw_headers: true` keeps bytes and repetitions; without it repeated fields come
//! joined by commas, cookies too, and bytes that are no UTF-8 come as `!`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{Address, HeaderMap, HeaderValue};
use palisade_http::{Fields, FramingFinding, HeadLimits, RequestHead, ResponseHead};

/// The field by which Envoy says whether a body is only the beginning of one. It is for us, not for rules.
const PARTIAL_BODY: &[u8] = b"x-envoy-auth-partial-body";

/// Builds a head from fields as Envoy has them, pseudo fields among them.
pub(super) struct HeadBuilder<'a> {
    limits: &'a HeadLimits,
    head: RequestHead,
    has_authority: bool,
    partial: bool,
    bytes: usize,
}

/// A request as Envoy shows it.
#[derive(Debug)]
pub(super) struct EnvoyHead {
    pub(super) head: RequestHead,
    /// Envoy says that the body it shows is only the beginning.
    pub(super) partial: bool,
}

impl<'a> HeadBuilder<'a> {
    pub(super) fn of<'f>(
        limits: &'a HeadLimits,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) -> Self {
        let all = fields.clone();
        let (count, bytes) =
            all.fold((0, 0), |(count, bytes), (name, value)| (count + 1, bytes + name.len() + value.len()));
        let room = Fields::with_room(count.min(limits.headers_max), bytes.min(limits.head_bytes_max));
        let head = RequestHead { headers: room, ..RequestHead::default() };
        let mut builder = Self { limits, head, has_authority: false, partial: false, bytes: 0 };
        // Host comes first, as programs send it; Envoy keeps its value in a field of its own.
        let named = |wanted: &'static [u8]| fields.clone().find(|(name, _)| *name == wanted);
        let pseudo = named(b":authority");
        if let Some((_, authority)) = pseudo.or_else(|| named(b"host")) {
            builder.has_authority = true;
            builder.head.headers.push(b"host", authority);
            // Envoy joins several by commas; there is no host of such a name.
            if authority.contains(&b',') {
                builder.find(FramingFinding::HostRepeated);
            }
        }
        let mut is_host_told = pseudo.is_some();
        for (name, value) in fields {
            if name == b"host" && !std::mem::replace(&mut is_host_told, true) {
                continue;
            }
            builder.field(name, value);
        }
        builder
    }

    /// Adds a field, or takes a pseudo field for what it is.
    fn field(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b":method" => self.head.method = value.to_vec(),
            b":path" => self.head.target = value.to_vec(),
            _ if name.starts_with(b":") => {}
            PARTIAL_BODY => self.partial = value.eq_ignore_ascii_case(b"true"),
            _ => {
                self.bytes += name.len() + value.len();
                if self.head.headers.len() >= self.limits.headers_max + usize::from(self.has_authority) {
                    self.find(FramingFinding::TooManyHeaders);
                } else if self.bytes > self.limits.head_bytes_max {
                    self.find(FramingFinding::HeadTooLarge);
                } else {
                    self.head.headers.push(name, value);
                }
            }
        }
    }

    /// The head. `protocol` is as Envoy writes it, such as `HTTP/1.1` or `HTTP/2`; `has_body` says that a body comes.
    pub(super) fn finish(mut self, protocol: &str, has_body: bool) -> EnvoyHead {
        let mut head = std::mem::take(&mut self.head);
        head.version = match protocol {
            "" => b"HTTP/1.1".to_vec(),
            // As rule sets write it.
            "HTTP/2" => b"HTTP/2.0".to_vec(),
            "HTTP/3" => b"HTTP/3.0".to_vec(),
            other => other.as_bytes().to_vec(),
        };
        let is_framed = |name: &[u8]| matches!(name, b"content-length" | b"transfer-encoding");
        if has_body
            && head.version.starts_with(b"HTTP/1")
            && !head.headers.iter().any(|(name, _)| is_framed(name))
        {
            // Envoy keeps its coding to itself, and rules ask for it.
            head.headers.push(b"transfer-encoding", b"chunked");
        }
        if !self.has_authority && head.version.as_slice() != b"HTTP/1.0" {
            head.findings.push(FramingFinding::HostMissing);
        }
        if head.method.is_empty() || head.target.is_empty() {
            head.findings.push(FramingFinding::LineMalformed);
        }
        head.line = [&head.method[..], b" ", &head.target, b" ", &head.version].concat();
        EnvoyHead { head, partial: self.partial }
    }

    fn find(&mut self, finding: FramingFinding) {
        if !self.head.findings.contains(&finding) {
            self.head.findings.push(finding);
        }
    }
}

/// The bytes of a field: raw where Envoy keeps them so.
pub(super) fn bytes_of(field: &HeaderValue) -> &[u8] {
    if field.raw_value.is_empty() { field.value.as_bytes() } else { &field.raw_value }
}

/// The head of a response, and its status.
pub(super) fn response_head(fields: &HeaderMap, limits: &HeadLimits) -> ResponseHead {
    let mut head = ResponseHead { version: b"HTTP/1.1".to_vec(), ..ResponseHead::default() };
    let mut bytes = 0;
    for field in &fields.headers {
        let (name, value) = (field.key.as_bytes(), bytes_of(field));
        bytes += name.len() + value.len();
        if name == b":status" {
            head.status = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        } else if !name.starts_with(b":")
            && head.headers.len() < limits.headers_max
            && bytes <= limits.head_bytes_max
        {
            head.headers.push(name, value);
        }
    }
    head.reason = palisade_model::reason_phrase(head.status).as_bytes().to_vec();
    head.line = [b"HTTP/1.1 ", head.status.to_string().as_bytes(), b" ", &head.reason[..]].concat();
    head
}

/// An address that Envoy names. Who came by a pipe has none.
pub(super) fn socket_address(address: Option<&Address>) -> SocketAddr {
    let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let Some(AddressKind::SocketAddress(address)) = address.and_then(|address| address.address.as_ref())
    else {
        return nobody;
    };
    let port = match address.port_specifier {
        Some(PortSpecifier::PortValue(port)) => u16::try_from(port).unwrap_or(0),
        _ => 0,
    };
    address.address.parse().map_or(nobody, |ip: IpAddr| SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(fields: &[(&str, &str)], protocol: &str) -> EnvoyHead {
        let limits = HeadLimits::default();
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        HeadBuilder::of(&limits, fields).finish(protocol, false)
    }

    #[test]
    fn pseudo_fields_become_the_line_and_host() {
        let EnvoyHead { head, partial } = built(
            &[
                (":path", "/a%2fb?<x>"),
                (":method", "POST"),
                (":scheme", "https"),
                (":authority", "shop:8080"),
                ("cookie", "a=1"),
                ("cookie", "b=2"),
                ("x-envoy-auth-partial-body", "true"),
            ],
            "HTTP/2",
        );
        assert_eq!(head.line, b"POST /a%2fb?<x> HTTP/2.0");
        let fields: Vec<_> = head.headers.iter().collect();
        assert_eq!(fields, [(&b"host"[..], &b"shop:8080"[..]), (b"cookie", b"a=1"), (b"cookie", b"b=2")]);
        assert!(partial && head.findings.is_empty());
    }

    #[test]
    fn what_is_missing_or_too_much_is_a_finding() {
        assert_eq!(
            built(&[(":method", "GET"), (":path", "/")], "").head.findings,
            [FramingFinding::HostMissing]
        );
        let two = built(&[(":method", "GET"), (":path", "/"), (":authority", "a,b")], "HTTP/1.1");
        assert_eq!(two.head.findings, [FramingFinding::HostRepeated]);
        assert_eq!(built(&[(":authority", "a")], "").head.findings, [FramingFinding::LineMalformed]);
        let mut many = vec![(":method", "GET"), (":path", "/"), (":authority", "a")];
        many.extend(std::iter::repeat_n(("x", "y"), 5_000));
        assert_eq!(built(&many, "").head.findings, [FramingFinding::TooManyHeaders]);
    }
}
