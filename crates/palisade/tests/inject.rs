//! `palisade inject`: manifests by hand, and whether the sidecar that it writes protects an application.

mod support;

use std::net::TcpListener;

use palisade_operator::manifest;
use serde_json::Value;
use support::{Folder, Running, Upstream, command, eventually, finish, get, palisade_with};

const ATTACK: &str = "/?q=1%27%20union%20select%20password%20from%20users--%20-";

/// A Deployment as people write it, and its Service.
fn manifests(port: u16, annotations: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: www   # three of them
spec:
  replicas: 3
  selector:
    matchLabels: {{app: www}}
  template:
    metadata:
      labels: {{app: www}}
      annotations: {{{annotations}}}
    spec:
      containers:
      - name: microsimserver
        image: microsimserver
        env:
        - {{name: STATS_PORT, value: \"5000\"}}
        ports:
        - {{name: http, containerPort: {port}}}
        readinessProbe:
          httpGet: {{path: /, port: http}}
---
apiVersion: v1
kind: Service
metadata: {{name: www}}
spec:
  selector: {{app: www}}
  ports:
  - {{port: 8080, targetPort: http}}
"
    )
}

fn injected(text: &str, flags: &[&str]) -> Vec<Value> {
    let answer = palisade_with(&[&["inject", "-f", "-"], flags].concat(), text.as_bytes());
    assert_eq!(answer.code, 0, "{}", answer.err);
    manifest::read(answer.out.as_bytes()).unwrap()
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let sockets = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

#[test]
fn the_sidecar_of_an_injected_deployment_protects_its_application() {
    let upstream = Upstream::start();
    let app: u16 = upstream.url.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    let [listen, probes] = free_ports();
    let text = manifests(
        app,
        &format!(
            "palisade.dev/mode: block, palisade.dev/listen-port: \"{listen}\", palisade.dev/probes-port: \"{probes}\""
        ),
    );
    let documents = injected(&text, &["--drain-seconds", "1"]);
    let spec = &documents[0]["spec"]["template"]["spec"];
    let sidecar = &spec["initContainers"][0];
    assert_eq!(sidecar["restartPolicy"], "Always");
    // A Service that targets `http` finds the sidecar by it, and the application's probe goes to the application.
    assert_eq!(sidecar["ports"][0]["name"], "http");
    assert_eq!(sidecar["ports"][0]["containerPort"], listen);
    let application = &spec["containers"][0];
    assert_eq!(application["ports"][0]["name"], "app-http");
    assert_eq!(application["readinessProbe"]["httpGet"]["port"], app);

    // What a kubelet does with it: arguments, environment, the volume.
    let folder = Folder::new();
    let arguments: Vec<&str> =
        sidecar["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let mut run = command(&arguments);
    for variable in sidecar["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        let value =
            match (variable["value"].as_str(), variable["valueFrom"]["fieldRef"]["fieldPath"].as_str()) {
                (Some("/var/lib/palisade"), _) => folder.at("data"),
                (Some(value), _) => value.to_owned(),
                (_, Some("metadata.name")) => "www-7847f7476f-x2k4q".to_owned(),
                (_, Some("metadata.namespace" | "spec.serviceAccountName")) => "default".to_owned(),
                _ => panic!("{variable}"),
            };
        run.env(name, value);
    }
    let mut running = Running::start(run);
    let listening = running.listener("web");
    assert_eq!(listening.port(), listen);
    assert_eq!(running.listener("probes").port(), probes);
    let ask = |port: u16, target: &str| get(([127, 0, 0, 1], port).into(), target, "");
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let handler = &sidecar[probe]["httpGet"];
        let (port, path) = (handler["port"].as_u64().unwrap() as u16, handler["path"].as_str().unwrap());
        eventually(probe, || (ask(port, path).status == 200).then_some(()));
    }
    assert_eq!(ask(listen, "/hello").status, 200);
    assert_eq!(ask(listen, ATTACK).status, 403);
    // Without the sidecar it would have come through.
    assert_eq!(ask(app, ATTACK).status, 200);

    // The hook, and then SIGTERM.
    let hook = sidecar["lifecycle"]["preStop"]["exec"]["command"].as_array().unwrap();
    let words: Vec<&str> = hook.iter().skip(1).map(|word| word.as_str().unwrap()).collect();
    assert_eq!(finish(command(&words), b"").code, 0);
    assert_eq!(ask(listen, "/still-here").status, 200);
    assert_eq!(running.end(), 0);
}

#[test]
fn what_is_injected_again_stays_as_it_is() {
    let first = palisade_with(&["inject", "-f", "-"], manifests(8080, "").as_bytes());
    let second = palisade_with(&["inject", "-f", "-"], first.out.as_bytes());
    assert_eq!(second.out, first.out);
    assert!(first.err.contains("deployment/www: injected (named-port)"), "{}", first.err);
    assert!(second.err.contains("deployment/www: skipped (already-injected)"), "{}", second.err);
}

#[test]
fn nothing_is_printed_when_something_is_denied() {
    let text = format!("{}---\n{}", manifests(8080, ""), manifests(8080, "palisade.dev/mode: blok"));
    let answer = palisade_with(&["inject", "-f", "-"], text.as_bytes());
    assert_eq!((answer.code, answer.out.as_str()), (1, ""));
    assert!(answer.err.contains("write off, monitoring, safe_blocking or block"), "{}", answer.err);
    let broken = palisade_with(&["inject", "-f", "-"], b"a: [\n");
    assert_eq!(broken.code, 2, "{}", broken.err);
}

#[test]
fn a_network_policy_closes_the_applications_port() {
    let documents = injected(&manifests(8080, ""), &["--network-policy"]);
    let kinds: Vec<&str> = documents.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Deployment", "NetworkPolicy", "Service"]);
    let spec = &documents[1]["spec"];
    assert_eq!(spec["podSelector"]["matchLabels"]["app"], "www");
    assert_eq!(spec["ingress"][0]["ports"].as_array().unwrap().len(), 1);
    assert_eq!(spec["ingress"][0]["ports"][0]["port"], 16080);
}

/// The article's own way: its container beside the application, by an image and two variables.
#[test]
fn a_sidecar_that_was_written_by_hand_is_left_alone() {
    let text = "apiVersion: apps/v1
kind: Deployment
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: modsecurity
        image: owasp/modsecurity-crs:v3.2-modsec2-apache
        ports: [{containerPort: 80}]
        env:
        - {name: SETPROXY, value: \"True\"}
        - {name: PROXYLOCATION, value: \"http://127.0.0.1:8080/\"}
      - name: microsimserver
        image: microsimserver
";
    let before = manifest::read(text.as_bytes()).unwrap();
    let answer = palisade_with(&["inject", "-f", "-"], text.as_bytes());
    assert_eq!(manifest::read(answer.out.as_bytes()).unwrap(), before);
    assert!(answer.err.contains("skipped (manual-sidecar)"), "{}", answer.err);
}
