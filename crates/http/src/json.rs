//! JSON flattened into arguments while it is read.
//!
//! A strict reader of RFC 8259: no comments, no trailing commas, no `NaN`, no byte order mark, valid UTF-8 only.
//! What stood before an error has been handed on already, and so is the value in which the error occurs, as far as
//! it was read.
//!
//! Names follow ModSecurity v3 (`json.cc`, observed on 3.0.9): `json` for the top, `.key` for a member,
//! `.array_N` for an element, `empty-key` for an empty key; numbers as written, `true`, `false`, nothing for `null`;
//! half a surrogate pair reads `?` (v3: a low one alone gives three bytes that are no UTF-8, and a high one
//! swallows the next escape). Differs: an empty object or array under a key gives that name with an empty
//! value, so that rules see the key; v3 gives nothing.

use crate::limits::{BoundedFields, note};
use crate::{BodyLimits, Fields, LimitHit};
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// A JSON text's leaves.
#[derive(Clone, Debug, Default)]
pub struct JsonOutcome {
    /// Leaves in order: `json.a.b.array_0` and the value as text.
    pub fields: Fields,
    /// Why the text is no JSON, and at which byte. An empty text is none.
    pub error: Option<String>,
    /// Names given twice in one object, in this text altogether. Odd, not an error. Not counted beyond
    /// [`BodyLimits::arguments_max`].
    pub duplicate_keys: usize,
    /// Bounds that were met.
    pub limit_hits: Vec<LimitHit>,
}

/// How leaves are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonNames {
    /// As SecLang's arguments: `json.user.array_0.name`. Two texts may have one name.
    Arguments,
    /// As pointers of RFC 6901: `/user/0/name`, the top being the empty one.
    Pointers,
}

/// Reads a JSON text that comes in pieces. O(n) and at most `key_bytes_max` for names. Memory: the value being read,
/// the path to it, and what is kept.
#[derive(Clone, Debug)]
pub struct JsonParser {
    kept: BoundedFields,
    names: JsonNames,
    depth_max: usize,
    error: Option<String>,
    duplicate_keys: usize,
    state: State,
    /// Open containers, the innermost last.
    stack: Vec<Frame>,
    /// The name of the value that is read or comes next.
    path: Vec<u8>,
    /// The string, number or word being read, decoded.
    text: Vec<u8>,
    /// Whether the string being read is a member's name.
    in_key: bool,
    /// A high surrogate that waits for its other half.
    high_surrogate: Option<u16>,
    /// Bytes read.
    offset: u64,
    /// Objects opened.
    objects: u64,
    /// Object and key of each member as a hash, to find duplicates. No more than fields are kept and containers open.
    keys: HashSet<u64, BuildHasherDefault<Mixed>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    KeyOrEnd,
    /// After a comma in an object.
    Key,
    Colon,
    CommaOrEnd,
    String,
    Escape,
    Unicode {
        digits: u8,
        unit: u16,
    },
    Number,
    Word,
    /// After the top value.
    End,
    Stopped,
}

#[derive(Clone, Debug)]
struct Frame {
    /// The length of the path that names the container.
    base: usize,
    kind: FrameKind,
    is_empty: bool,
}

#[derive(Clone, Copy, Debug)]
enum FrameKind {
    Object { id: u64 },
    Array { index: u64 },
}

impl JsonParser {
    /// A parser at the start of a text that names leaves as SecLang does.
    pub fn new(limits: &BodyLimits) -> Self {
        Self::with_names(limits, JsonNames::Arguments)
    }

