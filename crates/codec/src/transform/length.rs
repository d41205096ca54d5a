//! The length of a value, as text.

use super::Effect;

/// `length`: the number of bytes in decimal. O(1).
///
/// Source: ModSecurity v3 `length.cc`. Differs: nothing known.
pub fn length(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut digits = [0; 20];
    let mut first = digits.len();
    let mut rest = input.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.clear();
    out.extend_from_slice(&digits[first..]);
    Effect::of_result(input, out)
}
