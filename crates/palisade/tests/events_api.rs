//! Events by the admin listener's API: pages, sums, the graph, the stream, and alerts that are written there.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Folder, Response, Running, Upstream, command, eventually, get, palisade, send};

const RULES: &str = r#"
SecRuleEngine On
SecRule ARGS:q "@contains evil" "id:1001,phase:2,deny,status:403,log,msg:'Evil',severity:CRITICAL,tag:attack-sqli"
SecRule ARGS:q "@contains odd" "id:1002,phase:2,pass,log,msg:'Odd',severity:NOTICE,tag:attack-xss"
"#;

fn proxy(folder: &Folder, upstream: &Upstream, more: &str) -> Running {
    let rules = folder.write("rules.conf", RULES);
    let config = format!(
        "workload: {{namespace: shop, name: web}}\nadmin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\n\
         logs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: front, upstream: {{url: \"{}\"}}}}]\n\
         profiles: {{default: {{mode: block, rules: {{files: [{rules}]}}, detect: {{enabled: false}}}}}}\n{more}",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    );
    let file = folder.write("palisade.yaml", config);
    Running::start(command(&["run", "--config", &file]))
}

fn ask(admin: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Response {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n{body}",
        body.len()
    );
    send(admin, request.as_bytes())
}

fn read(admin: SocketAddr, path: &str) -> Value {
    let response = ask(admin, "GET", path, "", "");
    assert_eq!(response.status, 200, "{path}: {}", response.body);
    serde_json::from_str(&response.body).unwrap_or_else(|error| panic!("{path}: {error}: {}", response.body))
}

fn items(admin: SocketAddr, path: &str) -> Vec<Value> {
    read(admin, path)["items"].as_array().unwrap().clone()
}

