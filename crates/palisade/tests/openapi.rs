//! Specifications of services' APIs, enforced by a running proxy.

mod support;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "authentication/teller.rs"]
mod teller;

use std::net::SocketAddr;

use support::{Folder, Response, Running, Upstream, command, eventually, get, palisade_with, send};
use teller::{Teller, Told};

const API: &str = r#"openapi: 3.1.0
info: {title: T, version: "1"}
servers: [{url: /v1}]
security: [{key: []}]
paths:
  /items:
    get:
      security: []
      parameters: [{name: limit, in: query, schema: {type: integer, maximum: 100}}]
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [name], additionalProperties: false, properties: {name: {type: string, maxLength: 20}}}
components:
  securitySchemes: {key: {type: apiKey, in: header, name: X-API-Key}}
"#;

fn config(folder: &Folder, upstream: &Upstream, mode: &str, openapi: &str) -> String {
    let text = format!(
        "admin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\nlogs: {{error: {}, access: {}}}\n\
         listeners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         services: [{{name: api, upstream: {{url: \"{}\"}}, openapi: {{file: api.yaml{openapi}}}}}]\n\
         profiles: {{default: {{mode: {mode}, detect: {{enabled: false}}}}}}\n",
        folder.at("data"),
        folder.at("error.log"),
        folder.at("access.log"),
        upstream.url
    );
    folder.write("palisade.yaml", text)
}

fn post(address: SocketAddr, headers: &str, body: &str) -> Response {
    let length = body.len();
    let request =
        format!("POST /v1/items HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    send(address, request.as_bytes())
}

const KEY_AND_JSON: &str = "X-API-Key: k\r\nContent-Type: application/json\r\n";

fn line_of(folder: &Folder, log: &str, id: &str) -> String {
    eventually("the line of the request", || {
        let log = std::fs::read_to_string(folder.at(log)).ok()?;
        log.lines().find(|line| line.contains(id)).map(str::to_owned)
    })
}

#[test]
fn each_breach_is_refused_and_told_and_what_is_allowed_passes() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("api.yaml", API);
    let file = config(&folder, &upstream, "block", "");
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let (address, admin) = (proxy.address(), proxy.admin());

    assert_eq!(get(address, "/v1/items?limit=10", "").status, 200);
    assert_eq!(post(address, KEY_AND_JSON, "{\"name\": \"pen\"}").status, 200);
    let reached = upstream.heads().len();
    let refused: Vec<(Response, &str)> = vec![
        (get(address, "/v1/admin", ""), "undefined-endpoint"),
        (get(address, "/items", ""), "undefined-endpoint"),
        (send(address, b"DELETE /v1/items HTTP/1.1\r\nHost: h\r\n\r\n"), "undefined-endpoint"),
        (get(address, "/v1/items?limit=10&debug=1", ""), "undefined-parameter"),
        (get(address, "/v1/items?limit=101", ""), "invalid-value"),
        (post(address, "Content-Type: application/json\r\n", "{\"name\": \"pen\"}"), "no-authentication"),
        (post(address, KEY_AND_JSON, ""), "missing-parameter"),
        (post(address, KEY_AND_JSON, "{}"), "missing-parameter"),
        (post(address, KEY_AND_JSON, "{"), "invalid-body"),
        (post(address, "X-API-Key: k\r\nContent-Type: text/xml\r\n", "<a/>"), "invalid-body"),
        (post(address, KEY_AND_JSON, "{\"name\": \"pen\", \"role\": \"admin\"}"), "undefined-parameter"),
        (post(address, KEY_AND_JSON, "{\"name\": {\"$ne\": 1}}"), "invalid-value"),
    ];
    for (answer, breach) in &refused {
        assert_eq!(answer.status, 403, "{breach}: {answer:?}");
        let id = answer.header("x-request-id").expect("a refusal names the request");
        assert!(answer.body.contains(id), "{answer:?}");
        let line = line_of(&folder, "error.log", id);
        assert!(line.contains("Access denied with code 403"), "{line}");
        assert!(line.contains(&format!("[attack \"{breach}\"] [detector \"openapi\"]")), "{line}");
        let line = line_of(&folder, "access.log", id);
        assert!(line.contains(&format!("\"attacks\":[\"{breach}\"]")), "{line}");
    }
    assert_eq!(upstream.heads().len(), reached, "none of them reaches the service");
    let metrics = eventually("the metrics", || {
        let metrics = send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body;
        metrics.contains("specification").then_some(metrics)
    });
    assert!(metrics.contains("palisade_findings_total{attack=\"undefined-endpoint\"} 3"), "{metrics}");
    let event = eventually("the event", || {
        let answer =
            support::palisade(&["events", "query", "--data-dir", &folder.at("data"), "--format", "json"]);
        answer.out.contains("no-authentication").then_some(answer.out)
    });
    assert!(
        event.contains("\"cause\":\"specification\"") || event.contains("\"cause\": \"specification\""),
        "{event}"
    );
}

