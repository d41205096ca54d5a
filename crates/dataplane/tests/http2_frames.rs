//! What clients of HTTP/2 may not do, in frames of our own: the sections of RFC 9113 (and RFC 7541) that the tool h2spec
//! asks about, and floods.
//!
//! The RFC lets a server treat an error of a stream as one of the connection, and say PROTOCOL_ERROR where it has a
//! closer word; the crate `h2` does both where it cannot read a frame or a header block. A case names what we do, so that a
//! change of it is looked at. Two are milder than the RFC asks: pseudo-headers among trailers are dropped instead of
//! refused, and the SETTINGS after the preface may come late.

mod support;

use std::time::Duration;

use palisade_dataplane::{Budget, Protocol};
use palisade_model::Mode;
use support::http2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, PREFACE, PRIORITY,
    PUSH_PROMISE, RST_STREAM, SETTINGS, Verdict, WINDOW_UPDATE, block, frame, get,
};
use support::{OK, Proxy, answering};
use tokio::time::{sleep, timeout};

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

async fn proxy() -> Proxy {
    let (address, _) = answering(OK).await;
    Proxy::start_with(
        address,
        Mode::Block,
        "SecRuleEngine On\n",
        Budget::new(std::env::temp_dir()),
        |listener| {
            listener.protocol = Protocol::H2c;
        },
    )
    .await
}

/// A whole request on a stream.
fn request(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/"))
}

/// A request whose fields are these.
fn with(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields))
}

const BASE: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "h")];

fn and(field: (&str, &str)) -> Vec<u8> {
    with(&[&BASE[..], &[field]].concat())
}

