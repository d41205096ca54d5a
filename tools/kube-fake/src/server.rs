//! The server: what tests hold in hand, and the way of a request through it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};

use crate::apply::{self, Writer};
use crate::body::{Body, Broken};
use crate::credentials::{Credentials, Identity, kubeconfig};
use crate::faults::{Answer, Fault};
use crate::guard::Guard;
use crate::kinds::{Kind, Scope, split};
use crate::request::{self, Place, Request, Seen};
use crate::status::Failed;
use crate::store::{self, Store};
use crate::verbs::{self, Asked};
use crate::watch::Command;
use crate::{admission, builtin, discovery, schema};

/// An API server on loopback. It ends when it is dropped.
///
/// Objects are named by `RESOURCE`, namespace and name: `services`, `apps/deployments`, `palisade.dev/wafprofiles`; the
/// namespace is empty for what lives in the cluster.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    store: Mutex<Store>,
    /// The version of the store, for those who wait for a change.
    pub(crate) changed: watch::Sender<u64>,
    pub(crate) commands: broadcast::Sender<Command>,
    faults: Mutex<Vec<Fault>>,
    seen: Mutex<Vec<Seen>>,
    away: watch::Sender<bool>,
    services: Mutex<BTreeMap<(String, String), SocketAddr>>,
    /// Where it is spoken to by TLS, and asks who comes.
    guard: Option<Guard>,
}

impl Server {
    /// Starts with the namespaces of an empty cluster, on a free port.
    ///
    /// # Panics
    /// Where loopback has no free port, as tests may.
    #[must_use]
    pub fn start() -> Server {
        Self::guarded(None)
    }

    /// The same by TLS, for those who show [`Server::credentials`].
    ///
    /// # Panics
    /// As [`Server::start`].
    #[must_use]
    pub fn start_secure() -> Server {
        Self::guarded(Some(Guard { credentials: Credentials::new() }))
    }

