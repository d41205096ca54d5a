//! What a rule asks of a request.
//!
//! Methods, paths, headers, hosts and [claims](crate::ClaimMatch) all have to match; one of each is enough. Source: Calico's
//! `http` clause, and the header criteria of its enterprise edition. Hosts are ours, and so is `http` on Deny rules and on egress.
//!
//! A question that a request leaves open (a path that servers read in more than one way, a header that is there twice
//! with values that differ, no host) is [`Fit::Open`]: an Allow rule does not match then, a Deny rule does.

use std::fmt;

use palisade_http::host_of_authority;
use regex_automata::meta;

use crate::claims::{ClaimMatch, Claims};

/// How well a clause and a request go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// They do.
    Yes,
    /// They do not.
    No,
    /// It cannot be told.
    Open,
}

impl Fit {
    fn of(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::No }
    }
}

/// What is asked; an empty list asks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpMatch {
    /// The method, in its case; `*` is any.
    pub methods: Box<[Box<str>]>,
    /// The path.
    pub paths: Box<[PathMatch]>,
    /// Headers, each of them.
    pub headers: Box<[HeaderMatch]>,
    /// The host: a name, or `*.name`.
    pub hosts: Box<[HostMatch]>,
    /// Claims of who the request is from, each of them.
    pub claims: Box<[ClaimMatch]>,
}

/// A path or all paths below it, in the [comparable form](crate::comparable_path).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// It alone.
    Exact(Box<[u8]>),
    /// It and what is below it, segment by segment.
    Prefix(Box<[u8]>),
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostMatch {
    /// This one, in lower case.
    Exact(Box<str>),
    /// Those with one label or more before this one.
    Below(Box<str>),
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Its name, in any case.
    pub name: Box<str>,
    /// What is asked of it.
    pub test: HeaderTest,
}

/// What is asked of a header's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderTest {
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It begins with one of these.
    HasPrefix(Box<[Box<str>]>),
    /// It ends with one of these.
    HasSuffix(Box<[Box<str>]>),
    /// It is one of these.
    In(Box<[Box<str>]>),
    /// It is none of these, or not there.
    NotIn(Box<[Box<str>]>),
    /// All of it is matched by one of these.
    MatchesRegex(Box<[HeaderRegex]>),
}

/// A regular expression that matches a whole value, in linear time.
#[derive(Clone)]
pub struct HeaderRegex {
    text: Box<str>,
    regex: meta::Regex,
}

impl HeaderRegex {
    /// Compiles one.
    ///
    /// # Errors
    /// In words, when it is no regular expression, or a large one.
    pub fn new(text: &str) -> Result<Self, String> {
        // A pattern is a few dozen bytes; a megabyte of automaton bounds what repetitions make of it.
        let config = meta::Config::new().nfa_size_limit(Some(1 << 20)).hybrid_cache_capacity(256 << 10);
        let regex = meta::Builder::new().configure(config).build(&format!(r"\A(?:{text})\z"));
        let regex = regex.map_err(|error| match error.syntax_error() {
            Some(error) => error.to_string().lines().last().unwrap_or_default().to_owned(),
            None => error.to_string(),
        })?;
        Ok(Self { text: text.into(), regex })
    }
}

impl PartialEq for HeaderRegex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for HeaderRegex {}

impl fmt::Debug for HeaderRegex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeaderRegex({:?})", self.text)
    }
}

/// A request as policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct HttpHead<'a> {
    /// The method as sent.
    pub method: &'a [u8],
    /// The path in its [comparable form](crate::comparable_path), where it has one.
    pub path: Option<&'a [u8]>,
    /// The host, without port; see [`host_name`].
    pub host: Option<&'a str>,
    /// The headers.
    pub headers: &'a dyn Headers,
    /// What somebody vouches for of who it is from; absent where nobody does.
    pub claims: Option<&'a dyn Claims>,
}

/// Where headers are found.
pub trait Headers: fmt::Debug {
    /// Calls for every value of a header, whose name is compared without regard to case, in order.
    fn each_value(&self, name: &str, call: &mut dyn FnMut(&[u8]));
}

impl Headers for [(Vec<u8>, Vec<u8>)] {
    fn each_value(&self, name: &str, call: &mut dyn FnMut(&[u8])) {
        self.iter()
            .filter(|(there, _)| there.eq_ignore_ascii_case(name.as_bytes()))
            .for_each(|(_, value)| call(value));
    }
}