fn without(name: &str) -> Vec<u8> {
    with(&BASE.into_iter().filter(|(known, _)| *known != name).collect::<Vec<_>>())
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

#[tokio::test]
async fn errors_of_the_protocol_are_answered_as_the_rfc_says() {
    use Verdict::{Answer, GoAway, Reset};
    let post = frame(
        HEADERS,
        END_HEADERS,
        1,
        &block(&[(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "h")]),
    );
    let long = block(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "h"),
        ("content-length", "9"),
    ]);
    let open = |more: Vec<u8>| [post.clone(), more].concat();
    let half = frame(HEADERS, END_STREAM, 1, &get("/")[..5]);
    let rest = frame(CONTINUATION, END_HEADERS, 1, &get("/")[5..]);
    let then = |first: &[u8], second: Vec<u8>| [first, &second].concat();
    let cases: Vec<(&str, Vec<u8>, Verdict)> = vec![
        (
            "4.1 a frame of an unknown kind is ignored",
            then(&frame(0x16, 0, 0, b"x"), request(1)),
            Answer(200),
        ),
        ("4.1 an undefined flag is ignored", then(&frame(PING, 0x16, 0, &[0; 8]), request(1)), Answer(200)),
        ("4.1 the reserved bit is ignored", then(&frame(PING, 0, 1 << 31, &[0; 8]), request(1)), Answer(200)),
        (
            "4.2 a frame above the size that we take",
            frame(DATA, 0, 1, &[0; 16_385]),
            GoAway(FRAME_SIZE_ERROR),
        ),
        (
            "4.3 a header block that cannot be decoded",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x80]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "4.3 another frame inside a header block",
            then(&half, frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 7])),
            GoAway(PROTOCOL_ERROR),
        ),
        ("4.3 another stream inside a header block", then(&half, request(3)), GoAway(PROTOCOL_ERROR)),
        ("5.1 DATA on an idle stream", frame(DATA, END_STREAM, 1, b"x"), GoAway(PROTOCOL_ERROR)),
        ("5.1 RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]), GoAway(PROTOCOL_ERROR)),
        (
            "5.1 WINDOW_UPDATE on an idle stream",
            frame(WINDOW_UPDATE, 0, 1, &[0, 0, 1, 0]),
            GoAway(PROTOCOL_ERROR),
        ),
        ("5.1 CONTINUATION on an idle stream", rest.clone(), GoAway(PROTOCOL_ERROR)),
        (
            "5.1 HEADERS on a stream that the client has reset",
            open([frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]), request(1)].concat()),
            GoAway(PROTOCOL_ERROR),
        ),
        ("5.1.1 an even stream", request(2), GoAway(PROTOCOL_ERROR)),
        ("5.1.1 a stream below one that was there", then(&request(5), request(3)), GoAway(PROTOCOL_ERROR)),
        (
            "5.3.1 a stream that depends on itself",
            frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 7]),
            Reset(PROTOCOL_ERROR),
        ),
        ("6.1 DATA on stream 0", frame(DATA, 0, 0, b"x"), GoAway(PROTOCOL_ERROR)),
        (
            "6.1 padding longer than the frame",
            open(frame(DATA, END_STREAM | 8, 1, &[9, 1, 1])),
            GoAway(PROTOCOL_ERROR),
        ),
        ("6.2 HEADERS on stream 0", request(0), GoAway(PROTOCOL_ERROR)),
        (
            "6.2 padding longer than the block",
            frame(HEADERS, END_HEADERS | 8, 1, &[250, 0x82]),
            GoAway(PROTOCOL_ERROR),
        ),
        ("6.3 PRIORITY on stream 0", frame(PRIORITY, 0, 0, &[0, 0, 0, 1, 7]), GoAway(PROTOCOL_ERROR)),
        ("6.3 PRIORITY of a wrong size", frame(PRIORITY, 0, 1, &[0, 0, 0, 3]), GoAway(PROTOCOL_ERROR)),
        ("6.4 RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, &[0, 0, 0, 8]), GoAway(PROTOCOL_ERROR)),
        ("6.4 RST_STREAM of a wrong size", open(frame(RST_STREAM, 0, 1, &[0, 0, 8])), GoAway(PROTOCOL_ERROR)),
        (
            "6.5 SETTINGS that are acknowledged with a payload",
            frame(SETTINGS, ACK, 0, &[0; 6]),
            GoAway(PROTOCOL_ERROR),
        ),
        ("6.5 SETTINGS on a stream", frame(SETTINGS, 0, 1, &[]), GoAway(PROTOCOL_ERROR)),
        ("6.5 SETTINGS of a wrong size", frame(SETTINGS, 0, 0, &[0; 3]), GoAway(PROTOCOL_ERROR)),
        (
            "6.5.2 ENABLE_PUSH that is no truth value",
            frame(SETTINGS, 0, 0, &setting(2, 2)),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.5.2 a window above 2^31 - 1",
            frame(SETTINGS, 0, 0, &setting(4, 1 << 31)),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.5.2 a frame size below 16384",
            frame(SETTINGS, 0, 0, &setting(5, 16_383)),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.5.2 an unknown setting is ignored",
            then(&frame(SETTINGS, 0, 0, &setting(0xff, 1)), request(1)),
            Answer(200),
        ),
        (
            "6.6 a client that pushes",
            frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]),
            GoAway(PROTOCOL_ERROR),
        ),
        ("6.7 PING on a stream", frame(PING, 0, 1, &[0; 8]), GoAway(PROTOCOL_ERROR)),
        ("6.7 PING of a wrong size", frame(PING, 0, 0, &[0; 6]), GoAway(PROTOCOL_ERROR)),
        ("6.8 GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8]), GoAway(PROTOCOL_ERROR)),
        (
            "6.9 a window of the connection opened by nothing",
            frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.9 a window of a stream opened by nothing",
            open(frame(WINDOW_UPDATE, 0, 1, &[0; 4])),
            GoAway(PROTOCOL_ERROR),
        ),
        ("6.9 WINDOW_UPDATE of a wrong size", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), GoAway(PROTOCOL_ERROR)),
        (
            "6.9.1 a window of the connection beyond 2^31 - 1",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]),
            GoAway(FLOW_CONTROL_ERROR),
        ),
        (
            "6.9.1 a window of a stream beyond 2^31 - 1",
            open(frame(WINDOW_UPDATE, 0, 1, &[0x7f, 255, 255, 255])),
            Reset(FLOW_CONTROL_ERROR),
        ),
        ("6.10 a block in two frames", then(&half, rest.clone()), Answer(200)),
        (
            "6.10 CONTINUATION on stream 0",
            then(&half, frame(CONTINUATION, END_HEADERS, 0, b"")),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.10 CONTINUATION after the end of a block",
            then(&request(1), rest.clone()),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.1 a second HEADERS that does not end the stream",
            open(frame(HEADERS, END_HEADERS, 1, &block(&[("a", "b")]))),
            Reset(PROTOCOL_ERROR),
        ),
        (
            "8.1.1 more DATA than content-length says",
            [frame(HEADERS, END_HEADERS, 1, &long), frame(DATA, END_STREAM, 1, &[b'x'; 10])].concat(),
            Reset(PROTOCOL_ERROR),
        ),
        (
            "8.1.1 less DATA than content-length says",
            [frame(HEADERS, END_HEADERS, 1, &long), frame(DATA, END_STREAM, 1, b"x")].concat(),
            Reset(PROTOCOL_ERROR),
        ),
        ("8.2 a name with capitals", and(("X-A", "b")), GoAway(PROTOCOL_ERROR)),
        ("8.2.1 a value with a line end", and(("x-a", "b\r\nc: d")), GoAway(PROTOCOL_ERROR)),
        ("8.2.1 a name with a colon", and(("x:a", "b")), GoAway(PROTOCOL_ERROR)),
        ("8.2.2 connection", and(("connection", "x")), Reset(PROTOCOL_ERROR)),
        ("8.2.2 transfer-encoding", and(("transfer-encoding", "chunked")), Reset(PROTOCOL_ERROR)),
        ("8.2.2 upgrade", and(("upgrade", "h2c")), Reset(PROTOCOL_ERROR)),
        ("8.2.2 keep-alive", and(("keep-alive", "1")), Reset(PROTOCOL_ERROR)),
        ("8.2.2 proxy-connection", and(("proxy-connection", "1")), Reset(PROTOCOL_ERROR)),
        ("8.2.2 te other than trailers", and(("te", "gzip")), Reset(PROTOCOL_ERROR)),
        ("8.2.2 te: trailers", and(("te", "trailers")), Answer(200)),
        ("8.3 an unknown pseudo-header", and((":x", "1")), GoAway(PROTOCOL_ERROR)),
        ("8.3 a pseudo-header of a response", and((":status", "200")), Reset(PROTOCOL_ERROR)),
        (
            "8.3 a pseudo-header after a field",
            with(&[("a", "b"), BASE[0], BASE[1], BASE[2], BASE[3]]),
            Reset(PROTOCOL_ERROR),
        ),
        ("8.3 a pseudo-header twice", and((":path", "/b")), Reset(PROTOCOL_ERROR)),
        ("8.3.1 no method", without(":method"), Reset(PROTOCOL_ERROR)),
        ("8.3.1 no scheme", without(":scheme"), Reset(PROTOCOL_ERROR)),
        ("8.3.1 an empty path", with(&[BASE[0], BASE[1], (":path", ""), BASE[3]]), Reset(PROTOCOL_ERROR)),
        ("8.3.1 nobody's host", without(":authority"), Answer(400)),
        (
            "8.3.1 a target that is no URI",
            with(&[BASE[0], BASE[1], (":path", "/<script>"), BASE[3]]),
            Reset(PROTOCOL_ERROR),
        ),
        (
            "8.3 a pseudo-header among trailers",
            open(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[(":path", "/")]))),
            Answer(200),
        ),
        ("8.5 CONNECT", with(&[(":method", "CONNECT"), (":authority", "h:80")]), Answer(0)),
        (
            "RFC 7541 2.3.3 an index beyond both tables",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xc6]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "RFC 7541 5.2 padding of a string that is not EOS",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x82, 0x86, 0x84, 0x41, 0x81, 0x00]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "RFC 7541 6.3 a table beyond the size that we allow",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x3f, 0xe2, 0x1f, 0x82]),
            GoAway(PROTOCOL_ERROR),
        ),
    ];
    let proxy = proxy().await;
    let mut wrong = Vec::new();
    let count = cases.len();
    for (name, bytes, expected) in cases {
        let mut frames = Frames::connect(proxy.address).await;
        frames.send(&bytes).await;
        let verdict = frames.verdict().await;
        if verdict != expected {
            wrong.push(format!("{name}: {verdict:?}, expected {expected:?}"));
        }
    }
    println!("{count} cases");
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What was refused by itself is counted.
    let sent = |code| proxy.count_of("http2_resets_total", &[("by", "palisade"), ("code", code)]);
    assert!(sent("protocol_error") > 10, "{}", sent("protocol_error"));
    assert!(proxy.count_of("http2_goaways_total", &[("by", "palisade"), ("code", "protocol_error")]) > 10);
}

