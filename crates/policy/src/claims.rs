//! What a rule asks of who a request is from: claims that somebody vouches for, a token that was verified above all.
//!
//! Where nobody does, no claim is there to be compared, and that is no answer: [`Fit::Open`], so that an Allow rule does not
//! match and a Deny rule does. Nobody comes around a Deny by leaving the token away. The clause is ours.

use std::fmt;

use crate::http_match::{Fit, HttpMatch};

/// A claim, and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimMatch {
    /// Which.
    pub claim: ClaimPath,
    /// What is asked.
    pub test: ClaimTest,
}

/// What is asked of a claim. A list is asked item by item; so are the words of OAuth's `scope` and `scp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimTest {
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It is one of these, or has one of them in its list.
    In(Box<[Box<str>]>),
    /// It is none of these and has none of them in its list, or is not there.
    NotIn(Box<[Box<str>]>),
}

/// The names that lead to a claim, from the outermost object inwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    text: Box<str>,
    names: Box<[Box<str>]>,
}

/// Where claims are found.
pub trait Claims: fmt::Debug {
    /// Calls for what stands at a path, as a text: for each item, where it is a list. Whether something stands there.
    fn each_value(&self, path: &ClaimPath, call: &mut dyn FnMut(&str)) -> bool;
}

/// Names in a path: more than that no token nests.
pub const CLAIM_DEPTH_MAX: usize = 16;

impl ClaimPath {
    /// A name, taken whole; or behind a slash a JSON pointer (RFC 6901) into objects.
    ///
    /// # Errors
    /// In words, where it is neither.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let names: Box<[Box<str>]> = match text.strip_prefix('/') {
            None if text.is_empty() => return Err("it has no name"),
            None => [text.into()].into(),
            Some(pointer) => pointer.split('/').map(unescaped).collect::<Result<_, _>>()?,
        };
        if names.len() > CLAIM_DEPTH_MAX {
            return Err("it has more than 16 names");
        }
        Ok(Self { text: text.into(), names })
    }

    /// The names.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.names.iter().map(|name| &**name)
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A name of a JSON pointer, `~1` for `/` and `~0` for `~`.
fn unescaped(name: &str) -> Result<Box<str>, &'static str> {
    let mut pieces = name.split('~');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (char, rest) = match piece.as_bytes().first() {
            Some(b'0') => ('~', &piece[1..]),
            Some(b'1') => ('/', &piece[1..]),
            _ => return Err("a `~` in a JSON pointer is written `~0`"),
        };
        out.push(char);
        out.push_str(rest);
    }
    Ok(out.into())
}

impl ClaimMatch {
    fn fits(&self, claims: &dyn Claims) -> bool {
        let has = |wanted: &[Box<str>]| {
            let mut found = false;
            claims.each_value(&self.claim, &mut |value| found |= wanted.iter().any(|one| **one == *value));
            found
        };
        match &self.test {
            ClaimTest::Exists => claims.each_value(&self.claim, &mut |_| {}),
            ClaimTest::DoesNotExist => !claims.each_value(&self.claim, &mut |_| {}),
            ClaimTest::In(wanted) => has(wanted),
            ClaimTest::NotIn(wanted) => !has(wanted),
        }
    }
}

impl HttpMatch {
    /// Whether the claims are asked for; open where nobody vouches for any.
    #[must_use]
    pub fn claims_fit(&self, claims: Option<&dyn Claims>) -> Fit {
        match claims {
            _ if self.claims.is_empty() => Fit::Yes,
            None => Fit::Open,
            Some(claims) if self.claims.iter().all(|claim| claim.fits(claims)) => Fit::Yes,
            Some(_) => Fit::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_name_or_a_pointer() {
        let names =
            |text: &str| ClaimPath::parse(text).map(|path| path.names().collect::<Vec<_>>().join("|"));
        for (text, expected) in [
            ("tier", Ok("tier")),
            ("https://shop.example/roles", Ok("https://shop.example/roles")),
            ("a.b", Ok("a.b")),
            ("/realm_access/roles", Ok("realm_access|roles")),
            ("/a~1b/c~0d/", Ok("a/b|c~d|")),
            ("/~01", Ok("~1")),
            ("", Err("it has no name")),
            ("/a~b", Err("a `~` in a JSON pointer is written `~0`")),
            ("/a~", Err("a `~` in a JSON pointer is written `~0`")),
            ("/a~é", Err("a `~` in a JSON pointer is written `~0`")),
            ("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", Ok("a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a")),
            ("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", Err("it has more than 16 names")),
        ] {
            assert_eq!(names(text), expected.map(str::to_owned), "{text}");
        }
    }
}
