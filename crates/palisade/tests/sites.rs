//! Block pages, response headers and redirects of a configuration file, from outside; and what becomes of an object that
//! cannot be made anew.

mod support;

use std::net::SocketAddr;

use support::{Folder, Response, Running, Upstream, command, eventually, palisade, send};

fn ask(address: SocketAddr, target: &str, accept: &str) -> Response {
    let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\r\n");
    send(address, request.as_bytes())
}

fn text(upstream: &Upstream, more: &str) -> String {
    format!(
        r#"
admin: {{address: 127.0.0.1:0}}
dataDir: data
listeners:
- {{name: web, address: 127.0.0.1:0}}
- {{name: plain, address: 127.0.0.1:0, healthPath: /healthz, redirect: {{status: 301, port: 8443}}}}
services:
- name: shop
  upstream: {{url: ["{url}"]}}
  responseHeaders: {{set: {{X-Frame-Options: DENY}}, remove: [x-powered-by]}}
  blockPage: {{html: pages/shop.html}}
- name: other
  upstream: {{url: "{url}"}}
routes: [{{service: shop}}, {{service: other, path: /other/}}]
blockPage: {{html: pages/all.html, json: pages/all.json}}
profiles: {{default: {{mode: block, rules: {{files: [site.conf]}}}}}}
{more}"#,
        url = upstream.url
    )
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("site.conf", "SecRule ARGS:a \"@streq 1\" \"id:1,phase:1,deny,status:403\"\n");
    // Pages lie as Kubernetes mounts a ConfigMap.
    folder.write("pages/v1/shop.html", "<h1>Shop says no</h1> {{request_id}}");
    folder.write("pages/v1/all.html", "<h1>{{status}} {{reason}}</h1> {{request_id}}");
    folder.write("pages/v1/all.json", "{\"id\": \"{{request_id}}\"}");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.at(name)).unwrap();
    link("v1", "pages/..data");
    for page in ["shop.html", "all.html", "all.json"] {
        link(&format!("..data/{page}"), &format!("pages/{page}"));
    }
    folder
}