#[tokio::test]
async fn what_does_not_begin_as_http2_is_closed() {
    let proxy = proxy().await;
    for first in ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"] {
        let mut frames = Frames::silent(proxy.address).await;
        frames.send(first).await;
        assert!(matches!(frames.verdict().await, Verdict::Closed | Verdict::GoAway(PROTOCOL_ERROR)));
    }
}

#[tokio::test]
async fn streams_above_the_bound_are_refused_to_be_tried_again() {
    let (address, _) = support::upstream(|mut server| async move {
        while server.request().await.is_some() {
            sleep(Duration::from_secs(5)).await;
        }
    })
    .await;
    let proxy = Proxy::start_with(address, Mode::Block, "", Budget::new(std::env::temp_dir()), |listener| {
        listener.limits.http2.streams_max = 5;
    })
    .await;
    let mut frames = Frames::connect(proxy.address).await;
    for stream in 0..6 {
        frames.send(request(2 * stream + 1)).await;
    }
    assert_eq!(frames.verdict().await, Verdict::Reset(REFUSED_STREAM));
}

/// Sends the same again and again until it is told to stop. How that went, and what is counted.
async fn flood(proxy: &Proxy, frames: &mut Frames, mut next: impl FnMut(u32) -> Vec<u8>) -> Verdict {
    for n in 0..20_000u32 {
        frames.send(next(n)).await;
        if n % 50 == 49 {
            tokio::task::yield_now().await;
            if proxy.count("http2_goaways_total") > 0 {
                break;
            }
        }
    }
    loop {
        match frames.verdict().await {
            Verdict::Answer(_) | Verdict::Reset(_) => {}
            other => return other,
        }
    }
}