    fn guarded(guard: Option<Guard>) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread for the server");
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        listener.set_nonblocking(true).expect("a socket can be made non-blocking");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            store: Mutex::new(Store::new()),
            changed: watch::Sender::new(0),
            commands: broadcast::Sender::new(16),
            faults: Mutex::default(),
            seen: Mutex::default(),
            away: watch::Sender::new(false),
            services: Mutex::default(),
            guard,
        });
        let serving = Arc::clone(&shared);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener of this runtime");
            serve(listener, serving).await;
        });
        Server { shared, address, runtime: Some(runtime) }
    }

    /// `http://127.0.0.1:PORT`, or `https://`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.shared.guard.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients have to show, where it is spoken to by TLS.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.shared.guard.as_ref().map(|guard| &guard.credentials)
    }

    /// A kubeconfig file that leads here.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        match self.credentials() {
            Some(credentials) => credentials.kubeconfig(&self.url(), Identity::Token),
            None => kubeconfig(&json!({"server": self.url()}), &json!({})),
        }
    }

    /// Serves a kind as a CRD without a schema would: `serve("projectcalico.org/v3", "Tier", "tiers", Scope::Cluster)`.
    pub fn serve(&self, api_version: &str, kind: &str, plural: &str, scope: Scope) {
        let (group, version) = split(api_version);
        self.shared.store().kinds.add(Kind {
            group: group.to_owned(),
            versions: vec![version.to_owned()],
            plural: plural.to_owned(),
            singular: kind.to_lowercase(),
            kind: kind.to_owned(),
            scope,
            status: true,
            generation: true,
            strict_update: true,
            custom: true,
            selectable: Vec::new(),
            schema: None,
            short_names: Vec::new(),
        });
    }

    /// Keeps an object as it is (status, finalizers, deletion and all), whatever was there; its namespace comes by itself.
    /// What has no namespace goes to `default`, where its kind has any. The object as it is kept.
    ///
    /// # Panics
    /// For a kind that is not served: [`Server::serve`] it, or put its CRD first.
    pub fn put(&self, mut object: Value) -> Value {
        let mut store = self.shared.store();
        let Some(kind) = store.kinds.of_object(&object).cloned() else {
            panic!("{} {} is not served here", object["apiVersion"], object["kind"]);
        };
        store::placed(&kind, &mut object);
        let (namespace, name) = store::name_of(&object);
        store.namespace(&namespace);
        match store.get(&kind, &namespace, &name).cloned() {
            Some(old) => {
                for field in ["uid", "creationTimestamp"] {
                    object["metadata"][field] = old["metadata"][field].clone();
                }
                let generation = &object["metadata"]["generation"];
                if kind.generation && generation.is_null() {
                    let changed = old["spec"] != object["spec"];
                    let before = old["metadata"]["generation"].as_i64().unwrap_or(0);
                    object["metadata"]["generation"] = json!(before + i64::from(changed));
                }
            }
            None => {
                let status = object.get("status").cloned();
                store.identify(&kind, &mut object);
                let made = store.version();
                builtin::fill_in(&kind, &mut object, made);
                if let Some(status) = status {
                    object["status"] = status;
                }
            }
        }
        let kept = store.put(&kind, object);
        kind_changed(&mut store, &kind, &kept);
        drop(store);
        self.shared.tell();
        Value::clone(&kept)
    }

    /// An object, if there is one.
    ///
    /// # Panics
    /// For a resource that is not served.
    #[must_use]
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let store = self.shared.store();
        let kind = named(&store, resource);
        store.get(&kind, namespace, name).map(|object| Value::clone(object))
    }

    /// All objects of a resource, in one namespace or in all.
    ///
    /// # Panics
    /// For a resource that is not served.
    #[must_use]
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Value> {
        let store = self.shared.store();
        let kind = named(&store, resource);
        store.list(&kind, namespace).map(|(_, object)| Value::clone(object)).collect()
    }

    /// Takes an object away, finalizers or not. Whether there was one.
    ///
    /// # Panics
    /// For a resource that is not served.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> bool {
        let mut store = self.shared.store();
        let kind = named(&store, resource);
        let there = store.get(&kind, namespace, name).is_some();
        verbs::remove(&mut store, &kind, namespace, name);
        drop(store);
        self.shared.tell();
        there
    }

    /// Changes an object by a merge patch (RFC 7386), as a test's own hand does: nobody is asked to admit it.
    ///
    /// # Panics
    /// For a resource that is not served, and an object that is not there.
    pub fn patch(&self, resource: &str, namespace: &str, name: &str, patch: &Value) {
        let mut store = self.shared.store();
        let kind = named(&store, resource);
        let Some(old) = store.get(&kind, namespace, name).map(|object| Value::clone(object)) else {
            panic!("there is no {resource} {namespace}/{name}");
        };
        let mut object = old.clone();
        crate::patch::merge(&mut object, patch);
        let (api_version, time) = (kind.api_version(&kind.versions[0]), store::now());
        let writer = Writer { name: "kubectl-edit", api_version: &api_version, status: false, time: &time };
        apply::written(&kind, Some(&old), &mut object, writer);
        let kept = store.put(&kind, object);
        kind_changed(&mut store, &kind, &kept);
        drop(store);
        self.shared.tell();
    }

    /// All requests so far, in the order in which they were answered.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// The version of the last write.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.shared.store().version()
    }

    /// The next requests of this form fail.
    pub fn fail(&self, fault: Fault) {
        lock(&self.shared.faults).push(fault);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Breaks the connection of every watch.
    pub fn drop_watches(&self) {
        let _ = self.shared.commands.send(Command::Drop);
    }

    /// Tells every watch that its version is too old (410), and forgets all history.
    pub fn expire_watches(&self) {
        self.compact();
        let _ = self.shared.commands.send(Command::Expire);
    }

    /// Sends a bookmark to every watch.
    pub fn bookmark(&self) {
        let _ = self.shared.commands.send(Command::Bookmark);
    }

    /// Forgets all history: watches and pages from before it are told 410.
    pub fn compact(&self) {
        self.shared.store().compact();
        self.shared.tell();
    }

    /// Where webhooks of a Service are: those whose `clientConfig` names it are called there, by TLS, under the Service's name.
    pub fn service(&self, namespace: &str, name: &str, address: SocketAddr) {
        lock(&self.shared.services).insert((namespace.to_owned(), name.to_owned()), address);
    }

    /// Away: connections are closed, and new ones at once; what is stored stays.
    pub fn away(&self, away: bool) {
        self.shared.away.send_replace(away);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    pub(crate) fn service(&self, namespace: &str, name: &str) -> Option<SocketAddr> {
        lock(&self.services).get(&(namespace.to_owned(), name.to_owned())).copied()
    }

    fn tell(&self) {
        let version = self.store().version();
        self.changed.send_replace(version);
    }
}

/// A test that panicked with the lock in hand has failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn named(store: &Store, resource: &str) -> Arc<Kind> {
    let (group, plural) = resource.split_once('/').unwrap_or(("", resource));
    match store.kinds.get(group, plural) {
        Some(kind) => Arc::clone(kind),
        None => panic!("{resource} is not served here"),
    }
}

