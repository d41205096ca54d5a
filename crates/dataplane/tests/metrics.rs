//! What is counted, and under which names.

mod support;

use std::collections::HashSet;

use palisade_dataplane::{Budget, Value};
use palisade_inspect::Service;
use palisade_model::Mode;

use support::{OK, PATIENCE, Proxy, answering, service};

#[tokio::test]
async fn requests_are_counted_by_listener_service_status_and_whose_answer_it_was() {
    let (address, _) = answering("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n").await;
    let rules = "SecRule ARGS:a \"@streq deny\" \"id:1,phase:1,deny,status:403\"\n\
                 SecRule ARGS:a \"@streq drop\" \"id:2,phase:1,drop\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let mut client = proxy.connect().await;
    for path in ["/", "/", "/?a=deny", "/?a=drop"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        if path != "/?a=drop" {
            client.response().await;
        }
    }
    assert!(client.is_closed().await);
    let count = |service: &str, status: &str, by: &str| {
        let labels = [("listener", "test"), ("service", service), ("status", status), ("by", by)];
        proxy.count_of("requests_total", &labels)
    };
    let counts = [("4xx", "upstream"), ("4xx", "palisade"), ("none", "palisade")];
    assert_eq!(counts.map(|(status, by)| count("test", status, by)), [2, 1, 1]);
    assert_eq!(proxy.count("requests_total"), 4);
    // A service that takes over has counters of its own, on connections that were there before, too.
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    client.response().await;
    let profile = service(Mode::Off, "").profile.clone();
    proxy.routes.replace_service(Service::new("next", profile));
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    client.response().await;
    assert_eq!((count("test", "4xx", "upstream"), count("next", "4xx", "upstream")), (3, 1));
}

#[tokio::test]
async fn blocks_are_counted_by_what_the_deciding_rule_is_about() {
    let (address, _) = answering(OK).await;
    let rules = "SecRequestBodyAccess On\nSecRequestBodyLimit 10\n\
        SecRule ARGS:a \"@streq tagged\" \"id:1,phase:1,deny,tag:'attack-rce'\"\n\
        SecRule ARGS:a \"@streq own\" \"id:2,phase:1,deny\"\n\
        SecRule ARGS:a \"@streq numbered\" \"id:942100,phase:1,deny\"\n\
        SecRule ARGS:a \"@streq scored\" \"id:920100,phase:1,pass,log,severity:WARNING\"\n\
        SecRule ARGS:a \"@streq scored\" \"id:941100,phase:1,pass,log,severity:CRITICAL\"\n\
        SecRule ARGS:a \"@streq scored\" \"id:949110,phase:1,deny\"\n";
    let attack = |a: &str| format!("GET /?a={a} HTTP/1.1\r\nHost: h\r\n\r\n");
    let asked = [attack("tagged"), attack("own"), attack("numbered"), attack("scored")];
    let large = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world".to_owned();
    let two_ways = "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n".to_owned();
    let classes = ["rce", "other", "sqli", "xss", "limit", "framing"];
    for (mode, metric) in
        [(Mode::Block, "requests_blocked_total"), (Mode::Monitoring, "requests_would_block_total")]
    {
        let proxy = Proxy::start(address, mode, rules).await;
        for request in asked.iter().chain([&large, &two_ways]) {
            proxy.ask(request).await;
        }
        // Framing is refused in every mode. In monitoring a body over the rules' limit is no reason to stop.
        let counts = classes.map(|class| proxy.count_of(metric, &[("class", class)]));
        let framing = proxy.count_of("requests_blocked_total", &[("class", "framing")]);
        match mode {
            Mode::Block => assert_eq!(counts, [1, 1, 1, 1, 1, 1]),
            _ => assert_eq!(counts, [1, 1, 1, 1, 1, 0], "{:#?}", proxy.log()),
        }
        assert_eq!(framing, 1);
    }
}

#[tokio::test]
async fn time_is_counted_where_it_went() {
    let (address, _) = answering(OK).await;
    let rules = "SecRule ARGS:a \"@streq deny\" \"id:1,phase:1,deny\"\n";
    let proxy = Proxy::start(address, Mode::Block, rules).await;
    let off = Proxy::start(address, Mode::Off, rules).await;
    for path in ["/", "/?a=deny"] {
        proxy.ask(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        off.ask(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
    }
    let count = |proxy: &Proxy, part| proxy.count_of("request_duration_seconds", &[("part", part)]);
    assert_eq!(["proxy", "engine", "upstream"].map(|part| count(&proxy, part)), [2, 2, 1]);
    assert_eq!(["proxy", "engine", "upstream"].map(|part| count(&off, part)), [2, 0, 2]);
}

#[tokio::test]
async fn body_bytes_are_counted_by_whether_rules_were_shown_them() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nworld";
    let (address, _) = answering(answer).await;
    let looked_at = "SecRequestBodyAccess On\nSecResponseBodyAccess On\nSecResponseBodyMimeType text/plain\n";
    for (rules, inspected) in [(looked_at, "true"), ("SecRequestBodyAccess Off\n", "false")] {
        let proxy = Proxy::start(address, Mode::Block, rules).await;
        proxy.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").await;
        for direction in ["request", "response"] {
            assert_eq!(proxy.count_of("body_bytes_total", &[("direction", direction)]), 5, "{direction}");
            let labels = [("direction", direction), ("inspected", inspected)];
            assert_eq!(proxy.count_of("body_bytes_total", &labels), 5, "{labels:?}");
        }
    }
}

#[tokio::test]
async fn connections_are_open_until_they_are_closed() {
    let (address, _) = answering(OK).await;
    let proxy = Proxy::start_with(address, Mode::Block, "", Budget::new(std::env::temp_dir()), |_| {}).await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    client.response().await;
    assert_eq!((proxy.count("connections_open"), proxy.count("connections_total")), (1, 1));
    drop(client);
    let closed = async {
        while proxy.count("connections_open") > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("it is closed");
}

#[tokio::test]
async fn every_metric_can_be_shown() {
    let (address, _) = answering(OK).await;
    let proxy = Proxy::start(address, Mode::Block, "").await;
    proxy.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let (mut done, mut last, mut samples) = (HashSet::new(), String::new(), HashSet::new());
    proxy.plane.visit_metrics(&mut |sample| {
        let name = sample.name;
        assert!(name.starts_with("palisade_"), "{name}");
        assert!(
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
            "{name}"
        );
        assert!(
            !sample.help.is_empty() && sample.help.ends_with('.') && !sample.help.contains('\n'),
            "{name}"
        );
        let unit = match sample.value {
            Value::Counter(_) => "_total",
            Value::Gauge(_) if name.contains("bytes") => "_bytes",
            Value::Gauge(_) if name.ends_with("_entries") => "_entries",
            Value::Gauge(_) => "_open",
            Value::Histogram(_) => "_seconds",
        };
        assert!(name.ends_with(unit), "{name}");
        if name != last {
            assert!(done.insert(name.to_owned()), "{name} comes in two places");
            last = name.to_owned();
        }
        assert!(samples.insert(format!("{name}{:?}", sample.labels)), "{name} {:?} twice", sample.labels);
    });
    println!("{} metrics, {} samples", done.len(), samples.len());
    assert!(done.len() > 20);
}
