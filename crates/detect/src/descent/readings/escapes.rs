//! Texts in which single characters are spelled out.

use palisade_codec::ByteSet;
use palisade_codec::transform::hex::{hex_digit, hex_pair, hex_quad};
use palisade_codec::transform::{Effect, css, percent};

use super::{Made, Reading};
use crate::Decoding;

/// `%3C` and `%u003C` where something was decoded already.
pub(super) const PERCENT: Reading =
    Reading { decoding: Decoding::Percent, gate: ByteSet::of(b"%"), read: |text, _, _| read_percent(text) };

/// `&lt;` and `&#60;`, as browsers read them.
pub(super) const HTML: Reading =
    Reading { decoding: Decoding::HtmlEntities, gate: ByteSet::of(b"&"), read: |text, _, _| read_html(text) };

/// `\x3c`, `\u003c`, `\u{3c}`, `\74`.
pub(super) const JS: Reading =
    Reading { decoding: Decoding::JsEscapes, gate: ByteSet::of(b"\\"), read: |text, _, _| read_js(text) };

/// `\3c `, as style sheets spell characters.
pub(super) const CSS: Reading =
    Reading { decoding: Decoding::CssEscapes, gate: ByteSet::of(b"\\"), read: |text, _, _| read_css(text) };

fn read_percent(text: &[u8]) -> Made {
    // `100% sure` is no escape, and a blank for each `+` would be no other reading of it.
    let escapes = text.windows(3).any(|window| {
        window[0] == b'%' && (hex_pair(&window[1..]).is_some() || matches!(window[1], b'u' | b'U'))
    });
    if !escapes {
        return Made::NOTHING;
    }
    let mut out = Vec::new();
    match percent::url_decode_uni(text, &mut out, None) {
        Effect::Changed => Made::text(out),
        Effect::Unchanged => Made::NOTHING,
    }
}

