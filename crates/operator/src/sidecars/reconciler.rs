//! What keeps sidecars as the plan wants them: watches, the plan, writes while this one leads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ObjectReference, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::plan::{Injected, Observed, Plan, plan};
use super::pods::Pod;
use super::workloads::{KINDS, Roll, Workload};
use super::{CLOSES, FIELD_MANAGER, INJECTED_CONDITION, MANAGED_BY};
use crate::cluster::{Profiles, Watched, resource};
use crate::inject::Settings;
use crate::kinds::{self, Attachment, GROUP, PROTECTION, Target, VERSION, Way};
use crate::protect::Key;
use crate::runtime::{Gauge, Metrics};

/// Changes that come together are looked at together.
const SETTLE: Duration = Duration::from_millis(100);
/// For whoever wrote past us.
const AGAIN: Duration = Duration::from_secs(30);
/// Pods that are told of by an event, in one pass.
const TOLD_MAX: usize = 50;

const MISSING: Gauge = Gauge {
    name: "palisade_operator_pods_without_sidecar",
    help: "Pods that should have a sidecar and have none.",
};
const ROLLED: Gauge = Gauge {
    name: "palisade_operator_sidecar_workloads",
    help: "Workloads that follow a Protection by sidecar.",
};

/// Runs until its future is dropped. Acts only while `leads` says so.
pub async fn run(
    client: Client,
    settings: Settings,
    mut leads: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
) {
    let world = World::watch(&client);
    let reporter = Reporter { controller: "palisade-operator".to_owned(), instance: None };
    let recorder = Recorder::new(client.clone(), reporter);
    let mut reconciler = Reconciler { client, settings, recorder, metrics, told: BTreeSet::new() };
    loop {
        tokio::select! {
            () = world.changed.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
            told = leads.changed() => if told.is_err() { return },
        }
        tokio::time::sleep(SETTLE).await;
        if *leads.borrow() && world.is_read() {
            reconciler.pass(&world).await;
        }
    }
}

