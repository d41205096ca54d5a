//! TLS: certificates that we show, handshakes with clients, and TLS towards upstreams.
//!
//! ```text
//!  PEM bytes ──KeyPair::parse──> TlsServer   what one configuration says; never changes
//!                                   │ replaced as a whole
//!                                   v
//!  accepted socket ──handshake──> ServerTls  what a listener has in force: each connection takes what is there then
//!                                   │ the name that the client asks for chooses certificate and client rule
//!                                   v
//!                        ClientStream + TlsArrival
//! ```
//!
//! Bytes come in and nothing is read from disk here. What a client's certificate is worth is `palisade-identity`'s to
//! say; what follows from it is [`crate::certificate`]'s.

mod client_rules;
mod client_stream;
mod client_verifier;
mod handshake;
mod key_pair;
mod proof;
mod server;
mod upstream;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use self::client_rules::{CertificatePage, ClientRule, ClientRules, Misdirected};
pub(crate) use self::client_stream::ClientStream;
pub(crate) use self::handshake::{Greeting, Handshakes, handshake};
pub use self::key_pair::{CertificateTextError, KeyPair, KeyPairError};
pub use self::server::{ServerTls, TlsServer, TlsServerError, TlsServerSettings};
pub(crate) use self::upstream::told as upstream_told;
pub use self::upstream::{Believed, UpstreamTls, UpstreamTlsError, UpstreamTlsSettings, authorities};

/// The cryptography of this build.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}
