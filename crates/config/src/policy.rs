//! Whom we stand in front of, and where the policies about them are.

use crate::decode::{Decode, Decoder, Shape, Step, section};
use crate::node::{Node, Value, quoted};
use crate::policy_sync::PolicySync;
use crate::value::{FilePath, FromText, IpAddress, Port, Refused, Time, decode_as_text, words};

section! {
    /// A workload: policies select by it.
    pub struct Workload {
        /// Its namespace.
        namespace: KubernetesName = "default",
        /// Its name, as a pod has one.
        name: KubernetesName,
        /// The service account that it runs as.
        service_account: KubernetesName = "default",
        /// Its labels.
        labels: Labels,
        /// The port where it listens, for rules that name the destination's port; the one where a request arrived when absent.
        port: Option<Port>,
        /// The address that it has, for rules that say which destination they mean by its address, by who it is, or by a port's
        /// name, which a pod with this address has; the one where a request arrived when absent.
        address: Option<IpAddress>,
    }
}

section! {
    /// Policies: who may ask, and what. They are asked before anything is inspected, and act in every mode; staged ones only
    /// say in the log what they would have done.
    pub struct Policies {
        /// Files of Calico and Kubernetes objects, or folders of .yaml, .yml and .json files. They are watched; an object that
        /// cannot be used stays as it was.
        files: Vec<FilePath>,
        /// Policies that Calico's agent on the node hands over, in place of `files`.
        sync: Option<PolicySync>,
        /// How long a request waits for news of who has its peer's address, where a rule that asks for that decides against it
        /// and the policies come from a cluster, whose news may be slower than a new pod. With policies from files nobody waits.
        unknown_peer_wait: Time = "2s",
        /// What a peer without a certificate is where a rule asks who it is (by `selector`, `namespaceSelector` or
        /// `serviceAccounts` of its source). deny: nobody. address: whoever has its address, as in Calico, so that an address
        /// is enough.
        plaintext_peers: PlaintextPeers = "deny",
        /// Trust domains whose names in certificates count. `*` is any, as in Calico, so that another cluster's certificate
        /// passes for one of ours where its authority is trusted. `cluster.local` when absent.
        trust_domains: Vec<TrustDomain>,
        /// Where Calico lets in what it cannot tell. Each of these opens something.
        compatibility: PolicyCompatibility,
    }
}

section! {
    /// Where Calico lets in what it cannot tell. All closed by default.
    pub struct PolicyCompatibility {
        /// A certificate that names nobody of ours counts as none, so that `plaintextPeers` decides. Opens: with `address`,
        /// anybody with a certificate of any form passes for who has the address.
        unusable_as_plaintext: bool = "false",
        /// A set of addresses that is not known matches. Opens: a set that was not delivered lets everybody in.
        unknown_sets_match: bool = "false",
        /// `http` is ignored on what is not HTTP. Opens: the same port in another protocol.
        http_ignored_elsewhere: bool = "false",
    }
}

words! {
    /// What a peer without a certificate is where a rule asks who it is.
    pub enum PlaintextPeers: "a word for peers without a certificate" {
        /// Nobody.
        Deny = "deny",
        /// Whoever has its address.
        Address = "address",
    }
}

/// A name as Kubernetes allows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesName(String);

impl KubernetesName {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for KubernetesName {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let known =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        if text.is_empty() || text.len() > 253 || !text.bytes().all(known) {
            let help = "names have up to 253 lower-case letters, digits, `-` and `.`";
            return Err(("is no name in Kubernetes".to_owned(), help.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text { what: "a name in Kubernetes", pattern: Some("^[a-z0-9.-]{1,253}$"), example: "web" }
    }
}

/// A trust domain, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustDomain(String);

impl TrustDomain {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for TrustDomain {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
        if text != "*" && (text.is_empty() || text.len() > 255 || !text.bytes().all(known)) {
            let help = "write one such as cluster.local, without spiffe://";
            return Err(("is no trust domain".to_owned(), help.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a trust domain, or `*`",
            pattern: Some("^(\\*|[a-z0-9._-]{1,255})$"),
            example: "cluster.local",
        }
    }
}

decode_as_text!(KubernetesName, TrustDomain, PlaintextPeers);

/// Labels with their values, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Decode for Labels {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return Some(Self::default()),
            _ => {
                let help = "write a mapping from names to values: `{app: web}`".to_owned();
                decoder.error(node, format!("{} stands where labels are expected", node.describe()), help);
                return None;
            }
        };
        let mut labels = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            labels.push(decoder.within(&Step::Key(&key.name), |decoder| match &value.value {
                Value::Text { text, .. } => Some((key.name.clone(), text.clone())),
                Value::Null => Some((key.name.clone(), String::new())),
                _ => {
                    let message = format!("the label {} has no text as its value", quoted(&key.name));
                    decoder.error(value, message, "write a text, such as web".to_owned());
                    None
                }
            }));
        }
        labels.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn shape() -> Shape {
        Shape::Names(Box::new(Shape::Text { what: "a text", pattern: None, example: "web" }))
    }
}