fn read_html(text: &[u8]) -> Made {
    let mut out = Vec::with_capacity(text.len());
    let (mut rest, mut changed) = (text, false);
    while let Some(at) = memchr::memchr(b'&', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        match reference(rest) {
            Some((code, taken)) => {
                push_char(code, &mut out);
                rest = &rest[taken..];
                changed = true;
            }
            None => {
                out.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    if changed { Made::text(out) } else { Made::NOTHING }
}

/// A character reference at the beginning of a text: its character, and how long it is. Numbers need no semicolon, names
/// need one but for the oldest.
fn reference(text: &[u8]) -> Option<(u32, usize)> {
    if text.get(1) == Some(&b'#') {
        let (radix, start) = if matches!(text.get(2), Some(b'x' | b'X')) { (16, 3) } else { (10, 2) };
        let digits =
            text[start..].iter().map_while(|byte| char::from(*byte).to_digit(radix)).take(DIGITS_MAX);
        let (mut code, mut length) = (0_u32, 0);
        for digit in digits {
            code = code.saturating_mul(radix).saturating_add(digit);
            length += 1;
        }
        let end = start + length;
        let semicolon = usize::from(text.get(end) == Some(&b';'));
        return (length > 0).then_some((code, end + semicolon));
    }
    let length =
        text[1..].iter().take(NAME_BYTES_MAX).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name = &text[1..1 + length];
    let closed = text.get(1 + length) == Some(&b';');
    let known = NAMES.iter().find(|(known, _)| known.as_bytes() == name && closed).or_else(|| {
        OLD_NAMES.iter().find(|(known, _)| {
            name.get(..known.len()).is_some_and(|head| head.eq_ignore_ascii_case(known.as_bytes()))
        })
    })?;
    let end = 1 + known.0.len();
    Some((known.1.into(), end + usize::from(text.get(end) == Some(&b';'))))
}

/// Leading zeros are free, and some filters count digits.
const DIGITS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 24;

/// Names that browsers read without a semicolon.
const OLD_NAMES: &[(&str, u8)] = &[("lt", b'<'), ("gt", b'>'), ("amp", b'&'), ("quot", b'"')];

/// Names of the ASCII characters that mean something to anybody (HTML Living Standard, 13.5).
const NAMES: &[(&str, u8)] = &[
    ("Tab", b'\t'),
    ("NewLine", b'\n'),
    ("excl", b'!'),
    ("QUOT", b'"'),
    ("num", b'#'),
    ("dollar", b'$'),
    ("percnt", b'%'),
    ("apos", b'\''),
    ("lpar", b'('),
    ("rpar", b')'),
    ("ast", b'*'),
    ("midast", b'*'),
    ("plus", b'+'),
    ("comma", b','),
    ("period", b'.'),
    ("sol", b'/'),
    ("colon", b':'),
    ("semi", b';'),
    ("equals", b'='),
    ("quest", b'?'),
    ("commat", b'@'),
    ("lsqb", b'['),
    ("lbrack", b'['),
    ("bsol", b'\\'),
    ("rsqb", b']'),
    ("rbrack", b']'),
    ("Hat", b'^'),
    ("lowbar", b'_'),
    ("grave", b'`'),
    ("DiacriticalGrave", b'`'),
    ("lcub", b'{'),
    ("lbrace", b'{'),
    ("verbar", b'|'),
    ("vert", b'|'),
    ("VerticalLine", b'|'),
    ("rcub", b'}'),
    ("rbrace", b'}'),
    ("nbsp", b' '),
];

fn read_js(text: &[u8]) -> Made {
    let mut out = Vec::with_capacity(text.len());
    let (mut rest, mut changed) = (text, false);
    let mut high: Option<u32> = None;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        match js_escape(&rest[1..]) {
            Some((code, taken)) => {
                match (high.take().filter(|_| at == 0), code) {
                    (Some(first), 0xdc00..=0xdfff) => {
                        push_char(0x10000 + (first << 10) + (code - 0xdc00), &mut out)
                    }
                    (_, 0xd800..=0xdbff) => high = Some(code - 0xd800),
                    _ => push_char(code, &mut out),
                }
                rest = &rest[1 + taken..];
                changed = true;
            }
            // Any other escape keeps its backslash: a Windows path is no JavaScript.
            None => {
                out.push(b'\\');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    if changed { Made::text(out) } else { Made::NOTHING }
}

/// What follows a backslash, if it spells a character by its number: the number, and how long it is.
fn js_escape(text: &[u8]) -> Option<(u32, usize)> {
    match text {
        [b'u', b'{', braced @ ..] => {
            let end = memchr::memchr(b'}', &braced[..braced.len().min(DIGITS_MAX)])?;
            let digits = std::str::from_utf8(&braced[..end]).ok()?;
            Some((u32::from_str_radix(digits, 16).ok()?, end + 3))
        }
        [b'u' | b'U', rest @ ..] => Some((hex_quad(rest)?.into(), 5)),
        [b'x' | b'X', rest @ ..] => Some((hex_pair(rest)?.into(), 3)),
        [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            Some((u32::from(a - b'0') << 6 | u32::from(b - b'0') << 3 | u32::from(c - b'0'), 3))
        }
        [a @ b'4'..=b'7', b @ b'0'..=b'7', ..] => Some((u32::from(a - b'0') << 3 | u32::from(b - b'0'), 2)),
        _ => None,
    }
}

fn read_css(text: &[u8]) -> Made {
    // Two digits at least: `\1` is a reference in somebody's pattern.
    let spelled = text
        .windows(3)
        .any(|window| window[0] == b'\\' && hex_digit(window[1]).is_some() && hex_digit(window[2]).is_some());
    let mut out = Vec::new();
    if spelled && css::decode(text, &mut out) == Effect::Changed { Made::text(out) } else { Made::NOTHING }
}

/// Writes a character by its number; what is none is a replacement character, and bytes stay bytes.
pub(super) fn push_char(code: u32, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::*;

    fn reads(read: fn(&[u8]) -> Made, text: &str) -> Option<String> {
        match read(text.as_bytes()).form {
            Form::Text(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => None,
        }
    }

    #[test]
    fn escapes_are_undone_and_other_texts_have_no_such_form() {
        type Case = (fn(&[u8]) -> Made, &'static str, Option<&'static str>);
        let cases: &[Case] = &[
            (read_percent, "%3Cb%3E", Some("<b>")),
            (read_percent, "%u003cb", Some("<b")),
            (read_percent, "100% sure + more", None),
            (read_html, "&lt;b&gt &#x3C;&#60 &colon;&#0000000060;", Some("<b> << :<")),
            (read_html, "AT&T &c. &copy; &unknown;", None),
            (read_html, "&colon", None),
            (read_js, r"\x3cb\u003e\u{3c}\74", Some("<b><<")),
            (read_js, r"\ud83d\ude00", Some("😀")),
            (read_js, r"C:\temp\new", None),
            (read_css, r"\65xp\000072ession", Some("expression")),
            (read_css, r"\1 and \2", None),
        ];
        for (read, text, expected) in cases {
            assert_eq!(reads(*read, text).as_deref(), *expected, "{text}");
        }
    }
}
