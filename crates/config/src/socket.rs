//! Where somebody on this machine finds us: an address, or a socket in the file system.

use std::fmt;
use std::str::FromStr;

use crate::decode::Shape;
use crate::value::{Address, FromText, Refused};

/// An address and a port, or `unix:` and the path of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Socket {
    /// An address. Port 0 takes a free one.
    Address(Address),
    /// The path of a socket.
    Unix(String),
}

/// What the system takes as the path of a socket (`sun_path`, with the byte that ends it).
pub(crate) const PATH_BYTES_MAX: usize = 107;

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

impl FromStr for Socket {
    type Err = String;

    /// What it is not, and what to write.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_text(text).map_err(|(what, help)| format!("{what}: {help}"))
    }
}

impl FromText for Socket {
    fn from_text(text: &str) -> Result<Self, Refused> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') && path.len() <= PATH_BYTES_MAX => {
                Ok(Self::Unix(path.to_owned()))
            }
            Some(path) if path.starts_with('/') => Err((
                format!("has a path of {} bytes, and the system takes {PATH_BYTES_MAX}", path.len()),
                "name a shorter one, such as unix:/run/palisade/envoy.sock".to_owned(),
            )),
            Some(path) => Err((
                "is not the path of a socket from the root".to_owned(),
                format!("write unix:/run/palisade/{}", path.rsplit('/').next().unwrap_or_default()),
            )),
            None => Address::from_text(text)
                .map(Self::Address)
                .map_err(|(what, help)| (what, help + ", or unix:/PATH")),
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "an IP address and a port, or `unix:` and a path",
            pattern: Some("^(unix:/.+|.+:[0-9]{1,5})$"),
            example: "unix:/run/palisade/envoy.sock",
        }
    }
}
