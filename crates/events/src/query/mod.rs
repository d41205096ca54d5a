//! The query language of Calico's GlobalAlert, over records of JSON.
//!
//! ```text
//! query  := or
//! or     := and (OR and)*
//! and    := un (AND un)*
//! un     := NOT un | "(" query ")" | select
//! select := key (= | != | < | <= | > | >=) value
//!         | key (IN | NOTIN) ( "{" text ("," text)* "}" | "${" name "}" )
//!         | key EMPTY
//! ```
//!
//! Keys and values are words (`[A-Za-z_][A-Za-z0-9_]*`), texts in `"` or `'` (which hold anything but their own quote;
//! there are no escapes), and values may be numbers. Keywords stand in any case. `*` (any run of characters) and `?` (one)
//! are wildcards in sets, and characters elsewhere. A key with dots leads into nested objects, and of a list any item will
//! do. Empty text is every record.
//!
//! What is compared how: two numbers by value; an address with an address or a network (`"source.ip" = "10.0.0.0/8"`)
//! by what it is; two times by instant; all else as text. Of a record that lacks the key only `!=`, `NOTIN`, `EMPTY` and
//! what `NOT` makes of the others are true.
//!
//! Source: Calico's public documentation. Ours alone: `EMPTY` (no such field, null, or nothing in it), numbers in sets,
//! networks. The one idea to hold: any text gives a query or one error at its column, and a query costs a record at most
//! its own length times the record's.
//!
//! Not here: which records there are (the store, alerts); SQL (the store makes it from [`Expr`]).

mod evaluate;
mod fields;
mod glob;
mod literal;
mod parse;
mod print;
mod syntax;
#[cfg(test)]
mod tests;
mod time;

use serde_json::Value;

pub use fields::{DataSet, known_field};
pub use glob::Glob;
pub use literal::Literal;
pub use parse::{
    DEPTH_MAX, NAME_BYTES_MAX, QUERY_BYTES_MAX, QueryError, SET_ITEMS_MAX, Substitutions, parse, parse_with,
};
pub use syntax::{Comparison, Expr, Key, Pattern, Set};
pub use time::{MomentError, moment, nanoseconds};

/// A question to a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    expr: Option<Expr>,
}

impl Query {
    /// The query that every record answers.
    #[must_use]
    pub const fn all() -> Self {
        Self { expr: None }
    }

    /// Its syntax tree; `None` is every record.
    #[must_use]
    pub const fn expr(&self) -> Option<&Expr> {
        self.expr.as_ref()
    }

    /// Whether a record is meant. Linear in the record for each part of the query.
    #[must_use]
    pub fn matches(&self, record: &Value) -> bool {
        self.expr.as_ref().is_none_or(|expr| evaluate::matches(expr, record))
    }

    /// Every key in it, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<&Key> {
        let mut keys = Vec::new();
        if let Some(expr) = &self.expr {
            expr.visit(&mut |expr| {
                if let Expr::Compare { key, .. } | Expr::In { key, .. } | Expr::Empty { key } = expr {
                    keys.push(key);
                }
            });
        }
        keys
    }
}

impl From<Expr> for Query {
    fn from(expr: Expr) -> Self {
        Self { expr: Some(expr) }
    }
}

/// What stands at a key of a record, lists item by item: what the language compares.
pub fn values<'r>(record: &'r Value, key: &str, visit: &mut dyn FnMut(&'r Value)) {
    evaluate::values(record, key, &mut |value| {
        visit(value);
        false
    });
}
