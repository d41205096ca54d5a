//! How a piece of code stands in a value.

use super::super::ascii;

/// How a piece of code stands in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Among words, or in a program of many lines.
    Text,
    /// Among other code of one line.
    Line,
    /// Nothing but it, and signs before it.
    Alone,
}

/// How the code that begins at `start` stands in the text.
pub(super) fn of(text: &[u8], start: usize) -> Standing {
    let before = &text[..start];
    let program = is_program(text);
    if before.len() <= LEADING_BYTES_MAX && is_leading(before) && !goes_on_as_text(&text[start..]) {
        // A program may begin with any call; what closes something first is no program.
        let closes =
            before.iter().any(|byte| matches!(byte, b'\'' | b'"' | b';' | b')' | b'}' | b'|' | b'&'));
        return if program && !closes { Standing::Text } else { Standing::Alone };
    }
    if program {
        return Standing::Text;
    }
    // A word and a blank before it: a sentence, or a statement of a few languages.
    let near = before.trim_ascii_end();
    let blank = near.len() < before.len();
    match near.last() {
        Some(byte)
            if blank && (byte.is_ascii_alphanumeric() || !byte.is_ascii() || matches!(byte, b',' | b'`')) =>
        {
            let word_start = near.iter().rposition(|byte| !ascii::is_name_byte(*byte)).map_or(0, |at| at + 1);
            if ascii::is_one_of(&near[word_start..], BEFORE_CALLS) { Standing::Line } else { Standing::Text }
        }
        Some(b'`' | b'.') if blank || near.last() == Some(&b'`') => Standing::Text,
        _ => Standing::Line,
    }
}

/// Whether a text is a program or a manual rather than what is typed into one field.
pub(super) fn is_program(text: &[u8]) -> bool {
    const LINES_MAX: usize = 3;
    const BYTES_MAX: usize = 1500;
    text.len() > BYTES_MAX || memchr::memchr_iter(b'\n', text.trim_ascii()).count() >= LINES_MAX
}

/// Whether a text holds nothing but what closes or introduces something before code.
fn is_leading(before: &[u8]) -> bool {
    let mut rest = before;
    while let Some(byte) = rest.first() {
        if ascii::is_name_byte(*byte) {
            let name = &rest[..ascii::name_len(rest)];
            let number = name.iter().all(u8::is_ascii_digit);
            // One short word may be the value that was there: `x';system("id")`.
            let value = rest.len() == before.len()
                && matches!(
                    rest.get(name.len()),
                    Some(b'\'' | b'"' | b';' | b')' | b'`' | b'|' | b'&' | b'%')
                );
            if !number && !value && !ascii::is_one_of(name, STATEMENTS) {
                return false;
            }
            rest = &rest[name.len()..];
        } else if byte.is_ascii() {
            rest = &rest[1..];
        } else {
            return false;
        }
    }
    true
}

/// Whether what begins with code goes on with words: `system() is a function`.
fn goes_on_as_text(code: &[u8]) -> bool {
    let line = &code[..code.len().min(LEADING_BYTES_MAX)];
    let Some(close) = memchr::memchr(b')', line) else { return false };
    let after = &line[close + 1..];
    let words = after.split(|byte| byte.is_ascii_whitespace()).filter(|word| {
        word.len() > 1
            && word.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b',' | b'.' | b'?' | b'\''))
    });
    after.first() == Some(&b' ') && words.count() >= 2
}

/// Bytes before code that are read: what closes a string and a bracket is short.
pub(super) const LEADING_BYTES_MAX: usize = 256;

/// Words that stand at the beginning of code, with signs among them.
const STATEMENTS: &[&str] = &[
    "echo",
    "print",
    "return",
    "die",
    "exit",
    "new",
    "await",
    "void",
    "throw",
    "or",
    "and",
    "xor",
    "php",
    "var",
    "let",
    "const",
    "import",
    "os",
    "subprocess",
    "puts",
    "raise",
    "yield",
    "lambda",
    "true",
    "false",
    "null",
    "none",
    "x",
    "a",
    "i",
    "s",
    "e",
    "p",
];

/// Words between which and a call there is a blank in code; words of English that code shares are left out where a sentence
/// would have them before a call too (`use system()`, `if exec() fails`).
const BEFORE_CALLS: &[&str] =
    &["echo", "return", "new", "await", "void", "throw", "die", "exit", "puts", "xor"];
