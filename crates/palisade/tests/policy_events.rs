//! What policies decide, as events: denials, what staged policies would deny, and connections that are closed.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use support::{Folder, Running, Upstream, command, eventually, get, palisade, send};

fn policy(kind: &str, rule: &str) -> String {
    format!(
        "apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: customer}}\nspec:\n  selector: app == 'customer'\n  \
         ingress:\n  - {rule}\n---\n"
    )
}

fn proxy(folder: &Folder, upstream: &Upstream, policies: &str) -> Running {
    folder.write("policies.yaml", policies);
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nlogs: {{error: {}}}\nlisteners: [{{name: web, address: \"127.0.0.1:0\"}}]\n\
         workload: {{namespace: yaobank, name: customer, serviceAccount: customer, labels: {{app: customer}}}}\n\
         services: [{{name: web, upstream: {{url: \"{}\"}}}}]\nprofiles: {{default: {{mode: monitoring}}}}\n\
         policies: {{files: [policies.yaml]}}\n",
        folder.at("data"),
        folder.at("error.log"),
        upstream.url
    );
    let file = folder.write("palisade.yaml", config);
    Running::start(command(&["run", "--config", &file]))
}

/// The events of a question, once there is one.
fn found(folder: &Folder, arguments: &[&str]) -> Vec<Value> {
    let data = folder.at("data");
    let all = [&["events", "query", "--data-dir", &data, "--format", "json"], arguments].concat();
    eventually(&format!("{arguments:?}"), || {
        Some(palisade(&all)).filter(|answer| answer.code == 0).map(|answer| answer.json_lines())
    })
}

fn has(event: &Value, expected: &[(&str, &str)]) {
    for (path, text) in expected {
        assert_eq!(event.pointer(path).and_then(Value::as_str), Some(*text), "{path} of {event:#}");
    }
}

#[test]
fn a_denied_request_is_an_event_with_the_policy_and_what_came_nearest() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy =
        proxy(&folder, &upstream, &policy("GlobalNetworkPolicy", "{action: Allow, http: {methods: [GET]}}"));
    let address = proxy.address();
    assert_eq!(get(address, "/", "").status, 200, "{}", proxy.err());
    let refused = send(
        address,
        b"POST /transfer HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(refused.status, 403);
    let events = found(&folder, &["--kind", "policy"]);
    let [event] = &events[..] else { panic!("{events:?}") };
    let id = refused.header("x-request-id").unwrap();
    has(
        event,
        &[
            ("/action", "deny"),
            ("/cause", "policy"),
            ("/method", "POST"),
            ("/path", "/transfer"),
            ("/request_id", id),
            ("/destination/namespace", "yaobank"),
            ("/policy/verdict", "deny"),
            ("/policy/nearest", "rule 0 of customer, by its http.methods"),
        ],
    );
    // Text for people has it as well.
    let shown = palisade(&["events", "query", "--data-dir", &folder.at("data"), "--action", "deny"]);
    assert!(
        shown.out.contains("policy: deny") && shown.out.contains("nearest: rule 0 of customer"),
        "{}",
        shown.out
    );
    assert_eq!(proxy.end(), 0);
}

#[test]
fn what_staged_policies_would_deny_is_an_event_and_passes() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let policies = policy("GlobalNetworkPolicy", "{action: Allow}")
        + &policy("StagedGlobalNetworkPolicy", "{action: Deny}");
    let mut proxy = proxy(&folder, &upstream, &policies);
    assert_eq!(get(proxy.address(), "/", "").status, 200, "{}", proxy.err());
    let events = found(&folder, &["--kind", "policy"]);
    has(
        &events[0],
        &[
            ("/action", "would_block"),
            ("/answered_by", "upstream"),
            ("/policy/verdict", "allow"),
            ("/policy/pending_verdict", "deny"),
            ("/policy/pending/0/name", "customer"),
            ("/policy/pending/0/action", "Deny"),
        ],
    );
    assert_eq!(upstream.heads().len(), 1);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_connection_on_which_nothing_is_allowed_is_closed_and_an_event() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let rule = "{action: Allow, source: {nets: [192.0.2.0/24]}}";
    let mut proxy = proxy(&folder, &upstream, &policy("GlobalNetworkPolicy", rule));
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(String::from_utf8_lossy(&answer), "", "{}", proxy.err());
    let events = found(&folder, &["--kind", "policy"]);
    let port = stream.local_addr().unwrap().port();
    assert_eq!(events[0].pointer("/source/port_num").and_then(Value::as_u64), Some(port.into()));
    has(
        &events[0],
        &[
            ("/action", "deny"),
            ("/cause", "policy"),
            ("/msg", "Policy closed the connection"),
            ("/listener", "web"),
            ("/source/ip", "127.0.0.1"),
            ("/destination/ip", "127.0.0.1"),
            ("/policy/verdict", "deny"),
        ],
    );
    assert!(events[0].get("method").is_none(), "no request was read: {}", events[0]);
    assert!(upstream.heads().is_empty());
    assert_eq!(proxy.end(), 0);
}
