//! Markup and script that a browser would run in somebody else's page.
//!
//! # What it finds
//! Script elements, event handlers, `javascript:` and `data:` URLs, frames, plug-ins and styles that run or fetch, base and
//! refresh that lead a page elsewhere; and pieces that become such where they land: a quote and then a handler, a quote and
//! then a call.
//!
//! # Why it matters
//! What runs in a page acts as the person who looks at it.
//!
//! # How it decides
//! The value is read in each context where applications put values:
//!
//! ```text
//!  text, comment, raw text    <img src=x onerror=alert(1)>        html: tags as the most forgiving browser reads them
//!  attribute, tag             " onfocus=alert(1) autofocus x="    handlers: a name of an event, then code
//!  URL                        java&Tab;script:alert(1)            url: the scheme under what was put into it
//!  string of a script         ';alert(1)//                        breakout: closes the string, goes on with code
//! ```
//!
//! Event handlers are known by how the names of events are built, not by a list of events, so that those of next year are
//! known too. Attribute values that hold markup are read again as text: browsers move them there when a page is written
//! twice. Markup that only looks good (`<b>`, `<img src>`, `<table>`, links) is not a finding.
//!
//! # Example
//! `<x onclIck=aLert(1)>c` reads: the tag `<x>` with the event handler onclick, which calls aLert().
//!
//! # What it misses
//! Names that a page's own script uses later (clobbering), and gadgets of script libraries that look like data.
//!
//! # References
//! HTML Living Standard, 13.2.5 "Tokenization"; PortSwigger, "Cross-site scripting cheat sheet"; CWE-79.

mod attributes;
mod breakout;
mod css;
mod handlers;
mod html;
mod script;
mod url;

use std::ops::Range;

use palisade_codec::ByteSet;

use super::{Detector, Evidence, ascii};
use crate::{Attack, Confidence, Value};
use html::Tag;
use script::Code;
use url::Runs;

pub(super) const DETECTOR: Detector =
    Detector { name: "xss", attack: Attack::Xss, gate: ByteSet::of(b"<=(`:[").union(SEVEN_BIT), look };

/// `<` and `>` with the highest bit set, which readers of seven-bit ASCII drop.
const SEVEN_BIT: ByteSet = ByteSet::of(b"\xbc");

/// Markup in attribute values of markup in attribute values: `srcdoc` in `srcdoc` is the deepest that makes sense.
const DEPTH_MAX: usize = 3;

fn look(value: &Value<'_>, evidence: &mut Evidence<'_>) {
    let text = value.bytes;
    let has = |byte| value.set.contains(byte);
    let mut seen = Seen::default();
    if has(b'<') {
        markup(text, 0, None, &mut seen);
    }
    if has(b'?')
        && has(b'<')
        && let Some(at) = ascii::find(text, b"<?import")
        && ascii::find(&text[at..text.len().min(at + FENCE_BYTES_MAX)], b"implementation").is_some()
    {
        seen.note(Confidence::STRONG, at..at + 60, || "the import of a behaviour into the page".into());
    }
    if has(b'=') && (has(b'(') || has(b'`') || has(b'[') || has(b':') || has(b'=')) {
        handlers::read(text, &mut seen);
    }
    if has(b':') {
        whole_url(text, &mut seen);
        inner_urls(text, &mut seen);
    }
    if has(b'(') || has(b'`') || has(b'[') || has(b'=') {
        breakout::read(text, value.set, &mut seen);
    }
    if has(0xbc) && has(0xbe) {
        seven_bit(text, &mut seen);
    }
    if let Some((confidence, at, why)) = seen.best {
        evidence.found(confidence, at, why);
    }
}

/// The strongest thing seen in a value.
#[derive(Debug, Default)]
struct Seen {
    best: Option<(Confidence, Range<usize>, String)>,
}

impl Seen {
    fn note(&mut self, confidence: Confidence, at: Range<usize>, why: impl FnOnce() -> String) {
        if self.best.as_ref().is_none_or(|(best, _, _)| *best < confidence) {
            self.best = Some((confidence, at, why()));
        }
    }

