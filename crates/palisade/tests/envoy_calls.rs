//! Calls of gRPC through a real Envoy that asks Palisade, by grpcio on both ends: none stalls, and what a message of one
//! says is judged as far as Envoy shows it.

mod support;

use std::process::Command;

use serde_json::{Value, json};
use support::envoy::{Envoy, binary, changed};
use support::grpc::{CALLS, CallsServed, python};
use support::{Folder, Running, command};

const KINDS: [&str; 5] = ["unary", "unary gzip", "client", "server", "bidi"];

/// Makes calls through an Envoy of an example, changed. `None` without the tools.
fn calls(example: &str, changes: &[(&str, &str)], profile: &str, kinds: &[&str]) -> Option<(Value, String)> {
    let (binary, python) = (binary()?, python()?);
    let (folder, service) = (Folder::new(), CallsServed::start(&python));
    let socket = folder.at("envoy.sock");
    let config = folder.write(
        "palisade.yaml",
        format!(
            "admin: {{address: \"off\"}}\ndataDir: {}\nenvoy: [{{name: envoy, address: \"unix:{socket}\"}}]\n\
             profiles: {{default: {profile}}}\n",
            folder.at("data")
        ),
    );
    let palisade = Running::start(command(&["run", "--config", &config]));
    palisade.wait_err("(envoy)\n");
    let port = format!("port_value: {}", service.port);
    let http2 = "  - name: app\n    type: STATIC\n    typed_extension_protocol_options:\n      \
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n        \
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n        \
        explicit_http_config: { http2_protocol_options: {} }\n";
    let mut all = vec![
        ("port_value: 9902", "port_value: 0"),
        ("port_value: 10000", "port_value: 0"),
        ("port_value: 8080", &port),
        ("/run/palisade/envoy.sock", &socket),
        ("  - name: app\n    type: STATIC\n", http2),
    ];
    all.extend(changes);
    let envoy = Envoy::start(&binary, &folder, &changed(example, &all));
    let port = envoy.address.port().to_string();
    let called = Command::new(&python).args([CALLS, "call", &port]).args(kinds).output().unwrap();
    let said = String::from_utf8_lossy(&called.stdout);
    let seen = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {called:?}"));
    Some((seen, palisade.err()))
}

fn all_came(seen: &Value, kinds: &[&str]) {
    for kind in kinds {
        let expected = match *kind {
            "unary" => json!("hello blue shoes"),
            "unary gzip" => json!("hello blue shoesblue shoes"),
            "client" => json!("a+blue shoes+b"),
            "server" => json!([0, 1, 2, 3, 4].map(|number| format!("blue shoes {number}"))),
            // Each message is sent only after the answer to the one before.
            _ => json!(["echo one", "echo two", "echo blue shoes", "echo three"]),
        };
        assert_eq!(seen["benign"][kind], expected, "{kind}: {seen}");
    }
    assert_eq!(seen["trailers"]["x-seen"], json!("1"), "{seen}");
}

fn all_stopped(seen: &Value, kinds: &[&str]) {
    assert_eq!(seen["attacks at the service"], json!("0"), "{seen}");
    for kind in kinds {
        let stopped = &seen["attack"][kind];
        if *kind == "bidi" {
            // Its answer has begun: Envoy has no other for it, and resets the call.
            assert!(["INTERNAL", "CANCELLED"].contains(&stopped["code"].as_str().unwrap()), "{seen}");
            continue;
        }
        assert_eq!(stopped["code"], json!("PERMISSION_DENIED"), "{kind}: {seen}");
        assert!(stopped["details"].as_str().unwrap().starts_with("request "), "{kind}: {seen}");
    }
}

#[test]
fn ext_authz_lets_calls_through_by_their_heads_and_says_what_it_did_not_see() {
    let Some((seen, err)) = calls("ext-authz.yaml", &[], "{mode: block}", &KINDS) else { return };
    all_came(&seen, &KINDS);
    assert!(err.contains("The call's messages were not inspected: Envoy asks by its head alone"), "{err}");
    assert_eq!(seen["attacks at the service"], json!("5"), "{seen}");
    assert_eq!(seen["attack"]["unary"], json!("hello 1' UNION SELECT username, password FROM users-- "));
}

#[test]
fn ext_proc_judges_each_message_where_bodies_go_both_ways() {
    let Some((seen, err)) = calls("ext-proc.yaml", &[], "{mode: block}", &KINDS) else { return };
    all_came(&seen, &KINDS);
    all_stopped(&seen, &KINDS);
    assert!(!err.contains("cut before its end"), "{err}");
}

#[test]
fn ext_proc_judges_each_message_where_bodies_are_streamed() {
    let streamed = [("FULL_DUPLEX_STREAMED", "STREAMED")];
    let Some((seen, _)) = calls("ext-proc.yaml", &streamed, "{mode: block}", &KINDS) else { return };
    all_came(&seen, &KINDS);
    all_stopped(&seen, &KINDS);
}

#[test]
fn a_buffering_envoy_streams_calls_where_it_takes_our_word() {
    let buffered = [
        ("FULL_DUPLEX_STREAMED", "BUFFERED"),
        (
            "              failure_mode_allow: false\n",
            "              failure_mode_allow: false\n              allow_mode_override: true\n",
        ),
    ];
    let Some((seen, _)) = calls("ext-proc.yaml", &buffered, "{mode: block}", &KINDS) else { return };
    all_came(&seen, &KINDS);
    all_stopped(&seen, &KINDS);
}

#[test]
fn calls_whose_end_comes_by_itself_pass_every_other_way_of_bodies() {
    let kinds = &KINDS[..4];
    for (mode, stops) in [("BUFFERED", true), ("BUFFERED_PARTIAL", true), ("NONE", false)] {
        let profile = "{mode: block, limits: {onRequestBody: partial}}";
        let changes = [("FULL_DUPLEX_STREAMED", mode)];
        let Some((seen, _)) = calls("ext-proc.yaml", &changes, profile, kinds) else { return };
        all_came(&seen, kinds);
        if stops {
            all_stopped(&seen, kinds);
        }
    }
}

#[test]
fn what_a_service_streams_is_not_held_for_rules_that_look_at_it() {
    let Some((seen, _)) = calls("ext-proc.yaml", &[], "{mode: block, detect: {leaks: block}}", &KINDS) else {
        return;
    };
    all_came(&seen, &KINDS);
}
