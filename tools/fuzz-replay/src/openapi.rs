//! Target for `palisade-openapi`: a specification as anybody may write it, and a request against it.

use std::sync::Arc;

use palisade_http::{HeadLimits, HeadParse, parse_request_head};
use palisade_openapi::{Check, Limits, Shown, read};

/// A specification, a zero byte, a request: its head and its body. What is wrong with the specification has a place;
/// requests are judged within the bounds, the same in pieces as whole.
pub fn openapi(input: &[u8]) {
    let (text, request) = match input.iter().position(|byte| *byte == 0) {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..]),
    };
    let read = read(text, None);
    for diagnostic in &read.diagnostics {
        let shown = diagnostic.render(Some(("api.yaml", text)), palisade_config::Style::Plain);
        assert!(shown.contains(&diagnostic.message) && shown.len() < 20_000, "{shown}");
    }
    let Some(specification) = read.specification.map(Arc::new) else {
        assert!(read.diagnostics.iter().any(palisade_config::Diagnostic::is_error), "there is a reason");
        return;
    };
    let HeadParse::Complete { head, consumed } = parse_request_head(request, &HeadLimits::default()) else {
        return;
    };
    let body = &request[consumed..];
    let limits = Limits { work_max: 200_000, values_max: 10_000, ..Limits::default() };
    let judge = |size: usize| {
        let mut check = Check::begin(&specification, &limits, &head, &Shown::default());
        body.chunks(size.max(1)).for_each(|chunk| check.feed(chunk));
        check.end(false);
        check.breaches().to_vec()
    };
    let whole = judge(body.len());
    assert_eq!(judge(3), whole, "pieces change nothing");
    assert!(whole.len() <= 28, "{} breaches", whole.len());
    for breach in &whole {
        assert!(!breach.why.is_empty() && breach.why.len() < 20_000, "{}", breach.why);
    }
}
