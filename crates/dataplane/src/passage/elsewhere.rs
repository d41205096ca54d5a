//! Redirects of a whole listener to the same place over HTTPS, and answers that a service has in place of an upstream.

use palisade_http::{RequestHead, Target};

use super::stop::Stop;
use crate::outgoing::Moved;
use crate::settings::{Answer, Home, Redirect};

/// Where a request is sent: the host that it names, and its own path and query.
pub(super) fn elsewhere(redirect: Redirect, head: &RequestHead) -> Stop {
    moved(
        redirect.status,
        &Moved { scheme: "https", host: None, port: Some(redirect.port), path: None },
        head,
    )
}

fn moved(status: u16, to: &Moved, head: &RequestHead) -> Stop {
    let target = Target::new(&head.target, &head.method);
    let authority = Some(target.authority()).filter(|authority| !authority.is_empty());
    let authority = authority.or_else(|| head.headers.first(b"host")).unwrap_or_default();
    match to.url(host(authority), &target) {
        Some(location) => Stop::Elsewhere { status, location },
        None => Stop::answer(400, "it names no host or path that it could be sent to"),
    }
}

/// What a service answers by itself; `None` where its requests go on.
pub(super) fn answered(home: &Home, head: &RequestHead) -> Option<Stop> {
    let Home::Answer(answer) = home else { return None };
    Some(match answer {
        Answer::Status(status) => Stop::answer(*status, "its route says so"),
        Answer::Https(redirect) => elsewhere(*redirect, head),
        Answer::Moved { status, to } => moved(*status, to, head),
        Answer::Elsewhere { status, location } => {
            Stop::Elsewhere { status: *status, location: location.clone() }
        }
    })
}

/// The host of an authority, if it is one.
fn host(authority: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(authority).ok()?;
    let end = match text.strip_prefix('[') {
        Some(inner) => inner.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(end);
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let whole = port.is_empty() || port.strip_prefix(':').is_some_and(digits);
    let valid = match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    (whole && valid && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_else() {
        for (authority, expected) in [
            ("shop.example", Some("shop.example")),
            ("shop.example:8080", Some("shop.example")),
            ("[::1]:80", Some("[::1]")),
            ("[::1", None),
            ("[x]", None),
            ("", None),
            (":80", None),
            ("a@b", None),
            ("a/b", None),
            ("a:b", None),
            ("a\\b", None),
        ] {
            assert_eq!(host(authority.as_bytes()), expected, "{authority}");
        }
    }
}
