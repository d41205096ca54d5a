//! Text to tree, in one pass over the bytes.

use std::fmt;

use super::expr::{Expr, value_set};

/// A label's name may be this long.
pub const LABEL_BYTES_MAX: usize = 512;

/// Brackets may nest this deep: a bound on the stack, beyond what fits in the API's 1,024 characters.
pub const NESTING_MAX: usize = 512;

/// A selector may be this long; the API's kinds allow less.
pub const SELECTOR_BYTES_MAX: usize = 1 << 20;

/// Why a text is no selector, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorError {
    /// The byte at which it goes wrong, from 0.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at character {}", self.message, self.at + 1)
    }
}

impl std::error::Error for SelectorError {}

type Parsed<T> = Result<T, SelectorError>;

pub(super) fn parse(text: &str) -> Parsed<Expr> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    if text.len() > SELECTOR_BYTES_MAX {
        return Err(parser.error(format!("a selector has at most {SELECTOR_BYTES_MAX} bytes")));
    }
    parser.skip_blanks();
    if parser.rest().is_empty() {
        return Ok(Expr::All);
    }
    let expr = parser.or()?;
    match parser.rest().is_empty() {
        true => Ok(expr),
        false if parser.rest().starts_with(')') => Err(parser.error("`)` without `(`")),
        false => Err(parser.error(format!("`&&`, `||` or the end is expected, not {}", parser.next()))),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn or(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.and()?];
        while self.take("||") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts.into()) })
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.operation()?];
        while self.take("&&") {
            parts.push(self.operation()?);
        }
        Ok(Expr::all_of(parts))
    }

    fn operation(&mut self) -> Parsed<Expr> {
        let mut negated = false;
        while self.take("!") {
            negated = !negated;
        }
        self.skip_blanks();
        let expr = if self.rest().starts_with('(') { self.bracketed()? } else { self.leaf()? };
        self.skip_blanks();
        Ok(if negated { expr.negated() } else { expr })
    }

    fn bracketed(&mut self) -> Parsed<Expr> {
        if self.depth == NESTING_MAX {
            return Err(self.error(format!("brackets nest deeper than {NESTING_MAX}")));
        }
        let open = self.at;
        self.depth += 1;
        self.take("(");
        let expr = self.or()?;
        self.depth -= 1;
        match self.take(")") {
            true => Ok(expr),
            false if self.rest().is_empty() => {
                self.at = open;
                Err(self.error("`(` without `)`"))
            }
            false => Err(self.error(format!("`&&`, `||` or `)` is expected, not {}", self.next()))),
        }
    }

    fn leaf(&mut self) -> Parsed<Expr> {
        for (word, empty) in [("all(", Expr::All), ("global(", Expr::Global)] {
            if self.take(word) {
                self.expect(")")?;
                return Ok(empty);
            }
        }
        if self.take("has(") {
            self.skip_blanks();
            let label = self.label()?;
            self.expect(")")?;
            return Ok(Expr::has(label));
        }
        let label = self.label()?;
        self.comparison(label)
    }

    /// What follows a label. Words of operators are such only here.
    fn comparison(&mut self, label: &'t str) -> Parsed<Expr> {
        self.skip_blanks();
        let label = || Box::from(label);
        if self.take("==") {
            return Ok(Expr::Is(label(), self.string()?));
        }
        if self.take("!=") {
            return Ok(Expr::IsNot(label(), self.string()?));
        }
        if self.take_words(&["contains"]) {
            return Ok(Expr::Contains(label(), self.string()?));
        }
        if self.take_words(&["starts", "with"]) {
            return Ok(Expr::StartsWith(label(), self.string()?));
        }
        if self.take_words(&["ends", "with"]) {
            return Ok(Expr::EndsWith(label(), self.string()?));
        }
        if self.take_words(&["in"]) {
            return Ok(Expr::In(label(), self.set()?));
        }
        if self.take_words(&["not", "in"]) {
            return Ok(Expr::NotIn(label(), self.set()?));
        }
        if self.rest().starts_with('=') {
            return Err(self.error("`=` is no operator; write `==`"));
        }
        if self.rest().starts_with('(') {
            return Err(self.error("only `has(`, `all(` and `global(`, without a blank, are functions"));
        }
        Err(self.error(format!(
            "one of ==, !=, in, not in, contains, starts with, ends with is expected after a label, not {}",
            self.next()
        )))
    }

    fn label(&mut self) -> Parsed<&'t str> {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !is_label(byte)).unwrap_or(rest.len());
        if end == 0 {
            return Err(
                self.error(format!("a label, `has(`, `all()` or `(` is expected, not {}", self.next()))
            );
        }
        if end > LABEL_BYTES_MAX {
            return Err(self.error(format!("a label has at most {LABEL_BYTES_MAX} characters, not {end}")));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn string(&mut self) -> Parsed<Box<str>> {
        self.skip_blanks();
        let rest = self.rest();
        let Some(quote) = rest.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
            return Err(self.error(format!("a value in quotes is expected, not {}", self.next())));
        };
        match rest[1..].find(quote) {
            Some(length) => {
                self.at += length + 2;
                Ok(rest[1..=length].into())
            }
            None => Err(self.error(format!("the quote {quote} has no end"))),
        }
    }

    fn set(&mut self) -> Parsed<Box<[Box<str>]>> {
        self.expect("{")?;
        let mut values = Vec::new();
        loop {
            if self.take("}") {
                return Ok(value_set(values));
            }
            values.push(self.string()?);
            if !self.take(",") {
                self.expect("}")?;
                return Ok(value_set(values));
            }
        }
    }

    /// Takes words with blanks or nothing between them, where no label's character follows.
    fn take_words(&mut self, words: &[&str]) -> bool {
        let mut rest = self.rest();
        for (number, word) in words.iter().enumerate() {
            if number > 0 {
                rest = rest.trim_start_matches(BLANKS);
            }
            match rest.strip_prefix(word) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        if rest.bytes().next().is_some_and(is_label) {
            return false;
        }
        self.at = self.text.len() - rest.len();
        true
    }

    /// Takes a sign, with blanks before it.
    fn take(&mut self, sign: &str) -> bool {
        let rest = self.rest().trim_start_matches(BLANKS);
        match rest.strip_prefix(sign) {
            Some(after) => {
                self.at = self.text.len() - after.len();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.take(sign) {
            return Ok(());
        }
        self.skip_blanks();
        Err(self.error(format!("`{sign}` is expected, not {}", self.next())))
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(BLANKS).len();
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// What comes next, for a message.
    fn next(&self) -> String {
        match self.rest().chars().next() {
            None => "the end".to_owned(),
            Some(char) if char.is_control() => format!("`{}`", char.escape_default()),
            Some(char) => format!("`{char}`"),
        }
    }

    fn error(&self, message: impl Into<String>) -> SelectorError {
        SelectorError { at: self.text[..self.at].chars().count(), message: message.into() }
    }
}

/// A line feed is none.
const BLANKS: [char; 2] = [' ', '\t'];

fn is_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./-".contains(&byte)
}
