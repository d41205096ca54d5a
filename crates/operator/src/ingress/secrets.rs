//! Secrets as files of a bundle: certificates of hosts, authorities of clients.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use palisade_identity::Anchors;
use sha2::{Digest as _, Sha256};

use crate::ingress::{Checks, key};

/// Secrets by namespace and name.
pub(crate) struct Secrets<'a>(HashMap<(String, String), &'a Secret>);

/// Files, by the names that they have in the bundle.
pub(crate) type NamedFiles = Vec<(String, Arc<[u8]>)>;

impl<'a> Secrets<'a> {
    pub(crate) fn new(secrets: &'a [Arc<Secret>]) -> Self {
        Self(secrets.iter().map(|secret| (key(&secret.metadata), &**secret)).collect())
    }

    pub(crate) fn value(&self, of: &(String, String), name: &str) -> Option<&'a [u8]> {
        let secret = self.0.get(of)?;
        secret.data.as_ref()?.get(name).map(|value| &value.0[..]).filter(|value| !value.is_empty())
    }

    fn there(&self, of: &(String, String)) -> Result<(), String> {
        match self.0.contains_key(of) {
            true => Ok(()),
            false => Err(format!("there is no Secret {}/{}", of.0, of.1)),
        }
    }

    /// A certificate with its key.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn pair(
        &self,
        of: &(String, String),
        checks: &Checks,
        known: &mut HashMap<[u8; 32], Result<(), String>>,
    ) -> Result<NamedFiles, String> {
        self.there(of)?;
        let told = |name: &str| format!("the Secret {}/{} has no {name}", of.0, of.1);
        let certificate = self.value(of, "tls.crt").ok_or_else(|| told("tls.crt"))?;
        let key = self.value(of, "tls.key").ok_or_else(|| told("tls.key"))?;
        let mut digest = Sha256::new();
        digest.update((certificate.len() as u64).to_be_bytes());
        digest.update(certificate);
        digest.update(key);
        let outcome =
            known.entry(digest.finalize().into()).or_insert_with(|| (checks.pair)(certificate, key));
        outcome.clone().map_err(|why| format!("the Secret {}/{}: {why}", of.0, of.1))?;
        Ok(vec![(name(of, "crt"), certificate.into()), (name(of, "key"), key.into())])
    }

    /// Authorities of clients, and their revocation lists.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub(crate) fn authorities(&self, of: &(String, String)) -> Result<NamedFiles, String> {
        self.there(of)?;
        let ca = self.value(of, "ca.crt");
        let ca = ca.ok_or_else(|| format!("the Secret {}/{} has no ca.crt", of.0, of.1))?;
        let crl = self.value(of, "ca.crl");
        Anchors::new(ca, crl, 1).map_err(|error| format!("the Secret {}/{}: {error}", of.0, of.1))?;
        let mut files: NamedFiles = vec![(name(of, "ca.crt"), ca.into())];
        files.extend(crl.map(|crl| (name(of, "crl"), crl.into())));
        Ok(files)
    }

    /// Whether it has a certificate of its own.
    pub(crate) fn has_pair(&self, of: &(String, String)) -> bool {
        self.value(of, "tls.crt").is_some()
    }
}

fn name(of: &(String, String), suffix: &str) -> String {
    format!("tls/{}.{}.{suffix}", of.0, of.1)
}
