//! Memory that one exchange leaves to the next.
//!
//! What is left lies where its thread finds it again: two threads that begin exchanges at the same time touch the same
//! bytes only while one of them has nothing of its own. One list for all would be a lock that every exchange takes twice,
//! and whoever did not get it would start with cold memory.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Things that are costly to make and hold nothing that belongs to anybody: at most [`Spares::MAX`].
#[derive(Debug)]
pub struct Spares<T> {
    shelves: [Shelf<T>; SHELVES],
}

/// Of the threads of one number. Two lines of a cache, since processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Shelf<T>(Mutex<Vec<T>>);

const SHELVES: usize = 8;
const SHELF_MAX: usize = 4;

impl<T> Spares<T> {
    /// So many are kept; more are dropped.
    pub const MAX: usize = SHELVES * SHELF_MAX;

    /// One, if there is any that nobody is just reaching for. The last that this thread gave, where it has given one.
    /// Never waits.
    pub fn take(&self) -> Option<T> {
        self.take_near(thread_number())
    }

    /// Keeps one for who comes next, as near to this thread as there is room. Never waits.
    pub fn give(&self, spare: T) {
        self.give_near(thread_number(), spare);
    }

    /// How many there are. For tests: others may take and give meanwhile.
    pub fn count(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.0.lock().map_or(0, |kept| kept.len())).sum()
    }

    fn take_near(&self, thread: usize) -> Option<T> {
        self.nearest_first(thread).find_map(|shelf| shelf.0.try_lock().ok()?.pop())
    }

    fn give_near(&self, thread: usize, spare: T) {
        let mut given = Some(spare);
        for shelf in self.nearest_first(thread) {
            if let Ok(mut kept) = shelf.0.try_lock()
                && kept.len() < SHELF_MAX
            {
                kept.extend(given.take());
                return;
            }
        }
    }

    fn nearest_first(&self, thread: usize) -> impl Iterator<Item = &Shelf<T>> {
        let own = thread % SHELVES;
        self.shelves[own..].iter().chain(&self.shelves[..own])
    }
}

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Self { shelves: std::array::from_fn(|_| Shelf(Mutex::new(Vec::new()))) }
    }
}

/// Threads are numbered as they first ask.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            let new = NEXT.fetch_add(1, Ordering::Relaxed);
            number.set(Some(new));
            new
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_again_what_it_gave() {
        let spares = Spares::default();
        (0..SHELVES).for_each(|thread| spares.give_near(thread, thread));
        for thread in (0..SHELVES).rev() {
            assert_eq!(spares.take_near(thread), Some(thread));
            spares.give_near(thread, thread);
        }
        // Who is reached for is passed by, and nobody waits.
        let reached_for = spares.shelves[3].0.lock().unwrap();
        assert_eq!(spares.take_near(3), Some(4));
        spares.give_near(3, 4);
        drop(reached_for);
        assert_eq!((spares.take_near(4), spares.take_near(3)), (Some(4), Some(3)));
    }

    #[test]
    fn what_is_kept_is_bounded_and_found_from_anywhere() {
        let spares = Spares::default();
        (0..2 * Spares::<usize>::MAX).for_each(|spare| spares.give(spare));
        assert_eq!(spares.count(), Spares::<usize>::MAX);
        let taken = std::thread::scope(|scope| {
            scope.spawn(|| std::iter::from_fn(|| spares.take()).count()).join().expect("it does not panic")
        });
        assert_eq!((taken, spares.count()), (Spares::<usize>::MAX, 0));
    }
}
