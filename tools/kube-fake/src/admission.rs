//! Calls to the webhooks that are registered, as a real server makes them. `matchConditions` are CEL and are not evaluated:
//! they count as met.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::patch;
use crate::server::Shared;
use crate::status::Failed;
use crate::verbs::{Asked, Prepared};

/// What webhooks make of a write: mutating ones one by one, those that ask for it once more after a later change, then the
/// validating ones.
pub(crate) async fn admit(
    shared: &Arc<Shared>,
    asked: &Asked<'_>,
    mut prepared: Prepared,
) -> Result<Prepared, Failed> {
    // Webhooks about webhooks would lock their own repair out; real servers do not call them either.
    if asked.kind.group == "admissionregistration.k8s.io" {
        return Ok(prepared);
    }
    let mutating = configured(shared, "mutatingwebhookconfigurations");
    let mut changed_by = None;
    for (index, webhook) in mutating.iter().enumerate() {
        if is_for(shared, webhook, asked, &prepared)
            && call(shared, webhook, asked, &mut prepared, true).await?
        {
            changed_by = Some(index);
        }
    }
    for (index, webhook) in mutating.iter().enumerate() {
        let again =
            webhook["reinvocationPolicy"] == "IfNeeded" && changed_by.is_some_and(|last| last > index);
        if again && is_for(shared, webhook, asked, &prepared) {
            call(shared, webhook, asked, &mut prepared, true).await?;
        }
    }
    for webhook in &configured(shared, "validatingwebhookconfigurations") {
        if is_for(shared, webhook, asked, &prepared) {
            call(shared, webhook, asked, &mut prepared, false).await?;
        }
    }
    Ok(prepared)
}

/// Of all configurations, in the order in which they are called.
fn configured(shared: &Shared, plural: &str) -> Vec<Value> {
    let store = shared.store();
    let kind = store.kinds.get("admissionregistration.k8s.io", plural).expect("built in");
    let all = store.list(kind, None).filter_map(|(_, configuration)| configuration["webhooks"].as_array());
    all.flatten().cloned().collect()
}

fn is_for(shared: &Shared, webhook: &Value, asked: &Asked<'_>, prepared: &Prepared) -> bool {
    let has = |list: &Value, wanted: &str| {
        list.as_array().is_some_and(|list| list.iter().any(|it| it == wanted || it == "*"))
    };
    let resource = match prepared.status {
        true => format!("{}/status", asked.kind.plural),
        false => asked.kind.plural.clone(),
    };
    let ruled = webhook["rules"].as_array().into_iter().flatten().any(|rule| {
        has(&rule["apiGroups"], &asked.kind.group)
            && has(&rule["apiVersions"], &asked.place.version)
            && (has(&rule["resources"], &resource) && !(prepared.status && has(&rule["resources"], "*"))
                || has(&rule["resources"], "*/*"))
            && has(&rule["operations"], prepared.operation)
    });
    if !ruled {
        return false;
    }
    let object = prepared.new.as_ref().or(prepared.old.as_deref());
    let labels = |object: &Value| object["metadata"]["labels"].clone();
    if !selects(&webhook["objectSelector"], &object.map_or(Value::Null, labels)) {
        return false;
    }
    let store = shared.store();
    let namespaces = store.kinds.get("", "namespaces").expect("built in");
    let namespace = match (asked.kind.kind.as_str(), asked.place.namespace.as_deref()) {
        ("Namespace", _) => object.map(labels),
        (_, Some(namespace)) => store.get(namespaces, "", namespace).map(|namespace| labels(namespace)),
        (_, None) => None,
    };
    namespace.is_none_or(|labels| selects(&webhook["namespaceSelector"], &labels))
}

/// `matchLabels` and `matchExpressions`.
fn selects(selector: &Value, labels: &Value) -> bool {
    let equal =
        selector["matchLabels"].as_object().into_iter().flatten().all(|(name, value)| labels[name] == *value);
    equal
        && selector["matchExpressions"].as_array().into_iter().flatten().all(|expression| {
            let is = &labels[expression["key"].as_str().unwrap_or("")];
            let among = expression["values"].as_array().is_some_and(|values| values.contains(is));
            match expression["operator"].as_str() {
                Some("In") => among,
                Some("NotIn") => !among,
                Some("Exists") => !is.is_null(),
                Some("DoesNotExist") => is.is_null(),
                _ => false,
            }
        })
}

