//! Who a client is where somebody stands between: whose word counts, and what is read.

use std::fmt;
use std::net::IpAddr;

use crate::decode::{Decode, Decoder, Shape, section};
use crate::headers::HeaderName;
use crate::node::Node;
use crate::value::{FromText, Located, Refused, decode_as_text};

section! {
    /// Where the address of a client comes from. Without this it is the address of the connection: nobody is believed.
    pub struct ClientAddress {
        /// What names the client: `proxy-protocol` (version 1 or 2, at the beginning of every connection),
        /// `x-forwarded-for`, `forwarded` (RFC 7239), or the name of another header.
        from: Located<AddressSource>,
        /// Networks of proxies whose word counts. In a list of addresses those of these networks are passed over from the
        /// right; the first that is none of them is the client. What an untrusted peer says does not count.
        trusted: Vec<Located<Network>>,
        /// How many proxies each request passes, for those whose addresses are not known: the client is so many entries from
        /// the right, and a request with fewer has not come through them and counts as from its peer. 0: by `trusted` alone.
        hops: HopCount = "0",
    }
}

/// What names a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// The PROXY protocol.
    ProxyProtocol,
    /// A list of addresses in a header.
    Header(HeaderName),
    /// RFC 7239.
    Forwarded,
}

const SOURCES: &[&str] = &["proxy-protocol", "x-forwarded-for", "forwarded"];

impl FromText for AddressSource {
    fn from_text(text: &str) -> Result<Self, Refused> {
        match text.to_ascii_lowercase().as_str() {
            "proxy-protocol" => Ok(Self::ProxyProtocol),
            "forwarded" => Ok(Self::Forwarded),
            _ => HeaderName::from_text(text).map(Self::Header).map_err(|(what, _)| {
                (what, "write proxy-protocol, x-forwarded-for, forwarded, or a header's name".to_owned())
            }),
        }
    }

    fn shape() -> Shape {
        Shape::WordOr(SOURCES, Box::new(<HeaderName as FromText>::shape()))
    }
}

impl Decode for AddressSource {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        crate::value::decode_text(node, decoder)
    }

    fn shape() -> Shape {
        <Self as FromText>::shape()
    }
}

/// A network: an address and how many of its bits are the same in all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Its first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The bits that are the same in all of it.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Whether an address belongs to it. An IPv4 address inside IPv6 counts as such.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same(network.to_bits().into(), address.to_bits().into(), 32, self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same(network.to_bits(), address.to_bits(), 128, self.bits)
            }
            _ => false,
        }
    }
}

fn same(a: u128, b: u128, width: u32, bits: u8) -> bool {
    (a ^ b).checked_shr(width - u32::from(bits)).unwrap_or(0) == 0
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromText for Network {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| ("is not a network".to_owned(), help);
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| not("write an address and its bits, such as 10.0.0.0/8 or fd00::/8".to_owned()))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => {
                let digits = bits.len() <= 3 && bits.bytes().all(|byte| byte.is_ascii_digit());
                let number = bits.parse().ok().filter(|bits| digits && *bits <= width);
                number.ok_or_else(|| not(format!("the bits of {address} are 0 to {width}")))?
            }
        };
        // The IPv4 addresses of a socket for both families are written as what they are.
        let (address, bits) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(inner)) if bits >= 96 => (IpAddr::V4(inner), bits - 96),
            _ => (address, bits),
        };
        let first = first(address, bits);
        if first != address {
            return Err(not(format!("write {first}/{bits}, its first address")));
        }
        Ok(Self { address, bits })
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a network",
            pattern: Some("^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"),
            example: "10.0.0.0/8",
        }
    }
}

/// The first address of a network.
fn first(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// Proxies that a request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopCount(u8);

impl HopCount {
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

const HOPS_MAX: u8 = 32;

impl FromText for HopCount {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let hops = text.parse().ok().filter(|hops| *hops <= HOPS_MAX && text.len() <= 2);
        hops.map(Self).ok_or_else(|| (format!("is not a number from 0 to {HOPS_MAX}"), "write 1".to_owned()))
    }

    fn shape() -> Shape {
        Shape::Integer { min: 0, max: HOPS_MAX.into() }
    }
}

decode_as_text!(Network, HopCount);

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::from_text(text).unwrap()
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
        ] {
            assert!(network(text).contains(inside.parse().unwrap()), "{inside} in {text}");
            assert!(!network(text).contains(outside.parse().unwrap()), "{outside} in {text}");
        }
    }

    #[test]
    fn what_is_no_network_says_what_is() {
        for (text, said) in [
            ("10.0.0.1/8", "write 10.0.0.0/8, its first address"),
            ("10.0.0.0/33", "the bits of 10.0.0.0 are 0 to 32"),
            ("10.0.0.0/+8", "the bits of 10.0.0.0 are 0 to 32"),
            ("::1/129", "the bits of ::1 are 0 to 128"),
            ("shop", "write an address and its bits, such as 10.0.0.0/8 or fd00::/8"),
            ("", "write an address and its bits, such as 10.0.0.0/8 or fd00::/8"),
        ] {
            assert_eq!(Network::from_text(text).unwrap_err().1, said, "{text}");
        }
        assert_eq!(network("10.0.0.0/8").to_string(), "10.0.0.0/8");
        assert_eq!(HopCount::from_text("2").unwrap().get(), 2);
        assert!(HopCount::from_text("-1").is_err() && HopCount::from_text("33").is_err());
    }
}
