//! The rows of clients and upstreams that speak HTTP/2.

use std::sync::Arc;
use std::time::Duration;

use h2::Reason;
use h2::server::SendResponse;
use http::{Request, Response};
use palisade_dataplane::{
    Alpn, Believed, Destination, Listener, Protocol, Upstream, UpstreamLimits, UpstreamProtocol, UpstreamTls,
    UpstreamTlsSettings,
};
use palisade_model::Mode;
use tokio::time::{sleep, timeout};

use super::support::http2::{
    CONTINUATION, END_HEADERS, END_STREAM, Frames, HEADERS, Http2, PING, RST_STREAM, SETTINGS, Verdict,
    WINDOW_UPDATE, answer, block, frame, get, send, service_on_http2,
};
use super::support::{OK, PATIENCE, Proxy, answering, service, upstream};
use super::{SEES_ALL, SHORT, Saw, check, sending, start, tls};

const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// A client's side of a stream without a body.
fn request(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/"))
}

fn saw(verdict: Verdict) -> Saw {
    match verdict {
        Verdict::Answer(status) => Saw::Answer(status),
        Verdict::Reset(code) => Saw::Reset(code.into()),
        Verdict::GoAway(code) => Saw::GoAway(code.into()),
        Verdict::Closed => Saw::Nothing,
    }
}

/// What comes of frames after a good beginning, answers aside.
async fn frames(proxy: &Proxy, each: impl IntoIterator<Item = Vec<u8>>) -> Saw {
    let mut frames = Frames::connect(proxy.address).await;
    for bytes in each {
        frames.send(bytes).await;
    }
    loop {
        match frames.verdict().await {
            Verdict::Answer(200) => {}
            verdict => return saw(verdict),
        }
    }
}

/// A proxy whose clients have few frames to spend.
async fn strict() -> Proxy {
    let (address, _) = answering(OK).await;
    start(address, "", |listener| {
        listener.limits.http2.resets_burst = 3;
        listener.limits.http2.resets_per_second = 1;
        listener.limits.http2.control_burst = 20;
        listener.limits.http2.control_per_second = 1;
    })
    .await
}

/// A proxy before an upstream that is spoken to on HTTP/2.
async fn before(url: &str, protocol: UpstreamProtocol, over: Option<UpstreamTls>) -> Proxy {
    let limits = UpstreamLimits { protocol, connect: SHORT, ..UpstreamLimits::default() };
    let upstream = match over {
        Some(told) => Upstream::over(Arc::new(told), &[url], limits),
        None => Upstream::new(url, limits),
    };
    let proxy = start("127.0.0.1:1".parse().unwrap(), "", |_| {}).await;
    let destination = Destination::new(service(Mode::Block, SEES_ALL), Arc::new(upstream.unwrap()));
    proxy.routes.replace_all(destination);
    proxy
}

/// An upstream on HTTP/2 that does this with each stream.
async fn over_http2(act: fn(SendResponse<bytes::Bytes>)) -> Proxy {
    let (address, _) = service_on_http2(move |_, respond| async move { act(respond) }).await;
    before(&format!("http://{address}"), UpstreamProtocol::Http2, None).await
}

const POST: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";

#[tokio::test]
async fn http2_without_preface() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |listener| listener.protocol = Protocol::H2c).await;
    let mut frames = Frames::silent(proxy.address).await;
    frames.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    // A word about it may come first.
    while frames.next().await.is_some() {}
    check("http2_without_preface", &proxy, Saw::Nothing).await;
}

#[tokio::test]
async fn http2_broken_frame() {
    let proxy = strict().await;
    let seen = frames(&proxy, [frame(PING, 0, 0, b"short")]).await;
    check("http2_broken_frame", &proxy, seen).await;
}

#[tokio::test]
async fn http2_malformed_head() {
    let proxy = strict().await;
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "h")];
    let connection = block(&[&fields[..], &[("connection", "close")]].concat());
    let seen = frames(&proxy, [frame(HEADERS, END_HEADERS | END_STREAM, 1, &connection)]).await;
    check("http2_malformed_head", &proxy, seen).await;
}

