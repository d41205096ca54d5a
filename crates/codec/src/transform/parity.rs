//! The top bit as a parity bit, as terminals once used it.

use super::case::map_bytes;
use super::{ByteSet, Effect};

/// `parityEven7bit`: sets the top bit where the byte, top bit included, has an odd number of ones, and clears
/// it elsewhere. O(n).
///
/// Source: ModSecurity v3 `parity_even_7bit.cc`. Differs: nothing known; `testdata/transforms/text.toml`
/// pins it.
pub fn even(input: &[u8], out: &mut Vec<u8>) -> Effect {
    map_bytes(input, out, even_byte)
}

/// `parityOdd7bit`: the other way round. O(n).
///
/// Source: ModSecurity v3 `parity_odd_7bit.cc`. Differs: nothing known.
pub fn odd(input: &[u8], out: &mut Vec<u8>) -> Effect {
    map_bytes(input, out, odd_byte)
}

/// `parityZero7bit`: clears the top bit. O(n).
///
/// Source: ModSecurity v3 `parity_zero_7bit.cc`. Differs: nothing known.
pub fn zero(input: &[u8], out: &mut Vec<u8>) -> Effect {
    map_bytes(input, out, |byte| byte & 0x7f)
}

const fn even_byte(byte: u8) -> u8 {
    if byte.count_ones() % 2 == 1 { byte | 0x80 } else { byte & 0x7f }
}

const fn odd_byte(byte: u8) -> u8 {
    if byte.count_ones() % 2 == 1 { byte & 0x7f } else { byte | 0x80 }
}

/// What [`even`] changes.
pub(super) const NOT_EVEN: ByteSet = changed_by_parity(true);

/// What [`odd`] changes.
pub(super) const NOT_ODD: ByteSet = changed_by_parity(false);

const fn changed_by_parity(even: bool) -> ByteSet {
    let mut set = ByteSet::EMPTY;
    let mut byte = 0;
    loop {
        if byte != (if even { even_byte(byte) } else { odd_byte(byte) }) {
            set.insert(byte);
        }
        if byte == u8::MAX {
            return set;
        }
        byte += 1;
    }
}
