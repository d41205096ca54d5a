//! The operators of a sieve and their numbers, so that rule sets which differ in a few rules can have one sieve.
//!
//! An automaton over the strings of some hundred operators is the largest part of a plan, and what services exclude from
//! the same rules hardly changes it. So a rule set takes a sieve that there is, where that knows nearly all of its
//! operators: those that it does not have are never asked about, and those of its own get *spare* numbers, which every
//! value passes.

use std::collections::HashMap;
use std::sync::Arc;

use super::PhaseDraft;
use super::chains::Want;
use super::needs::{Needs, telling_bytes};
use super::sieve::Sieve;
use crate::interner::Interner;
use crate::operator::{Evaluation, Operator, Outcome};

/// An operator as the sieve asks for it.
#[derive(Clone, Debug)]
pub(crate) struct SievedOperator {
    pub(super) operator: Arc<Operator>,
    /// Every value is a candidate: of a negated operator nothing is known.
    pub(super) always: bool,
}

/// A sieve and whose needs it tests.
#[derive(Debug)]
pub(crate) struct OperatorSieve {
    pub(super) sieve: Sieve,
    numbers: HashMap<Key, u32>,
    /// What the keys are addresses of: none of them can become another operator's while this is here.
    _operators: Vec<SievedOperator>,
}

/// An operator's address, since the interner shares equal ones, and whether it is always a candidate.
type Key = (usize, bool);

/// Operators that a rule set may have beyond those of another one's sieve: a handful of site rules. The first numbers
/// are theirs.
const SPARE: usize = 16;

impl SievedOperator {
    pub(super) fn key(&self) -> Key {
        (Arc::as_ptr(&self.operator) as usize, self.always)
    }

    /// Whether a rule with this operator may match a text.
    pub(super) fn may_match(&self, text: &[u8], evaluation: &mut Evaluation) -> bool {
        match self.operator.test(text, evaluation) {
            Outcome::Match => !self.always,
            Outcome::NoMatch => self.always,
            Outcome::Need(_) | Outcome::StepLimit => true,
        }
    }

    /// What it may match.
    fn wants(&self) -> Want {
        if self.always {
            return Want::ALL;
        }
        Want { len_min: self.operator.length_min(), telling: telling_bytes(&self.operator) }
    }
}

impl OperatorSieve {
    /// Of distinct operators. The first ones get the lowest numbers.
    pub(crate) fn new(operators: &[SievedOperator]) -> Self {
        let spare = std::iter::repeat_n(Needs::default(), SPARE);
        let needs = |known: &SievedOperator| {
            if known.always { Needs::default() } else { Needs::of(&known.operator) }
        };
        let needs: Vec<Needs> = spare.chain(operators.iter().map(needs)).collect();
        let numbers = operators.iter().zip(SPARE as u32..).map(|(known, number)| (known.key(), number));
        Self { sieve: Sieve::new(&needs), numbers: numbers.collect(), _operators: operators.to_vec() }
    }

    /// The numbers of some distinct operators, and how many of them it does not know; `None` when it does not fit them:
    /// it knows too few of them, or mostly others.
    pub(crate) fn numbers_of(&self, operators: &[SievedOperator]) -> Option<(Vec<u32>, usize)> {
        if operators.len() * 2 < self.numbers.len() {
            return None;
        }
        let mut spare = 0;
        let mut number_of = |known: &SievedOperator| match self.numbers.get(&known.key()) {
            Some(number) => Some(*number),
            None if spare < SPARE => {
                spare += 1;
                Some(spare as u32 - 1)
            }
            None => None,
        };
        let numbers = operators.iter().map(&mut number_of).collect::<Option<Vec<u32>>>()?;
        Some((numbers, spare))
    }
}

/// Operators that have their final numbers.
pub(super) struct Settled {
    pub(super) sieve: Arc<OperatorSieve>,
    /// By number; none where the sieve has one that is not the rule set's.
    pub(super) operators: Arc<[Option<SievedOperator>]>,
    /// By number, what it may match.
    pub(super) wants: Vec<Want>,
}

/// Distinct operators while phases are drafted, in the order of their first use.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    operators: Vec<SievedOperator>,
    numbers: HashMap<Key, u32>,
}

impl Numbering {
    pub(super) fn len(&self) -> usize {
        self.operators.len()
    }

    /// The number of an operator until all are known.
    pub(super) fn number(&mut self, operator: &Arc<Operator>, always: bool) -> u32 {
        let sieved = SievedOperator { operator: operator.clone(), always };
        *self.numbers.entry(sieved.key()).or_insert_with(|| {
            self.operators.push(sieved);
            self.operators.len() as u32 - 1
        })
    }

