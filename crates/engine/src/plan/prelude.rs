//! The set-up rules at the start of a rule set, run once for all transactions.
//!
//! CRS begins with fifty rules and more that give TX its defaults. They look at nothing but TX, which is empty when they
//! begin, and change nothing else: so they always come to the same. The first transaction runs them, and what TX holds
//! afterwards, and what MATCHED_VARS shows, is there for the others.
//!
//! **Invariant:** what is had again is what the rules left when they ran, and they ran as a function of nothing: TX had
//! never been written to, nobody watched and nothing was removed, now as then.

use std::sync::OnceLock;

use palisade_seclang::ast::Phase;

use super::PhasePlan;
use crate::matched::Shown;
use crate::ruleset::{Assignment, Link, RuleIndex, RuleSet};
use crate::store::Image;
use crate::transaction::Transaction;

/// What the first transaction found.
#[derive(Debug, Default)]
pub(super) struct Prelude(OnceLock<Option<Left>>);

/// What rules left, from one step to another.
#[derive(Debug)]
struct Left {
    phase: Phase,
    from: usize,
    to: usize,
    skip: u32,
    /// What it cost; see [`crate::transaction::Cursor::work`].
    work: usize,
    tx: Image,
    /// The last rule that ran.
    rule: RuleIndex,
    /// What it matched, if any did.
    matched: Option<Shown>,
}

/// Whether nothing but TX decides what the assignments of a link do, and they change nothing else.
pub(super) fn is_closed(link: &Link) -> bool {
    link.assignments.iter().all(|assignment| match assignment {
        Assignment::Set(set) => set.is_closed(),
        Assignment::Open { .. } => false,
    })
}

impl Transaction {
    /// Runs the rule at the cursor, which is closed and may pass quietly, and all such that follow, for a TX that nobody
    /// has written to.
    pub(super) fn run_prelude(&mut self, rules: &RuleSet, phase: Phase) {
        let plan = &rules.plan;
        let from = self.cursor.step;
        match plan.prelude.0.get() {
            Some(Some(left)) if (left.phase, left.from) == (phase, from) => self.leave(left),
            // Of another place, where few rule sets begin.
            Some(_) => {
                self.run_closed(rules, phase);
            }
            None => {
                let work = self.cursor.work;
                let told = self.run_closed(rules, phase);
                let left = self.vars.tx.image().map(|tx| Left {
                    phase,
                    from,
                    to: self.cursor.step,
                    skip: self.cursor.skip,
                    work: self.cursor.work - work,
                    tx,
                    rule: self.vars.rule,
                    matched: told.then(|| self.vars.matched.shown()),
                });
                // Another transaction may have been faster, and has found the same.
                let _ = plan.prelude.0.set(left);
            }
        }
    }

    /// Goes on behind closed rules, as if they had run.
    fn leave(&mut self, left: &Left) {
        self.cursor.step = left.to;
        self.cursor.skip = left.skip;
        self.cursor.work += left.work;
        self.vars.tx.show(&left.tx);
        self.vars.rule = left.rule;
        if let Some(matched) = &left.matched {
            self.vars.matched.show(matched);
        }
    }

    /// Runs closed rules up to the first one that is not; says whether one of them matched something. Yields nowhere:
    /// there are as many as a rule set has rules, and each looks at one variable.
    fn run_closed(&mut self, rules: &RuleSet, phase: Phase) -> bool {
        let plan: &PhasePlan = rules.plan.phase(phase);
        let mut told = false;
        loop {
            self.cursor.step += std::mem::take(&mut self.cursor.skip) as usize;
            let step = self.cursor.step;
            let Some(test) = plan.tests.get(step) else { return told };
            let test = test.as_deref();
            if test.is_some_and(|test| !test.may_match(&self.vars, &mut self.scratch.evaluation)) {
                self.cursor.step += 1;
            } else if plan.closed.contains(step) {
                let item = test.and_then(|test| test.item(&self.vars));
                told |= item.is_some();
                self.pass_quietly(rules, rules.program(phase)[step], item);
            } else {
                return told;
            }
        }
    }
}
