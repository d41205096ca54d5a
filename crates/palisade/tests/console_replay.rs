//! The console's replay page, fired alerts and policies' hits: over live traffic of the binary, in a browser where there is one.

mod browser;
mod support;

use std::time::{Duration, Instant};

use browser::plane::{Plane, axe, both, both_with};
use serde_json::{Value, json};
use support::{eventually, get, send};

const RECORDING: &str = "recording: {enabled: true, keep: all, oneIn: 1}\n";

fn started(plane: &Plane, asked: &Value) -> Value {
    let answer = plane.ask("POST", "/api/v1/replays", "", &asked.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let id = serde_json::from_str::<Value>(&answer.body).unwrap()["id"].as_u64().unwrap();
    eventually("the replay ends", || {
        let replay = plane.read(&format!("/api/v1/replays/{id}"));
        (replay["state"] != "running").then_some(replay)
    })
}

/// Waits until so many requests are in the recording.
fn recorded(plane: &Plane, count: u64) {
    // Before the first is written there is none to be replayed.
    eventually("a recording", || {
        (plane.read("/api/v1/replays")["recording"]["bytes"].as_u64()? > 0).then_some(())
    });
    eventually("requests are recorded", || {
        let replay = started(plane, &json!({}));
        (replay["result"]["requests"].as_u64()? >= count).then_some(())
    });
}

#[test]
fn a_change_is_replayed_on_recorded_requests_and_serves_nothing() {
    let Some((mut browser, plane)) = both_with("", RECORDING) else { return };
    for (target, status) in [("/?q=good", 200), ("/?q=evil", 403), ("/?note=harmless", 200)] {
        assert_eq!(get(plane.address, target, "").status, status);
    }
    plane.has_events(1);
    recorded(&plane, 3);
    let same = started(&plane, &json!({"service": "front"}));
    assert_eq!((&same["state"], &same["result"]["same"]), (&json!("done"), &json!(3)), "{same}");

    let rules =
        "SecRule ARGS:note \"@contains harmless\" \"id:2001,phase:2,deny,status:403,log,msg:'Tried'\"";
    let flipped = started(&plane, &json!({"service": "front", "rules": rules}));
    assert_eq!(flipped["result"]["flips"]["newly_blocked"], 1, "{flipped}");
    assert_eq!(flipped["result"]["services"][0]["flips"][0]["by"][0]["by"], "rule 2001");
    let looser = started(&plane, &json!({"service": "front", "profile": "mode: monitoring"}));
    assert_eq!(looser["result"]["flips"]["no_longer_blocked"], 1, "{looser}");
    let excepted = started(&plane, &json!({"service": "front", "profile": "exceptions: [{rules: [1001]}]"}));
    assert_eq!(excepted["result"]["flips"]["no_longer_blocked"], 1, "{excepted}");
    assert_eq!(get(plane.address, "/?note=harmless", "").status, 200, "what is tried is not served");

    let secret = plane.folder.write("secret", "TOKEN-OF-SOMEBODY\n");
    let refused = |asked: Value, said: &str| {
        let answer = plane.ask("POST", "/api/v1/replays", "", &asked.to_string());
        assert!(
            answer.status == 400 && answer.body.contains(said),
            "{asked}: {} {}",
            answer.status,
            answer.body
        );
        assert!(!answer.body.contains("TOKEN-OF"), "{}", answer.body);
    };
    refused(json!({"service": "front", "rules": format!("Include {secret}")}), "not read for a replay");
    let phrases = format!("SecRule ARGS \"@pmFromFile {secret}\" \"id:1,phase:2,deny\"");
    refused(json!({"service": "front", "rules": phrases}), "not read for a replay");
    refused(
        json!({"service": "front", "profile": format!("rules: {{files: [\"{secret}\"]}}")}),
        "names files",
    );
    refused(json!({"service": "front", "profile": "mode: loud"}), "mode");
    refused(json!({"service": "front", "rules": "SecRule"}), "SecRule");
    refused(json!({"service": "nobody", "rules": "SecRuleEngine On"}), "no such service");
    refused(json!({"rules": "SecRuleEngine On"}), "service");
    refused(json!({"other": 1}), "not known");

    browser.open(&plane.url("replay"));
    browser.wait_text("Requests are recorded");
    browser.write("textarea[name=rules]", rules);
    browser.click("form button[type=submit]");
    browser.wait_text("1 newly blocked");
    browser.wait_text("rule 2001");
    browser.picture("replay-done");
    assert_eq!(axe(&mut browser), [""; 0]);
    browser.write("textarea[name=rules]", "SecRule");
    browser.click("form button[type=submit]");
    browser.wait("document.querySelector('form .failure')");
    browser.click("section.panel header button");
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|one| one.contains("400")), "{complaints:?}");
}

/// What no page may run. The number that it would set is looked for.
const SCRIPT: &str =
    "<img src=x onerror=window.ran=1><script>window.ran=1</script>'\"</title><svg onload=window.ran=1>";