    /// Numbers the operators in some drafts as their sieve does.
    pub(super) fn settle<'d>(
        self,
        drafts: impl Iterator<Item = &'d mut PhaseDraft>,
        interner: &Interner,
    ) -> Settled {
        let mut drafts: Vec<&mut PhaseDraft> = drafts.collect();
        // Those behind the fewest gates come first, so that the masks of a paranoia level are short.
        let mut gates_of = vec![usize::MAX; self.operators.len()];
        for draft in &drafts {
            for (step, operator) in draft.step_operators.iter().enumerate() {
                let Some(operator) = operator else { continue };
                let gates = &mut gates_of[*operator as usize];
                *gates = draft.gates.before(step as u32).min(*gates);
            }
        }
        let mut order: Vec<usize> = (0..self.operators.len()).collect();
        order.sort_by_key(|operator| gates_of[*operator]);
        let ordered: Vec<SievedOperator> =
            order.iter().map(|operator| self.operators[*operator].clone()).collect();
        let (sieve, numbers) = interner.sieve(&ordered);
        let mut renamed = vec![0; order.len()];
        let mut wants = vec![Want::ALL; 64 * sieve.sieve.words()];
        let mut operators = vec![None; wants.len()];
        for ((operator, number), sieved) in order.iter().zip(numbers).zip(ordered) {
            renamed[*operator] = number;
            wants[number as usize] = sieved.wants();
            operators[number as usize] = Some(sieved);
        }
        for draft in &mut drafts {
            let probes = draft.sources.iter_mut().flat_map(|(_, probes)| probes);
            let in_probes = probes.map(|probe| &mut probe.operator);
            let in_steps = draft.step_operators.iter_mut().flatten();
            in_probes.chain(in_steps).for_each(|operator| *operator = renamed[*operator as usize]);
        }
        Settled { sieve, operators: operators.into(), wants }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use palisade_seclang::ast::OperatorName;

    use super::*;
    use crate::operator::CompileOptions;

    fn operators(numbers: std::ops::Range<usize>) -> Vec<SievedOperator> {
        let compile = |number: usize| {
            let (options, files) = (CompileOptions::default(), BTreeMap::new());
            let text = format!("phrase{number}");
            let operator = Operator::compile(OperatorName::Contains, text.as_bytes(), &options, &files);
            SievedOperator { operator: Arc::new(operator.expect("any text will do")), always: false }
        };
        numbers.map(compile).collect()
    }

    #[test]
    fn rule_sets_that_differ_in_a_few_operators_have_one_sieve() {
        let interner = Interner::new();
        let all = operators(0..100);
        let (first, numbers) = interner.sieve(&all);
        assert_eq!(numbers, (16..116).collect::<Vec<u32>>());
        let (fewer, numbers) = interner.sieve(&all[40..]);
        assert!(Arc::ptr_eq(&first, &fewer));
        assert_eq!(numbers, (56..116).collect::<Vec<u32>>());
        let own = [&operators(100..116)[..], &all[..]].concat();
        let (more, numbers) = interner.sieve(&own);
        assert!(Arc::ptr_eq(&first, &more));
        assert_eq!(numbers, (0..116).collect::<Vec<u32>>());
    }

    #[test]
    fn one_that_knows_too_few_or_mostly_others_is_not_taken() {
        let interner = Interner::new();
        let all = operators(0..100);
        let (first, _) = interner.sieve(&all);
        let own = [&operators(100..117)[..], &all[..]].concat();
        let (more, _) = interner.sieve(&own);
        assert!(!Arc::ptr_eq(&first, &more));
        let (few, _) = interner.sieve(&all[..49]);
        assert!(!Arc::ptr_eq(&first, &few));
        // Of two that fit, the one that knows more.
        let (same, _) = interner.sieve(&own);
        assert!(Arc::ptr_eq(&more, &same));
    }

    #[test]
    fn every_value_passes_a_spare_number() {
        let all = operators(0..100);
        let known = OperatorSieve::new(&all[1..]);
        let (numbers, missing) = known.numbers_of(&all).expect("one operator is missing");
        assert_eq!((numbers[0], missing), (0, 1));
        for value in [&b""[..], b"x", b"phrase1 phrase99 \xff"] {
            let mut asked = vec![u64::MAX; known.sieve.words()];
            known.sieve.sift(
                value,
                &palisade_codec::ByteSet::of(value),
                &mut asked,
                &mut super::super::Seen::default(),
            );
            assert_eq!(asked[0] & 1, 1, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn what_a_sieve_knows_stays_while_it_is_there() {
        let interner = Interner::new();
        let all = operators(0..40);
        let operator = Arc::downgrade(&all[3].operator);
        let (sieve, _) = interner.sieve(&all);
        drop(all);
        assert_eq!(operator.strong_count(), 1);
        drop(sieve);
        assert_eq!(operator.strong_count(), 0);
    }
}
