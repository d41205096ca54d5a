//! The database as a service: the key API of an [`Etcd`] that begins with the bank's accounts.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use serde_json::json;

use super::{ACCOUNTS, Etcd};
use crate::microsim::decoded;
use crate::{Answer, Ends, Request, Service};

/// The database. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Database(Arc<Mutex<Etcd>>);

impl Default for Database {
    fn default() -> Self {
        let mut etcd = Etcd::default();
        for account in ACCOUNTS {
            for (field, value) in [("name", account.name), ("balance", account.balance)] {
                etcd.set(&format!("/accounts/{}/{field}", account.id), value);
            }
        }
        Self(Arc::new(Mutex::new(etcd)))
    }
}

impl Database {
    /// The value of a key, such as `/accounts/519940/balance`.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).value(key).map(str::to_owned)
    }
}

impl Service for Database {
    async fn answer(&self, request: Request, _ends: Ends) -> Answer {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        if path == "/version" {
            return Answer::json(StatusCode::OK, &json!({"etcdserver": "3.3.0", "etcdcluster": "3.3.0"}));
        }
        let key = match path.strip_prefix("/v2/keys") {
            Some(key) if key.is_empty() || key.starts_with('/') => decoded(key),
            _ => return Answer::text(StatusCode::NOT_FOUND, "404 page not found\n"),
        };
        let recursive = parameter(query, "recursive").is_some_and(|value| value == "true");
        let form = String::from_utf8_lossy(request.body());
        let value = parameter(&form, "value").or_else(|| parameter(query, "value"));
        let mut etcd = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, said) = match *request.method() {
            Method::GET | Method::HEAD => etcd.get(&key, recursive),
            Method::PUT => etcd.put(&key, value.as_deref().unwrap_or_default()),
            Method::DELETE => etcd.delete(&key, recursive),
            _ => return Answer::text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n"),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer::json(status, &said).with("x-etcd-index", HeaderValue::from(etcd.index()))
    }
}

/// The first value of a parameter of a form or a query.
fn parameter(form: &str, name: &str) -> Option<String> {
    let pairs = form.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(|(key, _)| decoded(key) == name).map(|(_, value)| decoded(value)).next()
}
