//! Policies before TLS: who is not let in before the handshake, and who right after it.

mod bank;
mod pki;
mod support;

use pki::Pki;
use support::{Folder, Running, Upstream, command, eventually, send};

#[test]
fn a_connection_is_closed_before_the_handshake_or_after_it_as_identity_requires() {
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    bank::certificates(&pki);
    folder.write("policies/objects.yaml", bank::objects());
    // The attacker's address is refused whoever it is; the rest is for the customer's account.
    folder.write(
        "policies/summary.yaml",
        "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: summary, namespace: yaobank}\nspec:\n  \
         selector: app == 'summary'\n  ingress:\n  - {action: Deny, source: {nets: [127.0.28.66/32]}}\n  \
         - {action: Allow, source: {serviceAccounts: {names: [customer]}}, http: {methods: [GET]}}\n",
    );
    let config = format!(
        "admin: {{address: 127.0.0.1:0}}\ndataDir: data\nlogs: {{error: error.log}}\n\
         workload: {{namespace: yaobank, name: summary-1, serviceAccount: summary, labels: {{app: summary}}}}\n\
         listeners:\n- {{name: web, address: 127.0.0.1:0, \
         tls: {{certificates: [{{cert: web.crt, key: web.key}}], clientCertificates: {{mode: optional, ca: ca.crt}}}}}}\n\
         services:\n- {{name: summary, upstream: {{url: \"{}\"}}}}\npolicies: {{files: [policies]}}\n",
        upstream.url
    );
    let mut proxy = Running::start(command(&["run", "--config", &folder.write("palisade.yaml", config)]));
    let (web, admin) = (proxy.listener("web"), proxy.listener("admin"));
    let ask = |pod: &str, key: Option<&str>, more: &[&str]| {
        bank::ask(&pki, web, pod, key, "https://summary:PORT/", more)
    };
    let log = || std::fs::read_to_string(folder.at("error.log")).unwrap_or_default();
    let value = |name: &str| -> u64 {
        let text = send(admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n").as_bytes()).body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
    };
    let closed = || value("palisade_policy_connections_closed_total");
    let handshakes = || value("palisade_tls_handshakes_total{outcome=\"completed\"}");

    // A request decides.
    assert_eq!(ask("customer", Some("customer"), &[]), 200, "{}", log());
    assert_eq!(ask("customer", Some("customer"), &["-X", "PUT"]), 403);
    assert_eq!((closed(), handshakes()), (0, 2));
    // The address decides, before anything is said.
    assert_eq!(ask("attack", Some("customer"), &[]), 0);
    assert_eq!((closed(), handshakes()), (1, 2));
    eventually("the line", || {
        log().contains("[client 127.0.28.66] Palisade: Policy closed the connection [tier \"default\"] [policy \"yaobank/summary\"] [rule \"0\"] [reason \"a rule matched\"]").then_some(())
    });
    // The certificate decides: none, and another's than has the address.
    for key in [None, Some("summary")] {
        assert_eq!(ask("customer", key, &[]), 0, "{key:?}");
    }
    // Nobody of the customer's is at summary's own address, whatever it shows.
    assert_eq!(ask("summary", Some("customer"), &[]), 0);
    assert_eq!((closed(), handshakes()), (4, 4), "{}", log());
    assert_eq!(upstream.heads().len(), 1);
    assert_eq!(proxy.end(), 0);
}
