//! Reading and writing objects: each verb prepared against the store, to be admitted, then put into force.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::apply::{self, Writer};
use crate::kinds::{Kind, Scope, split};
use crate::request::{Place, Request};
use crate::selector::Selection;
use crate::status::{Cause, Failed};
use crate::store::{self, Store};
use crate::{builtin, options, patch, schema};

/// A request about objects of a kind.
pub(crate) struct Asked<'a> {
    pub(crate) kind: Arc<Kind>,
    pub(crate) place: &'a Place,
    pub(crate) request: &'a Request,
}

/// A write that waits for admission.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) operation: &'static str,
    pub(crate) old: Option<Arc<Value>>,
    /// As it is to be. `None`: taken away.
    pub(crate) new: Option<Value>,
    pub(crate) status: bool,
    pub(crate) dry: bool,
    foreground: bool,
}

impl Asked<'_> {
    fn namespace(&self) -> &str {
        self.place.namespace.as_deref().unwrap_or("")
    }

    fn name(&self) -> &str {
        self.place.name.as_deref().unwrap_or("")
    }

    fn api_version(&self) -> String {
        self.kind.api_version(&self.place.version)
    }

    fn live(&self, store: &Store) -> Result<Arc<Value>, Failed> {
        let found = store.get(&self.kind, self.namespace(), self.name());
        found.cloned().ok_or_else(|| Failed::not_found(&self.kind, self.name()))
    }

    /// An object as this path shows it.
    pub(crate) fn shown(&self, object: &Value) -> Value {
        let mut shown = object.clone();
        shown["apiVersion"] = json!(self.api_version());
        if self.request.header("accept").contains("as=PartialObjectMetadata") {
            shown = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": shown["metadata"]});
        }
        shown
    }
}

pub(crate) fn get(store: &Store, asked: &Asked<'_>) -> Result<Value, Failed> {
    future(store, asked.request)?;
    Ok(asked.shown(&*asked.live(store)?))
}

/// A version that is not there yet: a real server waits three seconds before it says so.
fn future(store: &Store, request: &Request) -> Result<(), Failed> {
    let asked = request.query("resourceVersion");
    if asked.is_empty() || request.query("resourceVersionMatch") == "Exact" {
        return Ok(());
    }
    let version: u64 = asked.parse().map_err(|_| {
        let told = format!(
            "invalid resource version: resourceVersion: Invalid value: {asked:?}: strconv.ParseUint: parsing {asked:?}: invalid syntax"
        );
        Failed::bad_request(told)
    })?;
    if version <= store.version() {
        return Ok(());
    }
    let details = json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1});
    let told = format!("Timeout: Too large resource version: {version}, current: {}", store.version());
    Err(Failed::status(504, Some("Timeout"), told, Some(details)))
}

pub(crate) fn list(store: &Store, asked: &Asked<'_>) -> Result<Value, Failed> {
    let request = asked.request;
    options::check_list(request, false)?;
    let selection =
        Selection::parse(&asked.kind, request.query("labelSelector"), request.query("fieldSelector"))?;
    future(store, request)?;
    let mut version = store.version();
    let mut after = None;
    let token = request.query("continue");
    if !token.is_empty() {
        let parsed = token
            .split_once('.')
            .and_then(|(version, rest)| Some((version.parse::<i64>().ok()?, rest.split_once('/')?)));
        let Some((of, (namespace, name))) = parsed else {
            let told = "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value";
            return Err(Failed::bad_request(told));
        };
        // -1: whatever there is now.
        if let Ok(of) = u64::try_from(of) {
            if of < store.forgotten {
                let mut failed = Failed::expired(CONTINUE_EXPIRED);
                if let Ok(body) = &mut failed.body {
                    body["metadata"]["continue"] = json!(format!("-1.{namespace}/{name}"));
                }
                return Err(failed);
            }
            version = of;
        }
        after = Some((namespace.to_owned(), name.to_owned()));
    } else if request.query("resourceVersionMatch") == "Exact" {
        version = request.query("resourceVersion").parse().unwrap_or(version);
        if version < store.forgotten {
            return Err(Failed::expired("The resourceVersion for the provided list is too old."));
        }
    }
    let namespace = asked.place.namespace.as_deref();
    let snapshot;
    let all: Box<dyn Iterator<Item = (&store::Name, &Arc<Value>)>> = if version < store.version() {
        snapshot = store.at(&asked.kind, version);
        Box::new(
            snapshot.iter().filter(move |((of, _), _)| namespace.is_none_or(|namespace| namespace == of)),
        )
    } else {
        Box::new(store.list(&asked.kind, namespace))
    };
    let matching: Vec<_> = all
        .filter(|(name, object)| {
            after.as_ref().is_none_or(|after| *name > after) && selection.matches(object)
        })
        .collect();
    // From the cache: `limit` is not looked at.
    let limit = match request.query("resourceVersion") {
        "0" => 0,
        _ => request.query("limit").parse::<usize>().unwrap_or(0),
    };
    let taken = if limit == 0 { matching.len() } else { limit.min(matching.len()) };
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if taken < matching.len() {
        let (namespace, name) = matching[taken - 1].0;
        metadata["continue"] = json!(format!("{version}.{namespace}/{name}"));
        if selection.is_everything() {
            metadata["remainingItemCount"] = json!(matching.len() - taken);
        }
    }
    let items: Vec<Value> = matching[..taken].iter().map(|(_, object)| item(asked, object)).collect();
    Ok(list_of(asked, metadata, items))
}

