//! `palisade migrate ingress-nginx`, the built binary: from an API server it comes to what it comes to from files, as Ingresses
//! and as objects of the Gateway API.

mod support;

use palisade_kube_fake::Server;
use serde_json::{Value, json};
use support::{Folder, palisade};

const NGINX: &str = "nginx.ingress.kubernetes.io/";

/// What is in the cluster, and in files.
fn objects() -> Vec<Value> {
    let ingress = |name: &str, class: &str, host: &str, annotations: &[(&str, &str)], port: Value| {
        let annotations: serde_json::Map<String, Value> =
            annotations.iter().map(|(name, value)| (format!("{NGINX}{name}"), json!(value))).collect();
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"namespace": "shop", "name": name, "annotations": annotations},
            "spec": {"ingressClassName": class, "rules": [{"host": host, "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": port}}}]}}]}})
    };
    vec![
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "edge"},
            "spec": {"controller": "k8s.io/ingress-nginx"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "ingress-nginx", "name": "controller"},
            "data": {"proxy-read-timeout": "30", "worker-processes": "4"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": "web"},
            "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "web-http", "port": 8081, "targetPort": 8080}]}}),
        ingress(
            "store",
            "edge",
            "shop.example.com",
            &[("ssl-redirect", "false")],
            json!({"name": "web-http"}),
        ),
        ingress("old", "edge", "old.example.com", &[("rewrite-target", "/")], json!({"number": 8081})),
        ingress("another", "haproxy", "other.example.com", &[], json!({"number": 8081})),
    ]
}

fn come_to(from: &[&str], kinds: &str) -> (i32, Value) {
    let all = [&["migrate", "ingress-nginx", "--format", "json", "--to", kinds], from].concat();
    let answer = palisade(&all);
    (answer.code, serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}")))
}

#[test]
fn a_live_cluster_comes_to_what_its_manifests_come_to() {
    let (server, folder) = (Server::start(), Folder::new());
    for namespace in ["shop", "ingress-nginx"] {
        server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    }
    let mut text = String::new();
    for object in objects() {
        text.push_str(&format!("---\n{object}\n"));
        server.put(object);
    }
    // A ConfigMap that says nothing to an ingress controller.
    server.put(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "settings"},
        "data": {"colour": "green"}}),
    );
    let kubeconfig = folder.write("kubeconfig", server.kubeconfig());
    let file = folder.write("manifests.yaml", text);
    let sorted = |mut outcome: Value| {
        let key = |object: &Value| {
            format!("{} {} {}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"])
        };
        outcome["objects"].as_array_mut().unwrap().sort_by_key(key);
        outcome["findings"].as_array_mut().unwrap().sort_by_key(Value::to_string);
        outcome
    };
    for kinds in ["ingress", "gateway-api"] {
        let (code, live) = come_to(&["--kubeconfig", &kubeconfig], kinds);
        let (same, written) = come_to(&["-f", &file], kinds);
        assert_eq!((code, same), (1, 1), "{kinds}: something is refused");
        assert_eq!(sorted(live), sorted(written), "{kinds}");
    }

    let (_, routed) = come_to(&["--kubeconfig", &kubeconfig], "gateway-api");
    let all = routed["objects"].as_array().unwrap();
    let of = |kind: &str| all.iter().filter(|object| object["kind"] == kind).collect::<Vec<_>>();
    let [route] = &of("HTTPRoute")[..] else { panic!("{all:?}") };
    assert_eq!(route["spec"]["hostnames"], json!(["shop.example.com"]));
    // The port that has a name, by the Service of the cluster; the time by its ConfigMap.
    assert_eq!(route["spec"]["rules"][0]["backendRefs"], json!([{"name": "web", "port": 8081}]));
    assert_eq!(route["spec"]["rules"][0]["timeouts"], json!({"backendRequest": "30s"}));
    // What has no word there stays what it is, and closed.
    let [stays] = &of("Ingress")[..] else { panic!("{all:?}") };
    assert_eq!(stays["metadata"]["name"], "old");
    assert_eq!(stays["metadata"]["annotations"][format!("{NGINX}rewrite-target")], "/");
    let said = routed["findings"].as_array().unwrap();
    let verdict = |name: &str| {
        said.iter().find(|finding| {
            finding["object"] == "Ingress shop/old"
                && finding["name"] == name
                && finding["verdict"] == "stays"
        })
    };
    assert!(verdict("rewrite-target").is_some(), "{said:?}");
    assert!(!routed.to_string().contains("other.example.com") && !routed.to_string().contains("colour"));
}

#[test]
fn a_cluster_that_is_not_there_is_an_error_and_no_empty_outcome() {
    let folder = Folder::new();
    let url = Server::start().url();
    let kubeconfig = folder.write(
        "kubeconfig",
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"{url}\"}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\ncurrent-context: c\nusers: [{{name: u, user: {{}}}}]\n"
        ),
    );
    let answer = palisade(&["migrate", "ingress-nginx", "--kubeconfig", &kubeconfig]);
    assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{answer:?}");
    assert!(answer.err.contains("the cluster"), "{answer:?}");
}
