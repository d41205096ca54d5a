//! What the cluster is told: addresses on Ingresses, statuses of the Gateway API's objects, events about what is not served as
//! it is written.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ObjectReference, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::{SETTLES, Scope, statuses};
use crate::entrances::controller;
use crate::ingress::{Observed, Report, Translation};

/// What became of what was observed.
pub(super) struct News {
    pub(super) observed: Observed,
    pub(super) translation: Translation,
    /// Where clients find the gateway.
    pub(super) addresses: Vec<String>,
}

/// Who writes to the cluster.
pub(super) struct Teller {
    client: Client,
    scope: Scope,
    recorder: Recorder,
    told: HashSet<Report>,
    /// Events that were written.
    written: HashSet<Report>,
}

impl Teller {
    pub(super) fn new(client: Client, scope: Scope) -> Self {
        let reporter =
            Reporter { controller: "palisade-gateway".to_owned(), instance: std::env::var("HOSTNAME").ok() };
        let recorder = Recorder::new(client.clone(), reporter);
        Self { client, scope, recorder, told: HashSet::new(), written: HashSet::new() }
    }

    /// Tells the latest news again and again, until nobody is left to bring any. Of news that others overtake nothing is told.
    pub(super) async fn follow(
        mut self,
        mut news: watch::Receiver<Option<Arc<News>>>,
        mut leads: watch::Receiver<bool>,
        say: fn(&str),
    ) {
        loop {
            tokio::select! {
                more = news.changed() => if more.is_err() { return },
                more = leads.changed() => if more.is_err() { return },
            }
            // A Secret may be a moment behind the Ingress that names it: that is nothing to warn of.
            tokio::time::sleep(SETTLES).await;
            let Some(now) = news.borrow_and_update().clone() else { continue };
            let writes = *leads.borrow_and_update();
            self.tell(&now.observed, &now.translation, &now.addresses, writes, say).await;
        }
    }

    /// Tells what is new, to people in any case, to the cluster where this one writes.
    async fn tell(
        &mut self,
        observed: &Observed,
        translation: &Translation,
        addresses: &[String],
        writes: bool,
        say: fn(&str),
    ) {
        let Translation { ours, reports, statuses, .. } = translation;
        let now: HashSet<Report> = reports.iter().cloned().collect();
        for report in reports.iter().filter(|report| !self.told.contains(*report)) {
            let object = &report.object;
            let place = format!("{} {}/{}", object.kind, object.namespace, object.name);
            say(&format!("gateway: {place}: {}: {}", report.reason, report.message));
        }
        self.told = now;
        if !writes {
            return;
        }
        for report in reports.iter().filter(|report| !self.written.contains(*report)) {
            self.event(report, say).await;
        }
        self.written = reports.iter().cloned().collect();
        let now = format!("{:.0}", k8s_openapi::jiff::Timestamp::now());
        let controller = controller(&self.scope.lease);
        let said = statuses::write(&self.client, &observed.gateway_api, statuses, &controller, &now).await;
        said.iter().for_each(|line| say(line));
        if addresses.is_empty() {
            return;
        }
        let addresses: Vec<Value> = addresses.iter().map(|address| place(address)).collect();
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
        let api_version = match object.kind {
            "Ingress" => "networking.k8s.io/v1",
            "HTTPRoute" | "Gateway" => "gateway.networking.k8s.io/v1",
            _ => "v1",
        };
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
}

/// Where clients find the gateway, as it was seen last.
pub(super) struct Addresses(watch::Receiver<Vec<String>>);

impl Addresses {
    /// Asks, and asks again in the background from then on; who waits for a change is told of another answer.
    pub(super) async fn follow(client: &Client, scope: &Scope, changed: &Arc<Notify>) -> Self {
        let (client, scope, changed) = (client.clone(), scope.clone(), Arc::clone(changed));
        let first = addresses(&client, &scope).await;
        let (now, seen) = watch::channel(first.unwrap_or_else(|| scope.publish_addresses.clone()));
        if scope.publish_service.is_some() {
            tokio::spawn(async move {
                while !now.is_closed() {
                    tokio::time::sleep(ASK_EVERY).await;
                    let Some(found) = addresses(&client, &scope).await else { continue };
                    if now.send_if_modified(|known| std::mem::replace(known, found.clone()) != found) {
                        changed.notify_one();
                    }
                }
            });
        }
        Self(seen)
    }

    pub(super) fn now(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

/// How often the Service is asked for its addresses: a load balancer gets them once.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Addresses and names of the gateway; `None` where they cannot be had now.
async fn addresses(client: &Client, scope: &Scope) -> Option<Vec<String>> {
    let mut found = scope.publish_addresses.clone();
    if let Some((namespace, name)) = &scope.publish_service {
        let api: Api<Service> = Api::namespaced(client.clone(), namespace);
        if let Some(service) = api.get_opt(name).await.ok()? {
            let balancer = service.status.and_then(|status| status.load_balancer);
            for ingress in balancer.into_iter().flat_map(|balancer| balancer.ingress.unwrap_or_default()) {
                found.extend(ingress.ip.or(ingress.hostname));
            }
            found.extend(service.spec.and_then(|spec| spec.external_ips).unwrap_or_default());
        }
    }
    Some(found)
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
