//! Sets of steps of a phase's program.

/// A set of steps, asked for the next one from a place on.
#[derive(Debug, Default)]
pub(super) struct Steps {
    words: Vec<u64>,
}

/// Copies into the memory that is there.
impl Clone for Steps {
    fn clone(&self) -> Self {
        Self { words: self.words.clone() }
    }

    fn clone_from(&mut self, source: &Self) {
        self.words.clone_from(&source.words);
    }
}

impl Steps {
    /// An empty set for a program of this many steps.
    pub(super) fn new(steps: usize) -> Self {
        Self { words: vec![0; steps.div_ceil(64)] }
    }

    pub(super) fn insert(&mut self, step: u32) {
        self.words[step as usize / 64] |= 1 << (step % 64);
    }

    /// Adds the members of a set for the same program.
    pub(super) fn insert_all(&mut self, other: &Steps) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Adds what two sets for the same program have in common.
    pub(super) fn insert_common(&mut self, one: &Steps, other: &Steps) {
        let common = one.words.iter().zip(&other.words).map(|(one, other)| one & other);
        self.words.iter_mut().zip(common).for_each(|(word, common)| *word |= common);
    }

    /// Takes out the members of a set for the same program.
    pub(super) fn remove_all(&mut self, other: &Steps) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    pub(super) fn contains(&self, step: usize) -> bool {
        self.words.get(step / 64).is_some_and(|word| word >> (step % 64) & 1 == 1)
    }

    /// The last member that is before a step and not before another one.
    pub(super) fn last(&self, from: usize, before: usize) -> Option<usize> {
        let mut end = before.min(self.words.len() * 64);
        while end > from {
            let at = (end - 1) / 64;
            let word = self.words[at] & (u64::MAX >> (63 - (end - 1) % 64));
            if word != 0 {
                let found = at * 64 + 63 - word.leading_zeros() as usize;
                return (found >= from).then_some(found);
            }
            end = at * 64;
        }
        None
    }

    /// The first member that is not before a step.
    pub(super) fn next(&self, from: usize) -> Option<usize> {
        let mut at = from / 64;
        let mut word = self.words.get(at)? & (u64::MAX << (from % 64));
        while word == 0 {
            at += 1;
            word = *self.words.get(at)?;
        }
        Some(at * 64 + word.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::Steps;

    #[test]
    fn the_next_member_is_found_across_words() {
        let mut steps = Steps::new(200);
        for step in [0, 63, 64, 199] {
            steps.insert(step);
        }
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(step) = steps.next(from) {
            found.push(step);
            from = step + 1;
        }
        assert_eq!(found, [0, 63, 64, 199]);
        let mut found = Vec::new();
        let mut before = 10_000;
        while let Some(step) = steps.last(1, before) {
            found.push(step);
            before = step;
        }
        assert_eq!(found, [199, 64, 63]);
        assert_eq!((steps.last(0, 1), steps.last(0, 0), steps.last(65, 199)), (Some(0), None, None));
        assert!(steps.contains(199) && !steps.contains(198) && !steps.contains(10_000));
        assert_eq!(Steps::new(0).next(0), None);
        assert_eq!(steps.next(10_000), None);
    }
}
