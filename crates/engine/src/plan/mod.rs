//! The compiled plan: which rules can match at all, found by one look at each value.
//!
//! The reference evaluator (`evaluate`) asks every rule about every value. Here each value that a phase's rules look
//! at is transformed once in each way that differs, scanned once for what the operators need, and only the pairs
//! of rule and value that are left, the *candidates*, are tried. Rules run in their order, as the reference runs
//! them: skips, removals, exclusions, chains and actions are dealt with when a rule is visited, never while scanning.
//!
//! ```text
//!  value ──chains──> distinct outputs ──sieve──> operators that may match ──> candidates (step, target, item, output)
//!                                                                                 │ sorted by step
//!  program:  step  step  STEP  step  STEP ...      visited: those with candidates, and those that the plan
//!                                                  cannot judge beforehand (TX, counts of what rules write, actions)
//! ```
//!
//! **Invariant:** a step that is not visited could not have matched, and the reference would have left no trace of
//! trying it. Only the first link of a rule is judged beforehand, only where its operator is a function of the value
//! and the values cannot change while the phase runs.
//!
//! Not here: what a match does. That is the reference's code, for both.

mod chains;
mod live;
mod masks;
mod memo;
mod needs;
mod operators;
mod prelude;
mod scan;
mod sieve;
mod steps;
mod tx;
mod visit;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use palisade_codec::transform::Transformation;
use palisade_pcre::Pattern;
use palisade_seclang::ast::{Phase, Variable};

use crate::interner::Interner;
use crate::keys::KeyTable;
use crate::operator::{Evaluation, Operator, Outcome};
use crate::ruleset::{
    Assignment, Disruptive, Link, OperatorSource, PHASES, Rule, RuleIndex, Selector, Target, XPathQuery,
    phase_slot,
};
use crate::variables::{FilePart, List, Part};

use chains::{Chains, WALK_CHAINS, Want, prefixes};
use live::Gates;
use masks::{Keyed, OperatorMask, WalkMasks};
use memo::Recurs;
use operators::{Numbering, Settled};
use prelude::{Prelude, is_closed};
use steps::Steps;
use tx::{TxTest, is_quiet};

pub use needs::Needs;
pub(crate) use operators::{OperatorSieve, SievedOperator};
pub use scan::FilterCounts;
pub(crate) use scan::PlanState;
pub use sieve::{Seen, Sieve};

/// The plan of a rule set.
#[derive(Debug)]
pub(crate) struct Plan {
    phases: [PhasePlan; PHASES],
    prelude: Prelude,
    /// What is found in texts that recur is kept.
    pub(crate) remembers: bool,
}

/// The plan of one phase. Steps are positions in the phase's program.
#[derive(Debug)]
struct PhasePlan {
    /// What the distinct operators of its probes need, and those of other phases of the same stage.
    sieve: Arc<OperatorSieve>,
    /// The rule set's operators by their numbers.
    operators: Arc<[Option<SievedOperator>]>,
    /// Visited whatever the values are.
    always: Steps,
    /// Visited where a candidate says so.
    judged: Steps,
    /// What is scanned, in an order that keeps the members of each target in theirs.
    sources: Vec<Source>,
    /// What is decided without a scan.
    instants: Vec<Instant>,
    /// By step: a test of one TX variable that says soon whether the rule can match.
    tests: Vec<Option<Box<TxTest>>>,
    /// Of `always`: rules that change variables and go on, and do nothing else.
    quiet: Steps,
    /// Of these: nothing but TX decides what they do.
    closed: Steps,
    /// Rules that skip past others because of one TX variable.
    gates: Gates,
    /// By step: the operator of a judged rule.
    step_operators: Vec<Option<u32>>,
}

/// Values that are scanned together.
#[derive(Debug)]
struct Source {
    base: Base,
    /// What of it is kept.
    recurs: Recurs,
    /// Sorted by operator.
    probes: Vec<Probe>,
    /// The operators of probes without a key: they look at every member.
    unkeyed: OperatorMask,
    /// Those of probes with a key, by the key.
    keys: KeyTable<Keyed>,
    /// The transformation lists through which it is looked at.
    chains: Chains,
    /// For each walk of `chains` the operators of each of its chains.
    through: Vec<WalkMasks>,
}

/// Where values come from.
#[derive(Clone, Debug)]
enum Base {
    Fields(List, Part),
    Files(FilePart),
    Scalar(Variable),
    XPath { number: usize, query: Arc<XPathQuery> },
}

