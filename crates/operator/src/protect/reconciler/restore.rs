//! Everything as it was, without an operator: `palisade operator restore`.

use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use kube::{Api, Client};

use super::super::names::{Key, ORIGINAL_SELECTOR, SHADOW_OF, annotation, label};
use super::super::pool::Pool;
use super::super::steps::{Stage, Wish};
use super::execute::{converge, is_conflict};

/// What became of one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Which.
    pub service: Key,
    /// Why it is not as it was. `None`: it is.
    pub error: Option<String>,
}

/// How long pods are looked for by a Service that has its selector again.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

/// Gives all Services back their selectors, of one namespace or of all, and removes what was put beside them. Nobody may run
/// the operator meanwhile, who would take them again.
///
/// # Errors
/// When Services cannot be listed.
pub async fn restore(client: &Client, namespace: Option<&str>) -> kube::Result<Vec<Restored>> {
    let api: Api<Service> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let mut keys: Vec<_> = Vec::new();
    for service in api.list(&ListParams::default()).await? {
        let meta = &service.metadata;
        match label(meta, SHADOW_OF) {
            Some(of) => keys.push(Key::new(meta.namespace.as_deref().unwrap_or(""), of)),
            None if annotation(meta, ORIGINAL_SELECTOR).is_some() => keys.push(Key::of(meta)),
            None => {}
        }
    }
    keys.sort();
    keys.dedup();
    let mut restored = Vec::new();
    for service in keys {
        let error = one(client, &service).await;
        restored.push(Restored { service, error });
    }
    Ok(restored)
}

async fn one(client: &Client, key: &Key) -> Option<String> {
    let since = tokio::time::Instant::now();
    loop {
        let waits = match converge(client, key, &Wish::Restore { drained: true }, &Pool::default()).await {
            Ok(None) => return None,
            Ok(Some(next)) => match next.stage {
                Stage::Off => return None,
                Stage::Lost => {
                    return Some(
                        "neither its annotation nor its shadow says what its selector was".to_owned(),
                    );
                }
                stage => format!("it stands at {stage:?}"),
            },
            Err(error) if is_conflict(&error) => "somebody else writes to it".to_owned(),
            Err(error) => return Some(super::brief(&error)),
        };
        if since.elapsed() > PATIENCE {
            return Some(waits);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
