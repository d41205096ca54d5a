//! What holds for any pod.

use proptest::prelude::*;
use proptest::strategy::Strategy;

use super::super::plan::Strategy as Way;
use super::*;

/// Ports and names from few, so that they meet.
fn port() -> impl Strategy<Value = Value> {
    let number = prop_oneof![Just(8080u32), Just(80), Just(9902), Just(16080), Just(18080), 0u32..70_000];
    let name =
        prop_oneof![Just("http"), Just("app-http"), Just("metrics"), Just("a-long-port-name"), Just("")];
    (number, prop::option::of(name), prop::option::of(prop_oneof![Just("TCP"), Just("UDP")])).prop_map(
        |(number, name, protocol)| {
            let mut port = json!({"containerPort": number});
            name.iter().for_each(|name| port["name"] = json!(name));
            protocol.iter().for_each(|protocol| port["protocol"] = json!(protocol));
            port
        },
    )
}

fn probe() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"httpGet": {"path": "/", "port": "http"}})),
        Just(json!({"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 3, "future": {"x": 1}})),
        Just(json!({"tcpSocket": {"port": "metrics"}})),
        Just(json!({"grpc": {"port": 80}})),
        Just(json!({"exec": {"command": ["true"]}})),
        Just(json!("no probe")),
    ]
}

fn container() -> impl Strategy<Value = Value> {
    let name = prop_oneof![Just("web"), Just("db"), Just("palisade"), Just("x")];
    let ports = prop::option::of(prop::collection::vec(port(), 0..4));
    let env = prop::option::of(prop_oneof![
        Just(json!([{"name": "PORT", "value": "8080"}])),
        Just(json!([{"name": "PORT", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])),
        Just(json!([{"name": "PROXYLOCATION", "value": "http://127.0.0.1:8080/"}])),
        Just(json!({"not": "a list"})),
    ]);
    let image = prop_oneof![Just("app:1"), Just("owasp/modsecurity-crs:v3.2-modsec2-apache")];
    (name, ports, env, image, prop::option::of(probe()), any::<bool>()).prop_map(
        |(name, ports, env, image, probe, unknown)| {
            let mut container = json!({"name": name, "image": image});
            ports.into_iter().for_each(|ports| container["ports"] = json!(ports));
            env.into_iter().for_each(|env| container["env"] = env);
            probe.into_iter().for_each(|probe| container["readinessProbe"] = probe);
            if unknown {
                container["fieldOfTomorrow"] = json!({"a/b": [1, {"c~d": null}]});
            }
            container
        },
    )
}

fn annotations() -> impl Strategy<Value = Value> {
    let one = prop_oneof![
        Just((STRATEGY, "named-port")),
        Just((STRATEGY, "port-swap")),
        Just((STRATEGY, "service")),
        Just((STRATEGY, "redirect")),
        Just((APP_PORT, "8080")),
        Just((APP_PORT, "http")),
        Just((APP_PORT, "5000")),
        Just((LISTEN_PORT, "9000")),
        Just((MODE, "block")),
        Just((MODE, "blok")),
        Just((PROFILE, "strict")),
        Just((CONFIG, "web-config")),
        Just((RESOURCES, "cpu=1/2")),
        Just(("palisade.dev/mdoe", "block")),
        Just(("other.example/x", "y")),
        Just((STATUS, "no JSON")),
        Just((
            STATUS,
            r#"{"version":"9","template":"x","strategy":"named-port","container":"palisade","listen":9000,"app":8080,"port":"http"}"#
        )),
        Just((
            STATUS,
            r#"{"version":"9","template":"x","strategy":"port-swap","container":"palisade","listen":80,"app":0}"#
        )),
    ];
    prop::collection::vec(one, 0..4)
        .prop_map(|all| all.into_iter().map(|(name, text)| (name.to_owned(), json!(text))).collect())
}

fn any_pod() -> impl Strategy<Value = Value> {
    let volumes = prop::option::of(prop_oneof![
        Just(json!([{"name": "data", "emptyDir": {}}])),
        Just(json!([{"name": "palisade-data", "hostPath": {"path": "/"}}])),
    ]);
    let spec = (
        prop::collection::vec(container(), 0..4),
        prop::option::of(prop::collection::vec(container(), 0..3)),
        volumes,
        prop::option::of(prop_oneof![Just(json!(true)), Just(json!(false)), Just(json!("x"))]),
        prop::option::of(prop_oneof![Just("Always"), Just("Never")]),
        prop::option::of(0u32..100),
    );
    let label = prop::option::of(prop_oneof![Just("true"), Just("false"), Just("maybe")]);
    (spec, prop::option::of(annotations()), label).prop_map(
        |((containers, init, volumes, host, restart, grace), annotations, label)| {
            let mut pod = json!({"kind": "Pod", "metadata": {"generateName": "x-"}, "spec": {"containers": containers}});
            init.into_iter().for_each(|init| pod["spec"]["initContainers"] = json!(init));
            volumes.into_iter().for_each(|volumes| pod["spec"]["volumes"] = volumes);
            host.into_iter().for_each(|host| pod["spec"]["hostNetwork"] = host);
            restart.into_iter().for_each(|restart| pod["spec"]["restartPolicy"] = json!(restart));
            grace.into_iter().for_each(|grace| pod["spec"]["terminationGracePeriodSeconds"] = json!(grace));
            annotations.into_iter().for_each(|annotations| pod["metadata"]["annotations"] = annotations);
            label.into_iter().for_each(|label| pod["metadata"]["labels"] = json!({POD_LABEL: label}));
            pod
        },
    )
}

fn any_settings() -> impl Strategy<Value = Settings> {
    (any::<bool>(), any::<bool>(), 0u32..40).prop_map(|(native, token, drain_seconds)| Settings {
        form: if native { SidecarForm::Native } else { SidecarForm::Plain },
        token_audience: token.then(|| "palisade".to_owned()),
        drain_seconds,
        ..Settings::default()
    })
}

/// The pod without what the documentation says may change.
fn without_documented(pod: &Value, status: &Status) -> Value {
    let mut pod = pod.clone();
    sidecar::remove(&mut pod);
    if let Some(metadata) = pod["metadata"].as_object_mut() {
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(STATUS);
            annotations.remove(names::DEFAULT_CONTAINER);
        }
        if metadata
            .get("annotations")
            .is_some_and(|map| map.as_object().is_none_or(serde_json::Map::is_empty))
        {
            metadata.remove("annotations");
        }
    }
    let spec = pod["spec"].as_object_mut().unwrap();
    for list in ["volumes", "initContainers"] {
        if spec.get(list).is_some_and(|list| list.as_array().is_none_or(Vec::is_empty)) {
            spec.remove(list);
        }
    }
    for container in pod["spec"]["containers"].as_array_mut().unwrap() {
        if container["name"] != json!(status.app_container) || status.strategy == Way::Service {
            continue;
        }
        let container = container.as_object_mut().unwrap();
        container.remove("readinessProbe");
        if status.strategy == Way::PortSwap {
            container.remove("env");
        }
        for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            let is_apps =
                port["containerPort"] == json!(status.app) || port["containerPort"] == json!(status.listen);
            if is_apps {
                *port = json!("the application's");
            }
        }
    }
    pod
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn injecting_again_changes_nothing(pod in any_pod(), settings in any_settings()) {
        let namespace = Namespace::named("shop");
        if let Injection::Patched { pod: injected, patch, .. } = inject(&pod, &namespace, &settings) {
            prop_assert_eq!(apply(&pod, &patch), Ok(injected.clone()));
            prop_assert_eq!(inject(&injected, &namespace, &settings), Injection::Skipped(Skip::AlreadyInjected));
        }
    }

    #[test]
    fn only_what_is_documented_changes(pod in any_pod(), settings in any_settings()) {
        if let Injection::Patched { pod: injected, status, .. } = inject(&pod, &Namespace::named("shop"), &settings) {
            prop_assert_eq!(without_documented(&injected, &status), without_documented(&pod, &status));
            let ours: Vec<&str> = ["containers", "initContainers"]
                .into_iter()
                .filter(|list| view::list(&injected, &["spec", list]).iter().any(|one| view::name(one) == Some(CONTAINER)))
                .collect();
            prop_assert_eq!(ours, [if settings.form == SidecarForm::Native { "initContainers" } else { "containers" }]);
        }
    }

    #[test]
    fn a_patch_makes_one_value_of_another(before in any_pod(), after in any_pod()) {
        prop_assert_eq!(apply(&before, &diff(&before, &after)), Ok(after));
    }
}
