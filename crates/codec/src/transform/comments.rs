//! Comments of C, SQL, HTML and the shell.

use super::edits::{Edits, find_byte};
use super::neighbours::has_pair;
use super::{ByteSet, Effect};

/// `removeComments`: takes out `/* .. */` and `<!-- .. -->`, and everything from `--` or `#` on. Either end
/// closes either comment; one that is not closed becomes a space. Output never exceeds input. O(n).
///
/// The byte behind a comment is copied without a look, so that `/**//*x*/` leaves a `/` and no comment begins
/// there; if there is none, a NUL is written. The vectors of ModSecurity's own tests demand it.
///
/// Source: ModSecurity v3 `remove_comments.cc`. Differs: nothing known; `testdata/transforms/comments.toml`
/// pins it.
pub fn remove(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while at < input.len() {
        let text = &input[at..];
        let open_len = match text[0] {
            b'/' if text.starts_with(b"/*") => 2,
            b'<' if text.starts_with(b"<!--") => 4,
            b'#' => 0,
            b'-' if text.starts_with(b"--") => 0,
            _ => {
                at += 1;
                continue;
            }
        };
        if open_len == 0 {
            edits.remove(at..input.len());
            break;
        }
        at = match close_of_any(input, at + open_len) {
            Some(end) if end == input.len() => {
                edits.put(at..end, 0);
                end
            }
            Some(end) => {
                edits.remove(at..end);
                end + 1
            }
            None => {
                edits.put(at..input.len(), b' ');
                input.len()
            }
        };
    }
    edits.finish()
}

/// `removeCommentsChar`: takes out the marks `/* */ <!-- --> -- #` and leaves what stands between them. What
/// the gap joins is not looked at again. Output never exceeds input. O(n).
///
/// Source: ModSecurity v3 `remove_comments_char.cc`. Differs: nothing known.
pub fn remove_chars(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut at = 0;
    while at < input.len() {
        let text = &input[at..];
        // Longer marks come first: `-->` is not `--` and a `>`.
        let mark: Option<&&[u8]> = match text[0] {
            b'/' | b'*' | b'<' | b'-' | b'#' => MARKS.iter().find(|mark| text.starts_with(mark)),
            _ => None,
        };
        match mark {
            Some(mark) => {
                edits.remove(at..at + mark.len());
                at += mark.len();
            }
            None => at += 1,
        }
    }
    edits.finish()
}

/// `replaceComments`: each `/* .. */` becomes a space, one that is not closed as well. Output never exceeds
/// input. O(n).
///
/// Source: ModSecurity v3 `replace_comments.cc`. Differs: nothing known.
pub fn replace(input: &[u8], out: &mut Vec<u8>) -> Effect {
    let mut edits = Edits::new(input, out);
    let mut open = None;
    // The end of the last comment: its slash opens no other.
    let mut taken = 0;
    let mut at = 0;
    while let Some(found) = find_byte(&input[at..], b'*') {
        let star = at + found;
        at = star + 1;
        match open {
            None if star > taken && input[star - 1] == b'/' => open = Some(star - 1),
            Some(start) if input.get(star + 1) == Some(&b'/') => {
                open = None;
                taken = star + 2;
                edits.put(start..taken, b' ');
            }
            _ => {}
        }
    }
    if let Some(start) = open {
        edits.put(start..input.len(), b' ');
    }
    edits.finish()
}

/// Whether a text, whose set of bytes is `bytes`, has a mark of [`remove`] or [`remove_chars`]. A `<!--` has `--`.
pub(super) fn has_mark(bytes: &ByteSet, text: &[u8]) -> bool {
    let is_mark =
        |a, b| ((a == b'-') & (b == b'-')) | ((a == b'/') & (b == b'*')) | ((a == b'*') & (b == b'/'));
    bytes.contains(b'#') || has_pair(text, is_mark)
}

/// Where the first `*/` or `-->` from `start` on ends.
fn close_of_any(input: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while let Some(found) = memchr::memchr2(b'*', b'-', &input[at..]) {
        at += found;
        if input[at..].starts_with(b"*/") {
            return Some(at + 2);
        }
        if input[at..].starts_with(b"-->") {
            return Some(at + 3);
        }
        at += 1;
    }
    None
}

const MARKS: [&[u8]; 6] = [b"/*", b"*/", b"<!--", b"-->", b"--", b"#"];
