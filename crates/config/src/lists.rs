//! Lists of sources as a file has them.

use palisade_model::{Country, Network};

use crate::decode::{Shape, section};
use crate::value::{FilePath, FromText, Located, Refused, Time, decode_as_text, words};

section! {
    /// Lists of sources: `allow`, `deny`, `gray`, asked in this order; the first that a client is on counts. What the API adds
    /// stands beside what is written here, outlives restarts, and is the API's to take away.
    pub struct Lists {
        /// Sources that pass unchecked by rules and detector. Policy, framing and rate limits act on them all the same.
        allow: Vec<Located<ListEntry>>,
        /// Sources whose requests are refused with 403 before anything looks at them, in every mode.
        deny: Vec<Located<ListEntry>>,
        /// Sources whose attacks are stopped in safe_blocking.
        gray: Vec<Located<ListEntry>>,
        /// Files of MaxMind's format that tell where addresses are, for entries by country and ASN. Read anew when they change.
        places: Places,
    }
}

section! {
    /// Files in MaxMind's format (GeoLite2, GeoIP2 and others in it). They are read whole into memory.
    pub struct Places {
        /// One with countries, such as GeoLite2-Country.mmdb or GeoLite2-City.mmdb.
        countries: Option<Located<FilePath>>,
        /// One with autonomous systems, such as GeoLite2-ASN.mmdb.
        asns: Option<Located<FilePath>>,
    }
}

section! {
    /// An entry of a list: exactly one of `address`, `country` and `asn`.
    pub struct ListEntry {
        /// An address or a network, IPv4 or IPv6. The client's address counts (`clientAddress`), not the connection's.
        address: Option<Network>,
        /// A country by its two letters of ISO 3166-1. Needs `places.countries`.
        country: Option<Country>,
        /// The number of an autonomous system. Needs `places.asns`.
        asn: Option<u32>,
        /// How long it holds, from the first time that it is read: a reload or a restart does not make it longer. For ever when
        /// absent.
        expires: Option<Time>,
        /// Why, for people who read logs.
        reason: Option<String>,
        /// Applications that it is for, by the numbers of services; all when absent.
        applications: Vec<u32>,
    }
}

words! {
    /// How far a mode set at run time may go.
    pub enum ModeOverride: "how far a mode set at run time may go" {
        /// It counts.
        On = "on",
        /// It counts where it is stricter than the one that is written.
        Strict = "strict",
        /// It does not count.
        Off = "off",
    }
}

impl FromText for Country {
    fn from_text(text: &str) -> Result<Self, Refused> {
        text.parse().map_err(|_| ("is no country".to_owned(), "write its two letters, such as NL".to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text { what: "the two letters of a country", pattern: Some("^[A-Za-z]{2}$"), example: "NL" }
    }
}

decode_as_text!(Country, ModeOverride);
