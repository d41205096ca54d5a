//! Looking at a phase's values, once each: what comes out are the pairs of rule and value that are worth a try.

use palisade_codec::transform::ByteSet;
use palisade_seclang::ast::{Phase, Variable};

use super::chains::{ChainScratch, Output, Selection, Walk};
use super::live::Lives;
use super::masks::{KeptMasks, Keyed, WalkMasks};
use super::memo::{Found, Known, Memo, Recurrent, Recurs};
use super::sieve::Seen;
use super::{Base, Instant, Probe, ProbeSelector, Source};
use crate::evaluate::finds;
use crate::operator::Evaluation;
use crate::recycle::empty;
use crate::ruleset::{RuleSet, phase_slot};
use crate::transaction::{Progress, Transaction};
use crate::variables::{Item, ItemKind, Variables};

/// What a transaction knows of the phase at work beyond its rules.
#[derive(Debug, Default)]
pub(crate) struct PlanState {
    /// The reference evaluator is asked for, or needed.
    pub(crate) off: bool,
    /// The phase that is being scanned, or has been.
    phase: Option<Phase>,
    /// Where the scan stands: the source, and its next member.
    at: (usize, u32),
    has_begun: bool,
    pub(super) is_scanned: bool,
    /// Gates are passed over: they do what they were found to do when values were looked at.
    pub(super) gates_hold: bool,
    /// Changes of watched variables before that, ...
    pub(super) changes_at_scan: u32,
    /// ... and removals of which it is known that they are about no gate.
    pub(super) removed_at_scan: usize,
    /// What is looked at, by phase.
    pub(super) live: Lives,
    /// Sorted by step, target and member once the scan is done.
    pub(super) candidates: Vec<Candidate>,
    /// The first candidate that is not behind the cursor.
    pub(super) next: usize,
    /// Too many candidates: the phase's judged rules are run as the reference runs them.
    pub(super) overflown: bool,
    /// Outputs that candidates hold.
    pub(crate) texts: Vec<u8>,
    chains: ChainScratch,
    masks: KeptMasks,
    memo: Memo,
    /// What was found in the value.
    found: Vec<Found>,
    /// Operators that look at the item.
    active: Vec<u64>,
    /// Those that may match the output.
    hits: Vec<u64>,
    seen: Seen,
    value: Vec<u8>,
    members: Vec<Item>,
    pub(crate) filters: FilterCounts,
}

impl PlanState {
    /// As it was before its first phase, in the memory that it has.
    pub(crate) fn clear(&mut self) {
        let Self {
            live,
            masks,
            memo,
            mut found,
            mut candidates,
            mut texts,
            mut chains,
            mut active,
            mut hits,
            seen,
            mut value,
            mut members,
            ..
        } = std::mem::take(self);
        empty(&mut candidates);
        for bytes in [&mut texts, &mut value] {
            empty(bytes);
        }
        for words in [&mut active, &mut hits] {
            empty(words);
        }
        empty(&mut members);
        empty(&mut found);
        chains.clear();
        // What was seen is all zero between scans.
        *self = Self {
            live,
            masks,
            memo,
            found,
            candidates,
            texts,
            chains,
            active,
            hits,
            seen,
            value,
            members,
            ..Self::default()
        };
    }
}

/// How many pairs of value and rule each filter left, since the transaction began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilterCounts {
    /// Values that were looked at.
    pub values: u64,
    /// Those of them of which all was known from earlier exchanges.
    pub known: u64,
    /// Distinct texts that the rules' transformations made of them.
    pub outputs: u64,
    /// Pairs of a text and an operator that looks at it.
    pub pairs: u64,
    /// Those that the sieve let through.
    pub candidates: u64,
    /// Those whose operator was asked; rules that are skipped or removed do not ask.
    pub asked: u64,
    /// Those that matched.
    pub matched: u64,
}

/// A value that may match the first link of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) step: u32,
    pub(super) place: u32,
    /// Keeps the members of a target in order.
    order: u32,
    pub(super) item: Item,
    pub(super) text: Text,
    /// The operator was asked while scanning and did not say no.
    pub(super) asked: bool,
}

/// What the operator is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// The value as it is.
    Raw,
    /// A part of the state's texts.
    Kept { start: u32, end: u32 },
    /// It is made anew when the rule is visited, as the reference makes it.
    Remade,
}

/// Where a value is looked at.
struct Sight<'a> {
    rules: &'a RuleSet,
    phase: Phase,
    source: &'a Source,
    /// Its number.
    number: usize,
    vars: &'a Variables,
    /// Whose exceptions hold.
    owner: usize,
    /// Whether operators are asked at once. Not where somebody wants to know what each rule costs.
    asks: bool,
}

