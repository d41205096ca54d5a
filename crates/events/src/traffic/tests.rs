use super::*;

fn seen<'a>(redactor: &'a Redactor, target: &'a str) -> SeenRequest<'a> {
    SeenRequest {
        redactor,
        listener: "web",
        service: "shop",
        application: None,
        source: None,
        certified: false,
        peer: "192.0.2.7".parse().unwrap(),
        destination: None,
        port: 8080,
        method: b"GET",
        target: target.as_bytes(),
        version: b"HTTP/1.1",
        status: Some(200),
        user_agent: Some(b"curl/8"),
        tls: None,
        bytes_in: 10,
        bytes_out: 100,
        duration: Duration::from_millis(2),
        action: EventAction::Pass,
    }
}

fn log(switches: TrafficSwitches) -> TrafficLog {
    TrafficLog::new(switches, Redactor::new().words("node1"), Moment(1000))
}

/// No parameters.
fn none(_: &mut VisitParameter<'_>) {}

fn urls(switches: TrafficSwitches, targets: &[&str]) -> Vec<(String, u64)> {
    let (log, redactor) = (log(switches), Redactor::new());
    targets.iter().for_each(|target| log.add(&seen(&redactor, target), &none));
    let mut rows: Vec<_> =
        log.flush(Moment(2000)).into_iter().map(|row| (row.url.as_str().to_owned(), row.count)).collect();
    rows.sort();
    rows
}

#[test]
fn requests_that_are_alike_are_one_record() {
    let (log, redactor) = (log(TrafficSwitches::default()), Redactor::new());
    for _ in 0..3 {
        log.add(&seen(&redactor, "/a?b=1"), &none);
    }
    let slow = SeenRequest {
        duration: Duration::from_millis(8),
        action: EventAction::Deny,
        ..seen(&redactor, "/a?b=1")
    };
    log.add(&slow, &none);
    let rows = log.flush(Moment(16_000));
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.count, row.blocked, row.bytes_in, row.bytes_out), (4, 1, 40, 400));
    assert_eq!((row.duration_mean, row.duration_max), (3_500_000, 8_000_000));
    assert_eq!((row.start_time, row.end_time), (Moment(1000), Moment(16_000)));
    assert_eq!((row.src_name_aggr.as_str(), row.src_type), ("pub", Some("net")));
    assert_eq!((row.url.as_str(), row.method.as_str(), row.response_code.as_str()), ("/a?b=1", "GET", "200"));
    assert!(row.user_agent.is_empty(), "headers are not told by default");
    assert!(log.flush(Moment(32_000)).is_empty());
}

#[test]
fn urls_are_trimmed_as_calico_trims_them() {
    let of = |url| TrafficSwitches { url, ..TrafficSwitches::default() };
    let targets = ["/a/b?q=1", "/a/b?q=2", "/a/c"];
    let owned = |rows: &[(&str, u64)]| {
        rows.iter().map(|(url, count)| ((*url).to_owned(), *count)).collect::<Vec<_>>()
    };
    assert_eq!(urls(of(UrlDetail::Full), &targets), owned(&[("/a/b?q=1", 1), ("/a/b?q=2", 1), ("/a/c", 1)]));
    assert_eq!(urls(of(UrlDetail::WithoutQuery), &targets), owned(&[("/a/b", 2), ("/a/c", 1)]));
    assert_eq!(urls(of(UrlDetail::WithoutQueryAndPath), &targets), owned(&[("/", 3)]));
    assert_eq!(urls(of(UrlDetail::Nothing), &targets), owned(&[("", 3)]));
    let deep = ["/1/2/3/4/5/6/7", "/1/2/3/4/5/x"];
    assert_eq!(urls(of(UrlDetail::Full), &deep), owned(&[("/1/2/3/4/5", 2)]));
    let short = TrafficSwitches { url_bytes_max: 6, ..TrafficSwitches::default() };
    assert_eq!(urls(short, &["/abcdefgh", "/abcdexyz"]), owned(&[("/abcde", 2)]));
}