/// A CRD came, changed or went: so does its kind.
pub(crate) fn kind_changed(store: &mut Store, kind: &Kind, object: &Value) {
    if kind.kind != "CustomResourceDefinition" {
        return;
    }
    let Some(declared) = schema::kind_of(object) else { return };
    let there = store.get(kind, "", object["metadata"]["name"].as_str().unwrap_or("")).is_some();
    if !there {
        store.kinds.remove(&declared.group, &declared.plural);
        return;
    }
    store.kinds.add(declared);
    if object["status"]["conditions"].is_null() {
        let mut established = object.clone();
        schema::established(&mut established);
        store.put(kind, established);
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let tls = shared.guard.as_ref().map(Guard::acceptor);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let mut away = shared.away.subscribe();
        if *away.borrow_and_update() {
            continue;
        }
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        tokio::spawn(async move {
            let connection = async {
                let Some(tls) = tls else { return connection(&shared, stream, false).await };
                let Ok(stream) = tls.accept(stream).await else { return };
                let certified = stream.get_ref().1.peer_certificates().is_some();
                connection(&shared, stream, certified).await;
            };
            tokio::select! {
                () = connection => {}
                _ = away.wait_for(|away| *away) => {}
            }
        });
    }
}

async fn connection<S>(shared: &Arc<Shared>, stream: S, certified: bool)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| answered(shared, request, certified));
    // A client that goes away ends a connection.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answered(
    shared: &Arc<Shared>,
    request: http::Request<Incoming>,
    certified: bool,
) -> Result<Response<Body>, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: request::query(head.uri.query().unwrap_or("")),
        headers: head.headers,
        body,
    };
    let fault = {
        let mut faults = lock(&shared.faults);
        let fault = faults.iter_mut().find(|fault| fault.is_of(&request));
        fault.map(|fault| {
            fault.times -= 1;
            fault.answer.clone()
        })
    };
    let answer = match fault {
        Some(Answer::Status(code, reason, message)) => Err(Failed::status(code, Some(reason), message, None)),
        Some(Answer::Dropped) => {
            lock(&shared.seen).push(request.seen(0));
            return Err(Broken);
        }
        Some(Answer::DroppedAfter) => {
            let _ = answer(shared, &request, certified).await;
            shared.tell();
            lock(&shared.seen).push(request.seen(0));
            return Err(Broken);
        }
        None => answer(shared, &request, certified).await,
    };
    shared.tell();
    let (code, media, body) = match answer {
        Ok((code, body)) => (code, "application/json", body),
        Err(failed) => {
            let (media, text) = match failed.body {
                Ok(status) => ("application/json", status.to_string()),
                Err(text) => ("text/plain; charset=utf-8", text),
            };
            (failed.code, media, Body::Whole(Some(Bytes::from(text))))
        }
    };
    lock(&shared.seen).push(request.seen(code));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).expect("codes of this server are codes");
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(media));
    if matches!(code, 429 | 504) {
        response.headers_mut().insert("retry-after", http::HeaderValue::from_static("1"));
    }
    Ok(response)
}

