//! What keeps a cluster and its pool as the plan wants them. A thin shell: objects come in by watches, the plan is a function
//! of them, and whatever is written to a Service is planned once more from a reading of it made just before.

mod delivery;
mod execute;
mod observe;
mod restore;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client};
use palisade_control::Bundle;
use serde_json::{Value, json};
use tokio::sync::watch;

pub use delivery::{Delivery, Folder, Stream};
pub use restore::{Restored, restore};

use super::calico::{APPLICATION_LAYER_NAME, ApplicationLayer};
use super::ledger::Ledger;
use super::names::{FIELD_MANAGER, Key};
use super::plan::{Observed, Plan, ServicePlan, Settings, plan};
use super::pods::Pod;
use super::pool::{Member, Pool};
use super::report::Finding;
use super::steps::Stage;
use crate::cluster::resource;
use delivery::Deliveries;
use observe::World;
use rules::Rules;

/// The ConfigMap that the ledger is in.
pub const LEDGER_NAME: &str = "palisade-pool-ports";

/// Changes that come together are looked at together.
const SETTLE: Duration = Duration::from_millis(50);
/// Time passes for ports that drain, and for whoever wrote past us.
const AGAIN: Duration = Duration::from_secs(10);
/// Services that are written to at a time.
const AT_ONCE: usize = 8;

/// How Services stand, for metrics and probes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Everything was read once.
    pub ready: bool,
    /// Services by where they stand: `Protected`, `Preparing`, a reason of a refusal.
    pub services: BTreeMap<String, usize>,
    /// Ports of the pool that are taken.
    pub ports: usize,
    /// Pods that may hold connections which nobody inspects, from before their Service was protected.
    pub uninspected: usize,
    /// Objects that cannot be used, and why.
    pub unusable: Vec<(String, String)>,
    /// What went wrong last, until it goes well again.
    pub trouble: Option<String>,
}

/// Runs until its future is dropped. Acts only while `leads` says so.
pub async fn run(
    client: Client,
    settings: Settings,
    pool_labels: BTreeMap<String, String>,
    delivery: impl Delivery,
    mut leads: watch::Receiver<bool>,
    standing: watch::Sender<Standing>,
) {
    let world = World::watch(&client, &settings.namespace);
    let deliveries = Deliveries::start(delivery, world.changed.clone());
    let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: None };
    let mut reconciler = Reconciler {
        recorder: Recorder::new(client.clone(), reporter),
        client,
        settings,
        pool_labels,
        deliveries,
        bundle: None,
        ledger: None,
        rules: Rules::default(),
        told: BTreeMap::new(),
    };
    loop {
        tokio::select! {
            () = world.changed.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
            // Nobody is left who could say that this one leads.
            told = leads.changed() => if told.is_err() { return },
        }
        tokio::time::sleep(SETTLE).await;
        if !*leads.borrow() {
            // Who leads meanwhile writes down others.
            reconciler.ledger = None;
            continue;
        }
        if !world.is_read() {
            continue;
        }
        let outcome = reconciler.pass(&world).await;
        standing.send_modify(|standing| match outcome {
            Ok(now) => *standing = now,
            Err(error) => standing.trouble = Some(brief(&error)),
        });
    }
}

struct Reconciler {
    client: Client,
    settings: Settings,
    pool_labels: BTreeMap<String, String>,
    deliveries: Deliveries,
    recorder: Recorder,
    /// The last that was put together.
    bundle: Option<Bundle>,
    /// As it is written down.
    ledger: Option<BTreeMap<String, String>>,
    rules: Rules,
    /// What people were told of objects that are no Services.
    told: BTreeMap<String, String>,
}

impl Reconciler {
    async fn pass(&mut self, world: &World) -> kube::Result<Standing> {
        let rules = self.rules.of(world.ruleset(), world.mirror());
        if let Some((map, message)) = self.rules.refused() {
            self.tell(&map, EventType::Warning, "RulesRefused", &message).await;
        }
        if let Some(mirror) = self.rules.to_mirror(&self.settings.namespace) {
            self.apply(&mirror).await?;
        }
        let observed = world.observed(rules);
        let pool = self.pool(world);
        let data = self.ledger.clone().or_else(|| world.ledger()).unwrap_or_default();
        let ledger = Ledger::read(self.settings.ports.clone(), &data);
        let now = u64::try_from(k8s_openapi::jiff::Timestamp::now().as_second()).unwrap_or(0);
        let planned = plan(&observed, &self.settings, ledger, &pool, self.bundle.as_ref(), now);
        self.write_ledger(&planned.ledger).await?;
        if let Some(bundle) = &planned.bundle {
            if self.bundle.as_ref() != Some(bundle) {
                self.deliveries.want(bundle.clone(), planned.serves.clone());
            }
            self.bundle = Some(bundle.clone());
        }
        self.services(&observed, &planned, &pool).await;
        self.tell_unusable(&planned).await;
        self.tell_application_layer(world, observed.application_layer.as_ref()).await;
        Ok(standing(&planned, self.deliveries.trouble()))
    }

