//! The Secret that holds certificates, and the webhook configurations that trust them.
//!
//! No leader is needed: whoever writes the Secret first wins, by its resourceVersion, and the others take what is there.

use std::time::SystemTime;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
pub use kube::Client;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{Kept, MakeError};

/// Where certificates are kept, and whom they are for.
#[derive(Clone, Debug)]
pub struct Place {
    /// Our namespace.
    pub namespace: String,
    /// The Secret.
    pub secret: String,
    /// The Service in front of the admission server.
    pub service: String,
    /// Names of webhook configurations, mutating and validating alike.
    pub configurations: Vec<String>,
}

impl Place {
    /// The names that API servers ask for.
    pub fn names(&self) -> Vec<String> {
        let Self { service, namespace, .. } = self;
        vec![format!("{service}.{namespace}.svc"), format!("{service}.{namespace}.svc.cluster.local")]
    }
}

/// Why certificates are not in place.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// What the API server said.
    #[error("{what}: {source}")]
    Cluster {
        /// What was tried.
        what: String,
        /// Its answer.
        source: Box<kube::Error>,
    },
    /// Certificates could not be made.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// Others kept writing.
    #[error("Secret {0} was changed by others again and again")]
    Contended(String),
}

/// The key of the Secret that holds everything; the others are for people and for mounting.
const STATE: &str = "state.json";
/// How often somebody else may be faster.
const TRIES: usize = 5;

/// Makes or renews what is kept, where it is due, and gives what is there then.
///
/// # Errors
/// When the API server refuses, or no certificate can be made.
pub async fn keep(client: &Client, place: &Place, now: SystemTime) -> Result<Kept, KeepError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &place.namespace);
    let failed = |what: &str| {
        let what = format!("{what} Secret {}/{}", place.namespace, place.secret);
        move |source: kube::Error| KeepError::Cluster { what, source: Box::new(source) }
    };
    for _ in 0..TRIES {
        let there = secrets.get_opt(&place.secret).await.map_err(failed("cannot read"))?;
        let kept = there.as_ref().and_then(read);
        let next = Kept::next(kept.clone(), &place.names(), now)?;
        if kept.as_ref() == Some(&next) {
            return Ok(next);
        }
        let written = match there {
            Some(there) => {
                let secret = Secret { metadata: there.metadata.clone(), ..secret(place, &next) };
                secrets.replace(&place.secret, &PostParams::default(), &secret).await
            }
            None => secrets.create(&PostParams::default(), &secret(place, &next)).await,
        };
        match written {
            Ok(_) => return Ok(next),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(failed("cannot write")(error)),
        }
    }
    Err(KeepError::Contended(format!("{}/{}", place.namespace, place.secret)))
}

fn read(secret: &Secret) -> Option<Kept> {
    serde_json::from_slice(&secret.data.as_ref()?.get(STATE)?.0).ok()
}

fn secret(place: &Place, kept: &Kept) -> Secret {
    let state = serde_json::to_vec(kept).expect("texts and numbers are JSON");
    let data = [
        (STATE, state),
        ("tls.crt", kept.certificate().into()),
        ("tls.key", kept.key().into()),
        ("ca.crt", kept.bundle().into_bytes()),
    ];
    let labels = [("app.kubernetes.io/managed-by".to_owned(), "palisade".to_owned())];
    Secret {
        metadata: ObjectMeta {
            name: Some(place.secret.clone()),
            namespace: Some(place.namespace.clone()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        data: Some(data.map(|(name, bytes)| (name.to_owned(), ByteString(bytes))).into()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// Lets the webhook configurations trust a bundle. A configuration that is not there is passed over; says which are.
///
/// # Errors
/// When the API server refuses.
pub async fn trust(client: &Client, place: &Place, bundle: &str) -> Result<Vec<String>, KeepError> {
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let mut changed = Vec::new();
    for name in &place.configurations {
        let failed = |what: &str| {
            let what = format!("cannot {what} webhook configuration {name}");
            move |source: kube::Error| KeepError::Cluster { what, source: Box::new(source) }
        };
        if let Some(there) = mutating.get_opt(name).await.map_err(failed("read"))? {
            let bundles = there.webhooks.iter().flatten();
            let bundles = bundles.map(|hook| (hook.name.as_str(), hook.client_config.ca_bundle.as_ref()));
            if let Some(patch) = bundle_patch(bundles, bundle) {
                let patch = Patch::<()>::Json(patch);
                mutating.patch(name, &PatchParams::default(), &patch).await.map_err(failed("patch"))?;
                changed.push(format!("mutating {name}"));
            }
        }
        if let Some(there) = validating.get_opt(name).await.map_err(failed("read"))? {
            let bundles = there.webhooks.iter().flatten();
            let bundles = bundles.map(|hook| (hook.name.as_str(), hook.client_config.ca_bundle.as_ref()));
            if let Some(patch) = bundle_patch(bundles, bundle) {
                let patch = Patch::<()>::Json(patch);
                validating.patch(name, &PatchParams::default(), &patch).await.map_err(failed("patch"))?;
                changed.push(format!("validating {name}"));
            }
        }
    }
    Ok(changed)
}

/// What sets the bundle of each webhook that has another; `None` when all have it. A webhook that moved meanwhile makes it
/// fail, so that nobody else's is touched.
fn bundle_patch<'h>(
    hooks: impl Iterator<Item = (&'h str, Option<&'h ByteString>)>,
    bundle: &str,
) -> Option<json_patch::Patch> {
    let mut operations: Vec<Value> = Vec::new();
    for (index, (name, has)) in hooks.enumerate() {
        if has.is_none_or(|has| has.0 != bundle.as_bytes()) {
            let encoded = serde_json::to_value(ByteString(bundle.into())).expect("base64 is JSON");
            operations.push(json!({"op": "test", "path": format!("/webhooks/{index}/name"), "value": name}));
            let path = format!("/webhooks/{index}/clientConfig/caBundle");
            operations.push(json!({"op": "add", "path": path, "value": encoded}));
        }
    }
    (!operations.is_empty())
        .then(|| serde_json::from_value(Value::Array(operations)).expect("test and add are operations"))
}
