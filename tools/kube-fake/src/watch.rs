//! Watches: what changed, in order, as a stream of JSON documents.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

use crate::body::{Body, Broken};
use crate::kinds::Kind;
use crate::options;
use crate::request::{Place, Request};
use crate::selector::Selection;
use crate::server::Shared;
use crate::status::Failed;
use crate::store::{Change, key};

/// What a test asks of all watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The connection breaks.
    Drop,
    /// Each is told that its version is too old, and ends.
    Expire,
    /// Each is told the version of now.
    Bookmark,
}

struct Watch {
    shared: Arc<Shared>,
    kind: Arc<Kind>,
    api_version: String,
    namespace: Option<String>,
    partial: bool,
    selection: Selection,
    bookmarks: bool,
    /// What was told up to here.
    version: u64,
    sender: mpsc::Sender<Result<Bytes, Broken>>,
}

/// Begins to watch; the body goes on by itself.
pub(crate) fn start(
    shared: &Arc<Shared>,
    kind: &Arc<Kind>,
    place: &Place,
    request: &Request,
) -> Result<Body, Failed> {
    options::check_list(request, true)?;
    let mut fields = request.query("fieldSelector").to_owned();
    if let Some(name) = &place.name {
        fields = format!("metadata.name={name}");
    }
    let selection = Selection::parse(kind, request.query("labelSelector"), &fields)?;
    let asked = request.query("resourceVersion");
    let from: u64 = match asked {
        "" => 0,
        text => text.parse().map_err(|_| {
            let told = format!(
                "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
            );
            Failed::internal(told)
        })?,
    };
    let (sender, receiver) = mpsc::channel(64);
    let initial =
        request.flag("sendInitialEvents") || (from == 0 && request.query("sendInitialEvents") != "false");
    let mut watch = Watch {
        shared: Arc::clone(shared),
        kind: Arc::clone(kind),
        api_version: kind.api_version(&place.version),
        namespace: place.namespace.clone(),
        partial: request.header("accept").contains("as=PartialObjectMetadata"),
        selection,
        bookmarks: request.flag("allowWatchBookmarks"),
        version: from,
        sender,
    };
    let commands = shared.commands.subscribe();
    let mut first = Vec::new();
    {
        let store = shared.store();
        if initial {
            let namespace = watch.namespace.as_deref();
            for (_, object) in
                store.list(kind, namespace).filter(|(_, object)| watch.selection.matches(object))
            {
                first.push(watch.line("ADDED", object));
            }
            watch.version = store.version();
            if request.flag("sendInitialEvents") && watch.bookmarks {
                first.push(watch.bookmark(true));
            }
        } else if from < store.forgotten {
            first.push(too_old(from, store.forgotten));
        }
    }
    let ended = first.len() == 1 && !initial;
    let timeout = request.query("timeoutSeconds").parse().map_or(TIMEOUT, Duration::from_secs);
    let changed = shared.changed.subscribe();
    tokio::spawn(async move {
        for line in first {
            if watch.sender.send(Ok(line)).await.is_err() {
                return;
            }
        }
        if !ended {
            watch.follow(changed, commands, Instant::now() + timeout).await;
        }
    });
    Ok(Body::Stream(receiver))
}

impl Watch {
    async fn follow(
        mut self,
        mut changed: watch::Receiver<u64>,
        mut commands: broadcast::Receiver<Command>,
        end: Instant,
    ) {
        // As a real server: a mark shortly before the end, so that the next watch begins where this one ended.
        let mut last_mark = end.checked_sub(Duration::from_secs(2)).filter(|_| self.bookmarks);
        loop {
            for line in self.news() {
                if self.sender.send(Ok(line)).await.is_err() {
                    return;
                }
            }
            let wake = last_mark.unwrap_or(end);
            tokio::select! {
                it = changed.changed() => if it.is_err() { return },
                command = commands.recv() => match command {
                    Ok(Command::Drop) => {
                        let _ = self.sender.send(Err(Broken)).await;
                        return;
                    }
                    Ok(Command::Expire) => {
                        let now = self.shared.store().version();
                        let _ = self.sender.send(Ok(too_old(self.version, now))).await;
                        return;
                    }
                    Ok(Command::Bookmark) => {
                        for line in self.news() {
                            let _ = self.sender.send(Ok(line)).await;
                        }
                        let _ = self.sender.send(Ok(self.bookmark(false))).await;
                    }
                    Err(_) => {}
                },
                () = tokio::time::sleep_until(wake) => {
                    if last_mark.take().is_none() {
                        return;
                    }
                    let line = self.bookmark(false);
                    if self.sender.send(Ok(line)).await.is_err() {
                        return;
                    }
                },
                () = self.sender.closed() => return,
            }
        }
    }

    /// What is to be told since the last time.
    fn news(&mut self) -> Vec<Bytes> {
        let shared = Arc::clone(&self.shared);
        let store = shared.store();
        let lines = store.since(self.version).filter_map(|change| self.told(change)).collect();
        // From the future: silent until that future is there.
        self.version = self.version.max(store.version());
        lines
    }

    fn told(&self, change: &Change) -> Option<Bytes> {
        if change.kind != key(&self.kind) {
            return None;
        }
        let namespace = change.last["metadata"]["namespace"].as_str();
        if self.namespace.is_some() && self.namespace.as_deref() != namespace {
            return None;
        }
        let was = change.old.as_ref().is_some_and(|old| self.selection.matches(old));
        let is = change.new.as_ref().is_some_and(|new| self.selection.matches(new));
        match (was, is) {
            (false, true) => Some(self.line("ADDED", &change.last)),
            (true, true) => Some(self.line("MODIFIED", &change.last)),
            (true, false) => {
                // What it was, with the version of the change by which it went.
                let mut old = Value::clone(change.old.as_ref()?);
                old["metadata"]["resourceVersion"] = change.last["metadata"]["resourceVersion"].clone();
                Some(self.line("DELETED", &old))
            }
            (false, false) => None,
        }
    }

    fn line(&self, event: &str, object: &Value) -> Bytes {
        let mut object = object.clone();
        object["apiVersion"] = json!(self.api_version);
        if self.partial {
            object = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]});
        }
        line(event, &object)
    }

    fn bookmark(&self, end_of_initial: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": self.version.to_string()});
        if end_of_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        self.line("BOOKMARK", &json!({"kind": self.kind.kind, "metadata": metadata}))
    }
}

fn too_old(version: u64, oldest: u64) -> Bytes {
    let failed = Failed::expired(format!("too old resource version: {version} ({oldest})"));
    line("ERROR", &failed.body.unwrap_or(Value::Null))
}

fn line(event: &str, object: &Value) -> Bytes {
    let mut text = json!({"type": event, "object": object}).to_string();
    text.push('\n');
    Bytes::from(text)
}

/// Real servers end watches after five to ten minutes.
const TIMEOUT: Duration = Duration::from_secs(300);
