//! The web console of a console for many data planes, in a browser: which there are and how they are, what each of them
//! sent, what is set for all of them or one.
//!
//! Skipped with a line where there is no Chromium, no openssl, or where the program was built without the console.

mod browser;
mod collected;
mod pki;
mod support;

use std::net::SocketAddr;

use browser::Browser;
use browser::plane::{axe, has_console};
use collected::rogue::Rogue;
use collected::{Stage, items, json};
use palisade_events::sinks::Kind;
use serde_json::{Value, json};
use support::{Running, eventually, get};

/// A console that two data planes are at, and a browser.
struct Many {
    browser: Browser,
    _stage: Stage,
    console: Running,
    admin: SocketAddr,
    planes: Vec<Running>,
    proxies: Vec<SocketAddr>,
}

impl Many {
    fn start() -> Option<Self> {
        if !pki::tools() {
            return None;
        }
        let stage = Stage::new();
        let mut console = stage.console("127.0.0.1:0", &[]);
        let (at, admin) = (console.listener("collector"), console.admin());
        if !has_console(admin) {
            return None;
        }
        let browser = Browser::start()?;
        let mut planes =
            Vec::from(["web-1.shop", "web-2.shop"].map(|name| stage.plane(name, "127.0.0.1:0", at)));
        let proxies = planes.iter_mut().map(|plane| plane.listener("web")).collect();
        let many = Self { browser, _stage: stage, console, admin, planes, proxies };
        many.are_there(2);
        Some(many)
    }

    fn are_there(&self, count: usize) {
        eventually("data planes are there", || {
            let planes = json(self.admin, "/api/v1/dataplanes");
            (items(&planes).iter().filter(|plane| plane["state"] == "ready").count() == count).then_some(())
        });
    }

    /// Waits until so many events came here.
    fn has_events(&self, count: usize) {
        eventually("events", || {
            (items(&json(self.admin, "/api/v1/events?kind=waf")).len() >= count).then_some(())
        });
    }

    fn open(&mut self, page: &str) {
        self.browser.open(&format!("http://{}/#/{page}", self.admin));
    }
}

const ROWS: &str = "document.querySelectorAll('tr[data-id]').length";

