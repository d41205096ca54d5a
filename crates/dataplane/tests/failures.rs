//! The failures that docs/reference/failures.md promises an answer, a line and a metric for. The page is what is
//! checked against: a row without its test, a test without its row, and a word in a row that is not so all fail.

mod support;

// Beside this file there would be a test of its own.
#[path = "failures/http2.rs"]
mod over_http2;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use h2::Reason;
use palisade_dataplane::{
    Alpn, Believed, Budget, ClientAddresses, ClientRule, ClientRules, Destination, KeyPair, Limits, Listener,
    Routes, ServerTls, TlsServer, TlsServerSettings, Upstream, UpstreamLimits, UpstreamTls,
    UpstreamTlsSettings,
};
use palisade_inspect::RouteTable;
use palisade_model::Mode;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use support::{Client, OK, PATIENCE, Proxy, Server, answering, echoing, service, upstream};

const PAGE: &str = include_str!("../../../docs/reference/failures.md");
const TESTS: &str = concat!(include_str!("failures.rs"), include_str!("failures/http2.rs"));

/// Rules that want to see all bodies.
const SEES_ALL: &str =
    "SecRequestBodyAccess On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/plain\n";
/// Short enough to wait for, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(400);
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// What a client saw.
#[derive(Debug)]
enum Saw {
    /// An answer, whole.
    Answer(u16),
    /// The head of an answer, and a connection that ended before its body.
    CutShort(u16),
    /// The end of the connection, and nothing before.
    Nothing,
    /// On HTTP/2, by its code: the end of a stream, and the announced end of a connection.
    Reset(Reason),
    GoAway(Reason),
    /// The status of a call of gRPC.
    Grpc(String),
}

impl Saw {
    fn words(&self) -> String {
        match self {
            Saw::Answer(status) => status.to_string(),
            Saw::CutShort(status) => format!("{status}, cut short"),
            Saw::Nothing => "nothing".to_owned(),
            Saw::Reset(code) => format!("RST_STREAM ({})", code_name(*code)),
            Saw::GoAway(code) => format!("GOAWAY ({})", code_name(*code)),
            Saw::Grpc(status) => format!("grpc-status {status}"),
        }
    }

    /// The next thing that comes. Which answer has a length is up to the test: all of them.
    async fn next(client: &mut Client) -> Self {
        if client.read.is_empty() && client.is_closed_at_once().await {
            return Saw::Nothing;
        }
        let head = client.head().await;
        let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
        match client.take(length).await {
            Some(_) => Saw::Answer(head.status),
            None => Saw::CutShort(head.status),
        }
    }
}

/// As the RFC writes it.
fn code_name(code: Reason) -> String {
    let name = format!("{code:?}");
    name.strip_prefix("Reason(").and_then(|name| name.strip_suffix(')')).unwrap_or(&name).to_owned()
}

/// A row of the page.
#[derive(Debug)]
struct Row {
    answer: String,
    /// `None` where the page says that there is none.
    line: Option<String>,
    metric: String,
}

fn rows() -> Vec<(String, Row)> {
    let code = |cell: &str| cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).map(str::to_owned);
    let cells = |line: &str| -> Option<Vec<String>> {
        let cells: Vec<_> =
            line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(|c| c.trim().to_owned()).collect();
        (cells.len() == 6 && cells[5].starts_with('`')).then_some(cells)
    };
    let row = |cells: Vec<String>| {
        let line = if cells[3] == "none" { None } else { Some(code(&cells[3]).expect("a line or none")) };
        let row = Row { answer: cells[2].clone(), line, metric: code(&cells[4]).expect("a metric") };
        (code(&cells[5]).expect("a test"), row)
    };
    PAGE.lines().filter_map(cells).map(row).collect()
}

