//! Running a phase by its plan: which step comes next, and what the first link of a rule there matches.

use palisade_seclang::ast::{Phase, Variable};

use super::PhasePlan;
use super::live::Live;
use super::scan::{PlanState, Text};
use super::steps::Steps;
use crate::evaluate::{Asked, Matching};
use crate::ruleset::{Condition, OperatorSource, RuleIndex, RuleSet, Selector};
use crate::transaction::{Progress, Transaction};
use crate::variables::{Item, ItemKind};

impl Transaction {
    /// Brings the cursor to the next step that is to be visited; `None` when there is none. Scans first.
    pub(crate) fn next_visit(&mut self, rules: &RuleSet, phase: Phase) -> Result<Option<usize>, Progress> {
        self.enter_phase(phase);
        // A rule that stopped in the middle goes on.
        if self.cursor.paused.is_some() {
            return Ok(Some(self.cursor.step));
        }
        let plan = rules.plan.phase(phase);
        loop {
            // `skip` counts every rule, visited or not.
            self.cursor.step += std::mem::take(&mut self.cursor.skip) as usize;
            let from = self.cursor.step;
            if self.plan.gates_hold && !self.gates_hold(rules, phase) {
                self.plan.visit_gates(plan, phase);
            }
            // Values are not looked at before a rule wants it: what comes before it may open and close gates.
            let next = if self.plan.is_scanned {
                self.plan.visits(phase).next(from)
            } else {
                (from < plan.tests.len()).then_some(from)
            };
            if self.plan.gates_hold {
                let tellers = &self.plan.live[phase].tellers;
                if let Some(gate) = tellers.last(from, next.unwrap_or(plan.tests.len())) {
                    self.pass_gate(rules, phase, gate);
                }
            }
            let Some(step) = next else { return Ok(None) };
            self.cursor.step = step;
            let test = plan.tests[step].as_deref();
            if test.is_some_and(|test| !test.may_match(&self.vars, &mut self.scratch.evaluation)) {
                self.cursor.step += 1;
            } else if plan.quiet.contains(step) && self.may_pass_quietly(rules.program(phase)[step]) {
                if plan.closed.contains(step) && self.vars.tx.is_untouched() {
                    self.run_prelude(rules, phase);
                    continue;
                }
                let item = test.and_then(|test| test.item(&self.vars));
                self.pass_quietly(rules, rules.program(phase)[step], item);
            } else if !self.plan.is_scanned && plan.judged.contains(step) {
                if let Some(progress) = self.scan(rules, phase) {
                    return Err(progress);
                }
                self.plan.choose_visits(phase);
                self.plan.changes_at_scan = self.vars.tx.watched_changes();
                self.plan.removed_at_scan = 0;
                if self.plan.overflown {
                    self.plan.visit_gates(plan, phase);
                }
            } else {
                return Ok(Some(step));
            }
        }
    }

    /// Whether gates still do what they were found to do, and the cursor is not behind one that skips.
    fn gates_hold(&mut self, rules: &RuleSet, phase: Phase) -> bool {
        let removed = &self.control.removed_rules;
        if self.plan.removed_at_scan != removed.len() {
            let program = rules.program(phase);
            let mut gates = rules.plan.phase(phase).gates.plain().map(|step| program[step as usize]);
            if gates.any(|gate| removed.iter().any(|removed| removed.contains(gate))) {
                return false;
            }
            self.plan.removed_at_scan = removed.len();
        }
        self.vars.tx.watched_changes() == self.plan.changes_at_scan
            && !self.plan.live[phase].beyond.contains(self.cursor.step)
            && !self.is_watched()
            && self.keeps_tx()
    }

    /// All that a gate does that skips.
    fn pass_gate(&mut self, rules: &RuleSet, phase: Phase, step: usize) {
        let Some(test) = &rules.plan.phase(phase).tests[step] else { return };
        let Some(item) = test.item(&self.vars) else { return };
        let index = rules.program(phase)[step];
        self.vars.rule = index;
        self.tell_gate(&rules.rule(index).links[0], item);
    }