#[tokio::test]
async fn floods_end_the_connection_and_are_counted() {
    let calm = Verdict::GoAway(ENHANCE_YOUR_CALM);
    type Next = Box<dyn FnMut(u32) -> Vec<u8>>;
    let floods: [(&str, Next); 6] = [
        (
            "rapid_reset",
            Box::new(|n| {
                let stream = 2 * n + 1;
                [request(stream), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
            }),
        ),
        ("control_flood", Box::new(|_| frame(SETTINGS, 0, 0, &[]))),
        ("control_flood", Box::new(|_| frame(PING, 0, 0, &[0; 8]))),
        ("control_flood", Box::new(|n| frame(PRIORITY, 0, 2 * n + 3, &[0, 0, 0, 1, 7]))),
        ("control_flood", Box::new(|_| frame(0x42, 0, 0, b""))),
        ("tiny_windows", Box::new(|_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))),
    ];
    for (kind, next) in floods {
        let proxy = proxy().await;
        let mut frames = Frames::connect(proxy.address).await;
        let verdict = flood(&proxy, &mut frames, next).await;
        assert!(verdict == calm || verdict == Verdict::Closed, "{kind}: {verdict:?}");
        proxy.await_log("the client floods the connection").await;
        assert_eq!(proxy.count_of("http2_abuse_total", &[("kind", kind)]), 1, "{kind}");
        let others = Frames::connect(proxy.address).await;
        answers(others).await;
    }
}

async fn answers(mut frames: Frames) {
    frames.send(request(1)).await;
    assert_eq!(frames.verdict().await, Verdict::Answer(200));
}

#[tokio::test]
async fn a_head_without_end_is_cut_and_one_too_large_is_refused() {
    let proxy = proxy().await;
    // CONTINUATION after CONTINUATION, each with little in it.
    let mut frames = Frames::connect(proxy.address).await;
    frames.send(frame(HEADERS, END_STREAM, 1, &get("/"))).await;
    let verdict = flood(&proxy, &mut frames, |_| frame(CONTINUATION, 0, 1, &block(&[("a", "b")]))).await;
    assert!(matches!(verdict, Verdict::GoAway(ENHANCE_YOUR_CALM) | Verdict::Closed), "{verdict:?}");
    // Empty ones.
    let mut frames = Frames::connect(proxy.address).await;
    frames.send(frame(HEADERS, END_STREAM, 1, &get("/"))).await;
    for _ in 0..2000 {
        frames.send(frame(CONTINUATION, 0, 1, b"")).await;
    }
    let verdict = frames.verdict().await;
    assert!(matches!(verdict, Verdict::GoAway(ENHANCE_YOUR_CALM) | Verdict::Closed), "{verdict:?}");
    // A head beyond our bound, whole: rules see its beginning, and it is refused with 400.
    let mut frames = Frames::connect(proxy.address).await;
    let value = "v".repeat(10_000);
    let fields: Vec<_> = (0..7).map(|_| ("a", value.as_str())).collect();
    let whole = block(&[&BASE[..], &fields].concat());
    let mut pieces = whole.chunks(16_000).peekable();
    frames.send(frame(HEADERS, END_STREAM, 1, pieces.next().unwrap())).await;
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() { END_HEADERS } else { 0 };
        frames.send(frame(CONTINUATION, flags, 1, piece)).await;
    }
    let before = proxy.count("framing_refused_total");
    assert_eq!(frames.verdict().await, Verdict::Answer(400));
    assert_eq!(proxy.count("framing_refused_total"), before + 1);
}

