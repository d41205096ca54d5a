//! How a connection arrived: from where, for whom, and what its TLS handshake said. Made once, before the first byte of a
//! request is read; what a single request says of its client (`X-Forwarded-For`) is not here.

use std::net::SocketAddr;
use std::sync::Arc;

use palisade_inspect::{Admission, Secured};
use palisade_model::PeerIdentity;

use crate::tls::ClientRules;

/// A connection, as far as it is known before its first request.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The socket's other end: identity and policy go by it.
    pub peer_addr: SocketAddr,
    /// Who the connection is from: the peer, or whom a trusted one names by the PROXY protocol.
    pub client_addr: SocketAddr,
    /// Where it arrived.
    pub local_addr: SocketAddr,
    /// What TLS knows of it; `None` where it is plain.
    pub tls: Option<Arc<TlsArrival>>,
    /// What policies said to it; `None` where they were not asked.
    pub admission: Option<Arc<Admission>>,
}

/// What a TLS handshake settled.
#[derive(Clone, Debug)]
pub struct TlsArrival {
    /// The name that the client asked for, in lower case.
    pub sni: Option<Arc<str>>,
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite as the IANA names it.
    pub cipher: &'static str,
    /// The protocol that both sides chose, if they talked about it.
    pub alpn: Option<Alpn>,
    /// Who the client is, where it was asked for a certificate.
    pub identity: Option<Arc<PeerIdentity>>,
    /// URIs among the alternative names of the certificate that we showed.
    pub own_uris: Arc<[String]>,
    /// What hosts asked of clients when it was made.
    pub client_rules: Arc<ClientRules>,
}

/// A protocol that ALPN names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// `http/1.1`.
    Http1,
    /// `h2`.
    Http2,
}

impl Alpn {
    /// As it stands in a handshake.
    pub fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }

    pub(crate) fn from_bytes(name: &[u8]) -> Option<Self> {
        [Self::Http1, Self::Http2].into_iter().find(|alpn| alpn.as_bytes() == name)
    }
}

impl Arrival {
    /// A plain connection. IPv4 addresses become such, also where the socket takes both families.
    pub fn plain(peer: SocketAddr, local: SocketAddr) -> Self {
        let peer = canonical(peer);
        Self { peer_addr: peer, client_addr: peer, local_addr: canonical(local), tls: None, admission: None }
    }

    /// Who the peer is, where it was asked for a certificate.
    pub(crate) fn identity(&self) -> Option<&Arc<PeerIdentity>> {
        self.tls.as_ref()?.identity.as_ref()
    }

    /// What TLS settled, as inspections know it.
    pub(crate) fn secured(&self) -> Option<Secured> {
        let tls = self.tls.as_ref()?;
        Some(Secured { version: tls.version, cipher: tls.cipher, server_name: tls.sni.clone() })
    }

    /// How its requests are addressed.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// An IPv4 address as such, also where the socket takes both families.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