    /// Whether nothing stronger can come.
    fn is_certain(&self) -> bool {
        self.best.as_ref().is_some_and(|(best, _, _)| *best >= Confidence::CERTAIN)
    }
}

/// Reads tags. `within` is where the text stands in the value, for a text that was decoded out of it.
fn markup(text: &[u8], depth: usize, within: Option<&Range<usize>>, seen: &mut Seen) {
    let mut from = 0;
    let mut raw_text = RawText::default();
    while let Some(tag) = Tag::next(text, from) {
        if seen.is_certain() {
            return;
        }
        from = tag.end;
        let place = within.cloned().unwrap_or(tag.start..tag.end);
        let name = tag.plain_name();
        raw_text.note(&name, &tag, &place, seen);
        match &name[..] {
            b"script" => script_element(text, &tag, &place, seen),
            b"style" if !tag.closing => {
                let content = content(text, &tag, b"</style").0;
                if let Some(what) = css::read(content) {
                    seen.note(Confidence::STRONG, place.clone(), || format!("a style element with {what}"));
                } else if tag.attribute(b"type").is_some_and(|kind| ascii::find(&kind, b"script").is_some()) {
                    seen.note(Confidence::STRONG, place.clone(), || "a style element that is script".into());
                }
            }
            _ => {}
        }
        attributes::judge(&name, &tag, &place, seen);
        if depth < DEPTH_MAX {
            for attribute in tag.attributes() {
                if attribute.value.len() > 2 {
                    let inner = html::resolved(attribute.value);
                    if memchr::memchr(b'<', &inner).is_some() {
                        markup(&inner, depth + 1, Some(&place), seen);
                    }
                }
            }
        }
    }
}

/// Elements whose content is no markup, opened and closed in a text: who does not know in which the value lands closes
/// several.
#[derive(Debug, Default)]
struct RawText {
    opened: [bool; RAW_TEXT.len()],
    closed: [bool; RAW_TEXT.len()],
}

const RAW_TEXT: [&[u8]; 9] =
    [b"script", b"style", b"title", b"textarea", b"noscript", b"noembed", b"template", b"xmp", b"iframe"];

impl RawText {
    fn note(&mut self, name: &[u8], tag: &Tag<'_>, place: &Range<usize>, seen: &mut Seen) {
        let Some(which) = RAW_TEXT.iter().position(|element| *element == name) else { return };
        if !tag.closing {
            self.opened[which] = true;
        } else if !self.opened[which] && !self.closed[which] {
            self.closed[which] = true;
            if self.closed.iter().filter(|closed| **closed).count() == 3 {
                seen.note(Confidence::STRONG, place.clone(), || {
                    "closes whatever element of text it may land in".into()
                });
            }
        }
    }
}

/// What stands between a tag and its end tag, and whether there is an end tag.
fn content<'t>(text: &'t [u8], tag: &Tag<'_>, end: &[u8]) -> (&'t [u8], bool) {
    let rest = &text[tag.end..];
    // Payloads are short; a text of many script tags would be read many times.
    let near = &rest[..rest.len().min(CONTENT_BYTES_MAX)];
    match ascii::find(near, end) {
        Some(found) => (&near[..found], true),
        None => (near, false),
    }
}

/// Bytes before an element in which the fence of a code block is sought.
const FENCE_BYTES_MAX: usize = 256;

/// Bytes of an element's content that are looked at.
const CONTENT_BYTES_MAX: usize = 2048;

