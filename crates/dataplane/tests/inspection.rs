//! What the rules see, what follows from it, and what is logged.

mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use palisade_dataplane::Budget;
use palisade_model::Mode;
use support::{OK, Proxy, answering, echoing, service};

fn folder() -> std::path::PathBuf {
    std::env::temp_dir()
}

#[tokio::test]
async fn a_denied_head_never_reaches_the_upstream_and_its_page_names_only_its_id() {
    let (address, seen) = answering(OK).await;
    let rules = "SecRule ARGS:q \"@contains select\" \"id:10,phase:1,log,pass,msg:'first'\"\n\
                 SecRule ARGS:q \"@contains union\" \"id:11,phase:1,log,deny,status:403,msg:'second'\"\n\
                 SecAction \"id:12,phase:5,log,pass,msg:'last'\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let mut client = proxy.connect().await;
    client.send("GET /?q=union+select HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n").await;
    let response = client.response().await;
    let id = response.request_id().to_owned();
    assert_eq!((response.status, response.header("content-type")), (403, Some("text/html; charset=utf-8")));
    assert!(response.text().contains(&id) && !response.text().contains("union"));

    // All lines are there as soon as the answer is, in the order of the rules.
    let log = proxy.log();
    let ids: Vec<bool> = ["10", "11", "12"]
        .iter()
        .zip(&log)
        .map(|(rule, line)| {
            line.contains(&format!("[id \"{rule}\"]")) && line.contains(&format!("[unique_id \"{id}\"]"))
        })
        .collect();
    assert_eq!(ids, [true; 3], "{log:#?}");
    assert!(log[1].starts_with("[client 127.0.0.1] ModSecurity: Access denied with code 403 (phase 1)."));

    // The connection goes on, in the client's language.
    client.send("GET /?q=union HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n").await;
    let response = client.response().await;
    let expected =
        format!("{{\"status\":403,\"error\":\"Forbidden\",\"request_id\":\"{}\"}}\n", response.request_id());
    assert_eq!((response.header("content-type"), response.text()), (Some("application/json"), expected));
    client.send("HEAD /?q=union HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(client.response_to("HEAD").await.status, 403);
    client.send("GET /?q=fine HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(client.response().await.text(), "ok");
    assert_eq!((seen.requests().len(), proxy.count("requests_blocked_total")), (1, 3));
}

#[tokio::test]
async fn a_body_is_held_until_phase_2_has_spoken_however_it_arrives() {
    let (address, seen) = echoing().await;
    let rules = "SecRequestBodyAccess On\n\
                 SecRule ARGS_POST:q \"@contains attack\" \"id:20,phase:2,log,deny,status:406\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (q, status) in [("attack", 406), ("attic", 200)] {
        for step in [1, 3, 1000] {
            let body = format!("a=1&q={q}");
            let plain =
                format!("POST / HTTP/1.1\r\nHost: h\r\n{form}Content-Length: {}\r\n\r\n{body}", body.len());
            let (one, two) = body.split_at(6);
            let chunked = format!(
                "POST / HTTP/1.1\r\nHost: h\r\n{form}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x};x\r\n{two}\r\n0\r\n\r\n",
                one.len(),
                two.len()
            );
            let before = seen.requests().len();
            for request in [plain, chunked] {
                let mut client = proxy.connect().await;
                for piece in request.as_bytes().chunks(step) {
                    client.send(piece).await;
                    tokio::task::yield_now().await;
                }
                assert_eq!(client.response().await.status, status, "{q} by {step}");
                // Read to its end, so the connection goes on.
                client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
                assert_eq!(client.response().await.status, 200);
            }
            let reached = seen.requests().len() - before;
            assert_eq!(reached, if status == 200 { 4 } else { 2 });
        }
    }
}

#[tokio::test]
async fn monitoring_logs_and_stops_nothing_and_off_looks_at_nothing() {
    let (address, _) = answering(OK).await;
    let rules = "SecRule ARGS:q \"@contains union\" \"id:11,phase:1,log,deny,status:403\"\n";
    for (mode, lines) in [(Mode::Monitoring, 1), (Mode::SafeBlocking, 1), (Mode::Off, 0)] {
        let proxy = Proxy::start(address, mode, rules).await;
        assert_eq!(proxy.ask("GET /?q=union HTTP/1.1\r\nHost: h\r\n\r\n").await.status, 200, "{mode}");
        let log = proxy.log();
        assert_eq!(log.len(), lines, "{mode}: {log:?}");
        assert!(log.iter().all(|line| line.contains("ModSecurity: Warning.")));
    }
}

#[tokio::test]
async fn responses_go_through_phases_3_and_4() {
    let secret = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Powered-By: x\r\nContent-Length: 20\r\n\r\nyou have an error in";
    let (address, _) = answering(secret).await;
    let on = "SecResponseBodyAccess On\n";
    let deny_head =
        "SecRule RESPONSE_HEADERS:X-Powered-By \"@streq x\" \"id:30,phase:3,log,deny,status:501\"\n";
    let deny_body = "SecRule RESPONSE_BODY \"@contains an error\" \"id:40,phase:4,log,deny,status:502\"\n";
    for (rules, status) in
        [(deny_head.to_owned(), 501), (format!("{on}{deny_body}"), 502), (deny_body.to_owned(), 200)]
    {
        let proxy = Proxy::start(address, Mode::Block, &rules).await;
        let response = proxy.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!(response.status, status, "{rules}");
        assert_eq!(response.text().contains("error in"), status == 200);
        assert_eq!(response.header("x-powered-by").is_some(), status == 200);
        let proxy = Proxy::start(address, Mode::Monitoring, &rules).await;
        let response = proxy.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!((response.status, response.text().as_str()), (200, "you have an error in"));
    }
}

#[tokio::test]
async fn a_compressed_response_is_inspected_decoded_and_passed_on_as_it_came() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&b"you have an error in your SQL syntax ".repeat(1000)).unwrap();
    let zipped = encoder.finish().unwrap();
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        zipped.len()
    )
    .into_bytes();
    answer.extend_from_slice(&zipped);
    let (address, _) = answering(answer).await;
    let rules = |text: &str| {
        format!(
            "SecResponseBodyAccess On\nSecRule RESPONSE_BODY \"@contains {text}\" \"id:40,phase:4,log,deny,status:502\"\n"
        )
    };
    let request = "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n";
    let proxy = Proxy::start(address, Mode::Block, &rules("SQL syntax")).await;
    assert_eq!(proxy.ask(request).await.status, 502);
    let proxy = Proxy::start(address, Mode::Block, &rules("nothing")).await;
    let response = proxy.ask(request).await;
    assert_eq!((response.status, response.header("content-encoding")), (200, Some("gzip")));
    assert!(response.body == zipped);

    let change =
        |listener: &mut palisade_dataplane::Listener| listener.limits.response_body_decoded_max = 1000;
    let proxy =
        Proxy::start_with(address, Mode::Block, &rules("nothing"), Budget::new(folder()), change).await;
    assert!(proxy.ask(request).await.body == zipped);
    assert!(proxy.log()[0].contains("not inspected whole"), "{:?}", proxy.log());
}