#[test]
fn pages_sums_and_graph_tell_what_happened() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "events: {l7: {flushInterval: 1s}}\n");
    let (address, admin) = (proxy.address(), proxy.admin());
    for (target, status, times) in [("/?q=good", 200, 5), ("/?q=evil", 403, 3), ("/?q=odd", 200, 1)] {
        for _ in 0..times {
            assert_eq!(get(address, target, "").status, status, "{}", proxy.err());
        }
    }
    eventually("four events", || (items(admin, "/api/v1/events").len() == 4).then_some(()));

    // Pages go on where they ended, and events have pages of their own.
    let first = read(admin, "/api/v1/events?limit=3");
    let cursor = first["next"].as_str().unwrap();
    let rest = read(admin, &format!("/api/v1/events?limit=3&cursor={cursor}"));
    assert_eq!((first["items"].as_array().unwrap().len(), &rest["next"]), (3, &Value::Null));
    let oldest = &rest["items"][0];
    assert_eq!((oldest["action"].as_str(), oldest["rules"][0]["id"].as_str()), (Some("deny"), Some("1001")));
    let id = oldest["id"].as_str().unwrap();
    assert_eq!(&read(admin, &format!("/api/v1/events/{id}")), oldest);
    // The same text that `palisade events query` prints.
    let printed = palisade(&["events", "query", "--data-dir", &folder.at("data"), "--format", "json"]);
    assert_eq!(printed.json_lines().last(), Some(oldest));

    for (question, count) in [
        ("action=deny", 3),
        ("rule=1002", 1),
        ("service=front", 4),
        ("service=other", 0),
        ("source=127.0.0.1", 4),
        ("attack=xss", 1),
        ("q=evil", 3),
        ("q=status+%3E%3D+400+AND+%22rules.id%22+%3D+1001", 3),
        ("from=5m", 4),
        ("to=5m", 0),
        ("from=2020-01-01T00:00:00.000Z&to=2020-01-02T00:00:00Z", 0),
    ] {
        let found = items(admin, &format!("/api/v1/events?{question}"));
        assert_eq!(found.len(), count, "{question}: {found:?}");
    }
    for (path, status, word) in [
        ("events?q=status+%3E", 400, "column"),
        ("events?from=soon", 400, "2026-11-22T12:00:00Z"),
        ("events?limit=0", 400, "1 to 1000"),
        ("events?cursor=x", 400, "next"),
        ("events?colour=red", 400, "colour"),
        ("events/00000000000000000000000000000001", 404, "no event"),
        ("events/x", 404, "paths"),
        ("stats?by=moon", 400, "country"),
        ("stats?from=2020-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", 400, "400 days"),
        ("graph?from=5m&to=10m", 400, "comes before"),
    ] {
        let response = ask(admin, "GET", &format!("/api/v1/{path}"), "", "");
        assert!(response.status == status && response.body.contains(word), "{path}: {}", response.body);
    }
    assert_eq!(ask(admin, "POST", "/api/v1/events", "", "").status, 405);

    // L7 records come after their interval.
    let stats = eventually("requests in sums", || {
        Some(read(admin, "/api/v1/stats")).filter(|stats| stats["total"]["requests"] == 9)
    });
    assert_eq!(stats["total"], json!({"requests": 9, "blocked": 3, "would_block": 0, "events": 4}));
    assert_eq!(stats["groups"], json!([{"key": "front", "requests": 9, "blocked": 3, "would_block": 0}]));
    assert_eq!(stats["step_seconds"], 60);
    let sum = |key: &str| -> u64 {
        stats["series"].as_array().unwrap().iter().map(|point| point[key].as_u64().unwrap()).sum()
    };
    assert_eq!((sum("requests"), sum("blocked")), (9, 3));
    let groups = |by: &str| -> Vec<(String, u64)> {
        let stats = read(admin, &format!("/api/v1/stats?by={by}"));
        let group =
            |group: &Value| (group["key"].as_str().unwrap().to_owned(), group["requests"].as_u64().unwrap());
        stats["groups"].as_array().unwrap().iter().map(group).collect()
    };
    let row = |key: &str, count| (key.to_owned(), count);
    assert_eq!(groups("action"), [row("pass", 6), row("deny", 3)]);
    assert_eq!(groups("attack"), [row("sqli", 3), row("xss", 1)]);
    assert_eq!(groups("rule"), [row("1001", 3), row("1002", 1)]);
    assert_eq!(groups("source"), [row("127.0.0.1", 4)]);
    assert_eq!(groups("country"), []);

    let graph = read(admin, "/api/v1/graph");
    assert_eq!(
        graph["nodes"],
        json!([
            {"id": "external", "kind": "external", "namespace": "-", "name": "external", "protected": null, "mode": null},
            {"id": "shop/web", "kind": "service", "namespace": "shop", "name": "web", "protected": true, "mode": "block"},
        ])
    );
    assert_eq!(
        graph["edges"],
        json!([{
            "source": "external", "destination": "shop/web", "requests": 9, "blocked": 3, "would_block": 0,
            "errors": 0, "attacks": [{"key": "sqli", "count": 3}, {"key": "xss", "count": 1}],
        }])
    );
    assert_eq!(proxy.end(), 0);
}

/// Somebody who listens to the stream.
struct Listening {
    lines: BufReader<TcpStream>,
}

impl Listening {
    fn start(admin: SocketAddr, headers: &str) -> Self {
        let mut stream = TcpStream::connect(admin).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET /api/v1/stream HTTP/1.1\r\nHost: {admin}\r\n{headers}\r\n").unwrap();
        let mut listening = Self { lines: BufReader::new(stream) };
        let head = listening.until(|line| line.is_empty());
        assert!(head[0].contains(" 200 "), "{head:?}");
        assert!(head.iter().any(|line| line == "content-type: text/event-stream"), "{head:?}");
        listening.until(|line| line == "retry: 2000");
        listening
    }

    fn until(&mut self, is_last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "it ended: {lines:?}");
            lines.push(line.trim_end().to_owned());
            if is_last(line.trim_end()) {
                return lines;
            }
        }
    }

    /// The next event: its id and what it is.
    fn event(&mut self) -> (String, Value) {
        let lines = self.until(|line| line.starts_with("data: "));
        let of = |name: &str| {
            let line = lines.iter().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {lines:?}")).to_owned()
        };
        assert_eq!(of("event: "), "event");
        (of("id: "), serde_json::from_str(&of("data: ")).unwrap())
    }
}