/// One target of the first link of one rule.
#[derive(Debug)]
struct Probe {
    /// Number of its operator.
    operator: u32,
    /// Number of its transformation list.
    chain: u32,
    step: u32,
    /// Which target of the link.
    place: u32,
    /// What the target calls itself.
    variable: Variable,
    /// Which members of the source; all where there is none. In a box: few have one, and there are thousands of probes.
    selector: Option<Box<ProbeSelector>>,
    /// `multiMatch`: what lies before the last transformation counts too.
    every_stage: bool,
    /// The rule leaves captures where it does not match: see [`Decision::captures`].
    leaves_captures: bool,
}

#[derive(Clone, Debug)]
enum ProbeSelector {
    Key(Vec<u8>),
    Regex(Arc<Pattern>),
}

/// A count, whose operator is asked at once.
#[derive(Debug)]
struct Instant {
    step: u32,
    place: u32,
    decision: Decision,
    is_transformed: bool,
    target: Target,
}

/// An operator that is asked outside of a visit.
#[derive(Debug)]
struct Decision {
    operator: Arc<Operator>,
    negated: bool,
    /// `capture` under `!` leaves its mark where the rule does not match.
    captures: bool,
}

impl Decision {
    fn may_match(&self, value: &[u8], evaluation: &mut Evaluation) -> bool {
        match self.operator.evaluate(value, evaluation) {
            Outcome::Match => !self.negated || self.captures,
            Outcome::NoMatch => self.negated,
            Outcome::Need(_) | Outcome::StepLimit => true,
        }
    }
}

impl Plan {
    /// Makes the plan of a program. `programs` are the rules of each phase in order.
    pub(crate) fn new(rules: &[Rule], programs: &[Vec<RuleIndex>; PHASES], interner: &Interner) -> Self {
        let mut planner = Planner::default();
        let drafts = std::array::from_fn(|slot| planner.phase(slot, rules, &programs[slot]));
        planner.finish(drafts, interner)
    }

    fn phase(&self, phase: Phase) -> &PhasePlan {
        &self.phases[phase_slot(phase)]
    }

    /// The variables of TX of which it has to be known whether they change.
    pub(crate) fn watched(&self) -> impl Iterator<Item = u32> + '_ {
        let tests =
            self.phases.iter().flat_map(|plan| plan.gates.plain().map(|step| &plan.tests[step as usize]));
        tests.flatten().map(|test| test.slot())
    }
}

/// Numbers operators and chains while phases are drafted.
#[derive(Default)]
struct Planner {
    /// Those of requests and those of responses, which have few in common: a response need not be looked at for what
    /// only requests are.
    operators: [Numbering; STAGES],
    chains: Vec<Vec<Transformation>>,
    chain_numbers: HashMap<Vec<Transformation>, u32>,
    /// Pairs of a phase's source and a chain through which it is looked at: each takes an operator mask.
    masks: HashSet<(usize, (u8, u64), u32)>,
}

const STAGES: usize = 2;

/// Which operators a phase's are numbered with.
fn stage_of(slot: usize) -> usize {
    let responses = [phase_slot(Phase::ResponseHeaders), phase_slot(Phase::ResponseBody)];
    usize::from(responses.contains(&slot))
}

/// Bounds of a plan, far above what CRS needs (350 operators, 34 chains, 500 masks at paranoia level 4): rules beyond
/// them are visited for every value, as the reference does.
const OPERATORS_MAX: usize = 8_192;
const CHAINS_MAX: usize = 1_024;
const MASKS_MAX: usize = 32_768;

/// A phase before its masks, which need to know how many operators there are.
#[derive(Default)]
struct PhaseDraft {
    always: Steps,
    judged: Steps,
    sources: Vec<(Base, Vec<Probe>)>,
    /// Positions in `sources`.
    source_numbers: HashMap<(u8, u64), usize>,
    instants: Vec<Instant>,
    tests: Vec<Option<Box<TxTest>>>,
    quiet: Steps,
    closed: Steps,
    gates: Gates,
    step_operators: Vec<Option<u32>>,
}

