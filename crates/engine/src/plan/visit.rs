//! Running a phase by its plan: which step comes next, and the first link of a judged rule.

use palisade_seclang::ast::Phase;

use super::TxTest;
use super::scan::{PlanState, Text};
use crate::evaluate::{Asked, Matching};
use crate::operator::Evaluation;
use crate::ruleset::{RuleIndex, RuleSet, Selector};
use crate::store::VarStore;
use crate::transaction::{Progress, Transaction};

impl Transaction {
    /// Brings the cursor to the next step that is to be visited; `None` when there is none. Scans first.
    pub(crate) fn next_visit(&mut self, rules: &RuleSet, phase: Phase) -> Result<Option<usize>, Progress> {
        self.enter_phase(phase);
        let plan = rules.plan.phase(phase);
        // A rule that stopped in the middle goes on.
        if self.cursor.paused.is_some() {
            return Ok(Some(self.cursor.step));
        }
        // `skip` counts every rule, visited or not.
        self.cursor.step += std::mem::take(&mut self.cursor.skip) as usize;
        loop {
            let from = self.cursor.step;
            let always = plan.always.next(from);
            let judged = self.next_judged(rules, phase, from, always)?;
            let Some(step) = always.into_iter().chain(judged).min() else { return Ok(None) };
            self.cursor.step = step;
            let Some(test) = &plan.tests[step] else { return Ok(Some(step)) };
            if test.may_match(&self.vars.tx, &mut self.scratch.evaluation) {
                return Ok(Some(step));
            }
            self.cursor.step += 1;
        }
    }

    /// The next judged step that is to be visited. `always` is the next one of the others.
    fn next_judged(
        &mut self,
        rules: &RuleSet,
        phase: Phase,
        from: usize,
        always: Option<usize>,
    ) -> Result<Option<usize>, Progress> {
        let judged = &rules.plan.phase(phase).judged;
        if !self.plan.is_scanned {
            // Values are not looked at before a rule wants it: what comes before it may open and close gates.
            let Some(wants) = judged.next(from) else { return Ok(None) };
            if always.is_some_and(|always| always < wants) {
                return Ok(Some(wants));
            }
            if let Some(progress) = self.scan(rules, phase) {
                return Err(progress);
            }
        }
        if self.plan.overflown {
            return Ok(judged.next(from));
        }
        let candidate = self.plan.next_candidate(from);
        if !self.plan.is_dead(phase, from) {
            return Ok(candidate);
        }
        // Behind a gate that was to skip and did not, rules run as they stand.
        let behind_gate = judged.next(from).filter(|step| self.plan.is_dead(phase, *step));
        Ok(behind_gate.into_iter().chain(candidate).min())
    }

    /// Whether the first link of a rule is run by its candidates.
    pub(crate) fn is_judged(&self, rules: &RuleSet, index: RuleIndex) -> bool {
        let Some(phase) = self.cursor.phase else { return false };
        !self.plan.off
            && !self.plan.overflown
            && rules.plan.phase(phase).judged.contains(self.cursor.step)
            && !self.plan.is_dead(phase, self.cursor.step)
            // What such an exclusion names may change from one target to the next.
            && !self.control.removed_targets.iter().any(|(removed, exclusion)| {
                matches!(exclusion.selector, Selector::ExpandedKey(_)) && removed.contains(index)
            })
    }

    /// Tries the candidates of the rule at the cursor, as the reference tries all values.
    pub(crate) fn try_candidates(
        &mut self,
        rules: &RuleSet,
        index: RuleIndex,
        matching: &mut Matching<'_>,
    ) -> Result<(), Asked> {
        let step = self.cursor.step as u32;
        let mut at = self.plan.next;
        while let Some(candidate) = self.plan.candidates.get(at).copied().filter(|known| known.step == step) {
            at += 1;
            if !self.is_looked_at(matching.link, Some(index), candidate.item) {
                continue;
            }
            self.plan.filters.asked += 1;
            let matched = matching.seen;
            match candidate.text {
                Text::Remade => self.try_item(rules, matching, candidate.item)?,
                Text::Raw => self.try_text(matching, candidate.item, None)?,
                Text::Kept { start, end } => {
                    self.try_text(matching, candidate.item, Some(start as usize..end as usize))?;
                }
            }
            self.plan.filters.matched += (matching.seen - matched) as u64;
        }
        Ok(())
    }
}

impl PlanState {
    /// The step of the first candidate that is not behind a step.
    fn next_candidate(&mut self, from: usize) -> Option<usize> {
        while self.candidates.get(self.next).is_some_and(|known| (known.step as usize) < from) {
            self.next += 1;
        }
        self.candidates.get(self.next).map(|candidate| candidate.step as usize)
    }
}

impl TxTest {
    pub(super) fn may_match(&self, tx: &VarStore, evaluation: &mut Evaluation) -> bool {
        let held = tx.value(self.slot);
        let value = match (self.count, held) {
            (true, held) => Some(if held.is_some() { &b"1"[..] } else { b"0" }),
            (false, held) => held,
        };
        // What is not there is not looked at, also under `!`.
        value.is_some_and(|value| self.decision.may_match(value, evaluation))
    }
}
