//! A certificate with its chain and its key, from PEM.

use std::fmt;
use std::sync::Arc;

use palisade_identity::{Anchors, Handshake, possession, verify};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use super::proof::schemes;
use super::provider;

/// A certificate, those between it and its authority, and its key, which is known to be its key.
#[derive(Clone)]
pub struct KeyPair {
    certified: Arc<CertifiedKey>,
    /// The names that it is for, in lower case: `shop.example`, `*.shop.example`.
    names: Vec<String>,
    /// URIs among its alternative names: who it says that we are.
    uris: Arc<[String]>,
    not_before: i64,
    not_after: i64,
    subject: String,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why texts are no certificate with its key. Each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyPairError {
    /// No certificate in the text.
    #[error("{0}")]
    Certificate(CertificateTextError),
    /// The first certificate cannot be read.
    #[error(
        "its first certificate cannot be read ({0}); write the server's certificate first, then intermediates"
    )]
    Leaf(String),
    /// No key in the text.
    #[error("the key file has no private key; write one that begins with `-----BEGIN PRIVATE KEY-----`")]
    NoKey,
    /// The key has a pass phrase, which nobody is there to type.
    #[error("the key is encrypted; write it without a pass phrase: `openssl pkey -in KEY -out PLAIN`")]
    EncryptedKey,
    /// The key's text is no PEM.
    #[error("the key file is not PEM: {0}")]
    BrokenKey(String),
    /// A kind of key that is not used.
    #[error(
        "the key is of a kind that is not used here ({0}); use RSA of 2048 bits or more, P-256, P-384 or Ed25519"
    )]
    KeyKind(String),
    /// The key is another certificate's.
    #[error(
        "the key does not belong to the certificate (`{subject}`); write the key that it was made for: \
         `openssl x509 -pubkey -noout` and `openssl pkey -pubout` must print the same"
    )]
    Mismatch {
        /// The certificate's subject.
        subject: String,
    },
}

/// Why a text has no certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateTextError {
    /// There is none.
    #[error("it has no certificate; write PEM that begins with `-----BEGIN CERTIFICATE-----`")]
    None,
    /// There is none, but a key.
    #[error("it has a private key and no certificate; are `cert` and `key` swapped?")]
    Key,
    /// It is no PEM.
    #[error("it is not PEM: {0}")]
    Broken(String),
    /// There are too many.
    #[error("it has more than {CERTIFICATES_MAX} certificates")]
    TooMany,
}

/// Certificates of one file.
const CERTIFICATES_MAX: usize = 1000;

/// Certificates of a PEM text, at least one; other sections are passed over.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateTextError> {
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        found.push(certificate.map_err(|error| CertificateTextError::Broken(words(&error)))?);
        if found.len() > CERTIFICATES_MAX {
            return Err(CertificateTextError::TooMany);
        }
    }
    if found.is_empty() {
        let key = PrivateKeyDer::from_pem_slice(pem).is_ok();
        return Err(if key { CertificateTextError::Key } else { CertificateTextError::None });
    }
    Ok(found)
}

impl KeyPair {
    /// Reads a certificate chain, the certificate itself first, and its key (PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// When they cannot be used together.
    pub fn parse(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, KeyPairError> {
        let chain = certificates(certificate_pem).map_err(KeyPairError::Certificate)?;
        let key = private_key(key_pem)?;
        let identity = verify(&[&chain[0]], &Anchors::nobody(), 0)
            .map_err(|error| KeyPairError::Leaf(error.to_string()))?;
        // Whoever vouches for it: this is what it says.
        let facts = identity.certificate().ok_or_else(|| KeyPairError::Leaf("it is empty".to_owned()))?;
        let key = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| KeyPairError::KeyKind(error.to_string()))?;
        let subject = facts.subject_dn.clone();
        if !belong_together(&chain[0], &*key) {
            return Err(KeyPairError::Mismatch { subject });
        }
        // Without alternative names a CN is one, as it was to everybody once and still is to many.
        let names = if facts.dns_sans.is_empty() { &facts.common_names } else { &facts.dns_sans };
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let (not_before, not_after) = (facts.not_before, facts.not_after);
        let uris = facts.uri_sans.clone().into();
        let certified = Arc::new(CertifiedKey::new(chain, key));
        Ok(Self { certified, names, uris, not_before, not_after, subject })
    }

    /// What is wrong with its validity at a time (seconds since 1970), if anything.
    pub fn warning(&self, now: i64) -> Option<String> {
        let subject = &self.subject;
        if now > self.not_after {
            let days = (now - self.not_after) / 86_400;
            Some(format!("the certificate `{subject}` expired {days} days ago; clients refuse it: renew it"))
        } else if now < self.not_before {
            Some(format!("the certificate `{subject}` is not valid yet; is the clock right?"))
        } else {
            None
        }
    }

    /// The last second in which it is valid, since 1970.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// Its subject, for people.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The names that it is for.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// URIs among its alternative names.
    pub(crate) fn uris(&self) -> &Arc<[String]> {
        &self.uris
    }

    pub(crate) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

/// Whether a signature by the key is one of the certificate's. Certificates of version 1 can be asked like this as well.
fn belong_together(certificate: &[u8], key: &dyn SigningKey) -> bool {
    // A kind of key that identity does not check: clients do.
    let Some(signer) = key.choose_scheme(&schemes()) else { return true };
    let message = b"this key belongs to this certificate";
    let scheme = signer.scheme().into();
    signer
        .sign(message)
        .is_ok_and(|signature| possession(certificate, Handshake::Tls12, scheme, message, &signature).is_ok())
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, KeyPairError> {
    let has = |text: &[u8]| pem.windows(text.len()).any(|window| window == text);
    if has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED") {
        return Err(KeyPairError::EncryptedKey);
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => KeyPairError::NoKey,
        error => KeyPairError::BrokenKey(words(&error)),
    })
}

/// What is wrong with a PEM text, without its content, which may be a key.
fn words(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end; is the file cut?".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a `-----BEGIN` line is broken".to_owned(),
        pem::Error::Base64Decode(_) => "a section is no base64; is the file cut?".to_owned(),
        _ => "it cannot be read".to_owned(),
    }
}
