//! A query over a record.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::syntax::{Comparison, Expr, Pattern};

pub(super) fn matches(expr: &Expr, record: &Value) -> bool {
    match expr {
        Expr::Or(parts) => parts.iter().any(|part| matches(part, record)),
        Expr::And(parts) => parts.iter().all(|part| matches(part, record)),
        Expr::Not(part) => !matches(part, record),
        Expr::Compare { key, is, value } => match is {
            Comparison::Equal => any(record, &key.name, |found| value.equals(found)),
            Comparison::NotEqual => !any(record, &key.name, |found| value.equals(found)),
            _ => {
                any(record, &key.name, |found| value.order_of(found).is_some_and(|order| stands(order, *is)))
            }
        },
        Expr::In { key, negated, set } => {
            let is_in =
                any(record, &key.name, |found| set.patterns.iter().any(|pattern| fits(pattern, found)));
            is_in != *negated
        }
        Expr::Empty { key } => !any(record, &key.name, is_something),
    }
}

fn stands(order: Ordering, is: Comparison) -> bool {
    match is {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

fn fits(pattern: &Pattern, value: &Value) -> bool {
    let Some(glob) = &pattern.glob else { return pattern.literal.equals(value) };
    text_of(value).is_some_and(|text| glob.matches(&text))
}

/// A value as wildcards see it; lists and mappings have no text.
pub(super) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        // Items of lists come one by one.
        Value::Number(_) | Value::Bool(_) | Value::Array(_) => true,
    }
}

fn any(record: &Value, key: &str, mut is: impl FnMut(&Value) -> bool) -> bool {
    values(record, key, &mut |value| is(value))
}

/// Shows what stands at a key until `is` is content with one; whether it was. A key with dots may be one of an object as it
/// stands, and leads into objects otherwise; a list is each of its items.
pub(super) fn values<'r>(record: &'r Value, key: &str, is: &mut dyn FnMut(&'r Value) -> bool) -> bool {
    match record {
        Value::Array(items) => items.iter().any(|item| values(item, key, is)),
        Value::Object(fields) => {
            if let Some(value) = fields.get(key) {
                return items(value, is);
            }
            let Some((first, rest)) = key.split_once('.') else { return false };
            fields.get(first).is_some_and(|value| values(value, rest, is))
        }
        _ => false,
    }
}

fn items<'r>(value: &'r Value, is: &mut dyn FnMut(&'r Value) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|item| items(item, is)),
        value => is(value),
    }
}
