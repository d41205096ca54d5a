//! What there is in a cluster for an ingress controller, as its API server has it.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What there is for an ingress controller in a cluster, as its API server has it: for `palisade migrate`.
///
/// # Errors
/// When something cannot be listed.
pub async fn ingress_objects(client: Client) -> Result<Vec<Value>, kube::Error> {
    async fn all<K>(client: &Client, out: &mut Vec<Value>) -> Result<(), kube::Error>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + serde::Serialize,
    {
        let list = Api::<K>::all(client.clone()).list(&Default::default()).await?;
        for object in list.items {
            let mut value = serde_json::to_value(&object).unwrap_or_default();
            // Items of a list say neither.
            value["apiVersion"] = json!(K::api_version(&()));
            value["kind"] = json!(K::kind(&()));
            out.push(value);
        }
        Ok(())
    }
    let mut out = Vec::new();
    all::<IngressClass>(&client, &mut out).await?;
    all::<ConfigMap>(&client, &mut out).await?;
    all::<Ingress>(&client, &mut out).await?;
    // For the numbers of ports that have names.
    all::<Service>(&client, &mut out).await?;
    // A cluster has many ConfigMaps; those of the controller are known by their keys.
    out.retain(|object| {
        let keys = object["data"].as_object().into_iter().flatten();
        object["kind"] != "ConfigMap"
            || keys.into_iter().any(|(key, _)| crate::ingress::annotations::key(key).is_some())
    });
    Ok(out)
}