    /// Whether somebody wants to know of each rule.
    fn is_watched(&self) -> bool {
        self.keeps_silent_matches || self.observer.is_some() || self.debug.is_some()
    }

    /// Whether a rule that changes nothing but variables and the cursor may do so without further ado: nobody watches,
    /// nothing of it is removed, and it is not time to let others run.
    fn may_pass_quietly(&self, index: RuleIndex) -> bool {
        let removed = self.control.removed_rules.iter().any(|removed| removed.contains(index));
        !self.is_watched() && !removed && self.keeps_tx() && self.cursor.work <= self.cursor.work_share
    }

    /// Whether no `ctl` has taken a variable of TX from a rule.
    fn keeps_tx(&self) -> bool {
        self.control.removed_targets.iter().all(|(_, exclusion)| exclusion.variable != Variable::Tx)
    }

    /// What the first link of the rule at the cursor matches, where its visit says that it does.
    pub(crate) fn settled(&self, rules: &RuleSet) -> Option<Item> {
        let phase = self.cursor.phase.filter(|_| !self.plan.off && self.keeps_tx())?;
        rules.plan.phase(phase).tests[self.cursor.step].as_ref()?.item(&self.vars)
    }

    /// Whether the first link of a rule is run by its candidates.
    pub(crate) fn is_judged(&self, rules: &RuleSet, index: RuleIndex) -> bool {
        let Some(phase) = self.cursor.phase else { return false };
        !self.plan.off
            && !self.plan.overflown
            && self.plan.is_scanned
            && rules.plan.phase(phase).judged.contains(self.cursor.step)
            && !self.plan.is_dead(phase, self.cursor.step)
            // What such an exclusion names may change from one target to the next.
            && !self.control.removed_targets.iter().any(|(removed, exclusion)| {
                matches!(exclusion.selector, Selector::ExpandedKey(_)) && removed.contains(index)
            })
    }

    /// Whether a link that is not judged beforehand matches no value of ASCII, so that a glance at most values does.
    /// `@validateUtf8Encoding` stands in a chain and looks at every argument there is.
    pub(crate) fn passes_over_ascii(&self, matching: &Matching<'_>) -> bool {
        let Condition { operator: OperatorSource::Fixed(operator), negated: false, .. } = matching.condition
        else {
            return false;
        };
        !self.plan.off && matching.link.transformations.is_empty() && operator.passes_ascii()
    }

    /// Whether an item is one of the message's fields, which no match changes, and ASCII.
    pub(crate) fn is_ascii_field(&mut self, item: Item) -> bool {
        let ItemKind::Field { .. } = item.kind else { return false };
        let value = self.vars.value(item, &mut self.scratch.value).unwrap_or_default();
        self.cursor.work += value.len() + 16;
        value.is_ascii()
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
        while self.plan.candidates.get(at).is_some_and(|known| known.step < step) {
            at += 1;
        }
        self.plan.next = at;
        while let Some(candidate) = self.plan.candidates.get(at).copied().filter(|known| known.step == step) {
            at += 1;
            if !self.is_looked_at(matching.link, Some(index), candidate.item) {
                continue;
            }
            self.plan.filters.asked += u64::from(!candidate.asked);
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
    /// The steps that a scanned phase visits.
    fn visits(&self, phase: Phase) -> &Steps {
        &self.live[phase].visits
    }

    /// Those while gates hold.
    fn choose_visits(&mut self, phase: Phase) {
        self.gates_hold = true;
        let Live { visits, resting, .. } = &mut self.live[phase];
        visits.clone_from(resting);
        self.candidates.iter().for_each(|candidate| visits.insert(candidate.step));
    }

    /// Those from now on when they may not: gates are asked, and what they do not skip is run.
    fn visit_gates(&mut self, plan: &PhasePlan, phase: Phase) {
        self.gates_hold = false;
        let Live { visits, dead, .. } = &mut self.live[phase];
        visits.insert_all(&plan.always);
        if self.overflown {
            visits.insert_all(&plan.judged);
        } else {
            // Behind a gate that was to skip and does not, rules run as they stand.
            visits.insert_common(&plan.judged, dead);
        }
    }
}
