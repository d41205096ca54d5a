//! Messages that no client of an application sends.
//!
//! # What it finds
//! Heads that are legal HTTP and still come from tools only: a POST that brings nothing and does not say so, a Host that is
//! an address in numbers, both together.
//!
//! # Why it matters
//! Scanners and worms walk through addresses and do not know names; what they send is built by hand.
//!
//! # How it decides
//! Each oddity is a weak hint of its own: health checks and scripts use addresses too. Together they are no accident.
//!
//! # Example
//! `POST / HTTP/1.1`, `Host: 203.0.113.7`, without Content-Length.
//!
//! # What it misses
//! A tool that behaves like a browser.
//!
//! # References
//! RFC 9110 section 8.6: a client should send Content-Length for methods that anticipate content, 0 included.

use palisade_http::RequestHead;
use palisade_model::{Part, Point, Root};

use super::{HeadDetector, HeadEvidence};
use crate::{Attack, Confidence};

pub(super) const DETECTOR: HeadDetector = HeadDetector { name: "protocol", attack: Attack::Protocol, look };

fn look(head: &RequestHead, evidence: &mut HeadEvidence<'_>) {
    let header = |name: &[u8]| {
        head.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let host = header(b"host").unwrap_or_default();
    let numeric = is_numeric_host(host);
    let silent = head.method == b"POST"
        && header(b"content-length").is_none()
        && header(b"transfer-encoding").is_none()
        && head.version.starts_with(b"HTTP/1");
    let at_host = Point { root: Root::Header, part: Part::Value, path: b"host" };
    match (silent, numeric) {
        (true, true) => evidence.found(
            Confidence::LIKELY,
            at_host,
            host,
            "a POST that brings nothing, without a length, to an address in numbers",
        ),
        (true, false) => {
            let at_method = Point { root: Root::Method, part: Part::Value, path: b"" };
            evidence.found(Confidence::HINT, at_method, &head.line, "a POST without a length");
        }
        (false, true) => {
            evidence.found(Confidence::percent(10), at_host, host, "an address in numbers as host")
        }
        (false, false) => {}
    }
}

/// Whether a Host is an IP address, with or without a port.
fn is_numeric_host(host: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(host) else { return false };
    let address = text.parse::<std::net::SocketAddr>().map(|socket| socket.ip()).or_else(|_| {
        text.strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text)
            .parse::<std::net::IpAddr>()
    });
    address.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_in_numbers_are_told_from_names() {
        for host in ["203.0.113.7", "203.0.113.7:8080", "[2001:db8::1]", "[2001:db8::1]:80"] {
            assert!(is_numeric_host(host.as_bytes()), "{host}");
        }
        for host in ["example.com", "1.2.3.example.com", "10.example", "", "203.0.113.7:port"] {
            assert!(!is_numeric_host(host.as_bytes()), "{host}");
        }
    }
}
