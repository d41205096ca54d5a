//! Where secrets stand in a text: by the names before them, in every form that names a value.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use super::excerpt::Spans;
use super::names::{HeaderKind, header_kind, percent_decoded, unescaped};
use super::{Place, Redactor};

impl Redactor {
    /// The values that are known to be secret.
    pub(super) fn known(&self, text: &[u8], spans: &mut Spans) {
        for value in &self.values {
            for at in memmem::find_iter(text, value) {
                spans.add(at..at + value.len());
            }
        }
    }

    /// Arguments: a hidden name hides its value, and a value that is itself a document with a secret in it is hidden
    /// as a whole, because its bytes are encoded.
    pub(super) fn in_form(&self, text: &[u8], base: usize, spans: &mut Spans) {
        let mut start = 0;
        for piece in text.split(|byte| *byte == b'&') {
            let at = base + start;
            start += piece.len() + 1;
            let Some(equals) = memchr::memchr(b'=', piece) else {
                // A text without a name, such as a body of another kind that only says that it is a form.
                self.in_text(piece, at, spans);
                continue;
            };
            let value = at + equals + 1..at + piece.len();
            let (name, raw) = (&piece[..equals], &piece[equals + 1..]);
            if self.hides_argument(&percent_decoded(name)) {
                spans.add(value);
                continue;
            }
            let decoded = percent_decoded(raw);
            let mut inner = Spans::default();
            match decoded.first() {
                Some(b'{' | b'[') => self.in_json(&decoded, 0, &mut inner),
                _ if matches!(decoded, Cow::Borrowed(_))
                    || memmem::find(&decoded, b"://").is_some()
                    || decoded.first() == Some(&b'<') =>
                {
                    self.in_text(&decoded, 0, &mut inner);
                }
                _ => {}
            }
            match decoded {
                Cow::Borrowed(_) => inner.0.iter().for_each(|span| {
                    spans.add(value.start + span.start..value.start + span.end);
                }),
                Cow::Owned(_) if !inner.0.is_empty() => spans.add(value),
                Cow::Owned(_) => {}
            }
        }
    }

    pub(super) fn in_cookies(&self, text: &[u8], spans: &mut Spans) {
        let mut start = 0;
        for piece in text.split(|byte| *byte == b';') {
            let (at, end) = (start, start + piece.len());
            start = end + 1;
            match memchr::memchr(b'=', piece) {
                Some(equals) => {
                    let name = piece[..equals].trim_ascii().to_vec();
                    if self.hides_place(&Place::Cookie(name)) {
                        spans.add(at + equals + 1..end);
                    }
                }
                // No name: all of it may be the value.
                None => spans.add(at + piece.len() - piece.trim_ascii_start().len()..end),
            }
        }
    }

    /// JSON, also broken JSON: keys that hide hide all that is below them; other texts are read as texts.
    pub(super) fn in_json(&self, text: &[u8], base: usize, spans: &mut Spans) {
        let mut at = 0;
        let mut depth = 0usize;
        // The key before hides; the depth from which all is hidden.
        let mut hides_next = false;
        let mut hidden_from: Option<usize> = None;
        while let Some(&byte) = text.get(at) {
            match byte {
                b'"' => {
                    let end = end_of_string(text, at);
                    let inner = at + 1..end;
                    at = (end + 1).min(text.len());
                    let next = text[at..].iter().position(|byte| !byte.is_ascii_whitespace());
                    let is_key = next.is_some_and(|next| text[at + next] == b':');
                    if is_key {
                        let key = unescaped(&text[inner]);
                        hides_next = self.hides_argument(&key);
                    } else if hides_next || hidden_from.is_some() {
                        spans.add(base + inner.start..base + inner.end);
                    } else {
                        self.in_text(&text[inner.clone()], base + inner.start, spans);
                    }
                }
                b'{' | b'[' => {
                    if hides_next && hidden_from.is_none() {
                        hidden_from = Some(depth);
                    }
                    hides_next = false;
                    depth += 1;
                    at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if hidden_from.is_some_and(|from| depth <= from) {
                        hidden_from = None;
                    }
                    hides_next = false;
                    at += 1;
                }
                b',' => {
                    hides_next = false;
                    at += 1;
                }
                b':' => at += 1,
                _ if byte.is_ascii_whitespace() => at += 1,
                _ => {
                    let scalar = |byte: &u8| !matches!(byte, b'"' | b'{' | b'[' | b'}' | b']' | b',' | b':');
                    let length = text[at..].iter().position(|byte| !scalar(byte)).unwrap_or(text.len() - at);
                    if hides_next || hidden_from.is_some() {
                        spans.add(base + at..base + at + length);
                    } else {
                        self.in_text(&text[at..at + length], base + at, spans);
                    }
                    at += length;
                }
            }
        }
    }

