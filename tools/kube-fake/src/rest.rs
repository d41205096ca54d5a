//! The few words of [`crate::Cluster`] by requests to any API server: objects are put whole, whatever was there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::credentials::Credentials;
use crate::kinds::split;

/// A client of one API server, for tests: it blocks, and makes a connection for each request.
pub(crate) struct Rest {
    address: SocketAddr,
    token: String,
    tls: TlsConnector,
    runtime: tokio::runtime::Runtime,
    /// Preferred versions of groups.
    versions: Mutex<BTreeMap<String, String>>,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rest({})", self.address)
    }
}

/// What a server answered instead: its code and message.
pub(crate) type Refused = (u16, String);

/// A kind as discovery tells it.
struct Found {
    plural: String,
    namespaced: bool,
    status: bool,
}

impl Rest {
    pub(crate) fn new(address: SocketAddr, credentials: &Credentials) -> Rest {
        let mut roots = rustls::RootCertStore::empty();
        let authority =
            CertificateDer::from_pem_slice(credentials.authority.as_bytes()).expect("a certificate of ours");
        roots.add(authority).expect("an authority of ours");
        let config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("ring has them")
                .with_root_certificates(roots)
                .with_no_client_auth();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread for requests");
        let tls = TlsConnector::from(Arc::new(config));
        Rest { address, token: credentials.token.clone(), tls, runtime, versions: Mutex::default() }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.code("/readyz") == Some(200)
    }

