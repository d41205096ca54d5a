//! Event handlers: attributes whose value is script.

use super::super::ascii;
use super::html::{self, is_blank};
use super::script::{self, Code};
use super::{Seen, css};
use crate::Confidence;

/// Whether an attribute is an event handler by how the names of events are built: `on`, then a thing that happens.
pub(super) fn is_event(name: &[u8]) -> bool {
    let Some(event) = name.get(2..).filter(|_| ascii::starts(name, b"on")) else { return false };
    event.len() >= 3
        && event.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'_'))
        && STEMS.iter().any(|stem| ascii::starts(event, stem.as_bytes()))
}

/// Whether an attribute of a real tag could be one: everything that begins with `on` but the words that do.
pub(super) fn may_be_event(name: &[u8]) -> bool {
    is_event(name)
        || name.len() >= 5
            && ascii::starts(name, b"on")
            && name.iter().all(u8::is_ascii_alphanumeric)
            && !ascii::is_one_of(
                name,
                &[
                    "online",
                    "ongoing",
                    "onion",
                    "onions",
                    "onset",
                    "onboard",
                    "onboarding",
                    "onwards",
                    "onward",
                    "onshore",
                ],
            )
}

/// What the names of events begin with; the specifications of HTML, SVG, pointer, touch, animation and so on, and what
/// browsers had before them.
const STEMS: &[&str] = &[
    "abort",
    "activate",
    "after",
    "animation",
    "audio",
    "auxclick",
    "before",
    "begin",
    "bell",
    "blocked",
    "blur",
    "bounce",
    "cancel",
    "canplay",
    "cellchange",
    "change",
    "check",
    "click",
    "close",
    "command",
    "compassneeds",
    "complete",
    "composition",
    "connect",
    "content",
    "context",
    "control",
    "copy",
    "cuechange",
    "cut",
    "data",
    "dblclick",
    "deactivate",
    "device",
    "drag",
    "drop",
    "duration",
    "emptied",
    "encrypted",
    "end",
    "enter",
    "error",
    "exit",
    "fetch",
    "filter",
    "finish",
    "focus",
    "form",
    "freeze",
    "fullscreen",
    "gamepad",
    "gesture",
    "gotpointer",
    "hash",
    "help",
    "input",
    "install",
    "interest",
    "invalid",
    "key",
    "language",
    "layout",
    "load",
    "lose",
    "lostpointer",
    "media",
    "message",
    "mouse",
    "move",
    "moz",
    "ms",
    "navigate",
    "notification",
    "offline",
    "open",
    "orientation",
    "out",
    "page",
    "paint",
    "paste",
    "pause",
    "play",
    "point",
    "popstate",
    "popup",
    "portal",
    "progress",
    "promise",
    "property",
    "push",
    "rate",
    "readystate",
    "reject",
    "repeat",
    "reset",
    "resize",
    "resource",
    "resume",
    "reverse",
    "row",
    "scroll",
    "search",
    "security",
    "seek",
    "select",
    "show",
    "slot",
    "snap",
    "sort",
    "stalled",
    "start",
    "stop",
    "storage",
    "submit",
    "success",
    "suspend",
    "sync",
    "time",
    "toggle",
    "touch",
    "track",
    "transition",
    "underflow",
    "overflow",
    "overscroll",
    "undo",
    "redo",
    "unhandled",
    "unload",
    "upgrade",
    "urlflip",
    "user",
    "visibility",
    "volume",
    "waiting",
    "webkit",
    "wheel",
    "zoom",
];

/// How sure a handler with this value in a tag is; `None` where it does nothing.
pub(super) fn judge(name: &[u8], value: &[u8], quoted: bool) -> Option<(Confidence, Code)> {
    let value = html::resolved(value);
    if value.trim_ascii().is_empty() {
        return None;
    }
    let code = match script::read(&value) {
        // `print()` opens a dialogue; programs of other languages have one as well.
        Code::Own(_) if ascii::find(&value, b"print()").is_some() => Code::Browser("print()".into()),
        code => code,
    };
    // `onClick={go}` is JSX: a program's text, not a page's.
    let jsx = !quoted && value.starts_with(b"{") && name.get(2).is_some_and(u8::is_ascii_uppercase);
    let known = is_event(name);
    let confidence = match (&code, known) {
        _ if jsx => match &code {
            Code::Browser(_) if memchr::memmem::find(&value, b"=>").is_none() => Confidence::LIKELY,
            _ => Confidence::POSSIBLE,
        },
        (Code::Browser(_), true) => Confidence::CERTAIN,
        (Code::Browser(_), false) | (_, true) => Confidence::STRONG,
        (Code::Own(_), false) => Confidence::LIKELY,
        (Code::Nothing, false) => Confidence::HINT,
    };
    Some((confidence, code))
}