/// Items of built-in kinds do not say what they are.
fn item(asked: &Asked<'_>, object: &Value) -> Value {
    let mut shown = asked.shown(object);
    if !asked.kind.custom
        && let Some(fields) = shown.as_object_mut()
    {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    shown
}

fn list_of(asked: &Asked<'_>, metadata: Value, items: Vec<Value>) -> Value {
    let partial = asked.request.header("accept").contains("as=PartialObjectMetadata");
    let (kind, api_version) = if partial {
        ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned())
    } else {
        (format!("{}List", asked.kind.kind), asked.api_version())
    };
    json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items})
}

/// A body as an object of the kind that the path is about.
fn object(asked: &Asked<'_>) -> Result<Value, Failed> {
    let (kind, request) = (&asked.kind, asked.request);
    let mut object: Value = match request.media_type() {
        "application/json" | "" => serde_json::from_slice(&request.body).map_err(|error| {
            let what = if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
            let text = String::from_utf8_lossy(&request.body);
            let told = format!(
                "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {what} ({text})",
                kind.kind
            );
            Failed::bad_request(told)
        })?,
        "application/yaml" => yaml(&request.body)?,
        _ => {
            return Err(Failed::media_type(&[
                "application/json",
                "application/yaml",
                "application/vnd.kubernetes.protobuf",
            ]));
        }
    };
    if !object.is_object() {
        return Err(Failed::bad_request("the body is not an object"));
    }
    let said = (object["apiVersion"].as_str().unwrap_or(""), object["kind"].as_str().unwrap_or(""));
    let (version, said_kind) = said;
    if !said_kind.is_empty() && said_kind != kind.kind {
        let (_, short) = split(version);
        let group = if kind.group.is_empty() { "core" } else { kind.group.split('.').next().unwrap_or("") };
        let told = format!(
            "{said_kind} in version {short:?} cannot be handled as a {}: converting ({short}.{said_kind}) to ({group}.{}): unknown conversion",
            kind.kind, kind.kind
        );
        return Err(Failed::bad_request(told));
    }
    let (group, short) = split(version);
    if !version.is_empty() && (group != kind.group || !kind.versions.iter().any(|served| served == short)) {
        let told = format!(
            "{} in version {short:?} cannot be handled as a {}: no kind {:?} is registered for version {version:?} in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30\"",
            kind.kind, kind.kind, kind.kind
        );
        return Err(Failed::bad_request(told));
    }
    object["apiVersion"] = json!(asked.api_version());
    object["kind"] = json!(kind.kind);
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    namespaced(asked, &mut object)?;
    Ok(object)
}

fn yaml(bytes: &[u8]) -> Result<Value, Failed> {
    let text = String::from_utf8_lossy(bytes);
    serde_saphyr::from_str(&text)
        .map_err(|error| Failed::bad_request(format!("error decoding YAML: {error}")))
}