    /// Who is ready, and what they serve.
    fn pool(&self, world: &World) -> Pool {
        let is_of_pool = |pod: &&Arc<Pod>| {
            pod.key.namespace == self.settings.namespace
                && self.pool_labels.iter().all(|(label, value)| pod.label(label) == Some(value))
        };
        let mut members: Vec<_> =
            world.pods.all().iter().filter(is_of_pool).filter_map(|pod| Member::of(pod)).collect();
        members.sort_by(|a, b| a.pod.cmp(&b.pod));
        Pool { members, in_force: self.deliveries.in_force() }
    }

    /// Nobody is sent to a port before it is written down whose it is.
    async fn write_ledger(&mut self, ledger: &Ledger) -> kube::Result<()> {
        let data = ledger.data();
        if self.ledger.as_ref() == Some(&data) {
            return Ok(());
        }
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": LEDGER_NAME, "namespace": self.settings.namespace}, "data": data,
        });
        self.apply(&serde_json::from_value(map).expect("it is a ConfigMap")).await?;
        self.ledger = Some(data);
        Ok(())
    }

    async fn apply(&self, map: &ConfigMap) -> kube::Result<()> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.settings.namespace);
        let name = map.metadata.name.as_deref().unwrap_or_default();
        api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(map)).await.map(|_| ())
    }

    async fn services(&self, observed: &Observed, planned: &Plan, pool: &Pool) {
        let services: BTreeMap<Key, &Arc<Service>> =
            observed.services.iter().map(|service| (Key::of(&service.metadata), service)).collect();
        let todo = planned.services.iter().filter(|plan| !plan.next.steps.is_empty() || !plan.is_said);
        futures_util::stream::iter(todo)
            .for_each_concurrent(AT_ONCE, |plan| {
                let service = services.get(&plan.key).copied();
                async move {
                    if let Some(service) = service {
                        self.service(plan, service, pool).await;
                    }
                }
            })
            .await;
    }

    async fn service(&self, plan: &ServicePlan, service: &Service, pool: &Pool) {
        if !plan.next.steps.is_empty()
            && let Err(error) = execute::converge(&self.client, &plan.key, &plan.wish, pool).await
            && !execute::is_conflict(&error)
        {
            let reference = reference("v1", "Service", &plan.key, service.metadata.uid.as_deref());
            let note = format!("a step failed and is tried again: {}", brief(&error));
            self.publish(&reference, EventType::Warning, "StepFailed", &note).await;
        }
        if !plan.is_said {
            self.say(plan, service).await;
        }
    }

    /// Writes a Service's conditions, and an event about whether it is protected, where that changed.
    async fn say(&self, plan: &ServicePlan, service: &Service) {
        let before =
            service.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let now = Time(k8s_openapi::jiff::Timestamp::now());
        let condition = |finding: &Finding| finding.condition(before, service.metadata.generation, &now);
        let conditions: Vec<_> = plan.findings.iter().map(condition).collect();
        let api: Api<Service> = Api::namespaced(self.client.clone(), &plan.key.namespace);
        let status = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": plan.key.name},
            "status": {"conditions": conditions},
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        if api.patch_status(&plan.key.name, &params, &Patch::Apply(&status)).await.is_err() {
            // It is said again with the next change, or when time passes.
            return;
        }
        let Some(finding) =
            plan.findings.first().filter(|finding| !before.iter().any(|said| finding.is_said(said)))
        else {
            return;
        };
        let reference = reference("v1", "Service", &plan.key, service.metadata.uid.as_deref());
        let severe = !finding.is && (plan.refusal.is_some() || plan.next.stage == Stage::Lost);
        let kind = if severe { EventType::Warning } else { EventType::Normal };
        self.publish(&reference, kind, &finding.reason, &finding.message).await;
    }

    async fn publish(&self, about: &ObjectReference, kind: EventType, reason: &str, note: &str) {
        let note = note.chars().take(NOTE_CHARS_MAX).collect();
        let event = Event {
            type_: kind,
            reason: reason.to_owned(),
            note: Some(note),
            action: "Protect".to_owned(),
            secondary: None,
        };
        // An event that is lost is a line less for people; conditions say the same.
        let _ = self.recorder.publish(&event, about).await;
    }

    async fn tell(&mut self, about: &ObjectReference, kind: EventType, reason: &str, message: &str) {
        let who = format!("{}/{:?}/{:?}", about.kind.as_deref().unwrap_or(""), about.namespace, about.name);
        if self.told.get(&who).is_none_or(|told| told != message) {
            self.publish(about, kind, reason, message).await;
            self.told.insert(who, message.to_owned());
        }
    }

    /// Policies and profiles that cannot be used are told of by an event at our ledger, which is where our own troubles are.
    async fn tell_unusable(&mut self, planned: &Plan) {
        for (what, why) in planned.unusable.iter().take(UNUSABLE_TOLD_MAX) {
            let message = format!("{what}: {why}");
            if self.told.get(what).is_none_or(|told| told != why) {
                let key = Key::new(&self.settings.namespace, LEDGER_NAME);
                self.publish(
                    &reference("v1", "ConfigMap", &key, None),
                    EventType::Warning,
                    "Unusable",
                    &message,
                )
                .await;
                self.told.insert(what.clone(), why.clone());
            }
        }
    }

    /// Conditions of Calico's `ApplicationLayer`.
    async fn tell_application_layer(&mut self, world: &World, layer: Option<&ApplicationLayer>) {
        let Some((layer, object)) = layer.zip(world.application_layer()) else { return };
        let felix = world.policy_sync_path_prefix();
        let findings = layer.findings(world.application_layer_error().as_deref(), felix.as_deref());
        let before = object.data.pointer("/status/conditions").cloned().unwrap_or(Value::Null);
        let before: Vec<Condition> = serde_json::from_value(before).unwrap_or_default();
        if findings.iter().all(|finding| before.iter().any(|said| finding.is_said(said))) {
            return;
        }
        let now = Time(k8s_openapi::jiff::Timestamp::now());
        let of = |finding: &Finding| finding.condition(&before, object.metadata.generation, &now);
        let conditions: Vec<_> = findings.iter().map(of).collect();
        let api: Api<DynamicObject> = Api::all_with(
            self.client.clone(),
            &resource("operator.tigera.io", "v1", "ApplicationLayer", "applicationlayers"),
        );
        let status = json!({
            "apiVersion": "operator.tigera.io/v1", "kind": "ApplicationLayer",
            "metadata": {"name": APPLICATION_LAYER_NAME}, "status": {"conditions": conditions},
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let _ = api.patch_status(APPLICATION_LAYER_NAME, &params, &Patch::Apply(&status)).await;
    }
}

/// The API takes notes of up to 1024 bytes.
const NOTE_CHARS_MAX: usize = 900;
const UNUSABLE_TOLD_MAX: usize = 50;

fn standing(planned: &Plan, trouble: Option<String>) -> Standing {
    let mut services: BTreeMap<String, usize> = BTreeMap::new();
    for plan in &planned.services {
        let word = match (&plan.refusal, &plan.next.stage) {
            (Some(refusal), _) => refusal.reason(),
            (None, Stage::Off) => continue,
            (None, Stage::Preparing(_)) => "Preparing",
            (None, Stage::Protected) => "Protected",
            (None, Stage::PoolAway) => "PoolAway",
            (None, Stage::Restoring(_)) => "Restoring",
            (None, Stage::Draining) => "Draining",
            (None, Stage::Lost) => "SelectorLost",
        };
        *services.entry(word.to_owned()).or_default() += 1;
    }
    let ports = planned.ledger.entries().len();
    let uninspected = planned.services.iter().map(|plan| plan.uninspected).sum();
    Standing { ready: true, services, ports, uninspected, unusable: planned.unusable.clone(), trouble }
}

fn reference(api: &str, kind: &str, key: &Key, uid: Option<&str>) -> ObjectReference {
    ObjectReference {
        api_version: Some(api.to_owned()),
        kind: Some(kind.to_owned()),
        namespace: Some(key.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        name: Some(key.name.clone()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    }
}

/// What an API server said, without the rest of what it said.
fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
