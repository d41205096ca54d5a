//! What the gateway speaks to services, with nginx as the services: TLS with good and bad authorities and names, certificates of
//! its own, HTTP/2. By the Gateway API's objects and by the annotations of Ingresses.

mod cluster;
mod nginx;
mod pki;
mod support;

use std::net::SocketAddr;
use std::process::Command;

use cluster::{class, gateway, gateway_command, ingress, path, secret, service};
use nginx::Nginx;
use palisade_kube_fake::{Scope, Server};
use pki::Pki;
use serde_json::{Value, json};
use support::grpc::{CALLS, CallsServed, python};
use support::{Folder, Running, eventually, send};

/// A cluster with the services `plain`, `h2c`, `tls`, `tls2` (TLS and HTTP/2) and `mutual`, each an nginx that says what it saw.
struct Stage {
    folder: Folder,
    cluster: Server,
    _nginx: Nginx,
}

impl Stage {
    fn new() -> Option<Self> {
        if !pki::tools() || !nginx::there() {
            return None;
        }
        let folder = Folder::new();
        let pki = Pki(&folder);
        ["inner", "stranger", "clients"].iter().for_each(|name| pki.authority(name));
        let names = "subjectAltName=DNS:tls.example,URI:spiffe://cluster.local/ns/shop/sa/tls\n";
        pki.issue("inner", "service", "/CN=service", names, 30);
        pki.issue("clients", "edge", "/CN=edge", "", 30);
        let seen = "location / { add_header X-Seen \"$server_protocol $ssl_server_name $ssl_client_verify $ssl_client_s_dn\"; \
                    return 200 fine; }";
        let cluster = Server::start();
        let mut servers =
            "ssl_certificate service.crt; ssl_certificate_key service.key; ssl_client_certificate clients.crt;\n"
                .to_owned();
        let mut last = nginx::free();
        for (name, how) in
            [("plain", ""), ("h2c", "http2"), ("tls", "ssl"), ("tls2", "ssl http2"), ("mutual", "ssl")]
        {
            last = nginx::free();
            let asks = if name == "mutual" { "ssl_verify_client optional;" } else { "" };
            servers.push_str(&format!("server {{ listen {last} {how}; {asks} {seen} }}\n"));
            service(name, last).into_iter().for_each(|object| drop(cluster.put(object)));
        }
        let nginx = Nginx::start(&folder, &servers, last);
        Some(Self { folder, cluster, _nginx: nginx })
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.at(name)).unwrap()
    }

    fn put(&self, mut object: Value) {
        if object["apiVersion"].is_null() {
            object["apiVersion"] = json!("gateway.networking.k8s.io/v1");
        }
        self.cluster.put(object);
    }
}

/// Status, and what the service saw.
fn ask(at: SocketAddr, host: &str, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let response = send(at, request.as_bytes());
    format!("{} {}", response.status, response.header("x-seen").unwrap_or("-")).trim_end().to_owned()
}

/// Asks until the first row is so, then holds all of them against it.
fn rows(proxy: &Running, at: SocketAddr, rows: &[(&str, &str, &str)]) {
    let first = rows[0];
    eventually("the table", || (ask(at, first.0, first.1) == first.2).then_some(()));
    let wrong: Vec<_> = rows
        .iter()
        .map(|(host, target, expected)| (host, target, expected, ask(at, host, target)))
        .filter(|(_, _, expected, got)| **expected != *got)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", proxy.err());
}