/// Whether the webhook changed the object.
async fn call(
    shared: &Arc<Shared>,
    webhook: &Value,
    asked: &Asked<'_>,
    prepared: &mut Prepared,
    mutating: bool,
) -> Result<bool, Failed> {
    let name = webhook["name"].as_str().unwrap_or("");
    let uid = format!("ca11ed00-0000-4000-8000-{:012x}", shared.store().pass());
    let review = review(asked, prepared, &uid);
    let seconds = webhook["timeoutSeconds"].as_u64().unwrap_or(10);
    let posted =
        tokio::time::timeout(Duration::from_secs(seconds), post(shared, webhook, seconds, &review)).await;
    let answer = match posted
        .unwrap_or_else(|_| Err("failed to call webhook: context deadline exceeded".to_owned()))
    {
        Ok(answer) => answer,
        Err(why) if webhook["failurePolicy"] == "Ignore" => {
            drop(why);
            return Ok(false);
        }
        Err(why) => return Err(internal(&format!("failed calling webhook {name:?}: {why}"))),
    };
    let invalid = |why: &str| {
        internal(&format!("failed calling webhook {name:?}: received invalid webhook response: {why}"))
    };
    let group_version = answer["apiVersion"].as_str().unwrap_or("/");
    if (group_version, &answer["kind"]) != ("admission.k8s.io/v1", &json!("AdmissionReview")) {
        let kind = answer["kind"].as_str().unwrap_or("");
        let why = format!(
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {group_version}, Kind={kind}"
        );
        return Err(invalid(&why));
    }
    let response = &answer["response"];
    if response.is_null() {
        return Err(invalid("webhook response was absent"));
    }
    if response["uid"] != uid {
        let got = response["uid"].as_str().unwrap_or("");
        return Err(invalid(&format!("expected response.uid={uid:?}, got {got:?}")));
    }
    if response["allowed"] != true {
        return Err(denied(name, &response["status"]));
    }
    let Some(encoded) = response["patch"].as_str().filter(|_| mutating) else { return Ok(false) };
    if response["patchType"].is_null() {
        return Err(invalid("webhook returned response.patch but not response.patchType"));
    }
    let patch: Option<Value> =
        STANDARD.decode(encoded).ok().and_then(|patch| serde_json::from_slice(&patch).ok());
    let patch = patch.ok_or_else(|| internal("webhook returned a patch that is no JSON patch"))?;
    let Some(object) = &mut prepared.new else { return Ok(false) };
    let before = object.clone();
    // Whatever the failure policy says.
    patch::json(object, &patch).map_err(|_| internal("a webhook's patch does not apply"))?;
    Ok(*object != before)
}

/// As a real server asks, without what a new object of a built-in kind has not got yet.
fn review(asked: &Asked<'_>, prepared: &Prepared, uid: &str) -> Value {
    let kind = &asked.kind;
    let version = &asked.place.version;
    let mut object = prepared.new.clone().filter(|_| prepared.operation != "DELETE").unwrap_or(Value::Null);
    let mut name = asked.place.name.clone().unwrap_or_default();
    if prepared.operation == "CREATE" {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            if !kind.custom {
                for field in ["uid", "creationTimestamp", "generation"] {
                    metadata.remove(field);
                }
            }
            metadata.remove("managedFields");
            // The name is made after admission.
            if metadata
                .get("generateName")
                .is_some_and(|prefix| prefix.as_str().is_some_and(|prefix| !prefix.is_empty()))
            {
                metadata.remove("name");
            }
        }
        name = object["metadata"]["name"].as_str().unwrap_or("").to_owned();
    }
    let gvk = json!({"group": kind.group, "version": version, "kind": kind.kind});
    let gvr = json!({"group": kind.group, "version": version, "resource": kind.plural});
    let options = match prepared.operation {
        "CREATE" => "CreateOptions",
        "DELETE" => "DeleteOptions",
        _ => "UpdateOptions",
    };
    let mut request = json!({
        "uid": uid, "kind": gvk, "resource": gvr, "requestKind": gvk, "requestResource": gvr,
        "operation": prepared.operation,
        "userInfo": {"username": "admin", "uid": "admin-uid", "groups": ["system:masters", "system:authenticated"]},
        "object": object,
        "oldObject": prepared.old.as_deref().cloned().unwrap_or(Value::Null),
        "dryRun": prepared.dry,
        "options": {"kind": options, "apiVersion": "meta.k8s.io/v1"},
    });
    if !name.is_empty() {
        request["name"] = json!(name);
    }
    if let Some(namespace) = &asked.place.namespace {
        request["namespace"] = json!(namespace);
    }
    if prepared.status {
        request["subResource"] = json!("status");
        request["requestSubResource"] = json!("status");
    }
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
}

