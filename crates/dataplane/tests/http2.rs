//! Clients that speak HTTP/2, seen from both ends.

mod support;

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::ext::Protocol as Protocol2;
use http::Request;
use palisade_dataplane::{AnsweredBy, Budget, Protocol, Sent};
use palisade_model::Mode;
use support::http2::{Http2, answer, send, whole};
use support::{OK, PATIENCE, Proxy, answering, echoing, upstream};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

const NO_RULES: &str = "SecRuleEngine On\n";
const EVIL: &str = "SecRequestBodyAccess On\nSecAction \"id:9,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On\"\n\
    SecRule REQUEST_BODY|ARGS \"@contains evil\" \"id:1,phase:2,deny,status:403\"\n";

fn post(uri: &str) -> Request<()> {
    Request::post(uri).body(()).unwrap()
}

fn grpc(uri: &str) -> Request<()> {
    Request::post(uri).header("content-type", "application/grpc").header("te", "trailers").body(()).unwrap()
}

#[tokio::test]
async fn a_request_goes_on_as_http1_with_its_order_and_duplicates() {
    let (address, seen) = answering(OK).await;
    let proxy = Proxy::start(address, Mode::Block, NO_RULES).await;
    let client = Http2::connect(proxy.address).await;
    let request = Request::get("http://shop.example.com/a%2fb/../c;p=1?q=|'")
        .header("x-b", "1")
        .header("cookie", "a=1")
        .header("accept", "*/*")
        .header("x-b", "2")
        .header("cookie", "b=2")
        .header("x-request-id", "mine")
        .body(())
        .unwrap();
    let response = client.ask(request, b"").await.unwrap();
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    let id = response.header("x-request-id");
    assert_eq!(id.len(), 32);
    assert_eq!(
        seen.requests()[0].head,
        format!(
            "GET /a%2fb/../c;p=1?q=|' HTTP/1.1\r\nhost: shop.example.com\r\nx-b: 1\r\nx-b: 2\r\ncookie: a=1; b=2\r\n\
             accept: */*\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\
             X-Forwarded-Host: shop.example.com\r\nX-Real-IP: 127.0.0.1\r\nX-Request-Id: {id}\r\n\r\n"
        )
    );
    let facts = proxy.facts().pop().unwrap();
    assert_eq!((&facts.version[..], &facts.method[..]), (&b"HTTP/2.0"[..], &b"GET"[..]));
    assert_eq!(proxy.count("http2_connections_total"), 1);
}

#[tokio::test]
async fn rules_see_what_they_know_of_http1() {
    let (address, _) = answering(OK).await;
    let rules = "SecRule REQUEST_PROTOCOL \"!@streq HTTP/2.0\" \"id:1,phase:1,deny\"\n\
        SecRule REQUEST_LINE \"!@streq GET /p?a=1 HTTP/2.0\" \"id:2,phase:1,deny\"\n\
        SecRule REQUEST_HEADERS:Host \"!@streq h:80\" \"id:3,phase:1,deny\"\n\
        SecRule REQUEST_COOKIES:b \"!@streq 2\" \"id:4,phase:1,deny\"\n\
        SecRule ARGS:a \"!@streq 1\" \"id:5,phase:2,deny\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let client = Http2::connect(proxy.address).await;
    let request =
        Request::get("http://h:80/p?a=1").header("cookie", "a=1").header("cookie", "b=2").body(()).unwrap();
    let response = client.ask(request, b"").await.unwrap();
    assert_eq!(response.status, 200, "{:?}", proxy.log());
}

#[tokio::test]
async fn a_body_is_held_and_judged_and_goes_on_with_its_length() {
    let (address, seen) = echoing().await;
    let proxy = Proxy::start(address, Mode::Block, EVIL).await;
    let client = Http2::connect(proxy.address).await;
    let body = vec![b'x'; 700_000];
    let response = client.ask(post("http://h/"), &body).await.unwrap();
    assert!(response.status == 200 && response.body == body, "{}", response.body.len());
    let head = seen.requests()[0].head.to_ascii_lowercase();
    assert!(head.contains("\r\ncontent-length: 700000\r\n") && !head.contains("transfer-encoding"), "{head}");
    let blocked = client.ask(post("http://h/"), b"an evil body").await.unwrap();
    assert_eq!(blocked.status, 403);
    assert!(blocked.text().contains(blocked.header("x-request-id")));
    assert_eq!(seen.requests().len(), 1);
    // The connection goes on.
    assert_eq!(client.get("http://h/").await.status, 200);
    assert_eq!((proxy.plane.budget().memory_used(), proxy.plane.budget().disk_used()), (0, 0));
}