#[test]
fn backends_of_routes_are_verified_as_policies_say_and_spoken_to_as_ports_say() {
    let Some(stage) = Stage::new() else { return };
    for (kind, plural, scope) in [
        ("GatewayClass", "gatewayclasses", Scope::Cluster),
        ("Gateway", "gateways", Scope::Namespaced),
        ("HTTPRoute", "httproutes", Scope::Namespaced),
        ("ReferenceGrant", "referencegrants", Scope::Namespaced),
        ("BackendTLSPolicy", "backendtlspolicies", Scope::Namespaced),
    ] {
        stage.cluster.serve("gateway.networking.k8s.io/v1", kind, plural, scope);
    }
    let authority = |name: &str| {
        let text = String::from_utf8(stage.read(&format!("{name}.crt"))).unwrap();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": name}, "data": {"ca.crt": text}})
    };
    stage.put(authority("inner"));
    stage.put(authority("stranger"));
    stage
        .cluster
        .put(secret("edge", &[("tls.crt", &stage.read("edge.crt")), ("tls.key", &stage.read("edge.key"))]));
    stage.put(json!({"kind": "GatewayClass", "metadata": {"name": "palisade"},
        "spec": {"controllerName": "palisade.dev/gateway"}}));
    let edge = |name: &str, host: &str, identity: Value| {
        json!({"kind": "Gateway", "metadata": {"namespace": "shop", "name": name}, "spec": {
            "gatewayClassName": "palisade", "tls": {"backend": identity},
            "listeners": [{"name": "web", "port": 80, "protocol": "HTTP", "hostname": host}]}})
    };
    stage.put(edge("edge", "*.route.example", json!({})));
    stage.put(edge("known", "known.example", json!({"clientCertificateRef": {"name": "edge"}})));
    stage.put(edge("unknown", "unknown.example", json!({"clientCertificateRef": {"name": "nobody"}})));
    // The port of each service by which rows reach it, with a name of its own and perhaps a protocol.
    let mut rules = Vec::new();
    let mut service_of = |name: &str, like: &str, protocol: Value| {
        let mut object = stage.cluster.get("services", "shop", like).unwrap();
        let mut slice =
            stage.cluster.get("discovery.k8s.io/endpointslices", "shop", &format!("{like}-1")).unwrap();
        for (object, name) in [(&mut object, name.to_owned()), (&mut slice, format!("{name}-1"))] {
            object["metadata"] = json!({"namespace": "shop", "name": name});
        }
        slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": name});
        if !protocol.is_null() {
            object["spec"]["ports"][0]["appProtocol"] = protocol;
        }
        stage.cluster.put(object);
        stage.cluster.put(slice);
        rules.push(json!({"matches": [{"path": {"value": format!("/{name}")}}], "backendRefs": [{"name": name, "port": 80}]}));
    };
    let inner = json!([{"group": "", "kind": "ConfigMap", "name": "inner"}]);
    let stranger = json!([{"group": "", "kind": "ConfigMap", "name": "stranger"}]);
    let nobody = json!([{"group": "", "kind": "ConfigMap", "name": "nobody"}]);
    let uri = |of: &str| json!([{"type": "URI", "uri": format!("spiffe://cluster.local/ns/shop/sa/{of}")}]);
    service_of("plain", "plain", Value::Null);
    service_of("h2c-by-word", "h2c", json!("kubernetes.io/h2c"));
    service_of("unspoken", "plain", json!("example.com/other"));
    for (name, like, protocol, validation) in [
        ("good", "tls", Value::Null, json!({"hostname": "tls.example", "caCertificateRefs": inner})),
        (
            "good2",
            "tls2",
            json!("kubernetes.io/h2c"),
            json!({"hostname": "tls.example", "caCertificateRefs": inner}),
        ),
        ("stranger", "tls", Value::Null, json!({"hostname": "tls.example", "caCertificateRefs": stranger})),
        ("name", "tls", Value::Null, json!({"hostname": "other.example", "caCertificateRefs": inner})),
        ("nobody", "tls", Value::Null, json!({"hostname": "tls.example", "caCertificateRefs": nobody})),
        (
            "system",
            "tls",
            Value::Null,
            json!({"hostname": "tls.example", "wellKnownCACertificates": "System"}),
        ),
        (
            "named",
            "tls",
            Value::Null,
            json!({"hostname": "other.example", "wellKnownCACertificates": "System"}),
        ),
        (
            "id",
            "tls",
            Value::Null,
            json!({"hostname": "any.example", "caCertificateRefs": inner, "subjectAltNames": uri("tls")}),
        ),
        (
            "other-id",
            "tls",
            Value::Null,
            json!({"hostname": "tls.example", "caCertificateRefs": inner, "subjectAltNames": uri("db")}),
        ),
        (
            "alt",
            "tls",
            Value::Null,
            json!({"hostname": "sni.example", "caCertificateRefs": inner,
            "subjectAltNames": [{"type": "Hostname", "hostname": "tls.example"}]}),
        ),
        ("mutual", "mutual", Value::Null, json!({"hostname": "tls.example", "caCertificateRefs": inner})),
    ] {
        service_of(name, like, protocol);
        stage.put(
            json!({"kind": "BackendTLSPolicy", "metadata": {"namespace": "shop", "name": name}, "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": name}], "validation": validation}}),
        );
    }
    // A port's own word; the younger of two at one place has nothing to say.
    service_of("port", "tls", Value::Null);
    for (name, section, ca) in [
        ("port-all", Value::Null, &stranger),
        ("port-own", json!("http"), &inner),
        ("port-two", json!("http"), &stranger),
    ] {
        let mut target = json!({"group": "", "kind": "Service", "name": "port"});
        if !section.is_null() {
            target["sectionName"] = section;
        }
        stage.put(
            json!({"kind": "BackendTLSPolicy", "metadata": {"namespace": "shop", "name": name}, "spec": {
            "targetRefs": [target], "validation": {"hostname": "tls.example", "caCertificateRefs": ca}}}),
        );
    }
    stage.put(json!({"kind": "HTTPRoute", "metadata": {"namespace": "shop", "name": "r"}, "spec": {
        "parentRefs": [{"name": "edge"}, {"name": "known"}, {"name": "unknown"}], "rules": rules}}));
    let mut command = gateway_command(&stage.folder, &stage.cluster, &["--access-log", "off"]);
    // Whom the system believes.
    command.env("SSL_CERT_FILE", stage.folder.at("inner.crt"));
    let mut proxy = Running::start(command);
    let at = proxy.listener("http");
    let host = "a.route.example";
    rows(
        &proxy,
        at,
        &[
            (host, "/plain", "200 HTTP/1.1"),
            (host, "/h2c-by-word", "200 HTTP/2.0"),
            (host, "/unspoken", "500 -"),
            (host, "/good", "200 HTTP/1.1 tls.example NONE"),
            (host, "/good2", "200 HTTP/2.0 tls.example NONE"),
            (host, "/stranger", "502 -"),
            (host, "/name", "502 -"),
            (host, "/nobody", "502 -"),
            (host, "/system", "200 HTTP/1.1 tls.example NONE"),
            (host, "/named", "502 -"),
            (host, "/id", "200 HTTP/1.1 any.example NONE"),
            (host, "/other-id", "502 -"),
            (host, "/alt", "502 -"),
            (host, "/port", "200 HTTP/1.1 tls.example NONE"),
            (host, "/mutual", "200 HTTP/1.1 tls.example NONE"),
            ("known.example", "/mutual", "200 HTTP/1.1 tls.example SUCCESS CN=edge"),
            ("known.example", "/plain", "200 HTTP/1.1"),
            ("known.example", "/stranger", "502 -"),
            ("unknown.example", "/mutual", "200 HTTP/1.1 tls.example NONE"),
        ],
    );
    let reason = |plural: &str, name: &str, list: Option<&str>, kind: &str| {
        let object = stage.cluster.get(&format!("gateway.networking.k8s.io/{plural}"), "shop", name)?;
        let status = list.map_or(&object["status"], |list| &object["status"][list][0]).clone();
        let all = status["conditions"].as_array()?.clone();
        let found = all.into_iter().find(|condition| condition["type"] == kind)?;
        Some(format!("{} {}", found["status"].as_str()?, found["reason"].as_str()?))
    };
    for (plural, name, list, kind, expected) in [
        ("backendtlspolicies", "good", Some("ancestors"), "Accepted", "True Accepted"),
        ("backendtlspolicies", "id", Some("ancestors"), "Accepted", "True Accepted"),
        ("backendtlspolicies", "alt", Some("ancestors"), "Accepted", "False Invalid"),
        ("backendtlspolicies", "nobody", Some("ancestors"), "Accepted", "False NoValidCACertificate"),
        ("backendtlspolicies", "port-own", Some("ancestors"), "Accepted", "True Accepted"),
        ("gateways", "known", None, "ResolvedRefs", "True ResolvedRefs"),
        ("gateways", "unknown", None, "ResolvedRefs", "False InvalidClientCertificateRef"),
    ] {
        eventually(&format!("{name}: {expected}"), || {
            (reason(plural, name, list, kind)? == expected).then_some(())
        });
    }
    assert_eq!(proxy.end(), 0);
}

