//! Certificate revocation lists, and what they say of a chain.
//!
//! Source: as OpenSSL checks under `X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL`, which is what nginx's `ssl_crl`
//! sets: every certificate of a chain needs a list of its issuer's, one that is in time. Indirect lists, lists for some
//! reasons only, and deltas are not used.

use std::collections::HashSet;
use std::sync::Mutex;

use palisade_model::Failure;

use crate::certificate::Certificate;
use crate::der::{self, Element, Malformed, Reader};
use crate::extensions::{self, AuthorityKey, CRL_SIGN};
use crate::failure;
use crate::key::{PublicKey, SignatureAlgorithm};
use crate::name::Name;

/// A list, read.
#[derive(Debug)]
pub(crate) struct RevocationList {
    pub(crate) issuer: Name,
    signed: Box<[u8]>,
    algorithm: SignatureAlgorithm,
    algorithm_agrees: bool,
    signature: Box<[u8]>,
    this_update: Option<i64>,
    /// None where it says nothing of the next one; Some(None) where it says no time.
    next_update: Option<Option<i64>>,
    revoked: HashSet<Box<[u8]>>,
    authority: AuthorityKey,
    scope: Scope,
    unknown_critical: bool,
    /// Nothing is to be learned from it: see above.
    is_unusable: bool,
    /// Keys that are known to have signed it, by their digests: a list may have megabytes, and is not hashed for each
    /// handshake.
    signed_by: Mutex<Vec<[u8; 32]>>,
}

/// Keys that are remembered as signers of a list: those of its authority and its authority's successor.
const SIGNERS_MAX: usize = 4;

/// Lists up to this length are checked with keys of unknown chains as well: it takes as long as the signature itself.
const HASHED_FOR_STRANGERS_BYTES_MAX: usize = 64 * 1024;

/// Which certificates a list speaks of.
#[derive(Debug, Default)]
struct Scope {
    names: Option<Vec<Box<[u8]>>>,
    users_only: bool,
    authorities_only: bool,
    attributes_only: bool,
}

impl RevocationList {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::only(bytes, der::SEQUENCE)?.reader();
        let (signed, outer_algorithm, signature) =
            (outer.expect(der::SEQUENCE)?, outer.expect(der::SEQUENCE)?, outer.expect(der::BIT_STRING)?);
        outer.end()?;

        let mut parts = signed.reader();
        let _version = parts.optional(der::INTEGER)?;
        let inner_algorithm = parts.expect(der::SEQUENCE)?;
        let issuer = Name::read(&parts.next()?)?;
        let this_update = der::time(&parts.next()?)?;
        let next_update = match parts.optional(der::UTC_TIME)? {
            Some(time) => Some(der::time(&time)?),
            None => parts.optional(der::GENERALIZED_TIME)?.map(|time| der::time(&time)).transpose()?,
        };
        let mut out = Self {
            issuer,
            signed: signed.whole.into(),
            algorithm: SignatureAlgorithm::read(&inner_algorithm)?,
            algorithm_agrees: inner_algorithm.whole == outer_algorithm.whole,
            signature: signature.whole_bits()?.into(),
            this_update,
            next_update,
            revoked: HashSet::new(),
            authority: AuthorityKey::default(),
            scope: Scope::default(),
            unknown_critical: false,
            is_unusable: false,
            signed_by: Mutex::default(),
        };
        if let Some(entries) = parts.optional(der::SEQUENCE)? {
            out.read_entries(entries.reader())?;
        }
        if let Some(list) = parts.optional(der::constructed(0))? {
            out.read_extensions(&list.only()?)?;
        }
        parts.end()?;
        Ok(out)
    }

    fn read_entries(&mut self, mut entries: Reader<'_>) -> Result<(), Malformed> {
        while !entries.is_empty() {
            let mut parts = entries.expect(der::SEQUENCE)?.reader();
            let serial = parts.expect(der::INTEGER)?;
            der::time(&parts.next()?)?;
            let mut is_removed = false;
            if let Some(list) = parts.optional(der::SEQUENCE)? {
                extensions::for_each(&list, |oid, critical, value| match oid {
                    [0x55, 0x1D, REASON_CODE] => {
                        let reason = Reader::only(value, der::ENUMERATED).map(|reason| reason.content);
                        is_removed = reason == Ok(REMOVED_FROM_LIST);
                    }
                    [0x55, 0x1D, INVALIDITY_DATE] => {}
                    // Somebody else's certificate, in a list of several authorities.
                    [0x55, 0x1D, CERTIFICATE_ISSUER] => self.is_unusable = true,
                    _ => self.unknown_critical |= critical,
                })?;
            }
            parts.end()?;
            if !is_removed {
                self.revoked.insert(serial.content.into());
            }
        }
        Ok(())
    }

    fn read_extensions(&mut self, list: &Element<'_>) -> Result<(), Malformed> {
        let mut read = Ok(());
        extensions::for_each(list, |oid, critical, value| match oid {
            [0x55, 0x1D, AUTHORITY_KEY] => match AuthorityKey::read(value) {
                Ok(authority) => self.authority = authority,
                Err(error) => read = Err(error),
            },
            [0x55, 0x1D, ISSUING_POINT] => match self.read_issuing_point(value) {
                Ok(()) => {}
                Err(Malformed) => self.is_unusable = true,
            },
            [0x55, 0x1D, DELTA_OF] => self.is_unusable = true,
            [0x55, 0x1D, CRL_NUMBER] => {}
            _ => self.unknown_critical |= critical,
        })?;
        read
    }

    fn read_issuing_point(&mut self, value: &[u8]) -> Result<(), Malformed> {
        let mut parts = Reader::only(value, der::SEQUENCE)?.reader();
        if let Some(name) = parts.optional(der::constructed(0))? {
            self.scope.names = Some(extensions::full_names(&name.only()?)?);
        }
        let mut flag =
            |number| parts.optional(der::primitive(number))?.map_or(Ok(false), |element| element.boolean());
        (self.scope.users_only, self.scope.authorities_only) = (flag(1)?, flag(2)?);
        let some_reasons = parts.optional(der::primitive(3))?.is_some();
        let mut flag =
            |number| parts.optional(der::primitive(number))?.map_or(Ok(false), |element| element.boolean());
        let is_indirect = flag(4)?;
        self.scope.attributes_only = flag(5)?;
        parts.end()?;
        self.is_unusable |= some_reasons || is_indirect;
        Ok(())
    }

    fn speaks_of(&self, certificate: &Certificate) -> bool {
        let of_its_sort =
            if certificate.is_ca() { !self.scope.users_only } else { !self.scope.authorities_only };
        let named = |names: &Vec<Box<[u8]>>| {
            let points = &certificate.extensions.crl_points;
            names.iter().any(|name| points.contains(name))
        };
        of_its_sort && !self.scope.attributes_only && self.scope.names.as_ref().is_none_or(named)
    }

    /// What is wrong with its time, in the order of finding.
    fn time_failures(&self, now: i64) -> impl Iterator<Item = Failure> {
        let first = match self.this_update {
            None => Some(failure::BAD_CRL_LAST_UPDATE),
            Some(time) if now < time => Some(failure::CRL_NOT_YET_VALID),
            Some(_) => None,
        };
        let last = match self.next_update {
            Some(None) => Some(failure::BAD_CRL_NEXT_UPDATE),
            Some(Some(time)) if now > time => Some(failure::CRL_EXPIRED),
            _ => None,
        };
        first.into_iter().chain(last)
    }

    /// Whether that key signed it. Remembered where it did.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let knows = |signers: &[[u8; 32]]| signers.contains(key.digest());
        let memory = || self.signed_by.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if knows(&memory()) {
            return true;
        }
        let signed = self.algorithm_agrees && key.verify(self.algorithm, &self.signed, &self.signature);
        if signed {
            let mut signers = memory();
            if signers.len() < SIGNERS_MAX && !knows(&signers) {
                signers.push(*key.digest());
            }
        }
        signed
    }
}