/// All that the plan looks at.
struct World {
    changed: Arc<Notify>,
    protections: Watched<DynamicObject>,
    profiles: Profiles,
    workloads: Vec<(&'static str, Watched<DynamicObject>)>,
    pods: Watched<Pod>,
    namespaces: Watched<Namespace>,
    maps: Watched<ConfigMap>,
    policies: Watched<NetworkPolicy>,
}

impl World {
    fn watch(client: &Client) -> Self {
        let changed = Arc::new(Notify::new());
        let dynamic = |group: &str, version: &str, kind: &str, plural: &str, slim: fn(&mut DynamicObject)| {
            let api = Api::<DynamicObject>::all_with(client.clone(), &resource(group, version, kind, plural));
            Watched::slim(api, watcher::Config::default(), changed.clone(), slim)
        };
        let ours = || watcher::Config::default().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1));
        Self {
            protections: dynamic(GROUP, VERSION, PROTECTION.0, PROTECTION.1, |object| {
                object.metadata.managed_fields = None;
            }),
            profiles: Profiles::watch(client, &changed),
            workloads: KINDS
                .iter()
                .map(|(kind, plural)| (*kind, dynamic("apps", "v1", kind, plural, Workload::slim)))
                .collect(),
            pods: Watched::read(
                Api::<DynamicObject>::all_with(client.clone(), &resource("", "v1", "Pod", "pods")),
                watcher::Config::default(),
                changed.clone(),
                Pod::read,
            ),
            namespaces: Watched::slim(
                Api::all(client.clone()),
                watcher::Config::default(),
                changed.clone(),
                |namespace| namespace.metadata.managed_fields = None,
            ),
            maps: Watched::start(Api::all(client.clone()), ours(), changed.clone()),
            policies: Watched::start(Api::all(client.clone()), ours(), changed.clone()),
            changed,
        }
    }

    fn is_read(&self) -> bool {
        self.protections.is_read()
            && self.profiles.is_read()
            && self.workloads.iter().all(|(_, kept)| kept.is_read())
            && self.pods.is_read()
            && self.namespaces.is_read()
            && self.maps.is_read()
            && self.policies.is_read()
    }

    fn observed(
        &self,
        protections: &[Arc<DynamicObject>],
        services: BTreeMap<Key, BTreeMap<String, String>>,
    ) -> Observed {
        let attachment =
            |object: &Arc<DynamicObject>| Some(Attachment::read(&serde_json::to_value(&**object).ok()?));
        let profiles = self.profiles.all();
        let namespaces = self.namespaces.all();
        let is_map = |map: &&Arc<ConfigMap>| {
            map.metadata.name.as_deref().is_some_and(|name| name.starts_with("palisade-profile-"))
        };
        let policy = |policy: &Arc<NetworkPolicy>| {
            let of = policy.metadata.annotations.as_ref()?.get(CLOSES)?.clone();
            Some((Key::of(&policy.metadata), (of, serde_json::to_value(&policy.spec).ok()?)))
        };
        Observed {
            attachments: protections.iter().filter_map(attachment).collect(),
            workloads: self
                .workloads
                .iter()
                .flat_map(|(kind, kept)| kept.all().into_iter().map(|object| Workload::read(kind, &object)))
                .collect(),
            services,
            namespaces: namespaces
                .iter()
                .map(|namespace| {
                    (Key::of(&namespace.metadata).name, namespace.metadata.labels.clone().unwrap_or_default())
                })
                .collect(),
            pods: self.pods.all(),
            profile_names: profiles
                .iter()
                .map(|profile| Key::new(&profile.namespace, &profile.name))
                .collect(),
            profiles: profiles
                .into_iter()
                .filter_map(|profile| {
                    let (resolved, files) = profile.resolved?;
                    let fine = kinds::profile_error(&resolved).is_none();
                    let key = Key::new(&profile.namespace, &profile.name);
                    fine.then_some((key, (profile.uid, resolved, files)))
                })
                .collect(),
            maps: self
                .maps
                .all()
                .iter()
                .filter(is_map)
                .map(|map| (Key::of(&map.metadata), json!(map.data.clone().unwrap_or_default())))
                .collect(),
            policies: self.policies.all().iter().filter_map(policy).collect(),
        }
    }
}

struct Reconciler {
    client: Client,
    settings: Settings,
    recorder: Recorder,
    metrics: Arc<Metrics>,
    /// What people were told: which object, and what of it.
    told: BTreeSet<(String, String)>,
}

impl Reconciler {
    async fn pass(&mut self, world: &World) {
        let protections = world.protections.all();
        let services = self.services(&protections).await;
        let observed = world.observed(&protections, services);
        let plan = plan(&observed, &self.settings);
        self.metrics.set(&MISSING, plan.missing.len());
        self.metrics.set(&ROLLED, plan.injected.values().map(|injected| injected.workloads).sum());
        for object in &plan.apply {
            let outcome = apply(&self.client, object, true).await;
            self.outcome(&reference(object), outcome).await;
        }
        for roll in &plan.rolls {
            let outcome = apply(&self.client, &roll.intention, false).await;
            self.outcome(&reference(&roll.intention), outcome).await;
        }
        self.drop_unwanted(&plan).await;
        self.conditions(&protections, &observed, &plan).await;
        self.tell(&plan).await;
    }

    /// Selectors of the Services that `Protection`s by sidecar name.
    async fn services(&self, protections: &[Arc<DynamicObject>]) -> BTreeMap<Key, BTreeMap<String, String>> {
        let mut selectors = BTreeMap::new();
        for object in protections {
            let Ok(object) = serde_json::to_value(&**object) else { continue };
            let attachment = Attachment::read(&object);
            for target in attachment.targets.iter().filter(|_| attachment.way == Way::Sidecar) {
                let Target::Service(name) = target else { continue };
                let api: Api<Service> = Api::namespaced(self.client.clone(), &attachment.namespace);
                let found = api.get_opt(name).await.ok().flatten();
                let selector = found.and_then(|service| service.spec?.selector).unwrap_or_default();
                selectors.insert(Key::new(&attachment.namespace, name), selector);
            }
        }
        selectors
    }

