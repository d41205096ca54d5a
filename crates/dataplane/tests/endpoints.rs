//! An upstream that is several places: who gets which request, and what happens when one of them is not there.

mod support;

use std::sync::Arc;
use std::time::Duration;

use palisade_dataplane::{Destination, Upstream, UpstreamLimits};
use palisade_model::Mode;
use support::{OK, Proxy, answering, service};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

fn destination(addresses: &[std::net::SocketAddr], eject: Duration) -> Destination {
    let limits =
        UpstreamLimits { connect: Duration::from_secs(2), eject, idle_max: 0, ..UpstreamLimits::default() };
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let upstream = Arc::new(Upstream::of(&urls, limits).unwrap());
    Destination::new(service(Mode::Off, ""), upstream)
}

/// An address that nobody listens on.
async fn nobody() -> std::net::SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn requests_are_shared_and_an_endpoint_that_is_not_there_costs_none() {
    let ((a, seen_a), (b, seen_b)) = (answering(OK).await, answering(OK).await);
    let gone = nobody().await;
    let proxy = Proxy::start(a, Mode::Off, "").await;
    proxy.routes.replace_all(destination(&[a, gone, b], Duration::from_secs(60)));
    for _ in 0..20 {
        assert_eq!(proxy.ask(GET).await.text(), "ok");
    }
    // The one that is not there was tried once, and is passed over for a minute.
    assert_eq!(proxy.count("upstream_ejections_total"), 1);
    assert_eq!(seen_a.connections() + seen_b.connections(), 20);
    assert!(seen_a.connections() >= 6 && seen_b.connections() >= 6, "{}", seen_a.connections());
    assert!(proxy.log().is_empty(), "{:?}", proxy.log());
}

#[tokio::test]
async fn one_that_comes_back_is_used_again_and_none_at_all_is_502() {
    let (here, gone) = (answering(OK).await.0, nobody().await);
    let proxy = Proxy::start(here, Mode::Off, "").await;
    proxy.routes.replace_all(destination(&[gone, gone], Duration::from_millis(50)));
    assert_eq!(proxy.ask(GET).await.status, 502);
    let listener = tokio::net::TcpListener::bind(gone).await.unwrap();
    let back = tokio::spawn(async move { listener.accept().await.map(drop) });
    tokio::time::sleep(Duration::from_millis(60)).await;
    // It hangs up, but it was asked.
    assert_eq!(proxy.ask(GET).await.status, 502);
    back.await.unwrap().unwrap();
}
