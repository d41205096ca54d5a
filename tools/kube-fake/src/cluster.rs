//! One test body, many API servers.

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::credentials::{Credentials, Identity};
use crate::real::Real;
use crate::rest::Rest;
use crate::{Scope, Server};

/// An API server as a test's body sees it: the fake one by TLS, or a real one.
#[derive(Debug)]
pub enum Cluster {
    /// Ours.
    Fake(Server),
    /// A real one.
    Real(Box<Real>),
}

/// Runs a test's body on the fake API server, by TLS, and on a real one where `KUBEBUILDER_ASSETS` names it; otherwise one
/// line says that it was skipped and why, whether or not the test's own output is shown. Real ones are started one at a time.
pub fn everywhere(body: impl Fn(&Cluster)) {
    body(&Cluster::Fake(Server::start_secure()));
    match Real::assets() {
        Ok(assets) => {
            // A test that failed has said so.
            let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
            body(&Cluster::Real(Box::new(Real::start(&assets))));
            println!("ran on the API server of KUBEBUILDER_ASSETS too");
        }
        Err(why) => {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Not by `eprintln!`, which the test harness keeps to itself where a test passes.
            let _ = writeln!(std::io::stderr(), "skipped: {why} ({test} on a real API server)");
        }
    }
}

static ONE: Mutex<()> = Mutex::new(());

impl Cluster {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Fake(server) => server.url(),
            Self::Real(real) => real.url().to_owned(),
        }
    }

    /// What clients have to show. None: it takes everybody.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        match self {
            Self::Fake(server) => server.credentials(),
            Self::Real(real) => Some(real.credentials()),
        }
    }

    /// A kubeconfig file that leads there, with a token.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        match self {
            Self::Fake(server) => server.kubeconfig(),
            Self::Real(real) => real.credentials().kubeconfig(real.url(), Identity::Token),
        }
    }

    /// The same for a user who may do nothing.
    ///
    /// # Panics
    /// On a fake one that takes everybody.
    #[must_use]
    pub fn kubeconfig_of_nobody(&self) -> String {
        let credentials = self.credentials().expect("it asks who comes");
        credentials.kubeconfig(&self.url(), Identity::Unprivileged)
    }

    /// Serves a kind without a schema: as [`Server::serve`], by a CRD on a real one.
    pub fn serve(&self, api_version: &str, kind: &str, plural: &str, scope: Scope) {
        let real = match self {
            Self::Fake(server) => return server.serve(api_version, kind, plural, scope),
            Self::Real(real) => real,
        };
        let (group, version) = crate::kinds::split(api_version);
        let scope = if scope == Scope::Cluster { "Cluster" } else { "Namespaced" };
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{plural}.{group}"),
                // Groups below k8s.io are the project's own, which asks for this.
                "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
            },
            "spec": {
                "group": group, "scope": scope,
                "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{
                    "name": version, "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }],
            },
        });
        real.rest().put(&crd).unwrap_or_else(|(code, why)| panic!("{kind}: {code} {why}"));
    }

    /// Keeps an object, whatever was there; its namespace comes by itself.
    ///
    /// # Panics
    /// When it is refused.
    pub fn put(&self, object: Value) -> Value {
        match self {
            Self::Fake(server) => server.put(object),
            Self::Real(real) => {
                real.rest().put(&object).unwrap_or_else(|(code, why)| panic!("{object}: {code} {why}"))
            }
        }
    }

    /// What a real server has against an object; `None` where it takes it. The fake one takes what a test puts.
    pub fn refused(&self, object: &Value) -> Option<String> {
        match self {
            Self::Fake(_) => None,
            Self::Real(real) => real.rest().put(object).err().map(|(_, why)| why),
        }
    }

    /// An object, if there is one.
    #[must_use]
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        match self {
            Self::Fake(server) => server.get(resource, namespace, name),
            Self::Real(real) => real.rest().get(resource, namespace, name),
        }
    }

    /// All objects of a resource, in one namespace or in all.
    #[must_use]
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Value> {
        match self {
            Self::Fake(server) => server.list(resource, namespace),
            Self::Real(real) => real.rest().list(resource, namespace),
        }
    }

    /// Makes an object by a request, as `kubectl create` does: webhooks are asked.
    ///
    /// # Errors
    /// The code and the message of whoever refused it.
    ///
    /// # Panics
    /// On a fake one that is not spoken to by TLS.
    pub fn create(&self, object: &Value) -> Result<Value, (u16, String)> {
        match self {
            Self::Fake(server) => {
                let credentials = server.credentials().expect("a server that is spoken to by TLS");
                Rest::new(server.address(), credentials).create(object)
            }
            Self::Real(real) => real.rest().create(object),
        }
    }

    /// Takes an object away. Whether there was one.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> bool {
        match self {
            Self::Fake(server) => server.delete(resource, namespace, name),
            Self::Real(real) => real.rest().delete(resource, namespace, name),
        }
    }

    /// Changes an object by a merge patch (RFC 7386), as `kubectl annotate` does.
    ///
    /// # Panics
    /// When it is refused.
    pub fn patch(&self, resource: &str, namespace: &str, name: &str, patch: &Value) {
        let refused = match self {
            Self::Fake(server) => return server.patch(resource, namespace, name, patch),
            Self::Real(real) => real.rest().patch(resource, namespace, name, patch),
        };
        if let Err((code, why)) = refused {
            panic!("{resource} {namespace}/{name}: {code} {why}");
        }
    }
}