fn denied(name: &str, status: &Value) -> Failed {
    let said = ["message", "reason"]
        .into_iter()
        .find_map(|field| status[field].as_str().filter(|text| !text.is_empty()));
    let message = match said {
        Some(said) => format!("admission webhook {name:?} denied the request: {said}"),
        None => format!("admission webhook {name:?} denied the request without explanation"),
    };
    let code = status["code"]
        .as_u64()
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (400..600).contains(code));
    let details = Some(status["details"].clone()).filter(Value::is_object);
    Failed::status(code.unwrap_or(400), status["reason"].as_str(), message, details)
}

fn internal(why: &str) -> Failed {
    let details = json!({"causes": [{"message": why}]});
    Failed::status(500, Some("InternalError"), format!("Internal error occurred: {why}"), Some(details))
}

/// Asks a webhook. `Err`: what a real server says of its failure, as far as it can be the same.
async fn post(shared: &Shared, webhook: &Value, seconds: u64, review: &Value) -> Result<Value, String> {
    let failed = |why: String| format!("failed to call webhook: {why}");
    let config = &webhook["clientConfig"];
    let (address, host, path, tls) = match config["url"].as_str() {
        Some(url) => {
            let url: http::Uri = url.parse().map_err(|error| failed(format!("{error}")))?;
            let tls = url.scheme_str() == Some("https");
            let host = url.host().unwrap_or("").to_owned();
            let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
            (format!("{host}:{port}"), host, url.path().to_owned(), tls)
        }
        None => {
            let text = |field: &str| config["service"][field].as_str().unwrap_or("").to_owned();
            let (namespace, name) = (text("namespace"), text("name"));
            let host = format!("{name}.{namespace}.svc");
            let address = shared.service(&namespace, &name).ok_or_else(|| {
                failed(format!("Post \"https://{host}:443/?timeout={seconds}s\": service {name:?} not found"))
            })?;
            (address.to_string(), host, text("path"), true)
        }
    };
    let stream = TcpStream::connect(&address).await.map_err(|error| failed(error.to_string()))?;
    let (status, body) = if tls {
        let connector = connector(config["caBundle"].as_str().unwrap_or(""))?;
        let name = ServerName::try_from(host.clone()).map_err(|error| failed(error.to_string()))?;
        let stream = connector.connect(name, stream).await.map_err(|error| failed(error.to_string()))?;
        exchange(stream, &host, &path, seconds, review).await
    } else {
        exchange(stream, &host, &path, seconds, review).await
    }
    .map_err(failed)?;
    match status {
        200 if body.is_empty() => Err(failed(
            "0-length response with status code: 200 and content type: application/json".to_owned(),
        )),
        200 => serde_json::from_slice(&body).map_err(|error| failed(error.to_string())),
        404 => Err(failed("the server could not find the requested resource".to_owned())),
        _ => Err(failed(
            "an error on the server (\"unknown\") has prevented the request from succeeding".to_owned(),
        )),
    }
}

fn connector(bundle: &str) -> Result<tokio_rustls::TlsConnector, String> {
    let pem = STANDARD.decode(bundle).unwrap_or_default();
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if roots.is_empty() {
        let why = "unable to parse bytes as PEM block";
        return Err(format!("could not get REST client: unable to load root certificates: {why}"));
    }
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}

async fn exchange<S>(
    stream: S,
    host: &str,
    path: &str,
    seconds: u64,
    review: &Value,
) -> Result<(u16, Bytes), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let told = |error: hyper::Error| error.to_string();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    tokio::spawn(connection);
    let path = if path.is_empty() { "/" } else { path };
    let request = http::Request::post(format!("{path}?timeout={seconds}s"))
        .header("host", host)
        .header("user-agent", "kube-apiserver-admission")
        .header("accept", "application/json, */*")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(review.to_string())))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(told)?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await.map_err(told)?.to_bytes()))
}
