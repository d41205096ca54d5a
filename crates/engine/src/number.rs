//! How the rule language reads numbers out of text.

/// The integer that a text starts with, 0 when it starts with none; saturates instead of overflowing.
///
/// Blanks before it and one sign are skipped, as C's `atoi` does: `" 12abc"` is 12, `abc` is 0.
pub fn leading_integer(text: &[u8]) -> i64 {
    // Most numbers of rules are scores and levels.
    if let [digit @ b'0'..=b'9'] = text {
        return i64::from(digit - b'0');
    }
    // C's isspace, which unlike Rust's ASCII white space knows the vertical tab.
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let text = &text[blanks..];
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let magnitude = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if negative { -magnitude } else { magnitude }
}

/// A number in decimal, on the stack: what rules see of counts, lengths and scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digits {
    text: [u8; DIGITS_MAX],
    start: u8,
}

/// `-9223372036854775808` and `18446744073709551615`.
const DIGITS_MAX: usize = 20;

impl Digits {
    pub(crate) fn of(mut number: u64) -> Self {
        let mut text = [0; DIGITS_MAX];
        let mut start = DIGITS_MAX;
        loop {
            start -= 1;
            text[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { text, start: start as u8 };
            }
        }
    }

    pub(crate) fn of_signed(number: i64) -> Self {
        let mut digits = Self::of(number.unsigned_abs());
        if number < 0 {
            digits.start -= 1;
            digits.text[digits.start as usize] = b'-';
        }
        digits
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[self.start as usize..]
    }
}

#[cfg(test)]
mod tests {
    use super::{Digits, leading_integer};

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX - 1, u64::MAX, i64::MAX as u64] {
            assert_eq!(Digits::of(number).as_bytes(), number.to_string().as_bytes());
            let signed = number as i64;
            assert_eq!(Digits::of_signed(signed).as_bytes(), signed.to_string().as_bytes());
        }
        assert_eq!(Digits::of_signed(i64::MIN).as_bytes(), i64::MIN.to_string().as_bytes());
    }

    #[test]
    fn reads_like_atoi_and_saturates() {
        for (text, number) in [
            ("", 0),
            ("abc", 0),
            ("12", 12),
            ("12abc", 12),
            (" \t\x0b-7", -7),
            ("+5", 5),
            ("--5", 0),
            ("99999999999999999999999", i64::MAX),
        ] {
            assert_eq!(leading_integer(text.as_bytes()), number, "{text:?}");
        }
    }
}
