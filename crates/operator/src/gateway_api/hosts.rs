//! Hostnames of listeners and routes: where they meet, and which listener is the nearest to a host.
//!
//! A wildcard takes one label more or several, as the Gateway API has it; in a data plane's configuration it is `**.`.

/// Where a listener and a route meet: none where they do not. An empty host is any.
pub(super) fn meet(listener: Option<&str>, route: &[String]) -> Vec<String> {
    let listener = listener.unwrap_or_default().to_ascii_lowercase();
    if route.is_empty() {
        return vec![listener];
    }
    let mut met: Vec<String> = Vec::new();
    for host in route {
        let host = host.to_ascii_lowercase();
        let narrower = if contains(&listener, &host) {
            Some(host)
        } else if contains(&host, &listener) {
            Some(listener.clone())
        } else {
            None
        };
        met.extend(narrower.filter(|host| !met.contains(host)));
    }
    met
}

/// Whether every name that `inner` means is one that `outer` means.
pub(super) fn contains(outer: &str, inner: &str) -> bool {
    if outer.is_empty() || outer == inner {
        return true;
    }
    let Some(suffix) = outer.strip_prefix('*') else { return false };
    let inner = inner.strip_prefix('*').unwrap_or(inner);
    // `*.a.b` is within `*.b`, and so is `a.b`, but not `b` itself.
    inner.len() > suffix.len() && inner.ends_with(suffix)
}

/// Orders hosts by how few names they mean: a name, then wildcards, the longest first, then any.
pub(super) fn nearness(host: &str) -> (u8, usize) {
    match host {
        "" => (0, 0),
        host if host.starts_with("*.") => (1, host.len()),
        host => (2, host.len()),
    }
}

/// As a data plane's configuration has it.
pub(super) fn pattern(host: &str) -> String {
    match host.strip_prefix("*.") {
        Some(name) => format!("**.{name}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_meet_at_the_narrower_of_two() {
        for (listener, route, expected) in [
            (None, &[][..], &[""][..]),
            (Some("a.example"), &[], &["a.example"]),
            (None, &["A.example"], &["a.example"]),
            (
                Some("*.example"),
                &["a.example", "b.c.example", "example", "a.org"],
                &["a.example", "b.c.example"],
            ),
            (Some("a.example"), &["*.example", "a.example"], &["a.example"]),
            (Some("*.a.example"), &["*.example"], &["*.a.example"]),
            (Some("*.example"), &["*.a.example"], &["*.a.example"]),
            (Some("a.example"), &["*.a.example", "b.example"], &[]),
            (Some("*.xexample"), &["a.example"], &[]),
        ] {
            let route: Vec<String> = route.iter().map(|host| (*host).to_owned()).collect();
            assert_eq!(meet(listener, &route), expected, "{listener:?} {route:?}");
        }
    }
}
