//! Upstreams on HTTP/2: WebSockets in their streams, trailers that pose as ours, and how often they are asked.

mod support;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use h2::Reason;
use h2::ext::Protocol as Protocol2;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use palisade_dataplane::{Budget, Destination, Forward, Upstream, UpstreamLimits, UpstreamProtocol};
use palisade_model::Mode;
use support::http2::{Http2, send, service_on_http2, whole};
use support::{PATIENCE, Proxy, service};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

async fn before(address: SocketAddr, forward: Forward) -> Proxy {
    let limits = UpstreamLimits { protocol: UpstreamProtocol::Http2, ..UpstreamLimits::default() };
    let upstream = Arc::new(Upstream::new(&format!("http://{address}"), limits).unwrap());
    let forward = Arc::new(forward);
    let destination =
        Destination { forward, ..Destination::new(service(Mode::Block, "SecRuleEngine On\n"), upstream) };
    Proxy::start_at(destination, Budget::new(std::env::temp_dir()), |_| {}).await
}

type Seen = Arc<Mutex<Vec<(Method, Option<String>, HeaderMap)>>>;

/// A service whose streams become WebSockets that say hello and then echo; `/no` is refused with 403.
async fn websockets() -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let kept = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = kept.clone();
            tokio::spawn(async move {
                // What it offers comes late, as it may over a slow line.
                sleep(Duration::from_millis(100)).await;
                let mut builder = h2::server::Builder::new();
                builder.enable_connect_protocol();
                let mut connection = builder.handshake::<_, bytes::Bytes>(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let protocol = request.extensions().get::<Protocol2>().map(|it| it.as_str().to_owned());
                    let facts = (request.method().clone(), protocol, request.headers().clone());
                    seen.lock().unwrap().push(facts);
                    tokio::spawn(async move {
                        if request.uri().path() == "/no" {
                            let no = Response::builder().status(403).body(()).unwrap();
                            return drop(respond.send_response(no, true));
                        }
                        let mut out = respond.send_response(Response::new(()), false).unwrap();
                        out.send_data("hello".into(), false).unwrap();
                        let mut body = request.into_body();
                        while let Some(Ok(piece)) = body.data().await {
                            let _ = body.flow_control().release_capacity(piece.len());
                            let _ = out.send_data(piece, false);
                        }
                        let _ = out.send_data("".into(), true);
                    });
                }
            });
        }
    });
    (address, seen)
}

#[tokio::test]
async fn an_upgrade_of_http1_is_a_connect_of_http2_and_back() {
    let (address, seen) = websockets().await;
    let proxy = before(address, Forward::default()).await;
    let upgrade = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let mut client = proxy.connect().await;
    client.send(upgrade("/chat")).await;
    let head = client.head().await;
    assert_eq!(head.status, 101);
    // The example of RFC 6455.
    assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!((head.headers("upgrade"), head.headers("connection")), (vec!["websocket"], vec!["Upgrade"]));
    assert_eq!(client.take(5).await.unwrap(), b"hello");
    for _ in 0..3 {
        client.send("ping").await;
        assert_eq!(client.take(4).await.unwrap(), b"ping");
    }
    drop(client);
    let (method, protocol, fields) = seen.lock().unwrap()[0].clone();
    assert_eq!((method, protocol.as_deref()), (Method::CONNECT, Some("websocket")));
    assert_eq!(fields["sec-websocket-version"], "13");
    for gone in ["sec-websocket-key", "upgrade", "connection"] {
        assert!(!fields.contains_key(gone), "{gone}");
    }
    assert_eq!(proxy.count("tunnels_total"), 1);
    // Who is refused there is refused here.
    assert_eq!(proxy.ask(upgrade("/no")).await.status, 403);
    assert_eq!(proxy.count("tunnels_total"), 1);
}

#[tokio::test]
async fn a_websocket_is_a_stream_on_both_sides() {
    let (address, seen) = websockets().await;
    let proxy = before(address, Forward::default()).await;
    let client = Http2::connect(proxy.address).await;
    while !client.send.is_extended_connect_protocol_enabled() {
        sleep(Duration::from_millis(5)).await;
    }
    let mut request = Request::connect("http://h/chat").body(()).unwrap();
    request.extensions_mut().insert(Protocol2::from_static("websocket"));
    let (response, mut stream) = client.begin(request, false).await;
    let response = timeout(PATIENCE, response).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("sec-websocket-accept"));
    let mut body = response.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "hello");
    send(&mut stream, b"ping", false).await.unwrap();
    assert_eq!(body.data().await.unwrap().unwrap(), "ping");
    // Its end goes both ways.
    send(&mut stream, b"!", true).await.unwrap();
    assert_eq!(whole(body).await.unwrap().0, b"!");
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn trailers_cannot_pose_as_what_a_service_is_told_of_a_certificate() {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let kept = seen.clone();
    let (address, _) = service_on_http2(move |request, mut respond| {
        let kept = kept.clone();
        async move {
            let (_, trailers) = whole(request.into_body()).await.unwrap();
            *kept.lock().unwrap() = trailers.unwrap_or_default();
            drop(respond.send_response(Response::new(()), true));
        }
    })
    .await;
    let own = Forward { fingerprint_header: "X-Client-Print".to_owned(), ..Forward::default() };
    for (forward, goes_on) in [(own, false), (Forward::default(), true)] {
        let proxy = before(address, forward).await;
        let client = Http2::connect(proxy.address).await;
        let (response, mut stream) = client.begin(Request::post("http://h/").body(()).unwrap(), false).await;
        let mut trailers = HeaderMap::new();
        for name in ["checksum", "x-client-print", "x_client_print", "ssl-client-verify", "x-forwarded-for"] {
            trailers.insert(name, HeaderValue::from_static("forged"));
        }
        send(&mut stream, b"body", false).await.unwrap();
        stream.send_trailers(trailers).unwrap();
        assert_eq!(timeout(PATIENCE, response).await.unwrap().unwrap().status(), 200);
        let mut names: Vec<_> = seen.lock().unwrap().keys().map(|name| name.to_string()).collect();
        names.sort();
        match goes_on {
            true => assert_eq!(names, ["checksum", "x-client-print", "x_client_print"]),
            false => assert_eq!(names, ["checksum"]),
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_always_reset_is_asked_for_three_times() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let (address, connections) = service_on_http2(move |request, mut respond| {
        let count = count.clone();
        async move {
            match request.uri().path() {
                "/fine" => drop(respond.send_response(Response::new(()), true)),
                _ => {
                    count.fetch_add(1, Ordering::SeqCst);
                    respond.send_reset(Reason::INTERNAL_ERROR);
                }
            }
        }
    })
    .await;
    let proxy = before(address, Forward::default()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    // Others have used the connection before: only then a lost answer may be the connection's fault.
    assert_eq!(proxy.ask(get("/fine")).await.status, 200);
    let answer = timeout(PATIENCE, proxy.ask(get("/reset"))).await.expect("it is not asked for ever");
    assert_eq!(answer.status, 502);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(proxy.count("upstream_retries_total"), 2);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert_eq!(proxy.ask(get("/fine")).await.status, 200, "and the connection goes on");
}
