//! The forms in which one text can be read, one file each, and the table of them.
//!
//! A reading answers the text in its decoded form, or nothing where decoding changes nothing or makes no sense. It is
//! linear in the text, and what it makes is bounded by a small multiple of it unless it decompresses, which has a bound of
//! its own.

mod base64;
mod escapes;
mod structured;

use palisade_codec::ByteSet;

use crate::{Decoding, DetectLimits};

/// All readings, in the order in which they are tried.
pub(super) static ALL: &[Reading] =
    &[escapes::PERCENT, escapes::HTML, escapes::JS, base64::BASE64, structured::JSON];

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
    /// The texts, in order; most readings make one.
    pub(super) parts: Vec<Text>,
    /// The bound that cut it short.
    pub(super) met: Option<&'static str>,
}

/// A text that a reading made.
#[derive(Debug)]
pub(super) struct Text {
    /// Where it stands in what was read (a JSON pointer), else empty.
    pub(super) at: Box<str>,
    /// The text.
    pub(super) bytes: Vec<u8>,
}

impl Made {
    /// Nothing: the text has no such form.
    pub(super) const NOTHING: Self = Self { parts: Vec::new(), met: None };

    /// One text.
    pub(super) fn one(bytes: Vec<u8>) -> Self {
        Self { parts: vec![Text { at: "".into(), bytes }], met: None }
    }
}
