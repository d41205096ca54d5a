//! Places in an exchange, named so that a person can read them and an exception can name them.

use std::fmt;

/// A place in an exchange where somebody else's bytes stand: `query:q`, `header:user-agent`,
/// `body.json:/user/0/name`, and with a name instead of a value `query-name:q`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point<'a> {
    /// Which part of the exchange.
    pub root: Root,
    /// Whether it is what stands there or what it is called.
    pub part: Part,
    /// Where in that part; empty for all of it. As sent, header names in lower case, JSON as a pointer of RFC 6901,
    /// XML as `/order/item/@id`, path segments by their number from 0.
    pub path: &'a [u8],
}

/// A name or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// What stands there.
    Value,
    /// What it is called: a parameter's name, a member's key, an attribute's name.
    Name,
}

macro_rules! roots {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A part of an exchange that can hold points.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Root {
            $($(#[$doc])* $variant,)*
        }

        impl Root {
            /// Every root.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// How it is written before the colon.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Finds a root by how it is written.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|root| root.name() == name)
            }
        }
    };
}

roots! {
    /// The request's method.
    Method = "method",
    /// The target's path: `path` is all of it, `path:0` its first segment.
    Path = "path",
    /// The query's parameters; without a name the query as a whole.
    Query = "query",
    /// A header's value.
    Header = "header",
    /// A cookie's value.
    Cookie = "cookie",
    /// The body as a whole.
    Body = "body",
    /// A field of `application/x-www-form-urlencoded`.
    Form = "body.form",
    /// A field of `multipart/form-data` that is no file.
    Multipart = "body.multipart",
    /// An uploaded file's name, by its field.
    FileName = "body.filename",
    /// An uploaded file's content, by its field.
    File = "body.file",
    /// A leaf of a JSON body.
    Json = "body.json",
    /// A text or attribute of an XML body.
    Xml = "body.xml",
    /// A literal or name in a GraphQL document.
    GraphQl = "body.graphql",
    /// A field of a protobuf message, by field numbers: `body.protobuf:1.2`.
    Protobuf = "body.protobuf",
    /// A response header's value.
    ResponseHeader = "response.header",
    /// The response's body.
    ResponseBody = "response.body",
}

impl fmt::Display for Point<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.name())?;
        if self.part == Part::Name {
            f.write_str("-name")?;
        }
        if self.path.is_empty() { Ok(()) } else { write!(f, ":{}", String::from_utf8_lossy(self.path)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_read_as_people_write_them() {
        let point = |root, part, path: &'static str| Point { root, part, path: path.as_bytes() }.to_string();
        assert_eq!(point(Root::Query, Part::Value, "q"), "query:q");
        assert_eq!(point(Root::Json, Part::Name, "/user/0/name"), "body.json-name:/user/0/name");
        assert_eq!(point(Root::Path, Part::Value, ""), "path");
        for root in Root::ALL {
            assert_eq!(Root::from_name(root.name()), Some(*root));
        }
    }
}