#[tokio::test]
async fn chunking_changes_nothing() {
    let (address, seen) = echoing().await;
    let proxy = Proxy::start(address, Mode::Block, EVIL).await;
    let client = Http2::connect(proxy.address).await;
    for (body, status) in [("a long and evil body", 403), ("a long and good body", 200)] {
        for step in [1, 2, 3, 7, 100] {
            let (response, mut stream) = client.begin(post("http://h/"), false).await;
            for piece in body.as_bytes().chunks(step) {
                send(&mut stream, piece, false).await.unwrap();
                tokio::task::yield_now().await;
            }
            stream.send_data(Bytes::new(), true).unwrap();
            assert_eq!(answer(response).await.unwrap().status, status, "{step}");
        }
    }
    assert!(seen.requests().iter().all(|request| request.body == b"a long and good body"));
}

#[tokio::test]
async fn streams_run_beside_one_another() {
    let (address, _) = upstream(|mut server| async move {
        while let Some(request) = server.request().await {
            if request.head.contains("/slow") {
                sleep(Duration::from_millis(300)).await;
            }
            server.send(OK).await;
        }
    })
    .await;
    let proxy = Proxy::start(address, Mode::Block, NO_RULES).await;
    let client = Http2::connect(proxy.address).await;
    let slow: Vec<_> = (0..30)
        .map(|_| {
            let client = Http2 { send: client.send.clone() };
            tokio::spawn(async move { client.get("http://h/slow").await.status })
        })
        .collect();
    sleep(Duration::from_millis(50)).await;
    let fast = timeout(Duration::from_millis(200), client.get("http://h/fast")).await;
    assert_eq!(fast.expect("it waits for nobody").status, 200);
    for slow in slow {
        assert_eq!(slow.await.unwrap(), 200);
    }
    assert_eq!(proxy.count("connections_total"), 1);
}

#[tokio::test]
async fn large_answers_and_trailers_come_through() {
    let body = vec![b'y'; 300_000];
    let chunked = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x-gone\r\nX-Gone: 1\r\n\r\n493e0\r\n"
            .as_slice(),
        &body,
        b"\r\n0\r\nChecksum: 7\r\nContent-Length: 5\r\n\r\n",
    ]
    .concat();
    let (address, _) = answering(chunked).await;
    for rules in [NO_RULES, "SecResponseBodyAccess On\nSecResponseBodyMimeType null\n"] {
        let proxy = Proxy::start(address, Mode::Block, rules).await;
        let client = Http2::connect(proxy.address).await;
        let response = client.get("http://h/").await;
        assert!(response.status == 200 && response.body == body);
        assert_eq!((response.trailer("checksum"), response.trailer("content-length")), ("7", ""));
        for gone in ["x-gone", "connection", "transfer-encoding"] {
            assert_eq!(response.header(gone), "", "{gone}");
        }
    }
}

#[tokio::test]
async fn a_blocked_call_of_grpc_is_a_status_and_names_only_the_request() {
    let (address, seen) = answering(OK).await;
    let proxy = Proxy::start(address, Mode::Block, EVIL).await;
    let client = Http2::connect(proxy.address).await;
    let response = client.ask(grpc("http://h/shop.Cart/Add"), b"\0\0\0\0\x06\n\x04evil").await.unwrap();
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert_eq!((response.header("grpc-status"), response.header("content-type")), ("7", "application/grpc"));
    let id = response.header("x-request-id");
    assert_eq!(response.header("grpc-message"), format!("request {id}"));
    assert!(seen.requests().is_empty());
    assert_eq!(proxy.facts().pop().unwrap().sent, Some(Sent { status: 200, by: AnsweredBy::Palisade }));
    assert_eq!(proxy.count("requests_blocked_total"), 1);
}

