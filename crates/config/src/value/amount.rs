//! Amounts with their units: sizes and times.

use std::time::Duration;

use crate::decode::{Decode, Decoder, Shape};
use crate::node::Node;
use crate::value::{FromText, Refused, decode_as_text, decode_text};

decode_as_text!(Size, Time);

/// A number of bytes, written with its unit: `12.5MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

const SIZE_UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl Size {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromText for Size {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| ("is not a size".to_owned(), help);
        let (number, unit) = split_unit(text);
        if unit.is_empty() && !number.is_empty() {
            return Err(("has no unit".to_owned(), format!("write {number}B, {number}KiB or {number}MiB")));
        }
        let Some((_, factor)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
            let meant = match unit.to_ascii_lowercase().as_str() {
                "k" | "ki" | "kb" | "kib" => "KiB",
                "g" | "gi" | "gb" | "gib" => "GiB",
                "b" | "byte" | "bytes" => "B",
                _ => "MiB",
            };
            let number = if number.is_empty() { "12.5" } else { number };
            return Err(not(format!("write {number}{meant}")));
        };
        scaled(number, *factor).map(Self).ok_or_else(|| not("write a size such as 12.5MiB".to_owned()))
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a size with its unit (B, KiB, MiB, GiB, kB, MB, GB)",
            pattern: Some("^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|kB|MB|GB)$"),
            example: "12.5MiB",
        }
    }
}

/// A number of bytes, from `MIN` to `MAX`, which are at most 4 GiB less one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeIn<const MIN: u64, const MAX: u64>(u32);

impl<const MIN: u64, const MAX: u64> SizeIn<MIN, MAX> {
    /// In bytes.
    pub fn bytes(self) -> u32 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> FromText for SizeIn<MIN, MAX> {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let bytes = Size::from_text(text)?.bytes();
        let within = u32::try_from(bytes).ok().filter(|_| (MIN..=MAX).contains(&bytes));
        within.map(Self).ok_or_else(|| {
            let (what, nearest) = if bytes < MIN { ("too small", MIN) } else { ("too large", MAX) };
            (format!("is {what}"), format!("write {}KiB", nearest / 1024))
        })
    }

    fn shape() -> Shape {
        <Size as FromText>::shape()
    }
}

impl<const MIN: u64, const MAX: u64> Decode for SizeIn<MIN, MAX> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        decode_text(node, decoder)
    }

    fn shape() -> Shape {
        <Self as FromText>::shape()
    }
}

/// A time, written with its unit: `5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(Duration);

const TIME_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// A hundred years: what is longer is a slip, and arithmetic with it might overflow.
const TIME_MILLIS_MAX: u64 = 36_500 * 86_400_000;

impl Time {
    /// As a duration.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl std::str::FromStr for Time {
    type Err = String;

    /// For flags that take the same texts: what is wrong, and one that works.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_text(text).map_err(|(what, help)| format!("{what}; {help}"))
    }
}

impl FromText for Time {
    fn from_text(text: &str) -> Result<Self, Refused> {
        let not = |help: String| ("is not a time".to_owned(), help);
        let (number, unit) = split_unit(text);
        if unit.is_empty() && !number.is_empty() {
            return Err(("has no unit".to_owned(), format!("write {number}s or {number}ms")));
        }
        let Some((_, factor)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) else {
            let meant = match unit.to_ascii_lowercase().as_str() {
                "min" | "mins" | "minute" | "minutes" => "m",
                "hr" | "hour" | "hours" => "h",
                "day" | "days" => "d",
                "msec" | "millis" => "ms",
                _ => "s",
            };
            let number = if number.is_empty() { "5" } else { number };
            return Err(not(format!("write {number}{meant}")));
        };
        match scaled(number, *factor) {
            Some(0) => Err(("is no time at all".to_owned(), "write a time such as 5s".to_owned())),
            Some(millis) if millis <= TIME_MILLIS_MAX => Ok(Self(Duration::from_millis(millis))),
            _ => Err(not("write a time such as 5s, 500ms or 1h".to_owned())),
        }
    }

    fn shape() -> Shape {
        Shape::Text {
            what: "a time with its unit (ms, s, m, h, d)",
            pattern: Some("^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$"),
            example: "5s",
        }
    }
}

/// A number and what follows it, spaces between them aside.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start_matches(' '))
}

/// A decimal number times a factor, exactly; `None` when it is none, too large, or would be cut.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    // More digits than a size has bytes mean nothing.
    if whole.is_empty() || part.is_empty() || part.len() > 9 || part.contains('.') {
        return None;
    }
    let scale = 10u128.pow(part.len() as u32);
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = part.parse().ok()?;
    let all = u128::from(whole) * u128::from(factor) + u128::from(part) * u128::from(factor) / scale;
    u64::try_from(all).ok().filter(|value| *value <= i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::refused;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("12.5MiB", 13_107_200),
            ("128KiB", 131_072),
            ("1 MiB", 1_048_576),
            ("0B", 0),
            ("1.5kB", 1500),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(Size::from_text(text).unwrap().bytes(), bytes, "{text}");
        }
        for (text, said) in [
            ("1024", "has no unit; write 1024B, 1024KiB or 1024MiB"),
            ("12MB5", "is not a size; write 12MiB"),
            ("12m", "is not a size; write 12MiB"),
            ("4k", "is not a size; write 4KiB"),
            ("-1MiB", "is not a size; write 12.5MiB"),
            ("1.2.3MiB", "is not a size; write a size such as 12.5MiB"),
            (".5MiB", "is not a size; write a size such as 12.5MiB"),
            ("99999999999GiB", "is not a size; write a size such as 12.5MiB"),
            ("", "is not a size; write 12.5MiB"),
        ] {
            assert_eq!(refused::<Size>(text), said, "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in
            [("5s", 5000), ("500ms", 500), ("1.5m", 90_000), ("1h", 3_600_000), ("7d", 604_800_000)]
        {
            assert_eq!(Time::from_text(text).unwrap().duration(), Duration::from_millis(millis), "{text}");
        }
        for (text, said) in [
            ("5", "has no unit; write 5s or 5ms"),
            ("5 min", "is not a time; write 5m"),
            ("0s", "is no time at all; write a time such as 5s"),
            ("999999999d", "is not a time; write a time such as 5s, 500ms or 1h"),
            ("soon", "is not a time; write 5s"),
        ] {
            assert_eq!(refused::<Time>(text), said, "{text}");
        }
    }
}
