//! Events of a running proxy: what makes one, who finds it again, and what becomes of them when a process is killed or the
//! store cannot be written.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Answer, Folder, Running, Upstream, command, eventually, get, palisade, send};

const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecRule ARGS:q "@contains evil" "id:1001,phase:2,deny,status:403,log,msg:'Evil',severity:CRITICAL,tag:attack-sqli,logdata:'%{MATCHED_VAR}'"
"#;

/// A proxy that keeps events, in a mode.
fn proxy(folder: &Folder, upstream: &Upstream, mode: &str, events: &str) -> Running {
    let rules = folder.write("rules.conf", RULES);
    let config = format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: shop, upstream: {{url: \"{}\"}}}}]\n\
         profiles: {{default: {{mode: {mode}, rules: {{files: [{rules}]}}, detect: {{enabled: false}}}}}}\n\
         events: {{{events}}}\n",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    );
    let file = folder.write("palisade.yaml", config);
    Running::start(command(&["run", "--config", &file]))
}

fn query(folder: &Folder, arguments: &[&str]) -> Answer {
    let data = folder.at("data");
    palisade(&[&["events", "query", "--data-dir", &data, "--format", "json"], arguments].concat())
}

/// The events of a question, once there are so many.
fn found(folder: &Folder, arguments: &[&str], count: usize) -> Vec<Value> {
    eventually(&format!("{count} of {arguments:?}"), || {
        let answer = query(folder, arguments);
        (answer.out.lines().count() >= count).then(|| answer.json_lines())
    })
}

fn metrics(admin: SocketAddr) -> String {
    send(admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").body
}

#[test]
fn an_attack_is_an_event_that_every_question_finds_and_the_rest_is_counted() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "block", "l7: {flushInterval: 1s}");
    let address = proxy.address();
    for _ in 0..3 {
        assert_eq!(get(address, "/item?id=17&q=good", "").status, 200, "{}", proxy.err());
    }
    let trace = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let refused = get(address, "/search?q=evil+twin&password=hunter2", trace);
    assert_eq!(refused.status, 403);

    let events = found(&folder, &[], 1);
    let [event] = &events[..] else { panic!("{events:?}") };
    for (path, expected) in [
        ("/kind", "waf"),
        ("/action", "deny"),
        ("/mode", "block"),
        ("/service", "shop"),
        ("/source/ip", "127.0.0.1"),
        ("/destination/hostname", "shop"),
        ("/method", "GET"),
        ("/path", "/search?q=evil+twin&password=********"),
        ("/msg", "WAF check FAILED!"),
        ("/rules/0/id", "1001"),
        ("/rules/0/severity", "2"),
        ("/rules/0/data", "evil twin"),
        ("/attacks/0", "sqli"),
        ("/cause", "rule"),
        ("/trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("/request_id", refused.header("x-request-id").unwrap()),
    ] {
        assert_eq!(event.pointer(path).and_then(Value::as_str), Some(expected), "{path} of {event:#}");
    }
    assert!(event["rule_info"].as_str().unwrap().starts_with("[1] Host:'127.0.0.1'"), "{event:#}");
    assert!(event["rule_info"].as_str().unwrap().contains("ID:'1001'"), "{event:#}");
    assert_eq!((event["status"].as_u64(), event["rule_id"].as_u64()), (Some(403), Some(1001)));

    for arguments in [
        &["--service", "shop"][..],
        &["--kind", "waf", "--action", "deny"],
        &["--source", "127.0.0.1"],
        &["--rule", "1001"],
        &["--attack", "sqli"],
        &["--text", "evil TWIN"],
        &["--since", "5m"],
        &["\"rule_info\" IN {\"*1001*\"}"],
        &["service = shop AND \"rules.id\" = 1001 AND status >= 400"],
    ] {
        assert_eq!(query(&folder, arguments).out.lines().count(), 1, "{arguments:?}");
    }
    for arguments in [&["--service", "bank"][..], &["--rule", "1002"], &["--until", "5m"], &["status < 400"]]
    {
        let nothing = query(&folder, arguments);
        assert_eq!((nothing.code, &*nothing.out), (1, ""), "{arguments:?}");
    }
    let wrong = query(&folder, &["status >"]);
    assert!(wrong.code == 2 && wrong.err.contains("column"), "{wrong:?}");
    let counts = query(&folder, &["--count-by", "action"]);
    assert_eq!(counts.json_lines(), [serde_json::json!({"action": "deny", "count": 1})]);

    let traffic = found(&folder, &["--l7", "--oldest-first"], 2);
    let good = traffic.iter().find(|record| record["response_code"] == "200").unwrap();
    assert_eq!((good["count"].as_u64(), good["service"].as_str()), (Some(3), Some("shop")), "{good:#}");
    assert_eq!(good["parameters"][0]["name"], "id");
    assert_eq!(good["parameters"][0]["classes"], serde_json::json!(["integer"]));
    let stopped = traffic.iter().find(|record| record["response_code"] == "403").unwrap();
    assert_eq!(stopped["blocked"].as_u64(), Some(1));
    assert!(!format!("{traffic:?}").contains("hunter2"));

    let page = metrics(proxy.admin());
    for line in
        ["palisade_events_total 1", "palisade_events_dropped_total 0", "palisade_event_store_failed_total 0"]
    {
        assert!(page.lines().any(|own| own == line), "{line} in {page}");
    }
    assert_eq!(proxy.end(), 0);
    // All is in the file itself once the process has ended.
    let left: Vec<String> = std::fs::read_dir(folder.at("data/events"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".sqlite"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(query(&folder, &[]).out.lines().count(), 1);
}

#[test]
fn monitoring_says_what_would_have_been_blocked() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "monitoring", "");
    assert_eq!(get(proxy.address(), "/?q=evil", "").status, 200);
    let events = found(&folder, &[], 1);
    assert_eq!(
        (&events[0]["action"], &events[0]["answered_by"]),
        (&"would_block".into(), &"upstream".into())
    );
}

#[test]
fn tail_goes_on_with_what_comes() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "block", "");
    let address = proxy.address();
    get(address, "/before?q=evil", "");
    found(&folder, &[], 1);
    let data = folder.at("data");
    let tail = Running::start(command(&["events", "tail", "--data-dir", &data, "--action", "deny"]));
    eventually("the event that was there", || tail.out().contains("/before").then_some(()));
    for number in 0..20 {
        get(address, &format!("/after-{number}?q=evil"), "");
    }
    let began = Instant::now();
    let out = eventually("what came", || Some(tail.out()).filter(|out| out.contains("/after-19")));
    assert!(began.elapsed() < Duration::from_secs(2), "live within 2 s");
    for number in 0..20 {
        assert_eq!(out.matches(&format!("/after-{number}?")).count(), 1, "{out}");
    }
}