#[tokio::test]
async fn two_hosts_are_refused_and_shown_to_rules_before() {
    let (address, seen) = answering(OK).await;
    let rules = "SecRule REQUEST_HEADERS:Host \"@streq other\" \"id:7,phase:1,pass,log\"\n";
    let proxy = Proxy::start(address, Mode::Monitoring, rules).await;
    let client = Http2::connect(proxy.address).await;
    let request = Request::get("http://h/").header("host", "other").body(()).unwrap();
    assert_eq!(client.ask(request, b"").await.unwrap().status, 400);
    assert!(seen.requests().is_empty());
    assert!(proxy.log().iter().any(|line| line.contains("[id \"7\"]")), "{:?}", proxy.log());
    assert_eq!(proxy.count("framing_refused_total"), 1);
}

#[tokio::test]
async fn a_body_over_the_bound_or_the_budget_is_refused_and_the_connection_goes_on() {
    let (address, _) = echoing().await;
    let budget = Budget::with_limits(std::env::temp_dir(), 10_000, 10_000);
    let proxy = Proxy::start_with(address, Mode::Block, EVIL, budget, |listener| {
        listener.limits.request_body_held_max = 50_000;
    })
    .await;
    let client = Http2::connect(proxy.address).await;
    let (response, mut stream) = client.begin(post("http://h/"), false).await;
    let _ = send(&mut stream, &[b'x'; 60_000], false).await;
    assert_eq!(answer(response).await.unwrap().status, 503);
    assert_eq!(client.get("http://h/").await.status, 200);
    assert_eq!(proxy.count("budget_refused_total"), 1);

    let proxy =
        Proxy::start_with(address, Mode::Block, EVIL, Budget::new(std::env::temp_dir()), |listener| {
            listener.limits.request_body_held_max = 50_000;
        })
        .await;
    let client = Http2::connect(proxy.address).await;
    let (response, mut stream) = client.begin(post("http://h/"), false).await;
    let _ = send(&mut stream, &[b'x'; 60_000], false).await;
    assert_eq!(answer(response).await.unwrap().status, 413);
    assert_eq!(client.get("http://h/").await.status, 200);
}

