//! The cross-site scripting verdict over the tokens of [`super::html`].
//!
//! What lives here: the lists of dangerous tags, attributes and URL schemes (facts from libinjection, see `NOTICE`) and
//! the reading of an input at the five places of a page where it may stand.

use memchr::memchr;

use super::html::{HtmlKind, HtmlToken, HtmlTokens, Place};

/// Reads the input at each place where it could do harm.
pub(super) fn judge(input: &[u8]) -> bool {
    // Without its closing quote a quoted value never ends, and without `<` text is only text.
    let has = |byte| memchr(byte, input).is_some();
    (has(b'<') && is_harmful_at(input, Place::Text))
        || is_harmful_at(input, Place::Tag)
        || (has(b'\'') && is_harmful_at(input, Place::SingleQuoted))
        || (has(b'"') && is_harmful_at(input, Place::DoubleQuoted))
        || (has(b'`') && is_harmful_at(input, Place::BackQuoted))
}

/// [`judge`] without its short cuts.
pub(super) fn judge_every_reading(input: &[u8]) -> bool {
    [Place::Text, Place::Tag, Place::SingleQuoted, Place::DoubleQuoted, Place::BackQuoted]
        .into_iter()
        .any(|place| is_harmful_at(input, place))
}

fn is_harmful_at(input: &[u8], place: Place) -> bool {
    let mut attribute = Attribute::Harmless;
    for HtmlToken { kind, text } in HtmlTokens::new(input, place) {
        let owner = std::mem::replace(&mut attribute, Attribute::Harmless);
        let harmful = match kind {
            HtmlKind::Doctype => true,
            HtmlKind::TagNameOpen => is_dangerous_tag(text),
            HtmlKind::AttributeName => {
                attribute = Attribute::of(text);
                false
            }
            HtmlKind::AttributeValue => owner.is_harmful_with(text),
            HtmlKind::Comment => is_dangerous_comment(text),
            HtmlKind::Text | HtmlKind::TagNameClose | HtmlKind::TagNameSelfClose | HtmlKind::TagClose => {
                false
            }
        };
        if harmful {
            return true;
        }
    }
    false
}

/// What the name of an attribute says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Harmless,
    /// Runs script or styles, whatever the value.
    Dangerous,
    /// Holds a URL.
    Url,
    /// Holds the name of another attribute (SVG animation).
    NamesAnother,
}

impl Attribute {
    fn of(name: &[u8]) -> Self {
        if name.len() < 2 {
            return Self::Harmless;
        }
        if name.len() >= 5 {
            // Event handlers, and what gives a document new kinds of tags.
            let prefixes: [&[u8]; 3] = [b"ON", b"XMLNS", b"XLINK"];
            if prefixes.iter().any(|prefix| name[..prefix.len()].eq_ignore_ascii_case(prefix)) {
                return Self::Dangerous;
            }
        }
        let Some(name) = Name::of(name) else { return Self::Harmless };
        match name.as_bytes() {
            b"ACTION" | b"BACKGROUND" | b"BY" | b"DYNSRC" | b"FOLDER" | b"FORMACTION" | b"FROM"
            | b"HANDLER" | b"HREF" | b"LOWSRC" | b"POSTER" | b"SRC" | b"TO" | b"VALUES" | b"XLINK:HREF" => {
                Self::Url
            }
            b"DATAFORMATAS" | b"DATASRC" | b"FILTER" | b"STYLE" => Self::Dangerous,
            b"ATTRIBUTENAME" => Self::NamesAnother,
            _ => Self::Harmless,
        }
    }

    fn is_harmful_with(self, value: &[u8]) -> bool {
        match self {
            Self::Harmless => false,
            Self::Dangerous => true,
            Self::Url => is_dangerous_url(value),
            Self::NamesAnother => Self::of(value) != Self::Harmless,
        }
    }
}

