//! Policies that traffic suggests, in the console: what they rest on, and that they do what they say once they are in force.
//!
//! In a browser where there is one, over live traffic of the binary.

mod browser;
mod support;

use browser::plane::{Plane, axe, both};
use serde_json::{Value, json};
use support::{eventually, get, send};

const SUGGESTIONS: &str = "/api/v1/policies/suggestions?from=15m";

/// What was served, and what nobody should learn from.
fn traffic(plane: &Plane) {
    for target in ["/shop/cart", "/shop/cart?id=7", "/shop/<b>"] {
        assert_eq!(get(plane.address, target, "").status, 200, "{target}");
    }
    assert_eq!(post(plane, "/shop/orders"), 200);
    assert_eq!(get(plane.address, "/shop/stolen?q=evil", "").status, 403);
    assert_eq!(get(plane.address, "/internal/x", "").status, 403);
}

fn post(plane: &Plane, path: &str) -> u16 {
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    send(plane.address, request.as_bytes()).status
}

/// What is suggested once all of the traffic is in records.
fn suggested(plane: &Plane, more: &str) -> Value {
    eventually("records of all requests", || {
        let page = plane.read(&format!("{SUGGESTIONS}{more}"));
        let left_out: u64 =
            page["left_out"].as_array()?.iter().filter_map(|one| one["requests"].as_u64()).sum();
        (page["learned"].as_u64()? + left_out >= 6).then_some(page)
    })
}

#[test]
fn suggested_policies_let_pass_what_was_seen_and_nothing_else() {
    let plane = Plane::start("");
    traffic(&plane);
    let page = suggested(&plane, "");
    assert_eq!(page["learned"], 4, "{page}");
    assert_eq!(page["left_out"], json!([{"requests": 2, "why": "taken for attacks, or stopped"}]));
    let [item] = &page["items"].as_array().unwrap()[..] else { panic!("{page}") };
    assert_eq!(
        (&item["namespace"], &item["service_account"], &item["services"], &item["requests"]),
        (&json!("shop"), &json!("web"), &json!(["front"]), &json!(4))
    );
    let port = plane.address.port();
    assert_eq!(
        item["sources"],
        json!([{"namespace": null, "service_account": null, "port": port, "requests": 4}])
    );
    assert_eq!(
        (&item["tried"][0]["what"], &item["tried"][0]["requests"], &item["tried"][0]["denied"]),
        (&json!("that they were made of"), &json!(4), &json!(0))
    );
    let attacks = &item["tried"][1];
    assert_eq!((&attacks["requests"], &attacks["denied"]), (&json!(2), &json!(2)), "{attacks}");
    assert!(attacks["examples"].to_string().contains("GET /internal/x at port"), "{attacks}");
    let notes = item["notes"].to_string();
    assert!(notes.contains("anybody may ask the same"), "{notes}");
    let yaml = item["yaml"].as_str().unwrap();
    assert!(
        yaml.contains("kind: NetworkPolicy") && yaml.contains("podSelector: {matchLabels: {app: web}}"),
        "{yaml}"
    );
    assert!(!yaml.contains("stolen") && !yaml.contains("internal") && !yaml.contains('<'), "{yaml}");

    let staged = suggested(&plane, "&staged=yes&service=front");
    let yaml_staged = staged["items"][0]["yaml"].as_str().unwrap();
    assert!(yaml_staged.contains("kind: StagedNetworkPolicy"), "{yaml_staged}");
    assert_eq!(staged["items"][0]["tried"], item["tried"], "a staged one is tried as if it were in force");
    assert_eq!(plane.read(&format!("{SUGGESTIONS}&service=other"))["items"], json!([]));
    assert_eq!(plane.ask("GET", &format!("{SUGGESTIONS}&staged=perhaps"), "", "").status, 400);

    plane.folder.write("policies.yaml", yaml);
    eventually("they are in force", || {
        (get(plane.address, "/shop/never-seen", "").status == 403).then_some(())
    });
    for (target, status) in [
        ("/shop/cart", 200),
        ("/shop/cart?id=8", 200),
        ("/shop/%3Cb%3E", 200),
        ("/shop/orders", 403),
        ("/shop/stolen", 403),
        ("/internal/x", 403),
        ("/", 403),
    ] {
        assert_eq!(get(plane.address, target, "").status, status, "{target}");
    }
    assert_eq!((post(&plane, "/shop/orders"), post(&plane, "/shop/cart")), (200, 403));
}

#[test]
fn what_records_cut_is_suggested_as_a_prefix() {
    let plane = Plane::start("");
    for target in ["/a/b/c/d/e", "/a/b/c/d/f/g/h", "/v/1?q=/x/y"] {
        assert_eq!(get(plane.address, target, "").status, 200);
    }
    let page = eventually("records", || {
        let page = plane.read(SUGGESTIONS);
        (page["learned"] == 3).then_some(page)
    });
    let yaml = page["items"][0]["yaml"].as_str().unwrap();
    for line in ["- exact: '/a/b/c/d/e'\n", "- prefix: '/a/b/c/d/f'\n"] {
        assert!(yaml.contains(line), "{line}: {yaml}");
    }
    assert!(!yaml.contains("/g"), "{yaml}");
}

#[test]
fn the_policies_page_shows_what_is_suggested_and_its_yaml_to_copy() {
    let Some((mut browser, plane)) = both("") else { return };
    traffic(&plane);
    suggested(&plane, "");
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        browser.open(&plane.url("policies"));
        browser.click("button.suggest");
        browser.wait_text("shop/web");
        browser.wait_text("denies none of them");
        browser.wait_text("left out: 2 taken for attacks, or stopped");
        browser.click(".suggested summary");
        browser.wait_text("kind: StagedNetworkPolicy");
        browser.wait_text("anybody: no workload's certificate");
        browser.click(".suggested input[type=checkbox]");
        browser.wait_text("kind: NetworkPolicy");
        browser.picture(&format!("suggested-{scheme}"));
        assert_eq!(axe(&mut browser), [""; 0]);
    }
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}
