//! `palisade authz` keeps events, fills sinks and asks alerts as `palisade run` does.

mod support;

use serde_json::Value;
use support::envoy::{Envoy, binary, example};
use support::{Folder, Running, Upstream, command, eventually, get, palisade};

const RULES: &str = "SecRuleEngine On\nSecRule ARGS:q \"@contains evil\" \"id:1001,phase:1,deny,status:403,log,msg:'Evil'\"\n";
const ALERT: &str = "apiVersion: projectcalico.org/v3\nkind: GlobalAlert\nmetadata: {name: evil}\n\
    spec: {description: evil, severity: 70, dataSet: waf, period: 1m, lookback: 10m, query: action = deny}\n";

#[test]
fn what_envoy_is_refused_is_an_event_in_store_and_sink_and_fires_an_alert() {
    let Some(binary) = binary() else {
        println!("skipped: no Envoy");
        return;
    };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rules = folder.write("rules.conf", RULES);
    folder.write("alerts.yaml", ALERT);
    let out = folder.at("out.json");
    let config = folder.write(
        "palisade.yaml",
        format!("alerts: {{files: [alerts.yaml]}}\nevents: {{sinks: [{{file: {{path: {out}}}, records: [waf, alerts]}}]}}\n"),
    );
    let (socket, data) = (folder.at("dikastes.sock"), folder.at("data"));
    let mut command = command(&[
        "authz",
        "server",
        "--listen",
        &socket,
        "--data-dir",
        &data,
        "--admin",
        "off",
        "--waf-ruleset-file",
        &rules,
    ]);
    command.env("PALISADE_CONFIG", &config);
    let mut running = Running::start(command);
    running.wait_err("(envoy)\n");
    let envoy = Envoy::start(&binary, &folder, &example("ext-authz.yaml", &upstream.url, &socket));
    assert_eq!(get(envoy.address, "/?q=good", "").status, 200, "{}", running.err());
    assert_eq!(get(envoy.address, "/?q=evil", "").status, 403, "{}", running.err());
    let query = ["events", "query", "--data-dir", &data, "--format", "json", "--kind", "waf"];
    let events = eventually("the event", || {
        Some(palisade(&query)).filter(|answer| answer.code == 0).map(|answer| answer.json_lines())
    });
    assert_eq!((&events[0]["action"], &events[0]["rules"][0]["id"]), (&"deny".into(), &"1001".into()));
    let begun = std::time::Instant::now();
    let lines = loop {
        let text = std::fs::read_to_string(&out).unwrap_or_default();
        let whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<Value> = whole.collect();
        if lines.len() >= 2 {
            break lines;
        }
        // An alert is asked once a minute.
        assert!(begun.elapsed().as_secs() < 180, "{text} {}", running.err());
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!(lines[0], events[0]);
    assert_eq!((&lines[1]["kind"], &lines[1]["origin"]), (&"alert".into(), &"evil".into()));
    assert_eq!(running.end(), 0);
}
