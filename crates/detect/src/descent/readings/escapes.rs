//! Texts in which single characters are spelled out.

use palisade_codec::ByteSet;
use palisade_codec::transform::{Effect, html, js, percent};

use super::{Made, Reading};
use crate::Decoding;

/// `%3C` and `%u003C` where something was decoded already.
pub(super) const PERCENT: Reading = Reading {
    decoding: Decoding::Percent,
    gate: ByteSet::of(b"%"),
    read: |text, _, _| changed(text, |text, out| percent::url_decode_uni(text, out, None)),
};

/// `&lt;` and `&#60;`.
pub(super) const HTML: Reading = Reading {
    decoding: Decoding::HtmlEntities,
    gate: ByteSet::of(b"&"),
    read: |text, _, _| changed(text, html::decode),
};

/// `\x3c` and its kin.
pub(super) const JS: Reading = Reading {
    decoding: Decoding::JsEscapes,
    gate: ByteSet::of(b"\\"),
    read: |text, _, _| changed(text, js::decode),
};

fn changed(text: &[u8], decode: impl Fn(&[u8], &mut Vec<u8>) -> Effect) -> Made {
    let mut out = Vec::new();
    match decode(text, &mut out) {
        Effect::Changed => Made::one(out),
        Effect::Unchanged => Made::NOTHING,
    }
}
