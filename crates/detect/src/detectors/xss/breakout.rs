//! Values that land in a string of a script, close it and go on with code.

use palisade_codec::ByteSet;

use super::super::ascii;
use super::super::code::{Kind, Token, Tokens};
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
    if set.contains(b'!') && set.contains(b'[') && script::is_without_letters(text) {
        seen.note(Confidence::STRONG, 0..text.len(), || "script spelled without letters".into());
    }
    if !seen.is_certain() {
        alone(text, seen);
    }
}

fn closed_string(text: &[u8], at: usize, quote: u8, seen: &mut Seen) {
    let (before, after) = (&text[..at], &text[at + 1..]);
    // What stands in a string is plain; a quote that follows an operator or bracket opens one, also behind Python's letters.
    let before = before.strip_suffix(b"\\").unwrap_or(before);
    let before = match before {
        [rest @ .., sign @ (b'(' | b',' | b'=' | b'[' | b' '), b'f' | b'r' | b'b' | b'F']
            if !rest.is_empty() =>
        {
            &before[..before.len() - 1 - usize::from(*sign == b' ')]
        }
        _ => before,
    };
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
        // `--eval` in a manual: the backticks are around a word.
        Code::Browser(what) if quote == b'`' && what.ends_with("``") => {}
        Code::Browser(what) => {
            let confidence = match (ends, is_program(text)) {
                (true, false) => Confidence::CERTAIN,
                // A program's own strings end, too, and templates go over lines.
                (false, true) => Confidence::POSSIBLE,
                (true, true) if quote == b'`' => Confidence::POSSIBLE,
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

/// A value that is script and nothing else, or that goes on with it after signs: `alert(document.cookie)`,
/// `*/alert(1)/*`, `self["document"]["cookie"]`.
fn alone(text: &[u8], seen: &mut Seen) {
    let trimmed = text.trim_ascii();
    if trimmed.len() > CODE_BYTES_MAX || memchr::memchr(b'\n', trimmed).is_some() {
        return;
    }
    let all = 0..text.len();
    if memchr::memchr(b'`', trimmed).is_some() {
        by_template(trimmed, all.clone(), seen);
    }
    // `${alert(1)}` in a template of a script.
    if let Some(inner) = trimmed.strip_prefix(b"${").and_then(|text| text.strip_suffix(b"}"))
        && let Code::Browser(what) = script::read_at_once(inner)
        && (what.ends_with("()") || what.ends_with("``") || what.starts_with("an assignment"))
    {
        return seen.note(Confidence::STRONG, all, || format!("in a template of a script, {what}"));
    }
    if let Some(why) = roundabout(trimmed) {
        return seen.note(Confidence::STRONG, all, || why.into());
    }
    let signs = trimmed.iter().position(|byte| !SIGNS.contains(*byte)).unwrap_or(trimmed.len());
    let code = &trimmed[signs..];
    let name = &code[..ascii::name_len(code)];
    // `onerror=alert;throw 1`: what is thrown is shown.
    if ascii::is_one_of(name, &["onerror", "throw"])
        && ascii::find(code, b"onerror=").is_some()
        && ascii::find(code, b"throw").is_some()
    {
        return seen.note(Confidence::STRONG, all, || "sets a handler of errors, then throws one".into());
    }
    let shows = ascii::is_one_of(name, &["alert", "confirm", "prompt"]);
    let evaluates =
        ascii::is_one_of(name, &["settimeout", "setinterval", "execscript", "function", "import", "eval"]);
    if evaluates && code_in_text(&code[name.len()..]) {
        return seen.note(Confidence::LIKELY, all, || format!("has {}() run a text", ascii::shown(name)));
    }
    if !shows && !ascii::is_one_of(name, WINDOWS) {
        return;
    }
    let tokens = Tokens::first(code, TOKENS_MAX);
    let is = |at: usize, sign: u8| tokens.get(at).is_some_and(|token| token.is(sign));
    let text_at = |at: usize| tokens.get(at).and_then(Token::text);
    // `(alert)(1)`, `alert?.(1)`
    let around = is(1, b')') && is(2, b'(') && !is(3, b')')
        || is(1, b'?') && is(2, b'.') && is(3, b'(') && !is(4, b')');
    let given = around
        || is(1, b'(') && tokens.len() > 2 && !is(2, b')')
        || text_at(1).is_some() && tokens[1].quote == b'`';
    if shows && given && !goes_on_as_sentence(trimmed) {
        let leads = trimmed[..signs].iter().any(|byte| !byte.is_ascii_whitespace());
        let confidence = if leads { Confidence::STRONG } else { Confidence::LIKELY };
        return seen.note(confidence, all, || format!("a call of {}() and nothing else", ascii::shown(name)));
    }
    if shows {
        return;
    }
    // The members that a path goes through, by dots and by texts in brackets.
    let (mut at, mut computed, mut matters) = (1, false, false);
    while at < tokens.len() {
        let member = if is(at, b'.') && tokens.get(at + 1).is_some_and(|token| token.name().is_some()) {
            at += 2;
            tokens[at - 1].name()
        } else if is(at, b'[') && text_at(at + 1).is_some() && is(at + 2, b']') {
            at += 3;
            computed = true;
            text_at(at - 2)
        } else if let Some(end) = joined_texts(&tokens, at).or_else(|| decoded_text(&tokens, at)) {
            // `['al'+'ert']`, `[atob('YWxlcnQ=')]`
            at = end;
            computed = true;
            None
        } else if is(at, b'[') && is(at + 2, b']') && matches!(tokens[at + 1].kind, Kind::Number(_)) {
            at += 3;
            continue;
        } else if is(at, b')') {
            at += 1;
            continue;
        } else {
            break;
        };
        // Only documents are written to; files are, too, by programs that have a `self`.
        let writes = member.is_some_and(|member| ascii::is_one_of(member, &["write", "writeln"]));
        let document = ascii::find(&code[..code.len().min(64)], b"document").is_some();
        matters |= member.is_some_and(|member| ascii::is_one_of(member, MEMBERS)) && (!writes || document);
    }
    let called = is(at, b'(');
    let assigned = is(at, b'=') && !is(at + 1, b'=');
    // `window.open()` in a sentence is talk; brackets around a member's name are not.
    let does = matters && (at == tokens.len() || called || assigned) || computed && called;
    if does && !goes_on_as_sentence(trimmed) {
        seen.note(Confidence::LIKELY, all, || {
            format!("script that uses {}", ascii::shown(&trimmed[signs..]))
        });
    }
}

/// Whether the arguments of a call begin with a text that is code, or the URL of some.
fn code_in_text(arguments: &[u8]) -> bool {
    let tokens = Tokens::first(arguments, 3);
    let text = tokens.get(1).and_then(Token::text);
    tokens.first().is_some_and(|token| token.is(b'('))
        && text.is_some_and(|text| {
            memchr::memchr2(b'(', b'`', text).is_some()
                || text.starts_with(b"return ")
                || text.starts_with(b"//")
                || ascii::starts(text, b"data:")
        })
}

/// Where a bracket closes that holds nothing but texts joined by signs: `['al'+'ert']`, `[/al/.source+'ert']`.
fn joined_texts(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    if !tokens.get(at)?.is(b'[') {
        return None;
    }
    let near = &tokens[at + 1..tokens.len().min(at + JOINED_TOKENS_MAX)];
    let end = near.iter().position(|token| token.is(b']'))?;
    let texts = near[..end].iter().filter(|token| token.text().is_some()).count();
    let sources = near[..end].iter().filter(|token| token.name() == Some(b"source")).count();
    let joined = near[..end].iter().any(|token| token.is(b'+'));
    (texts + sources >= 2 && joined).then_some(at + end + 2)
}

/// Where a bracket closes that holds the call of a decoder: `[atob('YWxlcnQ=')]`.
fn decoded_text(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    const DECODERS: &[&str] =
        &["atob", "unescape", "decodeuri", "decodeuricomponent", "fromcharcode", "string"];
    let decodes = tokens.get(at)?.is(b'[')
        && tokens.get(at + 1)?.name().is_some_and(|name| ascii::is_one_of(name, DECODERS));
    if !decodes {
        return None;
    }
    let near = &tokens[at + 1..tokens.len().min(at + JOINED_TOKENS_MAX)];
    near.iter().position(|token| token.is(b']')).map(|end| at + end + 2)
}

/// Tokens of such a bracket.
const JOINED_TOKENS_MAX: usize = 24;

/// Script that never calls by a name what it calls: the constructor of functions, a function handed to another, one that
/// was given a second name, a text behind a function without brackets.
fn roundabout(text: &[u8]) -> Option<&'static str> {
    // Most values say none of these.
    let says = |word: &[u8]| memchr::memmem::find(text, word).is_some();
    let calls = memchr::memchr2(b'(', b'`', text).is_some() || says(b"throw");
    let words = [&b"alert"[..], b"confirm", b"prompt", b"eval", b"constructor", b"unction", b"set"];
    if !calls || !words.into_iter().any(says) || goes_on_as_sentence(text) {
        return None;
    }
    let constructor = [&b"['constructor']("[..], b"[\"constructor\"](", b".constructor("]
        .iter()
        .find_map(|path| memchr::memmem::rfind(text, path).map(|at| &text[at + path.len()..]));
    if constructor.is_some_and(|argument| matches!(argument.first(), Some(b'\'' | b'"' | b'`'))) {
        return Some("has the constructor of functions make one of a text");
    }
    let tokens = Tokens::first(text, TOKENS_MAX);
    let shows = |at: usize| {
        tokens
            .get(at)
            .and_then(Token::name)
            .is_some_and(|name| ascii::is_one_of(name, &["alert", "confirm", "prompt", "eval"]))
    };
    let is = |at: usize, sign: u8| tokens.get(at).is_some_and(|token| token.is(sign));
    let name = |at: usize| tokens.get(at).and_then(Token::name);
    for at in 0..tokens.len() {
        // `[1].find(alert)`, `Reflect.apply(alert,null,[1])`
        let handed = is(at, b'.')
            && name(at + 1).is_some()
            && is(at + 2, b'(')
            && shows(at + 3)
            && (is(at + 4, b')') || is(at + 4, b','));
        if handed {
            return Some("hands a function that shows something to another");
        }
        // `a=alert,a(1)`
        let renamed = name(at).is_some()
            && is(at + 1, b'=')
            && shows(at + 2)
            && (is(at + 3, b',') || is(at + 3, b';'))
            && name(at + 4) == name(at)
            && (is(at + 5, b'(') || tokens.get(at + 5).is_some_and(|token| token.quote == b'`'));
        if renamed {
            return Some("gives a function that shows something another name, then calls it");
        }
        // `{onerror=alert}throw 1`
        let handler = name(at) == Some(b"onerror") && is(at + 1, b'=') && shows(at + 2);
        if handler && tokens[at..].iter().any(|token| token.name() == Some(b"throw")) {
            return Some("sets a handler of errors, then throws one");
        }
        // `setTimeout`alert\x281\x29``, `Function`a${'lert(1)'}```
        let runs = name(at).is_some_and(|name| {
            ascii::is_one_of(name, &["settimeout", "setinterval", "function", "eval", "setimmediate"])
        });
        // `eval.call`..`` as well.
        let by_call = is(at + 1, b'.') && name(at + 2).is_some_and(|name| matches!(name, b"call" | b"apply"));
        let last = if by_call { at + 2 } else { at };
        let template =
            tokens.get(last + 1).filter(|token| token.quote == b'`' && token.start == tokens[last].end);
        let code = |text: &[u8]| {
            memchr::memmem::find(text, b"${").is_some()
                || memchr::memmem::find(text, b"\\x").is_some()
                || memchr::memchr(b'(', text).is_some()
        };
        if runs && template.and_then(Token::text).is_some_and(code) {
            return Some("has a function run a text behind it, without brackets");
        }
    }
    None
}

/// `[].sort.call`${alert}1337``: a function given to another by a template.
fn by_template(text: &[u8], all: std::ops::Range<usize>, seen: &mut Seen) {
    let given = memchr::memmem::find_iter(text, b"${").any(|at| {
        let name = text[at + 2..].trim_ascii_start();
        let name = &name[..ascii::name_len(name)];
        ascii::is_one_of(name, &["alert", "confirm", "prompt", "eval", "navigation", "location", "document"])
    });
    if given && memchr::memchr(b'`', text).is_some() && ascii::find(text, b"call").is_some() {
        seen.note(Confidence::STRONG, all, || "calls a function that it names in a template".into());
    }
}

/// Whether words follow the first bracket: `alert(s) were shown to me`.
fn goes_on_as_sentence(text: &[u8]) -> bool {
    memchr::memchr(b')', text).is_some_and(|close| {
        let after = text[close..].split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        after.first().is_some_and(u8::is_ascii_alphabetic)
    })
}

/// Objects from which all of a page is reached.
const WINDOWS: &[&str] = &[
    "document",
    "window",
    "self",
    "top",
    "parent",
    "frames",
    "globalthis",
    "location",
    "this",
    "navigator",
    "opener",
];

/// Members of theirs that tell, write or go somewhere.
const MEMBERS: &[&str] = &[
    "cookie",
    "write",
    "writeln",
    "eval",
    "alert",
    "confirm",
    "prompt",
    "globaleval",
    "settimeout",
    "setinterval",
    "location",
    "execscript",
    "domain",
    "localstorage",
    "open",
    "function",
    "constructor",
    "fetch",
    "sendbeacon",
];

/// Tokens of such a value that are read.
const TOKENS_MAX: usize = 64;
