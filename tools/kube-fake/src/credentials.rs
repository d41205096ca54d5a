//! What a cluster's clients and its API server show each other: an authority, certificates of it, a token. Made anew for
//! each server, by [`Credentials::new`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::{Value, json};

/// Of one API server on loopback.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The authority's certificate, in PEM.
    pub authority: String,
    /// The server's: for `127.0.0.1` and `localhost`.
    pub server: Pair,
    /// A client's: user `admin` of group `system:masters`.
    pub admin: Pair,
    /// A token for the same user.
    pub token: String,
    /// A token for user `nobody`, who may do nothing. Ours knows no users, and refuses it like any other.
    pub unprivileged: String,
    /// What service accounts' tokens are signed with: private and public key.
    pub(crate) accounts: (String, String),
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// How a client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// By a bearer token.
    Token,
    /// By the token of a user who may do nothing.
    Unprivileged,
    /// By a client certificate.
    Certificate,
}

impl Credentials {
    /// New keys and certificates: ECDSA on P-256.
    ///
    /// # Panics
    /// Where the system gives no randomness, as tests may.
    #[must_use]
    pub fn new() -> Credentials {
        let key = KeyPair::generate().expect("a key");
        let mut params = named("kubernetes", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        let mut server = named("kube-apiserver", None);
        server.subject_alt_names = ["127.0.0.1", "localhost"]
            .into_iter()
            .flat_map(|name| CertificateParams::new(vec![name.to_owned()]).expect("a name").subject_alt_names)
            .collect();
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let mut admin = named("admin", Some("system:masters"));
        admin.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let accounts = KeyPair::generate().expect("a key");
        let public = accounts.public_key_raw();
        let token = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Credentials {
            authority,
            server: Pair::signed(server, &issuer),
            admin: Pair::signed(admin, &issuer),
            token: token(&public[1..17]),
            unprivileged: token(&public[17..33]),
            accounts: (accounts.serialize_pem(), accounts.public_key_pem()),
        }
    }

    /// A kubeconfig file that leads to `url`.
    #[must_use]
    pub fn kubeconfig(&self, url: &str, identity: Identity) -> String {
        let encoded = |text: &str| STANDARD.encode(text);
        let user = match identity {
            Identity::Token => json!({"token": self.token}),
            Identity::Unprivileged => json!({"token": self.unprivileged}),
            Identity::Certificate => json!({
                "client-certificate-data": encoded(&self.admin.certificate), "client-key-data": encoded(&self.admin.key),
            }),
        };
        let cluster = json!({"server": url, "certificate-authority-data": encoded(&self.authority)});
        kubeconfig(&cluster, &user)
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    fn signed(mut params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Pair {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, issuer).expect("a certificate").pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

fn named(name: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params
}

/// A kubeconfig file of one cluster and one user.
pub(crate) fn kubeconfig(cluster: &Value, user: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
    })
    .to_string()
}
