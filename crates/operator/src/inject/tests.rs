//! Golden files, and what must hold for every pod.

mod golden;
mod properties;

use serde_json::{Value, json};

use super::*;

/// A pod of one container with one port.
fn pod() -> Value {
    json!({
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"name": "http", "containerPort": 8080}]}]},
    })
}

fn patched(pod: &Value, settings: &Settings) -> (Value, Value) {
    match inject(pod, &Namespace::named("shop"), settings) {
        Injection::Patched { pod, patch, .. } => (pod, patch),
        other => panic!("not injected: {other:?}"),
    }
}

#[test]
fn a_sidecar_that_was_tampered_with_is_made_anew() {
    let settings = Settings::default();
    let (injected, _) = patched(&pod(), &settings);
    let sidecar = |pod: &Value| pod["spec"]["initContainers"][0].clone();
    type Change = (&'static str, fn(&mut Value));
    let changes: [Change; 6] = [
        ("another command", |container| container["command"] = json!(["sleep", "1d"])),
        ("other arguments", |container| container["args"] = json!(["run", "--mode", "off"])),
        ("a variable that wins", |container| {
            container["env"].as_array_mut().unwrap().push(json!({"name": "PALISADE_MODE", "value": "off"}));
        }),
        ("variables from elsewhere", |container| {
            container["envFrom"] = json!([{"configMapRef": {"name": "evil"}}]);
        }),
        ("rights", |container| container["securityContext"]["runAsUser"] = json!(0)),
        ("another port", |container| container["ports"][0]["containerPort"] = json!(1234)),
    ];
    for (what, change) in changes {
        let mut tampered = injected.clone();
        change(&mut tampered["spec"]["initContainers"][0]);
        let (again, _) = patched(&tampered, &settings);
        assert_eq!(sidecar(&again), sidecar(&injected), "{what}");
    }
}

#[test]
fn what_the_api_server_and_others_add_to_a_sidecar_stays() {
    let settings = Settings::default();
    let (mut injected, _) = patched(&pod(), &settings);
    let sidecar = &mut injected["spec"]["initContainers"][0];
    sidecar["terminationMessagePath"] = json!("/dev/termination-log");
    sidecar["image"] = json!("mirror.example/palisade");
    let mounts = sidecar["volumeMounts"].as_array_mut().unwrap();
    mounts.push(
        json!({"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}),
    );
    let again = inject(&injected, &Namespace::named("shop"), &settings);
    assert_eq!(again, Injection::Skipped(Skip::AlreadyInjected));
}

#[test]
fn a_new_image_replaces_the_sidecar_and_leaves_the_ports() {
    let (injected, _) = patched(&pod(), &Settings::default());
    let next = Settings { image: "palisade:2".to_owned(), ..Settings::default() };
    let (again, patch) = patched(&injected, &next);
    assert_eq!(again["spec"]["initContainers"][0]["image"], "palisade:2");
    assert_eq!(again["spec"]["containers"], injected["spec"]["containers"]);
    let paths: Vec<&str> =
        patch.as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/metadata/annotations/palisade.dev~1status", "/spec/initContainers/0/image"]);
}

#[test]
fn options_of_a_pod_win_over_its_namespaces() {
    let mut pod = pod();
    pod["metadata"]["annotations"] = json!({MODE: "block"});
    let namespace = Namespace {
        name: "shop".to_owned(),
        labels: Some([(NAMESPACE_LABEL.to_owned(), "enabled".to_owned())].into()),
        annotations: [(MODE.to_owned(), "off".to_owned()), (LISTEN_PORT.to_owned(), "7000".to_owned())]
            .into(),
    };
    let Injection::Patched { pod, status, .. } = inject(&pod, &namespace, &Settings::default()) else {
        panic!("not injected");
    };
    assert_eq!(status.listen, 7000);
    let env = pod["spec"]["initContainers"][0]["env"].as_array().unwrap();
    assert!(env.contains(&json!({"name": "PALISADE_MODE", "value": "block"})), "{env:?}");
}

#[test]
fn a_network_policy_opens_the_sidecar_and_nothing_else() {
    let mut pod = pod();
    pod["metadata"]["annotations"] = json!({EXEMPT_PORTS: "9090, 9091"});
    let settings = Settings {
        metrics_from: Some([("kubernetes.io/metadata.name".to_owned(), "monitoring".to_owned())].into()),
        ..Settings::default()
    };
    assert_eq!(network_policy("web", None, &pod, None, &settings), Err(NetworkPolicyError::NotInjected));
    let (injected, _) = patched(&pod, &settings);
    let policy = network_policy("web", Some("shop"), &injected, None, &settings).unwrap();
    let expected = json!({
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"ports": [
                {"protocol": "TCP", "port": 16080}, {"protocol": "TCP", "port": 9090}, {"protocol": "TCP", "port": 9091},
            ]},
            {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
             "ports": [{"protocol": "TCP", "port": 9902}]},
        ],
    });
    assert_eq!(policy["spec"], expected);
}

#[test]
fn a_sidecar_satisfies_pod_security_restricted() {
    for form in [SidecarForm::Native, SidecarForm::Plain] {
        let settings = Settings { form, ..Settings::default() };
        let (injected, _) = patched(&pod(), &settings);
        let context = &view::find(&injected, CONTAINER).unwrap()["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
        assert_eq!(context["runAsNonRoot"], true);
        assert_eq!(context["seccompProfile"], json!({"type": "RuntimeDefault"}));
        assert_eq!(context["readOnlyRootFilesystem"], true);
        let restricted = ["configMap", "emptyDir", "projected"];
        for volume in injected["spec"]["volumes"].as_array().unwrap() {
            assert!(restricted.iter().any(|kind| volume.get(kind).is_some()), "{volume}");
        }
    }
}
