//! Clients and upstreams that break the rules, go slow, or go away: each gets a bounded answer, a line and a count.

mod support;

use std::time::Duration;

use palisade_dataplane::{Budget, Drained, Listener};
use palisade_model::Mode;
use support::{OK, PATIENCE, Proxy, answering, echoing, upstream};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

/// A rule that shows that phase 2 has run.
const SEES_ALL: &str = "SecRequestBodyAccess On\nSecAction \"id:1,phase:2,log,pass,msg:'seen'\"\n";

async fn start(upstream: std::net::SocketAddr, rules: &str, change: impl FnOnce(&mut Listener)) -> Proxy {
    Proxy::start_with(upstream, Mode::Block, rules, Budget::new(std::env::temp_dir()), change).await
}

#[tokio::test]
async fn ambiguous_heads_are_seen_by_the_rules_logged_and_refused_in_every_mode() {
    let (address, seen) = echoing().await;
    let cases = [
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
            "content_length_with_transfer_encoding",
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            "content_length_with_transfer_encoding",
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "content_length_differs",
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 6\r\n\r\nhello", "content_length_differs"),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "content_length_repeated",
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello", "content_length_invalid"),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\nhello", "content_length_invalid"),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
            "content_length_invalid",
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\nhello", "space_before_colon"),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", "transfer_coding_unknown"),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            "transfer_coding_unknown",
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "transfer_coding_unknown",
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\x0bchunked\r\n\r\n", "transfer_coding_unknown"),
        (
            "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "transfer_encoding_on_http10",
        ),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", "obs_fold"),
        ("GET / HTTP/1.1\r\n A: b\r\nHost: h\r\n\r\n", "fold_without_header"),
        ("GET / HTTP/1.1\nHost: h\n\n", "bare_lf"),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\rB: c\r\n\r\n", "bare_cr"),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\0\r\n\r\n", "nul"),
        ("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", "header_without_colon"),
        ("GET / HTTP/1.1\r\nHost: h\r\nb ad: 1\r\n\r\n", "header_name_invalid"),
        ("GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", "host_repeated"),
        ("GET / HTTP/1.1\r\nA: b\r\n\r\n", "host_missing"),
        ("GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", "host_invalid"),
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", "version_unsupported"),
        ("GET / HTTP/1.1x\r\nHost: h\r\n\r\n", "version_invalid"),
        ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "target_space"),
        ("GET / x HTTP/1.1\r\nHost: h\r\n\r\n", "target_space"),
        ("GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n", "target_invalid"),
        ("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", "method_invalid"),
        ("GET /\r\n\r\n", "http09"),
        ("nonsense\r\n\r\n", "line_malformed"),
        ("GET http://user@evil/ HTTP/1.1\r\nHost: h\r\n\r\n", "host_invalid"),
        ("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "target_invalid"),
    ];
    for mode in [Mode::Block, Mode::Monitoring, Mode::Off] {
        let proxy = Proxy::start(address, mode, SEES_ALL).await;
        for (n, (request, finding)) in cases.iter().enumerate() {
            let mut client = proxy.connect().await;
            client.send(request).await;
            let response = client.response().await;
            assert_eq!(response.status, 400, "{request:?}");
            assert!(client.is_closed().await);
            let log = proxy.log();
            let lines = if mode == Mode::Off { 1 } else { 2 };
            assert_eq!(log.len(), (n + 1) * lines, "{request:?}: {log:#?}");
            let last = &log[log.len() - 1];
            assert!(
                last.contains("Palisade: Refused with code 400") && last.contains(finding),
                "{request:?}: {last}"
            );
            assert!(last.contains(response.request_id()));
            assert!(mode == Mode::Off || log[log.len() - 2].contains("[id \"1\"]"));
        }
        assert_eq!(proxy.count("framing_refused_total"), cases.len() as u64);
    }
    assert_eq!(seen.connections(), 0);
}

#[tokio::test]
async fn a_rule_that_would_have_stopped_an_ambiguous_request_does_not_save_it_in_monitoring() {
    let (address, seen) = echoing().await;
    let rules = "SecAction \"id:1,phase:1,log,deny,status:403\"\n";
    let request =
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for (mode, status) in [(Mode::Monitoring, 400), (Mode::Block, 403)] {
        let proxy = Proxy::start(address, mode, rules).await;
        assert_eq!(proxy.ask(request).await.status, status);
        assert!(proxy.log().last().unwrap().contains("Refused with code 400"));
    }
    assert_eq!(seen.connections(), 0);
}

