//! Who asks, where the server is spoken to by TLS: whoever shows a certificate of its authority, or its token. There is one
//! user, who may do everything; nobody else may do anything but ask for the version and for health.

use std::sync::Arc;

use http::Method;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::credentials::Credentials;
use crate::request::{Place, Request};
use crate::status::Failed;

#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) credentials: Credentials,
}

impl Guard {
    /// Asks clients for certificates, and takes those that show none.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let of = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate of ours");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(of(&self.credentials.authority)).expect("an authority of ours");
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .expect("one authority");
        let server = &self.credentials.server;
        let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).expect("a key of ours");
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![of(&server.certificate)], key)
            .expect("a pair of ours");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// Whether a request may be answered; `certified`: its connection showed a certificate.
    pub(crate) fn check(&self, request: &Request, certified: bool) -> Result<(), Failed> {
        match request.header("authorization").strip_prefix("Bearer ") {
            Some(token) if token == self.credentials.token => Ok(()),
            // Also where a certificate would do: a token that is wrong is wrong.
            Some(_) => Err(Failed::status(401, Some("Unauthorized"), "Unauthorized", None)),
            None if certified || PUBLIC.contains(&request.path.as_str()) => Ok(()),
            None => Err(anonymous(request)),
        }
    }
}

/// What anybody may ask for.
const PUBLIC: [&str; 4] = ["/livez", "/readyz", "/healthz", "/version"];

fn anonymous(request: &Request) -> Failed {
    let Some(place) = Place::parse(&request.path) else {
        let told = format!(
            "forbidden: User \"system:anonymous\" cannot {} path {:?}",
            request.method.as_str().to_lowercase(),
            request.path
        );
        return Failed::status(403, Some("Forbidden"), told, Some(json!({})));
    };
    let verb = match (&request.method, &place.name) {
        (&Method::GET, _) if request.flag("watch") => "watch",
        (&Method::GET, Some(_)) => "get",
        (&Method::GET, None) => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (_, Some(_)) => "delete",
        (_, None) => "deletecollection",
    };
    let (plural, group) = (&place.plural, &place.group);
    let qualified = if group.is_empty() { plural.clone() } else { format!("{plural}.{group}") };
    let named = place.name.as_ref().map_or_else(String::new, |name| format!(" {name:?}"));
    let within = match &place.namespace {
        Some(namespace) => format!("in the namespace {namespace:?}"),
        None => "at the cluster scope".to_owned(),
    };
    let told = format!(
        "{qualified}{named} is forbidden: User \"system:anonymous\" cannot {verb} resource {plural:?} in API group {group:?} {within}"
    );
    let mut details = json!({"kind": plural});
    if let Some(name) = &place.name {
        details["name"] = json!(name);
    }
    if !group.is_empty() {
        details["group"] = json!(group);
    }
    Failed::status(403, Some("Forbidden"), told, Some(details))
}
