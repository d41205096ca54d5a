//! What a value must look like for an operator to match it at all: facts for a plan that wants to skip most
//! operators after one look at a value.
//!
//! Each is a necessary condition, true of every value that matches; none is ever sufficient by itself. `None`
//! says that nothing is known. Negated operators must not be skipped by them.

use palisade_codec::ByteSet;
use palisade_pcre::Pattern;

use super::validate::Validate;
use super::{Kind, Operator};

/// Bytes that every matching value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needle<'a> {
    /// It starts with these.
    Prefix(&'a [u8]),
    /// It ends with these.
    Suffix(&'a [u8]),
    /// It is these.
    Whole(&'a [u8]),
    /// It has these somewhere.
    Part(&'a [u8]),
    /// It has one of these somewhere, ASCII case ignored. An empty list matches nothing.
    AnyPart(&'a [Box<[u8]>]),
}

impl Needle<'_> {
    /// Whether the value has what is needed. O(value) times the number of phrases: the definition, not the
    /// filter.
    pub fn is_in(&self, value: &[u8]) -> bool {
        match self {
            Needle::Prefix(bytes) => value.starts_with(bytes),
            Needle::Suffix(bytes) => value.ends_with(bytes),
            Needle::Whole(bytes) => value == *bytes,
            Needle::Part(bytes) => memchr::memmem::find(value, bytes).is_some(),
            Needle::AnyPart(phrases) => phrases.iter().any(|phrase| {
                phrase.is_empty()
                    || value.windows(phrase.len()).any(|window| window.eq_ignore_ascii_case(phrase))
            }),
        }
    }
}

impl Operator {
    /// Bytes that every value which matches has.
    pub fn needle(&self) -> Option<Needle<'_>> {
        match &self.kind {
            Kind::Text(text) => text.needle(),
            Kind::Phrases(phrases) => Some(Needle::AnyPart(phrases.phrases())),
            _ => None,
        }
    }

    /// Bytes of which every value that matches has one, where the operator itself says so. Those of a pattern are in
    /// its needs.
    pub(crate) fn gate(&self) -> Option<ByteSet> {
        match &self.kind {
            Kind::Validate(validate) => Some(validate.telling_bytes()),
            // An address is written with points or colons.
            Kind::Addresses(_) | Kind::Geo(_) => Some(ByteSet::of(b".:")),
            _ => None,
        }
    }

    /// Whether it matches no value of ASCII alone.
    pub(crate) fn passes_ascii(&self) -> bool {
        matches!(self.kind, Kind::Validate(Validate::Utf8))
    }

    /// Strings of which every value that matches has one, ASCII case ignored, where they are not a [`Needle`].
    pub(crate) fn telling_strings(&self) -> Option<Vec<&'static [u8]>> {
        match &self.kind {
            Kind::Injection(injection) => Some(injection.telling_strings()),
            _ => None,
        }
    }

    /// The least number of bytes of a value that matches.
    pub fn length_min(&self) -> usize {
        match self.needle() {
            Some(
                Needle::Prefix(bytes) | Needle::Suffix(bytes) | Needle::Whole(bytes) | Needle::Part(bytes),
            ) => bytes.len(),
            Some(Needle::AnyPart(phrases)) => phrases.iter().map(|phrase| phrase.len()).min().unwrap_or(0),
            None => match &self.kind {
                // `::` is the shortest address.
                Kind::Addresses(_) | Kind::Geo(_) => 2,
                // A bad byte, a bad percent sign, a bad sequence.
                Kind::Validate(_) => 1,
                _ => self.pattern().map_or(0, |pattern| pattern.needs().length_min),
            },
        }
    }

    /// The greatest number of bytes of a value that matches, when there is one.
    pub fn length_max(&self) -> Option<usize> {
        match &self.kind {
            Kind::Text(text) => text.length_max(),
            _ => None,
        }
    }

    /// The pattern that finds something in every value that matches. For `@rx` and `@rxGlobal` it is the operator;
    /// what must occur in its matches ([`Pattern::hir`]) must occur in the value.
    pub fn pattern(&self) -> Option<&Pattern> {
        match &self.kind {
            Kind::Rx(rx) => rx.pattern(),
            Kind::Identity(identity) => identity.pattern(),
            _ => None,
        }
    }

    /// What the operator says, when it says the same about every value.
    pub fn constant(&self) -> Option<bool> {
        match &self.kind {
            Kind::Always => Some(true),
            Kind::Never => Some(false),
            Kind::Rx(rx) if rx.pattern().is_none() => Some(true),
            Kind::Identity(identity) if identity.pattern().is_none() => Some(false),
            Kind::Phrases(phrases) if phrases.phrases().is_empty() => Some(false),
            Kind::BlockList(list) if list.is_mute() => Some(false),
            _ => None,
        }
    }
}
