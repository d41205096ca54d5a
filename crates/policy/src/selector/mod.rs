//! Calico's selector language: which labels an object has to carry.
//!
//! ```text
//! selector := "" | or ;  or := and ("||" and)* ;  and := op ("&&" op)*
//! op := "!"* ( has(LABEL) | all() | global() | LABEL (== | != | contains | starts with | ends with) STRING
//!            | LABEL (in | not in) { STRING, ... } | "(" or ")" )
//! ```
//!
//! Source: the behaviour of Calico's selector parser, as a table in `testdata/policy/selectors.jsonl`. Differs: nesting
//! is bounded by [`NESTING_MAX`], which a selector of 1,024 characters (the API's limit) cannot reach.
//!
//! Not here: what a selector is asked about ([`Labels`]), and the places where the API allows `global()` (`kinds`).

mod expr;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use expr::Expr;
pub use parse::{LABEL_BYTES_MAX, NESTING_MAX, SELECTOR_BYTES_MAX, SelectorError};

use crate::labels::Labels;

/// A selector that can be asked.
///
/// ```
/// use palisade_policy::{Labels, Selector};
/// let selector: Selector = "app == 'web' && !has(test)".parse().unwrap();
/// assert!(selector.matches(&[("app", "web")].into_iter().collect::<Labels>()));
/// assert_eq!(selector.to_string(), r#"(app == "web" && !has(test))"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector(Expr);

impl Selector {
    /// Whether an object with these labels is selected. O(size of the selector × log of the labels).
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.matches(labels)
    }

    /// What it is made of.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.0
    }
}

impl From<Expr> for Selector {
    fn from(expr: Expr) -> Self {
        Self(expr)
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        parse::parse(text).map(Self)
    }
}

/// The canonical form: `all()` for the empty selector, brackets around every `&&` and `||`, sets sorted and without
/// repetition, double quotes unless a value holds one.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
