//! What goes through the proxy, seen from both ends of the wire.

mod support;

use std::time::Duration;

use palisade_dataplane::Budget;
use palisade_model::Mode;
use support::{OK, Proxy, answering, echoing, upstream};
use tokio::io::AsyncWriteExt;

const NO_RULES: &str = "SecRuleEngine On\n";

async fn proxy(upstream: std::net::SocketAddr) -> Proxy {
    Proxy::start(upstream, Mode::Block, NO_RULES).await
}

#[tokio::test]
async fn a_request_goes_on_as_it_was_sent_but_for_the_fields_of_the_hop() {
    let (address, seen) = answering(OK).await;
    let proxy = proxy(address).await;
    let response = proxy
        .ask(
            "GET /a%2fb/../c;p=1?q=<script>\"|`' HTTP/1.1\r\nHost: shop.example.com\r\nx-Dup: 1\r\nAccept: */*\r\n\
             X-dUP: 2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-Forwarded-For: 198.51.100.1\r\n\
             X-Request-ID: mine\r\nX-Real-IP: 198.51.100.9\r\n\r\n",
        )
        .await;
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    let head = seen.requests()[0].head.clone();
    let id = response.request_id();
    assert_eq!(id.len(), 32);
    assert_eq!(
        head,
        format!(
            "GET /a%2fb/../c;p=1?q=<script>\"|`' HTTP/1.1\r\nHost: shop.example.com\r\nx-Dup: 1\r\nAccept: */*\r\n\
             X-dUP: 2\r\nX-Forwarded-For: 198.51.100.1, 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\
             X-Forwarded-Host: shop.example.com\r\nX-Real-IP: 127.0.0.1\r\nX-Request-Id: {id}\r\n\r\n"
        )
    );
}

