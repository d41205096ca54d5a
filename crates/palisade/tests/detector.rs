//! The built-in detector alone, from outside: what it stops without a rule, and which logs tell of it.

mod support;

use std::net::SocketAddr;

use serde_json::Value;
use support::{Folder, Running, Upstream, command, get, send};

/// The attack of the article on the mesh, as `curl` sends it.
const MESH_ATTACK: &str =
    "//test/artists.php?artist=0+div+1+union%23foo*%2F*bar%0D%0Aselect%23foo%0D%0A1%2C2%2Ccurrent_user";
/// As it is printed there, where a line break cut it.
const MESH_ATTACK_CUT: &str =
    "//test/artists.php?artist=0+div+1+union%23foo*%2F*bar%0D%0Aselect%23foo%0D%0A1%";
/// The attack of the article on the sidecar, which its simulated clients send.
const SIDECAR_ATTACK: &str =
    "/?username=joe%40example.com&password=%3BUNION+SELECT+1%2C+version%28%29+limit+1%2C1--";

fn alone(folder: &Folder, upstream: &Upstream, more: &[&str]) -> Running {
    Running::proxy(folder, &upstream.url, &[&["--mode", "block"], more].concat())
}

fn empty_post(address: SocketAddr) -> u16 {
    let request =
        format!("POST / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: curl/7.64.1\r\nAccept: */*\r\n\r\n");
    send(address, request.as_bytes()).status
}

#[test]
fn every_attack_of_the_articles_is_stopped_without_a_rule() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = alone(&folder, &upstream, &[]);
    let address = proxy.address();
    proxy.wait_err("the built-in detector alone protects");
    for attack in [MESH_ATTACK, MESH_ATTACK_CUT, SIDECAR_ATTACK] {
        assert_eq!(get(address, attack, "").status, 403, "{attack}");
    }
    // The article's `curl -X POST 35.238.35.208:8080`: no body, no length, a bare address for a host.
    assert_eq!(empty_post(address), 403);
    // What its neighbours send: the same without one of the two, and ordinary requests.
    let get_by_address = format!("GET / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: curl/7.64.1\r\n\r\n");
    assert_eq!(send(address, get_by_address.as_bytes()).status, 200);
    let post =
        "POST / HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/7.64.1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(send(address, post.as_bytes()).status, 200);
    assert_eq!(get(address, "/?username=joe%40example.com&password=correct+horse", "").status, 200);
    assert_eq!(proxy.end(), 0);
    assert_eq!(upstream.heads().len(), 3, "no attack came through");
}

#[test]
fn a_finding_is_in_every_log_and_on_the_metrics_page() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    for format in ["native", "native2", "json"] {
        let [audit, error, access] =
            ["audit", "error", "access"].map(|log| folder.at(&format!("{log}.{format}")));
        let logs =
            ["--audit-log", &audit, "--audit-format", format, "--error-log", &error, "--access-log", &access];
        let mut proxy = alone(&folder, &upstream, &[&logs[..], &["--admin", "127.0.0.1:0"]].concat());
        let (address, admin) = (proxy.address(), proxy.admin());
        let denied = get(address, &format!("{SIDECAR_ATTACK}&card=4111111111111111"), "");
        assert_eq!(denied.status, 403);
        assert_eq!(get(address, "/?q=fine&token=hunter2-query", "").status, 200);
        let page = send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body;
        assert!(page.contains("palisade_findings_total{attack=\"sqli\"} 1"), "{page}");
        assert!(page.contains("palisade_findings_total{attack=\"xss\"} 0"), "{page}");
        assert_eq!(proxy.end(), 0);

        let read = |path: &str| std::fs::read_to_string(path).unwrap();
        let (audit, error, access) = (read(&audit), read(&error), read(&access));
        let id = denied.header("x-request-id").unwrap();
        let seen = ";UNION SELECT 1, version() limit 1,1--";
        for log in [&audit, &error, &access] {
            assert!(log.contains(id), "{id} in {log}");
            assert!(!log.contains("hunter2") && !log.contains("4111111111111111"), "{log}");
        }
        let line = error.lines().find(|line| line.contains("[attack \"sqli\"]")).unwrap();
        for part in [
            "] Palisade: Access denied with code 403 (phase 2). SQL injection at query:password: ",
            "[point \"query:password\"]",
            &format!("[data \"{seen}\"]"),
            &format!("[unique_id \"{id}\"]"),
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        judge_audit(format, &audit, seen);

        let lines: Vec<Value> = access.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (first, second) = (&lines[0], &lines[1]);
        assert_eq!(first["verdict"], "deny");
        assert_eq!(first["attacks"], serde_json::json!(["sqli"]));
        assert_eq!(first["finding"]["attack"], "sqli");
        assert_eq!(first["finding"]["point"], "query:password");
        assert!(first["finding"]["confidence"].as_u64().unwrap() >= 65);
        assert_eq!((&second["finding"], &second["attacks"]), (&Value::Null, &Value::Array(vec![])));
    }
}

