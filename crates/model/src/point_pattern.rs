//! Patterns over points: `query:q`, `header-name:x-*`, `body.json:/items/*/text`.

use std::fmt;

use crate::places::{Part, Point, Root};
use crate::wildcard::Wildcard;

/// Points: values or names of a part of the exchange, those whose path matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PointPattern {
    root: Root,
    part: Part,
    /// `None`: every one.
    path: Option<Wildcard>,
}

/// A text that names no points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointError {
    /// It begins with no part of an exchange.
    Root,
    /// A path in JSON or XML begins with a slash.
    Slash(Root),
    /// There is nothing after the colon, or too much.
    Path,
}

impl PointPattern {
    /// Reads a pattern: a point as it is written, in whose path `*` stands for any bytes. In JSON and XML it stays within
    /// a segment, and a segment `**` stands for any number of them. Without a path all points of that part are meant,
    /// the part as a whole included.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, PointError> {
        let (word, path) = match text.split_once(':') {
            Some((word, path)) => (word, Some(path)),
            None => (text, None),
        };
        let (word, part) = match word.strip_suffix("-name") {
            Some(word) => (word, Part::Name),
            None => (word, Part::Value),
        };
        let root = Root::from_name(word).ok_or(PointError::Root)?;
        let path = match path {
            Some(path) if has_segments(root) && !path.starts_with('/') => {
                return Err(PointError::Slash(root));
            }
            Some(path) => Some(Wildcard::new(path).ok_or(PointError::Path)?),
            None => None,
        };
        Ok(Self { root, part, path })
    }

    /// The part of the exchange that its points are in.
    pub fn root(&self) -> Root {
        self.root
    }

    /// The name that its points end in, where it is one: the parameter's, the header's, the last key of a pointer.
    pub fn name(&self) -> Option<&str> {
        let path = self.path.as_ref()?.as_str();
        let name = if has_segments(self.root) { path.rsplit('/').next().unwrap_or_default() } else { path };
        (self.part == Part::Value && !name.is_empty() && !name.contains('*')).then_some(name)
    }

    /// Whether a point is one of them. Names of headers match in any case, others as they are written.
    pub fn matches(&self, point: &Point<'_>) -> bool {
        (self.root, self.part) == (point.root, point.part)
            && self.path.as_ref().is_none_or(|wanted| match point.root {
                Root::Header | Root::ResponseHeader => wanted.matches_any_case(point.path),
                root if has_segments(root) => wanted.matches_path(point.path),
                _ => wanted.matches(point.path),
            })
    }
}

/// Whether its paths begin with a slash and go down segment by segment.
fn has_segments(root: Root) -> bool {
    matches!(root, Root::Json | Root::Xml)
}

impl fmt::Display for PointPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.name())?;
        if self.part == Part::Name {
            f.write_str("-name")?;
        }
        match &self.path {
            Some(path) => write!(f, ":{path}"),
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

    fn at(root: Root, part: Part, path: &str) -> Point<'_> {
        Point { root, part, path: path.as_bytes() }
    }

    #[test]
    fn points_read_as_they_print() {
        for text in [
            "path",
            "path:0",
            "query:q",
            "query:a:b",
            "query-name:*",
            "header:user-agent",
            "body.form:filter[*]",
            "body.json:/a/**",
            "body.json",
            "body.json-name:/a",
            "body.filename:avatar",
            "body",
        ] {
            assert_eq!(points(text).to_string(), text);
        }
        for (text, error) in [
            ("", PointError::Root),
            ("args:q", PointError::Root),
            ("Query:q", PointError::Root),
            ("query:", PointError::Path),
            ("body.json:content", PointError::Slash(Root::Json)),
            ("body.json:", PointError::Slash(Root::Json)),
        ] {
            assert_eq!(PointPattern::parse(text), Err(error), "{text}");
        }
        assert_eq!(PointPattern::parse(&format!("query:{}", "a".repeat(300))), Err(PointError::Path));
    }

    #[test]
    fn a_pattern_means_points_of_its_part_alone() {
        use Part::{Name, Value};
        for (pattern, point, matches) in [
            ("query:q", at(Root::Query, Value, "q"), true),
            ("query:q", at(Root::Query, Value, "Q"), false),
            ("query:q", at(Root::Query, Name, "q"), false),
            ("query-name:q", at(Root::Query, Name, "q"), true),
            ("query:q", at(Root::Form, Value, "q"), false),
            ("query:q", at(Root::Query, Value, ""), false),
            ("query", at(Root::Query, Value, ""), true),
            ("query", at(Root::Query, Value, "q"), true),
            ("query", at(Root::Query, Name, "q"), false),
            ("header:User-Agent", at(Root::Header, Value, "user-agent"), true),
            ("body", at(Root::Json, Value, "/a"), false),
            ("body.json:/items/*/text", at(Root::Json, Value, "/items/3/text"), true),
            ("body.json:/items/*/text", at(Root::Json, Value, "/items/3/4/text"), false),
            ("body.json:/**", at(Root::Json, Value, "/items/3/4/text"), true),
        ] {
            assert_eq!(points(pattern).matches(&point), matches, "{pattern} {point}");
        }
    }
}
