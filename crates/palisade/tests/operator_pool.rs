//! The first article, step by step, on a fake API server: `palisade operator`, a data plane of the pool and an application as
//! processes of this machine, with real traffic. A controller of ours makes EndpointSlices as a cluster's does, and clients
//! go where those say, as kube-proxy has them do; the pool's address in the cluster stands for loopback.

mod pki;
mod pooled;
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use palisade_kube_fake::Scope;
use pooled::{Cluster, KeepAlive};
use serde_json::{Value, json};
use support::grpc::{CALLS, CallHeld, CallsServed, python};
use support::{COMMENT_ATTACK, PATIENCE, Running, Upstream, command, eventually, get};

#[test]
fn the_first_article() {
    let application = Upstream::start();
    let cluster = Cluster::start(&application);
    cluster.rules("pass");
    cluster.server.put(json!({"apiVersion": "operator.tigera.io/v1", "kind": "ApplicationLayer",
        "metadata": {"name": "tigera-secure"}, "spec": {"webApplicationFirewall": "Enabled"}}));
    cluster.server.put(json!({"apiVersion": "projectcalico.org/v3", "kind": "FelixConfiguration",
        "metadata": {"name": "default"}, "spec": {"policySyncPathPrefix": ""}}));
    eventually("endpoints", || (!cluster.endpoints().is_empty()).then_some(()));
    let _operator = cluster.operator();
    let pool = cluster.pool();

    // Nobody asked yet: clients reach the application.
    let direct = cluster.only_endpoint();
    assert_eq!(application.url, format!("http://{direct}"));
    let mut from_before = KeepAlive::open(direct);
    assert_eq!(from_before.get("/"), 200);

    // The annotation: the next connection is inspected, and the rule's line is Dikastes's.
    cluster.annotate(json!("true"));
    cluster.wait_reason("Protected");
    let inspected = cluster.only_endpoint();
    assert_ne!(inspected, direct);
    assert_eq!(get(inspected, COMMENT_ATTACK, "").status, 200);
    pool.wait_err("ID:'942100'");
    assert!(pool.err().contains("WAF Process Http Request ["), "{}", pool.err());
    assert_eq!(cluster.service()["spec"]["selector"], Value::Null);
    let original = &cluster.service()["metadata"]["annotations"]["palisade.dev/original-selector"];
    assert_eq!(*original, json!("{\"app\":\"customer\"}"));
    assert_eq!(from_before.get("/"), 200);
    let mut kept = KeepAlive::open(inspected);
    assert_eq!(kept.get("/"), 200);

    // What Calico's agent lacks is said where its switch is.
    let layer = eventually("conditions of the ApplicationLayer", || {
        let layer = cluster.server.get("operator.tigera.io/applicationlayers", "", "tigera-secure")?;
        layer["status"]["conditions"].is_array().then_some(layer)
    });
    let reasons: Vec<_> =
        layer["status"]["conditions"].as_array().unwrap().iter().map(|c| c["reason"].clone()).collect();
    assert_eq!(reasons, ["AllFields", "PolicySyncPathPrefixEmpty"]);

    // Rules that cannot be used leave those before them in force, and an event says why.
    cluster.rules("broken");
    eventually("an event about the rules", || {
        let events = cluster.server.list("events.k8s.io/events", None);
        events
            .iter()
            .any(|event| {
                event["reason"] == "RulesRefused"
                    && event["note"].as_str().is_some_and(|note| note.contains(":1"))
            })
            .then_some(())
    });
    assert_eq!(get(inspected, COMMENT_ATTACK, "").status, 200);

    // What may still be uninspected is said: the application's pod is not even known here.
    eventually("a word about connections from before", || {
        let conditions = cluster.service()["status"]["conditions"].clone();
        conditions
            .as_array()?
            .iter()
            .any(|condition| condition["type"] == "palisade.dev/AllInspected")
            .then_some(())
    });

    // Deny: the same request is refused, on the connection from before as well.
    cluster.rules("deny,status:403");
    eventually("403", || (get(inspected, COMMENT_ATTACK, "").status == 403).then_some(()));
    assert_eq!(get(inspected, "/", "").status, 200);
    assert_eq!(kept.get(COMMENT_ATTACK), 403);

    // Without the annotation traffic flows as it did.
    cluster.annotate(Value::Null);
    eventually("endpoints as before", || (cluster.endpoints() == [direct].into()).then_some(()));
    assert_eq!(get(direct, COMMENT_ATTACK, "").status, 200);
    assert_eq!(cluster.service()["spec"]["selector"], json!({"app": "customer"}));
    assert_eq!(from_before.get("/"), 200);
    cluster.wait_reason("NotProtected");
    assert!(cluster.server.get("services", "yaobank", "customer-palisade").is_none());
    assert!(cluster.service()["metadata"]["annotations"]["palisade.dev/original-selector"].is_null());
}

