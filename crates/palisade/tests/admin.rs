//! The admin listener of `palisade run`, from outside: probes through a life, metrics that a scraper reads, status,
//! and clients that mean it no good.

mod exposition;
mod support;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use exposition::Metrics;
use support::{
    Folder, PATIENCE, Response, Running, Upstream, begin, command, eventually, get, palisade, receive, send,
};

const RULES: &str = "SecRuleEngine On\n\
    SecRule ARGS:bad \"@streq 1\" \"id:20002,phase:2,deny,status:418,log,msg:'bad',tag:'attack-sqli'\"\n";

/// A proxy with one rule and an admin listener.
fn protected(folder: &Folder, upstream: &Upstream, more: &[&str]) -> Running {
    let rules = folder.write("site.conf", RULES);
    let mut arguments = vec!["--admin", "127.0.0.1:0", "--mode", "block", "--rules", &rules];
    arguments.extend(more);
    Running::proxy(folder, &upstream.url, &arguments)
}

fn ask(admin: SocketAddr, path: &str) -> Response {
    send(admin, format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes())
}

fn metrics(admin: SocketAddr) -> Metrics {
    let answer = ask(admin, "/metrics");
    assert_eq!(answer.status, 200, "{answer:?}");
    Metrics::parse(&answer.body)
}

fn status(admin: SocketAddr) -> serde_json::Value {
    let answer = ask(admin, "/api/v1/status");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    serde_json::from_str(&answer.body).unwrap()
}

/// A port that was free a moment ago: for an address that has to be known before it is printed.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn probes_metrics_and_status_tell_what_runs() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = protected(&folder, &upstream, &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    assert_ne!(address, admin);
    for probe in ["/livez", "/readyz", "/startupz", "/healthz"] {
        let answer = ask(admin, probe);
        assert_eq!((answer.status, &*answer.body), (200, "OK"), "{probe}");
    }
    let requests = |metrics: &Metrics| {
        [("4xx", "palisade"), ("2xx", "upstream")].map(|(status, by)| {
            let labels = [("listener", "web"), ("service", "web"), ("status", status), ("by", by)];
            metrics.value("palisade_requests_total", &labels)
        })
    };
    let before = metrics(admin);
    assert_eq!(get(address, "/?bad=1", "").status, 418);
    assert_eq!(get(address, "/?good=1", "").status, 200);
    let after = eventually("both are counted", || {
        let after = metrics(admin);
        (requests(&after) == [1.0, 1.0]).then_some(after)
    });
    assert_eq!(requests(&before), [0.0, 0.0]);
    // The rule's tag says what it is about.
    assert_eq!(after.value("palisade_requests_blocked_total", &[("class", "sqli")]), 1.0);
    assert_eq!(after.value("palisade_requests_blocked_total", &[("class", "xss")]), 0.0);
    for (part, count) in [("engine", 2.0), ("proxy", 2.0), ("upstream", 1.0)] {
        let labels = [("part", part)];
        assert_eq!(after.value("palisade_request_duration_seconds_count", &labels), count, "{part}");
    }
    assert_eq!(after.value("palisade_ready", &[]), 1.0);
    assert_eq!(after.value("palisade_rules", &[("rule_set", "default")]), 1.0);
    assert_eq!(after.value("palisade_last_reload_successful", &[]), 1.0);
    for (log, outcome) in [("error", "success"), ("error", "failure")] {
        assert_eq!(after.value("palisade_log_lines_dropped_total", &[("log", log)]), 0.0);
        assert_eq!(after.value("palisade_reloads_total", &[("outcome", outcome)]), 0.0);
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    for moment in ["process_start_time_seconds", "palisade_last_reload_success_timestamp_seconds"] {
        let at = after.value(moment, &[]);
        assert!(at <= now && at > now - 120.0, "{moment} {at} at {now}");
    }
    assert!(after.value("process_resident_memory_bytes", &[]) > 1e6);

    let status = status(admin);
    assert!(palisade(&["--version"]).out.contains(status["version"].as_str().unwrap()), "{status}");
    assert_eq!(status["state"], "ready");
    assert_eq!(status["listeners"], serde_json::json!([{"name": "web", "url": format!("http://{address}")}]));
    assert_eq!(
        status["services"],
        serde_json::json!([{"name": "web", "mode": "block", "rule_set": "default"}])
    );
    assert_eq!(
        (&status["rule_sets"][0]["name"], &status["rule_sets"][0]["rules"]),
        (&"default".into(), &1.into())
    );
    assert_eq!(status["reloads"], serde_json::json!({"succeeded": 0, "failed": 0, "last": null}));
    assert_eq!(proxy.end(), 0);
    assert!(TcpStream::connect(admin).is_err(), "it ends with the process");
}