    async fn drop_unwanted(&self, plan: &Plan) {
        // What is gone already is gone; what fails is tried again.
        for key in &plan.drop_maps {
            let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &key.namespace);
            self.metrics.written(api.delete(&key.name, &DeleteParams::default()).await.is_ok());
        }
        for key in &plan.drop_policies {
            let api: Api<NetworkPolicy> = Api::namespaced(self.client.clone(), &key.namespace);
            self.metrics.written(api.delete(&key.name, &DeleteParams::default()).await.is_ok());
        }
    }

    async fn outcome(&mut self, about: &ObjectReference, outcome: kube::Result<()>) {
        self.metrics.written(outcome.is_ok());
        match outcome {
            Ok(()) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let note = format!(
                    "somebody else writes what would put a sidecar into its pods: {}",
                    status.message
                );
                self.say(about, EventType::Warning, "SidecarConflict", &note).await;
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => {
                let note = format!("it could not be written, and is tried again: {error}");
                self.say(about, EventType::Warning, "SidecarFailed", &note).await;
            }
        }
    }

    async fn tell(&mut self, plan: &Plan) {
        for (key, uid) in plan.missing.iter().take(TOLD_MAX) {
            let note = "it should have a sidecar and has none: it was made before it was asked for, or while nobody answered; \
                        make it anew, such as by kubectl rollout restart";
            let about = of("v1", "Pod", key, Some(uid));
            self.say(&about, EventType::Warning, "SidecarMissing", note).await;
        }
        for (kind, key, why) in plan.unusable.iter().take(TOLD_MAX) {
            let api = if *kind == PROTECTION.0 || *kind == "WafProfile" {
                "palisade.dev/v1alpha1"
            } else {
                "apps/v1"
            };
            self.say(&of(api, kind, key, None), EventType::Warning, "SidecarUnusable", why).await;
        }
    }

    /// An event, once.
    async fn say(&mut self, about: &ObjectReference, kind: EventType, reason: &str, note: &str) {
        let who = format!("{:?} {:?} {:?} {:?}", about.kind, about.namespace, about.name, about.uid);
        if self.told.len() > TOLD_KEPT_MAX {
            self.told.clear();
        }
        if !self.told.insert((who, note.to_owned())) {
            return;
        }
        let event = Event {
            type_: kind,
            reason: reason.to_owned(),
            note: Some(note.chars().take(NOTE_CHARS_MAX).collect()),
            action: "Inject".to_owned(),
            secondary: None,
        };
        // An event that is lost is a line less for people; conditions and metrics say the same.
        let _ = self.recorder.publish(&event, about).await;
    }

    /// How many pods of a `Protection` have their sidecar, on its status.
    async fn conditions(&self, protections: &[Arc<DynamicObject>], observed: &Observed, plan: &Plan) {
        for (index, attachment) in observed.attachments.iter().enumerate() {
            if attachment.way != Way::Sidecar {
                continue;
            }
            let injected = plan.injected.get(&index).copied().unwrap_or_default();
            let (status, reason, message) = sentence(injected);
            let object = protections.iter().find(|object| {
                object.metadata.namespace.as_deref() == Some(&*attachment.namespace)
                    && object.metadata.name.as_deref() == Some(&*attachment.name)
            });
            let conditions = object.and_then(|object| object.data["status"]["conditions"].as_array());
            let before = conditions
                .into_iter()
                .flatten()
                .find(|condition| condition["type"] == INJECTED_CONDITION)
                .cloned()
                .unwrap_or_default();
            if before["status"] == status && before["reason"] == reason && before["message"] == *message {
                continue;
            }
            let since = match before["status"] == status {
                true => before["lastTransitionTime"].clone(),
                false => json!(format!("{:.0}", Timestamp::now())),
            };
            let object = json!({
                "apiVersion": format!("{GROUP}/{VERSION}"), "kind": PROTECTION.0, "metadata": {"name": attachment.name},
                "status": {"conditions": [{
                    "type": INJECTED_CONDITION, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
                }]},
            });
            let api: Api<DynamicObject> = Api::namespaced_with(
                self.client.clone(),
                &attachment.namespace,
                &resource(GROUP, VERSION, PROTECTION.0, PROTECTION.1),
            );
            let params = PatchParams::apply(FIELD_MANAGER).force();
            let done = api.patch_status(&attachment.name, &params, &Patch::Apply(&object)).await;
            self.metrics.written(done.is_ok());
        }
    }
}

