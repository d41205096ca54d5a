//! A cluster of the size that is promised: 2,000 Services, 10,000 Pods, 500 policies, 50 data planes. Measurements, which say
//! what they measured and assert what is promised:
//! `taskset -c 0,1 cargo test --release --test operator_scale -- --ignored --nocapture --test-threads 1`.

mod pki;
mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use palisade_control::link::{ClientAuth, Files, LiveTls};
use palisade_control::stream::{FollowOptions, Following, follow};
use palisade_control::{Applied, Bundle, Offer, channel};
use palisade_kube_fake::Server;
use serde_json::json;
use support::{Folder, Running, command};

const PLANES: usize = 50;
const CHANGES: usize = 10;
const PATIENCE: Duration = Duration::from_secs(600);
/// What is promised: from the API to the last data plane.
const REACHES_WITHIN: Duration = Duration::from_secs(1);
/// And for all that is kept of the cluster.
const OPERATOR_BYTES_MAX: u64 = 250_000_000;

#[test]
#[ignore = "a measurement"]
fn a_policy_reaches_fifty_data_planes() {
    if !pki::tools() {
        return;
    }
    let scene = Scene::start(PLANES);
    let planes = Followers::start(&scene, PLANES);
    scene.wait_protected();
    scene.say_memory("operator", scene.operator.id());
    let mut took = Vec::new();
    for round in 0..CHANGES {
        let name = format!("change-{round}");
        let from = Instant::now();
        scene.put_policy(&name);
        planes.wait(&name);
        took.push(from.elapsed());
        scene.server.delete("networking.k8s.io/networkpolicies", "ns-7", &name);
        planes.wait_without(&name);
        std::thread::sleep(Duration::from_millis(500));
    }
    say("a policy of the API reached all 50 data planes", &took);
    let resident = scene.say_memory("operator", scene.operator.id());
    assert!(took.iter().all(|took| *took < REACHES_WITHIN), "{took:?}");
    assert!(resident < OPERATOR_BYTES_MAX, "{resident}");
}

#[test]
#[ignore = "a measurement"]
fn a_policy_decides_in_a_data_plane_of_two_thousand_listeners() {
    if !pki::tools() {
        return;
    }
    let scene = Scene::start(1);
    let [data, ca, cert, key] =
        ["data", "ca.crt", "plane.crt", "plane.key"].map(|name| scene.folder.at(name));
    let url = format!("https://localhost:{}", scene.control.port());
    let to = ["run", "--control", &url, "--control-ca", &ca, "--control-cert", &cert, "--control-key", &key];
    let as_whom = ["--control-name", "a.pool.test", "--data-dir", &data, "--admin", "off"];
    let pool = Running::start(command(&[&to[..], &as_whom].concat()));
    scene.wait_protected();
    let port = scene.pool_port();
    // Nobody is behind it: an answer takes long, and a refusal does not.
    let refuses = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        let mut answer = [0; 12];
        match stream.read(&mut answer) {
            Ok(0) => true,
            Ok(read) => answer[..read].ends_with(b"403"),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    };
    let until = |wanted: bool| {
        let begun = Instant::now();
        while refuses() != wanted {
            assert!(begun.elapsed() < PATIENCE, "{}", pool.err());
        }
    };
    until(false);
    println!("operator {}, data plane {}", scene.operator.id(), pool.id());
    let mut took = Vec::new();
    for round in 0..CHANGES {
        let from = Instant::now();
        scene.put_policy("nobody");
        until(true);
        took.push(from.elapsed());
        println!("round {round}: {:?}", from.elapsed());
        scene.server.delete("networking.k8s.io/networkpolicies", "ns-7", "nobody");
        until(false);
    }
    say("a policy of the API decided", &took);
    scene.say_memory("operator", scene.operator.id());
    scene.say_memory("data plane", pool.id());
    assert!(took.iter().all(|took| *took < REACHES_WITHIN), "{took:?}");
}

/// The cluster, and an operator who leads data planes by a control stream.
struct Scene {
    server: Server,
    folder: Folder,
    operator: Running,
    control: SocketAddr,
    begun: Instant,
}

