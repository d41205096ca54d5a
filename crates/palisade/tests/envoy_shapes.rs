//! The bootstraps of `examples/envoy` for a gateway, a sidecar and a node, each with a real Envoy; and who may ask.

mod pki;
mod support;

use std::net::SocketAddr;

use pki::Pki;
use support::envoy::{Envoy, binary, changed};
use support::{Folder, Running, UNION_ATTACK, Upstream, command, eventually, get, send};

const GATEWAY: &str = "spiffe://cluster.local/ns/edge/sa/gateway";

fn port_of(upstream: &Upstream) -> String {
    format!("port_value: {}", upstream.url.rsplit(':').next().unwrap())
}

/// What `gateway.yaml` and its comment name, made in a folder.
fn gateway_files(pki: &Pki<'_>) {
    pki.authority("ca");
    pki.server("ca", "web", &["shop.example.com", "api.example.com"]);
    pki.server("ca", "tls", &["palisade"]);
    for (name, id) in [("gateway", GATEWAY), ("other", "spiffe://cluster.local/ns/edge/sa/other")] {
        pki.issue("ca", name, &format!("/CN={name}"), &format!("subjectAltName=URI:{id}\n"), 30);
    }
}

/// The configuration of `gateway.yaml`'s comment, its addresses and files those of a test.
fn gateway_config(folder: &Folder) -> String {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/envoy/gateway.yaml"));
    let text = text.unwrap();
    let lines = text.lines().skip_while(|line| *line != "# palisade.yaml:").skip(2);
    let lines = lines.take_while(|line| line.starts_with("#   ")).map(|line| &line[4..]);
    let config = lines.collect::<Vec<_>>().join("\n");
    assert!(config.contains("spiffeIds") && config.contains("127.0.0.1:9191"), "{config}");
    let config = config.replace("127.0.0.1:9191", "127.0.0.1:0");
    let config = config.replace("/etc/palisade/", &format!("{}/", folder.path().display()));
    format!("{config}\nadmin: {{address: \"127.0.0.1:0\"}}\ndataDir: {}\n", folder.at("data"))
}

fn gateway(folder: &Folder, upstream: &Upstream, palisade: SocketAddr, certificate: &str) -> String {
    changed(
        "gateway.yaml",
        &[
            ("port_value: 9902", "port_value: 0"),
            ("port_value: 10443", "port_value: 0"),
            ("port_value: 8080", &port_of(upstream)),
            ("port_value: 9191", &format!("port_value: {}", palisade.port())),
            ("/etc/gateway/gateway.", &folder.at(&format!("{certificate}."))),
            ("/etc/gateway/", &format!("{}/", folder.path().display())),
        ],
    )
}