#[tokio::test]
async fn a_client_that_takes_nothing_holds_back_its_upstream_and_nobody_else() {
    let body = vec![b'z'; 2_000_000];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let (address, _) = answering([head.as_bytes(), &body].concat()).await;
    let proxy = Proxy::start_with(address, Mode::Block, NO_RULES, Budget::new(std::env::temp_dir()), |l| {
        l.timeouts.write = Duration::from_millis(600);
    })
    .await;
    let client = Http2::connect(proxy.address).await;
    let (response, _stream) = client.begin(Request::get("http://h/").body(()).unwrap(), true).await;
    let stuck = timeout(PATIENCE, response).await.unwrap().unwrap();
    // Its window is never opened. Others are not held up by it.
    let other = Http2::connect(proxy.address).await.get("http://h/other").await;
    assert_eq!(other.body.len(), body.len());
    proxy.await_log("took nothing of its answer in time").await;
    let mut stuck = stuck.into_body();
    let mut lost = None;
    while let Some(piece) = timeout(PATIENCE, stuck.data()).await.unwrap() {
        if let Err(error) = piece {
            lost = error.reason();
            break;
        }
    }
    assert_eq!(lost, Some(Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn a_call_that_is_taken_back_ends_at_the_upstream() {
    let (address, seen) = upstream(|mut server| async move {
        server.request().await;
        // Says nothing; hears when its client is gone.
        while server.fill().await.is_some() {}
        *server.seen.connections.lock().unwrap() += 100;
    })
    .await;
    let proxy = Proxy::start(address, Mode::Block, NO_RULES).await;
    let client = Http2::connect(proxy.address).await;
    let (response, mut stream) = client.begin(Request::get("http://h/").body(()).unwrap(), true).await;
    while seen.requests().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    stream.send_reset(Reason::CANCEL);
    drop(response);
    timeout(PATIENCE, async {
        while seen.connections() < 100 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the upstream hears of it");
    assert_eq!(proxy.facts().pop().unwrap().sent, None);
    assert_eq!(proxy.count_of("http2_resets_total", &[("by", "client"), ("code", "cancel")]), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_reset() {
    let (address, _) = upstream(|mut server| async move {
        server.request().await;
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
        sleep(Duration::from_millis(100)).await;
    })
    .await;
    let proxy = Proxy::start(address, Mode::Block, NO_RULES).await;
    let client = Http2::connect(proxy.address).await;
    let error = client.ask(Request::get("http://h/").body(()).unwrap(), b"").await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn draining_says_goaway_and_answers_what_has_begun() {
    let (address, seen) = upstream(|mut server| async move {
        while server.request().await.is_some() {
            sleep(Duration::from_millis(300)).await;
            server.send(OK).await;
        }
    })
    .await;
    let proxy = Proxy::start(address, Mode::Block, NO_RULES).await;
    let client = Http2::connect(proxy.address).await;
    let (response, _stream) = client.begin(Request::get("http://h/").body(()).unwrap(), true).await;
    while seen.connections() == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    proxy.drain.start(Duration::from_secs(5));
    assert_eq!(answer(response).await.unwrap().status, 200);
    let drained = timeout(Duration::from_secs(3), proxy.served).await.expect("nothing holds it").unwrap();
    assert_eq!(drained.cut_connections, 0);
}

#[tokio::test]
async fn a_listener_speaks_what_it_is_told() {
    let (address, _) = answering(OK).await;
    for (protocol, http1, http2) in
        [(Protocol::Auto, true, true), (Protocol::Http1, true, false), (Protocol::H2c, false, true)]
    {
        let proxy =
            Proxy::start_with(address, Mode::Block, NO_RULES, Budget::new(std::env::temp_dir()), |l| {
                l.protocol = protocol;
            })
            .await;
        let mut client = proxy.connect().await;
        client.stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let answered = client.take(12).await.unwrap_or_default();
        assert_eq!(answered == b"HTTP/1.1 200", http1, "{protocol:?}");
        let stream = tokio::net::TcpStream::connect(proxy.address).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let answer = Http2 { send }.ask(Request::get("http://h/").body(()).unwrap(), b"").await;
        assert_eq!(answer.is_ok_and(|answer| answer.status == 200), http2, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_websocket_is_a_stream_to_the_client_and_an_upgrade_to_the_upstream() {
    let (address, seen) = upstream(|mut server| async move {
        let request = server.request().await.unwrap();
        let key = request.head.to_ascii_lowercase();
        assert!(key.contains("\r\nsec-websocket-key: ") && key.contains("\r\nupgrade: websocket\r\n"), "{key}");
        server
            .send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello")
            .await;
        let got = server.take(4).await.unwrap();
        server.send(&got).await;
        while server.fill().await.is_some() {}
    })
    .await;
    let rules = "SecRule REQUEST_METHOD \"!@streq GET\" \"id:1,phase:1,deny\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let client = Http2::connect(proxy.address).await;
    while !client.send.is_extended_connect_protocol_enabled() {
        sleep(Duration::from_millis(5)).await;
    }
    let mut request =
        Request::connect("http://h/chat").header("sec-websocket-version", "13").body(()).unwrap();
    request.extensions_mut().insert(Protocol2::from_static("websocket"));
    let (response, mut stream) = client.begin(request, false).await;
    let response = timeout(PATIENCE, response).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    for gone in ["sec-websocket-accept", "upgrade", "connection"] {
        assert!(!response.headers().contains_key(gone), "{gone}");
    }
    let mut body = response.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "hello");
    send(&mut stream, b"ping", false).await.unwrap();
    assert_eq!(body.data().await.unwrap().unwrap(), "ping");
    send(&mut stream, b"!", true).await.unwrap();
    assert!(whole(body).await.unwrap().0.is_empty());
    assert_eq!(proxy.count("tunnels_total"), 1);
    assert_eq!(seen.requests().len(), 1);
}