#[test]
fn each_service_has_its_pages_and_headers_and_a_swapped_page_is_seen() {
    let (folder, upstream) = (folder(), Upstream::start());
    let config = folder.write("c.yaml", text(&upstream, ""));
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    let (web, plain) = (proxy.listener("web"), proxy.listener("plain"));
    let shop = ask(web, "/?a=1", "text/html");
    let id = shop.header("x-request-id").unwrap();
    assert_eq!((shop.status, shop.body.clone()), (403, format!("<h1>Shop says no</h1> {id}")));
    assert_eq!(shop.header("x-frame-options"), Some("DENY"));
    assert_eq!(ask(web, "/", "*/*").header("x-frame-options"), Some("DENY"));
    let other = ask(web, "/other/?a=1", "text/html");
    assert!(other.body.starts_with("<h1>403 Forbidden</h1>"), "{other:?}");
    assert_eq!(other.header("x-frame-options"), None);
    let json = ask(web, "/other/?a=1", "application/json");
    assert_eq!(json.body, format!("{{\"id\": \"{}\"}}", json.header("x-request-id").unwrap()));
    // The shop has no JSON page of its own, and none of the others'.
    assert!(ask(web, "/?a=1", "application/json").body.contains("\"error\":\"Forbidden\""));

    let moved = ask(plain, "/x?a=1", "*/*");
    assert_eq!((moved.status, moved.header("location")), (301, Some("https://h:8443/x?a=1")));
    assert_eq!(ask(plain, "/healthz", "*/*").status, 200);

    folder.write("pages/v2/shop.html", "new {{request_id}}");
    for page in ["all.html", "all.json"] {
        std::fs::copy(folder.at(&format!("pages/v1/{page}")), folder.at(&format!("pages/v2/{page}")))
            .unwrap();
    }
    std::os::unix::fs::symlink("v2", folder.at("pages/..new")).unwrap();
    std::fs::rename(folder.at("pages/..new"), folder.at("pages/..data")).unwrap();
    eventually("the new page", || ask(web, "/?a=1", "text/html").body.starts_with("new ").then_some(()));
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_page_that_cannot_be_used_leaves_its_service_as_it_was_and_says_so_everywhere() {
    let (folder, upstream) = (folder(), Upstream::start());
    let config = folder.write("c.yaml", text(&upstream, ""));
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    let (web, admin) = (proxy.listener("web"), proxy.listener("admin"));
    let status = || -> serde_json::Value {
        let request = format!("GET /api/v1/status HTTP/1.1\r\nHost: {admin}\r\n\r\n");
        serde_json::from_str(&send(admin, request.as_bytes()).body).unwrap()
    };
    assert_eq!(status()["stale"], serde_json::json!([]));
    // The page breaks, and the rules change: the rules are in force, the page stays.
    folder.write("pages/v1/shop.html", "line\n{{requestid}}");
    folder.write("site.conf", "SecRule ARGS:a \"@streq 1\" \"id:1,phase:1,deny,status:451\"\n");
    eventually("the new rules", || (ask(web, "/?a=1", "text/html").status == 451).then_some(()));
    assert!(ask(web, "/?a=1", "text/html").body.starts_with("<h1>Shop says no</h1>"));
    proxy.wait_err("service shop stays as it was: blockPage `");
    proxy.wait_err(
        "line 2: there is no `{{requestid}}`; a page may hold {{request_id}}, {{status}} and {{reason}}",
    );
    let told =
        eventually("the status", || Some(status()).filter(|told| told["stale"] != serde_json::json!([])));
    let stale = &told["stale"][0];
    assert_eq!((stale["kind"].as_str(), stale["name"].as_str()), (Some("service"), Some("shop")));
    assert!(stale["error"].as_str().unwrap().contains("requestid") && stale["since"].is_string());
    assert!(told["reloads"]["last"]["seconds"].as_f64().unwrap() > 0.0);
    let metrics = send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body;
    for line in [
        "palisade_stale_objects{kind=\"service\"} 1",
        "palisade_stale_objects{kind=\"profile\"} 0",
        "palisade_last_reload_successful 0",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line}\n{metrics}");
    }
    folder.write("pages/v1/shop.html", "fine");
    eventually("all is as configured", || (status()["stale"] == serde_json::json!([])).then_some(()));
    assert_eq!(ask(web, "/?a=1", "text/html").body, "fine");
    assert_eq!(proxy.end(), 0);
}

#[test]
fn what_cannot_be_used_is_told_before_it_is_needed() {
    let (folder, upstream) = (folder(), Upstream::start());
    let more = "  exceptions: [{rules: [1, 99]}, {rules: [98], points: [path]}]\n";
    let idle = text(&upstream, "").replace("  responseHeaders", &format!("{more}  responseHeaders"));
    let config = folder.write("c.yaml", &idle);
    let checked = palisade(&["check", "--config", &config]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    for part in [
        "warning: services[0].exceptions[1]: no rule that is loaded is meant by 98",
        "c.yaml:10:34",
        "palisade rules list",
    ] {
        assert!(checked.err.contains(part), "{part}\n{}", checked.err);
    }
    assert!(!checked.err.contains("exceptions[0]"), "{}", checked.err);
    assert_eq!(palisade(&["check", "--strict", "--config", &config]).code, 1);

    folder.write("pages/v1/all.json", "{\"id\": {{request_id}}}");
    let checked = palisade(&["check", "--config", &config]);
    assert_eq!(checked.code, 1);
    assert!(checked.err.contains("pages/all.json`: it is not JSON"), "{}", checked.err);
    let started = palisade(&["run", "--config", &config]);
    assert_eq!(started.code, 2);
    assert!(started.err.contains("service other: blockPage `"), "{}", started.err);
}