#[test]
fn a_gateway_asks_over_tls_and_palisade_knows_who_it_is() {
    let Some(binary) = binary() else { return };
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    gateway_files(&pki);
    let config = folder.write("palisade.yaml", gateway_config(&folder));
    let mut running = Running::start(command(&["run", "--config", &config]));
    let palisade = running.listener("edge");
    assert!(running.err().contains(&format!("listening on grpcs://{palisade} (edge)")));
    let ca = folder.at("ca.crt");
    let ask = |envoy: &Envoy, host: &str, target: &str| {
        pki.ask(envoy.address, &ca, &format!("https://{host}:{}{target}", envoy.address.port()), &[])
    };
    {
        let envoy = Envoy::start(&binary, &folder, &gateway(&folder, &upstream, palisade, "gateway"));
        for host in ["shop.example.com", "api.example.com"] {
            let (status, body) = ask(&envoy, host, "/?q=fine");
            assert!(status == 200 && body.contains("upstream saw GET /?q=fine"), "{host}: {status} {body}");
            assert_eq!(ask(&envoy, host, UNION_ATTACK).0, 403, "{host}");
        }
        // Only one of the two profiles withholds what leaks.
        assert_eq!(ask(&envoy, "shop.example.com", "/leak").0, 200);
        assert_eq!(ask(&envoy, "api.example.com", "/leak").0, 403);
    }
    let seen = upstream.heads().len();

    // A certificate of the same authority, of somebody else: no question is heard, and nothing passes.
    let envoy = Envoy::start(&binary, &folder, &gateway(&folder, &upstream, palisade, "other"));
    assert_eq!(ask(&envoy, "shop.example.com", "/").0, 503);
    assert_eq!(upstream.heads().len(), seen);
    running.wait_err(
        "Not let ask: the client's SPIFFE id, `spiffe://cluster.local/ns/edge/sa/other`, is not one",
    );
    // The configuration is changed: it may.
    folder.write(
        "palisade.yaml",
        gateway_config(&folder).replace(GATEWAY, "spiffe://cluster.local/ns/edge/sa/other"),
    );
    eventually("the other may ask", || (ask(&envoy, "shop.example.com", "/").0 == 200).then_some(()));
    drop(envoy);

    // The authority's file is changed: nobody it vouched for may.
    pki.authority("ca2");
    let config_of_another = gateway_config(&folder).replace("/ca.crt", "/believed.crt");
    std::fs::copy(folder.at("ca.crt"), folder.at("believed.crt")).unwrap();
    folder.write("palisade.yaml", config_of_another);
    let start = || Envoy::start(&binary, &folder, &gateway(&folder, &upstream, palisade, "gateway"));
    eventually("the gateway again", || (ask(&start(), "shop.example.com", "/").0 == 200).then_some(()));
    pki.bundle("believed.crt", &["ca2.crt"]);
    eventually("nobody", || (ask(&start(), "shop.example.com", "/").0 == 503).then_some(()));
    running.wait_err("Not let ask: the client's certificate is FAILED:");

    let admin = running.admin();
    let metrics = send(admin, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").body;
    let refused = metrics.lines().find_map(|line| line.strip_prefix("palisade_askers_refused_total "));
    assert!(refused.unwrap().parse::<u32>().unwrap() >= 2, "{metrics}");
    assert!(
        metrics.contains("palisade_tls_certificate_expiry_timestamp_seconds{listener=\"edge\""),
        "{metrics}"
    );
    assert_eq!(running.end(), 0);
}

#[test]
fn who_does_not_speak_tls_is_not_let_ask() {
    let Some(binary) = binary() else { return };
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    gateway_files(&Pki(&folder));
    let config = folder.write("palisade.yaml", gateway_config(&folder));
    let mut running = Running::start(command(&["run", "--config", &config]));
    let palisade = running.listener("edge");
    let plain = changed(
        "ext-authz.yaml",
        &[
            ("port_value: 9902", "port_value: 0"),
            ("port_value: 10000", "port_value: 0"),
            ("port_value: 8080", &port_of(&upstream)),
            (
                "pipe: { path: /run/palisade/envoy.sock }",
                &format!("socket_address: {{ address: 127.0.0.1, port_value: {} }}", palisade.port()),
            ),
        ],
    );
    let envoy = Envoy::start(&binary, &folder, &plain);
    let answer = get(envoy.address, "/", "");
    assert!(answer.status == 503 && answer.header("x-palisade-reason").is_none(), "{answer:?}");
    assert!(upstream.heads().is_empty());
    running.wait_err("Not let ask: it does not speak TLS");
    // One without a certificate, by somebody else's client.
    // Lines of a kind come once a second.
    eventually("one without a certificate is told of", || {
        let mut client = std::process::Command::new("openssl");
        client.args(["s_client", "-connect", &palisade.to_string(), "-alpn", "h2"]);
        client.stdin(std::process::Stdio::null()).output().unwrap();
        running.err().contains("Not let ask: the client sent no certificate").then_some(())
    });
}

const OBJECTS: &str = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: web}\n\
    spec:\n  selector: app == 'web'\n  ingress:\n  - action: Allow\n    source: {serviceAccounts: {names: [client]}, \
    namespaceSelector: all()}\n    http: {methods: [GET]}\n";