#[test]
fn who_listens_hears_of_each_event_and_of_what_was_missed() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "");
    let (address, admin) = (proxy.address(), proxy.admin());
    let mut listening = Listening::start(admin, "");
    assert_eq!(get(address, "/?q=evil+1", "").status, 403);
    let (first, event) = listening.event();
    assert_eq!((event["id"].as_str(), event["path"].as_str()), (Some(first.as_str()), Some("/?q=evil+1")));
    drop(listening);
    assert_eq!(get(address, "/?q=evil+2", "").status, 403);
    eventually("both are kept", || (items(admin, "/api/v1/events").len() == 2).then_some(()));
    let mut again = Listening::start(admin, &format!("Last-Event-ID: {first}\r\n"));
    assert_eq!(again.event().1["path"], "/?q=evil+2");
    assert_eq!(get(address, "/?q=evil+3", "").status, 403);
    assert_eq!(again.event().1["path"], "/?q=evil+3");
    // There is room for some, and probes are answered whoever listens.
    let mut others: Vec<Listening> = (1..16).map(|_| Listening::start(admin, "")).collect();
    let many = ask(admin, "GET", "/api/v1/stream", "", "");
    assert!(many.status == 503 && many.body.contains("too many"), "{}", many.body);
    assert_eq!(ask(admin, "GET", "/livez", "", "").status, 200);
    assert_eq!(get(address, "/?q=evil+4", "").status, 403);
    for listening in others.iter_mut().chain([&mut again]) {
        assert_eq!(listening.event().1["path"], "/?q=evil+4");
    }
    assert_eq!(proxy.end(), 0);
}

const ALERT: &str = "apiVersion: projectcalico.org/v3\nkind: GlobalAlert\nmetadata: {name: evil}\n\
    spec: {description: evil, summary: \"${count} from ${source.ip}\", severity: 70, dataSet: waf, period: 1m, lookback: 10m, \
    query: action = deny, aggregateBy: [source.ip], metric: count, condition: gte, threshold: 1}\n";

