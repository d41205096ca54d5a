//! A selector as a tree: what it means, and how it is written.

use std::fmt;

use crate::labels::Labels;

/// A selector's tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// `all()`: everything.
    All,
    /// `global()`: everything, in the raw language; `kinds` gives it its meaning where the API allows it.
    Global,
    /// `has(label)`.
    Has(Box<str>),
    /// `label == "value"`.
    Is(Box<str>, Box<str>),
    /// `label != "value"`: true without the label.
    IsNot(Box<str>, Box<str>),
    /// `label in {...}`, the values sorted and each once.
    In(Box<str>, Box<[Box<str>]>),
    /// `label not in {...}`: true without the label.
    NotIn(Box<str>, Box<[Box<str>]>),
    /// `label contains "part"`.
    Contains(Box<str>, Box<str>),
    /// `label starts with "part"`.
    StartsWith(Box<str>, Box<str>),
    /// `label ends with "part"`.
    EndsWith(Box<str>, Box<str>),
    /// `!`.
    Not(Box<Expr>),
    /// `&&` of two or more.
    And(Box<[Expr]>),
    /// `||` of two or more.
    Or(Box<[Expr]>),
}

impl Expr {
    /// `label == "value"`.
    #[must_use]
    pub fn is(label: &str, value: &str) -> Self {
        Self::Is(label.into(), value.into())
    }

    /// `label in {...}`.
    #[must_use]
    pub fn is_in<'v>(label: &str, values: impl IntoIterator<Item = &'v str>) -> Self {
        Self::In(label.into(), value_set(values.into_iter().map(Box::from).collect()))
    }

    /// `has(label)`.
    #[must_use]
    pub fn has(label: &str) -> Self {
        Self::Has(label.into())
    }

    /// The `&&` of some; `all()` of none.
    #[must_use]
    pub fn all_of(mut parts: Vec<Self>) -> Self {
        match parts.len() {
            0 => Self::All,
            1 => parts.remove(0),
            _ => Self::And(parts.into()),
        }
    }

    /// The negation.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    pub(super) fn matches(&self, labels: &Labels) -> bool {
        let value = |label: &str| labels.get(label);
        match self {
            Self::All | Self::Global => true,
            Self::Has(label) => value(label).is_some(),
            Self::Is(label, wanted) => value(label) == Some(wanted),
            Self::IsNot(label, other) => value(label) != Some(other),
            Self::In(label, set) => value(label).is_some_and(|value| contains(set, value)),
            Self::NotIn(label, set) => !value(label).is_some_and(|value| contains(set, value)),
            Self::Contains(label, part) => value(label).is_some_and(|value| value.contains(&**part)),
            Self::StartsWith(label, part) => value(label).is_some_and(|value| value.starts_with(&**part)),
            Self::EndsWith(label, part) => value(label).is_some_and(|value| value.ends_with(&**part)),
            Self::Not(inner) => !inner.matches(labels),
            Self::And(parts) => parts.iter().all(|part| part.matches(labels)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(labels)),
        }
    }

    /// The tree with every leaf made anew.
    #[must_use]
    pub fn map(&self, leaf: &impl Fn(&Self) -> Self) -> Self {
        match self {
            Self::Not(inner) => inner.map(leaf).negated(),
            Self::And(parts) => Self::And(parts.iter().map(|part| part.map(leaf)).collect()),
            Self::Or(parts) => Self::Or(parts.iter().map(|part| part.map(leaf)).collect()),
            _ => leaf(self),
        }
    }

    /// The tree with a prefix before every label.
    #[must_use]
    pub fn prefixed(&self, prefix: &str) -> Self {
        let label = |label: &str| -> Box<str> { format!("{prefix}{label}").into() };
        self.map(&|leaf| match leaf {
            Self::Has(name) => Self::Has(label(name)),
            Self::Is(name, value) => Self::Is(label(name), value.clone()),
            Self::IsNot(name, value) => Self::IsNot(label(name), value.clone()),
            Self::In(name, set) => Self::In(label(name), set.clone()),
            Self::NotIn(name, set) => Self::NotIn(label(name), set.clone()),
            Self::Contains(name, part) => Self::Contains(label(name), part.clone()),
            Self::StartsWith(name, part) => Self::StartsWith(label(name), part.clone()),
            Self::EndsWith(name, part) => Self::EndsWith(label(name), part.clone()),
            other => other.clone(),
        })
    }

    /// Whether a leaf of the tree is so.
    pub fn any(&self, is: &impl Fn(&Self) -> bool) -> bool {
        match self {
            Self::Not(inner) => inner.any(is),
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.any(is)),
            leaf => is(leaf),
        }
    }
}

/// Values as a set is kept: sorted by bytes, each once.
pub(super) fn value_set(mut values: Vec<Box<str>>) -> Box<[Box<str>]> {
    values.sort_unstable();
    values.dedup();
    values.into()
}

fn contains(set: &[Box<str>], value: &str) -> bool {
    set.binary_search_by(|candidate| (**candidate).cmp(value)).is_ok()
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all()"),
            Self::Global => f.write_str("global()"),
            Self::Has(label) => write!(f, "has({label})"),
            Self::Is(label, value) => write!(f, "{label} == {}", Quoted(value)),
            Self::IsNot(label, value) => write!(f, "{label} != {}", Quoted(value)),
            Self::In(label, set) => write!(f, "{label} in {}", Braced(set)),
            Self::NotIn(label, set) => write!(f, "{label} not in {}", Braced(set)),
            Self::Contains(label, part) => write!(f, "{label} contains {}", Quoted(part)),
            Self::StartsWith(label, part) => write!(f, "{label} starts with {}", Quoted(part)),
            Self::EndsWith(label, part) => write!(f, "{label} ends with {}", Quoted(part)),
            Self::Not(inner) => write!(f, "!{inner}"),
            Self::And(parts) => joined(f, parts, " && "),
            Self::Or(parts) => joined(f, parts, " || "),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], between: &str) -> fmt::Result {
    f.write_str("(")?;
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            f.write_str(between)?;
        }
        write!(f, "{part}")?;
    }
    f.write_str(")")
}

/// A value in the quotes that it does not hold; no value that was parsed holds both kinds.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains('"') { '\'' } else { '"' };
        write!(f, "{quote}{}{quote}", self.0)
    }
}

struct Braced<'a>(&'a [Box<str>]);

impl fmt::Display for Braced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (number, value) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", Quoted(value))?;
        }
        f.write_str("}")
    }
}
