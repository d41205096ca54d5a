//! A cluster of manifests: with a Service, a slice and Secrets for each that they name.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_operator::ingress::{CONTROLLER, Checks, Observed, Settings};
use palisade_seclang::MemoryLoader;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// An authority that is good for a century.
pub(crate) const CA: &str = include_str!("../../../../testdata/operator/ca.crt");

pub(crate) fn settings() -> Settings {
    Settings {
        class: "palisade".to_owned(),
        controllers: vec![CONTROLLER.to_owned()],
        without_class: false,
        prefix: "nginx.ingress.kubernetes.io/".to_owned(),
        http: "127.0.0.1:8080".to_owned(),
        https: "127.0.0.1:8443".to_owned(),
        https_port: 443,
        ports: Default::default(),
        certificate: (b"certificate".to_vec(), b"key".to_vec()),
        crs: None,
        allow_snippets: false,
        default_backend: None,
        mode: "monitoring".to_owned(),
        checks: Checks { pair: |_, _| Ok(()), pattern: |_| Ok(()) },
        loader: Arc::new(MemoryLoader::new()),
        further: serde_json::Map::new(),
        controller: "palisade.dev/gateway/system/gateway".to_owned(),
    }
}

/// Typed objects of one kind.
pub(crate) fn of<K: DeserializeOwned>(objects: &[Value], kind: &str) -> Vec<Arc<K>> {
    let of_kind = objects.iter().filter(|object| object["kind"] == kind);
    of_kind
        .map(|object| {
            Arc::new(
                serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}")),
            )
        })
        .collect()
}

/// A cluster in which all is there that manifests name.
pub(crate) fn observed(objects: &[Value]) -> Observed {
    let mut all = objects.to_vec();
    let there: BTreeSet<(String, String, String)> = objects.iter().map(key).collect();
    let mut add = |object: Value| {
        if !there.contains(&key(&object)) && !all.iter().any(|known| key(known) == key(&object)) {
            all.push(object);
        }
    };
    for ingress in objects.iter().filter(|object| object["kind"] == "Ingress") {
        let namespace = ingress["metadata"]["namespace"].as_str().unwrap();
        let mut backends = vec![&ingress["spec"]["defaultBackend"]];
        for rule in ingress["spec"]["rules"].as_array().into_iter().flatten() {
            backends
                .extend(rule["http"]["paths"].as_array().into_iter().flatten().map(|path| &path["backend"]));
        }
        for backend in backends.iter().filter(|backend| backend.is_object()) {
            let service = &backend["service"];
            let name = service["name"].as_str().unwrap();
            let port = service["port"]["number"].as_i64().unwrap_or(80);
            let port_name = service["port"]["name"].as_str().unwrap_or("http");
            add(json!({"kind": "Service", "metadata": {"namespace": namespace, "name": name},
                "spec": {"clusterIP": "10.0.0.9", "ports": [{"name": port_name, "port": port}]}}));
            add(json!({"kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {"namespace": namespace, "name": format!("{name}-1"),
                    "labels": {"kubernetes.io/service-name": name}},
                "ports": [{"name": port_name, "port": 8080}],
                "endpoints": [{"addresses": ["10.1.0.7"]}, {"addresses": ["10.1.0.8"], "conditions": {"ready": false}}]}));
        }
        for tls in ingress["spec"]["tls"].as_array().into_iter().flatten() {
            add(secret(namespace, tls["secretName"].as_str().unwrap()));
        }
        for (name, value) in ingress["metadata"]["annotations"].as_object().into_iter().flatten() {
            let named = name.ends_with("auth-tls-secret") || name.ends_with("proxy-ssl-secret");
            if let Some((namespace, name)) =
                value.as_str().filter(|_| named).and_then(|value| value.split_once('/'))
            {
                add(secret(namespace, name));
            }
        }
    }
    Observed {
        classes: of(&all, "IngressClass"),
        ingresses: of(&all, "Ingress"),
        services: of(&all, "Service"),
        slices: of(&all, "EndpointSlice"),
        secrets: of(&all, "Secret"),
        config: of(&all, "ConfigMap").into_iter().next(),
        gateway_api: Default::default(),
    }
}

pub(crate) fn secret(namespace: &str, name: &str) -> Value {
    let encoded = |text: &str| json!(k8s_openapi::ByteString(text.as_bytes().to_vec()));
    json!({"kind": "Secret", "metadata": {"namespace": namespace, "name": name},
        "data": {"tls.crt": encoded("certificate"), "tls.key": encoded("key"), "ca.crt": encoded(CA)}})
}

fn key(object: &Value) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}
