//! How the rule language reads numbers out of text.

/// The integer that a text starts with, 0 when it starts with none; saturates instead of overflowing.
///
/// Blanks before it and one sign are skipped, as C's `atoi` does: `" 12abc"` is 12, `abc` is 0.
pub fn leading_integer(text: &[u8]) -> i64 {
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

#[cfg(test)]
mod tests {
    use super::leading_integer;

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
