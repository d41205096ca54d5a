//! The bank of the articles before our own listeners: every pod an address of this machine, every service account a
//! certificate.
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::net::SocketAddr;

use crate::pki::Pki;
use crate::support::Folder;

/// The objects of the bank.
pub(crate) const OBJECTS: &str = include_str!("../../../../testdata/policy/yaobank/objects.yaml");
/// Its policies.
pub(crate) const POLICIES: &str = include_str!("../../../../testdata/policy/yaobank/policies.yaml");

/// Addresses of the pods, as the objects have them and as this machine has them.
const PODS: [(&str, &str, &str); 4] = [
    ("customer", "10.28.0.11", "127.0.28.11"),
    ("summary", "10.28.0.12", "127.0.28.12"),
    ("database", "10.28.0.13", "127.0.28.13"),
    ("attack", "10.28.0.66", "127.0.28.66"),
];

/// The objects, with addresses of this machine.
pub(crate) fn objects() -> String {
    PODS.iter().fold(OBJECTS.to_owned(), |text, (_, theirs, ours)| text.replace(theirs, ours))
}

/// A pod's address on this machine.
pub(crate) fn address_of(pod: &str) -> &'static str {
    PODS.iter().find(|(name, ..)| *name == pod).map(|(_, _, address)| *address).unwrap()
}

/// Certificates: `ca`, `web` for every service, and one for each service account.
pub(crate) fn certificates(pki: &Pki<'_>) {
    pki.authority("ca");
    pki.server("ca", "web", &["customer", "summary", "database"]);
    for account in ["customer", "summary", "default"] {
        let id = format!("subjectAltName=URI:spiffe://cluster.local/ns/yaobank/sa/{account}\n");
        pki.issue("ca", account, &format!("/CN={account}"), &id, 30);
    }
}

/// Asks a service from a pod's address, with the key of a service account if any: the status, 0 without an answer.
pub(crate) fn ask(
    pki: &Pki<'_>,
    at: SocketAddr,
    pod: &str,
    key: Option<&str>,
    url: &str,
    more: &[&str],
) -> u16 {
    let folder: &Folder = pki.0;
    let files = key.map(|key| (folder.at(&format!("{key}.crt")), folder.at(&format!("{key}.key"))));
    let mut arguments = vec!["--interface", address_of(pod)];
    if let Some((crt, secret)) = &files {
        arguments.extend(["--cert", crt, "--key", secret]);
    }
    arguments.extend(more);
    pki.ask(at, &folder.at("ca.crt"), &url.replace("PORT", &at.port().to_string()), &arguments).0
}
