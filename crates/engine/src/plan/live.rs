//! Which judged steps can be reached at all, guessed from TX.
//!
//! CRS puts the rules of each paranoia level behind a gate, a rule that looks at one TX variable and skips past them.
//! Most of a rule set lies behind gates that hold. What they will do is asked once, when the phase is about to look at
//! values, and values are then not looked at for rules that will be skipped.
//!
//! It is a guess: a gate may be removed by `ctl`, or its variable may change before the gate is reached. So steps that
//! were held for dead and are reached all the same are run as the reference runs them.

use std::collections::HashMap;
use std::fmt;
use std::ops::{Index, IndexMut};

use palisade_seclang::ast::Phase;

use super::PhasePlan;
use super::masks::Awake;
use super::steps::Steps;
use super::tx::{TestKey, TxTest};
use crate::ruleset::{PHASES, phase_slot};

/// The rules of a phase that skip past others because of one TX variable.
#[derive(Debug, Default)]
pub(super) struct Gates {
    /// In order.
    gates: Vec<Gate>,
    /// For each distinct question of theirs the step of a gate that asks it: a rule set has a hundred gates, and few
    /// questions.
    questions: Vec<u32>,
    /// Numbers of questions.
    known: HashMap<TestKey, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Gate {
    step: u32,
    /// Number of its question.
    question: u32,
    /// The first step that it does not skip.
    to: u32,
    /// Nothing but one variable, as it stands, decides.
    is_plain: bool,
    /// It does nothing but skip.
    is_bare: bool,
}

impl Gates {
    /// Adds one. Steps come in order. `is_bare`: it does nothing but skip.
    pub(super) fn add(&mut self, step: u32, to: u32, test: &TxTest, is_bare: bool) {
        let next = self.questions.len() as u32;
        let question = test.key().map_or(next, |key| *self.known.entry(key).or_insert(next));
        if question == next {
            self.questions.push(step);
        }
        self.gates.push(Gate { step, question, to, is_plain: test.key().is_some(), is_bare });
    }

    /// The steps of gates that nothing but one variable decides.
    pub(super) fn plain(&self) -> impl Iterator<Item = u32> + '_ {
        self.gates.iter().filter(|gate| gate.is_plain).map(|gate| gate.step)
    }

    /// How many gates may skip a step.
    pub(super) fn before(&self, step: u32) -> usize {
        self.gates.iter().filter(|gate| gate.step < step && step < gate.to).count()
    }

    /// Forgets what only [`Gates::add`] needs.
    pub(super) fn finish(mut self) -> Self {
        self.known = HashMap::new();
        self
    }
}

/// What is reached under some outcomes of the gates. Kept, since they mostly come out alike.
#[derive(Default)]
pub(super) struct Live {
    /// A bit for each question of the gates that is answered by yes; `None` before the first use.
    outcomes: Option<Vec<u64>>,
    /// Steps behind gates that skip.
    pub(super) dead: Steps,
    /// Of these, those that are skipped as long as the variables of plain gates stay as they are.
    pub(super) beyond: Steps,
    /// As long as they do: the plain gates that skip and do nothing else, ...
    pub(super) tellers: Steps,
    /// ... and what is visited whatever the values are.
    pub(super) resting: Steps,
    /// Operators of judged steps that are not; words behind the last one with any are left out.
    pub(super) operators: Vec<u64>,
    /// What is awake of each source.
    pub(super) sources: Vec<Awake>,
    /// Goes up with each change of what is live.
    pub(super) version: u64,
    /// Steps that are visited once the phase's values have been looked at.
    pub(super) visits: Steps,
    /// The outcomes in question.
    asked: Vec<u64>,
}

impl Live {
    /// Brings it up to what the gates say now. `holds` tells it of the gate at a step.
    pub(super) fn update(&mut self, plan: &PhasePlan, words: usize, mut holds: impl FnMut(u32) -> bool) {
        let Gates { gates, questions, .. } = &plan.gates;
        self.asked.clear();
        self.asked.resize(questions.len().div_ceil(64), 0);
        for (number, step) in questions.iter().enumerate() {
            if holds(*step) {
                self.asked[number / 64] |= 1 << (number % 64);
            }
        }
        if self.outcomes.as_ref() == Some(&self.asked) {
            return;
        }
        self.dead = Steps::new(plan.step_operators.len());
        let mut beyond = 0;
        for gate in gates {
            let skips = self.asked[gate.question as usize / 64] >> (gate.question % 64) & 1 == 1;
            // Of gates within a dead part nothing is asked.
            if gate.step >= beyond && skips {
                beyond = gate.to.max(gate.step + 1);
                (gate.step + 1..beyond).for_each(|step| self.dead.insert(step));
            }
        }
        self.pass_gates(plan);
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
        self.version += 1;
    }

    /// Finds out which steps need no visit while the variables of plain gates stay as they are: gates that do not skip,
    /// those that do nothing else, and all that is skipped.
    fn pass_gates(&mut self, plan: &PhasePlan) {
        let steps = plan.step_operators.len();
        self.beyond = Steps::new(steps);
        self.tellers = Steps::new(steps);
        let mut passed = Steps::new(steps);
        let mut beyond = 0;
        for gate in plan.gates.gates.iter().filter(|gate| gate.is_plain) {
            if gate.step < beyond {
                continue;
            }
            if self.asked[gate.question as usize / 64] >> (gate.question % 64) & 1 == 0 {
                passed.insert(gate.step);
                continue;
            }
            beyond = gate.to.max(gate.step + 1);
            (gate.step + 1..beyond).for_each(|step| self.beyond.insert(step));
            if gate.is_bare {
                passed.insert(gate.step);
                self.tellers.insert(gate.step);
            }
        }
        self.resting.clone_from(&plan.always);
        // Behind a gate that was to skip and does not, rules run as they stand.
        self.resting.insert_common(&plan.judged, &self.dead);
        self.resting.remove_all(&passed);
        self.resting.remove_all(&self.beyond);
    }
}

/// Those of all phases, by their places; nothing before the first is asked for. They lie apart, since a transaction moves
/// a few times.
#[derive(Default)]
pub(super) struct Lives(Vec<Live>);

impl Lives {
    /// That of a phase, whether it was asked for before or not.
    pub(super) fn begin(&mut self, phase: Phase) -> &mut Live {
        if self.0.is_empty() {
            self.0.resize_with(PHASES, Live::default);
        }
        &mut self[phase]
    }

    /// Whether a step lies behind a gate that was found to skip it.
    pub(super) fn is_dead(&self, phase: Phase, step: usize) -> bool {
        self.0.get(phase_slot(phase)).is_some_and(|live| live.dead.contains(step))
    }
}

/// That of a phase that was asked for.
impl Index<Phase> for Lives {
    type Output = Live;

    fn index(&self, phase: Phase) -> &Live {
        &self.0[phase_slot(phase)]
    }
}

impl IndexMut<Phase> for Lives {
    fn index_mut(&mut self, phase: Phase) -> &mut Live {
        &mut self.0[phase_slot(phase)]
    }
}

/// What is kept says nothing about the exchange that left it.
impl fmt::Debug for Lives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lives")
    }
}