    /// A parser at the start of a text.
    pub fn with_names(limits: &BodyLimits, names: JsonNames) -> Self {
        JsonParser {
            kept: BoundedFields::new(limits),
            names,
            depth_max: limits.json_depth_max,
            error: None,
            duplicate_keys: 0,
            state: State::Value,
            stack: Vec::new(),
            path: match names {
                JsonNames::Arguments => b"json".to_vec(),
                JsonNames::Pointers => Vec::new(),
            },
            text: Vec::new(),
            in_key: false,
            high_surrogate: None,
            offset: 0,
            objects: 0,
            keys: HashSet::default(),
        }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, mut chunk: &[u8]) {
        while let [byte, rest @ ..] = chunk {
            match self.state {
                State::Stopped => return,
                State::String if is_plain(*byte) => {
                    let run = plain_len(chunk);
                    self.end_surrogate();
                    self.text.extend_from_slice(&chunk[..run]);
                    self.offset += run as u64;
                    chunk = &chunk[run..];
                }
                State::Value | State::Key | State::Colon | State::CommaOrEnd if is_white(*byte) => {
                    self.offset += 1;
                    chunk = rest;
                }
                State::Number => {
                    let run = chunk.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    self.text.extend_from_slice(&chunk[..run]);
                    self.offset += run as u64;
                    chunk = &chunk[run..];
                    if let [byte, rest @ ..] = chunk {
                        self.byte(*byte);
                        self.offset += 1;
                        chunk = rest;
                    }
                }
                _ => {
                    self.byte(*byte);
                    self.offset += 1;
                    chunk = rest;
                }
            }
        }
    }

    /// Whether what was read so far cannot be the beginning of JSON.
    pub(crate) fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// Ends the text.
    pub fn finish(mut self) -> JsonOutcome {
        if matches!(self.state, State::Number) {
            self.end_number();
        }
        if matches!(self.state, State::Word) {
            self.end_word();
        }
        if !matches!(self.state, State::End | State::Stopped) && self.offset > 0 {
            self.fail("premature end of text");
        }
        JsonOutcome {
            fields: self.kept.fields,
            error: self.error,
            duplicate_keys: self.duplicate_keys,
            limit_hits: self.kept.hits,
        }
    }

    fn byte(&mut self, byte: u8) {
        match self.state {
            State::String => self.string_byte(byte),
            State::Escape => self.escape(byte),
            State::Unicode { digits, unit } => match crate::target::hex_digit(byte) {
                Some(digit) => {
                    let unit = unit << 4 | u16::from(digit);
                    if digits == 3 {
                        self.state = State::String;
                        self.unicode(unit);
                    } else {
                        self.state = State::Unicode { digits: digits + 1, unit };
                    }
                }
                None => self.fail("four hexadecimal digits expected after \\u"),
            },
            State::Number => match byte {
                b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E' => self.text.push(byte),
                _ => {
                    self.end_number();
                    self.byte(byte);
                }
            },
            State::Word => {
                if byte.is_ascii_alphabetic() && self.text.len() < 5 {
                    self.text.push(byte);
                } else {
                    self.end_word();
                    self.byte(byte);
                }
            }
            State::Stopped => {}
            _ if is_white(byte) => {}
            State::Value => self.value(byte),
            State::ValueOrEnd if byte == b']' => self.close(),
            State::ValueOrEnd => self.value(byte),
            State::KeyOrEnd if byte == b'}' => self.close(),
            State::KeyOrEnd | State::Key if byte == b'"' => {
                self.in_key = true;
                self.state = State::String;
            }
            State::KeyOrEnd | State::Key => self.fail("a name in quotes expected"),
            State::Colon if byte == b':' => self.state = State::Value,
            State::Colon => self.fail("a colon expected"),
            State::CommaOrEnd => match (byte, self.stack.last().map(|frame| frame.kind)) {
                (b',', Some(FrameKind::Object { .. })) => self.state = State::Key,
                (b',', Some(FrameKind::Array { .. })) => self.state = State::Value,
                (b'}', Some(FrameKind::Object { .. })) | (b']', Some(FrameKind::Array { .. })) => {
                    self.close()
                }
                (_, Some(FrameKind::Object { .. })) => self.fail("a comma or } expected"),
                _ => self.fail("a comma or ] expected"),
            },
            State::End => self.fail("trailing garbage"),
        }
    }

