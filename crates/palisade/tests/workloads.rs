//! Who stands at both ends of a request, as the access log says it.

mod bank;
mod pki;
mod support;

use pki::Pki;
use serde_json::{Value, json};
use support::{Folder, Running, Upstream, command, eventually};

/// A listener with TLS before summary, and an outbound one for its calls to a database at an address.
fn summary(folder: &Folder, upstream: &str, policies: &str) -> Running {
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: data\nlogs: {{access: access.log, error: error.log}}\n\
         workload: {{namespace: yaobank, name: summary-1, serviceAccount: summary, labels: {{app: summary}}}}\n\
         listeners:\n- {{name: web, address: 127.0.0.1:0, \
         tls: {{certificates: [{{cert: web.crt, key: web.key}}], clientCertificates: {{mode: optional, ca: ca.crt}}}}}}\n\
         - {{name: out, address: 127.0.0.1:0, direction: outbound}}\n\
         services:\n- {{name: summary, upstream: {{url: \"{upstream}\"}}}}\n\
         - {{name: database, upstream: {{url: \"{upstream}\"}}}}\n\
         routes: [{{listener: web, service: summary}}, {{listener: out, hosts: [database], service: database}}]\n{policies}"
    );
    Running::start(command(&["run", "--config", &folder.write("palisade.yaml", config)]))
}

fn lines(folder: &Folder, count: usize) -> Vec<Value> {
    eventually("the access log", || {
        let text = std::fs::read_to_string(folder.at("access.log")).ok()?;
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (lines.len() >= count).then_some(lines)
    })
}

fn workload(name: Option<&str>, account: &str, known_by: &str) -> Value {
    json!({"namespace": "yaobank", "name": name, "service_account": account, "known_by": known_by})
}

#[test]
fn the_access_log_names_both_workloads_and_how_they_are_known() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    bank::certificates(&pki);
    folder.write("policies/objects.yaml", bank::objects());
    let mut proxy = summary(&folder, &upstream.url, "policies: {files: [policies]}\n");
    let web = proxy.listener("web");
    let ask =
        |pod: &str, key: Option<&str>| bank::ask(&pki, web, pod, key, "https://summary:PORT/519940", &[]);
    // Nothing is refused: objects alone are no policy.
    for (pod, key) in [("customer", Some("customer")), ("customer", Some("summary")), ("customer", None)] {
        assert_eq!(ask(pod, key), 200, "{}", proxy.err());
    }
    let elsewhere =
        ["--interface", "127.0.28.99", "--cert", "customer.crt", "--key", "customer.key"].map(|argument| {
            if argument.contains("customer") { folder.at(argument) } else { argument.to_owned() }
        });
    let elsewhere: Vec<&str> = elsewhere.iter().map(String::as_str).collect();
    let url = format!("https://summary:{}/", web.port());
    assert_eq!(pki.ask(web, &folder.at("ca.crt"), &url, &elsewhere).0, 200);
    let out = proxy.listener("out");
    assert_eq!(
        support::send(out, b"GET /v2/keys HTTP/1.1\r\nHost: database\r\nConnection: close\r\n\r\n").status,
        200
    );
    let lines = lines(&folder, 5);
    let ours = workload(Some("summary-1"), "summary", "configuration");
    for (line, source) in lines.iter().zip([
        workload(Some("customer-1"), "customer", "certificate_and_address"),
        // A certificate of another than has the address.
        workload(Some("customer-1"), "customer", "address"),
        workload(Some("customer-1"), "customer", "address"),
        workload(None, "customer", "certificate"),
    ]) {
        assert_eq!((&line["source"], &line["destination"]), (&source, &ours), "{line}");
        assert_eq!((&line["direction"], &line["server"]), (&json!("inbound"), &json!(web.to_string())));
    }
    assert_eq!(
        lines[1]["client_certificate"]["spiffe_id"], "spiffe://cluster.local/ns/yaobank/sa/summary",
        "the key that was used is there to be seen"
    );
    assert_eq!(lines[4]["direction"], "outbound", "{}", lines[4]);
    assert_eq!(lines[4]["source"], ours);
    assert_eq!(lines[4]["destination"], Value::Null, "nobody has the address of the upstream");
    assert_eq!(proxy.end(), 0);
}

#[test]
fn without_policies_the_certificate_and_the_configuration_say_who_it_is() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    bank::certificates(&pki);
    let mut proxy = summary(&folder, &upstream.url, "");
    let web = proxy.listener("web");
    for key in [Some("customer"), None] {
        assert_eq!(
            bank::ask(&pki, web, "customer", key, "https://summary:PORT/", &[]),
            200,
            "{}",
            proxy.err()
        );
    }
    let lines = lines(&folder, 2);
    assert_eq!(lines[0]["source"], workload(None, "customer", "certificate"), "{}", lines[0]);
    assert_eq!(lines[1]["source"], Value::Null);
    assert_eq!(lines[0]["destination"], workload(Some("summary-1"), "summary", "configuration"));
}