impl Planner {
    fn phase(&mut self, slot: usize, rules: &[Rule], program: &[RuleIndex]) -> PhaseDraft {
        let mut draft = PhaseDraft {
            always: Steps::new(program.len()),
            judged: Steps::new(program.len()),
            tests: program.iter().map(|_| None).collect(),
            quiet: Steps::new(program.len()),
            closed: Steps::new(program.len()),
            step_operators: vec![None; program.len()],
            ..PhaseDraft::default()
        };
        let judged_from = judged_from(rules, program);
        for (step, index) in program.iter().enumerate() {
            let rule = &rules[index.0 as usize];
            let link = &rule.links[0];
            let operator = judgeable(link).filter(|_| step >= judged_from && self.has_room());
            let step = step as u32;
            match operator {
                Some(operator) => {
                    draft.judged.insert(step);
                    self.add(slot, &mut draft, step, link, operator);
                }
                None => {
                    draft.always.insert(step);
                    let test = TxTest::new(link).map(Box::new);
                    let is_quiet = is_quiet(rule, test.as_deref());
                    if let Some(test) = &test
                        && let Some(to) = gate_end(rule)
                    {
                        draft.gates.add(step, to as u32, test, is_quiet && link.assignments.is_empty());
                    }
                    if is_quiet {
                        draft.quiet.insert(step);
                        if is_closed(link) {
                            draft.closed.insert(step);
                        }
                    }
                    draft.tests[step as usize] = test;
                }
            }
        }
        draft
    }

    fn add(&mut self, slot: usize, draft: &mut PhaseDraft, step: u32, link: &Link, operator: &Arc<Operator>) {
        let negated = link.condition.as_ref().is_some_and(|condition| condition.negated);
        for (place, target) in link.targets.iter().enumerate() {
            let place = place as u32;
            if target.count {
                draft.instants.push(Instant {
                    step,
                    place,
                    decision: Decision { operator: operator.clone(), negated, captures: link.captures },
                    is_transformed: !link.transformations.is_empty(),
                    target: target.clone(),
                });
                continue;
            }
            let selector = match &target.selector {
                Selector::Key(key) => Some(Box::new(ProbeSelector::Key(key.clone()))),
                Selector::Regex(pattern) => Some(Box::new(ProbeSelector::Regex(pattern.clone()))),
                _ => None,
            };
            for base in bases_of(target) {
                // What the operator needs says nothing about what it rejects.
                let operator = self.operators[stage_of(slot)].number(operator, negated);
                draft.step_operators[step as usize] = Some(operator);
                let probe = Probe {
                    operator,
                    chain: self.chain(&link.transformations),
                    step,
                    place,
                    variable: target.variable,
                    selector: selector.clone(),
                    every_stage: link.multi_match,
                    leaves_captures: negated && link.captures,
                };
                self.masks.insert((slot, base.rank(), probe.chain));
                let number = *draft.source_numbers.entry(base.rank()).or_insert_with(|| {
                    draft.sources.push((base, Vec::new()));
                    draft.sources.len() - 1
                });
                draft.sources[number].1.push(probe);
            }
        }
    }

    fn has_room(&self) -> bool {
        let operators: usize = self.operators.iter().map(Numbering::len).sum();
        operators < OPERATORS_MAX && self.chains.len() < CHAINS_MAX && self.masks.len() < MASKS_MAX
    }

    fn chain(&mut self, transformations: &[Transformation]) -> u32 {
        if let Some(number) = self.chain_numbers.get(transformations) {
            return *number;
        }
        let number = self.chains.len() as u32;
        self.chains.push(transformations.to_vec());
        self.chain_numbers.insert(transformations.to_vec(), number);
        number
    }

    fn finish(mut self, mut drafts: [PhaseDraft; PHASES], interner: &Interner) -> Plan {
        let sieves: [_; STAGES] = std::array::from_fn(|stage| {
            let of_stage = drafts.iter_mut().enumerate().filter(|(slot, _)| stage_of(*slot) == stage);
            let operators = std::mem::take(&mut self.operators[stage]);
            operators.settle(of_stage.map(|(_, draft)| draft), interner)
        });
        let mut slot = 0;
        let phases = drafts.map(|draft| {
            let Settled { sieve, operators, wants } = &sieves[stage_of(slot)];
            slot += 1;
            let PhaseDraft {
                always,
                judged,
                mut sources,
                instants,
                tests,
                quiet,
                closed,
                gates,
                step_operators,
                ..
            } = draft;
            // A target's members come query first, body second.
            sources.sort_by_key(|(base, _)| base.rank());
            let words = sieve.sieve.words();
            let sources =
                sources.into_iter().map(|(base, probes)| self.source(base, probes, wants, words)).collect();
            PhasePlan {
                sieve: sieve.clone(),
                operators: operators.clone(),
                always,
                judged,
                sources,
                instants,
                tests,
                quiet,
                closed,
                gates: gates.finish(),
                step_operators,
            }
        });
        Plan { phases, prelude: Prelude::default(), remembers: true }
    }

