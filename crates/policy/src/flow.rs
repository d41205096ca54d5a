//! What is to be decided about: a connection or a request, and who stands at its ends.

use std::fmt;
use std::net::IpAddr;

use palisade_model::{PeerIdentity, SpiffeId};

use crate::http_match::HttpHead;
use crate::rule::{Icmp, Protocol};

/// From whose side a flow is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// It comes to the workload that we stand before.
    Ingress,
    /// It comes from it.
    Egress,
}

/// A connection, or a request on one.
#[derive(Clone, Debug)]
pub struct Flow<'a> {
    /// From whose side.
    pub direction: Direction,
    /// Who asks.
    pub source: Party,
    /// Who is asked.
    pub destination: Party,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The message, where the protocol is ICMP.
    pub icmp: Option<Icmp>,
    /// The request, as far as it is known.
    pub request: Request<'a>,
    /// Whether an address that is not known yet may be waited for.
    pub patience: Patience,
}

/// One end of a flow.
#[derive(Clone, Debug, Default)]
pub struct Party {
    /// Its address: the socket's, never one that a header names.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: Option<u16>,
    /// Who its certificate says it is.
    pub identity: Identity,
    /// Which workload it is, where that is known without its address.
    pub workload: Option<WorkloadName>,
}

/// A workload by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadName {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Who a peer proved to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Nobody: the connection is plain, or no certificate came.
    #[default]
    Plain,
    /// It is yet to be seen: the handshake has not begun.
    Expected,
    /// A certificate that proves nothing to us: why.
    Unusable(Unusable),
    /// A service account, by a certificate that was verified and a trust domain that is ours.
    ServiceAccount {
        /// Its namespace.
        namespace: Box<str>,
        /// Its name.
        name: Box<str>,
    },
}

/// Why a certificate's name is no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unusable {
    /// The certificate was not verified.
    NotVerified,
    /// It holds no SPIFFE id, or the name is none.
    NotSpiffe,
    /// The SPIFFE id names no service account.
    NotServiceAccount,
    /// The trust domain is not one of ours.
    TrustDomain,
}

impl Unusable {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotVerified => "its certificate was not verified",
            Self::NotSpiffe => "its certificate holds no SPIFFE id",
            Self::NotServiceAccount => "its SPIFFE id names no service account",
            Self::TrustDomain => "its trust domain is not one of ours",
        }
    }
}

/// Trust domains whose names count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustDomains {
    /// Every one, as in Calico, which does not compare them.
    Any,
    /// These.
    Of(Vec<String>),
}

impl Default for TrustDomains {
    fn default() -> Self {
        Self::Of(vec!["cluster.local".to_owned()])
    }
}

impl TrustDomains {
    fn has(&self, domain: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Of(ours) => ours.iter().any(|ours| ours == domain),
        }
    }
}

impl Identity {
    /// The identity that a name is; the certificate around it was verified. An empty name is none.
    #[must_use]
    pub fn of_principal(principal: &str, ours: &TrustDomains) -> Self {
        if principal.is_empty() {
            return Self::Plain;
        }
        match principal.parse::<SpiffeId>() {
            Ok(id) => Self::of_spiffe_id(&id, ours),
            Err(_) => Self::Unusable(Unusable::NotSpiffe),
        }
    }

    /// The same of a SPIFFE id.
    #[must_use]
    pub fn of_spiffe_id(id: &SpiffeId, ours: &TrustDomains) -> Self {
        match id.service_account() {
            None => Self::Unusable(Unusable::NotServiceAccount),
            Some(_) if !ours.has(id.trust_domain()) => Self::Unusable(Unusable::TrustDomain),
            Some((namespace, name)) => {
                Self::ServiceAccount { namespace: namespace.into(), name: name.into() }
            }
        }
    }

    /// What a connection's certificate makes of its peer.
    #[must_use]
    pub fn of_peer(peer: Option<&PeerIdentity>, ours: &TrustDomains) -> Self {
        let Some(peer) = peer.filter(|peer| peer.certificate().is_some()) else { return Self::Plain };
        match (peer.spiffe_id(), peer.trusted_certificate()) {
            (Some(id), _) => Self::of_spiffe_id(id, ours),
            (None, Some(_)) => Self::Unusable(Unusable::NotSpiffe),
            (None, None) => Self::Unusable(Unusable::NotVerified),
        }
    }
}

/// The request of a flow.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// There will be one: a connection was accepted.
    Expected,
    /// There is none: the flow is not HTTP.
    None,
    /// It is this.
    Head(HttpHead<'a>),
}

/// Whether the caller may wait for an address to become known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Patience {
    /// It may: an unknown address is said to be awaited where it decides. Only a store that is fed while it is asked
    /// ([`Feed::Growing`], [`Feed::Compiled`]) has such addresses.
    Waiting,
    /// It has waited, or never does: an unknown address belongs to nobody.
    #[default]
    Over,
}

/// How the objects come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Feed {
    /// All at once: what is not there does not exist.
    #[default]
    Complete,
    /// One by one, as a cluster changes: a peer's address may be ahead of the news about it.
    Growing,
    /// The same, compiled elsewhere: nobody says who runs where, so that an address is known by the sets that it is in.
    Compiled,
}

/// How peers are judged. The default is the strictest; each other setting says what it opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Whose names count.
    pub trust_domains: TrustDomains,
    /// Peers without a certificate, where a clause asks who they are.
    pub plaintext_peers: PlaintextPeers,
    /// Peers with a certificate that names nobody of ours are judged by address alone, as in Calico. Opens: anybody with
    /// a certificate of any form passes for whoever has the address.
    pub unusable_as_plaintext: bool,
    /// A set of addresses that is not known matches every address, as in Calico. Opens: a set that was not delivered
    /// lets everybody in.
    pub unknown_sets_match: bool,
    /// `http` is ignored on what is not HTTP, as in Calico. Opens: the same port in another protocol.
    pub http_ignored_elsewhere: bool,
}

/// What a peer without a certificate is where a clause asks who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PlaintextPeers {
    /// Nobody.
    #[default]
    Deny,
    /// Whoever has its address.
    Address,
}
