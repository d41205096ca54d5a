//! What an entry is about, and where addresses are.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use palisade_model::{Country, Network};

/// Whom an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The addresses of a network, which may be one address.
    Network(Network),
    /// The addresses of a country.
    Country(Country),
    /// The addresses that an autonomous system announces.
    Asn(u32),
}

/// Why a text names nobody: what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectError(pub String);

impl fmt::Display for SubjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SubjectError {}

impl Subject {
    /// An address alone.
    pub fn address(address: IpAddr) -> Self {
        Self::Network(Network::of(address))
    }

    /// Reads the number of an autonomous system: `64500` or `AS64500`.
    ///
    /// # Errors
    /// When it is none.
    pub fn asn(text: &str) -> Result<Self, SubjectError> {
        let digits = text.strip_prefix("AS").or_else(|| text.strip_prefix("as")).unwrap_or(text);
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        number
            .map(Self::Asn)
            .ok_or_else(|| SubjectError("write the number of an autonomous system, such as 64500".to_owned()))
    }
}

/// `192.0.2.7`, `192.0.2.0/24`, `NL`, `AS64500`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) if network.is_one_address() => network.address().fmt(f),
            Self::Network(network) => network.fmt(f),
            Self::Country(country) => country.fmt(f),
            Self::Asn(number) => write!(f, "AS{number}"),
        }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    /// Each form that is printed.
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if text.contains(['.', ':', '/']) {
            return text
                .parse()
                .map(Self::Network)
                .map_err(|error: palisade_model::NoNetwork| SubjectError(error.0));
        }
        if text.len() == 2 {
            let country = text.parse().map(Self::Country);
            return country.map_err(|palisade_model::NoCountry| {
                SubjectError("write a country as its two letters, such as NL".to_owned())
            });
        }
        Self::asn(text).map_err(|_| {
            SubjectError(
                "write an address, a network, a country as two letters, or AS and a number".to_owned(),
            )
        })
    }
}

/// Where addresses are. Asked only where entries are about countries or autonomous systems.
pub trait Places {
    /// The country of an address.
    fn country(&self, address: IpAddr) -> Option<Country>;
    /// The autonomous system that announces it.
    fn asn(&self, address: IpAddr) -> Option<u32>;
}

/// Knows of no place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Places for Nowhere {
    fn country(&self, _address: IpAddr) -> Option<Country> {
        None
    }

    fn asn(&self, _address: IpAddr) -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_reads_as_it_prints() {
        for text in
            ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32", "2001:db8::1", "NL", "AS64500", "0.0.0.0/0"]
        {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
        }
        assert_eq!("nl".parse::<Subject>(), "NL".parse());
        assert_eq!("64500".parse::<Subject>(), "AS64500".parse());
        for text in ["", "x", "192.0.2.1/24", "ASX", "AS-1", "AS+1", "N1", "4294967296", "NLD", "é"] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }
}
