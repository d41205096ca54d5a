//! Where in a request a credential stands, and how it is taken out of what goes on.

use std::borrow::Cow;

/// A place of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// `Authorization`, behind the scheme `Bearer`.
    Bearer,
    /// A header of this name: all of its value.
    Header(String),
    /// A cookie of this name.
    Cookie(String),
    /// A parameter of the query.
    Query(String),
}

/// What stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'r> {
    /// Nothing.
    Nothing,
    /// A credential.
    One(Cow<'r, [u8]>),
    /// More than one, which two readers would choose differently from.
    Several,
}

impl Place {
    /// Looks into a request's fields and target. O(n).
    pub fn find<'r>(
        &self,
        fields: impl Iterator<Item = (&'r [u8], &'r [u8])>,
        target: &'r [u8],
    ) -> Found<'r> {
        let mut found = Found::Nothing;
        let mut add = |credential: Cow<'r, [u8]>| {
            found = match found {
                Found::Nothing => Found::One(credential),
                Found::One(_) | Found::Several => Found::Several,
            }
        };
        match self {
            Self::Bearer => fields
                .filter(|(name, _)| name.eq_ignore_ascii_case(b"authorization"))
                .filter_map(|(_, value)| bearer(value))
                .for_each(|token| add(Cow::Borrowed(token))),
            Self::Header(wanted) => fields
                .filter(|(name, _)| same(name, wanted.as_bytes()))
                .for_each(|(_, value)| add(Cow::Borrowed(value.trim_ascii()))),
            Self::Cookie(wanted) => cookies(fields)
                .filter(|(name, _)| *name == wanted.as_bytes())
                .for_each(|(_, value)| add(Cow::Borrowed(value))),
            Self::Query(wanted) => {
                let pairs = query(target).into_iter().flat_map(|query| query.split(|byte| *byte == b'&'));
                pairs.map(|pair| cut(pair, b'=')).for_each(|(name, value)| {
                    if *decoded(name) == *wanted.as_bytes() {
                        add(decoded(value));
                    }
                });
            }
        }
        found
    }

    /// A target without the parameter that this is the place of; `None` where it does not hold it.
    #[must_use]
    pub fn without(&self, target: &[u8]) -> Option<Vec<u8>> {
        let Self::Query(wanted) = self else { return None };
        let text = query(target)?;
        let before = cut(target, b'?').0;
        let is_it = |pair: &&[u8]| *decoded(cut(pair, b'=').0) == *wanted.as_bytes();
        let kept: Vec<&[u8]> = text.split(|byte| *byte == b'&').filter(|pair| !is_it(pair)).collect();
        if kept.len() == text.split(|byte| *byte == b'&').count() {
            return None;
        }
        let mut out = before.to_vec();
        if !kept.is_empty() {
            out.push(b'?');
            out.extend(kept.join(&b'&'));
        }
        Some(out)
    }

    /// The value of a `Cookie` header without the cookie that this is the place of; `None` where it does not hold it.
    #[must_use]
    pub fn without_cookie(&self, value: &[u8]) -> Option<Vec<u8>> {
        let Self::Cookie(wanted) = self else { return None };
        let all = || value.split(|byte| *byte == b';');
        let is_it = |cookie: &&[u8]| cut(cookie, b'=').0.trim_ascii() == wanted.as_bytes();
        let kept: Vec<&[u8]> = all().filter(|cookie| !is_it(cookie)).collect();
        (kept.len() < all().count()).then(|| kept.join(&b';').trim_ascii().to_vec())
    }

    /// Whether a header of this name holds this credential, and nothing else.
    #[must_use]
    pub fn is_header(&self, name: &[u8], value: &[u8]) -> bool {
        match self {
            Self::Bearer => name.eq_ignore_ascii_case(b"authorization") && bearer(value).is_some(),
            Self::Header(wanted) => same(name, wanted.as_bytes()),
            Self::Cookie(_) | Self::Query(_) => false,
        }
    }
}

/// What is behind the scheme, where it is that one.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let (scheme, rest) = value.split_at_checked(b"Bearer".len())?;
    (scheme.eq_ignore_ascii_case(b"Bearer") && rest.first().is_none_or(|byte| *byte == b' '))
        .then(|| rest.trim_ascii())
}

/// Equal but for case and for `_` in place of `-`, which application servers take for one.
fn same(name: &[u8], wanted: &[u8]) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == wanted.len() && name.iter().zip(wanted).all(|(name, wanted)| fold(*name) == fold(*wanted))
}