#[test]
fn alerts_are_written_by_the_api_as_in_files_and_outlast_a_restart() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("alerts.yaml", ALERT.replace("name: evil", "name: of-file"));
    let alerts = "alerts: {files: [alerts.yaml]}\n";
    let mut running = proxy(&folder, &upstream, alerts);
    let admin = running.admin();
    let put = |name: &str, text: &str, headers: &str| {
        ask(admin, "PUT", &format!("/api/v1/alerts/{name}?by=ann&reason=trial"), headers, text)
    };
    let added = put("evil", ALERT, "");
    assert_eq!(added.status, 200, "{}", added.body);
    let added: Value = serde_json::from_str(&added.body).unwrap();
    assert_eq!((&added["origin"], &added["spec"]["threshold"]), (&"api".into(), &1.0.into()), "{added}");
    // What is shown can be written again, as JSON.
    let shown = read(admin, "/api/v1/alerts/evil");
    let again = json!({
        "apiVersion": "projectcalico.org/v3", "kind": "GlobalAlert", "metadata": {"name": "evil"}, "spec": shown["spec"],
    });
    assert_eq!(put("evil", &again.to_string(), "").status, 200);

    let webhook = |config: &str| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: SecurityEventWebhook\nmetadata: {{name: evil}}\n\
             spec: {{consumer: Generic, state: Disabled, config: [{{name: url, value: \"http://127.0.0.1:9/\"}}{config}]}}\n"
        )
    };
    let reads_files = webhook(", {name: password, valueFrom: {file: /etc/shadow}}");
    for (name, text, status, word) in [
        ("evil", ALERT.replace("dataSet: waf", "dataSet: wav"), 400, "body:4:"),
        ("evil", ALERT.replace("gte", "atleast"), 400, "condition"),
        ("other", ALERT.to_owned(), 400, "alike"),
        ("evil", format!("{ALERT}---\n{ALERT}"), 400, "one object"),
        ("evil", String::new(), 400, "one object"),
        ("evil", "a: [".to_owned(), 400, "body:"),
        ("of-file", ALERT.replace("name: evil", "name: of-file"), 409, "alerts.yaml"),
        ("evil", "x".repeat(70_000), 413, "65536"),
        ("evil", reads_files, 400, "secretKeyRef"),
    ] {
        let response = put(name, &text, "");
        assert!(response.status == status && response.body.contains(word), "{text}: {}", response.body);
    }
    let foreign = put("evil", ALERT, "Origin: http://elsewhere.example\r\n");
    assert_eq!(foreign.status, 403, "{}", foreign.body);
    assert_eq!(put("evil", &webhook(""), "").status, 200);
    let kinds = |admin| -> Vec<String> {
        let of = |item: &Value| {
            let text = |key: &str| item[key].as_str().unwrap().to_owned();
            format!("{} {} {}", text("kind"), text("name"), text("origin"))
        };
        items(admin, "/api/v1/alerts").iter().map(of).collect()
    };
    let all = ["GlobalAlert of-file file", "GlobalAlert evil api", "SecurityEventWebhook evil api"];
    assert_eq!(kinds(admin), all);
    assert_eq!(items(admin, "/api/v1/alerts?kind=GlobalAlertTemplate"), [] as [Value; 0]);
    let said = running.err();
    for line in ["ann (api, 127.0.0.1) added GlobalAlert evil: trial", "replaced GlobalAlert evil"] {
        assert!(said.contains(line), "{line} in {said}");
    }

    // They survive, and fire: an event among events.
    running.signal("KILL");
    drop(running);
    let mut running = proxy(&folder, &upstream, alerts);
    let (address, admin) = (running.address(), running.admin());
    assert_eq!(kinds(admin), all);
    assert_eq!(get(address, "/?q=evil", "").status, 403);
    let begun = std::time::Instant::now();
    let fired = loop {
        let fired = items(admin, "/api/v1/alerts/fired?name=evil");
        if !fired.is_empty() {
            break fired;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "it never fired: {}", running.err());
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(fired[0]["description"], "1 from 127.0.0.1");
    assert_eq!((&fired[0]["kind"], &fired[0]["origin"]), (&"alert".into(), &"evil".into()));
    let id = fired[0]["id"].as_str().unwrap();
    assert_eq!(read(admin, &format!("/api/v1/events/{id}")), fired[0]);
    eventually("both have fired", || (items(admin, "/api/v1/events?kind=alert").len() == 2).then_some(()));
    let printed = palisade(&["events", "query", "--data-dir", &folder.at("data"), "--kind", "alert"]);
    assert!(printed.out.contains("1 from 127.0.0.1; severity 70"), "{}", printed.out);
    // Alerts are no requests: sums do not count them.
    assert_eq!(read(admin, "/api/v1/stats")["total"]["events"], 1);
    let status = &read(admin, "/api/v1/alerts/evil")["status"];
    assert_eq!(status["events"], 1, "{status}");

    let delete = |name: &str| ask(admin, "DELETE", &format!("/api/v1/alerts/{name}"), "", "").status;
    assert_eq!((delete("evil"), delete("evil"), delete("of-file")), (200, 404, 409));
    assert_eq!(ask(admin, "DELETE", "/api/v1/alerts/evil?kind=SecurityEventWebhook", "", "").status, 200);
    assert_eq!(kinds(admin), [all[0]]);
    assert_eq!(running.end(), 0);
}

#[test]
fn without_events_the_api_says_so() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = proxy(&folder, &upstream, "events: {enabled: false}\n");
    let admin = proxy.admin();
    for path in ["events", "stats", "graph", "stream", "alerts/fired", "alerts"] {
        let response = ask(admin, "GET", &format!("/api/v1/{path}"), "", "");
        assert!(
            response.status == 404 && response.body.contains("events.enabled"),
            "{path}: {}",
            response.body
        );
    }
    assert_eq!(proxy.end(), 0);
}