fn script_element(text: &[u8], tag: &Tag<'_>, place: &Range<usize>, seen: &mut Seen) {
    if tag.closing {
        let before = &text[tag.start.saturating_sub(CONTENT_BYTES_MAX)..tag.start];
        // One that was opened here was judged there.
        if ascii::find(before, b"<script").is_some() {
            return;
        }
        if let Code::Browser(what) = script::read(before) {
            // The end of a page that somebody pasted, or of a string in a script.
            let program = breakout::is_program(text);
            let confidence = if program { Confidence::POSSIBLE } else { Confidence::STRONG };
            seen.note(confidence, place.clone(), || format!("{what}, then the end of a script element"));
        }
        return;
    }
    // `<script>` between backticks is talk about the element.
    if text[..tag.start].last() == Some(&b'`') && text.get(tag.end) == Some(&b'`') {
        return;
    }
    for source in [&b"src"[..], b"href", b"xlink:href"] {
        if let Some(source) = tag.attribute(source).filter(|source| !source.trim_ascii().is_empty()) {
            let shown = ascii::shown(source.trim_ascii());
            // A manual shows how to include a file of one's own.
            let near = &text[tag.start.saturating_sub(FENCE_BYTES_MAX)..tag.start];
            let manual = memchr::memmem::find(near, b"```").is_some() && !attributes::is_elsewhere(&source);
            let confidence = if manual { Confidence::POSSIBLE } else { Confidence::CERTAIN };
            return seen.note(confidence, place.clone(), || format!("a script element that loads {shown}"));
        }
    }
    let kind = tag.attribute(b"type").unwrap_or_default();
    if [&b"json"[..], b"template", b"handlebars", b"mustache"]
        .iter()
        .any(|data| ascii::find(&kind, data).is_some())
    {
        return seen.note(Confidence::HINT, place.clone(), || "a script element that holds data".into());
    }
    let (content, closed) = content(text, tag, b"</script");
    let bare = content.trim_ascii().is_empty();
    let open = text[..tag.end].last() != Some(&b'>');
    match script::read(content) {
        Code::Browser(what) => {
            seen.note(Confidence::CERTAIN, place.clone(), || format!("a script element with {what}"));
        }
        // `Map::<Script>::new()`: a type of a program.
        Code::Own(_) | Code::Nothing if !closed && is_generic(content) => {}
        Code::Own(what) if closed || !is_prose(content) => {
            seen.note(Confidence::CERTAIN, place.clone(), || format!("a script element with {what}"));
        }
        _ if closed && !bare => {
            seen.note(Confidence::STRONG, place.clone(), || "a script element with content".into());
        }
        _ if bare && closed => {
            seen.note(Confidence::POSSIBLE, place.clone(), || "a script element with nothing in it".into());
        }
        _ if open || bare => {
            seen.note(Confidence::LIKELY, place.clone(), || "the beginning of a script element".into());
        }
        _ if is_prose(content) => {
            seen.note(Confidence::POSSIBLE, place.clone(), || {
                "the word script as a tag, in a sentence".into()
            });
        }
        _ => seen.note(Confidence::LIKELY, place.clone(), || "a script element that is not closed".into()),
    }
}

/// Whether a text goes on as after the parameter of a type.
fn is_generic(text: &[u8]) -> bool {
    text.starts_with(b"::")
        || text.first().is_some_and(|byte| matches!(byte, b'(' | b'>' | b',' | b')' | b'&'))
}

/// Whether a text goes on like a sentence: a blank or a sign, then words.
fn is_prose(text: &[u8]) -> bool {
    let rest = text.trim_ascii_start();
    let words = rest.split(|byte| *byte == b' ').take(3).filter(|word| {
        let word = word.strip_suffix(b",").or(word.strip_suffix(b".")).unwrap_or(word);
        !word.is_empty()
            && word
                .iter()
                .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'\'') || !byte.is_ascii())
    });
    words.count() >= 2
        || rest.first().is_some_and(|byte| matches!(byte, b'.' | b',' | b'`' | b')' | b'"' | b'\''))
}

