//! What the journal is told: once for each exchange, however it ends, with facts that are so.

mod support;

use std::time::Duration;

use palisade_dataplane::{AnsweredBy, Facts, Sent};
use palisade_model::Mode;
use tokio::time::sleep;

use support::{OK, Proxy, answering, echoing, upstream};

/// Longer than anything else takes here.
const SLOW: Duration = Duration::from_millis(400);

fn only(proxy: &Proxy) -> Facts {
    let mut facts = proxy.facts();
    assert_eq!(facts.len(), 1, "{facts:#?}");
    facts.remove(0)
}

async fn first(proxy: &Proxy) -> Facts {
    for _ in 0..200 {
        if !proxy.facts().is_empty() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    only(proxy)
}

fn sent(status: u16, by: AnsweredBy) -> Option<Sent> {
    Some(Sent { status, by })
}

#[tokio::test]
async fn facts_of_an_answered_exchange_are_as_it_was() {
    let (address, _) = echoing().await;
    let proxy = Proxy::start(address, Mode::Block, "SecRequestBodyAccess On\n").await;
    let response = proxy
        .ask(
            "POST /a?b HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: test\r\nREFERER: here\r\n\
             X-Request-Id: theirs\r\nUser-Agent: second\r\nContent-Length: 5\r\n\r\nhello",
        )
        .await;
    let facts = only(&proxy);
    assert_eq!((&*facts.listener, facts.service.name.as_str()), ("test", "test"));
    assert_eq!((facts.server_addr, facts.upstream_addr), (proxy.address, Some(address)));
    assert_eq!(facts.client_addr, facts.peer_addr);
    assert!(facts.client_addr.ip().is_loopback());
    assert_eq!(facts.request_id, response.request_id());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let words = [&facts.method, &facts.target, &facts.version].map(|bytes| text(bytes));
    assert_eq!(words, ["POST", "/a?b", "HTTP/1.1"]);
    let fields = [&facts.host, &facts.user_agent, &facts.referer, &facts.client_request_id]
        .map(|field| text(field.as_deref().unwrap()));
    assert_eq!(fields, ["shop.example.com", "test", "here", "theirs"]);
    assert_eq!(facts.sent, sent(200, AnsweredBy::Upstream));
    assert_eq!((facts.request_body_bytes, facts.response_body_bytes), (5, 5));
    let timing = facts.timing;
    assert!(timing.engine > Duration::ZERO && timing.upstream.unwrap() > Duration::ZERO, "{timing:?}");
    assert!(timing.total >= timing.engine + timing.upstream.unwrap(), "{timing:?}");
}

#[tokio::test]
async fn what_a_client_sends_is_kept_within_bounds() {
    let (address, _) = answering(OK).await;
    let proxy = Proxy::start(address, Mode::Block, "").await;
    let (path, word) = ("a".repeat(7000), "b".repeat(5000));
    proxy
        .ask(format!("GET /{path} HTTP/1.1\r\nHost: h\r\nReferer: {word}\r\nUser-Agent: {word}\r\n\r\n"))
        .await;
    let facts = only(&proxy);
    let lengths = [&facts.referer, &facts.user_agent].map(|field| field.as_ref().unwrap().len());
    assert_eq!((facts.target.len(), lengths), (7001, [2048, 512]));
}

#[tokio::test]
async fn time_goes_to_whom_was_waited_for() {
    let (address, _) = upstream(|mut server| async move {
        while let Some(request) = server.request().await {
            if request.head.contains(" /head ") {
                sleep(SLOW).await;
            }
            server.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nok").await;
            if request.head.contains(" /body ") {
                sleep(SLOW).await;
            }
            server.send("ok").await;
        }
    })
    .await;
    let held = "SecRequestBodyAccess On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/plain\n";
    for rules in ["", held] {
        let proxy = Proxy::start(address, Mode::Block, rules).await;
        for path in ["/head", "/body"] {
            proxy.ask(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
            let timing = proxy.facts().pop().unwrap().timing;
            assert!(timing.upstream.unwrap() >= SLOW, "{path}: {timing:?}");
        }
        // A client that takes its time is nobody's time but its own.
        let mut client = proxy.connect().await;
        client.send("POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab").await;
        sleep(SLOW).await;
        client.send("cd").await;
        client.response().await;
        let facts = proxy.facts().pop().unwrap();
        let timing = facts.timing;
        assert!(timing.total >= SLOW && timing.upstream.unwrap() < SLOW / 2, "{timing:?}");
        assert_eq!(facts.request_body_bytes, 4);
    }
}

#[tokio::test]
async fn an_answer_of_ours_is_told_as_ours() {
    let (address, _) = echoing().await;
    let rules = "SecRequestBodyAccess On\nSecRule ARGS \"@contains evil\" \"id:1,phase:2,deny,status:406\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let page = proxy.ask("GET /?a=evil HTTP/1.1\r\nHost: h\r\n\r\n").await.body.len() as u64;
    let blocked = proxy.facts().pop().unwrap();
    assert_eq!(blocked.sent, sent(406, AnsweredBy::Palisade));
    assert_eq!((blocked.response_body_bytes, blocked.upstream_addr), (page, None));
    assert_eq!(blocked.timing.upstream, None);
    proxy.ask("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    assert_eq!(proxy.facts().pop().unwrap().sent, sent(400, AnsweredBy::Palisade));
    assert_eq!(proxy.facts().len(), 2);
}

#[tokio::test]
async fn where_nothing_was_sent_nothing_is_told() {
    let (address, _) = upstream(|mut server| async move {
        while server.request().await.is_some() {
            sleep(SLOW * 100).await;
        }
    })
    .await;
    // The rules say so.
    let proxy = Proxy::start(address, Mode::Block, "SecAction \"id:1,phase:1,drop,log\"\n").await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(client.is_closed().await);
    assert_eq!(first(&proxy).await.sent, None);
    // The client goes in the middle of its body.
    let proxy = Proxy::start(address, Mode::Block, "SecRequestBodyAccess On\n").await;
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").await;
    sleep(SLOW).await;
    client.stream.set_zero_linger().unwrap();
    drop(client);
    let facts = first(&proxy).await;
    assert_eq!((facts.sent, facts.request_body_bytes), (None, 3));
    // It is cut at the end of a drain.
    let proxy = Proxy::start(address, Mode::Block, "").await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    sleep(SLOW / 4).await;
    proxy.drain.start(SLOW);
    let facts = first(&proxy).await;
    assert_eq!((facts.sent, facts.upstream_addr), (None, Some(address)));
    assert!(facts.timing.upstream.unwrap() >= SLOW, "{:?}", facts.timing);
}

#[tokio::test]
async fn an_answer_cut_short_is_told_as_far_as_it_came() {
    let (address, _) = upstream(|mut server| async move {
        server.request().await;
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").await;
        sleep(SLOW).await;
    })
    .await;
    let proxy = Proxy::start(address, Mode::Block, "").await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(client.take(1000).await.is_none());
    let facts = first(&proxy).await;
    assert_eq!(facts.sent, sent(200, AnsweredBy::Upstream));
    assert_eq!(facts.response_body_bytes, 3);
}

#[tokio::test]
async fn a_tunnel_is_told_when_it_begins() {
    let (address, _) = upstream(|mut server| async move {
        server.request().await;
        server.send("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        sleep(SLOW).await;
    })
    .await;
    let proxy = Proxy::start(address, Mode::Block, "").await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(client.head().await.status, 101);
    assert_eq!(only(&proxy).sent, sent(101, AnsweredBy::Upstream));
}
