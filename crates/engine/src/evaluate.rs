//! The reference evaluator: walks the rules as they are written.
//!
//! It is the definition of what a rule set means here. It shares no work between rules; what it may do cheaply
//! it does (no copy of a value that no transformation changed, names only after a match), but where speed and
//! plainness disagree, plainness wins.
//!
//! ```text
//! phase program: rule, rule, rule ...          skip / skipAfter move the cursor
//!   rule: link AND link AND link               the first that does not match ends the rule
//!     link: any (value of any target)          every value is tried, also after a match
//!       value -> transformations -> operator   each match: capture, then setvar
//!   whole rule matched: effects (innermost link first), log, disruptive action
//! ```
//!
//! It stops where a [`Lookup`] is needed and between rules when a share of work is done; its cursor says where
//! it goes on. A link that asked is evaluated again from its first value, with the assignments of matches that
//! were already done left out.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use palisade_codec::transform::Effect;
use palisade_pcre::Pattern;
use palisade_seclang::ast::{Phase, RuleEngine, Variable};

use crate::lookup::{Answer, LOOKUPS_MAX, Lookup};
use crate::operator::{DataFiles, Evaluation, GROUPS, Operator, Outcome, compare, is_comparison};
use crate::recycle::empty;
use crate::ruleset::{
    Condition, Exclusion, Link, OperatorSource, Place, Rule, RuleIndex, RuleSet, Selector, Target, XPathQuery,
};
use crate::store::{self, TextId};
use crate::transaction::{
    Evaluated, Paused, Progress, Scratch, Shortfall, Transaction, XPATH_VALUES_FULL, note_shortfall,
};
use crate::variables::{Item, ItemKind, Store, Variables, store_of};

/// Bytes that operators see before the evaluator lets others run: some milliseconds of work.
pub(crate) const WORK_SHARE_BYTES: usize = 8 << 20;

/// Why a rule stopped in the middle.
pub(crate) struct Asked(pub(crate) Lookup);

impl Transaction {
    pub(crate) fn run_program(&mut self, phase: Phase) -> Progress {
        let rules = Arc::clone(&self.rules);
        let program = rules.program(phase);
        loop {
            if self.vars.engine == RuleEngine::Off || self.is_over(phase) {
                break;
            }
            if !self.plan.off {
                match self.next_visit(&rules, phase) {
                    Ok(Some(step)) => self.cursor.step = step,
                    Ok(None) => break,
                    Err(progress) => return progress,
                }
            }
            let Some(&index) = program.get(self.cursor.step) else { break };
            if self.cursor.work > self.cursor.work_share {
                self.cursor.work = 0;
                return Progress::Yield;
            }
            if self.cursor.paused.is_none() && self.is_passed_over(index) {
                self.cursor.step += 1;
                continue;
            }
            self.debug_rule(rules.rule(index));
            let ran = self.run_rule(&rules, index);
            self.debug_result(ran.as_ref().ok().copied());
            if let Some(observer) = &mut self.observer {
                (observer.0)(Some(index));
            }
            match ran {
                Ok(true) => {
                    self.cursor.step += 1;
                    self.flow_after(rules.rule(index));
                }
                Ok(false) => self.cursor.step += 1,
                Err(Asked(lookup)) if self.cursor.lookups >= LOOKUPS_MAX => {
                    self.note(Shortfall::TooManyLookups);
                    self.take_answer(lookup, Answer::Unavailable);
                }
                Err(Asked(lookup)) => {
                    self.cursor.asked = Some(lookup.clone());
                    return Progress::Need(lookup);
                }
            }
        }
        self.cursor.phase = None;
        Progress::Done
    }

    /// Whether the phase has ended: an interruption (phase 5 runs to its end all the same), or an `allow`.
    fn is_over(&self, phase: Phase) -> bool {
        if phase == Phase::Logging {
            return false;
        }
        self.interruption.is_some() || self.control.allowed.is_some() && self.control.allowed_in == phase
    }

    /// Whether the rule is skipped, or removed by `ctl`.
    fn is_passed_over(&mut self, index: RuleIndex) -> bool {
        if self.control.removed_rules.iter().any(|removed| removed.contains(index)) {
            // Skipping counts the rules that are there, removed ones included, as it would without the removal.
            self.cursor.skip = self.cursor.skip.saturating_sub(1);
            return true;
        }
        if self.cursor.skip > 0 {
            self.cursor.skip -= 1;
            return true;
        }
        false
    }