#[test]
fn a_record_says_where_its_path_was_cut_and_how_who_asked_is_known() {
    let switches = TrafficSwitches { url_bytes_max: 20, ..TrafficSwitches::default() };
    let (log, redactor) = (log(switches), Redactor::new());
    let source = Workload {
        namespace: "shop".into(),
        name: None,
        service_account: Some("cart".into()),
        known_by: KnownBy::Address,
    };
    for target in
        ["/1/2/3/4/5?q=123456789012345678901234567890", "/1/2/3/4/5/6", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
    {
        log.add(&seen(&redactor, target), &none);
    }
    for certified in [false, true] {
        log.add(&SeenRequest { source: Some(&source), certified, ..seen(&redactor, "/") }, &none);
    }
    let rows = log.flush(Moment(2000));
    let mut shown: Vec<_> = rows
        .iter()
        .map(|row| (row.url.as_str(), row.url_cut, row.src_known_by, row.src_service_account.as_str()))
        .collect();
    shown.sort_unstable();
    assert_eq!(
        shown,
        [
            ("/", None, Some("address"), "cart"),
            ("/", None, Some("contradiction"), "cart"),
            ("/1/2/3/4/5", Some("segment"), None, ""),
            ("/1/2/3/4/5?q=1234567", None, None, ""),
            ("/aaaaaaaaaaaaaaaaaaa", Some("byte"), None, ""),
        ]
    );
}

#[test]
fn what_is_switched_off_tells_nothing_apart() {
    let redactor = Redactor::new();
    let off =
        TrafficSwitches { method: false, response_code: false, source: false, ..TrafficSwitches::default() };
    for (switches, records) in [(TrafficSwitches::default(), 4), (off, 1)] {
        let log = log(switches);
        let plain = seen(&redactor, "/");
        log.add(&plain, &none);
        log.add(&SeenRequest { method: b"POST", ..plain.clone() }, &none);
        log.add(&SeenRequest { status: Some(404), ..plain.clone() }, &none);
        log.add(&SeenRequest { peer: "10.0.0.1".parse().unwrap(), ..plain.clone() }, &none);
        assert_eq!(log.flush(Moment(2000)).len(), records);
    }
}

#[test]
fn beyond_the_bound_requests_are_counted_by_service() {
    let log = log(TrafficSwitches { records_max: 10, ..TrafficSwitches::default() });
    let redactor = Redactor::new();
    let targets: Vec<String> = (0..100).map(|number| format!("/{number}")).collect();
    targets.iter().for_each(|target| log.add(&seen(&redactor, target), &none));
    let rows = log.flush(Moment(2000));
    assert_eq!((rows.len(), rows.iter().map(|row| row.count).sum::<u64>(), log.excess()), (11, 100, 90));
}

#[test]
fn a_sketch_has_names_and_classes_and_never_a_value() {
    let (log, redactor) = (log(TrafficSwitches::default()), Redactor::new());
    let values: [&[u8]; 3] = [b"17", b"hunter2", b"ann@example.com"];
    for value in values {
        log.add(&seen(&redactor, "/form"), &|visit| visit("body", b"user", value));
    }
    let rows = log.flush(Moment(2000));
    let [sketch] = &rows[0].parameters[..] else { panic!("{rows:?}") };
    let classes: Vec<&str> = sketch.classes.iter().map(|class| class.as_str()).collect();
    assert_eq!((sketch.name.as_str(), sketch.count, sketch.bytes_max), ("user", 3, 15));
    assert_eq!(classes, ["integer", "email", "word"]);
    let json = serde_json::to_string(&rows[0]).unwrap();
    assert!(!json.contains("hunter2") && !json.contains("ann@"), "{json}");
}

#[test]
fn a_hostile_request_makes_a_bounded_record_without_secrets() {
    let (log, redactor) = (log(TrafficSwitches::default()), Redactor::new());
    let target = format!("/login?password=hunter2&x={}", "\u{1b}[31m".repeat(200_000));
    let names: Vec<String> = (0..5000).map(|number| format!("{number}{}", "n".repeat(500))).collect();
    log.add(&seen(&redactor, &target), &|visit| {
        names.iter().for_each(|name| visit("query", name.as_bytes(), b"v"));
    });
    let json = serde_json::to_string(&log.flush(Moment(2000))[0]).unwrap();
    assert!(json.len() < 16 * 1024 && !json.contains("hunter2") && !json.contains('\u{1b}'), "{json}");
}

#[test]
fn pods_of_one_set_share_a_name() {
    assert_eq!(aggregated("web-7d4b9c6f5d-x2k4z"), "web-7d4b9c6f5d-*");
    assert_eq!(aggregated("web-0"), "web-0");
    assert_eq!(aggregated("web-chart"), "web-chart");
    assert_eq!(aggregated("-x2k4z"), "-x2k4z");
}