/// Candidates of one phase. Hostile requests to CRS stay below a tenth of it.
const CANDIDATES_MAX: usize = 1 << 20;
/// Bytes of outputs kept for candidates; what does not fit is transformed again at the visit.
const TEXTS_BYTES_MAX: usize = 16 << 20;
/// Longer texts are left to the visit, before which other connections may run.
const ASKED_BYTES_MAX: usize = 4 << 10;
/// Outputs of one huge value are given back.
const SCRATCH_BYTES_MAX: usize = 64 << 10;

impl Transaction {
    /// Scans what the phase's rules look at, as far as it has not been. Something comes back when it has to be
    /// called again.
    pub(super) fn scan(&mut self, rules: &RuleSet, phase: Phase) -> Option<Progress> {
        if self.plan.is_scanned {
            return None;
        }
        if !self.plan.has_begun {
            self.begin_scan(rules, phase);
        }
        let plan = &rules.plan;
        let state = &mut self.plan;
        while let Some(source) = plan.phase(phase).sources.get(state.at.0) {
            while let Some(item) = member(source, &self.vars, state.at.1) {
                if self.cursor.work > self.cursor.work_share {
                    self.cursor.work = 0;
                    return Some(Progress::Yield);
                }
                state.at.1 += 1;
                let (number, vars, asks) = (state.at.0, &self.vars, self.observer.is_none());
                let owner = self.control.excepted.owner();
                let sight = Sight { rules, phase, source, number, vars, owner, asks };
                self.cursor.work += state.look(&sight, item, &mut self.scratch.evaluation);
            }
            state.at = (state.at.0 + 1, 0);
        }
        state.candidates.sort_unstable_by_key(|candidate| (candidate.step, candidate.place, candidate.order));
        if state.candidates.len() > CANDIDATES_MAX {
            state.overflown = true;
            state.candidates.clear();
        }
        state.is_scanned = true;
        if let Some(observer) = &mut self.observer {
            (observer.0)(None);
        }
        None
    }

    /// Forgets what was known of another phase.
    pub(super) fn enter_phase(&mut self, phase: Phase) {
        let state = &mut self.plan;
        if state.phase == Some(phase) {
            return;
        }
        state.phase = Some(phase);
        state.at = (0, 0);
        state.has_begun = false;
        state.is_scanned = false;
        state.gates_hold = false;
        state.candidates.clear();
        state.next = 0;
        state.overflown = false;
        state.texts.clear();
    }

    fn begin_scan(&mut self, rules: &RuleSet, phase: Phase) {
        self.plan.has_begun = true;
        let plan = rules.plan.phase(phase);
        let evaluation = &mut self.scratch.evaluation;
        let live = self.plan.live.begin(phase);
        let version = live.version;
        live.update(plan, plan.sieve.sieve.words(), |step| {
            plan.tests[step as usize].as_ref().is_some_and(|test| test.may_match(&self.vars, evaluation))
        });
        if live.version != version {
            self.plan.memo.forget();
        }
        for source in &plan.sources {
            if let Base::XPath { number, query } = &source.base {
                self.xpath_values(*number, query);
            }
        }
        for instant in &plan.instants {
            if !self.plan.is_dead(phase, instant.step as usize) {
                self.decide(instant);
            }
        }
    }

    /// Asks an operator about a count.
    fn decide(&mut self, instant: &Instant) {
        let mut members = std::mem::take(&mut self.plan.members);
        members.clear();
        self.expand_target(instant.place, &instant.target, &mut members);
        if let [item] = members[..] {
            let state = &mut self.plan;
            let value = self.vars.value(item, &mut state.value).expect("a count has a value");
            // What transformations make of it (t:length and the like) is left to the visit.
            if instant.is_transformed || instant.decision.may_match(value, &mut self.scratch.evaluation) {
                state.filters.candidates += 1;
                state.push(instant.step, instant.place, item, Text::Remade, false);
            }
        }
        self.plan.members = members;
    }
}

impl PlanState {
    /// Forgets which values it had to look at, and what the last one was like.
    #[cfg(test)]
    pub(crate) fn forget_looks(&mut self) {
        self.filters = FilterCounts::default();
        self.found.clear();
        self.active.clear();
        self.hits.clear();
    }

    /// Makes the candidates of one value; gives what it cost, in bytes looked at.
    fn look(&mut self, sight: &Sight<'_>, item: Item, evaluation: &mut Evaluation) -> usize {
        let mut buffer = std::mem::take(&mut self.value);
        let mut cost = 16;
        if let Some(value) = sight.vars.value(item, &mut buffer) {
            cost += self.look_at(sight, item, value, evaluation);
        }
        self.value = buffer;
        cost
    }

