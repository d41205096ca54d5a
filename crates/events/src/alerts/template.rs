//! Texts with `${field}` in them.

use std::fmt;

/// A text with places for values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Field(Box<str>),
}

impl Template {
    /// Any text is one; what does not close is text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut plain = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else { break };
            plain.push_str(before);
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
            }
            pieces.push(Piece::Field(name.trim().into()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Self { pieces }
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(name) => Some(&**name),
            Piece::Text(_) => None,
        })
    }

    /// The text with values in place of names; a name without a value stands as it was written. Values come from requests:
    /// they are clipped, and what would end a line is a blank.
    #[must_use]
    pub fn expand(&self, value_of: &dyn Fn(&str) -> Option<String>) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field(name) => match value_of(name) {
                    Some(value) => out.extend(
                        value
                            .chars()
                            .map(|char| if char.is_control() { ' ' } else { char })
                            .take(VALUE_CHARS_MAX),
                    ),
                    None => {
                        out.push_str("${");
                        out.push_str(name);
                        out.push('}');
                    }
                },
            }
        }
        out
    }
}

/// Characters of a value in a text.
const VALUE_CHARS_MAX: usize = 256;

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expand(&|_| None))
    }
}
