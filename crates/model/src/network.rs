//! Networks of IP addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network: an address and how many of its bits are the same in all of it. IPv4 inside IPv6 (`::ffff:0:0/96`) is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no network: what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoNetwork(pub String);

impl fmt::Display for NoNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoNetwork {}

impl Network {
    /// The network of so many bits that an address is in. More bits than the address has are all of them.
    pub fn around(address: IpAddr, bits: u8) -> Self {
        let address = address.to_canonical();
        let bits = bits.min(width(address));
        Self { address: first(address, bits), bits }
    }

    /// An address alone.
    pub fn of(address: IpAddr) -> Self {
        Self::around(address, u8::MAX)
    }

    /// Its first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The bits that are the same in all of it.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Whether it is one address.
    pub fn is_one_address(self) -> bool {
        self.bits == width(self.address)
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

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    /// `10.0.0.0/8`, or an address for itself alone. The address is the network's first.
    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| {
            NoNetwork("write an address and its bits, such as 10.0.0.0/8 or fd00::/8".to_owned())
        })?;
        let width = width(address);
        let bits = match bits {
            None => width,
            Some(bits) => {
                let digits = bits.len() <= 3 && bits.bytes().all(|byte| byte.is_ascii_digit());
                let number = bits.parse().ok().filter(|bits| digits && *bits <= width);
                number.ok_or_else(|| NoNetwork(format!("the bits of {address} are 0 to {width}")))?
            }
        };
        // The IPv4 addresses of a socket for both families are written as what they are.
        let (address, bits) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(inner)) if bits >= 96 => (IpAddr::V4(inner), bits - 96),
            _ => (address, bits),
        };
        let first = first(address, bits);
        if first != address {
            return Err(NoNetwork(format!("write {first}/{bits}, its first address")));
        }
        Ok(Self { address, bits })
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn same(a: u128, b: u128, width: u32, bits: u8) -> bool {
    (a ^ b).checked_shr(width - u32::from(bits)).unwrap_or(0) == 0
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

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
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
    fn a_network_around_an_address_begins_at_its_first() {
        for (address, bits, text) in [
            ("192.0.2.7", 24, "192.0.2.0/24"),
            ("192.0.2.7", 0, "0.0.0.0/0"),
            ("192.0.2.7", 200, "192.0.2.7/32"),
            ("::ffff:192.0.2.7", 24, "192.0.2.0/24"),
            ("2001:db8:1:2:3::4", 64, "2001:db8:1:2::/64"),
        ] {
            let network = Network::around(address.parse().unwrap(), bits);
            assert_eq!(network.to_string(), text);
            assert_eq!(network.is_one_address(), text.ends_with("/32"));
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
            assert_eq!(text.parse::<Network>().unwrap_err().to_string(), said, "{text}");
        }
        assert_eq!(network("10.0.0.0/8").to_string(), "10.0.0.0/8");
    }
}
