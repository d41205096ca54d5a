//! The Gateway API from outside: `testdata/operator/gateway-api` on an API server of ours, real sockets and echoing upstreams.

mod cluster;
mod pki;
mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cluster::{gateway, secret, service};
use palisade_kube_fake::{Scope, Server};
use palisade_operator::migrate::read_objects;
use pki::Pki;
use serde_json::{Value, json};
use support::{Folder, Response, Running, Upstream, eventually, send};

const API: &str = "gateway.networking.k8s.io/v1";
const KINDS: [(&str, &str, Scope); 5] = [
    ("GatewayClass", "gatewayclasses", Scope::Cluster),
    ("Gateway", "gateways", Scope::Namespaced),
    ("HTTPRoute", "httproutes", Scope::Namespaced),
    ("ReferenceGrant", "referencegrants", Scope::Namespaced),
    ("BackendTLSPolicy", "backendtlspolicies", Scope::Namespaced),
];

/// A cluster with Services that lead to upstreams, without the kinds of the Gateway API.
struct Stage {
    folder: Folder,
    cluster: Server,
    upstreams: BTreeMap<&'static str, Upstream>,
}

impl Stage {
    fn new() -> Self {
        let (folder, cluster) = (Folder::new(), Server::start());
        let upstreams: BTreeMap<_, _> = ["v1", "v2", "v3"].map(|name| (name, Upstream::start())).into();
        for (name, upstream) in &upstreams {
            let address = upstream.url.trim_start_matches("http://").parse().unwrap();
            for namespace in ["shop", "other", "blue", "old"] {
                for mut object in service(name, address) {
                    object["metadata"]["namespace"] = json!(namespace);
                    cluster.put(object);
                }
            }
        }
        Self { folder, cluster, upstreams }
    }

    /// Serves the kinds, with a class of ours.
    fn serve_kinds(&self) {
        for (kind, plural, scope) in KINDS {
            self.cluster.serve(API, kind, plural, scope);
        }
        for (kind, plural) in
            [("WafProfile", "wafprofiles"), ("RuleSet", "rulesets"), ("Protection", "protections")]
        {
            self.cluster.serve("palisade.dev/v1alpha1", kind, plural, Scope::Namespaced);
        }
        self.put(json!({"kind": "GatewayClass", "metadata": {"name": "palisade"},
            "spec": {"controllerName": "palisade.dev/gateway"}}));
    }

    fn put(&self, mut object: Value) {
        if object["apiVersion"].is_null() {
            object["apiVersion"] = json!(API);
        }
        self.cluster.put(object);
    }

    fn start(&self) -> Running {
        gateway(&self.folder, &self.cluster, &["--listen", "8081=127.0.0.1:0", "--access-log", "off"])
    }

    fn heads(&self) -> BTreeMap<&str, usize> {
        self.upstreams.iter().map(|(name, upstream)| (*name, upstream.heads().len())).collect()
    }

