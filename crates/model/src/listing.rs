//! Lists of sources.

use std::fmt;
use std::str::FromStr;

/// A list that a source may be on. In the order in which they are asked: the first that a source is on counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Listing {
    /// Its requests pass unchecked: the firewall gives no verdict on them.
    Allow,
    /// Its requests are refused before anything looks at them.
    Deny,
    /// Its attacks are stopped in safe_blocking.
    Gray,
}

impl Listing {
    /// All of them, in their order.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Deny, Self::Gray];

    /// The word in paths, files, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Gray => "gray",
        }
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownListing(pub String);

impl fmt::Display for UnknownListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a list; there are allow, deny and gray", self.0)
    }
}

impl std::error::Error for UnknownListing {}

impl FromStr for Listing {
    type Err = UnknownListing;

    fn from_str(text: &str) -> Result<Self, UnknownListing> {
        Self::ALL
            .into_iter()
            .find(|list| list.as_str() == text)
            .ok_or_else(|| UnknownListing(text.to_owned()))
    }
}