    /// What it answers to a reading; `None` where it does not.
    pub(crate) fn code(&self, path: &str) -> Option<u16> {
        self.runtime.block_on(self.exchange("GET", path, JSON, String::new())).ok().map(|(code, _)| code)
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: String,
    ) -> Result<(u16, Bytes), Box<dyn std::error::Error>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let stream = self.tls.connect(name, stream).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", JSON)
            .header("content-type", media)
            .body(Full::new(Bytes::from(body)))?;
        let answer = sender.send_request(request).await?;
        let code = answer.status().as_u16();
        Ok((code, answer.into_body().collect().await?.to_bytes()))
    }

    fn ask(&self, method: &str, path: &str, media: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let body = body.map_or_else(String::new, Value::to_string);
        let answered = self.runtime.block_on(self.exchange(method, path, media, body));
        let (code, answer) = answered.map_err(|error| (0, error.to_string()))?;
        let answer = serde_json::from_slice(&answer)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&answer).into_owned()));
        match code {
            200..300 => Ok(answer),
            _ => Err((code, answer["message"].as_str().map_or_else(|| answer.to_string(), str::to_owned))),
        }
    }

    fn read(&self, path: &str) -> Result<Value, Refused> {
        self.ask("GET", path, JSON, None)
    }

    /// `/api/v1`, or `/apis/GROUP/VERSION` with the version that the server prefers.
    fn root(&self, group: &str) -> Option<String> {
        if group.is_empty() {
            return Some("/api/v1".to_owned());
        }
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if !versions.contains_key(group) {
            let found = self.read(&format!("/apis/{group}")).ok()?;
            versions.insert(group.to_owned(), found["preferredVersion"]["version"].as_str()?.to_owned());
        }
        Some(format!("/apis/{group}/{}", versions[group]))
    }

    /// Where objects of `RESOURCE` are.
    fn folder(&self, resource: &str, namespace: &str) -> Option<String> {
        let (group, plural) = resource.split_once('/').unwrap_or(("", resource));
        let root = self.root(group)?;
        Some(match namespace {
            "" => format!("{root}/{plural}"),
            namespace => format!("{root}/namespaces/{namespace}/{plural}"),
        })
    }

    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        self.read(&format!("{}/{name}", self.folder(resource, namespace)?)).ok()
    }

    /// Items say what they are, as objects do that are asked for by name.
    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Value> {
        let listed = self.folder(resource, namespace.unwrap_or("")).and_then(|path| self.read(&path).ok());
        let Some(list) = listed else { return Vec::new() };
        let kind = list["kind"].as_str().unwrap_or("").trim_end_matches("List").to_owned();
        let mut items = list["items"].as_array().cloned().unwrap_or_default();
        for item in &mut items {
            item["apiVersion"] = list["apiVersion"].clone();
            item["kind"] = json!(kind);
        }
        items
    }

    pub(crate) fn delete(&self, resource: &str, namespace: &str, name: &str) -> bool {
        let Some(folder) = self.folder(resource, namespace) else { return false };
        self.ask("DELETE", &format!("{folder}/{name}?gracePeriodSeconds=0"), JSON, None).is_ok()
    }

    pub(crate) fn patch(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value, Refused> {
        let folder = self.folder(resource, namespace).ok_or((404, format!("{resource} is not served")))?;
        self.ask("PATCH", &format!("{folder}/{name}"), "application/merge-patch+json", Some(patch))
    }

    /// Creates it, or puts it in the place of what is there; then its status.
    pub(crate) fn put(&self, object: &Value) -> Result<Value, Refused> {
        let (group, version) = split(object["apiVersion"].as_str().unwrap_or(""));
        let root = if group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{group}/{version}") };
        let kind = object["kind"].as_str().unwrap_or("");
        let found = self.found(&root, kind)?;
        let mut object = object.clone();
        let name = object["metadata"]["name"].as_str().unwrap_or("").to_owned();
        let folder = if found.namespaced {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
            self.namespace(&namespace)?;
            object["metadata"]["namespace"] = json!(namespace);
            format!("{root}/namespaces/{namespace}/{}", found.plural)
        } else {
            format!("{root}/{}", found.plural)
        };
        let path = format!("{folder}/{name}");
        let status = object.as_object_mut().and_then(|fields| fields.remove("status"));
        for field in ["uid", "creationTimestamp", "generation", "managedFields", "resourceVersion"] {
            object["metadata"].as_object_mut().map(|metadata| metadata.remove(field));
        }
        let mut kept = loop {
            let outcome = match self.read(&path) {
                Err((404, _)) => self.ask("POST", &folder, JSON, Some(&object)),
                Err(refused) => return Err(refused),
                Ok(there) => {
                    object["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"].clone();
                    self.ask("PUT", &path, JSON, Some(&object))
                }
            };
            match outcome {
                // Somebody came before.
                Err((409, _)) => {
                    object["metadata"].as_object_mut().map(|metadata| metadata.remove("resourceVersion"));
                }
                outcome => break outcome?,
            }
        };
        if let Some(status) = status.filter(|_| found.status) {
            let patch = json!({"status": status});
            kept =
                self.ask("PATCH", &format!("{path}/status"), "application/merge-patch+json", Some(&patch))?;
        }
        if kind == "CustomResourceDefinition" {
            self.established(&kept)?;
        }
        Ok(kept)
    }

    /// Creates it as it is.
    pub(crate) fn create(&self, object: &Value) -> Result<Value, Refused> {
        let (group, version) = split(object["apiVersion"].as_str().unwrap_or(""));
        let root = if group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{group}/{version}") };
        let found = self.found(&root, object["kind"].as_str().unwrap_or(""))?;
        let folder = match object["metadata"]["namespace"].as_str().filter(|_| found.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", found.plural),
            None => format!("{root}/{}", found.plural),
        };
        self.ask("POST", &folder, JSON, Some(object))
    }

    fn namespace(&self, name: &str) -> Result<(), Refused> {
        if self.read(&format!("/api/v1/namespaces/{name}")).is_ok() {
            return Ok(());
        }
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        match self.ask("POST", "/api/v1/namespaces", JSON, Some(&object)) {
            Ok(_) | Err((409, _)) => Ok(()),
            Err(refused) => Err(refused),
        }
    }

    fn found(&self, root: &str, kind: &str) -> Result<Found, Refused> {
        let list = self.read(root)?;
        let resources = list["resources"].as_array().cloned().unwrap_or_default();
        let of = |name: &str| resources.iter().any(|resource| resource["name"] == *name);
        let found = resources.iter().find(|resource| {
            resource["kind"] == *kind && resource["name"].as_str().is_some_and(|name| !name.contains('/'))
        });
        let Some(found) = found else { return Err((404, format!("{root} has no kind {kind}"))) };
        let plural = found["name"].as_str().unwrap_or("").to_owned();
        let status = of(&format!("{plural}/status"));
        Ok(Found { plural, namespaced: found["namespaced"] == true, status })
    }

    /// Waits until a kind that was declared is served (429 until then), and discovery, which comes a moment later, tells of it.
    fn established(&self, crd: &Value) -> Result<(), Refused> {
        let spec = &crd["spec"];
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let group = text(&spec["group"]);
        let root = format!("/apis/{group}/{}", text(&spec["versions"][0]["name"]));
        let path = format!("{root}/{}", text(&spec["names"]["plural"]));
        let begun = std::time::Instant::now();
        loop {
            let is_served = self
                .read(&path)
                .and_then(|_| self.found(&root, &text(&spec["names"]["kind"])))
                .and_then(|_| self.read(&format!("/apis/{group}")));
            match is_served {
                Ok(_) => return Ok(()),
                Err(refused) if begun.elapsed() > ESTABLISHED => return Err(refused),
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
        }
    }
}

const JSON: &str = "application/json";
/// A CRD was seen to be served after 40 ms.
const ESTABLISHED: std::time::Duration = std::time::Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Server;

    /// What a real server is told by, told to the fake one.
    #[test]
    fn objects_are_put_read_patched_and_deleted_by_requests() {
        let server = Server::start_secure();
        let address = server.url().trim_start_matches("https://").parse().expect("an address");
        let rest = Rest::new(address, server.credentials().expect("by TLS"));
        assert!(rest.is_ready());
        let pod = |image: &str| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "web-0"},
                "spec": {"containers": [{"name": "app", "image": image}]}, "status": {"podIP": "10.0.0.1"}})
        };
        for image in ["app:1", "app:2"] {
            let kept = rest.put(&pod(image)).expect("taken");
            assert_eq!(
                (&kept["spec"]["containers"][0]["image"], &kept["status"]["podIP"]),
                (&json!(image), &json!("10.0.0.1"))
            );
        }
        rest.patch("pods", "shop", "web-0", &json!({"metadata": {"labels": {"a": "b"}}})).expect("patched");
        assert_eq!(rest.get("pods", "shop", "web-0").expect("there")["metadata"]["labels"]["a"], "b");
        assert_eq!(rest.list("pods", None)[0]["kind"], "Pod");
        assert!(rest.delete("pods", "shop", "web-0") && rest.get("pods", "shop", "web-0").is_none());
        assert!(rest.list("nowhere.test/things", Some("shop")).is_empty());
        let refused = rest.put(&json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a"}}));
        assert_eq!(refused.expect_err("no such kind").0, 404);
    }

    #[test]
    fn a_kind_that_is_declared_can_be_used_at_once() {
        let server = Server::start_secure();
        let address = server.url().trim_start_matches("https://").parse().expect("an address");
        let rest = Rest::new(address, server.credentials().expect("by TLS"));
        let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.test"},
            "spec": {"group": "example.test", "scope": "Namespaced",
                "names": {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing"},
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
        rest.put(&crd).expect("taken");
        let thing = json!({"apiVersion": "example.test/v1", "kind": "Thing", "metadata": {"namespace": "shop", "name": "a"}, "spec": {"b": 1}});
        rest.put(&thing).expect("taken");
        assert_eq!(rest.get("example.test/things", "shop", "a").expect("there")["spec"]["b"], 1);
    }
}
