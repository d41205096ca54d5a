//! Lists, watches and failures as kube's own client meets them.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::WatchEvent;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Config};
use palisade_kube_fake::{Answer, Fault, Server};
use serde_json::json;

fn client(server: &Server) -> Client {
    let config = Config::new(server.url().parse().expect("an address"));
    Client::try_from(config).expect("a client needs no files")
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": value}})).expect("a ConfigMap")
}

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .unwrap_or_else(|_| panic!("waited for {what}"))
}

#[tokio::test]
async fn a_watch_tells_every_change_in_order_and_nothing_of_writes_without_change() {
    let server = Server::start();
    let api: Api<ConfigMap> = Api::namespaced(client(&server), "default");
    let first = api.create(&PostParams::default(), &config_map("w", "1")).await.expect("created");
    let from = first.metadata.resource_version.expect("a version");
    let mut other = config_map("w", "2");
    other.metadata.resource_version = Some(from.clone());
    let second = api.replace("w", &PostParams::default(), &other).await.expect("replaced");
    let same = api.replace("w", &PostParams::default(), &second).await.expect("replaced by itself");
    assert_eq!(same.metadata.resource_version, second.metadata.resource_version);
    api.patch("w", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"labels": {"q": "1"}}})))
        .await
        .expect("patched");
    api.delete("w", &DeleteParams::default()).await.expect("deleted");
    let events = api.watch(&kube::api::WatchParams::default().timeout(1), &from).await.expect("a watch");
    let told: Vec<String> = patiently("the watch to end", events.try_collect::<Vec<_>>())
        .await
        .expect("events")
        .iter()
        .map(|event| match event {
            WatchEvent::Added(_) => "added".to_owned(),
            WatchEvent::Modified(_) => "modified".to_owned(),
            WatchEvent::Deleted(last) => format!(
                "deleted {}",
                last.metadata.labels.as_ref().map_or(0, std::collections::BTreeMap::len)
            ),
            WatchEvent::Bookmark(_) => "bookmark".to_owned(),
            WatchEvent::Error(error) => format!("error {}", error.code),
        })
        .filter(|told| told != "bookmark")
        .collect();
    assert_eq!(told, ["modified", "modified", "deleted 1"]);
}

#[tokio::test]
async fn what_stops_matching_is_told_as_deleted_with_its_old_labels_and_the_new_version() {
    let server = Server::start();
    let api: Api<ConfigMap> = Api::namespaced(client(&server), "default");
    let put = |team: &str| {
        server.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "w", "labels": {"team": team}}}))
    };
    put("a");
    let from = server.version().to_string();
    put("b");
    put("b2");
    let back = put("a");
    let params = kube::api::WatchParams::default().labels("team=a").timeout(1);
    let events = api.watch(&params, &from).await.expect("a watch");
    let events: Vec<_> = patiently("the watch to end", events.try_collect()).await.expect("events");
    let [WatchEvent::Deleted(old), WatchEvent::Added(new), ..] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(old.metadata.labels.as_ref().expect("labels")["team"], "a");
    let version = |object: &ConfigMap| {
        object.metadata.resource_version.clone().expect("a version").parse::<u64>().expect("a number")
    };
    assert_eq!(version(old), from.parse::<u64>().expect("a number") + 1);
    assert_eq!(new.metadata.resource_version.as_deref(), back["metadata"]["resourceVersion"].as_str());
}

/// The informer of kube-runtime, through everything that may happen to its watch.
async fn survives(strategy: watcher::Config) {
    let server = Server::start();
    let api: Api<ConfigMap> = Api::namespaced(client(&server), "default");
    let put = |value: &str| {
        server.put(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "w"}, "data": {"v": value}}),
        )
    };
    put("0");
    let mut applied = Box::pin(watcher(api, strategy).default_backoff().applied_objects());
    let mut next = async |value: &str| loop {
        let object = patiently(value, applied.next()).await.expect("a watcher never ends");
        // Errors in between are what this is about.
        if object.is_ok_and(|object| object.data.is_some_and(|data| data["v"] == value)) {
            return;
        }
    };
    next("0").await;
    put("1");
    next("1").await;
    server.drop_watches();
    put("2");
    next("2").await;
    server.expire_watches();
    put("3");
    next("3").await;
    server.bookmark();
    server.away(true);
    put("4");
    server.away(false);
    next("4").await;
    server.fail(Fault {
        method: Some("GET".into()),
        path: "/configmaps".into(),
        times: 2,
        answer: Answer::Status(500, "InternalError", "on request"),
    });
    server.expire_watches();
    put("5");
    next("5").await;
}

#[tokio::test]
async fn an_informer_survives_drops_expiry_absence_and_errors() {
    survives(watcher::Config::default()).await;
}

#[tokio::test]
async fn a_streaming_list_survives_the_same() {
    survives(watcher::Config::default().streaming_lists()).await;
}

#[tokio::test]
async fn pages_of_a_list_are_one_moment() {
    let server = Server::start();
    for n in 0..5 {
        server.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{n}")}}));
    }
    let api: Api<ConfigMap> = Api::namespaced(client(&server), "default");
    let first = api.list(&ListParams::default().limit(2)).await.expect("a page");
    server.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c9"}}));
    server.delete("configmaps", "default", "c3");
    let token = first.metadata.continue_.expect("there is more");
    let rest = api.list(&ListParams::default().continue_token(&token)).await.expect("the rest");
    let names: Vec<_> = rest.items.iter().filter_map(|item| item.metadata.name.as_deref()).collect();
    assert_eq!(names, ["c2", "c3", "c4"]);
    server.compact();
    let Err(kube::Error::Api(status)) = api.list(&ListParams::default().continue_token(&token)).await else {
        panic!("an old page after compaction");
    };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
}

#[tokio::test]
async fn a_dropped_answer_does_not_say_whether_it_was_done() {
    let server = Server::start();
    let api: Api<ConfigMap> = Api::namespaced(client(&server), "default");
    let fault = |answer| Fault { method: Some("POST".into()), path: "/configmaps".into(), times: 1, answer };
    server.fail(fault(Answer::Dropped));
    assert!(api.create(&PostParams::default(), &config_map("a", "1")).await.is_err());
    assert!(server.get("configmaps", "default", "a").is_none());
    server.fail(fault(Answer::DroppedAfter));
    assert!(api.create(&PostParams::default(), &config_map("a", "1")).await.is_err());
    assert!(server.get("configmaps", "default", "a").is_some());
}