#[tokio::test]
async fn a_response_larger_than_may_be_held_is_inspected_in_part_and_passed_whole() {
    let body = "x".repeat(300_000);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let (address, _) = answering(answer).await;
    let rules = "SecResponseBodyAccess On\nSecResponseBodyLimitAction ProcessPartial\n\
                 SecRule RESPONSE_BODY \"@rx ^x\" \"id:40,phase:4,log,pass\"\n";
    let change = |listener: &mut palisade_dataplane::Listener| {
        listener.limits.response_body_held_max = 100_000;
        listener.limits.body_memory_max = 10_000;
    };
    let proxy = Proxy::start_with(address, Mode::Block, rules, Budget::new(folder()), change).await;
    let response = proxy.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(response.status == 200 && response.text() == body);
    let log = proxy.log();
    assert!(log[0].contains("[id \"40\"]") && log[1].contains("larger than 100000 bytes"), "{log:?}");
    assert_eq!((proxy.plane.budget().memory_used(), proxy.plane.budget().disk_used()), (0, 0));
}

#[tokio::test]
async fn drop_closes_and_redirect_redirects() {
    let (address, _) = answering(OK).await;
    let rules = "SecRule ARGS:q \"@streq drop\" \"id:1,phase:1,log,drop\"\n\
                 SecRule ARGS:q \"@streq away\" \"id:2,phase:1,log,redirect:http://other.example/%{ARGS.to}\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let mut client = proxy.connect().await;
    client.send("GET /?q=drop HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(client.is_closed().await);
    let response = proxy.ask("GET /?q=away&to=x%0d%0aSet-Cookie:y HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(response.status, 302);
    assert!(response.header("set-cookie").is_none());
    assert_eq!(response.header("location"), Some("http://other.example/xSet-Cookie:y"));
}

#[tokio::test]
async fn counts_in_collections_outlive_a_request() {
    let (address, _) = answering(OK).await;
    let rules = "SecAction \"id:1,phase:1,nolog,pass,initcol:ip=%{REMOTE_ADDR}\"\n\
                 SecAction \"id:3,phase:1,nolog,pass,setvar:ip.n=+1\"\n\
                 SecRule IP:n \"@gt 3\" \"id:2,phase:1,log,deny,status:429\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(proxy.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[tokio::test]
async fn large_bodies_go_through_the_disk_and_come_out_whole() {
    let (address, _) = echoing().await;
    let rules = "SecRequestBodyAccess On\nSecRequestBodyLimit 20000000\nSecRequestBodyNoFilesLimit 20000000\n\
                 SecRule REQUEST_BODY_LENGTH \"@gt 0\" \"id:1,phase:2,log,pass\"\n";
    let change = |listener: &mut palisade_dataplane::Listener| listener.limits.body_memory_max = 100_000;
    let proxy = Proxy::start_with(address, Mode::Block, rules, Budget::new(folder()), change).await;
    let body: Vec<u8> = (0..5_000_000u32).map(|n| (n % 253) as u8).collect();
    let mut client = proxy.connect().await;
    client.send(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n", body.len())).await;
    client.send(&body).await;
    let response = client.response().await;
    assert!(response.status == 200 && response.body == body);
    assert_eq!((proxy.plane.budget().memory_used(), proxy.plane.budget().disk_used()), (0, 0));
}

#[tokio::test]
async fn bodies_over_their_limits_are_refused_and_their_senders_told() {
    let (address, seen) = echoing().await;
    let over = "SecRequestBodyAccess On\n";
    let request = |length: usize| {
        format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
    };
    // Ours.
    let change =
        |listener: &mut palisade_dataplane::Listener| listener.limits.request_body_held_max = 100_000;
    let proxy = Proxy::start_with(address, Mode::Block, over, Budget::new(folder()), change).await;
    assert_eq!(proxy.ask(request(90_000)).await.status, 200);
    assert_eq!(proxy.ask(request(500_000)).await.status, 413);
    proxy.await_log("Refused with code 413").await;
    // The process's.
    let change = |listener: &mut palisade_dataplane::Listener| listener.limits.body_memory_max = 10_000;
    let budget = Budget::with_limits(folder(), 10_000, 100_000);
    let proxy = Proxy::start_with(address, Mode::Block, over, budget, change).await;
    assert_eq!(proxy.ask(request(90_000)).await.status, 200);
    assert_eq!(proxy.ask(request(500_000)).await.status, 503);
    assert_eq!(proxy.count("budget_refused_total"), 1);
    // The rules'.
    let proxy =
        Proxy::start(address, Mode::Block, "SecRequestBodyAccess On\nSecRequestBodyLimit 100000\n").await;
    assert_eq!(proxy.ask(request(500_000)).await.status, 413);
    assert_eq!(seen.requests().len(), 2);
}

#[tokio::test]
async fn what_the_rules_do_not_want_to_see_streams_and_arrives_whole() {
    let (address, seen) = echoing().await;
    let body = "y".repeat(400_000);
    let rules =
        "SecRequestBodyAccess On\nSecRequestBodyLimit 100000\nSecRequestBodyLimitAction ProcessPartial\n";
    for (mode, rules) in [(Mode::Block, rules), (Mode::Monitoring, rules), (Mode::Off, "")] {
        let proxy = Proxy::start(address, mode, rules).await;
        let mut client = proxy.connect().await;
        let chunked = format!(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\nT: 1\r\n\r\n",
            body.len()
        );
        let plain = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        for request in [chunked, plain] {
            client.send(request).await;
            let response = client.response().await;
            assert!(response.status == 200 && response.text() == body, "{mode}");
        }
    }
    assert!(seen.requests()[0].wire.ends_with(b"\r\n0\r\n\r\n"), "the trailer stays here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rules_are_replaced_under_load_and_no_request_fails() {
    let (address, _) = answering(OK).await;
    let rules = |n: u32| format!("SecRule ARGS:q \"@streq {n}\" \"id:{n},phase:1,log,deny,status:403\"\n");
    let proxy = Arc::new(Proxy::start(address, Mode::Block, &rules(1)).await);
    let done = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (proxy, done, asked) = (proxy.clone(), done.clone(), asked.clone());
            tokio::spawn(async move {
                let mut client = proxy.connect().await;
                while !done.load(Ordering::Relaxed) {
                    client.send("GET /?q=fine HTTP/1.1\r\nHost: h\r\n\r\n").await;
                    assert_eq!(client.response().await.text(), "ok");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for n in 2..40 {
        proxy.routes.replace_service(service(Mode::Block, &rules(n)));
        let response = proxy.ask(format!("GET /?q={n} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        assert_eq!(response.status, 403, "the rules in force are the last ones");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(asked.load(Ordering::Relaxed) > 100);
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_a_page_and_a_line() {
    let nobody: SocketAddr = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let proxy = Proxy::start(nobody, Mode::Block, "SecRuleEngine On\n").await;
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        client.send("GET /there?secret HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let response = client.response().await;
        assert_eq!(response.status, 502);
        assert!(response.text().contains(response.request_id()));
    }
    let log = proxy.log();
    assert!(
        log[0].contains("Palisade: Answered with code 502") && log[0].contains("[uri \"/there\"]"),
        "{log:?}"
    );
}