async fn answer(shared: &Arc<Shared>, request: &Request, certified: bool) -> Result<(u16, Body), Failed> {
    if let Some(guard) = &shared.guard {
        guard.check(request, certified)?;
    }
    let whole = |value: &Value| Body::Whole(Some(Bytes::from(value.to_string())));
    if matches!(request.path.as_str(), "/livez" | "/readyz" | "/healthz") {
        return Ok((200, Body::Whole(Some(Bytes::from_static(b"ok")))));
    }
    let Some(place) = Place::parse(&request.path) else {
        let found = discovery::answer(&shared.store().kinds, &request.path, request.header("accept"))?;
        return Ok((200, whole(&found)));
    };
    let kind = {
        let store = shared.store();
        let known = store.kinds.get(&place.group, &place.plural).cloned();
        match known.filter(|kind| kind.versions.contains(&place.version)) {
            Some(kind) => kind,
            None if store.kinds.has_group(&place.group) => return Err(Failed::no_such_resource()),
            None => return Err(Failed::page_not_found()),
        }
    };
    if request.header("accept").contains("as=Table") && !request.header("accept").contains(",") {
        return Err(Failed::not_here("tables"));
    }
    if let Some(subresource) = &place.subresource
        && !(subresource == "status" && kind.status)
    {
        return Err(match subresource.as_str() {
            "status" => Failed::no_such_resource(),
            other => Failed::not_here(format!("{}/{other}", kind.plural)),
        });
    }
    let asked = Asked { kind, place: &place, request };
    // An object of a namespace is written in its namespace.
    let homeless = asked.kind.scope == Scope::Namespaced && place.namespace.is_none();
    let watching = request.flag("watch") || place.watch;
    match (&request.method, &place.name) {
        (&Method::GET, _) if watching => {
            Ok((200, crate::watch::start(shared, &asked.kind, &place, request)?))
        }
        (&Method::GET, None) => Ok((200, whole(&verbs::list(&shared.store(), &asked)?))),
        (&Method::GET, Some(_)) => Ok((200, whole(&verbs::get(&shared.store(), &asked)?))),
        (&Method::POST | &Method::PUT | &Method::PATCH | &Method::DELETE, _) if homeless => {
            Err(Failed::page_not_found())
        }
        (&Method::DELETE, None) => Ok((200, whole(&verbs::delete_all(&mut shared.store(), &asked)?))),
        (&Method::POST, None) | (&Method::PUT | &Method::PATCH | &Method::DELETE, Some(_)) => {
            let (code, object) = write(shared, &asked).await?;
            Ok((code, whole(&object)))
        }
        _ => Err(Failed::method_not_allowed()),
    }
}

/// Prepares, has it admitted, puts it into force; again where the object was written meanwhile.
async fn write(shared: &Arc<Shared>, asked: &Asked<'_>) -> Result<(u16, Value), Failed> {
    for _ in 0..TRIES {
        let prepared = {
            let mut store = shared.store();
            match asked.request.method {
                Method::POST => verbs::create(&mut store, asked)?,
                Method::PUT => verbs::update(&store, asked)?,
                Method::PATCH => verbs::patched(&mut store, asked)?,
                _ => verbs::delete(&store, asked)?,
            }
        };
        let admitted = admission::admit(shared, asked, prepared).await?;
        if let Some(done) = verbs::commit(&mut shared.store(), asked, admitted) {
            return done;
        }
    }
    Err(Failed::modified(&asked.kind, asked.place.name.as_deref().unwrap_or("")))
}

/// Of a write that others come before.
const TRIES: usize = 16;