/// A call of gRPC that was open before a step goes on through it and all that come after, and so does its connection of HTTP/2.
#[test]
fn calls_that_are_open_live_through_every_step() {
    let Some(python) = python() else { return };
    let service = CallsServed::start(&python);
    let direct = SocketAddr::from(([127, 0, 0, 1], service.port));
    let mut cluster = Cluster::before(direct, "grpc", &["customer"]);
    cluster.drain = 60;
    cluster.rules("pass");
    cluster.server.put(json!({"apiVersion": "operator.tigera.io/v1", "kind": "ApplicationLayer",
        "metadata": {"name": "tigera-secure"}, "spec": {"webApplicationFirewall": "Enabled"}}));
    eventually("endpoints", || (!cluster.endpoints().is_empty()).then_some(()));
    let _operator = cluster.operator();
    let pool = cluster.pool();
    let mut calls = vec![CallHeld::open(&python, cluster.only_endpoint())];
    let all_answer = |calls: &mut Vec<CallHeld>, step: &str| {
        for (number, call) in calls.iter_mut().enumerate() {
            assert_eq!(
                call.says(step),
                format!("echo {step} | hello {step}"),
                "call {number}: {}",
                pool.err()
            );
        }
    };
    all_answer(&mut calls, "before");

    cluster.annotate(json!("true"));
    cluster.wait_reason("Protected");
    let inspected = cluster.only_endpoint();
    assert_ne!(inspected, direct);
    calls.push(CallHeld::open(&python, inspected));
    all_answer(&mut calls, "annotated");

    cluster.rules("deny,status:403");
    eventually("403", || (get(inspected, COMMENT_ATTACK, "").status == 403).then_some(()));
    let port = inspected.port().to_string();
    let made = Command::new(&python).args([CALLS, "call", &port, "unary"]).output().unwrap();
    let seen: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(seen["benign"]["unary"], "hello blue shoes", "{seen}");
    calls.push(CallHeld::open(&python, inspected));
    all_answer(&mut calls, "denied");

    cluster.annotate(Value::Null);
    // The pool's port drains meanwhile, and whoever is there stays.
    eventually("endpoints as before", || (cluster.endpoints() == [direct].into()).then_some(()));
    all_answer(&mut calls, "given back");
    for call in calls {
        assert_eq!(call.end(), "0");
    }
}

