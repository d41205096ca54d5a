//! The web console in a browser, over live traffic of the binary: each page opens, works, is accessible and complains about
//! nothing; an attack is seen at once and explained; what clients send stays text.
//!
//! Skipped with a line where there is no Chromium, or where the program was built without the console. Pictures for people:
//! `PALISADE_TEST_SCREENSHOTS=FOLDER`.

mod browser;
mod support;

use std::time::{Duration, Instant};

use browser::Browser;
use browser::plane::{Plane, axe, both};
use serde_json::{Value, json};
use support::{Folder, eventually, get, palisade, palisade_with, send};

/// What no page may run. The number that it would set is looked for.
const SCRIPT: &str =
    "<img src=x onerror=window.ran=1><script>window.ran=1</script>'\"</title><svg onload=window.ran=1>";

const PAGES: [(&str, &str, &str); 14] = [
    ("", "Overview", "Requests"),
    ("live", "Live", "Connected"),
    ("events", "Events", "blocked"),
    ("graph", "Graph", "node"),
    ("graph?view=table", "Graph", "attacks were seen"),
    ("services", "Services", "front"),
    ("tuning", "Tuning", "not enough to say"),
    ("inventory", "API inventory", "1 endpoint, "),
    ("policies", "Policies", "shop/default.web"),
    ("rules", "Rules", "1001"),
    ("lists", "Lists", "Nobody is on the deny list"),
    ("alerts", "Alerts", "No alert has fired"),
    ("replay", "Replay", "Requests are not recorded"),
    ("health", "Health", "ready"),
];

