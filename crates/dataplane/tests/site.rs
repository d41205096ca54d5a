//! What answers look like: pages and headers of a service, and a listener that sends everything elsewhere.

mod support;

use std::sync::Arc;

use palisade_dataplane::{Budget, HeaderChanges, Page, Redirect, Site};
use palisade_model::Mode;
use support::{Proxy, answering};

const DENY: &str = "SecRule ARGS:a \"@streq deny\" \"id:1,phase:1,deny,status:403\"\n\
    SecRule ARGS:a \"@streq away\" \"id:2,phase:1,redirect:'http://else/'\"\n";

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_block_has_the_services_page_and_every_answer_its_headers() {
    let (address, _) = answering(
        "HTTP/1.1 200 OK\r\nServer: leaky\r\nX-Frame-Options: ALLOW\r\nvia: a\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let proxy = Proxy::start(address, Mode::Block, DENY).await;
    let site = Site {
        html: Some(Page::parse(b"<p>Sorry: {{status}} {{request_id}}</p>").unwrap()),
        json: Some(Page::parse(br#"{"id":"{{request_id}}","why":"{{reason}}"}"#).unwrap()),
        headers: HeaderChanges {
            set: pairs(&[("X-Frame-Options", "DENY"), ("Strict-Transport-Security", "max-age=1")]),
            add: pairs(&[("Via", "b")]),
            remove: vec!["SERVER".to_owned()],
        },
        below: Vec::new(),
    };
    proxy.routes.replace_site(Some(Arc::new(site)));
    let get =
        |target: &str, accept: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\r\n");
    let passed = proxy.ask(get("/", "*/*")).await;
    assert_eq!((passed.status, passed.text()), (200, "ok".to_owned()));
    assert_eq!(passed.header("server"), None);
    assert_eq!(passed.headers("x-frame-options"), ["DENY"]);
    assert_eq!(passed.headers("via"), ["a", "b"]);

    let html = proxy.ask(get("/?a=deny", "text/html")).await;
    let id = html.request_id().to_owned();
    assert_eq!((html.status, html.text()), (403, format!("<p>Sorry: 403 {id}</p>")));
    assert_eq!(html.header("strict-transport-security"), Some("max-age=1"));
    let json = proxy.ask(get("/?a=deny", "application/json")).await;
    let id = json.request_id().to_owned();
    assert_eq!(json.text(), format!("{{\"id\":\"{id}\",\"why\":\"Forbidden\"}}"));
    assert_eq!(json.header("content-type"), Some("application/json"));
    // What is no block is no block's page.
    let away = proxy.ask(get("/?a=away", "text/html")).await;
    assert_eq!((away.status, away.header("location")), (302, Some("http://else/")));
    assert!(!away.text().contains("Sorry"));
    let odd = proxy.ask("GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n").await;
    assert_eq!(odd.status, 400);
}

#[tokio::test]
async fn a_listener_may_send_everything_to_https() {
    let (address, seen) = answering(support::OK).await;
    let proxy = Proxy::start_with(address, Mode::Block, DENY, Budget::new("/nonexistent"), |listener| {
        listener.redirect = Some(Redirect { status: 308, port: 8443 });
        listener.health_path = Some("/healthz".into());
    })
    .await;
    for (request, location) in [
        (
            "GET /a?a=deny&b=%20 HTTP/1.1\r\nHost: shop.example:80",
            Some("https://shop.example:8443/a?a=deny&b=%20"),
        ),
        ("GET http://other.example/x HTTP/1.1\r\nHost: h", Some("https://other.example:8443/x")),
        ("GET //evil.example/ HTTP/1.1\r\nHost: h", Some("https://h:8443//evil.example/")),
        ("OPTIONS * HTTP/1.1\r\nHost: h", Some("https://h:8443/")),
        ("GET /\"<> HTTP/1.1\r\nHost: h", Some("https://h:8443/%22%3C%3E")),
        ("GET / HTTP/1.0", None),
        ("GET / HTTP/1.1\r\nHost: a b", None),
    ] {
        let answer = proxy.ask(format!("{request}\r\n\r\n")).await;
        let status = if location.is_some() { 308 } else { 400 };
        assert_eq!((answer.status, answer.header("location")), (status, location), "{request}");
    }
    assert_eq!(proxy.ask("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.status, 200);
    // A body is not waited for.
    let post = proxy.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(post.status, 308);
    assert_eq!(seen.connections(), 0);
}
