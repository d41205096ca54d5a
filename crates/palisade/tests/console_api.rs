//! What holds for every route of the admin address, walked by what `/api/v1/openapi.json` describes: who may change
//! something, the trail that a change leaves, pages that stay the same while more comes, and tags of answers.

mod browser;
mod support;

use std::collections::BTreeSet;

use browser::plane::Plane;
use serde_json::{Value, json};
use support::{Folder, eventually, get, palisade_with, send};

const RECORDING: &str = "recording: {enabled: true, keep: all, oneIn: 1}\n";

const ALERT: &str = r#"{"apiVersion": "projectcalico.org/v3", "kind": "GlobalAlert", "metadata": {"name": "many"},
  "spec": {"description": "many attacks", "summary": "many", "severity": 50, "dataSet": "waf", "metric": "count",
           "condition": "gt", "threshold": 1000, "period": "1m", "lookback": "10m"}}"#;

/// Each change that operators make, in an order in which all succeed: its method, the route, what is asked, and the body.
const CHANGES: [(&str, &str, &str, &str); 12] = [
    ("PUT", "/services/{name}/mode", "/services/front/mode", r#"{"mode": "monitoring"}"#),
    ("DELETE", "/services/{name}/mode", "/services/front/mode", ""),
    ("POST", "/services/{name}/exceptions", "/services/front/exceptions", r#"{"rules": [1001]}"#),
    ("DELETE", "/services/{name}/exceptions/{id}", "/services/front/exceptions/1", ""),
    ("POST", "/lists/{list}", "/lists/deny", r#"{"address": "192.0.2.9"}"#),
    ("DELETE", "/lists/{list}", "/lists/deny?address=192.0.2.9", ""),
    ("PUT", "/alerts/{name}", "/alerts/many", ALERT),
    ("DELETE", "/alerts/{name}", "/alerts/many", ""),
    (
        "POST",
        "/alerts/fired/dismissed",
        "/alerts/fired/dismissed",
        r#"{"ids": ["0123456789ab7def8123456789abcdef"]}"#,
    ),
    (
        "DELETE",
        "/alerts/fired/dismissed",
        "/alerts/fired/dismissed",
        r#"{"ids": ["0123456789ab7def8123456789abcdef"]}"#,
    ),
    ("POST", "/replays", "/replays", r#"{"service": "front"}"#),
    ("DELETE", "/replays/{id}", "/replays/1", ""),
];

/// A data plane that asks for a password of alice, who operates, or of bob, who looks.
fn with_users() -> (Plane, Folder) {
    let (folder, mut lines) = (Folder::new(), String::new());
    for (user, role) in [("alice", "operator"), ("bob", "viewer")] {
        let line = palisade_with(&["password", "--user", user, "--role", role], b"correct horse battery\n");
        assert_eq!(line.code, 0, "{}", line.err);
        lines += &line.out;
    }
    let users = folder.write("users", &lines);
    (Plane::start_with(&format!(", usersFile: {users}"), RECORDING), folder)
}

/// Headers of a session: its cookie, and what proves that our page asks.
fn login(plane: &Plane, user: &str) -> (String, String) {
    let key = json!({"user": user, "password": "correct horse battery"}).to_string();
    let answer = plane.ask("POST", "/api/v1/login", "", &key);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let session: Value = serde_json::from_str(&answer.body).unwrap();
    let proof = session["csrf"].as_str().unwrap();
    (format!("Cookie: {cookie}\r\n"), format!("x-palisade-csrf: {proof}\r\n"))
}

/// What can be asked: the method in capitals, the route, and how it is described.
fn operations(plane: &Plane, headers: &str) -> Vec<(String, String, Value)> {
    let answer = plane.ask("GET", "/api/v1/openapi.json", headers, "");
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(|(method, described)| (method.to_uppercase(), path.clone(), described.clone()))
        })
        .collect()
}

/// A path that a route stands for.
fn filled(route: &str) -> String {
    route.replace("{list}", "deny").replace("{name}", "front").replace("{id}", "1")
}

#[test]
fn no_change_is_taken_from_another_site_under_another_name_or_without_proof() {
    let (open, (closed, _users)) = (Plane::start(""), with_users());
    let ((alice, proof), (bob, bobs_proof)) = (login(&closed, "alice"), login(&closed, "bob"));
    let (alices, bobs) = (format!("{alice}{proof}"), format!("{bob}{bobs_proof}"));
    let foreign = [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ];
    let mut walked = 0;
    for (method, route, described) in operations(&open, "") {
        if method == "GET" {
            continue;
        }
        walked += 1;
        let path = filled(&route);
        let rebound = format!(
            "{method} {path} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        );
        assert_eq!(send(open.admin, rebound.as_bytes()).status, 421, "{method} {path}");
        let status = |headers: &str| closed.ask(&method, &path, headers, "{}").status;
        for page in foreign {
            assert_eq!(open.ask(&method, &path, page, "{}").status, 403, "{method} {path} {page}");
            assert_eq!(status(&format!("{alices}{page}")), 403, "{method} {path} {page}");
        }
        let role = described["x-role"].as_str().unwrap();
        if role == "anybody" {
            assert_eq!(path, "/api/v1/login", "nothing else is open to those whom nobody knows");
            continue;
        }
        assert_eq!(status(""), 401, "{method} {path}");
        assert_eq!(status(&proof), 401, "{method} {path}: a proof and no session");
        assert_eq!(status(&alice), 403, "{method} {path}: no proof");
        assert_eq!(status(&format!("{alice}{bobs_proof}")), 403, "{method} {path}: somebody else's proof");
        if role == "operator" {
            assert_eq!(status(&bobs), 403, "{method} {path}: a viewer");
        }
    }
    assert_eq!(walked, CHANGES.len() + 3, "and login, logout, and explain, which changes nothing");
    // The sessions stood all the while: it was not for want of one that they were refused.
    assert_eq!(closed.ask("GET", "/api/v1/services", &alices, "").status, 200);
    let explained =
        closed.ask("POST", "/api/v1/explain", &bobs, r#"{"uri": "/", "headers": [["Host", "a"]]}"#);
    assert_eq!(explained.status, 200, "{}", explained.body);
    assert_eq!(closed.ask("POST", "/api/v1/logout", &bobs, "").status, 200);
    assert_eq!(closed.ask("GET", "/api/v1/services", &bobs, "").status, 401);
}

#[test]
fn each_change_of_an_operator_leaves_a_line_that_says_who() {
    let (plane, _users) = with_users();
    let (cookie, proof) = login(&plane, "alice");
    let alices = format!("{cookie}{proof}");
    let described: BTreeSet<(String, String)> = operations(&plane, &alices)
        .into_iter()
        .filter(|(method, _, described)| method != "GET" && described["x-role"] == "operator")
        .map(|(method, route, _)| (method, route))
        .collect();
    let known = CHANGES.iter().map(|(method, route, ..)| ((*method).to_owned(), format!("/api/v1{route}")));
    assert_eq!(described, known.collect(), "a change that this test does not make");
    get(plane.address, "/?q=good", "");
    eventually("a request is recorded", || {
        let page: Value =
            serde_json::from_str(&plane.ask("GET", "/api/v1/replays", &alices, "").body).ok()?;
        (page["recording"]["bytes"].as_u64()? > 0).then_some(())
    });
    for (method, _, target, body) in CHANGES {
        let answer = plane.ask(method, &format!("/api/v1{target}"), &alices, body);
        assert_eq!(answer.status, 200, "{method} {target}: {}", answer.body);
        plane.proxy.wait_err(&format!("audit: alice from 127.0.0.1: {method} /api/v1{target}: 200"));
    }
    // A change that is not made is told as that.
    assert_eq!(plane.ask("PUT", "/api/v1/services/front/mode", &alices, r#"{"mode": "loud"}"#).status, 400);
    plane.proxy.wait_err("audit: alice from 127.0.0.1: PUT /api/v1/services/front/mode: 400");
    // What a page shows of it outlives the log.
    for (path, count) in [("services/front/mode", 2), ("services/front/exceptions", 2)] {
        let shown: Value =
            serde_json::from_str(&plane.ask("GET", &format!("/api/v1/{path}"), &alices, "").body).unwrap();
        let by = shown["changes"].as_array().unwrap().iter().map(|change| change["by"].as_str().unwrap());
        assert_eq!(by.filter(|by| by.contains("alice")).count(), count, "{shown}");
    }
    let lists: Value =
        serde_json::from_str(&plane.ask("GET", "/api/v1/lists/changes", &alices, "").body).unwrap();
    let by = lists["items"].as_array().unwrap().iter().map(|change| change["by"].as_str().unwrap());
    assert_eq!(by.filter(|by| by.contains("alice")).count(), 2, "{lists}");
}

/// Traffic that leaves something in each page of events.
fn traffic(plane: &Plane, round: u32) {
    for at in 0..3 {
        for query in ["q=evil", "other=bad", "fine=yes"] {
            let agent = format!("User-Agent: round-{round}\r\n");
            get(plane.address, &format!("/round{round}/page{at}?{query}"), &agent);
        }
    }
    get(plane.address, "/internal/x", "");
}

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("no page: {page}"))
}

/// Without what each request changes in it: what a rule costs.
fn lasting(mut items: Vec<Value>) -> Vec<Value> {
    items.iter_mut().filter_map(Value::as_object_mut).for_each(|item| drop(item.remove("cost")));
    items
}

/// The pages of a route: each of one item.
fn walk(plane: &Plane, path: &str, mut page: Value) -> Vec<Value> {
    let mut walked = items(&page).clone();
    while let Some(next) = page["next"].as_str().map(str::to_owned) {
        page = plane.read(&format!("{path}?limit=1&cursor={next}"));
        assert!(items(&page).len() <= 1, "{page}");
        walked.extend(items(&page).iter().cloned());
        assert!(walked.len() < 1000, "{path} does not end");
    }
    walked
}

#[test]
fn pages_hold_each_item_once_in_their_order_while_more_comes() {
    let plane = Plane::start("");
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        let entry = json!({"address": address}).to_string();
        assert_eq!(plane.ask("POST", "/api/v1/lists/deny", "", &entry).status, 200);
        let exception = json!({"rules": [9000], "points": [format!("query:{address}")]}).to_string();
        assert_eq!(plane.ask("POST", "/api/v1/services/front/exceptions", "", &exception).status, 200);
    }
    traffic(&plane, 1);
    let paged: Vec<String> = operations(&plane, "")
        .into_iter()
        .filter(|(_, _, described)| described["parameters"].to_string().contains(r#""name":"cursor""#))
        .map(|(_, route, _)| filled(&route))
        .collect();
    assert!(paged.len() >= 9, "{paged:?}");
    plane.has_events(7);
    eventually("records of requests that passed", || {
        (items(&plane.read("/api/v1/services/front/inventory")).len() >= 3).then_some(())
    });
    let begun: Vec<(String, Vec<Value>, Value)> = paged
        .into_iter()
        .map(|path| {
            let whole = items(&plane.read(&format!("{path}?limit=1000"))).clone();
            (path.clone(), whole, plane.read(&format!("{path}?limit=1")))
        })
        .collect();
    traffic(&plane, 2);
    let entry = json!({"address": "192.0.2.4"}).to_string();
    assert_eq!(plane.ask("POST", "/api/v1/lists/deny", "", &entry).status, 200);
    plane.has_events(14);
    for (path, whole, first) in begun {
        // Alerts are asked once a minute, and a policy stands here alone.
        let few = path.ends_with("/fired") || path.contains("/policies");
        let count = whole.len();
        assert!(few || count >= 2, "{path}: {count}");
        assert_eq!(lasting(walk(&plane, &path, first)), lasting(whole), "{path}");
        // One that was begun at the end knows what came since.
        let more = plane.read(&format!("{path}?limit=1000"));
        assert!(items(&more).len() >= count, "{path}");
        let answer = plane.ask("GET", &format!("{path}?limit=1&cursor=%3Cscript%3E"), "", "");
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
    }
}

#[test]
fn every_json_answer_has_a_tag_and_is_not_sent_twice() {
    let plane = Plane::start("");
    traffic(&plane, 1);
    plane.has_events(7);
    let mut known = 0;
    for (method, route, described) in operations(&plane, "") {
        let is_json = described["responses"]["200"]["content"]["application/json"].is_object();
        if method != "GET" || !is_json || !route.starts_with("/api/v1/") || route.contains("login") {
            continue;
        }
        let mut path = filled(&route);
        if route.contains("/events/{id}") {
            let id = plane.read("/api/v1/events")["items"][0]["id"].as_str().unwrap().to_owned();
            path = route.replace("{id}", &id);
        } else if route.contains("{id}") || route == "/api/v1/alerts/{name}" {
            // There is none here: an error has no tag.
            let answer = plane.ask("GET", &path, "", "");
            assert_eq!((answer.status, answer.header("etag")), (404, None), "{path}");
            continue;
        }
        let first = plane.ask("GET", &path, "", "");
        assert_eq!(first.status, 200, "{path}: {}", first.body);
        // What counts seconds is another thing a second later; whatever is the same has the same tag.
        eventually(&format!("{path} is not sent twice"), || {
            let tag = plane.ask("GET", &path, "", "").header("etag")?.to_owned();
            let again = plane.ask("GET", &path, &format!("If-None-Match: {tag}\r\n"), "");
            match again.status {
                304 => {
                    assert_eq!(again.body, "", "{path}");
                    Some(())
                }
                status => {
                    assert_eq!(status, 200, "{path}");
                    assert_ne!(again.header("etag"), Some(tag.as_str()), "{path}");
                    is_volatile(&path).then_some(())
                }
            }
        });
        known += 1;
    }
    assert!(known > 15, "{known}");
}

/// Whether an answer says to the millisecond what time it is about.
fn is_volatile(path: &str) -> bool {
    ["/stats", "/graph", "/status", "/tuning"].iter().any(|volatile| path.ends_with(volatile))
}
