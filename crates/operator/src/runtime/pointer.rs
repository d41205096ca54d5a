//! A Service that leads to the one who leads: an EndpointSlice of ours with one address. Data planes that come to it find
//! their configuration also where several operators run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::metrics::Metrics;

/// Which Service, and where this one is.
#[derive(Clone, Debug)]
pub struct Pointer {
    /// The Service's namespace.
    pub namespace: String,
    /// Its name. It has no selector, and one port.
    pub service: String,
    /// Where this process takes connections.
    pub address: SocketAddr,
}

impl Pointer {
    /// Runs until it is dropped: writes while `leads` says so, and leaves what is there to the next one.
    pub async fn follow(self, client: Client, mut leads: watch::Receiver<bool>, metrics: Arc<Metrics>) {
        loop {
            let now = *leads.borrow_and_update();
            let mut pause = AGAIN;
            if now {
                let done = self.write(&client).await;
                metrics.written(done.is_ok());
                pause = if done.is_ok() { AGAIN } else { SOON };
            }
            tokio::select! {
                told = leads.changed() => if told.is_err() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn write(&self, client: &Client) -> kube::Result<()> {
        let services: Api<Service> = Api::namespaced(client.clone(), &self.namespace);
        let service = services.get(&self.service).await?;
        let slice = self.slice(&service);
        let api: Api<EndpointSlice> = Api::namespaced(client.clone(), &self.namespace);
        let name = slice["metadata"]["name"].as_str().unwrap_or_default();
        let params = PatchParams::apply(super::FIELD_MANAGER).force();
        api.patch(name, &params, &Patch::Apply(&slice)).await.map(|_| ())
    }

    /// One slice for whichever family: the address of the one who leads now takes the place of the one before.
    fn slice(&self, service: &Service) -> Value {
        let port = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()).next();
        let family = if self.address.is_ipv4() { "IPv4" } else { "IPv6" };
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
            "metadata": {
                "name": format!("{}-leader-{}", self.service, family.to_lowercase()), "namespace": self.namespace,
                "labels": {
                    "kubernetes.io/service-name": self.service,
                    "endpointslice.kubernetes.io/managed-by": "palisade.dev",
                },
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Service", "name": self.service, "uid": service.metadata.uid,
                }],
            },
            "endpoints": [{"addresses": [self.address.ip().to_string()], "conditions": {"ready": true}}],
            "ports": [{
                "name": port.and_then(|port| port.name.clone()).unwrap_or_default(),
                "port": self.address.port(), "protocol": "TCP",
            }],
        })
    }
}

/// For whoever wrote past us.
const AGAIN: Duration = Duration::from_secs(30);
/// After a failure.
const SOON: Duration = Duration::from_secs(1);
