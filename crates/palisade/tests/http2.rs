//! HTTP/2 and gRPC through the binary, by other people's clients and servers: curl, nghttp, grpcio.

mod support;

use std::process::Command;

use serde_json::{Value, json};
use support::grpc::{CALLS, CallsServed, python};
use support::{Folder, Running, UNION_ATTACK, Upstream, command};

/// The output of a tool; nothing where it is not there, which is said.
fn tool(name: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(name).args(arguments).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            println!("skipped: no {name} here ({error})");
            None
        }
    }
}

#[test]
fn curl_and_nghttp_speak_http2_without_tls() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let mut proxy = Running::proxy(&folder, &upstream.url, &["--mode", "block"]);
    let mut url = |target: &str| format!("http://{}{target}", proxy.address());
    let (fine, attack) = (url("/"), url(UNION_ATTACK));
    let write = "%{http_version} %{response_code}";
    for (url, expected) in [(&fine, "2 200"), (&attack, "2 403")] {
        let arguments = ["-s", "-o", "/dev/null", "-w", write, "--http2-prior-knowledge", url];
        let Some(said) = tool("curl", &arguments) else { return };
        assert_eq!(said, expected, "{url}");
    }
    // An upgrade from HTTP/1.1 is not followed; the answer comes all the same.
    let said = tool("curl", &["-s", "-o", "/dev/null", "-w", write, "--http2", &fine]).unwrap();
    assert_eq!(said, "1.1 200");
    if let Some(said) = tool("nghttp", &["-nv", &fine]) {
        assert!(said.contains(":status: 200") && said.contains("x-request-id: "), "{said}");
    }
}

#[test]
fn calls_of_grpc_run_and_an_attack_in_a_message_is_found() {
    let Some(python) = python() else { return };
    let service = CallsServed::start(&python);
    let folder = Folder::new();
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nlisteners: [{{name: web, address: 127.0.0.1:0}}]\n\
         services: [{{name: shop, upstream: {{url: \"http://127.0.0.1:{}\", protocol: http2}}}}]\n\
         profiles: {{default: {{mode: block}}}}\n",
        folder.at("data"),
        service.port
    );
    let file = folder.write("palisade.yaml", config);
    let mut proxy = Running::start(command(&["run", "--config", &file]));
    let port = proxy.address().port().to_string();
    let called = Command::new(&python).args([CALLS, "call", &port]).output().unwrap();
    let said = String::from_utf8_lossy(&called.stdout);
    let seen: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {called:?}"));
    let benign = &seen["benign"];
    assert_eq!(benign["unary"], json!("hello blue shoes"), "{seen}");
    assert_eq!(benign["unary gzip"], json!("hello blue shoesblue shoes"));
    assert_eq!(benign["client"], json!("a+blue shoes+b"));
    assert_eq!(benign["server"].as_array().unwrap().len(), 5);
    // Each message is sent only after the answer to the one before.
    assert_eq!(benign["bidi"], json!(["echo one", "echo two", "echo blue shoes", "echo three"]));
    assert_eq!(seen["trailers"]["x-seen"], json!("1"));
    for kind in ["unary", "unary gzip", "client", "server", "bidi"] {
        let stopped = &seen["attack"][kind];
        assert_eq!(stopped["code"], json!("PERMISSION_DENIED"), "{kind}: {seen}");
        assert!(stopped["details"].as_str().unwrap().starts_with("request "), "{kind}: {seen}");
    }
}
