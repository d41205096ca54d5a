//! `@eq @ge @gt @le @lt`: both sides are read as a leading decimal integer, 0 when there is none.
//!
//! Differs: beyond 64 bits the number stays at the end of the range. libmodsecurity does that in ge, gt, le and
//! lt, but its eq has 32 bits and reads anything longer as 0, so that 99999999999 equals 0 there.

use palisade_seclang::ast::OperatorName;

use super::is_blank;

#[derive(Clone, Copy, Debug)]
pub(super) struct Numeric {
    comparison: Comparison,
    limit: i64,
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    GreaterOrEqual,
    Greater,
    LessOrEqual,
    Less,
}

impl Numeric {
    /// `name` is one of the five.
    pub(super) fn compile(name: OperatorName, argument: &[u8]) -> Self {
        let comparison = match name {
            OperatorName::Ge => Comparison::GreaterOrEqual,
            OperatorName::Gt => Comparison::Greater,
            OperatorName::Le => Comparison::LessOrEqual,
            OperatorName::Lt => Comparison::Less,
            _ => Comparison::Equal,
        };
        Self { comparison, limit: leading_integer(argument) }
    }

    pub(super) fn matches(&self, value: &[u8]) -> bool {
        let number = leading_integer(value);
        match self.comparison {
            Comparison::Equal => number == self.limit,
            Comparison::GreaterOrEqual => number >= self.limit,
            Comparison::Greater => number > self.limit,
            Comparison::LessOrEqual => number <= self.limit,
            Comparison::Less => number < self.limit,
        }
    }
}

/// Blanks, a sign, digits; whatever follows is ignored. Saturates.
fn leading_integer(text: &[u8]) -> i64 {
    let start = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    let (negative, digits) = match &text[start..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut number = 0i64;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        // Counted downwards for a negative number: the range reaches one further on that side.
        let digit = i64::from(digit - b'0');
        number = number.saturating_mul(10);
        number = if negative { number.saturating_sub(digit) } else { number.saturating_add(digit) };
    }
    number
}

#[cfg(test)]
mod tests {
    use super::leading_integer;

    #[test]
    fn integers_saturate_at_both_ends() {
        for (text, number) in [
            ("9223372036854775807", i64::MAX),
            ("9223372036854775808", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("-99999999999999999999999999", i64::MIN),
            ("- 5", 0),
            ("+-5", 0),
            ("\u{b}\u{c}\r\n\t 12x3", 12),
            ("", 0),
        ] {
            assert_eq!(leading_integer(text.as_bytes()), number, "{text:?}");
        }
    }
}
