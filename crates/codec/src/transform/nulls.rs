//! NUL bytes.

use memchr::memchr_iter;

use super::Effect;
use super::edits::Edits;

/// `removeNulls`: takes NUL bytes out. Output never exceeds input. O(n).
///
/// Source: ModSecurity v3 `remove_nulls.cc`. Differs: nothing known.
pub fn remove(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    for at in memchr_iter(0, input) {
        edits.remove(at..at + 1);
    }
    edits.finish()
}

/// `replaceNulls`: each NUL byte becomes a space. O(n).
///
/// Source: ModSecurity v3 `replace_nulls.cc`. Differs: nothing known.
pub fn replace(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    for at in memchr_iter(0, input) {
        edits.put(at..at + 1, b' ');
    }
    edits.finish()
}
