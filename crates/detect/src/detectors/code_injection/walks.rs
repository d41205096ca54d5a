//! Python's walks: from any object to everything that the interpreter holds.

use super::super::Evidence;
use super::super::ascii::name_len;
use super::super::code;
use super::standing::{self, Standing};
use crate::Confidence;

/// Python's walks: two internals in one path, `().__class__.__bases__[0].__subclasses__()`.
pub(super) fn internals(text: &[u8], evidence: &mut Evidence<'_>) {
    let mut seen: Option<(usize, usize)> = None;
    let mut from = 0;
    while let Some(found) = memchr::memmem::find(&text[from..], b"__") {
        let at = from + found;
        let name = &text[at..at + name_len(&text[at..]).min(NAME_BYTES_MAX)];
        from = at + name.len().max(2);
        if !code::python_internal(name)
            || name == b"__init__" && seen.is_none() && text[..at].last() != Some(&b'.')
        {
            continue;
        }
        if let Some((start, end)) = seen
            && at - end <= WALK_GAP_MAX
            && text[end..at].iter().all(|byte| !byte.is_ascii_whitespace())
        {
            // A walk that tells a class's name ends there.
            let why = "walks from an object through Python's internals";
            let confidence = if standing::of(text, start) == Standing::Text {
                Confidence::POSSIBLE
            } else {
                Confidence::STRONG
            };
            return evidence.found(confidence, start..from, why);
        }
        seen = Some((at, from));
    }
}

/// Bytes between two internals of one walk: an index, a name.
const WALK_GAP_MAX: usize = 32;

/// Bytes of a name that are compared.
const NAME_BYTES_MAX: usize = 40;