#[test]
fn annotations_say_how_services_are_spoken_to() {
    let Some(stage) = Stage::new() else { return };
    stage.cluster.put(class());
    let values = |ca: &str| {
        [
            ("ca.crt", stage.read(&format!("{ca}.crt"))),
            ("tls.crt", stage.read("edge.crt")),
            ("tls.key", stage.read("edge.key")),
        ]
    };
    for (name, ca, pair) in
        [("inner", "inner", false), ("stranger", "stranger", false), ("pair", "inner", true)]
    {
        let values = values(ca);
        let values: Vec<(&str, &[u8])> =
            values.iter().take(if pair { 3 } else { 1 }).map(|(name, value)| (*name, &value[..])).collect();
        stage.cluster.put(secret(name, &values));
    }
    let https = ("backend-protocol", "HTTPS");
    let (verify, name) = (("proxy-ssl-verify", "on"), ("proxy-ssl-name", "tls.example"));
    let by = |secret: &'static str| ("proxy-ssl-secret", secret);
    for (host, service, annotations) in [
        ("plain", "plain", &[][..]),
        ("https", "tls", &[https]),
        ("lower", "tls", &[("backend-protocol", "https")]),
        ("verified", "tls", &[https, verify, name, by("shop/inner")]),
        ("stranger", "tls", &[https, verify, name, by("shop/stranger")]),
        ("other-name", "tls", &[https, verify, ("proxy-ssl-name", "other.example"), by("shop/inner")]),
        ("own-name", "tls", &[https, verify, by("shop/inner")]),
        ("no-secret", "tls", &[https, verify]),
        ("lost-secret", "tls", &[https, by("shop/nobody"), verify]),
        ("foreign-secret", "tls", &[https, by("other/inner")]),
        ("pair", "mutual", &[https, name, by("shop/pair")]),
        ("no-pair", "mutual", &[https, name, by("shop/inner")]),
        (
            "all",
            "mutual",
            &[
                https,
                verify,
                name,
                by("shop/pair"),
                ("proxy-ssl-server-name", "on"),
                ("proxy-ssl-verify-depth", "2"),
            ],
        ),
        ("grpc", "h2c", &[("backend-protocol", "GRPC")]),
        ("grpcs", "tls2", &[("backend-protocol", "GRPCS"), verify, name, by("shop/inner")]),
        ("fcgi", "plain", &[("backend-protocol", "FCGI")]),
        ("odd", "plain", &[("backend-protocol", "SPDY")]),
    ] {
        stage.cluster.put(ingress(
            host,
            &format!("{host}.example"),
            &[path("Prefix", "/", service)],
            annotations,
        ));
    }
    let mut proxy = gateway(&stage.folder, &stage.cluster, &["--access-log", "off"]);
    let at = proxy.listener("http");
    rows(
        &proxy,
        at,
        &[
            ("plain.example", "/", "200 HTTP/1.1"),
            ("https.example", "/", "200 HTTP/1.1 tls.shop NONE"),
            ("lower.example", "/", "200 HTTP/1.1 tls.shop NONE"),
            ("verified.example", "/", "200 HTTP/1.1 tls.example NONE"),
            ("stranger.example", "/", "502 -"),
            ("other-name.example", "/", "502 -"),
            ("own-name.example", "/", "502 -"),
            ("no-secret.example", "/", "503 -"),
            ("lost-secret.example", "/", "503 -"),
            ("foreign-secret.example", "/", "503 -"),
            ("pair.example", "/", "200 HTTP/1.1 tls.example SUCCESS CN=edge"),
            ("no-pair.example", "/", "200 HTTP/1.1 tls.example NONE"),
            ("all.example", "/", "200 HTTP/1.1 tls.example SUCCESS CN=edge"),
            ("grpc.example", "/", "200 HTTP/2.0"),
            ("grpcs.example", "/", "200 HTTP/2.0 tls.example NONE"),
            ("fcgi.example", "/", "503 -"),
            ("odd.example", "/", "200 HTTP/1.1"),
        ],
    );
    // What is refused, or has no effect, is told.
    let expected = ["all", "fcgi", "foreign-secret", "lost-secret", "no-secret", "odd"];
    eventually("the events", || {
        let events = stage.cluster.list("events.k8s.io/events", Some("shop"));
        let mut about: Vec<String> =
            events.iter().filter_map(|event| Some(event["regarding"]["name"].as_str()?.to_owned())).collect();
        about.sort_unstable();
        about.dedup();
        (about == expected).then_some(())
    });
    // A new authority counts for connections to come.
    stage.cluster.put(secret("inner", &[("ca.crt", &stage.read("stranger.crt"))]));
    eventually("the other authority", || (ask(at, "verified.example", "/") == "502 -").then_some(()));
    assert_eq!(ask(at, "https.example", "/"), "200 HTTP/1.1 tls.shop NONE");
    assert_eq!(proxy.end(), 0);
}

