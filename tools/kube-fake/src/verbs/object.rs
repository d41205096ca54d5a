//! The body of a write as an object of the kind and namespace that the path is about.

use serde_json::{Value, json};

use super::Asked;
use crate::kinds::{Scope, split};
use crate::status::Failed;

/// A body as an object of the kind that the path is about.
pub(super) fn object(asked: &Asked<'_>) -> Result<Value, Failed> {
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

pub(super) fn yaml(bytes: &[u8]) -> Result<Value, Failed> {
    let text = String::from_utf8_lossy(bytes);
    serde_saphyr::from_str(&text)
        .map_err(|error| Failed::bad_request(format!("error decoding YAML: {error}")))
}

/// The namespace of the path, which an object may repeat but not contradict.
pub(super) fn namespaced(asked: &Asked<'_>, object: &mut Value) -> Result<(), Failed> {
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
