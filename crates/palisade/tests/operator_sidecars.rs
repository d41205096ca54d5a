//! Sidecars by objects of a cluster: `palisade operator --sidecars` and `palisade webhook`, the built binary, against the fake
//! API server by TLS, and a real one where `KUBEBUILDER_ASSETS` names it. Nothing keeps Deployments there: the test makes their
//! pods from their templates, by requests that the API server asks the webhook about.

mod support;

use std::time::SystemTime;

use base64::Engine as _;
use palisade_kube_fake::{Cluster, everywhere};
use palisade_operator::certs::Kept;
use palisade_operator::manifest;
use serde_json::{Value, json};
use support::{Folder, Running, Upstream, command, eventually, palisade};

/// The CRDs, and a namespace each for the operator and the shop.
fn prepare(cluster: &Cluster) {
    for namespace in ["palisade-system", "shop"] {
        cluster.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    }
    for crd in manifest::read(palisade(&["crdgen"]).out.as_bytes()).unwrap() {
        cluster.put(crd);
    }
}

fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "shop", "name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 8080}]}]}}}})
}

fn ours(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "palisade.dev/v1alpha1", "kind": kind, "metadata": {"namespace": "shop", "name": name}, "spec": spec})
}

fn operator(cluster: &Cluster, folder: &Folder) -> Running {
    let kubeconfig = folder.write("kubeconfig", cluster.kubeconfig());
    let flags = [
        "operator",
        "--sidecars",
        "--kubeconfig",
        &kubeconfig,
        "--probes",
        "127.0.0.1:0",
        "--lease-seconds",
        "2",
    ];
    Running::start(command(&flags))
}

/// The webhook, and the API server told of it.
fn webhook(cluster: &Cluster, folder: &Folder) -> Running {
    let kept = Kept::next(None, &["127.0.0.1".to_owned()], SystemTime::now()).unwrap();
    let [cert, key] = [("tls.crt", kept.certificate()), ("tls.key", kept.key())]
        .map(|(name, text)| folder.write(name, text));
    let flags =
        ["webhook", "--listen", "127.0.0.1:0", "--probes", "127.0.0.1:0", "--cert", &cert, "--key", &key];
    let mut running =
        Running::start(command(&[&flags[..], &["--image", "registry.example/palisade:1"]].concat()));
    let url = format!("https://{}/inject", running.listener("webhook"));
    let bundle = base64::engine::general_purpose::STANDARD.encode(kept.bundle());
    cluster.put(json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "palisade-inject"}, "webhooks": [{
            "name": "pod.inject.palisade.dev", "clientConfig": {"url": url, "caBundle": bundle},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"], "scope": "Namespaced"}],
            "objectSelector": {"matchLabels": {"palisade.dev/inject": "true"}},
            "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 10}]}));
    // API servers ask it from a moment later on.
    eventually("a pod that the webhook was asked about", || {
        let pod = cluster.create(&json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "shop", "name": "probe", "labels": {"palisade.dev/inject": "true"}},
            "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 8080}]}]}}));
        let pod = pod.unwrap_or_else(|(code, why)| panic!("{code} {why}"));
        cluster.delete("pods", "shop", "probe");
        has_sidecar(&pod).then_some(())
    });
    running
}

/// A pod of a Deployment, as its ReplicaSet would make it.
fn make_pod(cluster: &Cluster, deployment: &str, name: &str) -> Value {
    let there = cluster.get("apps/deployments", "shop", deployment).unwrap();
    let mut pod = there["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["namespace"] = json!("shop");
    pod["metadata"]["labels"]["pod-template-hash"] = json!("7d9f");
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": "1",
        "name": format!("{deployment}-7d9f"), "controller": true}]);
    cluster.create(&pod).unwrap_or_else(|(code, why)| panic!("{code} {why}"))
}

fn template(cluster: &Cluster) -> Value {
    cluster.get("apps/deployments", "shop", "web").unwrap()["spec"]["template"]["metadata"].clone()
}

fn condition(cluster: &Cluster) -> Value {
    let protection = cluster.get("palisade.dev/protections", "shop", "web").unwrap();
    let all = protection["status"]["conditions"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|condition| condition["type"] == "Injected").unwrap_or_default()
}

fn has_sidecar(pod: &Value) -> bool {
    pod["spec"]["initContainers"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["name"] == "palisade"))
}