#[tokio::test]
async fn http2_endless_head() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |_| {}).await;
    let mut frames = Frames::connect(proxy.address).await;
    frames.send(frame(HEADERS, END_STREAM, 1, &get("/"))).await;
    let seen = loop {
        frames.send(frame(CONTINUATION, 0, 1, &block(&[("a", "b")]))).await;
        if let Ok(verdict) = timeout(Duration::from_millis(1), frames.verdict()).await {
            break saw(verdict);
        }
    };
    check("http2_endless_head", &proxy, seen).await;
}

#[tokio::test]
async fn http2_oversize_head() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |listener| listener.limits.request_head.head_bytes_max = 1000).await;
    let client = Http2::connect(proxy.address).await;
    let request = Request::get("http://h/").header("a", "a".repeat(2000)).body(()).unwrap();
    let answer = client.ask(request, b"").await.unwrap();
    check("http2_oversize_head", &proxy, Saw::Answer(answer.status)).await;
}

#[tokio::test]
async fn http2_too_many_streams() {
    let (address, _) = upstream(|mut server| async move {
        server.request().await;
        sleep(PATIENCE).await;
    })
    .await;
    let few = |listener: &mut Listener| {
        listener.limits.http2.streams_max = 1;
        listener.timeouts.response = PATIENCE;
    };
    let proxy = start(address, "", few).await;
    // The bound is the client's to keep once it knows it.
    let mut frames = Frames::connect(proxy.address).await;
    frames.next_of(SETTINGS).await.unwrap();
    frames.send([request(1), request(3)].concat()).await;
    let seen = saw(frames.verdict().await);
    check("http2_too_many_streams", &proxy, seen).await;
}

#[tokio::test]
async fn http2_rapid_reset() {
    let proxy = strict().await;
    let taken_back = |n: u32| [request(2 * n + 1), frame(RST_STREAM, 0, 2 * n + 1, &CANCEL)].concat();
    let seen = frames(&proxy, (0..4).map(taken_back)).await;
    check("http2_rapid_reset", &proxy, seen).await;
}

#[tokio::test]
async fn http2_control_flood() {
    let proxy = strict().await;
    let seen = frames(&proxy, (0..22).map(|_| frame(PING, 0, 0, &[0; 8]))).await;
    check("http2_control_flood", &proxy, seen).await;
}

#[tokio::test]
async fn http2_tiny_windows() {
    let proxy = strict().await;
    let seen = frames(&proxy, (0..21).map(|_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))).await;
    check("http2_tiny_windows", &proxy, seen).await;
}

/// An answer that no buffer takes.
fn large() -> Vec<u8> {
    let body = vec![b'x'; 4_000_000];
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
}

#[tokio::test]
async fn http2_slow_reading() {
    let (address, _) = answering(large()).await;
    let proxy = start(address, "", |_| {}).await;
    let mut frames = Frames::silent(proxy.address).await;
    frames.send(super::support::http2::PREFACE).await;
    // Windows as wide as they go, and nobody who reads.
    frames.send(frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])).await;
    frames.send(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0])).await;
    for stream in 0..20 {
        frames.send(request(2 * stream + 1)).await;
    }
    proxy.await_log("nothing of the answers is taken").await;
    assert_eq!(frames.verdict().await, Verdict::Answer(200));
    while frames.next().await.is_some() {}
    check("http2_slow_reading", &proxy, Saw::CutShort(200)).await;
}

#[tokio::test]
async fn http2_stream_not_read() {
    let (address, _) = answering(large()).await;
    let proxy = start(address, "", |_| {}).await;
    let mut frames = Frames::connect(proxy.address).await;
    frames.send(request(1)).await;
    // Its windows stay as they are.
    assert_eq!(frames.verdict().await, Verdict::Answer(200));
    assert_eq!(frames.verdict().await, Verdict::Reset(Reason::INTERNAL_ERROR.into()));
    check("http2_stream_not_read", &proxy, Saw::CutShort(200)).await;
}

