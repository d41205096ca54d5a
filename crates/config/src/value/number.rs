//! Numbers, each in its range.

use crate::decode::{Decode, Decoder, Shape};
use crate::node::Node;
use crate::value::{FromText, Refused, decode_as_text, decode_text, or};

decode_as_text!(u32, Count, RedirectStatus, AnswerStatus, Port, Paranoia);

impl FromText for u32 {
    fn from_text(text: &str) -> Result<Self, Refused> {
        number(text, 0, u32::MAX.into()).map(|number| number as u32)
    }

    fn shape() -> Shape {
        Shape::Integer { min: 0, max: u32::MAX.into() }
    }
}

fn number(text: &str, min: i64, max: i64) -> Result<i64, Refused> {
    // As written by people: 010 is ten to some and eight to others.
    let canonical = text == "0" || !text.starts_with(['0', '+', '-']);
    text.parse().ok().filter(|number| canonical && (min..=max).contains(number)).ok_or_else(|| {
        (format!("is not a number from {min} to {max}"), format!("write {}", min.max(1).min(max)))
    })
}

/// A number of things, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(u32);

impl Count {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl FromText for Count {
    fn from_text(text: &str) -> Result<Self, Refused> {
        number(text, 1, u32::MAX.into()).map(|count| Self(count as u32))
    }

    fn shape() -> Shape {
        Shape::Integer { min: 1, max: u32::MAX.into() }
    }
}

/// A number of things, from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountIn<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> CountIn<MIN, MAX> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> FromText for CountIn<MIN, MAX> {
    fn from_text(text: &str) -> Result<Self, Refused> {
        number(text, MIN.into(), MAX.into()).map(|number| Self(number as u32))
    }

    fn shape() -> Shape {
        Shape::Integer { min: MIN.into(), max: MAX.into() }
    }
}

impl<const MIN: u32, const MAX: u32> Decode for CountIn<MIN, MAX> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        decode_text(node, decoder)
    }

    fn shape() -> Shape {
        <Self as FromText>::shape()
    }
}

/// The status of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedirectStatus(u16);

impl RedirectStatus {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

const REDIRECTS: &[&str] = &["301", "302", "303", "307", "308"];

impl FromText for RedirectStatus {
    fn from_text(text: &str) -> Result<Self, Refused> {
        match text.parse() {
            Ok(status) if REDIRECTS.contains(&text) => Ok(Self(status)),
            _ => Err(("is not the status of a redirect".to_owned(), format!("write {}", or(REDIRECTS)))),
        }
    }

    fn shape() -> Shape {
        Shape::OneOf(REDIRECTS)
    }
}

/// The status of an answer of ours: of a redirect, or of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerStatus(u16);

impl AnswerStatus {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// Whether it sends elsewhere.
    pub fn is_redirect(self) -> bool {
        self.0 < 400
    }
}

const ANSWERS: &[&str] = &[
    "301", "302", "303", "307", "308", "400", "401", "403", "404", "405", "410", "421", "429", "500", "501",
    "502", "503", "504",
];

impl FromText for AnswerStatus {
    fn from_text(text: &str) -> Result<Self, Refused> {
        match text.parse() {
            Ok(status) if ANSWERS.contains(&text) => Ok(Self(status)),
            _ => Err(("is not the status of an answer".to_owned(), format!("write {}", or(ANSWERS)))),
        }
    }

    fn shape() -> Shape {
        Shape::OneOf(ANSWERS)
    }
}

/// A port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(u16);

impl Port {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl FromText for Port {
    fn from_text(text: &str) -> Result<Self, Refused> {
        number(text, 1, u16::MAX.into()).map(|port| Self(port as u16))
    }

    fn shape() -> Shape {
        Shape::Integer { min: 1, max: u16::MAX as i64 }
    }
}

/// CRS's paranoia level, 1 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paranoia(u8);

impl Paranoia {
    /// The number.
    pub fn level(self) -> u8 {
        self.0
    }
}

impl FromText for Paranoia {
    fn from_text(text: &str) -> Result<Self, Refused> {
        number(text, 1, 4).map(|level| Self(level as u8))
    }

    fn shape() -> Shape {
        Shape::Integer { min: 1, max: 4 }
    }
}
