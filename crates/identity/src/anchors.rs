//! Whom we believe: certificate authorities and their revocation lists, from PEM.

use std::collections::HashMap;

use thiserror::Error;

use crate::certificate::Certificate;
use crate::pem;
use crate::revocation::RevocationList;

/// Chains may have so many certificates between leaf and root, at most.
pub const DEPTH_MAX: u8 = 12;

/// The certificate authorities that vouch for clients, with the revocation lists that they publish and the length of
/// chain that is taken. Made once for a configuration and shared; a change makes new ones.
#[derive(Debug)]
pub struct Anchors {
    certificates: Vec<Certificate>,
    /// Where those of one subject stand, by what equal names have in common.
    by_subject: HashMap<Box<[u8]>, Vec<usize>>,
    lists: Option<Vec<RevocationList>>,
    depth: u8,
}

impl Anchors {
    /// Those of a bundle of certificates, all of them, at least one. `crl` is a bundle of revocation lists: with it,
    /// every certificate of a chain needs a list of its issuer's that is in time, as nginx's `ssl_crl` has it. `depth` is
    /// how many certificates may stand between a leaf and its root, at most [`DEPTH_MAX`].
    ///
    /// Only roots end a chain: an intermediate authority in the bundle needs its root there as well.
    pub fn new(ca: &[u8], crl: Option<&[u8]>, depth: u8) -> Result<Self, AnchorsError> {
        if depth > DEPTH_MAX {
            return Err(AnchorsError::Depth { depth });
        }
        let mut out = Self { depth, ..Self::nobody() };
        for block in pem::blocks(ca).map_err(|broken| AnchorsError::Pem { file: "ca", line: broken.line })? {
            match block.label.as_str() {
                "CERTIFICATE" | "X509 CERTIFICATE" => {
                    let certificate = Certificate::read(&block.der)
                        .map_err(|_| AnchorsError::Certificate { line: block.line })?;
                    out.add(certificate);
                }
                "TRUSTED CERTIFICATE" => return Err(AnchorsError::Trusted { line: block.line }),
                _ => {}
            }
        }
        if out.certificates.is_empty() {
            return Err(AnchorsError::Empty { file: "ca", wanted: "CERTIFICATE" });
        }
        if let Some(crl) = crl {
            let blocks =
                pem::blocks(crl).map_err(|broken| AnchorsError::Pem { file: "crl", line: broken.line })?;
            let lists: Result<Vec<_>, _> = blocks
                .iter()
                .filter(|block| block.label == "X509 CRL")
                .map(|block| {
                    RevocationList::read(&block.der).map_err(|_| AnchorsError::List { line: block.line })
                })
                .collect();
            let lists = lists?;
            if lists.is_empty() {
                return Err(AnchorsError::Empty { file: "crl", wanted: "X509 CRL" });
            }
            // What our own authorities signed is hashed now and not in a handshake.
            for list in &lists {
                for certificate in out.certificates.iter().filter(|known| known.subject == list.issuer) {
                    list.is_signed_by(&certificate.key);
                }
            }
            out.lists = Some(lists);
        }
        Ok(out)
    }

    /// No authority at all: every certificate is one of an unknown issuer. For `optional_no_ca` without a bundle.
    #[must_use]
    pub fn nobody() -> Self {
        Self { certificates: Vec::new(), by_subject: HashMap::new(), lists: None, depth: 1 }
    }

    /// The subjects, in DER: hints for clients that choose among several certificates.
    pub fn subjects(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(|certificate| certificate.subject.der())
    }

    /// How many authorities there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    fn add(&mut self, certificate: Certificate) {
        if self.certificates.iter().any(|known| known.der() == certificate.der()) {
            return;
        }
        let at = self.certificates.len();
        self.by_subject.entry(certificate.subject.comparable().into()).or_default().push(at);
        self.certificates.push(certificate);
    }

    pub(crate) fn depth(&self) -> usize {
        usize::from(self.depth)
    }

    pub(crate) fn lists(&self) -> Option<&[RevocationList]> {
        self.lists.as_deref()
    }

    /// The authorities that could have issued a certificate.
    pub(crate) fn issuers_of<'a>(
        &'a self,
        certificate: &'a Certificate,
    ) -> impl Iterator<Item = &'a Certificate> {
        let named = self.by_subject.get(certificate.issuer.comparable());
        named
            .into_iter()
            .flatten()
            .map(|at| &self.certificates[*at])
            .filter(|issuer| certificate.is_issued_by(issuer))
    }
}

/// Why there are no anchors.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AnchorsError {
    /// PEM that is none.
    #[error("{file}: the block that begins in line {line} is no PEM: is its end or a part of it missing?")]
    Pem {
        /// `ca` or `crl`.
        file: &'static str,
        /// From 1.
        line: usize,
    },
    /// A block that holds no certificate.
    #[error("ca: the block that begins in line {line} is no X.509 certificate")]
    Certificate {
        /// From 1.
        line: usize,
    },
    /// A block that holds no revocation list.
    #[error("crl: the block that begins in line {line} is no X.509 revocation list")]
    List {
        /// From 1.
        line: usize,
    },
    /// OpenSSL's own form, with settings behind the certificate.
    #[error(
        "ca: the block that begins in line {line} is a TRUSTED CERTIFICATE; write it anew with `openssl x509 -in FILE`"
    )]
    Trusted {
        /// From 1.
        line: usize,
    },
    /// None of what there should be.
    #[error("{file}: there is no block `-----BEGIN {wanted}-----`")]
    Empty {
        /// `ca` or `crl`.
        file: &'static str,
        /// `CERTIFICATE` or `X509 CRL`.
        wanted: &'static str,
    },
    /// A depth that nobody needs.
    #[error("a depth of {depth} is too much; use 0 to {DEPTH_MAX}")]
    Depth {
        /// The one that was asked for.
        depth: u8,
    },
}
