//! From a leaf to somebody whom we know, and what is wrong with the way.
//!
//! The checks, their order, and that all of them run whatever the earlier ones found, are those of OpenSSL 3.0 under
//! nginx, whose callback lets each check go on: the verdict is the LAST failure, not the first. An expired certificate of
//! an unknown issuer is expired.
//!
//! No path is searched: each certificate has one issuer, the best of those that its names allow. So the work is bounded
//! by the number of certificates and the depth.
//!
//! Differs: where several of our authorities have the issuer's name and no key identifier tells them apart, the one that
//! did sign is taken, not the first: a bundle may hold an authority's old and new certificate.

use palisade_model::{Failure, PeerIdentity};

use crate::anchors::Anchors;
use crate::certificate::Certificate;
use crate::extensions::{DIGITAL_SIGNATURE, KEY_AGREEMENT, KEY_CERT_SIGN, NETSCAPE_CLIENT, NETSCAPE_TLS_CA};
use crate::failure;
use crate::key::KeyKind;
use crate::revocation;

/// A chain may have so many certificates; what a client sends beyond is refused as unreadable.
pub const CHAIN_CERTIFICATES_MAX: usize = 16;

/// Signatures that are tried to tell authorities of one name apart.
const NAMESAKES_MAX: usize = 8;

/// A chain that holds something that is no certificate, or too many of them. OpenSSL breaks the handshake off at such
/// ones, and so should whoever gets this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("certificate {at} of the chain cannot be read")]
pub struct Unreadable {
    /// From 0, the leaf.
    pub at: usize,
}

/// Who a chain of DER certificates, the leaf first, makes its sender, `now` in seconds since 1970. An empty chain is
/// nobody. That the sender holds the leaf's key is for [`possession`](crate::possession()) to say.
pub fn verify(chain: &[&[u8]], anchors: &Anchors, now: i64) -> Result<PeerIdentity, Unreadable> {
    if chain.len() > CHAIN_CERTIFICATES_MAX {
        return Err(Unreadable { at: CHAIN_CERTIFICATES_MAX });
    }
    let mut sent = Vec::with_capacity(chain.len());
    for (at, der) in chain.iter().enumerate() {
        sent.push(Certificate::read(der).map_err(|_| Unreadable { at })?);
    }
    let Some(leaf) = sent.first() else { return Ok(PeerIdentity::NONE) };
    let mut verdict = Verdict { last: None };
    Path::build(&sent, anchors, now, &mut verdict).check(anchors, now, &mut verdict);
    Ok(match verdict.last {
        None => PeerIdentity::trusted(leaf.facts()),
        Some(failure) => PeerIdentity::untrusted(failure, leaf.facts()),
    })
}

/// What was found so far. Once a failure is there it stays, or another takes its place.
struct Verdict {
    last: Option<Failure>,
}

impl Verdict {
    fn fail_if(&mut self, found: bool, failure: Failure) {
        if found {
            self.last = Some(failure);
        }
    }
}

/// The leaf, its issuer, that one's issuer, and so on.
struct Path<'a> {
    certificates: Vec<&'a Certificate>,
    /// It ends with a root of ours.
    is_trusted: bool,
}