impl Scene {
    fn start(pool: usize) -> Self {
        let server = Server::start();
        fill(&server, pool);
        let folder = Folder::new();
        let pki = pki::Pki(&folder);
        pki.authority("ca");
        pki.server("ca", "control", &["localhost"]);
        pki.server("ca", "plane", &["*.pool.test"]);
        let kubeconfig = folder.write("kubeconfig", server.kubeconfig());
        let [ca, cert, key] = ["ca.crt", "control.crt", "control.key"].map(|name| folder.at(name));
        let begun = Instant::now();
        let mut operator = Running::start(command(&[
            "operator",
            "--kubeconfig",
            &kubeconfig,
            "--pool-listen",
            "127.0.0.1",
            "--probes",
            "127.0.0.1:0",
            "--control",
            "127.0.0.1:0",
            "--control-ca",
            &ca,
            "--control-cert",
            &cert,
            "--control-key",
            &key,
            "--pool-name",
            "pool.test",
        ]));
        let control = operator.listener("control");
        Self { server, folder, operator, control, begun }
    }

    fn wait_protected(&self) {
        let protected = || {
            let all = self.server.list("services", None);
            let is = |service: &&serde_json::Value| {
                let conditions = service["status"]["conditions"].as_array();
                conditions.into_iter().flatten().any(|condition| condition["reason"] == "Protected")
            };
            all.iter().filter(is).count()
        };
        while protected() < 2000 {
            assert!(
                self.begun.elapsed() < PATIENCE,
                "{} are protected: {}",
                protected(),
                self.operator.err()
            );
            std::thread::sleep(Duration::from_millis(500));
        }
        println!("2000 are protected after {:?}", self.begun.elapsed());
        std::thread::sleep(Duration::from_secs(15));
    }

    /// One that lets nobody reach the pods of one Service.
    fn put_policy(&self, name: &str) {
        self.server.put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": "ns-7"},
            "spec": {"podSelector": {"matchLabels": {"app": "service-1007"}}, "policyTypes": ["Ingress"]}}));
    }

    /// Where that Service's connections go.
    fn pool_port(&self) -> u16 {
        let all = self.server.list("discovery.k8s.io/endpointslices", Some("ns-7"));
        let ours = |slice: &&serde_json::Value| {
            slice["metadata"]["labels"]["kubernetes.io/service-name"] == "service-1007"
                && slice["endpoints"][0]["addresses"][0] == "10.9.0.1"
        };
        let slice = all.iter().find(ours).expect("a slice of ours");
        u16::try_from(slice["ports"][0]["port"].as_u64().unwrap()).unwrap()
    }

    /// Prints what a process holds, and gives the most that it has held.
    fn say_memory(&self, who: &str, process: u32) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let of = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
        };
        println!("{who}: at most {} MB, now {} MB", of("VmHWM") / 1_000_000, of("VmRSS") / 1_000_000);
        of("VmHWM")
    }
}

fn fill(server: &Server, pool: usize) {
    server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "palisade-system"}}));
    for n in 1..=pool {
        let address = format!("10.9.0.{n}");
        server.put(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("pool-{n}"), "namespace": "palisade-system",
                "labels": {"app.kubernetes.io/component": "pool"}},
            "spec": {"containers": [{"name": "palisade", "image": "palisade"}]},
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                "conditions": [{"type": "Ready", "status": "True"}]}}));
    }
    for n in 0..100 {
        server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("ns-{n}")}}));
    }
    for n in 0..2000 {
        fill_service(server, n);
    }
    for n in 0..500 {
        let from = json!([{"podSelector": {"matchLabels": {"app": format!("service-{n}")}}}]);
        server.put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": format!("policy-{n}"), "namespace": format!("ns-{}", n % 100)},
            "spec": {"podSelector": {"matchLabels": {"app": format!("service-{n}")}}, "ingress": [{"from": from}]}}));
    }
}

