//! Credentials: whether a request shows those that its endpoint asks for, in the form of their schemes.
//!
//! A form is what every client of a scheme keeps to (RFC 6750, 7616, 7617), and a place that holds two credentials holds
//! none, since two readers would choose differently. Whether a credential is genuine is known to whoever judged it, who
//! says so by [`Shown`].

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use palisade_http::RequestHead;
use palisade_model::Root;

use crate::fields::Fields;
use crate::operation::{Requirement, Scheme};

/// What is known of a request's client before its specification is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'s> {
    /// It showed a certificate that is believed.
    pub certificate: bool,
    /// Places of credentials that were judged and refused: part of the request, and name.
    pub refused: &'s [(Root, Vec<u8>)],
}

/// What stands where a scheme has its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Missing,
    /// Not in the form of its scheme, or more than one.
    Malformed,
    /// Whoever judged it refused it.
    Refused,
    /// In its form, and not known to be bad.
    Good,
}

/// A request's places of credentials.
pub(crate) struct Credentials<'r> {
    pub(crate) head: &'r RequestHead,
    pub(crate) query: &'r Fields<'r>,
    pub(crate) cookies: &'r Fields<'r>,
    pub(crate) shown: &'r Shown<'r>,
}

impl Credentials<'_> {
    /// What is wrong with them: where, and in words. Nothing where one of the requirements is met, or there is none.
    pub(crate) fn breach(&self, security: &[Requirement]) -> Option<(Root, Vec<u8>, String)> {
        let is_met =
            |requirement: &Requirement| requirement.iter().all(|scheme| self.of(scheme) == Credential::Good);
        if security.is_empty() || security.iter().any(is_met) {
            return None;
        }
        // What is there and bad says more than what is not there.
        let schemes = || security.iter().flatten().map(|scheme| (scheme, self.of(scheme)));
        let bad = schemes()
            .find(|(_, credential)| matches!(credential, Credential::Malformed | Credential::Refused));
        let missing = || schemes().find(|(_, credential)| *credential == Credential::Missing);
        let (scheme, credential) = bad.or_else(missing)?;
        let (root, name) = place(scheme);
        let why = match (credential, security.len()) {
            (Credential::Malformed, _) => {
                "is not in the form of the scheme that is asked for here".to_owned()
            }
            (Credential::Refused, _) => "was judged at the gate and refused".to_owned(),
            (_, 1) => "is asked for here, to authenticate".to_owned(),
            (_, ways) => format!("or another of {ways} ways to authenticate is asked for here"),
        };
        Some((root, name, why))
    }

    fn of(&self, scheme: &Scheme) -> Credential {
        let (root, name) = place(scheme);
        let is_refused = || {
            self.shown.refused.iter().any(|(part, refused)| {
                *part == root
                    && match root {
                        Root::Header => refused.eq_ignore_ascii_case(&name),
                        _ => *refused == name,
                    }
            })
        };
        let credential = match scheme {
            Scheme::Certificate if self.shown.certificate => return Credential::Good,
            Scheme::Certificate => return Credential::Missing,
            Scheme::Header(_) => key(self.headers(&name)),
            Scheme::Query(name) => key(self.query.texts(name).into_iter()),
            Scheme::Cookie(name) => key(self.cookies.texts(name).into_iter()),
            Scheme::Http(scheme) => authorization(self.headers(b"authorization"), scheme),
        };
        match credential {
            Credential::Good if is_refused() => Credential::Refused,
            other => other,
        }
    }

    fn headers<'n>(&'n self, name: &'n [u8]) -> impl Iterator<Item = &'n [u8]> {
        let named = move |(known, _): &(&[u8], &[u8])| known.eq_ignore_ascii_case(name);
        self.head.headers.iter().filter(named).map(|(_, value)| value)
    }
}

/// Where a scheme has its credential.
fn place(scheme: &Scheme) -> (Root, Vec<u8>) {
    match scheme {
        Scheme::Header(name) => (Root::Header, name.to_ascii_lowercase()),
        Scheme::Query(name) => (Root::Query, name.to_vec()),
        Scheme::Cookie(name) => (Root::Cookie, name.to_vec()),
        Scheme::Http(_) | Scheme::Certificate => (Root::Header, b"authorization".to_vec()),
    }
}

/// A key has no form but that it is one.
fn key<'v>(mut values: impl Iterator<Item = &'v [u8]>) -> Credential {
    match (values.next(), values.next()) {
        (None, _) => Credential::Missing,
        (Some(value), None) if !value.trim_ascii().is_empty() => Credential::Good,
        (Some(_), _) => Credential::Malformed,
    }
}

/// `Authorization` of a scheme. One of another scheme is none of this one.
fn authorization<'v>(mut values: impl Iterator<Item = &'v [u8]>, scheme: &[u8]) -> Credential {
    let Some(value) = values.next() else { return Credential::Missing };
    let value = value.trim_ascii();
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (word, rest) = value.split_at(end);
    if !word.eq_ignore_ascii_case(scheme) {
        return Credential::Missing;
    }
    let rest = rest.trim_ascii();
    let is_formed = match scheme {
        b"basic" => is_basic(rest),
        b"bearer" => is_token(rest),
        b"digest" => is_digest(rest),
        _ => !rest.is_empty(),
    };
    if is_formed && values.next().is_none() { Credential::Good } else { Credential::Malformed }
}

/// A name and a password with a colon between, in Base64 (RFC 7617 section 2), with or without its padding.
fn is_basic(text: &[u8]) -> bool {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    BASE64.decode(text).is_ok_and(|text| text.contains(&b':'))
}

/// `b64token` of RFC 6750 section 2.1.
fn is_token(text: &[u8]) -> bool {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let is_of_it = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    end > 0 && text[..end].iter().all(is_of_it)
}

/// The parameters that every answer to a challenge has (RFC 7616 section 3.4), by name; values are the server's to judge.
fn is_digest(text: &[u8]) -> bool {
    const NEEDED: [&[u8]; 5] = [b"username", b"realm", b"nonce", b"uri", b"response"];
    let mut seen = [false; NEEDED.len()];
    let (mut begin, mut is_quoted, mut is_escaped) = (0, false, false);
    for at in 0..=text.len() {
        let byte = text.get(at).copied();
        match byte {
            _ if is_escaped => is_escaped = false,
            Some(b'\\') if is_quoted => is_escaped = true,
            Some(b'"') => is_quoted = !is_quoted,
            Some(b',') if is_quoted => {}
            Some(b',') | None => {
                let parameter = &text[begin..at];
                begin = at + 1;
                let Some(equals) = parameter.iter().position(|byte| *byte == b'=') else { continue };
                let name = parameter[..equals].trim_ascii();
                // `username*` is the name in another character set.
                let name = name.strip_suffix(b"*").unwrap_or(name);
                let needed = NEEDED.iter().position(|needed| name.eq_ignore_ascii_case(needed));
                needed.into_iter().for_each(|at| seen[at] = true);
            }
            Some(_) => {}
        }
    }
    seen.iter().all(|seen| *seen) && !is_quoted
}