    fn flow_after(&mut self, rule: &Rule) {
        self.cursor.skip = rule.skip;
        if let Some(to) = &rule.skip_after {
            self.cursor.step = self.cursor.step.max(to.step);
        }
    }

    /// Runs one rule from its start or from where it stopped; tells whether the whole chain matched.
    fn run_rule(&mut self, rules: &RuleSet, index: RuleIndex) -> Result<bool, Asked> {
        let rule = rules.rule(index);
        let paused = self.cursor.paused.take();
        if paused.is_none() {
            self.vars.rule = index;
            self.scratch.assigned.clear();
        }
        let Paused { link: first_link, .. } = paused.unwrap_or_default();
        for number in first_link..rule.links.len() {
            let done = paused.filter(|paused| paused.link == number).unwrap_or_default();
            if !self.run_link(rules, index, rule, number, done)? {
                return Ok(false);
            }
        }
        self.complete(rules, index, rule);
        Ok(true)
    }

    /// Tries all values of a link. Assignments that were done before it stopped are left out.
    fn run_link(
        &mut self,
        rules: &RuleSet,
        index: RuleIndex,
        rule: &Rule,
        number: usize,
        done: Paused,
    ) -> Result<bool, Asked> {
        let link = &rule.links[number];
        let Paused { assigned, mut begun, .. } = done;
        let Some(condition) = &link.condition else {
            return match self.assign(link, &mut begun) {
                Ok(()) => Ok(true),
                Err(asked) => {
                    self.cursor.paused = Some(Paused { link: number, assigned, begun });
                    Err(asked)
                }
            };
        };
        let mut matching =
            Matching { condition, link, rule, compiled: None, expanded_at: None, seen: 0, assigned, begun };
        let starter = (number == 0).then_some(index);
        let result = if starter.is_some() && self.is_judged(rules, index) {
            self.try_candidates(rules, index, &mut matching)
        } else if let Some(item) = starter.and_then(|_| self.settled(rules)) {
            self.tell_settled(&mut matching, item)
        } else {
            self.try_targets(rules, starter, &mut matching)
        };
        let Matching { seen, begun, .. } = matching;
        if let Err(asked) = result {
            self.vars.matched.interrupt_link();
            self.cursor.paused = Some(Paused { link: number, assigned: seen.max(assigned), begun });
            return Err(asked);
        }
        self.vars.matched.end_link();
        Ok(seen > 0)
    }

    /// Tries all values of all targets.
    fn try_targets(
        &mut self,
        rules: &RuleSet,
        starter: Option<RuleIndex>,
        matching: &mut Matching<'_>,
    ) -> Result<(), Asked> {
        let link = matching.link;
        let mut items = std::mem::take(&mut self.scratch.items);
        let mut result = Ok(());
        // Target by target: what the assignments of one match is there for the next target.
        for (place, target) in link.targets.iter().enumerate() {
            items.clear();
            self.expand_target(place as u32, target, &mut items);
            items.retain(|item| self.is_looked_at(link, starter, *item));
            if self.passes_over_ascii(matching) {
                items.retain(|item| !self.is_ascii_field(*item));
            }
            result = items.iter().try_for_each(|item| self.try_item(rules, matching, *item));
            if result.is_err() {
                break;
            }
        }
        self.scratch.items = items;
        result
    }

    /// Transforms one value, asks the operator, and tells each match.
    pub(crate) fn try_item(
        &mut self,
        rules: &RuleSet,
        matching: &mut Matching<'_>,
        item: Item,
    ) -> Result<(), Asked> {
        let link = matching.link;
        let context = rules.transform_context();
        let operator = match &matching.condition.operator {
            OperatorSource::Fixed(operator) => Some(operator.as_ref()),
            OperatorSource::Expanded(text) if is_comparison(matching.condition.name) => {
                let argument = &mut self.scratch.argument;
                // Only a match changes what macros stand for.
                if matching.expanded_at != Some(matching.seen) {
                    argument.clear();
                    text.expand_into(&self.vars, argument);
                    self.cursor.work += argument.len();
                }
                matching.expanded_at = Some(matching.seen);
                None
            }
            OperatorSource::Expanded(text) => {
                // For each value: the assignments of one match are there for the next.
                let argument = text.expand(&self.vars);
                if matching.compiled.as_ref().is_none_or(|(of, _)| *of != argument) {
                    self.cursor.work += argument.len();
                    let operator = self.compile_expanded(matching, &argument);
                    matching.compiled = Some((argument, operator));
                }
                match matching.compiled.as_ref().and_then(|(_, operator)| operator.as_ref()) {
                    Some(operator) => Some(operator),
                    None => return Ok(()),
                }
            }
        };
        let Scratch { value: value_buffer, transformed: [current, next], evaluation, hits, argument, .. } =
            &mut self.scratch;
        hits.clear();
        let Some(raw) = self.vars.value(item, value_buffer) else { return Ok(()) };
        let mut judge = Judge {
            matching,
            operator,
            argument,
            evaluation,
            vars: &self.vars,
            item,
            work: &mut self.cursor.work,
            shortfalls: &mut self.shortfalls,
            trace: &mut self.trace,
            hits,
        };
        if link.multi_match {
            judge.judge(raw, true)?;
        }
        let mut is_raw = true;
        for transformation in &link.transformations {
            let value = if is_raw { raw } else { current.as_slice() };
            if transformation.apply(value, next, &context) == Effect::Changed {
                std::mem::swap(current, next);
                is_raw = false;
                if link.multi_match {
                    judge.judge(current, false)?;
                }
            }
        }
        if !link.multi_match {
            judge.judge(if is_raw { raw } else { current }, is_raw)?;
        }
        self.tell_hits(matching, item)
    }