#[test]
fn while_rules_are_read_it_lives_and_is_not_ready() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    // A pipe that nobody has written to yet: reading the rules takes until somebody does.
    let pipe = folder.at("late.conf");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let admin = free_address();
    let rules = folder.write("site.conf", format!("{RULES}Include {pipe}\n"));
    let mut proxy =
        Running::proxy(&folder, &upstream.url, &["--admin", &admin.to_string(), "--rules", &rules]);
    eventually("the admin listener", || TcpStream::connect(admin).ok());
    for (probe, status) in [("/livez", 200), ("/healthz", 200), ("/readyz", 503), ("/startupz", 503)] {
        let answer = ask(admin, probe);
        assert_eq!(answer.status, status, "{probe}");
        assert!(answer.body.contains(if status == 200 { "OK" } else { "starting" }), "{answer:?}");
    }
    assert_eq!(metrics(admin).value("palisade_ready", &[]), 0.0);
    assert_eq!(status(admin)["state"], "starting");
    assert!(!proxy.err().contains("listening on"), "{}", proxy.err());

    std::fs::write(&pipe, "SecAction \"id:1,phase:1,pass,nolog\"\n").unwrap();
    proxy.address();
    for probe in ["/readyz", "/startupz"] {
        assert_eq!(ask(admin, probe).status, 200, "{probe}");
    }
    assert_eq!(metrics(admin).value("palisade_rules", &[("rule_set", "default")]), 2.0);
}

#[test]
fn while_requests_finish_it_is_not_ready_and_answers() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = protected(&folder, &upstream, &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    let stream = begin(address, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("the request at the service", || (!upstream.heads().is_empty()).then_some(()));
    assert_eq!(ask(admin, "/readyz").status, 200);
    proxy.signal("TERM");
    let answer =
        eventually("not ready", || Some(ask(admin, "/readyz")).filter(|answer| answer.status == 503));
    assert!(answer.body.contains("draining"), "{answer:?}");
    for probe in ["/livez", "/healthz", "/startupz"] {
        assert_eq!(ask(admin, probe).status, 200, "{probe}: nobody is to end what is ending");
    }
    assert_eq!(metrics(admin).value("palisade_ready", &[]), 0.0);
    assert_eq!(status(admin)["state"], "draining");
    upstream.let_go();
    assert_eq!(receive(stream).status, 200);
    assert_eq!(proxy.wait(), 0);
}

#[test]
fn a_failed_reload_stays_ready_and_is_told() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = protected(&folder, &upstream, &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    let loaded = metrics(admin).value("palisade_last_reload_success_timestamp_seconds", &[]);

    folder.write("site.conf", "SecRulee\n");
    proxy.signal("HUP");
    let failed = eventually("the failure", || {
        let metrics = metrics(admin);
        (metrics.value("palisade_reloads_total", &[("outcome", "failure")]) >= 1.0).then_some(metrics)
    });
    assert_eq!(failed.value("palisade_last_reload_successful", &[]), 0.0);
    assert_eq!(failed.value("palisade_last_reload_success_timestamp_seconds", &[]), loaded);
    assert_eq!(failed.value("palisade_rules", &[("rule_set", "default")]), 1.0);
    assert_eq!(ask(admin, "/readyz").status, 200);
    assert_eq!(get(address, "/?bad=1", "").status, 418, "the old rules protect");
    let told = status(admin);
    assert!(told["reloads"]["last"]["error"].as_str().unwrap().contains("not usable"), "{told}");
    assert!(told["reloads"]["last"]["at"].as_str().unwrap().ends_with('Z'), "{told}");

    folder.write("site.conf", format!("{RULES}SecAction \"id:1,phase:1,pass,nolog\"\n"));
    proxy.signal("HUP");
    let mended = eventually("the success", || {
        let metrics = metrics(admin);
        (metrics.value("palisade_reloads_total", &[("outcome", "success")]) >= 1.0).then_some(metrics)
    });
    assert_eq!(mended.value("palisade_last_reload_successful", &[]), 1.0);
    assert!(mended.value("palisade_last_reload_success_timestamp_seconds", &[]) > loaded);
    assert_eq!(mended.value("palisade_rules", &[("rule_set", "default")]), 2.0);
    let told = status(admin);
    assert_eq!(
        (&told["reloads"]["last"]["error"], &told["rule_sets"][0]["rules"]),
        (&serde_json::Value::Null, &2.into())
    );
}

#[test]
fn hostile_clients_stop_neither_traffic_nor_probes() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = protected(&folder, &upstream, &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    let quick = |what: &str| {
        let begun = Instant::now();
        assert_eq!(ask(admin, "/livez").body, "OK", "{what}");
        assert_eq!(ask(admin, "/readyz").body, "OK", "{what}");
        assert_eq!(get(address, "/", "").status, 200, "{what}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}: {:?}", begun.elapsed());
    };
    let mut held = std::collections::VecDeque::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(admin).unwrap();
        // Silent ones, slow ones, and ones that ask for much and read nothing.
        let begun: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /metrics HTTP/1.1\r\nHost: loc",
            _ => b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        };
        let _ = stream.write_all(begun);
        held.push_back(stream);
        // A shell's usual 1,024 descriptors are enough for this test.
        if held.len() > 600 {
            held.pop_front();
        }
        if number % 100 == 99 {
            quick(&format!("{number} connections"));
        }
    }
    assert!(metrics(admin).value("process_open_fds", &[]) < 400.0, "what they hold is bounded");
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // More than it reads: it may answer and close before all is written.
    let _ = stream.write_all(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).as_bytes());
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
    quick("a huge head");
    drop(held);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn silent_connections_to_the_service_leave_descriptors_for_probes() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let data = folder.at("data");
    let run = command(&[
        "run",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &upstream.url,
        "--data-dir",
        &data,
        "--admin",
        "127.0.0.1:0",
    ]);
    let limited = |limits: &str| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")])
            .arg(run.get_program())
            .args(run.get_args());
        shell.env("PALISADE_WORKERS", "2");
        Running::start(shell)
    };
    // What the system allows is taken: a low bound is often only where a process starts.
    let mut proxy = limited("ulimit -S -n 100; ulimit -H -n 500");
    proxy.address();
    assert_eq!(metrics(proxy.admin()).value("process_max_fds", &[]), 500.0);
    drop(proxy);

    let mut proxy = limited("ulimit -n 120");
    let (address, admin) = (proxy.address(), proxy.admin());
    assert!(proxy.err().contains("ulimit -n"), "{}", proxy.err());
    let held: Vec<_> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    for _ in 0..20 {
        assert_eq!(ask(admin, "/livez").body, "OK");
        assert_eq!(ask(admin, "/readyz").body, "OK");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(metrics(admin).value("process_open_fds", &[]) < 120.0);
    drop(held);
    eventually("traffic again", || (get(address, "/", "").status == 200).then_some(()));
}

