//! The gateway's shell: watches what [`crate::ingress`] translates, offers the outcome to a data plane, and tells the cluster
//! what became of it: addresses on Ingresses, events about what is not served as it is written.
//!
//! Nothing is decided here. What is watched lies in memory; a change is translated once it has stood still for a moment.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt as _, watcher::Event as Watched};
use kube::{Client, Resource};
use palisade_control::{Offers, Revision};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::ingress::{Observed, Report, Settings, Translator};

/// What is watched, and where clients find the gateway.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The watched namespaces; all when empty.
    pub namespaces: Vec<String>,
    /// The controller's ConfigMap, namespace and name.
    pub config: Option<(String, String)>,
    /// The Service whose addresses Ingresses get, namespace and name.
    pub publish_service: Option<(String, String)>,
    /// Addresses that Ingresses get, beside those.
    pub publish_addresses: Vec<String>,
}

/// Runs until the data plane ends. `say` takes lines for people.
pub async fn run(client: Client, scope: Scope, settings: Settings, offers: Offers, say: fn(&str)) {
    let changed = Arc::new(Notify::new());
    let world = World::follow(&client, &scope, &changed, say);
    world.ready().await;
    let mut translator = Translator::default();
    let mut teller = Teller::new(client, scope);
    let mut offered: Option<Revision> = None;
    loop {
        let began = Instant::now();
        let observed = world.observed();
        let translation = tokio::task::block_in_place(|| translator.translate(&observed, &settings));
        let revision = translation.bundle.revision();
        let translated = began.elapsed();
        if offered != Some(revision) {
            let Some(applied) = offers.offer(translation.bundle).await else { return };
            match &applied.outcome {
                Ok(stale) => {
                    offered = Some(revision);
                    for stale in stale {
                        say(&format!("{} {} stays as it was: {}", stale.kind, stale.name, stale.error));
                    }
                    say(&format!(
                        "gateway: {} Ingresses, translated in {} ms, in force after {} ms",
                        translation.ours.len(),
                        translated.as_millis(),
                        began.elapsed().as_millis()
                    ));
                }
                Err(refused) => say(&format!("gateway: what is in force stays: {refused}")),
            }
        }
        teller.tell(&observed, &translation.ours, &translation.reports, say).await;
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
        // What comes in a row is translated once.
        tokio::time::sleep(SETTLES).await;
    }
}

/// How long what changes is waited for.
const SETTLES: Duration = Duration::from_millis(20);

/// How long what was refused, or what nobody told of, waits at most.
const AGAIN: Duration = Duration::from_secs(60);

/// What is watched, in memory.
struct World {
    classes: Store<IngressClass>,
    ingresses: Vec<Store<Ingress>>,
    services: Vec<Store<Service>>,
    slices: Vec<Store<EndpointSlice>>,
    secrets: Vec<Store<Secret>>,
    config: Option<Store<ConfigMap>>,
}

impl World {
    fn follow(client: &Client, scope: &Scope, changed: &Arc<Notify>, say: fn(&str)) -> Self {
        let config = scope.config.as_ref().map(|(namespace, name)| {
            let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
            follow(Api::namespaced(client.clone(), namespace), only, changed, say)
        });
        Self {
            classes: follow(Api::all(client.clone()), watcher::Config::default(), changed, say),
            ingresses: each(client, scope, changed, say),
            services: each(client, scope, changed, say),
            slices: each(client, scope, changed, say),
            secrets: each(client, scope, changed, say),
            config,
        }
    }

    /// Waits until everything was listed once.
    async fn ready(&self) {
        async fn all<K: Clone + Debug + Resource<DynamicType = ()> + 'static>(stores: &[Store<K>]) {
            for store in stores {
                // An error means that the watch ended, which it does with the process alone.
                let _ = store.wait_until_ready().await;
            }
        }
        let _ = self.classes.wait_until_ready().await;
        all(&self.ingresses).await;
        all(&self.services).await;
        all(&self.slices).await;
        all(&self.secrets).await;
        all(self.config.as_slice()).await;
    }

    fn observed(&self) -> Observed {
        fn all<K: Clone + Resource<DynamicType = ()> + 'static>(stores: &[Store<K>]) -> Vec<Arc<K>> {
            stores.iter().flat_map(Store::state).collect()
        }
        Observed {
            classes: self.classes.state(),
            ingresses: all(&self.ingresses),
            services: all(&self.services),
            slices: all(&self.slices),
            secrets: all(&self.secrets),
            config: self.config.as_ref().and_then(|store| store.state().into_iter().next()),
        }
    }
}

/// One watch for each namespace.
fn each<K>(client: &Client, scope: &Scope, changed: &Arc<Notify>, say: fn(&str)) -> Vec<Store<K>>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let apis = match scope.namespaces.is_empty() {
        true => vec![Api::all(client.clone())],
        false => scope.namespaces.iter().map(|name| Api::namespaced(client.clone(), name)).collect(),
    };
    apis.into_iter().map(|api| follow(api, watcher::Config::default(), changed, say)).collect()
}