/// Handlers that are in no tag here: the value lands in one, or in an attribute that it closes first.
pub(super) fn read(text: &[u8], seen: &mut Seen) {
    for equals in memchr::memchr_iter(b'=', text) {
        let name_end =
            equals - text[..equals].iter().rev().take(BLANKS_MAX).take_while(|byte| is_blank(**byte)).count();
        let len = text[..name_end]
            .iter()
            .rev()
            .take(NAME_BYTES_MAX)
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        let name = &text[name_end - len..name_end];
        let style = name.eq_ignore_ascii_case(b"style");
        if !style && !is_event(name) {
            continue;
        }
        let before = text[..name_end - len].last().copied();
        if before.is_some_and(|byte| {
            !is_blank(byte)
                && !matches!(byte, b'"' | b'\'' | b'`' | b'/' | b';' | b'>' | b'<' | b'%' | b'+' | 0..=0x1f)
        }) {
            continue;
        }
        let rest = &text[equals + 1..];
        let rest = rest.trim_ascii_start();
        let rest = &rest[..rest.len().min(VALUE_BYTES_MAX)];
        let (value, quoted) = match rest.first() {
            Some(quote @ (b'"' | b'\'' | b'`')) => {
                let inside = &rest[1..];
                (&inside[..memchr::memchr(*quote, inside).unwrap_or(inside.len())], true)
            }
            _ => (
                &rest[..rest.iter().position(|byte| is_blank(*byte) || *byte == b'>').unwrap_or(rest.len())],
                false,
            ),
        };
        let at = name_end - len..(equals + 1 + value.len()).min(text.len());
        let breaks_out = closes_quote(&text[..name_end - len]);
        let closes_tag = memchr::memchr(b'>', rest).is_some();
        if style {
            if let Some(what) = css::read(value) {
                let confidence =
                    if breaks_out || closes_tag { Confidence::STRONG } else { Confidence::POSSIBLE };
                seen.note(confidence, at, || format!("a style attribute with {what}"));
            }
            continue;
        }
        let Some((confidence, code)) = judge(name, value, quoted) else { continue };
        let shown = ascii::shown(name);
        let confidence = match &code {
            _ if confidence < Confidence::STRONG => confidence,
            Code::Browser(_) if breaks_out => Confidence::CERTAIN,
            Code::Browser(_) => Confidence::STRONG,
            Code::Own(_) if breaks_out || closes_tag => Confidence::LIKELY,
            _ => Confidence::HINT,
        };
        let closing = if breaks_out { "closes an attribute, then " } else { "" };
        seen.note(confidence, at, || format!("{closing}the event handler {shown} with {}", code.told()));
    }
}

/// Whether a text, which stands before an attribute, ends an attribute's value: one quote in it closes what another opened
/// before, so the last must stand at its end.
fn closes_quote(before: &[u8]) -> bool {
    let near = &before[before.len().saturating_sub(NAME_BYTES_MAX)..];
    let Some(last) = near.iter().rposition(|byte| matches!(byte, b'"' | b'\'' | b'`')) else { return false };
    near[last + 1..].iter().all(|byte| {
        is_blank(*byte) || byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'=' | b'>' | b';')
    })
}

/// Blanks between a name and its equals sign, bytes of a name, bytes of a value: more is not needed to know them.
const BLANKS_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 40;
const VALUE_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_known_by_their_stems() {
        for name in [
            "onerror",
            "ONLOAD",
            "onmouseover",
            "onwebkitanimationend",
            "onbeforetoggle",
            "onscrollsnapchange",
        ] {
            assert!(is_event(name.as_bytes()), "{name}");
        }
        for name in ["on", "one", "once", "only", "onto", "online", "onion", "load", "onboarding"] {
            assert!(!is_event(name.as_bytes()), "{name}");
        }
        assert!(may_be_event(b"onfrobnicate"));
        assert!(!may_be_event(b"online"));
    }
}