fn judge_audit(format: &str, audit: &str, seen: &str) {
    let begins = match format {
        "json" => "{\"transaction\"",
        "native" => "---A--\n",
        _ => "-A--\n",
    };
    assert_eq!(audit.matches(begins).count(), 1, "the attack alone is recorded: {audit}");
    match format {
        "native" => {
            let part = audit.split("---H--\n").nth(1).and_then(|part| part.split("\n---").next()).unwrap();
            assert!(
                part.starts_with("Palisade: Access denied with code 403 (phase 2). SQL injection"),
                "{part}"
            );
            assert!(part.contains("[attack \"sqli\"]") && part.contains(seen), "{part}");
        }
        "native2" => {
            assert!(
                audit.contains("Message: Access denied with code 403 (phase 2). SQL injection"),
                "{audit}"
            );
            assert!(audit.contains("Action: Intercepted (phase 2)\n"), "{audit}");
        }
        _ => {
            let entry: Value = serde_json::from_str(audit).unwrap();
            let transaction = &entry["transaction"];
            assert_eq!(transaction["messages"], Value::Array(vec![]));
            let finding = &transaction["findings"][0];
            for (key, value) in [
                ("attack", "sqli"),
                ("point", "query:password"),
                ("data", seen),
                ("message", "SQL injection"),
            ] {
                assert_eq!(finding[key], value, "{key} of {finding}");
            }
            assert_eq!(finding["denied"], true);
            assert_eq!(transaction["response"]["http_code"], 403);
        }
    }
}

#[test]
fn what_monitoring_would_have_stopped_is_recorded_too() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (audit, access) = (folder.at("audit.log"), folder.at("access.log"));
    let config = folder.write(
        "palisade.yaml",
        format!(
            "admin: {{address: \"off\"}}\ndataDir: {}\nlogs: {{audit: {audit}, auditFormat: json, access: {access}}}\n\
             listeners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
             services: [{{name: web, upstream: {{url: \"{}\"}}}}]\n\
             profiles: {{default: {{mode: monitoring}}}}\n",
            folder.at("data"),
            upstream.url
        ),
    );
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    assert_eq!(get(proxy.address(), SIDECAR_ATTACK, "").status, 200);
    assert_eq!(proxy.end(), 0);
    let record: Value = serde_json::from_str(&std::fs::read_to_string(&audit).unwrap()).unwrap();
    assert_eq!(record["transaction"]["findings"][0]["attack"], "sqli");
    assert_eq!(record["transaction"]["findings"][0]["denied"], false);
    let line: Value = serde_json::from_str(&std::fs::read_to_string(&access).unwrap()).unwrap();
    assert_eq!((&line["verdict"], &line["finding"]["attack"]), (&"deny".into(), &"sqli".into()));
    assert_eq!(line["mode"], "monitoring");
}