/// The namespace of the path, which an object may repeat but not contradict.
fn namespaced(asked: &Asked<'_>, object: &mut Value) -> Result<(), Failed> {
    if let Some(said) = object["metadata"]["namespace"].as_str().filter(|said| !said.is_empty())
        && said != asked.namespace()
    {
        let told = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Failed::bad_request(told));
    }
    if asked.kind.scope == Scope::Namespaced {
        object["metadata"]["namespace"] = json!(asked.namespace());
    }
    Ok(())
}

pub(crate) fn create(store: &mut Store, asked: &Asked<'_>) -> Result<Prepared, Failed> {
    options::check(asked.request, "CreateOptions", false)?;
    let object = object(asked)?;
    created(store, asked, object)
}

fn created(store: &mut Store, asked: &Asked<'_>, mut object: Value) -> Result<Prepared, Failed> {
    let kind = &asked.kind;
    if object["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
        return Err(Failed::internal("resourceVersion should not be set on objects to be created"));
    }
    let prefix = object["metadata"]["generateName"].as_str().unwrap_or("").to_owned();
    let mut name = object["metadata"]["name"].as_str().unwrap_or("").to_owned();
    if name.is_empty() {
        if prefix.is_empty() {
            let cause = Cause::required("metadata.name", "name or generateName is required");
            return Err(Failed::invalid(kind, "", &[cause]));
        }
        name = format!("{prefix}{}", store.suffix());
        object["metadata"]["name"] = json!(name);
    }
    if kind.scope == Scope::Namespaced {
        let namespaces = Arc::clone(store.kinds.get("", "namespaces").expect("built in"));
        match store.get(&namespaces, "", asked.namespace()) {
            None => return Err(Failed::not_found(&namespaces, asked.namespace())),
            Some(namespace) if !namespace["metadata"]["deletionTimestamp"].is_null() => {
                let why = format!(
                    "unable to create new content in namespace {} because it is being terminated",
                    asked.namespace()
                );
                return Err(Failed::forbidden(kind, &name, &why));
            }
            Some(_) => {}
        }
    }
    if let Some(cause) = builtin::check_name(kind, &name) {
        return Err(Failed::invalid(kind, &name, &[cause]));
    }
    if let Some(existing) = store.get(kind, asked.namespace(), &name) {
        let deleting = !existing["metadata"]["deletionTimestamp"].is_null();
        return Err(Failed::already_exists(kind, &name, deleting));
    }
    if kind.status
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("status");
    }
    object["metadata"].as_object_mut().expect("made above").remove("deletionTimestamp");
    store.identify(kind, &mut object);
    let made = store.version();
    settle(kind, &mut object);
    builtin::fill_in(kind, &mut object, made);
    Ok(Prepared {
        operation: "CREATE",
        old: None,
        new: Some(object),
        status: false,
        dry: asked.request.query("dryRun") == "All",
        foreground: false,
    })
}

pub(crate) fn update(store: &Store, asked: &Asked<'_>) -> Result<Prepared, Failed> {
    options::check(asked.request, "UpdateOptions", false)?;
    let kind = &asked.kind;
    let object = object(asked)?;
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or("");
    if name != asked.name() {
        let told =
            format!("the name of the object ({name}) does not match the name on the URL ({})", asked.name());
        return Err(Failed::bad_request(told));
    }
    let version = metadata["resourceVersion"].as_str().unwrap_or("").to_owned();
    if version.parse::<u64>().is_err() && !version.is_empty() {
        return Err(Failed::internal(format!("strconv.ParseUint: parsing {version:?}: invalid syntax")));
    }
    let live = asked.live(store)?;
    if version.is_empty() && (kind.strict_update || kind.custom) {
        let cause = Cause::invalid("metadata.resourceVersion", "0", "must be specified for an update");
        return Err(Failed::invalid_as(&kind.qualified(), &kind.group, &kind.plural, name, &[cause]));
    }
    if let Some(uid) = metadata["uid"].as_str().filter(|uid| live["metadata"]["uid"] != **uid) {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{}/{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            kind.plural,
            asked.namespace(),
            live["metadata"]["uid"].as_str().unwrap_or("")
        );
        return Err(Failed::conflict(kind, name, &why));
    }
    if !version.is_empty() && live["metadata"]["resourceVersion"] != version {
        return Err(Failed::modified(kind, name));
    }
    updated(asked, live, object)
}