impl<'a> Path<'a> {
    fn build(sent: &'a [Certificate], anchors: &'a Anchors, now: i64, verdict: &mut Verdict) -> Self {
        let leaf = &sent[0];
        verdict.fail_if(!leaf.key.is_strong(), failure::WEAK_KEY);
        let mut certificates = vec![leaf];
        let mut unused: Vec<&Certificate> = sent.iter().collect();
        let length_max = anchors.depth() + 1;
        // Ours are looked at first; once one was taken, only ours are.
        let mut from_sent = true;
        let mut is_trusted = false;
        loop {
            let (current, has_room) =
                (certificates[certificates.len() - 1], certificates.len() <= length_max);
            let ours = if has_room { best(anchors.issuers_of(current), current, now) } else { None };
            if current.is_self_signed() {
                // Only the very same certificate counts: another one of its name may be anybody's.
                is_trusted =
                    ours.is_some() && anchors.issuers_of(current).any(|known| known.der() == current.der());
                break;
            }
            if let Some(ours) = ours {
                from_sent = false;
                certificates.push(ours);
                is_trusted = ours.is_self_signed();
                if is_trusted {
                    break;
                }
                continue;
            }
            if !from_sent || !has_room {
                break;
            }
            let candidates = unused.iter().copied().filter(|other| {
                let is_new = certificates.iter().all(|known| known.der() != other.der());
                (is_new || (certificates.len() == 1 && current.is_self_issued()))
                    && current.is_issued_by(other)
            });
            let Some(theirs) = best(candidates, current, now) else { break };
            unused.retain(|other| !std::ptr::eq(*other, theirs));
            certificates.push(theirs);
        }
        if !is_trusted && verdict.last.is_none() {
            let (length, last) = (certificates.len(), certificates[certificates.len() - 1]);
            verdict.fail_if(length > length_max, failure::CHAIN_TOO_LONG);
            verdict.last = Some(match last.is_self_signed() {
                true if length == 1 => failure::SELF_SIGNED_LEAF,
                true => failure::SELF_SIGNED_IN_CHAIN,
                false if !from_sent => failure::NO_ISSUER,
                false => failure::NO_LOCAL_ISSUER,
            });
        }
        Self { certificates, is_trusted }
    }

    fn check(&self, anchors: &Anchors, now: i64, verdict: &mut Verdict) {
        self.check_extensions(verdict);
        self.check_strength(verdict);
        if let Some(lists) = anchors.lists() {
            for failure in revocation::failures(&self.certificates, lists, now, self.is_trusted) {
                verdict.fail_if(true, failure);
            }
        }
        self.check_signatures_and_times(now, verdict);
        self.check_names(verdict);
    }

    fn check_extensions(&self, verdict: &mut Verdict) {
        let length = self.certificates.len();
        let mut below: u32 = 0;
        for (at, certificate) in self.certificates.iter().enumerate() {
            let extensions = &certificate.extensions;
            verdict.fail_if(extensions.unknown_critical, failure::UNKNOWN_CRITICAL);
            verdict.fail_if(extensions.is_proxy, failure::PROXY_CERTIFICATE);
            let authority = Authority::of(certificate);
            if at > 0 {
                let is_one = match authority {
                    Authority::No => false,
                    Authority::Yes => true,
                    // Only the last of a chain may be one by custom instead of by its extensions.
                    Authority::ByCustom => at + 1 == length,
                };
                verdict.fail_if(!is_one, failure::NOT_A_CA);
            }
            let has_explicit_curve = certificate.key.kind() == KeyKind::ExplicitCurve;
            verdict.fail_if(length > 1 && has_explicit_curve, failure::EXPLICIT_CURVE);
            verdict.fail_if(!is_for_clients(certificate, at > 0, authority), failure::WRONG_PURPOSE);
            let path_length = extensions.basic.and_then(|basic| basic.path_length);
            verdict.fail_if(at > 1 && path_length.is_some_and(|most| below > most), failure::PATH_TOO_LONG);
            if at > 0 && !certificate.is_self_issued() {
                below += 1;
            }
        }
    }

    fn check_strength(&self, verdict: &mut Verdict) {
        let length = self.certificates.len();
        for (at, certificate) in self.certificates.iter().enumerate() {
            verdict.fail_if(at > 0 && !certificate.key.is_strong(), failure::WEAK_CA_KEY);
            // Nobody leans on the signature of the last one: it is known, or nothing is.
            verdict.fail_if(at + 1 < length && !certificate.algorithm().is_strong(), failure::WEAK_DIGEST);
        }
    }

