//! Statuses of our kinds: watched, judged by [`super::judge()`], written where they say something else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::judge::{Judged, Observed, judge};
use super::metrics::Metrics;
use crate::cluster::{Watched, resource};
use crate::kinds::{GROUP, PROTECTION, RULE_SET, VERSION, WAF_PROFILE};

/// Runs until it is dropped.
pub(super) async fn run(client: Client, mut leads: watch::Receiver<bool>, metrics: Arc<Metrics>) {
    let changed = Arc::new(Notify::new());
    let kinds = [WAF_PROFILE, RULE_SET, PROTECTION].map(|(kind, plural)| {
        let api = Api::<DynamicObject>::all_with(client.clone(), &resource(GROUP, VERSION, kind, plural));
        (kind, watch_dynamic(api, &changed))
    });
    // Only their names: what Protections are attached to.
    let targets = TARGETS.map(|(group, version, kind, plural)| {
        let api = Api::<DynamicObject>::all_with(client.clone(), &resource(group, version, kind, plural));
        let slim = |object: &mut DynamicObject| {
            object.data = Value::Null;
            (object.metadata.managed_fields, object.metadata.annotations, object.metadata.labels) =
                (None, None, None);
        };
        (kind, Watched::slim(api, watcher::Config::default(), Arc::clone(&changed), slim))
    });
    let maps = Watched::<ConfigMap>::start(
        Api::all(client.clone()),
        watcher::Config::default().labels("palisade.dev/rules=true"),
        Arc::clone(&changed),
    );
    let mut writer = Writer {
        recorder: Recorder::new(
            client.clone(),
            Reporter { controller: super::FIELD_MANAGER.to_owned(), instance: None },
        ),
        client,
        metrics: Arc::clone(&metrics),
    };
    let mut pause = PAUSE_MIN;
    loop {
        tokio::select! {
            () = changed.notified() => {}
            it = leads.changed() => if it.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
        // Changes that come together are looked at together.
        tokio::time::sleep(SETTLE).await;
        if !(kinds.iter().all(|(_, kept)| kept.is_read()) && maps.is_read()) {
            continue;
        }
        metrics.set_read();
        let objects: BTreeMap<&'static str, Vec<Value>> = kinds
            .iter()
            .map(|(kind, kept)| {
                (*kind, kept.all().iter().filter_map(|object| serde_json::to_value(&**object).ok()).collect())
            })
            .collect();
        let observed = Observed {
            profiles: objects[WAF_PROFILE.0].clone(),
            rule_sets: objects[RULE_SET.0].clone(),
            protections: objects[PROTECTION.0].clone(),
            targets: targets
                .iter()
                .filter(|(_, kept)| kept.is_read())
                .map(|(kind, kept)| ((*kind).to_owned(), kept.names().into_iter().collect()))
                .collect(),
            config_maps: maps.all().iter().map(|map| files(map)).collect(),
        };
        // Rules may take their time to compile.
        let Ok(judged) = tokio::task::spawn_blocking(move || judge(&observed)).await else { continue };
        for kind in [WAF_PROFILE.0, RULE_SET.0, PROTECTION.0] {
            let of_kind = || judged.iter().filter(|judged| judged.kind == kind);
            let used = of_kind().filter(|judged| judged.is_accepted()).count();
            metrics.set_objects(kind, used, of_kind().count() - used);
        }
        let mut well = true;
        for judged in &judged {
            if !*leads.borrow() {
                break;
            }
            let found = objects[judged.kind].iter().find(|object| {
                object["metadata"]["name"] == *judged.name
                    && object["metadata"]["namespace"] == *judged.namespace
            });
            if let Some(object) = found.filter(|object| !says(object, judged)) {
                well &= writer.write(object, judged).await;
            }
        }
        // What failed is tried again, less and less often; otherwise once in a while, for whoever wrote past us.
        pause = if well { AGAIN } else { (pause * 2).clamp(PAUSE_MIN, AGAIN) };
    }
}

fn watch_dynamic(api: Api<DynamicObject>, changed: &Arc<Notify>) -> Watched<DynamicObject> {
    Watched::start(api, watcher::Config::default(), Arc::clone(changed))
}

fn files(map: &ConfigMap) -> ((String, String), BTreeMap<String, String>) {
    let name =
        (map.metadata.namespace.clone().unwrap_or_default(), map.metadata.name.clone().unwrap_or_default());
    (name, map.data.clone().unwrap_or_default())
}

/// Whether the status says it already.
fn says(object: &Value, judged: &Judged) -> bool {
    object["status"]["observedGeneration"] == judged.generation
        && judged.sentences.iter().all(|sentence| {
            let said = condition(object, sentence.condition);
            said["status"] == word(sentence.is)
                && said["reason"] == sentence.reason
                && said["message"] == *sentence.message
        })
}

fn condition<'o>(object: &'o Value, kind: &str) -> &'o Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

