//! The values of a dimension that came most, and one sum for all others.
//!
//! Space-saving (Metwally, Agrawal, El Abbadi, 2005), with honest counts: a value that is new takes the place of the one with
//! the least weight and inherits that weight, so that whatever has more than its share of all is surely here at the end; its
//! *count* begins at what was really seen of it, and what was counted for the one that went is counted as others. So every
//! count is a lower bound, and all of them together are exact.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::counts;
use super::sums::{Actions, ByValue, count};

/// Values with their counts, bounded.
#[derive(Debug, Default)]
pub(super) struct Heavy {
    values: HashMap<Box<str>, Value>,
    others: Actions,
}

#[derive(Debug)]
struct Value {
    weight: u64,
    actions: Actions,
}

impl Heavy {
    /// What a file has.
    pub(super) fn of(sums: ByValue) -> Self {
        let mut heavy = Self::default();
        for (value, actions) in sums {
            if value.is_empty() {
                heavy.others = actions;
            } else {
                heavy.insert(value, weight(&actions), actions);
            }
        }
        heavy
    }

    /// Values that are counted one by one.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Adds counts. At most `values_max` values are counted one by one afterwards, or as many as were before.
    pub(super) fn add(&mut self, sums: &ByValue, values_max: usize) {
        // Those that are here first, then the largest: who comes once does not drive out who comes in the same breath.
        let mut new: Vec<(&Box<str>, &Actions)> = Vec::new();
        for (value, actions) in sums {
            if value.is_empty() {
                self.count_others(actions);
            } else if let Some(own) = self.values.get_mut(value) {
                own.weight += weight(actions);
                actions.iter().for_each(|(action, by)| count(&mut own.actions, action, *by));
            } else {
                new.push((value, actions));
            }
        }
        new.sort_unstable_by(|(a, of_a), (b, of_b)| {
            (Reverse(weight(of_a)), a).cmp(&(Reverse(weight(of_b)), b))
        });
        for (value, actions) in new {
            let mut inherited = 0;
            if self.values.len() >= values_max {
                let Some((least, weight)) = self.least() else {
                    self.count_others(actions);
                    continue;
                };
                inherited = weight;
                let least = self.values.remove(&least).map(|value| value.actions).unwrap_or_default();
                self.count_others(&least);
            }
            self.insert(value.clone(), inherited + weight(actions), actions.clone());
        }
    }

    /// The value with the least weight. A look at each, and only where there is no room: that is less than to keep them in
    /// order with each count.
    fn least(&self) -> Option<(Box<str>, u64)> {
        let (value, own) = self.values.iter().min_by_key(|(value, own)| (own.weight, *value))?;
        Some((value.clone(), own.weight))
    }

    /// All of it, as a file has it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let others = (!self.others.is_empty()).then_some(("", &self.others));
        let values = self.values.iter().map(|(value, own)| (&**value, &own.actions));
        counts::to_bytes(others.into_iter().chain(values))
    }

    fn count_others(&mut self, actions: &Actions) {
        actions.iter().for_each(|(action, by)| count(&mut self.others, action, *by));
    }

    fn insert(&mut self, value: Box<str>, weight: u64, actions: Actions) {
        self.values.insert(value, Value { weight, actions });
    }
}

fn weight(actions: &Actions) -> u64 {
    actions.iter().map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str, by: u64) -> ByValue {
        HashMap::from([(value.into(), vec![("deny".into(), by)])])
    }

    fn read(bytes: &[u8]) -> ByValue {
        let mut sums = ByValue::new();
        counts::each(bytes, |value, action, by| count(sums.entry(value.into()).or_default(), action, by))
            .unwrap();
        sums
    }

    #[test]
    fn who_comes_most_stays_and_every_sum_is_exact_together() {
        let mut heavy = Heavy::default();
        let mut sent = 0;
        for round in 0..2000_u64 {
            // One in four is the same, the others come once.
            let value = if round % 4 == 0 { "often".to_owned() } else { format!("once-{round}") };
            sent += 1;
            heavy.add(&one(&value, 1), 8);
            assert!(heavy.len() <= 8);
        }
        let file = read(&heavy.to_bytes());
        assert_eq!(file.values().map(weight).sum::<u64>(), sent);
        assert_eq!(weight(&file["often"]), 500);
        assert_eq!(file.len(), 9);
        // What a file has goes on where it was.
        let mut again = Heavy::of(file);
        again.add(&one("often", 1), 8);
        assert_eq!(weight(&read(&again.to_bytes())["often"]), 501);
    }

    #[test]
    fn without_room_everything_is_others() {
        let mut heavy = Heavy::default();
        heavy.add(&one("a", 3), 0);
        assert_eq!(read(&heavy.to_bytes()), one("", 3));
        assert_eq!(heavy.len(), 0);
    }
}
