//! Addresses to listen on.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::decode::Shape;
use crate::value::{FromText, Refused, decode_as_text};

decode_as_text!(Address, AdminAddress, IpAddress);

/// An IP address and a port to listen on. Port 0 takes a free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(pub SocketAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromText for Address {
    fn from_text(text: &str) -> Result<Self, Refused> {
        text.parse().map(Self).map_err(|_| ("is not an address to listen on".to_owned(), address_help(text)))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "an IP address and a port",
            pattern: Some("^.+:[0-9]{1,5}$"),
            example: "0.0.0.0:8080",
        }
    }
}

fn address_help(text: &str) -> String {
    let port = |text: &str| text.parse::<u16>().ok();
    if let Some(port) = text.strip_prefix(':').or(Some(text)).and_then(port) {
        return format!("write 127.0.0.1:{port}, or 0.0.0.0:{port} for every interface");
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return format!("write {}", SocketAddr::new(ip, 8080));
    }
    match text.rsplit_once(':') {
        Some(("localhost", number)) if port(number).is_some() => format!("write 127.0.0.1:{number}"),
        Some(("*", number)) if port(number).is_some() => format!("write 0.0.0.0:{number}"),
        _ => "write an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned(),
    }
}

/// An IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpAddress(pub IpAddr);

impl FromText for IpAddress {
    fn from_text(text: &str) -> Result<Self, Refused> {
        text.parse().map(Self).map_err(|_| {
            let help = match text.parse::<SocketAddr>() {
                Ok(address) => format!("write it without a port: {}", address.ip()),
                Err(_) => "write an address such as 10.0.0.7 or 2001:db8::7".to_owned(),
            };
            ("is not an IP address".to_owned(), help)
        })
    }

    fn shape() -> Shape {
        Shape::Text { what: "an IP address", pattern: None, example: "10.0.0.7" }
    }
}

/// Where the admin listener listens, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AdminAddress {
    /// There is none.
    Off,
    /// Here.
    At(Address),
}

impl FromText for AdminAddress {
    fn from_text(text: &str) -> Result<Self, Refused> {
        match text {
            "off" => Ok(Self::Off),
            text => Address::from_text(text).map(Self::At).map_err(|(what, help)| (what, help + ", or off")),
        }
    }

    fn shape() -> Shape {
        Shape::WordOr(&["off"], Box::new(<Address as FromText>::shape()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::refused;

    #[test]
    fn addresses_name_the_way_out() {
        for (text, said) in [
            (
                "8080",
                "is not an address to listen on; write 127.0.0.1:8080, or 0.0.0.0:8080 for every interface",
            ),
            (
                ":8080",
                "is not an address to listen on; write 127.0.0.1:8080, or 0.0.0.0:8080 for every interface",
            ),
            ("localhost:80", "is not an address to listen on; write 127.0.0.1:80"),
            ("10.0.0.1", "is not an address to listen on; write 10.0.0.1:8080"),
        ] {
            assert_eq!(refused::<Address>(text), said, "{text}");
        }
        for (text, said) in [
            ("10.0.0.7:80", "is not an IP address; write it without a port: 10.0.0.7"),
            ("here", "is not an IP address; write an address such as 10.0.0.7 or 2001:db8::7"),
        ] {
            assert_eq!(refused::<IpAddress>(text), said, "{text}");
        }
    }
}