    /// `wants` are what the operators may match, by their numbers.
    fn source(&mut self, base: Base, mut probes: Vec<Probe>, wants: &[Want], words: usize) -> Source {
        probes.sort_by_key(|probe| (probe.operator, probe.step, probe.place));
        probes.shrink_to_fit();
        let mask = || vec![0u64; words].into_boxed_slice();
        let add = |mask: &mut [u64], operator: u32| mask[operator as usize / 64] |= 1 << (operator % 64);
        let mut unkeyed = mask();
        let mut keys: KeyTable<Keyed> = KeyTable::default();
        let mut through: BTreeMap<u32, OperatorMask> = BTreeMap::new();
        // What any of a chain's operators may match: another result need not be made.
        let mut wanted: BTreeMap<u32, Want> = BTreeMap::new();
        for probe in &probes {
            match probe.selector.as_deref() {
                Some(ProbeSelector::Key(key)) => {
                    let none = || Keyed { operators: Vec::new(), selections: Box::default() };
                    let operators = &mut keys.entry(key, none).operators;
                    // Probes come sorted by operator.
                    if operators.last() != Some(&probe.operator) {
                        operators.push(probe.operator);
                    }
                }
                None | Some(ProbeSelector::Regex(_)) => add(&mut unkeyed, probe.operator),
            }
            add(through.entry(probe.chain).or_insert_with(mask), probe.operator);
            let want = wants[probe.operator as usize];
            let mut wants = |chain: u32| {
                let known = wanted.entry(chain).or_insert(want);
                *known = known.or(want);
            };
            wants(probe.chain);
            // Under `multiMatch` what lies between counts as well.
            if probe.every_stage {
                let list = self.chains[probe.chain as usize].clone();
                for stage in prefixes(&list) {
                    let stage = self.chain(stage);
                    add(through.entry(stage).or_insert_with(mask), probe.operator);
                    wants(stage);
                }
            }
        }
        let chains = Chains::of_wanted(&self.chains, |chain| wanted.get(&(chain as u32)).copied());
        let through = chains.walks().iter().map(|walk| {
            let first = walk.first_chain() as u32;
            let chains = through
                .range(first..first + WALK_CHAINS as u32)
                .map(|(chain, mask)| (chain - first, mask.clone()))
                .collect();
            WalkMasks::new(chains, words)
        });
        let through: Vec<WalkMasks> = through.collect();
        for keyed in keys.values_mut() {
            let mut operators = mask();
            keyed.operators.iter().for_each(|operator| add(&mut operators, *operator));
            let walks = chains.walks().iter().zip(&through);
            keyed.selections =
                walks.map(|(walk, masks)| walk.select(masks.chains_of(&operators, walk))).collect();
        }
        let recurs = Recurs::of(&base, probes.len());
        Source { base, recurs, probes, unkeyed, keys, through, chains }
    }
}

/// The step from which on rules are judged beforehand, so that what gates say is known when values are looked at.
///
/// Rule sets begin with rules that give TX its values, and gates ask for these. A few rules may stand before them that
/// look at one value each (ModSecurity's own choose a body's parser by a header): these run as they stand, and values are
/// looked at behind the set-up.
fn judged_from(rules: &[Rule], program: &[RuleIndex]) -> usize {
    let rules = || program.iter().map(|index| &rules[index.0 as usize]);
    let asked: HashSet<u32> = rules()
        .filter(|rule| gate_end(rule).is_some())
        .filter_map(|rule| TxTest::new(&rule.links[0]))
        .map(|test| test.slot())
        .collect();
    let mut from = 0;
    let mut early = 0;
    for (step, rule) in rules().enumerate() {
        let link = &rule.links[0];
        if judgeable(link).is_some() {
            early += 1;
            if early > EARLY_MAX || !link.targets.iter().all(is_one_value) {
                break;
            }
        } else if link.assignments.iter().any(|assignment| match assignment {
            Assignment::Set(set) => set.slot().is_some_and(|slot| asked.contains(&slot)),
            Assignment::Open { .. } => false,
        }) {
            from = step + 1;
        }
    }
    from
}

/// Rules that run as they stand at the start of a phase.
const EARLY_MAX: usize = 8;

