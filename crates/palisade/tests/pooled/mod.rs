//! A cluster with a pool on this machine: an API server, a controller of ours that makes EndpointSlices as a cluster's does,
//! and clients that go where those say, as kube-proxy has them do. The pool's address in the cluster stands for loopback.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use palisade_kube_fake::{Scope, Server};
use serde_json::{Value, json};

use crate::support::{Folder, PATIENCE, Running, Upstream, command, eventually};

const POOL_ADDRESS: &str = "10.9.0.1";

pub(crate) struct Cluster {
    pub(crate) server: Arc<Server>,
    pub(crate) folder: Folder,
    pub(crate) kubeconfig: String,
    pub(crate) ports: String,
    /// Seconds.
    pub(crate) drain: u32,
    pub(crate) ends: Arc<AtomicBool>,
    pub(crate) controllers: Option<std::thread::JoinHandle<()>>,
}

impl Cluster {
    /// A namespace with one Service, and a pool of one.
    pub(crate) fn start(upstream: &Upstream) -> Self {
        Self::before(upstream.url.strip_prefix("http://").unwrap().parse().unwrap(), "http", &["customer"])
    }

    /// Services before one pod, each with a port of this name.
    pub(crate) fn before(pod: SocketAddr, port: &'static str, services: &[&str]) -> Self {
        let server = Arc::new(Server::start());
        server.serve("operator.tigera.io/v1", "ApplicationLayer", "applicationlayers", Scope::Cluster);
        server.serve("projectcalico.org/v3", "FelixConfiguration", "felixconfigurations", Scope::Cluster);
        for namespace in ["yaobank", "palisade-system", "tigera-operator"] {
            server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        }
        for name in services {
            server.put(json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": name, "namespace": "yaobank", "labels": {"app": "customer"}},
                "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.7", "ipFamilies": ["IPv4"],
                    "selector": {"app": "customer"},
                    "ports": [{"name": port, "port": 80, "targetPort": 8000, "protocol": "TCP"}]}}));
        }
        server.put(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "pool-0", "namespace": "palisade-system",
                "labels": {"app.kubernetes.io/component": "pool"}},
            "spec": {"containers": [{"name": "palisade", "image": "palisade"}]},
            "status": {"phase": "Running", "podIP": POOL_ADDRESS, "podIPs": [{"ip": POOL_ADDRESS}],
                "conditions": [{"type": "Ready", "status": "True"}]}}));
        let folder = Folder::new();
        let kubeconfig = folder.write("kubeconfig", server.kubeconfig());
        let ends = Arc::new(AtomicBool::new(false));
        let (controlled, told) = (server.clone(), ends.clone());
        let controllers = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                control(&controlled, pod, port);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self {
            server,
            folder,
            kubeconfig,
            ports: free_ports(2 * services.len().max(2)),
            drain: 1,
            ends,
            controllers: Some(controllers),
        }
    }

    /// One whose pool reads a folder.
    pub(crate) fn operator(&self) -> Running {
        self.operator_with(&["--bundle-dir", &self.folder.at("bundle")])
    }

    /// One whose pool comes to a control stream at this address.
    pub(crate) fn streaming_operator(&self, listen: &str) -> Running {
        let [ca, cert, key] = ["ca.crt", "control.crt", "control.key"].map(|name| self.folder.at(name));
        let named =
            ["--control", listen, "--control-ca", &ca, "--control-cert", &cert, "--control-key", &key];
        self.operator_with(&[&named[..], &["--pool-name", "pool.test"]].concat())
    }

    pub(crate) fn operator_with(&self, delivery: &[&str]) -> Running {
        let drain = self.drain.to_string();
        let common = ["operator", "--kubeconfig", &self.kubeconfig, "--pool-listen", "127.0.0.1"];
        let ports = [
            "--pool-ports",
            &self.ports,
            "--drain",
            &drain,
            "--probes",
            "127.0.0.1:0",
            "--lease-seconds",
            "2",
        ];
        Running::start(command(&[&common[..], &ports[..], delivery].concat()))
    }

    pub(crate) fn pool(&self) -> Running {
        let config = self.folder.at("bundle/palisade.yaml");
        eventually("the pool's configuration", || std::fs::metadata(&config).ok());
        let data = self.folder.at("data");
        Running::start(command(&["run", "--config", &config, "--data-dir", &data, "--admin", "off"]))
    }

    /// A data plane of the pool that is told by the control stream.
    pub(crate) fn streamed_pool(&self, control: SocketAddr) -> Running {
        let [data, ca, cert, key] =
            ["data", "ca.crt", "plane.crt", "plane.key"].map(|name| self.folder.at(name));
        let url = format!("https://localhost:{}", control.port());
        let mut pool = command(&["run", "--control", &url, "--control-ca", &ca, "--control-cert", &cert]);
        pool.args([
            "--control-key",
            &key,
            "--control-name",
            "a.pool.test",
            "--data-dir",
            &data,
            "--admin",
            "off",
        ]);
        Running::start(pool)
    }

    pub(crate) fn service(&self) -> Value {
        self.server.get("services", "yaobank", "customer").unwrap()
    }

    pub(crate) fn condition(&self) -> Value {
        let conditions = self.service()["status"]["conditions"].clone();
        let ours = |condition: &&Value| condition["type"] == "palisade.dev/Protected";
        conditions.as_array().and_then(|all| all.iter().find(ours)).cloned().unwrap_or_default()
    }

    pub(crate) fn wait_reason(&self, reason: &str) {
        eventually(&format!("{reason}; it is {}", self.condition()), || {
            (self.condition()["reason"] == reason).then_some(())
        });
    }

    pub(crate) fn annotate(&self, value: Value) {
        self.annotate_service("customer", value);
    }

    /// `kubectl annotate`.
    pub(crate) fn annotate_service(&self, name: &str, value: Value) {
        let patch = json!({"metadata": {"annotations": {"projectcalico.org/l7-logging": value}}});
        self.server.patch("services", "yaobank", name, &patch);
    }

    /// Rules as the article's ConfigMap has them; `action` is SecDefaultAction's.
    pub(crate) fn rules(&self, action: &str) {
        let mut files = json!({
            "modsecdefault.conf": "SecRuleEngine On\nSecRequestBodyAccess On\n",
            "crs-setup.conf": format!("SecDefaultAction \"phase:1,log,auditlog,{action}\"\nSecDefaultAction \"phase:2,log,auditlog,{action}\"\n"),
            "REQUEST-942-APPLICATION-ATTACK-SQLI.conf":
                "SecRule ARGS \"@detectSQLi\" \"id:942100,phase:2,block,t:none,t:urlDecodeUni,msg:'SQL injection',severity:'CRITICAL'\"\n",
        });
        if action == "broken" {
            files["REQUEST-942-APPLICATION-ATTACK-SQLI.conf"] =
                json!("SecRule ARGS \"@rx (\" \"id:1,phase:2\"\n");
        }
        self.server.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "modsecurity-ruleset", "namespace": "tigera-operator"}, "data": files}));
    }

    /// Where clients of the Service are sent, by its EndpointSlices.
    pub(crate) fn endpoints(&self) -> BTreeSet<SocketAddr> {
        self.endpoints_of("customer")
    }

    pub(crate) fn endpoints_of(&self, service: &str) -> BTreeSet<SocketAddr> {
        let mut all = BTreeSet::new();
        for slice in self.server.list("discovery.k8s.io/endpointslices", Some("yaobank")) {
            if slice["metadata"]["labels"]["kubernetes.io/service-name"] != *service {
                continue;
            }
            let port = slice["ports"][0]["port"].as_u64().unwrap();
            for endpoint in slice["endpoints"].as_array().unwrap() {
                let address = endpoint["addresses"][0].as_str().unwrap().replace(POOL_ADDRESS, "127.0.0.1");
                all.insert(format!("{address}:{port}").parse().unwrap());
            }
        }
        all
    }

    /// Where a new connection goes when there is one place to go to.
    pub(crate) fn only_endpoint(&self) -> SocketAddr {
        let all = self.endpoints();
        assert_eq!(all.len(), 1, "{all:?}");
        *all.first().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.controllers.take().map(std::thread::JoinHandle::join);
    }
}