fn follow<K>(api: Api<K>, config: watcher::Config, changed: &Arc<Notify>, say: fn(&str)) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Hash + Eq,
{
    let (reader, writer) = reflector::store();
    let changed = changed.clone();
    tokio::spawn(async move {
        let mut stream = pin!(watcher(api, config).default_backoff().reflect(writer));
        let mut told = String::new();
        while let Some(event) = stream.next().await {
            match event {
                Ok(Watched::Apply(_) | Watched::Delete(_) | Watched::InitDone) => {
                    changed.notify_one();
                    told.clear();
                }
                Ok(Watched::Init | Watched::InitApply(_)) => {}
                Err(error) => {
                    let line = format!("gateway: watching {}: {error}", K::plural(&()));
                    // The same trouble is told once.
                    if line != told {
                        say(&line);
                        told = line;
                    }
                }
            }
        }
    });
    reader
}

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
    // A cluster has many ConfigMaps; those of the controller are known by their keys.
    out.retain(|object| {
        let keys = object["data"].as_object().into_iter().flatten();
        object["kind"] != "ConfigMap"
            || keys.into_iter().any(|(key, _)| crate::ingress::annotations::key(key).is_some())
    });
    Ok(out)
}

/// Who writes to the cluster.
struct Teller {
    client: Client,
    scope: Scope,
    recorder: Recorder,
    told: HashSet<Report>,
}

impl Teller {
    fn new(client: Client, scope: Scope) -> Self {
        let reporter =
            Reporter { controller: "palisade-gateway".to_owned(), instance: std::env::var("HOSTNAME").ok() };
        let recorder = Recorder::new(client.clone(), reporter);
        Self { client, scope, recorder, told: HashSet::new() }
    }

    async fn tell(
        &mut self,
        observed: &Observed,
        ours: &[(String, String)],
        reports: &[Report],
        say: fn(&str),
    ) {
        let now: HashSet<Report> = reports.iter().cloned().collect();
        for report in reports.iter().filter(|report| !self.told.contains(*report)) {
            let object = &report.object;
            let place = format!("{} {}/{}", object.kind, object.namespace, object.name);
            say(&format!("gateway: {place}: {}: {}", report.reason, report.message));
            self.event(report, say).await;
        }
        self.told = now;
        let addresses = self.addresses().await;
        if addresses.is_empty() {
            return;
        }
        let ours: HashSet<(&str, &str)> =
            ours.iter().map(|(space, name)| (space.as_str(), name.as_str())).collect();
        for ingress in &observed.ingresses {
            let meta = &ingress.metadata;
            let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) else { continue };
            if !ours.contains(&(namespace.as_str(), name.as_str())) || is_published(ingress, &addresses) {
                continue;
            }
            let api: Api<Ingress> = Api::namespaced(self.client.clone(), namespace);
            let patch = json!({"status": {"loadBalancer": {"ingress": addresses}}});
            let params = PatchParams::default();
            if let Err(error) = api.patch_status(name, &params, &Patch::Merge(&patch)).await {
                say(&format!("gateway: the status of Ingress {namespace}/{name} cannot be written: {error}"));
            }
        }
    }

    async fn event(&self, report: &Report, say: fn(&str)) {
        let object = &report.object;
        if object.name.is_empty() {
            return;
        }
        let api_version = if object.kind == "Ingress" { "networking.k8s.io/v1" } else { "v1" };
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let reference = ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(object.kind.to_owned()),
            namespace: text(&object.namespace),
            name: text(&object.name),
            uid: text(&object.uid),
            ..ObjectReference::default()
        };
        // Kubernetes takes 1024 bytes.
        let note: String = report.message.chars().take(NOTE_CHARS_MAX).collect();
        let event = Event {
            type_: if report.served { EventType::Normal } else { EventType::Warning },
            reason: report.reason.to_owned(),
            note: Some(note),
            action: "Translate".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            say(&format!("gateway: an event cannot be written: {error}"));
        }
    }

    /// Where clients find the gateway, as a status has it.
    async fn addresses(&self) -> Vec<Value> {
        let mut found: Vec<Value> =
            self.scope.publish_addresses.iter().map(|address| place(address)).collect();
        if let Some((namespace, name)) = &self.scope.publish_service {
            let api: Api<Service> = Api::namespaced(self.client.clone(), namespace);
            if let Ok(service) = api.get(name).await {
                let balancer = service.status.and_then(|status| status.load_balancer);
                for ingress in balancer.into_iter().flat_map(|balancer| balancer.ingress.unwrap_or_default())
                {
                    found.extend(ingress.ip.or(ingress.hostname).map(|address| place(&address)));
                }
                let external = service.spec.and_then(|spec| spec.external_ips).unwrap_or_default();
                found.extend(external.iter().map(|address| place(address)));
            }
        }
        found
    }
}

const NOTE_CHARS_MAX: usize = 250;

fn place(address: &str) -> Value {
    match address.parse::<std::net::IpAddr>() {
        Ok(_) => json!({"ip": address}),
        Err(_) => json!({"hostname": address}),
    }
}

fn is_published(ingress: &Ingress, addresses: &[Value]) -> bool {
    let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let there = status.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    let there: Vec<Value> = there
        .iter()
        .filter_map(|ingress| ingress.ip.as_deref().or(ingress.hostname.as_deref()).map(place))
        .collect();
    there == addresses
}
