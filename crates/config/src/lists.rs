//! Lists of sources as a file has them.

use palisade_model::{Country, Network};

use crate::decode::{Shape, section};
use crate::value::{Count, FilePath, FromText, Located, Refused, RoutePath, Time, decode_as_text, words};

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
        /// Networks that never come on a list by what they do, beside the trusted ones of `clientAddress`: whoever shares an
        /// address with many, such as the gateway of a large office.
        never: Vec<Network>,
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

section! {
    /// Sources that come on a list by what they do. Counted per source and application; an IPv6 source is its network of 64
    /// bits. Trusted proxies, networks of `lists.never` and an address that all clients share never come on one.
    pub struct Automatic {
        /// Sources of attacks, for the gray list. The only one that is on when nothing is said.
        gray: PayloadsGray,
        /// Sources of many attacks, for the deny list.
        deny: Option<PayloadsDeny>,
        /// Sources that guess: many requests to places where one guesses.
        brute_force: Option<BruteForce>,
        /// Sources that look for what is not there: many answers of the service with 404.
        forced_browsing: Option<ForcedBrowsing>,
    }
}

section! {
    /// Sources that come on the gray list for the attacks they send.
    pub struct PayloadsGray {
        /// Whether they do.
        enabled: bool = "true",
        /// More different malicious payloads than this; at most 100.
        above: Count = "3",
        /// In so much time.
        within: Time = "1h",
        /// For how long.
        lasts: Time = "1h",
    }
}

section! {
    /// Sources that come on the deny list for the attacks they send.
    pub struct PayloadsDeny {
        /// More different malicious payloads than this; at most 100.
        above: Count = "10",
        /// In so much time.
        within: Time = "1h",
        /// For how long.
        lasts: Time = "1h",
    }
}

section! {
    /// Sources that send many requests to places where one guesses.
    pub struct BruteForce {
        /// The places: paths below which every request counts. They match as those of routes do.
        paths: Vec<RoutePath>,
        /// More requests than this.
        above: Count = "30",
        /// In so much time.
        within: Time = "30s",
        /// For how long they are listed.
        lasts: Time = "1h",
        /// The list that they come on.
        list: AutomaticList = "deny",
    }
}

section! {
    /// Sources that ask for what is not there.
    pub struct ForcedBrowsing {
        /// More answers of the service with 404 than this.
        above: Count = "30",
        /// In so much time.
        within: Time = "30s",
        /// For how long they are listed.
        lasts: Time = "1h",
        /// The list that they come on.
        list: AutomaticList = "deny",
    }
}

words! {
    /// A list that sources come on by what they do.
    pub enum AutomaticList: "a list that sources come on" {
        /// Their requests are refused.
        Deny = "deny",
        /// Their attacks are stopped in safe_blocking.
        Gray = "gray",
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

decode_as_text!(Country, ModeOverride, AutomaticList);