    /// Makes them of what is known of the value, or looks closely.
    fn look_at(&mut self, sight: &Sight<'_>, item: Item, value: &[u8], evaluation: &mut Evaluation) -> usize {
        let Sight { source, owner, .. } = *sight;
        self.filters.values += 1;
        let mut name = Vec::new();
        let key = sight.vars.key(item, &mut name);
        // Where rules are timed their operators are not asked here, and nothing is found out.
        if source.recurs == Recurs::Never || !sight.asks || !sight.rules.plan.remembers {
            return self.look_closely(sight, item, key, value, evaluation);
        }
        let place = (phase_slot(sight.phase) << 16 | sight.number) as u32;
        let name = key.filter(|_| source.recurs == Recurs::ByKey).unwrap_or_default();
        let text = Recurrent { owner, place, name, value };
        let vacancy = match self.memo.find(&text) {
            Ok(known) => {
                self.find_again(source, item, known);
                return 0;
            }
            Err(vacancy) => vacancy,
        };
        let cost = self.look_closely(sight, item, key, value, evaluation);
        if let Some(vacancy) = vacancy.filter(|_| source.recurs.keeps(key)) {
            self.memo.keep(vacancy, &text, &self.found);
        }
        cost
    }

    /// Makes the candidates that were found in an equal value.
    fn find_again(&mut self, source: &Source, item: Item, known: Known) {
        self.filters.known += 1;
        for found in known.found() {
            let probe = &source.probes[found.probe as usize];
            let item = Item { variable: probe.variable, ..item };
            let text = if found.is_raw { Text::Raw } else { Text::Remade };
            self.filters.candidates += 1;
            self.filters.asked += u64::from(found.asked);
            self.push(probe.step, probe.place, item, text, found.asked);
        }
    }

    fn look_closely(
        &mut self,
        sight: &Sight<'_>,
        item: Item,
        key: Option<&[u8]>,
        value: &[u8],
        evaluation: &mut Evaluation,
    ) -> usize {
        let Sight { rules, phase, source, number, asks, .. } = *sight;
        self.found.clear();
        let live = &self.live[phase];
        let awake = &live.sources[number];
        self.active.clear();
        self.active.extend_from_slice(&awake.operators);
        let count = awake.count;
        let mut keyed = key.and_then(|key| source.keys.get(key));
        if let Some(Keyed { operators, .. }) = keyed {
            let mut any = 0;
            for operator in operators {
                let word = *operator as usize / 64;
                let bit = 1 << (operator % 64) & live.operators.get(word).copied().unwrap_or_default();
                any |= bit;
                if bit != 0 {
                    self.active[word] |= bit;
                }
            }
            keyed = keyed.filter(|_| any != 0);
        }
        if self.active.iter().all(|word| *word == 0) {
            return 0;
        }
        let bytes = ByteSet::of(value);
        let context = rules.transform_context();
        let first_of_item = self.candidates.len();
        let mut scratch = std::mem::take(&mut self.chains);
        let mut cost = 0;
        for (at, (walk, masks)) in source.chains.walks().iter().zip(&source.through).enumerate() {
            let mut selection = self.live[phase].sources[number].selections[at];
            if let Some(keyed) = keyed {
                selection = selection.union(keyed.selections[at]);
            }
            for output in walk.evaluate(selection, value, &bytes, &mut scratch, &context).iter() {
                cost += output.text.len();
                self.filters.outputs += 1;
                if !self.choose_operators(selection, walk, masks, &output) {
                    continue;
                }
                self.filters.pairs += match keyed {
                    None if output.chains == selection.chains => count,
                    _ => self.hits.iter().map(|word| u64::from(word.count_ones())).sum(),
                };
                rules.plan.phase(phase).sieve.sieve.sift(
                    output.text,
                    output.bytes,
                    &mut self.hits,
                    &mut self.seen,
                );
                let mut text = (output.number == 0).then_some(Text::Raw);
                let asks = asks && output.text.len() <= ASKED_BYTES_MAX;
                for word in 0..self.hits.len() {
                    let mut bits = self.hits[word];
                    while bits != 0 {
                        let operator = word as u32 * 64 + bits.trailing_zeros();
                        bits &= bits - 1;
                        let mut may_match = None;
                        for (place, probe) in source.probes_of(operator) {
                            if self.is_dead(phase, probe.step as usize)
                                || !probe.selects(key)
                                || !probe.every_stage && !walk.yields(&output, probe.chain)
                            {
                                continue;
                            }
                            self.filters.candidates += 1;
                            let asked = asks && !probe.leaves_captures;
                            if asked {
                                let may_match = *may_match.get_or_insert_with(|| {
                                    cost += output.text.len();
                                    let known = &rules.plan.phase(phase).operators[operator as usize];
                                    known
                                        .as_ref()
                                        .is_none_or(|known| known.may_match(output.text, evaluation))
                                });
                                self.filters.asked += 1;
                                if !may_match {
                                    continue;
                                }
                            }
                            if probe.every_stage {
                                // Several stages are one try, and the visit goes through all of them.
                                if self.push_once(first_of_item, probe, item, asked) {
                                    self.found.push(Found::new(place, false, asked));
                                }
                            } else {
                                let text = *text.get_or_insert_with(|| self.keep(output.text));
                                let item = Item { variable: probe.variable, ..item };
                                self.push(probe.step, probe.place, item, text, asked);
                                self.found.push(Found::new(place, text == Text::Raw, asked));
                            }
                        }
                    }
                }
            }
        }
        self.chains = scratch;
        if cost > SCRATCH_BYTES_MAX {
            self.chains.release_over(SCRATCH_BYTES_MAX);
        }
        cost
    }

