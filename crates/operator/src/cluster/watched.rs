//! Objects of one kind, kept as the API server tells of them.
//!
//! A kind that the cluster does not serve is as good as one without objects; it is asked for again with pauses, so that a
//! CRD that comes later is seen. Connections that break, versions that are too old and servers that are away are waited
//! out; until then what was read last stays.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use kube::api::ApiResource;
use kube::core::GroupVersionKind;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

/// Namespace and name.
type Name = (String, String);

/// Objects of one kind. Whoever drops it ends the watch.
#[derive(Debug)]
pub struct Watched<K> {
    kept: Arc<Kept<K>>,
    task: tokio::task::AbortHandle,
}

#[derive(Debug)]
struct Kept<K> {
    objects: Mutex<BTreeMap<Name, Arc<K>>>,
    read: AtomicBool,
    trouble: Mutex<Option<String>>,
}

impl<K> Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    /// Begins to watch. `changed` is told of every change; several that come together are one.
    pub fn start(api: Api<K>, config: watcher::Config, changed: Arc<Notify>) -> Watched<K> {
        Self::slim(api, config, changed, |_| {})
    }

    /// The same, kept without what `slim` takes away: what nobody here reads is most of a Pod.
    pub fn slim(api: Api<K>, config: watcher::Config, changed: Arc<Notify>, slim: fn(&mut K)) -> Watched<K> {
        let (objects, trouble) = (Mutex::default(), Mutex::default());
        let kept = Arc::new(Kept { objects, read: AtomicBool::new(false), trouble });
        let task = tokio::spawn(follow(api, config, Arc::clone(&kept), changed, slim)).abort_handle();
        Watched { kept, task }
    }

    /// All of them, by namespace and name.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.kept.objects().values().cloned().collect()
    }

    /// Their namespaces and names.
    pub fn names(&self) -> Vec<(String, String)> {
        self.kept.objects().keys().cloned().collect()
    }

    /// One of them.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.kept.objects().get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// What keeps objects from being read, if anything does. It is tried again.
    pub fn trouble(&self) -> Option<String> {
        self.kept.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether all were read once, or the cluster was found to have no such kind.
    pub fn is_read(&self) -> bool {
        self.kept.read.load(Ordering::Acquire)
    }
}

impl<K> Drop for Watched<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K> Kept<K> {
    /// A map of whole objects is never half changed.
    fn objects(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<K>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
    kept: Arc<Kept<K>>,
    changed: Arc<Notify>,
    slim: fn(&mut K),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut first = BTreeMap::new();
    let trouble = || kept.trouble.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(mut object)) => {
                slim(&mut object);
                drop(kept.objects().insert(name_of(&object), Arc::new(object)))
            }
            Ok(watcher::Event::Delete(object)) => drop(kept.objects().remove(&name_of(&object))),
            Ok(watcher::Event::Init) => {
                first.clear();
                continue;
            }
            Ok(watcher::Event::InitApply(mut object)) => {
                slim(&mut object);
                first.insert(name_of(&object), Arc::new(object));
                continue;
            }
            Ok(watcher::Event::InitDone) => {
                *kept.objects() = std::mem::take(&mut first);
                kept.read.store(true, Ordering::Release);
            }
            Err(error) if is_absent(&error) => {
                kept.objects().clear();
                kept.read.store(true, Ordering::Release);
            }
            // The watch begins again by itself, with pauses.
            Err(error) => {
                *trouble() = Some(error.to_string());
                changed.notify_one();
                continue;
            }
        }
        *trouble() = None;
        changed.notify_one();
    }
}

fn name_of<K: Resource>(object: &K) -> Name {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// The cluster does not serve the kind.
fn is_absent(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return false;
    };
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// A kind that is known by name alone.
pub fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}
