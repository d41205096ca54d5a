//! JavaScript, read just far enough to tell what would happen.
//!
//! Names are compared without case: JavaScript would not run `ALERT(1)`, but who sends it tries.

use super::super::ascii::{self, is_name_byte, is_one_of, name_len};

/// What a piece of script does, as far as that can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// Nothing: words, data.
    Nothing,
    /// It calls or assigns something by a name that is the page's own.
    Own(String),
    /// It calls or reads something that matters in a browser.
    Browser(String),
}

impl Code {
    /// What it does, in words; empty for nothing.
    pub(super) fn told(&self) -> &str {
        match self {
            Self::Nothing => "",
            Self::Own(what) | Self::Browser(what) => what,
        }
    }
}

/// What a text does if it is run as script. O(n).
pub(super) fn read(text: &[u8]) -> Code {
    let mut best = Code::Nothing;
    if is_without_letters(text) {
        return Code::Browser("script spelled without letters".into());
    }
    let mut at = 0;
    while at < text.len() {
        if !is_name_byte(text[at]) {
            at += 1;
            continue;
        }
        let name = &text[at..at + name_len(&text[at..])];
        // A step of a path (`alert` in `x.alert`) counts like a name by itself, and so does the word of `\u0061lert`.
        match after_name(name, &text[at + name.len()..]) {
            Code::Nothing => {}
            Code::Own(what) => {
                if best == Code::Nothing {
                    best = Code::Own(what);
                }
            }
            browser => return browser,
        }
        at += name.len();
    }
    best
}

/// What a text does if it begins with code at once: a statement or expression, not words that code follows.
pub(super) fn read_at_once(text: &[u8]) -> Code {
    let mut rest = text;
    // Brackets, signs and words that may stand before an expression.
    for _ in 0..LEADING_MAX {
        rest = rest.trim_ascii_start();
        let Some(byte) = rest.first() else { return Code::Nothing };
        if matches!(
            byte,
            b'(' | b'[' | b'!' | b'~' | b'+' | b'-' | b'{' | b'}' | b';' | b'\\' | b',' | b')' | b']'
        ) {
            rest = &rest[1..];
            continue;
        }
        let word = &rest[..name_len(rest)];
        let statement = [
            "void", "new", "throw", "return", "delete", "typeof", "var", "let", "const", "await", "in", "if",
            "for", "while", "with", "try", "do", "case", "else",
        ];
        if is_one_of(word, &statement) && rest.get(word.len()).is_some_and(|byte| !is_name_byte(*byte)) {
            rest = &rest[word.len()..];
            continue;
        }
        break;
    }
    if is_without_letters(text) {
        return Code::Browser("script spelled without letters".into());
    }
    let mut at = 0;
    let mut best = Code::Nothing;
    // A path: `top.document.write(`, each step of which may be what matters.
    for _ in 0..PATH_STEPS_MAX {
        let len = name_len(&rest[at..]);
        if len == 0 {
            break;
        }
        match after_name(&rest[at..at + len], &rest[at + len..]) {
            Code::Nothing => {}
            browser @ Code::Browser(_) => return browser,
            own => best = own,
        }
        at += len;
        match rest.get(at) {
            Some(b'.') => at += 1,
            _ => break,
        }
    }
    best
}

/// Signs and words before an expression, and steps of a path, that are read: enough for any that does something.
const LEADING_MAX: usize = 24;
const PATH_STEPS_MAX: usize = 16;

/// What a name does by what follows it.
fn after_name(name: &[u8], rest: &[u8]) -> Code {
    if name[0].is_ascii_digit() {
        return Code::Nothing;
    }
    let rest = without_comments(rest);
    let next = rest.first().copied().unwrap_or(0);
    let optional_call = rest.starts_with(b"?.(") || rest.starts_with(b"?.[");
    let shown = || ascii::shown(name);
    match next {
        b'(' | b'`' => call(name, next),
        _ if optional_call => call(name, b'('),
        // `(alert)(1)`
        b')' if rest.get(1).is_some_and(|byte| matches!(byte, b'(' | b'`')) => call(name, b'('),
        b'.' | b'[' if is_one_of(name, OBJECTS) && is_access(rest) => {
            let member = &rest[1..];
            Code::Browser(format!("{}.{}", shown(), ascii::shown(&member[..name_len(member)])))
        }
        b'=' if !matches!(rest.get(1), Some(b'=' | b'>')) && rest.len() > 1 => {
            let given = &rest[1..1 + name_len(&rest[1..])];
            if is_one_of(given, &["alert", "confirm", "prompt", "eval"])
                && matches!(rest.get(1 + given.len()), None | Some(b';' | b','))
            {
                Code::Browser(format!("another name for {}", ascii::shown(given)))
            } else if is_one_of(name, SINKS) {
                Code::Browser(format!("an assignment to {}", shown()))
            } else {
                Code::Own(format!("an assignment to {}", shown()))
            }
        }
        _ => Code::Nothing,
    }
}

fn call(name: &[u8], next: u8) -> Code {
    let called = format!("{}{}", ascii::shown(name), if next == b'`' { "``" } else { "()" });
    if is_one_of(name, CALLS) { Code::Browser(called) } else { Code::Own(called) }
}