#[tokio::test]
async fn http2_taken_back() {
    let (address, seen) = upstream(|mut server| async move {
        server.request().await;
        sleep(PATIENCE).await;
    })
    .await;
    let proxy = start(address, "", |listener| listener.timeouts.response = PATIENCE).await;
    let mut frames = Frames::connect(proxy.address).await;
    frames.send(request(1)).await;
    while seen.requests().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    frames.send(frame(RST_STREAM, 0, 1, &CANCEL)).await;
    check("http2_taken_back", &proxy, Saw::Nothing).await;
}

#[tokio::test]
async fn http2_idle() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |listener| listener.timeouts.idle = SHORT).await;
    let seen = frames(&proxy, [request(1)]).await;
    check("http2_idle", &proxy, seen).await;
}

#[tokio::test]
async fn grpc_message_too_large() {
    let proxy = over_http2(|_| {}).await;
    let client = Http2::connect(proxy.address).await;
    let call =
        Request::post("http://h/a.B/C").header("content-type", "application/grpc").header("te", "trailers");
    let (response, mut stream) = client.begin(call.body(()).unwrap(), false).await;
    send(&mut stream, &[0, 0x7f, 0xff, 0xff, 0xff, 1], false).await.unwrap();
    let answer = answer(response).await.unwrap();
    let status = [answer.header("grpc-status"), answer.trailer("grpc-status")].concat();
    check("grpc_message_too_large", &proxy, Saw::Grpc(status)).await;
}

#[tokio::test]
async fn http2_upstream_resets() {
    let proxy = over_http2(|mut respond| respond.send_reset(Reason::INTERNAL_ERROR)).await;
    check("http2_upstream_resets", &proxy, sending(&proxy, POST).await).await;
}

#[tokio::test]
async fn http2_upstream_refuses() {
    let proxy = over_http2(|mut respond| respond.send_reset(Reason::REFUSED_STREAM)).await;
    check("http2_upstream_refuses", &proxy, sending(&proxy, POST).await).await;
}

#[tokio::test]
async fn http2_upstream_resets_in_its_body() {
    let proxy = over_http2(|mut respond| {
        let response = Response::builder().header("content-length", "9").body(()).unwrap();
        let mut body = respond.send_response(response, false).unwrap();
        body.send_data("abc".into(), false).unwrap();
        tokio::spawn(async move {
            sleep(SHORT / 4).await;
            body.send_reset(Reason::INTERNAL_ERROR);
        });
    })
    .await;
    check("http2_upstream_resets_in_its_body", &proxy, sending(&proxy, POST).await).await;
}

#[tokio::test]
async fn http2_upstream_that_is_none() {
    let (address, _) = upstream(|mut server| async move {
        server.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        server.take(10_000).await;
    })
    .await;
    let proxy = before(&format!("http://{address}"), UpstreamProtocol::Http2, None).await;
    check("http2_upstream_that_is_none", &proxy, sending(&proxy, POST).await).await;
}

#[tokio::test]
async fn http2_upstream_that_chooses_otherwise() {
    let (address, _) = answering(OK).await;
    // It offers http/1.1 alone.
    let other = start(address, "", tls).await;
    let told = UpstreamTls::new(UpstreamTlsSettings {
        believed: Believed::Anybody,
        client: None,
        server_name: None,
        alpn: vec![Alpn::Http2, Alpn::Http1],
    });
    let url = format!("https://{}", other.address);
    let proxy = before(&url, UpstreamProtocol::Http2, Some(told.unwrap())).await;
    check("http2_upstream_that_chooses_otherwise", &proxy, sending(&proxy, POST).await).await;
}

#[tokio::test]
async fn http2_upstream_without_websockets() {
    let proxy = over_http2(|_| {}).await;
    let upgrade = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    check("http2_upstream_without_websockets", &proxy, sending(&proxy, upgrade).await).await;
}