    fn check_signatures_and_times(&self, now: i64, verdict: &mut Verdict) {
        let last = self.certificates.len() - 1;
        let mut from = last;
        if !self.certificates[last].is_self_signed() {
            verdict.fail_if(last == 0, failure::UNVERIFIED_LEAF);
            from = last.saturating_sub(1);
        }
        for at in (0..=from).rev() {
            let certificate = self.certificates[at];
            if let Some(issuer) = self.certificates.get(at + 1) {
                let may_sign = issuer.extensions.key_usage.is_none_or(|usage| usage & KEY_CERT_SIGN != 0);
                verdict.fail_if(!may_sign, failure::NO_CERT_SIGN);
                // MD5 cannot be checked here, and has failed already.
                let is_judged =
                    certificate.algorithm().is_strong() || issuer.key.can_check(certificate.algorithm());
                verdict.fail_if(is_judged && !certificate.is_signed_by(&issuer.key), failure::BAD_SIGNATURE);
            }
            match certificate.not_before {
                None => verdict.fail_if(true, failure::BAD_NOT_BEFORE),
                Some(first) => verdict.fail_if(now < first, failure::NOT_YET_VALID),
            }
            match certificate.not_after {
                None => verdict.fail_if(true, failure::BAD_NOT_AFTER),
                Some(last) => verdict.fail_if(now > last, failure::EXPIRED),
            }
        }
    }

    fn check_names(&self, verdict: &mut Verdict) {
        for (at, certificate) in self.certificates.iter().enumerate().rev() {
            if at > 0 && certificate.is_self_issued() {
                continue;
            }
            for authority in self.certificates[at + 1..].iter().rev() {
                let constraints = authority.extensions.constraints.as_ref();
                if let Some(Err(failure)) =
                    constraints.map(|constraints| constraints.check(certificate, at == 0))
                {
                    verdict.fail_if(true, failure);
                }
            }
        }
    }
}

/// The one of these that issued a certificate: the first that is valid now, else the one that is valid longest. Where
/// there are several, those that did sign it come before all others.
fn best<'a>(
    candidates: impl Iterator<Item = &'a Certificate>,
    certificate: &Certificate,
    now: i64,
) -> Option<&'a Certificate> {
    let mut candidates: Vec<_> = candidates.take(NAMESAKES_MAX).collect();
    if candidates.len() > 1 {
        let signers: Vec<_> =
            candidates.iter().copied().filter(|one| certificate.is_signed_by(&one.key)).collect();
        if !signers.is_empty() {
            candidates = signers;
        }
    }
    let valid = candidates.iter().copied().find(|one| one.is_valid_at(now));
    valid.or_else(|| candidates.into_iter().rev().max_by_key(|one| one.not_after))
}

/// Whether a certificate is one of an authority.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Authority {
    No,
    /// Its basicConstraints say so.
    Yes,
    /// It is a root of version 1, or has only a keyUsage or a Netscape type that says so.
    ByCustom,
}

impl Authority {
    fn of(certificate: &Certificate) -> Self {
        let extensions = &certificate.extensions;
        let by_custom = || {
            (certificate.is_version_1() && certificate.is_self_signed())
                || extensions.key_usage.is_some()
                || extensions.netscape.is_some_and(|kinds| kinds & NETSCAPE_TLS_CA != 0)
        };
        match extensions.basic {
            _ if extensions.malformed => Self::No,
            _ if extensions.key_usage.is_some_and(|usage| usage & KEY_CERT_SIGN == 0) => Self::No,
            Some(basic) if basic.is_ca => Self::Yes,
            Some(_) => Self::No,
            None if by_custom() => Self::ByCustom,
            None => Self::No,
        }
    }
}

/// Whether a certificate is for TLS clients, or for an authority of those.
fn is_for_clients(certificate: &Certificate, as_authority: bool, authority: Authority) -> bool {
    let extensions = &certificate.extensions;
    if extensions.extended.is_some_and(|extended| !extended.client) {
        return false;
    }
    if as_authority {
        return authority != Authority::No;
    }
    extensions.key_usage.is_none_or(|usage| usage & (DIGITAL_SIGNATURE | KEY_AGREEMENT) != 0)
        && extensions.netscape.is_none_or(|kinds| kinds & NETSCAPE_CLIENT != 0)
}
