//! Texts that have a structure of their own: JSON in a string.

use palisade_codec::ByteSet;
use palisade_http::{BodyLimits, JsonNames, JsonParser};

use super::{Made, Reading, Text};
use crate::Decoding;

/// An object or array of JSON.
pub(super) const JSON: Reading = Reading { decoding: Decoding::Json, gate: ByteSet::of(b"{["), read: json };

fn json(text: &[u8], _: &ByteSet, _: &crate::DetectLimits) -> Made {
    if !text.trim_ascii_start().starts_with(b"{") && !text.trim_ascii_start().starts_with(b"[") {
        return Made::NOTHING;
    }
    let mut parser = JsonParser::with_names(&BodyLimits::default(), JsonNames::Pointers);
    parser.feed(text);
    let outcome = parser.finish();
    if outcome.error.is_some() {
        return Made::NOTHING;
    }
    let parts = outcome
        .fields
        .iter()
        .map(|(name, value)| Text { at: String::from_utf8_lossy(name).into(), bytes: value.to_vec() })
        .collect();
    Made { parts, met: None }
}