fn cookies<'r>(
    fields: impl Iterator<Item = (&'r [u8], &'r [u8])>,
) -> impl Iterator<Item = (&'r [u8], &'r [u8])> {
    fields
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"cookie"))
        .flat_map(|(_, value)| value.split(|byte| *byte == b';'))
        .map(|cookie| {
            let (name, value) = cut(cookie, b'=');
            (name.trim_ascii(), value.trim_ascii())
        })
}

/// The query of a target. `#` is a byte like others: clients send none, and of those who do the service may think either.
fn query(target: &[u8]) -> Option<&[u8]> {
    let start = target.iter().position(|byte| *byte == b'?')? + 1;
    Some(&target[start..])
}

/// What stands before and after the first of a byte; all before it where there is none.
fn cut(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == at) {
        Some(place) => (&text[..place], &text[place + 1..]),
        None => (text, b""),
    }
}

/// Undoes `+` and `%HH`; what is no escape stays.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            (b'+', ..) => out.push(b' '),
            (other, ..) => out.push(*other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(place: &Place, fields: &[(&str, &str)], target: &str) -> Option<String> {
        let pairs: Vec<(&[u8], &[u8])> =
            fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        match place.find(pairs.into_iter(), target.as_bytes()) {
            Found::Nothing => None,
            Found::One(credential) => Some(String::from_utf8_lossy(&credential).into_owned()),
            Found::Several => Some("several".to_owned()),
        }
    }

    #[test]
    fn a_credential_is_found_where_it_stands_and_two_are_too_many() {
        let some = |text: &str| Some(text.to_owned());
        let bearer = |fields: &[(&str, &str)]| find(&Place::Bearer, fields, "/");
        assert_eq!(bearer(&[("authorization", "bearer  a.b.c ")]), some("a.b.c"));
        assert_eq!(bearer(&[("Authorization", "Basic YQ==")]), None);
        assert_eq!(bearer(&[("Authorization", "Bearerx")]), None);
        assert_eq!(bearer(&[("Authorization", "Bearer")]), some(""));
        assert_eq!(bearer(&[("Authorization", "Bearer a"), ("authorization", "Bearer a")]), some("several"));
        let header = Place::Header("x-api-key".to_owned());
        assert_eq!(find(&header, &[("X_Api-Key", " k ")], "/"), some("k"));
        assert_eq!(find(&header, &[("x-api-key", "k"), ("x_api_key", "l")], "/"), some("several"));
        let cookie = Place::Cookie("t".to_owned());
        assert_eq!(find(&cookie, &[("Cookie", "a=1; t=x=y;tt=3")], "/"), some("x=y"));
        assert_eq!(find(&cookie, &[("Cookie", "t=1"), ("cookie", "t=1")], "/"), some("several"));
        let query = Place::Query("access_token".to_owned());
        assert_eq!(find(&query, &[], "/?a=1&access%5ftoken=%61b"), some("ab"));
        assert_eq!(find(&query, &[], "/?access_token=a&access_token=a"), some("several"));
        assert_eq!(find(&query, &[], "/access_token=a"), None);
    }

    #[test]
    fn a_credential_is_taken_out_and_nothing_else() {
        let query = Place::Query("t".to_owned());
        for (target, left) in [
            ("/?t=1", Some("/")),
            ("/a?b=1&t=2&%74=3&c", Some("/a?b=1&c")),
            ("/a?b=1#t=2", None),
            ("/a?t=1&b#x", Some("/a?b#x")),
            ("/a", None),
            ("/a?tt=1", None),
        ] {
            let out = query.without(target.as_bytes());
            assert_eq!(out.map(|out| String::from_utf8(out).unwrap()).as_deref(), left, "{target}");
        }
        let cookie = Place::Cookie("t".to_owned());
        for (value, left) in
            [("t=1", Some("")), ("a=1; t=2; b=3", Some("a=1; b=3")), ("t=1; a=2", Some("a=2")), ("a=t", None)]
        {
            let out = cookie.without_cookie(value.as_bytes());
            assert_eq!(out.map(|out| String::from_utf8(out).unwrap()).as_deref(), left, "{value}");
        }
        assert!(Place::Bearer.is_header(b"Authorization", b"bearer x"));
        assert!(!Place::Bearer.is_header(b"Authorization", b"Basic x"));
    }
}
