//! Rules whose first link compares one TX variable, or whether it is there: the set-up and the paranoia gates of CRS are
//! hundreds of them. What the comparison says is told from the variable's slot, without a walk over targets and values,
//! and where it is a number's, nothing more has to be asked: the rule's link has matched, or it has not.
//!
//! Not here: what a match does, which is the reference's code.

use std::sync::Arc;

use palisade_seclang::ast::Variable;

use crate::expand::Text;
use crate::operator::{Evaluation, Numeric, Operator, Outcome};
use crate::ruleset::{Assignment, Disruptive, Link, OperatorSource, Place, Rule};
use crate::variables::{Item, ItemKind, Store, Variables};

/// `TX:key` or `&TX:key` against something.
#[derive(Debug)]
pub(crate) struct TxTest {
    slot: u32,
    count: bool,
    negated: bool,
    question: Question,
    /// A match can be told without another look: see [`TxTest::item`].
    is_exact: bool,
}

#[derive(Debug)]
enum Question {
    /// `@eq 0` and its like.
    Number(Numeric),
    /// `@ge %{tx.threshold}`
    Expanded(Box<(Numeric, Text)>),
    /// `capture` under `!` leaves its mark where the rule does not match.
    Operator { operator: Arc<Operator>, captures: bool },
}

/// Whether all that a match of a rule does is that variables change and some rules are skipped, and nobody hears of it.
/// `test` is that of its first link.
pub(super) fn is_quiet(rule: &Rule, test: Option<&TxTest>) -> bool {
    let [link] = &rule.links[..] else { return false };
    let is_settled = link.condition.is_none() || test.is_some_and(|test| test.is_exact);
    let acts = !link.effects.is_empty() || rule.severity.is_some() || rule.disruptive != Disruptive::Pass;
    is_settled && !asks(link) && !acts && !rule.logs && !rule.audits
}

fn asks(link: &Link) -> bool {
    link.assignments.iter().any(|assignment| matches!(assignment, Assignment::Open { .. }))
}

/// See [`TxTest::key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TestKey(u32, bool, bool, Numeric);

impl TxTest {
    /// That of a link, when it is so simple.
    pub(super) fn new(link: &Link) -> Option<Self> {
        let condition = link.condition.as_ref()?;
        let [target] = &link.targets[..] else { return None };
        let Place::Tx(slot) = target.place else { return None };
        if !link.transformations.is_empty() || !link.exclusions.is_empty() {
            return None;
        }
        let question = match &condition.operator {
            OperatorSource::Fixed(operator) => match operator.numeric() {
                Some(numeric) => Question::Number(numeric),
                None if operator.is_pure() => {
                    Question::Operator { operator: operator.clone(), captures: link.captures }
                }
                None => return None,
            },
            OperatorSource::Expanded(text) => {
                Question::Expanded(Box::new((Numeric::of_name(condition.name)?, text.clone())))
            }
        };
        // What asks begins anew, and finds what its own assignments have left.
        let is_exact = !asks(link) && !matches!(question, Question::Operator { .. });
        Some(Self { slot, count: target.count, negated: condition.negated, question, is_exact })
    }

    /// The variable.
    pub(super) fn slot(&self) -> u32 {
        self.slot
    }

    /// Equal for tests that always say the same; nothing where that is not known.
    pub(super) fn key(&self) -> Option<TestKey> {
        match self.question {
            Question::Number(numeric) => Some(TestKey(self.slot, self.count, self.negated, numeric)),
            Question::Expanded(..) | Question::Operator { .. } => None,
        }
    }

    /// Whether the link may match: no is no, and yes is yes where an [item](Self::item) can be told.
    pub(super) fn may_match(&self, vars: &Variables, evaluation: &mut Evaluation) -> bool {
        match &self.question {
            Question::Number(numeric) => {
                self.number(vars).is_some_and(|number| numeric.compares(number) != self.negated)
            }
            Question::Expanded(expanded) => self.number(vars).is_some_and(|number| {
                let (numeric, limit) = &**expanded;
                numeric.with(limit.integer(vars)).compares(number) != self.negated
            }),
            Question::Operator { operator, captures } => {
                let held = vars.tx.value(self.slot);
                let value = match (self.count, held) {
                    (true, held) => Some(if held.is_some() { &b"1"[..] } else { b"0" }),
                    (false, held) => held,
                };
                // What is not there is not looked at, also under `!`.
                value.is_some_and(|value| match operator.evaluate(value, evaluation) {
                    Outcome::Match => !self.negated || *captures,
                    Outcome::NoMatch => self.negated,
                    Outcome::Need(_) | Outcome::StepLimit => true,
                })
            }
        }
    }

    /// What the link looks at, as a number; nothing where it has nothing to look at.
    fn number(&self, vars: &Variables) -> Option<i64> {
        if self.count { Some(i64::from(vars.tx.has(self.slot))) } else { vars.tx.integer(self.slot) }
    }

    /// What a match is told of.
    pub(super) fn item(&self, vars: &Variables) -> Option<Item> {
        let kind = if self.count {
            ItemKind::Count { members: u32::from(vars.tx.has(self.slot)), target: 0 }
        } else {
            ItemKind::Var { store: Store::Tx, slot: self.slot }
        };
        self.is_exact.then_some(Item { variable: Variable::Tx, kind })
    }
}
