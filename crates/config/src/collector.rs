//! Where a data plane's events are joined with others'.

use crate::decode::{Shape, section};
use crate::value::{FilePath, FromText, Located, Refused, Size, decode_as_text};

section! {
    /// A console for many data planes: `palisade console`. Events and L7 records go there, whatever it is that is kept here,
    /// and lists, modes and exceptions come from it. What it has not said to have waits in `collector` of the data folder, and survives a
    /// restart; nothing is there twice, and no request waits for it.
    pub struct Collector {
        /// Where it listens for data planes: `https://HOST:PORT`.
        url: Located<CollectorUrl>,
        /// What this data plane is called there: a DNS name, which its certificate has to be for. The host's name when absent.
        /// Data planes that are alike may have one name.
        name: Option<PlaneName>,
        /// Authorities that the collector's certificate is verified by.
        ca: FilePath,
        /// Our certificate, those between it and its authority after it. Read anew when it changes, as are the others.
        cert: Option<FilePath>,
        /// Its key.
        key: Option<FilePath>,
        /// A file with a token of the collector, in the place of a certificate. Read anew for each connection.
        token_file: Option<FilePath>,
        /// How much may wait on the disk. Above it the oldest are dropped, and an event tells how many.
        spill: Size = "1GiB",
        /// Whether lists, modes and exceptions of the console are taken over here.
        follow: bool = "true",
    }
}

/// Where a collector listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl(String);

impl CollectorUrl {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for CollectorUrl {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let rest = text.strip_prefix("https://").map(|rest| rest.trim_end_matches('/'));
        let good = rest.is_some_and(|rest| {
            let Some((host, port)) = rest.rsplit_once(':') else { return false };
            let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'?' | b'#' | b'@');
            !host.is_empty() && host.len() <= 253 && host.bytes().all(plain) && port.parse::<u16>().is_ok()
        });
        match good {
            true => Ok(Self(text.trim_end_matches('/').to_owned())),
            false => Err(("is no address of a collector".to_owned(), "write https://HOST:PORT".to_owned())),
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "the address of a collector",
            pattern: Some("^https://[^/]+:[0-9]+/?$"),
            example: "https://console:9445",
        }
    }
}

/// What a data plane is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneName(String);

impl PlaneName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for PlaneName {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        match (1..=253).contains(&text.len()) && text.bytes().all(plain) {
            true => Ok(Self(text.to_owned())),
            false => Err((
                "is no name of a data plane".to_owned(),
                "write a DNS name, such as web-1.shop: letters, digits, `-`, `_` and `.`".to_owned(),
            )),
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "the name of a data plane",
            pattern: Some("^[A-Za-z0-9._-]{1,253}$"),
            example: "web-1.shop",
        }
    }
}

decode_as_text!(CollectorUrl, PlaneName);