    fn tell_hits(&mut self, matching: &mut Matching<'_>, item: Item) -> Result<(), Asked> {
        if self.scratch.hits.list.is_empty() {
            return Ok(());
        }
        let hits = std::mem::take(&mut self.scratch.hits);
        let told = hits.list.iter().try_for_each(|hit| self.tell(matching, item, &hits, hit));
        self.scratch.hits = hits;
        told
    }

    /// Tells the match of a variable that the plan has already asked about.
    fn tell_settled(&mut self, matching: &mut Matching<'_>, item: Item) -> Result<(), Asked> {
        self.tell_held(item, matching.text_of_name(item));
        matching.seen = 1;
        self.assign(matching.link, &mut matching.begun)
    }

    /// Tells the match of a variable of TX, or of a number, as it stands.
    fn tell_held(&mut self, item: Item, name: Option<TextId>) {
        let mut buffer = std::mem::take(&mut self.scratch.value);
        buffer.clear();
        let held = self.vars.held(item).map(|held| {
            buffer.extend_from_slice(held);
            buffer.as_slice()
        });
        // As every look.
        self.cursor.work += held.map_or(1, <[u8]>::len) + 16;
        self.vars.tell_match(item, name, held);
        self.scratch.value = buffer;
    }

    /// All that happens when the only link of a rule matches, `item` or without a condition, and the rule has no action
    /// but assignments, and goes on somewhere.
    pub(crate) fn pass_quietly(&mut self, rules: &RuleSet, index: RuleIndex, item: Option<Item>) {
        let rule = rules.rule(index);
        let link = &rule.links[0];
        self.vars.rule = index;
        if let Some(item) = item {
            if link.assignments.is_empty() {
                self.tell_gate(link, item);
            } else {
                self.tell_held(item, name_of_count(link, item));
            }
        }
        self.set_all(link);
        self.vars.matched.end_link();
        self.cursor.step += 1;
        self.flow_after(rule);
    }

    /// Tells the only match of a link without assignments, of a variable of TX as it stands.
    pub(crate) fn tell_gate(&mut self, link: &Link, item: Item) {
        self.cursor.work += self.vars.tell_alone(item, name_of_count(link, item)) + 16;
    }

    /// Asks the operator about a text that the plan has made of a value.
    pub(crate) fn try_text(
        &mut self,
        matching: &mut Matching<'_>,
        item: Item,
        text: Option<Range<usize>>,
    ) -> Result<(), Asked> {
        let OperatorSource::Fixed(operator) = &matching.condition.operator else { return Ok(()) };
        let Scratch { value: value_buffer, evaluation, hits, .. } = &mut self.scratch;
        hits.clear();
        let is_raw = text.is_none();
        let value = match text {
            Some(range) => &self.plan.texts[range],
            None => match self.vars.value(item, value_buffer) {
                Some(value) => value,
                None => return Ok(()),
            },
        };
        let mut judge = Judge {
            matching,
            operator: Some(operator),
            argument: &[],
            evaluation,
            vars: &self.vars,
            item,
            work: &mut self.cursor.work,
            shortfalls: &mut self.shortfalls,
            trace: &mut self.trace,
            hits,
        };
        judge.judge(value, is_raw)?;
        self.tell_hits(matching, item)
    }

