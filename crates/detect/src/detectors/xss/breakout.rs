//! Values that land in a string of a script, close it and go on with code.

use palisade_codec::ByteSet;

use super::super::ascii;
use super::Seen;
use super::script::{self, Code};
use crate::Confidence;

/// Bytes after the quote that are read: the code begins at once.
const CODE_BYTES_MAX: usize = 512;

/// Looks for a string that is closed and code that follows, and for a value that is nothing but a call.
pub(super) fn read(text: &[u8], set: &ByteSet, seen: &mut Seen) {
    for quote in [b'\'', b'"', b'`'] {
        if set.contains(quote) {
            // The first quote closes the string in which the value stands; those after it are the code's own.
            let at = memchr::memchr(quote, text).expect("the set says that it is there");
            closed_string(text, at, quote, seen);
        }
    }
    if !seen.is_certain() {
        alone(text, seen);
    }
}

fn closed_string(text: &[u8], at: usize, quote: u8, seen: &mut Seen) {
    let (before, after) = (&text[..at], &text[at + 1..]);
    // What stands in a string is plain; a quote that follows an operator or bracket opens one.
    let before = before.strip_suffix(b"\\").unwrap_or(before);
    if before
        .trim_ascii_end()
        .last()
        .is_some_and(|byte| matches!(byte, b'=' | b'(' | b'[' | b'{' | b',' | b':' | b'+' | b'>'))
    {
        return;
    }
    let near = &after[..after.len().min(CODE_BYTES_MAX)];
    let signs = near.iter().position(|byte| !SIGNS.contains(*byte)).unwrap_or(near.len());
    if signs == 0 || near[..signs].iter().all(u8::is_ascii_whitespace) && !near[..signs].contains(&b'\n') {
        return;
    }
    let (ends, rest) = (ends(near, quote), &near[signs..]);
    let place = at..(at + 1 + near.len()).min(text.len());
    match script::read_at_once(near) {
        Code::Browser(what) => {
            let confidence = match (ends, is_program(text)) {
                (true, false) => Confidence::CERTAIN,
                (false, true) => Confidence::POSSIBLE,
                _ => Confidence::LIKELY,
            };
            seen.note(confidence, place, || format!("closes a string of a script, then {what}"));
        }
        Code::Own(what) if ends && !rest.is_empty() && before.len() < BEFORE_BYTES_MAX => {
            // A call of a name that we do not know: another language's string may be meant.
            seen.note(Confidence::POSSIBLE, place, || format!("closes a string, then {what}"));
        }
        _ => {}
    }
}

/// What may stand between the closed string and the code.
const SIGNS: ByteSet = ByteSet::of(b" \t\r\n)]};,-+*/%^&|?:!~<>=(");

/// Whether a text is a program with strings of its own, by its lines.
pub(super) fn is_program(text: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', text.trim_ascii()).take(PROGRAM_LINES).count() >= PROGRAM_LINES
}

/// Lines from which on a text is a program with strings of its own.
const PROGRAM_LINES: usize = 3;

/// Bytes before the quote: what is typed into a field is short.
const BEFORE_BYTES_MAX: usize = 64;

/// Whether the code's end takes care of what follows in the page: a comment, or an operator before the string's rest.
fn ends(code: &[u8], quote: u8) -> bool {
    let end = code.trim_ascii_end();
    let last = end.last().copied().unwrap_or(0);
    memchr::memmem::rfind(end, b"//").is_some_and(|at| end.len() - at < 24)
        || memchr::memmem::rfind(end, b"/*").is_some()
        || memchr::memmem::rfind(end, b"<!--").is_some()
        || ascii::find(end, b"</script").is_some()
        || last == quote
        || matches!(last, b';' | b'{' | b'}' | b'(' | b'+' | b'-' | b'*' | b'|' | b'&' | b',')
}

/// A value that is a call and nothing else, or that goes on with one after a sign: `alert(document.cookie)`, `*/alert(1)/*`.
fn alone(text: &[u8], seen: &mut Seen) {
    let trimmed = text.trim_ascii();
    if trimmed.len() > CODE_BYTES_MAX || memchr::memchr(b'\n', trimmed).is_some() {
        return;
    }
    let signs = trimmed.iter().position(|byte| !SIGNS.contains(*byte)).unwrap_or(trimmed.len());
    let (leading, code) = trimmed.split_at(signs);
    let name = &code[..ascii::name_len(code)];
    let rest = &code[name.len()..];
    let shows = ascii::is_one_of(name, &["alert", "confirm", "prompt"])
        && matches!(rest.first(), Some(b'(' | b'`'))
        && rest.get(1) != Some(&b')');
    let reads = ascii::is_one_of(name, &["document", "window", "location"])
        && matches!(rest, [b'.' | b'[', ..])
        && [&b".cookie"[..], b".write(", b".location", b"[", b".open(", b".eval(", b".alert("]
            .iter()
            .any(|member| ascii::starts(rest, member));
    let jsfuck = matches!(script::read(trimmed), Code::Browser(what) if what.starts_with("script spelled"));
    // A sentence may begin with such a name; code ends as code.
    let whole = memchr::memchr(b')', rest).is_some_and(|close| {
        let after = rest[close..].split(|byte| matches!(byte, b' ')).nth(1).unwrap_or_default();
        !after.first().is_some_and(u8::is_ascii_alphabetic)
    });
    if jsfuck || shows && whole {
        let confidence = if leading.iter().any(|byte| !byte.is_ascii_whitespace()) {
            Confidence::STRONG
        } else {
            Confidence::LIKELY
        };
        seen.note(confidence, 0..text.len(), || {
            if jsfuck {
                "script spelled without letters".into()
            } else {
                format!("a call of {}() and nothing else", ascii::shown(name))
            }
        });
    } else if reads && memchr::memchr(b' ', rest).is_none() {
        seen.note(Confidence::LIKELY, 0..text.len(), || format!("script that uses {}", ascii::shown(code)));
    }
}