/// As the chart has it: the pool holds certificates and an address, and nothing else.
#[test]
fn a_pool_that_is_told_by_the_control_stream_goes_on_without_its_operator() {
    if !pki::tools() {
        return;
    }
    let application = Upstream::start();
    let cluster = Cluster::start(&application);
    let pki = pki::Pki(&cluster.folder);
    pki.authority("ca");
    pki.server("ca", "control", &["localhost"]);
    pki.server("ca", "plane", &["*.pool.test"]);
    cluster.rules("pass");
    cluster.server.put(json!({"apiVersion": "operator.tigera.io/v1", "kind": "ApplicationLayer",
        "metadata": {"name": "tigera-secure"}, "spec": {"webApplicationFirewall": "Enabled"}}));
    eventually("endpoints", || (!cluster.endpoints().is_empty()).then_some(()));
    let mut operator = cluster.streaming_operator("127.0.0.1:0");
    let control = operator.listener("control");
    let mut pool = cluster.streamed_pool(control);
    cluster.annotate(json!("true"));
    cluster.wait_reason("Protected");
    let inspected = cluster.only_endpoint();
    assert_ne!(application.url, format!("http://{inspected}"));
    assert_eq!(get(inspected, COMMENT_ATTACK, "").status, 200);
    pool.wait_err("ID:'942100'");
    cluster.rules("deny,status:403");
    eventually("403", || (get(inspected, COMMENT_ATTACK, "").status == 403).then_some(()));

    // The operator is killed: the pool goes on, and so does the next process of the pool, by what it kept.
    drop(operator);
    assert_eq!(get(inspected, COMMENT_ATTACK, "").status, 403);
    assert_eq!(pool.end(), 0);
    let pool = cluster.streamed_pool(control);
    eventually("it serves again", || (status(inspected) == Some(200)).then_some(()));
    assert_eq!(get(inspected, COMMENT_ATTACK, "").status, 403);

    // Another operator at the same address: the pool hears of changes again.
    let _operator = cluster.streaming_operator(&control.to_string());
    cluster.rules("pass");
    eventually("it was told", || (get(inspected, COMMENT_ATTACK, "").status == 200).then_some(()));
    cluster.annotate(Value::Null);
    let direct: SocketAddr = application.url.strip_prefix("http://").unwrap().parse().unwrap();
    eventually("endpoints as before", || (cluster.endpoints() == [direct].into()).then_some(()));
    eventually("the pool no longer listens", || status(inspected).is_none().then_some(()));
    drop(pool);
}

#[test]
fn restore_works_without_an_operator() {
    let application = Upstream::start();
    let cluster = Cluster::start(&application);
    cluster.annotate(json!("true"));
    let mut operator = cluster.operator();
    let _pool = cluster.pool();
    cluster.wait_reason("Protected");
    assert_eq!(operator.end(), 0);
    let answer = support::palisade(&["operator", "restore", "--kubeconfig", &cluster.kubeconfig]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.err.contains("yaobank/customer is as it was"), "{answer:?}");
    assert_eq!(application.url, format!("http://{}", cluster.only_endpoint()));
    assert_eq!(cluster.service()["spec"]["selector"], json!({"app": "customer"}));
    assert!(cluster.server.get("services", "yaobank", "customer-palisade").is_none());
    let again = support::palisade(&["operator", "restore", "--kubeconfig", &cluster.kubeconfig]);
    assert!(again.code == 0 && again.err.is_empty(), "{again:?}");
}

#[test]
fn an_operator_that_is_killed_again_and_again_leaves_nobody_without_endpoints() {
    let application = Upstream::start();
    let cluster = Cluster::start(&application);
    eventually("endpoints", || (!cluster.endpoints().is_empty()).then_some(()));
    let first = cluster.operator();
    let _pool = cluster.pool();
    drop(first);
    for round in 0..6 {
        cluster.annotate(if round % 2 == 0 { json!("true") } else { Value::Null });
        let operator = cluster.operator();
        // Long enough for some of the way, each time another part of it.
        let until = std::time::Instant::now() + Duration::from_millis(150 + 150 * round);
        while std::time::Instant::now() < until {
            assert!(!cluster.endpoints().is_empty(), "round {round}");
            std::thread::sleep(Duration::from_millis(1));
        }
        operator.signal("KILL");
    }
    cluster.annotate(json!("true"));
    let _operator = cluster.operator();
    cluster.wait_reason("Protected");
    eventually("the pool alone", || (cluster.endpoints().len() == 1).then_some(()));
    assert_ne!(application.url, format!("http://{}", cluster.only_endpoint()));
    assert_eq!(get(cluster.only_endpoint(), "/", "").status, 200);
}

