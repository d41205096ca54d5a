//! Who a client certificate makes its holder.
//!
//! Pure: chains, authorities, revocation lists and the time come in as arguments; a [`palisade_model::PeerIdentity`]
//! comes out. No socket, no file, no clock, and no TLS: the handshake itself is somebody else's, who asks [`possession()`]
//! whether its signature is the certificate's.
//!
//! ```text
//! PEM ── Anchors ─────┐
//! chain ── verify ────┴─> PeerIdentity { NONE | SUCCESS | FAILED:reason, facts } ── ClientCertificates::admit ─> Admission
//! handshake ── possession                                  │
//!                                                          └── names, fingerprints, PEM, X-Forwarded-Client-Cert
//! ```
//!
//! The one idea to hold: the verdict is nginx's, which is OpenSSL's when every check goes on after a failure. Numbers,
//! words and the order of checks are theirs (`chain`), because applications behind ingress-nginx read
//! `FAILED:unable to verify the first certificate` and decide by it.
//!
//! Certificates are read here and not by a library of certificates (`der`, `certificate`, `extensions`): every byte comes
//! from somebody hostile, a reader has to be as strict as the signature is, and as lenient as OpenSSL about versions,
//! serial numbers and types of strings. Signatures are `ring`'s.

mod admission;
mod anchors;
mod certificate;
mod chain;
mod constraints;
mod der;
mod extensions;
mod failure;
mod key;
mod name;
mod pem;
mod possession;
mod revocation;
mod subject_match;
mod vouched;
mod xfcc;

pub use admission::{Admission, ClientCertificates, UnknownClientCertificates};
pub use anchors::{Anchors, AnchorsError, DEPTH_MAX};
pub use certificate::CERTIFICATE_BYTES_MAX;
pub use chain::{CHAIN_CERTIFICATES_MAX, Unreadable, verify};
pub use failure::FAILURES;
pub use pem::{certificate_pem, escaped_certificate_pem};
pub use possession::{Handshake, PossessionError, SIGNATURE_SCHEMES, possession};
pub use subject_match::SubjectMatch;
pub use vouched::vouched;
pub use xfcc::{XfccFields, hex_lower, xfcc_element};
