//! Writes of which the transcripts say too much, or that others rely on.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use palisade_kube_fake::{Scope, Server};
use serde_json::{Value, json};

fn client(server: &Server) -> Client {
    let config = Config::new(server.url().parse().expect("an address"));
    Client::try_from(config).expect("a client needs no files")
}

#[tokio::test]
async fn a_selector_that_is_no_longer_applied_goes_and_the_rest_of_the_service_stays() {
    let server = Server::start();
    let api: Api<Service> = Api::namespaced(client(&server), "default");
    let whole = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"selector": {"app": "a"}, "ports": [{"name": "http", "port": 80}, {"name": "tls", "port": 443}]},
    });
    let params = PatchParams::apply("one");
    api.patch("s", &params, &Patch::Apply(&whole)).await.expect("applied");
    let mut less = whole.clone();
    less["spec"].as_object_mut().expect("a spec").remove("selector");
    less["spec"]["ports"].as_array_mut().expect("ports").pop();
    let service = api.patch("s", &params, &Patch::Apply(&less)).await.expect("applied").spec.expect("a spec");
    assert_eq!(service.selector, None);
    assert_eq!(service.ports.expect("ports").len(), 1);
    assert!(service.cluster_ip.is_some());
}

#[tokio::test]
async fn a_merge_patch_of_null_takes_a_selector_away() {
    let server = Server::start();
    server.put(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]},
    }));
    let api: Api<Service> = Api::namespaced(client(&server), "default");
    let patch = Patch::Merge(json!({"spec": {"selector": null}}));
    let service = api.patch("s", &PatchParams::default(), &patch).await.expect("patched");
    assert_eq!(service.spec.expect("a spec").selector, None);
}

#[tokio::test]
async fn loopback_is_refused_in_slices() {
    let server = Server::start();
    let api: Api<EndpointSlice> = Api::namespaced(client(&server), "default");
    for (address, fine) in
        [("127.0.0.1", false), ("169.254.1.1", false), ("0.0.0.0", false), ("10.0.0.1", true)]
    {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"generateName": "s-"},
            "addressType": "IPv4", "endpoints": [{"addresses": [address]}], "ports": [],
        });
        let slice: EndpointSlice = serde_json::from_value(slice).expect("a slice");
        let done = api.create(&PostParams::default(), &slice).await;
        assert_eq!(done.is_ok(), fine, "{address}: {done:?}");
    }
}

#[tokio::test]
async fn a_served_kind_keeps_its_status_apart() {
    let server = Server::start();
    server.serve("palisade.dev/v1alpha1", "WafProfile", "wafprofiles", Scope::Namespaced);
    let gvk = GroupVersionKind::gvk("palisade.dev", "v1alpha1", "WafProfile");
    let api: Api<DynamicObject> =
        Api::namespaced_with(client(&server), "default", &ApiResource::from_gvk(&gvk));
    let profile = json!({
        "apiVersion": "palisade.dev/v1alpha1", "kind": "WafProfile", "metadata": {"name": "p"},
        "spec": {"mode": "block"}, "status": {"conditions": []},
    });
    let params = PatchParams::apply("user");
    let made = api.patch("p", &params, &Patch::Apply(&profile)).await.expect("applied");
    assert_eq!((made.metadata.generation, made.data.get("status")), (Some(1), None));
    let status = json!({
        "apiVersion": "palisade.dev/v1alpha1", "kind": "WafProfile", "metadata": {"name": "p"},
        "status": {"observedGeneration": 1},
    });
    let params = PatchParams::apply("palisade-operator").force();
    let told = api.patch_status("p", &params, &Patch::Apply(&status)).await.expect("applied");
    assert_eq!(told.metadata.generation, Some(1));
    assert_eq!(told.data["status"]["observedGeneration"], 1);
    let kept = server.get("palisade.dev/wafprofiles", "default", "p").expect("kept");
    let managers: Vec<&Value> = kept["metadata"]["managedFields"]
        .as_array()
        .expect("managers")
        .iter()
        .map(|it| &it["manager"])
        .collect();
    assert_eq!(managers, ["user", "palisade-operator"]);
}

#[tokio::test]
async fn times_of_leases_take_exactly_six_digits() {
    let server = Server::start();
    server.put(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {}}));
    let gvk = GroupVersionKind::gvk("coordination.k8s.io", "v1", "Lease");
    let api: Api<DynamicObject> =
        Api::namespaced_with(client(&server), "default", &ApiResource::from_gvk(&gvk));
    for (time, fine) in [
        ("2026-01-01T00:00:00Z", false),
        ("2026-01-01T00:00:00.123456789Z", false),
        ("yesterday", false),
        ("2026-01-01T00:00:00.123456Z", true),
    ] {
        let patch = Patch::Merge(json!({"spec": {"renewTime": time}}));
        let done = api.patch("l", &PatchParams::default(), &patch).await;
        assert_eq!(done.is_ok(), fine, "{time}: {done:?}");
    }
}

#[tokio::test]
async fn what_an_owner_or_a_namespace_held_goes_with_it() {
    let server = Server::start();
    let owner = server
        .put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "o", "namespace": "n"}}));
    server.put(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "d", "namespace": "n", "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": owner["metadata"]["uid"]}]},
    }));
    server.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}}));
    assert!(server.delete("configmaps", "n", "o"));
    assert!(server.get("secrets", "n", "d").is_none());
    assert!(server.delete("namespaces", "", "n"));
    assert!(server.get("pods", "n", "p").is_none());
}