/// Whether a member follows: `document.` may end a sentence.
fn is_access(rest: &[u8]) -> bool {
    match rest {
        [b'.', byte, ..] => is_name_byte(*byte),
        [b'[', byte, ..] => {
            matches!(byte, b'"' | b'\'' | b'`' | b'/' | b'(' | b'+' | b'!' | b'[' | b'a'..=b'z')
        }
        _ => false,
    }
}

/// What follows comments and the backslashes of an encoding; blanks only where a comment is among them, since words before
/// a bracket are prose.
fn without_comments(text: &[u8]) -> &[u8] {
    let mut rest = text;
    for _ in 0..LEADING_MAX {
        let Some(comment) = rest.strip_prefix(b"/*") else { break };
        let Some(end) = memchr::memmem::find(&comment[..comment.len().min(COMMENT_BYTES_MAX)], b"*/") else {
            break;
        };
        rest = comment[end + 2..].trim_ascii_start();
    }
    rest
}

/// Bytes of a comment between a name and its bracket that are skipped.
const COMMENT_BYTES_MAX: usize = 64;

/// Whether a text, or a long piece of it, is script spelled without letters: `(![]+[])[+!+[]]`.
pub(super) fn is_without_letters(text: &[u8]) -> bool {
    const LEAST: usize = 20;
    const KINDS_LEAST: usize = 4;
    let mut from = 0;
    while from < text.len() {
        let len =
            text[from..].iter().position(|byte| !LETTERLESS.contains(*byte)).unwrap_or(text.len() - from);
        let run = &text[from..from + len];
        if len >= LEAST {
            let kinds = b"[]()!+{}".iter().filter(|kind| run.contains(kind)).count();
            let brackets =
                memchr::memmem::find(run, b"[]").is_some() || memchr::memmem::find(run, b"{}").is_some();
            // In a form the plus becomes a blank.
            let joined = run.contains(&b'+') || memchr::memmem::find_iter(run, b"![]").count() >= 3;
            if kinds >= KINDS_LEAST && brackets && joined {
                return true;
            }
        }
        from += len + 1;
    }
    false
}

const LETTERLESS: palisade_codec::ByteSet = palisade_codec::ByteSet::of(b"[]()!+{}01 \t\n-~");

/// Functions that show, run, fetch or send something.
const CALLS: &[&str] = &[
    "alert",
    "confirm",
    "prompt",
    "eval",
    "settimeout",
    "setinterval",
    "setimmediate",
    "execscript",
    "function",
    "fetch",
    "import",
    "atob",
    "btoa",
    "unescape",
    "decodeuricomponent",
    "msgbox",
    "writeln",
    "sendbeacon",
    "getscript",
    "xmlhttprequest",
    "postmessage",
    "fromcharcode",
    "constructor",
    "importscripts",
    "requestanimationframe",
    "queuemicrotask",
    "createelement",
    "createcontextualfragment",
    "insertadjacenthtml",
    "appendchild",
    "parsefromstring",
    "getelementbyid",
    "getelementsbytagname",
    "queryselector",
    "showmodaldialog",
    "execcommand",
    "registerprotocolhandler",
    "defaultview",
    "stacktrace",
    "$eval",
    "evalasync",
    "xpathevaluator",
    "getselection",
    "trustashtml",
    "domparser",
    "websocket",
    "eventsource",
    "sharedworker",
    "activexobject",
];

/// Objects of a browser: an access to a member of theirs is script.
const OBJECTS: &[&str] = &[
    "document",
    "window",
    "top",
    "self",
    "parent",
    "frames",
    "navigator",
    "localstorage",
    "sessionstorage",
    "globalthis",
    "opener",
    "history",
    "location",
    "string",
    "reflect",
    "$",
    "jquery",
    "this",
];

/// Assigning to these runs something or goes somewhere.
const SINKS: &[&str] = &[
    "location",
    "onerror",
    "innerhtml",
    "outerhtml",
    "srcdoc",
    "href",
    "cookie",
    "domain",
    "src",
    "onload",
    "onclick",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_is_told_from_words() {
        for text in [
            "alert(1)",
            "x;alert`1`",
            "window.alert?.(1)",
            "(alert)(1)",
            "alert/*x*/(1)",
            "top['al'+'ert'](1)",
            "document.cookie",
            "location='//x'",
            "onerror=alert;throw 1",
            "[][(![]+[])[+[]]+([![]]+[][[]])[+!+[]+[+[]]]]",
            "setTimeout`alert\\x281\\x29`",
            "new Function`a`",
            "eval('al'+'ert(1)')",
        ] {
            assert!(matches!(read(text.as_bytes()), Code::Browser(_)), "{text}: {:?}", read(text.as_bytes()));
        }
        for text in ["void(0)", "submitForm()", "x=1", "go`x`"] {
            assert!(matches!(read(text.as_bytes()), Code::Own(_)), "{text}");
        }
        for text in
            ["an alert (see below)", "document. Then", "Basics of JavaScript Language", "a == b", "1(2)", ""]
        {
            assert_eq!(read(text.as_bytes()), Code::Nothing, "{text}");
        }
    }

    #[test]
    fn code_at_once_begins_with_code() {
        for text in
            ["alert(1)", " (alert)(1)", "top.document.write(1)", "void alert(1)", "throw onerror=eval"]
        {
            assert!(matches!(read_at_once(text.as_bytes()), Code::Browser(_)), "{text}");
        }
        for text in ["you will see alert(1)", "and then", ""] {
            assert_eq!(read_at_once(text.as_bytes()), Code::Nothing, "{text}");
        }
    }
}
