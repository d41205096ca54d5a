//! Places in a request, by kind and name, and patterns over them: `query:q`, `body.json:/items/*/text`.

use std::fmt;

use crate::wildcard::Wildcard;

/// What kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PointKind {
    /// The path of the target.
    Path,
    /// An argument of the query, by its name.
    Query,
    /// A header, by its name.
    Header,
    /// A cookie, by its name.
    Cookie,
    /// A field of a form, `application/x-www-form-urlencoded` or multipart, by its name.
    Form,
    /// A value in a JSON body, by its JSON pointer (RFC 6901); elements of arrays by their number, from 0.
    Json,
    /// An XML body, all of it.
    Xml,
    /// An uploaded file, by the name of its field.
    File,
    /// A body that nothing takes apart.
    Body,
}

impl PointKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Path,
        Self::Query,
        Self::Header,
        Self::Cookie,
        Self::Form,
        Self::Json,
        Self::Xml,
        Self::File,
        Self::Body,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Form => "body.form",
            Self::Json => "body.json",
            Self::Xml => "body.xml",
            Self::File => "body.file",
            Self::Body => "body",
        }
    }

    /// Whether a name tells places of this kind apart.
    pub fn is_named(self) -> bool {
        !matches!(self, Self::Path | Self::Xml | Self::Body)
    }
}

/// Points: those of a kind whose names match.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PointPattern {
    kind: PointKind,
    /// `None`: all of this kind.
    name: Option<Wildcard>,
}

/// A text that names no points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PointError {
    /// It begins with no kind.
    Kind,
    /// Its kind needs a name.
    NameMissing(PointKind),
    /// Its kind has no names.
    NameUnknown(PointKind),
    /// A JSON pointer begins with a slash.
    Pointer,
    /// Its name is too long.
    TooLong,
}

impl PointPattern {
    /// Reads `KIND:NAME`, or `KIND` where names do not tell places apart. In a name `*` stands for any bytes; in a JSON
    /// pointer for any within a segment, and a segment `**` for any number of segments.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, PointError> {
        let (word, name) = match text.split_once(':') {
            Some((word, name)) => (word, Some(name)),
            None => (text, None),
        };
        let kind = PointKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(PointError::Kind)?;
        let name = match (kind.is_named(), name) {
            (false, None) => None,
            (false, Some(_)) => return Err(PointError::NameUnknown(kind)),
            (true, None | Some("")) => return Err(PointError::NameMissing(kind)),
            (true, Some(name)) => {
                if kind == PointKind::Json && !name.starts_with('/') && name != "**" {
                    return Err(PointError::Pointer);
                }
                Some(Wildcard::new(name).ok_or(PointError::TooLong)?)
            }
        };
        Ok(Self { kind, name })
    }

    /// The kind of its points.
    pub fn kind(&self) -> PointKind {
        self.kind
    }

    /// Whether it names one point, so that a client cannot choose the name.
    pub fn is_exact(&self) -> bool {
        self.name.as_ref().is_some_and(Wildcard::is_exact)
    }

    /// Whether a point is one of them. `name` is empty where names do not tell places apart. Header names match in any
    /// case, other names as they are written.
    pub fn matches(&self, kind: PointKind, name: &[u8]) -> bool {
        self.kind == kind
            && self.name.as_ref().is_none_or(|wanted| match kind {
                PointKind::Header => wanted.matches_any_case(name),
                PointKind::Json => wanted.matches_path(name),
                _ => wanted.matches(name),
            })
    }
}

impl fmt::Display for PointPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match &self.name {
            Some(name) => write!(f, ":{name}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(text: &str) -> PointPattern {
        PointPattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    #[test]
    fn points_read_as_they_print() {
        for text in [
            "path",
            "query:q",
            "query:a:b",
            "header:user-agent",
            "cookie:*",
            "body.form:filter[*]",
            "body.json:/a/**",
            "body.json:**",
            "body.xml",
            "body.file:avatar",
            "body",
        ] {
            assert_eq!(points(text).to_string(), text);
        }
        for (text, error) in [
            ("", PointError::Kind),
            ("args:q", PointError::Kind),
            ("Query:q", PointError::Kind),
            ("query", PointError::NameMissing(PointKind::Query)),
            ("query:", PointError::NameMissing(PointKind::Query)),
            ("path:/a", PointError::NameUnknown(PointKind::Path)),
            ("body.json:content", PointError::Pointer),
        ] {
            assert_eq!(PointPattern::parse(text), Err(error), "{text}");
        }
        assert_eq!(PointPattern::parse(&format!("query:{}", "a".repeat(300))), Err(PointError::TooLong));
    }

    #[test]
    fn only_headers_match_in_any_case_and_kinds_never_mix() {
        assert!(points("header:user-agent").matches(PointKind::Header, b"User-Agent"));
        assert!(!points("query:q").matches(PointKind::Query, b"Q"));
        assert!(!points("query:q").matches(PointKind::Form, b"q"));
        assert!(points("query:q").is_exact());
        assert!(!points("query:q*").is_exact() && !points("body.xml").is_exact());
        assert!(points("body.xml").matches(PointKind::Xml, b""));
        assert!(points("body.json:/items/*/text").matches(PointKind::Json, b"/items/3/text"));
    }
}
