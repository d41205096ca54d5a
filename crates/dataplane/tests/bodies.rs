//! Upstreams that speak HTTP/2, calls of gRPC, and what becomes of bodies on their way.

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use palisade_dataplane::{BodyMode, Budget, Destination, Upstream, UpstreamLimits, UpstreamProtocol};
use palisade_model::Mode;
use support::http2::{Http2, answer, send, service_on_http2, whole};
use support::{PATIENCE, Proxy, service, upstream};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

const EVIL: &str = "SecRequestBodyAccess On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/plain application/grpc\n\
    SecAction \"id:9,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On\"\n\
    SecRule REQUEST_BODY \"@contains evil\" \"id:1,phase:2,deny,status:403\"\n\
    SecRule RESPONSE_BODY \"@contains leak\" \"id:2,phase:4,deny,status:403\"\n";

type Seen = Arc<Mutex<Vec<(String, Result<Vec<u8>, Option<Reason>>)>>>;

/// Echoes each piece as it comes, and ends with trailers; keeps how each request ended.
async fn echo(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, seen: Seen) {
    let path = request.uri().path().to_owned();
    let kind = request.headers().get("content-type").cloned();
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", kind.unwrap_or(HeaderValue::from_static("text/plain")));
    let mut body = request.into_body();
    let mut out = respond.send_response(response, false).unwrap();
    let mut all = Vec::new();
    let ended = loop {
        match body.data().await {
            Some(Ok(piece)) => {
                let _ = body.flow_control().release_capacity(piece.len());
                all.extend_from_slice(&piece);
                let _ = out.send_data(piece, false);
            }
            Some(Err(error)) => break Err(error.reason()),
            None => break Ok(all),
        }
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("x-request-id", HeaderValue::from_static("theirs"));
    let _ = out.send_trailers(trailers);
    seen.lock().unwrap().push((path, ended));
}

async fn echoing() -> (SocketAddr, Arc<AtomicUsize>, Seen) {
    let seen = Seen::default();
    let shared = seen.clone();
    let (address, connections) =
        service_on_http2(move |request, respond| echo(request, respond, shared.clone())).await;
    (address, connections, seen)
}

async fn proxy(
    address: SocketAddr,
    protocol: UpstreamProtocol,
    body: BodyMode,
    mode: Mode,
    rules: &str,
) -> Proxy {
    let limits = UpstreamLimits { protocol, ..UpstreamLimits::default() };
    let upstream = Arc::new(Upstream::new(&format!("http://{address}"), limits).unwrap());
    let destination = Destination { body, ..Destination::new(service(mode, rules), upstream) };
    Proxy::start_at(destination, Budget::new(std::env::temp_dir()), |_| {}).await
}

async fn over_http2(address: SocketAddr, body: BodyMode, rules: &str) -> Proxy {
    proxy(address, UpstreamProtocol::Http2, body, Mode::Block, rules).await
}

fn call(path: &str) -> Request<()> {
    Request::post(format!("http://h{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// A message of gRPC with one text in it.
fn message(text: &str) -> Vec<u8> {
    let field = [&[0x0a, text.len() as u8], text.as_bytes()].concat();
    [&[0][..], &(field.len() as u32).to_be_bytes(), &field].concat()
}

#[tokio::test]
async fn requests_share_a_connection_of_http2_and_trailers_come_back() {
    let (address, connections, seen) = echoing().await;
    let proxy = over_http2(address, BodyMode::Hold, EVIL).await;
    // From a client on HTTP/1.1.
    let response = proxy.ask("POST /a%2fb?\"<> HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    assert_eq!(response.trailers, ["grpc-status: 0"]);
    assert_eq!(response.headers("x-request-id").len(), 1);
    // From many on HTTP/2.
    let client = Http2::connect(proxy.address).await;
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let client = Http2 { send: client.send.clone() };
            tokio::spawn(async move { client.ask(call(&format!("/{n}")), &message("hi")).await.unwrap() })
        })
        .collect();
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &message("hi")[..]));
        assert_eq!(answer.trailer("grpc-status"), "0");
        assert_eq!(answer.trailer("x-request-id"), "", "what is ours is not theirs to say");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert_eq!(seen.lock().unwrap().len(), 41);
    assert_eq!(seen.lock().unwrap()[0].0, "/a%2fb");
}

#[tokio::test]
async fn a_stream_that_was_refused_is_asked_for_again_and_a_lost_one_is_not() {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let (address, _) = service_on_http2(move |request, mut respond| {
        let count = count.clone();
        async move {
            let reason = match request.uri().path() {
                "/refused-once" if count.fetch_add(1, Ordering::SeqCst) == 0 => Some(Reason::REFUSED_STREAM),
                "/refused" => Some(Reason::REFUSED_STREAM),
                "/lost" => Some(Reason::INTERNAL_ERROR),
                _ => None,
            };
            match reason {
                Some(reason) => respond.send_reset(reason),
                None => drop(respond.send_response(Response::new(()), true)),
            }
        }
    })
    .await;
    let proxy = over_http2(address, BodyMode::Hold, EVIL).await;
    let post = |path: &str| format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(proxy.ask(post("/refused-once")).await.status, 200);
    assert_eq!(proxy.ask(post("/refused")).await.status, 502);
    let retries = proxy.count("upstream_retries_total");
    assert_eq!(retries, 3);
    assert_eq!(proxy.ask(post("/lost")).await.status, 502);
    assert_eq!(proxy.count("upstream_retries_total"), retries);
}

#[tokio::test]
async fn a_connection_that_says_goaway_gets_no_more_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    respond.send_response(Response::new(()), true).unwrap();
                    connection.graceful_shutdown();
                }
            });
        }
    });
    let proxy = over_http2(address, BodyMode::Hold, "").await;
    for _ in 0..5 {
        assert_eq!(proxy.ask("POST / HTTP/1.1\r\nHost: h\r\n\r\n").await.status, 200);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_call_with_many_messages_does_not_stall_and_each_is_judged() {
    let (address, _, seen) = echoing().await;
    let proxy = over_http2(address, BodyMode::Hold, EVIL).await;
    let client = Http2::connect(proxy.address).await;
    let (response, mut stream) = client.begin(call("/bidi"), false).await;
    send(&mut stream, &message("one"), false).await.unwrap();
    let response = timeout(PATIENCE, response).await.expect("it does not wait for the end").unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut body = response.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), message("one"));
    for n in 0..20 {
        let text = message(&format!("message {n}"));
        // In two pieces, so that nothing of the message passes before all of it is there.
        send(&mut stream, &text[..7], false).await.unwrap();
        sleep(Duration::from_millis(2)).await;
        send(&mut stream, &text[7..], false).await.unwrap();
        let mut echoed = Vec::new();
        while echoed.len() < text.len() {
            let piece = timeout(PATIENCE, body.data()).await.unwrap().unwrap().unwrap();
            body.flow_control().release_capacity(piece.len()).unwrap();
            echoed.extend_from_slice(&piece);
        }
        assert_eq!(echoed, text);
    }
    send(&mut stream, &message("an evil one"), false).await.unwrap();
    let (rest, trailers) = whole(body).await.unwrap();
    assert!(rest.is_empty());
    let trailers = trailers.expect("gRPC is told why");
    assert_eq!(trailers["grpc-status"], "7");
    assert_eq!(trailers["grpc-message"], format!("request {id}"));
    proxy.await_log("Blocked in the middle").await;
    assert!(proxy.log().iter().any(|line| line.contains("[id \"1\"]")), "{:?}", proxy.log());
    assert_eq!(proxy.count("requests_blocked_total"), 1);
    for _ in 0..100 {
        if !seen.lock().unwrap().is_empty() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(seen.lock().unwrap()[0].1, Err(Some(Reason::CANCEL)), "the service has no end of it");
}