fn is_dangerous_tag(name: &[u8]) -> bool {
    if name.len() < 3 {
        return false;
    }
    if name[..3].eq_ignore_ascii_case(b"SVG") || name[..3].eq_ignore_ascii_case(b"XSL") {
        return true;
    }
    Name::of(name).is_some_and(|name| {
        matches!(
            name.as_bytes(),
            b"APPLET"
                | b"BASE"
                | b"COMMENT"
                | b"EMBED"
                | b"FRAME"
                | b"FRAMESET"
                | b"HANDLER"
                | b"IFRAME"
                | b"IMPORT"
                | b"ISINDEX"
                | b"LINK"
                | b"LISTENER"
                | b"META"
                | b"NOSCRIPT"
                | b"OBJECT"
                | b"SCRIPT"
                | b"STYLE"
                | b"VMLFRAME"
                | b"XML"
                | b"XSS"
        )
    })
}

/// Comments that Internet Explorer acts on: a backtick ends them early, conditions and pseudo tags run.
fn is_dangerous_comment(text: &[u8]) -> bool {
    let starts_with =
        |prefix: &[u8]| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    memchr(b'`', text).is_some()
        || (text.len() > 3 && (starts_with(b"[IF") || starts_with(b"XML")))
        || starts_with(b"IMPORT")
        || starts_with(b"ENTITY")
}

fn is_dangerous_url(value: &[u8]) -> bool {
    const SCHEMES: [&[u8]; 4] = [b"DATA", b"VIEW-SOURCE", b"JAVA", b"VBSCRIPT"];
    let start = value.iter().position(|byte| matches!(byte, 33..=126)).unwrap_or(value.len());
    let mut head = [0; 11]; // "VIEW-SOURCE"
    let mut len = 0;
    for (slot, letter) in head.iter_mut().zip(UrlLetters { rest: &value[start..], at_start: true }) {
        *slot = letter;
        len += 1;
    }
    SCHEMES.iter().any(|scheme| head[..len].starts_with(scheme))
}

/// The capitals of a URL with numeric character references decoded, and with what browsers skip left out: white space
/// and control characters at the start, NUL and line feed anywhere.
struct UrlLetters<'a> {
    rest: &'a [u8],
    at_start: bool,
}

impl Iterator for UrlLetters<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        while !self.rest.is_empty() {
            let (value, len) = decode_reference(self.rest);
            self.rest = &self.rest[len..];
            if self.at_start && value <= 32 {
                continue;
            }
            self.at_start = false;
            if value == 0 || value == 10 {
                continue;
            }
            // Only the low eight bits are compared, so `&#x144;` is a D; only true small letters become capitals.
            let capital = if (0x61..=0x7a).contains(&value) { value - 0x20 } else { value };
            return Some(capital as u8);
        }
        None
    }
}

/// The value of the character reference, or else of the byte, that `text` starts with, and how many bytes it takes.
///
/// Named references are not decoded, the semicolon may be missing, and a value above 0x1000FF (sic) is none.
/// Precondition: `text` is not empty.
fn decode_reference(text: &[u8]) -> (u32, usize) {
    let plain = (u32::from(text[0]), 1);
    let (radix, digits_start) = match text {
        [b'&', b'#', b'x' | b'X', ..] => (16, 3),
        [b'&', b'#', ..] => (10, 2),
        _ => return plain,
    };
    let mut value = 0;
    let mut len = digits_start;
    while let Some(digit) = text.get(len).and_then(|&byte| char::from(byte).to_digit(radix)) {
        value = value * radix + digit;
        if value > 0x10_00ff {
            return plain;
        }
        len += 1;
    }
    if len == digits_start {
        return plain;
    }
    (value, len + usize::from(text.get(len) == Some(&b';')))
}

/// A name in capitals and without NULs, if it is short enough to be on a list.
struct Name {
    letters: [u8; Self::LEN_MAX],
    len: usize,
}

impl Name {
    /// "ATTRIBUTENAME", the longest on any list.
    const LEN_MAX: usize = 13;

    fn of(raw: &[u8]) -> Option<Self> {
        let mut name = Self { letters: [0; Self::LEN_MAX], len: 0 };
        for &byte in raw.iter().filter(|&&byte| byte != 0) {
            *name.letters.get_mut(name.len)? = byte.to_ascii_uppercase();
            name.len += 1;
        }
        Some(name)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.letters[..self.len]
    }
}
