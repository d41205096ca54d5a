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

/// [`parse_form`] in memory that is there already; what it holds is forgotten.
pub fn parse_form_reusing(text: &[u8], limits: &BodyLimits, fields: Fields) -> Form {
    let mut parser = FormParser::reusing(limits, fields);
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
    /// The bytes that stand for more than themselves.
    ends_run: [bool; 256],
    kept: BoundedFields,
    invalid_encoding: bool,
    /// The length of the current argument's name, once it has ended.
    name_length: Option<usize>,
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
        Self::reusing(limits, Fields::new())
    }

    /// The same in memory that is there already; what it holds is forgotten.
    pub fn reusing(limits: &BodyLimits, fields: Fields) -> Self {
        let mut ends_run = [false; 256];
        for byte in [b'=', b'+', b'%', limits.argument_separator] {
            ends_run[usize::from(byte)] = true;
        }
        FormParser {
            separator: limits.argument_separator,
            ends_run,
            kept: BoundedFields::reusing(limits, fields),
            invalid_encoding: false,
            name_length: None,
            started: false,
            escape: Escape::No,
        }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, mut text: &[u8]) {
        while let [byte, rest @ ..] = text {
            if matches!(self.escape, Escape::No) {
                let run =
                    text.iter().position(|&byte| self.ends_run[usize::from(byte)]).unwrap_or(text.len());
                if run > 0 {
                    self.kept.fields.write(&text[..run]);
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
            b'=' if self.name_length.is_none() => self.name_length = Some(self.kept.fields.written()),
            b'+' => self.push(b' '),
            b'%' => self.escape = Escape::Percent,
            _ => self.push(byte),
        }
        self.started = true;
    }

    fn push(&mut self, byte: u8) {
        self.kept.fields.write(&[byte]);
    }

    /// A `%` that turned out to begin no escape is kept with what followed it.
    fn end_escape(&mut self) {
        let kept: &[u8] = match self.escape {
            Escape::No => return,
            Escape::Percent => b"%",
            Escape::Digit(digit) => &[b'%', digit],
        };
        self.invalid_encoding = true;
        self.kept.fields.write(kept);
        self.escape = Escape::No;
    }

    fn end_argument(&mut self) {
        let name_length = self.name_length.take().unwrap_or_else(|| self.kept.fields.written());
        self.kept.end(name_length);
        self.started = false;
    }
}
