//! Files, and logs that may be files.

use std::fmt;

use crate::decode::{Decode, Decoder, Shape};
use crate::node::Node;
use crate::value::{FromText, Refused, decode_text};

/// The path of a file or folder. In a file, relative ones start at the file's own folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilePath(pub(crate) String);

impl FilePath {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromText for FilePath {
    fn from_text(text: &str) -> Result<Self, Refused> {
        if text.is_empty() || text.contains('\0') {
            return Err(("is not a path".to_owned(), "write the path of a file or folder".to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text { what: "a path", pattern: None, example: "/etc/palisade/site.conf" }
    }
}

impl Decode for FilePath {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let path: Self = decode_text(node, decoder)?;
        Some(Self(decoder.resolve(&path.0, node.origin)))
    }

    fn shape() -> Shape {
        <Self as FromText>::shape()
    }
}

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file, which is appended to.
    File(FilePath),
}

const LOG_WORDS: &[&str] = &["off", "stderr", "stdout"];

impl FromText for LogTarget {
    fn from_text(text: &str) -> Result<Self, Refused> {
        Ok(match text {
            "off" => Self::Off,
            "stderr" => Self::Stderr,
            "stdout" => Self::Stdout,
            path => Self::File(FilePath::from_text(path)?),
        })
    }

    fn shape() -> Shape {
        Shape::WordOr(LOG_WORDS, Box::new(<FilePath as FromText>::shape()))
    }
}

impl Decode for LogTarget {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        Some(match decode_text(node, decoder)? {
            Self::File(path) => Self::File(FilePath(decoder.resolve(&path.0, node.origin))),
            word => word,
        })
    }

    fn shape() -> Shape {
        <Self as FromText>::shape()
    }
}
