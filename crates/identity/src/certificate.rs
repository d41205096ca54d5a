//! A certificate, read.

use std::ops::Range;

use palisade_model::{CertificateFacts, SpiffeId};

use crate::der::{self, Malformed, Reader};
use crate::extensions::{self, Extensions, GeneralName};
use crate::key::{PublicKey, SignatureAlgorithm};
use crate::name::{self, Name};

/// A certificate may be so long; a usual one has 1 to 2 KiB.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;

/// What a verdict asks of a certificate.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    der: Box<[u8]>,
    signed: Range<usize>,
    signature: Range<usize>,
    algorithm: SignatureAlgorithm,
    /// The algorithm inside the signed part is the one outside.
    algorithm_agrees: bool,
    is_version_1: bool,
    serial: Box<[u8]>,
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
    /// Seconds since 1970, None where it is no time of the allowed form.
    pub(crate) not_before: Option<i64>,
    pub(crate) not_after: Option<i64>,
    pub(crate) key: PublicKey,
    pub(crate) extensions: Extensions,
    self_signed: bool,
}

impl Certificate {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > CERTIFICATE_BYTES_MAX {
            return Err(Malformed);
        }
        let mut outer = Reader::only(bytes, der::SEQUENCE)?.reader();
        let (signed, outer_algorithm, signature) =
            (outer.expect(der::SEQUENCE)?, outer.expect(der::SEQUENCE)?, outer.expect(der::BIT_STRING)?);
        outer.end()?;

        let mut parts = signed.reader();
        let version = match parts.optional(der::constructed(0))? {
            Some(version) => version.only()?.unsigned()?,
            None => 0,
        };
        let serial = parts.expect(der::INTEGER)?;
        let inner_algorithm = parts.expect(der::SEQUENCE)?;
        let issuer = Name::read(&parts.next()?)?;
        let mut validity = parts.expect(der::SEQUENCE)?.reader();
        let (not_before, not_after) = (der::time(&validity.next()?)?, der::time(&validity.next()?)?);
        validity.end()?;
        let subject = Name::read(&parts.next()?)?;
        let key = PublicKey::read(&parts.expect(der::SEQUENCE)?)?;
        let _unique_ids = (parts.optional(der::primitive(1))?, parts.optional(der::primitive(2))?);
        let extensions = match parts.optional(der::constructed(3))? {
            Some(list) => Extensions::read(&list.only()?)?,
            None => Extensions::default(),
        };
        parts.end()?;
        if version > 2 || serial.content.is_empty() {
            return Err(Malformed);
        }

        let mut certificate = Self {
            signed: der::range_in(bytes, signed.whole),
            signature: der::range_in(bytes, signature.whole_bits()?),
            algorithm: SignatureAlgorithm::read(&inner_algorithm)?,
            algorithm_agrees: inner_algorithm.whole == outer_algorithm.whole,
            der: bytes.into(),
            is_version_1: version == 0,
            serial: serial.content.into(),
            issuer,
            subject,
            not_before,
            not_after,
            key,
            extensions,
            self_signed: false,
        };
        certificate.self_signed = certificate.is_issued_by(&certificate);
        Ok(certificate)
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn serial(&self) -> &[u8] {
        &self.serial
    }

