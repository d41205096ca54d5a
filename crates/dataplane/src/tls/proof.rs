//! The signature of a handshake, of whichever side: whether it is one of the certificate's key.

use palisade_identity::{Handshake, PossessionError, SIGNATURE_SCHEMES, possession};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Checks it, for certificates of every version.
pub(super) fn prove(
    handshake: Handshake,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    match possession(certificate, handshake, signed.scheme.into(), message, signed.signature()) {
        Ok(()) => Ok(HandshakeSignatureValid::assertion()),
        Err(PossessionError::Unreadable) => Err(CertificateError::BadEncoding.into()),
        Err(PossessionError::Scheme { .. } | PossessionError::Signature) => {
            Err(CertificateError::BadSignature.into())
        }
    }
}

/// Signatures that can be checked, the preferred first.
pub(super) fn schemes() -> Vec<SignatureScheme> {
    SIGNATURE_SCHEMES.iter().map(|scheme| SignatureScheme::from(*scheme)).collect()
}
