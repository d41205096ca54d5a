//! What a transaction asks of the world outside, and the answers.
//!
//! The engine does no I/O: it stops with a [`Lookup`], the caller fetches the answer in whatever way it likes
//! (asynchronously, from a cache, or by saying that there is none) and lets the transaction go on.

use std::net::IpAddr;

use crate::persistent::{CollectionKey, StoredVariable};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The IPv4 address of a name (`@rbl`).
    Dns {
        /// A valid host name.
        name: String,
    },
    /// Where an address is (`@geoLookup`).
    Geo {
        /// The address.
        address: IpAddr,
    },
    /// The variables of a persistent collection (`initcol`, `setsid`, `setuid`, `setrsc`).
    Collection(CollectionKey),
}

/// An answer. One that does not fit its question counts as [`Answer::Unavailable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The first address of the name, or none.
    Dns(Option<IpAddr>),
    /// What the data base knows of the address.
    Geo(Option<GeoRecord>),
    /// The variables that are alive.
    Collection(Vec<StoredVariable>),
    /// The lookup failed. Operators do not match, a collection starts empty; the transaction notes it.
    Unavailable,
}

/// What GEO holds for an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeoRecord {
    /// `COUNTRY_CODE`, `COUNTRY_NAME`, `CITY` and so on, in the manual's names.
    pub fields: Vec<(String, String)>,
}

/// Lookups that one transaction may ask for; what goes beyond is answered [`Answer::Unavailable`]. A rule with
/// `@rbl` on ARGS would otherwise let a client choose how many names we resolve.
pub(crate) const LOOKUPS_MAX: usize = 32;