/// `object` in the place of `live`: what a write cannot change stays.
fn updated(asked: &Asked<'_>, live: Arc<Value>, mut object: Value) -> Result<Prepared, Failed> {
    let kind = &asked.kind;
    let status = asked.place.subresource.is_some();
    if status {
        let mut whole = Value::clone(&live);
        match object.get("status") {
            Some(status) => whole["status"] = status.clone(),
            None => drop(whole.as_object_mut().map(|fields| fields.remove("status"))),
        }
        if object["metadata"]["managedFields"].is_array() {
            whole["metadata"]["managedFields"] = object["metadata"]["managedFields"].clone();
        }
        object = whole;
    } else if kind.status {
        match live.get("status") {
            Some(status) => object["status"] = status.clone(),
            None => drop(object.as_object_mut().map(|fields| fields.remove("status"))),
        }
    }
    for field in KEPT {
        match live["metadata"].get(*field) {
            Some(value) => object["metadata"][*field] = value.clone(),
            None => drop(object["metadata"].as_object_mut().map(|metadata| metadata.remove(*field))),
        }
    }
    settle(kind, &mut object);
    if !live["metadata"]["deletionTimestamp"].is_null() {
        let before = live["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        let new: Vec<String> = object["metadata"]["finalizers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|it| !before.contains(it))
            .map(ToString::to_string)
            .collect();
        if !new.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                new.join(", ")
            );
            return Err(Failed::invalid(
                kind,
                asked.name(),
                &[Cause::forbidden("metadata.finalizers", &detail)],
            ));
        }
    }
    if kind.generation && !status && without_metadata(&object) != without_metadata(&live) {
        object["metadata"]["generation"] = json!(live["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
    }
    Ok(Prepared {
        operation: "UPDATE",
        old: Some(live),
        new: Some(object),
        status,
        dry: asked.request.query("dryRun") == "All",
        foreground: false,
    })
}

fn without_metadata(object: &Value) -> Map<String, Value> {
    let mut fields = object.as_object().cloned().unwrap_or_default();
    fields.remove("metadata");
    fields.remove("status");
    fields.remove("apiVersion");
    fields
}

pub(crate) fn patched(store: &mut Store, asked: &Asked<'_>) -> Result<Prepared, Failed> {
    let (kind, request) = (Arc::clone(&asked.kind), asked.request);
    let media = request.media_type();
    let applies = media == "application/apply-patch+yaml";
    options::check(request, "PatchOptions", applies)?;
    let body: Value = match serde_json::from_slice(&request.body) {
        Ok(body) => body,
        Err(_) if applies => yaml(&request.body)?,
        Err(error) => return Err(Failed::bad_request(format!("error decoding patch: {error}"))),
    };
    if applies {
        return applied(store, asked, body);
    }
    if asked.kind.custom && media == "application/strategic-merge-patch+json" {
        return Err(Failed::media_type(&[
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/apply-patch+yaml",
        ]));
    }
    let live = asked.live(store)?;
    let mut new = Value::clone(&live);
    match media {
        "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
            if !body.is_object() {
                let told = "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}";
                return Err(Failed::bad_request(told));
            }
            if media == "application/merge-patch+json" {
                patch::merge(&mut new, &body);
            } else {
                patch::strategic(&kind, &mut new, &body)?;
            }
        }
        "application/json-patch+json" => patch::json(&mut new, &body)?,
        _ => {
            let told = "415: Unsupported Media Type";
            return Err(Failed::status(415, Some("UnsupportedMediaType"), told, Some(json!({}))));
        }
    }
    if new["metadata"]["name"] != asked.name() {
        let said = new["metadata"]["name"].as_str().unwrap_or("");
        let told =
            format!("the name of the object ({said}) does not match the name on the URL ({})", asked.name());
        return Err(Failed::bad_request(told));
    }
    namespaced(asked, &mut new)?;
    if new["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"] {
        return Err(Failed::modified(&kind, asked.name()));
    }
    updated(asked, live, new)
}