    /// A value begins.
    fn value(&mut self, byte: u8) {
        if let Some(Frame { kind: FrameKind::Array { index }, is_empty, .. }) = self.stack.last_mut() {
            *is_empty = false;
            self.path.extend_from_slice(match self.names {
                JsonNames::Arguments => b".array_",
                JsonNames::Pointers => b"/",
            });
            push_decimal(*index, &mut self.path);
            *index += 1;
        }
        match byte {
            b'{' => {
                self.objects += 1;
                self.open(FrameKind::Object { id: self.objects }, State::KeyOrEnd);
            }
            b'[' => self.open(FrameKind::Array { index: 0 }, State::ValueOrEnd),
            b'"' => {
                self.in_key = false;
                self.state = State::String;
            }
            b'-' | b'0'..=b'9' => {
                self.text.push(byte);
                self.state = State::Number;
            }
            b't' | b'f' | b'n' => {
                self.text.push(byte);
                self.state = State::Word;
            }
            _ => self.fail("a value expected"),
        }
    }

    fn open(&mut self, kind: FrameKind, state: State) {
        if self.stack.len() >= self.depth_max {
            note(&mut self.kept.hits, LimitHit::JsonDepth);
            let message = format!("more than {} levels", self.depth_max);
            return self.fail(&message);
        }
        self.stack.push(Frame { base: self.path.len(), kind, is_empty: true });
        self.state = state;
    }

    fn close(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        let under_key = matches!(self.stack.last(), Some(Frame { kind: FrameKind::Object { .. }, .. }));
        if frame.is_empty && under_key {
            self.kept.push(&self.path, b"");
        }
        self.end_value();
    }

    /// A value has ended and been handed on: its name goes.
    fn end_value(&mut self) {
        match self.stack.last() {
            Some(frame) => {
                self.path.truncate(frame.base);
                self.state = State::CommaOrEnd;
            }
            None => self.state = State::End,
        }
    }

    /// Hands on `text` as the current value.
    fn leaf(&mut self) {
        self.kept.push(&self.path, &self.text);
        self.text.clear();
        self.end_value();
    }

    fn string_byte(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.end_surrogate();
                let valid = std::str::from_utf8(&self.text).is_ok();
                if !valid {
                    self.fail("invalid UTF-8 in a string");
                } else if self.in_key {
                    self.end_key();
                    self.state = State::Colon;
                } else {
                    self.leaf();
                }
            }
            b'\\' => self.state = State::Escape,
            // All that `is_plain` leaves.
            _ => self.fail("a control byte in a string"),
        }
    }

    fn end_key(&mut self) {
        if let Some(Frame { kind: FrameKind::Object { id }, is_empty, .. }) = self.stack.last_mut() {
            *is_empty = false;
            if !self.kept.is_full() && !self.keys.insert(hash_of(*id, &self.text)) {
                self.duplicate_keys += 1;
            }
        }
        match self.names {
            JsonNames::Arguments => {
                self.path.push(b'.');
                if self.text.is_empty() {
                    self.path.extend_from_slice(b"empty-key");
                }
                self.path.append(&mut self.text);
            }
            JsonNames::Pointers => {
                self.path.push(b'/');
                push_pointer_step(&self.text, &mut self.path);
                self.text.clear();
            }
        }
    }

    fn escape(&mut self, byte: u8) {
        self.state = State::String;
        let decoded = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.state = State::Unicode { digits: 0, unit: 0 };
                return;
            }
            _ => return self.fail("an unknown escape in a string"),
        };
        self.end_surrogate();
        self.text.push(decoded);
    }

    fn unicode(&mut self, unit: u16) {
        if let (Some(high), 0xDC00..=0xDFFF) = (self.high_surrogate, unit) {
            self.high_surrogate = None;
            let code = 0x10000 + (u32::from(high - 0xD800) << 10) + u32::from(unit - 0xDC00);
            self.push_char(char::from_u32(code));
            return;
        }
        self.end_surrogate();
        match unit {
            0xD800..=0xDBFF => self.high_surrogate = Some(unit),
            _ => self.push_char(char::from_u32(u32::from(unit))),
        }
    }

    /// A high surrogate that stays alone.
    fn end_surrogate(&mut self) {
        if self.high_surrogate.take().is_some() {
            self.push_char(None);
        }
    }

    fn push_char(&mut self, char: Option<char>) {
        let mut buffer = [0; 4];
        self.text.extend_from_slice(char.unwrap_or('?').encode_utf8(&mut buffer).as_bytes());
    }

    fn end_number(&mut self) {
        if is_number(&self.text) { self.leaf() } else { self.fail("a malformed number") }
    }

    fn end_word(&mut self) {
        match &self.text[..] {
            b"true" | b"false" => self.leaf(),
            b"null" => {
                self.text.clear();
                self.leaf();
            }
            _ => self.fail("an unknown word"),
        }
    }

    /// Ends the reading. The value that was being read is handed on as far as it goes.
    fn fail(&mut self, message: &str) {
        self.end_surrogate();
        match self.state {
            State::String | State::Escape | State::Unicode { .. } if self.in_key => {
                self.end_key();
                self.kept.push(&self.path, b"");
            }
            State::String | State::Escape | State::Unicode { .. } | State::Number | State::Word => {
                self.kept.push(&self.path, &self.text);
            }
            _ => {}
        }
        self.text = Vec::new();
        self.error = Some(format!("{message} at byte {}", self.offset));
        self.state = State::Stopped;
    }
}