#[tokio::test]
async fn broken_chunks_are_refused_whether_held_or_streamed() {
    let (address, seen) = echoing().await;
    let bodies = [
        "zz\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcX\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "1000000000000000\r\nabc\r\n",
        "3;\x01\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nno colon\r\n\r\n",
    ];
    for rules in [SEES_ALL, "SecRuleEngine On\n"] {
        let proxy = Proxy::start(address, Mode::Block, rules).await;
        for body in bodies {
            let mut client = proxy.connect().await;
            client
                .send(format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
                .await;
            assert_eq!(client.response().await.status, 400, "{body:?}");
            assert!(client.is_closed().await);
        }
        assert_eq!(proxy.count("bodies_incomplete_total"), bodies.len() as u64);
        proxy.await_log("chunks of the request's body are broken").await;
    }
    assert_eq!(seen.requests().len(), 0);
}

#[tokio::test]
async fn slow_heads_and_bodies_are_told_and_closed() {
    let (address, seen) = echoing().await;
    let proxy = start(address, SEES_ALL, |listener| {
        listener.timeouts.head = Duration::from_millis(300);
        listener.timeouts.body = Duration::from_millis(300);
        listener.timeouts.body_whole = Duration::from_millis(700);
        listener.timeouts.idle = Duration::from_millis(300);
    })
    .await;
    // Not a byte: closed without a word.
    let mut client = proxy.connect().await;
    assert!(client.is_closed().await);
    // A byte now and then does not extend the time.
    let mut client = proxy.connect().await;
    for byte in b"GET / HTT" {
        let _ = client.stream.write_all(&[*byte]).await;
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.response().await.status, 408);
    assert!(client.is_closed().await);
    proxy.await_log("head of the request did not come in time").await;
    // A body that stops.
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").await;
    assert_eq!(client.response().await.status, 408);
    // A body that trickles.
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n").await;
    for _ in 0..8 {
        let _ = client.stream.write_all(b"x").await;
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(client.response().await.status, 408);
    // Idle after an answer.
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(client.response().await.status, 200);
    assert!(client.is_closed().await);
    assert_eq!((proxy.count("head_timeouts_total"), proxy.count("body_timeouts_total")), (1, 2));
    assert_eq!(seen.requests().len(), 1);
}

#[tokio::test]
async fn a_streamed_body_that_stops_is_told() {
    let (address, _) = echoing().await;
    let proxy = start(address, "SecRuleEngine On\n", |l| l.timeouts.body = Duration::from_millis(300)).await;
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").await;
    assert_eq!(client.response().await.status, 408);
    assert_eq!(proxy.count("body_timeouts_total"), 1);
}

#[tokio::test]
async fn heads_over_their_limits_are_refused_as_far_as_they_were_read() {
    let (address, seen) = echoing().await;
    let proxy = Proxy::start(address, Mode::Block, SEES_ALL).await;
    for (request, finding) in [
        (format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(40_000)), "line_too_long"),
        (format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "a".repeat(100_000)), "head_too_large"),
        (format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "a: b\r\n".repeat(300)), "too_many_headers"),
        (format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}", "a".repeat(100_000)), "head_too_large"),
    ] {
        let mut client = proxy.connect().await;
        client.send(&request).await;
        assert_eq!(client.response().await.status, 400, "{finding}");
        let log = proxy.log();
        assert!(log[log.len() - 1].contains(finding), "{finding}: {}", log[log.len() - 1]);
        assert!(log[log.len() - 2].contains("[id \"1\"]"));
    }
    assert_eq!(seen.connections(), 0);
}

#[tokio::test]
async fn half_closed_clients_get_their_answer_and_halves_of_requests_do_not_pass() {
    let (address, seen) = echoing().await;
    let proxy = Proxy::start(address, Mode::Block, SEES_ALL).await;
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.response().await.text(), "abc");
    assert!(client.is_closed().await);

    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\nabc").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.response().await.status, 400);
    proxy.await_log("body ended in the middle").await;

    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHo").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.response().await.status, 400);
    proxy.await_log("head of the request ended in the middle").await;
    assert_eq!((proxy.count("heads_incomplete_total"), proxy.count("bodies_incomplete_total")), (1, 1));
    assert_eq!(seen.requests().len(), 1);
}

