//! The canonical form: keywords in capitals, one blank around them, brackets only where they change the meaning, quotes
//! only where a word needs them. It reads as what it was.

use std::fmt;

use super::parse::{is_keyword, is_word};
use super::syntax::{Expr, Key, Set};
use super::{Literal, Query};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr().map_or(Ok(()), |expr| expr.fmt(f))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(parts) => joined(f, parts, " OR ", |_| false),
            Self::And(parts) => joined(f, parts, " AND ", |part| matches!(part, Expr::Or(_))),
            Self::Not(part) => match **part {
                Expr::Or(_) | Expr::And(_) => write!(f, "NOT ({part})"),
                _ => write!(f, "NOT {part}"),
            },
            Self::Compare { key, is, value } => write!(f, "{key} {} {value}", is.as_str()),
            Self::In { key, negated, set } => {
                write!(f, "{key} {} {set}", if *negated { "NOTIN" } else { "IN" })
            }
            Self::Empty { key } => write!(f, "{key} EMPTY"),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expr],
    word: &str,
    needs_brackets: fn(&Expr) -> bool,
) -> fmt::Result {
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            f.write_str(word)?;
        }
        if needs_brackets(part) {
            write!(f, "({part})")?;
        } else {
            write!(f, "{part}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match is_word(&self.name) && !is_keyword(&self.name) {
            true => f.write_str(&self.name),
            false => quote(f, &self.name),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_number() {
            true => f.write_str(self.text()),
            false => quote(f, self.text()),
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return write!(f, "${{{name}}}");
        }
        f.write_str("{")?;
        for (number, pattern) in self.patterns.iter().enumerate() {
            if number > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", pattern.literal)?;
        }
        f.write_str("}")
    }
}

/// No text of a query holds both quotes: the language has no escapes.
fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('"') { '\'' } else { '"' };
    write!(f, "{quote}{text}{quote}")
}
