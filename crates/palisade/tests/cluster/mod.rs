//! A cluster for the gateway: an API server of ours with the objects that a test puts, and the gateway before it.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::net::SocketAddr;
use std::process::Command;

use base64::Engine as _;
use palisade_kube_fake::Server;
use serde_json::{Map, Value, json};

use crate::support::{Folder, Running, command};

pub(crate) const NGINX: &str = "nginx.ingress.kubernetes.io/";

/// The IngressClass that is ours.
pub(crate) fn class() -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "palisade"},
        "spec": {"controller": "palisade.dev/ingress"}})
}

/// A Service and its slice, for a place on this machine. A real API server takes no slice on loopback; ours keeps what a
/// test puts.
pub(crate) fn service(name: &str, at: SocketAddr) -> [Value; 2] {
    let port = i64::from(at.port());
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": name},
            "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "http", "port": 80, "targetPort": port}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"namespace": "shop", "name": format!("{name}-1"),
                "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": [at.ip().to_string()], "conditions": {"ready": true}}]}),
    ]
}

/// A path of an Ingress: type, path, Service.
pub(crate) fn path(kind: &str, path: &str, service: &str) -> Value {
    json!({"path": path, "pathType": kind, "backend": {"service": {"name": service, "port": {"number": 80}}}})
}

/// An Ingress of our class with one host.
pub(crate) fn ingress(name: &str, host: &str, paths: &[Value], annotations: &[(&str, &str)]) -> Value {
    let annotations: Map<String, Value> =
        annotations.iter().map(|(name, value)| (format!("{NGINX}{name}"), json!(value))).collect();
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"namespace": "shop", "name": name, "annotations": annotations},
        "spec": {"ingressClassName": "palisade", "rules": [{"host": host, "http": {"paths": paths}}]}})
}

/// A Secret with these values.
pub(crate) fn secret(name: &str, values: &[(&str, &[u8])]) -> Value {
    let encode = |value: &[u8]| base64::engine::general_purpose::STANDARD.encode(value);
    let data: Map<String, Value> =
        values.iter().map(|(name, value)| ((*name).to_owned(), json!(encode(value)))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "shop", "name": name}, "data": data})
}

/// The controller's ConfigMap.
pub(crate) fn config_map(keys: &[(&str, &str)]) -> Value {
    let data: Map<String, Value> =
        keys.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "controller"},
        "data": data})
}

/// The gateway before a cluster, on free ports.
pub(crate) fn gateway(folder: &Folder, cluster: &Server, more: &[&str]) -> Running {
    Running::start(gateway_command(folder, cluster, more))
}

/// The same, not yet started.
pub(crate) fn gateway_command(folder: &Folder, cluster: &Server, more: &[&str]) -> Command {
    let (url, data) = (cluster.url(), folder.at("data"));
    let fixed = [
        "gateway",
        "--server",
        &url,
        "--config-map",
        "shop/controller",
        "--http",
        "127.0.0.1:0",
        "--https",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--data-dir",
        &data,
        "--lease",
        "shop/palisade-gateway",
        "--publish-address",
        "192.0.2.1",
    ];
    command(&[&fixed[..], more].concat())
}