impl Headers for Vec<(Vec<u8>, Vec<u8>)> {
    fn each_value(&self, name: &str, call: &mut dyn FnMut(&[u8])) {
        self.as_slice().each_value(name, call);
    }
}

impl Headers for palisade_http::RequestHead {
    fn each_value(&self, name: &str, call: &mut dyn FnMut(&[u8])) {
        for (there, value) in self.headers.iter() {
            if there.eq_ignore_ascii_case(name.as_bytes()) {
                call(value);
            }
        }
    }
}

impl HttpMatch {
    /// Whether the method is asked for.
    #[must_use]
    pub fn method_fits(&self, head: &HttpHead<'_>) -> Fit {
        let wanted = |method: &str| method == "*" || method.as_bytes() == head.method;
        Fit::of(self.methods.is_empty() || self.methods.iter().any(|method| wanted(method)))
    }

    /// Whether the path is asked for.
    #[must_use]
    pub fn path_fits(&self, head: &HttpHead<'_>) -> Fit {
        match head.path {
            _ if self.paths.is_empty() => Fit::Yes,
            None => Fit::Open,
            Some(path) => Fit::of(self.paths.iter().any(|wanted| wanted.covers(path))),
        }
    }

    /// Whether the headers are asked for.
    #[must_use]
    pub fn headers_fit(&self, head: &HttpHead<'_>) -> Fit {
        let mut open = false;
        for header in &self.headers {
            match header.fits(head.headers) {
                Fit::Yes => {}
                Fit::Open => open = true,
                Fit::No => return Fit::No,
            }
        }
        if open { Fit::Open } else { Fit::Yes }
    }

    /// Whether the host is asked for.
    #[must_use]
    pub fn host_fits(&self, head: &HttpHead<'_>) -> Fit {
        match head.host {
            _ if self.hosts.is_empty() => Fit::Yes,
            None => Fit::Open,
            Some(host) => Fit::of(self.hosts.iter().any(|wanted| wanted.covers(host))),
        }
    }
}

impl PathMatch {
    fn covers(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact(wanted) => **wanted == *path,
            Self::Prefix(wanted) if **wanted == *b"/" => true,
            Self::Prefix(wanted) => {
                path.strip_prefix(&**wanted).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
            }
        }
    }
}

impl HostMatch {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Exact(wanted) => **wanted == *host,
            Self::Below(parent) => {
                let below = host.strip_suffix(&**parent).and_then(|rest| rest.strip_suffix('.'));
                below.is_some_and(|labels| !labels.is_empty())
            }
        }
    }
}

impl HeaderMatch {
    fn fits(&self, headers: &dyn Headers) -> Fit {
        let (mut there, mut fitting) = (0_usize, 0_usize);
        headers.each_value(&self.name, &mut |value| {
            there += 1;
            fitting += usize::from(self.test.takes(value.trim_ascii()));
        });
        match self.test {
            HeaderTest::Exists => Fit::of(there > 0),
            HeaderTest::DoesNotExist => Fit::of(there == 0),
            HeaderTest::NotIn(_) if there == 0 => Fit::Yes,
            _ if fitting == 0 => Fit::No,
            _ if fitting == there => Fit::Yes,
            // Which of them the application reads is its secret.
            _ => Fit::Open,
        }
    }
}

impl HeaderTest {
    fn takes(&self, value: &[u8]) -> bool {
        let any = |values: &[Box<str>], test: fn(&[u8], &[u8]) -> bool| {
            values.iter().any(|wanted| test(value, wanted.as_bytes()))
        };
        match self {
            Self::Exists => true,
            Self::DoesNotExist => false,
            Self::HasPrefix(values) => any(values, <[u8]>::starts_with),
            Self::HasSuffix(values) => any(values, <[u8]>::ends_with),
            Self::In(values) => any(values, |value, wanted| value == wanted),
            Self::NotIn(values) => !any(values, |value, wanted| value == wanted),
            Self::MatchesRegex(patterns) => patterns.iter().any(|pattern| pattern.regex.is_match(value)),
        }
    }
}

/// The host of an authority in lower case: without port, and without the dot that ends an absolute name. `None` where it
/// is longer than any name, or not ASCII.
#[must_use]
pub fn host_name(authority: &[u8]) -> Option<String> {
    let host = host_of_authority(authority)?;
    let usable = !host.is_empty() && host.len() <= 255 && host.is_ascii();
    usable.then(|| host.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect())
}