/// The value as a URL: what a link or a redirect would be made of.
fn whole_url(text: &[u8], seen: &mut Seen) {
    let trimmed = text.trim_ascii();
    // Most URLs only go somewhere.
    if ascii::starts(trimmed, b"http")
        || trimmed.first().is_some_and(u8::is_ascii_digit) && !trimmed.contains(&b'&')
    {
        return;
    }
    match url::read(&html::resolved(&trimmed[..trimmed.len().min(CONTENT_BYTES_MAX)])) {
        Some(Runs::Script { scheme, code }) => {
            let after =
                ascii::find(trimmed, b"script:").map_or(trimmed, |at| &trimmed[at + b"script:".len()..]);
            let spaced = after.first().is_some_and(|byte| *byte == b' ');
            let at = 0..text.len();
            match code {
                _ if url::is_harmless(after) => {
                    seen.note(Confidence::HINT, at, || format!("a {scheme}: URL that does nothing"));
                }
                Code::Browser(what) if !spaced || script::read_at_once(after) != Code::Nothing => {
                    seen.note(Confidence::CERTAIN, at, || format!("a {scheme}: URL with {what}"));
                }
                Code::Own(what) if !spaced => {
                    seen.note(Confidence::STRONG, at, || format!("a {scheme}: URL with {what}"));
                }
                _ => seen.note(Confidence::HINT, at, || format!("what begins like a {scheme}: URL")),
            }
        }
        // `data: text/html` is a sentence.
        Some(Runs::Data(_))
            if !ascii::starts(trimmed, b"data:") || trimmed.get(5).is_some_and(u8::is_ascii_whitespace) => {}
        // A picture; what else it holds is seen when it is decoded.
        Some(Runs::Data(kind)) if kind.contains("svg") && !is_scripted(trimmed) => {
            seen.note(Confidence::HINT, 0..text.len(), || format!("a data: URL of {kind}, a picture"));
        }
        Some(Runs::Data(kind)) => {
            seen.note(Confidence::LIKELY, 0..text.len(), || {
                format!("a data: URL of {kind}, which browsers run")
            });
        }
        None => {}
    }
}

/// Whether a picture, as text or percent-encoded, says something of scripts.
fn is_scripted(text: &[u8]) -> bool {
    let near = &text[..text.len().min(CONTENT_BYTES_MAX)];
    [&b"script"[..], b"onload", b"onerror", b"onbegin", b"onclick", b"foreignobject"]
        .iter()
        .any(|word| ascii::find(near, word).is_some())
}

/// `javascript:` after something else: a parameter in a URL, an attribute that is not in a tag.
fn inner_urls(text: &[u8], seen: &mut Seen) {
    let mut from = 0;
    while let Some(found) = ascii::find(&text[from..], b"script:") {
        let (word, after) = (from + found, from + found + b"script:".len());
        from = after;
        let before = &text[..word];
        let ends = |word: &[u8]| {
            before.len() >= word.len() && before[before.len() - word.len()..].eq_ignore_ascii_case(word)
        };
        let prefix_len = if ends(b"java") {
            4
        } else if ends(b"vb") {
            2
        } else {
            continue;
        };
        let start = word - prefix_len;
        let rest = &text[after..text.len().min(after + CONTENT_BYTES_MAX)];
        let boundary = text[..start].last().is_some_and(|byte| {
            matches!(byte, b'=' | b'"' | b'\'' | b'(' | b'/' | b'`' | b':' | b'>' | b',')
        });
        if let Code::Browser(what) = script::read_at_once(rest)
            && rest.first().is_some_and(|byte| *byte != b' ')
        {
            let confidence = if boundary { Confidence::STRONG } else { Confidence::LIKELY };
            seen.note(confidence, start..after + rest.len().min(60), || format!("a script URL with {what}"));
        }
    }
}

/// The value as a reader of seven-bit ASCII sees it: `¼script¾`.
fn seven_bit(text: &[u8], seen: &mut Seen) {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (*byte, tail.first()) {
            // In UTF-8 the sign has a byte before it.
            (0xc2, Some(0xbc | 0xbe)) => {}
            (0xbc, _) => plain.push(b'<'),
            (0xbe, _) => plain.push(b'>'),
            (byte, _) => plain.push(byte),
        }
    }
    let before = seen.best.take();
    markup(&plain, 0, Some(&(0..text.len())), seen);
    if let Some((_, _, why)) = &mut seen.best {
        why.insert_str(0, "read as seven-bit ASCII: ");
    }
    if let Some((confidence, at, why)) = before {
        seen.note(confidence, at, || why);
    }
}
