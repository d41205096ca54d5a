//! The part of a handshake that asks a client for its certificate: any is taken, of any version, whose key the client
//! proves to hold. What it is worth is said afterwards, and told to the client by HTTP.

use std::fmt;
use std::sync::Arc;

use palisade_identity::{Anchors, Handshake};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::proof::{prove, schemes};

pub(super) struct ClientVerifier {
    /// Clients with several certificates choose by these.
    hints: Vec<DistinguishedName>,
}

impl ClientVerifier {
    pub(super) fn new(anchors: &Anchors) -> Arc<Self> {
        let mut subjects: Vec<&[u8]> = anchors.subjects().collect();
        subjects.sort_unstable();
        subjects.dedup();
        let bytes: usize = subjects.iter().map(|subject| subject.len() + 2).sum();
        // More would not fit the message: then clients choose without.
        if bytes > HINTS_BYTES_MAX {
            subjects.clear();
        }
        let hints = subjects.iter().map(|subject| DistinguishedName::from(subject.to_vec())).collect();
        Arc::new(Self { hints })
    }
}

/// All names of authorities in one request for a certificate have two bytes for their length.
const HINTS_BYTES_MAX: usize = 32 * 1024;

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier").field("hints", &self.hints.len()).finish()
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        prove(Handshake::Tls12, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        prove(Handshake::Tls13, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}