/// A policy of Kubernetes lets clients reach the port of the pods; the pool, which listens at another, judges by that.
#[test]
fn policies_mean_the_port_of_the_pods() {
    let application = Upstream::start();
    let cluster = Cluster::start(&application);
    let pod: SocketAddr = application.url.strip_prefix("http://").unwrap().parse().unwrap();
    cluster.server.put(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "customer-0", "namespace": "yaobank", "labels": {"app": "customer"}},
        "spec": {"serviceAccountName": "customer", "containers": [{"name": "app", "image": "app"}]},
        "status": {"phase": "Running", "podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}]}}));
    let policy = |port: u16| {
        cluster.server.put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "customer", "namespace": "yaobank"},
            "spec": {"podSelector": {"matchLabels": {"app": "customer"}},
                "ingress": [{"ports": [{"port": port, "protocol": "TCP"}]}]}}));
    };
    policy(pod.port());
    cluster.annotate(json!("true"));
    let _operator = cluster.operator();
    let _pool = cluster.pool();
    cluster.wait_reason("Protected");
    let inspected = cluster.only_endpoint();
    eventually("the policy lets everybody in", || (status(inspected) == Some(200)).then_some(()));
    policy(if pod.port() == 1 { 2 } else { 1 });
    // A connection of which no request could be allowed is closed.
    eventually("the policy lets nobody in", || {
        status(inspected).is_none_or(|status| status == 403).then_some(())
    });
    policy(pod.port());
    eventually("the policy lets everybody in again", || (status(inspected) == Some(200)).then_some(()));
}

/// A port's name in a policy is that of a container of the pods, and a destination's selector means them and not the pool.
#[test]
fn policies_mean_the_names_of_the_pods_ports_and_the_pods_themselves() {
    let application = Upstream::start();
    let cluster = Cluster::start(&application);
    cluster.server.serve("projectcalico.org/v3", "NetworkPolicy", "networkpolicies", Scope::Namespaced);
    let pod: SocketAddr = application.url.strip_prefix("http://").unwrap().parse().unwrap();
    let other_port = if pod.port() == 1 { 2 } else { 1 };
    let pod_with = |name: &str| {
        cluster.server.put(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "customer-0", "namespace": "yaobank", "labels": {"app": "customer"}},
            "spec": {"serviceAccountName": "customer", "containers": [{"name": "app", "image": "app", "ports": [
                {"name": name, "containerPort": pod.port()}, {"name": "metrics", "containerPort": other_port}]}]},
            "status": {"phase": "Running", "podIP": pod.ip().to_string(), "podIPs": [{"ip": pod.ip().to_string()}]}}));
    };
    let policy = |port: Value| {
        cluster.server.put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "customer", "namespace": "yaobank"},
            "spec": {"podSelector": {"matchLabels": {"app": "customer"}},
                "ingress": [{"ports": [{"port": port, "protocol": "TCP"}]}]}}));
    };
    pod_with("web");
    policy(json!("web"));
    cluster.annotate(json!("true"));
    let _operator = cluster.operator();
    let _pool = cluster.pool();
    cluster.wait_reason("Protected");
    let inspected = cluster.only_endpoint();
    let becomes_open = |what: &str| {
        eventually(what, || (status(inspected) == Some(200)).then_some(()));
    };
    let becomes_closed = |what: &str| {
        eventually(what, || status(inspected).is_none_or(|status| status == 403).then_some(()));
    };
    becomes_open("the port of that name is open");
    policy(json!("metrics"));
    becomes_closed("the pods' other port alone is open");
    policy(json!("web"));
    becomes_open("the port of that name is open again");
    pod_with("renamed");
    becomes_closed("no port has that name");
    policy(json!("renamed"));
    becomes_open("the port's new name is open");

    // Calico's rules, which say the destination as well.
    cluster.server.delete("networking.k8s.io/networkpolicies", "yaobank", "customer");
    let calico = |destination: Value| {
        cluster.server.put(json!({"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy",
            "metadata": {"name": "customer", "namespace": "yaobank"},
            "spec": {"selector": "app == 'customer'", "ingress": [
                {"action": "Allow", "protocol": "TCP", "destination": destination}]}}));
    };
    calico(json!({"ports": ["metrics"]}));
    becomes_closed("the pods' other port alone is open to Calico's rule");
    calico(json!({"selector": "app == 'customer'", "ports": ["renamed"]}));
    becomes_open("the port of that name is open to Calico's rule");
    calico(json!({"selector": "app == 'other'", "ports": ["renamed"]}));
    becomes_closed("the destination is another");
    calico(json!({"nets": [format!("{}/32", pod.ip())], "ports": [pod.port()]}));
    becomes_open("the destination is the pod's address");
}

