//! What a request to the API says: its query and its body, each within bounds.

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::{Request, StatusCode};

use super::{Refused, bad};
use crate::routes::Parameter;

/// Parameters of a query, each unescaped.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn of(query: Option<&str>) -> Result<Self, Refused> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let read = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescaped(&name.replace('+', " "))?, unescaped(&value.replace('+', " "))?))
        };
        let pairs: Option<Vec<_>> = pairs.map(read).collect();
        pairs.map(Self).ok_or_else(|| bad("the query is not escaped as a URL's is"))
    }

    pub(crate) fn are_among(&self, known: &[Parameter]) -> Result<(), Refused> {
        match self.0.iter().find(|(name, _)| known.iter().all(|(other, _)| other != name)) {
            Some((name, _)) if known.is_empty() => Err(bad(format!("`{name}`: nothing is asked for here"))),
            Some((name, _)) => {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                Err(bad(format!("`{name}` is not known here; there are {}", names.join(", "))))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Refused> {
        let mut values = self.0.iter().filter(|(other, _)| other == name);
        let first = values.next();
        if values.next().is_some() {
            return Err(bad(format!("`{name}` stands there twice")));
        }
        Ok(first.map(|(_, value)| value.as_str()))
    }

    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, Refused> {
        let value = self.one(name)?;
        value.map(|text| text.parse().map_err(|_| bad(format!("`{name}` is {what}")))).transpose()
    }

    /// How many are passed over, where a cursor is a number.
    pub(crate) fn after(&self) -> Result<usize, Refused> {
        Ok(self.parsed("cursor", "the `next` of a page")?.unwrap_or_default())
    }

    pub(crate) fn limit(&self) -> Result<usize, Refused> {
        let limit: usize = self.parsed("limit", "a number from 1 to 1000")?.unwrap_or(100);
        if (1..=1000).contains(&limit) { Ok(limit) } else { Err(bad("`limit` is a number from 1 to 1000")) }
    }
}

/// Undoes %HH. `None` where an escape is broken or what comes of it is no text.
pub(crate) fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        out.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(out).ok()
}

/// The body of a request.
pub(crate) async fn read_body(request: Request<Incoming>, bytes_max: usize) -> Result<Bytes, Refused> {
    let too_large = || {
        let why = format!("the body has more than {bytes_max} bytes: send it in parts");
        (StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    if request.body().size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    match Limited::new(request.into_body(), bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(bad(format!("the body broke off: {error}"))),
    }
}
