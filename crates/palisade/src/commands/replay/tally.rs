//! What came of a replay, added up: one tally a worker, then all of them.

use std::collections::BTreeMap;

use palisade_events::recording::Decided;

use super::compare::{Change, Doubt, Flip};
use super::copies::Copy;
use super::judge::Judged;
use crate::flags::FailOn;

/// Sums of a replay.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    examples_max: usize,
    pub(crate) requests: u64,
    pub(crate) same: u64,
    pub(crate) undecidable: u64,
    pub(crate) services: BTreeMap<String, OfService>,
}

/// Of one service.
#[derive(Debug, Default)]
pub(crate) struct OfService {
    pub(crate) requests: u64,
    pub(crate) same: u64,
    pub(crate) flips: BTreeMap<Flip, Flipped>,
    pub(crate) undecidable: BTreeMap<Doubt, Undecided>,
}

/// Requests that flip one way.
#[derive(Debug, Default)]
pub(crate) struct Flipped {
    pub(crate) count: u64,
    /// Rules and findings that it is by, each with the number of requests.
    pub(crate) by: BTreeMap<String, u64>,
    pub(crate) examples: Vec<Example>,
}

/// Requests that are undecidable for one reason.
#[derive(Debug, Default)]
pub(crate) struct Undecided {
    pub(crate) count: u64,
    pub(crate) examples: Vec<Example>,
}

/// A request, for somebody who wants to look at it.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    /// Where in the input: examples are the first ones, however many workers there are.
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) at: Option<u64>,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) then: Decided,
    pub(crate) now: Decided,
}

/// Rules and findings that one row of a service tells apart; the others are counted together.
const BY_MAX: usize = 1000;
/// Reasons of one service that are told apart; masked places may be anybody's names.
const REASONS_MAX: usize = 100;

impl Tally {
    /// With so many examples of each kind.
    pub(crate) fn new(examples_max: usize) -> Self {
        Self { examples_max, ..Self::default() }
    }

    /// Adds one request.
    pub(crate) fn one(
        &mut self,
        number: u64,
        copy: &Copy,
        service: &str,
        then: &Decided,
        now: &Judged,
        change: Change,
    ) {
        self.requests += 1;
        let of = match self.services.get_mut(service) {
            Some(of) => of,
            None => self.services.entry(service.to_owned()).or_default(),
        };
        of.requests += 1;
        let example = || Example {
            number,
            id: copy.id.clone(),
            at: copy.at,
            method: copy.exchange.head.method.escape_ascii().to_string(),
            target: now.target.clone(),
            then: then.clone(),
            now: now.decided.clone(),
        };
        match change {
            Change::Same => {
                self.same += 1;
                of.same += 1;
            }
            Change::Flip(flip) => {
                let flipped = of.flips.entry(flip).or_default();
                flipped.count += 1;
                for by in by(flip, then, &now.decided) {
                    let by = if flipped.by.len() < BY_MAX || flipped.by.contains_key(&by) {
                        by
                    } else {
                        "others".into()
                    };
                    *flipped.by.entry(by).or_default() += 1;
                }
                if flipped.examples.len() < self.examples_max {
                    flipped.examples.push(example());
                }
            }
            Change::Undecidable(doubt) => {
                self.undecidable += 1;
                let known = of.undecidable.len() < REASONS_MAX || of.undecidable.contains_key(&doubt);
                let doubt = if known { doubt } else { Doubt::NotPlain(vec!["others".to_owned()]) };
                let undecided = of.undecidable.entry(doubt).or_default();
                undecided.count += 1;
                if undecided.examples.len() < self.examples_max {
                    undecided.examples.push(example());
                }
            }
        }
    }

    /// Adds another worker's.
    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.same += other.same;
        self.undecidable += other.undecidable;
        for (name, theirs) in other.services {
            let ours = self.services.entry(name).or_default();
            ours.requests += theirs.requests;
            ours.same += theirs.same;
            for (flip, theirs) in theirs.flips {
                let ours = ours.flips.entry(flip).or_default();
                ours.count += theirs.count;
                theirs.by.into_iter().for_each(|(by, count)| *ours.by.entry(by).or_default() += count);
                first(&mut ours.examples, theirs.examples, self.examples_max);
            }
            for (doubt, theirs) in theirs.undecidable {
                let ours = ours.undecidable.entry(doubt).or_default();
                ours.count += theirs.count;
                first(&mut ours.examples, theirs.examples, self.examples_max);
            }
        }
    }

    /// Requests that changed in a way.
    pub(crate) fn flips(&self, flip: Flip) -> u64 {
        self.services.values().filter_map(|of| of.flips.get(&flip)).map(|flipped| flipped.count).sum()
    }

    /// Requests of a kind that a run may fail on.
    pub(crate) fn count(&self, kind: FailOn) -> u64 {
        match kind {
            FailOn::NewlyBlocked => self.flips(Flip::NewlyBlocked),
            FailOn::NoLongerBlocked => self.flips(Flip::NoLongerBlocked),
            FailOn::NewlyWouldBlock => self.flips(Flip::NewlyWouldBlock),
            FailOn::NoLongerWouldBlock => self.flips(Flip::NoLongerWouldBlock),
            FailOn::Flips => Flip::ALL.into_iter().map(|flip| self.flips(flip)).sum(),
            FailOn::Undecidable => self.undecidable,
            FailOn::Nothing => 0,
        }
    }
}

/// Keeps the first of two lists together.
fn first(ours: &mut Vec<Example>, theirs: Vec<Example>, examples_max: usize) {
    ours.extend(theirs);
    ours.sort_by_key(|example| example.number);
    ours.truncate(examples_max);
}

/// By what a request flips: what is found on one side and not on the other. Where that is nothing, as where a mode changes,
/// all that was found on the side that stops more.
fn by(flip: Flip, then: &Decided, now: &Decided) -> Vec<String> {
    let (more, less) = if flip.is_stricter() { (now, then) } else { (then, now) };
    let named = |of: &Decided| -> Vec<String> {
        let rules = of.rules.iter().map(|rule| format!("rule {rule}"));
        rules.chain(of.findings.iter().map(|finding| format!("finding {finding}"))).collect()
    };
    let (all, less) = (named(more), named(less));
    let mut new: Vec<String> = all.iter().filter(|by| !less.contains(by)).cloned().collect();
    if new.is_empty() {
        new = all;
    }
    // A rule that only counts what others found says nothing beside them.
    if new.len() > 1 {
        new.retain(|by| *by != more.cause);
    }
    if new.is_empty() && !more.cause.is_empty() {
        new.push(more.cause.clone());
    }
    new
}