/// The status of a request on a connection of its own; none where that is closed.
fn status(address: SocketAddr) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: t\r\nAccept: */*\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// Rules about methods and paths decide in the pool, as Calico has them.
#[test]
fn policies_about_methods_and_paths_decide_in_the_pool() {
    let application = Upstream::start();
    let cluster = Cluster::start(&application);
    cluster.server.serve("projectcalico.org/v3", "NetworkPolicy", "networkpolicies", Scope::Namespaced);
    cluster.server.put(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "customer-0", "namespace": "yaobank", "labels": {"app": "customer"}},
        "spec": {"serviceAccountName": "customer", "containers": [{"name": "app", "image": "app"}]},
        "status": {"phase": "Running", "podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}]}}));
    cluster.server.put(json!({"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy",
        "metadata": {"name": "customer", "namespace": "yaobank"},
        "spec": {"selector": "app == 'customer'", "ingress": [{"action": "Allow", "protocol": "TCP",
            "http": {"methods": ["GET"], "paths": [{"prefix": "/public"}]}}]}}));
    cluster.annotate(json!("true"));
    let _operator = cluster.operator();
    let _pool = cluster.pool();
    cluster.wait_reason("Protected");
    let inspected = cluster.only_endpoint();
    eventually("what is not allowed is refused", || {
        (get(inspected, "/private", "").status == 403).then_some(())
    });
    assert_eq!(get(inspected, "/public/a", "").status, 200);
    let post = b"POST /public/a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(support::send(inspected, post).status, 403);
}

/// An alert of the cluster is one of the data planes', and one that cannot be read harms nobody.
#[test]
fn alerts_of_the_cluster_come_to_the_pool() {
    let application = Upstream::start();
    let cluster = Cluster::start(&application);
    cluster.server.serve("projectcalico.org/v3", "GlobalAlert", "globalalerts", Scope::Cluster);
    let alert = |name: &str, spec: Value| {
        cluster.server.put(json!({"apiVersion": "projectcalico.org/v3", "kind": "GlobalAlert", "metadata": {"name": name}, "spec": spec}));
    };
    alert(
        "many",
        json!({"description": "many refusals", "summary": "many refusals", "severity": 80, "dataSet": "waf",
        "period": "1m", "lookback": "5m", "metric": "count", "condition": "gt", "threshold": 100}),
    );
    alert("bad", json!({"description": "d", "severity": 1000, "dataSet": "nothing"}));
    let _operator = cluster.operator();
    let config = cluster.folder.at("bundle/palisade.yaml");
    eventually("the pool's configuration", || std::fs::metadata(&config).ok());
    eventually("the alert in the bundle", || {
        std::fs::metadata(cluster.folder.at("bundle/alerts/GlobalAlert.many.yaml")).ok()
    });
    assert!(!cluster.folder.path().join("bundle/alerts/GlobalAlert.bad.yaml").exists());
    let data = cluster.folder.at("data");
    let mut pool =
        Running::start(command(&["run", "--config", &config, "--data-dir", &data, "--admin", "127.0.0.1:0"]));
    let admin = pool.admin();
    let ask = format!("GET /api/v1/alerts HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    eventually("the alert in force", || {
        support::send(admin, ask.as_bytes()).body.contains("\"many\"").then_some(())
    });
    eventually("an event about the other", || {
        let events = cluster.server.list("events.k8s.io/events", None);
        events
            .iter()
            .any(|event| event["note"].as_str().is_some_and(|note| note.contains("GlobalAlert bad")))
            .then_some(())
    });
}

/// Calico's three kinds from the cluster, with traffic: an alert fires, an exception silences its neighbour, a template is there
/// to make an alert of, and what the cluster takes away goes.
#[test]
fn exceptions_silence_alerts_in_the_pool_and_templates_make_them() {
    let application = Upstream::start();
    let cluster = Cluster::start(&application);
    let kinds = [
        ("GlobalAlert", "globalalerts"),
        ("GlobalAlertTemplate", "globalalerttemplates"),
        ("AlertException", "alertexceptions"),
    ];
    for (kind, plural) in kinds {
        cluster.server.serve("projectcalico.org/v3", kind, plural, Scope::Cluster);
    }
    let put = |kind: &str, name: &str, spec: Value| {
        cluster.server.put(json!({"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec}));
    };
    let refusals = |description: &str| {
        json!({"description": description, "severity": 70, "dataSet": "waf", "period": "1m", "lookback": "10m",
            "query": "action = deny"})
    };
    put("GlobalAlert", "told", refusals("somebody was refused"));
    put("GlobalAlert", "hushed", refusals("somebody was refused as well"));
    put("GlobalAlertTemplate", "refusals", refusals("made of a template"));
    put("AlertException", "quarterly", json!({"description": "the scan", "selector": "origin = hushed"}));
    put("AlertException", "wrong", json!({"description": "no query", "selector": "origin =="}));
    cluster.rules("deny,status:403");
    cluster.annotate(json!("true"));
    let _operator = cluster.operator();
    let config = cluster.folder.at("bundle/palisade.yaml");
    eventually("the pool's configuration", || std::fs::metadata(&config).ok());
    let data = cluster.folder.at("data");
    let mut pool =
        Running::start(command(&["run", "--config", &config, "--data-dir", &data, "--admin", "127.0.0.1:0"]));
    let admin = pool.admin();
    let ask = |method: &str, path: &str, body: &str| -> Value {
        let length = body.len();
        let request = format!(
            "{method} /api/v1/{path} HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let answer = support::send(admin, request.as_bytes());
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    };
    let names = || -> Vec<String> {
        let all = ask("GET", "alerts", "");
        let of =
            |item: &Value| format!("{} {}", item["kind"].as_str().unwrap(), item["name"].as_str().unwrap());
        let mut all: Vec<_> = all["items"].as_array().unwrap().iter().map(of).collect();
        all.sort();
        all
    };
    let from_cluster = [
        "AlertException quarterly",
        "GlobalAlert hushed",
        "GlobalAlert told",
        "GlobalAlertTemplate refusals",
    ];
    eventually("what the cluster has", || (names() == from_cluster).then_some(()));
    eventually("an event about the exception that cannot be read", || {
        let events = cluster.server.list("events.k8s.io/events", None);
        events
            .iter()
            .any(|event| event["note"].as_str().is_some_and(|note| note.contains("AlertException wrong")))
            .then_some(())
    });

    // A template fires by itself never; an alert with its spec does.
    let template = ask("GET", "alerts/refusals?kind=GlobalAlertTemplate", "");
    let made = json!({"apiVersion": "projectcalico.org/v3", "kind": "GlobalAlert", "metadata": {"name": "made"},
        "spec": template["spec"]});
    ask("PUT", "alerts/made?by=ann", &made.to_string());
    eventually("it is asked", || ask("GET", "alerts/made", "")["status"].is_object().then_some(()));
    cluster.wait_reason("Protected");
    let inspected = cluster.only_endpoint();
    assert_eq!(get(inspected, "/", "").status, 200);
    assert_eq!(get(inspected, COMMENT_ATTACK, "").status, 403);
    let fired = |name: &str| {
        ask("GET", &format!("alerts/fired?name={name}"), "")["items"].as_array().unwrap().clone()
    };
    let begun = std::time::Instant::now();
    while ["told", "hushed", "made"].iter().any(|name| fired(name).is_empty()) {
        assert!(begun.elapsed() < Duration::from_secs(120), "not all fired: {}", pool.err());
        std::thread::sleep(Duration::from_millis(200));
    }
    for (name, description) in [("told", "somebody was refused"), ("made", "made of a template")] {
        let [event] = &fired(name)[..] else { panic!("{name}: {:?}", fired(name)) };
        assert_eq!(
            (&event["description"], &event["dismissed"]),
            (&json!(description), &Value::Null),
            "{event}"
        );
    }
    let hushed = fired("hushed");
    assert_eq!(
        (&hushed[0]["dismissed"], &hushed[0]["exception"]),
        (&json!(true), &json!("quarterly")),
        "{hushed:?}"
    );
    assert!(fired("refusals").is_empty());

    cluster.server.delete("projectcalico.org/alertexceptions", "", "quarterly");
    cluster.server.delete("projectcalico.org/globalalerts", "", "told");
    let left = ["GlobalAlert hushed", "GlobalAlert made", "GlobalAlertTemplate refusals"];
    eventually("what is left", || (names() == left).then_some(()));
}
