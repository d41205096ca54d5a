//! One Service: read, plan a step, write, until nothing is left to do.

use k8s_openapi::api::core::v1::{Endpoints, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{DeleteParams, ListParams, ObjectList, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::super::endpoints::{Seen, Slice};
use super::super::names::{
    FIELD_MANAGER, Key, ORIGINAL_SELECTOR, SERVICE_NAME_LABEL, SHADOW_OF, label, shadow_name,
};
use super::super::pool::Pool;
use super::super::shapes::Selector;
use super::super::steps::{Next, Step, View, Wish, next};

/// Readings of one Service in a row; more than any way has steps.
const READINGS_MAX: usize = 8;

/// A Service and what belongs to it, as it was just now.
struct Fresh {
    service: Service,
    slices: Vec<Slice>,
    shadow: Option<Service>,
    shadow_slices: Vec<Slice>,
}

/// Does what is to be done about one Service, as far as nothing has to be waited for. Returns where it stands then.
///
/// # Errors
/// When a request fails; what was done until then is safe as it is.
pub(super) async fn converge(
    client: &Client,
    key: &Key,
    wish: &Wish,
    pool: &Pool,
) -> kube::Result<Option<Next>> {
    let mut last = None;
    for _ in 0..READINGS_MAX {
        let Some(fresh) = read(client, key).await? else { return Ok(None) };
        let (slices, shadow_slices): (Vec<_>, Vec<_>) =
            (fresh.slices.iter().collect(), fresh.shadow_slices.iter().collect());
        let view = View {
            service: &fresh.service,
            slices: &slices,
            shadow: fresh.shadow.as_ref(),
            shadow_slices: &shadow_slices,
        };
        let next = next(&view, wish, pool);
        for step in &next.steps {
            execute(client, step).await?;
        }
        let rests = next.steps.is_empty();
        last = Some(next);
        if rests {
            break;
        }
    }
    Ok(last)
}

/// The Service is read last: what is written to it is written to the version that the plan was made of.
async fn read(client: &Client, key: &Key) -> kube::Result<Option<Fresh>> {
    let services: Api<Service> = Api::namespaced(client.clone(), &key.namespace);
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), &key.namespace);
    let of = |name: &str| ListParams::default().labels(&format!("{SERVICE_NAME_LABEL}={name}"));
    let name = shadow_name(&key.name);
    let shadow = services.get_opt(&name).await?;
    if let Some(other) =
        shadow.as_ref().filter(|shadow| label(&shadow.metadata, SHADOW_OF) != Some(&*key.name))
    {
        let whose = Key::of(&other.metadata);
        let message =
            format!("Service {whose} is not ours, and has the name that the shadow of {key} would have");
        return Err(kube::Error::Service(message.into()));
    }
    let read = |list: ObjectList<EndpointSlice>| list.items.into_iter().map(Slice::from).collect();
    let shadow_slices = match shadow {
        Some(_) => read(slices.list(&of(&name)).await?),
        None => Vec::new(),
    };
    let slices = read(slices.list(&of(&key.name)).await?);
    let Some(service) = services.get_opt(&key.name).await? else { return Ok(None) };
    Ok(Some(Fresh { service, slices, shadow, shadow_slices }))
}

async fn execute(client: &Client, step: &Step) -> kube::Result<()> {
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    match step {
        Step::ApplyShadow(shadow) => {
            let key = Key::of(&shadow.metadata);
            let api: Api<Service> = Api::namespaced(client.clone(), &key.namespace);
            api.patch(&key.name, &apply, &Patch::Apply(shadow)).await.map(|_| ())
        }
        Step::ApplySlice(slice) => {
            let key = Key::of(&slice.metadata);
            let api: Api<EndpointSlice> = Api::namespaced(client.clone(), &key.namespace);
            api.patch(&key.name, &apply, &Patch::Apply(slice)).await.map(|_| ())
        }
        Step::TakeSelector { service, resource_version, selector } => {
            write(client, service, resource_version, Some(selector), Some(Value::Null)).await
        }
        Step::RestoreSelector { service, resource_version, selector } => {
            write(client, service, resource_version, None, Some(json!(selector))).await
        }
        Step::WriteDown { service, resource_version, selector } => {
            write(client, service, resource_version, selector.as_ref(), None).await
        }
        Step::DeleteEndpoints(key) => {
            let api: Api<Endpoints> = Api::namespaced(client.clone(), &key.namespace);
            gone(api.delete(&key.name, &DeleteParams::default()).await.map(|_| ()))
        }
        Step::DeleteSlice(seen) => {
            let api: Api<EndpointSlice> = Api::namespaced(client.clone(), &seen.key.namespace);
            gone(api.delete(&seen.key.name, &only(seen)).await.map(|_| ()))
        }
        Step::DeleteShadow(seen) => {
            let api: Api<Service> = Api::namespaced(client.clone(), &seen.key.namespace);
            let only = Seen { resource_version: None, ..seen.clone() };
            gone(api.delete(&seen.key.name, &self::only(&only)).await.map(|_| ()))
        }
    }
}

/// Writes a Service's annotation and selector, if it is still what was seen.
async fn write(
    client: &Client,
    key: &Key,
    version: &str,
    written: Option<&Selector>,
    selector: Option<Value>,
) -> kube::Result<()> {
    let written = written.map(|selector| json!(selector).to_string());
    let mut patch =
        json!({"metadata": {"resourceVersion": version, "annotations": {ORIGINAL_SELECTOR: written}}});
    if let Some(selector) = selector {
        patch["spec"] = json!({"selector": selector});
    }
    let api: Api<Service> = Api::namespaced(client.clone(), &key.namespace);
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(&key.name, &params, &Patch::Merge(&patch)).await.map(|_| ())
}

fn only(seen: &Seen) -> DeleteParams {
    let preconditions =
        Preconditions { uid: seen.uid.clone(), resource_version: seen.resource_version.clone() };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

/// What is gone already is gone.
fn gone(outcome: kube::Result<()>) -> kube::Result<()> {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}

/// Whether somebody wrote in between: what is to be done is planned anew.
pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