fn word(is: bool) -> &'static str {
    if is { "True" } else { "False" }
}

struct Writer {
    client: Client,
    recorder: Recorder,
    metrics: Arc<Metrics>,
}

impl Writer {
    /// Whether it is written. An event goes with a verdict that changed.
    async fn write(&mut self, object: &Value, judged: &Judged) -> bool {
        let plural = [WAF_PROFILE, RULE_SET, PROTECTION]
            .into_iter()
            .find(|(kind, _)| *kind == judged.kind)
            .map_or("", |it| it.1);
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            &judged.namespace,
            &resource(GROUP, VERSION, judged.kind, plural),
        );
        let now = format!("{:.0}", Timestamp::now());
        let conditions: Vec<Value> = judged
            .sentences
            .iter()
            .map(|sentence| {
                let before = condition(object, sentence.condition);
                let since =
                    (before["status"] == word(sentence.is)).then(|| before["lastTransitionTime"].clone());
                json!({
                    "type": sentence.condition, "status": word(sentence.is), "reason": sentence.reason,
                    "message": sentence.message, "observedGeneration": judged.generation,
                    "lastTransitionTime": since.filter(Value::is_string).unwrap_or_else(|| json!(now)),
                })
            })
            .collect();
        let status = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": judged.kind, "metadata": {"name": judged.name},
            "status": {"observedGeneration": judged.generation, "conditions": conditions},
        });
        let params = PatchParams::apply(super::FIELD_MANAGER).force();
        let done = api.patch_status(&judged.name, &params, &Patch::Apply(&status)).await;
        // It went meanwhile: nothing is left to be said.
        let done = match done {
            Err(kube::Error::Api(status)) if status.code == 404 => return true,
            done => done.is_ok(),
        };
        self.metrics.written(done);
        let accepted = &judged.sentences[0];
        let before = condition(object, accepted.condition);
        if done && (before["status"] != word(accepted.is) || before["reason"] != accepted.reason) {
            self.publish(object, judged).await;
        }
        done
    }

    async fn publish(&self, object: &Value, judged: &Judged) {
        let sentence = &judged.sentences[0];
        let about = ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(judged.kind.to_owned()),
            namespace: Some(judged.namespace.clone()),
            name: Some(judged.name.clone()),
            uid: object["metadata"]["uid"].as_str().map(str::to_owned),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: if sentence.is { EventType::Normal } else { EventType::Warning },
            reason: sentence.reason.to_owned(),
            note: Some(sentence.message.chars().take(NOTE_CHARS_MAX).collect()),
            action: "Judge".to_owned(),
            secondary: None,
        };
        // An event that is lost is a line less for people; the condition says the same.
        let _ = self.recorder.publish(&event, &about).await;
    }
}

/// Group, version, kind and plural.
const TARGETS: [(&str, &str, &str, &str); 8] = [
    ("", "v1", "Service", "services"),
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("apps", "v1", "DaemonSet", "daemonsets"),
    ("apps", "v1", "ReplicaSet", "replicasets"),
    ("networking.k8s.io", "v1", "Ingress", "ingresses"),
    ("gateway.networking.k8s.io", "v1", "Gateway", "gateways"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
];

const SETTLE: Duration = Duration::from_millis(50);
const PAUSE_MIN: Duration = Duration::from_millis(500);
const AGAIN: Duration = Duration::from_secs(30);
/// The API takes notes of up to 1024 bytes.
const NOTE_CHARS_MAX: usize = 250;
