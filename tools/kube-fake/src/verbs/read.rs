//! What there is: one object, or pages of a list as it was at one version.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Asked;
use crate::options;
use crate::request::Request;
use crate::selector::Selection;
use crate::status::Failed;
use crate::store::{self, Store};

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
pub(super) fn item(asked: &Asked<'_>, object: &Value) -> Value {
    let mut shown = asked.shown(object);
    if !asked.kind.custom
        && let Some(fields) = shown.as_object_mut()
    {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    shown
}

pub(super) fn list_of(asked: &Asked<'_>, metadata: Value, items: Vec<Value>) -> Value {
    let partial = asked.request.header("accept").contains("as=PartialObjectMetadata");
    let (kind, api_version) = if partial {
        ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned())
    } else {
        (format!("{}List", asked.kind.kind), asked.api_version())
    };
    json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items})
}

const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
