//! Redaction: what a log or an event may show of an exchange.
//!
//! An [`Excerpt`] is text that may leave the process: masked, bounded and printable. Only a [`Redactor`] makes one, so
//! whoever writes a log cannot forget to mask. The idea to hold: masking works on *places*. A pass over a text collects
//! the ranges that are secret, by what names them (`password=`, `"token":`, `Cookie:`) or by what they are (a card
//! number), and all of them are then replaced by stars.
//!
//! What is masked where nothing matched:
//!
//! - values of `Authorization` and `Proxy-Authorization` (a known scheme word stays), of `Cookie` and `Set-Cookie`
//!   (names and attributes stay), and of headers with a name of the next kind;
//! - values of arguments, fields, keys, elements and attributes whose name holds one of [`NAME_PARTS`] or
//!   [`JOINED_NAME_PARTS`], or is one of [`NAMES`], ASCII case ignored, or was given by the configuration;
//! - numbers of 13 to 19 digits that pass Luhn's check and begin as card numbers do, grouped or not, in any text.
//!
//! What a finding is about is shown, but for card numbers: [`Redactor::finding`]. Whoever hides an attack from the
//! person who has to judge it protects the attacker.
//!
//! Not here: which texts there are and which of them matched (`palisade-inspect`), and what a log line looks like
//! (`palisade-events`). Every pass is linear in its text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

/// Parts of a name that make its value a secret.
pub const NAME_PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "authorization",
    "sessid",
];

/// The same, with `_`, `-`, `.`, brackets and blanks in the name ignored: `api_key`, `x-api-key`, `apiKey`.
pub const JOINED_NAME_PARTS: &[&str] =
    &["apikey", "accesskey", "privatekey", "authkey", "secretkey", "sessionid", "cardnumber", "creditcard"];

/// Names, or words of a name (`user_pass`, `user[pin]`), whose value is a secret. `passenger` and `spin` are not.
pub const NAMES: &[&str] = &["pass", "pw", "pin", "cvv", "cvc", "cvv2", "otp", "jwt", "ccnum", "auth"];

/// Text that may leave the process: masked, printable and bounded. One line, or for bodies several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Excerpt {
    text: String,
    left_out_bytes: usize,
}

impl Excerpt {
    /// The text: printable characters, everything else as `\xHH`. Line ends and tabs only in a body.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many bytes of the original did not fit, at least.
    pub fn left_out_bytes(&self) -> usize {
        self.left_out_bytes
    }

    /// The same, where the original had so many bytes more that nobody kept.
    #[must_use]
    pub fn with_left_out(mut self, bytes: usize) -> Self {
        self.left_out_bytes += bytes;
        self
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How a body is written, as far as its kind is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// `name=value&name=value`.
    Form,
    /// JSON.
    Json,
    /// Anything else, multipart and XML included: names are looked for in the text.
    Text,
}

/// What is secret. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// Further parts of names, lower case, without separators.
    parts: Arc<[Vec<u8>]>,
    /// Names whose value is hidden whatever matched.
    hidden: Vec<Place>,
    /// Names whose value is shown, because a finding is about it.
    shown: Vec<Place>,
    /// Values that are masked wherever a composite text holds them.
    values: Vec<Vec<u8>>,
    /// More places were to be hidden than are kept: everything is.
    hides_all: bool,
}

/// Where a value stands, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An argument of query or body.
    Argument(Vec<u8>),
    /// A cookie of the request.
    Cookie(Vec<u8>),
    /// A header of the request.
    RequestHeader(Vec<u8>),
    /// A header of the response.
    ResponseHeader(Vec<u8>),
}

impl Place {
    fn is_argument(&self, name: &[u8]) -> bool {
        matches!(self, Place::Argument(own) if own.eq_ignore_ascii_case(name))
    }