fn applied(store: &mut Store, asked: &Asked<'_>, mut body: Value) -> Result<Prepared, Failed> {
    let kind = &asked.kind;
    let live = store.get(kind, asked.namespace(), asked.name()).cloned();
    apply::check(kind, asked.name(), &body, live.as_deref())?;
    namespaced(asked, &mut body)?;
    let status = asked.place.subresource.is_some();
    if !status && kind.status {
        // An intention about the object says nothing about its status.
        drop(body.as_object_mut().map(|fields| fields.remove("status")));
    }
    if status && let Some(fields) = body.as_object_mut() {
        fields.retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
        if let Some(metadata) = fields["metadata"].as_object_mut() {
            metadata.retain(|name, _| matches!(name.as_str(), "name" | "namespace"));
        }
    }
    let (name, api_version, time) = (asked.request.manager(), asked.api_version(), store::now());
    let writer = Writer { name: &name, api_version: &api_version, status, time: &time };
    match live {
        None if status => Err(Failed::not_found(kind, asked.name())),
        None => {
            let empty = json!({"apiVersion": api_version, "kind": kind.kind, "metadata": {}});
            let new = apply::apply(kind, &empty, &body, writer, true)?;
            created(store, asked, new)
        }
        Some(live) => {
            let new = apply::apply(kind, &live, &body, writer, asked.request.flag("force"))?;
            updated(asked, live, new)
        }
    }
}

