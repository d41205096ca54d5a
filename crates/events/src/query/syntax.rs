//! The syntax tree. The store reads it to make SQL of what it can.

use super::glob::Glob;
use super::literal::Literal;

/// A query or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// One of two or more; none of them an `Or`.
    Or(Vec<Expr>),
    /// All of two or more; none of them an `And`.
    And(Vec<Expr>),
    /// Not so.
    Not(Box<Expr>),
    /// A value stands in a relation to another.
    Compare {
        /// Which of the record's.
        key: Key,
        /// The relation.
        is: Comparison,
        /// To what.
        value: Literal,
    },
    /// A value is one of a set.
    In {
        /// Which of the record's.
        key: Key,
        /// `NOTIN`.
        negated: bool,
        /// The set.
        set: Set,
    },
    /// There is nothing: no such key, null, an empty text, list or mapping.
    Empty {
        /// Which of the record's.
        key: Key,
    },
}

impl Expr {
    /// One of some, those of an inner `Or` among them. At least one.
    #[must_use]
    pub fn or(parts: Vec<Expr>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::Or(flat) }
    }

    /// All of some, those of an inner `And` among them. At least one.
    #[must_use]
    pub fn and(parts: Vec<Expr>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::And(flat) }
    }

    /// Every part of it, itself first.
    pub fn visit<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        visit(self);
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.visit(visit)),
            Self::Not(part) => part.visit(visit),
            Self::Compare { .. } | Self::In { .. } | Self::Empty { .. } => {}
        }
    }
}

/// A key of a record. Two are equal when they name the same.
#[derive(Clone, Debug)]
pub struct Key {
    /// As it was written, without quotes: `source.ip`.
    pub name: Box<str>,
    /// The character of the query where it stands, from 0.
    pub at: usize,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`, true of a record without the key.
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// The set after `IN`.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// The substitution that it came from: it prints as `${name}`.
    pub name: Option<Box<str>>,
    /// What is in it.
    pub patterns: Vec<Pattern>,
}

/// An item of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// Its text.
    pub literal: Literal,
    /// Where it has wildcards.
    pub glob: Option<Glob>,
}

impl From<Literal> for Pattern {
    fn from(literal: Literal) -> Self {
        let glob = Glob::new(literal.text());
        Self { literal, glob }
    }
}
