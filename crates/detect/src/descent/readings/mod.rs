//! The forms in which one text can be read, one file a family, and the table of them.
//!
//! A reading answers the text in its decoded form, or nothing where decoding changes nothing or makes no sense. It is
//! linear in the text, and what it makes is bounded by a small multiple of it unless it decompresses, which has a bound of
//! its own.

mod base64;
pub(super) mod compressed;
mod escapes;
mod structured;
mod unicode;

pub(super) use base64::may_be_short_base64;
use palisade_codec::ByteSet;
use palisade_http::Fields;

use crate::detectors::Noted;
use crate::{Decoding, DetectLimits};

/// Readings of a text as a whole, in the order in which they are tried: cut anywhere, it would not read so.
pub(super) static WHOLE: &[Reading] = &[
    structured::JSON,
    structured::GRAPHQL,
    structured::JWT,
    structured::XML,
    structured::DATA_URL,
    base64::BASE64,
    base64::HEX,
    unicode::UTF16,
    compressed::GZIP,
    compressed::ZLIB,
    compressed::ZSTD,
];

/// Readings of single characters, which a window of a long text has as well.
pub(super) static LOCAL: &[Reading] = &[
    escapes::PERCENT,
    escapes::HTML,
    escapes::JS,
    escapes::CSS,
    unicode::OVERLONG,
    unicode::FOLDED,
    unicode::UTF7,
];

/// A way to read a text.
#[derive(Debug)]
pub(super) struct Reading {
    /// What it undoes.
    pub(super) decoding: Decoding,
    /// A text without any of these bytes has no such form.
    pub(super) gate: ByteSet,
    /// Reads a text that has passed the gate.
    pub(super) read: fn(&[u8], &ByteSet, &DetectLimits) -> Made,
}

/// What a reading made of a text.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// What it reads.
    pub(super) form: Form,
    /// The bound that cut it short.
    pub(super) met: Option<&'static str>,
    /// What there is to say about the form itself.
    pub(super) noted: Option<Noted>,
}

/// The decoded form of a text.
#[derive(Debug, Default)]
pub(super) enum Form {
    /// It has no such form.
    #[default]
    None,
    /// A text.
    Text(Vec<u8>),
    /// Texts by the places in which they stand. Where `whole`, there is nothing else in the text but names, numbers and
    /// punctuation, so that the text itself need not be looked at.
    Places { fields: Fields, whole: bool },
}

impl Made {
    /// Nothing: the text has no such form.
    pub(super) const NOTHING: Self = Self { form: Form::None, met: None, noted: None };

    /// A text.
    pub(super) fn text(bytes: Vec<u8>) -> Self {
        Self { form: Form::Text(bytes), ..Self::NOTHING }
    }

    /// Texts by their places.
    pub(super) fn places(fields: Fields, whole: bool) -> Self {
        Self { form: Form::Places { fields, whole }, ..Self::NOTHING }
    }
}
