//! Arguments written `name=value&name=value`, in a query or a body.

use crate::limits::BoundedFields;
use crate::target::hex_digit;
use crate::{BodyLimits, Fields, LimitHit};

/// Arguments and what was odd about them.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Arguments in order, decoded.
    pub fields: Fields,
    /// Whether a `%` was not followed by two hexadecimal digits (`URLENCODED_ERROR`). The text is kept as it stands.
    pub invalid_encoding: bool,
    /// Bounds that were met.
    pub limit_hits: Vec<LimitHit>,
}

/// Reads arguments from a text that is all there; see [`FormParser`].
pub fn parse_form(text: &[u8], limits: &BodyLimits) -> Form {
    let mut parser = FormParser::new(limits);
    parser.feed(text);
    parser.finish()
}

/// Reads arguments from a text that comes in pieces. Memory: what is kept and the argument being read.
///
/// `+` is a space, `%HH` a byte; a name ends at its first `=`; `&&` and `=v` give an argument with an empty name; a
/// separator at the end of the text begins none. O(n).
///
/// Source: ModSecurity v3 `transaction.cc`, observed on 3.0.9.
#[derive(Clone, Debug)]
pub struct FormParser {
    separator: u8,
    kept: BoundedFields,
    invalid_encoding: bool,
    name: Vec<u8>,
    value: Vec<u8>,
    in_value: bool,
    /// Whether anything of the current argument was seen.
    started: bool,
    escape: Escape,
}

#[derive(Clone, Copy, Debug)]
enum Escape {
    No,
    Percent,
    Digit(u8),
}

impl FormParser {
    /// A parser at the start of a text.
    pub fn new(limits: &BodyLimits) -> Self {
        FormParser {
            separator: limits.argument_separator,
            kept: BoundedFields::new(limits),
            invalid_encoding: false,
            name: Vec::new(),
            value: Vec::new(),
            in_value: false,
            started: false,
            escape: Escape::No,
        }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, mut text: &[u8]) {
        while let [byte, rest @ ..] = text {
            if matches!(self.escape, Escape::No) {
                let special = |&byte: &u8| matches!(byte, b'=' | b'+' | b'%') || byte == self.separator;
                let run = text.iter().position(special).unwrap_or(text.len());
                if run > 0 {
                    let part = if self.in_value { &mut self.value } else { &mut self.name };
                    part.extend_from_slice(&text[..run]);
                    self.started = true;
                    text = &text[run..];
                    continue;
                }
            }
            self.byte(*byte);
            text = rest;
        }
    }

    /// Ends the text.
    pub fn finish(mut self) -> Form {
        self.end_escape();
        if self.started {
            self.end_argument();
        }
        Form { fields: self.kept.fields, invalid_encoding: self.invalid_encoding, limit_hits: self.kept.hits }
    }

    fn byte(&mut self, byte: u8) {
        match self.escape {
            Escape::No => {}
            Escape::Percent => {
                if hex_digit(byte).is_some() {
                    self.escape = Escape::Digit(byte);
                    return;
                }
                self.end_escape();
            }
            Escape::Digit(first) => {
                if let (Some(high), Some(low)) = (hex_digit(first), hex_digit(byte)) {
                    self.escape = Escape::No;
                    self.push(high << 4 | low);
                    return;
                }
                self.end_escape();
            }
        }
        match byte {
            _ if byte == self.separator => {
                self.end_argument();
                return;
            }
            b'=' if !self.in_value => self.in_value = true,
            b'+' => self.push(b' '),
            b'%' => self.escape = Escape::Percent,
            _ => self.push(byte),
        }
        self.started = true;
    }

    fn push(&mut self, byte: u8) {
        if self.in_value { self.value.push(byte) } else { self.name.push(byte) }
    }

    /// A `%` that turned out to begin no escape is kept with what followed it.
    fn end_escape(&mut self) {
        let kept: &[u8] = match self.escape {
            Escape::No => return,
            Escape::Percent => b"%",
            Escape::Digit(digit) => &[b'%', digit],
        };
        self.invalid_encoding = true;
        let part = if self.in_value { &mut self.value } else { &mut self.name };
        part.extend_from_slice(kept);
        self.escape = Escape::No;
    }

    fn end_argument(&mut self) {
        self.kept.push(&self.name, &self.value);
        self.name.clear();
        self.value.clear();
        self.in_value = false;
        self.started = false;
    }
}
