//! Who a client is where somebody stands between: whose word counts, and what is read.

use palisade_model::{Network, NoNetwork};

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

impl FromText for Network {
    fn from_text(text: &str) -> Result<Self, Refused> {
        text.parse().map_err(|NoNetwork(help)| ("is not a network".to_owned(), help))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a network",
            pattern: Some("^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"),
            example: "10.0.0.0/8",
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

    #[test]
    fn hops_are_few() {
        assert_eq!(HopCount::from_text("2").unwrap().get(), 2);
        assert!(HopCount::from_text("-1").is_err() && HopCount::from_text("33").is_err());
    }
}