    fn is(&self, other: &Place) -> bool {
        match (self, other) {
            (Place::Argument(a), Place::Argument(b))
            | (Place::Cookie(a), Place::Cookie(b))
            | (Place::RequestHeader(a), Place::RequestHeader(b))
            | (Place::ResponseHeader(a), Place::ResponseHeader(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }
}

/// Known values that a redactor looks for at most, the shortest that is one, and how much of one is looked at.
const VALUES_MAX: usize = 32;
const VALUE_BYTES_MIN: usize = 4;
const VALUE_BYTES_MAX: usize = 4096;
/// Places of one exchange that are hidden or shown at most. Over it all is hidden, or the further ones are.
const PLACES_MAX: usize = 128;

impl Redactor {
    /// The built-in masks.
    pub fn new() -> Self {
        Self::default()
    }

    /// The built-in masks, and names of a configuration: a name that holds one of them is masked, ASCII case,
    /// `_`, `-` and `.` ignored.
    pub fn with_names<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let parts =
            names.into_iter().map(|name| joined(name.as_ref().as_bytes())).filter(|name| !name.is_empty());
        Self { parts: parts.collect(), ..Self::default() }
    }

    /// The same for one exchange: hides the values of some places whatever matched there (SecLang's `sanitise*`).
    #[must_use]
    pub fn hiding(mut self, places: impl IntoIterator<Item = Place>) -> Self {
        self.hidden.extend(places.into_iter().take(PLACES_MAX + 1));
        self.hides_all = self.hidden.len() > PLACES_MAX;
        self
    }

    /// The same for one exchange: shows the values of some places, because a finding is about them.
    #[must_use]
    pub fn showing(mut self, places: impl IntoIterator<Item = Place>) -> Self {
        self.shown.extend(places.into_iter().take(PLACES_MAX));
        self
    }

    /// The same for one exchange: masks values that are known to be secret in [`text`](Self::text), where decoding has
    /// lost what separated them. The first 32 of 4 bytes and more.
    #[must_use]
    pub fn knowing<'v>(mut self, values: impl IntoIterator<Item = &'v [u8]>) -> Self {
        for value in values {
            if self.values.len() >= VALUES_MAX {
                break;
            }
            if value.len() >= VALUE_BYTES_MIN {
                let value = &value[..value.len().min(VALUE_BYTES_MAX)];
                self.values.push(value.to_vec());
                let lower = value.to_ascii_lowercase();
                if lower != value {
                    self.values.push(lower);
                }
            }
        }
        self
    }

    /// Whether a value of this name is a secret. Percent-escapes in the name are seen through.
    pub fn hides(&self, name: &[u8]) -> bool {
        let name = percent_decoded(name);
        let name = &*name;
        if NAME_PARTS.iter().any(|part| holds(name, part.as_bytes())) {
            return true;
        }
        if words(name).any(|word| NAMES.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()))) {
            return true;
        }
        let joined = joined(name);
        JOINED_NAME_PARTS.iter().any(|part| memmem::find(&joined, part.as_bytes()).is_some())
            || self.parts.iter().any(|part| memmem::find(&joined, part).is_some())
    }

    /// Whether a place's value is masked.
    pub fn hides_place(&self, place: &Place) -> bool {
        if self.is_hidden_by_rule(place) {
            return true;
        }
        if self.shown.iter().any(|shown| shown.is(place)) {
            return false;
        }
        match place {
            Place::Argument(name) => self.hides(name),
            Place::Cookie(_) => true,
            Place::RequestHeader(name) | Place::ResponseHeader(name) => {
                matches!(header_kind(name), HeaderKind::Credentials | HeaderKind::Cookies) || self.hides(name)
            }
        }
    }

    /// Whether a rule asked for this place to be hidden.
    pub fn is_hidden_by_rule(&self, place: &Place) -> bool {
        self.hides_all || self.hidden.iter().any(|hidden| hidden.is(place))
    }

    /// What we or the rules say, made printable: no part of it comes from a client.
    pub fn words(&self, text: &str) -> Excerpt {
        excerpt(text.as_bytes(), &Spans::default(), usize::MAX, Lines::One)
    }

    /// A finding's own text: shown as it is, but for card numbers.
    pub fn finding(&self, text: &[u8], bytes_max: usize) -> Excerpt {
        let text = window(text, bytes_max);
        let mut spans = Spans::default();
        cards(text.seen, &mut spans);
        excerpt_of(&text, &spans, bytes_max, Lines::One)
    }

    /// Any text of a client on one line: secrets are found by the names in it.
    pub fn text(&self, text: &[u8], bytes_max: usize) -> Excerpt {
        let text = window(text, bytes_max);
        let mut spans = Spans::default();
        self.known(text.seen, &mut spans);
        self.in_text(text.seen, 0, &mut spans);
        cards(text.seen, &mut spans);
        excerpt_of(&text, &spans, bytes_max, Lines::One)
    }

    /// A request target: secrets of the query and of the authority are masked.
    pub fn target(&self, target: &[u8], bytes_max: usize) -> Excerpt {
        let text = window(target, bytes_max);
        let mut spans = Spans::default();
        let (path, query) = match memchr::memchr(b'?', text.seen) {
            Some(at) => (&text.seen[..at], Some(at + 1)),
            None => (text.seen, None),
        };
        if let Some(authority) = memmem::find(path, b"://").map(|at| at + 3) {
            let end = path[authority..]
                .iter()
                .position(|byte| *byte == b'/')
                .map_or(path.len(), |at| authority + at);
            if let Some(at) = memchr::memrchr(b'@', &path[authority..end]) {
                spans.add(authority..authority + at);
            }
        }
        self.in_text(path, 0, &mut spans);
        if let Some(at) = query {
            self.in_form(&text.seen[at..], at, &mut spans);
        }
        cards(text.seen, &mut spans);
        excerpt_of(&text, &spans, bytes_max, Lines::One)
    }

    /// The value of a header at a place; `Argument` and `Cookie` are not asked for here and read as text.
    pub fn header(&self, place: &Place, value: &[u8], bytes_max: usize) -> Excerpt {
        let text = window(value, bytes_max);
        let mut spans = Spans::default();
        let (Place::RequestHeader(name)
        | Place::ResponseHeader(name)
        | Place::Argument(name)
        | Place::Cookie(name)) = place;
        if self.is_hidden_by_rule(place) {
            spans.add(0..text.seen.len());
        } else if self.hides_place(place) {
            match header_kind(name) {
                HeaderKind::Credentials => spans.add(credentials(text.seen)),
                HeaderKind::Cookies if name.eq_ignore_ascii_case(b"set-cookie") => {
                    set_cookie(text.seen, &mut spans)
                }
                HeaderKind::Cookies => self.in_cookies(text.seen, &mut spans),
                HeaderKind::Other => spans.add(0..text.seen.len()),
            }
        } else if !self.shown.iter().any(|shown| shown.is(place)) {
            self.in_text(text.seen, 0, &mut spans);
        }
        cards(text.seen, &mut spans);
        excerpt_of(&text, &spans, bytes_max, Lines::One)
    }

    /// A body, line ends kept.
    pub fn body(&self, form: BodyForm, body: &[u8], bytes_max: usize) -> Excerpt {
        let text = window(body, bytes_max);
        let mut spans = Spans::default();
        match form {
            BodyForm::Form => self.in_form(text.seen, 0, &mut spans),
            BodyForm::Json => self.in_json(text.seen, 0, &mut spans),
            BodyForm::Text => self.in_text(text.seen, 0, &mut spans),
        }
        cards(text.seen, &mut spans);
        excerpt_of(&text, &spans, bytes_max, Lines::Many)
    }

    /// A value of which rules let so many bytes be seen at both ends.
    pub fn all_but_ends(&self, text: &[u8], keep_start: usize, keep_end: usize, bytes_max: usize) -> Excerpt {
        let mut spans = Spans::default();
        let start = keep_start.min(text.len());
        spans.add(start..text.len().saturating_sub(keep_end).max(start));
        let all = Window { seen: text, left_out: 0 };
        excerpt_of(&all, &spans, bytes_max, Lines::One)
    }

    /// The values that are known to be secret.
    fn known(&self, text: &[u8], spans: &mut Spans) {
        for value in &self.values {
            for at in memmem::find_iter(text, value) {
                spans.add(at..at + value.len());
            }
        }
    }

    /// Arguments: a hidden name hides its value, and a value that is itself a document with a secret in it is hidden
    /// as a whole, because its bytes are encoded.
    fn in_form(&self, text: &[u8], base: usize, spans: &mut Spans) {
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

    fn in_cookies(&self, text: &[u8], spans: &mut Spans) {
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
    fn in_json(&self, text: &[u8], base: usize, spans: &mut Spans) {
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
    fn in_text(&self, text: &[u8], base: usize, spans: &mut Spans) {
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

    fn hides_argument(&self, name: &[u8]) -> bool {
        if self.hides_all || self.hidden.iter().any(|place| place.is_argument(name)) {
            return true;
        }
        !self.shown.iter().any(|place| place.is_argument(name)) && self.hides(name)
    }
}

/// What stands between a name and its value.
struct Separator {
    /// `=` or `:`.
    by: u8,
    /// The name stood in quotes.
    quoted_name: bool,
    /// Where the value begins.
    value: usize,
}

/// Blanks that may stand on either side of a separator.
const BLANKS_MAX: usize = 8;

fn separator_after(text: &[u8], mut at: usize) -> Option<Separator> {
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
fn value_at(text: &[u8], separator: &Separator, kind: HeaderKind) -> Range<usize> {
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
const PART_HEADERS_BYTES_MAX: usize = 512;
/// How much of such a name is looked at.
const PART_NAME_BYTES_MAX: usize = 256;

/// The content of a part whose `name=` parameter has its value at `at`, when that name hides it.
fn part_of_multipart(text: &[u8], at: usize, hides: impl Fn(&[u8]) -> bool) -> Option<Range<usize>> {
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

fn end_of_quoted(text: &[u8], start: usize, quote: u8) -> usize {
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

fn end_of_string(text: &[u8], start: usize) -> usize {
    end_of_quoted(text, start, b'"')
}

/// Behind the bracket that closes the one at `start`, or the text's end.
fn end_of_brackets(text: &[u8], start: usize) -> usize {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderKind {
    Credentials,
    Cookies,
    Other,
}

fn header_kind(name: &[u8]) -> HeaderKind {
    let is = |one: &str| name.eq_ignore_ascii_case(one.as_bytes());
    if is("authorization") || is("proxy-authorization") {
        HeaderKind::Credentials
    } else if is("cookie") || is("set-cookie") || is("cookie2") || is("set-cookie2") {
        HeaderKind::Cookies
    } else {
        HeaderKind::Other
    }
}

/// Scheme words that may stay before masked credentials.
const SCHEMES: &[&str] = &[
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

fn credentials(value: &[u8]) -> Range<usize> {
    let word = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let is_scheme = SCHEMES.iter().any(|scheme| value[..word].eq_ignore_ascii_case(scheme.as_bytes()));
    (if is_scheme { (word + 1).min(value.len()) } else { 0 })..value.len()
}

fn set_cookie(value: &[u8], spans: &mut Spans) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    spans.add(memchr::memchr(b'=', &value[..end]).map_or(0, |equals| equals + 1)..end);
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'%' | b'$')
        || byte >= 0x80
}

/// Whether a name holds a part, which is lower case.
fn holds(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// A name in lower case, without what separates its words.
fn joined(name: &[u8]) -> Vec<u8> {
    let kept = |byte: &u8| !matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b' ' | b':');
    name.iter().copied().filter(|byte| kept(byte)).map(|byte| byte.to_ascii_lowercase()).collect()
}

/// The words of a name: `user_pass`, `userPass` and `user[pass]` have two. Digits belong to their word.
fn words(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|byte| !byte.is_ascii_alphanumeric()).flat_map(|run| {
        let mut rest = run;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let turn =
                rest.windows(2).position(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
            let (word, after) = rest.split_at(turn.map_or(rest.len(), |at| at + 1));
            rest = after;
            Some(word)
        })
    })
}

fn percent_decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let hex = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    Cow::Owned(out)
}

/// A JSON string's text, as far as names need it: `\uHHHH` of ASCII, and `\` before anything else dropped.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let digits = text.get(at + 1..at + 5).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (text.get(at), code) {
            (Some(b'u'), Some(code)) => {
                out.push(code);
                at += 5;
            }
            (Some(&other), _) => {
                out.push(other);
                at += 1;
            }
            (None, _) => {}
        }
    }
    Cow::Owned(out)
}

/// Most digits of a card number, and fewest.
const CARD_DIGITS_MAX: usize = 19;
const CARD_DIGITS_MIN: usize = 13;

/// Card numbers: 13 to 19 digits that begin with 2 to 6 and pass Luhn's check, whole groups of digits between single
/// blanks, hyphens, dots, pluses or their percent-escapes. Times in microseconds begin with 1 and are none.
fn cards(text: &[u8], spans: &mut Spans) {
    let digit = |at: usize| text.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0');
    let mut at = 0;
    while at < text.len() {
        let is_escape =
            text[at] == b'%' && text.len() > at + 2 && text[at + 1..at + 3].iter().all(u8::is_ascii_hexdigit);
        if is_escape && let Some(span) = card_at(text, at + 3) {
            spans.add(span);
        }
        if digit(at).is_some() {
            if let Some(span) = card_at(text, at) {
                spans.add(span);
            }
            // Numbers begin where digits do.
            while digit(at).is_some() {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
}

/// The longest card number that begins at `start`.
fn card_at(text: &[u8], start: usize) -> Option<Range<usize>> {
    if !matches!(text.get(start), Some(b'2'..=b'6')) {
        return None;
    }
    let mut digits = [0u8; CARD_DIGITS_MAX];
    let mut count = 0;
    let mut at = start;
    let mut longest = None;
    while let Some(byte) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
        if count == CARD_DIGITS_MAX {
            break;
        }
        digits[count] = byte - b'0';
        count += 1;
        at += 1;
        if text.get(at).is_some_and(u8::is_ascii_digit) {
            continue;
        }
        if count >= CARD_DIGITS_MIN && luhn(&digits[..count]) {
            longest = Some(start..at);
        }
        match &text[at..] {
            [b' ' | b'-' | b'.' | b'+', next, ..] if next.is_ascii_digit() => at += 1,
            [b'%', b'2', b'0' | b'D' | b'd', next, ..] if next.is_ascii_digit() => at += 3,
            _ => break,
        }
    }
    longest
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            match (place % 2, digit) {
                (0, _) => digit,
                (_, 0..=4) => digit * 2,
                _ => digit * 2 - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Ranges of a text that are not shown, in any order.
#[derive(Debug, Default)]
struct Spans(Vec<Range<usize>>);

impl Spans {
    fn add(&mut self, span: Range<usize>) {
        if !span.is_empty() {
            self.0.push(span);
        }
    }

    /// In order, those that touch joined.
    fn merged(&self) -> Vec<Range<usize>> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by_key(|span| span.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(sorted.len());
        for span in sorted {
            match merged.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        merged
    }
}

/// The beginning of a text that is looked at, and how much is not.
struct Window<'t> {
    seen: &'t [u8],
    left_out: usize,
}

/// A secret that begins within the bound is recognised as a whole: the longest card number, written as widely as it
/// can be, is shorter than this.
const SLACK_BYTES: usize = 128;

fn window(text: &[u8], bytes_max: usize) -> Window<'_> {
    let seen = &text[..text.len().min(bytes_max.saturating_add(SLACK_BYTES))];
    Window { seen, left_out: text.len() - seen.len() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    One,
    Many,
}

fn excerpt_of(window: &Window<'_>, spans: &Spans, bytes_max: usize, lines: Lines) -> Excerpt {
    excerpt(window.seen, spans, bytes_max, lines).with_left_out(window.left_out)
}

/// Writes a text with its secrets as stars: as many as the next power of two of its length, from 4 to 64. So the class
/// of its length is told, and nothing of it.
fn excerpt(text: &[u8], spans: &Spans, bytes_max: usize, lines: Lines) -> Excerpt {
    let mut out = Printed { text: String::with_capacity(text.len().min(bytes_max)), bytes_max, lines };
    let mut at = 0;
    for span in spans.merged() {
        if let Err(printed) = out.push(&text[at..span.start]) {
            return out.cut(text.len() - at - printed);
        }
        let stars = span.len().next_power_of_two().clamp(4, 64);
        if out.text.len() + stars > bytes_max {
            return out.cut(text.len() - span.start);
        }
        out.text.extend(std::iter::repeat_n('*', stars));
        at = span.end;
    }
    match out.push(&text[at..]) {
        Ok(()) => out.cut(0),
        Err(printed) => out.cut(text.len() - at - printed),
    }
}

struct Printed {
    text: String,
    bytes_max: usize,
    lines: Lines,
}

impl Printed {
    fn cut(self, left_out_bytes: usize) -> Excerpt {
        Excerpt { text: self.text, left_out_bytes }
    }

    /// Appends a text; when it does not fit, the number of its bytes that did.
    fn push(&mut self, text: &[u8]) -> Result<(), usize> {
        let mut done = 0;
        for chunk in text.utf8_chunks() {
            let mut characters = chunk.valid().chars().peekable();
            while let Some(character) = characters.next() {
                let is_crlf = character == '\r' && characters.peek() == Some(&'\n');
                let is_kept = match character {
                    '\n' | '\t' => self.lines == Lines::Many,
                    '\r' => self.lines == Lines::Many && is_crlf,
                    _ => is_printable(character),
                };
                if is_kept {
                    if self.text.len() + character.len_utf8() > self.bytes_max {
                        return Err(done);
                    }
                    self.text.push(character);
                } else {
                    let mut bytes = [0; 4];
                    self.push_escaped(character.encode_utf8(&mut bytes).as_bytes()).map_err(|()| done)?;
                }
                done += character.len_utf8();
            }
            self.push_escaped(chunk.invalid()).map_err(|()| done)?;
            done += chunk.invalid().len();
        }
        Ok(())
    }

    fn push_escaped(&mut self, bytes: &[u8]) -> Result<(), ()> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        if self.text.len() + 4 * bytes.len() > self.bytes_max {
            return Err(());
        }
        for byte in bytes {
            self.text.push_str("\\x");
            self.text.push(char::from(HEX[usize::from(byte >> 4)]));
            self.text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        Ok(())
    }
}

/// Characters that stand in a log as they are. Not those that move, hide or reorder others: a terminal obeys them.
fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests;