/// A `DeleteOptions` and what it asks of the object.
pub(crate) fn delete(store: &Store, asked: &Asked<'_>) -> Result<Prepared, Failed> {
    options::check(asked.request, "DeleteOptions", false)?;
    let body: Value = serde_json::from_slice(&asked.request.body).unwrap_or(Value::Null);
    let policy = options::propagation(asked.request, &body)?;
    let live = asked.live(store)?;
    let preconditions = &body["preconditions"];
    for (field, of, after) in [
        ("uid", "UID", "The object might have been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "The object might have been modified"),
    ] {
        let (Some(wanted), is) =
            (preconditions[field].as_str(), live["metadata"][field].as_str().unwrap_or(""))
        else {
            continue;
        };
        if wanted != is {
            let (kind, name) = (&asked.kind.kind, asked.name());
            let told = format!(
                "Operation cannot be fulfilled on {kind} {name:?}: the {of} in the precondition ({wanted}) does not match the {of} in record ({is}). {after}"
            );
            let mut details = json!({"name": name, "kind": kind});
            if !asked.kind.group.is_empty() {
                details["group"] = json!(asked.kind.group);
            }
            return Err(Failed::status(409, Some("Conflict"), told, Some(details)));
        }
    }
    let dry = asked.request.query("dryRun") == "All" || body["dryRun"][0] == "All";
    Ok(deleted(live, policy == "Foreground", dry))
}

fn deleted(live: Arc<Value>, foreground: bool, dry: bool) -> Prepared {
    let held = live["metadata"]["finalizers"].as_array().is_some_and(|held| !held.is_empty());
    let mut new = None;
    if held || foreground {
        let mut marked = Value::clone(&live);
        if marked["metadata"]["deletionTimestamp"].is_null() {
            marked["metadata"]["deletionTimestamp"] = json!(store::now());
            marked["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        }
        if foreground {
            let finalizers = &mut marked["metadata"]["finalizers"];
            match finalizers.as_array_mut() {
                Some(finalizers) => finalizers.push(json!("foregroundDeletion")),
                None => *finalizers = json!(["foregroundDeletion"]),
            }
        }
        new = Some(marked);
    }
    Prepared { operation: "DELETE", old: Some(live), new, status: false, dry, foreground }
}

/// Puts an admitted write into force, unless the object was written meanwhile (`None`).
pub(crate) fn commit(
    store: &mut Store,
    asked: &Asked<'_>,
    mut prepared: Prepared,
) -> Option<Result<(u16, Value), Failed>> {
    let kind = &asked.kind;
    let of = prepared.new.as_ref().or(prepared.old.as_deref()).expect("a write is about something");
    let (namespace, name) = store::name_of(of);
    let now = store.get(kind, &namespace, &name);
    let same = match (now, &prepared.old) {
        (Some(now), Some(old)) => now["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"],
        (None, None) => true,
        _ => false,
    };
    if !same {
        return None;
    }
    let operation = prepared.operation;
    if let Some(new) = &mut prepared.new {
        let old = prepared.old.as_deref();
        if operation != "DELETE" {
            let checked = schema::check(kind, old, new).and_then(|()| builtin::check(kind, old, new));
            if let Err(failed) = checked {
                return Some(Err(failed));
            }
            let applies = asked.request.media_type() == "application/apply-patch+yaml";
            if !applies {
                let (manager, api_version, time) =
                    (asked.request.manager(), asked.api_version(), store::now());
                let writer = Writer {
                    name: &manager,
                    api_version: &api_version,
                    status: prepared.status,
                    time: &time,
                };
                apply::written(kind, old, new, writer);
            }
        }
        let code = if operation == "CREATE" { 201 } else { 200 };
        if prepared.dry {
            return Some(Ok((code, asked.shown(new))));
        }
        if old.is_some_and(|old| old == new) {
            return Some(Ok((code, asked.shown(new))));
        }
        let kept = store.put(kind, prepared.new.take().expect("looked at above"));
        crate::server::kind_changed(store, kind, &kept);
        let ends = !kept["metadata"]["deletionTimestamp"].is_null()
            && kept["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
        if ends || prepared.foreground {
            remove(store, kind, &namespace, &name);
        }
        return Some(Ok((code, asked.shown(&kept))));
    }
    let old = prepared.old.expect("a deletion is of something");
    if !prepared.dry {
        remove(store, kind, &namespace, &name);
    }
    // Pods and namespaces end in their own time: the answer is the object.
    if matches!(kind.kind.as_str(), "Pod" | "Namespace") && kind.group.is_empty() {
        let mut shown = asked.shown(&old);
        shown["metadata"]["deletionTimestamp"] = json!(store::now());
        return Some(Ok((200, shown)));
    }
    let mut details = kind.details(&name);
    details["uid"] = old["metadata"]["uid"].clone();
    Some(Ok((
        200,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
    )))
}

/// Takes an object away with all that it owns and, for a namespace, all that is in it.
pub(crate) fn remove(store: &mut Store, kind: &Kind, namespace: &str, name: &str) {
    let Some(gone) = store.remove(kind, namespace, name) else { return };
    crate::server::kind_changed(store, kind, &gone);
    let uid = gone["metadata"]["uid"].clone();
    let kinds: Vec<Arc<Kind>> = store.kinds.all().cloned().collect();
    let is_namespace = kind.kind == "Namespace" && kind.group.is_empty();
    for kind in kinds {
        let dependents: Vec<store::Name> = store
            .list(&kind, None)
            .filter(|((of, _), object)| {
                (is_namespace && of == name)
                    || object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| {
                        !owners.is_empty() && owners.iter().all(|owner| owner["uid"] == uid)
                    })
            })
            .map(|(name, _)| name.clone())
            .collect();
        for (namespace, name) in dependents {
            remove(store, &kind, &namespace, &name);
        }
    }
}

pub(crate) fn delete_all(store: &mut Store, asked: &Asked<'_>) -> Result<Value, Failed> {
    let request = asked.request;
    let selection =
        Selection::parse(&asked.kind, request.query("labelSelector"), request.query("fieldSelector"))?;
    let doomed: Vec<_> = store
        .list(&asked.kind, asked.place.namespace.as_deref())
        .filter(|(_, object)| selection.matches(object))
        .map(|(name, object)| (name.clone(), Arc::clone(object)))
        .collect();
    let mut items = Vec::new();
    for ((namespace, name), object) in doomed {
        match deleted(Arc::clone(&object), false, false).new {
            Some(marked) => items.push(item(asked, &store.put(&asked.kind, marked))),
            None => {
                items.push(item(asked, &object));
                remove(store, &asked.kind, &namespace, &name);
            }
        }
    }
    let metadata = json!({"resourceVersion": store.version().to_string()});
    Ok(list_of(asked, metadata, items))
}

/// Nulls go as typed decoding drops them; the schema's defaults come, and what it does not know goes.
fn settle(kind: &Kind, object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|_, value| !value.is_null());
    }
    if kind.custom {
        return schema::settle(kind, object);
    }
    drop_nulls(object);
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, value| !(matches!(name.as_str(), "data" | "binaryData") && *value == json!({})));
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Fields of `metadata` that no write changes.
const KEPT: &[&str] = &[
    "uid",
    "creationTimestamp",
    "generation",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
];

const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
