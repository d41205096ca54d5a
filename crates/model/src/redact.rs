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

mod cards;
mod excerpt;
mod names;
mod search;
mod stand_in;

use std::sync::Arc;

use memchr::memmem;

use self::cards::cards;
pub use self::excerpt::Excerpt;
use self::excerpt::{Lines, Spans, Window, excerpt, excerpt_of, window};
use self::names::{HeaderKind, header_kind, joined};
pub use self::names::{JOINED_NAME_PARTS, NAME_PARTS, NAMES};
use self::search::{credentials, set_cookie};
pub use self::stand_in::{StandIn, holds_stand_in};

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
        names::hides(name, &self.parts)
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
        self.in_target(text.seen, &mut spans);
        excerpt_of(&text, &spans, bytes_max, Lines::One)
    }

    fn in_target(&self, text: &[u8], spans: &mut Spans) {
        let (path, query) = match memchr::memchr(b'?', text) {
            Some(at) => (&text[..at], Some(at + 1)),
            None => (text, None),
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
        self.in_text(path, 0, spans);
        if let Some(at) = query {
            self.in_form(&text[at..], at, spans);
        }
        cards(text, spans);
    }

    /// The value of a header at a place; `Argument` and `Cookie` are not asked for here and read as text.
    pub fn header(&self, place: &Place, value: &[u8], bytes_max: usize) -> Excerpt {
        let text = window(value, bytes_max);
        let mut spans = Spans::default();
        self.in_header(place, text.seen, &mut spans);
        excerpt_of(&text, &spans, bytes_max, Lines::One)
    }

    fn in_header(&self, place: &Place, text: &[u8], spans: &mut Spans) {
        let (Place::RequestHeader(name)
        | Place::ResponseHeader(name)
        | Place::Argument(name)
        | Place::Cookie(name)) = place;
        if self.is_hidden_by_rule(place) {
            spans.add(0..text.len());
        } else if self.hides_place(place) {
            match header_kind(name) {
                HeaderKind::Credentials => spans.add(credentials(text)),
                HeaderKind::Cookies if name.eq_ignore_ascii_case(b"set-cookie") => set_cookie(text, spans),
                HeaderKind::Cookies => self.in_cookies(text, spans),
                HeaderKind::Other => spans.add(0..text.len()),
            }
        } else if !self.shown.iter().any(|shown| shown.is(place)) {
            self.in_text(text, 0, spans);
        }
        cards(text, spans);
    }

    /// A body, line ends kept.
    pub fn body(&self, form: BodyForm, body: &[u8], bytes_max: usize) -> Excerpt {
        let text = window(body, bytes_max);
        let mut spans = Spans::default();
        self.in_body(form, text.seen, &mut spans);
        excerpt_of(&text, &spans, bytes_max, Lines::Many)
    }

    fn in_body(&self, form: BodyForm, text: &[u8], spans: &mut Spans) {
        match form {
            BodyForm::Form => self.in_form(text, 0, spans),
            BodyForm::Json => self.in_json(text, 0, spans),
            BodyForm::Text => self.in_text(text, 0, spans),
        }
        cards(text, spans);
    }

    /// A value of which rules let so many bytes be seen at both ends.
    pub fn all_but_ends(&self, text: &[u8], keep_start: usize, keep_end: usize, bytes_max: usize) -> Excerpt {
        let mut spans = Spans::default();
        let start = keep_start.min(text.len());
        spans.add(start..text.len().saturating_sub(keep_end).max(start));
        let all = Window { seen: text, left_out: 0 };
        excerpt_of(&all, &spans, bytes_max, Lines::One)
    }

    fn hides_argument(&self, name: &[u8]) -> bool {
        if self.hides_all || self.hidden.iter().any(|place| place.is_argument(name)) {
            return true;
        }
        !self.shown.iter().any(|place| place.is_argument(name)) && self.hides(name)
    }
}

#[cfg(test)]
mod tests;
