//! `@eq @ge @gt @le @lt`: both sides are read as a leading decimal integer, 0 when there is none.
//!
//! Differs: beyond 64 bits the number stays at the end of the range. libmodsecurity does that in ge, gt, le and
//! lt, but its eq has 32 bits and reads anything longer as 0, so that 99999999999 equals 0 there.

use palisade_seclang::ast::OperatorName;

use crate::number::leading_integer;

#[derive(Clone, Copy, Debug)]
pub(super) struct Numeric {
    comparison: Comparison,
    limit: i64,
}

#[derive(Clone, Copy, Debug)]
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
        let comparison = match name {
            OperatorName::Ge => Comparison::GreaterOrEqual,
            OperatorName::Gt => Comparison::Greater,
            OperatorName::Le => Comparison::LessOrEqual,
            OperatorName::Lt => Comparison::Less,
            _ => Comparison::Equal,
        };
        Self { comparison, limit: leading_integer(argument) }
    }

    pub(super) fn matches(&self, value: &[u8]) -> bool {
        let number = leading_integer(value);
        match self.comparison {
            Comparison::Equal => number == self.limit,
            Comparison::GreaterOrEqual => number >= self.limit,
            Comparison::Greater => number > self.limit,
            Comparison::LessOrEqual => number <= self.limit,
            Comparison::Less => number < self.limit,
        }
    }
}
