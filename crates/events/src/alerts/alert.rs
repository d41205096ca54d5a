//! What an alert asks, and what hides its answers.

use std::time::Duration;

use serde_json::Value;

use super::template::Template;
use crate::query::{DataSet, Query};

/// A GlobalAlert that can be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalAlert {
    /// Its name, the origin of its events.
    pub name: Box<str>,
    /// What its events say; `description` where it has no summary.
    pub summary: Template,
    /// What it is about.
    pub description: Box<str>,
    /// 1 to 100.
    pub severity: u8,
    /// Which records it is about.
    pub data_set: DataSet,
    /// How often it is asked. At least a minute.
    pub period: Duration,
    /// How far back it looks. At least a minute.
    pub lookback: Duration,
    /// Which of the records.
    pub query: Query,
    /// What it makes of them.
    pub asks: Asks,
}

/// What an alert makes of the records that are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// An event for each.
    EachRecord,
    /// An event for each combination of the values of these fields. At least one field.
    EachCombination(Vec<Box<str>>),
    /// An event for each combination, all records together where there are no fields, whose value satisfies a condition.
    Metric {
        /// The fields.
        by: Vec<Box<str>>,
        /// How the value comes from records.
        metric: Metric,
        /// The field whose numbers it is made of; empty for a count.
        field: Box<str>,
        /// How it has to stand to the threshold.
        condition: Condition,
        /// The threshold.
        threshold: f64,
    },
}

impl Asks {
    /// The fields whose values make combinations.
    #[must_use]
    pub fn by(&self) -> &[Box<str>] {
        match self {
            Self::EachRecord => &[],
            Self::EachCombination(by) | Self::Metric { by, .. } => by,
        }
    }
}

/// How one number comes from many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// How many there are.
    Count,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// All of them together.
    Sum,
    /// Their mean.
    Avg,
}

impl Metric {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Avg => "avg",
        }
    }

    /// The number; `None` where there is nothing to make it of.
    pub(super) fn of(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let (mut count, mut sum, mut min, mut max) = (0_u64, 0.0, f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            count += 1;
            sum += value;
            min = min.min(value);
            max = max.max(value);
        }
        match self {
            Self::Count => Some(count as f64),
            _ if count == 0 => None,
            Self::Min => Some(min),
            Self::Max => Some(max),
            Self::Sum => Some(sum),
            Self::Avg => Some(sum / count as f64),
        }
    }
}

/// How a value has to stand to a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Equal.
    Eq,
    /// Not equal.
    NotEq,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
}

impl Condition {
    /// As they are written.
    pub(super) const WORDS: [(&'static str, Self); 6] = [
        ("eq", Self::Eq),
        ("not_eq", Self::NotEq),
        ("lt", Self::Lt),
        ("lte", Self::Lte),
        ("gt", Self::Gt),
        ("gte", Self::Gte),
    ];

    /// Whether a value satisfies it.
    #[must_use]
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            // As written: thresholds of `eq` are whole numbers of records.
            Self::Eq => value == threshold,
            Self::NotEq => value != threshold,
            Self::Lt => value < threshold,
            Self::Lte => value <= threshold,
            Self::Gt => value > threshold,
            Self::Gte => value >= threshold,
        }
    }
}

/// Hides events: they are kept, marked as dismissed, and nobody is told.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertException {
    /// Its name.
    pub name: Box<str>,
    /// Why.
    pub description: Box<str>,
    /// Which events.
    pub selector: Query,
    /// From when on, in milliseconds since 1970; always when absent.
    pub from_ms: Option<u64>,
    /// Until when; for ever when absent.
    pub until_ms: Option<u64>,
}

impl AlertException {
    /// Whether it hides an event at a time.
    #[must_use]
    pub fn hides(&self, event: &Value, now_ms: u64) -> bool {
        self.from_ms.is_none_or(|from| now_ms >= from)
            && self.until_ms.is_none_or(|until| now_ms < until)
            && self.selector.matches(event)
    }
}