#[tokio::test]
async fn a_unary_call_is_blocked_before_the_service_hears_of_its_message_however_it_is_cut() {
    let (address, _, seen) = echoing().await;
    let proxy = over_http2(address, BodyMode::Hold, EVIL).await;
    let client = Http2::connect(proxy.address).await;
    let text = message("some evil text");
    for step in [1, 3, 5, 6, 100] {
        let (response, mut stream) = client.begin(call("/unary"), false).await;
        for piece in text.chunks(step) {
            send(&mut stream, piece, false).await.unwrap();
            tokio::task::yield_now().await;
        }
        let _ = stream.send_data(Bytes::new(), true);
        let answer = answer(response).await.unwrap();
        let status = [answer.header("grpc-status"), answer.trailer("grpc-status")].concat();
        assert_eq!(status, "7", "{step}");
    }
    sleep(Duration::from_millis(50)).await;
    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|(_, ended)| ended.is_err()), "{seen:?}");
}

#[tokio::test]
async fn a_message_in_a_mode_that_only_monitors_passes_and_is_told() {
    let (address, _, seen) = echoing().await;
    let proxy = proxy(address, UpstreamProtocol::Http2, BodyMode::Hold, Mode::Monitoring, EVIL).await;
    let client = Http2::connect(proxy.address).await;
    let all = [message("good"), message("evil"), message("evil once more"), message("good")].concat();
    let answer = client.ask(call("/all"), &all).await.unwrap();
    assert_eq!((answer.trailer("grpc-status"), &answer.body), ("0", &all));
    assert_eq!(seen.lock().unwrap()[0].1, Ok(all));
    assert_eq!(proxy.log().iter().filter(|line| line.contains("[id \"1\"]")).count(), 1, "{:?}", proxy.log());
    assert_eq!(proxy.count("requests_would_block_total"), 1);
}