#[test]
fn a_protection_by_sidecar_rolls_a_workload_closes_its_port_and_takes_everything_back() {
    everywhere(|cluster| {
        let folder = Folder::new();
        prepare(cluster);
        cluster.put(ours(
            "RuleSet",
            "rules",
            json!({"text": "SecRule ARGS \"@contains evil\" \"id:7,phase:2,deny\"\n"}),
        ));
        cluster.put(ours("WafProfile", "strict", json!({"mode": "block", "rules": {"ruleSets": ["rules"]}})));
        cluster.put(deployment("web"));
        let _webhook = webhook(cluster, &folder);
        // One from before, which is not rolled by itself: nothing keeps Deployments here.
        assert!(!has_sidecar(&make_pod(cluster, "web", "web-old")));
        let operator = operator(cluster, &folder);

        cluster.put(ours(
            "Protection",
            "web",
            json!({"strategy": "sidecar", "profile": "strict",
            "targetRefs": [{"kind": "Deployment", "name": "web"}]}),
        ));
        eventually("the template follows", || {
            (template(cluster)["labels"]["palisade.dev/inject"] == "true").then_some(())
        });
        assert_eq!(template(cluster)["annotations"]["palisade.dev/profile"], "strict");
        eventually("it says so", || {
            (condition(cluster)["message"] == "0 of 1 pods have their sidecar").then_some(())
        });

        // The profile is where the sidecar looks for it, and is one that a data plane takes.
        let map =
            eventually("the ConfigMap", || cluster.get("configmaps", "shop", "palisade-profile-strict"));
        for (name, text) in map["data"].as_object().unwrap() {
            folder.write(&format!("profile/{name}"), text.as_str().unwrap());
        }
        let application = Upstream::start();
        let mut sidecar = command(&["run"]);
        // As the injector tells it.
        sidecar.envs([
            ("PALISADE_CONFIG", folder.at("profile/palisade.yaml")),
            ("PALISADE_UPSTREAM", application.url.clone()),
            ("PALISADE_LISTEN", "127.0.0.1:0".to_owned()),
            ("PALISADE_ADMIN", "off".to_owned()),
            ("PALISADE_DATA_DIR", folder.at("data")),
        ]);
        let mut sidecar = Running::start(sidecar);
        let address = sidecar.address();
        assert_eq!(support::get(address, "/?q=evil", "").status, 403);
        assert_eq!(support::get(address, "/?q=good", "").status, 200);

        // A port is closed when every pod has its sidecar, and not before.
        cluster.patch(
            "apps/deployments",
            "shop",
            "web",
            &json!({"metadata": {"annotations": {"palisade.dev/close-port": "true"}}}),
        );
        let pod = make_pod(cluster, "web", "web-new");
        assert!(has_sidecar(&pod), "{pod}");
        assert_eq!(
            pod["spec"]["volumes"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|volume| volume["name"] == "palisade-config")
                .count(),
            1
        );
        eventually("half", || {
            (condition(cluster)["message"] == "1 of 2 pods have their sidecar").then_some(())
        });
        let policy = || cluster.get("networking.k8s.io/networkpolicies", "shop", "palisade-deployment-web");
        assert!(policy().is_none());
        cluster.delete("pods", "shop", "web-old");
        let closed = eventually("the NetworkPolicy", policy);
        assert_eq!(closed["spec"]["ingress"][0]["ports"][0]["port"], 16080);
        eventually("all", || (condition(cluster)["reason"] == "AllPods").then_some(()));

        // A label of somebody else's wins, and is told.
        cluster.put(deployment("other"));
        cluster.patch(
            "apps/deployments",
            "shop",
            "other",
            &json!({"spec": {"template": {"metadata": {"annotations": {"palisade.dev/profile": "mine"}}}}}),
        );
        cluster.put(ours(
            "Protection",
            "other",
            json!({"strategy": "sidecar", "profile": "strict",
            "targetRefs": [{"kind": "Deployment", "name": "other"}]}),
        ));
        eventually("an event", || {
            let events = cluster.list("events.k8s.io/events", Some("shop"));
            events
                .iter()
                .any(|event| event["reason"] == "SidecarConflict" && event["regarding"]["name"] == "other")
                .then_some(())
        });

        // Nobody asks any more: the template is as it was, so that pods come without, and the port is open.
        cluster.patch(
            "apps/deployments",
            "shop",
            "web",
            &json!({"metadata": {"annotations": {"palisade.dev/close-port": null}}}),
        );
        eventually("the port is open", || policy().is_none().then_some(()));
        cluster.delete("palisade.dev/protections", "shop", "web");
        eventually("the template is as it was", || {
            (template(cluster)["labels"] == json!({"app": "web"})).then_some(())
        });
        assert!(template(cluster)["annotations"].as_object().is_none_or(|all| all.is_empty()));
        assert!(!has_sidecar(&make_pod(cluster, "web", "web-last")));
        drop(operator);
    });
}