/// What has to have come of the failure of this name.
async fn check(name: &str, proxy: &Proxy, saw: Saw) {
    let (_, row) =
        rows().into_iter().find(|(test, _)| test == name).unwrap_or_else(|| panic!("no row {name}"));
    assert_eq!(saw.words(), row.answer, "{name}");
    let (metric, labels) = row.metric.split_once('{').unwrap_or((&row.metric, ""));
    let labels: Vec<(&str, &str)> = labels
        .trim_end_matches('}')
        .split(',')
        .filter_map(|label| label.split_once('='))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    let metric = metric.strip_prefix("palisade_").expect("one of ours");
    // Where nothing was answered, the line and the count may come a moment later.
    let come = async {
        let has = |text: &String| proxy.log().iter().any(|line| line.contains(text));
        while !row.line.as_ref().is_none_or(has) || proxy.count_of(metric, &labels) == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let came = timeout(PATIENCE, come).await;
    assert!(came.is_ok(), "{name}: {row:#?} of {:#?}", proxy.log());
    let lines = proxy.log();
    match &row.line {
        Some(text) => {
            assert_eq!(lines.iter().filter(|line| line.contains(text)).count(), 1, "{name}: {lines:#?}")
        }
        None => assert!(lines.is_empty(), "{name}: {lines:#?}"),
    }
    assert_eq!(proxy.count_of(metric, &labels), 1, "{name}");
}

async fn start(upstream: SocketAddr, rules: &str, change: impl FnOnce(&mut Listener)) -> Proxy {
    let short = |listener: &mut Listener| {
        listener.timeouts.head = SHORT;
        listener.timeouts.body = SHORT;
        listener.timeouts.response = SHORT;
        listener.timeouts.write = SHORT;
        change(listener);
    };
    Proxy::start_with(upstream, Mode::Block, rules, Budget::new(std::env::temp_dir()), short).await
}

/// A client sends something and looks what comes.
async fn sending(proxy: &Proxy, bytes: impl AsRef<[u8]>) -> Saw {
    let mut client = proxy.connect().await;
    client.send(bytes).await;
    Saw::next(&mut client).await
}

/// A client sends something and ends its half.
async fn half_closing(proxy: &Proxy, bytes: &str) -> Saw {
    let mut client = proxy.connect().await;
    client.send(bytes).await;
    client.stream.shutdown().await.unwrap();
    Saw::next(&mut client).await
}

/// How an upstream's connection ends.
#[derive(Clone, Copy)]
enum End {
    Closed,
    Reset,
    Never,
}

/// An upstream that reads a request, sends something, waits a little, and then ends its connection in its way.
async fn breaking(bytes: &'static str, end: End) -> SocketAddr {
    let act = move |mut server: Server| async move {
        if server.request().await.is_some() {
            server.send(bytes).await;
            sleep(SHORT / 4).await;
            match end {
                End::Closed => {}
                End::Reset => server.reset(),
                End::Never => sleep(PATIENCE).await,
            }
        }
    };
    upstream(act).await.0
}

#[test]
fn every_row_has_its_test_and_every_test_its_row() {
    let rows = rows();
    let named: BTreeSet<&str> = rows.iter().map(|(test, _)| test.as_str()).collect();
    let tests: BTreeSet<&str> = TESTS
        .split("#[tokio::test]\nasync fn ")
        .skip(1)
        .map(|rest| rest.split('(').next().unwrap_or_default())
        .collect();
    assert_eq!(named, tests);
    assert_eq!(named.len(), rows.len(), "a test twice");
    let checked = |test: &str| TESTS.matches(&format!("check(\"{test}\",")).count();
    for test in &tests {
        assert_eq!(checked(test), 1, "{test} checks its row");
    }
    println!("{} failures", rows.len());
    assert!(rows.len() > 30);
}

#[test]
fn the_times_and_sizes_of_the_page_are_the_defaults() {
    let (limits, times) = (Limits::default(), palisade_dataplane::Timeouts::default());
    let seconds = |time: Duration| format!("{} s", time.as_secs());
    for (what, value) in [
        ("request head", seconds(times.head)),
        ("request body, between two pieces", seconds(times.body)),
        ("request body, whole", seconds(times.body_whole)),
        ("idle between two requests", seconds(times.idle)),
        ("upstream, head and between two pieces", seconds(times.response)),
        ("client taking its answer", seconds(times.write)),
        ("upstream, connecting", seconds(palisade_dataplane::UpstreamLimits::default().connect)),
        ("request head", format!("{} KiB", limits.request_head.head_bytes_max / 1024)),
        ("request head, one line", format!("{} KiB", limits.request_head.line_bytes_max / 1024)),
        ("request head, fields", limits.request_head.headers_max.to_string()),
        ("response head", format!("{} KiB", limits.response_head.head_bytes_max / 1024)),
        ("request body held", format!("{} bytes", limits.request_body_held_max)),
        ("response body held", format!("{} KiB", limits.response_body_held_max / 1024)),
        ("connections of a listener", limits.connections_max.to_string()),
    ] {
        let row = format!("| {what} | {value} |");
        assert!(PAGE.contains(&row), "{row}");
    }
}

#[tokio::test]
async fn slow_head() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |_| {}).await;
    check("slow_head", &proxy, sending(&proxy, "GET / HTTP/1.1\r\nHo").await).await;
}

