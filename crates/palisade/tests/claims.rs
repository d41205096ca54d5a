//! Policies that ask for claims of tokens: before a service and behind Envoy, in force and staged, and what is said of them.

#[path = "../../authn/tests/support/mod.rs"]
mod keys;
mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use keys::Keys;
use support::envoy::{Envoy, binary, example};
use support::{Folder, Response, Running, Upstream, command, eventually, get, palisade_with};

const POLICY: &str = "apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: tellers}
spec:
  selector: app == 'shop'
  ingress:
  - action: Allow
    http: {paths: [{prefix: /admin}], claims: [{claim: /realm/roles, operator: In, values: [admin, owner]}]}
  - action: Deny
    http: {paths: [{prefix: /read}], claims: [{claim: groups, operator: In, values: [suspended]}]}
  - action: Allow
    http: {paths: [{prefix: /read}]}
---
apiVersion: projectcalico.org/v3
kind: StagedGlobalNetworkPolicy
metadata: {name: gold}
spec:
  selector: app == 'shop'
  order: 1
  ingress:
  - action: Deny
    http: {claims: [{claim: tier, operator: NotIn, values: [gold]}]}
";

/// What it takes to run: keys, policies, a configuration with these places where requests come and these routes.
fn configured(folder: &Folder, keys: &Keys, places: &str, upstream: &str, routes: &str) -> String {
    folder.write("jwks.json", keys.jwks());
    folder.write("policy.yaml", POLICY);
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nlogs: {{error: {}}}\n{places}\n\
         workload: {{namespace: shop, name: shop, serviceAccount: shop, labels: {{app: shop}}}}\n\
         authenticators: [{{name: shop, jwt: {{keys: {{file: jwks.json}}, algorithms: [ES256], audiences: [shop]}}}}]\n\
         services: [{{name: web{upstream}}}]\nroutes:\n{routes}\n\
         profiles: {{default: {{mode: \"off\"}}}}\npolicies: {{files: [policy.yaml]}}\n",
        folder.at("data"),
        folder.at("error.log"),
    );
    folder.write("palisade.yaml", config)
}

fn token(keys: &Keys, seconds: i64, more: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let exp = now.saturating_add_signed(seconds);
    let claims = format!(r#"{{"aud":"shop","sub":"ann","exp":{exp}{more}}}"#);
    let token = keys.token("es256", r#"{"alg":"ES256","kid":"es256"}"#, &claims).unwrap();
    format!("Authorization: Bearer {token}\r\n")
}

/// A token that says of itself that nobody signed it.
fn unsigned(more: &str) -> String {
    let claims = format!(r#"{{"aud":"shop","sub":"ann","exp":{}{more}}}"#, u32::MAX);
    format!("Authorization: Bearer {}.{}.\r\n", keys::encoded(r#"{"alg":"none"}"#), keys::encoded(claims))
}

/// Path, token, status.
fn table(keys: &Keys) -> Vec<(&'static str, String, u16)> {
    let of = |more: &str| token(keys, 600, more);
    let admin = r#","realm":{"roles":["teller","admin"]}"#;
    let mut stolen = of(admin);
    stolen.insert_str(stolen.len() - 4, "AAAA");
    vec![
        ("/admin/x", of(admin), 200),
        ("/admin/x", of(r#","realm":{"roles":"owner"},"tier":"gold""#), 200),
        ("/admin/x", of(r#","realm":{"roles":["teller"]}"#), 403),
        ("/admin/x", of(r#","realm":["admin"],"roles":["admin"]"#), 403),
        ("/admin/x", of(r#","/realm/roles":"admin""#), 403),
        ("/admin/x", of(""), 403),
        ("/admin/x", String::new(), 403),
        // A token that is bad is refused before anybody asks what it says; nothing of it counts.
        ("/admin/x", stolen, 401),
        ("/admin/x", token(keys, -600, admin), 401),
        ("/admin/x", unsigned(admin), 401),
        ("/read/x", of(""), 200),
        ("/read/x", of(r#","groups":["users"]"#), 200),
        ("/read/x", of(r#","groups":["users","suspended"]"#), 403),
        // Nobody comes around a refusal by leaving the token away.
        ("/read/x", String::new(), 403),
        ("/else", of(admin), 403),
    ]
}

fn optional() -> &'static str {
    "- {service: web, authentication: {by: [shop], mode: optional}}"
}

fn line_of(folder: &Folder, response: &Response, what: &str) -> String {
    let id = response.header("x-request-id").unwrap();
    eventually("its line", || {
        let log = std::fs::read_to_string(folder.at("error.log")).ok()?;
        log.lines().find(|line| line.contains(id) && line.contains(what)).map(str::to_owned)
    })
}

#[test]
fn a_policy_asks_for_claims_of_tokens_that_are_good_and_of_no_others() {
    let (folder, upstream, keys) = (Folder::new(), Upstream::start(), Keys::new());
    let places = "listeners: [{name: web, address: \"127.0.0.1:0\"}]";
    let routes = format!(
        "{}\n- {{hosts: [staged], service: web, authentication: {{by: [shop], stage: monitor}}}}\n\
         - {{hosts: [open], service: web}}",
        optional()
    );
    let url = format!(", upstream: {{url: \"{}\"}}", upstream.url);
    let file = configured(&folder, &keys, places, &url, &routes);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let address = proxy.address();
    for (path, token, status) in table(&keys) {
        let reached = upstream.heads().len();
        let answer = get(address, path, &token);
        assert_eq!(answer.status, status, "{path} {token}: {answer:?}");
        assert_eq!(upstream.heads().len() > reached, status == 200, "{path} {token}");
    }

    // What is not verified says nothing: by a route that only notes bad tokens, and by one that reads none.
    let good = token(&keys, 600, r#","realm":{"roles":["admin"]}"#);
    for (host, token, status) in [
        ("staged", &*good, 200),
        ("staged", &*unsigned(r#","realm":{"roles":["admin"]}"#), 403),
        ("open", &*good, 403),
    ] {
        let request = format!("GET /admin/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{token}\r\n");
        assert_eq!(support::send(address, request.as_bytes()).status, status, "{host} {token}");
    }

    // The log says which clause, and what is staged says what it would do.
    let refused = get(address, "/admin/x", "");
    let line = line_of(&folder, &refused, "Policy denied");
    assert!(
        line.contains(
            "nearest was rule 0 of tellers, by its http.claims (no token of the request was verified)"
        ),
        "{line}"
    );
    let silver = get(address, "/read/x", &token(&keys, 600, r#","tier":"silver""#));
    assert_eq!(silver.status, 200);
    let line = line_of(&folder, &silver, "Staged policies would deny");
    assert!(line.contains("[policy \"gold\"] [rule \"0\"]"), "{line}");

    // Who is told before anybody asks.
    let warning = "warning: route / of web: tellers asks for `http.claims`, and nobody verifies tokens here";
    proxy.wait_err(warning);
    let message = format!("GET /admin/x HTTP/1.1\r\nHost: shop\r\n{good}\r\n");
    let explain = ["explain", "--config", &file, "--request", "-"];
    let explained = palisade_with(&explain, message.as_bytes());
    assert!(explained.out.contains("ann, as authenticator shop says"), "{}", explained.out);
    assert_eq!(explained.code, 0, "{}", explained.out);
    let explained = palisade_with(&explain, b"GET /admin/x HTTP/1.1\r\nHost: shop\r\n\r\n");
    assert_eq!(explained.code, 1, "{}", explained.out);
    assert!(
        explained.out.contains("by its http.claims (no token of the request was verified)"),
        "{}",
        explained.out
    );
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_flow_says_its_claims_to_policy_eval() {
    let folder = Folder::new();
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: shop, namespace: shop, labels: {app: shop}}\n\
               spec: {serviceAccountName: shop}\nstatus: {phase: Running, podIP: 10.0.0.9}\n";
    let file = folder.write("policy.yaml", format!("{POLICY}{pod}"));
    let flow = |claims: &str| {
        format!(
            r#"{{"source":{{"address":"10.0.0.1"}},"destination":{{"namespace":"shop","name":"shop"}},"http":{{"method":"GET","path":"/admin/x"{claims}}}}}"#
        ) + "\n"
    };
    let lines = flow(r#","claims":{"realm":{"roles":["admin"]}}"#) + &flow(r#","claims":{}"#) + &flow("");
    let answer = palisade_with(&["policy", "eval", "--policies", &file, "--input", "-"], lines.as_bytes());
    let verdicts: Vec<serde_json::Value> = answer
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["verdict"].clone())
        .collect();
    assert_eq!(verdicts, ["allow", "deny", "deny"], "{}{}", answer.out, answer.err);
}

#[test]
fn claims_decide_behind_envoy_as_in_front_of_a_service() {
    let Some(binary) = binary() else { return };
    for bootstrap in ["ext-authz.yaml", "ext-proc.yaml"] {
        let (folder, upstream, keys) = (Folder::new(), Upstream::start(), Keys::new());
        let socket = folder.at("envoy.sock");
        let places = format!("envoy: [{{name: envoy, address: \"unix:{socket}\"}}]");
        let file = configured(&folder, &keys, &places, "", optional());
        let palisade = Running::start(command(&["run", "--config", &file]));
        palisade.wait_err("(envoy)\n");
        let envoy = Envoy::start(&binary, &folder, &example(bootstrap, &upstream.url, &socket));
        for (path, token, status) in table(&keys) {
            let answer = get(envoy.address, path, &format!("Connection: close\r\n{token}"));
            assert_eq!(answer.status, status, "{bootstrap}: {path} {token}: {answer:?}");
        }
    }
}
