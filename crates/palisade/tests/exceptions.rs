//! Exceptions of a configuration file, from outside: which requests of which service, route and profile pass, and what a
//! change of one exception costs.

mod support;

use std::net::SocketAddr;

use support::{Folder, Running, Upstream, command, send};

const RULES: &str = "SecRequestBodyAccess On\n\
    SecRule REQUEST_HEADERS:Content-Type \"@contains json\" \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
    SecRule ARGS \"@contains evil\" \"id:10,phase:2,deny,status:410,log,tag:'attack-a'\"\n\
    SecRule ARGS|REQUEST_HEADERS \"@contains bad\" \"id:11,phase:2,deny,status:411,log,tag:'attack-b'\"\n";

fn ask(address: SocketAddr, host: &str, target: &str, body: Option<&str>) -> u16 {
    let request = match body {
        None => format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        Some(body) => format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    };
    send(address, request.as_bytes()).status
}

#[test]
fn exceptions_of_profile_service_and_route_add_up_and_reach_nobody_else() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("site.conf", RULES);
    let url = &upstream.url;
    let config = folder.write(
        "palisade.yaml",
        format!(
            r#"
admin: {{address: "off"}}
dataDir: data
listeners: [{{name: web, address: 127.0.0.1:0}}]
services:
- {{name: plain, upstream: {{url: "{url}"}}}}
- name: shop
  upstream: {{url: "{url}"}}
  exceptions:
  - {{rules: [10], points: ["query:q"]}}
routes:
- {{hosts: [plain], service: plain}}
- {{hosts: [shop], service: shop}}
- hosts: [shop]
  path: /cms/
  service: shop
  exceptions:
  - {{tags: [attack-*], points: ["body.json:/content"]}}
- hosts: [shop]
  path: /other/
  service: shop
  exceptions:
  - {{rules: [11], paths: [/other/open/]}}
profiles:
  default:
    mode: block
    rules: {{files: [site.conf]}}
    exceptions:
    - {{rules: [10-11], points: ["query:free"]}}
"#
        ),
    );
    let mut proxy = Running::start(command(&["run", "--config", &config]));
    let web = proxy.listener("web");
    let json = Some(r#"{"content":"evil bad"}"#);
    for (host, target, body, status) in [
        ("plain", "/?q=evil", None, 410),
        ("plain", "/?free=evil", None, 200),
        ("plain", "/?free=bad", None, 200),
        ("shop", "/?q=evil", None, 200),
        ("shop", "/?free=evil", None, 200),
        ("shop", "/?r=evil", None, 410),
        ("shop", "/?q=bad", None, 411),
        ("shop", "/", json, 410),
        ("shop", "/cms/x", json, 200),
        ("shop", "/cms/x?q=evil", json, 200),
        ("shop", "/cms/x", Some(r#"{"title":"evil"}"#), 410),
        ("shop", "/cms/%2e%2e/x", json, 410),
        ("shop", "/other/?x=bad", None, 411),
        ("shop", "/other/open?x=bad", None, 200),
        ("shop", "/other/open/%2e%2e/?x=bad", None, 411),
    ] {
        assert_eq!(ask(web, host, target, body), status, "{host} {target} {body:?}");
    }
    assert_eq!(proxy.end(), 0);
}
