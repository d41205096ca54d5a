//! Which judged steps can be reached at all, guessed from TX.
//!
//! CRS puts the rules of each paranoia level behind a gate, a rule that looks at one TX variable and skips past them.
//! Most of a rule set lies behind gates that hold. What they will do is asked once, when the phase is about to look at
//! values, and values are then not looked at for rules that will be skipped.
//!
//! It is a guess: a gate may be removed by `ctl`, or its variable may change before the gate is reached. So steps that
//! were held for dead and are reached all the same are run as the reference runs them.

use std::fmt;

use super::PhasePlan;
use super::masks::Awake;
use super::steps::Steps;

/// A rule that skips past others because of one TX variable, and does nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    pub(super) step: u32,
    /// The first step that it does not skip.
    pub(super) to: u32,
}

/// What is reached under some outcomes of the gates. Kept, since they mostly come out alike.
#[derive(Default)]
pub(super) struct Live {
    /// A bit for each gate that skips; `None` before the first use.
    outcomes: Option<Vec<u64>>,
    /// Steps behind gates that skip.
    pub(super) dead: Steps,
    /// Operators of judged steps that are not; words behind the last one with any are left out.
    pub(super) operators: Vec<u64>,
    /// What is awake of each source.
    pub(super) sources: Vec<Awake>,
    /// The outcomes in question.
    asked: Vec<u64>,
}

impl Live {
    /// Brings it up to what the gates say now.
    pub(super) fn update(&mut self, plan: &PhasePlan, words: usize, mut skips: impl FnMut(u32) -> bool) {
        self.asked.clear();
        self.asked.resize(plan.gates.len().div_ceil(64), 0);
        for (number, gate) in plan.gates.iter().enumerate() {
            if skips(gate.step) {
                self.asked[number / 64] |= 1 << (number % 64);
            }
        }
        if self.outcomes.as_ref() == Some(&self.asked) {
            return;
        }
        self.dead = Steps::new(plan.step_operators.len());
        let mut beyond = 0;
        for (number, gate) in plan.gates.iter().enumerate() {
            // Of gates within a dead part nothing is asked.
            if gate.step >= beyond && self.asked[number / 64] >> (number % 64) & 1 == 1 {
                beyond = gate.to.max(gate.step + 1);
                (gate.step + 1..beyond).for_each(|step| self.dead.insert(step));
            }
        }
        self.operators.clear();
        self.operators.resize(words, 0);
        for (step, operator) in plan.step_operators.iter().enumerate() {
            if let Some(operator) = operator
                && !self.dead.contains(step)
            {
                self.operators[*operator as usize / 64] |= 1 << (operator % 64);
            }
        }
        while self.operators.pop_if(|word| *word == 0).is_some() {}
        self.sources.resize_with(plan.sources.len(), Awake::default);
        for (awake, source) in self.sources.iter_mut().zip(&plan.sources) {
            awake.update(source, &self.operators);
        }
        self.outcomes = Some(self.asked.clone());
    }
}

/// What is kept says nothing about the exchange that left it.
impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}
