//! Numbers as JSON has them: whole ones exactly, others as IEEE 754 doubles, as most that read JSON do.

/// A number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    whole: Option<i128>,
    float: f64,
}

/// Digits of a number that are read; beyond, it is a double that lost some anyway.
const TEXT_BYTES_MAX: usize = 400;
/// Doubles below hold every whole number.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// A number by the grammar of RFC 8259. `None` for anything else.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX || !is_json_number(text) {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let float: f64 = text.parse().ok()?;
        let whole = text
            .parse::<i128>()
            .ok()
            .or_else(|| (float.fract() == 0.0 && float.abs() < EXACT_BELOW).then_some(float as i128));
        Some(Self { whole, float })
    }

    /// A whole number as a parameter writes it: digits, perhaps a minus before them.
    pub(crate) fn parse_whole(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        if digits.is_empty() || digits.len() > TEXT_BYTES_MAX || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        Some(Self { whole: text.parse().ok(), float: text.parse().ok()? })
    }

    pub(crate) fn is_whole(self) -> bool {
        self.whole.is_some() || self.float.fract() == 0.0
    }

    /// As a whole number, where it is one of no more than 128 bits.
    pub(crate) fn whole(self) -> Option<i128> {
        self.whole
    }

    pub(crate) fn compare(self, other: Self) -> Option<std::cmp::Ordering> {
        match (self.whole, other.whole) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => self.float.partial_cmp(&other.float),
        }
    }

    pub(crate) fn is_multiple_of(self, step: Self) -> bool {
        match (self.whole, step.whole) {
            (_, Some(0)) => false,
            (Some(number), Some(step)) => number.checked_rem(step) == Some(0),
            _ => {
                let times = self.float / step.float;
                // 0.3 is three times 0.1, whatever doubles say.
                times.is_finite() && (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
            }
        }
    }

    /// The same text for equal numbers.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self.whole {
            Some(whole) => out.extend_from_slice(whole.to_string().as_bytes()),
            None => out.extend_from_slice(format!("{:e}", self.float).as_bytes()),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.compare(*other) == Some(std::cmp::Ordering::Equal)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.whole {
            Some(whole) => whole.fmt(f),
            None => self.float.fmt(f),
        }
    }
}

fn is_json_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || whole > 1 && rest[0] == b'0' {
        return false;
    }
    rest = &rest[whole..];
    if let Some(after) = rest.strip_prefix(b".") {
        let fraction = digits(after);
        if fraction == 0 {
            return false;
        }
        rest = &after[fraction..];
    }
    if let [b'e' | b'E', after @ ..] = rest {
        let after = after.strip_prefix(b"+").or(after.strip_prefix(b"-")).unwrap_or(after);
        let exponent = digits(after);
        return exponent > 0 && exponent == after.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn numbers_are_those_of_json() {
        for text in ["0", "-0", "1.5", "1e5", "-1.5E-3", "123456789012345678901234567890"] {
            number(text);
        }
        for text in ["", "-", "01", "1.", ".5", "1e", "+1", "0x1", "NaN", "1 ", "1e5.5"] {
            assert_eq!(Number::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_and_others_are_near() {
        assert!(number("9007199254740993") != number("9007199254740992"));
        assert_eq!(number("1.0"), number("1"));
        assert_eq!(number("1e2"), number("100"));
        assert!(number("1.0").is_whole() && !number("1.5").is_whole());
        assert!(number("0.3").is_multiple_of(number("0.1")));
        assert!(!number("7").is_multiple_of(number("2")));
        assert!(!number("7").is_multiple_of(number("0")));
    }
}