    /// Any text: `name=value`, `"name": value`, `Name: value`, `<name>value</name>`, and parts of a multipart body.
    pub(super) fn in_text(&self, text: &[u8], base: usize, spans: &mut Spans) {
        let mut at = 0;
        while at < text.len() {
            let start = at;
            at += text[at..].iter().position(|byte| !is_name_byte(*byte)).unwrap_or(text.len() - at);
            if at == start {
                at += 1;
                continue;
            }
            let name = &text[start..at];
            let is_element = start > 0 && text[start - 1] == b'<';
            if is_element && self.hides_argument(name) {
                // `<password type="x">hunter2</password>`: from the end of the tag to the next.
                let Some(open) = text[at..].iter().position(|byte| matches!(byte, b'>' | b'<')) else {
                    continue;
                };
                if text[at + open] == b'>' {
                    let value = at + open + 1;
                    let end = text[value..]
                        .iter()
                        .position(|byte| *byte == b'<')
                        .map_or(text.len(), |end| value + end);
                    self.in_text(&text[at..value], base + at, spans);
                    spans.add(base + value..base + end);
                    at = end;
                }
                continue;
            }
            let Some(separator) = separator_after(text, at) else { continue };
            if name.eq_ignore_ascii_case(b"name")
                && let Some(value) =
                    part_of_multipart(text, separator.value, |name| self.hides_argument(name))
            {
                spans.add(base + value.start..base + value.end);
                at = value.end;
                continue;
            }
            let kind = header_kind(name);
            let hides = match kind {
                HeaderKind::Credentials => true,
                HeaderKind::Cookies => separator.by == b':',
                HeaderKind::Other => self.hides_argument(name),
            };
            if !hides {
                continue;
            }
            let value = value_at(text, &separator, kind);
            at = value.end.max(at);
            spans.add(base + value.start..base + value.end);
        }
    }
}

/// What stands between a name and its value.
pub(super) struct Separator {
    /// `=` or `:`.
    by: u8,
    /// The name stood in quotes.
    quoted_name: bool,
    /// Where the value begins.
    value: usize,
}

/// Blanks that may stand on either side of a separator.
pub(super) const BLANKS_MAX: usize = 8;

pub(super) fn separator_after(text: &[u8], mut at: usize) -> Option<Separator> {
    let mut quoted_name = false;
    if text.get(at) == Some(&b'\\') {
        at += 1;
    }
    if matches!(text.get(at), Some(b'"' | b'\'')) {
        quoted_name = true;
        at += 1;
    }
    let blanks = |at: usize, lines: bool| {
        text[at.min(text.len())..]
            .iter()
            .take(BLANKS_MAX)
            .take_while(|byte| matches!(byte, b' ' | b'\t') || lines && matches!(byte, b'\r' | b'\n'))
            .count()
    };
    at += blanks(at, quoted_name);
    let by = *text.get(at).filter(|byte| matches!(byte, b'=' | b':'))?;
    at += 1;
    // Ruby and PHP write `=>`.
    if by == b'=' && text.get(at) == Some(&b'>') {
        at += 1;
    }
    at += blanks(at, quoted_name);
    Some(Separator { by, quoted_name, value: at })
}