#[test]
fn monitoring_lets_all_pass_and_says_what_it_would_have_done() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("api.yaml", API);
    let file = config(&folder, &upstream, "monitoring", "");
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    for answer in [get(address, "/v1/admin", ""), post(address, KEY_AND_JSON, "{\"name\": 1}")] {
        assert_eq!(answer.status, 200);
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(line_of(&folder, "error.log", &id).contains("[detector \"openapi\"]"));
        assert!(line_of(&folder, "access.log", &id).contains("\"verdict\":\"deny\""));
    }
}

#[test]
fn what_is_done_about_a_breach_is_said_for_each_kind() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("api.yaml", API);
    let file = config(
        &folder,
        &upstream,
        "block",
        ", undefinedEndpoint: monitor, undefinedParameter: ignore, limits: {body: 100B}, overLimit: block",
    );
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let monitored = get(address, "/v1/admin", "");
    assert_eq!(monitored.status, 200);
    let id = monitored.header("x-request-id").unwrap().to_owned();
    assert!(line_of(&folder, "error.log", &id).contains("undefined-endpoint"));
    assert_eq!(get(address, "/v1/items?debug=1", "").status, 200);
    assert_eq!(
        get(address, "/v1/items?debug=1&limit=x", "").status,
        403,
        "other kinds are not lost behind it"
    );
    let long = format!("{{\"name\": \"pen\"{}}}", " ".repeat(200));
    let refused = post(address, KEY_AND_JSON, &long);
    assert_eq!(refused.status, 403);
    let id = refused.header("x-request-id").unwrap().to_owned();
    assert!(line_of(&folder, "error.log", &id).contains("inspection-limit"), "over a limit it is said");
}