#[tokio::test]
async fn silent_client() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |_| {}).await;
    check("silent_client", &proxy, sending(&proxy, "").await).await;
}

#[tokio::test]
async fn slow_body() {
    let (address, _) = echoing().await;
    let proxy = start(address, SEES_ALL, |_| {}).await;
    let saw = sending(&proxy, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc").await;
    check("slow_body", &proxy, saw).await;
}

#[tokio::test]
async fn slow_body_that_streams() {
    let (address, _) = echoing().await;
    let proxy = start(address, "", |_| {}).await;
    let saw = sending(&proxy, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc").await;
    check("slow_body_that_streams", &proxy, saw).await;
}

#[tokio::test]
async fn trickling_body() {
    let (address, _) = echoing().await;
    let proxy = start(address, SEES_ALL, |listener| listener.timeouts.body_whole = SHORT * 2).await;
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n").await;
    for _ in 0..12 {
        let _ = client.stream.write_all(b"x").await;
        sleep(SHORT / 4).await;
    }
    let saw = Saw::next(&mut client).await;
    check("trickling_body", &proxy, saw).await;
}

#[tokio::test]
async fn half_closed_after_its_request() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, SEES_ALL, |_| {}).await;
    check("half_closed_after_its_request", &proxy, half_closing(&proxy, GET).await).await;
}

#[tokio::test]
async fn half_closed_in_its_head() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |_| {}).await;
    check("half_closed_in_its_head", &proxy, half_closing(&proxy, "GET / HTTP/1.1\r\nHo").await).await;
}

#[tokio::test]
async fn half_closed_in_its_body() {
    let (address, _) = echoing().await;
    let proxy = start(address, SEES_ALL, |_| {}).await;
    let saw = half_closing(&proxy, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc").await;
    check("half_closed_in_its_body", &proxy, saw).await;
}

#[tokio::test]
async fn broken_chunks() {
    let (address, _) = echoing().await;
    let proxy = start(address, SEES_ALL, |_| {}).await;
    let saw =
        sending(&proxy, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n").await;
    check("broken_chunks", &proxy, saw).await;
}

#[tokio::test]
async fn framing_in_two_ways() {
    let (address, _) = echoing().await;
    let proxy = start(address, "", |_| {}).await;
    let two =
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    check("framing_in_two_ways", &proxy, sending(&proxy, two).await).await;
}

#[tokio::test]
async fn oversize_head() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |_| {}).await;
    let saw =
        sending(&proxy, format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "a".repeat(100_000))).await;
    check("oversize_head", &proxy, saw).await;
}