/// Status, reason and message of how far a `Protection` has come.
fn sentence(injected: Injected) -> (&'static str, &'static str, String) {
    let Injected { workloads, pods, with } = injected;
    if workloads == 0 {
        return (
            "False",
            "NoWorkload",
            "no Deployment, StatefulSet or DaemonSet is a target of it".to_owned(),
        );
    }
    let message = format!("{with} of {pods} pods have their sidecar");
    match with == pods {
        true => ("True", "AllPods", message),
        false => ("False", "SomePods", message),
    }
}

/// Server-side apply of an object of a kind of ours to write.
async fn apply(client: &Client, object: &Value, force: bool) -> kube::Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let plural = match &*kind {
        "NetworkPolicy" => "networkpolicies".to_owned(),
        other => format!("{}s", other.to_lowercase()),
    };
    let of = resource(group, version, &kind, &plural);
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &text(&object["metadata"]["namespace"]), &of);
    let params = PatchParams { force, ..PatchParams::apply(FIELD_MANAGER) };
    api.patch(&text(&object["metadata"]["name"]), &params, &Patch::Apply(object)).await.map(|_| ())
}

/// Takes back what was written to workloads, and opens the ports that were closed; of one namespace or of all. Gives what
/// was taken back, and what could not be. Nobody may run the operator meanwhile.
///
/// # Errors
/// When workloads cannot be listed.
pub async fn undo(client: &Client, namespace: Option<&str>) -> kube::Result<Vec<(String, Option<String>)>> {
    let mut done = Vec::new();
    let labelled = kube::api::ListParams::default().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1));
    let policies: Api<NetworkPolicy> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    for policy in policies.list(&labelled).await? {
        if policy.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(CLOSES)) {
            let key = Key::of(&policy.metadata);
            let api: Api<NetworkPolicy> = Api::namespaced(client.clone(), &key.namespace);
            let outcome = api.delete(&key.name, &DeleteParams::default()).await;
            done.push((format!("NetworkPolicy {key}"), outcome.err().map(|error| error.to_string())));
        }
    }
    for (kind, plural) in KINDS {
        let of = resource("apps", "v1", kind, plural);
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &of),
            None => Api::all_with(client.clone(), &of),
        };
        for mut object in api.list(&kube::api::ListParams::default()).await? {
            Workload::slim(&mut object);
            let workload = Workload::read(kind, &object);
            if let Some(Roll { intention, key, .. }) = workload.roll(None) {
                let outcome = apply(client, &intention, false).await;
                done.push((format!("{kind} {key}"), outcome.err().map(|error| error.to_string())));
            }
        }
    }
    Ok(done)
}

fn reference(object: &Value) -> ObjectReference {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = Key::new(&text(&object["metadata"]["namespace"]), &text(&object["metadata"]["name"]));
    of(&text(&object["apiVersion"]), &text(&object["kind"]), &key, None)
}

fn of(api: &str, kind: &str, key: &Key, uid: Option<&str>) -> ObjectReference {
    ObjectReference {
        api_version: Some(api.to_owned()),
        kind: Some(kind.to_owned()),
        namespace: Some(key.namespace.clone()),
        name: Some(key.name.clone()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    }
}

/// The API takes notes of up to 1024 bytes.
const NOTE_CHARS_MAX: usize = 900;
/// After that many, what was told is told again.
const TOLD_KEPT_MAX: usize = 20_000;