#[test]
fn each_page_opens_is_accessible_in_both_themes_and_complains_about_nothing() {
    let Some((mut browser, plane)) = both("") else { return };
    for target in ["/?q=good", "/?q=evil", "/shop/?q=very+evil", "/internal/x"] {
        get(plane.address, target, "");
    }
    plane.has_events(3);
    eventually("the flow is in the graph", || {
        let graph = plane.read("/api/v1/graph");
        (!graph["edges"].as_array()?.first()?["attacks"].as_array()?.is_empty()).then_some(())
    });
    let id = plane.read("/api/v1/events?rule=1001")["items"][0]["id"].as_str().unwrap().to_owned();
    let event = format!("events/{id}");
    let further = [
        (event.as_str(), "Event", "Allow exactly this"),
        ("try", "Try a request", "Explain"),
        ("nowhere", "Nothing here", "no page"),
    ];
    let mut wrong = Vec::new();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        for (page, title, text) in PAGES.iter().copied().chain(further) {
            browser.open(&plane.url(page));
            browser.wait(&format!("document.querySelector('h1')?.textContent === {}", json!(title)));
            browser.wait_text(text);
            browser.wait("!document.querySelector('main').innerText.includes('Loading')");
            assert_eq!(browser.eval("document.title"), format!("{title} · Palisade"));
            let name: String =
                page.chars().take(12).map(|char| if char.is_alphanumeric() { char } else { '-' }).collect();
            browser.picture(&format!("{name}-{scheme}"));
            assert_eq!(browser.eval("document.querySelectorAll('.failure').length"), 0, "{page}");
            wrong.extend(axe(&mut browser).into_iter().map(|one| format!("{page} {scheme}: {one}")));
            wrong.extend(browser.complaints().into_iter().map(|one| format!("{page} {scheme}: {one}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Everything came from this address.
    let origins = browser.eval(
        "[...new Set(performance.getEntriesByType('resource').map((one) => new URL(one.name).origin))]",
    );
    assert_eq!(origins, json!([format!("http://{}", plane.admin)]));
}

/// Whether the last was seen within two seconds.
#[test]
fn on_a_phone_no_page_is_wider_than_the_screen() {
    let Some((mut browser, plane)) = both("") else { return };
    for target in ["/?q=good", "/?q=evil", "/shop/?q=very+evil", "/internal/x"] {
        get(plane.address, target, "");
    }
    plane.has_events(3);
    let id = plane.read("/api/v1/events?rule=1001")["items"][0]["id"].as_str().unwrap().to_owned();
    let event = format!("events/{id}");
    browser.phone();
    let further = [(event.as_str(), "Event", "Allow exactly this"), ("try", "Try a request", "Explain")];
    for (page, title, text) in PAGES.iter().copied().chain(further) {
        browser.open(&plane.url(page));
        browser.wait(&format!("document.querySelector('h1')?.textContent === {}", json!(title)));
        browser.wait_text(text);
        let widths = browser.eval("[document.documentElement.scrollWidth, innerWidth]");
        assert_eq!(widths, json!([390, 390]), "{page}");
    }
}

fn was_at_once(took: &[Duration]) -> bool {
    took.last().is_some_and(|took| *took < Duration::from_secs(2))
}

#[test]
fn an_attack_is_seen_live_within_two_seconds_and_its_page_explains_it() {
    let Some((mut browser, mut plane)) = both("") else { return };
    browser.open(&plane.url("live"));
    browser.wait_text("Connected");
    // The machine may be busy with other tests: the best of a few counts.
    let mut took = Vec::new();
    for number in 1..=5 {
        let begun = Instant::now();
        assert_eq!(get(plane.address, "/product?page=2&id=an+Evil+thing", "").status, 403);
        browser.wait(&format!("document.querySelectorAll('tr[data-id]').length === {number}"));
        took.push(begun.elapsed());
        if was_at_once(&took) {
            break;
        }
    }
    assert!(was_at_once(&took), "{took:?}");
    browser.click("tr[data-id] a");
    browser.wait_text("Allow exactly this");
    assert_eq!(
        browser.eval("[...document.querySelectorAll('.request mark')].map((mark) => mark.textContent)"),
        json!(["an+Evil+thing"])
    );
    for said in ["query:id", "1001", "Evil <b>seen</b>", "critical", "an evil thing"] {
        assert!(
            browser.eval("document.querySelector('.event').innerText").as_str().unwrap().contains(said),
            "{said}"
        );
    }
    let modes = browser
        .eval("[...document.querySelectorAll('.modes tbody tr')].map((row) => row.children[1].innerText)");
    assert_eq!(modes, json!(["passed", "would block", "would block", "blocked"]));

    // What it says to add, added: the same passes from then on, and nothing else does.
    let added = browser.eval(
        "[...document.querySelectorAll('.diff .added')].map((line) => line.textContent.slice(2)).join('')",
    );
    let config = format!("{}{}", plane.config, added.as_str().unwrap());
    plane.folder.write("new.yaml", &config);
    let checked = palisade(&["check", "--config", &plane.folder.at("new.yaml")]);
    assert_eq!(checked.code, 0, "{config}\n{}", checked.err);
    std::fs::rename(plane.folder.at("new.yaml"), plane.folder.at("palisade.yaml")).unwrap();
    eventually("the exception is in force", || {
        (get(plane.address, "/product?page=2&id=an+Evil+thing", "").status == 200).then_some(())
    });
    for still in ["/product?page=evil&id=1", "/other?id=an+Evil+thing", "/product?id=1&other=bad"] {
        assert_eq!(get(plane.address, still, "").status, 403, "{still}");
    }
    assert!(browser.complaints().is_empty());
    assert_eq!(plane.proxy.end(), 0, "a stream that is open holds up no end");
}

#[test]
fn what_clients_send_stays_text_on_every_page() {
    let Some((mut browser, plane)) = both("") else { return };
    let escaped: String = SCRIPT.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let headers = format!("User-Agent: evil {SCRIPT}\r\nX-Request-Id: {SCRIPT}\r\nReferer: {SCRIPT}\r\n");
    assert_eq!(
        get(plane.address, &format!("/{escaped}?{escaped}=evil{escaped}&q=evil%E2%80%AE{escaped}"), &headers)
            .status,
        403
    );
    let host = format!(
        "GET /{SCRIPT}?q=evil{SCRIPT} HTTP/1.1\r\nHost: a\r\nUser-Agent: {SCRIPT}\r\nConnection: close\r\n\r\n"
    );
    send(
        plane.address,
        host.replace(' ', "\t").replacen('\t', " ", 1).replacen("\tHTTP", " HTTP", 1).as_bytes(),
    );
    let entry = json!({"address": "192.0.2.9", "reason": SCRIPT}).to_string();
    assert_eq!(plane.ask("POST", "/api/v1/lists/deny?by=%3Cscript%3E", "", &entry).status, 200);
    plane.has_events(1);
    let event = plane.read("/api/v1/events?action=deny")["items"][0].clone();
    let event = format!("events/{}", event["id"].as_str().unwrap());
    let search = format!("events?q={escaped}");
    for page in [
        "",
        "live",
        "events",
        &event,
        "graph",
        "graph?view=table",
        "services",
        "tuning",
        "inventory",
        "replay",
        "alerts",
        "policies",
        "lists",
        "rules",
        &search,
        &escaped,
    ] {
        browser.open(&plane.url(page));
        browser.wait(
            "document.querySelector('h1') && !document.querySelector('main').innerText.includes('Loading')",
        );
        // Time for whatever would run.
        browser.eval("new Promise((resolve) => setTimeout(resolve, 100))");
        assert_eq!(browser.eval("window.ran === undefined"), true, "{page}");
        let grown = browser.eval(
            "document.querySelectorAll('img, main script, [onload], [onerror], iframe, object').length",
        );
        assert_eq!(grown, 0, "{page}");
    }
    browser.open(&plane.url(&event));
    browser.wait_text("onerror=window.ran");
    assert!(
        browser.complaints().iter().all(|one| one.contains("400")),
        "only what cannot be asked is complained about"
    );
    // And nothing could have run.
    let refused =
        browser.eval("try { document.body.innerHTML = '<b>x</b>'; 'set' } catch (error) { error.name }");
    assert_eq!(refused, "TypeError");
}

#[test]
fn modes_and_lists_are_changed_from_their_pages() {
    let Some((mut browser, plane)) = both("") else { return };
    let mode = || plane.read("/api/v1/services/front/mode")["service"]["mode"].clone();
    browser.open(&plane.url("services"));
    browser.click("td.actions button");
    browser.click("dialog input[value=monitoring]");
    browser.write("dialog .field input", "a test");
    browser.click("dialog button[type=submit]");
    browser.wait("!document.querySelector('dialog')");
    assert_eq!(mode(), "monitoring");
    assert_eq!(get(plane.address, "/?q=evil", "").status, 200);
    browser.wait_text("run-time");
    browser.click("td.actions button");
    browser.wait_text("a test");
    browser.wait("document.querySelectorAll('dialog .buttons button').length === 3");
    browser.click("dialog .buttons button:nth-child(2)");
    browser.wait("!document.querySelector('dialog')");
    assert_eq!(mode(), "block");
    plane.proxy.wait_err("audit: somebody from 127.0.0.1: PUT /api/v1/services/front/mode: 200");

    browser.open(&plane.url("lists?list=deny&address=127.0.0.1"));
    browser.wait("document.querySelector('dialog [name=subject]')?.value === '127.0.0.1'");
    browser.write("dialog [name=reason]", "seen attacking");
    assert_eq!(axe(&mut browser), [""; 0]);
    browser.picture("lists-add");
    browser.click("dialog button[type=submit]");
    browser.wait_text("seen attacking");
    assert_eq!(get(plane.address, "/", "").status, 403);
    browser.click("td.actions button");
    browser.wait_text("Nobody is on the deny list");
    assert_eq!(get(plane.address, "/", "").status, 200);
    // What is wrong is said where it was written.
    browser.click("button.main");
    browser.write("dialog [name=subject]", "nonsense");
    browser.click("dialog button[type=submit]");
    browser.wait("document.querySelector('dialog .failure')?.innerText.includes('address')");
}

#[test]
fn events_are_filtered_by_the_address_and_a_request_is_tried() {
    let Some((mut browser, plane)) = both("") else { return };
    for target in ["/?q=evil", "/?other=bad", "/internal/x"] {
        get(plane.address, target, "");
    }
    plane.has_events(3);
    let rows = "document.querySelectorAll('tr[data-id]').length";
    browser.open(&plane.url("events"));
    browser.wait(&format!("{rows} === 3"));
    browser.write("input[name=rule]", "1002");
    browser.wait(&format!("{rows} === 1"));
    assert!(browser.eval("location.hash").as_str().unwrap().contains("rule=1002"));
    browser.open(&plane.url("events?rule=1001&action=deny"));
    browser.wait(&format!("{rows} === 1"));
    browser.open(&plane.url("events?service=nobody"));
    browser.wait_text("No events like this");

    browser.open(&plane.url("try"));
    browser.write("input[name=uri]", "/?q=EVIL");
    browser.click("button[type=submit]");
    browser.wait_text("deny 403");
    browser.wait_text("ARGS:q");
    browser.picture("try-answer");
    assert_eq!(axe(&mut browser), [""; 0]);
    assert!(browser.complaints().is_empty());
    let counted = plane.read("/api/v1/events")["items"].as_array().unwrap().len();
    assert_eq!(counted, 3, "what is tried is not recorded");
}

#[test]
fn the_graph_is_walked_by_keys_and_shows_what_is_chosen() {
    let Some((mut browser, plane)) = both("") else { return };
    for _ in 0..3 {
        get(plane.address, "/?q=evil", "");
    }
    eventually("the attacked flow", || {
        let graph = plane.read("/api/v1/graph");
        (!graph["edges"].as_array()?.first()?["attacks"].as_array()?.is_empty()).then_some(())
    });
    browser.open(&plane.url("graph"));
    browser
        .wait("document.querySelectorAll('.node').length >= 2 && document.querySelector('.edge.attacked')");
    // One node is in the order of the tab key; arrows go on from it.
    assert_eq!(browser.eval("document.querySelectorAll('.node[tabindex=\"0\"]').length"), 1);
    browser.eval("document.querySelector('.node[tabindex=\"0\"]').focus()");
    let first = browser.eval("document.activeElement.dataset.at");
    for key in ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"] {
        browser.press(key);
        browser.eval("new Promise(requestAnimationFrame)");
        if browser.eval("document.activeElement.dataset.at") != first {
            break;
        }
    }
    assert_ne!(browser.eval("document.activeElement.dataset.at"), first);
    browser.press("Enter");
    browser.wait("document.querySelector('.details h3')");
    browser.click(".details button.link");
    browser.wait("document.querySelector('.details').innerText.includes('attacks were seen')");
    browser.wait_text("sqli");
    browser.picture("graph-chosen");
    assert!(browser.complaints().is_empty());
}

#[test]
fn who_has_to_log_in_does_so_on_the_page_and_a_viewer_changes_nothing() {
    let folder = Folder::new();
    let mut lines = String::new();
    for (user, role) in [("alice", "operator"), ("bob", "viewer")] {
        let line = palisade_with(&["password", "--user", user, "--role", role], b"correct horse battery\n");
        assert_eq!(line.code, 0, "{}", line.err);
        lines += &line.out;
    }
    let users = folder.write("users", &lines);
    let token = folder.write("token", "0123456789abcdef0123456789abcdef");
    let Some((mut browser, plane)) = both(&format!(", usersFile: {users}, tokenFile: {token}")) else {
        return;
    };
    browser.open(&plane.url("services"));
    browser.wait("document.querySelector('.login')");
    assert_eq!(axe(&mut browser), [""; 0]);
    browser.picture("login");
    let login = |browser: &mut Browser, user: &str, password: &str| {
        browser.write("[name=user]", user);
        browser.write("[name=secret]", password);
        browser.click(".login button[type=submit]");
    };
    login(&mut browser, "bob", "wrong horse battery");
    browser.wait_text("that opens nothing here");
    login(&mut browser, "bob", "correct horse battery");
    browser.wait_text("front");
    assert_eq!(browser.eval("document.querySelectorAll('td.actions button').length"), 0);
    assert_eq!(browser.eval("document.cookie"), "", "scripts do not see the session");
    browser.click(".who button");
    browser.wait("document.querySelector('.login')");
    login(&mut browser, "alice", "correct horse battery");
    browser.click("td.actions button");
    browser.click("dialog input[value=monitoring]");
    browser.click("dialog button[type=submit]");
    browser.wait_text("run-time");
    plane.proxy.wait_err("audit: alice from 127.0.0.1: PUT /api/v1/services/front/mode: 200");
    plane.proxy.wait_err("login of \"bob\" from 127.0.0.1 refused");
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|one| one.contains("401")), "{complaints:?}");
}

#[test]
fn the_console_is_sent_compressed_and_kept() {
    let plane = Plane::start("");
    if !plane.has_console() {
        return;
    }
    let page = plane.head("/", "Accept-Encoding: gzip, br\r\n");
    for said in ["HTTP/1.1 200", "content-encoding: br", "cache-control: no-cache", "script-src 'self'"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let tag = page.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let again = plane.head("/", &format!("Accept-Encoding: gzip, br\r\nIf-None-Match: {tag}\r\n"));
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    let page = plane.ask("GET", "/", "", "").body;
    assert!(!page.contains("style=") && !page.contains("<style") && page.matches("<script").count() == 1);
    for file in page.split('"').filter(|text| text.starts_with("/assets/")) {
        let head = plane.head(file, "Accept-Encoding: br\r\n");
        assert!(head.contains("content-encoding: br") && head.contains("immutable"), "{file}: {head}");
    }
}

#[test]
fn policies_rules_and_explanations_come_by_the_api() {
    let plane = Plane::start("");
    let policies = plane.read("/api/v1/policies");
    let policy = &policies["items"][0];
    assert_eq!(
        (&policy["namespace"], &policy["name"], &policy["staged"]),
        (&json!("shop"), &json!("default.web"), &json!(false))
    );
    assert_eq!(
        policy["rules"][0],
        json!({"direction": "ingress", "index": 0, "action": "Deny", "text": "/internal/**"})
    );

    let first = plane.read("/api/v1/rules?limit=1");
    assert_eq!((&first["items"][0]["id"], &first["next"]), (&json!(1001), &json!("1")));
    let second = plane.read("/api/v1/rules?limit=1&cursor=1");
    assert_eq!((&second["items"][0]["id"], &second["next"]), (&json!(1002), &Value::Null));
    for (text, found) in [
        ("attack-xss", json!([1002])),
        ("evil", json!([1001])),
        ("RULES.conf", json!([1001, 1002])),
        ("none", json!([])),
    ] {
        let page = plane.read(&format!("/api/v1/rules?q={text}"));
        let ids: Vec<Value> =
            page["items"].as_array().unwrap().iter().map(|rule| rule["id"].clone()).collect();
        assert_eq!(json!(ids), found, "{text}");
    }
    assert_eq!(plane.ask("GET", "/api/v1/rules?verbose=1", "", "").status, 400);

    let request = json!({"method": "GET", "uri": "/?q=evil", "headers": [["Host", "a"]]}).to_string();
    let explain = |query: &str, body: &str| plane.ask("POST", &format!("/api/v1/explain{query}"), "", body);
    let answer: Value = serde_json::from_str(&explain("", &request).body).unwrap();
    assert_eq!(
        (&answer["verdict"], &answer["rule_id"], &answer["status"]),
        (&json!("deny"), &json!(1001), &json!(403))
    );
    let answer: Value =
        serde_json::from_str(&explain("?service=front&mode=monitoring", &request).body).unwrap();
    assert_eq!((&answer["verdict"], &answer["would"]), (&json!("pass"), &json!("deny")));
    // Lists are those of this moment.
    let denied = json!({"uri": "/", "headers": [["Host", "a"]], "client_ip": "203.0.113.9"}).to_string();
    let answer: Value = serde_json::from_str(&explain("", &denied).body).unwrap();
    assert_eq!(answer["verdict"], "pass");
    assert_eq!(plane.ask("POST", "/api/v1/lists/deny", "", r#"{"address":"203.0.113.9"}"#).status, 200);
    let answer: Value = serde_json::from_str(&explain("", &denied).body).unwrap();
    assert_eq!((&answer["cause"], &answer["configured"]["list"]), (&json!("the deny list"), &json!("deny")));
    let answer: Value = serde_json::from_str(&explain("", "{").body).unwrap();
    assert!(answer["error"]["message"].is_string() && answer["verdict"].is_null(), "{answer}");
    let own = json!({"method": "GET", "uri": "/", "rules": "SecRuleEngine On"}).to_string();
    assert!(explain("", &own).body.contains("not taken here"));
    assert_eq!(explain("?service=nobody", &request).status, 404);
    assert_eq!(explain("?mode=loud", &request).status, 400);
    // Refused by its length: it is not read, so none of it is sent.
    let announced = format!(
        "POST /api/v1/explain HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        plane.admin,
        1024 * 1024 + 1
    );
    assert_eq!(send(plane.admin, announced.as_bytes()).status, 413);
    assert_eq!(plane.ask("GET", "/api/v1/explain", "", "").status, 405);
    assert_eq!(plane.read("/api/v1/events")["items"], json!([]), "what is explained is not recorded");
}