#[test]
fn pods_without_the_sidecar_that_they_should_have_are_counted_and_named() {
    everywhere(|cluster| {
        let folder = Folder::new();
        prepare(cluster);
        cluster.patch(
            "namespaces",
            "",
            "shop",
            &json!({"metadata": {"labels": {"palisade.dev/injection": "enabled"}}}),
        );
        cluster.put(deployment("web"));
        // No webhook is registered: nobody answers for it.
        make_pod(cluster, "web", "web-0");
        let mut operator = operator(cluster, &folder);
        let probes = operator.listener("probes");
        let metric = || {
            let metrics = support::get(probes, "/metrics", "").body;
            let line =
                metrics.lines().find(|line| line.starts_with("palisade_operator_pods_without_sidecar "));
            line.and_then(|line| line.rsplit(' ').next()?.parse::<u32>().ok())
        };
        eventually("one is missing", || (metric() == Some(1)).then_some(()));
        eventually("an event at the pod", || {
            let events = cluster.list("events.k8s.io/events", Some("shop"));
            events
                .iter()
                .any(|event| event["reason"] == "SidecarMissing" && event["regarding"]["name"] == "web-0")
                .then_some(())
        });
        cluster.delete("pods", "shop", "web-0");
        eventually("none is missing", || (metric() == Some(0)).then_some(()));
    });
}

#[test]
fn restore_takes_sidecars_back_without_an_operator() {
    everywhere(|cluster| {
        let folder = Folder::new();
        prepare(cluster);
        cluster.put(deployment("web"));
        cluster.put(ours(
            "Protection",
            "web",
            json!({"strategy": "sidecar", "targetRefs": [{"kind": "Namespace", "name": "shop"}]}),
        ));
        let mut operator = operator(cluster, &folder);
        eventually("the template follows", || {
            (template(cluster)["labels"]["palisade.dev/inject"] == "true").then_some(())
        });
        assert_eq!(operator.end(), 0);
        let answer = palisade(&["operator", "restore", "--kubeconfig", &folder.at("kubeconfig")]);
        assert_eq!(answer.code, 0, "{answer:?}");
        assert!(answer.err.contains("Deployment shop/web has no more of ours"), "{answer:?}");
        assert_eq!(template(cluster)["labels"], json!({"app": "web"}));
    });
}

/// A Deployment's pod comes back from the API server as the golden file has it.
#[test]
fn an_api_server_that_asks_the_webhook_makes_the_pod_of_the_golden_file() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/operator/inject/named-port.yaml");
    let case = manifest::read(&std::fs::read(file).unwrap()).unwrap().remove(0);
    everywhere(|cluster| {
        let folder = Folder::new();
        prepare(cluster);
        let _webhook = webhook(cluster, &folder);
        let mut workload = deployment("web");
        workload["spec"]["template"] = case["pod"].clone();
        for (label, value) in [("app", "web"), ("palisade.dev/inject", "true")] {
            workload["spec"]["template"]["metadata"]["labels"][label] = json!(value);
        }
        for field in ["name", "generateName", "namespace"] {
            workload["spec"]["template"]["metadata"].as_object_mut().unwrap().remove(field);
        }
        cluster.put(workload);
        let pod = make_pod(cluster, "web", "web-7d9f-abcde");
        assert_holds(&pod["spec"], &case["injected"]["spec"], "spec");
        let status = |pod: &Value| -> Value {
            let text = pod["metadata"]["annotations"]["palisade.dev/status"].as_str().unwrap();
            let mut status: Value = serde_json::from_str(text).unwrap();
            status["template"] = json!("HASH");
            status
        };
        assert_eq!(status(&pod), status(&case["injected"]));
    });
}

/// Everything of the golden file is there; API servers add defaults of their own.
fn assert_holds(has: &Value, wanted: &Value, path: &str) {
    match (has, wanted) {
        (Value::Object(has), Value::Object(wanted)) => {
            for (key, wanted) in wanted {
                assert_holds(has.get(key).unwrap_or(&Value::Null), wanted, &format!("{path}.{key}"));
            }
        }
        (Value::Array(has), Value::Array(wanted)) => {
            assert_eq!(has.len(), wanted.len(), "{path}");
            has.iter().zip(wanted).for_each(|(has, wanted)| assert_holds(has, wanted, path));
        }
        (has, wanted) => assert_eq!(has, wanted, "{path}"),
    }
}