#[test]
fn each_breach_is_blocked_monitored_or_ignored_as_its_key_says() {
    let long = format!("{{\"name\": \"pen\"{}}}", " ".repeat(200));
    let json = |headers: &str, body: &str| {
        let length = body.len();
        format!("POST /v1/items HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
    };
    let ask = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    let without_key = "Content-Type: application/json\r\n";
    // The key, the breach, a request that has no other, and its neighbour that has none.
    let table = [
        ("undefinedEndpoint", "undefined-endpoint", ask("/v1/admin"), ask("/v1/items")),
        ("undefinedParameter", "undefined-parameter", ask("/v1/items?debug=1"), ask("/v1/items?limit=1")),
        (
            "missingParameter",
            "missing-parameter",
            json(KEY_AND_JSON, "{}"),
            json(KEY_AND_JSON, r#"{"name": ""}"#),
        ),
        ("invalidValue", "invalid-value", ask("/v1/items?limit=101"), ask("/v1/items?limit=100")),
        (
            "noAuthentication",
            "no-authentication",
            json(without_key, r#"{"name": "pen"}"#),
            json(KEY_AND_JSON, r#"{"name": "pen"}"#),
        ),
        (
            "invalidBody",
            "invalid-body",
            json(KEY_AND_JSON, r#"{"name": "pen""#),
            json(KEY_AND_JSON, r#"{"name": "pen"}"#),
        ),
        (
            "overLimit",
            "inspection-limit",
            json(KEY_AND_JSON, &long),
            json(KEY_AND_JSON, r#"{"name": "pen"}"#),
        ),
    ];
    for (done, status, logged) in [("block", 403, true), ("monitor", 200, true), ("ignore", 200, false)] {
        let (folder, upstream) = (Folder::new(), Upstream::start());
        folder.write("api.yaml", API);
        let keys: String = table.iter().map(|(key, ..)| format!(", {key}: {done}")).collect();
        let file = config(&folder, &upstream, "block", &format!("{keys}, limits: {{body: 100B}}"));
        let mut proxy = Running::start(command(&["run", "--config", &file]));
        let address = proxy.address();
        for (key, breach, breaks, neighbour) in &table {
            let answer = send(address, breaks.as_bytes());
            assert_eq!(answer.status, status, "{key}: {done}");
            // Logs of one exchange are written together: the access line says that all of it is there.
            let id = answer.header("x-request-id").unwrap();
            let line = line_of(&folder, "access.log", id);
            assert_eq!(line.contains(breach), logged, "{key}: {done}: {line}");
            assert_eq!(send(address, neighbour.as_bytes()).status, 200, "{key}: {done}, its neighbour");
        }
        assert_eq!(proxy.end(), 0);
        let log = std::fs::read_to_string(folder.at("error.log")).unwrap_or_default();
        for (key, breach, ..) in &table {
            let lines = log.lines().filter(|line| line.contains(&format!("[attack \"{breach}\"]"))).count();
            assert_eq!(lines > 0, logged, "{key}: {done}: {log}");
        }
    }
}

#[test]
fn an_exception_lets_a_breach_pass_at_its_point() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("api.yaml", API);
    let file = config(
        &folder,
        &upstream,
        "block",
        "}, exceptions: [{attacks: [undefined-parameter], points: [\"query:utm_*\"]}], forward: {",
    );
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    assert_eq!(get(address, "/v1/items?utm_source=x", "").status, 200);
    assert_eq!(get(address, "/v1/items?source=x", "").status, 403);
}

#[test]
fn a_changed_specification_is_in_force_and_a_broken_one_is_not() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("api.yaml", API);
    let file = config(&folder, &upstream, "block", "");
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    assert_eq!(get(address, "/v1/things", "").status, 403);
    let replace = |text: &str| {
        let new = folder.write("api.yaml.new", text);
        std::fs::rename(new, folder.at("api.yaml")).unwrap();
    };
    replace(&API.replace("/items:", "/things:"));
    eventually("the new path", || (get(address, "/v1/things", "").status == 200).then_some(()));
    replace(&API.replace("type: integer", "type: integre"));
    proxy.wait_err("did you mean `integer`?");
    assert_eq!(get(address, "/v1/things", "").status, 200, "the last good one stays");
    assert_eq!(get(address, "/v1/items", "").status, 403);
}

#[test]
fn check_shows_what_is_wrong_with_its_place_and_a_remedy() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let file = config(&folder, &upstream, "block", "");
    for (text, said) in [
        (API.replace("maxLength: 20", "$ref: other.yaml#/X"), "is in another document"),
        (API.replace("type: integer,", "$ref: '#/components/schemas/Limit',"), "leads nowhere"),
        (API.replace("3.1.0", "2.0"), "OpenAPI `2.0` is not read"),
        (API.replace("in: query", "in: body"), "it is not said where the parameter is"),
        ("a: [".to_owned(), "this is not YAML"),
    ] {
        folder.write("api.yaml", &text);
        let answer = support::palisade(&["check", "--config", &file]);
        assert_eq!(answer.code, 1, "{said}: {}", answer.err);
        assert!(answer.err.contains(said) && answer.err.contains("api.yaml:"), "{}", answer.err);
    }
    folder.write("api.yaml", API.replace("maxLength: 20", "pattern: '^(?!x)'"));
    let answer = support::palisade(&["check", "--config", &file]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.err.contains("warning") && answer.err.contains("lookaround"), "{}", answer.err);
    assert!(answer.out.contains("is usable (2 operations)"), "{}", answer.out);
}

#[test]
fn explain_names_the_breach() {
    let folder = Folder::new();
    let api = folder.write("api.yaml", API);
    let request = b"{\"method\": \"GET\", \"uri\": \"/v1/items?limit=x\"}";
    let answer = palisade_with(&["explain", "--detect", "off", "--openapi", &api, "--request", "-"], request);
    assert_eq!(answer.code, 1);
    assert!(
        answer.out.contains("by the specification (value that the endpoint's schema does not allow)"),
        "{}",
        answer.out
    );
    assert!(answer.out.contains("query:limit"), "{}", answer.out);
    let request = b"{\"method\": \"GET\", \"uri\": \"/v1/items?limit=7\"}";
    let answer = palisade_with(&["explain", "--detect", "off", "--openapi", &api, "--request", "-"], request);
    assert_eq!(answer.code, 0, "{}", answer.out);
}

/// Of `key-of-ann`.
const KEYS: &str = "ann sha256:ca64daa8b294dc4835d29ca02a6a47427ebc6a225ea3ac2e15f8417fb6601db2\n";

#[test]
fn a_credential_that_the_gate_only_monitors_and_refuses_is_no_authentication() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write("keys.txt", KEYS);
    let schemes = "{key: {type: apiKey, in: header, name: X-API-Key}, token: {type: http, scheme: bearer}}";
    let api = API.replace("{key: {type: apiKey, in: header, name: X-API-Key}}", schemes);
    folder.write("api.yaml", api.replace("[{key: []}]", "[{key: []}, {token: []}]"));
    let text = std::fs::read_to_string(config(&folder, &upstream, "block", "")).unwrap();
    let gate = "authenticators: [{name: people, apiKeys: {file: keys.txt, from: [\"header:X-API-Key\"]}}]\n\
                routes: [{service: api, authentication: {by: [people], stage: monitor}}]\n";
    let file = folder.write("palisade.yaml", format!("{text}{gate}"));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let ask = |headers: &str| {
        post(address, &format!("{headers}Content-Type: application/json\r\n"), "{\"name\": \"pen\"}")
    };

    for (headers, point, why) in [
        ("", "header:x-api-key", "or another of 2 ways"),
        ("X-API-Key: key-of-eve\r\n", "header:x-api-key", "was judged at the gate and refused"),
        ("X-API-Key: key-of-ann\r\nX-API-Key: key-of-eve\r\n", "header:x-api-key", "is not in the form"),
        ("Authorization: Bearer a token\r\n", "header:authorization", "is not in the form"),
        ("Authorization: Basic YTpi\r\n", "header:x-api-key", "or another of 2 ways"),
    ] {
        let refused = ask(headers);
        assert_eq!(refused.status, 403, "{headers:?}: {refused:?}");
        let id = refused.header("x-request-id").unwrap();
        let line = eventually("the line of the breach", || {
            let log = std::fs::read_to_string(folder.at("error.log")).ok()?;
            let mut lines = log.lines().filter(|line| line.contains(id));
            lines.find(|line| line.contains("[attack \"no-authentication\"]")).map(str::to_owned)
        });
        assert!(line.contains(point) && line.contains(why), "{headers:?}: {line}");
        assert!(!line.contains("key-of-"), "no credential is quoted: {line}");
    }
    assert!(upstream.heads().is_empty(), "none of them reaches the service");

    // A good key, a token that the gate does not judge, also beside a key that it refuses; and what asks for nothing.
    assert_eq!(ask("X-API-Key: key-of-ann\r\n").status, 200);
    assert_eq!(ask("Authorization: Bearer abc\r\n").status, 200);
    assert_eq!(ask("X-API-Key: key-of-eve\r\nAuthorization: Bearer abc\r\n").status, 200);
    assert_eq!(get(address, "/v1/items", "X-API-Key: key-of-eve\r\n").status, 200);
}

#[test]
fn what_an_authentication_server_refuses_is_no_authentication_and_the_log_says_which_server() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let server = Teller::start(Told::ok(""));
    let schemes = "{key: {type: apiKey, in: cookie, name: session}, token: {type: http, scheme: bearer}}";
    let api = API.replace("{key: {type: apiKey, in: header, name: X-API-Key}}", schemes);
    folder.write("api.yaml", api.replace("[{key: []}]", "[{key: []}, {token: []}]"));
    let text = std::fs::read_to_string(config(&folder, &upstream, "block", "")).unwrap();
    let gate = format!(
        "authenticators: [{{name: sso, forward: {{url: \"{}/check?key=hidden\"}}}}]\n\
         routes: [{{service: api, authentication: {{by: [sso], stage: monitor}}}}]\n",
        server.url
    );
    let file = folder.write("palisade.yaml", format!("{text}{gate}"));
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    let ask = |headers: &str| {
        post(address, &format!("{headers}Content-Type: application/json\r\n"), "{\"name\": \"pen\"}")
    };
    let line_of = |id: &str, what: &str| {
        eventually("its line", || {
            let log = std::fs::read_to_string(folder.at("error.log")).ok()?;
            log.lines().find(|line| line.contains(id) && line.contains(what)).map(str::to_owned)
        })
    };
    let (token, cookie) = ("Authorization: Bearer abc\r\n", "Cookie: a=1; session=s\r\n");
    for headers in [token, cookie] {
        assert_eq!(ask(headers).status, 200, "{headers}: the server knows them");
    }
    // Whom it knows and does not let in showed nothing bad; whom it cannot judge counts by the form.
    for status in ["403 Forbidden", "500 Internal Server Error"] {
        server.tells(Told::Answer(status, String::new(), String::new()));
        assert_eq!([token, cookie].map(|headers| ask(headers).status), [200, 200], "{status}");
    }
    server.tells(Told::Answer("401 Unauthorized", String::new(), String::new()));
    let place = server.url.trim_start_matches("http://");
    for (headers, point) in [(token, "header:authorization"), (cookie, "cookie:session")] {
        let refused = ask(headers);
        assert_eq!(refused.status, 403, "{headers}: {refused:?}");
        let id = refused.header("x-request-id").unwrap();
        let line = line_of(id, "[attack \"no-authentication\"]");
        assert!(line.contains(point) && line.contains("was judged at the gate and refused"), "{line}");
        let line = line_of(id, "not authenticated");
        assert!(line.contains(&format!("the authentication server {place}/check answered 401")), "{line}");
        assert!(!line.contains("hidden"), "{line}");
    }
    assert_eq!(proxy.end(), 0);
}