    /// The operator of an argument that was expanded from macros; `None`, and a shortfall, when there is no such.
    fn compile_expanded(&mut self, matching: &Matching<'_>, argument: &[u8]) -> Option<Operator> {
        let options = self.rules.settings.operator_options();
        match Operator::compile(matching.condition.name, argument, &options, &NoFiles) {
            Ok(operator) => Some(operator),
            Err(error) => {
                let rule = matching.rule.id;
                self.note(Shortfall::ArgumentInvalid { rule, message: error.to_string() });
                None
            }
        }
    }

    /// A value matched: rules that come after, and the actions of this link, can see it.
    fn tell(&mut self, matching: &mut Matching<'_>, item: Item, hits: &Hits, hit: &Hit) -> Result<(), Asked> {
        for (group, text) in &hits.captures[hit.captures.clone()] {
            self.vars.tx.set_at(store::capture(*group), &hits.bytes[text.clone()]);
        }
        match hit.meaning {
            Meaning::Match => {}
            Meaning::CapturesOnly => {
                matching.expanded_at = None;
                return Ok(());
            }
            Meaning::StepLimit => {
                matching.expanded_at = None;
                self.vars.pcre_limits_exceeded = true;
                self.vars.tx.set_at(store::PCRE_LIMITS_EXCEEDED, b"1");
                return Ok(());
            }
        }
        let value = hit.value.as_ref().map(|value| &hits.bytes[value.clone()]);
        self.vars.tell_match(item, matching.text_of_name(item), value);
        if matching.seen >= matching.assigned {
            self.assign(matching.link, &mut matching.begun)?;
        }
        matching.seen += 1;
        Ok(())
    }

    /// The values that a target names, in order.
    pub(crate) fn expand_target(&mut self, place: u32, target: &Target, items: &mut Vec<Item>) {
        let variable = target.variable;
        if let Selector::XPath { number, query } = &target.selector {
            let values = self.xpath_values(*number, query);
            let number = *number as u32;
            if target.count {
                items
                    .push(Item { variable, kind: ItemKind::Count { members: values as u32, target: place } });
            } else {
                items.extend(
                    (0..values as u32)
                        .map(|index| Item { variable, kind: ItemKind::XPath { number, index } }),
                );
            }
            return;
        }
        match target.place {
            Place::Tx(slot) => {
                let found = self.vars.tx.has(slot);
                if target.count {
                    let members = u32::from(found);
                    items.push(Item { variable, kind: ItemKind::Count { members, target: place } });
                } else if found {
                    items.push(Item { variable, kind: ItemKind::Var { store: Store::Tx, slot } });
                }
                return;
            }
            Place::TxPattern(number) => {
                let found = self.vars.tx.slots_named(&self.rules.tx_patterns[number as usize]);
                if target.count {
                    let members = found.count() as u32;
                    items.push(Item { variable, kind: ItemKind::Count { members, target: place } });
                } else {
                    let kinds = found.map(|slot| ItemKind::Var { store: Store::Tx, slot });
                    items.extend(kinds.map(|kind| Item { variable, kind }));
                }
                return;
            }
            Place::Fields(key) => {
                if target.count {
                    let members = self.vars.count_keyed(variable, key) as u32;
                    items.push(Item { variable, kind: ItemKind::Count { members, target: place } });
                } else {
                    items.extend(self.vars.keyed(variable, key).map(|kind| Item { variable, kind }));
                }
                return;
            }
            Place::Unknown => {}
        }
        if !target.count {
            self.members(variable, &target.selector, items);
            return;
        }
        let mut members = std::mem::take(&mut self.scratch.members);
        members.clear();
        self.members(variable, &target.selector, &mut members);
        items.push(Item { variable, kind: ItemKind::Count { members: members.len() as u32, target: place } });
        self.scratch.members = members;
    }

    fn members(&self, variable: Variable, selector: &Selector, out: &mut Vec<Item>) {
        let expanded;
        let key = match selector {
            Selector::All | Selector::XPath { .. } => return self.vars.members(variable, out),
            Selector::Regex(_) => None,
            Selector::Key(key) => Some(key.as_slice()),
            Selector::ExpandedKey(text) => {
                expanded = text.expand(&self.vars);
                Some(&*expanded)
            }
        };
        if let (Some(store), Some(key)) = (store_of(variable), key) {
            if let Some(slot) = self.vars.store(store).and_then(|values| values.slot(key)) {
                out.push(Item { variable, kind: ItemKind::Var { store, slot } });
            }
            return;
        }
        let first = out.len();
        self.vars.members(variable, out);
        let mut kept = first;
        let mut buffer = Vec::new();
        for at in first..out.len() {
            let item = out[at];
            let chosen = self.vars.key(item, &mut buffer).is_some_and(|name| match (key, selector) {
                (Some(key), _) => name.eq_ignore_ascii_case(key),
                (None, Selector::Regex(pattern)) => finds(pattern, name),
                (None, _) => true,
            });
            if chosen {
                out[kept] = item;
                kept += 1;
            }
        }
        out.truncate(kept);
    }

