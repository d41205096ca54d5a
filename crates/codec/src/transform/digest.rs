//! Digests, as raw bytes. Rules put `t:hexEncode` behind them to compare.

use ::md5::Md5;
use ::sha1::Sha1;
use sha1::Digest;

use super::Effect;

/// `sha1`: the 20 bytes of the digest. O(n).
///
/// Source: ModSecurity v3 `sha1.cc`. Differs: nothing known.
pub fn sha1(input: &[u8], out: &mut Vec<u8>) -> Effect {
    out.clear();
    out.extend_from_slice(&Sha1::digest(input));
    Effect::of_result(input, out)
}

/// `md5`: the 16 bytes of the digest. O(n).
///
/// Source: ModSecurity v3 `md5.cc`. Differs: nothing known.
pub fn md5(input: &[u8], out: &mut Vec<u8>) -> Effect {
    out.clear();
    out.extend_from_slice(&Md5::digest(input));
    Effect::of_result(input, out)
}