#[test]
fn calls_of_grpc_come_through_an_ingress() {
    let Some(python) = python() else { return };
    let (folder, cluster, calls) = (Folder::new(), Server::start(), CallsServed::start(&python));
    cluster.put(class());
    service("calls", ([127, 0, 0, 1], calls.port).into())
        .into_iter()
        .for_each(|object| drop(cluster.put(object)));
    let mut all = ingress("calls", "x", &[path("Prefix", "/", "calls")], &[("backend-protocol", "GRPC")]);
    all["spec"]["rules"][0].as_object_mut().unwrap().remove("host");
    cluster.put(all);
    let mut proxy = gateway(&folder, &cluster, &["--mode", "block", "--access-log", "off"]);
    let at = proxy.listener("http");
    eventually("the table", || (!ask(at, "any.example", "/").starts_with("404")).then_some(()));
    let called = Command::new(&python).args([CALLS, "call", &at.port().to_string()]).output().unwrap();
    let said: Value =
        serde_json::from_slice(&called.stdout).unwrap_or_else(|error| panic!("{error}: {called:?}"));
    for kind in ["unary", "unary gzip", "client", "server", "bidi"] {
        let text = said["benign"][kind].to_string();
        assert!(text.contains("blue shoes") && !text.contains("code"), "{kind}: {said}");
        assert_eq!(said["attack"][kind]["code"], "PERMISSION_DENIED", "{kind}: {said}");
    }
    assert_eq!(proxy.end(), 0);
}