/// What the lists say of each certificate of a chain: the failures, in the order of finding.
///
/// `is_trusted` says that the chain leads to one of our authorities. Where it does not, its keys are anybody's, and no
/// long list is hashed for them.
pub(crate) fn failures(
    chain: &[&Certificate],
    lists: &[RevocationList],
    now: i64,
    is_trusted: bool,
) -> Vec<Failure> {
    let mut out = Vec::new();
    for (at, certificate) in chain.iter().enumerate() {
        let Some((list, issuer)) = best_list(chain, at, lists, now) else {
            out.push(failure::NO_CRL);
            continue;
        };
        if issuer.extensions.key_usage.is_some_and(|usage| usage & CRL_SIGN == 0) {
            out.push(failure::NO_CRL_SIGN);
        }
        if !list.speaks_of(certificate) {
            out.push(failure::CRL_SCOPE);
        }
        out.extend(list.time_failures(now));
        let is_hashed = is_trusted || list.signed.len() <= HASHED_FOR_STRANGERS_BYTES_MAX;
        if !is_hashed || !list.is_signed_by(&issuer.key) {
            out.push(failure::BAD_CRL_SIGNATURE);
        }
        if list.unknown_critical {
            out.push(failure::UNKNOWN_CRITICAL_CRL);
        }
        if list.revoked.contains(certificate.serial()) {
            out.push(failure::REVOKED);
        }
        if !list.speaks_of(certificate) {
            out.push(failure::NO_CRL);
        }
    }
    out
}

/// The list of a certificate's issuer that is best to use: one that can be understood before one that is in scope before
/// one that is in time, then the newest.
fn best_list<'a>(
    chain: &[&'a Certificate],
    at: usize,
    lists: &'a [RevocationList],
    now: i64,
) -> Option<(&'a RevocationList, &'a Certificate)> {
    let certificate = chain[at];
    let above = (at + 1).min(chain.len() - 1);
    let mut best: Option<(_, &RevocationList, &Certificate)> = None;
    for list in lists.iter().filter(|list| !list.is_unusable && list.issuer == certificate.issuer) {
        // The last of a chain without a root stands in for its issuer, whose signature then is a wrong one.
        let is_issuer = |at: usize| at == above || chain[at].subject == list.issuer;
        let issuer = (above..chain.len())
            .find(|at| is_issuer(*at) && chain[*at].has_key_of(&list.authority))
            .map(|at| chain[at]);
        let Some(issuer) = issuer else { continue };
        let worth = (
            !list.unknown_critical,
            list.speaks_of(certificate),
            list.time_failures(now).next().is_none(),
            list.this_update,
        );
        if best.as_ref().is_none_or(|(known, ..)| worth > *known) {
            best = Some((worth, list, issuer));
        }
    }
    best.map(|(_, list, issuer)| (list, issuer))
}

const CRL_NUMBER: u8 = 20;
const REASON_CODE: u8 = 21;
const INVALIDITY_DATE: u8 = 24;
const DELTA_OF: u8 = 27;
const ISSUING_POINT: u8 = 28;
const CERTIFICATE_ISSUER: u8 = 29;
const AUTHORITY_KEY: u8 = 35;
const REMOVED_FROM_LIST: &[u8] = &[8];
