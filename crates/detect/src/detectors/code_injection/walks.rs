//! Python's walks: from any object to everything that the interpreter holds.

use super::super::Evidence;
use super::super::ascii;
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

/// A path of Node's that is the whole value: `global.process.env`, `process.mainModule`.
pub(super) fn process(text: &[u8], evidence: &mut Evidence<'_>) {
    let path = text.trim_ascii();
    // Most values do not begin so.
    if path.len() > PATH_BYTES_MAX || !matches!(path.first(), Some(b'g' | b'r' | b't' | b'p')) {
        return;
    }
    let is_path = |byte: &u8| ascii::is_name_byte(*byte) || b".[]'\"".contains(byte);
    if !path.iter().all(is_path) {
        return;
    }
    let through = [&b"global."[..], b"globalThis.", b"root.", b"this."]
        .iter()
        .find_map(|root| path.strip_prefix(*root))
        .filter(|rest| rest.starts_with(b"process") && rest.get(7).is_none_or(|byte| b".[".contains(byte)));
    let inside = [&b"process.mainModule"[..], b"process.binding", b"process.dlopen"]
        .iter()
        .any(|begin| path.starts_with(begin));
    if through.is_some() || inside {
        evidence.found(Confidence::LIKELY, 0..text.len(), "a path to Node's process and nothing else");
    }
}

/// Bytes of such a path.
const PATH_BYTES_MAX: usize = 128;

/// Bytes between two internals of one walk: an index, a name.
const WALK_GAP_MAX: usize = 32;

/// Bytes of a name that are compared.
const NAME_BYTES_MAX: usize = 40;
