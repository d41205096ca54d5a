//! The bank's policies behind a real Envoy that verifies client certificates: every pod an address of its own, every
//! service account a certificate, one of them stolen.

mod pki;
mod support;

use std::net::SocketAddr;

use pki::Pki;
use support::envoy::{Envoy, binary, example};
use support::{Folder, Running, Upstream, command};

const OBJECTS: &str = include_str!("../../../testdata/policy/yaobank/objects.yaml");
const POLICIES: &str = include_str!("../../../testdata/policy/yaobank/policies.yaml");

/// Addresses of the pods, as the objects have them and as this machine has them.
const PODS: [(&str, &str, &str); 4] = [
    ("customer", "10.28.0.11", "127.0.28.11"),
    ("summary", "10.28.0.12", "127.0.28.12"),
    ("database", "10.28.0.13", "127.0.28.13"),
    ("attack", "10.28.0.66", "127.0.28.66"),
];

fn address_of(pod: &str) -> &'static str {
    PODS.iter().find(|(name, ..)| *name == pod).map(|(_, _, address)| *address).unwrap()
}

/// A TLS listener that wants a client certificate, as the transport socket of the example's only filter chain.
fn with_tls(bootstrap: String, folder: &Folder) -> String {
    let at = |name: &str| folder.at(name);
    let tls = format!(
        "    - transport_socket:\n        name: envoy.transport_sockets.tls\n        typed_config:\n          \
         \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n          \
         require_client_certificate: true\n          common_tls_context:\n            \
         alpn_protocols: [h2, http/1.1]\n            \
         tls_certificates: [{{ certificate_chain: {{ filename: {} }}, private_key: {{ filename: {} }} }}]\n            \
         validation_context: {{ trusted_ca: {{ filename: {} }} }}\n      filters:\n",
        at("web.crt"),
        at("web.key"),
        at("ca.crt")
    );
    assert!(bootstrap.contains("    - filters:\n"));
    bootstrap.replace("    - filters:\n", &tls)
}

fn palisade(folder: &Folder, policies: &str) -> Running {
    let workload = |name: &str| {
        format!("{{name: {name}, workload: {{namespace: yaobank, name: {name}-1, labels: {{app: {name}}}}}}}")
    };
    let services = ["customer", "summary", "database"];
    let route = |name: &&str| format!("{{hosts: [{name}], service: {name}}}");
    let config = format!(
        "admin: {{address: \"off\"}}\ndataDir: {}\nenvoy: [{{name: envoy, address: \"unix:{}\"}}]\n\
         services: [{}]\nroutes: [{}]\nprofiles: {{default: {{mode: monitoring}}}}\n{policies}",
        folder.at("data"),
        folder.at("envoy.sock"),
        services.map(workload).join(", "),
        services.iter().map(route).collect::<Vec<_>>().join(", "),
    );
    let file = folder.write("palisade.yaml", config);
    let running = Running::start(command(&["run", "--config", &file]));
    running.wait_err("(envoy)\n");
    running
}

/// Asks a service of the bank from a pod's address, with the key of a service account.
fn ask(pki: &Pki<'_>, at: SocketAddr, pod: &str, key: &str, service: &str, more: &[&str]) -> u16 {
    let (crt, secret) = (pki.0.at(&format!("{key}.crt")), pki.0.at(&format!("{key}.key")));
    // An answer that comes before curl 7.88 has sent its body on HTTP/2 is lost to it when the stream closes behind.
    let mut arguments = vec!["--http1.1", "--interface", address_of(pod), "--cert", &crt, "--key", &secret];
    arguments.extend(more);
    pki.ask(at, &pki.0.at("ca.crt"), &format!("https://{service}:{}/v2/keys", at.port()), &arguments).0
}

#[test]
fn the_banks_policies_hold_behind_envoy_and_a_stolen_key_opens_nothing() {
    let Some(binary) = binary() else { return };
    if !pki::tools() {
        return;
    }
    for bootstrap in ["ext-authz.yaml", "ext-proc.yaml"] {
        let folder = Folder::new();
        let pki = Pki(&folder);
        pki.authority("ca");
        pki.server("ca", "web", &["customer", "summary", "database"]);
        for account in ["customer", "summary", "default"] {
            let id = format!("subjectAltName=URI:spiffe://cluster.local/ns/yaobank/sa/{account}\n");
            pki.issue("ca", account, &format!("/CN={account}"), &id, 30);
        }
        let objects =
            PODS.iter().fold(OBJECTS.to_owned(), |text, (_, theirs, ours)| text.replace(theirs, ours));
        folder.write("policies/objects.yaml", objects);
        folder.write("policies/policies.yaml", POLICIES);
        let upstream = Upstream::start();
        let text = with_tls(example(bootstrap, &upstream.url, &folder.at("envoy.sock")), &folder);

        let mut running = palisade(&folder, "policies: {files: [policies], trustDomains: [cluster.local]}\n");
        let envoy = Envoy::start(&binary, &folder, &text);
        let ask = |pod, key, service, more: &[&str]| ask(&pki, envoy.address, pod, key, service, more);
        for (pod, key, service, more, status) in [
            // Anybody may GET from customer, and do nothing else.
            ("attack", "default", "customer", &[][..], 200),
            ("attack", "default", "customer", &["-I"][..], 403),
            ("summary", "summary", "customer", &["-d", "a=b"][..], 403),
            // Customer asks summary, summary asks the database, and nobody else does.
            ("customer", "customer", "summary", &[][..], 200),
            ("summary", "summary", "database", &[][..], 200),
            ("customer", "customer", "database", &[][..], 403),
            ("customer", "customer", "database", &["-I"][..], 403),
            ("attack", "default", "database", &[][..], 403),
            // The stolen key, from where no pod of its account is.
            ("attack", "summary", "database", &["-X", "PUT", "-d", "value=10000"][..], 403),
            ("customer", "summary", "database", &[][..], 403),
            ("summary", "summary", "database", &["-X", "PUT", "-d", "value=1"][..], 200),
        ] {
            let said = ask(pod, key, service, more);
            assert_eq!(
                said,
                status,
                "{bootstrap}: {pod} with {key}'s key asks {service} {more:?}\n{}",
                running.err()
            );
        }
        running.wait_err("Policy denied the request [tier \"default\"] [policy \"database\"]");
        running.end();
        drop(running);

        // Without policies all of that passes.
        let _open = palisade(&folder, "");
        support::eventually("the new server", || {
            (ask("attack", "summary", "database", &["-X", "PUT", "-d", "value=10000"]) == 200).then_some(())
        });
        assert_eq!(ask("customer", "customer", "database", &[]), 200, "{bootstrap}");
    }
}