#[tokio::test]
async fn oversize_body() {
    let (address, _) = echoing().await;
    let proxy = start(address, SEES_ALL, |listener| listener.limits.request_body_held_max = 100).await;
    let body = "x".repeat(101);
    let saw =
        sending(&proxy, format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n{body}")).await;
    check("oversize_body", &proxy, saw).await;
}

#[tokio::test]
async fn body_over_the_rules_limit() {
    let (address, _) = echoing().await;
    let rules = "SecRequestBodyAccess On\nSecRequestBodyLimit 100\nSecRequestBodyLimitAction Reject\n";
    let proxy = start(address, rules, |_| {}).await;
    let body = "x".repeat(101);
    let saw =
        sending(&proxy, format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n{body}")).await;
    check("body_over_the_rules_limit", &proxy, saw).await;
}

#[tokio::test]
async fn connect_asked_for() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |_| {}).await;
    let saw = sending(&proxy, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n").await;
    check("connect_asked_for", &proxy, saw).await;
}

#[tokio::test]
async fn no_route() {
    let (address, _) = answering(OK).await;
    let none = RouteTable::new(Vec::new());
    let proxy = start(address, "", |listener| listener.routes = Routes::new(none)).await;
    check("no_route", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_down() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = start(address, "", |_| {}).await;
    check("upstream_down", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_that_accepts_nobody() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // As many as it lets wait.
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(stream);
        assert!(waiting.len() < 100, "its queue has an end");
    }
    let proxy = start(address, "", |_| {}).await;
    check("upstream_that_accepts_nobody", &proxy, sending(&proxy, GET).await).await;
    drop((waiting, listener));
}

#[tokio::test]
async fn upstream_resets_before_its_head() {
    let address = breaking("", End::Reset).await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_resets_before_its_head", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_closes_before_its_head() {
    let address = breaking("", End::Closed).await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_closes_before_its_head", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_resets_in_its_head() {
    let address = breaking("HTTP/1.1 200 OK\r\nConte", End::Reset).await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_resets_in_its_head", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_closes_in_its_head() {
    let address = breaking("HTTP/1.1 200 OK\r\nConte", End::Closed).await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_closes_in_its_head", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_resets_in_its_body() {
    let address = breaking("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", End::Reset).await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_resets_in_its_body", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_closes_in_its_body() {
    let address = breaking("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", End::Closed).await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_closes_in_its_body", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_closes_in_a_held_body() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nabc";
    let address = breaking(answer, End::Closed).await;
    let proxy = start(address, SEES_ALL, |_| {}).await;
    check("upstream_closes_in_a_held_body", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_silent() {
    let address = breaking("", End::Never).await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_silent", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_silent_in_its_body() {
    let address = breaking("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", End::Never).await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_silent_in_its_body", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_says_two_things() {
    let (address, _) = answering("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx").await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_says_two_things", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_speaks_no_http() {
    let (address, _) = answering("220 mail.example ESMTP\r\n\r\n").await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_speaks_no_http", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_head_oversize() {
    let (address, _) = answering(format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(200_000))).await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_head_oversize", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_switches_unasked() {
    let (address, _) = answering("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    let proxy = start(address, "", |_| {}).await;
    check("upstream_switches_unasked", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn response_too_large_to_hold() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n";
    let (address, _) = answering(format!("{head}{}", "x".repeat(100_000))).await;
    let proxy = start(address, SEES_ALL, |listener| listener.limits.response_body_held_max = 5).await;
    check("response_too_large_to_hold", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn response_in_an_unknown_coding() {
    let (address, _) = answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: zstd\r\nContent-Length: 3\r\n\r\nabc",
    )
    .await;
    let proxy = start(address, SEES_ALL, |_| {}).await;
    check("response_in_an_unknown_coding", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn client_gone_in_its_body() {
    let (address, _) = echoing().await;
    let proxy = start(address, SEES_ALL, |_| {}).await;
    let mut client = proxy.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc").await;
    sleep(SHORT / 4).await;
    client.stream.set_zero_linger().unwrap();
    drop(client);
    check("client_gone_in_its_body", &proxy, Saw::Nothing).await;
}

#[tokio::test]
async fn client_gone_in_its_answer() {
    let body = "x".repeat(10_000_000);
    let (address, _) = answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n{body}")).await;
    let proxy = start(address, "", |_| {}).await;
    let mut client = proxy.connect().await;
    client.send(GET).await;
    let head = client.head().await;
    client.stream.set_zero_linger().unwrap();
    drop(client);
    check("client_gone_in_its_answer", &proxy, Saw::CutShort(head.status)).await;
}

#[tokio::test]
async fn client_that_does_not_read() {
    let body = "x".repeat(30_000_000);
    let (address, _) = answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n{body}")).await;
    let proxy = start(address, "", |_| {}).await;
    let mut client = proxy.connect().await;
    client.send(GET).await;
    proxy.await_log("took nothing").await;
    let saw = Saw::next(&mut client).await;
    check("client_that_does_not_read", &proxy, saw).await;
}

#[tokio::test]
async fn budget_used_up() {
    let (address, _) = echoing().await;
    let budget = Budget::with_limits(std::env::temp_dir(), 100, 100);
    let proxy = Proxy::start_with(address, Mode::Block, SEES_ALL, budget, |_| {}).await;
    let body = "x".repeat(101);
    let saw =
        sending(&proxy, format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n{body}")).await;
    check("budget_used_up", &proxy, saw).await;
}

#[tokio::test]
async fn disk_that_takes_nothing() {
    let (address, _) = echoing().await;
    // A full disk and one that is gone fail at the same place: this one is gone.
    let budget = Budget::with_limits("/nonexistent/folder", 100, 1_000_000);
    let proxy = Proxy::start_with(address, Mode::Block, SEES_ALL, budget, |_| {}).await;
    let body = "x".repeat(101);
    let saw =
        sending(&proxy, format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n{body}")).await;
    check("disk_that_takes_nothing", &proxy, saw).await;
}

#[tokio::test]
async fn too_many_connections() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |listener| listener.limits.connections_max = 1).await;
    let mut first = proxy.connect().await;
    first.send(GET).await;
    assert_eq!(first.response().await.status, 200);
    let mut second = proxy.connect().await;
    let saw = Saw::next(&mut second).await;
    check("too_many_connections", &proxy, saw).await;
}

fn tls(listener: &mut Listener) {
    let pem = |file: &str| {
        std::fs::read(format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/tls/{}"), file))
    };
    let pair = KeyPair::parse(&pem("server.crt").unwrap(), &pem("server.key").unwrap()).unwrap();
    let settings = TlsServerSettings {
        certificates: vec![("server.crt".to_owned(), pair)],
        tls12: true,
        alpn: vec![Alpn::Http1],
        client_rules: ClientRules::all(Arc::new(ClientRule::off())),
    };
    listener.tls = Some(ServerTls::new(Arc::new(TlsServer::new(settings, None).unwrap())));
    listener.timeouts.handshake = SHORT;
}

#[tokio::test]
async fn plain_http_on_a_tls_port() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", tls).await;
    check("plain_http_on_a_tls_port", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn slow_handshake() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", tls).await;
    // The beginning of a record, and no more.
    check("slow_handshake", &proxy, sending(&proxy, "\x16\x03\x01\x02\x00").await).await;
}

#[tokio::test]
async fn broken_handshake() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", tls).await;
    let mut client = proxy.connect().await;
    client.send(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00").await;
    // A word of TLS comes, and no answer of HTTP.
    client.rest().await;
    check("broken_handshake", &proxy, Saw::Nothing).await;
}

#[tokio::test]
async fn too_many_handshakes() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", |listener| {
        tls(listener);
        listener.limits.handshakes_max = 0;
    })
    .await;
    check("too_many_handshakes", &proxy, sending(&proxy, "").await).await;
}

fn by_proxy_protocol(listener: &mut Listener) {
    let text = "services: [{name: w, upstream: {url: \"http://a\"}}]\n\
         listeners: [{name: w, address: 127.0.0.1:0, clientAddress: {from: proxy-protocol, trusted: [127.0.0.1]}}]\n";
    let file = palisade_config::File { text: text.as_bytes(), folder: "" };
    let config = palisade_config::read(Some(file), &palisade_config::Overrides::default()).config.unwrap();
    let told = config.listeners[0].client_address.as_ref().unwrap();
    listener.client_addresses = Some(ClientAddresses {
        from: (*told.from).clone(),
        trusted: told.trusted.iter().map(|network| **network).collect(),
        hops: 0,
    });
    listener.timeouts.handshake = SHORT;
}

#[tokio::test]
async fn no_proxy_header() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", by_proxy_protocol).await;
    check("no_proxy_header", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn slow_proxy_header() {
    let (address, _) = answering(OK).await;
    let proxy = start(address, "", by_proxy_protocol).await;
    check("slow_proxy_header", &proxy, sending(&proxy, "PROXY TCP4 ").await).await;
}

/// Sends later requests over TLS, to whom an authority nobody has vouches for.
fn over_tls(proxy: &Proxy, address: SocketAddr) {
    let pem = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/tls/server.crt")).unwrap();
    let told = UpstreamTls::new(UpstreamTlsSettings {
        believed: Believed::ByName(palisade_dataplane::authorities(&pem).unwrap(), None),
        client: None,
        server_name: Some("test.example".to_owned()),
        alpn: vec![Alpn::Http1],
    });
    let url = format!("https://{address}");
    let upstream = Upstream::over(Arc::new(told.unwrap()), &[&url], UpstreamLimits::default()).unwrap();
    proxy.routes.replace_all(Destination::new(service(Mode::Block, ""), Arc::new(upstream)));
}

#[tokio::test]
async fn upstream_without_tls() {
    // What servers say to a greeting that is no request.
    let (address, _) =
        upstream(|mut server| async move { server.send("HTTP/1.1 400 Bad Request\r\n\r\n").await }).await;
    let proxy = start(address, "", |_| {}).await;
    over_tls(&proxy, address);
    check("upstream_without_tls", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn upstream_that_is_not_believed() {
    let (address, _) = answering(OK).await;
    // The certificate is its own authority; webpki takes no leaf that is one.
    let other = start(address, "", tls).await;
    let proxy = start(address, "", |_| {}).await;
    over_tls(&proxy, other.address);
    check("upstream_that_is_not_believed", &proxy, sending(&proxy, GET).await).await;
}

#[tokio::test]
async fn drain_deadline() {
    let address = breaking("", End::Never).await;
    let proxy = start(address, "", |listener| listener.timeouts.response = PATIENCE).await;
    let mut client = proxy.connect().await;
    client.send(GET).await;
    sleep(SHORT / 2).await;
    proxy.drain.start(SHORT / 4);
    let saw = Saw::next(&mut client).await;
    check("drain_deadline", &proxy, saw).await;
}