    /// A row of a case. What is not so comes back in words.
    fn row(&self, at: SocketAddr, row: &Value) -> Result<(), String> {
        if let Some(shares) = row["shares"].as_object() {
            return self.shares(at, row, shares);
        }
        let before = self.heads();
        let response = ask(at, row);
        let status = row["status"].as_u64().unwrap_or(200);
        let mut wrong = Vec::new();
        if u64::from(response.status) != status {
            wrong.push(format!("{} in place of {status}", response.status));
        }
        let after = self.heads();
        let to: Vec<&str> =
            after.iter().filter(|(name, count)| before[*name] != **count).map(|(name, _)| *name).collect();
        let slow = status == 504;
        if !slow && to != row["to"].as_str().into_iter().collect::<Vec<_>>() {
            wrong.push(format!("it went to {to:?}"));
        }
        let head = row["to"].as_str().and_then(|name| self.upstreams[name].heads().pop()).unwrap_or_default();
        if let Some(target) = row["target"].as_str()
            && head.split(' ').nth(1) != Some(target)
        {
            wrong.push(format!("asked for {}", head.lines().next().unwrap_or_default()));
        }
        let texts = |key: &str| {
            row[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>()
        };
        let has = |text: &str, line: &str| {
            text.lines().any(|there| there.to_lowercase().starts_with(&line.to_lowercase()))
        };
        wrong.extend(
            texts("sees").iter().filter(|line| !has(&head, line)).map(|line| format!("no {line}: {head}")),
        );
        wrong.extend(
            texts("lacks").iter().filter(|line| has(&head, line)).map(|line| format!("{line}: {head}")),
        );
        let answer = texts("answer");
        wrong.extend(
            answer
                .iter()
                .filter(|line| !has(&response.head, line))
                .map(|line| format!("no {line}: {}", response.head)),
        );
        if row["location"].as_str() != response.header("location") {
            wrong.push(format!("sent to {:?}", response.header("location")));
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{row}: {}", wrong.join("; "))) }
    }

    fn shares(
        &self,
        at: SocketAddr,
        row: &Value,
        shares: &serde_json::Map<String, Value>,
    ) -> Result<(), String> {
        let before = self.heads();
        for _ in 0..100 {
            ask(at, row);
        }
        let after = self.heads();
        for (name, share) in shares {
            let got = after[name.as_str()] - before[name.as_str()];
            if got.abs_diff(usize::try_from(share.as_u64().unwrap()).unwrap()) > 5 {
                return Err(format!("{row}: {name} got {got}"));
            }
        }
        Ok(())
    }

    /// The statuses of all objects of the Gateway API, without times.
    fn statuses(&self) -> Value {
        let mut all = serde_json::Map::new();
        for (kind, plural, _) in KINDS {
            for object in self.cluster.list(&format!("gateway.networking.k8s.io/{plural}"), None) {
                let mut status = object["status"].clone();
                without_times(&mut status);
                let meta = &object["metadata"];
                let name = format!(
                    "{kind} {}/{}",
                    meta["namespace"].as_str().unwrap_or("-"),
                    meta["name"].as_str().unwrap()
                );
                if !status.is_null() {
                    all.insert(name, status);
                }
            }
        }
        Value::Object(all)
    }
}

fn ask(at: SocketAddr, row: &Value) -> Response {
    let (host, target) = row["ask"].as_str().unwrap().split_once('/').unwrap();
    let method = row["method"].as_str().unwrap_or("GET");
    let mut request = format!(
        "{method} /{target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nUser-Agent: test\r\nConnection: close\r\n"
    );
    for (name, value) in row["headers"].as_object().into_iter().flatten() {
        request.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap()));
    }
    send(at, format!("{request}\r\n").as_bytes())
}

fn without_times(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_times),
        Value::Object(fields) => {
            if let Some(time) = fields.remove("lastTransitionTime") {
                assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{time}");
            }
            fields.values_mut().for_each(without_times);
        }
        _ => {}
    }
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/operator/gateway-api")
}