/// Whether a target is mostly one value: each is looked at for itself.
fn is_one_value(target: &Target) -> bool {
    matches!(target.selector, Selector::Key(_)) || matches!(bases_of(target)[..], [Base::Scalar(_)])
}

/// Where a rule goes on that does no more to the flow than skip past others.
fn gate_end(rule: &Rule) -> Option<usize> {
    let to = rule.skip_after.as_ref()?;
    (rule.links.len() == 1 && rule.disruptive == Disruptive::Pass).then_some(to.step)
}

/// The operator of a link whose values can be looked at beforehand: it is a function of the value, and neither the
/// values nor the choice of them can change while the phase runs.
fn judgeable(link: &Link) -> Option<&Arc<Operator>> {
    let condition = link.condition.as_ref()?;
    let OperatorSource::Fixed(operator) = &condition.operator else { return None };
    let fixed = |selector: &Selector| !matches!(selector, Selector::ExpandedKey(_));
    let judgeable = operator.is_pure()
        && (!link.multi_match || link.transformations.len() <= STAGES_MAX)
        && link
            .targets
            .iter()
            .all(|target| !changes_within_a_phase(target.variable) && fixed(&target.selector))
        && link.exclusions.iter().all(|exclusion| fixed(&exclusion.selector));
    judgeable.then_some(operator)
}

/// Longest transformation list of a `multiMatch` rule that is judged beforehand.
const STAGES_MAX: usize = 32;

/// Whether rules, or the time, can change a variable while a phase runs.
fn changes_within_a_phase(variable: Variable) -> bool {
    use Variable::*;
    match variable {
        // Written by setvar, setenv and what opens collections.
        Tx | Env | Ip | Session | User | Global | Resource | SessionId | UserId => true,
        // Written by matches and lookups.
        MatchedVar
        | MatchedVarName
        | MatchedVars
        | MatchedVarsNames
        | Geo
        | Rule
        | HighestSeverity
        | MscPcreError
        | MscPcreLimitsExceeded => true,
        // Written by ctl.
        ReqbodyProcessor => true,
        Duration | Time | TimeDay | TimeEpoch | TimeHour | TimeMin | TimeMon | TimeSec | TimeWday
        | TimeYear => true,
        _ => false,
    }
}

fn bases_of(target: &Target) -> Vec<Base> {
    use Part::{Name, Value};
    let fields = |lists: &[List], part: Part| lists.iter().map(|list| Base::Fields(*list, part)).collect();
    match target.variable {
        Variable::Args => fields(&[List::Query, List::Body], Value),
        Variable::ArgsGet => fields(&[List::Query], Value),
        Variable::ArgsPost => fields(&[List::Body], Value),
        Variable::ArgsNames => fields(&[List::Query, List::Body], Name),
        Variable::ArgsGetNames => fields(&[List::Query], Name),
        Variable::ArgsPostNames => fields(&[List::Body], Name),
        Variable::RequestCookies => fields(&[List::Cookies], Value),
        Variable::RequestCookiesNames => fields(&[List::Cookies], Name),
        Variable::RequestHeaders => fields(&[List::RequestHeaders], Value),
        Variable::RequestHeadersNames => fields(&[List::RequestHeaders], Name),
        Variable::ResponseHeaders => fields(&[List::ResponseHeaders], Value),
        Variable::ResponseHeadersNames => fields(&[List::ResponseHeaders], Name),
        Variable::MultipartPartHeaders => fields(&[List::PartHeaders], Value),
        Variable::Files => vec![Base::Files(FilePart::FileName)],
        Variable::FilesNames => vec![Base::Files(FilePart::FieldName)],
        Variable::FilesSizes => vec![Base::Files(FilePart::Size)],
        Variable::FilesTmpContent => vec![Base::Files(FilePart::Content)],
        Variable::Xml => match &target.selector {
            Selector::XPath { number, query } => vec![Base::XPath { number: *number, query: query.clone() }],
            // Its values come through an XPath only.
            _ => Vec::new(),
        },
        other => vec![Base::Scalar(other)],
    }
}

impl Base {
    /// Tells bases apart, and orders them as the members of a collection are ordered.
    fn rank(&self) -> (u8, u64) {
        match self {
            Base::Scalar(variable) => (0, *variable as u64),
            Base::Fields(list, part) => (1, *list as u64 * 2 + *part as u64),
            Base::Files(part) => (2, *part as u64),
            Base::XPath { number, .. } => (3, *number as u64),
        }
    }
}