#[test]
fn hostile_requests_are_harmless_in_the_store_and_on_a_terminal() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "block", "");
    let address = proxy.address();
    let long = "x".repeat(1024 * 1024);
    let hostile: [Vec<u8>; 4] = [
        b"GET /<script>alert(1)</script>\x1b[31m\xff\xfe?q=evil\x9b2J HTTP/1.1\r\nHost: \x1b]0;a\x07\r\nUser-Agent: =cmd|'/C calc'!A0\xe2\x80\xae\r\nConnection: close\r\n\r\n".to_vec(),
        "GET /\u{202e}gnp.exe?q=evil\u{9b}31m HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".into(),
        format!("GET /{long}?q=evil HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").into_bytes(),
        format!("POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\nq=evil{long}", long.len() + 6).into_bytes(),
    ];
    for request in &hostile {
        let _ = send(address, request);
    }
    let events = found(&folder, &[], 3);
    assert!(events.len() <= 4, "{}", events.len());
    let acts = |character: char| {
        character.is_control() && character != '\n'
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let data = folder.at("data");
    for format in ["json", "text"] {
        let shown =
            palisade(&["events", "query", "--data-dir", &data, "--format", format, "--color", "never"]);
        assert!(
            !shown.out.chars().any(acts),
            "{format}: {:?}",
            shown.out.chars().find(|character| acts(*character))
        );
        assert!(shown.out.lines().all(|line| line.len() < 64 * 1024), "{format}: bounded");
    }
    assert!(
        events.iter().any(|event| event["path"].as_str().unwrap().contains("\\x1b[31m\\xff\\xfe")),
        "{events:#?}"
    );
}

#[test]
fn a_killed_process_loses_the_last_batch_at_most_and_breaks_nothing() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut safe = Vec::new();
    for round in 0..6 {
        let mut proxy = proxy(&folder, &upstream, "block", "");
        let address = proxy.address();
        for number in 0..15 {
            safe.push(format!("/{round}-{number}?q=evil"));
            get(address, safe.last().unwrap(), "");
        }
        // Longer than a batch waits and a transaction takes.
        std::thread::sleep(Duration::from_millis(1000));
        for number in 15..15 + 3 * round {
            get(address, &format!("/{round}-{number}?q=evil"), "");
        }
        proxy.signal("KILL");
        drop(proxy);
        let events = query(&folder, &["--limit", "1000"]).json_lines();
        for path in &safe {
            let count = events.iter().filter(|event| event["path"] == path.as_str()).count();
            assert_eq!(count, 1, "{path} after round {round}");
        }
    }
    // And the file is whole, by SQLite's own word.
    for entry in std::fs::read_dir(folder.at("data/events")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sqlite") {
            let connection = rusqlite::Connection::open(&path).unwrap();
            let word: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(word, "ok");
        }
    }
}

#[test]
fn a_store_that_cannot_be_written_costs_events_and_no_requests() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    std::fs::create_dir_all(folder.at("data")).unwrap();
    std::fs::write(folder.at("data/events"), "in the way").unwrap();
    let mut proxy = proxy(&folder, &upstream, "block", "");
    let address = proxy.address();
    assert_eq!(get(address, "/?q=evil", "").status, 403);
    assert_eq!(get(address, "/?q=good", "").status, 200);
    proxy.wait_err("the store cannot be written, events are lost");
    let admin = proxy.admin();
    eventually("the metric", || metrics(admin).contains("palisade_event_store_failing 1").then_some(()));
    std::fs::remove_file(folder.at("data/events")).unwrap();
    eventually("an event after the store is back", || {
        get(address, "/back?q=evil", "");
        query(&folder, &[]).out.contains("/back").then_some(())
    });
    proxy.wait_err("the store is written again");
}

#[test]
fn without_events_nothing_is_kept() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "block", "enabled: false");
    assert_eq!(get(proxy.address(), "/?q=evil", "").status, 403);
    assert!(!metrics(proxy.admin()).contains("palisade_events_total"));
    assert_eq!(proxy.end(), 0);
    assert!(!std::path::Path::new(&folder.at("data/events")).exists());
    let nothing = query(&folder, &[]);
    assert!(nothing.code == 2 && nothing.err.contains("there is no event store"), "{nothing:?}");
}