fn case(name: &str) -> usize {
    let file = cases().join(format!("{name}.yaml"));
    let mut objects = read_objects(name, &std::fs::read(&file).unwrap()).unwrap();
    let rows = objects.pop().filter(|last| last["kind"] == "Rows").expect("rows come last");
    let stage = Stage::new();
    stage.serve_kinds();
    objects.into_iter().for_each(|object| stage.put(object));
    let mut proxy = stage.start();
    let begun = std::time::Instant::now();
    while !proxy.err().contains(" (http)\n") {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{name}: {}", proxy.err());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let rows = rows["rows"].as_array().expect("rows").clone();
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let known = [
            "ask", "method", "headers", "on", "status", "to", "target", "sees", "lacks", "location",
            "answer", "shares",
        ];
        let fields = row.as_object().expect("a row");
        assert!(fields.keys().all(|key| known.contains(&key.as_str())), "{row}");
        let at = proxy.listener(row["on"].as_str().unwrap_or("http"));
        if number == 0 {
            eventually(name, || stage.row(at, row).ok());
        }
        wrong.extend(stage.row(at, row).err());
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    let golden = cases().join(format!("{name}.status.json"));
    if std::env::var_os("PALISADE_BLESS").is_some() {
        let mut before = Value::Null;
        let settled = eventually("statuses that stay", || {
            std::thread::sleep(std::time::Duration::from_millis(500));
            let now = stage.statuses();
            let stays = now == std::mem::replace(&mut before, now.clone())
                && now.as_object().is_some_and(|all| all.len() > 1);
            stays.then_some(now)
        });
        std::fs::write(&golden, serde_json::to_string_pretty(&settled).unwrap() + "\n").unwrap();
    }
    let expected: Value = serde_json::from_slice(&std::fs::read(&golden).unwrap()).unwrap();
    let mut last = Value::Null;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while last != expected && std::time::Instant::now() < until {
        last = stage.statuses();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(last, expected, "{name}.status.json; PALISADE_BLESS=1 writes it anew");
    assert_eq!(proxy.end(), 0);
    println!("{name}: {} rows", rows.len());
    rows.len()
}

#[test]
fn rules_are_matched_in_the_apis_order() {
    assert!(case("matching") >= 20);
}

#[test]
fn requests_belong_to_the_nearest_listener() {
    assert!(case("hosts") >= 10);
}

#[test]
fn routes_come_where_listeners_let_them() {
    assert!(case("attach") >= 10);
}

#[test]
fn backends_share_and_what_is_not_there_is_answered() {
    assert!(case("backends") >= 10);
}

#[test]
fn filters_change_requests_and_answers() {
    assert!(case("filters") >= 15);
}

#[test]
fn profiles_and_protections_inspect_and_what_is_missing_lets_nobody_past() {
    assert!(case("inspecting") >= 10);
}

#[test]
fn listeners_that_cannot_be_are_told_and_others_serve() {
    assert!(case("listeners") >= 4);
}

#[test]
fn kinds_that_come_later_are_noticed_and_ingresses_are_served_without_them() {
    let stage = Stage::new();
    stage.cluster.put(cluster::class());
    stage.cluster.put(cluster::ingress("i", "ingress.example", &[cluster::path("Prefix", "/", "v1")], &[]));
    let mut proxy = stage.start();
    let http = proxy.listener("http");
    let status = |host: &str| ask(http, &json!({"ask": format!("{host}/")})).status;
    eventually("the Ingress", || (status("ingress.example") == 200).then_some(()));
    stage.serve_kinds();
    stage.put(json!({"kind": "Gateway", "metadata": {"namespace": "shop", "name": "edge"}, "spec": {
        "gatewayClassName": "palisade", "listeners": [{"name": "web", "port": 80, "protocol": "HTTP"}]}}));
    stage.put(json!({"kind": "HTTPRoute", "metadata": {"namespace": "shop", "name": "r"}, "spec": {
        "parentRefs": [{"name": "edge"}], "hostnames": ["route.example", "ingress.example"],
        "rules": [{"backendRefs": [{"name": "v2", "port": 80}]},
            {"matches": [{"path": {"value": "/more"}}], "backendRefs": [{"name": "v2", "port": 80}]}]}}));
    let begun = std::time::Instant::now();
    while status("route.example") != 200 {
        // Kinds that are absent are asked for again with growing pauses.
        assert!(begun.elapsed() < std::time::Duration::from_secs(120), "{}", proxy.err());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // Both on one host: the Ingress keeps what it has.
    stage.row(http, &json!({"ask": "ingress.example/", "to": "v1"})).unwrap();
    stage.row(http, &json!({"ask": "ingress.example/more", "to": "v2"})).unwrap();
    assert_eq!(proxy.end(), 0);
}

#[test]
fn tls_ends_at_the_gateway_asks_clients_and_begins_anew_to_services() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    stage.serve_kinds();
    let pki = Pki(&stage.folder);
    let read = |name: &str| std::fs::read(stage.folder.at(name)).unwrap();
    for authority in ["ca", "clients", "stranger"] {
        pki.authority(authority);
    }
    pki.server("ca", "site", &["site.example"]);
    pki.server("ca", "far", &["far.example"]);
    pki.issue("clients", "friend", "/CN=friend", "", 30);
    pki.issue("stranger", "foe", "/CN=foe", "", 30);
    let pair =
        |name: &str| [("tls.crt", read(&format!("{name}.crt"))), ("tls.key", read(&format!("{name}.key")))];
    let put_pair = |namespace: &str, name: &str, of: &str| {
        let values = pair(of);
        let values: Vec<(&str, &[u8])> = values.iter().map(|(key, value)| (*key, &value[..])).collect();
        let mut object = secret(name, &values);
        object["metadata"]["namespace"] = json!(namespace);
        stage.cluster.put(object);
    };
    put_pair("shop", "site", "site");
    put_pair("other", "far", "far");
    let authority = |name: &str, of: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": name},
            "data": {"ca.crt": String::from_utf8(read(of)).unwrap()}})
    };
    stage.cluster.put(authority("clients", "clients.crt"));
    let listeners = json!([
        {"name": "site", "port": 443, "protocol": "HTTPS", "hostname": "site.example",
            "tls": {"mode": "Terminate", "certificateRefs": [{"name": "site"}]}},
        {"name": "far", "port": 443, "protocol": "HTTPS", "hostname": "far.example",
            "tls": {"certificateRefs": [{"name": "far", "namespace": "other"}]}},
        {"name": "mutual", "port": 8081, "protocol": "HTTPS",
            "tls": {"certificateRefs": [{"name": "site"}]}},
    ]);
    let edge = |refs: Value| {
        json!({"kind": "Gateway", "metadata": {"namespace": "shop", "name": "edge"}, "spec": {
            "gatewayClassName": "palisade", "listeners": listeners,
            "tls": {"frontend": {"perPort": [{"port": 8081, "tls": {"validation": {"caCertificateRefs": refs}}}],
                "default": {}}}}})
    };
    stage.put(edge(json!([{"group": "", "kind": "ConfigMap", "name": "clients"}])));
    stage.put(json!({"kind": "HTTPRoute", "metadata": {"namespace": "shop", "name": "r"}, "spec": {
        "parentRefs": [{"name": "edge"}], "rules": [
            {"backendRefs": [{"name": "v1", "port": 80}]},
            {"matches": [{"path": {"value": "/tls"}}], "backendRefs": [{"name": "v2", "port": 80}]}]}}));
    // Whom nobody can verify is not spoken to.
    stage.put(json!({"kind": "BackendTLSPolicy", "metadata": {"namespace": "shop", "name": "v2"}, "spec": {
        "targetRefs": [{"group": "", "kind": "Service", "name": "v2"}],
        "validation": {"hostname": "v2.example", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "nobody"}]}}}));
    let mut proxy = stage.start();
    let (https, mutual) = (proxy.listener("https"), proxy.listener("port-8081"));
    let url = |at: SocketAddr, host: &str, path: &str| format!("https://{host}:{}{path}", at.port());
    let site = |more: &[&str]| pki.ask(https, "ca.crt", &url(https, "site.example", "/"), more).0;
    eventually("the site", || (site(&[]) == 200).then_some(()));
    let condition = |listener: &str, kind: &str| {
        let object = stage.cluster.get("gateway.networking.k8s.io/gateways", "shop", "edge")?;
        let listeners = object["status"]["listeners"].as_array()?.clone();
        let listener = listeners.iter().find(|there| there["name"] == listener)?.clone();
        let conditions = listener["conditions"].as_array()?.clone();
        let found = conditions.iter().find(|condition| condition["type"] == kind)?;
        Some(format!("{} {}", found["status"].as_str()?, found["reason"].as_str()?))
    };
    let told = |listener: &str, kind: &str, expected: &str| {
        eventually(expected, || (condition(listener, kind)? == expected).then_some(()));
    };
    // Another namespace's certificate needs its word.
    told("far", "ResolvedRefs", "False RefNotPermitted");
    told("far", "Programmed", "False Invalid");
    stage.put(json!({"kind": "ReferenceGrant", "metadata": {"namespace": "other", "name": "far"}, "spec": {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "shop"}],
        "to": [{"group": "", "kind": "Secret", "name": "far"}]}}));
    told("far", "ResolvedRefs", "True ResolvedRefs");
    eventually("the far site", || {
        (pki.ask(https, "ca.crt", &url(https, "far.example", "/"), &[]).0 == 200).then_some(())
    });
    // Clients are asked on one port alone.
    let ask = |more: &[&str]| pki.ask(mutual, "ca.crt", &url(mutual, "site.example", "/"), more).0;
    let friend = &["--cert", "friend.crt", "--key", "friend.key"][..];
    let foe = &["--cert", "foe.crt", "--key", "foe.key"][..];
    assert_eq!((ask(friend), ask(foe), ask(&[]), site(&[])), (200, 400, 400, 200));
    assert_eq!(pki.ask(https, "ca.crt", &url(https, "site.example", "/tls"), &[]).0, 502);
    let policy = eventually("the policy's status", || {
        let object = stage.cluster.get("gateway.networking.k8s.io/backendtlspolicies", "shop", "v2")?;
        let ancestor = object["status"]["ancestors"][0].clone();
        (ancestor["conditions"][0]["reason"] == "NoValidCACertificate").then_some(ancestor)
    });
    assert_eq!(policy["ancestorRef"]["name"], "edge");
    assert_eq!(policy["conditions"][1]["reason"], "InvalidCACertificateRef");
    // Without an authority nobody is let in, and it is said.
    stage.put(edge(json!([{"group": "", "kind": "ConfigMap", "name": "nobody"}])));
    told("mutual", "ResolvedRefs", "False InvalidCACertificateRef");
    told("mutual", "Accepted", "False NoValidCACertificate");
    eventually("the closed port", || std::net::TcpStream::connect(mutual).is_err().then_some(()));
    assert_eq!(site(&[]), 200);
    assert_eq!(proxy.end(), 0);
}