    /// Leaves in `hits` the operators that look at an output; whether there are any.
    fn choose_operators(
        &mut self,
        selection: Selection,
        walk: &Walk,
        masks: &WalkMasks,
        output: &Output<'_>,
    ) -> bool {
        self.hits.clear();
        if output.chains == selection.chains {
            self.hits.extend_from_slice(&self.active);
            return true;
        }
        let through = masks.of_kept(output.chains, walk.chains(), &mut self.masks);
        self.hits.extend(through.iter().zip(&self.active).map(|(through, active)| through & active));
        self.hits.iter().any(|word| *word != 0)
    }

    fn keep(&mut self, text: &[u8]) -> Text {
        let start = self.texts.len();
        if start + text.len() > TEXTS_BYTES_MAX {
            return Text::Remade;
        }
        self.texts.extend_from_slice(text);
        Text::Kept { start: start as u32, end: self.texts.len() as u32 }
    }

    fn push_once(&mut self, first_of_item: usize, probe: &Probe, item: Item, asked: bool) -> bool {
        let known = self.candidates.get(first_of_item..).unwrap_or_default();
        let is_new = !known.iter().any(|known| known.step == probe.step && known.place == probe.place);
        if is_new {
            let item = Item { variable: probe.variable, ..item };
            self.push(probe.step, probe.place, item, Text::Remade, asked);
        }
        is_new
    }

    /// Whether a step lies behind a gate that was found to skip it.
    pub(super) fn is_dead(&self, phase: Phase, step: usize) -> bool {
        self.live.is_dead(phase, step)
    }

    fn push(&mut self, step: u32, place: u32, item: Item, text: Text, asked: bool) {
        if self.candidates.len() > CANDIDATES_MAX {
            return;
        }
        let order = self.candidates.len() as u32;
        self.candidates.push(Candidate { step, place, order, item, text, asked });
    }
}

impl Source {
    /// With their places.
    fn probes_of(&self, operator: u32) -> impl Iterator<Item = (usize, &Probe)> {
        let first = self.probes.partition_point(|probe| probe.operator < operator);
        (first..).zip(&self.probes[first..]).take_while(move |(_, probe)| probe.operator == operator)
    }
}

impl Probe {
    fn selects(&self, key: Option<&[u8]>) -> bool {
        match self.selector.as_deref() {
            None => true,
            Some(ProbeSelector::Key(name)) => key.is_some_and(|key| key.eq_ignore_ascii_case(name)),
            Some(ProbeSelector::Regex(pattern)) => key.is_some_and(|key| finds(pattern, key)),
        }
    }
}

/// The member of a source at a position.
fn member(source: &Source, vars: &Variables, at: u32) -> Option<Item> {
    // What a probe calls it takes the place of this.
    let variable = Variable::Args;
    match &source.base {
        Base::Fields(list, part) => ((at as usize) < vars.list(*list).len())
            .then_some(Item { variable, kind: ItemKind::Field { list: *list, index: at, part: *part } }),
        Base::Files(what) => ((at as usize) < vars.body.files.len())
            .then_some(Item { variable, kind: ItemKind::File { index: at, what: *what } }),
        Base::XPath { number, .. } => {
            let values = vars.xpath_values.get(*number)?.as_ref()?;
            ((at as usize) < values.len())
                .then_some(Item { variable, kind: ItemKind::XPath { number: *number as u32, index: at } })
        }
        Base::Scalar(variable) if at == 0 => vars.single(*variable),
        Base::Scalar(_) => None,
    }
}
