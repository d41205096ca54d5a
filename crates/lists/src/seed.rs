//! Hashes that nobody outside can foresee.

use std::hash::{BuildHasher, Hasher};

/// Randomness of this process: where entries stand is not for those who are on the lists to foresee.
#[derive(Clone, Copy, Debug)]
pub struct Seed(pub u64, pub u64);

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { state: self.0, factor: self.1 | 1 }
    }
}

/// A hash by multiplication: the halves of a product folded together, with a factor that nobody else knows.
#[derive(Debug)]
pub struct Folded {
    state: u64,
    factor: u64,
}

impl Folded {
    fn fold(&mut self, value: u64) {
        let product = u128::from(self.state ^ value) * u128::from(self.factor);
        self.state = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        // Once more, so that a short key reaches all bits.
        let product = u128::from(self.state) * u128::from(self.factor.rotate_left(32));
        (product as u64) ^ ((product >> 64) as u64)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.fold(u64::from_le_bytes(word));
        }
        self.fold(bytes.len() as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.fold(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.fold(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.fold(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.fold(value as u64);
        self.fold((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.fold(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_spread() {
        let seed = Seed(0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321);
        let mut counts = [0; 256];
        (0..256_000_u64).for_each(|key| counts[(seed.hash_one(key << 8) >> 40) as usize % 256] += 1);
        assert!(counts.iter().all(|count| (700..1300).contains(count)), "{counts:?}");
    }
}
