//! Paths without detours.

use memchr::memchr;

use super::Effect;
use super::neighbours::has_pair;

/// What separates the segments of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separators {
    /// `/` (`normalizePath`).
    Slash,
    /// `/` and `\`, which becomes `/` (`normalizePathWin`).
    SlashAndBackslash,
}

/// `normalizePath` and `normalizePathWin`: joins runs of separators, drops `.` segments, and lets `..` take
/// the segment before it along, but never above the root; a relative path keeps the `..` that it starts with.
/// A separator at the end stays if the input had one. Output never exceeds input. O(n): what `..` takes back
/// was written once.
///
/// A name that ends in `..` counts as a `..` itself: `/a/b../c` is `/a/c`.
///
/// Source: ModSecurity v3 `normalise_path.cc`. Differs: with `\`, we turn all of them into `/` first; 3.0.9
/// does it two bytes ahead and so leaves one in runs of separators (`a\\\etc` stays `a\etc`, which no rule
/// looks for).
pub fn normalize(input: &[u8], out: &mut Vec<u8>, separators: Separators) -> Effect {
    let folds = separators == Separators::SlashAndBackslash;
    let byte_at = |at: usize| if folds && input[at] == b'\\' { b'/' } else { input[at] };
    if !has_detour(input, separators) {
        return Effect::Unchanged;
    }

    out.clear();
    let last = input.len() - 1;
    let is_relative = byte_at(0) != b'/';
    let mut at_root = false;
    let mut at = 0;
    while at <= last {
        let ends_segment = at == last || byte_at(at + 1) == b'/';
        match (byte_at(at), out.last()) {
            _ if !ends_segment => {}
            // `..`, of which the first dot is written already.
            (b'.', Some(b'.')) if is_relative && (at_root || out.len() <= 2) => at_root = true,
            (b'.', Some(b'.')) => {
                let kept = parent_len(out);
                out.truncate(kept);
                if kept == 0 {
                    at_root = true;
                    if !is_relative && at == last {
                        out.push(b'/');
                    }
                }
                at += 1;
            }
            (b'.', None) => at += 1,
            // `/.`: the slash comes again behind it.
            (b'.', Some(b'/')) => {
                if at < last {
                    out.pop();
                }
                at += 1;
            }
            (b'.' | b'/', _) | (_, None) => {}
            (_, Some(_)) => at_root = false,
        }
        if at > last {
            break;
        }
        if byte_at(at) == b'/' {
            while at < last && byte_at(at + 1) == b'/' {
                at += 1;
            }
            // A relative path that has lost its first segment does not become absolute.
            if is_relative && out.is_empty() {
                at += 1;
                continue;
            }
        }
        out.push(byte_at(at));
        at += 1;
    }
    if byte_at(last) != b'/' && out.last() == Some(&b'/') {
        out.pop();
    }
    Effect::of_result(input, out)
}

/// Whether a path has anything that [`normalize`] looks at twice: neighbours `//` or `./`, a dot at its end, or a `\`
/// that is to become a `/`.
pub(super) fn has_detour(path: &[u8], separators: Separators) -> bool {
    path.last() == Some(&b'.')
        || (separators == Separators::SlashAndBackslash && memchr(b'\\', path).is_some())
        || has_pair(path, |a, b| ((a == b'/') | (a == b'.')) & (b == b'/'))
}

/// How much is left of a path that ends in the first dot of `..` when its last segment goes, and the slash
/// before it.
fn parent_len(path: &[u8]) -> usize {
    let mut at = path.len().saturating_sub(3);
    while at > 0 && path[at] != b'/' {
        at -= 1;
    }
    at
}