#[test]
fn without_the_default_address_traffic_is_protected_and_it_is_said() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    // Ours or somebody else's: it is taken.
    let _taken = TcpListener::bind("127.0.0.1:9901");
    let data = folder.at("data");
    let run = ["run", "--listen", "127.0.0.1:0", "--upstream", &upstream.url, "--data-dir", &data];
    let mut proxy = Running::start(command(&run));
    assert_eq!(get(proxy.address(), "/", "").status, 200);
    let err = proxy.err();
    assert!(err.contains("no admin listener") && err.contains("127.0.0.1:9901"), "{err}");
    assert!(err.contains("--admin off") && !err.contains("(admin)"), "{err}");
    assert_eq!(proxy.end(), 0);
}

#[test]
fn the_default_address_is_left_to_a_service_that_is_to_be_there() {
    let folder = Folder::new();
    let data = folder.at("data");
    let run = ["run", "--listen", "127.0.0.1:0", "--upstream", "http://localhost:9901", "--data-dir", &data];
    let mut proxy = Running::start(command(&run));
    proxy.address();
    let err = proxy.err();
    assert!(err.contains("127.0.0.1:9901 is meant for traffic") && !err.contains("(admin)"), "{err}");
    assert_eq!(proxy.end(), 0);
}

#[test]
fn off_loopback_the_token_of_a_file_opens_it() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let token = "0123456789abcdef0123456789abcdef";
    let file = folder.write("token", format!("{token}\n"));
    let mut proxy =
        Running::proxy(&folder, &upstream.url, &["--admin", "0.0.0.0:0", "--admin-token-file", &file]);
    proxy.address();
    let admin = SocketAddr::from(([127, 0, 0, 1], proxy.admin().port()));
    assert_eq!(ask(admin, "/metrics").status, 401);
    assert_eq!(ask(admin, "/readyz").status, 200);
    let shown = format!("GET /metrics HTTP/1.1\r\nHost: waf\r\nAuthorization: Bearer {token}\r\n\r\n");
    assert_eq!(send(admin, shown.as_bytes()).status, 200);
    assert!(!proxy.err().contains(token));

    let short = folder.write("short", "secret");
    let refuse = |file: &str, named: &str| {
        let answer = palisade(&[
            "run",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            &upstream.url,
            "--data-dir",
            &folder.at("d"),
            "--admin",
            "127.0.0.1:0",
            "--admin-token-file",
            file,
        ]);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.err.contains(named) && answer.err.contains(file), "{answer:?}");
    };
    refuse(&short, "openssl rand -hex 32");
    refuse(&folder.at("nowhere"), "cannot be read");
}

