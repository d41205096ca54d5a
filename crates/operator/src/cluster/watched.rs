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

/// What is kept of each object of one kind: the whole of it, or what is read of it. Whoever drops it ends the watch.
#[derive(Debug)]
pub struct Watched<T> {
    kept: Arc<Kept<T>>,
    task: tokio::task::AbortHandle,
}

#[derive(Debug)]
struct Kept<T> {
    objects: Mutex<BTreeMap<Name, Arc<T>>>,
    read: AtomicBool,
    trouble: Mutex<Option<String>>,
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Begins to watch. `changed` is told of every change; several that come together are one.
    pub fn start(api: Api<T>, config: watcher::Config, changed: Arc<Notify>) -> Self
    where
        T: Resource + Clone + DeserializeOwned + Debug,
    {
        Self::read(api, config, changed, |object| object)
    }

    /// The same, kept without what `slim` takes away.
    pub fn slim(api: Api<T>, config: watcher::Config, changed: Arc<Notify>, slim: fn(&mut T)) -> Self
    where
        T: Resource + Clone + DeserializeOwned + Debug,
    {
        Self::read(api, config, changed, move |mut object| {
            slim(&mut object);
            object
        })
    }

    /// The same, of which is kept what `read` makes of each: a Pod without any field is larger than all that is read of one.
    pub fn read<K>(
        api: Api<K>,
        config: watcher::Config,
        changed: Arc<Notify>,
        read: impl Fn(K) -> T + Send + 'static,
    ) -> Self
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let (objects, trouble) = (Mutex::default(), Mutex::default());
        let kept = Arc::new(Kept { objects, read: AtomicBool::new(false), trouble });
        let task = tokio::spawn(follow(api, config, Arc::clone(&kept), changed, read)).abort_handle();
        Watched { kept, task }
    }

    /// All of them, by namespace and name.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.kept.objects().values().cloned().collect()
    }

    /// Their namespaces and names.
    pub fn names(&self) -> Vec<(String, String)> {
        self.kept.objects().keys().cloned().collect()
    }

    /// One of them.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<T>> {
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

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<T> Kept<T> {
    /// A map of whole objects is never half changed.
    fn objects(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<T>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow<K, T>(
    api: Api<K>,
    config: watcher::Config,
    kept: Arc<Kept<T>>,
    changed: Arc<Notify>,
    read: impl Fn(K) -> T,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut first = BTreeMap::new();
    let trouble = || kept.trouble.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object)) => {
                let name = name_of(&object);
                let object = Arc::new(read(object));
                drop(kept.objects().insert(name, object))
            }
            Ok(watcher::Event::Delete(object)) => drop(kept.objects().remove(&name_of(&object))),
            Ok(watcher::Event::Init) => {
                first.clear();
                continue;
            }
            Ok(watcher::Event::InitApply(object)) => {
                first.insert(name_of(&object), Arc::new(read(object)));
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