#[test]
fn what_was_recorded_stays_text_in_what_a_replay_says() {
    let Some((mut browser, plane)) = both_with("", RECORDING) else { return };
    let escaped: String = SCRIPT.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let agent = format!("User-Agent: {SCRIPT}\r\nReferer: {SCRIPT}\r\n");
    let target = format!("/a?{escaped}={escaped}%E2%80%AEtxt");
    assert_eq!(get(plane.address, &target, &agent).status, 403);
    let raw =
        format!("GET /a?note={} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", SCRIPT.replace(' ', "+"));
    send(plane.address, raw.as_bytes());
    recorded(&plane, 2);
    let flipped = started(&plane, &json!({"service": "front", "profile": "mode: monitoring"}));
    assert_eq!(flipped["result"]["flips"]["no_longer_blocked"], 2, "{flipped}");
    browser.open(&plane.url("replay"));
    browser.wait_text("2 no longer blocked");
    browser.eval("document.querySelectorAll('details').forEach((one) => { one.open = true })");
    browser.eval("new Promise((resolve) => setTimeout(resolve, 200))");
    browser.picture("replay-hostile");
    let shown = browser.eval("document.querySelector('main').innerText");
    let shown = shown.as_str().unwrap();
    assert!(shown.contains("onerror=window.ran=1") || shown.contains("%3Cimg"), "{shown}");
    assert!(!shown.contains('\u{202e}'), "{shown}");
    assert_eq!(browser.eval("window.ran === undefined"), true);
    let grown =
        "document.querySelectorAll('main img, main script, [onload], [onerror], iframe, object').length";
    assert_eq!(browser.eval(grown), 0);
    assert_eq!(axe(&mut browser), [""; 0]);
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

#[test]
fn without_a_recording_the_page_says_how() {
    let Some((mut browser, plane)) = both("") else { return };
    browser.open(&plane.url("replay"));
    browser.wait_text("Requests are not recorded");
    browser.wait_text("recording: {enabled: true");
    let refused = plane.ask("POST", "/api/v1/replays", "", "{}");
    assert!(refused.status == 409 && refused.body.contains("recording: {enabled: true"), "{}", refused.body);
    assert!(browser.complaints().is_empty());
}

const ALERT: &str = "apiVersion: projectcalico.org/v3
kind: GlobalAlert
metadata: {name: any-attack}
spec:
  summary: somebody attacked
  description: somebody attacked
  severity: 80
  dataSet: waf
  query: action = \"deny\"
  metric: count
  condition: gt
  threshold: 0
  period: 1m
  lookback: 10m
";

#[test]
fn fired_alerts_are_dismissed_and_come_back() {
    let Some((mut browser, mut plane)) = both("") else { return };
    assert_eq!(get(plane.address, "/?q=evil", "").status, 403);
    plane.has_events(1);
    assert_eq!(plane.ask("PUT", "/api/v1/alerts/any-attack", "", ALERT).status, 200);
    // It is asked once a minute.
    let begun = Instant::now();
    let fired = loop {
        if let Some(id) = plane.read("/api/v1/alerts/fired")["items"][0]["id"].as_str() {
            break id.to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "the alert never fires");
        std::thread::sleep(Duration::from_millis(100));
    };
    browser.open(&plane.url("alerts"));
    browser.wait("document.querySelector('table input[type=checkbox]')");
    browser.picture("alerts-fired");
    assert_eq!(axe(&mut browser), [""; 0]);
    browser.click("table input[type=checkbox]");
    browser.wait("!document.querySelector('button.dismiss').disabled");
    browser.click("button.dismiss");
    browser.wait_text("No alert has fired that was not dismissed");
    let page = plane.read("/api/v1/alerts/fired");
    assert!(page["dismissed"][&fired]["by"].is_string(), "{page}");
    plane.restart();
    assert_eq!(plane.read("/api/v1/alerts/fired?dismissed=no")["items"], json!([]), "it outlives a restart");
    assert_eq!(plane.read("/api/v1/alerts/fired?dismissed=yes")["items"].as_array().unwrap().len(), 1);
    browser.open(&plane.url("alerts"));
    browser.click("input[name=all]");
    browser.wait_text("Show again");
    // An exception for it, ready to be saved.
    browser.click("button.except");
    browser.wait("document.querySelector('dialog textarea')?.value.includes('AlertException')");
    browser.write("dialog .field input", "any-attack-exception");
    browser.click("dialog button[type=submit]");
    browser.wait("!document.querySelector('dialog')");
    browser.wait_text("AlertException");
    let gone = plane.ask("DELETE", &format!("/api/v1/alerts/fired/dismissed?id={fired}"), "", "");
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert_eq!(plane.read("/api/v1/alerts/fired?dismissed=no")["items"].as_array().unwrap().len(), 1);
    assert_eq!(plane.ask("POST", "/api/v1/alerts/fired/dismissed", "", r#"{"ids": ["x"]}"#).status, 400);
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

#[test]
fn policies_show_how_often_their_rules_stopped_somebody() {
    let Some((mut browser, plane)) = both("") else { return };
    for _ in 0..3 {
        get(plane.address, "/internal/x", "");
    }
    let hits = eventually("hits", || {
        let hits = plane.read("/api/v1/policies/hits");
        (hits["items"][0]["stopped"] == 3).then_some(hits)
    });
    assert_eq!(hits["items"][0]["rule_index"], 0, "{hits}");
    browser.open(&plane.url("policies"));
    browser.wait_text("stopped 3");
    browser.click("details.policy summary");
    browser.wait("document.querySelector('details.policy td a')?.textContent === '3'");
    browser.picture("policies-hits");
    assert_eq!(axe(&mut browser), [""; 0]);
    assert!(browser.complaints().is_empty());
}
