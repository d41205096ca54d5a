//! Letters of ASCII in one case; bytes above 0x7F stay.

use super::neighbours::has_byte;
use super::{ByteSet, Effect};

/// `lowercase`. O(n).
///
/// Source: ModSecurity v3 `lower_case.cc`. Differs: nothing known.
pub fn lowercase(input: &[u8], out: &mut Vec<u8>) -> Effect {
    map_bytes(input, out, |byte| byte.to_ascii_lowercase())
}

/// `uppercase`. O(n).
///
/// Source: ModSecurity v3 `upper_case.cc`. Differs: nothing known.
pub fn uppercase(input: &[u8], out: &mut Vec<u8>) -> Effect {
    map_bytes(input, out, |byte| byte.to_ascii_uppercase())
}

/// Replaces each byte by another.
pub(super) fn map_bytes(input: &[u8], out: &mut Vec<u8>, map: impl Fn(u8) -> u8) -> Effect {
    if !has_byte(input, |byte| map(byte) != byte) {
        return Effect::Unchanged;
    }
    out.clear();
    out.extend(input.iter().map(|&byte| map(byte)));
    Effect::Changed
}

/// `A` to `Z`.
pub(super) const UPPER: ByteSet = ByteSet::range(b'A', b'Z');

/// `a` to `z`.
pub(super) const LOWER: ByteSet = ByteSet::range(b'a', b'z');