/// Ports that are free one after the other, and that no other test looks at: those of this process begin where its number says,
/// each after the one before, below the ports that the system gives to whoever asks for any.
fn free_ports(count: usize) -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = u16::try_from(count).unwrap();
    let begin = u16::try_from(std::process::id() % 150).unwrap() * 128;
    loop {
        let first = 10_000 + (begin + NEXT.fetch_add(count, Ordering::Relaxed)) % 20_000;
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (first..first + count).all(free) {
            return format!("{first}-{}", first + count - 1);
        }
    }
}

/// What a cluster's controllers do: slices of Services with a selector, a mirror of what the Endpoints of one without still
/// say, and the end of what belonged to something that is gone.
fn control(server: &Server, pod: SocketAddr, port: &str) {
    let services = server.list("services", Some("yaobank"));
    let slices = server.list("discovery.k8s.io/endpointslices", Some("yaobank"));
    let slice = |service: &str, name: &str, keeper: &str| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "yaobank", "labels": {
                "kubernetes.io/service-name": service, "endpointslice.kubernetes.io/managed-by": keeper}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [pod.ip().to_string()], "conditions": {"ready": true},
                "targetRef": {"kind": "Pod", "namespace": "yaobank", "name": "customer-0"}}],
            "ports": [{"name": port, "port": pod.port(), "protocol": "TCP"}]})
    };
    let there = |name: &str| slices.iter().any(|slice| slice["metadata"]["name"] == name);
    for service in &services {
        let name = service["metadata"]["name"].as_str().unwrap();
        let has_selector =
            service["spec"]["selector"].as_object().is_some_and(|selector| !selector.is_empty());
        let endpoints = server.get("endpoints", "yaobank", name).is_some();
        let (own, mirror) = (format!("{name}-abcde"), format!("{name}-mirror"));
        if has_selector && !there(&own) {
            server.put(slice(name, &own, "endpointslice-controller.k8s.io"));
        }
        if has_selector && !endpoints {
            server.put(json!({"apiVersion": "v1", "kind": "Endpoints",
                "metadata": {"name": name, "namespace": "yaobank"}, "subsets": []}));
        }
        if !has_selector && endpoints && !there(&mirror) {
            server.put(slice(name, &mirror, "endpointslicemirroring-controller.k8s.io"));
        }
        if (has_selector || !endpoints) && there(&mirror) {
            server.delete("discovery.k8s.io/endpointslices", "yaobank", &mirror);
        }
    }
    for slice in &slices {
        let of = &slice["metadata"]["labels"]["kubernetes.io/service-name"];
        if !services.iter().any(|service| service["metadata"]["name"] == *of) {
            let name = slice["metadata"]["name"].as_str().unwrap();
            server.delete("discovery.k8s.io/endpointslices", "yaobank", name);
        }
    }
}

/// A client that keeps its connection.
pub(crate) struct KeepAlive(BufReader<TcpStream>);

impl KeepAlive {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn get(&mut self, target: &str) -> u16 {
        write!(
            self.0.get_mut(),
            "GET {target} HTTP/1.1\r\nHost: customer.yaobank\r\nUser-Agent: t\r\nAccept: */*\r\n\r\n"
        )
        .unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the connection was broken");
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        self.0.read_exact(&mut vec![0; length]).unwrap();
        status
    }
}
