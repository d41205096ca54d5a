//! Certificates of the admission server that nobody has to bring: an authority of our own, a certificate of it, both
//! renewed after two thirds of their lives. Kept in one Secret, so that replicas and restarts show the same.
//!
//! A new authority is trusted before anything that it signed is shown: it stands in the bundle at once, and signs only
//! once [`SETTLE`] has gone by. The old one stays in the bundle until it ends.
//!
//! ```text
//!  CA 1   |=======================|------------|          signs | in the bundle still
//!  CA 2                        |..|=======================|   in the bundle, then signs
//!  leaf        |====|====|====|====|====|====|
//! ```
//!
//! [`Kept::next`] is pure but for the randomness of keys: time comes in. [`keeper`] is what talks to the cluster.

pub mod keeper;
mod make;

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How long an authority lives.
pub const AUTHORITY_LIFE: Duration = Duration::from_secs(365 * 86_400);
/// How long a certificate lives.
pub const LEAF_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// How long a new authority is in the bundle before it signs: until everybody has read it.
pub const SETTLE: Duration = Duration::from_secs(3600);
/// Clocks of a cluster differ: what is made is good from a little before.
const BACKDATED: Duration = Duration::from_secs(300);

/// What is kept: the content of the Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Authorities, the oldest first.
    authorities: Vec<Authority>,
    /// The certificate that is shown.
    leaf: Leaf,
}

/// An authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Authority {
    /// Its subject's common name: part of what it is made of.
    name: String,
    certificate: String,
    key: String,
    life: Life,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Leaf {
    certificate: String,
    key: String,
    life: Life,
    /// The name of who signed it.
    by: String,
    /// Whom it is for.
    names: Vec<String>,
}

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Life {
    from: u64,
    to: u64,
}

impl Life {
    fn new(now: SystemTime, length: Duration) -> Self {
        let from = seconds(now);
        Self { from, to: from + length.as_secs() }
    }

    /// When it is to be renewed: after two thirds.
    fn renewal(self) -> u64 {
        self.from + (self.to - self.from.min(self.to)) / 3 * 2
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
#[error("a certificate for the admission server cannot be made: {0}")]
pub struct MakeError(#[from] rcgen::Error);

impl Kept {
    /// What is to be kept from now on, for a server of these DNS names; equal to what is kept when nothing is due.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate, or there is no randomness.
    pub fn next(kept: Option<Self>, names: &[String], now: SystemTime) -> Result<Self, MakeError> {
        let at = seconds(now);
        let mut authorities = kept.as_ref().map(|kept| kept.authorities.clone()).unwrap_or_default();
        authorities.retain(|authority| authority.life.to > at);
        let is_first = authorities.is_empty();
        if authorities.last().is_none_or(|newest| newest.life.renewal() <= at) {
            authorities.push(make::authority(now)?);
        }
        // The newest that everybody knows by now; with none before it there is nobody to wait for.
        let settled = |authority: &&Authority| is_first || authority.life.from + SETTLE.as_secs() <= at;
        let signer = authorities.iter().rev().find(settled).unwrap_or(&authorities[0]);
        let leaf = match kept.map(|kept| kept.leaf) {
            Some(leaf) if leaf.life.renewal() > at && leaf.by == signer.name && leaf.names == names => leaf,
            _ => make::leaf(signer, names, now)?,
        };
        Ok(Self { authorities, leaf })
    }

    /// The authorities that callers trust, in PEM.
    pub fn bundle(&self) -> String {
        self.authorities.iter().map(|authority| authority.certificate.as_str()).collect()
    }

    /// The certificate that is shown, in PEM.
    pub fn certificate(&self) -> &str {
        &self.leaf.certificate
    }

    /// Its key, in PEM.
    pub fn key(&self) -> &str {
        &self.leaf.key
    }
}