#[test]
fn a_port_that_falls_back_says_so_and_a_younger_gateway_does_not_undo_what_it_asks() {
    if !pki::tools() {
        return;
    }
    let stage = Stage::new();
    stage.serve_kinds();
    let pki = Pki(&stage.folder);
    let read = |name: &str| std::fs::read(stage.folder.at(name)).unwrap();
    ["ca", "clients", "stranger"].iter().for_each(|authority| pki.authority(authority));
    pki.server("ca", "site", &["site.example", "other.example"]);
    pki.issue("clients", "friend", "/CN=friend", "", 30);
    pki.issue("clients", "old", "/CN=old", "", -1);
    pki.issue("stranger", "foe", "/CN=foe", "", 30);
    let (certificate, key) = (read("site.crt"), read("site.key"));
    stage.cluster.put(secret("site", &[("tls.crt", &certificate), ("tls.key", &key)]));
    stage.cluster.put(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "clients"},
        "data": {"ca.crt": String::from_utf8(read("clients.crt")).unwrap()}}),
    );
    let gateway = |name: &str, mode: Option<&str>| {
        let refs = json!([{"group": "", "kind": "ConfigMap", "name": "clients"}]);
        let validation = mode.map(|mode| json!({"caCertificateRefs": refs, "mode": mode}));
        json!({"kind": "Gateway", "metadata": {"namespace": "shop", "name": name}, "spec": {
            "gatewayClassName": "palisade",
            "listeners": [{"name": "own", "port": 8081, "protocol": "HTTPS", "hostname": format!("{name}.example"),
                "tls": {"certificateRefs": [{"name": "site"}]}}],
            "tls": {"frontend": {"default": {"validation": validation}}}}})
    };
    // The first by name counts as the older of two of one second.
    stage.put(gateway("other", Some("AllowInsecureFallback")));
    stage.put(gateway("site", None));
    stage.put(json!({"kind": "HTTPRoute", "metadata": {"namespace": "shop", "name": "r"}, "spec": {
        "parentRefs": [{"name": "other"}, {"name": "site"}], "rules": [{"backendRefs": [{"name": "v1", "port": 80}]}]}}));
    let mut proxy = stage.start();
    let at = proxy.listener("port-8081");
    let ask = |host: &str, client: &str| {
        let (cert, key) = (format!("{client}.crt"), format!("{client}.key"));
        let more = ["--cert", &cert, "--key", &key];
        let more = if client.is_empty() { &[][..] } else { &more[..] };
        pki.ask(at, "ca.crt", &format!("https://{host}:{}/", at.port()), more).0
    };
    let all = |host: &str| ["", "friend", "foe", "old"].map(|client| ask(host, client));
    eventually("the table", || (ask("other.example", "") == 200).then_some(()));
    // Differs: a certificate that has run out is an error, not one that nobody knows.
    assert_eq!(all("other.example"), [200, 200, 200, 400]);
    let told = |gateway: &str, at: &str, kind: &str| {
        let object = stage.cluster.get("gateway.networking.k8s.io/gateways", "shop", gateway)?;
        let all = object["status"].pointer(at)?["conditions"].as_array()?.clone();
        let found = all.iter().find(|condition| condition["type"] == kind)?.clone();
        Some(format!("{} {}", found["status"].as_str()?, found["reason"].as_str()?))
    };
    let says = |gateway: &str, at: &str, kind: &str, expected: &str| {
        eventually(expected, || (told(gateway, at, kind)? == expected).then_some(()));
    };
    says("other", "", "InsecureFrontendValidationMode", "True ConfigurationChanged");
    // What one port asks of clients is one thing: the younger Gateway is told, and serves nobody there.
    says("site", "/listeners/0", "Accepted", "False PortUnavailable");
    says("site", "/listeners/0", "Programmed", "False Invalid");
    assert_eq!(ask("site.example", "friend"), 404);
    // Asked strictly, and no longer insecure.
    stage.put(gateway("other", Some("AllowValidOnly")));
    eventually("the stricter port", || (ask("other.example", "") == 400).then_some(()));
    assert_eq!(all("other.example"), [400, 200, 400, 400]);
    eventually("no longer insecure", || {
        told("other", "", "InsecureFrontendValidationMode").is_none().then_some(())
    });
    assert_eq!(told("other", "", "Accepted").as_deref(), Some("True Accepted"));
    // The port is free for the other one.
    assert!(stage.cluster.delete("gateway.networking.k8s.io/gateways", "shop", "other"));
    eventually("the younger Gateway", || (ask("site.example", "") == 200).then_some(()));
    says("site", "/listeners/0", "Accepted", "True Accepted");
    assert_eq!(ask("other.example", "friend"), 404);
    assert_eq!(proxy.end(), 0);
}