#[tokio::test]
async fn connections_on_both_sides_serve_many_requests() {
    let (address, seen) = echoing().await;
    let proxy = proxy(address).await;
    let mut client = proxy.connect().await;
    let mut ids = std::collections::HashSet::new();
    for n in 0..20 {
        let body = "x".repeat(n * 1000);
        client
            .send(format!("POST /{n} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
            .await;
        let response = client.response().await;
        assert_eq!((response.status, response.text()), (200, body));
        ids.insert(response.request_id().to_owned());
    }
    assert_eq!((seen.requests().len(), seen.connections(), ids.len()), (20, 1, 20));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (address, _) = echoing().await;
    let proxy = proxy(address).await;
    let mut client = proxy.connect().await;
    let mut all = Vec::new();
    for n in 0..50 {
        all.extend_from_slice(
            format!("POST /{n} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{n:02}").as_bytes(),
        );
    }
    client.send(&all).await;
    for n in 0..50 {
        assert_eq!(client.response().await.text(), format!("{n:02}"));
    }
}

#[tokio::test]
async fn chunks_go_both_ways_and_trailers_back_only() {
    let answer = "HTTP/1.1 200 OK\r\nTrailer: Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                  3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nSum: 7\r\nContent-Length: 3\r\n\r\n";
    let (address, seen) = answering(answer).await;
    let proxy = proxy(address).await;
    let request = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n\
                   4;name=value\r\nWiki\r\n5\r\npedia\r\n0\r\nCheck: 1\r\nHost: evil\r\n\r\n";
    let mut client = proxy.connect().await;
    // Twice, to see that both ends found the end.
    for _ in 0..2 {
        for piece in request.as_bytes().chunks(7) {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        let response = client.response().await;
        assert_eq!(response.text(), "abcde");
        assert_eq!(response.trailers, ["Sum: 7"]);
        assert_eq!(response.header("trailer"), Some("Sum"));
    }
    let request = &seen.requests()[1];
    assert_eq!(request.body, b"Wikipedia");
    // No rule sees what comes after a request's body, so no application shall.
    let wire = String::from_utf8_lossy(&request.wire);
    assert!(wire.ends_with("\r\n0\r\n\r\n") && !wire.contains("Check") && !wire.contains("evil"), "{wire:?}");
    assert!(request.head.contains("TE: trailers\r\n"));
}

#[tokio::test]
async fn an_expectation_is_answered_here_and_not_passed_on() {
    let (address, seen) = echoing().await;
    for mode in [Mode::Off, Mode::Block] {
        let proxy = Proxy::start(address, mode, "SecRequestBodyAccess On\n").await;
        let mut client = proxy.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await;
        assert_eq!(client.response().await.status, 100);
        client.send("abc").await;
        assert_eq!(client.response().await.text(), "abc");
        // Who does not wait is not told to go on.
        client
            .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc")
            .await;
        assert_eq!(client.response().await.status, 200);
    }
    assert!(seen.requests().iter().all(|request| !request.head.contains("Expect")));
}

#[tokio::test]
async fn head_and_options_keep_their_meaning() {
    let (address, seen) = upstream(|mut server| async move {
        while let Some(request) = server.request().await {
            let answer: &[u8] = match request.head.split(' ').next() {
                Some("HEAD") => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
                Some("OPTIONS") => b"HTTP/1.1 204 No Content\r\nAllow: GET\r\n\r\n",
                _ => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",
            };
            server.send(answer).await;
        }
    })
    .await;
    let proxy = proxy(address).await;
    let mut client = proxy.connect().await;
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(client.response_to("HEAD").await.header("content-length"), Some("1000"));
    client.send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("allow")), (204, Some("GET")));
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(client.response().await.header("content-length"), Some("77"));
    assert!(seen.requests()[1].head.starts_with("OPTIONS * HTTP/1.1\r\n"));
    assert_eq!(seen.connections(), 1);
}

#[tokio::test]
async fn http_1_0_clients_get_what_they_understand() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let (address, seen) = answering(chunked).await;
    let proxy1 = proxy(address).await;
    let mut client = proxy1.connect().await;
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!(response.text(), "abc");
    assert_eq!((response.header("transfer-encoding"), response.header("connection")), (None, Some("close")));
    assert!(seen.requests()[0].head.starts_with("GET / HTTP/1.1\r\nHost: 127.0.0.1:"));

    let (address, _) = answering(OK).await;
    let proxy2 = proxy(address).await;
    let mut client = proxy2.connect().await;
    for _ in 0..3 {
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        assert_eq!(client.response().await.header("connection"), Some("keep-alive"));
    }
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.response().await.header("connection"), Some("close"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_gets_an_end_of_its_own() {
    let (address, _) = upstream(|mut server| async move {
        server.request().await;
        server.send("HTTP/1.1 200 OK\r\n\r\nall of it").await;
    })
    .await;
    let proxy = proxy(address).await;
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let response = client.response().await;
        assert_eq!(
            (response.text().as_str(), response.header("transfer-encoding")),
            ("all of it", Some("chunked"))
        );
    }
}

#[tokio::test]
async fn a_websocket_passes_after_its_handshake_was_looked_at() {
    let (address, seen) = upstream(|mut server| async move {
        let head = server.head().await.unwrap();
        server.seen.requests.lock().unwrap().push(support::Request { head, body: Vec::new(), wire: Vec::new() });
        server
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello")
            .await;
        while server.fill().await.is_some() {
            let bytes = std::mem::take(&mut server.read);
            server.send(bytes).await;
        }
    })
    .await;
    let rules =
        "SecRule REQUEST_HEADERS:Origin \"@streq http://evil.example\" \"id:1,phase:1,deny,status:403\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let handshake = |origin: &str| {
        format!(
            "GET /chat HTTP/1.1\r\nHost: h\r\nOrigin: {origin}\r\nConnection: keep-alive, Upgrade\r\n\
             Upgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n\r\n"
        )
    };
    assert_eq!(proxy.ask(handshake("http://evil.example")).await.status, 403);
    assert_eq!(seen.connections(), 0);

    let mut client = proxy.connect().await;
    // The client may talk before it has heard.
    client.send(format!("{}early", handshake("http://good.example"))).await;
    let response = client.head().await;
    assert_eq!(response.status, 101);
    assert_eq!(response.header("upgrade"), Some("websocket"));
    assert_eq!(response.header("sec-websocket-accept"), Some("x"));
    assert_eq!(client.take(10).await.unwrap(), b"helloearly");
    let large = vec![7; 1_000_000];
    let (mut reader, mut writer) = client.stream.split();
    let sent = large.clone();
    let send = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let (_, read) = tokio::join!(send, tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut back));
    read.unwrap();
    assert!(back == large);
    assert!(seen.requests()[0].head.contains("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    assert_eq!(proxy.count("tunnels_total"), 1);
}

#[tokio::test]
async fn other_upgrades_do_not_get_past() {
    let (address, seen) = upstream(|mut server| async move {
        while let Some(request) = server.request().await {
            let lies = request.head.starts_with("GET /lies");
            server
                .send(if lies { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" } else { OK })
                .await;
        }
    })
    .await;
    let proxy = proxy(address).await;
    let ask = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"
        )
    };
    assert_eq!(proxy.ask(ask("/")).await.status, 200);
    assert_eq!(proxy.ask(ask("/lies")).await.status, 502);
    assert_eq!(proxy.ask("CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n").await.status, 405);
    assert!(
        seen.requests()
            .iter()
            .all(|r| !r.head.to_lowercase().contains("upgrade") && !r.head.contains("HTTP2"))
    );
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_still_sends() {
    let (address, _) = upstream(|mut server| async move {
        server.head().await;
        server
            .send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
            .await;
    })
    .await;
    let proxy = Proxy::start(address, Mode::Off, NO_RULES).await;
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!((response.status, response.text().as_str()), (413, "big"));
    assert_eq!(response.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_response_may_run_beside_its_request() {
    // The upstream sends back each byte as it comes: whoever reads only after writing all gets stuck.
    let (address, _) = upstream(|mut server| async move {
        server.head().await;
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n").await;
        loop {
            let bytes = std::mem::take(&mut server.read);
            server.send(bytes).await;
            if server.fill().await.is_none() {
                return;
            }
        }
    })
    .await;
    for (mode, rules) in [
        (Mode::Off, ""),
        (Mode::Block, "SecRequestBodyAccess On\nSecRequestBodyLimit 30000000\nSecResponseBodyAccess On\n"),
    ] {
        let change = |listener: &mut palisade_dataplane::Listener| {
            listener.limits.request_body_held_max = 30_000_000;
        };
        let proxy = Proxy::start_with(address, mode, rules, Budget::new(std::env::temp_dir()), change).await;
        let mut client = proxy.connect().await;
        let body: Vec<u8> = (0..20_000_000u32).map(|n| (n % 251) as u8).collect();
        let (mut reader, mut writer) = client.stream.split();
        let send = async {
            writer
                .write_all(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n")
                .await
                .unwrap();
            writer.write_all(&body).await.unwrap();
        };
        let receive = async {
            let mut back = Vec::new();
            while back.len() < 20_000_000 || !back.ends_with(&body[body.len() - 1000..]) {
                assert!(tokio::io::AsyncReadExt::read_buf(&mut reader, &mut back).await.unwrap() > 0);
            }
            back
        };
        let (_, back) = tokio::join!(send, receive);
        assert!(back.ends_with(&body), "{mode}");
    }
}

#[tokio::test]
async fn a_request_that_may_is_sent_once_more_when_an_idle_connection_was_closed() {
    // Each connection serves one request and then closes without saying so, after the next request came.
    let (address, seen) = upstream(|mut server| async move {
        if server.request().await.is_some() {
            server.send(OK).await;
            server.fill().await;
        }
    })
    .await;
    // What is held can be sent again.
    let proxy = Proxy::start(address, Mode::Block, "SecRequestBodyAccess On\n").await;
    let mut client = proxy.connect().await;
    for _ in 0..3 {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(client.response().await.status, 200);
    }
    assert_eq!((proxy.count("upstream_retries_total"), seen.connections()), (2, 3));
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(client.response().await.status, 200);
    // A POST may have been done before the connection broke.
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(client.response().await.status, 502);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_not_used_for_a_post() {
    let (address, seen) = upstream(|mut server| async move {
        server.request().await;
        server.send(OK).await;
    })
    .await;
    let proxy = proxy(address).await;
    let mut client = proxy.connect().await;
    for _ in 0..5 {
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").await;
        assert_eq!(client.response().await.status, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((proxy.count("upstream_retries_total"), seen.connections()), (0, 5));
}

#[tokio::test]
async fn interim_responses_go_on() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (address, _) = answering(answer).await;
    let proxy = proxy(address).await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let hints = client.response().await;
    assert_eq!((hints.status, hints.header("link")), (103, Some("</a>")));
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn the_health_path_is_answered_here() {
    let (address, seen) = answering(OK).await;
    let rules = "SecAction \"id:1,phase:1,deny,status:403\"\n";
    let budget = Budget::new(std::env::temp_dir());
    let proxy = Proxy::start_with(address, Mode::Block, rules, budget, |listener| {
        listener.health_path = Some("/healthz".into());
    })
    .await;
    let mut client = proxy.connect().await;
    for target in ["/healthz", "/healthz?x=1"] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        let response = client.response().await;
        assert_eq!((response.status, response.text().as_str()), (200, "OK\n"));
    }
    for request in ["GET /healthz/x HTTP/1.1\r\nHost: h\r\n\r\n", "POST /healthz HTTP/1.1\r\nHost: h\r\n\r\n"]
    {
        client.send(request).await;
        assert_eq!(client.response().await.status, 403);
    }
    assert_eq!(seen.connections(), 0);
    assert_eq!(proxy.log().len(), 2);
}

#[tokio::test]
async fn an_upstream_may_have_a_name() {
    let (address, _) = answering(OK).await;
    let proxy = proxy(address).await;
    let at = |host: &str| {
        let limits =
            palisade_dataplane::UpstreamLimits { connect: Duration::from_secs(2), ..Default::default() };
        let upstream =
            palisade_dataplane::Upstream::new(&format!("http://{host}:{}", address.port()), limits).unwrap();
        palisade_dataplane::Destination::new(support::service(Mode::Block, NO_RULES), upstream.into())
    };
    proxy.routes.replace_all(at("localhost"));
    assert_eq!(proxy.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.text(), "ok");
    // `.invalid` is no name anywhere (RFC 2606); a machine without a resolver takes its time to say so.
    proxy.routes.replace_all(at("nobody.invalid"));
    assert!(matches!(proxy.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.status, 502 | 504));
    assert!(proxy.log()[0].contains("nobody.invalid"), "{:?}", proxy.log());
}