/// The range of the value after a separator.
pub(super) fn value_at(text: &[u8], separator: &Separator, kind: HeaderKind) -> Range<usize> {
    let start = separator.value.min(text.len());
    let rest = &text[start..];
    let until = |stops: &dyn Fn(u8) -> bool| {
        start..rest.iter().position(|byte| stops(*byte)).map_or(text.len(), |at| start + at)
    };
    let line = |byte: u8| matches!(byte, b'\r' | b'\n');
    match rest {
        // A scheme may precede quoted parameters.
        _ if kind != HeaderKind::Other => until(&line),
        [b'\\', quote @ (b'"' | b'\''), ..] => {
            let inner = &rest[2..];
            let end = memmem::find(inner, &[b'\\', *quote]).unwrap_or(inner.len());
            start + 2..start + 2 + end
        }
        [quote @ (b'"' | b'\'' | b'`'), ..] => start + 1..end_of_quoted(text, start, *quote),
        [b'{' | b'[', ..] if separator.quoted_name => start..end_of_brackets(text, start),
        _ if separator.by == b'=' => {
            until(&|byte| line(byte) || matches!(byte, b'&' | b'"' | b'\'' | b'<' | b'>'))
        }
        _ if separator.quoted_name => {
            until(&|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']' | b'"' | b'&'))
        }
        _ => until(&|byte| line(byte) || matches!(byte, b'<' | b'"' | b'&')),
    }
}

/// How far behind `name="..."` the blank line of a part is looked for.
pub(super) const PART_HEADERS_BYTES_MAX: usize = 512;

/// How much of such a name is looked at.
pub(super) const PART_NAME_BYTES_MAX: usize = 256;

/// The content of a part whose `name=` parameter has its value at `at`, when that name hides it.
pub(super) fn part_of_multipart(
    text: &[u8],
    at: usize,
    hides: impl Fn(&[u8]) -> bool,
) -> Option<Range<usize>> {
    let near = text.get(..text.len().min(at + PART_NAME_BYTES_MAX))?;
    let rest = near.get(at..)?;
    let (name, after) = match rest.first()? {
        quote @ (b'"' | b'\'') => {
            let end = end_of_quoted(near, at, *quote);
            (&text[at + 1..end], end)
        }
        _ => {
            let length =
                rest.iter().position(|byte| matches!(byte, b';' | b'\r' | b'\n' | b' ' | b'>' | b'&'));
            let end = at + length.unwrap_or(rest.len());
            (&text[at..end], end)
        }
    };
    if !hides(name) {
        return None;
    }
    let headers = &text[after..text.len().min(after + PART_HEADERS_BYTES_MAX)];
    let crlf = memmem::find(headers, b"\n\r\n").map(|at| at + 3);
    let lf = memmem::find(headers, b"\n\n").map(|at| at + 2);
    let start = after + [crlf, lf].into_iter().flatten().min()?;
    let end = memmem::find(&text[start.saturating_sub(1)..], b"\n--")
        .map_or(text.len(), |end| start.saturating_sub(1) + end);
    let end = end.max(start);
    // The line end before the boundary belongs to the boundary.
    let end = if end > start && text[end - 1] == b'\r' { end - 1 } else { end };
    Some(start..end)
}

pub(super) fn end_of_quoted(text: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            _ if byte == quote => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

pub(super) fn end_of_string(text: &[u8], start: usize) -> usize {
    end_of_quoted(text, start, b'"')
}

/// Behind the bracket that closes the one at `start`, or the text's end.
pub(super) fn end_of_brackets(text: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0usize;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at = end_of_string(text, at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Scheme words that may stay before masked credentials.
pub(super) const SCHEMES: &[&str] = &[
    "basic",
    "bearer",
    "digest",
    "negotiate",
    "ntlm",
    "token",
    "apikey",
    "aws4-hmac-sha256",
    "hmac",
    "dpop",
];

pub(super) fn credentials(value: &[u8]) -> Range<usize> {
    let word = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let is_scheme = SCHEMES.iter().any(|scheme| value[..word].eq_ignore_ascii_case(scheme.as_bytes()));
    (if is_scheme { (word + 1).min(value.len()) } else { 0 })..value.len()
}

pub(super) fn set_cookie(value: &[u8], spans: &mut Spans) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    spans.add(memchr::memchr(b'=', &value[..end]).map_or(0, |equals| equals + 1)..end);
}

pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'%' | b'$')
        || byte >= 0x80
}
