//! The values of a dimension that came most, and one sum for all others.
//!
//! Space-saving (Metwally, Agrawal, El Abbadi, 2005), with honest counts: a value that is new takes the place of the one with
//! the least weight and inherits that weight, so that whatever has more than its share of all is surely here at the end; its
//! *count* begins at what was really seen of it, and what was counted for the one that went is counted as others. So every
//! count is a lower bound, and all of them together are exact.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::sums::{Actions, ByValue, count};

/// Values with their counts, bounded.
#[derive(Debug, Default)]
pub(super) struct Heavy {
    values: HashMap<Box<str>, Value>,
    by_weight: BTreeSet<(u64, Box<str>)>,
    others: Actions,
}

#[derive(Debug)]
struct Value {
    weight: u64,
    actions: Actions,
}

/// What is to be changed in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// These are the counts of a value; the empty one is all others together.
    Set { value: Box<str>, actions: Actions },
    /// A value is counted with the others from now on.
    Remove { value: Box<str> },
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

    /// Adds counts; what changes thereby. At most `values_max` values are counted one by one afterwards, or as many as were
    /// before.
    pub(super) fn add(&mut self, sums: ByValue, values_max: usize) -> Vec<Change> {
        let mut sums: Vec<(Box<str>, Actions)> = sums.into_iter().collect();
        // Those that are here first, then the largest: who comes once does not drive out who comes in the same breath.
        sums.sort_by_cached_key(|(value, actions)| {
            (!self.values.contains_key(value), std::cmp::Reverse(weight(actions)), value.clone())
        });
        let (mut changed, mut gone) = (HashSet::new(), HashSet::new());
        let mut others_changed = false;
        for (value, actions) in sums {
            let by = weight(&actions);
            if value.is_empty() {
                actions.iter().for_each(|(action, by)| count(&mut self.others, action, *by));
                others_changed = true;
                continue;
            }
            if let Some(own) = self.values.get_mut(&value) {
                self.by_weight.remove(&(own.weight, value.clone()));
                own.weight += by;
                actions.iter().for_each(|(action, by)| count(&mut own.actions, action, *by));
                self.by_weight.insert((own.weight, value.clone()));
                changed.insert(value);
                continue;
            }
            let mut inherited = 0;
            if self.values.len() >= values_max {
                let Some((weight, least)) = self.by_weight.pop_first() else {
                    actions.iter().for_each(|(action, by)| count(&mut self.others, action, *by));
                    others_changed = true;
                    continue;
                };
                inherited = weight;
                let least_actions = self.values.remove(&least).map(|value| value.actions).unwrap_or_default();
                least_actions.iter().for_each(|(action, by)| count(&mut self.others, action, *by));
                others_changed = true;
                changed.remove(&least);
                gone.insert(least);
            }
            self.insert(value.clone(), inherited + by, actions);
            changed.insert(value);
        }
        let mut changes: Vec<Change> = gone.into_iter().map(|value| Change::Remove { value }).collect();
        if others_changed {
            changes.push(Change::Set { value: "".into(), actions: self.others.clone() });
        }
        changes.extend(changed.into_iter().filter_map(|value| {
            let actions = self.values.get(&value)?.actions.clone();
            Some(Change::Set { value, actions })
        }));
        changes
    }

    fn insert(&mut self, value: Box<str>, weight: u64, actions: Actions) {
        self.by_weight.insert((weight, value.clone()));
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

    #[test]
    fn who_comes_most_stays_and_every_sum_is_exact_together() {
        let mut heavy = Heavy::default();
        let mut file: HashMap<Box<str>, u64> = HashMap::new();
        let mut sent = 0;
        for round in 0..2000_u64 {
            // One in four is the same, the others come once.
            let value = if round % 4 == 0 { "often".to_owned() } else { format!("once-{round}") };
            sent += 1;
            for change in heavy.add(one(&value, 1), 8) {
                match change {
                    Change::Set { value, actions } => drop(file.insert(value, weight(&actions))),
                    Change::Remove { value } => drop(file.remove(&value)),
                }
            }
            assert!(heavy.len() <= 8);
        }
        assert_eq!(file.values().sum::<u64>(), sent);
        assert_eq!(file["often"], 500);
        assert_eq!(file.len(), 9);
        // What a file has goes on where it was.
        let read = file.iter().map(|(value, by)| (value.clone(), vec![("deny".into(), *by)])).collect();
        let mut again = Heavy::of(read);
        let changes = again.add(one("often", 1), 8);
        assert_eq!(changes, [Change::Set { value: "often".into(), actions: vec![("deny".into(), 501)] }]);
    }

    #[test]
    fn without_room_everything_is_others() {
        let mut heavy = Heavy::default();
        let changes = heavy.add(one("a", 3), 0);
        assert_eq!(changes, [Change::Set { value: "".into(), actions: vec![("deny".into(), 3)] }]);
        assert_eq!(heavy.len(), 0);
    }
}
