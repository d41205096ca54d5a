//! What rules cost under traffic: one exchange in so many has its rules timed, the others pay for one number.
//!
//! Reading the clock after every rule costs more than most rules, and an exchange that is watched is looked at without what
//! is remembered of others. So few are, and what is told are means over those.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use palisade_engine::{RuleIndex, RuleSet};

/// Times rules of some exchanges of one rule set.
#[derive(Debug)]
pub struct RuleCosts {
    /// Nanoseconds since any moment; reads a clock, which is handed in.
    now: fn() -> u64,
    exchanges: AtomicU64,
    sampled: AtomicU64,
    /// Nanoseconds of all rules.
    nanos: AtomicU64,
    /// In the order of the rule set.
    rules: Box<[Cost]>,
}

#[derive(Debug, Default)]
struct Cost {
    runs: AtomicU64,
    nanos: AtomicU64,
}

/// What a rule took in exchanges that were watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCost {
    /// Exchanges that were watched, whether the rule ran in them or not.
    pub sampled: u64,
    /// How often it ran in them.
    pub runs: u64,
    /// Nanoseconds that it took in all of them.
    pub nanos: u64,
    /// The same of all rules together.
    pub nanos_all: u64,
}

/// Told of each rule once it has run, and with `None` when values were looked at for all rules.
pub type WatchRule = Box<dyn FnMut(Option<RuleIndex>) + Send>;

/// One exchange in so many is watched.
const EVERY: u64 = 4096;
/// Which of them: not the first ones, which find nothing in any cache.
const WATCHED: u64 = 15;
/// What one run may count: a thread that was put aside would be charged to whichever rule was at work.
const NANOS_MAX: u64 = 10_000_000;

impl RuleCosts {
    /// Of the rules of a set.
    pub fn of(rules: &RuleSet, now: fn() -> u64) -> Arc<Self> {
        Arc::new(Self {
            now,
            exchanges: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            rules: rules.rules().map(|_| Cost::default()).collect(),
        })
    }

    /// What watches the next exchange, where it is one to be watched.
    pub fn watch(self: &Arc<Self>) -> Option<WatchRule> {
        if self.exchanges.fetch_add(1, Ordering::Relaxed) % EVERY != WATCHED {
            return None;
        }
        self.sampled.fetch_add(1, Ordering::Relaxed);
        let costs = self.clone();
        let mut last = (costs.now)();
        Some(Box::new(move |rule| {
            let now = (costs.now)();
            // Looking at values comes first in each phase: what was waited for between two is nobody's.
            if let Some(cost) = rule.and_then(|rule| costs.rules.get(rule.0 as usize)) {
                let nanos = now.saturating_sub(last).min(NANOS_MAX);
                cost.runs.fetch_add(1, Ordering::Relaxed);
                cost.nanos.fetch_add(nanos, Ordering::Relaxed);
                costs.nanos.fetch_add(nanos, Ordering::Relaxed);
            }
            last = (costs.now)();
        }))
    }

    /// What a rule took so far.
    pub fn cost(&self, rule: RuleIndex) -> RuleCost {
        let Some(cost) = self.rules.get(rule.0 as usize) else { return RuleCost::default() };
        RuleCost {
            sampled: self.sampled.load(Ordering::Relaxed),
            runs: cost.runs.load(Ordering::Relaxed),
            nanos: cost.nanos.load(Ordering::Relaxed),
            nanos_all: self.nanos.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that goes on by 5 each time it is read.
    fn now() -> u64 {
        static TIME: AtomicU64 = AtomicU64::new(0);
        TIME.fetch_add(5, Ordering::Relaxed)
    }

    #[test]
    fn one_exchange_in_so_many_is_watched_and_looking_is_no_rules_time() {
        let costs = Arc::new(RuleCosts {
            now,
            exchanges: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            rules: (0..2).map(|_| Cost::default()).collect(),
        });
        let watched: Vec<_> = (0..2 * EVERY).filter_map(|_| costs.watch()).collect();
        assert_eq!(watched.len(), 2);
        for mut tell in watched {
            // Waited for: whatever came before looking.
            (0..100).for_each(|_| _ = now());
            tell(None);
            tell(Some(RuleIndex(1)));
            tell(Some(RuleIndex(1)));
            tell(Some(RuleIndex(9)));
        }
        assert_eq!(costs.cost(RuleIndex(0)), RuleCost { sampled: 2, runs: 0, nanos: 0, nanos_all: 20 });
        assert_eq!(costs.cost(RuleIndex(1)), RuleCost { sampled: 2, runs: 4, nanos: 20, nanos_all: 20 });
        assert_eq!(costs.cost(RuleIndex(9)), RuleCost::default());
    }
}