/// A Service that asks to be protected, its five pods, and what the cluster's own controller makes of it and its shadow.
fn fill_service(server: &Server, n: usize) {
    let (namespace, name) = (format!("ns-{}", n % 100), format!("service-{n}"));
    server.put(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": {"palisade.dev/protect": "true"}},
        "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.7", "ipFamilies": ["IPv4"], "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": 8000, "protocol": "TCP"}]}}));
    let address = |p: usize| format!("10.{}.{}.{}", 1 + n / 250, n % 250, p + 1);
    let endpoint = |p: usize| {
        json!({"addresses": [address(p)], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "namespace": namespace, "name": format!("{name}-{p}")}})
    };
    for of in [name.clone(), format!("{name}-palisade")] {
        server.put(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": format!("{of}-abcde"), "namespace": namespace, "labels": {
                "kubernetes.io/service-name": of,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
            "addressType": "IPv4", "endpoints": (0..5).map(endpoint).collect::<Vec<_>>(),
            "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}]}));
    }
    for p in 0..5 {
        let environment: Vec<_> =
            (0..20).map(|e| json!({"name": format!("V{e}"), "value": "x".repeat(40)})).collect();
        server.put(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{name}-{p}"), "namespace": namespace,
                "labels": {"app": name, "version": "v1", "pod-template-hash": "7d9f"}},
            "spec": {"serviceAccountName": "web", "containers": [{"name": "app", "image": "app", "env": environment}]},
            "status": {"phase": "Running", "podIP": address(p), "podIPs": [{"ip": address(p)}]}}));
    }
}

/// Data planes as the control stream sees them: they take whatever comes, and say so.
struct Followers {
    _runtime: tokio::runtime::Runtime,
    /// The last bundle of each, and a bell for each that comes.
    held: Arc<(Mutex<Vec<Option<Bundle>>>, Condvar)>,
}

impl Followers {
    fn start(scene: &Scene, count: usize) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let held = Arc::new((Mutex::new(vec![None; count]), Condvar::new()));
        let path = |name: &str| scene.folder.path().join(name);
        for n in 0..count {
            let files = Files { ca: path("ca.crt"), own: Some((path("plane.crt"), path("plane.key"))) };
            let (offers, mut offered) = channel();
            let options = FollowOptions {
                target: format!("https://localhost:{}", scene.control.port()).parse().unwrap(),
                tls: Arc::new(LiveTls::of_files(files, ClientAuth::Required).unwrap()),
                name: format!("n{n}.pool.test"),
                version: "1.2.3".to_owned(),
                held: None,
                say: Box::new(|_| {}),
                following: tokio::sync::watch::channel(Following::default()).0,
            };
            runtime.spawn(follow(options, offers));
            let held = held.clone();
            runtime.spawn(async move {
                while let Some(Offer { bundle, answer }) = offered.recv().await {
                    let revision = bundle.revision();
                    held.0.lock().unwrap()[n] = Some(bundle);
                    held.1.notify_all();
                    let _ = answer.send(Applied { revision, outcome: Ok(Vec::new()) });
                }
            });
        }
        Self { _runtime: runtime, held }
    }

    fn wait(&self, name: &str) {
        self.until(|bundle| names(bundle, name));
    }

    fn wait_without(&self, name: &str) {
        self.until(|bundle| !names(bundle, name));
    }

    fn until(&self, is: impl Fn(&Bundle) -> bool) {
        let mut held = self.held.0.lock().unwrap();
        let begun = Instant::now();
        while !held.iter().all(|bundle| bundle.as_ref().is_some_and(&is)) {
            assert!(begun.elapsed() < PATIENCE);
            held = self.held.1.wait_timeout(held, Duration::from_secs(1)).unwrap().0;
        }
    }
}

/// Whether a bundle has a policy of this name.
fn names(bundle: &Bundle, policy: &str) -> bool {
    bundle.get(&format!("policies/kubernetes.NetworkPolicy.ns-7.{policy}.yaml")).is_some()
}

fn say(what: &str, took: &[Duration]) {
    let mut sorted = took.to_vec();
    sorted.sort();
    println!(
        "{what} after {:?} to {:?}, median {:?}",
        sorted[0],
        sorted[sorted.len() - 1],
        sorted[sorted.len() / 2]
    );
}
