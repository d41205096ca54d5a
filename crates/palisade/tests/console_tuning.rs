//! What the console changes about what is inspected, and what it says before somebody does: exceptions, tuning, the API
//! inventory. In a browser where there is one, over live traffic of the binary.

mod browser;
mod support;

use browser::plane::{Plane, axe, both};
use serde_json::{Value, json};
use support::{Folder, eventually, get, palisade_with, send};

fn status(plane: &Plane, target: &str) -> u16 {
    get(plane.address, target, "").status
}

/// The event of the last request that was stopped.
fn last_denied(plane: &Plane) -> String {
    eventually("an event", || {
        let events = plane.read("/api/v1/events?action=deny&limit=1");
        Some(events["items"][0]["id"].as_str()?.to_owned())
    })
}

#[test]
fn allow_exactly_this_is_applied_by_a_click_and_changes_that_alone() {
    let Some((mut browser, mut plane)) = both("") else { return };
    let benign = "/notes/new?page=1&text=an+evil+thing";
    assert_eq!(status(&plane, benign), 403);
    let event = last_denied(&plane);
    browser.open(&plane.url(&format!("events/{event}")));
    browser.wait_text("Allow exactly this");
    browser.click("button.apply");
    browser.wait_text("the next request like this passes");
    browser.picture("allowed");
    assert_eq!(axe(&mut browser), [""; 0]);
    // At once, and not when a file has settled.
    assert_eq!(status(&plane, benign), 200);
    let attacks = [
        "/notes/new?page=evil&text=x",
        "/notes?text=evil",
        "/notes/newer?text=evil",
        "/notes/new/../x?text=evil",
        "/notes/new?other=bad&text=evil",
        "/other?text=evil",
    ];
    for attack in attacks {
        assert_eq!(status(&plane, attack), 403, "{attack}");
    }
    assert_eq!(get(plane.address, benign, "User-Agent: evil\r\n").status, 403);
    plane.proxy.wait_err("audit: somebody from 127.0.0.1: POST /api/v1/services/front/exceptions: 200");

    plane.restart();
    assert_eq!(status(&plane, benign), 200, "it outlives a restart");
    assert_eq!(status(&plane, attacks[0]), 403);
    let explained =
        plane.ask("POST", "/api/v1/explain", "", &json!({"method": "GET", "uri": benign}).to_string());
    assert_eq!(serde_json::from_str::<Value>(&explained.body).unwrap()["verdict"], "pass");

    browser.open(&plane.url("tuning?service=front"));
    browser.wait_text("run-time");
    browser.wait_text("text");
    assert_eq!(axe(&mut browser), [""; 0]);
    browser.click("table.exceptions button");
    browser.wait_text("Nothing is excepted");
    assert_eq!(status(&plane, benign), 403, "taken back");
    browser.wait_text("Changes");
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

#[test]
fn exceptions_are_added_by_operators_shown_and_taken_back_by_the_api() {
    let folder = Folder::new();
    let mut lines = String::new();
    for (user, role) in [("alice", "operator"), ("bob", "viewer")] {
        let line = palisade_with(&["password", "--user", user, "--role", role], b"correct horse battery\n");
        lines += &line.out;
    }
    let users = folder.write("users", &lines);
    let plane = Plane::start(&format!(", usersFile: {users}"));
    let path = "/api/v1/services/front/exceptions";
    let one =
        json!({"rules": [1001], "points": ["query:q"], "paths": ["/a"], "reason": "a test"}).to_string();
    assert_eq!(plane.ask("POST", path, "", &one).status, 401);
    let login = |user: &str| {
        let key = json!({"user": user, "password": "correct horse battery"}).to_string();
        let answer = plane.ask("POST", "/api/v1/login", "", &key);
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let session: Value = serde_json::from_str(&answer.body).unwrap();
        (
            format!("Cookie: {cookie}\r\n"),
            format!("x-palisade-csrf: {}\r\n", session["csrf"].as_str().unwrap()),
        )
    };
    let (bob, bobs_proof) = login("bob");
    let (alice, proof) = login("alice");
    assert_eq!(plane.ask("POST", path, &format!("{bob}{bobs_proof}"), &one).status, 403, "a viewer");
    assert_eq!(plane.ask("POST", path, &alice, &one).status, 403, "without proof that our page asks");
    let foreign = format!("{alice}{proof}Origin: http://elsewhere.example\r\n");
    assert_eq!(plane.ask("POST", path, &foreign, &one).status, 403, "another site's page");
    assert_eq!(status(&plane, "/a?q=evil"), 403);

    let alice = format!("{alice}{proof}");
    let added = plane.ask("POST", path, &alice, &one);
    assert_eq!(added.status, 200, "{}", added.body);
    assert_eq!(status(&plane, "/a?q=evil"), 200);
    assert_eq!(status(&plane, "/b?q=evil"), 403);
    for (body, said) in [
        ("{}", "does not say from what"),
        ("[]", "write"),
        (r#"{"rules": ["x"]}"#, "no rule's id"),
        (r#"{"rules": [1], "points": ["ARGS:q"]}"#, "query:q"),
        (r#"{"items": []}"#, "1 to 100"),
        (r#"{"items": [{"rules": [1]}], "rules": [2]}"#, "nothing else"),
        (r#"{"rules": [1], "event": "x"}"#, "id of an event"),
    ] {
        let refused = plane.ask("POST", path, &alice, body);
        assert!(refused.status == 400 && refused.body.contains(said), "{body}: {}", refused.body);
    }
    assert_eq!(plane.ask("POST", "/api/v1/services/nobody/exceptions", &alice, &one).status, 404);
    let shown = |headers: &str| {
        let answer = plane.ask("GET", path, headers, "");
        serde_json::from_str::<Value>(&answer.body).unwrap()
    };
    let page = shown(&bob);
    let item = &page["items"][0];
    assert_eq!(
        (&item["id"], &item["of"], &item["exception"]),
        (&json!(1), &json!("run-time"), &json!({"rules": [1001], "points": ["query:q"], "paths": ["/a"]}))
    );
    assert!(item["by"].as_str().unwrap().contains("alice") && item["reason"] == "a test", "{item}");
    let rules = plane.ask("GET", "/api/v1/rules?q=1001", &bob, "").body;
    assert!(rules.contains("excepted by service front at query:q below /a"), "{rules}");
    let gone = format!("{path}/1");
    assert_eq!(plane.ask("DELETE", &gone, &format!("{bob}{bobs_proof}"), "").status, 403);
    assert_eq!(plane.ask("DELETE", &gone, &alice, "").status, 200);
    assert_eq!(plane.ask("DELETE", &gone, &alice, "").status, 404);
    assert_eq!(status(&plane, "/a?q=evil"), 403);
    let page = shown(&bob);
    assert_eq!((&page["items"], &page["changes"][0]["what"]), (&json!([]), &json!("removed")));
    plane.proxy.wait_err("audit: alice from 127.0.0.1: DELETE /api/v1/services/front/exceptions/1: 200");
}

#[test]
fn exceptions_outlive_a_reload_and_a_configuration_that_is_broken_meanwhile() {
    let plane = Plane::start("");
    plane.folder.write("palisade.yaml", "services: [");
    plane.proxy.wait_err("the rules in force stay");
    let one = json!({"rules": [1001], "points": ["query:q"]}).to_string();
    assert_eq!(plane.ask("POST", "/api/v1/services/front/exceptions", "", &one).status, 200);
    assert_eq!(status(&plane, "/a?q=evil"), 200);
    plane.folder.write("palisade.yaml", format!("{}  mode: block\n", plane.config));
    plane.proxy.wait_err("loaded anew");
    assert_eq!(status(&plane, "/a?q=evil"), 200);
    // Where the mode may not be loosened at run time, neither may anything else.
    plane.folder.write("palisade.yaml", format!("{}  modeOverride: strict\n", plane.config));
    eventually("what was set does not count", || (status(&plane, "/a?q=evil") == 403).then_some(()));
    assert_eq!(plane.ask("POST", "/api/v1/services/front/exceptions", "", &one).status, 409);
}

#[test]
fn tuning_gathers_what_would_be_stopped_and_its_proposal_lets_it_pass() {
    let Some((mut browser, plane)) = both("") else { return };
    for number in 0..6 {
        assert_eq!(status(&plane, &format!("/search?q=an+evil+thing+{number}")), 403);
    }
    for number in 0..5 {
        assert_eq!(status(&plane, &format!("/p{number}?x{number}=evil")), 403);
    }
    plane.has_events(11);
    let tuning = plane.read("/api/v1/services/front/tuning?from=1h");
    let first = &tuning["items"][0];
    assert_eq!(
        (&first["points"], &first["requests"], &first["sources"], &first["blocked"]),
        (&json!(["query:q"]), &json!(6), &json!(1), &json!(6))
    );
    assert_eq!(first["exceptions"], json!([{"rules": [1001], "points": ["query:q"], "paths": ["/search"]}]));
    assert_eq!(first["samples"].as_array().unwrap().len(), 5);
    // One source met six groups: it probes.
    assert_eq!(first["looks"], "attack");
    let figure = &tuning["safe_to_block"];
    assert_eq!((&figure["attacks"], &figure["enough"]), (&json!(11), &json!(false)));
    let page = plane.read("/api/v1/services/front/tuning?from=1h&limit=2");
    let next = page["next"].as_str().unwrap();
    let rest = plane.read(&format!("/api/v1/services/front/tuning?cursor={next}"));
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["to"]), (4, &page["to"]));
    assert_eq!(plane.ask("GET", "/api/v1/services/front/tuning?cursor=x", "", "").status, 400);

    browser.open(&plane.url("tuning"));
    browser.wait_text("query:q");
    browser.click("details.group summary");
    browser.wait_text("would let it pass");
    browser.picture("tuning-open");
    assert_eq!(axe(&mut browser), [""; 0]);
    browser.click("details.group button.apply");
    browser.wait_text("In force");
    browser.wait("document.querySelector('table.exceptions')");
    assert_eq!(status(&plane, "/search?q=an+evil+thing"), 200);
    assert_eq!(status(&plane, "/p0?x0=evil"), 403);
    // Keys open a group as well.
    let second = "document.querySelectorAll('details.group')[1]";
    eventually("a group opens by a key", || {
        browser.eval(&format!("{second}.querySelector('summary').focus()"));
        browser.press("Enter");
        // A busy browser takes a key later.
        browser.eval("new Promise((resolve) => setTimeout(resolve, 500))");
        (browser.eval(&format!("{second}.open")) == true).then_some(())
    });
    assert!(browser.complaints().is_empty());
}

#[test]
fn the_inventory_knows_endpoints_and_its_document_is_a_specification() {
    let Some((mut browser, plane)) = both("") else { return };
    for target in
        ["/users/7?page=2", "/users/8?page=3&email=a%40example.com", "/users/9/orders/1234", "/users/me"]
    {
        assert_eq!(status(&plane, target), 200, "{target}");
    }
    let body = r#"{"user": {"name": "x"}, "tags": ["a"]}"#;
    let posted = format!(
        "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(send(plane.address, posted.as_bytes()).status, 200);
    assert_eq!(status(&plane, "/users/7?q=evil"), 403);
    let inventory = eventually("records of traffic", || {
        let inventory = plane.read("/api/v1/services/front/inventory");
        (inventory["endpoints"].as_u64()? >= 4 && inventory["left_out"]["stopped"] == 1).then_some(inventory)
    });
    let users =
        inventory["items"].as_array().unwrap().iter().find(|item| item["path"] == "/users/{id}").unwrap();
    assert_eq!((&users["method"], &users["requests"]), (&json!("GET"), &json!(2)));
    let email = users["parameters"].as_array().unwrap().iter().find(|one| one["name"] == "email").unwrap();
    assert_eq!((&email["classes"], &email["sensitive"]), (&json!(["email"]), &json!("e-mail address")));

    let document = plane.ask("GET", "/api/v1/services/front/inventory/openapi.json", "", "").body;
    let read = palisade_openapi::read(document.as_bytes(), None);
    assert!(
        read.specification.is_some() && read.diagnostics.is_empty(),
        "{:?}\n{document}",
        read.diagnostics
    );
    let value: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(value["openapi"], "3.1.0");
    assert!(value["paths"]["/users/{id}/orders/{id2}"]["get"].is_object(), "{document}");

    browser.open(&plane.url("inventory"));
    browser.wait_text("/users/{id}/orders/{id2}");
    browser.wait_text("e-mail address");
    browser.picture("inventory-full");
    assert_eq!(axe(&mut browser), [""; 0]);
    browser.click("section.panel header button");
    browser.eval("new Promise((resolve) => setTimeout(resolve, 300))");
    assert_eq!(browser.eval("document.querySelectorAll('.failure').length"), 0);
    browser.open(&plane.url("inventory?service=nobody"));
    browser.wait_text("No endpoint was seen");
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

#[test]
fn what_is_known_already_is_not_sent_again() {
    let plane = Plane::start("");
    let path = "/api/v1/rules?limit=1";
    let first = plane.ask("GET", path, "", "");
    let tag = first.header("etag").unwrap().to_owned();
    let again = plane.ask("GET", path, &format!("If-None-Match: \"x\", {tag}\r\n"), "");
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag.as_str())));
    let other = plane.ask("GET", "/api/v1/rules?limit=2", &format!("If-None-Match: {tag}\r\n"), "");
    assert!(other.status == 200 && other.header("etag").is_some_and(|other| other != tag));
    // What is no answer has no tag.
    assert_eq!(plane.ask("GET", "/api/v1/rules?limit=x", "", "").header("etag"), None);
}
