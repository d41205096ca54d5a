//! Creation, update, and patches of four forms: what an object is to be, before anybody is asked about it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::object::{namespaced, object, yaml};
use super::{Asked, Prepared};
use crate::apply::{self, Writer};
use crate::kinds::{Kind, Scope};
use crate::status::{Cause, Failed};
use crate::store::{self, Store};
use crate::{builtin, options, patch, schema};

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
