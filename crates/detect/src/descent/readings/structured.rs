//! Texts that have a structure of their own, of which the parts are looked at by their places.

use palisade_codec::ByteSet;
use palisade_http::{BodyLimits, Fields, GraphQl, JsonNames, JsonParser, XmlParser};

use super::{Made, Reading, base64};
use crate::detectors::graphql;
use crate::{Decoding, DetectLimits};

/// An object or array of JSON.
pub(super) const JSON: Reading = Reading {
    decoding: Decoding::Json,
    gate: ByteSet::of(b"{["),
    read: |text, _, limits| read_json(text, limits),
};

/// XML that says so, or has parts that only XML has.
pub(super) const XML: Reading = Reading {
    decoding: Decoding::Xml,
    gate: ByteSet::of(b"<"),
    read: |text, _, limits| read_xml(text, limits),
};

/// A GraphQL document.
pub(super) const GRAPHQL: Reading = Reading {
    decoding: Decoding::GraphQl,
    gate: ByteSet::of(b"{"),
    read: |text, _, limits| read_graphql(text, limits),
};

/// A JSON Web Token.
pub(super) const JWT: Reading = Reading {
    decoding: Decoding::Jwt,
    gate: ByteSet::of(b"."),
    read: |text, _, limits| read_jwt(text, limits),
};

/// The content of a `data:` URL.
pub(super) const DATA_URL: Reading =
    Reading { decoding: Decoding::DataUrl, gate: ByteSet::of(b","), read: |text, _, _| read_data_url(text) };

fn body_limits(limits: &DetectLimits) -> BodyLimits {
    BodyLimits {
        arguments_max: limits.values_max,
        key_bytes_max: limits.raw_body_bytes_max,
        ..BodyLimits::default()
    }
}

fn read_json(text: &[u8], limits: &DetectLimits) -> Made {
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return Made::NOTHING;
    }
    let mut parser = JsonParser::with_names(&body_limits(limits), JsonNames::Pointers);
    parser.feed(text);
    let outcome = parser.finish();
    if outcome.error.is_some() {
        return Made::NOTHING;
    }
    Made {
        met: outcome.limit_hits.first().map(|hit| hit.name()),
        ..Made::places(outcome.fields, outcome.limit_hits.is_empty())
    }
}

fn read_xml(text: &[u8], limits: &DetectLimits) -> Made {
    let begins = |text: &[u8]| {
        text.starts_with(b"<?xml")
            || text.starts_with(b"<!DOCTYPE")
            || memchr::memmem::find(text, b"<![CDATA[").is_some()
    };
    let start = text.trim_ascii_start();
    if start.first() != Some(&b'<') || !begins(start) {
        return Made::NOTHING;
    }
    let limits = body_limits(limits);
    let mut parser = XmlParser::new(&limits);
    parser.feed(start);
    let (fields, hits) = parser.finish().points(&limits);
    if fields.is_empty() {
        return Made::NOTHING;
    }
    Made { met: hits.first().map(|hit| hit.name()), ..Made::places(fields, false) }
}

fn read_graphql(text: &[u8], limits: &DetectLimits) -> Made {
    let start = text.trim_ascii_start();
    let begins = [&b"{"[..], b"query", b"mutation", b"subscription", b"fragment", b"#"];
    if !begins.iter().any(|begin| start.starts_with(begin)) {
        return Made::NOTHING;
    }
    GraphQl::parse(start).map_or(Made::NOTHING, |document| Made {
        noted: graphql::judge(&document, limits),
        ..Made::places(document.literals, true)
    })
}

fn read_jwt(text: &[u8], limits: &DetectLimits) -> Made {
    let token = text.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    // A header is an object: base64 of `{"`.
    if !token.starts_with(b"eyJ") || token.len() > limits.window_bytes {
        return Made::NOTHING;
    }
    let mut fields = Fields::new();
    for (name, part) in [&b"/header"[..], b"/payload"].into_iter().zip(token.split(|byte| *byte == b'.')) {
        let Some(decoded) = base64::decode(part) else { return Made::NOTHING };
        fields.push(name, &decoded);
    }
    // The signature is a number.
    Made::places(fields, text.len() == token.len())
}

fn read_data_url(text: &[u8]) -> Made {
    let Some(at) = memchr::memmem::find(text, b"data:") else { return Made::NOTHING };
    let rest = &text[at + 5..];
    let Some(comma) = memchr::memchr(b',', &rest[..rest.len().min(HEAD_BYTES_MAX)]) else {
        return Made::NOTHING;
    };
    let (head, content) = (&rest[..comma], &rest[comma + 1..]);
    let media_type = |byte: &u8| byte.is_ascii_alphanumeric() || b"/;=-+.".contains(byte);
    if !head.iter().all(media_type) {
        return Made::NOTHING;
    }
    let length =
        content.iter().take_while(|byte| !byte.is_ascii_whitespace() && !b"\"'<>)".contains(byte)).count();
    if !head.ends_with(b";base64") {
        return if length > 0 { Made::text(content[..length].to_vec()) } else { Made::NOTHING };
    }
    match base64::decode(&content[..length]) {
        Some(decoded) if !decoded.is_empty() => Made::text(decoded),
        _ => Made::NOTHING,
    }
}

/// Bytes of a data URL before its comma.
const HEAD_BYTES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::*;

    fn places(made: Made) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match made.form {
            Form::Places { fields, .. } => {
                fields.iter().map(|(name, value)| (text(name), text(value))).collect()
            }
            Form::Text(bytes) => vec![(String::new(), text(&bytes))],
            Form::None => Vec::new(),
        }
    }

    #[test]
    fn parts_are_found_by_their_places() {
        let limits = DetectLimits::default();
        let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(places(read_json(br#" {"a":["b"]}"#, &limits)), one("/a/0", "b"));
        assert!(places(read_json(b"{a}", &limits)).is_empty());
        assert_eq!(places(read_xml(b"<?xml version='1.0'?><a>b</a>", &limits)), one("/a", "b"));
        assert!(places(read_xml(b"<b>bold</b>", &limits)).is_empty());
        assert_eq!(places(read_graphql(b"{ a(b: \"c\") }", &limits)), one("a.b", "c"));
        assert_eq!(
            places(read_jwt(b"Bearer eyJhIjoxfQ.eyJiIjoyfQ.xyz", &limits)),
            [
                ("/header".to_owned(), r#"{"a":1}"#.to_owned()),
                ("/payload".to_owned(), r#"{"b":2}"#.to_owned())
            ]
        );
        assert_eq!(places(read_data_url(b"data:text/html;base64,PGI+")), one("", "<b>"));
        assert!(places(read_data_url(b"some data: a, b")).is_empty());
    }
}