#[test]
fn a_configuration_file_names_an_address_for_probes_and_rule_sets_have_times_of_their_own() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    for name in ["one", "two"] {
        folder.write(&format!("{name}.conf"), RULES);
    }
    let data = folder.at("data");
    let config = folder.write(
        "palisade.yaml",
        format!(
            "dataDir: {data}\nadmin: {{address: \"127.0.0.1:0\", probes: \"127.0.0.1:0\"}}\n\
             listeners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
             services:\n\
             - {{name: shop, upstream: {{url: \"{url}\"}}, profile: one}}\n\
             - {{name: cms, upstream: {{url: \"{url}\"}}, profile: two}}\n\
             routes:\n- {{listener: web, service: shop}}\n- {{listener: web, path: /cms/, service: cms}}\n\
             profiles:\n  one: {{mode: block, rules: {{files: [{one}]}}}}\n  two: {{rules: {{files: [{two}]}}}}\n",
            url = upstream.url,
            one = folder.at("one.conf"),
            two = folder.at("two.conf"),
        ),
    );
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    proxy.address();
    let (admin, probes) = (proxy.admin(), proxy.listener("probes"));
    for page in ["/livez", "/readyz", "/startupz", "/healthz", "/metrics"] {
        assert_eq!(ask(probes, page).status, 200, "{page}");
    }
    assert_eq!(ask(probes, "/api/v1/status").status, 404);

    let before = status(admin);
    assert_eq!(before["services"][0]["mode"], "block", "{before}");
    assert_eq!(before["services"][1]["mode"], "monitoring", "{before}");
    assert_eq!(before["rule_sets"].as_array().unwrap().len(), 2, "{before}");
    // Times are shown in seconds.
    std::thread::sleep(Duration::from_millis(1100));
    folder.write("two.conf", format!("{RULES}SecAction \"id:1,phase:1,pass,nolog\"\n"));
    let after = eventually("the change", || {
        let status = status(admin);
        (status["rule_sets"][1]["rules"] == 2).then_some(status)
    });
    let at = |status: &serde_json::Value, at: usize| {
        status["rule_sets"][at]["loaded_at"].as_str().unwrap().to_owned()
    };
    assert_eq!(at(&before, 0), at(&after, 0), "what did not change was not loaded");
    assert!(at(&before, 1) < at(&after, 1), "{before} {after}");
}

#[test]
fn the_reference_page_names_exactly_what_is_printed() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = protected(&folder, &upstream, &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    assert_eq!(get(address, "/?bad=1", "").status, 418);
    assert_eq!(get(address, "/", "").status, 200);
    let printed: Vec<String> = metrics(admin).0.iter().map(|(name, family)| row(name, family)).collect();
    let page = include_str!("../../../docs/reference/metrics.md");
    let (labels, names) = page.split_once("| name | type |").unwrap();
    let described: Vec<&str> = names.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(
        printed == described,
        "docs/reference/metrics.md should have these rows:\n{}",
        printed.join("\n")
    );
    // `version` explains itself where it stands.
    let used = printed.iter().flat_map(|row| row.split(" | ").nth(2).unwrap().split(", "));
    for label in used.filter(|label| !["", " ", "`version`"].contains(label)) {
        let explained = labels.lines().any(|line| line.split(" | ").next().unwrap().contains(label));
        assert!(explained, "docs/reference/metrics.md does not explain the label {label:?}");
    }
}

/// `| name | type | labels | meaning |`.
fn row(name: &str, family: &exposition::Family) -> String {
    let mut labels: Vec<String> =
        family.samples.iter().flat_map(|sample| sample.labels.keys()).cloned().collect();
    labels.sort();
    labels.dedup();
    labels.retain(|label| label != "le");
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{name}` | {} | {} | {} |", family.kind, labels.join(", "), family.help)
}

#[test]
fn prometheus_own_checker_agrees() {
    if Command::new("promtool").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
    {
        println!("skipped: no promtool here to check our metrics with (Debian's prometheus has it)");
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = protected(&folder, &upstream, &[]);
    let (address, admin) = (proxy.address(), proxy.admin());
    assert_eq!(get(address, "/?bad=1", "").status, 418);
    let page = ask(admin, "/metrics").body;
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    let answer = support::finish(promtool, page.as_bytes());
    assert_eq!((answer.code, &*answer.err), (0, ""), "{answer:?}");
}