#[test]
fn each_page_of_many_opens_is_accessible_in_both_themes_and_complains_about_nothing() {
    let Some(mut many) = Many::start() else { return };
    for (number, proxy) in many.proxies.iter().enumerate() {
        assert_eq!(get(*proxy, &format!("/evil?n={number}"), "").status, 403);
        get(*proxy, "/", "");
    }
    many.has_events(2);
    let id = items(&json(many.admin, "/api/v1/events"))[0]["id"].as_str().unwrap().to_owned();
    let event = format!("events/{id}");
    let mut wrong = Vec::new();
    for scheme in ["light", "dark"] {
        many.browser.scheme(scheme);
        for (page, title, text) in [
            ("", "Overview", "Requests"),
            ("live", "Live", "Connected"),
            ("events", "Events", "web-2.shop"),
            (&event, "Event", "Data plane"),
            ("graph", "Graph", ""),
            ("services", "Services", "web-1.shop"),
            ("tuning", "Tuning", ""),
            ("inventory", "API inventory", ""),
            ("policies", "Policies", "at a data plane"),
            ("rules", "Rules", "The same digest"),
            ("lists", "Lists", "Nobody is on the deny list"),
            ("alerts", "Alerts", "No alert has fired"),
            ("try", "Try a request", "at a data plane"),
            ("replay", "Replay", "at a data plane"),
            ("health", "Health", "2 of 2 there"),
        ] {
            many.open(page);
            many.browser.wait(&format!("document.querySelector('h1')?.textContent === {}", json!(title)));
            many.browser.wait_text(text);
            many.browser.wait("!document.querySelector('main').innerText.includes('Loading')");
            let name = page.split('/').next().unwrap_or_default();
            many.browser.picture(&format!("many-{name}-{scheme}"));
            let failures = many
                .browser
                .eval("[...document.querySelectorAll('.failure')].map((failure) => failure.innerText)");
            wrong.extend(failures.as_array().unwrap().iter().map(|one| format!("{page} {scheme}: {one}")));
            wrong.extend(axe(&mut many.browser).into_iter().map(|one| format!("{page} {scheme}: {one}")));
            wrong.extend(many.browser.complaints().into_iter().map(|one| format!("{page} {scheme}: {one}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn policies_are_suggested_from_what_all_data_planes_sent() {
    let Some(mut many) = Many::start() else { return };
    for (number, proxy) in many.proxies.iter().enumerate() {
        assert_eq!(get(*proxy, &format!("/evil?n={number}"), "").status, 403);
        assert_eq!(get(*proxy, &format!("/cart/{number}"), "").status, 200);
    }
    let page = eventually("records of both", || {
        let page = json(many.admin, "/api/v1/policies/suggestions?from=15m");
        let left_out = page["left_out"][0]["requests"].as_u64()?;
        (page["learned"] == 2 && left_out == 2).then_some(page)
    });
    let [item] = items(&page) else { panic!("one workload: {page}") };
    assert_eq!(
        (&item["namespace"], &item["service_account"], &item["services"]),
        (&json!("shop"), &json!("web"), &json!(["shop"]))
    );
    // Each of them listens at a port of its own here.
    assert_eq!(item["sources"].as_array().unwrap().len(), 2, "{item}");
    assert_eq!((&item["tried"][0]["denied"], &item["tried"][1]["denied"]), (&json!(0), &json!(2)), "{item}");
    many.open("policies");
    many.browser.click("button.suggest");
    many.browser.wait_text("denies none of them");
    many.browser.click(".suggested summary");
    many.browser.wait_text("kind: StagedNetworkPolicy");
    assert_eq!(axe(&mut many.browser), [""; 0]);
    assert!(many.browser.complaints().is_empty(), "{:?}", many.browser.complaints());
}

#[test]
fn data_planes_are_shown_and_events_of_one_are_found_by_the_address_and_live() {
    let Some(mut many) = Many::start() else { return };
    let [one, two] = many.proxies[..] else { panic!("two data planes") };
    for target in ["/evil?n=1", "/evil?n=2"] {
        get(one, target, "");
    }
    get(two, "/evil?n=3", "");
    many.has_events(3);

    // Each with what it has in force: the same rules have the same digest.
    many.open("health");
    many.browser.wait("document.querySelectorAll('tr[data-name]').length === 2");
    let shown = json(many.admin, "/api/v1/dataplanes");
    for plane in items(&shown) {
        let name = plane["name"].as_str().unwrap();
        let row = many.browser.eval(&format!("document.querySelector('tr[data-name=\"{name}\"]').innerText"));
        let row = row.as_str().unwrap();
        let digest = plane["rule_sets"][0]["digest"].as_str().unwrap();
        let revision = plane["revision"].as_str().unwrap();
        for said in ["ready", "shop", "default", "block", &digest[..8], &revision[..8]] {
            assert!(row.contains(said), "{said}: {row}");
        }
    }
    // One that goes is said to have gone, and stays.
    assert_eq!(many.planes[1].end(), 0);
    many.browser.wait_text("1 of 2 there");
    let row = "document.querySelector('tr[data-name=\"web-2.shop\"]').innerText";
    many.browser.wait(&format!("{row}.includes('gone')"));

    many.browser.click("tr[data-name='web-1.shop'] a");
    many.browser.wait(&format!("{ROWS} === 2"));
    assert_eq!(many.browser.eval("document.querySelector('select[name=dataplane]').value"), "web-1.shop");
    many.browser.write("select[name=dataplane]", "");
    many.browser.wait(&format!("{ROWS} === 3"));
    assert_eq!(many.browser.eval("location.hash.includes('dataplane')"), false);
    many.open("events?dataplane=nobody");
    many.browser.wait_text("No events like this");

    many.open("live?dataplane=web-2.shop");
    many.browser.wait_text("Connected");
    many.browser.wait(&format!("{ROWS} === 1"));
    get(one, "/evil?n=4", "");
    many.has_events(4);
    many.browser.write("select[name=dataplane]", "web-1.shop");
    many.browser.wait(&format!("{ROWS} === 3"));
    get(one, "/evil?n=5", "");
    many.browser.wait(&format!("{ROWS} === 4"));
    let planes =
        "[...new Set([...document.querySelectorAll('tr[data-id]')].map((row) => row.children[2].innerText))]";
    assert_eq!(many.browser.eval(planes), json!(["web-1.shop"]));
    assert!(many.browser.complaints().is_empty());
}

#[test]
fn a_mode_is_set_at_one_data_plane_from_the_page_of_services() {
    let Some(mut many) = Many::start() else { return };
    let [one, two] = many.proxies[..] else { panic!("two data planes") };
    many.open("services");
    many.browser.wait_text("web-2.shop");
    many.browser.click("td.actions button");
    many.browser.click("dialog input[value=monitoring]");
    many.browser.write("dialog select[name=dataplane]", "web-2.shop");
    many.browser.click("dialog button[type=submit]");
    many.browser.wait("!document.querySelector('dialog')");
    eventually("the mode counts there", || (get(two, "/evil", "").status == 200).then_some(()));
    assert_eq!(get(one, "/evil", "").status, 403);
    // The weakest is in force as far as anybody can rely on it; the other stands beside its data plane.
    many.browser.wait("document.querySelector('.mode-monitoring') && document.querySelector('.mode-block')");
    many.console.wait_err("audit: ");
}

#[test]
fn what_is_allowed_on_the_page_of_an_event_counts_at_all_data_planes_that_have_the_service() {
    let Some(mut many) = Many::start() else { return };
    let [one, two] = many.proxies[..] else { panic!("two data planes") };
    get(one, "/evil/search?n=1", "");
    many.has_events(1);
    let id = items(&json(many.admin, "/api/v1/events"))[0]["id"].as_str().unwrap().to_owned();
    many.open(&format!("events/{id}"));
    // The change of the configuration, to be copied.
    many.browser.wait("document.querySelector('.diff .added')");
    assert!(
        many.browser
            .eval("document.querySelector('.diff').innerText")
            .as_str()
            .unwrap()
            .contains("rules: [1]")
    );
    many.browser.click("button.apply");
    many.browser.wait("document.querySelectorAll('.reached .badge.good').length === 2");
    for proxy in [one, two] {
        assert_eq!(get(proxy, "/evil/search?n=2", "").status, 200);
        assert_eq!(get(proxy, "/evil", "").status, 403);
    }
    assert_eq!(axe(&mut many.browser), [""; 0]);
    many.browser.picture("many-applied");
    many.open("tuning?service=shop");
    many.browser.wait("document.querySelectorAll('.reached .badge.good').length === 2");
    many.browser.click("table.exceptions button");
    many.browser.wait_text("Nothing was excepted here");
    for proxy in [one, two] {
        eventually("it is taken back", || (get(proxy, "/evil/search?n=3", "").status == 403).then_some(()));
    }
    assert!(many.browser.complaints().is_empty());
}

/// What no page may run. The number that it would set is looked for.
const SCRIPT: &str = "<img src=x onerror=window.ran=1><script>window.ran=1</script>'\"</title><svg onload=window.ran=1>\u{202e}";

/// An event that says this wherever it may say something.
fn event_that_says(text: &str) -> Value {
    let end = json!({"ip": text, "peer_ip": text, "hostname": text, "namespace": text, "name": text, "country": text,
        "spiffe_id": text, "upstream": text, "service_account": text});
    let hit =
        json!({"kind": text, "namespace": text, "name": text, "tier": text, "action": text, "rule_index": 0});
    let rule = json!({"id": "1", "message": text, "severity": text, "file": text, "line": text, "target": text, "data": text,
        "tags": [text], "phase": 2});
    let finding = json!({"attack": text, "detector": text, "confidence": 98, "point": text, "decode_path": text,
        "excerpt": text, "why": text, "phase": 2});
    let policy = json!({"verdict": text, "reason": text, "pending_verdict": text, "pending_reason": text, "nearest": text,
        "enforced": [hit], "pending": [hit]});
    let mut event = json!({"@timestamp": "2026-11-23T00:00:00Z", "kind": "waf", "action": "deny", "mode": "block", "status": 403,
        "cause": "rule", "path": format!("/{text}?q={text}"), "source": end, "destination": end, "attacks": [text],
        "shortfalls": [text], "scores": {text: 7}, "tls": {"version": text, "cipher": text, "sni": text},
        "rules": [rule], "findings": [finding], "policy": policy});
    for name in [
        "verdict",
        "host",
        "service",
        "listener",
        "method",
        "protocol",
        "authority",
        "user_agent",
        "msg",
        "rule_info",
        "attack",
        "reason",
        "framing",
        "request_id",
        "client_request_id",
        "trace_id",
        "answered_by",
    ] {
        event[name] = text.into();
    }
    event
}

/// An event of which nothing is what it is in others.
fn event_of_no_shape(wrong: Value) -> Value {
    let names = event_that_says("").as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut event: Value = names.into_iter().map(|name| (name, wrong.clone())).collect();
    event["kind"] = "waf".into();
    event["action"] = "deny".into();
    event
}

#[test]
fn whatever_a_data_plane_says_stays_text_on_every_page_and_no_page_stumbles() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    let tokens = stage.folder.write("tokens", "one\n");
    let mut console = stage.console("127.0.0.1:0", &["--token-file", &tokens]);
    let (at, admin) = (console.listener("collector"), console.admin());
    if !has_console(admin) {
        return;
    }
    let Some(mut browser) = Browser::start() else { return };
    let rogue = Rogue::start(at.port(), stage.folder.path(), "web-9.shop", "one", SCRIPT);
    let mut ids = vec![rogue.send(Kind::Waf, event_that_says(SCRIPT))];
    for wrong in
        [json!(7), json!("x"), json!([[]]), json!({"a": {"b": []}}), json!([7, null, "x"]), Value::Null]
    {
        ids.push(rogue.send(Kind::Waf, event_of_no_shape(wrong)));
    }
    let l7 = json!({"@timestamp": "2026-11-23T00:00:00Z", "service": SCRIPT, "src_name_aggr": SCRIPT, "src_namespace": SCRIPT,
        "src_type": "wep", "dest_name_aggr": SCRIPT, "dest_namespace": SCRIPT, "dest_type": "wep", "method": SCRIPT, "url": SCRIPT,
        "response_code": "200", "count": 3, "blocked": 1, "would_block": 0});
    rogue.send(Kind::L7, l7);
    let alert = json!({"@timestamp": "2026-11-23T00:00:00Z", "time": "x", "kind": "alert", "name": SCRIPT, "origin": SCRIPT,
        "severity": SCRIPT, "description": SCRIPT, "source": SCRIPT});
    rogue.send(Kind::Alerts, alert);
    // One that says that it is from another data plane is none.
    let mut other = event_that_says("x");
    other["dataplane"] = "web-1.shop".into();
    rogue.send(Kind::Waf, other);
    eventually("what it sent is here", || {
        let came = items(&json(admin, "/api/v1/events?limit=1000")).len() >= ids.len();
        (came && rogue.refused() == 1).then_some(())
    });
    eventually("it is in the inventory", || {
        (items(&json(admin, "/api/v1/dataplanes")).first()?["revision"] != "").then_some(())
    });
    let event_pages = ids.iter().map(|id| format!("events/{id}"));
    let pages = [
        "",
        "live",
        "live?dataplane=web-9.shop",
        "events",
        "events?dataplane=web-9.shop",
        "graph",
        "graph?view=table",
        "services",
        "tuning",
        "tuning?service=shop",
        "inventory",
        "policies",
        "rules",
        "lists",
        "alerts",
        "try",
        "replay",
        "health",
    ];
    for page in pages.map(str::to_owned).into_iter().chain(event_pages) {
        browser.open(&format!("http://{admin}/#/{page}"));
        browser.wait(
            "document.querySelector('h1') && document.querySelector('main') && !document.querySelector('main').innerText.includes('Loading')",
        );
        // Time for whatever would run.
        browser.eval("new Promise((resolve) => setTimeout(resolve, 100))");
        assert_eq!(browser.eval("window.ran === undefined"), true, "{page}");
        let grown = browser.eval(
            "document.querySelectorAll('img, main script, [onload], [onerror], iframe, object').length",
        );
        assert_eq!(grown, 0, "{page}");
        let failures =
            browser.eval("[...document.querySelectorAll('.failure')].map((failure) => failure.innerText)");
        assert_eq!(failures, json!([]), "{page}");
    }
    browser.open(&format!("http://{admin}/#/health"));
    browser.wait_text("onerror=window.ran");
    assert!(
        browser
            .eval("document.querySelector('tr[data-name]').innerText")
            .as_str()
            .unwrap()
            .contains("\\u{202e}")
    );
    browser.picture("many-hostile");
    browser.open(&format!("http://{admin}/#/events"));
    browser.wait(&format!("{ROWS} === {}", ids.len() + 1));
    assert_eq!(browser.complaints(), [""; 0]);
}