    pub(crate) fn is_version_1(&self) -> bool {
        self.is_version_1
    }

    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Its subject is its issuer.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// It says that its own key signed it. The signature is not looked at: what matters is whether we know it.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.self_signed
    }

    pub(crate) fn is_ca(&self) -> bool {
        self.extensions.basic.is_some_and(|basic| basic.is_ca)
    }

    /// Whether names, key identifiers and kinds of keys say that the other one issued it. Signatures are not checked.
    pub(crate) fn is_issued_by(&self, issuer: &Certificate) -> bool {
        self.issuer == issuer.subject
            && !self.extensions.malformed
            && !issuer.extensions.malformed
            && issuer.has_key_of(&self.extensions.authority_key)
            && issuer.key.can_make(self.algorithm)
    }

    /// Whether an authority key identifier can mean this certificate.
    pub(crate) fn has_key_of(&self, authority: &extensions::AuthorityKey) -> bool {
        let same_key = match (&authority.key, &self.extensions.subject_key) {
            (Some(wanted), Some(own)) => wanted == own,
            _ => true,
        };
        same_key
            && authority.serial.as_ref().is_none_or(|serial| *serial == self.serial)
            && authority.issuer.as_ref().is_none_or(|issuer| *issuer == self.issuer)
    }

    /// Whether that key made this certificate's signature.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.algorithm_agrees
            && key.verify(self.algorithm, &self.der[self.signed.clone()], &self.der[self.signature.clone()])
    }

    /// It is within its time.
    pub(crate) fn is_valid_at(&self, now: i64) -> bool {
        self.not_before.is_some_and(|first| first <= now) && self.not_after.is_some_and(|last| now <= last)
    }

    /// What it says of its holder.
    pub(crate) fn facts(&self) -> CertificateFacts {
        let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &self.der);
        let sha256 = ring::digest::digest(&ring::digest::SHA256, &self.der);
        let names = &self.extensions.alternative_names;
        let uri_sans: Vec<String> = names
            .iter()
            .filter_map(|name| match name {
                GeneralName::Uri(uri) => Some(uri.clone()),
                _ => None,
            })
            .collect();
        let dns_sans = names
            .iter()
            .filter_map(|name| match name {
                GeneralName::Dns(dns) => Some(dns.clone()),
                _ => None,
            })
            .collect();
        CertificateFacts {
            der: self.der.clone(),
            subject_dn: self.subject.rfc2253(),
            subject_dn_legacy: self.subject.oneline(),
            issuer_dn: self.issuer.rfc2253(),
            issuer_dn_legacy: self.issuer.oneline(),
            common_names: self.subject.common_names(),
            serial: serial_hex(&self.serial),
            not_before: self.not_before.unwrap_or(YEAR_9999_END),
            not_after: self.not_after.unwrap_or(0),
            sha1: sha1.as_ref().try_into().expect("SHA-1 is 20 bytes"),
            sha256: sha256.as_ref().try_into().expect("SHA-256 is 32 bytes"),
            spiffe_id: self.spiffe_id(&uri_sans),
            uri_sans,
            dns_sans,
        }
    }

    /// Source: the X.509-SVID standard: exactly one URI (2), no authority among leaves (4.1 to 4.3).
    fn spiffe_id(&self, uris: &[String]) -> Option<SpiffeId> {
        let [uri] = uris else { return None };
        let may_sign =
            self.extensions.key_usage.unwrap_or(0) & (extensions::KEY_CERT_SIGN | extensions::CRL_SIGN);
        if self.is_ca() || may_sign != 0 {
            return None;
        }
        uri.parse().ok()
    }
}

/// When a certificate begins to be valid that does not say when: at the last second that a certificate can name.
const YEAR_9999_END: i64 = 253_402_300_799;

/// As OpenSSL prints a number: upper case, whole bytes, no zero in front, a minus sign where it is negative.
fn serial_hex(content: &[u8]) -> String {
    let mut out = String::new();
    let negative = content.first().is_some_and(|first| *first >= 0x80);
    let mut magnitude = content.to_vec();
    if negative {
        out.push('-');
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (sum, over);
        }
    }
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
    let digits = &magnitude[zeros.min(magnitude.len() - 1)..];
    name::hex_upper(digits, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::serial_hex;

    #[test]
    fn serials_print_as_openssl_prints_them() {
        for (content, text) in [
            (&[0][..], "00"),
            (&[1], "01"),
            (&[0x0A, 0x1F], "0A1F"),
            (&[0, 0x80], "80"),
            (&[0xFF], "-01"),
            (&[0x80], "-80"),
            (&[0xFF, 0x00], "-0100"),
        ] {
            assert_eq!(serial_hex(content), text);
        }
    }
}
