//! What reading a message costs, for callgrind:
//!
//! ```text
//! cargo build --profile bench -p palisade-http --example parse_cost
//! valgrind --tool=callgrind --toggle-collect='*measured_body*' target/release/examples/parse_cost REQUEST
//! ```
//!
//! where REQUEST is a file with one request as on the wire. `measured_head`, `measured_cookies`, `measured_query` and
//! `measured_body` each read their part twice; the head once more.

use std::hint::black_box;

use palisade_http::{
    BodyKind, BodyLimits, BodyParser, CookieFormat, Fields, HeadLimits, HeadParse, RequestHead,
    parse_cookies, parse_form, parse_request_head,
};

fn main() {
    let file = std::env::args().nth(1).expect("a file with a request");
    let message = std::fs::read(file).expect("a readable file");
    let HeadParse::Complete { head, consumed, .. } = measured_head(&message) else {
        panic!("no request head")
    };
    let body = &message[consumed..];
    let content_type = head.headers.first(b"content-type").unwrap_or_default();
    let kind = BodyKind::from_content_type(content_type).unwrap_or(BodyKind::Json);
    let query = head.target.split(|&byte| byte == b'?').nth(1).unwrap_or_default();
    let mut sizes = [0; 3];
    for _ in 0..2 {
        sizes = [measured_cookies(&head), measured_query(query), measured_body(kind, content_type, body)];
        let _ = black_box(measured_head(&message));
    }
    println!(
        "twice each: head {consumed} bytes, query {} bytes, body {} bytes; {sizes:?} fields",
        query.len(),
        body.len()
    );
}

#[inline(never)]
fn measured_head(message: &[u8]) -> HeadParse<RequestHead> {
    parse_request_head(message, &HeadLimits::default())
}

#[inline(never)]
fn measured_cookies(head: &RequestHead) -> usize {
    let mut cookies = Fields::new();
    for value in head.headers.values(b"cookie") {
        parse_cookies(value, CookieFormat::V0, b';', &mut cookies);
    }
    cookies.len()
}

#[inline(never)]
fn measured_query(query: &[u8]) -> usize {
    parse_form(query, &BodyLimits::default()).fields.len()
}

#[inline(never)]
fn measured_body(kind: BodyKind, content_type: &[u8], body: &[u8]) -> usize {
    let mut parser = BodyParser::new(kind, content_type, &BodyLimits::default());
    parser.feed(body);
    let body = parser.finish();
    body.fields.len() + body.files.len()
}