#[tokio::test]
async fn empty_data_without_end_ends_the_connection() {
    let proxy = proxy().await;
    let mut frames = Frames::connect(proxy.address).await;
    frames.send(frame(HEADERS, END_HEADERS, 1, &get("/"))).await;
    let verdict = flood(&proxy, &mut frames, |_| frame(DATA, 0, 1, b"")).await;
    assert!(matches!(verdict, Verdict::GoAway(ENHANCE_YOUR_CALM) | Verdict::Closed), "{verdict:?}");
}

#[tokio::test]
async fn a_connection_on_which_nothing_happens_is_left() {
    let (address, _) = answering(OK).await;
    let proxy = Proxy::start_with(address, Mode::Block, "", Budget::new(std::env::temp_dir()), |listener| {
        listener.protocol = Protocol::H2c;
        listener.timeouts.head = Duration::from_millis(200);
        listener.timeouts.idle = Duration::from_millis(200);
    })
    .await;
    // No preface; a preface and no request; a request and no other.
    let mut silent = Frames::silent(proxy.address).await;
    assert_eq!(silent.verdict().await, Verdict::Closed);
    let mut idle = Frames::connect(proxy.address).await;
    assert_eq!(idle.verdict().await, Verdict::GoAway(NO_ERROR));
    let mut once = Frames::connect(proxy.address).await;
    once.send(request(1)).await;
    assert_eq!(once.verdict().await, Verdict::Answer(200));
    assert_eq!(once.verdict().await, Verdict::GoAway(NO_ERROR));
    timeout(Duration::from_secs(8), async { while once.next().await.is_some() {} }).await.expect("it ends");
    assert_eq!(proxy.count("idle_timeouts_total"), 2);
}

#[tokio::test]
async fn a_client_that_reads_nothing_at_all_is_cut() {
    let body = vec![b'x'; 4_000_000];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let (address, _) = answering([head.as_bytes(), &body].concat()).await;
    let proxy = Proxy::start_with(address, Mode::Block, "", Budget::new(std::env::temp_dir()), |listener| {
        listener.timeouts.write = Duration::from_millis(500);
    })
    .await;
    let mut frames = Frames::silent(proxy.address).await;
    // Windows as wide as they go, and nobody who reads.
    frames.send(PREFACE).await;
    frames.send(frame(SETTINGS, 0, 0, &setting(4, 0x7fff_ffff))).await;
    frames.send(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0])).await;
    for stream in 0..40 {
        frames.send(request(2 * stream + 1)).await;
    }
    for _ in 0..300 {
        if proxy.count_of("http2_abuse_total", &[("kind", "slow_reading")]) > 0 {
            return;
        }
        sleep(Duration::from_millis(30)).await;
    }
    panic!("it is still there");
}

#[tokio::test]
async fn who_was_answered_early_may_end_its_request_and_is_reset_if_it_does_not() {
    let proxy = proxy().await;
    // CONNECT is refused whatever comes after it.
    let early = block(&[(":method", "CONNECT"), (":authority", "h:1")]);
    let mut frames = Frames::connect(proxy.address).await;
    frames.send(frame(HEADERS, END_HEADERS, 1, &early)).await;
    assert!(matches!(frames.verdict().await, Verdict::Answer(_)));
    frames.send(frame(DATA, 0, 1, b"some")).await;
    frames.send(frame(DATA, END_STREAM, 1, b"more")).await;
    frames.send(frame(PING, 0, 0, &[7; 8])).await;
    loop {
        let frame = frames.next().await.expect("the connection goes on");
        assert!(frame.kind != RST_STREAM && frame.kind != GOAWAY, "{frame:?}");
        if frame.kind == PING {
            break;
        }
    }
    frames.send(frame(HEADERS, END_HEADERS, 3, &early)).await;
    assert!(matches!(frames.verdict().await, Verdict::Answer(_)));
    assert_eq!(frames.verdict().await, Verdict::Reset(NO_ERROR));
}
