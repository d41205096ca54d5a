//! `@eq @ge @gt @le @lt`: both sides are read as a leading decimal integer, 0 when there is none.
//!
//! Differs: beyond 64 bits the number stays at the end of the range. libmodsecurity does that in ge, gt, le and
//! lt, but its eq has 32 bits and reads anything longer as 0, so that 99999999999 equals 0 there.

use palisade_seclang::ast::OperatorName;

use crate::number::leading_integer;

/// One of them with its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Numeric {
    comparison: Comparison,
    limit: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Comparison {
    Equal,
    GreaterOrEqual,
    Greater,
    LessOrEqual,
    Less,
}

impl Numeric {
    /// `name` is one of the five.
    pub(super) fn compile(name: OperatorName, argument: &[u8]) -> Self {
        Self::of_name(name)
            .unwrap_or(Self { comparison: Comparison::Equal, limit: 0 })
            .with(leading_integer(argument))
    }

    /// That of a name against 0; `None` for any other operator.
    pub(crate) fn of_name(name: OperatorName) -> Option<Self> {
        let comparison = match name {
            OperatorName::Eq => Comparison::Equal,
            OperatorName::Ge => Comparison::GreaterOrEqual,
            OperatorName::Gt => Comparison::Greater,
            OperatorName::Le => Comparison::LessOrEqual,
            OperatorName::Lt => Comparison::Less,
            _ => return None,
        };
        Some(Self { comparison, limit: 0 })
    }

    /// The same against another number.
    pub(crate) fn with(self, limit: i64) -> Self {
        Self { limit, ..self }
    }

    pub(super) fn matches(&self, value: &[u8]) -> bool {
        self.compares(leading_integer(value))
    }

    /// What it says about a value that starts with this integer.
    pub(crate) fn compares(&self, number: i64) -> bool {
        match self.comparison {
            Comparison::Equal => number == self.limit,
            Comparison::GreaterOrEqual => number >= self.limit,
            Comparison::Greater => number > self.limit,
            Comparison::LessOrEqual => number <= self.limit,
            Comparison::Less => number < self.limit,
        }
    }
}