    /// Evaluates an XPath once for the document; says how many values it has.
    pub(crate) fn xpath_values(&mut self, number: usize, query: &XPathQuery) -> usize {
        let Some(document) = self.vars.xml() else { return 0 };
        if self.vars.xpath_values[number].is_none() {
            let found = query.path.evaluate(document, &query.namespaces, XPATH_VALUES_BYTES_MAX);
            if found.truncated {
                self.note(Shortfall::Limit(XPATH_VALUES_FULL));
            }
            self.vars.xpath_values[number] = Some(found.values);
        }
        self.vars.xpath_values[number].as_ref().map_or(0, Vec::len)
    }

    /// Whether a value of a target is looked at, or excepted by the configuration, excluded by the link's own `!` targets
    /// or by `ctl:ruleRemoveTarget*`. The latter name rules by id, tag or message, which only the starter of a chain has: as
    /// in ModSecurity 3, its other links keep their targets.
    pub(crate) fn is_looked_at(&self, link: &Link, starter: Option<RuleIndex>, item: Item) -> bool {
        let removed = self
            .control
            .removed_targets
            .iter()
            .filter(|(rules, _)| starter.is_some_and(|index| rules.contains(index)))
            .map(|(_, exclusion)| exclusion.as_ref());
        !self.control.excepts(item, &self.vars)
            && link.exclusions.iter().chain(removed).all(|exclusion| !self.is_excluded(link, exclusion, item))
    }

    fn is_excluded(&self, link: &Link, exclusion: &Exclusion, item: Item) -> bool {
        if item.variable != exclusion.variable {
            return false;
        }
        let mut buffer = Vec::new();
        let name = self.vars.key(item, &mut buffer);
        let named = |key: &[u8]| name.is_some_and(|name| name.eq_ignore_ascii_case(key));
        match (&exclusion.selector, item.kind) {
            // A count goes when what it counts is named, letter by letter.
            (selector, ItemKind::Count { target, .. }) => {
                selector.describe().eq_ignore_ascii_case(&link.targets[target as usize].selector.describe())
            }
            (Selector::All, _) => true,
            (Selector::XPath { number, .. }, ItemKind::XPath { number: of, .. }) => *number == of as usize,
            (Selector::XPath { .. }, _) => false,
            (Selector::Regex(pattern), _) => name.is_some_and(|name| finds(pattern, name)),
            (Selector::Key(key), _) => named(key),
            (Selector::ExpandedKey(text), _) => named(&text.expand(&self.vars)),
        }
    }
}

/// The name of a count of the first target.
fn name_of_count(link: &Link, item: Item) -> Option<TextId> {
    matches!(item.kind, ItemKind::Count { .. }).then(|| link.targets[0].name)
}

/// A link at work.
pub(crate) struct Matching<'a> {
    pub(crate) condition: &'a Condition,
    pub(crate) link: &'a Link,
    rule: &'a Rule,
    /// An argument expanded from macros and the operator of it, which mostly serves all values: a pattern from
    /// a long header takes longer to compile than to run.
    compiled: Option<(Cow<'a, [u8]>, Option<Operator>)>,
    /// How many matches had been told when the argument of a comparison was last expanded; none where something else
    /// has changed since.
    expanded_at: Option<usize>,
    /// Matches told so far.
    pub(crate) seen: usize,
    /// Matches whose assignments were done before the link stopped.
    assigned: usize,
    /// Assignments of the match after those that were done then.
    begun: usize,
}

impl Matching<'_> {
    /// The name of a count, which its item does not tell.
    fn text_of_name(&self, item: Item) -> Option<TextId> {
        match item.kind {
            ItemKind::Count { target, .. } => Some(self.link.targets[target as usize].name),
            _ => None,
        }
    }

    /// What MATCHED_VAR_NAME says: `ARGS:q`. A count has the name of what it counts.
    fn name(&self, vars: &Variables, item: Item) -> Vec<u8> {
        match item.kind {
            ItemKind::Count { target, .. } => self.link.targets[target as usize].describe().into_bytes(),
            _ => vars.name(item),
        }
    }
}

