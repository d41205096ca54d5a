//! A set of small numbers, one bit each.

#[derive(Clone, Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// An empty set of numbers below a bound.
    pub(super) fn below(bound: usize) -> Self {
        Self(vec![0; bound.div_ceil(64)])
    }

    pub(super) fn set(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    pub(super) fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// The smallest number of the set from one on, below another.
    pub(super) fn next(&self, from: usize, below: usize) -> Option<usize> {
        let mut at = from / 64;
        let mut word = self.0.get(at)? & u64::MAX.checked_shl((from % 64) as u32).unwrap_or(0);
        loop {
            if word != 0 {
                let number = at * 64 + word.trailing_zeros() as usize;
                return (number < below).then_some(number);
            }
            at += 1;
            if at * 64 >= below {
                return None;
            }
            word = *self.0.get(at)?;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_in_order_within_bounds() {
        let mut bits = Bits::below(300);
        let numbers = [0, 63, 64, 127, 200, 299];
        numbers.iter().for_each(|number| bits.set(*number));
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(number) = bits.next(from, 299) {
            found.push(number);
            from = number + 1;
        }
        assert_eq!(found, numbers[..5]);
        assert!(bits.has(299) && !bits.has(1) && !bits.has(1000));
    }
}