/// A member's name as a step of a pointer.
fn push_pointer_step(name: &[u8], out: &mut Vec<u8>) {
    for &byte in name {
        match byte {
            b'~' => out.extend_from_slice(b"~0"),
            b'/' => out.extend_from_slice(b"~1"),
            _ => out.push(byte),
        }
    }
}

/// A hash of an object's number and a key. Fast and not secret: equal keys always meet, and who makes others meet has
/// a name of his own counted as given twice.
fn hash_of(object: u64, key: &[u8]) -> u64 {
    // Digits of pi, and 64 by 64 bits multiplied and folded, as in wyhash.
    let mix = |a: u64, b: u64| {
        let product = u128::from(a ^ 0x243f_6a88_85a3_08d3) * u128::from(b ^ 0x1319_8a2e_0370_7344);
        product as u64 ^ (product >> 64) as u64
    };
    let (eights, rest) = key.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let whole = eights
        .iter()
        .fold(mix(object, key.len() as u64), |hash, eight| mix(hash, u64::from_le_bytes(*eight)));
    mix(whole, u64::from_le_bytes(last))
}

/// Takes a hash for its own hash. Who makes many fall into one place of the set makes a thousand of them walk over each
/// other at worst, since a full [`BoundedFields`] adds none.
#[derive(Clone, Copy, Debug, Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only whole numbers are hashed, by the next function.
        self.0 = bytes.iter().fold(self.0, |mixed, &byte| mixed.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// How many bytes at the start of a text are plain. Blocks are looked at without branches, as vectors.
fn plain_len(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<16>();
    let is_plain_block = |block: &[u8; 16]| {
        let special = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
        block.iter().fold(0, |found, &byte| found | u8::from(special(byte))) == 0
    };
    let start = blocks.iter().take_while(|block| is_plain_block(block)).count() * 16;
    start + text[start..].iter().position(|&byte| !is_plain(byte)).unwrap_or(text.len() - start)
}

fn push_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A byte that stands for itself in a string, part of a longer sequence or not.
fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// The number grammar of RFC 8259 section 6.
fn is_number(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> &[u8] {
        &text[text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())..]
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let rest = match text {
        [b'0', rest @ ..] => rest,
        [b'1'..=b'9', rest @ ..] => digits(rest),
        _ => return false,
    };
    let rest = match rest {
        [b'.', b'0'..=b'9', rest @ ..] => digits(rest),
        _ => rest,
    };
    match rest {
        [b'e' | b'E', b'+' | b'-', b'0'..=b'9', rest @ ..] | [b'e' | b'E', b'0'..=b'9', rest @ ..] => {
            digits(rest).is_empty()
        }
        _ => rest.is_empty(),
    }
}
