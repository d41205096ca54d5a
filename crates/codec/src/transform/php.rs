//! Names of PHP variables.

use memchr::memchr;

use super::{ByteSet, Effect};

/// `phpArgsNames`: the name that PHP gives an argument. Spaces at the start go; `.` and space become `_` up
/// to the first `[`; if a `]` follows, the `[..]` parts stay as they are (`[ ]` becomes `[]`) and what
/// follows the last of them goes; if none follows, that `[` becomes `_` and the rest stays. A name that
/// starts with `[` or `=` is dropped. Output never exceeds input. O(n).
///
/// Source: ModSecurity v3 `php_args_names.cc` (newer than 3.0.9), after PHP's `php_register_variable_ex`.
/// Differs: a NUL is a byte like others; there it ends the search for `]`.
pub fn args_names(input: &[u8], out: &mut Vec<u8>) -> Effect {
    if !input.iter().any(|&byte| TOUCHED.contains(byte)) {
        return Effect::Unchanged;
    }
    out.clear();
    if matches!(input.first(), Some(b'[' | b'=')) {
        return Effect::Changed;
    }
    let name = &input[input.iter().take_while(|byte| **byte == b' ').count()..];
    let (plain, rest) = name.split_at(memchr(b'[', name).unwrap_or(name.len()));
    out.extend(plain.iter().map(|&byte| if matches!(byte, b' ' | b'.') { b'_' } else { byte }));

    if memchr(b']', rest).is_some() {
        let mut rest = rest;
        while rest.first() == Some(&b'[')
            && let Some(close) = memchr(b']', rest)
        {
            let (index, behind) = rest.split_at(close + 1);
            out.extend_from_slice(if index == b"[ ]" { b"[]" } else { index });
            rest = behind;
        }
    } else if let Some((_, behind)) = rest.split_first() {
        out.push(b'_');
        out.extend_from_slice(behind);
    }
    Effect::of_result(input, out)
}

/// Without any of these a name stays as it is.
pub(super) const TOUCHED: ByteSet = ByteSet::of(b" .[=");