#[tokio::test]
async fn what_hides_behind_a_refused_request_is_no_request() {
    let (address, seen) = echoing().await;
    let proxy = Proxy::start(
        address,
        Mode::Block,
        "SecRule REQUEST_METHOD \"@streq POST\" \"id:1,phase:1,deny,status:403\"\n",
    )
    .await;
    // Denied in phase 1: its body was not read, and must not be taken for the next head.
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!((response.status, response.header("connection")), (403, Some("close")));
    assert!(client.is_closed().await);
    assert_eq!(seen.connections(), 0);
}

#[tokio::test]
async fn what_an_upstream_did_not_read_is_no_request() {
    // It resets or answers while the body, which looks like a request, is still on its way.
    let (address, seen) = upstream(|mut server| async move {
        let Some(head) = server.head().await else { return };
        server.seen.requests.lock().unwrap().push(support::Request {
            head: head.clone(),
            body: Vec::new(),
            wire: Vec::new(),
        });
        if head.contains("/answer") {
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        }
        server.reset();
    })
    .await;
    let proxy = Proxy::start(address, Mode::Off, "").await;
    for path in ["/answer", "/reset"] {
        let mut client = proxy.connect().await;
        client.send(format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")).await;
        sleep(Duration::from_millis(100)).await;
        for _ in 0..1000 {
            if client.stream.write_all(b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n").await.is_err() {
                break;
            }
        }
        assert_eq!(client.response().await.header("connection"), Some("close"), "{path}");
        assert!(client.is_closed().await);
    }
    assert!(seen.requests().iter().all(|request| !request.head.contains("smuggled")));
    assert_eq!(proxy.count("requests_total"), 2);
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_are_no_answer_to_the_next_request() {
    let (address, _) = upstream(|mut server| async move {
        server.request().await;
        server.send(OK).await;
        sleep(Duration::from_millis(50)).await;
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison").await;
        sleep(PATIENCE).await;
    })
    .await;
    let proxy = Proxy::start(address, Mode::Block, "").await;
    for _ in 0..3 {
        assert_eq!(proxy.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.text(), "ok");
        sleep(Duration::from_millis(150)).await;
    }
}

#[tokio::test]
async fn upstreams_that_fail_are_answered_for() {
    let (address, _) = upstream(|mut server| async move {
        let Some(request) = server.request().await else { return };
        let path = request.head.split(' ').nth(1).unwrap_or_default().to_owned();
        match path.as_str() {
            "/reset" => server.reset(),
            "/close" => {}
            "/silent" => sleep(PATIENCE).await,
            "/half-head" => server.send("HTTP/1.1 200 OK\r\nConte").await,
            "/no-http" => server.send("220 smtp.example ESMTP\r\n\r\n").await,
            "/huge-head" => {
                server.send(format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(200_000))).await;
                server.fill().await;
            }
            "/two-lengths" => {
                server.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx").await
            }
            "/both" => {
                server
                    .send(
                        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    )
                    .await
            }
            "/interim" => {
                server.send("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100)).await;
                server.fill().await;
            }
            "/switch" => server.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n").await,
            other => panic!("{other}"),
        }
    })
    .await;
    for rules in ["SecRuleEngine On\n", "SecResponseBodyAccess On\n"] {
        let proxy =
            start(address, rules, |listener| listener.timeouts.response = Duration::from_millis(500)).await;
        let mut client = proxy.connect().await;
        for (path, status) in [
            ("/reset", 502),
            ("/close", 502),
            ("/silent", 504),
            ("/half-head", 502),
            ("/no-http", 502),
            ("/huge-head", 502),
            ("/two-lengths", 502),
            ("/both", 502),
            ("/switch", 502),
        ] {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
            let response = client.response().await;
            assert_eq!(response.status, status, "{path}");
            let log = proxy.log();
            assert!(log.last().unwrap().contains(&format!("Answered with code {status}")), "{path}: {log:?}");
        }
        assert_eq!((proxy.count("upstream_broken_total"), proxy.count("upstream_timeouts_total")), (8, 1));
        client.send("GET /interim HTTP/1.0\r\nHost: h\r\n\r\n").await;
        assert_eq!(client.response().await.status, 502);
    }
}

#[tokio::test]
async fn a_response_that_breaks_in_the_middle_is_never_ended_properly() {
    let (address, _) = upstream(|mut server| async move {
        let Some(request) = server.request().await else { return };
        let head = if request.head.contains("/length") {
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n"
        };
        server.send(head).await;
        server.send("x".repeat(50_000)).await;
        sleep(Duration::from_millis(100)).await;
        if request.head.contains("reset") {
            server.reset();
        }
    })
    .await;
    for path in ["/length", "/chunked", "/length/reset", "/chunked/reset"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        // Streamed: the client sees that it is cut short.
        let proxy = Proxy::start(address, Mode::Block, "SecRuleEngine On\n").await;
        let mut client = proxy.connect().await;
        client.send(&request).await;
        assert_eq!(client.head().await.status, 200);
        let rest = client.rest().await;
        assert!(rest.len() < 60_000 && !rest.ends_with(b"0\r\n\r\n"), "{path}: {}", rest.len());
        proxy.await_log("the upstream's response").await;
        // Held: nothing of it was sent, so there is a better answer.
        let proxy = Proxy::start(address, Mode::Block, "SecResponseBodyAccess On\n").await;
        assert_eq!(proxy.ask(&request).await.status, 502, "{path}");
        assert_eq!(proxy.count("upstream_broken_total"), 1);
    }
}

#[tokio::test]
async fn too_many_connections_are_told() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |listener| listener.limits.connections_max = 2).await;
    let mut clients = [proxy.connect().await, proxy.connect().await];
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(client.response().await.status, 200);
    }
    let mut third = proxy.connect().await;
    assert_eq!(third.response().await.status, 503);
    drop(clients);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(proxy.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.status, 200);
    assert_eq!(proxy.count("connections_refused_total"), 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let (address, _) =
        answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n{}", "x".repeat(30_000_000)))
            .await;
    let proxy = start(address, "", |listener| {
        listener.timeouts.write = Duration::from_millis(300);
        listener.timeouts.response = Duration::from_millis(300);
    })
    .await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    for _ in 0..100 {
        if proxy.count("clients_gone_total") == 1 {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("still waiting for it");
}

#[tokio::test]
async fn draining_answers_what_has_begun_closes_what_is_idle_and_cuts_what_is_left() {
    let (address, _) = upstream(|mut server| async move {
        while let Some(request) = server.request().await {
            sleep(if request.head.contains("/slow") { Duration::from_millis(300) } else { PATIENCE }).await;
            server.send(OK).await;
        }
    })
    .await;
    let proxy = Proxy::start(address, Mode::Block, "SecAction \"id:1,phase:5,log,pass\"\n").await;
    let mut never = proxy.connect().await;
    never.send("GET /never HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut idle = proxy.connect().await;
    idle.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    idle.response().await;
    // It has just come: it may still ask, and is not waited for until the deadline.
    let (mut new, mut mute) = (proxy.connect().await, proxy.connect().await);
    let mut slow = proxy.connect().await;
    slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    sleep(Duration::from_millis(100)).await;
    proxy.drain.start(Duration::from_millis(2500));
    assert!(idle.is_closed().await);
    new.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(new.response().await.header("connection"), Some("close"));
    assert!(mute.is_closed().await);
    let response = slow.response().await;
    assert_eq!((response.text().as_str(), response.header("connection")), ("ok", Some("close")));
    assert!(slow.is_closed().await);
    assert!(tokio::net::TcpStream::connect(proxy.address).await.is_err());
    assert!(never.is_closed().await);
    let Proxy { served, journal, .. } = proxy;
    let drained = timeout(PATIENCE, served).await.unwrap().unwrap();
    assert_eq!(drained, Drained { cut_connections: 1 });
    // The one that was cut has its line too.
    let lines = journal.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("[id \"1\"]")).count(), 4, "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("cut before its end")), "{lines:#?}");
}
