//! Values by number, in chunks: what grows never moves, and a number that is free again is given to the next value.

use std::ops::{Index, IndexMut};

/// Values of a chunk. One that fills up makes room for its first values as any vector does; later chunks move nothing.
const CHUNK: usize = 4096;

#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new() }
    }

    /// Numbers that are in use or were once.
    pub(crate) fn span(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    /// Keeps a value. Gives its number.
    ///
    /// # Panics
    /// When there are 2³² values, which is more than [`crate::Limits::entries_max`] may be.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop() {
            let (chunk, at) = place(number);
            self.chunks[chunk][at] = Some(value);
            return number;
        }
        let number = u32::try_from(self.span()).expect("fewer values than numbers");
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::new());
        }
        if let Some(last) = self.chunks.last_mut() {
            last.push(Some(value));
        }
        number
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let (chunk, at) = place(number);
        let value = self.chunks.get_mut(chunk)?.get_mut(at)?.take();
        if value.is_some() {
            self.free.push(number);
        }
        value
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (chunk, at) = place(number);
        self.chunks.get(chunk)?.get(at)?.as_ref()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        self.get(number).expect("a number that was given and not taken back")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        let (chunk, at) = place(number);
        self.chunks[chunk][at].as_mut().expect("a number that was given and not taken back")
    }
}

fn place(number: u32) -> (usize, usize) {
    (number as usize / CHUNK, number as usize % CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_its_values_until_that_is_removed() {
        let mut slab = Slab::new();
        let numbers: Vec<u32> = (0..10_000).map(|value| slab.insert(value)).collect();
        assert!(numbers.iter().zip(0..).all(|(number, value)| slab[*number] == value));
        assert_eq!((slab.remove(numbers[5000]), slab.remove(numbers[5000])), (Some(5000), None));
        assert_eq!(slab.get(numbers[5000]), None);
        assert_eq!(slab.insert(7), numbers[5000]);
        assert_eq!((slab.span(), slab.get(10_000)), (10_000, None));
    }
}