#[test]
fn a_sidecar_decides_on_certificate_and_request() {
    let Some(binary) = binary() else { return };
    if !pki::tools() {
        return;
    }
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let pki = Pki(&folder);
    pki.authority("ca");
    pki.server("ca", "web", &["web"]);
    for account in ["client", "other"] {
        let id = format!("subjectAltName=URI:spiffe://cluster.local/ns/shop/sa/{account}\n");
        pki.issue("ca", account, &format!("/CN={account}"), &id, 30);
    }
    folder.write("policies/web.yaml", OBJECTS);
    folder.write(
        "policies/pods.yaml",
        ["client", "other"]
            .map(|name| {
                format!(
                    "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\n\
                     spec: {{serviceAccountName: {name}}}\nstatus: {{podIP: 127.0.0.1, podIPs: [{{ip: 127.0.0.1}}]}}\n"
                )
            })
            .join("---\n"),
    );
    let config = folder.write(
        "palisade.yaml",
        format!(
            "workload: {{namespace: shop, name: web-1, labels: {{app: web}}}}\nadmin: {{address: \"off\"}}\n\
             dataDir: {}\nenvoy: [{{name: envoy, address: \"unix:{}\"}}]\nprofiles: {{default: {{mode: block}}}}\n\
             policies: {{files: [policies]}}\n",
            folder.at("data"),
            folder.at("envoy.sock")
        ),
    );
    let running = Running::start(command(&["run", "--config", &config]));
    running.wait_err("(envoy)\n");
    let text = changed(
        "sidecar.yaml",
        &[
            ("port_value: 9902", "port_value: 0"),
            ("port_value: 15006", "port_value: 0"),
            ("port_value: 8080", &port_of(&upstream)),
            ("/run/palisade/envoy.sock", &folder.at("envoy.sock")),
            ("/etc/certs/cert-chain.pem", &folder.at("web.crt")),
            ("/etc/certs/key.pem", &folder.at("web.key")),
            ("/etc/certs/root-cert.pem", &folder.at("ca.crt")),
        ],
    );
    let envoy = Envoy::start(&binary, &folder, &text);
    let (ca, url) = (folder.at("ca.crt"), format!("https://web:{}", envoy.address.port()));
    let ask = |account: Option<&str>, target: &str, more: &[&str]| {
        let files =
            account.map(|name| (folder.at(&format!("{name}.crt")), folder.at(&format!("{name}.key"))));
        let mut arguments = more.to_vec();
        if let Some((certificate, key)) = &files {
            arguments.extend(["--cert", certificate, "--key", key]);
        }
        pki.ask(envoy.address, &ca, &format!("{url}{target}"), &arguments).0
    };
    assert_eq!(ask(Some("client"), "/", &[]), 200, "{}", running.err());
    assert_eq!(ask(Some("client"), UNION_ATTACK, &[]), 403, "an attack");
    assert_eq!(ask(Some("client"), "/", &["-d", "a=b"]), 403, "another method");
    assert_eq!(ask(Some("other"), "/", &[]), 403, "another account");
    assert_eq!(ask(None, "/", &[]), 0, "nobody gets as far as HTTP without a certificate");
    assert_eq!(upstream.heads().len(), 1);
    running.wait_err("Policy denied the request");
}

#[test]
fn a_nodes_envoy_asks_in_dikastes_place() {
    let Some(binary) = binary() else { return };
    let (folder, upstream) = (Folder::new(), Upstream::start());
    folder.write(
        "waf/tigera.conf",
        "SecRuleEngine On\nSecRule ARGS \"@contains attack\" \"id:1,phase:2,deny,status:403,log,msg:'an attack'\"\n",
    );
    let (socket, root, data) = (folder.at("dikastes.sock"), folder.at("waf"), folder.at("data"));
    // The command line of the example.
    let arguments = [
        "authz",
        "server",
        "--listen",
        &socket,
        "--per-host-waf-enabled",
        "--waf-ruleset-root-dir",
        &root,
        "--waf-ruleset-file",
        "tigera.conf",
        "--admin",
        "off",
        "--data-dir",
        &data,
    ];
    let running = Running::start(command(&arguments));
    running.wait_err("(envoy)\n");
    let text = changed(
        "daemonset.yaml",
        &[
            ("port_value: 9902", "port_value: 0"),
            ("port_value: 16001", "port_value: 0"),
            ("/var/run/dikastes/dikastes.sock", &socket),
            // Nobody leads packets here, so that the address where they were to go is named by the request.
            ("    transparent: true\n", ""),
            (
                "    lb_policy: CLUSTER_PROVIDED\n",
                "    lb_policy: CLUSTER_PROVIDED\n    original_dst_lb_config: { use_http_header: true }\n",
            ),
        ],
    );
    let envoy = Envoy::start(&binary, &folder, &text);
    let to = format!("x-envoy-original-dst-host: {}\r\n", upstream.url.trim_start_matches("http://"));
    let fine = get(envoy.address, "/?q=fine", &to);
    assert!(
        fine.status == 200 && fine.body.contains("upstream saw GET /?q=fine"),
        "{fine:?} {}",
        running.err()
    );
    assert_eq!(get(envoy.address, "/?q=attack", &to).status, 403);
    assert_eq!(upstream.heads().len(), 1);
    running.wait_err("WAF Process Http Request [");
}