#[tokio::test]
async fn a_message_over_the_bound_is_refused() {
    let (address, ..) = echoing().await;
    let proxy = over_http2(address, BodyMode::Hold, EVIL).await;
    let client = Http2::connect(proxy.address).await;
    let (response, mut stream) = client.begin(call("/large"), false).await;
    send(&mut stream, &[0, 0x7f, 0xff, 0xff, 0xff, 1], false).await.unwrap();
    let answer = answer(response).await.unwrap();
    assert_eq!([answer.header("grpc-status"), answer.trailer("grpc-status")].concat(), "8");
    assert_eq!(proxy.plane.budget().memory_used(), 0);
}

#[tokio::test]
async fn a_body_that_streams_passes_before_its_verdict_but_never_its_end() {
    // On HTTP/1.1 both ways, with a length that is known: the last piece is what the service never gets.
    let (address, seen) = upstream(|mut server| async move {
        let head = server.head().await.unwrap();
        let mut got = Vec::new();
        while let Some(byte) = server.take(1).await {
            got.extend(byte);
            if got.ends_with(b"good end") {
                server.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
        let request = support::Request { head, body: got, wire: Vec::new() };
        server.seen.requests.lock().unwrap().push(request);
    })
    .await;
    let proxy = proxy(address, UpstreamProtocol::Http1, BodyMode::Stream, Mode::Block, EVIL).await;
    for (end, status) in [("good end", 200), ("evil end", 403)] {
        let mut client = proxy.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18\r\n\r\nbeginning ").await;
        sleep(Duration::from_millis(200)).await;
        client.send(end).await;
        assert_eq!(client.response().await.status, status, "{end}");
    }
    for _ in 0..100 {
        if seen.requests().len() == 2 {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let mut bodies: Vec<_> = seen.requests().into_iter().map(|request| request.body).collect();
    bodies.sort();
    assert_eq!(bodies, [b"beginning ".to_vec(), b"beginning good end".to_vec()]);
}

#[tokio::test]
async fn a_response_that_streams_is_cut_before_its_end_when_rules_say_so() {
    let (address, ..) = echoing().await;
    let proxy = over_http2(address, BodyMode::Stream, EVIL).await;
    let client = Http2::connect(proxy.address).await;
    let post = || Request::post("http://h/").header("content-type", "text/plain").body(()).unwrap();
    let fine = client.ask(post(), b"nothing of interest").await.unwrap();
    assert_eq!((fine.status, fine.text().as_str()), (200, "nothing of interest"));
    let (response, mut stream) = client.begin(post(), false).await;
    send(&mut stream, b"a leak", false).await.unwrap();
    let response = timeout(PATIENCE, response).await.unwrap().unwrap();
    sleep(Duration::from_millis(100)).await;
    send(&mut stream, b" and its end", true).await.unwrap();
    let error = whole(response.into_body()).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    // A client on HTTP/1.1 sees its connection end before the last chunk.
    let mut client = proxy.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\na leak")
        .await;
    sleep(Duration::from_millis(200)).await;
    client.send("!end").await;
    let read = String::from_utf8_lossy(&client.rest().await).into_owned();
    assert!(read.starts_with("HTTP/1.1 200 OK\r\n") && !read.ends_with("0\r\n\r\n"), "{read}");
}

#[tokio::test]
async fn a_route_may_leave_bodies_alone_and_heads_are_inspected_all_the_same() {
    let (address, ..) = echoing().await;
    let rules = format!("{EVIL}SecRule ARGS:a \"@streq evil\" \"id:3,phase:2,deny,status:406\"\n");
    let proxy = over_http2(address, BodyMode::Off, &rules).await;
    let post =
        |target: &str| format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nevil leak");
    let passed = proxy.ask(post("/")).await;
    assert_eq!((passed.status, passed.text().as_str()), (200, "evil leak"));
    assert_eq!(proxy.ask(post("/?a=evil")).await.status, 406);
    assert_eq!(proxy.count_of("body_bytes_total", &[("direction", "request"), ("inspected", "false")]), 9);
}
