//! The length of a value, as text.

use std::io::Write;

use super::Effect;

/// `length`: the number of bytes in decimal. O(1).
///
/// Source: ModSecurity v3 `length.cc`. Differs: nothing known.
pub fn length(input: &[u8], out: &mut Vec<u8>) -> Effect {
    out.clear();
    write!(out, "{}", input.len()).expect("a Vec takes every write");
    Effect::of_result(input, out)
}
