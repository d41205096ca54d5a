//! A value as it was written, and what else it can be read as.

use std::cmp::Ordering;
use std::net::IpAddr;

use serde_json::Value;

use super::time::nanoseconds;

/// A value in a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    text: Box<str>,
    is_number: bool,
    number: Option<Number>,
    network: Option<(IpAddr, u8)>,
    time: Option<i128>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Whole(i128),
    Float(f64),
}

impl Literal {
    /// A text.
    #[must_use]
    pub fn text_of(text: &str) -> Self {
        Self {
            text: text.into(),
            is_number: false,
            number: number(text),
            network: network(text),
            time: nanoseconds(text),
        }
    }

    /// A number as it was written without quotes; `None` where the text is none.
    #[must_use]
    pub fn number_of(text: &str) -> Option<Self> {
        let literal = Self::text_of(text);
        (is_number_token(text) && literal.number.is_some()).then_some(Self { is_number: true, ..literal })
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it was written as a number, without quotes. In quotes it may be one as well.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        self.is_number
    }

    /// Whether a value of a record (no list, no mapping) is this.
    pub(super) fn equals(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => {
                **text == *self.text
                    || self.network.is_some_and(|network| text.parse().is_ok_and(|it| contains(network, it)))
                    || self.time.is_some_and(|time| nanoseconds(text) == Some(time))
            }
            Value::Number(other) => {
                let numbers = self.number.zip(number_of_json(other));
                numbers.is_some_and(|(this, other)| compare(other, this) == Some(Ordering::Equal))
            }
            Value::Bool(truth) => *self.text == *(if *truth { "true" } else { "false" }),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// How a value of a record stands to this.
    pub(super) fn order_of(&self, value: &Value) -> Option<Ordering> {
        match value {
            Value::Number(other) => compare(number_of_json(other)?, self.number?),
            Value::String(text) => {
                if let Some(this) = self.number
                    && let Some(other) = number(text)
                {
                    return compare(other, this);
                }
                if let Some(this) = self.time
                    && let Some(other) = nanoseconds(text)
                {
                    return Some(other.cmp(&this));
                }
                if let Some((this, _)) = self.network
                    && let Ok(other) = text.parse::<IpAddr>()
                {
                    return (this.is_ipv4() == other.is_ipv4()).then(|| other.cmp(&this));
                }
                Some(text.as_str().cmp(&*self.text))
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// `-?digits[.digits][e[+-]digits]`
pub(super) fn is_number_token(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_is_one =
        exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    let mantissa_is_one = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    mantissa_is_one && exponent_is_one
}

fn number(text: &str) -> Option<Number> {
    if !is_number_token(text) {
        return None;
    }
    match text.parse() {
        Ok(whole) => Some(Number::Whole(whole)),
        Err(_) => text.parse().ok().filter(|float: &f64| float.is_finite()).map(Number::Float),
    }
}

fn number_of_json(number: &serde_json::Number) -> Option<Number> {
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    whole.map(Number::Whole).or_else(|| number.as_f64().map(Number::Float))
}

fn compare(one: Number, other: Number) -> Option<Ordering> {
    let float = |number| match number {
        Number::Whole(whole) => whole as f64,
        Number::Float(float) => float,
    };
    match (one, other) {
        (Number::Whole(one), Number::Whole(other)) => Some(one.cmp(&other)),
        _ => float(one).partial_cmp(&float(other)),
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= max)?,
        None => max,
    };
    Some((address, bits))
}

fn contains((network, bits): (IpAddr, u8), address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            (network.to_bits() ^ address.to_bits()) & mask == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            (network.to_bits() ^ address.to_bits()) & mask == 0
        }
        _ => false,
    }
}