/// What an operator brought out of one value, copied so that actions may change what it came from.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    list: Vec<Hit>,
    /// Groups and what they captured, in `bytes`.
    captures: Vec<(u8, Range<usize>)>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Hit {
    meaning: Meaning,
    /// In `bytes`; `None` where it is the value of the item, which stays.
    value: Option<Range<usize>>,
    captures: Range<usize>,
}

impl Hits {
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.captures.clear();
        self.bytes.clear();
    }

    /// [`Hits::clear`], and gives back what a large request took.
    pub(crate) fn empty(&mut self) {
        empty(&mut self.list);
        empty(&mut self.captures);
        empty(&mut self.bytes);
    }

    fn copy(&mut self, text: &[u8]) -> Range<usize> {
        let begins = self.bytes.len();
        self.bytes.extend_from_slice(text);
        begins..self.bytes.len()
    }
}

#[derive(Debug)]
enum Meaning {
    Match,
    /// No match, but TX:0 to TX:9 change.
    CapturesOnly,
    /// The pattern gave up.
    StepLimit,
}

/// One value before the operator.
struct Judge<'a, 'm> {
    matching: &'a Matching<'m>,
    /// `None`: a comparison with the argument.
    operator: Option<&'a Operator>,
    argument: &'a [u8],
    evaluation: &'a mut Evaluation,
    vars: &'a Variables,
    item: Item,
    work: &'a mut usize,
    shortfalls: &'a mut Vec<Shortfall>,
    trace: &'a mut Option<Vec<Evaluated>>,
    hits: &'a mut Hits,
}

impl Judge<'_, '_> {
    /// `is_raw`: the value is that of the item.
    fn judge(&mut self, value: &[u8], is_raw: bool) -> Result<(), Asked> {
        let Matching { condition, link, rule, .. } = self.matching;
        // Every look costs something, also at an empty value.
        *self.work += value.len() + 16;
        if let Some(trace) = self.trace {
            trace.push(Evaluated {
                id: rule.id,
                target: self.matching.name(self.vars, self.item),
                value: value.to_vec(),
            });
        }
        let outcome = match self.operator {
            Some(operator) if link.captures => operator.evaluate(value, self.evaluation),
            Some(operator) => operator.test(value, self.evaluation),
            None => compare(condition.name, self.argument, value, self.evaluation),
        };
        let found = match outcome {
            Outcome::Match => true,
            Outcome::NoMatch => false,
            Outcome::Need(lookup) => return Err(Asked(lookup.into())),
            Outcome::StepLimit => {
                note_shortfall(
                    self.shortfalls,
                    Shortfall::StepLimit { rule: rule.id, target: self.matching.name(self.vars, self.item) },
                );
                self.hits.list.push(Hit { meaning: Meaning::StepLimit, value: None, captures: 0..0 });
                return Ok(());
            }
        };
        let first = self.hits.captures.len();
        // Under `!` an operator that finds something is no match, and captures all the same: so do both
        // ModSecurity lines and Coraza.
        if found && link.captures {
            for group in 0..GROUPS {
                if let Some(text) = self.evaluation.captured(group, value) {
                    let text = self.hits.copy(text);
                    self.hits.captures.push((group as u8, text));
                }
            }
        }
        let captures = first..self.hits.captures.len();
        if found != condition.negated {
            let lasts = is_raw && self.item.lasts() && !value.is_empty();
            let value = (!lasts).then(|| self.hits.copy(value));
            self.hits.list.push(Hit { meaning: Meaning::Match, value, captures });
        } else if !captures.is_empty() {
            self.hits.list.push(Hit { meaning: Meaning::CapturesOnly, value: None, captures });
        }
        Ok(())
    }
}

/// Whether a key's pattern finds something in a name. A pattern that gives up finds nothing: a target is then
/// looked at (an exclusion does not hold) or not chosen, and names are short.
pub(crate) fn finds(pattern: &Pattern, name: &[u8]) -> bool {
    pattern.is_match(name).unwrap_or(false)
}

/// Operators whose argument holds macros cannot name files: which file would be read is then up to the client.
struct NoFiles;

impl DataFiles for NoFiles {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        Err(format!("`{name}` is not read: a file name may not come from macros"))
    }
}

/// Bytes of all values of one XPath.
const XPATH_VALUES_BYTES_MAX: usize = 16 << 20;
